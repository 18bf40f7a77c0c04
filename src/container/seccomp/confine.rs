//! A filter for a helper of ours that other processes can reach: it allows a few system calls, and
//! kills for all others.

use super::program::{ARCHITECTURE, EQUAL, LOAD, NUMBER, RETURN, instruction};
use crate::sys::arch::AUDIT_ARCH;
use crate::sys::seccomp::{self, RETURN_ALLOW, RETURN_KILL_PROCESS};
use crate::sys::{self, Errno, process};

/// System calls, at most.
const CALLS_MAX: usize = 16;

/// Puts this process under the filter, with no_new_privs. Does nothing on a kernel without seccomp.
pub fn confine(calls: &[u32]) -> sys::Result<()> {
    process::no_new_privileges()?;
    match seccomp::set_filter(0, &program(calls)) {
        Ok(_) | Err(Errno::ENOSYS | Errno::EINVAL) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn program(calls: &[u32]) -> heapless::Vec<u64, { CALLS_MAX + 5 }> {
    let calls = &calls[..calls.len().min(CALLS_MAX)];
    let mut all = heapless::Vec::new();
    let mut put = |code, yes: usize, no: usize, value| {
        // All of them fit.
        let _ = all.push(instruction(code, yes as u8, no as u8, value));
    };
    put(LOAD, 0, 0, ARCHITECTURE);
    put(EQUAL, 0, calls.len() + 1, AUDIT_ARCH);
    put(LOAD, 0, 0, NUMBER);
    for (n, call) in calls.iter().enumerate() {
        put(EQUAL, calls.len() - n, 0, *call);
    }
    put(RETURN, 0, 0, RETURN_KILL_PROCESS);
    put(RETURN, 0, 0, RETURN_ALLOW);
    all
}

//! The rights that are left before the first connection.
//!
//! Credentials, certificates and the environment are in memory by then. What is left: TCP and UDP
//! over IP, the channel, the pipes that come through it, memory, threads, and reading two files.
//! In this order: limits, capabilities, no_new_privs, Landlock, seccomp. Each is an error if it
//! fails, but for Landlock on a kernel without it, which the answer Ready tells.

use crate::sys;
use libc::{BPF_ABS, BPF_ALU, BPF_AND, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
use std::fs::File;
use std::io::Result;
use std::os::fd::AsFd;

/// Files that name resolution reads at every look-up.
const READABLE: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];
/// Open fds: a channel, and for each request a pipe, a connection and one more on the way.
const FILES_MAX: u64 = 128;
/// Address space, in bytes: stacks and buffers of all requests and four manifests take 40 MiB.
const MEMORY_MAX: u64 = 512 << 20;

/// Drops all rights that are not needed. Returns whether Landlock is there.
pub fn confine() -> Result<bool> {
    sys::limit(libc::RLIMIT_CORE as _, 0)?;
    sys::limit(libc::RLIMIT_FSIZE as _, 0)?;
    sys::limit(libc::RLIMIT_NOFILE as _, FILES_MAX)?;
    sys::limit(libc::RLIMIT_AS as _, MEMORY_MAX)?;
    sys::drop_capabilities()?;
    sys::no_new_privileges()?;
    let landlock = landlock()?;
    sys::filter(&program())?;
    Ok(landlock)
}

/// Allows to read [`READABLE`] and nothing else of the file system, no bind of TCP ports, no
/// signals and abstract sockets of others, as far as the kernel's version knows of these.
fn landlock() -> Result<bool> {
    const READ_FILE: u64 = 1 << 2;
    const BIND_TCP: u64 = 1;
    const SCOPES: u64 = 3;
    let Ok(version) = sys::landlock_version() else { return Ok(false) };
    // Execute to make_sym, then refer, truncate and ioctl_dev.
    let files: u64 = match version {
        0 | 1 => (1 << 13) - 1,
        2 => (1 << 14) - 1,
        3 | 4 => (1 << 15) - 1,
        _ => (1 << 16) - 1,
    };
    let attributes = [files, BIND_TCP, SCOPES];
    let known = match version {
        0..=3 => 1,
        4 | 5 => 2,
        _ => 3,
    };
    let ruleset = sys::landlock_ruleset(&attributes[..known])?;
    for path in READABLE {
        // It need not exist.
        if let Ok(file) = File::open(path) {
            sys::landlock_allow(&ruleset, file.as_fd(), READ_FILE)?;
        }
    }
    sys::landlock_restrict(&ruleset)?;
    Ok(true)
}

/// The condition of a system call.
enum When {
    Always,
    /// If the argument of this number is one of these.
    Is(u8, &'static [u32]),
    /// If the argument of this number has none of these bits.
    Lacks(u8, u32),
    /// If it has all of these bits.
    Has(u8, u32),
}

use When::{Always, Has, Is, Lacks};

const WRITES: u32 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | libc::O_APPEND) as u32;
const FAMILIES: &[u32] = &[libc::AF_INET as u32, libc::AF_INET6 as u32];
const COMMANDS: &[u32] = &[
    libc::F_GETFL as u32,
    libc::F_SETFL as u32,
    libc::F_GETFD as u32,
    libc::F_SETFD as u32,
    libc::F_SETPIPE_SZ as u32,
    libc::F_DUPFD_CLOEXEC as u32,
];

/// The system calls that std, musl's resolver, threads and allocator make after the start.
const ALLOWED: &[(i64, When)] = &[
    (libc::SYS_read, Always),
    (libc::SYS_write, Always),
    (libc::SYS_readv, Always),
    (libc::SYS_writev, Always),
    (libc::SYS_recvfrom, Always),
    (libc::SYS_sendto, Always),
    (libc::SYS_recvmsg, Always),
    (libc::SYS_sendmsg, Always),
    (libc::SYS_futex, Always),
    (libc::SYS_poll, Always),
    (libc::SYS_close, Always),
    (libc::SYS_socket, Is(0, FAMILIES)),
    (libc::SYS_connect, Always),
    (libc::SYS_bind, Always),
    (libc::SYS_getsockopt, Always),
    (libc::SYS_setsockopt, Always),
    (libc::SYS_fcntl, Is(1, COMMANDS)),
    (libc::SYS_ioctl, Is(1, &[libc::FIONBIO as u32])),
    (libc::SYS_open, Lacks(1, WRITES)),
    (libc::SYS_lseek, Always),
    (libc::SYS_mmap, Lacks(2, libc::PROT_EXEC as u32)),
    (libc::SYS_mprotect, Lacks(2, libc::PROT_EXEC as u32)),
    (libc::SYS_mremap, Always),
    (libc::SYS_munmap, Always),
    (libc::SYS_madvise, Always),
    (libc::SYS_brk, Always),
    (libc::SYS_clone, Has(0, (libc::CLONE_THREAD | libc::CLONE_VM) as u32)),
    (libc::SYS_sigaltstack, Always),
    (libc::SYS_rt_sigprocmask, Always),
    (libc::SYS_rt_sigaction, Always),
    (libc::SYS_rt_sigreturn, Always),
    (libc::SYS_gettid, Always),
    (libc::SYS_clock_gettime, Always),
    (libc::SYS_clock_nanosleep, Always),
    (libc::SYS_getrandom, Always),
    (libc::SYS_tkill, Always),
    (libc::SYS_exit, Always),
    (libc::SYS_exit_group, Always),
];

const ALLOW: u32 = 0x7fff_0000;
/// Every other call fails with EPERM.
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;
const KILL: u32 = 0x8000_0000;
const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;

fn instruction(code: u32, yes: usize, no: usize, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt: yes as u8, jf: no as u8, k }
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(BPF_LD | BPF_W | BPF_ABS, 0, 0, offset)
}

fn verdict(verdict: u32) -> libc::sock_filter {
    instruction(BPF_RET | BPF_K, 0, 0, verdict)
}

fn equal(value: u32, yes: usize, no: usize) -> libc::sock_filter {
    instruction(BPF_JMP | BPF_JEQ | BPF_K, yes, no, value)
}

/// The lower half of an argument: none that is compared has a meaning beyond 32 bits.
fn argument(number: u8) -> libc::sock_filter {
    load(16 + 8 * u32::from(number))
}

/// The filter: the architecture, then each call in turn, the frequent ones first.
fn program() -> Vec<libc::sock_filter> {
    let mut program = vec![load(4), equal(AUDIT_ARCH_X86_64, 1, 0), verdict(KILL), load(0)];
    for (number, when) in ALLOWED {
        let mut rest = match *when {
            Always => vec![],
            Is(at, values) => {
                let mut rest = vec![argument(at)];
                for (index, value) in values.iter().enumerate() {
                    let left = values.len() - index;
                    rest.push(equal(*value, left, 0));
                }
                rest.push(verdict(REFUSE));
                rest
            }
            Lacks(at, bits) => {
                let masked = instruction(BPF_ALU | BPF_AND | BPF_K, 0, 0, bits);
                vec![argument(at), masked, equal(0, 1, 0), verdict(REFUSE)]
            }
            Has(at, bits) => {
                let masked = instruction(BPF_ALU | BPF_AND | BPF_K, 0, 0, bits);
                vec![argument(at), masked, equal(bits, 1, 0), verdict(REFUSE)]
            }
        };
        rest.push(verdict(ALLOW));
        program.push(equal(*number as u32, 0, rest.len()));
        program.extend(rest);
    }
    program.push(verdict(REFUSE));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a filter on a call, as the kernel does.
    fn run(program: &[libc::sock_filter], number: i64, arguments: [u64; 6]) -> u32 {
        let mut data = [0u8; 64];
        data[..4].copy_from_slice(&(number as u32).to_ne_bytes());
        data[4..8].copy_from_slice(&AUDIT_ARCH_X86_64.to_ne_bytes());
        for (at, argument) in arguments.iter().enumerate() {
            data[16 + 8 * at..24 + 8 * at].copy_from_slice(&argument.to_ne_bytes());
        }
        let (mut at, mut register) = (0, 0u32);
        loop {
            let step = program[at];
            at += 1;
            match u32::from(step.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => {
                    let offset = step.k as usize;
                    register = u32::from_ne_bytes(data[offset..offset + 4].try_into().unwrap());
                }
                code if code == BPF_ALU | BPF_AND | BPF_K => register &= step.k,
                code if code == BPF_JMP | BPF_JEQ | BPF_K => {
                    at += usize::from(if register == step.k { step.jt } else { step.jf });
                }
                _ => return step.k,
            }
        }
    }

    #[test]
    fn the_filter_allows_what_is_listed_and_refuses_the_rest() {
        let program = program();
        let [exec, inet] = [u64::from(libc::PROT_EXEC as u32), libc::AF_INET as u64];
        let thread = (libc::CLONE_THREAD | libc::CLONE_VM | libc::CLONE_FS) as u64;
        for (number, arguments, wanted) in [
            (libc::SYS_read, [0; 6], ALLOW),
            (libc::SYS_exit_group, [0; 6], ALLOW),
            (libc::SYS_socket, [inet, 0, 0, 0, 0, 0], ALLOW),
            (libc::SYS_socket, [libc::AF_INET6 as u64, 0, 0, 0, 0, 0], ALLOW),
            (libc::SYS_socket, [libc::AF_UNIX as u64, 0, 0, 0, 0, 0], REFUSE),
            (libc::SYS_socket, [libc::AF_NETLINK as u64, 0, 0, 0, 0, 0], REFUSE),
            (libc::SYS_mmap, [0, 0, 3, 0, 0, 0], ALLOW),
            (libc::SYS_mmap, [0, 0, 1 | exec, 0, 0, 0], REFUSE),
            (libc::SYS_open, [0, libc::O_CLOEXEC as u64, 0, 0, 0, 0], ALLOW),
            (libc::SYS_open, [0, libc::O_RDWR as u64, 0, 0, 0, 0], REFUSE),
            (libc::SYS_open, [0, libc::O_CREAT as u64, 0, 0, 0, 0], REFUSE),
            (libc::SYS_openat, [0; 6], REFUSE),
            (libc::SYS_clone, [thread, 0, 0, 0, 0, 0], ALLOW),
            (libc::SYS_clone, [libc::SIGCHLD as u64, 0, 0, 0, 0, 0], REFUSE),
            (libc::SYS_execve, [0; 6], REFUSE),
            (libc::SYS_ptrace, [0; 6], REFUSE),
            (libc::SYS_unlink, [0; 6], REFUSE),
            (libc::SYS_prctl, [libc::PR_SET_DUMPABLE as u64, 1, 0, 0, 0, 0], REFUSE),
            // x32 has the same numbers with bit 30.
            (libc::SYS_read | 0x4000_0000, [0; 6], REFUSE),
        ] {
            assert_eq!(run(&program, number, arguments), wanted, "{number} {arguments:?}");
        }
        assert!(program.len() < 256, "jumps have eight bits: {}", program.len());
    }
}

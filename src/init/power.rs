//! The end of PID 1: it turns the machine off in every case.

use super::control;
use crate::error::STATUS_FAILED;
use crate::sys::clone::{self, Side};
use crate::sys::fd::CWD;
use crate::sys::fs::{self, O_RDONLY};
use crate::sys::process;
use crate::sys::system::{self, Power};
use crate::sys::{event, signal};
use crate::watch::children;
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// Milliseconds for one way of turning off.
const ATTEMPT_MS: i32 = 10_000;

/// Turns the machine off. If that fails, restarts it, which ends many virtual machines; if that
/// fails, halts it.
pub fn off() -> ! {
    fs::sync();
    // On a machine that cannot turn off, the same call halts: so do not try it.
    if CAN_POWER_OFF.load(Ordering::Relaxed) {
        attempt(Power::Off);
    }
    attempt(Power::Restart);
    attempt(Power::Halt);
    loop {
        let _ = event::wait_ms(ATTEMPT_MS);
        reap();
    }
}

/// Calls reboot(2) in a child: if it returns, the kernel ends its caller, and the end of PID 1 is a
/// panic.
fn attempt(what: Power) {
    match clone::fork(0, None) {
        Ok(Side::Child) => {
            let _ = system::power(what);
            process::exit(1)
        }
        Ok(Side::Parent(_, pidfd)) => {
            let _ = event::poll_one(pidfd.by_ref(), libc::POLLIN, ATTEMPT_MS);
            reap();
        }
        Err(_) => {
            let _ = system::power(what);
        }
    }
}

fn reap() {
    while children::ended().is_some() {}
}

static CAN_POWER_OFF: AtomicBool = AtomicBool::new(false);

/// Notes whether the firmware can turn off, while /sys is mounted: ACPI's tables name the state S5
/// (soft off).
#[inline(never)]
pub fn learn() {
    const TABLES: [&CStr; 2] =
        [c"/sys/firmware/acpi/tables/DSDT", c"/sys/firmware/acpi/tables/SSDT"];
    CAN_POWER_OFF.store(TABLES.iter().any(|table| holds(table, b"_S5_")), Ordering::Relaxed);
}

fn holds(path: &CStr, name: &[u8; 4]) -> bool {
    let Ok(file) = fs::open(CWD, path, O_RDONLY, 0) else { return false };
    let mut buffer = [0; 1024];
    let mut kept = 0;
    while let Ok(n @ 1..) = fs::read(file.by_ref(), &mut buffer[kept..]) {
        let filled = kept + n;
        if buffer[..filled].windows(name.len()).any(|window| window == name) {
            return true;
        }
        // The name may cross two reads.
        kept = filled.min(name.len() - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
    false
}

/// Reports a panic and turns the machine off, because the end of PID 1 would be the kernel's panic.
pub fn on_panic(info: core::fmt::Arguments<'_>) -> ! {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if process::getpid() != 1 || clone::is_forked() {
        crate::error!("internal error: {info}");
        process::exit(STATUS_FAILED.into())
    }
    // A second panic in here must not recurse.
    if !PANICKED.swap(true, Ordering::Relaxed) {
        crate::error!("internal error: {info}");
        control::report_panic(format_args!("internal error: {info}"), STATUS_FAILED);
        let _ = process::kill(-1, signal::SIGKILL);
    }
    off()
}

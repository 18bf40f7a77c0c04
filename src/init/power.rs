//! The end of PID 1: the machine goes off, whatever happens.

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

/// How long one way of going off may take, in milliseconds.
const ATTEMPT_MS: i32 = 10_000;

/// Turns the machine off; where it cannot, restarts it, which ends many virtual machines; else
/// halts it.
pub fn off() -> ! {
    fs::sync();
    // A machine that cannot go off would be halted by the same call, and hang: it must not even be
    // tried.
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

/// In a child: where the call returns the kernel ends its caller, and the end of PID 1 is a panic.
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

/// Learns whether the firmware knows how, while there is a /sys: ACPI's tables name the state S5
/// (soft off).
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
        // The name may begin in this piece and end in the next.
        kept = filled.min(name.len() - 1);
        buffer.copy_within(filled - kept..filled, 0);
    }
    false
}

/// What a panic leads to: PID 1 says so and turns the machine off, for its end would be the
/// kernel's panic.
pub fn on_panic(info: core::fmt::Arguments<'_>) -> ! {
    static PANICKED: AtomicBool = AtomicBool::new(false);
    if process::getpid() != 1 || clone::is_forked() {
        crate::error!("internal error: {info}");
        process::exit(STATUS_FAILED.into())
    }
    // A panic in here must not come back here.
    if !PANICKED.swap(true, Ordering::Relaxed) {
        crate::error!("internal error: {info}");
        control::report_panic(format_args!("internal error: {info}"), STATUS_FAILED);
        let _ = process::kill(-1, signal::SIGKILL);
    }
    off()
}

//! Tells the time of its own first instructions, by the guest's monotonic clock in nanoseconds. It stands in for /init,
//! which it then becomes, and it is what the container runs: the same program marks both ends of what is measured.

use std::os::unix::process::CommandExt;

unsafe extern "C" {
    fn clock_gettime(clock: i32, time: *mut [i64; 2]) -> i32;
}

const CLOCK_MONOTONIC: i32 = 1;

fn main() {
    let mut now = [0; 2];
    // SAFETY: on x86_64 a timespec is two 64-bit integers, and `now` outlives the call.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &mut now) };
    let is_init = std::env::args().next().is_some_and(|name| name == "/init");
    let what = if is_init { "init" } else { "first" };
    println!("bench {what} {}", now[0] * 1_000_000_000 + now[1]);
    if is_init {
        panic!("/real-init: {}", std::process::Command::new("/real-init").exec());
    }
}

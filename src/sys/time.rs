//! Clocks.

use super::fs::Time;
use super::syscall::syscall;

/// clock_gettime(2) `CLOCK_MONOTONIC`, in microseconds; in a fresh VM that is since its boot.
pub fn monotonic_us() -> u64 {
    let mut time = [0i64; 2];
    // SAFETY: the kernel writes one `struct timespec`.
    let _ = unsafe { syscall!(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, time.as_mut_ptr()) };
    time[0] as u64 * 1_000_000 + time[1] as u64 / 1000
}

/// clock_gettime(2) `CLOCK_REALTIME`.
pub fn real() -> Time {
    let mut time = [0i64; 2];
    // SAFETY: the kernel writes one `struct timespec`.
    let _ = unsafe { syscall!(libc::SYS_clock_gettime, libc::CLOCK_REALTIME, time.as_mut_ptr()) };
    Time { seconds: time[0], nanoseconds: time[1] as u32 }
}

/// Returns the time in whole seconds since 1970.
pub fn real_seconds() -> u64 {
    real().seconds.max(0) as u64
}

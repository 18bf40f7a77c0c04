//! System calls of zero to six arguments, and the kernel's results.

use super::{Errno, Result};

/// Converts the kernel's result: -4095..=-1 are error numbers.
#[inline]
pub(super) fn answer(value: isize) -> Result<usize> {
    if (-4095..0).contains(&value) { Err(Errno::new(-value as i32)) } else { Ok(value as usize) }
}

/// Converts the result of a system call that only succeeds or fails.
#[inline]
pub(super) fn done(value: isize) -> Result<()> {
    Errno::of_answer(value.min(0)).map_or(Ok(()), Err)
}

/// Casts each argument to a machine word.
macro_rules! raw {
    ($number:expr $(,)?) => { $crate::sys::arch::syscall0($number, []) };
    ($number:expr, $a:expr $(,)?) => { $crate::sys::arch::syscall1($number, [$a as usize]) };
    ($number:expr, $a:expr, $b:expr $(,)?) => {
        $crate::sys::arch::syscall2($number, [$a as usize, $b as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr $(,)?) => {
        $crate::sys::arch::syscall3($number, [$a as usize, $b as usize, $c as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr $(,)?) => {
        $crate::sys::arch::syscall4($number, [$a as usize, $b as usize, $c as usize, $d as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr $(,)?) => {
        $crate::sys::arch::syscall5($number,
            [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr $(,)?) => {
        $crate::sys::arch::syscall6($number,
            [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize, $f as usize]) };
}

/// `syscall!(SYS_read, fd, pointer, length)`: returns the kernel's result.
macro_rules! syscall {
    ($($word:expr),+ $(,)?) => { $crate::sys::syscall::answer($crate::sys::syscall::raw!($($word),+)) };
}

/// `command!(SYS_fchdir, fd)`: returns whether it succeeded.
macro_rules! command {
    ($($word:expr),+ $(,)?) => { $crate::sys::syscall::done($crate::sys::syscall::raw!($($word),+)) };
}
pub(super) use {command, raw, syscall};

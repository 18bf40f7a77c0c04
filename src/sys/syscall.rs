//! System calls of zero to six arguments, and what the kernel answers.

use super::{Errno, Result};

/// Turns the kernel's answer into a result: -4095..=-1 are error numbers.
#[inline]
pub(super) fn answer(value: isize) -> Result<usize> {
    if (-4095..0).contains(&value) { Err(Errno::new(-value as i32)) } else { Ok(value as usize) }
}

/// The same of a call whose answer says nothing but whether it was done.
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

/// `syscall!(SYS_read, fd, pointer, length)`: what the kernel answers.
macro_rules! syscall {
    ($($word:expr),+ $(,)?) => { $crate::sys::syscall::answer($crate::sys::syscall::raw!($($word),+)) };
}

/// `command!(SYS_fchdir, fd)`: whether the kernel did it.
macro_rules! command {
    ($($word:expr),+ $(,)?) => { $crate::sys::syscall::done($crate::sys::syscall::raw!($($word),+)) };
}
pub(super) use {command, raw, syscall};

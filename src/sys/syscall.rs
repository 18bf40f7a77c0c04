//! The `syscall` instruction, for zero to six arguments.

use super::{Errno, Result};
use core::arch::asm;

/// What a system call takes: a number, a descriptor or an address, as one machine word.
pub(super) type Word = usize;

/// Turns the kernel's answer into a result: -4095..=-1 are error numbers.
#[inline]
fn answer(value: isize) -> Result<usize> {
    if (-4095..0).contains(&value) { Err(Errno(-value as i32)) } else { Ok(value as usize) }
}

/// Makes system call `number` with six arguments; calls with fewer pass zeros, which the kernel ignores.
///
/// # Safety
/// The arguments must be what the call expects: addresses valid for what the kernel does with them.
#[inline(always)]
pub(super) unsafe fn syscall6(number: libc::c_long, args: [Word; 6]) -> Result<usize> {
    let value: isize;
    // SAFETY: the caller vouches for the arguments; the instruction itself clobbers only rcx, r11 and rax.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => value,
            in("rdi") args[0], in("rsi") args[1], in("rdx") args[2],
            in("r10") args[3], in("r8") args[4], in("r9") args[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    answer(value)
}

/// `syscall!(SYS_read, fd, pointer, length)`: casts each argument to a machine word.
macro_rules! syscall {
    ($number:expr $(,)?) => { $crate::sys::syscall::syscall6($number, [0; 6]) };
    ($number:expr, $a:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number, [$a as usize, 0, 0, 0, 0, 0]) };
    ($number:expr, $a:expr, $b:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number, [$a as usize, $b as usize, 0, 0, 0, 0]) };
    ($number:expr, $a:expr, $b:expr, $c:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number, [$a as usize, $b as usize, $c as usize, 0, 0, 0]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number, [$a as usize, $b as usize, $c as usize, $d as usize, 0, 0]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number,
            [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize, 0]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number,
            [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize, $f as usize]) };
}
pub(super) use syscall;

//! The `syscall` instruction, for zero to six arguments.

use super::{Errno, Result};
use core::arch::asm;

/// What a system call takes: a number, a descriptor or an address, as one machine word.
pub(super) type Word = usize;

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

/// One function for each number of arguments: a register that the kernel ignores need not be set.
macro_rules! functions {
    ($($name:ident $count:literal: ($($register:tt $index:literal),*);)*) => { $(
        /// Makes system call `number`.
        ///
        /// # Safety
        /// The arguments must be what the call expects: addresses valid for what the kernel does with them.
        #[inline(always)]
        pub(super) unsafe fn $name(number: libc::c_long, args: [Word; $count]) -> isize {
            let value: isize;
            // SAFETY: the caller vouches for the arguments; the instruction clobbers only rcx, r11 and rax.
            unsafe {
                asm!(
                    "syscall",
                    inlateout("rax") number as isize => value,
                    $(in($register) args[$index],)*
                    lateout("rcx") _, lateout("r11") _,
                    options(nostack),
                );
            }
            let _ = args;
            value
        }
    )* };
}

functions! {
    syscall0 0: ();
    syscall1 1: ("rdi" 0);
    syscall2 2: ("rdi" 0, "rsi" 1);
    syscall3 3: ("rdi" 0, "rsi" 1, "rdx" 2);
    syscall4 4: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3);
    syscall5 5: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4);
    syscall6 6: ("rdi" 0, "rsi" 1, "rdx" 2, "r10" 3, "r8" 4, "r9" 5);
}

/// Casts each argument to a machine word.
macro_rules! raw {
    ($number:expr $(,)?) => { $crate::sys::syscall::syscall0($number, []) };
    ($number:expr, $a:expr $(,)?) => { $crate::sys::syscall::syscall1($number, [$a as usize]) };
    ($number:expr, $a:expr, $b:expr $(,)?) => {
        $crate::sys::syscall::syscall2($number, [$a as usize, $b as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr $(,)?) => {
        $crate::sys::syscall::syscall3($number, [$a as usize, $b as usize, $c as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr $(,)?) => {
        $crate::sys::syscall::syscall4($number, [$a as usize, $b as usize, $c as usize, $d as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr $(,)?) => {
        $crate::sys::syscall::syscall5($number,
            [$a as usize, $b as usize, $c as usize, $d as usize, $e as usize]) };
    ($number:expr, $a:expr, $b:expr, $c:expr, $d:expr, $e:expr, $f:expr $(,)?) => {
        $crate::sys::syscall::syscall6($number,
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

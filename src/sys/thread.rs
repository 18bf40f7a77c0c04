//! A second thread in this address space during one call; and futexes, for waiting without
//! spinning.
//!
//! clone(2) makes the thread, because pthreads would add a heap and a TLS block. Both threads share
//! one TLS block, so neither may use its content (above all libc's `errno`): [`super::syscall`]
//! does not.

use super::syscall::syscall;
use super::{Errno, Result, arch};
use crate::limits::THREAD_STACK_BYTES;
use core::sync::atomic::{AtomicU32, Ordering};

/// The stack of a second thread. Its pages cost nothing until they are used.
#[repr(C, align(16))]
pub struct Stack([u8; THREAD_STACK_BYTES]);

impl Stack {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: Stack = Stack([0; THREAD_STACK_BYTES]);
}

/// futex(2) `WAIT`: sleeps while `word` is `expected`. May wake without a reason.
pub fn wait(word: &AtomicU32, expected: u32) {
    futex(word, libc::FUTEX_WAIT | libc::FUTEX_PRIVATE_FLAG, expected);
}

/// futex(2) `WAKE`: wakes one thread that waits for `word`.
pub fn wake(word: &AtomicU32) {
    futex(word, libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG, 1);
}

fn futex(word: &AtomicU32, operation: i32, value: u32) {
    // SAFETY: the kernel reads the word, which outlives the call. Every result means "look again".
    let _ = unsafe { syscall!(libc::SYS_futex, word.as_ptr(), operation, value, 0) };
}

/// The new thread's input, on the stack of the thread that waits for it.
struct Job<F, A> {
    work: Option<F>,
    result: Option<A>,
}

/// Runs `other` in a new thread on `stack` and `here` in this one. Returns when both have ended.
/// All signals are blocked in the other thread.
pub fn alongside<F, A, B>(stack: &mut Stack, other: F, here: impl FnOnce() -> B) -> Result<(A, B)>
where
    F: FnOnce() -> A + Send,
    A: Send,
{
    let mut job = Job { work: Some(other), result: None };
    // The kernel clears it when the thread has left its stack for ever.
    let running = AtomicU32::new(1);
    let top = (&raw mut *stack) as usize + size_of::<Stack>();
    // SAFETY: only the thread uses `stack` and `job` until `Join` has seen its end, even on
    // unwinding.
    let thread = unsafe { start(run::<F, A>, (&raw mut job).cast(), top, &running) }?;
    let join = Join { running: &running, thread };
    let here = here();
    drop(join);
    // SAFETY: the thread has ended, so no other code writes here. Volatile, because the compiler
    // saw no write at all.
    let result = unsafe { core::ptr::read_volatile(&raw const job.result) };
    core::mem::forget(job);
    result.map(|other| (other, here)).ok_or(Errno::ECHILD)
}

struct Join<'a> {
    running: &'a AtomicU32,
    thread: i32,
}

impl Drop for Join<'_> {
    fn drop(&mut self) {
        while self.running.load(Ordering::Acquire) != 0 {
            // The kernel's wake at a thread's end is not a private one.
            futex(self.running, libc::FUTEX_WAIT, 1);
        }
        // It has left its stack, but counts as a thread for some microseconds more, in which
        // setns(2) fails.
        let process = super::process::getpid();
        // SAFETY: signal 0 only checks whether the thread exists; no memory is passed.
        while unsafe { syscall!(libc::SYS_tgkill, process, self.thread, 0) }.is_ok() {
            // SAFETY: no memory is passed.
            let _ = unsafe { syscall!(libc::SYS_sched_yield) };
        }
    }
}

/// # Safety
/// `job` is a `Job<F, A>` that no other code uses while this runs.
unsafe extern "C" fn run<F: FnOnce() -> A, A>(job: *mut ()) -> ! {
    // SAFETY: see above.
    let job = unsafe { &mut *job.cast::<Job<F, A>>() };
    job.result = job.work.take().map(|work| work());
    loop {
        // SAFETY: ends only this thread; its stack is not used again.
        let _ = unsafe { syscall!(libc::SYS_exit, 0) };
    }
}

/// Makes the thread. Returns its number. The kernel sets `running` to 0 when it ends.
///
/// # Safety
/// `entry(job)` must be sound on a stack that ends at `top`; all three must live until `running` is
/// 0.
unsafe fn start(
    entry: unsafe extern "C" fn(*mut ()) -> !,
    job: *mut (),
    top: usize,
    running: &AtomicU32,
) -> Result<i32> {
    let flags = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_CHILD_CLEARTID;
    let (all, mut former) = (u64::MAX, 0u64);
    // SAFETY: the kernel reads and writes eight bytes each.
    unsafe {
        syscall!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const all, &raw mut former, 8)
    }?;
    // SAFETY: the caller guarantees `entry`, `job` and `top`; `flags` share all memory.
    let answer = unsafe { arch::clone_thread(flags, top, running.as_ptr(), entry, job) };
    // SAFETY: the kernel reads eight bytes.
    unsafe { syscall!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const former, 0, 8) }?;
    if answer < 0 { Err(Errno::new(-answer as i32)) } else { Ok(answer as i32) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_threads_hand_a_word_back_and_forth() {
        let mut stack = Box::new(Stack::EMPTY);
        let turn = AtomicU32::new(0);
        let play = |mine: u32| {
            for _ in 0..1000 {
                while turn.load(Ordering::Acquire) != mine {
                    wait(&turn, 1 - mine);
                }
                turn.store(1 - mine, Ordering::Release);
                wake(&turn);
            }
            mine + 10
        };
        let both = alongside(&mut stack, || play(1), || play(0));
        assert_eq!(both.unwrap(), (11, 10));
    }

    #[test]
    fn the_stack_can_be_lent_again() {
        let mut stack = Box::new(Stack::EMPTY);
        for n in 0..100 {
            let mut seen = 0;
            let (other, ()) = alongside(
                &mut stack,
                || {
                    seen = n;
                    n
                },
                || (),
            )
            .unwrap();
            assert_eq!((other, seen), (n, n));
        }
    }
}

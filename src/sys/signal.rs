//! Signals: masks, dispositions, and signalfd.

use super::fd::Fd;
use super::syscall::{command, syscall};
use super::{Result, arch};

pub use libc::{
    SIGCHLD, SIGCONT, SIGHUP, SIGINT, SIGKILL, SIGPIPE, SIGQUIT, SIGSTOP, SIGTERM, SIGUSR1,
    SIGUSR2, SIGWINCH,
};

/// The largest signal number.
pub const SIGNAL_MAX: i32 = 64;

/// A set of signals in the kernel's form: a bit for each signal, less one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SignalSet(pub u64);

impl SignalSet {
    /// No signal.
    pub const NONE: SignalSet = SignalSet(0);
    /// Every signal.
    pub const ALL: SignalSet = SignalSet(u64::MAX);

    /// Returns this set and `signal`.
    pub const fn with(self, signal: i32) -> SignalSet {
        SignalSet(self.0 | 1 << (signal - 1))
    }

    /// Returns whether `signal` is in it.
    pub const fn has(self, signal: i32) -> bool {
        self.0 & SignalSet::NONE.with(signal).0 != 0
    }

    /// Returns this set without `signal`.
    pub const fn without(self, signal: i32) -> SignalSet {
        SignalSet(self.0 & !(1 << (signal - 1)))
    }
}

/// rt_sigprocmask(2) `SIG_SETMASK`: blocks exactly these.
pub fn set_mask(set: SignalSet) -> Result<()> {
    // SAFETY: the kernel reads eight bytes.
    unsafe { command!(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const set.0, 0, 8) }
}

/// rt_sigpending(2): returns the pending blocked signals of this thread and of the process.
pub fn pending() -> SignalSet {
    let mut set = 0u64;
    // SAFETY: the kernel writes eight bytes.
    let _ = unsafe { syscall!(libc::SYS_rt_sigpending, &raw mut set, 8) };
    SignalSet(set)
}

/// rt_sigaction(2): returns whether `signal` is ignored, as under nohup(1) and in a shell's
/// background jobs.
pub fn is_ignored(signal: i32) -> bool {
    let mut action = [0u64; 4];
    // SAFETY: the kernel writes one `struct sigaction`.
    let _ = unsafe { syscall!(libc::SYS_rt_sigaction, signal, 0, action.as_mut_ptr(), 8) };
    action[0] == 1
}

/// signalfd4(2) with `SFD_NONBLOCK`: returns a fd for the signals of `set`, which must be blocked.
pub fn open(set: SignalSet) -> Result<Fd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the kernel reads eight bytes.
    unsafe { syscall!(libc::SYS_signalfd4, -1i32, &raw const set.0, 8, flags) }.map(Fd::from_answer)
}

/// Returns the next pending signal of a signalfd, as (number, pid of its sender).
pub fn next(signalfd: &Fd) -> Option<(i32, i32)> {
    let mut info = [0u8; 128];
    let n = super::fs::read(signalfd.by_ref(), &mut info).ok()?;
    let word =
        |at: usize| u32::from_ne_bytes(info[at..at + 4].try_into().unwrap_or_default()) as i32;
    (n == info.len()).then(|| (word(0), word(12)))
}

/// rt_sigtimedwait(2) without a timeout: waits for a signal of `set`, which must be blocked.
/// Returns its number.
pub fn wait(set: SignalSet) -> i32 {
    loop {
        // SAFETY: the kernel reads eight bytes; neither a siginfo nor a timeout is passed.
        let number = unsafe { syscall!(libc::SYS_rt_sigtimedwait, &raw const set.0, 0, 0, 8) };
        if let Ok(number) = number {
            return number as i32;
        }
    }
}

/// rt_sigaction(2): sets every signal to its default, because ignored ones would stay ignored at
/// exec.
pub fn reset_all() {
    (1..=SIGNAL_MAX).for_each(reset);
}

/// rt_sigaction(2): sets one signal to its default. SIGKILL and SIGSTOP always have it.
pub fn reset(signal: i32) {
    // struct kernel_sigaction: handler (0 is SIG_DFL), flags, restorer, mask.
    let default = [0u64; 4];
    // SAFETY: the kernel reads one `struct sigaction` that names no code.
    let _ = unsafe { syscall!(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, 8) };
}

/// rt_sigaction(2): `signal` ends this process with status 128 + its number. PID 1 needs that
/// handler, because without one it ignores signals. execve(2) resets it.
pub fn end_on(signal: i32) {
    let code = arch::end_by_signal as *const () as u64;
    // struct kernel_sigaction: handler, flags, restorer (never used, because the handler does not
    // return), mask.
    let action = [code, arch::SA_RESTORER, code, 0];
    // SAFETY: the kernel reads one `struct sigaction`, whose handler takes a number and touches no
    // memory.
    let _ = unsafe { syscall!(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0, 8) };
}

/// rt_sigaction(2): ignores `signal`.
pub fn ignore(signal: i32) -> Result<()> {
    let action = [1u64, 0, 0, 0];
    // SAFETY: the kernel reads one `struct sigaction` with SIG_IGN, which names no code.
    unsafe { command!(libc::SYS_rt_sigaction, signal, action.as_ptr(), 0, 8) }
}

/// The names of signals 1 to 31, without `SIG`.
const NAMES: &str = "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP \
    TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";

/// Returns a signal by number or name: `15`, `TERM`, `SIGTERM`, `sigterm`, `SIGRTMIN+3`, `RTMAX-1`.
pub fn parse(text: &str) -> Option<i32> {
    const RT_MIN: i32 = 34;
    let text = text.as_bytes();
    if let Some(number) = number(text) {
        return (1..=SIGNAL_MAX).contains(&number).then_some(number);
    }
    let name = match text.split_at_checked(3) {
        Some((prefix, name)) if prefix.eq_ignore_ascii_case(b"SIG") => name,
        _ => text,
    };
    if let Some(index) = NAMES
        .as_bytes()
        .split(|&byte| byte == b' ')
        .position(|known| known.eq_ignore_ascii_case(name))
    {
        return Some(index as i32 + 1);
    }
    let (family, offset) = name.split_at_checked(5)?;
    let offset = match offset {
        [] => 0,
        [b'+' | b'-', ..] => number(offset)?,
        _ => return None,
    };
    let number = match family {
        _ if family.eq_ignore_ascii_case(b"RTMIN") && offset >= 0 => RT_MIN + offset,
        _ if family.eq_ignore_ascii_case(b"RTMAX") && offset <= 0 => SIGNAL_MAX + offset,
        _ => return None,
    };
    (RT_MIN..=SIGNAL_MAX).contains(&number).then_some(number)
}

/// Returns a small number with or without a sign.
fn number(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        [b'-', digits @ ..] => (-1, digits),
        [b'+', digits @ ..] => (1, digits),
        digits => (1, digits),
    };
    if !(1..=9).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(sign * digits.iter().fold(0, |value, digit| 10 * value + i32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn signals_by_number_and_name() {
        for (text, number) in [
            ("15", Some(15)),
            ("TERM", Some(15)),
            ("sigkill", Some(9)),
            ("SIGRTMIN+3", Some(37)),
            ("SIGRTMAX-1", Some(63)),
            ("RTMIN", Some(34)),
            ("SIGRTMIN+31", None),
            ("SIGRTMIN3", None),
            ("0", None),
            ("65", None),
            ("SIG", None),
            ("", None),
            ("Größe", None),
        ] {
            assert_eq!(parse(text), number, "{text}");
        }
    }
}

//! Terminals: pseudo-terminals, window sizes, the controlling terminal.

use super::Result;
use super::fd::{Fd, FdRef};
use super::syscall::syscall;

/// ioctl(2) with a number or an address.
///
/// # Safety
/// `value` is a number, or the address of the request's argument.
unsafe fn ioctl(fd: FdRef<'_>, request: u64, value: usize) -> Result<usize> {
    // SAFETY: the caller guarantees `value`.
    unsafe { syscall!(libc::SYS_ioctl, fd.raw(), request, value) }
}

/// ioctl(2) `TIOCSPTLCK` with 0: allows opening the terminal's other end.
pub fn unlock(master: FdRef<'_>) -> Result<()> {
    let no = 0i32;
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(master, libc::TIOCSPTLCK as u64, &raw const no as usize) }.map(drop)
}

/// ioctl(2) `TIOCGPTN`: returns its number N in /dev/pts/N.
pub fn number(master: FdRef<'_>) -> Result<u32> {
    let mut number = 0u32;
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(master, libc::TIOCGPTN as u64, &raw mut number as usize) }?;
    Ok(number)
}

/// ioctl(2) `TIOCGPTPEER`: opens the terminal end of a master, without a path that could be
/// swapped.
pub fn open_peer(master: FdRef<'_>) -> Result<Fd> {
    const TIOCGPTPEER: u64 = 0x5441;
    let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
    // SAFETY: a number.
    unsafe { ioctl(master, TIOCGPTPEER, flags as usize) }.map(Fd::from_answer)
}

/// ioctl(2) `TIOCSWINSZ`.
pub fn set_size(terminal: FdRef<'_>, rows: u16, columns: u16) -> Result<()> {
    let size: [u16; 4] = [rows, columns, 0, 0];
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TIOCSWINSZ as u64, size.as_ptr() as usize) }.map(drop)
}

/// ioctl(2) `TIOCGWINSZ`: returns rows and columns, if the terminal knows.
pub fn size(terminal: FdRef<'_>) -> Option<(u16, u16)> {
    let mut size = [0u16; 4];
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TIOCGWINSZ as u64, size.as_mut_ptr() as usize) }.ok()?;
    (size[0] > 0 && size[1] > 0).then_some((size[0], size[1]))
}

/// A terminal's settings, in the kernel's form.
pub struct Settings([u32; 16]);

/// ioctl(2) `TCGETS`.
pub fn settings(terminal: FdRef<'_>) -> Result<Settings> {
    let mut settings = [0u32; 16];
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TCGETS as u64, settings.as_mut_ptr() as usize) }?;
    Ok(Settings(settings))
}

/// ioctl(2) `TCSETS`.
pub fn restore(terminal: FdRef<'_>, settings: &Settings) -> Result<()> {
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TCSETS as u64, settings.0.as_ptr() as usize) }.map(drop)
}

/// ioctl(2) `TCGETS` and `TCSETS`: passes every byte unchanged, or restores the kernel's defaults.
pub fn set_raw(terminal: FdRef<'_>, raw: bool) -> Result<()> {
    /// The kernel's default settings of c_iflag, c_oflag, c_cflag and c_lflag (tty_std_termios) for
    /// handling bytes.
    const COOKED: [u32; 4] = [
        libc::ICRNL | libc::IXON,
        libc::OPOST,
        0,
        libc::ICANON | libc::ECHO | libc::ISIG | libc::IEXTEN,
    ];
    let mut settings = [0u32; 16];
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TCGETS as u64, settings.as_mut_ptr() as usize) }?;
    for (flags, cooked) in settings.iter_mut().zip(COOKED) {
        *flags = if raw { *flags & !cooked } else { *flags | cooked };
    }
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TCSETS as u64, settings.as_ptr() as usize) }.map(drop)
}

/// ioctl(2) `TCGETS` and `TCSETS` without `ONLCR`: the terminal adds no CR to a line feed.
pub fn keep_line_feeds(terminal: FdRef<'_>) -> Result<()> {
    let mut settings = settings(terminal)?;
    settings.0[1] &= !libc::ONLCR;
    restore(terminal, &settings)
}

/// ioctl(2) `TIOCSCTTY`: makes this our session's controlling terminal. We must be the session
/// leader.
pub fn make_controlling(terminal: FdRef<'_>) -> Result<()> {
    // SAFETY: a number.
    unsafe { ioctl(terminal, libc::TIOCSCTTY as u64, 0) }.map(drop)
}

/// ioctl(2) `TCSBRK` with 1 (tcdrain(3)): waits until all written bytes are sent.
pub fn drain(terminal: FdRef<'_>) -> Result<()> {
    // SAFETY: a number.
    unsafe { ioctl(terminal, libc::TCSBRK as u64, 1) }.map(drop)
}

/// ioctl(2) `TCXONC` with `TCOON`, and flow control off (`TCSETS`): stopped output continues.
pub fn release(terminal: FdRef<'_>) {
    const TCOON: usize = 1;
    // SAFETY: a number.
    let _ = unsafe { ioctl(terminal, libc::TCXONC as u64, TCOON) };
    let mut settings = [0u32; 16];
    // SAFETY: the address of the request's argument.
    if unsafe { ioctl(terminal, libc::TCGETS as u64, settings.as_mut_ptr() as usize) }.is_ok() {
        settings[0] &= !(libc::IXON | libc::IXOFF);
        settings[2] &= !libc::CRTSCTS;
        // SAFETY: the address of the request's argument.
        let _ = unsafe { ioctl(terminal, libc::TCSETS as u64, settings.as_ptr() as usize) };
    }
}

/// ioctl(2) `TIOCOUTQ`: returns the number of written bytes that are not sent yet.
pub fn unsent(terminal: FdRef<'_>) -> Result<u32> {
    let mut count = 0u32;
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(terminal, libc::TIOCOUTQ as u64, &raw mut count as usize) }?;
    Ok(count)
}

/// ioctl(2) `TCGETS`: returns whether it is a terminal.
pub fn is_terminal(fd: FdRef<'_>) -> bool {
    let mut settings = [0u8; 64];
    // SAFETY: the address of the request's argument.
    unsafe { ioctl(fd, libc::TCGETS as u64, settings.as_mut_ptr() as usize) }.is_ok()
}

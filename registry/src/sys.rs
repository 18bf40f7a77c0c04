//! System calls that std does not have. All `unsafe` of this program stands here.

use std::ffi::c_void;
use std::io::{Error, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::null_mut;

fn checked(answer: i64) -> Result<i64> {
    if answer < 0 { Err(Error::last_os_error()) } else { Ok(answer) }
}

/// Returns the fd that the program was started with under this number, which must be open.
pub fn inherited(number: RawFd) -> Result<OwnedFd> {
    // SAFETY: `fcntl(2)` of any number; it says EBADF if that is no fd.
    checked(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    // SAFETY: it is open, and the caller takes it over once, at the program's start.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Both ends of a `SOCK_SEQPACKET` socket, close-on-exec: for tests.
pub fn packet_pair() -> Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC;
    // SAFETY: the kernel writes two numbers to `fds`.
    checked(unsafe { libc::socketpair(libc::AF_UNIX, kind, 0, fds.as_mut_ptr()) }.into())?;
    // SAFETY: both are new fds, which nothing else owns.
    Ok(unsafe { (OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])) })
}

/// Room for a control message with one fd, aligned as the kernel wants it (cmsg(3)).
#[repr(C, align(8))]
struct Control([u8; 24]);

fn message(vector: &mut libc::iovec, control: &mut Control, length: usize) -> libc::msghdr {
    // SAFETY: all bytes 0 are a valid `struct msghdr`.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = vector;
    header.msg_iovlen = 1;
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = length as _;
    header
}

/// sendmsg(2): a packet, and an fd if there is one. A peer that is gone is EPIPE.
pub fn send(socket: BorrowedFd<'_>, bytes: &[u8], fd: Option<BorrowedFd<'_>>) -> Result<()> {
    let mut vector = libc::iovec { iov_base: bytes.as_ptr() as *mut c_void, iov_len: bytes.len() };
    let mut control = Control([0; 24]);
    let length = if fd.is_some() { control.0.len() } else { 0 };
    let header = message(&mut vector, &mut control, length);
    if let Some(fd) = fd {
        // SAFETY: `header` has a control buffer with room for one fd.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(4) as _;
            libc::CMSG_DATA(first).cast::<i32>().write_unaligned(fd.as_raw_fd());
        }
    }
    // SAFETY: `header` points to `bytes` and to `control`, which outlive the call.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &header, libc::MSG_NOSIGNAL) };
    checked(sent as i64).map(drop)
}

/// recvmsg(2): a packet, and the fd that came with it. 0 bytes: the peer is gone. A packet that is
/// longer than the buffer is an error.
pub fn receive(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<OwnedFd>)> {
    let mut vector = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut control = Control([0; 24]);
    // Without the padding, in which a second fd would have room.
    let mut header = message(&mut vector, &mut control, 20);
    let count = loop {
        let flags = libc::MSG_CMSG_CLOEXEC;
        // SAFETY: the kernel writes at most `buffer.len()` bytes there and 20 to `control`.
        let count = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut header, flags) };
        match checked(count as i64) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            other => break other? as usize,
        }
    };
    let mut fd = None;
    if header.msg_controllen as usize >= 20 {
        // SAFETY: the kernel filled `control` with a header and, if it says so, one fd, which is
        // new and ours.
        unsafe {
            let first = libc::CMSG_FIRSTHDR(&header);
            if !first.is_null() && (*first).cmsg_type == libc::SCM_RIGHTS {
                let number = libc::CMSG_DATA(first).cast::<i32>().read_unaligned();
                fd = Some(OwnedFd::from_raw_fd(number));
            }
        }
    }
    if header.msg_flags & libc::MSG_TRUNC != 0 {
        return Err(Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok((count, fd))
}

/// poll(2): waits until the reader of this pipe is gone, or for so many milliseconds. Returns
/// whether it is gone.
pub fn reader_is_gone(pipe: BorrowedFd<'_>, milliseconds: i32) -> bool {
    let mut poll = libc::pollfd { fd: pipe.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: the kernel reads and writes one `struct pollfd`.
    let count = unsafe { libc::poll(&mut poll, 1, milliseconds) };
    count == 1 && poll.revents & (libc::POLLERR | libc::POLLNVAL | libc::POLLHUP) != 0
}

/// `F_SETPIPE_SZ`: asks for a larger pipe. It stays as it is if that is not allowed.
pub fn enlarge_pipe(pipe: BorrowedFd<'_>, bytes: i32) {
    // SAFETY: fcntl(2) with a number.
    unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETPIPE_SZ, bytes) };
}

fn prctl(option: i32, argument: u64) -> Result<()> {
    // SAFETY: the options that are used below take numbers, not addresses.
    checked(unsafe { libc::prctl(option, argument, 0, 0, 0) }.into()).map(drop)
}

/// SIGKILL for this process when the thread ends that started it; an error if it ended before.
pub fn die_with_parent(parent: i32) -> Result<()> {
    prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL as u64)?;
    // SAFETY: getppid(2) has no arguments.
    match unsafe { libc::getppid() } {
        now if now == parent => Ok(()),
        _ => Err(Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// The pid of the process that started this one.
pub fn parent() -> i32 {
    // SAFETY: getppid(2) has no arguments.
    unsafe { libc::getppid() }
}

/// No other process of this user may read the memory, in which credentials are; no core dump.
pub fn hide_memory() -> Result<()> {
    prctl(libc::PR_SET_DUMPABLE, 0)
}

/// execve(2) gives no new privileges from now on, as seccomp and Landlock want it.
pub fn no_new_privileges() -> Result<()> {
    // SAFETY: numbers alone.
    checked(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

/// Sets both the soft and the hard limit, or leaves a hard one that is lower.
pub fn limit(resource: libc::c_int, most: u64) -> Result<()> {
    let mut now = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one `struct rlimit`.
    checked(unsafe { libc::getrlimit(resource as _, &mut now) }.into())?;
    let most = most.min(now.rlim_max);
    let new = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the kernel reads one `struct rlimit`.
    checked(unsafe { libc::setrlimit(resource as _, &new) }.into()).map(drop)
}

/// capset(2): no capability is left in any set.
pub fn drop_capabilities() -> Result<()> {
    const VERSION_3: u32 = 0x2008_0522;
    let header = [VERSION_3, 0];
    let data = [0u32; 6];
    // SAFETY: the kernel reads a header of 8 bytes and two sets of 12.
    checked(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), data.as_ptr()) }).map(drop)
}

/// seccomp(2): this filter for all threads from now on (`SECCOMP_FILTER_FLAG_TSYNC`).
pub fn filter(program: &[libc::sock_filter]) -> Result<()> {
    let program =
        libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the kernel reads `len` instructions, which outlive the call.
    let answer = unsafe { libc::syscall(libc::SYS_seccomp, 1u64, 1u64, &raw const program) };
    checked(answer).map(drop)
}

/// The version of Landlock that this kernel has; an error if it has none.
pub fn landlock_version() -> Result<u32> {
    let none = null_mut::<c_void>();
    // SAFETY: no attributes, and the flag LANDLOCK_CREATE_RULESET_VERSION.
    let answer = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0usize, 1u32) };
    checked(answer).map(|version| version as u32)
}

/// landlock_create_ruleset(2): file accesses, network accesses and scopes that need a rule.
pub fn landlock_ruleset(attributes: &[u64]) -> Result<OwnedFd> {
    let size = size_of_val(attributes);
    // SAFETY: the kernel reads `size` bytes of attributes.
    let answer = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, attributes.as_ptr(), size, 0u32)
    };
    // SAFETY: the answer is a new fd.
    checked(answer).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// landlock_add_rule(2): these accesses to this file.
pub fn landlock_allow(ruleset: &OwnedFd, file: BorrowedFd<'_>, accesses: u64) -> Result<()> {
    const PATH_BENEATH: u32 = 1;
    let mut rule = [0u8; 12];
    rule[..8].copy_from_slice(&accesses.to_ne_bytes());
    rule[8..].copy_from_slice(&file.as_raw_fd().to_ne_bytes());
    let (fd, rule) = (ruleset.as_raw_fd(), rule.as_ptr());
    // SAFETY: the kernel reads a packed rule of 12 bytes.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_add_rule, fd, PATH_BENEATH, rule, 0u32) };
    checked(answer).map(drop)
}

/// landlock_restrict_self(2): this ruleset holds from now on.
pub fn landlock_restrict(ruleset: &OwnedFd) -> Result<()> {
    // SAFETY: an fd and no flags.
    let answer =
        unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0u32) };
    checked(answer).map(drop)
}

/// The number of the user that this process acts as.
pub fn user() -> u32 {
    // SAFETY: geteuid(2) has no arguments.
    unsafe { libc::geteuid() }
}

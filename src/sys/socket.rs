//! Messages between our own processes, each with at most one fd.

use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};
use super::{Errno, Result};
use core::ffi::CStr;

/// A control message with one fd (cmsg(3)), padded for the kernel.
#[repr(C)]
#[derive(Default)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// Header and fd, without the padding.
const CONTROL_LENGTH: usize = 20;

#[repr(C)]
struct Header {
    name: usize,
    name_length: usize,
    vectors: usize,
    vector_count: usize,
    control: usize,
    control_length: usize,
    flags: usize,
}

fn header(vector: &[usize; 2], control: Option<&mut Control>) -> Header {
    Header {
        name: 0,
        name_length: 0,
        vectors: vector.as_ptr() as usize,
        vector_count: 1,
        control_length: if control.is_some() { size_of::<Control>() } else { 0 },
        control: control.map_or(0, |control| &raw mut *control as usize),
        flags: 0,
    }
}

/// sendmsg(2) of `bytes`, and of `fd` if it is given. A closed peer is EPIPE, never a signal.
pub fn send(socket: FdRef<'_>, bytes: &[u8], fd: Option<FdRef<'_>>) -> Result<()> {
    send_some(socket, bytes, fd).map(drop)
}

/// Sends a part of `bytes`. Returns the number of bytes sent; `fd` goes with the first of them.
pub fn send_some(socket: FdRef<'_>, bytes: &[u8], fd: Option<FdRef<'_>>) -> Result<usize> {
    let vector = [bytes.as_ptr() as usize, bytes.len()];
    let mut control = fd.map(|fd| Control {
        length: CONTROL_LENGTH,
        level: libc::SOL_SOCKET,
        kind: libc::SCM_RIGHTS,
        fd: fd.raw(),
        padding: 0,
    });
    let message = header(&vector, control.as_mut());
    // SAFETY: `message` is a `struct msghdr` whose one vector and control buffer outlive the call.
    unsafe { syscall!(libc::SYS_sendmsg, socket.raw(), &raw const message, libc::MSG_NOSIGNAL) }
}

/// sendto(2) with `MSG_DONTWAIT`: sends a part of `bytes`. EAGAIN if there is no room now.
pub fn send_now(socket: FdRef<'_>, bytes: &[u8]) -> Result<usize> {
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let (pointer, length) = (bytes.as_ptr(), bytes.len());
    // SAFETY: the kernel reads `bytes.len()` bytes; no address is passed.
    unsafe { syscall!(libc::SYS_sendto, socket.raw(), pointer, length, flags, 0, 0) }
}

/// recvmsg(2): receives one message into `buffer`, and its fd. 0 bytes mean that the peer is
/// closed.
pub fn receive(socket: FdRef<'_>, buffer: &mut [u8]) -> Result<(usize, Option<Fd>)> {
    let vector = [buffer.as_mut_ptr() as usize, buffer.len()];
    let mut control = Control::default();
    let mut message = header(&vector, Some(&mut control));
    // With the padding a second fd would fit, which would leak.
    message.control_length = CONTROL_LENGTH;
    let flags = libc::MSG_CMSG_CLOEXEC;
    let count = loop {
        // SAFETY: `message` is a `struct msghdr`; the kernel writes at most `buffer.len()` bytes to
        // `buffer` and one control message to `control`, both of which outlive the call.
        match unsafe { syscall!(libc::SYS_recvmsg, socket.raw(), &raw mut message, flags) } {
            Err(super::Errno::EINTR) => continue,
            count => break count?,
        }
    };
    // SAFETY: initialized above. Volatile, because the kernel may have written it.
    let control = unsafe { core::ptr::read_volatile(&raw const control) };
    let rights = control.level == libc::SOL_SOCKET && control.kind == libc::SCM_RIGHTS;
    let fd = (message.control_length >= CONTROL_LENGTH && rights)
        .then(|| Fd::from_answer(control.fd as usize));
    Ok((count, fd))
}

/// `struct sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

/// Returns the address of a path. ENAMETOOLONG if it has 108 bytes or more.
fn address(path: &CStr) -> Result<Address> {
    let mut address = Address { family: libc::AF_UNIX as u16, path: [0; 108] };
    let bytes = path.to_bytes_with_nul();
    address.path.get_mut(..bytes.len()).ok_or(Errno::ENAMETOOLONG)?.copy_from_slice(bytes);
    Ok(address)
}

fn new(kind: i32, flags: i32) -> Result<Fd> {
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_socket, libc::AF_UNIX, kind | libc::SOCK_CLOEXEC | flags, 0) }
        .map(Fd::from_answer)
}

/// Returns a new `SOCK_SEQPACKET` socket of `AF_UNIX` that listens at `path`, with this backlog.
pub fn listen(path: &CStr, waiting: u32) -> Result<Fd> {
    let (socket, address) = (new(libc::SOCK_SEQPACKET, 0)?, address(path)?);
    // SAFETY: the kernel reads one `struct sockaddr_un`.
    unsafe { command!(libc::SYS_bind, socket.raw(), &raw const address, size_of::<Address>()) }?;
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_listen, socket.raw(), waiting) }?;
    Ok(socket)
}

/// Returns a new non-blocking `SOCK_DGRAM` socket of `AF_UNIX`, bound to `path`.
pub fn hear(path: &CStr) -> Result<Fd> {
    let (socket, address) = (new(libc::SOCK_DGRAM, libc::SOCK_NONBLOCK)?, address(path)?);
    // SAFETY: the kernel reads one `struct sockaddr_un`.
    unsafe { command!(libc::SYS_bind, socket.raw(), &raw const address, size_of::<Address>()) }?;
    Ok(socket)
}

/// Like [`connect`], but takes a path or, with a leading `@`, an abstract name (unix(7)).
pub fn connect_any(name: &CStr, kind: i32) -> Result<Fd> {
    if !name.to_bytes().starts_with(b"@") {
        return connect(name, kind);
    }
    let (socket, mut address) = (new(kind, 0)?, address(name)?);
    address.path[0] = 0;
    let length = size_of::<u16>() + name.count_bytes();
    // SAFETY: the kernel reads `length` bytes of a `struct sockaddr_un`.
    unsafe { command!(libc::SYS_connect, socket.raw(), &raw const address, length) }?;
    Ok(socket)
}

/// accept4(2): returns the next connection.
pub fn accept(socket: FdRef<'_>) -> Result<Fd> {
    // SAFETY: no buffer for the peer's address is passed.
    unsafe { syscall!(libc::SYS_accept4, socket.raw(), 0, 0, libc::SOCK_CLOEXEC) }
        .map(Fd::from_answer)
}

/// Returns a new socket of `AF_UNIX` and this kind (`SOCK_*`), connected to `path`.
pub fn connect(path: &CStr, kind: i32) -> Result<Fd> {
    let (socket, address) = (new(kind, 0)?, address(path)?);
    // SAFETY: the kernel reads one `struct sockaddr_un`.
    unsafe { command!(libc::SYS_connect, socket.raw(), &raw const address, size_of::<Address>()) }?;
    Ok(socket)
}

const _: () = assert!(size_of::<Address>() == size_of::<libc::sockaddr_un>());
const _: () = assert!(size_of::<Header>() == size_of::<libc::msghdr>());

#[cfg(test)]
mod tests {
    use super::super::fd;
    use super::*;

    #[test]
    fn a_descriptor_travels_with_its_message() {
        let (one, other) = fd::socketpair(libc::SOCK_SEQPACKET).unwrap();
        let (end, write_end) = fd::pipe().unwrap();
        send(one.by_ref(), b"plain", None).unwrap();
        send(one.by_ref(), b"with", Some(write_end.by_ref())).unwrap();
        drop((one, write_end));
        let mut buffer = [0; 16];
        assert!(matches!(receive(other.by_ref(), &mut buffer), Ok((5, None))));
        let (4, Some(sent)) = receive(other.by_ref(), &mut buffer).unwrap() else {
            panic!("no descriptor")
        };
        super::super::fs::write_all(sent.by_ref(), b"x").unwrap();
        assert_eq!(super::super::fs::read(end.by_ref(), &mut buffer), Ok(1));
        assert!(matches!(receive(other.by_ref(), &mut buffer), Ok((0, None))));
    }

    /// The kernel closes a peer's superfluous fds, so none leaks.
    #[test]
    fn of_two_descriptors_one_is_taken() {
        let (one, other) = fd::socketpair(libc::SOCK_SEQPACKET).unwrap();
        let (end, write_end) = fd::pipe().unwrap();
        let vector = [b"x".as_ptr() as usize, 1];
        let rights = Control {
            length: 24,
            level: libc::SOL_SOCKET,
            kind: libc::SCM_RIGHTS,
            fd: write_end.raw(),
            padding: write_end.raw(),
        };
        let mut control = rights;
        let message = header(&vector, Some(&mut control));
        // SAFETY: as in `send`; the control message is of two descriptors.
        unsafe { command!(libc::SYS_sendmsg, one.raw(), &raw const message, 0) }.unwrap();
        drop(write_end);
        let (1, Some(sent)) = receive(other.by_ref(), &mut [0; 4]).unwrap() else {
            panic!("no descriptor")
        };
        drop(sent);
        // No process has it open any more.
        fd::set_nonblocking(end.by_ref(), true).unwrap();
        assert_eq!(super::super::fs::read(end.by_ref(), &mut [0; 4]), Ok(0));
    }
}

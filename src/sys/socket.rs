//! Messages between two of our own processes, each with at most one descriptor.

use super::Result;
use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};

/// A control message that carries one descriptor (cmsg(3)), padded as the kernel wants it.
#[repr(C)]
#[derive(Default)]
struct Control {
    length: usize,
    level: i32,
    kind: i32,
    fd: i32,
    padding: i32,
}

/// Header and descriptor, without the padding.
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

/// sendmsg(2) of `bytes`, and of `fd` where there is one. A peer that is gone is EPIPE, never a signal.
pub fn send(socket: FdRef<'_>, bytes: &[u8], fd: Option<FdRef<'_>>) -> Result<()> {
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
    unsafe { command!(libc::SYS_sendmsg, socket.raw(), &raw const message, libc::MSG_NOSIGNAL) }
}

/// recvmsg(2): one message into `buffer`, and the descriptor that came with it. 0 bytes: the peer is gone.
pub fn receive(socket: FdRef<'_>, buffer: &mut [u8]) -> Result<(usize, Option<Fd>)> {
    let vector = [buffer.as_mut_ptr() as usize, buffer.len()];
    let mut control = Control::default();
    let mut message = header(&vector, Some(&mut control));
    let flags = libc::MSG_CMSG_CLOEXEC;
    let count = loop {
        // SAFETY: `message` is a `struct msghdr`; the kernel writes at most `buffer.len()` bytes to `buffer` and one
        // control message to `control`, both of which outlive the call.
        match unsafe { syscall!(libc::SYS_recvmsg, socket.raw(), &raw mut message, flags) } {
            Err(super::Errno::EINTR) => continue,
            count => break count?,
        }
    };
    // SAFETY: the kernel may have written it behind the compiler's back.
    let control = unsafe { core::ptr::read_volatile(&raw const control) };
    let rights = control.level == libc::SOL_SOCKET && control.kind == libc::SCM_RIGHTS;
    let fd = (message.control_length >= CONTROL_LENGTH && rights).then(|| Fd::from_raw(control.fd));
    Ok((count, fd))
}

/// A connection to the `SOCK_SEQPACKET` socket at `path`, which never waits: EAGAIN where others wait there, ECONNREFUSED
/// where nobody listens.
pub fn connect(path: &[u8]) -> Result<Fd> {
    let mut address = Address { family: libc::AF_UNIX as u16, path: [0; 108] };
    address.path.get_mut(..path.len()).ok_or(super::Errno::ENAMETOOLONG)?.copy_from_slice(path);
    let kind = libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let socket = unsafe { syscall!(libc::SYS_socket, libc::AF_UNIX, kind, 0) }.map(Fd::from_answer)?;
    let length = 2 + path.len();
    // SAFETY: `address` is a `struct sockaddr_un`, of which the kernel reads `length` bytes.
    unsafe { command!(libc::SYS_connect, socket.raw(), &raw const address, length) }?;
    Ok(socket)
}

/// `struct sockaddr_un`.
#[repr(C)]
struct Address {
    family: u16,
    path: [u8; 108],
}

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
        let (4, Some(sent)) = receive(other.by_ref(), &mut buffer).unwrap() else { panic!("no descriptor") };
        super::super::fs::write_all(sent.by_ref(), b"x").unwrap();
        assert_eq!(super::super::fs::read(end.by_ref(), &mut buffer), Ok(1));
        assert!(matches!(receive(other.by_ref(), &mut buffer), Ok((0, None))));
    }
}

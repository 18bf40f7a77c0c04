//! The network for an init: loopback, and the kernel's device events.

use super::Result;
use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};

/// socket(2), bind(2): returns the kernel's uevents (netlink(7) `NETLINK_KOBJECT_UEVENT`, group 1),
/// non-blocking.
pub fn open_uevents() -> Result<Fd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no memory is passed.
    let raw = unsafe {
        syscall!(libc::SYS_socket, libc::AF_NETLINK, kind, libc::NETLINK_KOBJECT_UEVENT)
    }?;
    let socket = Fd::from_answer(raw);
    // struct sockaddr_nl: u16 family, u16 padding, u32 pid (0: the kernel chooses), u32 groups.
    let address: [u32; 3] = [libc::AF_NETLINK as u32, 0, 1];
    // SAFETY: the kernel reads one `struct sockaddr_nl` of 12 bytes.
    unsafe { syscall!(libc::SYS_bind, socket.raw(), address.as_ptr(), size_of_val(&address)) }?;
    Ok(socket)
}

/// socket(2): returns a socket to the kernel's network devices (rtnetlink(7)), in the network
/// namespace of this process.
pub fn open_routes() -> Result<Fd> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: no memory is passed.
    unsafe { syscall!(libc::SYS_socket, libc::AF_NETLINK, kind, libc::NETLINK_ROUTE) }
        .map(Fd::from_answer)
}

/// ioctl(2) `SIOCSIFFLAGS`: brings `lo` up in the network namespace of this process.
pub fn loopback_up() -> Result<()> {
    // SAFETY: no memory is passed.
    let raw = unsafe {
        syscall!(libc::SYS_socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
    }?;
    let socket = Fd::from_answer(raw);
    set_up(socket.by_ref(), b"lo")
}

fn set_up(socket: FdRef<'_>, name: &[u8]) -> Result<()> {
    // struct ifreq: a name of 16 bytes, then (here) i16 flags, in 40 bytes.
    let mut request = [0u8; 40];
    request[..name.len()].copy_from_slice(name);
    let flags = (libc::IFF_UP | libc::IFF_RUNNING) as u16;
    request[16..18].copy_from_slice(&flags.to_ne_bytes());
    // SAFETY: the kernel reads one `struct ifreq`.
    unsafe { command!(libc::SYS_ioctl, socket.raw(), libc::SIOCSIFFLAGS, request.as_ptr()) }
}

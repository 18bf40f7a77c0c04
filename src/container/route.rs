//! Requests to the kernel about network devices and their addresses (rtnetlink(7)), each with its
//! answer.

use crate::limits::NETLINK_ANSWER_BYTES;
use crate::sys::fd::Fd;
use crate::sys::{Errno, Result, fs, net};

/// The kinds of requests (linux/rtnetlink.h).
pub const RTM_GETLINK: u16 = 18;
/// Changes a device.
pub const RTM_SETLINK: u16 = 19;
/// Adds an address; also the kind of an address in an answer.
pub const RTM_NEWADDR: u16 = 20;
/// Asks for addresses.
pub const RTM_GETADDR: u16 = 22;
/// Asks for all.
pub const NLM_F_DUMP: u16 = 0x300;
/// An existing one is an error.
pub const NLM_F_CREATE_NEW: u16 = 0x600;

const NLM_F_REQUEST_ACK: u16 = 0x5;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct nlmsghdr`: u32 length, u16 kind, u16 flags, u32 number, u32 port.
pub const HEADER_BYTES: usize = 16;

/// A request.
pub struct Request {
    bytes: [u8; 256],
    length: usize,
}

impl Request {
    /// Returns a request with these `NLM_F_*` and this fixed part; attributes follow.
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Request {
        let mut request = Request { bytes: [0; 256], length: HEADER_BYTES };
        request.bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        request.bytes[6..8].copy_from_slice(&(flags | NLM_F_REQUEST_ACK).to_ne_bytes());
        request.push(fixed);
        request
    }

    /// Appends an attribute: `struct rtattr` (u16 length, u16 kind) and its value, padded to four
    /// bytes.
    pub fn attribute(mut self, kind: u16, value: &[u8]) -> Request {
        let head = u32::from(value.len() as u16 + 4) | u32::from(kind) << 16;
        self.push(&head.to_ne_bytes());
        self.push(value);
        self
    }

    // A request has only a few numbers, names of devices and addresses, so it fits.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length = (self.length + bytes.len()).next_multiple_of(4);
    }
}

/// A socket in the network namespace in which it was opened.
pub struct Route(Fd);

impl Route {
    /// Opens a socket in this process's network namespace.
    pub fn open() -> Result<Route> {
        net::open_routes().map(Route)
    }

    /// Uses any socket's peer.
    #[cfg(fuzzing)]
    pub fn of(socket: Fd) -> Route {
        Route(socket)
    }

    /// Sends a request, and calls `see` with each message of the answer: its kind, and the bytes
    /// after its header.
    pub fn ask(&self, mut request: Request, see: &mut dyn FnMut(u16, &[u8])) -> Result<()> {
        let length = request.length as u32;
        request.bytes[..4].copy_from_slice(&length.to_ne_bytes());
        fs::write_all(self.0.by_ref(), &request.bytes[..request.length])?;
        let mut buffer = [0; NETLINK_ANSWER_BYTES];
        loop {
            let length = fs::read(self.0.by_ref(), &mut buffer)?;
            let mut rest = &buffer[..length];
            while let Some((kind, body, after)) = next(rest) {
                rest = after;
                match kind {
                    NLMSG_DONE => return Ok(()),
                    NLMSG_ERROR => {
                        return match word(body, 0) as i32 {
                            0 => Ok(()),
                            number @ -4095..0 => Err(Errno::new(-number)),
                            _ => Err(Errno::EIO),
                        };
                    }
                    kind => see(kind, body),
                }
            }
            // Cut short, which no answer is.
            if !rest.is_empty() || length == 0 {
                return Err(Errno::EIO);
            }
        }
    }

    /// Sends a request that is only acknowledged.
    pub fn tell(&self, request: Request) -> Result<()> {
        self.ask(request, &mut |_, _| ())
    }
}

/// Returns the attributes in `bytes`: kind and value of each.
pub fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    core::iter::from_fn(move || {
        let length = usize::from(half(bytes, 0));
        let value = bytes.get(4..length)?;
        let kind = half(bytes, 2);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// Returns the first message (its kind, and the bytes after its header), and the bytes after it.
fn next(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = word(bytes, 0) as usize;
    let body = bytes.get(HEADER_BYTES..length)?;
    Some((half(bytes, 4), body, bytes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// Returns a number of four bytes, or 0 after the end.
pub fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|word| word.try_into().ok()).map_or(0, u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|half| half.try_into().ok()).map_or(0, u16::from_ne_bytes)
}

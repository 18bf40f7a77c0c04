//! `linux.netDevices`: network devices that move from the host to the container, with their
//! addresses (runtime-spec 1.3, "Network Devices").
//!
//! The kernel drops a device's addresses when it changes its namespace, so they are read before and
//! added after. No device is moved before all can be, because a virtual device is destroyed with a
//! failed container's namespace.

use super::route::{self, NLM_F_CREATE_NEW, NLM_F_DUMP, Request, Route, word};
use crate::error::{Context, Error, Result};
use crate::io::lossy::LossyC;
use crate::io::path::PathBuf;
use crate::limits::NET_ADDRESSES_MAX;
use crate::spec::attributes::NetDevice;
use crate::sys::clone::{self, CLONE_NEWNET};
use crate::sys::fd::{CWD, FdRef};
use crate::sys::{self, Errno, fs};
use core::ffi::CStr;
use heapless::Vec;

/// The longest name, in bytes (IFNAMSIZ less a NUL).
const NAME_BYTES: usize = 15;

// linux/if_link.h, linux/if_addr.h
const IFLA_IFNAME: u16 = 3;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_NEW_IFINDEX: u16 = 49;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_FLAGS: u16 = 8;
const IFA_RT_PRIORITY: u16 = 9;
const IFA_F_PERMANENT: u32 = 0x80;
/// `struct ifinfomsg`: u8 family, u8 padding, u16 type, i32 index, u32 flags, u32 mask of changed
/// flags.
const LINK_BYTES: usize = 16;
/// `struct ifaddrmsg`: u8 family, u8 prefix, u8 flags, u8 scope (0: global), u32 index.
const ADDRESS_BYTES: usize = 8;

/// Attributes of an address that move with it. Its label depends on the device's name.
const KEPT: [u16; 5] = [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY];

/// An address: the fixed part, and the attributes of [`KEPT`].
struct Address {
    fixed: [u8; ADDRESS_BYTES],
    values: [([u8; 16], u8); KEPT.len()],
}

/// Moves the devices into the network namespace of the process `pid`. Needs privilege over both
/// namespaces.
pub fn hand_over(devices: &[NetDevice<'_>], pid: i32) -> Result<()> {
    if devices.is_empty() {
        return Ok(());
    }
    let ours = fs::open(CWD, c"/proc/thread-self/ns/net", fs::O_RDONLY, 0)
        .doing("open our network namespace")?;
    let path = PathBuf::format(format_args!("/proc/{pid}/ns/net"));
    let theirs = path.and_then(|path| fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0));
    let theirs = theirs.doing("open the container's network namespace")?;
    let host = Route::open().doing("open a netlink socket")?;
    clone::join_namespace(theirs.by_ref(), CLONE_NEWNET)
        .doing("join the container's network namespace")?;
    let container = Route::open();
    clone::join_namespace(ours.by_ref(), CLONE_NEWNET).doing("go back to our network namespace")?;
    let container = container.doing("open a netlink socket")?;
    for moves in [false, true] {
        for device in devices {
            let target = moves.then(|| theirs.by_ref());
            hand_over_one(&host, &container, device, target)
                .context("network device", &LossyC(device.host))?;
        }
    }
    Ok(())
}

/// Moves one or, without a `target`, only checks whether it can be moved.
fn hand_over_one(
    host: &Route,
    container: &Route,
    device: &NetDevice<'_>,
    target: Option<FdRef<'_>>,
) -> Result<()> {
    let NetDevice { host: known_as, name } = *device;
    let index = find(host, known_as).doing("find")?;
    if !device.is_pattern() {
        match find(container, name) {
            Err(Errno::ENODEV) => {}
            Ok(_) => {
                return Err(Error::with_errno(
                    format_args!("the container has a device {}", LossyC(name)),
                    Errno::EEXIST,
                ));
            }
            Err(errno) => return Err(errno).doing("look for its name in the container"),
        }
    }
    let Some(target) = target else { return Ok(()) };
    let addresses = addresses(host, index)?;
    // Its index there. If the kernel chooses the name, only the index is known.
    let mut place = index;
    while has(container, place).doing("find a number for it")? {
        place += 1;
    }
    let request = Request::new(route::RTM_SETLINK, 0, &link(index, 0))
        .attribute(IFLA_NET_NS_FD, &target.raw().to_ne_bytes())
        .attribute(IFLA_IFNAME, &name_bytes(name))
        .attribute(IFLA_NEW_IFINDEX, &place.to_ne_bytes());
    host.tell(request).doing("move to the container")?;
    for Address { fixed, values } in &addresses {
        let mut fixed = *fixed;
        fixed[4..].copy_from_slice(&place.to_ne_bytes());
        let mut request = Request::new(route::RTM_NEWADDR, NLM_F_CREATE_NEW, &fixed);
        for (kind, (value, length)) in
            KEPT.iter().zip(values).filter(|(_, (_, length))| *length > 0)
        {
            request = request.attribute(*kind, &value[..usize::from(*length)]);
        }
        container.tell(request).doing("give back an address")?;
    }
    container
        .tell(Request::new(route::RTM_SETLINK, 0, &link(place, libc::IFF_UP as u32)))
        .doing("set up")
}

/// Returns the fixed part of a request that sets these flags of a device.
fn link(index: u32, flags: u32) -> [u8; LINK_BYTES] {
    let mut link = [0; LINK_BYTES];
    for (place, number) in link[4..].chunks_exact_mut(4).zip([index, flags, flags]) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    link
}

/// Returns a name with a NUL.
fn name_bytes(name: &CStr) -> [u8; NAME_BYTES + 1] {
    let mut bytes = [0; NAME_BYTES + 1];
    bytes.iter_mut().zip(name.to_bytes()).for_each(|(place, byte)| *place = *byte);
    bytes
}

/// Returns the index of a device by its name. ENODEV if there is none.
fn find(route: &Route, name: &CStr) -> sys::Result<u32> {
    let mut index = 0;
    let request =
        Request::new(route::RTM_GETLINK, 0, &link(0, 0)).attribute(IFLA_IFNAME, &name_bytes(name));
    route.ask(request, &mut |_, body| index = word(body, 4))?;
    Ok(index)
}

fn has(route: &Route, index: u32) -> sys::Result<bool> {
    match route.tell(Request::new(route::RTM_GETLINK, 0, &link(index, 0))) {
        Err(Errno::ENODEV) => Ok(false),
        answer => answer.map(|()| true),
    }
}

/// Returns the permanent addresses of a device with global scope.
fn addresses(route: &Route, index: u32) -> Result<Vec<Address, NET_ADDRESSES_MAX>> {
    let mut list = Vec::new();
    let mut is_full = false;
    let request = Request::new(route::RTM_GETADDR, NLM_F_DUMP, &[0; ADDRESS_BYTES]);
    let answer = route.ask(request, &mut |kind, body| {
        let Some((fixed, attributes)) = body.split_first_chunk() else { return };
        if kind != route::RTM_NEWADDR || word(fixed, 4) != index || fixed[3] != 0 {
            return;
        }
        let mut address = Address { fixed: *fixed, values: [([0; 16], 0); KEPT.len()] };
        let mut flags = u32::from(fixed[2]);
        for (kind, value) in route::attributes(attributes) {
            let Some(kept) = KEPT.iter().position(|kept| *kept == kind) else { continue };
            let (place, length) = &mut address.values[kept];
            if let Some(place) = place.get_mut(..value.len()) {
                place.copy_from_slice(value);
                *length = value.len() as u8;
            }
            if kind == IFA_FLAGS {
                flags = word(value, 0);
            }
        }
        is_full |= flags & IFA_F_PERMANENT != 0 && list.push(address).is_err();
    });
    answer.doing("list its addresses")?;
    match is_full {
        true => Err(Error::new(format_args!("more than {NET_ADDRESSES_MAX} addresses"))),
        false => Ok(list),
    }
}

/// Parses the kernel's answers, for the fuzzer.
#[cfg(fuzzing)]
pub mod fuzz {
    use super::{ADDRESS_BYTES, Route, Vec, addresses};
    use crate::limits::NET_ADDRESSES_MAX;
    use crate::sys::{fd, fs};
    use crate::{Context, Result};

    /// Returns the fixed parts of the addresses of this device in an answer.
    pub fn addresses_in(
        answer: &[u8],
        index: u32,
    ) -> Result<Vec<[u8; ADDRESS_BYTES], NET_ADDRESSES_MAX>> {
        let (ours, theirs) = fd::socketpair(libc::SOCK_SEQPACKET).doing("make a socket")?;
        fs::write_all(theirs.by_ref(), answer).doing("answer")?;
        // Without data a read fails at once.
        fd::set_nonblocking(ours.by_ref(), true).doing("make a socket")?;
        Ok(addresses(&Route::of(ours), index)?.iter().map(|address| address.fixed).collect())
    }
}

#[cfg(test)]
mod tests;

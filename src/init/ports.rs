//! The machine's named virtio ports, for the container's streams and our report.

use super::block::Uevents;
use super::sysfs::{self, Name};
use crate::sys::fd::{CWD, Fd};
use crate::sys::fs::{self, O_NONBLOCK, O_RDWR};
use crate::sys::time;
use crate::{Context, Error, Result};

/// The four ports, open and non-blocking.
pub struct Ports {
    /// Our report and the host's commands.
    pub control: Fd,
    /// The container's standard input.
    pub stdin: Fd,
    /// Its standard output, or its terminal.
    pub stdout: Fd,
    /// Its standard error.
    pub stderr: Fd,
}

const NAMES: [&str; 4] =
    ["org.ocinit.control", "org.ocinit.stdin", "org.ocinit.stdout", "org.ocinit.stderr"];

/// Microseconds to wait for the ports of a device that may have several. The host announces them
/// one by one, and a name comes after its port. A machine with other ports only starts this much
/// later.
const WAIT_US: u64 = 5_000_000;

/// Opens the ports. Returns `None` if this machine has none of them.
#[inline(never)]
pub fn open(uevents: &Uevents) -> Result<Option<Ports>> {
    if !machine_can_have_ports()? {
        return Ok(None);
    }
    let deadline = time::monotonic_us() + WAIT_US;
    loop {
        let found = find()?;
        if let [Some(control), Some(stdin), Some(stdout), Some(stderr)] = &found {
            let (control, stdin) = (open_port(control)?, open_port(stdin)?);
            return Ok(Some(Ports {
                control,
                stdin,
                stdout: open_port(stdout)?,
                stderr: open_port(stderr)?,
            }));
        }
        if !uevents.wait(deadline)? {
            // A host with some of the ports expects a report, so a missing one is an error. Without
            // any, stdio is the console.
            return match found.iter().position(Option::is_some) {
                None => Ok(None),
                Some(_) => Err(missing(&found)),
            };
        }
    }
}

fn missing(found: &[Option<Name>; 4]) -> Error {
    let missing =
        NAMES.iter().zip(found).find(|(_, found)| found.is_none()).map_or("", |(name, _)| name);
    Error::new(format_args!("virtio port {missing}: missing, but others of ocinit's exist"))
}

/// Returns whether there is a virtio console device that may have several ports.
fn machine_can_have_ports() -> Result<bool> {
    /// VIRTIO_ID_CONSOLE.
    const CONSOLE: &str = "0x0003";
    const MULTIPORT: usize = 1;
    let mut can = false;
    sysfs::each_entry(c"/sys/bus/virtio/devices", &mut |name| {
        let mut buffer = [0; 128];
        if sysfs::read(format_args!("/sys/bus/virtio/devices/{name}/device"), &mut buffer)
            == Ok(CONSOLE)
        {
            let features =
                sysfs::read(format_args!("/sys/bus/virtio/devices/{name}/features"), &mut buffer);
            can |= features.is_ok_and(|bits| bits.as_bytes().get(MULTIPORT) == Some(&b'1'));
        }
        Ok(())
    })?;
    Ok(can)
}

fn find() -> Result<[Option<Name>; 4]> {
    let mut found = [const { None }; 4];
    sysfs::each_entry(c"/sys/class/virtio-ports", &mut |device| {
        let mut buffer = [0; 64];
        let name = sysfs::read(format_args!("/sys/class/virtio-ports/{device}/name"), &mut buffer)
            .unwrap_or("");
        if let Some(index) = NAMES.iter().position(|wanted| *wanted == name) {
            found[index] = sysfs::name(device).ok();
        }
        Ok(())
    })?;
    Ok(found)
}

fn open_port(device: &Name) -> Result<Fd> {
    let open = || {
        let path = sysfs::device_node("virtio-ports", device)?;
        fs::open(CWD, path.as_c_str(), O_RDWR | O_NONBLOCK, 0)
    };
    open().context("open virtio port", device)
}

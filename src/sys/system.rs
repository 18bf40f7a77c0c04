//! The whole machine: modules, power, names, memory.

use super::Result;
use super::fd::FdRef;
use super::syscall::{command, syscall};
use core::mem::MaybeUninit;

/// finit_module(2) without parameters.
pub fn load_module(file: FdRef<'_>) -> Result<()> {
    // SAFETY: the parameters are an empty NUL-terminated string.
    unsafe { command!(libc::SYS_finit_module, file.raw(), c"".as_ptr(), 0) }
}

/// The actions of reboot(2).
#[derive(Clone, Copy)]
pub enum Power {
    /// Power off.
    Off,
    /// Restart.
    Restart,
    /// Halt, with the power on.
    Halt,
}

/// reboot(2). Returns only an error.
pub fn power(what: Power) -> Result<()> {
    let command = match what {
        Power::Off => libc::LINUX_REBOOT_CMD_POWER_OFF,
        Power::Restart => libc::LINUX_REBOOT_CMD_RESTART,
        Power::Halt => libc::LINUX_REBOOT_CMD_HALT,
    };
    let (one, two) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_reboot, one, two, command, 0) }
}

/// reboot(2) `CAD_OFF`: Ctrl-Alt-Del sends PID 1 a SIGINT instead of restarting the machine.
pub fn disable_ctrl_alt_del() -> Result<()> {
    let (one, two) = (libc::LINUX_REBOOT_MAGIC1, libc::LINUX_REBOOT_MAGIC2);
    // SAFETY: no memory is passed.
    unsafe { command!(libc::SYS_reboot, one, two, libc::LINUX_REBOOT_CMD_CAD_OFF, 0) }
}

/// sethostname(2), of this UTS namespace.
pub fn set_hostname(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes.
    unsafe { command!(libc::SYS_sethostname, name.as_ptr(), name.len()) }
}

/// setdomainname(2).
pub fn set_domain_name(name: &[u8]) -> Result<()> {
    // SAFETY: the kernel reads `name.len()` bytes.
    unsafe { command!(libc::SYS_setdomainname, name.as_ptr(), name.len()) }
}

/// Returns the memory of the machine, in bytes (sysinfo(2)).
pub fn total_memory() -> Result<u64> {
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the kernel fills one `struct sysinfo`.
    let info = unsafe {
        syscall!(libc::SYS_sysinfo, info.as_mut_ptr())?;
        info.assume_init()
    };
    Ok(info.totalram as u64 * u64::from(info.mem_unit.max(1)))
}

/// getrandom(2): fills the buffer (of at most 256 bytes) from the kernel's generator.
pub fn random(buffer: &mut [u8]) -> Result<()> {
    // SAFETY: the kernel writes at most `buffer.len()` bytes to `buffer`.
    unsafe { command!(libc::SYS_getrandom, buffer.as_mut_ptr(), buffer.len(), 0) }
}

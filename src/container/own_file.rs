//! This program's own file is not to be had by a container (CVE-2019-5736).
//!
//! A container whose command is `/proc/self/exe` executes this very file, and whoever is root there
//! could open it through /proc/PID/exe and write to it later: on the host. So this process executes
//! itself again, from a copy of the file's mount that is read-only and attached nowhere: no page of
//! it is copied. Who may not make mounts takes a sealed copy in memory. Neither is needed where the
//! file is on a read-only mount, or cannot be written by the caller.

use crate::io::path::PathBuf;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::process::{self, StringVector};
use crate::sys::{self, Errno, fs, mount};
use crate::{Context, Result};
use core::ffi::CStr;

/// Our own file, as the kernel has executed it.
const OWN_FILE: &CStr = c"/proc/self/exe";
/// The name that the process keeps.
const NAME: &CStr = c"ocinit";

/// Executes this program again, with the same words, from where nobody can write to it; returns
/// where it is there already.
pub fn protect() -> Result<()> {
    let file = fs::open(CWD, OWN_FILE, fs::O_RDONLY, 0).doing("open /proc/self/exe")?;
    if is_safe(file.by_ref()).doing("look at /proc/self/exe")? {
        return Ok(());
    }
    let safe = match mount::clone_tree(file.by_ref(), c"", false) {
        Ok(tree) => {
            mount::set_attributes(tree.by_ref(), false, mount::attr::RDONLY, 0, 0).map(|()| tree)
        }
        // EINVAL: the file's mount belongs to another mount namespace.
        Err(Errno::EPERM | Errno::EINVAL) => copy(file.by_ref()),
        Err(errno) => Err(errno),
    };
    let safe = safe.doing("make a safe copy of /proc/self/exe")?;
    let (words, environment) = (StringVector::arguments(), StringVector::environment());
    Err(process::execute_file(safe.by_ref(), &words, &environment)).doing("execute ocinit again")
}

fn is_safe(file: FdRef<'_>) -> sys::Result<bool> {
    if fs::is_on_readonly_mount(file)? || fs::is_sealed(file) {
        // Executed by a descriptor: some kernels name the process by its number.
        process::set_name(NAME)?;
        return Ok(true);
    }
    let user = process::effective_uid();
    Ok(user != 0
        && fs::stat(file, c"")?.uid != user
        && fs::access(CWD, OWN_FILE, libc::W_OK).is_err())
}

fn copy(file: FdRef<'_>) -> sys::Result<Fd> {
    let copy = fs::memory_file(NAME)?;
    while fs::send_file(file, copy.by_ref(), usize::MAX >> 33)? > 0 {}
    fs::seal(copy.by_ref())?;
    // What somebody has open to write is not executed.
    let path = PathBuf::format(format_args!("/proc/self/fd/{}", copy.raw() as u32))?;
    fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0)
}

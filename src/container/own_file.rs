//! Protects this program's own file from containers (CVE-2019-5736).
//!
//! A container whose command is `/proc/self/exe` executes this file. Its root could open the file
//! through /proc/PID/exe and later write to it, on the host. So this process executes itself again,
//! from a read-only detached copy of the file's mount, which copies no page. Without the right to
//! mount it uses a sealed copy in a memfd. Neither is needed if the file is on a read-only mount,
//! or the caller cannot write it.

use crate::io::path::PathBuf;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::process::{self, StringVector};
use crate::sys::{self, Errno, fs, mount};
use crate::{Context, Result};
use core::ffi::CStr;

/// Our own file, as the kernel executed it.
const OWN_FILE: &CStr = c"/proc/self/exe";
/// The process's name afterwards.
const NAME: &CStr = c"ocinit";

/// Executes this program again, with the same arguments, from an unwritable file. Returns if it
/// runs from one already.
pub fn protect() -> Result<()> {
    let file = fs::open(CWD, OWN_FILE, fs::O_RDONLY, 0).doing("open /proc/self/exe")?;
    if is_safe(file.by_ref()).doing("look at /proc/self/exe")? {
        return Ok(());
    }
    let safe = match mount::clone_tree(file.by_ref(), c"", mount::Reach::Mount) {
        Ok(tree) => {
            mount::set_attributes(tree.by_ref(), mount::Reach::Mount, mount::attr::RDONLY, 0, 0)
                .map(|()| tree)
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
        // After fexecve(3) some kernels name the process by the fd's number.
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
    // execve(2) refuses a file that is open for writing.
    let path = PathBuf::format(format_args!("/proc/self/fd/{}", copy.raw() as u32))?;
    fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0)
}

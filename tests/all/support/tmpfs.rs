//! A file system in memory for only this thread and its children, which ends with them.

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Mounts a tmpfs of so many bytes on `directory`, in a mount namespace of the calling thread.
/// Needs root.
pub fn mount_here(directory: &Path, bytes: u64) {
    let path = CString::new(directory.as_os_str().as_bytes()).expect("no NUL");
    let options = CString::new(format!("size={bytes},mode=755,nr_inodes=1000000")).expect("no NUL");
    let check = |doing: &str, result: i32| {
        assert!(result == 0, "{doing}: {}", std::io::Error::last_os_error());
    };
    // SAFETY: it changes the view of this thread alone, which shares no working directory with
    // others after it.
    check("unshare", unsafe { libc::unshare(libc::CLONE_NEWNS) });
    mount(c"none", c"/", c"", libc::MS_REC | libc::MS_PRIVATE, c"", &check);
    mount(c"none", &path, c"tmpfs", 0, &options, &check);
}

fn mount(
    source: &CStr,
    target: &CStr,
    kind: &CStr,
    flags: u64,
    data: &CStr,
    check: &dyn Fn(&str, i32),
) {
    let [source, target, kind, data] = [source, target, kind, data].map(CStr::as_ptr);
    // SAFETY: all of these end in NUL and live until the call returns; `data` is text, as tmpfs
    // wants it.
    check("mount", unsafe { libc::mount(source, target, kind, flags, data.cast()) });
}

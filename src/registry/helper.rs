//! The helper's program and its process.

use crate::codec::transport::{ANSWER_BYTES, Answer, Class, TEXT_BYTES};
use crate::io::interrupt;
use crate::io::lossy::{LossyC, On};
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::sys::fd::{self, CWD, Fd, FdRef, STDERR, STDIN, STDOUT};
use crate::sys::process::{self, StringVector};
use crate::sys::{clone, fs, signal, socket};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::Write;

/// The name of the program.
const NAME: &[u8] = b"ocinit-registry";
/// The number of the channel's fd there.
const CHANNEL: i32 = 3;

/// Sets `path` to the helper's program: beside this one, or on PATH.
pub fn find(path: &mut PathBuf) -> Result<()> {
    let mut buffer = [0; PATH_BYTES];
    // A process that executed itself again from a detached mount has no path, but its first word is
    // what it was (`own_file`).
    let own = fs::readlink(CWD, c"/proc/self/exe", &mut buffer).unwrap_or_default();
    let name = process::name().to_bytes();
    let mut places = [own, name].into_iter().filter_map(directory_of);
    let is_beside = places.any(|at| is_there(at, path));
    let mut is_on_path = || {
        let places = process::variable(b"PATH").unwrap_or_default().to_bytes();
        places.split(|byte| *byte == b':').any(|at| at.starts_with(b"/") && is_there(at, path))
    };
    match is_beside || is_on_path() {
        true => Ok(()),
        false => Err(Error::new(format_args!(
            "a registry needs the program ocinit-registry, which is neither beside ocinit nor on \
             PATH: make install puts it there"
        ))),
    }
}

/// Returns the directory in an absolute path.
fn directory_of(path: &[u8]) -> Option<&[u8]> {
    let slash = path.iter().rposition(|byte| *byte == b'/')?;
    (path.starts_with(b"/") && path.len() > 1).then_some(&path[..slash.max(1)])
}

/// Sets `path` to the program in this directory. Returns whether it can be executed.
fn is_there(directory: &[u8], path: &mut PathBuf) -> bool {
    path.truncate(0);
    path.push_bytes(directory).and_then(|()| path.push(NAME)).is_ok()
        && fs::access(CWD, path.as_c_str(), libc::X_OK).is_ok()
}

/// Starts the program with `channel`. Returns its pid and pidfd. It ends when the other end of the
/// channel is closed, and when this thread ends.
pub fn start(path: &CStr, channel: FdRef<'_>) -> Result<(i32, Fd)> {
    crate::debug!("registry: start {}", LossyC(path));
    let null = fs::open(CWD, c"/dev/null", fs::O_RDONLY, 0).doing("open /dev/null")?;
    let mut space = [0; 2];
    let words = StringVector::new(&mut space, [path].into_iter()).doing("start")?;
    match clone::fork(0, None).on("start", path)? {
        clone::Side::Parent(pid, pidfd) => Ok((pid, pidfd)),
        clone::Side::Child => become_helper(path, &words, null.by_ref(), channel),
    }
}

/// Executes the program. A failure is told by the channel, as the program's own would be.
fn become_helper(path: &CStr, words: &StringVector<'_>, null: FdRef<'_>, channel: FdRef<'_>) -> ! {
    let prepare = || {
        fd::duplicate_to(null, STDIN.raw())?;
        fd::duplicate_to(STDERR, STDOUT.raw())?;
        fd::duplicate_to(channel, CHANNEL)?;
        fd::set_cloexec_from(CHANNEL as u32 + 1)?;
        // A signal for the whole process group is ours to report.
        signal::set_mask(interrupt::to_hold())
    };
    let errno = match prepare() {
        Ok(()) => process::execute(path, words, &StringVector::environment()),
        Err(errno) => errno,
    };
    let mut text: heapless::String<TEXT_BYTES> = heapless::String::new();
    let _ = write!(text, "execute {}: {errno}", LossyC(path));
    let text = text.as_bytes();
    let failed = Answer::Failed { id: 0, class: Class::Settings, status: 0, bytes: 0, text };
    if let Ok(packet) = failed.encode(&mut [0; ANSWER_BYTES]) {
        let _ = socket::send(channel, packet, None);
    }
    process::exit(crate::error::STATUS_FAILED.into())
}

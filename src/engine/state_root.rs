//! The state root: the directory of all containers' states.

use crate::container::state::{Missing, Root};
use crate::container::userns;
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs, process};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The state root of root. Another user has a directory of this name in its own XDG_RUNTIME_DIR.
const ROOT: &str = "/run/ocinit";

/// The state root that the user gave, or the default one.
#[derive(Clone, Copy)]
pub struct StateRoot<'a> {
    /// The given directory; if None, the default one.
    pub given: Option<&'a CStr>,
}

impl StateRoot<'_> {
    /// Opens it for a command on one container: if it is missing, there is no container.
    pub fn open(&self) -> Result<Root> {
        self.open_or(Missing::Ignore)
    }

    /// Opens it for a new container, and makes it if it is missing.
    pub fn make(&self) -> Result<Root> {
        self.open_or(Missing::Make)
    }

    /// Opens it for a list. As in runc, the default one may be missing; a missing given one is an
    /// error.
    pub fn open_for_list(&self) -> Result<Root> {
        self.open_or(if self.given.is_some() { Missing::Refuse } else { Missing::Ignore })
    }

    fn open_or(&self, missing: Missing) -> Result<Root> {
        let mut path = PathBuf::new();
        let place = self.place(&mut path)?;
        let path = path.as_c_str();
        let is_given = self.given.is_some();
        let mut root = Root::open(path, missing);
        if !is_given && missing == Missing::Make && process::effective_uid() != 0 {
            // Another user's root, in which no container's directory can be made.
            let access =
                fs::access(CWD, path, libc::W_OK | libc::X_OK).on("open the state's root", path);
            root = root.and_then(|root| access.map(|()| root));
        }
        let root = root.map_err(|error| if is_given { error } else { advise(error) })?;
        if place == Place::RuntimeDirectory && missing == Missing::Make {
            // The sticky bit exempts it from periodic cleanup (XDG Base Directory Specification).
            fs::chmod(CWD, path, 0o1700).on("change the mode of", path)?;
        }
        Ok(root)
    }

    /// Sets `path` by runc's rules.
    fn place(&self, path: &mut PathBuf) -> Result<Place> {
        let (place, start, end) = match (self.given, process::variable(b"XDG_RUNTIME_DIR")) {
            (Some(root), _) => (Place::Other, root, ""),
            (None, Some(directory)) if !directory.is_empty() && !is_root_of_the_host() => {
                (Place::RuntimeDirectory, directory, "/ocinit")
            }
            _ => (Place::Other, c"", ROOT),
        };
        path.push_bytes(start.to_bytes())
            .and_then(|()| path.push_bytes(end.as_bytes()))
            .doing("--root")?;
        Ok(place)
    }
}

/// The place of the default directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In XDG_RUNTIME_DIR.
    RuntimeDirectory,
    /// Elsewhere.
    Other,
}

/// If the caller may not use the default root, the error suggests another.
fn advise(error: Error) -> Error {
    match error.errno() {
        Errno::EACCES | Errno::EPERM | Errno::EROFS if process::effective_uid() != 0 => {
            let text = format_args!(
                "{error}: set XDG_RUNTIME_DIR, or name a directory of yours by --root"
            );
            Error::with_errno(text, error.errno())
        }
        _ => error,
    }
}

/// Returns whether the caller is the host's root. Root of a user namespace is not, unless the
/// environment says that it logged in as root.
fn is_root_of_the_host() -> bool {
    let is_first = !userns::is_in_one();
    process::effective_uid() == 0 && (is_first || process::variable(b"USER") == Some(c"root"))
}

//! What commands on containers have in common: where their state is kept.

use super::arguments::Arguments;
use crate::container::state::{Missing, Root};
use crate::container::userns;
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs, process};
use crate::{Context, Error, Result};

/// Where root keeps it; an ordinary user has a directory of this name in his own XDG_RUNTIME_DIR.
const ROOT: &str = "/run/ocinit";

/// Opens the state's root. If it is missing, a command on one container finds no container.
pub(super) fn root(arguments: &Arguments<'_>, is_made: bool) -> Result<Root> {
    open_root(arguments, if is_made { Missing::Make } else { Missing::Ignore })
}

/// The same for `list`. As in runc, the default root may be missing; a missing --root is an error.
pub(super) fn root_of_all(arguments: &Arguments<'_>) -> Result<Root> {
    open_root(arguments, if arguments.has("root") { Missing::Refuse } else { Missing::Ignore })
}

fn open_root(arguments: &Arguments<'_>, missing: Missing) -> Result<Root> {
    let mut path = PathBuf::new();
    let is_runtime_directory = place(arguments, &mut path)?;
    let path = path.as_c_str();
    let is_given = arguments.has("root");
    let mut root = Root::open(path, missing);
    if !is_given && missing == Missing::Make && process::effective_uid() != 0 {
        // Another user's root: no container's directory could be made in it.
        let access =
            fs::access(CWD, path, libc::W_OK | libc::X_OK).on("open the state's root", path);
        root = root.and_then(|root| access.map(|()| root));
    }
    let root = root.map_err(|error| if is_given { error } else { advise(error) })?;
    if is_runtime_directory && missing == Missing::Make {
        // What has this bit is not removed because nobody has used it for some days (XDG Base
        // Directory Specification).
        fs::chmod(CWD, path, 0o1700).on("change the mode of", path)?;
    }
    Ok(root)
}

/// If the caller may not use the default root, the error names another.
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

/// Where it is, by runc's rules; whether that is in XDG_RUNTIME_DIR.
fn place(arguments: &Arguments<'_>, path: &mut PathBuf) -> Result<bool> {
    let (start, end) = match (arguments.value("root"), process::variable(b"XDG_RUNTIME_DIR")) {
        (Some(root), _) => (root, ""),
        (None, Some(directory)) if !directory.is_empty() && !is_root_of_the_host() => {
            (directory, "/ocinit")
        }
        _ => (c"", ROOT),
    };
    path.push_bytes(start.to_bytes())
        .and_then(|()| path.push_bytes(end.as_bytes()))
        .doing("--root")?;
    Ok(end.len() == "/ocinit".len())
}

/// Root in a user namespace is somebody else, unless the environment says that it logged in as
/// root.
fn is_root_of_the_host() -> bool {
    let is_first = !userns::is_in_one();
    process::effective_uid() == 0 && (is_first || process::variable(b"USER") == Some(c"root"))
}

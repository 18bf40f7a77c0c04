//! Adds `HOME` to an environment that lacks it, from the container's own /etc/passwd, like every
//! runtime.

use crate::io::passwd::{End, Field, FieldKind, Table};
use crate::io::path::PathBuf;
use crate::spec::Process;
use crate::sys::fd::FdRef;

/// Fields of a line of /etc/passwd: the home directory, and the user ID.
const HOME: usize = 5;
const UID: usize = 2;

/// Sets `variable` to `HOME=DIRECTORY` of the user, or to nothing if HOME is set. The directory is
/// `/` if the file passwd in `root` has none for the user or is unreadable.
pub fn add(root: FdRef<'_>, process: &Process<'_>, variable: &mut PathBuf) {
    // As in runc 1.3 the last of several counts, and an empty one counts as unset.
    if process
        .env
        .iter()
        .filter(|one| one.to_bytes().starts_with(b"HOME="))
        .last()
        .is_some_and(|one| one != c"HOME=")
    {
        return;
    }
    let mut home = Field::new();
    let directory = match find(root, process.user.uid, &mut home) {
        Some(()) if !home.bytes().is_empty() && !home.is_cut() => home.bytes(),
        _ => b"/",
    };
    let _ = variable.push_bytes(b"HOME=").and_then(|()| variable.push_bytes(directory));
}

fn find(root: FdRef<'_>, uid: u32, home: &mut Field) -> Option<()> {
    let mut table = Table::open(root, c"/etc/passwd").ok()?;
    let (mut field, mut column, mut is_his) = (Field::new(), 0, false);
    while let Some(end) = table.field(&mut field, FieldKind::Whole).ok()? {
        match column {
            UID => is_his = field.number() == Some(uid),
            HOME if is_his => {
                home.copy(&field);
                return Some(());
            }
            _ => {}
        }
        column = if end == End::Line { 0 } else { column + 1 };
        is_his &= column != 0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::strings::PackedStrings;
    use crate::spec::User;
    use crate::sys::fd::CWD;
    use crate::sys::fs;

    #[test]
    fn the_home_is_the_users_in_the_container() {
        let root = std::env::temp_dir().join(format!("ocinit-home-{}", std::process::id()));
        std::fs::create_dir_all(root.join("etc")).unwrap();
        let path = std::ffi::CString::new(root.to_str().unwrap()).unwrap();
        let fd = fs::open(CWD, &path, fs::O_PATH | fs::O_DIRECTORY, 0).unwrap();
        let of = |uid, env: &'static [u8]| {
            let user = User { uid, ..User::default() };
            let mut home = PathBuf::new();
            add(
                fd.by_ref(),
                &Process { user, env: PackedStrings::new(env), ..Process::NONE },
                &mut home,
            );
            String::from_utf8(home.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(of(0, b"A=1\0").as_str(), "HOME=/", "no file");
        std::fs::write(
            root.join("etc/passwd"),
            "a:x:1:1::/a\n\nbad:7\nb:x:2:1:gecos:/home/b:/bin/sh\nc:x:3:1:::\n",
        )
        .unwrap();
        assert_eq!(of(2, b"A=1\0").as_str(), "HOME=/home/b");
        assert_eq!(of(1, b"").as_str(), "HOME=/a", "no shell");
        assert_eq!(of(3, b"").as_str(), "HOME=/", "an empty one");
        assert_eq!(of(7, b"").as_str(), "HOME=/", "a line that is cut short");
        assert_eq!(of(2, b"A=1\0HOME=/x\0HOME=\0"), "HOME=/home/b", "an empty one is none");
        assert_eq!(of(2, b"A=1\0HOME=\0HOME=/x\0"), "", "the last counts");
        std::fs::remove_file(root.join("etc/passwd")).unwrap();
        assert!(
            std::process::Command::new("mkfifo")
                .arg(root.join("etc/passwd"))
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(of(2, b"").as_str(), "HOME=/", "nobody waits for a FIFO");
        std::fs::remove_dir_all(root).unwrap();
    }
}

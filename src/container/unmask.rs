//! Without a pivot the host's mounts stay beneath the container's root. A user namespace may mount
//! a procfs or sysfs if it can see one without masks. So, as in runc, the host's are unmounted: all
//! that mountinfo lists.

use super::empty;
use super::procfs::Procfs;
use crate::error::{Context, Error, Result};
use crate::io::lossy::On;
use crate::io::path::PathBuf;
use crate::io::text::decimal;
use crate::limits::KERNEL_VIEWS_MAX;
use crate::sys::fd::{CWD, FdRef};
use crate::sys::fs::{self, O_PATH};
use crate::sys::mount::{self, MNT_DETACH, MS_REC, MS_SLAVE};
use crate::sys::{self, Errno};

/// Unmounts each procfs and sysfs of this mount namespace that is not beneath the mount `root`,
/// innermost first. Covers one that cannot be unmounted.
pub fn take_away(root: FdRef<'_>) -> Result<()> {
    let proc = Procfs::open()?;
    let own = fs::stat(root, c"").doing("stat the root directory")?.mount_id;
    let mut own_path = PathBuf::new();
    each(&proc, &mut |mount| {
        if mount.id == own {
            own_path = mount.path.clone();
        }
    })?;
    let mut done = heapless::Vec::<u64, KERNEL_VIEWS_MAX>::new();
    loop {
        // mountinfo lists a mount after those that it hides or is mounted on.
        let mut last = None;
        each(&proc, &mut |mount| {
            if mount.is_view && !is_below(&mount.path, &own_path) && !done.contains(&mount.id) {
                last = Some((mount.id, mount.path.clone()));
            }
        })?;
        let Some((id, path)) = last else { return Ok(()) };
        take_one(id, &path).on("take away", path.as_c_str())?;
        done.push(id).map_err(|_| {
            Error::new(format_args!("more than {KERNEL_VIEWS_MAX} mounts of procfs and sysfs"))
        })?;
    }
}

fn is_below(path: &PathBuf, root: &PathBuf) -> bool {
    let rest = match root.as_bytes() {
        b"/" => return true,
        root => path.as_bytes().strip_prefix(root),
    };
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

fn take_one(id: u64, path: &PathBuf) -> sys::Result<()> {
    let path = path.as_c_str();
    let place = match fs::open(CWD, path, O_PATH, 0) {
        // It was unmounted together with its parent mount.
        Err(Errno::ENOENT) => return Ok(()),
        place => place?,
    };
    if fs::stat(place.by_ref(), c"")?.mount_id != id {
        // Another mount hides all of it.
        return Ok(());
    }
    // Otherwise the host's mount would be unmounted, too.
    mount::set_propagation(path, MS_SLAVE | MS_REC)?;
    match mount::unmount(path, MNT_DETACH) {
        Err(Errno::EINVAL | Errno::EPERM) => {
            let cover = empty::directory()?;
            mount::attach(cover.by_ref(), place.by_ref())
        }
        done => done,
    }
}

/// One line of mountinfo.
#[derive(Default)]
struct Line {
    id: u64,
    path: PathBuf,
    /// It shows a whole procfs or sysfs.
    is_view: bool,
}

/// Calls `see` with each mount of this process's namespace.
fn each(proc: &Procfs, see: &mut dyn FnMut(&Line)) -> Result<()> {
    let file = proc.file(c"self/mountinfo", fs::O_RDONLY).doing("open /proc/self/mountinfo")?;
    let mut buffer = [0; 4096];
    let mut parser = Parser::default();
    loop {
        let length = fs::read(file.by_ref(), &mut buffer).doing("read /proc/self/mountinfo")?;
        if length == 0 {
            return Ok(());
        }
        for &byte in &buffer[..length] {
            if parser.take(byte) {
                parser.line.is_view =
                    parser.is_whole && matches!(parser.word.as_slice(), b"proc" | b"sysfs");
                see(&parser.line);
                parser = Parser::default();
            }
        }
    }
}

/// Parses `ID PARENT MAJOR:MINOR ROOT PATH OPTIONS [TAG...] - TYPE SOURCE OPTIONS`, with blanks in
/// octal (proc(5)).
#[derive(Default)]
struct Parser {
    line: Line,
    /// The number of the field; all optional fields count as 6.
    field: u8,
    /// The field, unless it is the path; cut if it is too long.
    word: heapless::Vec<u8, 24>,
    /// Digits of an escaped byte that are still to come, and its value so far.
    escape: (u8, u8),
    is_whole: bool,
}

impl Parser {
    /// Takes a byte. Returns true at the end of a line.
    fn take(&mut self, byte: u8) -> bool {
        const TAGS: u8 = 6;
        const TYPE: u8 = 7;
        match byte {
            b'\n' => return true,
            b' ' => {
                let word = self.word.as_slice();
                let mut next = self.field + 1;
                match self.field {
                    0 => self.line.id = decimal(word).unwrap_or(0),
                    3 => self.is_whole = word == b"/",
                    TAGS if word != b"-" => next = TAGS,
                    _ => {}
                }
                if self.field < TYPE {
                    self.word.clear();
                }
                self.field = next;
            }
            _ if self.field == 4 => self.take_path(byte),
            _ if self.field <= TYPE => {
                let _ = self.word.push(byte);
            }
            _ => {}
        }
        false
    }

    fn take_path(&mut self, byte: u8) {
        let byte = match self.escape {
            (0, _) if byte == b'\\' => {
                self.escape = (3, 0);
                return;
            }
            (0, _) => byte,
            (left, value) => {
                let value = value << 3 | byte.wrapping_sub(b'0') & 7;
                self.escape = (left - 1, value);
                if left > 1 {
                    return;
                }
                value
            }
        };
        // A path beyond PATH_MAX could not be opened anyway.
        let _ = self.line.path.push_bytes(&[byte]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<(u64, String, bool)> {
        let (mut parser, mut lines) = (Parser::default(), Vec::new());
        for byte in text.bytes() {
            if parser.take(byte) {
                let is_view =
                    parser.is_whole && matches!(parser.word.as_slice(), b"proc" | b"sysfs");
                lines.push((
                    parser.line.id,
                    String::from_utf8_lossy(parser.line.path.as_bytes()).into(),
                    is_view,
                ));
                parser = Parser::default();
            }
        }
        lines
    }

    #[test]
    fn lines_of_the_kernels_are_read() {
        let text = "22 1 0:21 / /proc rw,nosuid shared:5 master:2 - proc proc rw\n\
            1040 22 0:21 /sys /proc/sys ro - proc proc rw\n\
            7 1 0:5 / /a\\040b\\134c rw propagate_from:1 - sysfs a\\040long\\040source ro\n\
            8 1 0:5 / / rw - overlay - rw,lowerdir=/proc\n";
        let expected = [
            (22, "/proc", true),
            (1040, "/proc/sys", false),
            (7, "/a b\\c", true),
            (8, "/", false),
        ];
        assert_eq!(
            parse(text),
            expected.map(|(id, path, is_view)| (id, path.to_string(), is_view))
        );
    }

    #[test]
    fn what_is_below_the_root_is_the_containers() {
        let path = |text: &[u8]| PathBuf::from_bytes(text).unwrap();
        let below = |text| is_below(&path(text), &path(b"/b/rootfs"));
        assert!(below(b"/b/rootfs") && below(b"/b/rootfs/proc"));
        assert!(!below(b"/b/rootfs2/proc") && !below(b"/proc") && !below(b"/b"));
    }
}

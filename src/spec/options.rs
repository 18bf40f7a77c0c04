//! Mount options that the kernel keeps with the mount; all others are the file system's.

use crate::sys::mount::attr;

/// What an option does to the mount's attributes: bits set, bits cleared (after `clear`, `set` is applied).
#[derive(Clone, Copy)]
pub struct Attribute {
    name: &'static str,
    set: u64,
    clear: u64,
}

const fn on(name: &'static str, set: u64) -> Attribute {
    Attribute { name, set, clear: 0 }
}

const fn off(name: &'static str, clear: u64) -> Attribute {
    Attribute { name, set: 0, clear }
}

const fn atime(name: &'static str, set: u64) -> Attribute {
    Attribute { name, set, clear: attr::ATIME_MASK }
}

/// By name. `relatime` is the kernel's default: no bit at all.
const ATTRIBUTES: [Attribute; 18] = [
    off("defaults", 0),
    on("ro", attr::RDONLY),
    off("rw", attr::RDONLY),
    on("nosuid", attr::NOSUID),
    off("suid", attr::NOSUID),
    on("nodev", attr::NODEV),
    off("dev", attr::NODEV),
    on("noexec", attr::NOEXEC),
    off("exec", attr::NOEXEC),
    on("nodiratime", attr::NODIRATIME),
    off("diratime", attr::NODIRATIME),
    on("nosymfollow", attr::NOSYMFOLLOW),
    off("symfollow", attr::NOSYMFOLLOW),
    atime("noatime", attr::NOATIME),
    atime("strictatime", attr::STRICTATIME),
    atime("relatime", 0),
    atime("atime", 0),
    atime("norelatime", 0),
];

/// Applies `option` to a mount's attributes; `None` where it is not an attribute but the file system's own.
pub fn attribute(option: &[u8], attributes: u64) -> Option<u64> {
    let row = ATTRIBUTES.iter().find(|row| row.name.as_bytes() == option)?;
    Some(attributes & !row.clear | row.set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_options_win() {
        let all = ["ro", "noatime", "nosuid", "strictatime", "rw"];
        let attributes = all.iter().try_fold(0, |bits, option| attribute(option.as_bytes(), bits));
        assert_eq!(attributes, Some(attr::STRICTATIME | attr::NOSUID));
        assert_eq!(attribute(b"mode=755", 0), None);
    }
}

//! Mount options of the mount itself (mount(8), the runtime-spec's "Linux mount options"). The file
//! system gets all others.

use crate::io::strings::PackedStrings;
use crate::io::text::words;
use crate::sys::mount::{MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, MS_UNBINDABLE, attr};

/// Flags of [`Options`].
pub mod flag {
    #![allow(missing_docs)]
    /// A bind mount. With `ALL`: of everything mounted beneath the source, too.
    pub const BIND: u32 = 1;
    pub const BIND_ALL: u32 = 2;
    /// An idmapped mount. With `ALL`: and all mounts beneath it.
    pub const IDMAP: u32 = 4;
    pub const IDMAP_ALL: u32 = 8;
    /// Changes an existing mount.
    pub const REMOUNT: u32 = 16;
    /// A tmpfs begins with a copy of the directory that it hides.
    pub const COPY_UP: u32 = 32;
    /// There is a [`propagation`](super::propagation) option.
    pub const PROPAGATION: u32 = 64;
}

/// The flags that only a config.json asks for.
const OF_CONFIGS: u32 = flag::BIND
    | flag::BIND_ALL
    | flag::IDMAP
    | flag::IDMAP_ALL
    | flag::REMOUNT
    | flag::COPY_UP
    | flag::PROPAGATION;

/// A change of attributes: clears `clear`, then sets `set`, both of [`attr`].
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Change {
    /// Bits to set.
    pub set: u64,
    /// Bits to clear.
    pub clear: u64,
}

impl Change {
    /// Adds an option; a later one wins. The kernel takes the access time mode only as a whole
    /// field.
    fn add(&mut self, set: u64, clear: u64) {
        self.set = self.set & !clear | set;
        self.clear = self.clear & !set | clear;
        if (set | clear | self.clear) & attr::ATIME_MASK != 0 {
            self.clear |= attr::ATIME_MASK;
        }
    }

    /// Returns true if nothing changes.
    pub fn is_empty(&self) -> bool {
        self.set | self.clear == 0
    }
}

/// The sum of a mount's options.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Options {
    /// Change of the mount itself.
    pub own: Change,
    /// Change of it and of all mounts beneath it.
    pub all: Change,
    /// Bits of [`flag`].
    pub flags: u32,
}

/// The effect of an option: a kind, `RECURSIVE` if an `r` before the name is allowed, and a value.
type Effect = u32;
const NOTHING: Effect = 0;
const SET: Effect = 1 << 28;
const CLEAR: Effect = 2 << 28;
const ACCESS_TIME: Effect = 3 << 28;
const PROPAGATION: Effect = 4 << 28;
const FLAG: Effect = 5 << 28;
/// An option of the file system after all, listed because every file system has it.
const FILE_SYSTEM: Effect = 6 << 28;
const KIND: Effect = 7 << 28;
const RECURSIVE: Effect = 1 << 27;
const VALUE: Effect = RECURSIVE - 1;

const fn on(bits: u64) -> Effect {
    SET | RECURSIVE | bits as Effect
}
const fn off(bits: u64) -> Effect {
    CLEAR | RECURSIVE | bits as Effect
}
const fn access_time(bits: u64) -> Effect {
    ACCESS_TIME | RECURSIVE | bits as Effect
}
const fn travels(bits: u64) -> Effect {
    PROPAGATION | RECURSIVE | bits as Effect
}

macro_rules! options {
    ($($name:literal $effect:expr;)*) => {
        const NAMES: &str = concat!($($name, " "),*);
        const EFFECTS: &[Effect] = &[$($effect),*];
    };
}

options! {
    "defaults" NOTHING;
    "ro" on(attr::RDONLY);
    "rw" off(attr::RDONLY);
    "nosuid" on(attr::NOSUID);
    "suid" off(attr::NOSUID);
    "nodev" on(attr::NODEV);
    "dev" off(attr::NODEV);
    "noexec" on(attr::NOEXEC);
    "exec" off(attr::NOEXEC);
    "nodiratime" on(attr::NODIRATIME);
    "diratime" off(attr::NODIRATIME);
    "nosymfollow" on(attr::NOSYMFOLLOW);
    "symfollow" off(attr::NOSYMFOLLOW);
    "noatime" access_time(attr::NOATIME);
    "strictatime" access_time(attr::STRICTATIME);
    // The kernel's default, without a bit.
    "relatime" access_time(0);
    "atime" off(attr::NOATIME);
    "nostrictatime" off(attr::STRICTATIME);
    "norelatime" off(0);
    "bind" FLAG | RECURSIVE | flag::BIND;
    "idmap" FLAG | RECURSIVE | flag::IDMAP;
    "remount" FLAG | flag::REMOUNT;
    "tmpcopyup" FLAG | flag::COPY_UP;
    "private" travels(MS_PRIVATE);
    "slave" travels(MS_SLAVE);
    "shared" travels(MS_SHARED);
    "unbindable" travels(MS_UNBINDABLE);
    "sync" FILE_SYSTEM;
    "async" FILE_SYSTEM;
    "dirsync" FILE_SYSTEM;
    "lazytime" FILE_SYSTEM;
    "nolazytime" FILE_SYSTEM;
    "mand" FILE_SYSTEM;
    "nomand" FILE_SYSTEM;
    // Only mount(2) knows it; fsconfig(2) has no word for it. File systems that count changes
    // always do so now.
    "iversion" NOTHING;
    "noiversion" NOTHING;
    "silent" NOTHING;
    "loud" NOTHING;
}

/// Returns every known option: whether an `r` may precede the name, and the name.
pub fn names() -> impl Iterator<Item = (bool, &'static [u8])> {
    let known = words(NAMES).zip(EFFECTS);
    known.flat_map(|(name, effect)| {
        [Some((false, name)), (effect & RECURSIVE != 0).then_some((true, name))]
            .into_iter()
            .flatten()
    })
}

/// Returns its effect, and whether it applies to all mounts beneath.
fn find(option: &[u8]) -> Option<(Effect, bool)> {
    let of = |name: &[u8]| {
        words(NAMES).zip(EFFECTS).find(|(known, _)| *known == name).map(|(_, effect)| *effect)
    };
    match (of(option), option) {
        (Some(effect), _) => Some((effect, false)),
        (None, [b'r', rest @ ..]) => {
            Some((of(rest).filter(|effect| effect & RECURSIVE != 0)?, true))
        }
        _ => None,
    }
}

/// Returns the propagation of an option or of the config's `rootfsPropagation`: `MS_SHARED`,
/// `MS_SLAVE`, `MS_PRIVATE` or `MS_UNBINDABLE`, perhaps with `MS_REC`.
pub fn propagation(option: &[u8]) -> Option<u64> {
    let (effect, recursive) = find(option)?;
    let bits = u64::from(effect & VALUE) | if recursive { MS_REC } else { 0 };
    (effect & KIND == PROPAGATION).then_some(bits)
}

/// Returns the word for a propagation, or an empty text.
pub fn propagation_name(bits: u64) -> &'static str {
    let is_recursive = bits & MS_REC != 0;
    match (bits & !MS_REC, is_recursive) {
        (MS_SHARED, false) => "shared",
        (MS_SHARED, true) => "rshared",
        (MS_SLAVE, false) => "slave",
        (MS_SLAVE, true) => "rslave",
        (MS_PRIVATE, false) => "private",
        (MS_PRIVATE, true) => "rprivate",
        (MS_UNBINDABLE, false) => "unbindable",
        (MS_UNBINDABLE, true) => "runbindable",
        _ => "",
    }
}

/// Returns each option. Clients also join several with commas, as for mount(8). A comma after a
/// backslash (overlay) or in quotes (SELinux) does not separate. Empty options are left out.
pub fn each(words: PackedStrings<'_>) -> impl Iterator<Item = &[u8]> {
    words.iter().flat_map(|word| {
        let mut rest = word.to_bytes();
        core::iter::from_fn(move || {
            (!rest.is_empty()).then(|| {
                let (option, after) = rest.split_at(end_of_first(rest));
                rest = after.get(1..).unwrap_or(b"");
                option
            })
        })
        .filter(|option| !option.is_empty())
    })
}

fn end_of_first(options: &[u8]) -> usize {
    let (mut is_escaped, mut is_quoted) = (false, false);
    let end = options.iter().position(|byte| {
        let is_end = *byte == b',' && !is_escaped && !is_quoted;
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    });
    end.unwrap_or(options.len())
}

/// Returns whether a mount with these options is read-only.
pub fn are_readonly(words: PackedStrings<'_>) -> bool {
    let Options { own, all, .. } = Options::of(words);
    (own.set | all.set) & attr::RDONLY != 0
}

/// Returns the flag of mount(2) for an option of every file system; 0 if it means no flag (`rw`).
pub fn flag_of_mount(option: &[u8]) -> Option<u64> {
    match option {
        b"sync" => Some(libc::MS_SYNCHRONOUS),
        b"dirsync" => Some(libc::MS_DIRSYNC),
        b"mand" => Some(libc::MS_MANDLOCK),
        b"lazytime" => Some(1 << 25),
        b"async" | b"nomand" | b"nolazytime" => Some(0),
        _ => None,
    }
}

impl Options {
    /// Returns the sum of these options.
    pub fn of(words: PackedStrings<'_>) -> Options {
        let mut options = Options::default();
        each(words).for_each(|option| {
            options.add(option);
        });
        options
    }

    /// Adds an option. Returns false if it is the file system's.
    pub fn add(&mut self, option: &[u8]) -> bool {
        let Some((effect, recursive)) = find(option) else { return false };
        let value = effect & VALUE;
        let bits = u64::from(value);
        let change = if recursive { &mut self.all } else { &mut self.own };
        match effect & KIND {
            SET => change.add(bits, 0),
            CLEAR => change.add(0, bits),
            ACCESS_TIME => change.add(bits, attr::ATIME_MASK),
            PROPAGATION => self.flags |= flag::PROPAGATION,
            FLAG => self.flags |= value | if recursive { value << 1 } else { 0 },
            kind => return kind != FILE_SYSTEM,
        }
        true
    }

    /// Returns whether any of these flags is set. PID 1's own mounts have none of [`OF_CONFIGS`].
    pub fn has(&self, flags: u32) -> bool {
        let known = if super::TAKES_CONFIGS { flags } else { flags & !OF_CONFIGS };
        self.flags & known != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(options: &str) -> Options {
        let text: String = options.split(' ').map(|word| format!("{word}\0")).collect();
        Options::of(PackedStrings::new(text.as_bytes()))
    }

    fn change(set: u64, clear: u64) -> Change {
        Change { set, clear }
    }

    #[test]
    fn later_options_win() {
        assert_eq!(of("ro noatime nosuid strictatime rw").own, change(0x22, 0x71));
        assert_eq!(of("strictatime norelatime").own, change(0x20, 0x70));
        assert_eq!(of("noatime atime").own, change(0, 0x70));
        assert_eq!(of("noatime nostrictatime").own, change(0x10, 0x70));
        assert_eq!(of("rw ro").own, change(1, 0));
        assert_eq!(of("rro rw"), Options { own: change(0, 1), all: change(1, 0), flags: 0 });
        assert_eq!(
            of("mode=755 size=1 rdefaults rremount rtmpcopyup rsync rr r"),
            Options::default()
        );
    }

    #[test]
    fn several_options_may_stand_in_one_string() {
        let split = |text: &[u8]| {
            each(PackedStrings::new(text))
                .map(String::from_utf8_lossy)
                .collect::<Vec<_>>()
                .join(" | ")
        };
        assert_eq!(
            split(b"rw\0\0nosuid,,size=64k,\0,\0mode=700\0"),
            "rw | nosuid | size=64k | mode=700"
        );
        assert_eq!(split(b"lowerdir=/a\\,b:/c,upperdir=/d\0"), "lowerdir=/a\\,b:/c | upperdir=/d");
        assert_eq!(split(b"a\\\\,b\0"), "a\\\\ | b");
        assert_eq!(split(b"context=\"s0:c1,c2\",ro\0"), "context=\"s0:c1,c2\" | ro");
        assert_eq!(of("bind,ro,nosuid rw").own, change(2, 1));
        let readonly = |text: &[u8]| are_readonly(PackedStrings::new(text));
        assert!(
            readonly(b"ro\0")
                && readonly(b"nosuid,ro\0")
                && readonly(b"rro\0")
                && !readonly(b"ro\0rw\0nosuid\0")
        );
    }

    #[test]
    fn every_option_does_what_its_name_says() {
        // Name, set, clear, for the mount itself; an `r` before the name means all beneath, too.
        let attributes = [
            ("ro", 0x1, 0),
            ("rw", 0, 0x1),
            ("nosuid", 0x2, 0),
            ("suid", 0, 0x2),
            ("nodev", 0x4, 0),
            ("dev", 0, 0x4),
            ("noexec", 0x8, 0),
            ("exec", 0, 0x8),
            ("nodiratime", 0x80, 0),
            ("diratime", 0, 0x80),
            ("nosymfollow", 0x20_0000, 0),
            ("symfollow", 0, 0x20_0000),
            ("noatime", 0x10, 0x70),
            ("atime", 0, 0x70),
            ("strictatime", 0x20, 0x70),
            ("nostrictatime", 0, 0x70),
            ("relatime", 0, 0x70),
            ("norelatime", 0, 0),
        ];
        for (name, set, clear) in attributes {
            assert_eq!(
                of(name),
                Options { own: change(set, clear), ..Options::default() },
                "{name}"
            );
            assert_eq!(
                of(&format!("r{name}")),
                Options { all: change(set, clear), ..Options::default() },
                "r{name}"
            );
        }
        for (name, flags) in [
            ("bind", 1),
            ("rbind", 3),
            ("idmap", 4),
            ("ridmap", 12),
            ("remount", 16),
            ("tmpcopyup", 32),
        ] {
            assert_eq!(of(name), Options { flags, ..Options::default() }, "{name}");
        }
        for (name, bits) in
            [("private", 1 << 18), ("slave", 1 << 19), ("shared", 1 << 20), ("unbindable", 1 << 17)]
        {
            assert_eq!(propagation(name.as_bytes()), Some(bits));
            assert_eq!(propagation(format!("r{name}").as_bytes()), Some(bits | 0x4000));
            assert_eq!(of(name).flags, flag::PROPAGATION);
        }
        let mut none = Options::default();
        for name in ["defaults", "iversion", "noiversion", "silent", "loud"] {
            assert!(none.add(name.as_bytes()), "{name}");
        }
        for name in
            ["sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime", "mode=755", ""]
        {
            assert!(!none.add(name.as_bytes()), "{name}");
        }
        assert_eq!(none, Options::default());
        assert_eq!(
            (propagation(b"ro"), propagation(b"rslavery"), propagation(b"")),
            (None, None, None)
        );
    }

    #[test]
    fn all_names_are_known() {
        let known: Vec<_> = names().collect();
        // runc 1.3's `features` has these 62 names, and "acl" never was one.
        assert_eq!(
            known.iter().filter(|(recursive, _)| !recursive).count(),
            words(NAMES).count() - 1
        );
        assert!(known.contains(&(true, b"bind")) && !known.contains(&(true, b"remount")));
        assert!(known.contains(&(true, b"norelatime")) && known.contains(&(false, b"dirsync")));
        for (recursive, name) in known {
            let name = [if recursive { &b"r"[..] } else { b"" }, name].concat();
            assert!(find(&name).is_some());
        }
    }
}

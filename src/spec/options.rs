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
mod tests;

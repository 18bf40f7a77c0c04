//! Capabilities by name, and docker's default set.

use crate::io::text::words;

/// `CAP_*` without the prefix; the index is the number.
pub const NAMES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE \
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT \
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE \
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ \
    PERFMON BPF CHECKPOINT_RESTORE";
/// Number of capabilities.
pub const COUNT: u32 = 41;

/// The five sets of a process, by their names in config.json.
pub const SETS: &str = "bounding effective inheritable permitted ambient";

/// Returns the bit of a capability, by its name with `CAP_`. The case matters, as in runc.
pub fn by_name(name: &[u8]) -> Option<u64> {
    let name = name.strip_prefix(b"CAP_")?;
    words(NAMES).position(|known| known == name).map(|number| 1 << number)
}

/// Returns the names of a set's members, without `CAP_`.
pub fn names(set: u64) -> impl Iterator<Item = &'static [u8]> {
    words(NAMES).enumerate().filter(move |(number, _)| set >> number & 1 != 0).map(|(_, name)| name)
}

/// All known capabilities.
pub const ALL: u64 = (1 << COUNT) - 1;

/// The fourteen that docker gives root in a container.
pub const DEFAULT: u64 = set("CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID \
    SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE");

/// The three in the example of `runc spec`.
pub const LEAST: u64 = set("AUDIT_WRITE KILL NET_BIND_SERVICE");

/// Returns the bits of these names, at compile time.
pub const fn set(names: &str) -> u64 {
    let (names, known) = (names.as_bytes(), NAMES.as_bytes());
    let (mut bits, mut start) = (0, 0);
    while start < names.len() {
        let end = end_of_word(names, start);
        let (mut number, mut at) = (0, 0);
        while !same(names, start, end, known, at, end_of_word(known, at)) {
            at = end_of_word(known, at) + 1;
            number += 1;
        }
        bits |= 1 << number;
        start = end + 1;
    }
    bits
}

pub(super) const fn end_of_word(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && text[at] != b' ' {
        at += 1;
    }
    at
}

pub(super) const fn same(
    a: &[u8],
    mut at: usize,
    a_end: usize,
    b: &[u8],
    mut other: usize,
    b_end: usize,
) -> bool {
    if a_end - at != b_end - other {
        return false;
    }
    while at < a_end {
        if a[at] != b[other] {
            return false;
        }
        (at, other) = (at + 1, other + 1);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels_numbers() {
        assert_eq!(by_name(b"CAP_CHOWN"), Some(1));
        assert_eq!(by_name(b"CAP_SYS_ADMIN"), Some(1 << 21));
        assert_eq!(by_name(b"CAP_CHECKPOINT_RESTORE"), Some(1 << 40));
        assert_eq!(by_name(b"SYS_ADMIN"), None);
        assert_eq!(by_name(b"CAP_"), None);
        assert_eq!(words(NAMES).count(), COUNT as usize);
    }

    #[test]
    fn the_default_set_is_dockers() {
        // CapEff of `docker run busybox grep Cap /proc/self/status`.
        assert_eq!(DEFAULT, 0x0000_0000_a804_25fb);
    }
}

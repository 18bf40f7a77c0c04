//! Capabilities by name, and the set that docker gives a container.

/// `CAP_*` without its prefix; the place is the number.
pub const NAMES: [&str; 41] = [
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "KILL",
    "SETGID",
    "SETUID",
    "SETPCAP",
    "LINUX_IMMUTABLE",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_ADMIN",
    "NET_RAW",
    "IPC_LOCK",
    "IPC_OWNER",
    "SYS_MODULE",
    "SYS_RAWIO",
    "SYS_CHROOT",
    "SYS_PTRACE",
    "SYS_PACCT",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_NICE",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "MKNOD",
    "LEASE",
    "AUDIT_WRITE",
    "AUDIT_CONTROL",
    "SETFCAP",
    "MAC_OVERRIDE",
    "MAC_ADMIN",
    "SYSLOG",
    "WAKE_ALARM",
    "BLOCK_SUSPEND",
    "AUDIT_READ",
    "PERFMON",
    "BPF",
    "CHECKPOINT_RESTORE",
];

/// The bit of a capability, by its name with `CAP_`. The case matters, as it does to runc.
pub fn by_name(name: &str) -> Option<u64> {
    let name = name.strip_prefix("CAP_")?;
    NAMES.iter().position(|known| *known == name).map(|number| 1 << number)
}

/// Every capability there is; the kernel takes those that it knows.
pub const ALL: u64 = (1 << NAMES.len()) - 1;

/// The fourteen that docker gives root in a container.
pub const DEFAULT: u64 = set(&[
    "CHOWN",
    "DAC_OVERRIDE",
    "FSETID",
    "FOWNER",
    "MKNOD",
    "NET_RAW",
    "SETGID",
    "SETUID",
    "SETFCAP",
    "SETPCAP",
    "NET_BIND_SERVICE",
    "SYS_CHROOT",
    "KILL",
    "AUDIT_WRITE",
]);

const fn set(names: &[&str]) -> u64 {
    let (mut bits, mut next) = (0, 0);
    while next < names.len() {
        let mut number = 0;
        while !same(NAMES[number], names[next]) {
            number += 1;
        }
        bits |= 1 << number;
        next += 1;
    }
    bits
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut at = 0;
    while at < a.len() && at < b.len() && a[at] == b[at] {
        at += 1;
    }
    at == a.len() && at == b.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_kernels_numbers() {
        assert_eq!(by_name("CAP_CHOWN"), Some(1));
        assert_eq!(by_name("CAP_SYS_ADMIN"), Some(1 << 21));
        assert_eq!(by_name("CAP_CHECKPOINT_RESTORE"), Some(1 << 40));
        assert_eq!(by_name("SYS_ADMIN"), None);
        assert_eq!(by_name("CAP_"), None);
    }

    #[test]
    fn the_default_set_is_dockers() {
        // CapEff of `docker run busybox grep Cap /proc/self/status`.
        assert_eq!(DEFAULT, 0x0000_0000_a804_25fb);
    }
}

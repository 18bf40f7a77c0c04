//! The question whether a container could lift its own limits.
//!
//! Without the mount option `nsdelegate` a cgroup namespace hides cgroups, but protects no file. A
//! process that mounts cgroup2 in its own namespace can write `max` into files that its user owns.

use super::MOUNT;
use super::lines::are_asked_for;
use crate::spec::{Spec, capability, options};
use crate::sys::clone::CLONE_NEWUSER;
use crate::sys::fd::CWD;
use crate::sys::{fs, process};

/// Returns true if a container of this config has limits and can lift them. That means: its user
/// owns the files, it can reach them, and the hierarchy is mounted without `nsdelegate`.
pub fn can_lift_limits(spec: &Spec<'_>) -> bool {
    are_asked_for(spec.limits).unwrap_or(false)
        && owns_files(spec)
        && reaches_files(spec)
        && lacks_nsdelegate()
}

/// Returns whether the process's user is the caller, who owns the cgroup.
fn owns_files(spec: &Spec<'_>) -> bool {
    let uid = spec.process.user.uid;
    let uid = match spec.namespaces & CLONE_NEWUSER {
        0 => Some(uid),
        _ => spec
            .uid_mappings
            .iter()
            .find(|map| map.holds(uid))
            .map(|map| uid - map.container + map.host),
    };
    uid == Some(process::effective_uid())
}

/// Returns whether the process has a writable cgroup file system or may mount one. It may by a
/// capability, or as root of a new user namespace, which seccomp profiles forbid.
fn reaches_files(spec: &Spec<'_>) -> bool {
    let may_mount = capability::by_name(b"CAP_SYS_ADMIN")
        .is_some_and(|bit| spec.process.capabilities.bounding & bit != 0);
    may_mount
        || !spec.is_filtered()
        || spec.mounts.iter().any(|mount| {
            matches!(mount.kind.to_bytes(), b"cgroup" | b"cgroup2")
                && !options::are_readonly(mount.options)
        })
}

/// Returns whether mountinfo shows the hierarchy without the option; false if it is not mounted.
fn lacks_nsdelegate() -> bool {
    let Ok(file) = fs::open(CWD, c"/proc/self/mountinfo", fs::O_RDONLY, 0) else { return false };
    let (mut buffer, mut kept, mut lacks) = ([0; 8192], 0, false);
    while let Ok(length @ 1..) = fs::read(file.by_ref(), &mut buffer[kept..]) {
        let end = kept + length;
        let whole = buffer[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        for line in buffer[..whole].split(|byte| *byte == b'\n') {
            if line.split(|byte| *byte == b' ').nth(4) == Some(MOUNT.to_bytes()) {
                // The last line is the mount on top.
                lacks = is_without(line);
            }
        }
        buffer.copy_within(whole..end, 0);
        kept = if whole == 0 && end == buffer.len() { 0 } else { end - whole };
    }
    lacks
}

/// Returns whether this line of mountinfo is a cgroup2 mount without `nsdelegate`. Its form is
/// `ID PARENT DEVICE ROOT PLACE OPTIONS [FIELD]... - TYPE SOURCE OPTIONS`.
fn is_without(line: &[u8]) -> bool {
    let mut fields = line.split(|byte| *byte == b' ').skip_while(|field| *field != b"-").skip(1);
    let (kind, _, options) = (fields.next(), fields.next(), fields.next().unwrap_or_default());
    kind == Some(b"cgroup2")
        && !options.split(|byte| *byte == b',').any(|option| option == b"nsdelegate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nsdelegate_is_an_option_of_the_file_system() {
        for (line, without) in [
            (
                "31 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot",
                false,
            ),
            ("31 24 0:27 / /sys/fs/cgroup rw,nosuid - cgroup2 none rw", true),
            (
                "31 24 0:27 / /sys/fs/cgroup rw,nsdelegate master:1 shared:4 - cgroup2 none rw,memory_recursiveprot",
                true,
            ),
            ("31 24 0:27 / /sys/fs/cgroup rw - tmpfs none rw", false),
            ("", false),
        ] {
            assert_eq!(is_without(line.as_bytes()), without, "{line}");
        }
    }
}

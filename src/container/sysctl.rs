//! `linux.sysctl`: kernel settings of a namespace, allowed only if the container has that namespace
//! of its own.

use super::procfs::Procfs;
use crate::error::{Context, Error, Result};
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::path::PathBuf;
use crate::io::text::words;
use crate::spec::{Spec, TAKES_CONFIGS};
use crate::sys::clone::{CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS};
use crate::sys::fd::CWD;
use crate::sys::fs;
use core::ffi::CStr;

/// Names beneath `kernel` that belong to the IPC namespace: System V queues, semaphores and memory.
const OF_IPC: &str = "msgmax msgmnb msgmni sem shmall shmmax shmmni shm_rmid_forced";

/// Parent: returns an error if one of them would also change the host's.
pub fn check(spec: &Spec<'_>) -> Result<()> {
    if !TAKES_CONFIGS {
        return Ok(());
    }
    spec.sysctls.each_pair(&mut |name, _| {
        let kind = file_of(name).and_then(|path| namespace_of(&path));
        let kind = kind.map_err(|why| refused(name, why))?;
        let (kind, file) = match kind {
            CLONE_NEWNET => (kind, c"/proc/self/ns/net"),
            CLONE_NEWIPC => (kind, c"/proc/self/ns/ipc"),
            _ => (kind, c"/proc/self/ns/uts"),
        };
        match spec.namespaces & kind != 0 || joins_another(spec, kind, file)? {
            true => Ok(()),
            false => Err(refused(
                name,
                "it would be the host's: the container has no such namespace of its own",
            )),
        }
    })
}

/// Child: sets them, through a /proc that no container can change (CVE-2025-52881).
pub fn apply(spec: &Spec<'_>) -> Result<()> {
    if !TAKES_CONFIGS {
        return Ok(());
    }
    let mut proc = None;
    spec.sysctls.each_pair(&mut |name, value| {
        let proc = match &proc {
            Some(proc) => proc,
            None => proc.insert(Procfs::open()?),
        };
        let path = file_of(name).map_err(|why| refused(name, why))?;
        proc.write_past(path.as_c_str(), value.to_bytes()).context(
            "set sysctl",
            &Lossy(path.as_bytes().strip_prefix(b"sys/").unwrap_or_default()),
        )
    })
}

#[cold]
fn refused(name: &CStr, why: &str) -> Error {
    Error::new(format_args!("linux.sysctl.{}: {why}", LossyC(name)))
}

/// Returns the file of a name by sysctl(8)'s rules. The first separator says which of `.` and `/`
/// separates; the other is part of a name. (`net.ipv4.conf.eth0/1.forwarding` is
/// `net/ipv4/conf/eth0.1/forwarding`.)
fn file_of(name: &CStr) -> core::result::Result<PathBuf, &'static str> {
    let mut path = PathBuf::from_bytes(b"sys/").unwrap_or_default();
    let bytes = name.to_bytes();
    let slashed = bytes.iter().find(|byte| matches!(byte, b'.' | b'/')) == Some(&b'/');
    for &byte in bytes {
        let written = match byte {
            b'.' if !slashed => b'/',
            b'/' if !slashed => b'.',
            // No file there has such a character.
            b'\\' | b'"' | ..b' ' => return Err("not a name"),
            byte => byte,
        };
        path.push_bytes(&[written]).map_err(|_| "not a name")?;
    }
    let mut parts = path.as_bytes().split(|byte| *byte == b'/');
    match parts.any(|part| matches!(part, b"" | b"." | b"..")) {
        true => Err("not a name"),
        false => Ok(path),
    }
}

/// Returns the kind (`CLONE_NEW*`) of namespace that a setting belongs to.
fn namespace_of(path: &PathBuf) -> core::result::Result<i32, &'static str> {
    let name = path.as_bytes().strip_prefix(b"sys/").unwrap_or_default();
    if name.starts_with(b"net/") {
        return Ok(CLONE_NEWNET);
    }
    match name.strip_prefix(b"kernel/") {
        Some(b"domainname") => Ok(CLONE_NEWUTS),
        Some(b"hostname") => Err("the config has a member of its own for it: hostname"),
        Some(name) if words(OF_IPC).any(|known| known == name) => Ok(CLONE_NEWIPC),
        _ if name.starts_with(b"fs/mqueue/") => Ok(CLONE_NEWIPC),
        _ => Err("not in any namespace"),
    }
}

/// Returns whether the container joins a namespace of this kind other than ours, which `ours`
/// names.
fn joins_another(spec: &Spec<'_>, kind: i32, ours: &CStr) -> Result<bool> {
    let Some(joined) = spec.joined().iter().find(|joined| joined.kind == kind) else {
        return Ok(false);
    };
    let inode =
        |path| fs::open(CWD, path, fs::O_PATH, 0).and_then(|file| fs::stat(file.by_ref(), c""));
    let theirs = inode(joined.path).on("open namespace", joined.path)?;
    let ours = inode(ours).on("open namespace", ours)?;
    Ok((theirs.device, theirs.inode) != (ours.device, ours.inode))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str) -> std::result::Result<(String, i32), &'static str> {
        let path = file_of(&std::ffi::CString::new(name).unwrap())?;
        let kind = namespace_of(&path)?;
        Ok((String::from_utf8(path.as_bytes()[4..].to_vec()).unwrap(), kind))
    }

    #[test]
    fn only_what_belongs_to_a_namespace_may_be_set() {
        let allowed = [
            ("net.ipv4.ip_forward", "net/ipv4/ip_forward", CLONE_NEWNET),
            ("net/ipv4/ip_forward", "net/ipv4/ip_forward", CLONE_NEWNET),
            ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding", CLONE_NEWNET),
            ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding", CLONE_NEWNET),
            ("kernel.shm_rmid_forced", "kernel/shm_rmid_forced", CLONE_NEWIPC),
            ("kernel/msgmax", "kernel/msgmax", CLONE_NEWIPC),
            ("fs.mqueue.msg_max", "fs/mqueue/msg_max", CLONE_NEWIPC),
            ("kernel.domainname", "kernel/domainname", CLONE_NEWUTS),
        ];
        for (name, path, kind) in allowed {
            assert_eq!(of(name), Ok((path.to_string(), kind)), "{name}");
        }
        for name in [
            "kernel.core_pattern",
            "kernel.msgmaxi",
            "vm.swappiness",
            "fs.file-max",
            "fs.mqueue",
            "net",
            "k",
        ] {
            assert_eq!(of(name), Err("not in any namespace"), "{name}");
        }
        assert!(of("kernel.hostname").unwrap_err().contains("hostname"));
        let ways_out = [
            "net/../kernel/core_pattern",
            "net/ipv4/../../kernel/core_pattern",
            "net.//.kernel.core_pattern",
            "net./.kernel",
            "net/./ipv4/x",
            "/net/x",
            "net//x",
            "net/x/",
            "",
            "net..x",
        ];
        for name in ways_out {
            assert_eq!(of(name), Err("not a name"), "{name}");
        }
    }
}

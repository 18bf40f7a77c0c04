//! Attributes for few processes: a scheduler, an I/O priority, CPUs, a personality, a memory
//! policy, labels of security modules. (runtime-spec: config.md "Linux Process", config-linux.md.)

use super::procfs::Procfs;
use crate::error::{Context, Error, Result};
use crate::spec::attributes::NumberSet;
use crate::spec::{Process, Spec, TAKES_CONFIGS};
use crate::sys::{Errno, attributes, system};
use core::ffi::CStr;

/// Words of a mask with a bit for each CPU of the largest kernel (NR_CPUS).
const ALL_CPUS: usize = 8192 / 64;

/// Sets the scheduler of the process `pid`; 0 is this one.
pub fn schedule(pid: i32, process: &Process<'_>) -> Result<()> {
    match &process.scheduler {
        Some(wanted) if TAKES_CONFIGS => {
            attributes::set_scheduler(pid, wanted).doing("set the scheduler")
        }
        _ => Ok(()),
    }
}

/// Applies all attributes but the scheduler to this process and its children, before it drops
/// privileges. `is_new` means a new container's process, which has no exec CPU affinity.
pub fn apply(spec: &Spec<'_>, is_new: bool) -> Result<()> {
    // Do not inherit the caller's affinity: the cgroup's cpuset decides. An error does not matter.
    let all = || attributes::set_affinity(&[u64::MAX; ALL_CPUS]);
    if !TAKES_CONFIGS {
        let _ = all();
        return Ok(());
    }
    if let Some(wanted) = spec.process.io_priority {
        attributes::set_io_priority(wanted).doing("set the priority of input and output")?;
    }
    if let Some(domain) = spec.personality {
        attributes::set_personality(domain).doing("set the personality")?;
    }
    if let Some(policy) = &spec.memory_policy {
        attributes::set_memory_policy(policy.mode, &policy.nodes).doing("set the memory policy")?;
    }
    let _ = all();
    match &spec.process.cpus_final {
        Some(cpus) if !is_new => set_affinity(cpus, "final"),
        _ => Ok(()),
    }
}

/// Sets the CPUs of this process. `which` names the config's set, for an error.
pub fn set_affinity(cpus: &NumberSet, which: &str) -> Result<()> {
    attributes::set_affinity(cpus).context("set the CPUs:", &which)
}

/// Sets the labels of security modules for the next execve(2).
pub fn label(process: &Process<'_>, proc: Option<&Procfs>) -> Result<()> {
    let Some(proc) = proc.filter(|_| TAKES_CONFIGS) else { return Ok(()) };
    if let Some(profile) = process.apparmor {
        let mut text = crate::io::path::PathBuf::new();
        let text = text
            .push_bytes(b"exec ")
            .and_then(|()| text.push_bytes(profile.to_bytes()))
            .map(|()| text);
        let text = text.doing("apparmor profile")?;
        let written = match proc.write_past(c"self/attr/apparmor/exec", text.as_bytes()) {
            Err(Errno::ENOENT) if is_apparmor_there() => {
                proc.write_past(c"self/attr/exec", text.as_bytes())
            }
            Err(Errno::ENOENT) => {
                return Err(Error::new(format_args!(
                    "apparmor profile: the kernel has no AppArmor"
                )));
            }
            written => written,
        };
        written.context("apply apparmor profile", &crate::io::lossy::LossyC(profile))?;
    }
    if let Some(label) = process.selinux {
        let written = proc.write_past(c"self/attr/exec", label.to_bytes());
        written.context("set selinux label", &crate::io::lossy::LossyC(label))?;
    }
    Ok(())
}

/// Returns whether a process wants a label.
pub fn is_labelled(process: &Process<'_>) -> bool {
    TAKES_CONFIGS && (process.apparmor.is_some() || process.selinux.is_some())
}

fn is_apparmor_there() -> bool {
    crate::sys::fs::access(crate::sys::fd::CWD, c"/sys/module/apparmor", libc::F_OK).is_ok()
}

/// Sets the NIS domain name.
pub fn set_domain_name(name: Option<&CStr>) -> Result<()> {
    name.filter(|_| TAKES_CONFIGS).map_or(Ok(()), |name| {
        system::set_domain_name(name.to_bytes()).doing("set the domain's name")
    })
}

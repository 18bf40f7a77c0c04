//! bpf(2) for a cgroup's device rules.

use super::Result;
use super::fd::{Fd, FdRef};
use super::syscall::{command, syscall};

/// Loads a program that decides which devices a cgroup may use: 1 allows
/// (`BPF_PROG_TYPE_CGROUP_DEVICE`).
pub fn load_device_program(instructions: &[u64]) -> Result<Fd> {
    const PROG_LOAD: i32 = 5;
    const CGROUP_DEVICE: u64 = 15;
    let license = c"Apache-2.0";
    // Type and count are 32 bits each; no log (level, size, buffer); no version, no flags.
    let attributes: [u64; 6] = [
        CGROUP_DEVICE | (instructions.len() as u64) << 32,
        instructions.as_ptr() as u64,
        license.as_ptr() as u64,
        0,
        0,
        0,
    ];
    // SAFETY: the start of a `union bpf_attr`; instructions are 8 bytes each, and they and the
    // license outlive the call.
    unsafe { syscall!(libc::SYS_bpf, PROG_LOAD, attributes.as_ptr(), size_of_val(&attributes)) }
        .map(Fd::from_answer)
}

const CGROUP_DEVICE: u32 = 6;

fn attach_or_detach(command: i32, group: FdRef<'_>, program: &Fd, flags: u32) -> Result<()> {
    let attributes = [group.raw() as u32, program.raw() as u32, CGROUP_DEVICE, flags];
    // SAFETY: the start of a `union bpf_attr`.
    unsafe { command!(libc::SYS_bpf, command, attributes.as_ptr(), size_of_val(&attributes)) }
}

/// Attaches such a program to a cgroup. A device must be allowed by it and by those of all cgroups
/// above.
pub fn attach_device_program(group: FdRef<'_>, program: &Fd) -> Result<()> {
    const PROG_ATTACH: i32 = 8;
    const ALLOW_MULTI: u32 = 2;
    attach_or_detach(PROG_ATTACH, group, program, ALLOW_MULTI)
}

/// Ids of the programs of one cgroup; the kernel's limit is 64.
pub struct Attached {
    ids: [u32; 64],
    count: usize,
}

/// bpf(2) `BPF_PROG_QUERY`: returns the device programs of a cgroup.
pub fn device_programs(group: FdRef<'_>) -> Result<Attached> {
    const PROG_QUERY: i32 = 16;
    let mut ids = [0u32; 64];
    let count = ids.len() as u64;
    let mut query: [u64; 4] =
        [group.raw() as u64 | u64::from(CGROUP_DEVICE) << 32, 0, ids.as_mut_ptr() as u64, count];
    // SAFETY: the start of a `union bpf_attr`; the kernel writes at most `count` numbers to `ids`,
    // and the count.
    unsafe { syscall!(libc::SYS_bpf, PROG_QUERY, query.as_mut_ptr(), size_of_val(&query)) }?;
    Ok(Attached { ids, count: (query[3] as u32 as usize).min(64) })
}

/// bpf(2) `BPF_PROG_DETACH`: detaches these programs from the cgroup.
pub fn detach_device_programs(group: FdRef<'_>, programs: &Attached) -> Result<()> {
    const PROG_DETACH: i32 = 9;
    const PROG_GET_FD_BY_ID: i32 = 13;
    for id in &programs.ids[..programs.count] {
        let attributes = [*id, 0, 0, 0];
        // SAFETY: the start of a `union bpf_attr`.
        let program = unsafe {
            syscall!(
                libc::SYS_bpf,
                PROG_GET_FD_BY_ID,
                attributes.as_ptr(),
                size_of_val(&attributes)
            )
        }
        .map(Fd::from_answer)?;
        attach_or_detach(PROG_DETACH, group, &program, 0)?;
    }
    Ok(())
}

//! Reports exhausted resources at the container's end, because a program that is killed or cannot
//! write seldom says why.

use super::report::Report;
use super::sysfs;
use crate::cgroup::MachineGroup;
use crate::io::text::decimal;
use crate::spec::{Limit, LimitKey, limit};
use crate::sys::fd::FdRef;
use crate::sys::{fs, signal, system};
use core::ffi::CStr;
use core::fmt::Write;

/// Reports in one line the resources that ran out during the container's life.
#[inline(never)]
pub fn tell(
    group: Option<&MachineGroup>,
    limits: &[Limit<'_>],
    root: FdRef<'_>,
    status: u8,
    report: &mut Report,
) {
    // Kernels before 6.11 count a failed fork only in the process's own cgroup.
    let count = |file: &CStr, key: &str| {
        let groups = group.iter().flat_map(|group| group.both());
        let mut buffer = [0; 512];
        groups
            .map(|group| group.read(file, &mut buffer).map_or(0, |text| number_of(text, key)))
            .max()
            .unwrap_or(0)
    };
    let number = |key| limit::number_of(limits, key).and_then(|one| u64::try_from(one).ok());
    let memory = number(LimitKey::MEMORY);
    let seen = Seen {
        killed: count(c"memory.events", "oom_kill"),
        at_limit: count(c"memory.events", "oom") > 0 && memory.is_some(),
        forks_refused: count(c"pids.events", "max"),
        machine_killed: in_machine("oom_kill"),
        is_full: fs::statfs(root).is_ok_and(|(_, _, blocks, free)| blocks > 0 && free == 0),
    };
    let mebibytes = memory.filter(|_| seen.at_limit);
    let mebibytes = mebibytes.unwrap_or_else(|| system::total_memory().unwrap_or(0)) >> 20;
    let mut line: heapless::String<512> = heapless::String::new();
    let _ = seen.write(status, mebibytes, number(LimitKey::PROCESSES), &mut line);
    if !line.is_empty() {
        report.error(&crate::Error::new(format_args!("{line}")));
    }
}

/// The kernel's counters.
struct Seen {
    /// Processes of the container that the kernel killed for lack of memory.
    killed: u64,
    /// The container's memory limit was reached, not the machine's.
    at_limit: bool,
    /// Number of failed forks.
    forks_refused: u64,
    /// Processes killed for lack of the machine's memory.
    machine_killed: u64,
    /// The root file system is full.
    is_full: bool,
}

impl Seen {
    fn write(
        &self,
        status: u8,
        mebibytes: u64,
        pids: Option<u64>,
        line: &mut dyn Write,
    ) -> core::fmt::Result {
        let mut gap = "";
        if self.killed > 0 || self.machine_killed > 0 {
            let who = match (self.killed, i32::from(status) == 128 + signal::SIGKILL) {
                (0, _) => "a process of the machine",
                (_, true) => "the container",
                (_, false) => "a process of the container",
            };
            let what = if self.at_limit { "limit" } else { "the machine has" };
            write!(line, "out of memory: {who} was killed ({what} {mebibytes} MiB)")?;
            gap = "; ";
        }
        if self.forks_refused > 0 {
            write!(line, "{gap}out of processes: {} could not be made", self.forks_refused)?;
            if let Some(pids) = pids {
                write!(line, " (limit {pids})")?;
            }
            gap = "; ";
        }
        if self.is_full {
            write!(line, "{gap}the root file system is full")?;
        }
        Ok(())
    }
}

/// Returns the number after a word at the start of a line.
pub fn number_of(text: &[u8], key: &str) -> u64 {
    let mut lines = text.split(|&byte| byte == b'\n');
    lines
        .find_map(|line| decimal(line.strip_prefix(key.as_bytes())?.strip_prefix(b" ")?))
        .unwrap_or(0)
}

/// Returns a number of /proc/vmstat, which takes several reads.
fn in_machine(key: &str) -> u64 {
    sysfs::line(c"/proc/vmstat", key).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(seen: Seen, status: u8, pids: Option<u64>) -> String {
        let mut line = String::new();
        seen.write(status, 32, pids, &mut line).unwrap();
        line
    }

    const NOTHING: Seen =
        Seen { killed: 0, at_limit: false, forks_refused: 0, machine_killed: 0, is_full: false };

    #[test]
    fn what_ran_out_is_said_in_one_line() {
        assert_eq!(said(NOTHING, 1, None), "");
        let killed = Seen { killed: 1, at_limit: true, machine_killed: 1, ..NOTHING };
        assert_eq!(
            said(killed, 137, None),
            "out of memory: the container was killed (limit 32 MiB)"
        );
        let one = Seen { killed: 1, machine_killed: 1, ..NOTHING };
        assert_eq!(
            said(one, 3, None),
            "out of memory: a process of the container was killed (the machine has 32 MiB)"
        );
        let other = Seen { machine_killed: 1, ..NOTHING };
        assert_eq!(
            said(other, 0, None),
            "out of memory: a process of the machine was killed (the machine has 32 MiB)"
        );
        let all = Seen { forks_refused: 4, is_full: true, killed: 1, at_limit: true, ..NOTHING };
        assert_eq!(
            said(all, 1, Some(9)),
            "out of memory: a process of the container was killed (limit 32 MiB); out of processes: 4 could not be made \
             (limit 9); the root file system is full"
        );
    }

    #[test]
    fn numbers_are_found_by_their_words() {
        let text = b"low 1\noom 2\noom_kill 3\noom_group_kill 0\n";
        assert_eq!(
            (number_of(text, "oom"), number_of(text, "oom_kill"), number_of(text, "max")),
            (2, 3, 0)
        );
    }
}

//! docker's defaults, limited to the machine and to the caller's privileges.

use crate::error::{Context, Error, Result};
use crate::io::document;
use crate::io::path::PathBuf;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::io::text::decimal;
use crate::limits::DEVICES_MAX;
use crate::spec::{Device, Rlimit, capability, defaults};
use crate::sys::fd::{CWD, FdRef};
use crate::sys::vm::MappedVec;
use crate::sys::{Errno, fs, process};
use core::ffi::CStr;

/// Returns the capabilities that the kernel knows and the caller may pass on.
pub fn capabilities() -> u64 {
    let is_root = process::effective_uid() == 0;
    // A non-root caller enters a user namespace later, whose root begins with all capabilities.
    let has = |number: &u32| process::in_bounding(*number).is_ok_and(|has| has || !is_root);
    (0..capability::COUNT).filter(has).fold(0, |set, number| set | 1 << number)
}

/// Returns docker's masked paths, and the thermal_throttle of each CPU here (GHSA-6fw5-f8r9-fgfm).
pub fn masked_paths<'m>(strings: &mut StringBlock<'m>) -> Result<PackedStrings<'m>> {
    let mut paths = strings.begin();
    paths.push_words(defaults::MASKED_PATHS)?;
    let mut buffer = [0; 256];
    let possible = document::read(CWD, c"/sys/devices/system/cpu/possible", &mut buffer);
    let last = possible.ok().and_then(|text| {
        let digits = text.trim_ascii().rsplit(|byte| !byte.is_ascii_digit()).next()?;
        decimal(digits)
    });
    for cpu in 0..last.map_or(0, |last| last + 1) {
        let path =
            PathBuf::format(format_args!("/sys/devices/system/cpu/cpu{cpu}/thermal_throttle"))
                .doing("name a CPU's directory")?;
        if fs::access(CWD, path.as_c_str(), 0).is_ok() {
            paths.push(path.as_bytes())?;
            paths.end_word()?;
        }
    }
    Ok(paths.finish_words())
}

/// Returns the sysctls for a network namespace of the container's own: those that this kernel has
/// and our user namespace allows.
pub fn sysctls<'m>(strings: &mut StringBlock<'m>) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    let is_there = |path| fs::access(CWD, path, 0).is_ok();
    if is_there(c"/proc/sys/net/ipv4/ip_unprivileged_port_start") {
        for word in [defaults::PORT_START.0, defaults::PORT_START.1] {
            words.push(word.to_bytes())?;
            words.end_word()?;
        }
    }
    if let Some(groups) =
        Groups::of_caller().range().filter(|_| is_there(c"/proc/sys/net/ipv4/ping_group_range"))
    {
        words.push(defaults::PING_GROUPS.to_bytes())?;
        words.end_word()?;
        words.push_format(format_args!("0 {groups}"))?;
        words.end_word()?;
    }
    Ok(words.finish_words())
}

/// Fills `all` with docker's limits, lowered to the caller's maximum, and with the `given` ones.
pub fn rlimits(given: &[Rlimit], all: &mut heapless::Vec<Rlimit, { Rlimit::KINDS }>) {
    let is_free = Groups::of_caller().is_all()
        && process::capabilities()
            .is_ok_and(|sets| sets.effective & capability::set("SYS_RESOURCE") != 0);
    let most = number_in(c"/proc/sys/fs/nr_open").unwrap_or(u64::MAX);
    for limit in defaults::RLIMITS {
        let own = process::limit(limit.resource).unwrap_or((0, limit.hard));
        let most = if limit.resource == libc::RLIMIT_NOFILE as u32 { most } else { u64::MAX };
        let allowed = allowed(limit, if is_free { u64::MAX } else { own.1 }.min(most));
        // Another machine could refuse a limit, so one that changes nothing is left out.
        if (allowed.soft, allowed.hard) != own {
            // `all` has room for one limit of each kind.
            let _ = all.push(allowed);
        }
    }
    for limit in given {
        match all.iter_mut().find(|other| other.resource == limit.resource) {
            Some(other) => *other = *limit,
            None => drop(all.push(*limit)),
        }
    }
}

/// Returns the limit with both values lowered to `most`.
fn allowed(limit: Rlimit, most: u64) -> Rlimit {
    Rlimit { soft: limit.soft.min(most), hard: limit.hard.min(most), ..limit }
}

/// The groups of our user namespace.
struct Groups {
    /// Extents (first in the namespace, first outside, count), as in /proc/self/gid_map.
    extents: heapless::Vec<[u64; 3], { crate::limits::ID_MAPPINGS_MAX }>,
}

impl Groups {
    fn of_caller() -> Groups {
        // 340 lines of three numbers.
        let mut buffer = [0; 12 << 10];
        Groups::read(
            document::read(CWD, c"/proc/self/gid_map", &mut buffer).map_or(&[][..], |text| &*text),
        )
    }

    fn read(text: &[u8]) -> Groups {
        let mut extents = heapless::Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let mut numbers =
                line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).map_while(decimal);
            if let (Some(inside), Some(outside), Some(count)) =
                (numbers.next(), numbers.next(), numbers.next())
            {
                let _ = extents.push([inside, outside, count]);
            }
        }
        Groups { extents }
    }

    /// Returns whether they are the machine's own groups.
    fn is_all(&self) -> bool {
        matches!(self.extents[..], [[0, 0, count]] if count >= u64::from(u32::MAX))
    }

    /// Returns the last group of the unbroken range from 0, up to the maximum of ping_group_range.
    fn range(&self) -> Option<u64> {
        let mut end = 0;
        while let Some([inside, _, count]) =
            self.extents.iter().find(|[inside, _, count]| *inside <= end && inside + count > end)
        {
            end = inside + count;
        }
        end.checked_sub(1).map(|last| last.min(defaults::PING_GROUP_MAX.into()))
    }
}

fn number_in(path: &CStr) -> Option<u64> {
    let mut buffer = [0; 64];
    decimal(document::read(CWD, path, &mut buffer).ok()?.trim_ascii())
}

/// Names in /dev that are not passed on, because the container has its own.
const NOT_PASSED: [&CStr; 6] = [c"pts", c"shm", c"fd", c"mqueue", c"console", c"ptmx"];
/// The deepest level of devices in /dev (`/dev/bus/usb/001/001`).
const DEPTH: usize = 4;

/// Adds all devices of this machine's /dev to the default ones.
pub fn host_devices<'m>(
    strings: &mut StringBlock<'m>,
    devices: &mut MappedVec<Device<'m>>,
) -> Result<()> {
    let dev = fs::open(CWD, c"/dev", fs::O_RDONLY | fs::O_DIRECTORY, 0).doing("open /dev")?;
    let mut path = PathBuf::from_bytes(b"/dev").doing("open /dev")?;
    add_devices(dev.by_ref(), &mut path, DEPTH, strings, devices)
}

fn add_devices<'m>(
    directory: FdRef<'_>,
    path: &mut PathBuf,
    depth: usize,
    strings: &mut StringBlock<'m>,
    devices: &mut MappedVec<Device<'m>>,
) -> Result<()> {
    let mut buffer = [0; 4096];
    loop {
        let bytes = fs::read_directory(directory, &mut buffer).doing("read /dev")?;
        if bytes.is_empty() {
            return Ok(());
        }
        for entry in fs::entries(bytes) {
            let length = path.as_bytes().len();
            if length == 4 && NOT_PASSED.contains(&entry.name)
                || entry.name.to_bytes().starts_with(b".")
            {
                continue;
            }
            path.push(entry.name.to_bytes()).doing("read /dev")?;
            // The node was removed meanwhile.
            match fs::stat(directory, entry.name) {
                Ok(stat)
                    if matches!(stat.kind(), fs::S_IFCHR | fs::S_IFBLK)
                        && defaults::DEVICES.iter().all(|one| one.path != path.as_c_str()) =>
                {
                    let (major, minor) = stat.rdev;
                    let name = strings.add(path.as_bytes())?;
                    let device = Device {
                        path: name,
                        mode: stat.mode,
                        major,
                        minor,
                        uid: stat.uid,
                        gid: stat.gid,
                    };
                    devices.push(device).map_err(|_| {
                        Error::new(format_args!("more than {DEVICES_MAX} devices (DEVICES_MAX)"))
                    })?;
                }
                Ok(stat) if stat.kind() == fs::S_IFDIR && depth > 0 => {
                    let flags = fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW;
                    match fs::open(directory, entry.name, flags, 0) {
                        Ok(inner) => {
                            add_devices(inner.by_ref(), path, depth - 1, strings, devices)?
                        }
                        Err(Errno::EACCES | Errno::ENOENT) => {}
                        Err(errno) => return Err(errno).doing("read /dev"),
                    }
                }
                _ => {}
            }
            path.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ping_is_for_the_groups_that_a_namespace_has_from_0_on() {
        for (map, all, range) in [
            ("         0          0 4294967295\n", true, Some(0x7fff_ffff)),
            ("0 1000 1\n", false, Some(0)),
            ("1 100000 65536\n0 1000 1\n", false, Some(65_536)),
            ("0 1000 1\n5 100000 65536\n", false, Some(0)),
            ("0 0 4294967294\n", false, Some(0x7fff_ffff)),
            ("5 0 10\n", false, None),
            ("", false, None),
        ] {
            let groups = Groups::read(map.as_bytes());
            assert_eq!((groups.is_all(), groups.range()), (all, range), "{map}");
        }
    }

    #[test]
    fn a_limit_goes_as_far_as_its_caller_may() {
        let [files, _] = defaults::RLIMITS;
        for (most, soft, hard) in
            [(u64::MAX, 1024, 524_288), (20_000, 1024, 20_000), (512, 512, 512)]
        {
            let limit = allowed(files, most);
            assert_eq!((limit.soft, limit.hard), (soft, hard));
        }
        let given = [Rlimit { resource: files.resource, soft: 5, hard: 6 }];
        let mut all = heapless::Vec::new();
        rlimits(&given, &mut all);
        let of_files: Vec<_> =
            all.iter().filter(|limit| limit.resource == files.resource).collect();
        assert_eq!(
            of_files.iter().map(|limit| (limit.soft, limit.hard)).collect::<Vec<_>>(),
            [(5, 6)]
        );
    }

    #[test]
    fn devices_of_the_host_are_found_and_a_containers_own_left_out() {
        let mut memory = vec![0; 1 << 16];
        let (mut strings, mut devices) =
            (StringBlock::new(&mut memory), MappedVec::new(DEVICES_MAX));
        host_devices(&mut strings, &mut devices).unwrap();
        let has = |path: &CStr| devices.iter().any(|device| device.path == path);
        for path in [c"/dev/null", c"/dev/tty", c"/dev/ptmx", c"/dev/pts/ptmx", c"/dev/console"] {
            assert!(!has(path), "{path:?}");
        }
        for device in devices.iter() {
            let stat = fs::stat(CWD, device.path).unwrap();
            assert_eq!(
                (stat.mode, stat.rdev),
                (device.mode, (device.major, device.minor)),
                "{:?}",
                device.path
            );
        }
    }
}

//! `linux.intelRdt`: a resctrl group, in which the kernel allocates cache and memory bandwidth
//! (kernel: resctrl.rst).
//!
//! Without a `closID` the group is the container's, with its name, and is removed with it. A named
//! group may be shared: if it is missing and there is a schema, it is made; an existing one is only
//! checked.

use super::state::Id;
use crate::error::{Context, Error, Result};
use crate::io::kernel_file::write_file;
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::spec::Spec;
use crate::spec::attributes::IntelRdt;
use crate::sys::fd::{CWD, Fd, FdRef};
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// The usual mount point of resctrl.
const PLACE: &CStr = c"/sys/fs/resctrl";
/// statfs(2)'s type of a resctrl.
const RDTGROUP_SUPER_MAGIC: i64 = 0x0765_5821;
const SCHEMATA: &CStr = c"schemata";

/// Returns an error if a wanted resctrl is missing, or if the group's name is invalid.
pub fn check(spec: &Spec<'_>) -> Result<()> {
    let Some(wanted) = &spec.intel_rdt else { return Ok(()) };
    open()?;
    let is_name = match wanted.clos_id.map(CStr::to_bytes) {
        Some(b"" | b"." | b"..") => false,
        Some(name) => name == b"/" || !name.contains(&b'/'),
        None => true,
    };
    match is_name {
        true => Ok(()),
        false => Err(Error::new(format_args!("linux.intelRdt.closID: not a name"))),
    }
}

/// Moves a process into its group. Makes the group if allowed.
pub fn join(spec: &Spec<'_>, id: Id<'_>, pid: i32) -> Result<()> {
    match &spec.intel_rdt {
        Some(wanted) => join_in(open()?.by_ref(), wanted, id, pid).doing("linux.intelRdt"),
        None => Ok(()),
    }
}

fn join_in(place: FdRef<'_>, wanted: &IntelRdt<'_>, id: Id<'_>, pid: i32) -> Result<()> {
    let name = name(wanted, id)?;
    let is_own = wanted.clos_id.is_none();
    // Lines that an existing group must already have.
    let (cache, bandwidth) = (wanted.l3_cache, wanted.memory_bandwidth);
    let has_schema = cache.is_some() || bandwidth.is_some() || wanted.schemata.first().is_some();
    let made = if is_own || has_schema {
        fs::mkdir(place, name.as_c_str(), 0o755)
    } else {
        Err(Errno::EEXIST)
    };
    let made = match made {
        Ok(()) => true,
        Err(Errno::EEXIST) => false,
        Err(errno) => return Err(errno).doing("make the resctrl group"),
    };
    let group = fs::open(place, name.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY, 0)
        .doing("open the resctrl group")?;
    let group = group.by_ref();
    for (key, schema) in [("l3CacheSchema", cache), ("memBwSchema", bandwidth)] {
        let is_cache = key == "l3CacheSchema";
        for line in schema
            .unwrap_or_default()
            .to_bytes()
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii)
        {
            if line.is_empty() || is_cache && bandwidth.is_some() && line.starts_with(b"MB:") {
                continue;
            }
            match is_own || made {
                true => write_file(group, SCHEMATA, format_args!("{}\n", Lossy(line)))
                    .doing("write schemata")?,
                // The group is shared.
                false if has_line(group, line)? => {}
                false => return Err(Error::new(format_args!("{key}: not what the group has"))),
            }
        }
    }
    for schema in wanted.schemata.iter() {
        write_file(group, SCHEMATA, format_args!("{}\n", LossyC(schema)))
            .doing("write schemata")?;
    }
    let join = |path: &CStr| write_file(group, path, format_args!("{pid}\n")).on("write", path);
    join(c"tasks")?;
    if wanted.is_monitored {
        let mut path =
            PathBuf::format(format_args!("mon_groups/{id}")).doing("monitoring group")?;
        match fs::mkdir(group, path.as_c_str(), 0o755) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno).doing("make the monitoring group"),
        }
        path.push(b"tasks").doing("monitoring group")?;
        join(path.as_c_str())?;
    }
    Ok(())
}

/// Returns the path of the group in resctrl; `/` is the root group.
fn name(wanted: &IntelRdt<'_>, id: Id<'_>) -> Result<PathBuf> {
    match wanted.clos_id {
        Some(group) => PathBuf::from_bytes(b"./").and_then(|mut path| {
            path.push_bytes(group.to_bytes())?;
            Ok(path)
        }),
        None => PathBuf::format(format_args!("./{id}")),
    }
    .doing("resctrl group")
}

/// Returns whether the group's `schemata` has this line. The kernel writes it with other blanks.
fn has_line(group: FdRef<'_>, line: &[u8]) -> Result<bool> {
    let mut buffer = [0; PATH_BYTES];
    let length = fs::open(group, SCHEMATA, fs::O_RDONLY, 0)
        .and_then(|file| fs::read(file.by_ref(), &mut buffer))
        .on("read", SCHEMATA)?;
    let is_same = |line: &[u8], other: &[u8]| {
        let solid = |byte: &&u8| **byte != b' ';
        line.iter().filter(solid).eq(other.iter().filter(solid))
    };
    Ok(buffer[..length].split(|byte| *byte == b'\n').any(|other| is_same(line, other)))
}

/// Removes the container's own groups.
pub fn remove(spec: &Spec<'_>, id: Id<'_>) {
    if let Some(wanted) = &spec.intel_rdt
        && let Ok(place) = open()
    {
        remove_in(place.by_ref(), wanted, id);
    }
}

fn remove_in(place: FdRef<'_>, wanted: &IntelRdt<'_>, id: Id<'_>) {
    let Ok(mut path) = name(wanted, id) else { return };
    let length = path.as_bytes().len();
    if wanted.is_monitored
        && path.push(b"mon_groups").and_then(|()| path.push(id.as_c_str().to_bytes())).is_ok()
    {
        let _ = fs::rmdir(place, path.as_c_str());
    }
    path.truncate(length);
    if wanted.clos_id.is_none() {
        let _ = fs::rmdir(place, path.as_c_str());
    }
}

fn open() -> Result<Fd> {
    let place = fs::open(CWD, PLACE, fs::O_RDONLY | fs::O_DIRECTORY, 0);
    match place.and_then(|place| Ok((fs::statfs(place.by_ref())?.0, place))) {
        Ok((RDTGROUP_SUPER_MAGIC, place)) => Ok(place),
        _ => Err(Error::new(format_args!(
            "linux.intelRdt: no resctrl is mounted at /sys/fs/resctrl"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// A directory that stands for a resctrl, with the kernel's files for these groups.
    fn check(groups: &[&str], wanted: &str, see: &dyn Fn(&Path, core::result::Result<(), String>)) {
        static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let path =
            std::env::temp_dir().join(format!("ocinit-resctrl-{}-{number}", std::process::id()));
        for group in groups {
            std::fs::create_dir_all(path.join(group)).unwrap();
            std::fs::write(path.join(group).join("tasks"), "").unwrap();
            std::fs::write(path.join(group).join("schemata"), "    MB:0= 100\n    L3:0=ff;1=ff\n")
                .unwrap();
        }
        let name = std::ffi::CString::new(path.to_str().unwrap()).unwrap();
        let place = fs::open(CWD, &name, fs::O_RDONLY | fs::O_DIRECTORY, 0).unwrap();
        let spec = crate::spec::leaked_linux(&format!(r#"{{"intelRdt":{wanted}}}"#), "").unwrap();
        let (value, id) = (spec.intel_rdt.unwrap(), Id::check(c"one").unwrap());
        let done = join_in(place.by_ref(), &value, id, 7).map_err(|error| error.to_string());
        see(&path, done);
        // The kernel removes the files with their group.
        for file in
            ["one/tasks", "one/schemata", "one/mon_groups/one/tasks", "g/mon_groups/one/tasks"]
        {
            let _ = std::fs::remove_file(path.join(file));
        }
        if wanted.contains("enable") {
            let _ = std::fs::remove_file(path.join("g/mon_groups/one/schemata"));
        }
        remove_in(place.by_ref(), &value, id);
        assert!(!path.join("one").exists() && !path.join("g/mon_groups/one").exists());
        assert_eq!(path.join("g").exists(), groups.contains(&"g") || wanted.contains("new"));
        std::fs::remove_dir_all(&path).unwrap();
    }

    fn read(path: &Path, name: &str) -> String {
        std::fs::read_to_string(path.join(name)).unwrap()
    }

    #[test]
    fn its_own_group_gets_the_schemas() {
        let wanted = r#"{"l3CacheSchema":"L3:0=f\nMB:0=1","memBwSchema":"MB:0=50","schemata":["L2:0=1","L2:1=3"]}"#;
        check(&["", "one"], wanted, &|path, done| {
            assert_eq!(done, Ok(()));
            // Each line is a separate write; a plain file keeps what the last ones leave.
            assert!(read(path, "one/schemata").starts_with("L2:1=3\n"));
            assert_eq!(read(path, "one/tasks"), "7\n");
        });
        check(&[""], "{}", &|path, done| {
            assert!(path.join("one").is_dir() && done.unwrap_err().starts_with("write tasks: "));
        });
    }

    #[test]
    fn a_group_that_is_there_is_not_changed() {
        let same =
            r#"{"closID":"g","l3CacheSchema":"L3:0=ff;1=ff\nMB:0=5","memBwSchema":"MB:0=100"}"#;
        for wanted in [same, r#"{"closID":"g"}"#] {
            check(&["", "g"], wanted, &|path, done| {
                assert_eq!(done, Ok(()));
                assert_eq!(read(path, "g/schemata"), "    MB:0= 100\n    L3:0=ff;1=ff\n");
                assert_eq!(read(path, "g/tasks"), "7\n");
            });
        }
        check(&["", "g"], r#"{"closID":"g","memBwSchema":"MB:0=10"}"#, &|path, done| {
            assert_eq!(done.unwrap_err(), "memBwSchema: not what the group has");
            assert_eq!(read(path, "g/tasks"), "");
        });
        check(&[""], r#"{"closID":"g"}"#, &|path, done| {
            assert_eq!(done.unwrap_err(), "open the resctrl group: no such file or directory");
            assert!(!path.join("g").exists(), "one without a schema is somebody else's to make");
        });
        check(&[""], r#"{"closID":"/"}"#, &|path, done| {
            assert_eq!((done, read(path, "tasks").as_str()), (Ok(()), "7\n"));
        });
    }

    #[test]
    fn who_is_monitored_has_a_group_for_that() {
        check(
            &["", "g", "g/mon_groups/one"],
            r#"{"closID":"g","enableMonitoring":true}"#,
            &|path, done| {
                assert_eq!(done, Ok(()));
                assert_eq!(
                    (read(path, "g/tasks"), read(path, "g/mon_groups/one/tasks")),
                    ("7\n".into(), "7\n".into())
                );
            },
        );
        check(
            &["", "g"],
            r#"{"closID":"g","enableMonitoring":false,"enableCMT":false}"#,
            &|path, done| {
                assert_eq!((done, path.join("g/mon_groups").exists()), (Ok(()), false));
            },
        );
    }
}

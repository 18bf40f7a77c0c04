//! States in a real directory.

use super::*;
use crate::limits::PATH_BYTES;
use crate::sys::Errno;
use crate::sys::fs::Time;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf as StdPath};

fn scratch(name: &str) -> StdPath {
    let path = std::env::temp_dir().join(format!("ocinit-state-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir(&path).unwrap();
    path
}

fn c(path: &Path) -> CString {
    CString::new(path.to_str().unwrap()).unwrap()
}

fn memory() -> Box<StateMemory> {
    Box::new(StateMemory::EMPTY)
}

fn id(name: &CStr) -> Id<'_> {
    Id::check(name).unwrap()
}

#[test]
fn an_id_is_one_plain_component() {
    let longest = CString::new("x".repeat(255)).unwrap();
    for name in [c"a", c"A-z_0.9+", c"...", c"-", &longest] {
        assert!(Id::check(name).is_ok(), "{name:?}");
    }
    let longer = CString::new("x".repeat(256)).unwrap();
    for name in [c"", c".", c"..", c"a/b", c"/", c"a b", c"\xc3\xa9", c"a\n", c"a:b", &longer] {
        let error = Id::check(name).err().unwrap().to_string();
        assert!(error.starts_with("invalid container ID format: "), "{error}");
    }
}

#[test]
fn a_root_is_made_for_its_owner_and_its_containers_are_found() {
    use std::os::unix::fs::PermissionsExt;
    let place = scratch("root");
    let path = place.join("one/two");
    assert!(Root::open(&c(&path), Missing::Ignore).unwrap().container(id(c"a")).is_err());
    let root = Root::open(&c(&path), Missing::Make).unwrap();
    Root::open(&c(&path), Missing::Make).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o700);
    drop((root.create(id(c"a")).unwrap(), root.create(id(c"b")).unwrap()));
    let error = root.create(id(c"a")).err().unwrap();
    assert_eq!(
        (error.to_string().as_str(), error.errno()),
        ("container with given ID already exists: a", Errno::EEXIST)
    );
    let error = root.container(id(c"c")).err().unwrap();
    assert_eq!(
        (error.to_string().as_str(), error.errno()),
        ("container does not exist: c", Errno::ENOENT)
    );
    // Neither a file, a link nor an invalid ID is a container.
    std::fs::write(path.join("file"), "").unwrap();
    std::os::unix::fs::symlink("a", path.join("link")).unwrap();
    std::fs::create_dir(path.join("not an id")).unwrap();
    assert!(root.container(id(c"link")).is_err() && root.container(id(c"file")).is_err());
    let mut names = Vec::new();
    root.each(&mut |id| {
        names.push(id.to_string());
        Ok(())
    })
    .unwrap();
    assert_eq!(names, ["a", "b"]);
    std::fs::remove_dir_all(place).unwrap();
}

fn odd_state() -> State<'static> {
    State {
        version: c"1.2.0",
        process: Process { pid: i32::MAX, started: u64::MAX },
        bundle: c"/a \"quoted\" \\ place\n/\xc3\xa9",
        rootfs: c"/r",
        cgroup: c"/sys/fs/cgroup/x",
        created: Time { seconds: 1_795_532_400, nanoseconds: 24_205_480 },
        owner: 1000,
        rootless: true,
        terminal: true,
        made: Made::This { device: u64::MAX, inode: u64::MAX },
    }
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let place = scratch("written");
    let root = Root::open(&c(&place), Missing::Make).unwrap();
    let directory = root.create(id(c"a")).unwrap();
    let mut memory = memory();
    for state in [odd_state(), State::UNKNOWN] {
        directory.write(&state).unwrap();
        let read = directory.read(&mut memory).unwrap();
        assert_eq!(
            (read.version, read.process, read.bundle),
            (state.version, state.process, state.bundle)
        );
        assert_eq!(
            (read.rootfs, read.cgroup, read.created),
            (state.rootfs, state.cgroup, state.created)
        );
        assert_eq!(
            (read.owner, read.rootless, read.terminal),
            (state.owner, state.rootless, state.terminal)
        );
        assert_eq!(read.made, state.made);
    }
    // The longest texts, each byte of them escaped.
    let long = CString::new(vec![1; PATH_BYTES - 1]).unwrap();
    let state = State { bundle: &long, rootfs: &long, cgroup: &long, ..odd_state() };
    directory.write(&state).unwrap();
    assert_eq!(directory.read(&mut memory).unwrap().cgroup, &*long);
    let longer = CString::new(vec![1; PATH_BYTES]).unwrap();
    let error = directory.write(&State { bundle: &longer, ..odd_state() }).unwrap_err();
    assert_eq!(error.to_string(), "bundle: file name too long");
    assert_eq!(directory.read(&mut memory).unwrap().cgroup, &*long, "the old one still stands");
    directory.write_config(b"{\"a\":[1]}").unwrap();
    assert_eq!(directory.read_config(&mut [0; 64]).unwrap(), b"{\"a\":[1]}");
    assert!(
        directory
            .read_config(&mut [0; 9])
            .err()
            .unwrap()
            .to_string()
            .ends_with("config.json: file too large")
    );
    directory.remove().unwrap();
    assert!(!place.join("a").exists());
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_torn_or_hostile_state_is_an_error_that_names_it() {
    let place = scratch("torn");
    let root = Root::open(&c(&place), Missing::Make).unwrap();
    let directory = root.create(id(c"a")).unwrap();
    let file = place.join("a/state.json");
    let mut memory = memory();
    directory.write(&odd_state()).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let read = |memory: &mut StateMemory| {
        directory.read(memory).map(|state| state.process).map_err(|e| e.to_string())
    };
    for length in 0..whole.len() - 2 {
        std::fs::write(&file, &whole[..length]).unwrap();
        let error = read(&mut memory).unwrap_err();
        assert!(
            error.starts_with("container a: state.json: invalid JSON at byte "),
            "{length}: {error}"
        );
    }
    let text = String::from_utf8(whole).unwrap();
    for (from, to, wanted) in [
        ("2147483647", "2147483648", "pid: not a process"),
        ("2147483647", "-1", "pid: negative"),
        ("\"/r\"", "7", "rootfs: not a string"),
        ("\"/r\"", "\"\\u0000\"", "NUL"),
        ("\"bundle\"", "\"rootfs\"", "missing"),
        ("\"owner\"", "\"pid\"", "given twice"),
    ] {
        assert!(text.contains(from));
        std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = read(&mut memory).unwrap_err();
        assert!(
            error.starts_with("container a: state.json: ") && error.contains(wanted),
            "{error}"
        );
    }
    std::fs::write(&file, vec![b' '; crate::limits::STATE_BYTES]).unwrap();
    assert_eq!(read(&mut memory).unwrap_err(), "container a: state.json: file too large");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(read(&mut memory).unwrap_err(), "container does not exist: a");
    std::os::unix::fs::symlink("/etc/passwd", &file).unwrap();
    assert_eq!(
        read(&mut memory).unwrap_err(),
        "container a: state.json: too many levels of symbolic links"
    );
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn one_at_a_time_changes_a_container() {
    let place = scratch("lock");
    let root = Root::open(&c(&place), Missing::Make).unwrap();
    let mut one = root.create(id(c"a")).unwrap();
    one.lock().unwrap();
    let path = c(&place);
    let late = std::thread::spawn(move || {
        let root = Root::open(&path, Missing::Refuse).unwrap();
        let mut other = root.container(id(c"a")).unwrap();
        let status = other.status(&State::UNKNOWN);
        (status, other.lock().map_err(|error| error.to_string()), other.lock().is_err())
    });
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(!late.is_finished(), "it waits");
    assert_eq!(one.status(&State::UNKNOWN), Status::Stopped, "nobody else is at work");
    one.remove().unwrap();
    let (status, locked, again) = late.join().unwrap();
    assert_eq!(
        (status, locked, again),
        (Status::Creating, Err("container does not exist: a".into()), true)
    );
    // A copy of the fd does not keep the lock.
    let held = root.create(id(c"b")).unwrap();
    let copy = crate::sys::fd::duplicate(held.fd(), 3).unwrap();
    drop(held);
    root.container(id(c"b")).unwrap().lock().unwrap();
    drop(copy);
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn of_many_that_make_one_container_one_does() {
    let place = scratch("race");
    Root::open(&c(&place), Missing::Make).unwrap();
    let made: usize = std::thread::scope(|scope| {
        let all: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    Root::open(&c(&place), Missing::Refuse).unwrap().create(id(c"a")).is_ok()
                })
            })
            .collect();
        all.into_iter().map(|one| usize::from(one.join().unwrap())).sum()
    });
    assert_eq!(made, 1);
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn a_process_is_known_by_its_start_and_a_zombie_is_none() {
    let place = scratch("status");
    let root = Root::open(&c(&place), Missing::Make).unwrap();
    let directory = root.create(id(c"a")).unwrap();
    let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    let process = Process::now(child.id() as i32).unwrap();
    let state = State { process, ..State::UNKNOWN };
    assert_eq!(directory.status(&state), Status::Running);
    let later = State { process: Process { started: process.started + 1, ..process }, ..state };
    assert_eq!(directory.status(&later), Status::Stopped);
    assert!(
        process.open().is_some()
            && later.process.open().is_none()
            && Process::NONE.open().is_none()
    );
    let socket = std::process::Command::new("python3")
        .args(["-c", "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); s.listen(1); print(flush=True); sys.stdin.read()"])
        .arg(place.join("a/start.sock"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut socket = socket.unwrap();
    std::io::Read::read(socket.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    // More often than the backlog has room.
    for _ in 0..5 {
        assert_eq!(directory.status(&state), Status::Created);
    }
    drop(socket.stdin.take());
    socket.wait().unwrap();
    assert_eq!(directory.status(&state), Status::Running, "nobody listens");
    for top in [c"", c"/sys/fs/cgroup", c"/sys/fs/cgroup/", c"/"] {
        assert!(State { cgroup: top, ..state }.group().unwrap().is_none());
    }
    child.kill().unwrap();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while directory.status(&state) != Status::Stopped {
        assert!(std::time::Instant::now() < deadline, "a zombie has stopped");
    }
    child.wait().unwrap();
    std::fs::remove_dir_all(place).unwrap();
}

#[test]
fn times_are_written_as_go_writes_them() {
    for (nanoseconds, text) in
        [(0, "Z"), (24_205_480, ".02420548Z"), (999_999_999, ".999999999Z"), (1, ".000000001Z")]
    {
        let text = format!("2026-11-24T15:00:00{text}");
        assert_eq!(Rfc3339(Time { seconds: 1_795_532_400, nanoseconds }).to_string(), text);
    }
}

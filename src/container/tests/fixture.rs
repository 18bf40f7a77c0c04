//! The tests' containers: a root directory with this test program, which runs there as [`inside`]
//! and needs no other file.

use super::super::*;
use crate::Result;
use crate::io::strings::PackedStrings;
use crate::spec::{Capabilities, Process, Spec, capability, defaults};
use crate::sys::clone::*;
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::process::{self, Whom};

use crate::sys::{Errno, fs};
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::path::PathBuf;

/// A root directory with this program in it.
pub struct Fixture {
    /// Its path.
    pub path: PathBuf,
    /// Its fd.
    pub fd: Fd,
}

impl Fixture {
    /// Returns `None` if this user cannot start containers.
    pub fn new(name: &str) -> Option<Fixture> {
        if process::effective_uid() != 0 {
            eprintln!("skipped: needs root");
            return None;
        }
        let path =
            std::env::temp_dir().join(format!("ocinit-container-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("bin")).unwrap();
        let program = std::env::current_exe().unwrap();
        std::fs::hard_link(&program, path.join("bin/probe"))
            .or_else(|_| std::fs::copy(&program, path.join("bin/probe")).map(drop))
            .unwrap();
        // Other users execute it, too, even if it was linked under a strict umask.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(path.join("bin/probe"), mode).unwrap();
        let name = CString::new(path.to_str().unwrap()).unwrap();
        let fd = fs::open(CWD, &name, fs::O_RDONLY | fs::O_DIRECTORY, 0).unwrap();
        Some(Fixture { path, fd })
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.path).unwrap();
    }
}

const ARGS: &[u8] = b"probe\0container::tests::fixture::inside\0--exact\0--ignored\0--nocapture\0--test-threads=1\0";

pub fn spec(env: &'static [u8]) -> Spec<'static> {
    Spec {
        process: Process {
            args: PackedStrings::new(ARGS),
            env: PackedStrings::new(env),
            cwd: c"/work/here",
            capabilities: Capabilities::all(capability::DEFAULT),
            no_new_privileges: true,
            oom_score_adj: Some(0),
            ..Process::NONE
        },
        hostname: Some(c"box"),
        mounts: defaults::MOUNTS,
        devices: defaults::DEVICES,
        namespaces: CLONE_NEWNS
            | CLONE_NEWPID
            | CLONE_NEWIPC
            | CLONE_NEWUTS
            | CLONE_NEWCGROUP
            | CLONE_NEWNET,
        masked_paths: defaults::MASKED_PATHS,
        readonly_paths: defaults::READONLY_PATHS,
        ..Spec::NONE
    }
}

pub fn start_with(spec: &Spec<'_>, root: &Fixture, stdio: Stdio<'_>) -> Result<Running> {
    let mut memory = Box::new(ContainerMemory::EMPTY);
    start(spec, root.fd.by_ref(), stdio, None, &mut memory)
}

/// Reads from a fd.
pub struct Reader(Fd);

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        fs::read(self.0.by_ref(), buffer)
            .map_err(|errno| std::io::Error::from_raw_os_error(errno.number()))
    }
}

pub fn file(fd: Fd) -> Reader {
    Reader(fd)
}

/// Runs it to its end. Returns its status and its output, without the test harness's lines.
pub fn run(spec: &Spec<'_>, root: &Fixture) -> std::result::Result<(u8, String), String> {
    let null = fs::open(CWD, c"/dev/null", fs::O_RDWR, 0).unwrap();
    let (end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([null.by_ref(), null.by_ref(), write_end.by_ref()]);
    let running =
        start_with(spec, root, stdio).map_err(|error| format!("{} {error}", error.status()))?;
    drop(write_end);
    let mut said = String::new();
    file(end).read_to_string(&mut said).unwrap();
    let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
    Ok((ended.status(), said))
}

/// The container's program, selected by the variable PROBE. It writes to stderr, because the test
/// harness writes to stdout.
#[test]
#[ignore = "runs inside the containers of the other tests"]
fn inside() {
    let Ok(probe) = std::env::var("PROBE") else { return };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
    // The main thread of the test harness may just start or join us, with its signals blocked.
    let status = read("/proc/thread-self/status");
    let of_status = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let list = |path: &str| {
        let entries =
            std::fs::read_dir(path).map(|dir| dir.map(|entry| entry.unwrap().file_name()));
        let mut names: Vec<_> =
            entries.unwrap().map(|name| name.to_str().unwrap().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    let write = |path: &str| match std::fs::File::options().write(true).open(path) {
        Ok(mut file) => {
            file.write(b"0").map_or_else(|error| error.to_string(), |_| "written".into())
        }
        Err(error) => error.to_string(),
    };
    let mut said = String::new();
    match probe.as_str() {
        "process" => {
            for name in [
                "Uid",
                "Gid",
                "Groups",
                "CapInh",
                "CapPrm",
                "CapEff",
                "CapBnd",
                "CapAmb",
                "NoNewPrivs",
            ] {
                writeln!(said, "{name} {}", of_status(name)).unwrap();
            }
            for name in ["SigBlk", "SigIgn", "Umask", "Tgid"] {
                writeln!(said, "{name} {}", of_status(name)).unwrap();
            }
            let stat = read("/proc/self/stat");
            let session =
                stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
            writeln!(said, "session {session} cwd {}", std::env::current_dir().unwrap().display())
                .unwrap();
            writeln!(said, "oom {}", read("/proc/self/oom_score_adj").trim()).unwrap();
            writeln!(
                said,
                "host {} cgroup {}",
                read("/proc/sys/kernel/hostname").trim(),
                read("/proc/self/cgroup").lines().last().unwrap_or_default()
            )
            .unwrap();
            writeln!(said, "fds {} net {}", list("/proc/self/fd"), list("/sys/class/net")).unwrap();
            writeln!(said, "args {} env {}", std::env::args().count(), std::env::vars().count())
                .unwrap();
            let stderr = std::fs::File::options()
                .write(true)
                .open("/dev/stderr")
                .map(drop)
                .map_err(|error| error.kind());
            writeln!(said, "stderr {stderr:?}").unwrap();
        }
        "mounts" => {
            for line in read("/proc/self/mountinfo").lines() {
                let words: Vec<_> = line.split(' ').collect();
                let dash = words.iter().position(|word| *word == "-").unwrap();
                writeln!(said, "{} {} {}", words[4], words[dash + 1], words[5]).unwrap();
            }
        }
        "propagation" => {
            for line in read("/proc/self/mountinfo").lines() {
                let mut words = line.split(' ').skip(4);
                let place = words.next().unwrap();
                let tags = words.skip(1).take_while(|word| *word != "-");
                let tags: Vec<_> = tags.map(|tag| tag.split(':').next().unwrap()).collect();
                writeln!(said, "{place} {}", tags.join(" ")).unwrap();
            }
        }
        "files" => {
            writeln!(said, "dev {}", list("/dev")).unwrap();
            for path in ["/proc/keys", "/proc/interrupts"] {
                writeln!(said, "{path} {} bytes", read(path).len()).unwrap();
            }
            writeln!(said, "firmware [{}]", list("/sys/firmware")).unwrap();
            for path in ["/proc/sys/kernel/hostname", "/sys/kernel/uevent_seqnum", "/dev/null"] {
                writeln!(said, "{path} {}", write(path)).unwrap();
            }
            let made = std::fs::write("/sys/firmware/x", "").map_err(|error| error.to_string());
            writeln!(
                said,
                "{made:?} {:?}",
                std::fs::write("/new", "").map_err(|error| error.to_string())
            )
            .unwrap();
            writeln!(said, "root {}", list("/")).unwrap();
        }
        "signal" => {
            eprintln!("ready");
            std::thread::sleep(std::time::Duration::from_secs(20));
        }
        "orphans" => {
            // A child that starts ten thousand orphans that end at once. A small machine runs out
            // of processes until the init has reaped some.
            let fork = || loop {
                match fork(0, None) {
                    Err(Errno::EAGAIN) => std::thread::sleep(std::time::Duration::from_millis(10)),
                    side => break side.unwrap(),
                }
            };
            for _ in 0..100 {
                let Side::Child = fork() else { continue };
                for _ in 0..100 {
                    if let Side::Child = fork() {
                        process::exit(0)
                    }
                }
                process::exit(0)
            }
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
            while list("/proc").split(' ').filter(|name| name.parse::<u32>().is_ok()).count()
                > 2 + 100
            {
                assert!(std::time::Instant::now() < deadline, "orphans are not reaped");
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let init = |file: &str| {
                std::fs::read_link(format!("/proc/1/{file}")).map_err(|error| error.kind())
            };
            writeln!(said, "pid {} exe {:?}", std::process::id(), init("exe")).unwrap();
            let init = read("/proc/1/status");
            for name in ["Name", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp:", "Uid"] {
                let line = init.lines().find(|line| line.starts_with(name)).unwrap();
                writeln!(said, "{}", line.split_whitespace().collect::<Vec<_>>().join(" "))
                    .unwrap();
            }
        }
        "terminal" => {
            let size = crate::sys::tty::is_terminal(fd::STDIN);
            let link = std::fs::read_link("/proc/self/fd/0").unwrap();
            let tty = std::fs::File::options()
                .write(true)
                .open("/dev/tty")
                .map(drop)
                .map_err(|error| error.kind());
            let console = std::fs::File::options()
                .write(true)
                .open("/dev/console")
                .map(drop)
                .map_err(|error| error.kind());
            writeln!(
                said,
                "{size} {} tty {tty:?} console {console:?} pts {}",
                link.display(),
                list("/dev/pts")
            )
            .unwrap();
        }
        "exit" => {}
        other => panic!("{other}"),
    }
    eprint!("{said}");
    process::exit(std::env::var("STATUS").map_or(0, |status| status.parse().unwrap()));
}

/// Starts a container like PID 1, and waits for execve(2).
pub fn start(
    spec: &Spec<'_>,
    root: FdRef<'_>,
    stdio: Stdio<'_>,
    cgroup: Option<FdRef<'_>>,
    memory: &mut ContainerMemory,
) -> Result<Running> {
    Starter::new(spec, root, cgroup, memory)?.start(stdio)
}

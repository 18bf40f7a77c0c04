//! Starts real containers, as root. What runs inside is this test program itself, as [`inside`]: it needs no file of
//! an image but the one it is.

use super::*;
use crate::io::strings::Words;
use crate::spec::{Capabilities, Process, Resources, Root, User, capability, defaults};
use crate::sys::clone::*;
use crate::sys::fd::{self, CWD};
use crate::sys::{fs, mount as mounts};
use std::ffi::CString;
use std::fmt::Write as _;
use std::io::{Read, Write as _};
use std::os::fd::FromRawFd;
use std::path::PathBuf;

/// A root directory with this program in it.
struct Fixture {
    path: PathBuf,
    fd: Fd,
}

impl Fixture {
    /// `None` where this user cannot start containers.
    fn new(name: &str) -> Option<Fixture> {
        if process::effective_uid() != 0 {
            eprintln!("skipped: needs root");
            return None;
        }
        let path = std::env::temp_dir().join(format!("ocinit-container-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("bin")).unwrap();
        let program = std::env::current_exe().unwrap();
        std::fs::hard_link(&program, path.join("bin/probe"))
            .or_else(|_| std::fs::copy(&program, path.join("bin/probe")).map(drop))
            .unwrap();
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

const ARGS: &[u8] = b"probe\0container::tests::inside\0--exact\0--ignored\0--nocapture\0--test-threads=1\0";

fn spec(env: &'static [u8]) -> Spec<'static> {
    Spec {
        process: Process {
            args: Words::new(ARGS),
            env: Words::new(env),
            cwd: c"/work/here",
            user: User::default(),
            capabilities: Capabilities::all(capability::DEFAULT),
            no_new_privileges: true,
            limits: &[],
            oom_score_adj: Some(0),
        },
        root: Root { readonly: false, propagation: mounts::MS_PRIVATE },
        hostname: Some(c"box"),
        mounts: defaults::MOUNTS,
        devices: defaults::DEVICES,
        namespaces: CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET,
        masked_paths: defaults::MASKED_PATHS,
        readonly_paths: defaults::READONLY_PATHS,
        resources: Resources::default(),
        stop_signal: signal::SIGTERM,
        init: false,
    }
}

fn start_with(spec: &Spec<'_>, root: &Fixture, stdio: Stdio<'_>) -> Result<Running> {
    let mut memory = Box::new(ContainerMemory::EMPTY);
    start(spec, root.fd.by_ref(), stdio, None, &mut memory)
}

fn file(fd: Fd) -> std::fs::File {
    // SAFETY: the descriptor is owned, and given up here.
    #[allow(clippy::undocumented_unsafe_blocks)]
    unsafe {
        std::fs::File::from_raw_fd(fd.into_raw())
    }
}

/// Runs it to its end: how it ended and what it said, without the noise of the test harness.
fn run(spec: &Spec<'_>, root: &Fixture) -> std::result::Result<(u8, String), String> {
    let null = fs::open(CWD, c"/dev/null", fs::O_RDWR, 0).unwrap();
    let (end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([null.by_ref(), null.by_ref(), write_end.by_ref()]);
    let running = start_with(spec, root, stdio).map_err(|error| format!("{} {error}", error.status()))?;
    drop(write_end);
    let mut said = String::new();
    file(end).read_to_string(&mut said).unwrap();
    let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
    Ok((ended.status(), said))
}

/// What a container does, by the variable PROBE; it speaks on standard error, where the test harness is silent.
#[test]
#[ignore = "runs inside the containers of the other tests"]
fn inside() {
    let Ok(probe) = std::env::var("PROBE") else { return };
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_else(|error| error.to_string());
    let status = read("/proc/self/status");
    let of_status = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ")
    };
    let list = |path: &str| {
        let entries = std::fs::read_dir(path).map(|dir| dir.map(|entry| entry.unwrap().file_name()));
        let mut names: Vec<_> = entries.unwrap().map(|name| name.to_str().unwrap().to_owned()).collect();
        names.sort();
        names.join(" ")
    };
    let write = |path: &str| match std::fs::File::options().write(true).open(path) {
        Ok(mut file) => file.write(b"0").map_or_else(|error| error.to_string(), |_| "written".into()),
        Err(error) => error.to_string(),
    };
    let mut said = String::new();
    match probe.as_str() {
        "process" => {
            for name in ["Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"] {
                writeln!(said, "{name} {}", of_status(name)).unwrap();
            }
            for name in ["SigBlk", "SigIgn", "Umask", "Pid:", "NSpid"] {
                writeln!(said, "{name} {}", of_status(name)).unwrap();
            }
            let stat = read("/proc/self/stat");
            let session = stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
            writeln!(said, "session {session} cwd {}", std::env::current_dir().unwrap().display()).unwrap();
            writeln!(said, "oom {}", read("/proc/self/oom_score_adj").trim()).unwrap();
            writeln!(
                said,
                "host {} cgroup {}",
                read("/proc/sys/kernel/hostname").trim(),
                read("/proc/self/cgroup").lines().last().unwrap_or_default()
            )
            .unwrap();
            writeln!(said, "fds {} net {}", list("/proc/self/fd"), list("/sys/class/net")).unwrap();
            writeln!(said, "args {} env {}", std::env::args().count(), std::env::vars().count()).unwrap();
            let stderr =
                std::fs::File::options().write(true).open("/dev/stderr").map(drop).map_err(|error| error.kind());
            writeln!(said, "stderr {stderr:?}").unwrap();
        }
        "mounts" => {
            for line in read("/proc/self/mountinfo").lines() {
                let words: Vec<_> = line.split(' ').collect();
                let dash = words.iter().position(|word| *word == "-").unwrap();
                writeln!(said, "{} {} {}", words[4], words[dash + 1], words[5]).unwrap();
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
            writeln!(said, "{made:?} {:?}", std::fs::write("/new", "").map_err(|error| error.to_string())).unwrap();
            writeln!(said, "root {}", list("/")).unwrap();
        }
        "signal" => {
            eprintln!("ready");
            std::thread::sleep(std::time::Duration::from_secs(20));
        }
        "orphans" => {
            // A child that starts ten thousand processes that outlive it, each for no time at all.
            for _ in 0..100 {
                let Side::Child = fork(0, None).unwrap() else { continue };
                for _ in 0..100 {
                    if let Side::Child = fork(0, None).unwrap() {
                        process::exit(0)
                    }
                }
                process::exit(0)
            }
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
            while list("/proc").split(' ').filter(|name| name.parse::<u32>().is_ok()).count() > 2 + 100 {
                assert!(std::time::Instant::now() < deadline, "orphans are not reaped");
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let init = |file: &str| std::fs::read_link(format!("/proc/1/{file}")).map_err(|error| error.kind());
            writeln!(said, "pid {} exe {:?}", std::process::id(), init("exe")).unwrap();
            let init = read("/proc/1/status");
            for name in ["Name", "CapEff", "CapBnd", "NoNewPrivs", "Uid"] {
                let line = init.lines().find(|line| line.starts_with(name)).unwrap();
                writeln!(said, "{}", line.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap();
            }
        }
        "terminal" => {
            let size = crate::sys::tty::is_terminal(fd::STDIN);
            let link = std::fs::read_link("/proc/self/fd/0").unwrap();
            let tty = std::fs::File::options().write(true).open("/dev/tty").map(drop).map_err(|error| error.kind());
            let console =
                std::fs::File::options().write(true).open("/dev/console").map(drop).map_err(|error| error.kind());
            writeln!(said, "{size} {} tty {tty:?} console {console:?} pts {}", link.display(), list("/dev/pts"))
                .unwrap();
        }
        "exit" => {}
        other => panic!("{other}"),
    }
    eprint!("{said}");
    process::exit(std::env::var("STATUS").map_or(0, |status| status.parse().unwrap()));
}

#[test]
fn a_process_is_what_the_spec_says() {
    let Some(root) = Fixture::new("process") else { return };
    let (status, said) = run(&spec(b"PATH=/none:/bin\0PROBE=process\0STATUS=7\0"), &root).unwrap();
    // Rust's own start code ignores SIGPIPE; 3 is the directory that lists the descriptors.
    assert_eq!(
        said,
        "Uid 0 0 0 0\nGid 0 0 0 0\nGroups \nCapInh 0000000000000000\nCapPrm 00000000a80425fb\n\
        CapEff 00000000a80425fb\nCapBnd 00000000a80425fb\nCapAmb 0000000000000000\nNoNewPrivs 1\n\
        SigBlk 0000000000000000\nSigIgn 0000000000001000\nUmask 0022\nPid: 1\nNSpid 1\n\
        session 1 cwd /work/here\noom 0\nhost box cgroup 0::/\nfds 0 1 2 3 net lo\nargs 6 env 3\nstderr Ok(())\n"
    );
    assert_eq!(status, 7);
}

#[test]
fn another_user_has_no_privileges_and_its_own_pipes() {
    let Some(root) = Fixture::new("user") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=process\0");
    spec.process.user = User { uid: 1000, gid: 1001, umask: Some(0o77), ..User::default() };
    spec.process.user.additional_gids.extend([1001, 29]);
    spec.process.capabilities = Capabilities { bounding: capability::DEFAULT, ..Capabilities::default() };
    let (status, said) = run(&spec, &root).unwrap();
    assert_eq!(status, 0);
    for line in [
        "Uid 1000 1000 1000 1000\nGid 1001 1001 1001 1001\nGroups 29 1001\n",
        "CapPrm 0000000000000000\nCapEff 0000000000000000\nCapBnd 00000000a80425fb\n",
        "Umask 0077\n",
        "cwd /work/here\n",
        "stderr Ok(())\n",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
}

#[test]
fn its_mounts_are_those_of_the_spec_and_no_others() {
    let Some(root) = Fixture::new("mounts") else { return };
    let (_, said) = run(&spec(b"PATH=/bin\0PROBE=mounts\0"), &root).unwrap();
    let mut lines = said.lines();
    assert!(lines.next().unwrap().starts_with("/ "), "{said}");
    let rest: Vec<_> = lines.collect();
    assert_eq!(
        rest[..7],
        [
            "/proc proc rw,nosuid,nodev,noexec,relatime",
            "/dev tmpfs rw,nosuid",
            "/dev/pts devpts rw,nosuid,noexec,relatime",
            "/sys sysfs ro,nosuid,nodev,noexec,relatime",
            "/sys/fs/cgroup cgroup2 ro,nosuid,nodev,noexec,relatime",
            "/dev/mqueue mqueue rw,nosuid,nodev,noexec,relatime",
            "/dev/shm tmpfs rw,nosuid,nodev,noexec,relatime",
        ]
    );
    let protected = |line: &&str| line.contains(" ro,") || line.contains(" tmpfs rw,nosuid");
    assert!(rest[7..].iter().all(|line| protected(line)), "{said}");
    assert!(rest.contains(&"/proc/sys proc ro,nosuid,nodev,noexec,relatime"));
    assert!(rest.contains(&"/proc/keys tmpfs rw,nosuid"));
    assert!(rest.contains(&"/sys/firmware tmpfs ro,nosuid,nodev,noexec,relatime"));
}

#[test]
fn what_is_masked_is_hidden_and_what_is_read_only_is_not_written() {
    let Some(root) = Fixture::new("files") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=files\0");
    spec.root.readonly = true;
    let (_, said) = run(&spec, &root).unwrap();
    assert_eq!(
        said,
        "dev core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n\
        /proc/keys 0 bytes\n/proc/interrupts 0 bytes\nfirmware []\n\
        /proc/sys/kernel/hostname Read-only file system (os error 30)\n\
        /sys/kernel/uevent_seqnum Read-only file system (os error 30)\n/dev/null written\n\
        Err(\"Read-only file system (os error 30)\") Err(\"Read-only file system (os error 30)\")\n\
        root bin dev proc sys work\n"
    );
}

#[test]
fn a_command_that_cannot_be_executed_says_why() {
    let Some(root) = Fixture::new("exec") else { return };
    let write = |name: &str, text: &str| {
        let path = root.path.join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    write("bin/script", "#!/bin/nothing -x\n");
    write("bin/text", "hello");
    std::fs::write(root.path.join("bin/data"), "").unwrap();
    let cases: [(&'static [u8], &str); 7] = [
        (b"none\0", "127 exec: \"none\": executable file not found in $PATH"),
        (b"/bin/none\0", "127 exec: \"/bin/none\": stat /bin/none: no such file or directory"),
        (b"/bin/data\0", "126 exec: \"/bin/data\": permission denied"),
        (b"/bin\0", "126 exec: \"/bin\": is a directory"),
        (b"text\0", "126 exec /bin/text: exec format error"),
        (b"script\0", "127 exec /bin/script: its interpreter /bin/nothing: no such file or directory"),
        (b"\0", "127 exec: \"\": executable file not found in $PATH"),
    ];
    for (args, error) in cases {
        for init in [false, true] {
            let mut spec = spec(b"PATH=/none:/bin\0");
            spec.process.args = Words::new(args);
            spec.init = init;
            assert_eq!(run(&spec, &root), Err(error.to_string()));
        }
    }
}

#[test]
fn links_of_the_image_lead_nowhere_else() {
    let Some(root) = Fixture::new("links") else { return };
    let outside = root.path.with_extension("outside");
    let _ = std::fs::remove_dir_all(&outside);
    std::fs::create_dir(&outside).unwrap();
    let fails = |name: &str, target: &std::path::Path, error: &str| {
        std::os::unix::fs::symlink(target, root.path.join(name)).unwrap();
        assert_eq!(run(&spec(b"PATH=/bin\0PROBE=exit\0"), &root), Err(error.to_string()));
        std::fs::remove_file(root.path.join(name)).unwrap();
    };
    for (name, kind) in [("proc", "proc"), ("dev", "tmpfs"), ("sys", "sysfs")] {
        let error = format!("125 mount {kind} at /{name}: the image has a symbolic link there");
        fails(name, &outside, &error);
        fails(name, std::path::Path::new("bin"), &error);
        let _ = std::fs::remove_dir_all(root.path.join("work"));
        for made in ["proc", "dev", "sys"] {
            let _ = std::fs::remove_dir(root.path.join(made));
        }
    }
    std::fs::write(root.path.join("proc"), "").unwrap();
    let error = run(&spec(b"PATH=/bin\0PROBE=exit\0"), &root).unwrap_err();
    assert_eq!(error, "125 mount proc at /proc: not a directory");
    std::fs::remove_file(root.path.join("proc")).unwrap();

    // A working directory behind a link is made inside, whatever the link says.
    std::fs::create_dir_all(root.path.join("real")).unwrap();
    std::os::unix::fs::symlink("../../../../real", root.path.join("work")).unwrap();
    let (status, said) = run(&spec(b"PATH=/bin\0PROBE=process\0"), &root).unwrap();
    assert!(status == 0 && said.contains("cwd /real/here\n"), "{said}");
    std::fs::remove_file(root.path.join("work")).unwrap();
    let target = outside.join("there");
    fails("work", &target, "125 make the working directory /work/here: no such file or directory");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
    std::fs::remove_dir_all(&outside).unwrap();
}

#[test]
fn the_init_between_reaps_and_has_no_privileges() {
    let Some(root) = Fixture::new("orphans") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=orphans\0STATUS=3\0");
    spec.init = true;
    // Without CAP_SYS_PTRACE, as by default.
    let started = std::time::Instant::now();
    let (status, said) = run(&spec, &root).unwrap();
    eprintln!("10,000 orphans: {:?}", started.elapsed());
    assert_eq!(status, 3);
    assert_eq!(
        said,
        "pid 2 exe Err(PermissionDenied)\nName: init\nUid: 0 0 0 0\nCapEff: 00000000a80425fb\n\
        CapBnd: 00000000a80425fb\nNoNewPrivs: 1\n"
            .replace("Uid: 0 0 0 0\n", "")
            .replace("NoNewPrivs: 1\n", "NoNewPrivs: 1\nUid: 0 0 0 0\n")
    );
}

#[test]
fn signals_reach_the_process_through_the_init() {
    let Some(root) = Fixture::new("signals") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=signal\0");
    // PID 1 without a handler gets no SIGTERM; its init's child does.
    for (init, number, expected) in [(true, signal::SIGTERM, 143), (true, 34, 162), (false, signal::SIGKILL, 137)] {
        spec.init = init;
        let (end, write_end) = fd::pipe().unwrap();
        let stdio = Stdio::Files([write_end.by_ref(); 3]);
        let running = start_with(&spec, &root, stdio).unwrap();
        drop(write_end);
        let mut end = file(end);
        while !read_some(&mut end).contains("ready") {}
        process::kill_pidfd(running.pidfd.by_ref(), number).unwrap();
        let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
        assert_eq!(ended.status(), expected);
    }
}

fn read_some(file: &mut std::fs::File) -> String {
    let mut buffer = [0; 4096];
    let count = file.read(&mut buffer).unwrap_or(0);
    assert!(count > 0, "the end came too early");
    String::from_utf8_lossy(&buffer[..count]).into_owned()
}

#[test]
fn a_terminal_is_the_containers_own() {
    let Some(root) = Fixture::new("terminal") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=terminal\0STATUS=5\0");
    spec.process.user.uid = 1000;
    for init in [false, true] {
        spec.init = init;
        let running = start_with(&spec, &root, Stdio::Terminal(Some((24, 80)))).unwrap();
        let mut master = file(running.terminal.unwrap());
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        // EIO: the last user of the terminal has gone.
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            said.push_str(core::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert!(said.contains("true /dev/pts/0 tty Ok(()) console Ok(()) pts 0 ptmx\r\n"), "{said}");
        let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
        assert_eq!(ended.status(), 5);
    }
}

#[test]
fn a_group_is_made_joined_and_removed() {
    let Some(root) = Fixture::new("cgroup") else { return };
    let open = |path| fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0).ok();
    let is_cgroup2 = |fd: &Fd| fs::statfs(fd.by_ref()).is_ok_and(|(magic, ..)| magic == 0x6367_7270);
    let hierarchy = [c"/sys/fs/cgroup", c"/sys/fs/cgroup/unified"].into_iter().filter_map(open).find(is_cgroup2);
    let Some(hierarchy) = hierarchy else { return eprintln!("skipped: needs cgroup2") };
    let name = CString::new(format!("ocinit-test-{}", std::process::id())).unwrap();
    let create = |resources| Cgroup::create(hierarchy.by_ref(), &name, &resources);
    let cgroup = create(Resources::default()).unwrap();
    assert_eq!(create(Resources::default()).map(drop).unwrap_err().errno(), Errno::EEXIST);
    let mut memory = Box::new(ContainerMemory::EMPTY);
    let mut spec = spec(b"PATH=/bin\0PROBE=process\0");
    let (end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([write_end.by_ref(); 3]);
    start(&spec, root.fd.by_ref(), stdio, Some(&cgroup), &mut memory).unwrap();
    drop(write_end);
    let mut said = String::new();
    file(end).read_to_string(&mut said).unwrap();
    assert!(said.contains("cgroup 0::/\n"), "{said}");
    // One that would run on is killed with its group.
    spec.process.env = Words::new(b"PATH=/bin\0PROBE=signal\0");
    let (_end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([write_end.by_ref(); 3]);
    let running = start(&spec, root.fd.by_ref(), stdio, Some(&cgroup), &mut memory).unwrap();
    let procs = |fd: FdRef<'_>| fs::open(fd, c"cgroup.procs", fs::O_RDONLY, 0).map(file);
    let mut members = String::new();
    procs(cgroup.directory()).unwrap().read_to_string(&mut members).unwrap();
    assert!(members.lines().any(|line| line == running.pid.to_string()), "{members:?}");
    cgroup.remove().unwrap();
    assert_eq!(fs::stat(hierarchy.by_ref(), &name).unwrap_err(), Errno::ENOENT);
    let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
    assert_eq!(ended.status(), 137);
    for bad in [c"", c"a/b", c"..", c"."] {
        assert!(Cgroup::create(hierarchy.by_ref(), bad, &Resources::default()).is_err());
    }
}

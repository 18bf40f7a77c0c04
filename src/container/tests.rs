//! Starts real containers, as root.

pub(super) mod fixture;

use super::*;
use crate::cgroup::{self, Cgroup};
use crate::io::strings::PackedStrings;
use crate::spec::{Capabilities, User, capability, defaults};
use crate::sys::clone::*;
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::fs;
use crate::sys::process::{self, Whom};

use crate::sys::signal;
use fixture::{Fixture, file, run, spec, start, start_with};
use std::ffi::CString;
use std::io::Read;

#[test]
fn a_process_is_what_the_spec_says() {
    let Some(root) = Fixture::new("process") else { return };
    let (status, said) = run(&spec(b"PATH=/none:/bin\0PROBE=process\0STATUS=7\0"), &root).unwrap();
    // Rust's own start code ignores SIGPIPE; fd 3 is the directory that lists the fds.
    assert_eq!(
        said,
        "Uid 0 0 0 0\nGid 0 0 0 0\nGroups \nCapInh 0000000000000000\nCapPrm 00000000a80425fb\n\
        CapEff 00000000a80425fb\nCapBnd 00000000a80425fb\nCapAmb 0000000000000000\nNoNewPrivs 1\n\
        SigBlk 0000000000000000\nSigIgn 0000000000001000\nUmask 0022\nTgid 1\n\
        session 1 cwd /work/here\noom 0\nhost box cgroup 0::/\nfds 0 1 2 3 net lo\nargs 6 env 4\nstderr Ok(())\n"
    );
    assert_eq!(status, 7);
}

#[test]
fn another_user_has_no_privileges_and_its_own_pipes() {
    let Some(root) = Fixture::new("user") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=process\0");
    spec.process.user = User { uid: 1000, gid: 1001, umask: Some(0o77), ..User::default() };
    spec.process.user.additional_gids.extend(&[1001, 29]).unwrap();
    spec.process.capabilities =
        Capabilities { bounding: capability::DEFAULT, ..Capabilities::default() };
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
    assert!(rest[7..].iter().all(protected), "{said}");
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
        "dev fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero\n\
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
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .unwrap();
    };
    write("bin/script", "#!/bin/nothing -x\n");
    write("bin/text", "hello");
    std::fs::write(root.path.join("bin/data"), "").unwrap();
    let cases: [(&'static [u8], &str); 7] = [
        (b"none\0", "127 exec: \"none\": executable file not found in $PATH"),
        (b"/bin/none\0", "127 exec: \"/bin/none\": stat /bin/none: no such file or directory"),
        (b"/bin/data\0", "126 exec: \"/bin/data\": permission denied"),
        (b"/bin\0", "126 exec: \"/bin\": is a directory: permission denied"),
        (b"text\0", "126 exec /bin/text: exec format error"),
        (
            b"script\0",
            "127 exec /bin/script: its interpreter /bin/nothing: no such file or directory",
        ),
        (b"\0", "127 exec: \"\": executable file not found in $PATH"),
    ];
    for (args, error) in cases {
        for init in [false, true] {
            let mut spec = spec(b"PATH=/none:/bin\0");
            spec.process.args = PackedStrings::new(args);
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
        let error = format!(
            "125 mount {kind} at /{name}: must be mounted on ordinary directory, and the image has a symbolic link there"
        );
        fails(name, &outside, &error);
        fails(name, std::path::Path::new("bin"), &error);
        let _ = std::fs::remove_dir_all(root.path.join("work"));
        for made in ["proc", "dev", "sys"] {
            let _ = std::fs::remove_dir(root.path.join(made));
        }
    }
    std::fs::write(root.path.join("proc"), "").unwrap();
    let error = run(&spec(b"PATH=/bin\0PROBE=exit\0"), &root).unwrap_err();
    assert_eq!(error, "125 mount proc at /proc: open its place: not a directory");
    std::fs::remove_file(root.path.join("proc")).unwrap();

    // A working directory behind a symlink is made inside the root.
    std::fs::create_dir_all(root.path.join("real")).unwrap();
    std::os::unix::fs::symlink("../../../../real", root.path.join("work")).unwrap();
    let (status, said) = run(&spec(b"PATH=/bin\0PROBE=process\0"), &root).unwrap();
    assert!(status == 0 && said.contains("cwd /real/here\n"), "{said}");
    std::fs::remove_file(root.path.join("work")).unwrap();
    // The target of a dangling symlink is made inside the root.
    std::os::unix::fs::symlink(outside.join("there"), root.path.join("work")).unwrap();
    let (status, said) = run(&spec(b"PATH=/bin\0PROBE=process\0"), &root).unwrap();
    let inside = format!("cwd {}/there/here\n", outside.display());
    assert!(status == 0 && said.contains(&inside), "{said}");
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
        CapBnd: 00000000a80425fb\nNoNewPrivs: 1\nSeccomp: 2\n"
            .replace("Uid: 0 0 0 0\n", "")
            .replace("Seccomp: 2\n", "Seccomp: 2\nUid: 0 0 0 0\n")
    );
}

#[test]
fn signals_reach_the_process_through_the_init() {
    let Some(root) = Fixture::new("signals") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=signal\0");
    // PID 1 without a handler gets no SIGTERM, but its init's child does.
    for (init, number, expected) in
        [(true, signal::SIGTERM, 143), (true, 34, 162), (false, signal::SIGKILL, 137)]
    {
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

fn read_some(file: &mut impl Read) -> String {
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
        // EIO: the last process has closed the terminal.
        while let Ok(count @ 1..) = master.read(&mut buffer) {
            said.push_str(core::str::from_utf8(&buffer[..count]).unwrap());
        }
        assert!(
            said.contains("true /dev/pts/0 tty Ok(()) console Ok(()) pts 0 ptmx\r\n"),
            "{said}"
        );
        let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
        assert_eq!(ended.status(), 5);
    }
}

#[test]
fn a_group_is_made_joined_and_removed() {
    // Before the root is opened, because that belongs to a mount namespace.
    if !cgroup::tests::own_hierarchy() {
        return;
    }
    let Some(root) = Fixture::new("cgroup") else { return };
    let name = CString::new(format!("ocinit-test-{}", std::process::id())).unwrap();
    let cgroup = Cgroup::create_for_machine(&name, &[]).unwrap();
    let mut memory = Box::new(ContainerMemory::EMPTY);
    let mut spec = spec(b"PATH=/bin\0PROBE=process\0");
    let (end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([write_end.by_ref(); 3]);
    start(&spec, root.fd.by_ref(), stdio, Some(cgroup.directory()), &mut memory).unwrap();
    drop(write_end);
    let mut said = String::new();
    file(end).read_to_string(&mut said).unwrap();
    assert!(said.contains("cgroup 0::/\n"), "{said}");
    // A process that would run on is killed with its cgroup.
    spec.process.env = PackedStrings::new(b"PATH=/bin\0PROBE=signal\0");
    let (_end, write_end) = fd::pipe().unwrap();
    let stdio = Stdio::Files([write_end.by_ref(); 3]);
    let running =
        start(&spec, root.fd.by_ref(), stdio, Some(cgroup.directory()), &mut memory).unwrap();
    let procs = |fd: FdRef<'_>| fs::open(fd, c"cgroup.procs", fs::O_RDONLY, 0).map(file);
    let mut members = String::new();
    procs(cgroup.directory()).unwrap().read_to_string(&mut members).unwrap();
    assert!(members.lines().any(|line| line == running.pid.to_string()), "{members:?}");
    cgroup.remove().unwrap();
    let (_, ended) = process::wait(Whom::Pidfd(running.pidfd.by_ref()), true).unwrap().unwrap();
    assert_eq!(ended.status(), 137);
}

#[test]
fn a_process_becomes_the_containers() {
    let Some(root) = Fixture::new("become") else { return };
    let mut spec = spec(b"PATH=/bin\0PROBE=mounts\0STATUS=4\0");
    // Without devtmpfs, because this machine has only one.
    spec.mounts = &defaults::MACHINE_MOUNTS[..2];
    (spec.devices, spec.namespaces, spec.hostname) = (&[], 0, None);
    (spec.masked_paths, spec.readonly_paths) = (PackedStrings::default(), PackedStrings::default());
    let path = CString::new(root.path.to_str().unwrap()).unwrap();
    let (end, write_end) = fd::pipe().unwrap();
    let mut memory = Box::new(ContainerMemory::EMPTY);
    let namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
    let Side::Parent(_, pidfd) = fork(namespaces, None).unwrap() else {
        let null = fs::open(CWD, c"/dev/null", fs::O_RDWR, 0).map_or(fd::STDIN, Fd::leak);
        let stdio = Stdio::Files([null, null, write_end.by_ref()]);
        // Opened here, because the fixture's fd belongs to another mount namespace.
        let error = match fs::open(CWD, &path, fs::O_PATH, 0) {
            Ok(root) => become_process(&spec, root.by_ref(), stdio, &mut memory),
            Err(_) => process::exit(1),
        };
        let text = crate::io::path::PathBuf::format(format_args!("{error}")).unwrap_or_default();
        let _ = fs::write(fd::STDERR, text.as_bytes());
        process::exit(error.status().into())
    };
    drop(write_end);
    let mut said = String::new();
    file(end).read_to_string(&mut said).unwrap();
    let (_, ended) = process::wait(Whom::Pidfd(pidfd.by_ref()), true).unwrap().unwrap();
    assert_eq!((ended.status(), said.lines().count()), (4, 3), "{said}");
    assert!(said.contains("/sys sysfs rw,"), "{said}");
}

#[test]
fn a_container_without_a_mount_namespace_may_not_mount() {
    let Some(root) = Fixture::new("no-mounts") else { return };
    let mut spec = spec(b"PATH=/bin\0");
    spec.namespaces = CLONE_NEWPID;
    assert_eq!(
        run(&spec, &root).unwrap_err(),
        "125 config.json: unable to restrict sys entries without a private MNT namespace"
    );
    (spec.masked_paths, spec.readonly_paths) = (PackedStrings::default(), PackedStrings::default());
    assert_eq!(
        run(&spec, &root).unwrap_err(),
        "125 config.json: mounts: need a mount namespace of the container's own"
    );
}

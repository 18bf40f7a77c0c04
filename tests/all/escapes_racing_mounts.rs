//! A second container exchanges directories and links (renameat2(2), `RENAME_EXCHANGE`) in the root
//! of the first one, while that gets its mounts, devices, masks and working directory. Nothing is
//! made or mounted outside.
//!
//! `make test-escapes` does it for longer.
//!
//! No row was red on older code: none of these races was ever open. So each was seen red on builds
//! that were weakened by hand, within the 25 turns of the short form:
//!
//! | build | red |
//! |---|---|
//! | `io::in_root::open` follows names like the host | mounts, devices, directory, user namespace |
//! | the same, masks before the pivot, a read-only path resolved twice | masked, read-only |
//! | chdir before the pivot, no look at what was entered | working directory, user namespace |
//! | `Guard` neither forbids links nor looks at places | procfs |

use std::ffi::CString;
use std::os::unix::fs::symlink;
use std::process::Command;

use crate::support::copy_program;
use crate::support::lab::{self, Lab, Runtime, mountinfo};

/// The program of the second container: this test's own binary, which is static.
#[test]
#[ignore = "runs inside the containers of the other tests"]
fn exchange_for_ever() {
    let name = |key: &str| CString::new(std::env::var(key).unwrap()).unwrap();
    let (one, other) = (name("ONE"), name("OTHER"));
    std::fs::write("/volume/ready", "ready\n").unwrap();
    loop {
        // SAFETY: both names end in NUL and live until the call returns.
        unsafe {
            libc::syscall(
                libc::SYS_renameat2,
                libc::AT_FDCWD,
                one.as_ptr(),
                libc::AT_FDCWD,
                other.as_ptr(),
                2,
            )
        };
    }
}

/// Returns the second container, which has the root of `lab` as its volume and exchanges two names
/// in it.
fn racer(lab: &Lab, one: &str, other: &str) -> Lab {
    let mut racer = Lab::new(Runtime::Ocinit);
    copy_program(std::env::current_exe().unwrap(), &racer.rootfs.join("tester"));
    racer.merge(&format!(
        r#"{{"mounts+": [{{"destination": "/volume", "type": "bind", "source": "{}", "options": ["bind"]}}],
            "process": {{"args": ["/tester", "--ignored", "--exact", "escapes_racing_mounts::exchange_for_ever"],
                "env": ["ONE=/volume/{one}", "OTHER=/volume/{other}"]}}}}"#,
        lab.rootfs.display()
    ));
    lab::launch(&racer);
    lab.wait_for_file("b/rootfs/ready");
    racer
}

#[track_caller]
fn host(lab: &Lab, command: &str) {
    let status = Command::new("/bin/sh").args(["-ec", &lab.fill(command)]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Runs a container while `race/place`, a directory, and `race/link`, a link to the host's
/// directory `outside`, are exchanged in its root all the time. `outside` is a shared mount: a
/// mount on it reaches the host if `rootfsPropagation` is `rshared`.
#[track_caller]
fn attack(patch: &str, link: (&str, &str)) {
    let (target, propagation) = link;
    let mut lab = Lab::new(Runtime::Ocinit);
    let outside = lab.dir.join("outside");
    std::fs::create_dir(&outside).unwrap();
    host(&lab, "mount -t tmpfs outside @DIR@/outside; mount --make-shared @DIR@/outside");
    std::fs::create_dir(outside.join("there")).unwrap();
    std::fs::write(outside.join("secret"), "SECRET\n").unwrap();
    std::fs::create_dir_all(lab.rootfs.join("race/place/there")).unwrap();
    std::fs::write(lab.rootfs.join("race/place/secret"), "inside\n").unwrap();
    symlink(lab.fill(target), lab.rootfs.join("race/link")).unwrap();
    lab.merge(patch).merge(&format!(r#"{{"linux": {{"rootfsPropagation": "{propagation}"}}}}"#));
    lab.script("cat /race/place/secret /race/link/secret secret ../secret 2>/dev/null; true");
    let racer = racer(&lab, "race/place", "race/link");
    let before = mountinfo();
    let (mut done, mut refused, mut last) = (0, 0, String::new());
    for _ in 0..lab::turns(25, 1500) {
        let said = lab.run();
        assert!(!said.out.contains("SECRET"), "{patch}: {said:?}");
        assert!(said.status == 0 || !said.err.is_empty(), "{patch}: {said:?}");
        if said.status != 0 {
            last.clone_from(&said.err);
        }
        *(if said.status == 0 { &mut done } else { &mut refused }) += 1;
        assert_eq!(mountinfo(), before, "{patch}");
        let mut made: Vec<_> = std::fs::read_dir(&outside)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        made.sort();
        assert_eq!(made, ["secret", "there"], "{patch}: made outside of the root");
        assert_eq!(
            std::fs::read_dir(outside.join("there")).unwrap().count(),
            0,
            "{patch}: made outside of the root"
        );
        assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "SECRET\n");
        if said.status != 0 {
            let _ = lab.call(&["delete", "--force", "@ID@"]);
        }
    }
    eprintln!("{patch}: {done} ran, {refused} were refused ({last})");
    assert_eq!(racer.status(), "running");
    drop(racer);
    host(&lab, "umount @DIR@/outside");
}

/// Upwards from `race`, and absolute: both lead to the host unless they are resolved in the root.
/// The second word is `rootfsPropagation`.
const LINKS: [(&str, &str); 2] = [("../../../outside", "rslave"), ("@DIR@/outside", "rshared")];

#[test]
fn mounts_are_made_in_the_root() {
    lab::enter();
    for link in LINKS {
        attack(
            r#"{"mounts+": [{"destination": "/race/place/a/b", "type": "tmpfs", "source": "t"},
                {"destination": "/race/place/there", "type": "tmpfs", "source": "t", "options": ["tmpcopyup"]},
                {"destination": "/race/place/secret", "type": "bind", "source": "/etc/hostname", "options": ["bind", "ro"]},
                {"destination": "/race/place/c/file", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}]}"#,
            link,
        );
    }
}

#[test]
fn devices_are_made_in_the_root() {
    lab::enter();
    for link in LINKS {
        attack(
            r#"{"linux": {"devices": [{"path": "/race/place/fuse", "type": "c", "major": 10, "minor": 229},
                {"path": "/race/place/there/fifo", "type": "p"},
                {"path": "/race/place/new/null", "type": "c", "major": 1, "minor": 3}]}}"#,
            link,
        );
    }
}

#[test]
fn masked_and_read_only_paths_are_those_of_the_root() {
    lab::enter();
    for link in LINKS {
        attack(
            r#"{"linux": {"readonlyPaths": ["/race/place", "/race/link", "/race/place/there"]}}"#,
            link,
        );
        attack(
            r#"{"linux": {"maskedPaths": ["/race/place/secret", "/race/link/secret", "/race/place/there", "/race/link/there"]}}"#,
            link,
        );
    }
}

#[test]
fn the_working_directory_is_in_the_root() {
    lab::enter();
    for link in LINKS {
        attack(r#"{"process": {"cwd": "/race/place/there/new"}}"#, link);
        attack(r#"{"process": {"cwd": "/race/link/there"}}"#, link);
    }
}

/// The same with everything at once, in a user namespace.
#[test]
fn a_user_namespace_is_no_weaker() {
    lab::enter();
    for link in LINKS {
        attack(
            r#"{"mounts+": [{"destination": "/race/place/there", "type": "tmpfs", "source": "t"},
                {"destination": "/race/place/new", "type": "tmpfs", "source": "t"}],
                "process": {"cwd": "/race/place"},
                "linux": {"namespaces+": [{"type": "user"}],
                    "uidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}],
                    "gidMappings": [{"containerID": 0, "hostID": 0, "size": 65536}],
                    "maskedPaths": ["/race/place/secret"], "readonlyPaths": ["/race/place"]}}"#,
            link,
        );
    }
}

/// /proc itself is exchanged for the image's link and directory: the container gets a procfs or
/// does not start.
#[test]
fn proc_is_a_procfs_or_nothing() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    std::fs::create_dir_all(lab.rootfs.join("fake/self/attr")).unwrap();
    symlink("fake", lab.rootfs.join("proc2")).unwrap();
    lab.merge(r#"{"linux": {"maskedPaths": ["/proc/keys"], "readonlyPaths": ["/proc/sys"]}}"#);
    // /proc may be the link by now: it is tried again.
    lab.script(
        "n=0; until grep ' - proc proc ' /proc/self/mountinfo 2>/dev/null; do n=$((n+1)); [ $n -lt 500 ] || break; done | cut -d' ' -f5; \
         ( : >>/proc/sys/kernel/domainname ) 2>/dev/null && echo WRITABLE; true",
    );
    let racer = racer(&lab, "proc", "proc2");
    let before = mountinfo();
    let (mut done, mut refused) = (0, 0);
    for _ in 0..lab::turns(25, 1500) {
        let said = lab.run();
        // One procfs, on the directory whatever its name is now, and /proc/sys in it; or the
        // runtime says why not.
        let is_refused = said.status == 1 && said.out.is_empty() && !said.err.is_empty();
        let mut places: Vec<_> =
            said.out.lines().map(|line| line.replace("/proc2", "/proc")).collect();
        places.sort();
        assert!(is_refused || said.status == 0 && places == ["/proc", "/proc/sys"], "{said:?}");
        *(if is_refused { &mut refused } else { &mut done }) += 1;
        assert_eq!(mountinfo(), before);
        if said.status != 0 {
            let _ = lab.call(&["delete", "--force", "@ID@"]);
        }
    }
    eprintln!("proc: {done} ran, {refused} were refused");
    assert_eq!(racer.status(), "running");
}

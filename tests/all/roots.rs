//! Until the pivot the container's root is mounted at `root.path` in its mount namespace. Hooks,
//! like nvidia's and SPDK's, find it there, and execute the host's programs.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::lab::{self, Lab, Runtime, Said, host, mountinfo};

fn lab() -> Lab {
    lab::enter();
    Lab::new(Runtime::Ocinit)
}

/// As nvidia does: in the container's mount namespace (by `nsenter`, or a createContainer hook) it
/// mounts below ROOTFS; a hook of the host writes a file. All append their view to `seen`.
const HOOK: &str = r#"#!/bin/bash
exec 2>>@DIR@/seen
pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
below='test -e @ROOTFS@/proc/version && echo "'$1' sees proc" >>@DIR@/seen
    mount -t tmpfs hook @ROOTFS@/from-'$1' && echo '$1' >@ROOTFS@/from-'$1'/said'
case $1 in
prestart) echo cache >@ROOTFS@/ld.so.cache; nsenter -t $pid -m /bin/sh -c "$below" ;;
createRuntime) nsenter -t $pid -m /bin/sh -c "$below" ;;
createContainer) /bin/sh -c "$below"; pwd | sed 's/^/in /' >>@DIR@/seen ;;
esac
"#;

const HOOKS: &str = r#"{
    "process": {"args": ["/bin/cat", "/from-prestart/said", "/from-createRuntime/said",
        "/from-createContainer/said", "/ld.so.cache"]},
    "hooks": {
        "prestart": [{"path": "@DIR@/hook", "args": ["hook", "prestart"], "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}],
        "createRuntime": [{"path": "@DIR@/hook", "args": ["hook", "createRuntime"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}],
        "createContainer": [{"path": "@DIR@/hook", "args": ["hook", "createContainer"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]
    }}"#;

/// Root of the container is an ordinary user of the host.
const USERS: &str = r#"{"linux": {"namespaces+": [{"type": "user"}],
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}"#;

/// Writes the hooks, and an image whose programs report it if hooks execute them.
fn with_hooks(lab: &mut Lab) {
    let hook = lab.dir.join("hook");
    std::fs::write(&hook, lab.fill(HOOK)).unwrap();
    std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
    for place in ["from-prestart", "from-createRuntime", "from-createContainer", "a", "b"] {
        std::fs::create_dir_all(lab.rootfs.join(place)).unwrap();
    }
    for program in ["mount", "sh", "bash", "test"] {
        let path = lab.rootfs.join("bin").join(program);
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, "#!/bin/busybox sh\necho EXECUTED >>/executed\n").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o777)).unwrap();
    }
    lab.merge(HOOKS);
}

#[track_caller]
fn sees_all(lab: &Lab, said: &Said) {
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{}{}", said.out, lab.file("seen"));
    assert_eq!(
        said.out,
        "prestart\ncreateRuntime\ncreateContainer\ncache\n",
        "{}",
        lab.file("seen")
    );
    let rootfs = lab.rootfs.display();
    let seen = format!(
        "prestart sees proc\ncreateRuntime sees proc\ncreateContainer sees proc\nin {rootfs}\n"
    );
    assert_eq!(lab.file("seen"), seen);
    assert!(!lab.rootfs.join("executed").exists(), "a program of the image was executed");
    // The host has none of these mounts.
    assert_eq!(std::fs::read_dir(lab.rootfs.join("from-createRuntime")).unwrap().count(), 0);
}

/// Runs it, and compares the host's mounts before, during its wait, and after.
#[track_caller]
fn runs_with_hooks(lab: &Lab, options: &[&str]) {
    let before = mountinfo();
    std::fs::write(lab.dir.join("seen"), "").unwrap();
    std::fs::set_permissions(lab.dir.join("seen"), PermissionsExt::from_mode(0o666)).unwrap();
    let words = [&["run"], options, &["--bundle", "@BUNDLE@", "@ID@"]].concat();
    sees_all(lab, &lab.call(&words));
    assert_eq!(mountinfo(), before);
    let words = [&["create"], options, &["--bundle", "@BUNDLE@", "@ID@"]].concat();
    lab::done(&lab.call(&words));
    assert_eq!(mountinfo(), before);
    lab::done(&lab.call(&["delete", "--force", "@ID@"]));
    assert_eq!(mountinfo(), before);
}

/// Without the fix nsenter executes the image's program as the host's root, and mounts are lost.
#[test]
fn hooks_mount_below_the_root_and_execute_the_hosts_programs() {
    let mut lab = lab();
    with_hooks(&mut lab);
    runs_with_hooks(&lab, &[]);
    runs_with_hooks(&lab, &["--no-pivot"]);
}

#[test]
fn hooks_do_so_in_a_user_namespace() {
    let mut lab = lab();
    with_hooks(&mut lab);
    lab.merge(USERS);
    runs_with_hooks(&lab, &[]);
    runs_with_hooks(&lab, &["--no-pivot"]);
}

/// Root of the container may not walk to its root directory or its bundle; a bind's source is
/// relative.
#[test]
fn the_root_may_lie_below_closed_directories() {
    let mut lab = lab();
    with_hooks(&mut lab);
    std::fs::write(lab.bundle.join("file"), "relative\n").unwrap();
    std::fs::write(lab.rootfs.join("rel"), "").unwrap();
    lab.merge(r#"{"mounts+": [{"destination": "/rel", "type": "bind", "source": "file", "options": ["bind"]}]}"#);
    lab.merge(USERS);
    for (mode, options) in [(0o700, &[][..]), (0o700, &["--no-pivot"][..]), (0o755, &[][..])] {
        std::fs::set_permissions(&lab.dir, PermissionsExt::from_mode(mode)).unwrap();
        std::fs::set_permissions(&lab.bundle, PermissionsExt::from_mode(mode)).unwrap();
        // The hook itself is one of the directories' files, and not root's of the namespace.
        let before = mountinfo();
        lab.merge(r#"{"hooks": {"createContainer": []}, "process": {"args": ["/bin/cat", "/from-createRuntime/said", "/rel"]}}"#);
        let words = [&["run"], options, &["--bundle", "@BUNDLE@", "@ID@"]].concat();
        let said = lab.call(&words);
        assert_eq!(
            (said.status, said.out.as_str()),
            (0, "createRuntime\nrelative\n"),
            "{said:?}{}",
            lab.file("seen")
        );
        assert_eq!(mountinfo(), before);
    }
}

/// Makes a mount that shares with its copies, and moves the root directory there.
fn move_to_shared_mount(lab: &mut Lab, as_mount_point: bool) -> PathBuf {
    let place = lab.dir.join("shared");
    std::fs::create_dir(&place).unwrap();
    let (place_text, rootfs) = (place.display(), lab.rootfs.display());
    if as_mount_point {
        host(&format!("mount --bind {rootfs} {place_text}; mount --make-shared {place_text}"));
        lab.rootfs = place.clone();
    } else {
        host(&format!(
            "mount -t tmpfs shared {place_text}; mount --make-shared {place_text}; cp -a {rootfs} {place_text}/"
        ));
        lab.rootfs = place.join("rootfs");
    }
    lab.merge(r#"{"root": {"path": "@ROOTFS@"}}"#);
    place
}

fn leave_shared_mount(place: &Path) {
    host(&format!("umount {}", place.display()));
}

/// A shared mount propagates mounts. If it is not made private, the host gets the container's
/// mounts and pivot_root fails.
#[test]
fn nothing_reaches_the_host_by_a_shared_mount_that_holds_the_root() {
    lab::enter();
    for as_mount_point in [false, true] {
        for propagation in [
            "",
            "private",
            "rprivate",
            "slave",
            "rslave",
            "shared",
            "rshared",
            "unbindable",
            "runbindable",
        ] {
            for users in [false, true] {
                let mut lab = Lab::new(Runtime::Ocinit);
                let place = move_to_shared_mount(&mut lab, as_mount_point);
                with_hooks(&mut lab);
                if !propagation.is_empty() {
                    lab.merge(&format!(r#"{{"linux": {{"rootfsPropagation": "{propagation}"}}}}"#));
                }
                if users {
                    lab.merge(USERS);
                }
                // No copy of such a mount can be attached below it.
                let options: &[&[&str]] = &[&[], &["--no-pivot"]];
                for options in options {
                    runs_with_hooks(&lab, options);
                }
                leave_shared_mount(&place);
            }
        }
    }
}

//! A bind's source is resolved in the container's mount namespace, as in runc. It may be an earlier
//! mount of the config, have mapped owners, or lie beneath directories that root of the user
//! namespace cannot search.

use crate::support::lab::{self, Lab, Runtime};

fn lab() -> Lab {
    Lab::new(Runtime::Ocinit)
}

fn host(command: &str) {
    let status = std::process::Command::new("/bin/sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

const USERS: &str = r#"{"linux": {"namespaces+": [{"type": "user"}],
    "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]}}"#;
const TIME: &str = r#"{"linux": {"namespaces+": [{"type": "time"}]}}"#;
const MAPPED: &str = r#", "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
    "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}]"#;

/// A user namespace's root can make places in the root directory.
fn give_root(lab: &Lab) {
    host(&lab.fill("chown 100000:100000 @ROOTFS@ @ROOTFS@/mnt; chmod 755 @DIR@"));
}

fn bind(source: &str, place: &str, options: &str, rest: &str) -> String {
    format!(
        r#"{{"destination": "{place}", "type": "bind", "source": "{source}", "options": [{options}]{rest}}}"#
    )
}

/// runc's "mount order": a tree of binds, parts of which are bound again, all of it in the end.
fn tree(lab: &mut Lab, options: &str, rest: &str) {
    host(&lab.fill(
        "cd @DIR@; mkdir -p src/a/x src/b/y src/c/z @ROOTFS@/mnt @ROOTFS@/final; echo a >src/a/x/file; echo b >src/b/y/file; \
         echo c >src/c/z/file; ln -s a src/sym-a; ln -s b src/sym-b; chmod o-rwx src",
    ));
    let plain = "\"bind\"";
    let mounts = [
        bind("@DIR@/src/a", "/mnt", plain, ""),
        bind("@DIR@/src/sym-b", "/mnt/x", plain, ""),
        bind("@DIR@/src/c", "/mnt/x/y", plain, ""),
        bind("@DIR@/src/sym-a", "/mnt/x/y/z", plain, ""),
        bind("@ROOTFS@/mnt/x", "@ROOTFS@/mnt/x/y/z/x", options, rest),
        bind("@ROOTFS@/mnt/x/y", "@ROOTFS@/mnt/x/y/z", options, rest),
        bind("@ROOTFS@/mnt", "@ROOTFS@/final", options, rest),
    ];
    lab.merge(&format!(r#"{{"mounts+": [{}]}}"#, mounts.join(",")));
    lab.script("cat /final/x/y/z/z/x/y/z/x/file; grep -c idmapped /proc/self/mountinfo");
}

/// Without the fix a source with mapped owners is opened on the host, where there is no such
/// directory.
#[test]
fn a_source_may_be_a_mount_of_the_container() {
    lab::enter();
    let other = lab::running(Runtime::Ocinit);
    let pid = other.state().at("pid").show();
    // Another process than the container's sets it up there.
    let joined = format!(
        r#"{{"linux": {{"namespaces": [{{"type": "pid", "path": "/proc/{pid}/ns/pid"}}, {{"type": "ipc"}}, {{"type": "mount"}}]}},
            "hostname": null}}"#
    );
    for (users, more) in [("{}", "{}"), ("{}", TIME), (USERS, "{}"), (USERS, TIME), ("{}", &joined)]
    {
        for (options, rest, mapped) in
            [("\"rbind\"", "", "0\n"), ("\"rbind\", \"idmap\"", MAPPED, "3\n")]
        {
            let mut lab = lab();
            give_root(&lab);
            tree(&mut lab, options, rest);
            lab.merge(users).merge(more);
            let said = lab.run();
            assert_eq!(said.err, "", "{users} {more} {options}");
            let (first, count) = said.out.split_once('\n').unwrap();
            assert_eq!(first, "a", "{users} {more} {options}");
            // Copies of copies are mapped, too: more than the three.
            assert_eq!(count == "0\n", mapped == "0\n", "{users} {more} {options}");
        }
    }
}

/// Where the container's root lies below a closed directory, the mount is bound, and not what it
/// hides. Without the fix the host's directory is bound, in silence.
#[test]
fn a_mount_is_bound_below_closed_directories() {
    lab::enter();
    for (options, rest) in [("\"bind\"", ""), ("\"rbind\", \"ridmap\"", MAPPED)] {
        for (first, second) in [("@DIR@/src", "@ROOTFS@/mnt/sub"), ("../src", "rootfs/mnt/sub")] {
            let mut lab = lab();
            give_root(&lab);
            host(&lab.fill(
                "mkdir -p @DIR@/src/sub @ROOTFS@/mnt/sub @ROOTFS@/again; echo mounted >@DIR@/src/sub/file; \
                 echo hidden >@ROOTFS@/mnt/sub/file; chmod 700 @DIR@",
            ));
            lab.merge(USERS);
            let mounts =
                [bind(first, "/mnt", "\"bind\"", ""), bind(second, "/again", options, rest)]
                    .join(",");
            lab.merge(&format!(
                r#"{{"mounts+": [{mounts}], "process": {{"args": ["/bin/cat", "/again/file"]}}}}"#
            ));
            let said = lab.run();
            assert_eq!(
                (said.out.as_str(), said.err.as_str()),
                ("mounted\n", ""),
                "{options} {second}"
            );
        }
    }
}

/// Without the fix the layer is the directory that the mount hides.
#[test]
fn a_layer_of_an_overlay_may_be_a_mount_of_the_container() {
    lab::enter();
    let mut lab = lab();
    give_root(&lab);
    host(&lab.fill(
        "mkdir -p @DIR@/src @ROOTFS@/ov @DIR@/up; echo mounted >@DIR@/src/file; echo hidden >@ROOTFS@/mnt/file; \
         mount -t tmpfs t @DIR@/up; mkdir @DIR@/up/up @DIR@/up/work; chown 100000:100000 @DIR@/up/up @DIR@/up/work; chmod 700 @DIR@",
    ));
    lab.merge(USERS);
    let overlay = r#"{"destination": "/ov", "type": "overlay", "source": "overlay",
        "options": ["lowerdir=@ROOTFS@/mnt", "upperdir=@DIR@/up/up", "workdir=@DIR@/up/work"]}"#;
    let mounts =
        format!(r#"{{"mounts+": [{}, {overlay}]}}"#, bind("@DIR@/src", "/mnt", "\"bind\"", ""));
    lab.merge(&mounts).script("cat /ov/file; echo new >/ov/new");
    let said = lab.run();
    let new = lab.file("up/up/new");
    host(&lab.fill("umount @DIR@/up"));
    assert_eq!((said.out.as_str(), said.err.as_str(), new.as_str()), ("mounted\n", "", "new\n"));
}

/// What the kernel does not copy in the container's namespace, as mounts on it are locked there,
/// comes from the host's.
#[test]
fn a_directory_with_mounts_on_it_is_bound_alone() {
    lab::enter();
    for (options, rest) in [("\"bind\"", ""), ("\"bind\", \"idmap\"", MAPPED)] {
        let mut lab = lab();
        give_root(&lab);
        host(&lab.fill("mkdir -p @DIR@/src/sub; echo file >@DIR@/src/file; echo below >@DIR@/src/sub/file; mount -t tmpfs t @DIR@/src/sub"));
        lab.merge(USERS);
        lab.merge(&format!(r#"{{"mounts+": [{}]}}"#, bind("@DIR@/src", "/mnt", options, rest)));
        lab.script("cat /mnt/file /mnt/sub/file");
        let said = lab.run();
        host(&lab.fill("umount @DIR@/src/sub"));
        assert_eq!((said.out.as_str(), said.err.as_str()), ("file\nbelow\n", ""), "{options}");
    }
}

#[test]
fn a_source_that_is_missing_is_named_and_nothing_stays() {
    lab::enter();
    for (users, rest) in [("{}", MAPPED), (USERS, MAPPED), (USERS, "")] {
        let mut lab = lab();
        give_root(&lab);
        lab.merge(users);
        lab.merge(&format!(r#"{{"mounts+": [{}]}}"#, bind("@DIR@/none", "/mnt", "\"bind\"", rest)));
        lab::refused(
            &lab,
            &lab.run(),
            "mount bind at /mnt: open @DIR@/none: no such file or directory",
        );
        assert_eq!(lab.leftovers(), "");
    }
}

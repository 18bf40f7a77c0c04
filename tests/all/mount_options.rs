//! Mounts beside runc's: options as clients write them, long ones, binds of restricted sources, and
//! destinations given twice.

use crate::support::lab::{self, Lab, Runtime, Said, mountinfo};

fn lab() -> Lab {
    lab::enter();
    Lab::new(Runtime::Ocinit)
}

fn host(command: &str) {
    let status = std::process::Command::new("/bin/sh").args(["-ec", command]).status().unwrap();
    assert!(status.success(), "{command}");
}

/// Root of the container is another user of the host, or the same.
fn users(first: u32) -> String {
    format!(
        r#"{{"linux": {{"namespaces+": [{{"type": "user"}}],
            "uidMappings": [{{"containerID": 0, "hostID": {first}, "size": 65536}}],
            "gidMappings": [{{"containerID": 0, "hostID": {first}, "size": 65536}}]}}}}"#
    )
}

/// Returns the options of the mount at this place, as the container sees them.
fn options_of(said: &Said, place: &str) -> String {
    let line = said.out.lines().find(|line| line.split(' ').nth(4) == Some(place));
    let fields: Vec<_> = line.unwrap_or_else(|| panic!("{place}: {said:?}")).split(' ').collect();
    fields[5].replace(",relatime", "")
}

/// Without the fix an empty option, and several in one string, count as unknown options.
#[test]
fn options_may_be_empty_or_several_in_one_string() {
    let mut lab = lab();
    lab.merge(
        r#"{"mounts+": [
            {"destination": "/run", "type": "tmpfs", "source": "tmpfs",
             "options": ["rw", "rprivate", "nosuid", "nodev", "tmpcopyup", ""]},
            {"destination": "/x", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "size=64k,mode=700,ro"]},
            {"destination": "/y", "type": "bind", "source": "/mnt", "options": ["", "bind,nodev", "noexec,ro"]}
        ], "process": {"args": ["/bin/cat", "/proc/self/mountinfo"]}}"#,
    );
    let said = lab.run();
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    assert_eq!(options_of(&said, "/run"), "rw,nosuid,nodev");
    assert_eq!(options_of(&said, "/x"), "ro,nosuid");
    assert_eq!(options_of(&said, "/y"), "ro,nodev,noexec");
    assert!(said.out.contains(" rw,size=64k,mode=700"), "{}", said.out);
}

fn overlay(lab: &mut Lab, lower: &str) {
    host(
        &lab.fill("mkdir -p @DIR@/ov; mount -t tmpfs t @DIR@/ov; mkdir @DIR@/ov/up @DIR@/ov/work"),
    );
    lab.merge(&format!(
        r#"{{"mounts+": [{{"destination": "/ov", "type": "overlay", "source": "overlay",
            "options": ["lowerdir={lower}", "upperdir=@DIR@/ov/up", "workdir=@DIR@/ov/work", "nodev"]}}]}}"#
    ));
    lab.script(
        "cat /ov/f /ov/last; echo new >/ov/n; grep ' /ov ' /proc/self/mountinfo | cut -d' ' -f6; \
         grep -c ' /ov' /proc/self/mountinfo",
    );
}

fn overlay_is_there(lab: &Lab) {
    let said = lab.run();
    assert_eq!(
        (said.status, said.err.as_str(), said.out.as_str()),
        (0, "", "lower\nlast\nrw,nodev,relatime\n1\n")
    );
    assert_eq!(lab.file("ov/up/n"), "new\n");
    host(&lab.fill("umount @DIR@/ov"));
}

/// fsconfig(2) takes values of 255 bytes. Without the fix a longer one is an invalid argument.
#[test]
fn options_may_be_longer_than_fsconfig_takes_them() {
    let mut lab = lab();
    let long = format!("{}/{}", "a".repeat(150), "b".repeat(150));
    let lower = lab.dir.join(long);
    std::fs::create_dir_all(&lower).unwrap();
    std::fs::write(lower.join("f"), "lower\n").unwrap();
    std::fs::write(lower.join("last"), "last\n").unwrap();
    overlay(&mut lab, lower.to_str().unwrap());
    overlay_is_there(&lab);
}

fn takes_layers_one_by_one() -> bool {
    let version = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

/// mount(2) takes a page. More layers are passed one by one from Linux 6.8 on, and an error names
/// the limit.
#[test]
fn layers_may_be_more_than_mount_takes_at_once() {
    let mut lab = lab();
    let layers: Vec<_> = (0..40).map(|n| lab.dir.join(format!("{n:0150}"))).collect();
    for layer in &layers {
        std::fs::create_dir(layer).unwrap();
    }
    std::fs::write(layers[0].join("f"), "lower\n").unwrap();
    std::fs::write(layers[39].join("last"), "last\n").unwrap();
    let lower: Vec<_> = layers.iter().map(|layer| layer.to_str().unwrap()).collect();
    overlay(&mut lab, &lower.join(":"));
    if takes_layers_one_by_one() {
        overlay_is_there(&lab);
    }
    lab.merge(&format!(
        r#"{{"mounts": [{{"destination": "/x", "type": "tmpfs", "source": "t", "options": ["{}"]}}]}}"#,
        vec!["size=64k"; 600].join("\",\"")
    ));
    lab.merge(&format!(
        r#"{{"mounts": [{{"destination": "/x", "type": "tmpfs", "source": "t", "options": ["x={}"]}}]}}"#,
        "y".repeat(5000)
    ));
    lab::refused(
        &lab,
        &lab.run(),
        "mount tmpfs at /x: options: more than 4095 bytes, which is all that mount(2) takes",
    );
    let _ = std::process::Command::new("umount").arg(lab.dir.join("ov")).status();
}

/// Root of the container may not walk to the directories. Without the fix: permission denied, for
/// long names and for more layers than mount(2) takes, too.
#[test]
fn an_overlay_is_made_for_a_user_namespace() {
    lab::enter();
    let long = format!("{}/{}", "a".repeat(150), "b".repeat(150));
    let many: Vec<_> = (0..40).map(|n| format!("@DIR@/closed/{n:0150}")).collect();
    let rows = ["@DIR@/closed/lower".into(), format!("@DIR@/closed/{long}"), many.join(":")];
    for lower in &rows[..if takes_layers_one_by_one() { 3 } else { 2 }] {
        let mut lab = Lab::new(Runtime::Ocinit);
        for (n, layer) in lower.split(':').enumerate() {
            let layer = lab.fill(layer);
            std::fs::create_dir_all(&layer).unwrap();
            if n == 0 {
                std::fs::write(format!("{layer}/f"), "lower\n").unwrap();
                std::fs::write(format!("{layer}/last"), "last\n").unwrap();
            }
        }
        overlay(&mut lab, lower);
        lab.merge(&users(100_000));
        for place in ["ov", "proc"] {
            std::fs::create_dir_all(lab.rootfs.join(place)).unwrap();
        }
        host(&lab.fill(
            "chmod 700 @DIR@/closed @DIR@/ov; chown 100000:100000 @DIR@/ov/up @DIR@/ov/work; rm -rf @DIR@/ov/work/*",
        ));
        overlay_is_there(&lab);
    }
}

/// Without the fix the source's attributes stay, named or not.
#[test]
fn a_binds_options_are_all_that_it_has() {
    let mut lab = lab();
    host(&lab.fill("mkdir @DIR@/src; mount -t tmpfs -o ro,nosuid,noexec,noatime t @DIR@/src"));
    let rows = [
        (r#""bind", "nodev""#, "rw,nodev,noatime"),
        (r#""bind""#, "ro,nosuid,noexec,noatime"),
        (r#""bind", "rw""#, "rw,noatime"),
        (r#""rbind", "rprivate""#, "ro,nosuid,noexec,noatime"),
        (r#""bind", "ro", "strictatime""#, "ro"),
        (r#""bind", "relatime""#, "rw"),
    ];
    for (options, expected) in rows {
        lab.merge(&format!(
            r#"{{"mounts": [{{"destination": "/proc", "type": "proc", "source": "proc"}},
                {{"destination": "/b", "type": "bind", "source": "@DIR@/src", "options": [{options}]}}],
                "process": {{"args": ["/bin/cat", "/proc/self/mountinfo"]}}}}"#
        ));
        assert_eq!(options_of(&lab.run(), "/b"), expected, "{options}");
    }
    host(&lab.fill("umount @DIR@/src"));
}

/// For root of a user namespace the host's restrictions stay: if unnamed they are kept, and options
/// against them are refused. Without the fix of its last call a source below a directory that only
/// the host may search lost them: `rw` made it writable.
#[test]
fn what_is_locked_in_a_user_namespace_stays() {
    lab::enter();
    what_is_locked_stays(0, "755");
    what_is_locked_stays(100_000, "700");
}

#[track_caller]
fn what_is_locked_stays(first: u32, mode: &str) {
    let mut lab = Lab::new(Runtime::Ocinit);
    std::fs::create_dir(lab.rootfs.join("b")).unwrap();
    host(&lab.fill(&format!(
        "mkdir -p @DIR@/way/src; chmod 755 @DIR@; chmod {mode} @DIR@/way; chown {first}:{first} @ROOTFS@ @ROOTFS@/dev; \
         mount -t tmpfs t @DIR@/way/src; mount -o remount,bind,ro,nosuid,nodev @DIR@/way/src"
    )));
    lab.merge(&users(first));
    let config = |options: &str| {
        format!(
            r#"{{"mounts": [{{"destination": "/proc", "type": "proc", "source": "proc"}},
                {{"destination": "/b", "type": "bind", "source": "@DIR@/way/src", "options": [{options}]}}],
                "process": {{"args": ["/bin/cat", "/proc/self/mountinfo"]}}}}"#
        )
    };
    for (options, expected) in
        [("\"bind\"", "ro,nosuid,nodev"), ("\"bind\", \"noexec\"", "ro,nosuid,nodev,noexec")]
    {
        lab.merge(&config(options));
        assert_eq!(options_of(&lab.run(), "/b"), expected, "{options}");
    }
    for options in ["\"bind\", \"rw\"", "\"bind\", \"noexec\", \"suid\"", "\"rbind\", \"rrw\""] {
        lab.merge(&config(options));
        lab::refused(
            &lab,
            &lab.run(),
            "mount bind at /b: change its attributes: operation not permitted",
        );
    }
    host(&lab.fill("umount @DIR@/way/src"));
}

/// A kernel that runs without SELinux does not know the option. Without the fix: invalid argument.
#[test]
fn a_mount_label_without_selinux_is_none() {
    if std::path::Path::new("/sys/fs/selinux").exists() {
        return eprintln!("skipped: SELinux");
    }
    let mut lab = lab();
    lab.merge(r#"{"linux": {"mountLabel": "system_u:object_r:container_file_t:s0:c1,c2"}}"#);
    lab::done(&lab.run());
}

/// Without the fix a slash at the end makes the path invalid, and each name makes another mount.
#[test]
fn paths_may_end_in_a_slash_and_be_named_twice() {
    let mut lab = lab();
    lab.merge(
        r#"{"linux": {"devices": [{"path": "/dev/fuse//", "type": "c", "major": 10, "minor": 229, "fileMode": 438}],
            "maskedPaths": ["/proc/keys", "/proc/acpi", "/proc/scsi", "/proc//keys", "/proc/scsi", "/proc/scsi/"],
            "readonlyPaths": ["/proc/bus", "/proc/sys", "/proc/sys"]}}"#,
    );
    lab.script(
        "test -c /dev/fuse && echo fuse; grep -c /proc/keys /proc/self/mountinfo; \
        grep -c ' /proc/scsi' /proc/self/mountinfo; \
        grep -c ' /proc/sys ' /proc/self/mountinfo",
    );
    let said = lab.run();
    let scsi = if std::path::Path::new("/proc/scsi").exists() { 1 } else { 0 };
    let keys = if std::path::Path::new("/proc/keys").exists() { 1 } else { 0 };
    assert_eq!(said.out, format!("fuse\n{keys}\n{scsi}\n1\n"), "{said:?}");
}

/// Without a mount namespace the caller's mounts are the container's, and none of them changes.
#[test]
fn without_a_mount_namespace_the_root_is_entered_by_chroot() {
    let mut lab = lab();
    let before = mountinfo();
    lab.merge(r#"{"mounts": [], "hostname": null, "linux": {"namespaces": [{"type": "pid"}]}, "process": {"cwd": "/new/dir"}}"#);
    lab.script("pwd; ls -d /bin /b 2>/dev/null; echo x >/here");
    let said = lab.run();
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "/new/dir\n/bin\n", ""));
    assert_eq!(lab.file("b/rootfs/here"), "x\n");
    let refusals = [
        (
            r#"{"linux": {"maskedPaths": ["/proc/kcore"]}}"#,
            "unable to restrict sys entries without a private MNT namespace",
        ),
        (
            r#"{"linux": {"maskedPaths": null, "readonlyPaths": ["/proc/sys"]}}"#,
            "unable to restrict sys entries",
        ),
        (
            r#"{"linux": {"readonlyPaths": null}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}"#,
            "config.json: mounts: need a mount namespace",
        ),
        (
            r#"{"mounts": [], "root": {"readonly": true}}"#,
            "config.json: root.readonly: needs a mount namespace",
        ),
        (
            r#"{"root": {"readonly": null}, "linux": {"rootfsPropagation": "private"}}"#,
            "linux.rootfsPropagation: needs a mount namespace",
        ),
        (
            r#"{"linux": {"rootfsPropagation": null,
                "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}]}}"#,
            "linux.devices: need a mount namespace",
        ),
    ];
    for (patch, text) in refusals {
        lab.merge(patch);
        lab::refused(&lab, &lab.run(), text);
        assert_eq!(lab.leftovers(), "");
    }
    lab.merge(r#"{"linux": {"devices": null}}"#);
    lab::refused(
        &lab,
        &lab.call(&["run", "--no-pivot", "--bundle", "@BUNDLE@", "@ID@"]),
        "--no-pivot: needs a mount",
    );
    assert_eq!(mountinfo(), before);
}

/// Without the fix the 129th mount and the 257th group are errors.
#[test]
fn mounts_groups_and_text_may_be_many() {
    let mut lab = lab();
    let mounts: Vec<_> = (0..500)
        .map(|n| format!(r#"{{"destination": "/v/{n}", "type": "bind", "source": "/mnt", "options": ["bind"]}}"#))
        .collect();
    let groups: Vec<_> = (5000..5500).map(|group| group.to_string()).collect();
    lab.merge(&format!(r#"{{"mounts+": [{}]}}"#, mounts.join(",")));
    lab.merge(&format!(
        r#"{{"process": {{"user": {{"additionalGids": [{}]}}}}}}"#,
        groups.join(",")
    ));
    lab.merge(&format!(r#"{{"annotations": {{"note": "{}"}}}}"#, "x".repeat(3 << 20)));
    lab.script("grep -c ' /v/' /proc/self/mountinfo; grep Groups /proc/self/status | wc -w");
    let said = lab.run();
    assert_eq!((said.status, said.out.as_str()), (0, "500\n501\n"), "{}", said.err);
}

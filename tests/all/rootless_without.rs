//! `ocinit unpack --rootless` for a user without usable ranges, without namespaces or without ids.
//! See rootless.rs.

use std::process::Command;

use crate::rootless::{OWNER, Place, RECORDED, UNPACK, USER, expect, layer, owner};
use crate::support::images::Layer;
use crate::support::{Tar, write};

#[test]
fn ranges_that_cannot_be_used() {
    let place = Place::new("unused", vec![Layer::plain(Tar::new().file("x", 0o600, "x"))]);
    let fails = "every file will be the caller's";
    let many: String = (0..33).map(|n| format!("tester:{}:10\n", 100_000 + 10 * n)).collect();
    for (ranges, script, why) in [
        ("tester:100000:65536\n", &format!("PATH=/nowhere {UNPACK}"), ""),
        (
            many.as_str(),
            &UNPACK.into(),
            "line 33 of /etc/subuid: more ranges of one user than are taken",
        ),
        ("tester:none:1\n", &UNPACK.into(), "line 1 of /etc/subuid: not a range of ids"),
        // newuidmap refuses what is the host's own.
        ("tester:100000:65536\ntester:4294967294:9\n", &UNPACK.into(), "newuidmap"),
    ] {
        let output = place.run_with_ranges(ranges, script);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{ranges}: {said}");
        assert!(
            said.contains(why) && said.contains(fails) == why.starts_with("line "),
            "{ranges}: {said}"
        );
        assert_eq!(owner(&place.list("out/root"), "./x"), "12345:12345");
        std::fs::remove_dir_all(place.0.join("out/root")).unwrap();
    }
}

#[test]
fn where_there_are_no_namespaces_files_are_the_callers() {
    let place = Place::new("alone", vec![Layer::gzip(layer())]);
    // The kernel makes no user namespace for a process in a chroot.
    let user = format!("--userspec={USER}:{USER}");
    let mut command = Command::new("chroot");
    command.arg(user).arg(&place.0).args([
        "/ocinit",
        "unpack",
        "--rootless",
        "/image",
        "/out/root",
    ]);
    let summary = "ocinit: not possible without root: 9 owners (recorded in user.rootlesscontainers), \
                   2 owners of links and pipes (lost), 2 devices (empty files instead), \
                   2 directories closed to their owner (left open)";
    expect(
        &command.output().unwrap(),
        0,
        &[
            "ocinit: no user namespace: operation not permitted: every file will be the caller's",
            summary,
            "ocinit: 3 extended attributes were skipped",
        ],
    );
    let ours = place.list("out/root");
    assert!(
        ours.len() == 21 && ours.keys().all(|name| owner(&ours, name) == "12345:12345"),
        "{ours:?}"
    );
    assert!(
        ours["./closed"].0.starts_with("40700 ") && ours["./closed/deep"].0.starts_with("40700 ")
    );
    // A file that its own owner may not write has its mode again.
    assert!(ours["./d/f"].0.starts_with("100444 ") && ours["./xattr"].0.starts_with("100400 "));
    assert_eq!(ours["./xattr"].1, format!("{OWNER}=08011001 user.test=76"));
    for (name, _) in RECORDED {
        assert!(ours[name].1.starts_with(OWNER), "{name}");
    }
}

#[test]
fn a_namespace_that_gets_no_ids_is_as_good_as_none() {
    let place = Place::new("unmapped", vec![Layer::gzip(layer())]);
    let setup = format!(
        "mount --make-rprivate / && mount -o remount,ro,bind /proc && \
         exec setpriv --reuid {USER} --regid {USER} --clear-groups {UNPACK}"
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &setup])
        .current_dir(&place.0)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.starts_with("ocinit: no user namespace: read-only file system: "), "{said}");
    let ours = place.list("out/root");
    assert!(
        ours.len() == 21 && ours.keys().all(|name| owner(&ours, name) == "12345:12345"),
        "{ours:?}"
    );
    RECORDED.iter().for_each(|(name, value)| assert_eq!(ours[*name].1, format!("{OWNER}={value}")));
}

#[test]
fn the_sysctl_that_is_in_the_way_is_named() {
    let place = Place::new("sysctl", vec![Layer::plain(Tar::new().file("x", 0o600, "x"))]);
    // A limit of a user namespace of this test's own.
    write(&place.0.join("ranges"), "root:0:65536\n");
    let inside = format!(
        "echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --reuid {USER} --regid {USER} --clear-groups {UNPACK}"
    );
    let setup = format!(
        "mount --make-rprivate / && touch /etc/subuid /etc/subgid && mount --bind ranges /etc/subuid && \
         mount --bind ranges /etc/subgid && exec unshare -U --map-users=0,0,65536 --map-groups=0,0,65536 sh -c '{inside}'"
    );
    let output = Command::new("unshare")
        .args(["-m", "sh", "-c", &setup])
        .current_dir(&place.0)
        .output()
        .unwrap();
    let line = "ocinit: no user namespace: no space left on device (1000 in /proc/sys/user/max_user_namespaces allows them): \
                every file will be the caller's";
    expect(&output, 0, &[line]);
}

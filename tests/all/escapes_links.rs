//! Published escapes through links and volumes of the image: its paths must never lead the runtime
//! out of the root. Each test says what would be seen without the fix.

use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use crate::support;
use crate::support::lab::{self, Lab, Runtime};

fn lab() -> Lab {
    lab::enter();
    Lab::new(Runtime::Ocinit)
}

/// CVE-2025-31133, CVE-2026-88265: the image's /dev/null is a link, and what is masked would be
/// what it leads to. Without the fix the masked file shows /proc/sysrq-trigger, or the secret, and
/// can be written.
#[test]
fn a_mask_is_never_what_the_image_says() {
    let mut lab = lab();
    std::fs::write(lab.rootfs.join("secret"), "SECRET\n").unwrap();
    symlink("/secret", lab.rootfs.join("dev/null")).unwrap();
    lab.merge(
        r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "linux": {"maskedPaths": ["/proc/keys", "/etc/group"]}}"#,
    );
    lab.script("cat /proc/keys /etc/group; echo WRITTEN 2>/dev/null >/etc/group; cat /secret");
    let said = lab.run();
    assert!(said.status != 0 || said.out == "SECRET\n", "{said:?}");
    assert_eq!(lab.file("b/rootfs/secret"), "SECRET\n");
    assert_eq!(lab.file("b/rootfs/etc/group").lines().count(), 3);
}

/// CVE-2025-52565, CVE-2026-88264: /dev/console or the terminal's place is a link of the image's.
/// Without the fix the terminal is bound over the file that it leads to, or that file's owner and
/// mode change.
#[test]
fn the_console_is_never_what_the_image_says() {
    let mut lab = lab();
    std::fs::write(lab.rootfs.join("victim"), "victim\n").unwrap();
    std::fs::set_permissions(lab.rootfs.join("victim"), PermissionsExt::from_mode(0o640)).unwrap();
    symlink("/victim", lab.rootfs.join("dev/console")).unwrap();
    std::fs::write(lab.dir.join("outside"), "outside\n").unwrap();
    lab.merge(
        r#"{"process": {"terminal": true, "user": {"uid": 1000, "gid": 1000}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                       {"destination": "/dev/pts", "type": "devpts", "source": "devpts", "options": ["newinstance", "ptmxmode=0666"]}]}"#,
    );
    lab.script("grep -c victim /proc/mounts; stat -c %u /victim");
    let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    let mut command = Command::new("python3");
    command.arg(support::project().join("tests/all/support/terminal.py")).arg("--");
    let said = lab.finish(command.arg(run.get_program()).args(run.get_args()));
    let after = std::fs::metadata(lab.rootfs.join("victim")).unwrap();
    assert_eq!(
        (after.uid(), after.mode() & 0o777),
        (0, 0o640),
        "the file's owner or mode changed: {said:?}"
    );
    assert!(said.status != 0 || said.out.starts_with('0'), "bound over the file: {said:?}");
}

/// CVE-2021-30465, CVE-2024-45310: a destination is swapped for a link to the host while the mounts
/// are made. Without the fix one of some rounds leaves a file or directory outside the root, or a
/// mount there. (Two processes of one root race here.)
#[test]
fn a_destination_that_changes_is_no_way_out() {
    let mut lab = lab();
    std::fs::create_dir_all(lab.dir.join("outside")).unwrap();
    std::fs::create_dir_all(lab.rootfs.join("race/real")).unwrap();
    symlink(lab.dir.join("outside"), lab.rootfs.join("race/link")).unwrap();
    std::fs::create_dir_all(lab.rootfs.join("race/place")).unwrap();
    lab.merge(
        r#"{"mounts+": [{"destination": "/race/place/a/b", "type": "tmpfs", "source": "t"},
                        {"destination": "/race/place/c/file", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}]}"#,
    );
    lab.script("true");
    let swapper = "import ctypes, sys, os\n\
        libc = ctypes.CDLL(None)\n\
        a, b = (os.fsencode(name) for name in sys.argv[1:3])\n\
        print('ready', flush=True)\n\
        while True: libc.renameat2(-100, a, -100, b, 2)\n";
    let mut child = Command::new("python3")
        .args(["-c", swapper])
        .args([lab.rootfs.join("race/place"), lab.rootfs.join("race/link")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    for _ in 0..lab::turns(60, 3000) {
        lab.run();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let made: Vec<_> = std::fs::read_dir(lab.dir.join("outside"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert!(made.is_empty(), "made outside the root: {made:?}");
    assert!(!lab::mountinfo().contains("/outside"), "mounted outside the root");
}

/// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc, or a directory above it,
/// is a link or a volume. Without the fix the container starts with a /proc that is the image's,
/// and what is written to it (labels, sysctls) is lost.
#[test]
fn proc_is_proc() {
    let mut lab = lab();
    std::fs::remove_dir(lab.rootfs.join("proc")).unwrap();
    std::fs::create_dir_all(lab.rootfs.join("tmp/fake/self/attr")).unwrap();
    symlink("tmp/fake", lab.rootfs.join("proc")).unwrap();
    lab.script("grep -c ' /proc proc ' /proc/mounts");
    let said = lab.run();
    assert!(said.status != 0 || said.out == "1\n", "{said:?}");
}

/// CVE-2025-52881: a volume over a part of /proc redirects what the runtime writes there. Without
/// the fix the sysctl is in the volume's file, and the container starts without it.
#[test]
fn a_volume_over_proc_does_not_get_what_the_runtime_writes() {
    let mut lab = lab();
    std::fs::create_dir_all(lab.bundle.join("vol")).unwrap();
    std::fs::write(lab.bundle.join("vol/msgmax"), "untouched").unwrap();
    lab.merge(
        r#"{"mounts+": [{"destination": "/proc/sys/kernel", "type": "bind", "source": "vol", "options": ["bind"]}],
            "linux": {"sysctl": {"kernel.msgmax": "4096"}}}"#,
    );
    lab.script("true");
    let said = lab.run();
    assert_eq!(lab.file("b/vol/msgmax"), "untouched", "the write went into the volume: {said:?}");
}

/// youki GHSA-3q8j-pf29-vwv8: read-only and masked paths that are links of the image's. Without the
/// fix the place that is meant stays writable, or a place of the host's is mounted over.
#[test]
fn readonly_and_masked_paths_are_resolved_in_the_root() {
    let mut lab = lab();
    std::fs::write(lab.dir.join("host"), "host\n").unwrap();
    symlink(lab.dir.join("host"), lab.rootfs.join("masked")).unwrap();
    symlink("/tmp", lab.rootfs.join("readonly")).unwrap();
    lab.merge(r#"{"linux": {"maskedPaths": ["/masked"], "readonlyPaths": ["/readonly"]}}"#);
    lab.script("touch /tmp/x 2>/dev/null || echo read-only");
    let said = lab.run();
    assert_eq!(said.out, "read-only\n", "{said:?}");
    assert_eq!(lab.file("host"), "host\n");
}

/// CVE-2019-18837, CVE-2025-24965: files that a runtime writes into the root, through a link of the
/// image's. Without the fix the file that it leads to is outside the root, and changes.
#[test]
fn nothing_is_written_through_the_images_links() {
    let mut lab = lab();
    let outside = lab.dir.join("outside");
    std::fs::create_dir(&outside).unwrap();
    for name in ["dev", "etc/new", "run"] {
        let place = lab.rootfs.join(name);
        let _ = std::fs::remove_dir(&place);
        symlink(&outside, &place).unwrap();
    }
    lab.merge(
        r#"{"process": {"cwd": "/run/new"}, "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/etc/new/file", "type": "bind", "source": "/etc/hostname", "options": ["bind"]}],
            "linux": {"devices": [{"path": "/run/device", "type": "c", "major": 1, "minor": 3, "fileMode": 438}]}}"#,
    );
    lab.script("true");
    lab.run();
    let made: Vec<_> =
        std::fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(made.is_empty(), "made outside the root: {made:?}");
}

/// The checks above would see nothing if the attacks did nothing: Debian 12's crun goes through the
/// image's /dev.
#[test]
fn the_attacks_work_on_who_is_open_to_them() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Crun);
    let outside = lab.dir.join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::remove_dir(lab.rootfs.join("dev")).unwrap();
    symlink(&outside, lab.rootfs.join("dev")).unwrap();
    lab.merge(r#"{"mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}]}"#);
    lab.script("true");
    lab.run();
    assert!(
        std::fs::read_dir(&outside).unwrap().count() > 0,
        "crun 1.8.1 makes its devices outside"
    );
}

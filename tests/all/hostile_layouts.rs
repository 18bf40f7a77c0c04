//! An untrusted layout brings no file of the host into the machine. `qemu/boot` and `qemu/mkdisk`
//! read only a layout's files, beneath it, and name all others in an error.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::boot::finish;
use crate::support::fake::FakeQemu;
use crate::support::tar::{Header, Tar};
use crate::support::{Boot, Outcome, busybox, project, read, scratch, tool, write};

const SECRET: &str = "a secret of the host, which no guest may read";
const FILE_SYSTEMS: [&str; 6] = ["raw", "ext4", "squashfs", "erofs", "iso", "vfat"];
const HEX: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A valid layout, and beside it a folder with a secret.
fn prepare(name: &str) -> (PathBuf, PathBuf) {
    let directory = scratch(&format!("hostile-layouts-{name}"));
    let layout = directory.join("layout");
    busybox().write(&layout);
    std::fs::create_dir_all(directory.join("host/sha256")).expect("host");
    for file in ["host/secret", "host/oci-layout", "host/index.json"] {
        write(&directory.join(file), SECRET);
    }
    write(&directory.join("host/sha256").join(HEX), SECRET);
    (directory, layout)
}

/// Spoils a layout. Returns the name that the error must have.
fn spoil(layout: &Path, what: &str) -> String {
    let host = layout.with_file_name("host");
    let replace = |name: &str, target: &Path| {
        let place = layout.join(name);
        let _ = std::fs::remove_dir_all(&place);
        let _ = std::fs::remove_file(&place);
        symlink(target, &place).expect("link");
        name.to_string()
    };
    match what {
        "a link to a folder" => replace("extra", &host),
        "a link to a file" => replace("extra", &host.join("secret")),
        "a hidden link" => replace(".extra", &host.join("secret")),
        "a dangling link" => replace("extra", Path::new("/proc/self/fd/999999")),
        "index.json a link" => replace("index.json", &host.join("index.json")),
        "oci-layout a link" => replace("oci-layout", &host.join("oci-layout")),
        "blobs a link" => replace("blobs", &host),
        "an algorithm a link" => replace("blobs/sha256", &host.join("sha256")),
        "a blob a link" => replace(&format!("blobs/sha256/{HEX}"), &host.join("secret")),
        "a blob a relative link" => {
            replace(&format!("blobs/sha256/{HEX}"), Path::new("../../../host/secret"))
        }
        "a reference a link" => {
            std::fs::create_dir(layout.join("refs")).expect("refs");
            replace("refs/latest", &host.join("secret"))
        }
        "refs a link" => replace("refs", &host),
        "a FIFO" => fifo(layout, &format!("blobs/sha256/{HEX}")),
        "a FIFO beside" => fifo(layout, "extra"),
        "a blob that is a folder" => {
            let name = format!("blobs/sha256/{HEX}");
            std::fs::create_dir(layout.join(&name)).expect("folder");
            name
        }
        "a folder beside" => {
            std::fs::create_dir(layout.join("extra")).expect("folder");
            "extra".to_string()
        }
        "a file beside" => {
            write(&layout.join("extra"), "text");
            "extra".to_string()
        }
        "a blob of eight terabytes" => {
            let made = File::create(layout.join("blobs/sha256").join(HEX)).expect("blob");
            made.set_len(8 << 40).expect("a hole");
            "No space left on device".to_string()
        }
        _ => panic!("{what}"),
    }
}

fn fifo(layout: &Path, name: &str) -> String {
    tool(Command::new("mkfifo").arg(layout.join(name)));
    name.to_string()
}

const SPOILT: [&str; 18] = [
    "a link to a folder",
    "a link to a file",
    "a hidden link",
    "a dangling link",
    "index.json a link",
    "oci-layout a link",
    "blobs a link",
    "an algorithm a link",
    "a blob a link",
    "a blob a relative link",
    "a reference a link",
    "refs a link",
    "a FIFO",
    "a FIFO beside",
    "a blob that is a folder",
    "a folder beside",
    "a file beside",
    "a blob of eight terabytes",
];

/// All file systems for the first two of [`SPOILT`], a file and a folder; two for the others.
fn file_systems(index: usize) -> &'static [&'static str] {
    if index < 2 { &FILE_SYSTEMS } else { &["raw", "vfat"] }
}

fn run(mut command: Command) -> Outcome {
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    finish(command.spawn().expect("starts"), None, Duration::from_secs(60))
}

#[track_caller]
fn refused(outcome: &Outcome, what: &str, way: &str, name: &str) {
    assert!(outcome.status == 125, "{what}, {way}: not refused\n{outcome}");
    assert!(outcome.stderr.contains(name), "{what}, {way}: {name} is not named\n{outcome}");
    assert!(outcome.stderr.lines().count() == 1, "{what}, {way}: not one line\n{outcome}");
    assert!(!outcome.stderr.contains("Traceback"), "{what}, {way}\n{outcome}");
}

/// A machine that prints its first disk.
const SHOWS_ITS_DISK: &str = r#"
found = re.search(r"file=(/proc/self/fd/\d+)", " ".join(sys.argv))[1]
data = open(found, "rb").read()
say("control", b"hello 1\nstarted\n")
say("stdout", data)
say("control", b"exit 0 %d 0\n" % len(data))
wait_for(b"done\n")
"#;

#[test]
fn boot_reads_nothing_that_is_not_the_layouts_own() {
    for (index, what) in SPOILT.into_iter().enumerate() {
        let (directory, layout) = prepare("boot");
        let name = spoil(&layout, what);
        let machine = FakeQemu::new(&directory, SHOWS_ITS_DISK);
        for file_system in file_systems(index) {
            let outcome = run(machine.command(&Boot::new(&layout).option("--fs", *file_system)));
            refused(&outcome, what, file_system, &name);
        }
    }
}

/// The layout lies deeper, and a folder on the way to it is a link.
#[test]
fn boot_follows_no_link_on_the_way_to_the_layout() {
    let (directory, layout) = prepare("way");
    let machine = FakeQemu::new(&directory, SHOWS_ITS_DISK);
    let outer = directory.join("outer");
    std::fs::create_dir_all(outer.join("real")).expect("outer");
    symlink(&layout, outer.join("real/link")).expect("link");
    std::fs::rename(&layout, outer.join("real/layout")).expect("moved");
    symlink("real", outer.join("way")).expect("link");
    for file_system in ["raw", "ext4", "vfat"] {
        let boot = |path: &str| {
            let boot = Boot::new(&outer).option("--fs", file_system);
            run(machine.command(&boot.append(&format!("ocinit.path={path}"))))
        };
        boot("/real/layout").expect_status(0);
        for (path, name) in
            [("/way/layout", "outer/way"), ("/real/link", "real/link"), ("/real/../..", "..")]
        {
            refused(&boot(path), path, file_system, name);
        }
    }
}

#[test]
fn mkdisk_reads_nothing_that_is_not_the_layouts_own() {
    for (index, what) in SPOILT.into_iter().enumerate() {
        let (directory, layout) = prepare("mkdisk");
        let name = spoil(&layout, what);
        let disk = directory.join("disk");
        for file_system in file_systems(index) {
            for path in ["/", "/a/b"].into_iter().take(if index < 2 { 2 } else { 1 }) {
                let mut command = Command::new(project().join("qemu/mkdisk"));
                command.args(["--fs", file_system, "--path", path]).arg(&layout).arg(&disk);
                refused(&run(command), what, &format!("{file_system} {path}"), &name);
                assert!(!disk.exists(), "{what}: half a disk is left");
            }
        }
        let left: Vec<_> = std::fs::read_dir(&directory)
            .expect("scratch")
            .flatten()
            .map(|e| e.file_name())
            .collect();
        assert!(left.len() == 2, "{what}: left lying about: {left:?}");
    }
}

/// The same names in an archive: nothing is written outside of the disk, and nothing odd into it.
#[test]
fn mkdisk_takes_the_files_of_a_layout_from_an_archive() {
    let (directory, layout) = prepare("archive");
    let archive = directory.join("archive.tar");
    let secret = directory.join("host/secret");
    for (name, transform) in [
        ("extra", "s,^secret$,extra,"),
        ("leads out", "s,^secret$,../../../escaped,"),
        ("leads out", "s,^secret$,/escaped,"),
    ] {
        let mut command = Command::new("tar");
        command.arg("-Pcf").arg(&archive).args(["--transform", transform]);
        command.arg("-C").arg(&layout).args(["oci-layout", "index.json", "blobs"]);
        tool(command.arg("-C").arg(secret.parent().expect("host")).arg("secret"));
        for file_system in FILE_SYSTEMS {
            let mut command = Command::new(project().join("qemu/mkdisk"));
            command.args(["--fs", file_system]).arg(&archive).arg(directory.join("disk"));
            refused(&run(command), transform, file_system, name);
        }
    }
    // A file that is all holes, and an archive that ends too early.
    File::create(layout.join("blobs/sha256").join(HEX))
        .and_then(|made| made.set_len(8 << 40))
        .expect("a hole");
    tool(Command::new("tar").arg("-Scf").arg(&archive).arg("-C").arg(&layout).args([
        "oci-layout",
        "index.json",
        "blobs",
    ]));
    let mut command = Command::new(project().join("qemu/mkdisk"));
    refused(
        &run({
            command.args(["--fs", "ext4"]).arg(&archive).arg(directory.join("disk"));
            command
        }),
        "holes",
        "ext4",
        HEX,
    );
    let (_, whole) = prepare("archive");
    tool(
        Command::new("tar")
            .arg("-cf")
            .arg(&archive)
            .arg("-C")
            .arg(&whole)
            .args(["oci-layout", "blobs"]),
    );
    let bytes = read(&archive);
    write(&archive, &bytes[..bytes.len() / 2]);
    let mut command = Command::new(project().join("qemu/mkdisk"));
    let outcome = run({
        command.args(["--fs", "ext4"]).arg(&archive).arg(directory.join("disk"));
        command
    });
    refused(&outcome, "half", "ext4", "damaged");
}

/// What stands before an entry's content is read whole by Python's tarfile: a hole of gigabytes, or
/// some KiB of gzip.
#[test]
fn no_header_of_an_archive_takes_the_hosts_memory() {
    let directory = scratch("hostile-layouts-header");
    let machine = FakeQemu::new(&directory, SHOWS_ITS_DISK);
    let archive = directory.join("archive.tar");
    for kind in [b'x', b'g', b'X', b'L', b'K'] {
        let header = Header { size: 7 << 30, ..Header::new("x", kind) };
        let mut tar = Tar::new().entry(&header, b"").finish();
        tar.truncate(512);
        write(&archive, tar);
        File::options()
            .write(true)
            .open(&archive)
            .and_then(|made| made.set_len(8 << 30))
            .expect("a hole");
        for file_system in ["raw", "ext4"] {
            let mut command = Command::new("prlimit");
            command.arg(format!("--as={}", 1 << 30)).arg(project().join("qemu/mkdisk"));
            command.args(["--fs", file_system]).arg(&archive).arg(directory.join("disk"));
            refused(
                &run(command),
                &format!("{}", kind as char),
                file_system,
                "a header of 7516192768 bytes",
            );
        }
    }
    refused(
        &run(machine.command(&Boot::new(&archive).option("--fs", "ext4"))),
        "boot",
        "ext4",
        "a header of 7516192768",
    );
}

/// A file that is written while it is read is an error, and never a mixture.
#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    let (directory, layout) = prepare("changing");
    let machine = FakeQemu::new(&directory, SHOWS_ITS_DISK);
    let mut blob = File::create(layout.join("blobs/sha256").join(HEX)).expect("blob");
    blob.set_len(200 << 20).expect("size");
    for file_system in ["raw", "vfat"] {
        let ended = AtomicBool::new(false);
        let outcome = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    blob.write_all(b"x").expect("grows");
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let outcome = run(machine.command(&Boot::new(&layout).option("--fs", file_system)));
            ended.store(true, Ordering::Relaxed);
            outcome
        });
        refused(&outcome, "a blob that grows", file_system, "changed while it was read");
        assert!(outcome.stderr.contains(HEX), "{outcome}");
    }
}

/// Valid layouts still work: hidden files, owners and times are left out.
#[test]
fn a_layout_as_it_should_be_is_taken_whole() {
    let (directory, layout) = prepare("right");
    write(&layout.join(".gitignore"), "left out");
    write(&layout.join("blobs/sha256/.partial-1"), "left out");
    write(&layout.join("manifest.json"), "[]");
    std::fs::create_dir(layout.join("refs")).expect("refs");
    write(&layout.join("refs/v1.0"), "{}");
    let machine = FakeQemu::new(&directory, SHOWS_ITS_DISK);
    let outcome = run(machine.command(&Boot::new(&layout)));
    outcome.expect_status(0);
    let (archive, copy) = (directory.join("it.tar"), directory.join("copy"));
    write(&archive, &outcome.stdout);
    std::fs::create_dir(&copy).expect("copy");
    tool(Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(&copy));
    assert!(!copy.join(".gitignore").exists() && !copy.join("blobs/sha256/.partial-1").exists());
    std::fs::remove_file(layout.join(".gitignore")).expect("removed");
    std::fs::remove_file(layout.join("blobs/sha256/.partial-1")).expect("removed");
    tool(Command::new("diff").arg("-r").arg(&layout).arg(&copy));
}

//! Files that the scripts in qemu/ write: no link of another user is followed, no partial file
//! stays, and errors name a full disk.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support;
use crate::support::boot::{finish, released};
use crate::support::fake::FakeQemu;
use crate::support::images::busybox_layout;
use crate::support::{Boot, Outcome, project, read, scratch, tool, write};

fn run(command: &mut Command) -> Outcome {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    finish(command.spawn().expect("starts"), None, Duration::from_secs(60))
}

fn script(name: &str) -> Command {
    Command::new(project().join("qemu").join(name))
}

#[track_caller]
fn one_line(outcome: &Outcome, parts: &[&str]) {
    outcome.expect_status(125).expect_line(parts);
    assert!(outcome.stderr.lines().count() == 1, "{outcome}");
}

/// No script that writes a file can be led to another one.
#[test]
fn an_output_is_replaced_and_never_followed() {
    let directory = scratch("script-files-output");
    let (victim, link) = (directory.join("victim"), directory.join("link"));
    let writers: [&dyn Fn(&Path) -> Command; 3] = [
        &|output| {
            let mut command = script("mkdisk");
            command.arg(busybox_layout()).arg(output);
            command
        },
        &|output| {
            let mut command = script("mkdisk");
            command.args(["--fs", "ext4"]).arg(busybox_layout()).arg(output);
            command
        },
        &|output| {
            let mut command = script("mkinitramfs");
            command.arg("--init").arg(released()).arg(output);
            command
        },
    ];
    for writer in writers {
        write(&victim, "untouched");
        let _ = std::fs::remove_file(&link);
        symlink(&victim, &link).expect("link");
        // All names that its pid lets guess are links to the victim.
        let mut shell = Command::new("sh");
        let command = writer(&link);
        shell
            .args(["-c", "ln -s \"$1\" \"$2.$$\"; shift 2; exec \"$@\"", "sh"])
            .arg(&victim)
            .arg(&link);
        run(shell.arg(command.get_program()).args(command.get_args())).expect_status(0);
        assert_eq!(read(&victim), b"untouched");
        assert!(std::fs::symlink_metadata(&link).expect("output").is_file());
        for entry in std::fs::read_dir(&directory).expect("scratch").flatten() {
            let name = entry.file_name().into_string().expect("UTF-8");
            let ours = name == "victim" || name.starts_with("link");
            assert!(ours, "left lying about: {name}");
            if name != "victim" {
                std::fs::remove_file(entry.path()).expect("removed");
            }
        }
        // A device and a FIFO stay.
        tool(Command::new("mkfifo").arg(&link));
        one_line(&run(&mut writer(&link)), &["link", "no regular file"]);
        std::fs::remove_file(&link).expect("FIFO");
    }
}

/// Runs `kernel` with this cache: it refuses a bad one before it needs the network.
fn kernel_with_cache(cache: &Path) -> Outcome {
    run(script("kernel").env("XDG_CACHE_HOME", cache))
}

#[test]
fn a_cache_of_another_user_is_refused() {
    let directory = scratch("script-files-cache");
    let cache = directory.join("cache");
    let inner = cache.join("ocinit");
    let reset = || {
        let _ = std::fs::remove_dir_all(&cache);
        std::fs::create_dir_all(&inner).expect("cache");
    };
    for part in ["", "ocinit", "ocinit/kernel"] {
        reset();
        std::fs::create_dir_all(inner.join("kernel")).expect("cache");
        std::os::unix::fs::chown(cache.join(part), Some(4242), None)
            .expect("needs root, as all of these tests");
        one_line(&kernel_with_cache(&cache), &["belongs to user 4242", "XDG_CACHE_HOME"]);
        reset();
        std::fs::create_dir_all(inner.join("kernel")).expect("cache");
        std::fs::set_permissions(cache.join(part), std::fs::Permissions::from_mode(0o777))
            .expect("mode");
        one_line(&kernel_with_cache(&cache), &["every user can write it"]);
    }
    for part in ["ocinit", "ocinit/kernel"] {
        reset();
        let _ = std::fs::remove_dir(cache.join(part));
        symlink(&directory, cache.join(part)).expect("link");
        one_line(&kernel_with_cache(&cache), &["neither a folder nor a file of ours"]);
    }
}

/// Its folders belong to its user alone, and its lock neither empties nor makes another file.
#[test]
fn a_lock_follows_no_link_and_the_cache_is_private() {
    let directory = scratch("script-files-lock");
    let cache = directory.join("cache");
    let victim = directory.join("victim");
    write(&victim, "untouched");
    // The cache remembers QEMU's machines.
    let machine = FakeQemu::new(
        &directory,
        "sys.exit(print('microvm x') if 'help' in sys.argv else 'started')",
    );
    let (kernel, modules) = support::console::kernel();
    let boot = Boot::new(busybox_layout()).option("--kernel", kernel).option("--modules", modules);
    let boot = boot.option("--accel", "kvm");
    let again = || run(&mut machine.on_path(boot.command()));
    again().expect_line(&["started"]);
    let machines = cache.join("ocinit/machines");
    for folder in [cache.join("ocinit"), machines.clone()] {
        assert_eq!(
            std::fs::metadata(&folder).expect("made").mode() & 0o777,
            0o700,
            "{}",
            folder.display()
        );
    }
    let names = |hidden: bool| -> Vec<PathBuf> {
        let entries =
            std::fs::read_dir(&machines).expect("machines").flatten().map(|entry| entry.path());
        entries
            .filter(|path| {
                path.file_name().expect("name").to_str().expect("UTF-8").starts_with('.') == hidden
            })
            .collect()
    };
    let (locks, answers) = (names(true), names(false));
    assert!(locks.len() == 1 && answers.len() == 1, "{locks:?} {answers:?}");
    std::fs::remove_file(&answers[0]).expect("answer");
    std::fs::remove_file(&locks[0]).expect("lock");
    symlink(&victim, &locks[0]).expect("link");
    one_line(&again(), &[".lock"]);
    assert_eq!(read(&victim), b"untouched");
    std::fs::remove_file(&locks[0]).expect("link");
    symlink(directory.join("new"), &locks[0]).expect("link");
    one_line(&again(), &[".lock"]);
    assert!(!directory.join("new").exists());
}

/// If there is no room for a layout's disk, the error names place and image, and no file stays.
#[test]
fn a_full_place_for_temporary_files_is_named() {
    let directory = scratch("script-files-full");
    let place = directory.join("place");
    std::fs::create_dir(&place).expect("place");
    let machine = FakeQemu::new(&directory, "pass");
    let layout = busybox_layout();
    let commands: Vec<(&str, Command)> = ["raw", "ext4", "vfat"]
        .into_iter()
        .map(|file_system| {
            (file_system, machine.command(&Boot::new(&layout).option("--fs", file_system)))
        })
        .collect();
    let (place_name, layout_name) =
        (place.to_str().expect("UTF-8").to_string(), layout.to_str().expect("UTF-8").to_string());
    // Only this thread and its children see the small file system.
    std::thread::spawn(move || {
        support::tmpfs::mount_here(&place, 64 << 10);
        for (_, mut command) in commands {
            let outcome = run(command.env("TMPDIR", &place));
            one_line(&outcome, &[&place_name, &layout_name, "No space left on device"]);
            assert_eq!(std::fs::read_dir(&place).expect("place").count(), 0, "left lying about");
        }
    })
    .join()
    .expect("as it should be");
}

/// The scripts look for the binary in cargo's target directory.
#[test]
fn the_target_folder_is_cargos() {
    let directory = scratch("script-files-target");
    let release = directory.join("x86_64-unknown-linux-musl/release");
    std::fs::create_dir_all(&release).expect("release");
    let machine = FakeQemu::new(&directory, "sys.exit('started')");
    let boot = |folder: &Path| {
        let mut command = machine.command(&Boot::new(busybox_layout()));
        run(command.env_remove("OCINIT").env("CARGO_TARGET_DIR", folder))
    };
    one_line(
        &boot(&directory),
        &["boot: ", release.join("ocinit").to_str().expect("UTF-8"), "no ocinit there"],
    );
    write(&release.join("ocinit"), "a program");
    boot(&directory).expect_line(&["started"]);
    let output = directory.join("initramfs");
    run(script("mkinitramfs").arg(&output).env("CARGO_TARGET_DIR", &directory)).expect_status(0);
    assert!(read(&output).windows(9).any(|bytes| bytes == b"a program"));
}

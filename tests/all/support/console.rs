//! QEMU started by hand, as under another machine monitor: an initramfs, a disk and a serial
//! console.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::boot::{Outcome, finish, released};
use super::{project, slots, tool, write};

/// The default kernel of `boot` and the folder of its modules.
pub fn kernel() -> (PathBuf, PathBuf) {
    let text = String::from_utf8(tool(&mut Command::new(project().join("qemu/kernel"))))
        .expect("two paths");
    let mut lines = text.lines().map(PathBuf::from);
    (lines.next().expect("a kernel"), lines.next().expect("modules"))
}

/// Boots `disk` with this /ocinit.conf and no report port; standard output is what came on the
/// console.
pub fn run(directory: &Path, configuration: &str, disk: &Path, limit: Duration) -> Outcome {
    let mut qemu = command(directory, configuration, disk);
    let _slot = slots::take();
    finish(qemu.spawn().expect("qemu"), None, limit)
}

/// The command that does, with all its streams as pipes; no disk if its name is empty.
pub fn command(directory: &Path, configuration: &str, disk: &Path) -> Command {
    let (kernel, modules) = kernel();
    let (conf, initramfs) = (directory.join("ocinit.conf"), directory.join("initramfs"));
    write(&conf, configuration);
    let mut make = Command::new(project().join("qemu/mkinitramfs"));
    let built = released().as_os_str().to_owned();
    make.arg("--init")
        .arg(std::env::var_os("OCINIT").unwrap_or(built))
        .arg("--modules")
        .arg(modules)
        .arg("--config")
        .arg(&conf)
        .arg(&initramfs);
    tool(&mut make);

    let accel = std::env::var("OCINIT_TEST_ACCEL").unwrap_or_else(|_| "tcg".into());
    let cpu = if accel == "kvm" { "host" } else { "max" };
    let mut qemu = Command::new("qemu-system-x86_64");
    qemu.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-serial",
        "stdio",
    ]);
    qemu.args(["-machine", "pc", "-accel", &accel, "-cpu", cpu, "-smp", "2", "-m", "512"]);
    qemu.arg("-kernel").arg(kernel).arg("-initrd").arg(initramfs);
    qemu.args(["-append", "console=ttyS0 quiet panic=-1"]);
    if !disk.as_os_str().is_empty() {
        qemu.args(["-drive", &format!("if=virtio,format=raw,readonly=on,file={}", disk.display())]);
    }
    qemu.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    qemu
}

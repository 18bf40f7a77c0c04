//! `ocinit bundle`: its config.json beside umoci's and oci-image-tool's. Why it differs where it
//! does: `docs/bundle.md`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use crate::bundle::{FULL, FULL_TOP, etc, facts, layout};
use crate::support::bundle::bundle;
use crate::support::{scratch, tool};

fn umoci(words: &[&str], image: &Path, bundle: &Path) {
    let image = format!("{}:latest", image.display());
    tool(Command::new("umoci").arg("unpack").args(words).args(["--image", &image]).arg(bundle));
}

/// What stands in one of them alone: `-` in the other tool's, `+` in ours.
fn differences(theirs: &[String], ours: &[String]) -> Vec<String> {
    let only = |sign: &str, a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|line| !b.contains(line)).map(|line| format!("{sign} {line}")).collect()
    };
    let mut all = only("-", theirs, ours);
    all.extend(only("+", ours, theirs));
    all
}

#[track_caller]
fn expect_differences(theirs: &Path, ours: &Path, expected: &str) {
    let mut found = differences(&facts(theirs), &facts(ours));
    // These depend on the machine: tests/all/defaults.rs.
    found.retain(|line| !line.contains(" process.rlimits ") && !line.contains("/thermal_throttle"));
    let expected: Vec<&str> =
        expected.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, expected, "\n{}", found.join("\n"));
}

#[test]
fn a_config_is_umocis_but_for_what_is_listed() {
    let directory = scratch("bundle-umoci");
    let image = layout(&directory, etc(), FULL, FULL_TOP);
    let (theirs, ours) = (directory.join("umoci"), directory.join("ocinit"));
    umoci(&[], &image, &theirs);
    let said = bundle(&[], &image, &ours);
    assert_eq!(
        said,
        "ocinit: the image's label run.oci.handler: left out, because a runtime would act on it\n"
    );
    expect_differences(&theirs, &ours, UMOCI);
    assert_eq!(ours.metadata().unwrap().mode() & 0o7777, 0o700, "as umoci makes it");
}

const UMOCI: &str = r#"
    - annotations.org.opencontainers.image.author "me"
    - annotations.org.opencontainers.image.exposedPorts "443/tcp,53/udp,80"
    - annotations.run.oci.handler "krun"
    - hostname "umoci-default"
    - linux.namespaces ipc mount network pid uts
    - linux.readonlyPaths /proc/asound
    - mount /proc proc proc
    - mount /srv/v2 tmpfs none nodev,noexec,nosuid,relatime,rw
    - mount /sys/fs/cgroup cgroup cgroup nodev,noexec,nosuid,relatime,ro
    - mount /v1 tmpfs none nodev,noexec,nosuid,relatime,rw
    - ociVersion "1.0.0"
    - process.capabilities.ambient audit_write kill net_bind_service
    - process.capabilities.bounding audit_write kill net_bind_service
    - process.capabilities.effective audit_write kill net_bind_service
    - process.capabilities.inheritable audit_write kill net_bind_service
    - process.capabilities.permitted audit_write kill net_bind_service
    - process.env HOME=/home/app
    - process.env TERM=xterm
    - process.noNewPrivileges true
    - process.terminal true
    - process.user.additionalGids [10, 29]
    + annotations.org.opencontainers.image.author "label"
    + annotations.org.opencontainers.image.exposedPorts "80,53/udp,443/tcp"
    + annotations.org.opencontainers.image.os.features "f,g"
    + annotations.org.opencontainers.image.os.version "10"
    + annotations.org.opencontainers.image.variant "v3"
    + hostname "ocinit"
    + linux.maskedPaths /proc/acpi
    + linux.maskedPaths /proc/asound
    + linux.maskedPaths /proc/interrupts
    + linux.maskedPaths /proc/keys
    + linux.maskedPaths /sys/devices/virtual/powercap
    + linux.namespaces cgroup ipc mount network pid uts
    + linux.seccomp.architectures ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    + linux.seccomp.defaultAction "SCMP_ACT_ERRNO"
    + linux.seccomp.defaultErrnoRet 1
    + linux.seccomp.syscalls 35 rules, 399 names
    + linux.sysctl.net.ipv4.ip_unprivileged_port_start "0"
    + linux.sysctl.net.ipv4.ping_group_range "0 2147483647"
    + mount /proc proc proc nodev,noexec,nosuid
    + mount /srv/v2 tmpfs tmpfs gid=0,mode=0755,nodev,nosuid,tmpcopyup,uid=0
    + mount /sys/fs/cgroup cgroup cgroup nodev,noexec,nosuid,ro
    + mount /v1 tmpfs tmpfs gid=0,mode=0755,nodev,nosuid,tmpcopyup,uid=0
    + ociVersion "1.0.2"
    + process.capabilities.bounding audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot
    + process.env A=1
    + process.env HOME=/h
    + process.noNewPrivileges false
    + process.terminal false
    + process.user.additionalGids [1001, 10, 29]
"#;

#[test]
fn a_rootless_config_is_umocis_but_for_what_is_listed() {
    let directory = scratch("bundle-umoci-rootless");
    let image = layout(&directory, etc(), r#""Cmd":["sh"],"User":"0:0""#, "");
    let (theirs, ours) = (directory.join("umoci"), directory.join("ocinit"));
    umoci(&["--rootless"], &image, &theirs);
    assert_eq!(bundle(&["--rootless"], &image, &ours), "");
    expect_differences(&theirs, &ours, UMOCI_ROOTLESS);
}

const UMOCI_ROOTLESS: &str = r#"
    - annotations.org.opencontainers.image.author ""
    - annotations.org.opencontainers.image.created "0001-01-01T00:00:00Z"
    - annotations.org.opencontainers.image.exposedPorts ""
    - annotations.org.opencontainers.image.stopSignal ""
    - hostname "umoci-default"
    - linux.namespaces ipc mount pid user uts
    - linux.readonlyPaths /proc/asound
    - mount /etc/resolv.conf bind /etc/resolv.conf rbind,ro
    - mount /proc proc proc
    - mount /sys bind /sys nodev,noexec,nosuid,rbind,ro
    - ociVersion "1.0.0"
    - process.capabilities.ambient audit_write kill net_bind_service
    - process.capabilities.bounding audit_write kill net_bind_service
    - process.capabilities.effective audit_write kill net_bind_service
    - process.capabilities.inheritable audit_write kill net_bind_service
    - process.capabilities.permitted audit_write kill net_bind_service
    - process.env TERM=xterm
    - process.noNewPrivileges true
    - process.terminal true
    + hostname "ocinit"
    + linux.maskedPaths /proc/acpi
    + linux.maskedPaths /proc/asound
    + linux.maskedPaths /proc/interrupts
    + linux.maskedPaths /proc/keys
    + linux.maskedPaths /sys/devices/virtual/powercap
    + linux.namespaces cgroup ipc mount pid user uts
    + linux.seccomp.architectures ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
    + linux.seccomp.defaultAction "SCMP_ACT_ERRNO"
    + linux.seccomp.defaultErrnoRet 1
    + linux.seccomp.syscalls 35 rules, 399 names
    + mount /proc proc proc nodev,noexec,nosuid
    + mount /sys none /sys nodev,noexec,nosuid,rbind,rro
    + mount /sys/fs/cgroup cgroup cgroup nodev,noexec,nosuid,ro
    + ociVersion "1.0.2"
    + process.capabilities.bounding audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot
    + process.capabilities.effective audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot
    + process.capabilities.permitted audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot
    + process.noNewPrivileges false
    + process.terminal false
"#;

#[test]
fn a_config_is_oci_image_tools_but_for_what_is_listed() {
    let directory = scratch("bundle-image-tool");
    // It knows no names: "config.User: unsupported format".
    let config = FULL.replace(r#""User":"app""#, r#""User":"1000:1001""#);
    let image = layout(&directory, etc(), &config, "");
    let (theirs, ours) = (directory.join("image-tool"), directory.join("ocinit"));
    tool(
        Command::new("oci-image-tool")
            .args(["create", "--ref", "name=latest"])
            .arg(&image)
            .arg(&theirs),
    );
    bundle(&["--ref", "latest"], &image, &ours);
    let (theirs, ours) = (facts(&theirs), facts(&ours));
    let found = differences(&theirs, &ours);
    // It has no defaults at all; what it does have is compared.
    let found: Vec<&String> = found.iter().filter(|line| line.starts_with('-')).collect();
    let expected: Vec<&str> =
        IMAGE_TOOL.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(found, expected);
    assert!(theirs.len() > found.len() + 5, "what both say alike");
}

const IMAGE_TOOL: &str = r#"
    - mount /srv/v2 bind - rbind
    - mount /v1 bind - rbind
    - ociVersion "1.0.2-dev"
    - process.terminal true
"#;

/// `user uid gid groups` of a config.
fn user_of(facts: &[String]) -> String {
    let value = |name: &str| {
        let fact =
            facts.iter().find_map(|line| line.strip_prefix(&format!("process.user.{name} ")));
        fact.unwrap_or("[]").to_string()
    };
    format!("{} {} {}", value("uid"), value("gid"), value("additionalGids"))
}

/// Numbers are numbers even where a user has that name; the primary group stands among the others.
#[test]
fn every_form_of_user_is_umocis_and_the_primary_group_is_kept() {
    for (n, (text, ours, umocis)) in [
        ("", "0 0 [0, 10]", "0 0 [10]"),
        ("root", "0 0 [0, 10]", "0 0 [10]"),
        ("app", "1000 1001 [1001, 10, 29]", "1000 1001 [10, 29]"),
        ("1000", "1000 1001 [1001, 10, 29]", "1000 1001 [10, 29]"),
        ("app:wheel", "1000 10 [10]", "1000 10 []"),
        ("app:77", "1000 77 [77]", "1000 77 []"),
        ("1000:lone", "1000 77 [77]", "1000 77 []"),
        ("5:6", "5 6 [6]", "5 6 []"),
        ("2147483647:0", "2147483647 0 [0]", "2147483647 0 []"),
    ]
    .into_iter()
    .enumerate()
    {
        let directory = scratch(&format!("bundle-user-{n}"));
        let image = layout(&directory, etc(), &format!(r#""Cmd":["sh"],"User":"{text}""#), "");
        bundle(&[], &image, &directory.join("ocinit"));
        umoci(&[], &image, &directory.join("umoci"));
        let found = ["ocinit", "umoci"].map(|name| user_of(&facts(&directory.join(name))));
        assert_eq!(found, [ours, umocis], "{text:?}");
    }
}

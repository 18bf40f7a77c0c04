//! The mount namespace of the labs: a file system in memory, cgroup v2, and the template of all
//! bundles.

use std::ffi::CStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use super::super::copy_program;
use super::super::images::busybox_binary;
use super::PLACE;

/// Applets that the bundles have; all of busybox's would take longer to link than a container to
/// run.
pub(super) const APPLETS: &str = "awk basename cat chmod chown cp cut date dd dirname dmesg echo env expr false find grep head hostname id ifconfig ionice ip kill \
    ln ls mkdir mkfifo mknod mount mountpoint mv nice nproc od ping ps pwd readlink rm rmdir route sed seq setsid sh sleep sort stat stty sync tail \
    tee test timeout touch tr true tty umount uname unshare uptime wc which whoami xargs yes";

/// What `config.json` says where a case does not say otherwise.
pub(super) const CONFIG: &str = r#"{
    "ociVersion": "1.0.2",
    "process": {
        "terminal": false, "user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "cwd": "/",
        "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "capabilities": {
            "bounding": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "effective": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
            "permitted": ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]
        },
        "noNewPrivileges": true
    },
    "root": {"path": "rootfs"},
    "hostname": "box",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]}
    ],
    "linux": {"namespaces": [{"type": "pid"}, {"type": "ipc"}, {"type": "uts"}, {"type": "mount"}]}
}"#;

/// Puts the calling thread, and what it starts, into a mount namespace where [`PLACE`] is memory
/// and `/sys/fs/cgroup` is cgroup v2, whatever the host has. Needs root.
pub fn enter() {
    assert!(
        !Path::new(env!("CARGO_MANIFEST_DIR")).starts_with(PLACE),
        "a tmpfs would hide this project"
    );
    let check = |doing: &str, result: i32| {
        assert!(result == 0, "{doing}: {}", std::io::Error::last_os_error())
    };
    // SAFETY: it changes the view of this thread alone, which shares no working directory with
    // others after it.
    check("unshare (these tests need root)", unsafe { libc::unshare(libc::CLONE_NEWNS) });
    let mount = |target: &CStr, kind: &CStr, flags: u64, data: &CStr| {
        let [target, kind, data] = [target, kind, data].map(CStr::as_ptr);
        // SAFETY: all of these end in NUL and live until the call returns; `data` is text, as both
        // want it.
        check("mount", unsafe { libc::mount(c"none".as_ptr(), target, kind, flags, data.cast()) });
    };
    mount(c"/", c"", libc::MS_REC | libc::MS_PRIVATE, c"");
    mount(c"/mnt", c"tmpfs", 0, c"size=512m,mode=755");
    mount(c"/sys/fs/cgroup", c"cgroup2", 0, c"");
    let rootfs = Path::new(PLACE).join("template");
    make_rootfs(&rootfs);
}

fn make_rootfs(rootfs: &Path) {
    for directory in ["bin", "proc", "sys", "dev", "tmp", "etc", "root", "mnt", "home"] {
        std::fs::create_dir_all(rootfs.join(directory)).expect("rootfs");
    }
    copy_program(busybox_binary(), &rootfs.join("bin/busybox"));
    std::fs::set_permissions(rootfs.join("tmp"), std::fs::Permissions::from_mode(0o1777))
        .expect("mode");
    let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    std::fs::write(rootfs.join("etc/passwd"), passwd).expect("passwd");
    let group = "root:x:0:\napp:x:1000:\nextra:x:2000:app\n";
    std::fs::write(rootfs.join("etc/group"), group).expect("group");
}

/// Returns the mounts of this thread, which is the host of the labs.
pub fn mountinfo() -> String {
    std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo")
}

/// Runs a command of the host's shell in this thread's mount namespace.
#[track_caller]
pub fn host(command: &str) {
    let status = Command::new("/bin/sh").args(["-ec", command]).status().expect("a shell");
    assert!(status.success(), "{command}");
}

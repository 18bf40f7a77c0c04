//! A place where runtimes are tried: a bundle of busybox in memory, cgroup v2, a state root of its own.

use std::ffi::CStr;
use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::images::busybox_binary;
use super::json::Json;

/// Where each thread has its own file system in memory. The path is short: sockets have 108 bytes for theirs.
pub const PLACE: &str = "/mnt";
/// What no command of these tests takes; then it hangs.
const LIMIT: Duration = Duration::from_secs(20);

/// A program with runc's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    Ocinit,
    Runc,
    Crun,
}

impl Runtime {
    pub const ALL: [Runtime; 3] = [Runtime::Ocinit, Runtime::Runc, Runtime::Crun];

    pub fn name(self) -> &'static str {
        match self {
            Runtime::Ocinit => "ocinit",
            Runtime::Runc => "runc",
            Runtime::Crun => "crun",
        }
    }

    /// The binary of this build (`OCINIT` says another), or Debian's.
    pub fn program(self) -> &'static str {
        match self {
            Runtime::Ocinit => {
                OCINIT.get_or_init(|| std::env::var("OCINIT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ocinit").into()))
            }
            other => other.name(),
        }
    }
}

/// Applets that the bundles have; all of busybox's would take longer to link than a container to run.
const APPLETS: &str = "awk basename cat chmod chown cp cut date dd dirname dmesg echo env expr false find grep head hostname id ifconfig ionice ip kill \
    ln ls mkdir mkfifo mknod mount mountpoint mv nice nproc od ping ps pwd readlink rm rmdir route sed seq setsid sh sleep sort stat stty sync tail \
    tee test timeout touch tr true tty umount uname unshare uptime wc which whoami xargs yes";

/// What `config.json` says where a case does not say otherwise.
const CONFIG: &str = r#"{
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

/// Puts the calling thread, and what it starts, into a mount namespace where [`PLACE`] is memory and `/sys/fs/cgroup`
/// is cgroup v2, whatever the host has. Needs root.
pub fn enter() {
    assert!(!Path::new(env!("CARGO_MANIFEST_DIR")).starts_with(PLACE), "a tmpfs would hide this project");
    let check = |doing: &str, result: i32| assert!(result == 0, "{doing}: {}", std::io::Error::last_os_error());
    // SAFETY: it changes the view of this thread alone, which shares no working directory with others after it.
    check("unshare (these tests need root)", unsafe { libc::unshare(libc::CLONE_NEWNS) });
    let mount = |target: &CStr, kind: &CStr, flags: u64, data: &CStr| {
        let [target, kind, data] = [target, kind, data].map(CStr::as_ptr);
        // SAFETY: all of these end in NUL and live until the call returns; `data` is text, as both want it.
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
    std::fs::set_permissions(rootfs.join("tmp"), std::fs::Permissions::from_mode(0o1777)).expect("mode");
    let passwd = "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n";
    std::fs::write(rootfs.join("etc/passwd"), passwd).expect("passwd");
    let group = "root:x:0:\napp:x:1000:\nextra:x:2000:app\n";
    std::fs::write(rootfs.join("etc/group"), group).expect("group");
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Said {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// Standard output, and the status where it is not 0.
    pub fn show(&self) -> String {
        match self.status {
            0 => self.out.clone(),
            status => format!("{}[{status}]", self.out),
        }
    }

    /// `ok`, or `refused` where the status is not 0 and standard error says why.
    pub fn verdict(&self) -> &'static str {
        match (self.status, self.err.trim().is_empty()) {
            (0, _) => "ok",
            (_, true) => "fails without a word",
            (_, false) => "refused",
        }
    }
}

/// One runtime, one container's id, one bundle.
pub struct Lab {
    pub runtime: Runtime,
    pub id: String,
    /// All of this below is in it, and it goes with the lab.
    pub dir: PathBuf,
    pub bundle: PathBuf,
    pub rootfs: PathBuf,
    /// The state root.
    pub state: PathBuf,
    /// Standard input of what is run.
    pub input: String,
    pub config: Json,
    /// Options before the command.
    pub global: Vec<String>,
    mounts: usize,
}

static OCINIT: OnceLock<String> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Lab {
    pub fn new(runtime: Runtime) -> Lab {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let id = format!("c{}-{number}", std::process::id());
        let dir = Path::new(PLACE).join(&id);
        let bundle = dir.join("b");
        let rootfs = bundle.join("rootfs");
        let template = Path::new(PLACE).join("template");
        std::fs::create_dir_all(rootfs.join("bin")).expect("rootfs");
        for directory in ["proc", "sys", "dev", "etc", "root", "mnt", "home", "tmp"] {
            std::fs::create_dir(rootfs.join(directory)).expect("rootfs");
        }
        std::fs::set_permissions(rootfs.join("tmp"), std::fs::Permissions::from_mode(0o1777)).expect("mode");
        for file in ["bin/busybox", "etc/passwd", "etc/group"] {
            // Nobody changes them in place, and a copy of busybox is two megabytes.
            std::fs::hard_link(template.join(file), rootfs.join(file)).expect("rootfs");
        }
        for applet in APPLETS.split_whitespace() {
            symlink("busybox", rootfs.join("bin").join(applet)).expect("applet");
        }
        let state = dir.join("s");
        std::fs::create_dir(&state).expect("state root");
        let mut lab = Lab {
            runtime,
            id,
            dir,
            bundle,
            rootfs,
            state,
            input: String::new(),
            config: Json::parse(CONFIG),
            global: Vec::new(),
            mounts: 0,
        };
        lab.merge(&format!(r#"{{"linux": {{"cgroupsPath": "/{}"}}}}"#, lab.id));
        lab.mounts = mounts();
        lab
    }

    /// Changes `config.json`; `@BUNDLE@`, `@ROOTFS@`, `@DIR@` and `@ID@` become this lab's.
    pub fn merge(&mut self, patch: &str) -> &mut Lab {
        let patch = Json::parse(&self.fill(patch));
        self.config.merge(&patch);
        self.save();
        self
    }

    /// What is run: a script for the container's shell.
    pub fn script(&mut self, script: &str) -> &mut Lab {
        let script = self.fill(script);
        let words = ["/bin/sh", "-c", &script].map(|word| Json::Text(word.into()));
        self.config.merge(&Json::Object(vec![(
            "process".into(),
            Json::Object(vec![("args".into(), Json::List(words.to_vec()))]),
        )]));
        self.save();
        self
    }

    fn save(&self) {
        std::fs::write(self.bundle.join("config.json"), self.config.to_string()).expect("config.json");
    }

    /// This text with this lab's paths in it.
    pub fn fill(&self, text: &str) -> String {
        let path = |path: &Path| path.to_str().expect("UTF-8").to_string();
        text.replace("@BUNDLE@", &path(&self.bundle))
            .replace("@ROOTFS@", &path(&self.rootfs))
            .replace("@DIR@", &path(&self.dir))
            .replace("@STATE@", &path(&self.state))
            .replace("@ID@", &self.id)
    }

    /// The runtime with its state root and these words.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(self.runtime.program());
        command.arg("--root").arg(&self.state).args(&self.global);
        command.args(words.iter().map(|word| self.fill(word)));
        command.current_dir(&self.dir);
        command
    }

    /// Runs the runtime to its end. Its output is a file: a container that stays may keep it.
    pub fn call(&self, words: &[&str]) -> Said {
        self.finish(&mut self.command(words))
    }

    /// Runs a command to its end, with this lab's standard input.
    pub fn finish(&self, command: &mut Command) -> Said {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let [input, out, err] = ["in", "out", "err"].map(|name| self.dir.join(format!("{number}.{name}")));
        std::fs::write(&input, &self.input).expect("input");
        let file = |path: &Path| File::create(path).expect("output");
        command.stdin(File::open(&input).expect("input")).stdout(file(&out)).stderr(file(&err));
        command.process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let begin = Instant::now();
        let mut pause = Duration::from_micros(500);
        let status = loop {
            if let Some(status) = child.try_wait().expect("wait") {
                break status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            }
            if begin.elapsed() > LIMIT {
                // SAFETY: kill touches no memory; the group is the one made for this child.
                unsafe { libc::kill(-i32::try_from(child.id()).expect("a pid"), libc::SIGKILL) };
                let _ = child.kill();
                let _ = child.wait();
                break -1;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(10));
        };
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned();
        let said = Said { status, out: text(&out), err: text(&err) };
        for file in [input, out, err] {
            let _ = std::fs::remove_file(file);
        }
        said
    }

    /// `run`.
    pub fn run(&self) -> Said {
        self.call(&["run", "--bundle", "@BUNDLE@", "@ID@"])
    }

    /// `create`.
    pub fn create(&self) -> Said {
        self.call(&["create", "--bundle", "@BUNDLE@", "@ID@"])
    }

    /// `start`.
    pub fn start(&self) -> Said {
        self.call(&["start", "@ID@"])
    }

    /// `state`, parsed; `Null` where it failed.
    pub fn state(&self) -> Json {
        let said = self.call(&["state", "@ID@"]);
        if said.status == 0 { Json::try_parse(&said.out).unwrap_or(Json::Text(said.out)) } else { Json::Null }
    }

    /// The word that `state` gives, or `absent`.
    pub fn status(&self) -> String {
        match self.state().at("status") {
            Json::Null => "absent".into(),
            status => status.show(),
        }
    }

    /// Waits until `state` gives this word, and gives the last that it gave.
    pub fn wait_for(&self, wanted: &str) -> String {
        let begin = Instant::now();
        loop {
            let status = self.status();
            if status == wanted || begin.elapsed() > Duration::from_secs(5) {
                return status;
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    /// The text of a file below the lab's directory once it ends in a line, or `nothing`.
    pub fn wait_for_file(&self, name: &str) -> String {
        let begin = Instant::now();
        loop {
            let text = self.file(name);
            if text.ends_with('\n') {
                return text;
            }
            if begin.elapsed() > Duration::from_secs(5) {
                return format!("{text}(no end of line came)");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The text of a file below the lab's directory, or nothing.
    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.join(name)).unwrap_or_default()
    }

    /// Where the container's cgroup is.
    pub fn cgroup(&self) -> PathBuf {
        Path::new("/sys/fs/cgroup").join(&self.id)
    }

    /// What is left of a container that was refused or deleted: nothing, or a list.
    pub fn leftovers(&self) -> String {
        let mut left = Vec::new();
        let states = std::fs::read_dir(&self.state).map(|entries| entries.filter_map(Result::ok).count()).unwrap_or(0);
        // What a runtime keeps of its own in its root is not a container's: a lock, say.
        if states > 0 && self.state.join(&self.id).exists() {
            left.push("state");
        }
        if self.cgroup().exists() {
            left.push("cgroup");
        }
        if mounts() != self.mounts {
            left.push("mount");
        }
        left.join(" ")
    }
}

/// Mounts that this thread sees.
fn mounts() -> usize {
    std::fs::read_to_string("/proc/thread-self/mountinfo").expect("mountinfo").lines().count()
}

/// Waits for a command that was started; `None` where it hangs, and is killed.
pub fn ended(child: &mut std::process::Child) -> Option<std::process::ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        if let Some(status) = child.try_wait().expect("wait") {
            return Some(status);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// The descriptor that came with a message of a unix socket.
pub fn receive_descriptor(stream: &std::os::unix::net::UnixStream) -> Option<i32> {
    receive_text(stream).1
}

/// A message of a unix socket, and the first descriptor that came with it.
pub fn receive_text(stream: &std::os::unix::net::UnixStream) -> (String, Option<i32>) {
    use std::os::fd::AsRawFd;
    let (mut data, mut control) = ([0_u8; 4096], [0_u64; 32]);
    let mut part = libc::iovec { iov_base: data.as_mut_ptr().cast(), iov_len: data.len() };
    // SAFETY: zeros are a message header; what it points to lives until the call returns and is as long as it says.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = u32::try_from(size_of_val(&control)).expect("small");
    // SAFETY: as above.
    let count = unsafe { libc::recvmsg(stream.as_raw_fd(), &raw mut message, 0) };
    // SAFETY: the kernel has filled the header in.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let text = String::from_utf8_lossy(&data[..usize::try_from(count).unwrap_or(0)]).into_owned();
    if count < 0 || header.is_null() {
        return (text, None);
    }
    // SAFETY: it is the first header of the message, and holds at least one descriptor if it is of this type.
    let descriptor = unsafe {
        ((*header).cmsg_type == libc::SCM_RIGHTS).then(|| libc::CMSG_DATA(header).cast::<i32>().read_unaligned())
    };
    (text, descriptor)
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.call(&["delete", "--force", "@ID@"]);
        let procs = std::fs::read_to_string(self.cgroup().join("cgroup.procs")).unwrap_or_default();
        for pid in procs.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1) {
            // SAFETY: kill touches no memory; the process is in the cgroup of this lab's container.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        }
        let _ = std::fs::remove_dir(self.cgroup());
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Returns how often to try a race: `long` under `make test-escapes`.
pub fn turns(short: u32, long: u32) -> u32 {
    if std::env::var_os("OCINIT_ESCAPES").is_some_and(|form| form == "long") { long } else { short }
}

/// Copies a program that is executed soon, by a process of its own: another thread's fork would inherit the descriptor that it
/// is written by, and what is open to be written is not executed (ETXTBSY).
pub fn copy_program(from: impl AsRef<Path>, to: &Path) {
    let copied = Command::new("cp").arg(from.as_ref()).arg(to).status();
    assert!(copied.expect("cp").success(), "{}", to.display());
}

/// A lab whose container sleeps.
pub fn sleeper(runtime: Runtime) -> Lab {
    let mut lab = Lab::new(runtime);
    lab.script("exec sleep 1000");
    lab
}

/// The same, with the container running.
#[track_caller]
pub fn running(runtime: Runtime) -> Lab {
    let lab = sleeper(runtime);
    launch(&lab);
    lab
}

#[track_caller]
pub fn launch(lab: &Lab) {
    for said in [lab.create(), lab.start()] {
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{:?}", lab.runtime);
    }
}

/// It did it, and said nothing.
#[track_caller]
pub fn done(said: &Said) {
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{}", said.out);
}

/// It failed, and said this among other things, on one line.
#[track_caller]
pub fn refused(lab: &Lab, said: &Said, text: &str) {
    let text = lab.fill(text);
    // In a line of runc's log, quotes are quoted.
    let is_it =
        said.status == 1 && said.err.replace('\\', "").contains(&text) && said.err.trim_end().lines().count() == 1;
    assert!(is_it, "{:?}: wanted {text}: {} {}", lab.runtime, said.status, said.err);
}

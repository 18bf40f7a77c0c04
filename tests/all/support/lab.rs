//! A lab for runtimes: a bundle of busybox in memory, cgroup v2, a state root of its own.

mod messages;
mod place;

use std::fs::File;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::json::Json;
pub use messages::{receive_descriptor, receive_text};
use place::{APPLETS, CONFIG};
pub use place::{enter, host, mountinfo};

/// Where each thread has its own file system in memory. The path is short: sockets have 108 bytes
/// for theirs.
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
            Runtime::Ocinit => OCINIT.get_or_init(|| {
                std::env::var("OCINIT").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ocinit").into())
            }),
            other => other.name(),
        }
    }
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
        std::fs::set_permissions(rootfs.join("tmp"), std::fs::Permissions::from_mode(0o1777))
            .expect("mode");
        for file in ["bin/busybox", "etc/passwd", "etc/group"] {
            // They are never changed in place, and a copy of busybox is two megabytes.
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
        lab.mounts = mountinfo().lines().count();
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

    /// For an ordinary user, who has one id: a user namespace whose root is the user, and no
    /// cgroup.
    pub fn for_user(&mut self, user: u32) -> &mut Lab {
        self.merge(&format!(
            r#"{{"linux": {{"cgroupsPath": null,
                "namespaces": [{{"type": "user"}}, {{"type": "mount"}}, {{"type": "pid"}}, {{"type": "ipc"}}, {{"type": "uts"}}],
                "uidMappings": [{{"containerID": 0, "hostID": {user}, "size": 1}}],
                "gidMappings": [{{"containerID": 0, "hostID": {user}, "size": 1}}]}}}}"#
        ))
    }

    fn save(&self) {
        std::fs::write(self.bundle.join("config.json"), self.config.to_string())
            .expect("config.json");
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
        let [input, out, err] =
            ["in", "out", "err"].map(|name| self.dir.join(format!("{number}.{name}")));
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
        let text = |path: &Path| {
            String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
        };
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
        if said.status == 0 {
            Json::try_parse(&said.out).unwrap_or(Json::Text(said.out))
        } else {
            Json::Null
        }
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
        let states = std::fs::read_dir(&self.state)
            .map(|entries| entries.filter_map(Result::ok).count())
            .unwrap_or(0);
        // What a runtime keeps of its own in its root is not a container's: a lock, say.
        if states > 0 && self.state.join(&self.id).exists() {
            left.push("state");
        }
        if self.cgroup().exists() {
            left.push("cgroup");
        }
        if mountinfo().lines().count() != self.mounts {
            left.push("mount");
        }
        left.join(" ")
    }
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

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.call(&["delete", "--force", "@ID@"]);
        let procs = std::fs::read_to_string(self.cgroup().join("cgroup.procs")).unwrap_or_default();
        for pid in procs.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 1)
        {
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
    let is_it = said.status == 1
        && said.err.replace('\\', "").contains(&text)
        && said.err.trim_end().lines().count() == 1;
    assert!(is_it, "{:?}: wanted {text}: {} {}", lab.runtime, said.status, said.err);
}

//! Commands that show or end containers, on states that a test wrote. Each command says what runc
//! says, and `delete --force` leaves nothing behind. lifecycle_lists.rs has `state`, `list` and
//! `ps`.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::support::{read, scratch, write};

/// A directory of states.
pub struct Root(pub PathBuf);

/// What a command said.
pub struct Said {
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// It failed as a runtime does, with this one line.
    #[track_caller]
    pub fn fails(&self, line: &str) {
        assert_eq!(
            (self.stderr.as_str(), self.status),
            (&*format!("ocinit: {line}\n"), Some(1)),
            "{}",
            self.stdout
        );
    }

    /// It did what it was told to, and said this.
    #[track_caller]
    pub fn says(&self, stdout: &str) {
        assert_eq!(
            (self.stdout.as_str(), self.stderr.as_str(), self.status),
            (stdout, "", Some(0))
        );
    }
}

impl Root {
    pub fn new(name: &str) -> Root {
        Root(scratch(name).join("states"))
    }

    pub fn run(&self, words: &[&str]) -> Said {
        Said::of(
            Command::new(env!("CARGO_BIN_EXE_ocinit"))
                .arg("--root")
                .arg(&self.0)
                .args(words)
                .output()
                .unwrap(),
        )
    }

    pub fn directory(&self, id: &str) -> PathBuf {
        self.0.join(id)
    }

    /// A container with this process.
    pub fn add(&self, id: &str, (pid, started): (u32, u64), bundle: &str) {
        std::fs::create_dir_all(self.directory(id)).unwrap();
        let state = format!(
            r#"{{"id":"{id}","ociVersion":"1.0.2","bundle":"{bundle}","rootfs":"{bundle}/rootfs","cgroup":"",
                "pid":{pid},"startTime":{started},"createdSeconds":1795532400,"createdNanoseconds":24205480,
                "owner":0,"rootless":0,"terminal":0}}"#
        );
        write(&self.directory(id).join("state.json"), state);
        write(
            &self.directory(id).join("config.json"),
            r#"{"ociVersion":"1.0.2","annotations":{"org.example":"\u0041 \"b\""}}"#,
        );
    }
}

/// A process of the host that stands for a container's.
pub struct Process(pub Child);

impl Process {
    pub fn new() -> Process {
        Process(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    /// Its number and start time.
    pub fn who(&self) -> (u32, u64) {
        let stat =
            String::from_utf8(read(Path::new(&format!("/proc/{}/stat", self.0.id())))).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        (self.0.id(), fields.split_whitespace().nth(19).unwrap().parse().unwrap())
    }

    /// The signal that ends it.
    pub fn ended_by(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.0.wait().unwrap().signal().unwrap()
    }

    pub fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_absent_container_and_a_bad_name_are_told_as_runc_tells_them() {
    let root = Root::new("states-absent");
    for command in ["state", "kill", "ps", "delete"] {
        root.run(&[command, "none"]).fails("container does not exist: none");
        for id in ["..", ".", "a/b", "/etc", "a b", ""] {
            root.run(&[command, id]).fails(&format!("invalid container ID format: {id}"));
        }
        std::fs::create_dir_all(&root.0).unwrap();
        std::os::unix::fs::symlink("/", root.directory("link")).unwrap();
        root.run(&[command, "link"]).fails("open the directory of container link: not a directory");
        std::fs::remove_dir_all(&root.0).unwrap();
    }
    root.run(&["delete", "--force", "none"]).says("");
    assert!(!root.0.exists(), "whoever only looks makes nothing");
}

#[test]
fn a_signal_goes_to_the_process_and_to_no_other() {
    let root = Root::new("states-kill");
    for (words, signal) in
        [(&[][..], 15), (&["KILL"], 9), (&["SIGUSR1"], 10), (&["usr2"], 12), (&["1"], 1)]
    {
        let mut process = Process::new();
        root.add("one", process.who(), "/b");
        root.run(&["kill", "one", "0"]).says("");
        root.run(&[&["kill", "one"], words].concat()).says("");
        assert_eq!(process.ended_by(), signal);
        root.run(&["kill", "one", "0"]).fails("container not running: one");
    }
    let mut process = Process::new();
    let (pid, started) = process.who();
    root.add("one", (pid, started), "/b");
    for signal in ["FOO", "SIG", "65", "-1", "", "9x"] {
        root.run(&["kill", "one", "--", signal]).fails(&format!("unknown signal \"{signal}\""));
    }
    // Options stand anywhere; without a cgroup or a pid namespace of its own, all of a container is
    // its process.
    root.run(&["kill", "one", "KILL", "-a"]).says("");
    assert_eq!(process.ended_by(), 9);
    root.run(&["kill", "--all", "one", "KILL"]).says("");
    // A number that another process has by now.
    let mut other = Process::new();
    let (pid, started) = other.who();
    root.add("one", (pid, started - 1), "/b");
    root.run(&["kill", "one", "KILL"]).fails("container not running: one");
    root.run(&["kill", "--all", "one", "KILL"]).says("");
    assert!(root.run(&["state", "one"]).stdout.contains("\"status\": \"stopped\""));
    root.run(&["delete", "--force", "one"]).says("");
    assert!(other.is_alive());
}

#[test]
fn a_process_that_nobody_has_collected_has_stopped() {
    let (root, mut process) = (Root::new("states-zombie"), Process::new());
    root.add("one", process.who(), "/b");
    process.0.kill().unwrap();
    let stat = PathBuf::from(format!("/proc/{}/stat", process.0.id()));
    while !String::from_utf8(read(&stat)).unwrap().contains(") Z ") {}
    assert!(root.run(&["state", "one"]).stdout.contains("\"pid\": 0,\n  \"status\": \"stopped\""));
    root.run(&["kill", "one"]).fails("container not running: one");
    root.run(&["delete", "one"]).says("");
}

#[test]
fn only_what_has_stopped_is_deleted_and_force_deletes_all() {
    let (root, mut process) = (Root::new("states-delete"), Process::new());
    root.add("one", process.who(), "/b");
    root.run(&["delete", "one"]).fails("cannot delete container one that is not stopped: running");
    assert!(process.is_alive() && root.directory("one").join("state.json").exists());
    root.run(&["delete", "-f", "one"]).says("");
    assert_eq!(process.ended_by(), 9);
    root.run(&["delete", "-f", "one"]).says("");
    root.add("one", (0, 0), "/b");
    root.run(&["delete", "one"]).says("");
    // Killed before there was a state, or in the middle of writing one.
    std::fs::create_dir(root.directory("one")).unwrap();
    write(&root.directory("one").join("state.json.new"), "{\"id\"");
    root.run(&["state", "one"]).fails("container does not exist: one");
    root.run(&["delete", "one"]).says("");
    root.add("one", (1, 1), "/b");
    write(&root.directory("one").join("state.json"), "");
    root.run(&["delete", "one"])
        .fails("container one: state.json: invalid JSON at byte 0: the document ends early");
    let said = root.run(&["delete", "-f", "one"]);
    assert_eq!(said.status, Some(0), "{}", said.stderr);
    // A link in it is removed, not followed.
    let kept = root.0.parent().unwrap().join("kept");
    write(&kept, "kept");
    root.add("one", (0, 0), "/b");
    std::os::unix::fs::symlink(&kept, root.directory("one").join("start.sock")).unwrap();
    root.run(&["delete", "one"]).says("");
    assert_eq!((std::fs::read_dir(&root.0).unwrap().count(), read(&kept)), (0, b"kept".to_vec()));
}

#[test]
fn of_many_that_delete_one_container_one_does() {
    let root = Root::new("states-race");
    for _ in 0..5 {
        let mut process = Process::new();
        root.add("one", process.who(), "/b");
        let all: Vec<_> = (0..8)
            .map(|n| {
                let words: &[&str] =
                    if n % 2 == 0 { &["delete", "-f", "one"] } else { &["delete", "one"] };
                let mut command = Command::new(env!("CARGO_BIN_EXE_ocinit"));
                command
                    .arg("--root")
                    .arg(&root.0)
                    .args(words)
                    .stderr(Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for (n, one) in all.into_iter().enumerate() {
            let said = Said::of(one.wait_with_output().unwrap());
            let known = [
                "container does not exist: one",
                "cannot delete container one that is not stopped: running",
            ];
            let is_known = known.iter().any(|line| said.stderr == format!("ocinit: {line}\n"));
            assert!(
                if n % 2 == 0 {
                    said.stderr.is_empty()
                } else {
                    said.stderr.is_empty() || is_known
                },
                "{}",
                said.stderr
            );
        }
        assert!(!root.directory("one").exists());
        assert_eq!(process.ended_by(), 9);
    }
}

#[test]
fn errors_go_to_the_log_and_to_standard_error() {
    let root = Root::new("states-log");
    let log = root.0.parent().unwrap().join("log");
    let name = log.to_str().unwrap();
    root.run(&["--log", name, "--log-format", "json", "state", "none"])
        .fails("container does not exist: none");
    root.run(&["state", "--log", name, "none"]).fails("container does not exist: none");
    // What is wrong with a command's own options is told there, too.
    root.run(&["--log", name, "state"]).fails("state: no ID: usage: ocinit state ID");
    root.run(&["--log", name, "state", "--frob", "x"]).fails("state: no option --frob: see --help");
    let text = String::from_utf8(read(&log)).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(
        lines[0]
            .starts_with(r#"{"level":"error","msg":"container does not exist: none","time":"20"#),
        "{text}"
    );
    let line = "ocinit: container does not exist: none";
    assert_eq!(
        lines[1..],
        [
            line,
            "ocinit: state: no ID: usage: ocinit state ID",
            "ocinit: state: no option --frob: see --help"
        ]
    );
    root.run(&["--log", "/proc/nowhere/log", "state", "none"])
        .fails("open the log /proc/nowhere/log: no such file or directory");
    let said = root.run(&["--log-format=json", "state", "none"]);
    assert!(
        said.stderr.starts_with(r#"{"level":"error","msg":"container does not exist"#)
            && said.stderr.lines().count() == 1
    );
    // What stands behind a command that is passed on is not an option of ours.
    let said = root.run(&["ps", "none", "--log", "/proc/nowhere/log", "--log-format", "xml"]);
    said.fails("container does not exist: none");
}

#[test]
fn what_ocinit_does_not_do_is_refused_in_one_line() {
    let root = Root::new("states-refused");
    for words in [
        &["checkpoint", "--help"][..],
        &["checkpoint", "--image-path", "x", "one"],
        &["restore", "one"],
    ] {
        root.run(words)
            .fails(&format!("{}: ocinit neither saves containers nor restores them", words[0]));
    }
    let line =
        "--systemd-cgroup: ocinit makes cgroups without systemd, as with --cgroup-manager cgroupfs";
    for command in ["create", "run"] {
        root.run(&["--systemd-cgroup", command, "one"]).fails(line);
        root.run(&["--cgroup-manager", "systemd", command, "one"]).fails(line);
    }
    // Commands that make no cgroup leave nothing to systemd.
    for command in ["state", "start", "kill", "delete", "ps", "pause", "resume", "events", "update"]
    {
        for systemd in [&["--systemd-cgroup"][..], &["--cgroup-manager", "systemd"]] {
            root.run(&[systemd, &[command, "one"]].concat()).fails("container does not exist: one");
        }
    }
    assert!(!root.0.exists(), "a create that fails leaves no directory of states");
    root.run(&["--cgroup-manager=x", "state", "one"])
        .fails("--cgroup-manager x: neither cgroupfs nor disabled");
    for words in [
        &["--cgroup-manager", "disabled"][..],
        &["--rootless=auto", "--debug", "--systemd-cgroup=false"],
    ] {
        root.run(&[words, &["state", "one"]].concat()).fails("container does not exist: one");
    }
}

//! Commands that look at containers or end them, on states that a test wrote: whatever stands
//! there, each command says what runc says, and `delete --force` leaves nothing behind.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::support::{read, scratch, write};

/// A directory of states.
struct Root(PathBuf);

/// What a command said.
struct Said {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn of(output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said {
            status: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// It failed as a runtime does, with this one line.
    #[track_caller]
    fn fails(&self, line: &str) {
        assert_eq!(
            (self.stderr.as_str(), self.status),
            (&*format!("ocinit: {line}\n"), Some(1)),
            "{}",
            self.stdout
        );
    }

    /// It did what it was told to, and said this.
    #[track_caller]
    fn says(&self, stdout: &str) {
        assert_eq!(
            (self.stdout.as_str(), self.stderr.as_str(), self.status),
            (stdout, "", Some(0))
        );
    }
}

impl Root {
    fn new(name: &str) -> Root {
        Root(scratch(name).join("states"))
    }

    fn run(&self, words: &[&str]) -> Said {
        Said::of(
            Command::new(env!("CARGO_BIN_EXE_ocinit"))
                .arg("--root")
                .arg(&self.0)
                .args(words)
                .output()
                .unwrap(),
        )
    }

    fn directory(&self, id: &str) -> PathBuf {
        self.0.join(id)
    }

    /// A container with this process.
    fn add(&self, id: &str, (pid, started): (u32, u64), bundle: &str) {
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
struct Process(Child);

impl Process {
    fn new() -> Process {
        Process(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    /// Its number and start time.
    fn who(&self) -> (u32, u64) {
        let stat =
            String::from_utf8(read(Path::new(&format!("/proc/{}/stat", self.0.id())))).unwrap();
        let fields = stat.rsplit_once(')').unwrap().1;
        (self.0.id(), fields.split_whitespace().nth(19).unwrap().parse().unwrap())
    }

    /// The signal that ends it.
    fn ended_by(&mut self) -> i32 {
        use std::os::unix::process::ExitStatusExt;
        self.0.wait().unwrap().signal().unwrap()
    }

    fn is_alive(&mut self) -> bool {
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
fn a_state_is_what_the_specification_and_runc_have() {
    let (root, process) = (Root::new("states-state"), Process::new());
    root.add("one", process.who(), "/b");
    root.add("two", (0, 0), "/b");
    let text = |id: &str, pid: u32, status: &str| {
        format!(
            "{{\n  \"ociVersion\": \"1.0.2\",\n  \"id\": \"{id}\",\n  \"pid\": {pid},\n  \"status\": \"{status}\",\n  \
             \"bundle\": \"/b\",\n  \"rootfs\": \"/b/rootfs\",\n  \"created\": \"2026-11-24T15:00:00.02420548Z\",\n  \
             \"annotations\": {{\n    \"org.example\": \"A \\\"b\\\"\"\n  }},\n  \"owner\": \"\"\n}}\n"
        )
    };
    root.run(&["state", "one"]).says(&text("one", process.0.id(), "running"));
    root.run(&["state", "two"]).says(&text("two", 0, "stopped"));
    // A configuration that was lost takes only the annotations along.
    std::fs::remove_file(root.directory("two").join("config.json")).unwrap();
    let said = root.run(&["state", "two"]);
    assert!(said.status == Some(0) && !said.stdout.contains("annotations"), "{}", said.stdout);
}

#[test]
fn a_list_is_laid_out_as_go_does_it() {
    let (root, process) = (Root::new("states-list"), Process::new());
    // As in the newest runc, only the default root may be missing.
    let missing = format!("open the state's root {}: no such file or directory", root.0.display());
    root.run(&["list"]).fails(&missing);
    root.run(&["delete", "-f", "one"]).says("");
    std::fs::create_dir(&root.0).unwrap();
    root.run(&["list"]).says("ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
    root.run(&["list", "-f", "json"]).says("null\n");
    root.run(&["list", "-q"]).says("");
    root.add("b-longer-name", process.who(), "/some/where/else");
    root.add("a", (0, 0), "/b");
    let pid = format!("{:<12}", process.0.id());
    root.run(&["list"]).says(&format!(
        "ID              PID         STATUS      BUNDLE             CREATED                         OWNER\n\
         a               0           stopped     /b                 2026-11-24T15:00:00.02420548Z   root\n\
         b-longer-name   {pid}running     /some/where/else   2026-11-24T15:00:00.02420548Z   root\n"
    ));
    root.run(&["list", "--quiet"]).says("a\nb-longer-name\n");
    let one = |id: &str, pid: u32, status: &str, bundle: &str| {
        format!(
            r#"{{"ociVersion":"1.0.2","id":"{id}","pid":{pid},"status":"{status}","bundle":"{bundle}","rootfs":"{bundle}/rootfs","created":"2026-11-24T15:00:00.02420548Z","annotations":{{"org.example":"A \"b\""}},"owner":"root"}}"#
        )
    };
    let both = format!(
        "[{},{}]\n",
        one("a", 0, "stopped", "/b"),
        one("b-longer-name", process.0.id(), "running", "/some/where/else")
    );
    root.run(&["list", "--format=json"]).says(&both);
    root.run(&["list", "--format=xml"]).fails("--format xml: neither table nor json");
    // What cannot be read is told, and keeps nobody from the others. What is no container is none.
    write(&root.directory("a").join("state.json"), "{");
    std::fs::create_dir(root.directory("empty")).unwrap();
    write(&root.directory("file"), "");
    std::os::unix::fs::symlink("a", root.directory("link")).unwrap();
    let said = root.run(&["list", "-f", "json"]);
    assert_eq!(
        said.stdout,
        format!("[{}]\n", one("b-longer-name", process.0.id(), "running", "/some/where/else"))
    );
    assert_eq!(
        said.stderr,
        "ocinit: container a: state.json: invalid JSON at byte 1: the document ends early\n"
    );
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
fn processes_are_shown_by_number_and_by_ps() {
    let (root, process) = (Root::new("states-ps"), Process::new());
    root.add("one", process.who(), "/b");
    let pid = process.0.id();
    root.run(&["ps", "-f", "json", "one"]).says(&format!("[{pid}]\n"));
    let said = root.run(&["ps", "one"]);
    let lines: Vec<_> = said.stdout.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("UID ") && lines[1].ends_with(" sleep 1000"),
        "{}",
        said.stdout
    );
    // Options behind the name are those of ps.
    let said = root.run(&["ps", "one", "-o", "pid=X,args", "-e"]);
    said.fails("couldn't find PID field in ps output");
    let said = root.run(&["ps", "one", "-e", "-o", "pid,args"]);
    assert_eq!(
        said.stdout.split_whitespace().collect::<Vec<_>>(),
        ["PID", "COMMAND", &pid.to_string(), "sleep", "1000"]
    );
    let said = root.run(&["ps", "one", "--frobnicate"]);
    assert!(
        said.status == Some(1) && said.stderr.ends_with("ocinit: ps failed\n"),
        "{}",
        said.stderr
    );
    drop(process);
    root.run(&["ps", "-f", "json", "one"]).says("null\n");
    assert_eq!(root.run(&["ps", "one"]).stdout.lines().count(), 1);
    let none = Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .args(["--root", root.0.to_str().unwrap(), "ps", "one"])
        .env("PATH", "/proc/nowhere")
        .output();
    Said::of(none.unwrap()).fails("ps: executable file not found in $PATH");
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

#[test]
fn an_ordinary_user_has_states_of_his_own() {
    let place = scratch("states-user");
    std::fs::set_permissions(&place, PermissionsExt::from_mode(0o777)).unwrap();
    let root = Root(place.join("ocinit"));
    root.add("one", (0, 0), "/b");
    let list = |runtime_directory: Option<&Path>, uid: &str| {
        let mut command = Command::new("setpriv");
        command.args([&format!("--reuid={uid}"), "--regid=65534", "--clear-groups", "--"]);
        command.args([env!("CARGO_BIN_EXE_ocinit"), "list", "-q"]).env_remove("XDG_RUNTIME_DIR");
        command.envs(runtime_directory.map(|path| ("XDG_RUNTIME_DIR", path)));
        Said::of(command.output().unwrap()).stdout
    };
    assert_eq!(list(Some(&place), "65534"), "one\n");
    assert!(
        !list(None, "65534").contains("one") && !list(Some(&place), "0").contains("one"),
        "root has its own"
    );
}

/// A root with many containers is read once, and each container is looked up once.
#[test]
fn a_list_of_many_takes_as_many_steps_as_there_are() {
    let root = Root::new("states-many");
    let count = 400;
    for n in 0..count {
        root.add(&format!("container-with-a-name-{n:03}"), (0, 0), "/b");
    }
    for format in ["table", "json"] {
        let log = root.0.parent().unwrap().join("trace");
        let mut command = Command::new("strace");
        command
            .args(["-e", "trace=getdents64,openat,open", "-o"])
            .arg(&log)
            .arg(env!("CARGO_BIN_EXE_ocinit"));
        let said = Said::of(
            command.arg("--root").arg(&root.0).args(["list", "-f", format]).output().unwrap(),
        );
        assert_eq!(said.status, Some(0), "{}", said.stderr);
        assert!(said.stdout.matches("container-with-a-name").count() == count, "{}", said.stdout);
        let trace = String::from_utf8(read(&log)).unwrap();
        // 24 bytes and a name each, in buffers of 4096.
        assert!(
            trace.matches("getdents64").count() < count / 10,
            "{format}: the names are read again and again"
        );
        assert!(trace.matches("/etc/passwd").count() <= 1, "{format}");
        assert!(trace.matches("state.json").count() == count, "{format}: each is read once");
    }
}

//! Commands beside the newest runc's: the processes that KILL reaches, exec's process file,
//! `--debug`, and messages about a container that has stopped.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::json::Json;
use crate::support::lab::{self, Lab, Runtime, done, ended, launch, refused, running};

/// Returns a container in the host's pid namespace, and its processes.
fn in_hosts_namespace() -> (Lab, Vec<String>) {
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}}"#,
    );
    lab.script("setsid sleep 1000 & setsid sleep 1000 & echo >/root/set; sleep 1000");
    launch(&lab);
    lab.wait_for_file("b/rootfs/root/set");
    let deadline = Instant::now() + Duration::from_secs(5);
    while processes(&lab).len() != 3 {
        assert!(Instant::now() < deadline, "three processes");
        std::thread::sleep(Duration::from_millis(2));
    }
    let all = processes(&lab);
    (lab, all)
}

fn processes(lab: &Lab) -> Vec<String> {
    let text = std::fs::read_to_string(lab.cgroup().join("cgroup.procs")).unwrap_or_default();
    text.lines().map(String::from).collect()
}

fn is_gone(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    stat.map_or(true, |stat| stat.contains(") Z "))
}

/// The kernel ends a pid namespace with its first process; in a shared one `kill` must (runc's
/// kill.bats).
#[test]
fn kill_ends_all_processes_of_a_shared_pid_namespace() {
    lab::enter();
    for first_has_ended in [false, true] {
        let (lab, all) = in_hosts_namespace();
        if first_has_ended {
            let pid: i32 = lab.state().at("pid").show().parse().expect("a number");
            // SAFETY: kill touches no memory; the process is this test's container's.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            assert_eq!(lab.wait_for("stopped"), "stopped");
            assert!(!processes(&lab).is_empty(), "the others live on");
        } else {
            // Other signals go to the first process alone.
            done(&lab.call(&["kill", "@ID@", "URG"]));
            assert_eq!(processes(&lab), all);
        }
        done(&lab.call(&["kill", "@ID@", "KILL"]));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !all.iter().all(|pid| is_gone(pid)) {
            assert!(Instant::now() < deadline, "all of them end, ended first: {first_has_ended}");
            std::thread::sleep(Duration::from_millis(2));
        }
        // Now no process is left.
        assert_eq!(lab.wait_for("stopped"), "stopped");
        refused(&lab, &lab.call(&["kill", "@ID@", "KILL"]), "container not running");
        done(&lab.call(&["delete", "@ID@"]));
        assert_eq!(lab.leftovers(), "");
    }
}

/// A shell's `<(...)` is a pipe, and its path is /dev/fd/63.
#[test]
fn exec_reads_its_process_from_a_pipe_and_a_fifo() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let lab = running(runtime);
        let process = r#"{"args": ["echo", "from the pipe"], "cwd": "/", "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0}}"#;
        let mut command = Command::new("bash");
        let words =
            format!("exec \"$0\" \"$@\" --process <(sleep 0.1; echo '{process}') {}", lab.id);
        let called = lab.command(&["exec"]);
        command
            .args(["-c", &words])
            .arg(called.get_program())
            .args(called.get_args())
            .current_dir(&lab.dir);
        assert_eq!(lab.finish(&mut command).show(), "from the pipe\n", "{runtime:?}");
        let fifo = lab.dir.join("fifo");
        support::tool(Command::new("mkfifo").arg(&fifo));
        let mut writer = Command::new("sh");
        let mut writer = writer
            .args(["-c", &format!("echo '{process}' > {}", fifo.display())])
            .spawn()
            .expect("sh");
        assert_eq!(
            lab.call(&["exec", "--process", "@DIR@/fifo", "@ID@"]).show(),
            "from the pipe\n",
            "{runtime:?}"
        );
        assert!(ended(&mut writer).is_some());
        done(&lab.call(&["delete", "-f", "@ID@"]));
    }
    // A command that waits for a writer can be ended.
    let lab = running(Runtime::Ocinit);
    support::tool(Command::new("mkfifo").arg(lab.dir.join("fifo")));
    let mut command = lab.command(&["exec", "--process", "@DIR@/fifo", "@ID@"]);
    let mut child = command.stdin(Stdio::null()).spawn().expect("exec");
    std::thread::sleep(Duration::from_millis(100));
    // SAFETY: kill touches no memory; the process is our child.
    unsafe { libc::kill(i32::try_from(child.id()).expect("a pid"), libc::SIGINT) };
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(ended(&mut child).and_then(|status| status.signal()), Some(libc::SIGINT));
    let said = lab.call(&["exec", "--process", "@DIR@", "@ID@"]);
    assert!(said.status == 255 && said.err.contains("is a directory"), "{said:?}");
    done(&lab.call(&["delete", "-f", "@ID@"]));
}

/// Without the fix it is refused, as no regular file.
#[test]
fn update_reads_its_limits_from_a_pipe() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let lab = running(runtime);
        let mut command = Command::new("bash");
        let words = format!("exec \"$0\" \"$@\" --resources <(sleep 0.1; echo '{{}}') {}", lab.id);
        let called = lab.command(&["update"]);
        command
            .args(["-c", &words])
            .arg(called.get_program())
            .args(called.get_args())
            .current_dir(&lab.dir);
        done(&lab.finish(&mut command));
        done(&lab.call(&["delete", "-f", "@ID@"]));
    }
}

/// As runc's debug.bats and exec.bats have it: on standard error, or in the log, with the level.
#[test]
fn debug_tells_the_phases_in_the_log_or_on_standard_error() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.script("exec sleep 1000");
    let phases = ["config.json", "cgroup", "cloned", "about to exec"];
    for format in ["stderr", "text", "json"] {
        let log = lab.dir.join(format!("log-{format}"));
        lab.global = match format {
            "stderr" => vec!["--debug".into()],
            _ => ["--debug", "--log-format", format, "--log", log.to_str().expect("UTF-8")]
                .map(String::from)
                .to_vec(),
        };
        for words in [
            &["create", "--bundle", "@BUNDLE@", "@ID@"][..],
            &["start", "@ID@"],
            &["exec", "@ID@", "true"],
            &["delete", "--force", "@ID@"],
        ] {
            let _ = std::fs::remove_file(&log);
            let said = lab.call(words);
            assert_eq!(said.status, 0, "{format} {words:?}: {said:?}");
            let text = if format == "stderr" {
                said.err.clone()
            } else {
                lab.file(&format!("log-{format}"))
            };
            assert_eq!(said.err.is_empty(), format != "stderr", "{said:?}");
            assert!(!text.is_empty(), "{format} {words:?}");
            for line in text.lines() {
                let is_debug = match format {
                    "json" => Json::parse(line).at("level").show() == "debug",
                    _ => {
                        line.starts_with("time=\"20")
                            && line.contains("Z\" level=debug msg=\"")
                            && line.ends_with('"')
                    }
                };
                assert!(is_debug, "{format} {words:?}: {line}");
            }
            if words[0] == "create" {
                for phase in phases {
                    assert!(text.contains(phase), "{phase}: {text}");
                }
            }
        }
        // A failure is reported as ever.
        let said = lab.call(&["state", "@ID@"]);
        assert!(said.err.ends_with(&lab.fill("container does not exist: @ID@\n")), "{said:?}");
        assert_eq!(said.err.lines().count(), 1);
    }
    lab.global.clear();
    done(&lab.create());
    done(&lab.call(&["delete", "-f", "@ID@"]));
}

#[test]
fn processes_of_a_container_that_has_stopped_are_none() {
    lab::enter();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let lab = running(runtime);
        let said = lab.call(&["ps", "@ID@"]);
        done(&said);
        assert_eq!(
            said.out.split_whitespace().take(3).collect::<Vec<_>>(),
            ["UID", "PID", "PPID"],
            "{runtime:?}"
        );
        done(&lab.call(&["kill", "@ID@", "KILL"]));
        assert_eq!(lab.wait_for("stopped"), "stopped");
        let said = lab.call(&["ps", "@ID@"]);
        assert_eq!((said.status, said.out.lines().count()), (0, 1), "{runtime:?}: {said:?}");
        done(&lab.call(&["delete", "@ID@"]));
    }
}

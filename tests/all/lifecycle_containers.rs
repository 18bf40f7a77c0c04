//! Showing and ending containers, by ocinit and, if it does the same, by runc: output, errors,
//! leftovers.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support;
use crate::support::json::Json;
use crate::support::lab::{self, Lab, Runtime, done, launch, refused, running, sleeper};

const BOTH: [Runtime; 2] = [Runtime::Ocinit, Runtime::Runc];

#[test]
fn state_shows_the_fields_of_runc() {
    lab::enter();
    let mut shown = Vec::new();
    for runtime in BOTH {
        let mut lab = sleeper(runtime);
        lab.merge(r#"{"annotations": {"org.example.b": "two \"2\"", "org.example": "one"}}"#);
        let mut texts = String::new();
        let mut look = |lab: &Lab, status: &str| {
            assert_eq!(lab.wait_for(status), status, "{runtime:?}");
            let said = lab.call(&["state", "@ID@"]);
            done(&said);
            let state = Json::parse(&said.out);
            let pid = state.at("pid").show();
            assert_eq!(pid == "0", status == "stopped", "{runtime:?}");
            // What is not the same for two of them.
            let text = said
                .out
                .trim_end()
                .replace(&format!("\"pid\": {pid}"), "\"pid\": N")
                .replace(&lab.id, "ID");
            let created = state.at("created").show();
            assert!(
                created.contains('T') && created.contains('Z') && created.len() > 20,
                "{created}"
            );
            let version = state.at("ociVersion").show();
            let text = text
                .replace(created.trim_matches('"'), "THEN")
                .replace(version.trim_matches('"'), "VERSION");
            texts.push_str(&text);
        };
        done(&lab.create());
        look(&lab, "created");
        done(&lab.start());
        look(&lab, "running");
        // Members of an object are in no order, and Go sorts them.
        done(&lab.call(&["kill", "@ID@", "KILL"]));
        look(&lab, "stopped");
        done(&lab.call(&["delete", "@ID@"]));
        let mut lines: Vec<_> =
            texts.lines().map(|line| line.trim_end_matches(',').to_string()).collect();
        lines.sort();
        shown.push(lines);
    }
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn list_has_the_table_and_the_fields_of_runc() {
    lab::enter();
    let mut keys = Vec::new();
    for runtime in BOTH {
        let lab = running(runtime);
        let said = lab.call(&["list"]);
        done(&said);
        let lines: Vec<_> = said.out.lines().collect();
        let cells: Vec<Vec<_>> =
            lines.iter().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            (cells.len(), cells[0].join(" ").as_str()),
            (2, "ID PID STATUS BUNDLE CREATED OWNER"),
            "{runtime:?}"
        );
        for line in 0..2 {
            let mut wanted = String::new();
            for column in 0..5 {
                let width = cells.iter().map(|line| line[column].len() + 3).max().unwrap().max(12);
                wanted.push_str(&format!("{:width$}", cells[line][column]));
            }
            assert_eq!(lines[line], format!("{wanted}{}", cells[line][5]), "{runtime:?}");
        }
        let pid = lab.state().at("pid").show();
        assert_eq!(
            cells[1][..4],
            [&lab.id, &pid, "running", lab.bundle.to_str().unwrap()],
            "{runtime:?}"
        );
        assert_eq!(cells[1][5], "root", "{runtime:?}");
        assert_eq!(lab.call(&["list", "-q"]).out, lab.fill("@ID@\n"), "{runtime:?}");
        let json = Json::parse(&lab.call(&["list", "--format", "json"]).out);
        keys.push(json.items()[0].keys().join(" "));
        let said = lab.call(&["ps", "-f", "json", "@ID@"]);
        assert_eq!(said.out.trim_end(), format!("[{pid}]"), "{runtime:?}");
        let said = lab.call(&["ps", "@ID@", "-o", "pid,args"]);
        assert_eq!(
            said.out.split_whitespace().collect::<Vec<_>>(),
            ["PID", "COMMAND", &pid, "sleep", "1000"],
            "{runtime:?}"
        );
    }
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn what_cannot_be_done_is_refused_in_runcs_words() {
    lab::enter();
    for runtime in BOTH {
        let lab = sleeper(runtime);
        for words in [
            &["state", "@ID@"][..],
            &["start", "@ID@"],
            &["kill", "@ID@"],
            &["ps", "@ID@"],
            &["delete", "@ID@"],
        ] {
            refused(&lab, &lab.call(words), "container does not exist");
        }
        done(&lab.call(&["delete", "--force", "@ID@"]));
        for words in [
            &["state", ".."][..],
            &["create", "-b", "@BUNDLE@", "a/b"],
            &["create", "-b", "@BUNDLE@", ".."],
        ] {
            refused(&lab, &lab.call(words), "invalid container ID format");
        }
        launch(&lab);
        refused(&lab, &lab.create(), "container with given ID already exists");
        refused(&lab, &lab.start(), "cannot start an already running container");
        refused(
            &lab,
            &lab.call(&["delete", "@ID@"]),
            "cannot delete container @ID@ that is not stopped: running",
        );
        refused(&lab, &lab.call(&["kill", "@ID@", "FOO"]), "unknown signal \"FOO\"");
        assert_eq!(lab.status(), "running", "{runtime:?}: what is refused changes nothing");
        done(&lab.call(&["kill", "@ID@", "9"]));
        assert_eq!(lab.wait_for("stopped"), "stopped");
        refused(&lab, &lab.call(&["kill", "@ID@"]), "container not running");
        refused(&lab, &lab.start(), "cannot start a container that has stopped");
        refused(&lab, &lab.create(), "container with given ID already exists");
        done(&lab.call(&["kill", "--all", "@ID@", "KILL"]));
        done(&lab.call(&["delete", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "{runtime:?}");
    }
}

/// The runtime-spec wants an error; runc and crun delete it, and containerd relies on that.
#[test]
fn a_created_container_is_deleted_and_a_running_one_is_not() {
    lab::enter();
    for runtime in BOTH {
        let lab = sleeper(runtime);
        done(&lab.create());
        done(&lab.call(&["delete", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "{runtime:?}");
        launch(&lab);
        refused(
            &lab,
            &lab.call(&["delete", "@ID@"]),
            "cannot delete container @ID@ that is not stopped: running",
        );
        done(&lab.call(&["delete", "-f", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "{runtime:?}");
    }
}

#[test]
fn a_signal_arrives_by_name_and_number() {
    lab::enter();
    for runtime in BOTH {
        for signal in ["USR1", "SIGUSR1", "usr1", "10"] {
            let mut lab = Lab::new(runtime);
            lab.script("trap 'echo got >/root/got; exit' USR1; echo set >/root/set; while :; do sleep 0.01; done");
            launch(&lab);
            lab.wait_for_file("b/rootfs/root/set");
            done(&lab.call(&["kill", "@ID@", signal]));
            assert_eq!(lab.wait_for_file("b/rootfs/root/got"), "got\n", "{runtime:?} {signal}");
            assert_eq!(lab.wait_for("stopped"), "stopped");
        }
    }
}

/// A container whose processes are in the pid namespace of the host: only its cgroup knows them.
fn in_hosts_namespace(runtime: Runtime) -> Lab {
    let mut lab = Lab::new(runtime);
    lab.merge(
        r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}}"#,
    );
    lab.script("setsid sleep 1000 & setsid sleep 1000 & echo >/root/set; sleep 1000");
    launch(&lab);
    lab.wait_for_file("b/rootfs/root/set");
    lab
}

/// The processes in a lab's cgroup.
fn processes(lab: &Lab) -> Vec<String> {
    let text = std::fs::read_to_string(lab.cgroup().join("cgroup.procs")).unwrap_or_default();
    text.lines().map(String::from).collect()
}

#[track_caller]
fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while !is_so() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn all_processes_of_a_cgroup_are_shown_and_reached() {
    lab::enter();
    for runtime in BOTH {
        let lab = in_hosts_namespace(runtime);
        wait_until("three processes", || processes(&lab).len() == 3);
        let wanted: Vec<_> = processes(&lab);
        let shown = Json::parse(&lab.call(&["ps", "-f", "json", "@ID@"]).out);
        let shown: Vec<_> = shown.items().iter().map(Json::show).collect();
        assert_eq!(shown, wanted, "{runtime:?}");
        done(&lab.call(&["kill", "--all", "@ID@", "KILL"]));
        wait_until("none is left", || processes(&lab).is_empty());
        done(&lab.call(&["delete", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "{runtime:?}");
    }
    // Its process is gone, and others of it are not.
    let lab = in_hosts_namespace(Runtime::Ocinit);
    let pid: i32 = lab.state().at("pid").show().parse().unwrap();
    // SAFETY: kill touches no memory; the process is this test's container's.
    unsafe { libc::kill(pid, libc::SIGKILL) };
    assert_eq!(lab.wait_for("stopped"), "stopped");
    assert!(!processes(&lab).is_empty());
    done(&lab.call(&["delete", "@ID@"]));
    assert_eq!(lab.leftovers(), "");
}

#[test]
fn a_frozen_container_is_paused_and_can_be_ended() {
    lab::enter();
    for runtime in BOTH {
        for words in [&["kill", "@ID@", "KILL"][..], &["delete", "--force", "@ID@"]] {
            let lab = running(runtime);
            support::write(&lab.cgroup().join("cgroup.freeze"), "1");
            assert_eq!(lab.wait_for("paused"), "paused", "{runtime:?}");
            done(&lab.call(words));
            done(&lab.call(&["delete", "--force", "@ID@"]));
            assert_eq!(lab.leftovers(), "", "{runtime:?}");
        }
    }
}

#[test]
fn of_two_starts_one_starts_it() {
    lab::enter();
    for _ in 0..10 {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.script("echo started >>/root/log; exec sleep 1000");
        done(&lab.create());
        let both = [(); 2]
            .map(|()| lab.command(&["start", "@ID@"]).stderr(Stdio::piped()).spawn().unwrap());
        let said = both.map(|one| one.wait_with_output().unwrap());
        let failed: Vec<_> = said.iter().filter(|one| !one.status.success()).collect();
        assert_eq!(failed.len(), 1, "{said:?}");
        let line = String::from_utf8(failed[0].stderr.clone()).unwrap();
        assert_eq!(line, "ocinit: cannot start an already running container\n");
        assert_eq!(lab.wait_for_file("b/rootfs/root/log"), "started\n");
    }
}

#[test]
fn of_two_creates_one_makes_it_and_the_other_breaks_nothing() {
    lab::enter();
    for _ in 0..10 {
        let lab = sleeper(Runtime::Ocinit);
        let words = ["create", "-b", "@BUNDLE@", "@ID@"];
        let command = || {
            lab.command(&words)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        let both = [(); 2].map(|()| command().unwrap());
        let made = both
            .into_iter()
            .filter_map(|mut one| one.wait().unwrap().success().then_some(()))
            .count();
        assert_eq!((made, lab.status().as_str()), (1, "created"));
        done(&lab.start());
        assert_eq!(lab.status(), "running");
        done(&lab.call(&["delete", "-f", "@ID@"]));
        assert_eq!(lab.leftovers(), "");
    }
}

#[test]
fn a_killed_create_or_start_or_delete_leaves_nothing_that_delete_does_not_remove() {
    lab::enter();
    for round in 0..60_u64 {
        let lab = sleeper(Runtime::Ocinit);
        let words: &[&str] = match round % 3 {
            0 => &["create", "-b", "@BUNDLE@", "@ID@"],
            1 => &["start", "@ID@"],
            _ => &["delete", "-f", "@ID@"],
        };
        if round % 3 > 0 {
            done(&lab.create());
        }
        let mut command = lab.command(words);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // From its first instruction to its last.
        std::thread::sleep(Duration::from_micros(round * 150));
        child.kill().unwrap();
        child.wait().unwrap();
        // It can be looked at, whatever it is.
        let said = lab.call(&["state", "@ID@"]);
        assert!(
            said.status == 0 || said.err.contains("container does not exist"),
            "round {round}: {}",
            said.err
        );
        done(&lab.call(&["list"]));
        let pid = lab.state().at("pid").show();
        done(&lab.call(&["delete", "--force", "@ID@"]));
        assert_eq!(lab.leftovers(), "", "round {round}");
        // Its parent may collect it late.
        let stat = Path::new("/proc").join(&pid).join("stat");
        let is_gone = || std::fs::read_to_string(&stat).map_or(true, |stat| stat.contains(") Z "));
        wait_until("its process is gone", || {
            !pid.bytes().all(|byte| byte.is_ascii_digit()) || pid == "0" || is_gone()
        });
    }
}

/// Later edits of the bundle do not reach a created container.
#[test]
fn a_container_keeps_the_configuration_that_it_was_made_from() {
    lab::enter();
    for runtime in BOTH {
        let mut lab = Lab::new(runtime);
        lab.merge(r#"{"annotations": {"org.example": "first"}}"#);
        lab.script("echo first >/root/out");
        done(&lab.create());
        lab.merge(r#"{"annotations": {"org.example": "second"}}"#);
        lab.script("echo second >/root/out");
        assert_eq!(lab.state().at("annotations").items().len(), 0);
        assert!(
            lab.call(&["state", "@ID@"]).out.contains("\"org.example\": \"first\""),
            "{runtime:?}"
        );
        std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
        done(&lab.start());
        assert_eq!(lab.wait_for_file("b/rootfs/root/out"), "first\n", "{runtime:?}");
        assert_eq!(lab.wait_for("stopped"), "stopped");
        done(&lab.call(&["delete", "@ID@"]));
    }
}

//! runtime.md: state, lifecycle and operations; pause, update and the rest of runc's operations.

use super::case::{Case, case};
use super::runtime_errors;
use crate::support::json::Json;
use crate::support::lab::{Lab, ended};

pub fn cases() -> Vec<Case> {
    [states(), operations(), runtime_errors::errors(), signals(), runtime_errors::ids()]
        .into_iter()
        .flatten()
        .collect()
}

pub const SLEEPS: &str = r#"{"process": {"args": ["/bin/sleep", "1000"]}}"#;

/// `create` and `start`.
pub fn begin(lab: &Lab) {
    let said = [lab.create(), lab.start()];
    assert!(said.iter().all(|said| said.status == 0), "{said:?}");
}

fn states() -> Vec<Case> {
    vec![
        case("state.created", "what is created has not started its program")
            .sh("echo EXECUTED >/tmp/x")
            .act(|lab| {
                let said = lab.create();
                let executed = lab.rootfs.join("tmp/x").exists();
                format!("{}{} {executed}", said.show(), lab.status())
            })
            .gives("created false"),
        case("state.fields", "ociVersion, id, status, pid and bundle are there, and what they are")
            .act(|lab| {
                lab.create();
                let state = lab.state();
                let pid: i32 = state.at("pid").show().parse().unwrap_or(0);
                let is_right = [
                    state.at("ociVersion").show().starts_with("1."),
                    state.at("id").show() == lab.id,
                    state.at("bundle").show() == lab.bundle.to_str().unwrap(),
                    pid > 1 && std::path::Path::new(&format!("/proc/{pid}")).exists(),
                ];
                format!("{is_right:?}")
            })
            .gives("[true, true, true, true]"),
        case("state.runc", "the fields that runc adds are there too")
            .act(|lab| {
                lab.create();
                let state = lab.state();
                let has = ["rootfs", "created", "owner"].map(|key| *state.at(key) != Json::Null);
                format!("{has:?} {}", state.at("rootfs").show() == lab.rootfs.to_str().unwrap())
            })
            .gives("[true, true, true] true"),
        case("state.lifecycle", "created, running, stopped, gone")
            .sh("read line </tmp/go")
            .setup(|lab| {
                assert!(
                    std::process::Command::new("mkfifo").arg(lab.rootfs.join("tmp/go")).status().unwrap().success()
                );
            })
            .act(|lab| {
                lab.create();
                let mut seen = vec![lab.status()];
                lab.start();
                seen.push(lab.status());
                // Open for both, because there may be no reader.
                let mut go = std::fs::File::options().read(true).write(true).open(lab.rootfs.join("tmp/go")).unwrap();
                std::io::Write::write_all(&mut go, b"go\n").unwrap();
                seen.push(lab.wait_for("stopped"));
                seen.push(lab.call(&["delete", "@ID@"]).verdict().into());
                seen.push(lab.status());
                seen.push(lab.leftovers());
                seen.join(" ")
            })
            .gives("created running stopped ok absent "),
        case("state.started", "what start has returned from is no longer created, at once")
            .with(SLEEPS)
            .act(|lab| {
                // By a shell, because a check from this process is slower than start's end.
                let script = lab.fill("p=$1; shift; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do $p \"$@\" create -b @BUNDLE@ @ID@ && $p \"$@\" start @ID@ && $p \"$@\" state @ID@; $p \"$@\" delete -f @ID@; done");
                let state = lab.command(&[]);
                let mut shell = std::process::Command::new("/bin/sh");
                shell.args(["-c", &script, "sh"]).arg(state.get_program()).args(state.get_args());
                let said = lab.finish(&mut shell);
                let lines = said.out.lines().filter(|line| line.contains("\"status\""));
                let seen: std::collections::BTreeSet<_> = lines.map(|line| line.trim().trim_end_matches(',')).collect();
                seen.into_iter().collect::<Vec<_>>().join(" ")
            })
            .gives(r#""status": "running""#),
        case("state.stopped", "what stopped has no pid but 0")
            .act(|lab| {
                begin(lab);
                lab.wait_for("stopped");
                match lab.state().at("pid") {
                    Json::Null => "0".into(),
                    pid => pid.show(),
                }
            })
            .gives("0"),
        case("state.bundle.absolute", "bundle is absolute where it was not given so")
            .act(|lab| {
                let said = lab.finish(lab.command(&["create", "--bundle", ".", "@ID@"]).current_dir(&lab.bundle));
                format!("{}{}", said.err, lab.state().at("bundle").show() == lab.bundle.to_str().unwrap())
            })
            .gives("true"),
        case("state.bundle.current", "without --bundle it is the current directory")
            .act(|lab| {
                let said = lab.finish(lab.command(&["create", "@ID@"]).current_dir(&lab.bundle));
                format!("{}{}", said.err, lab.state().at("bundle").show() == lab.bundle.to_str().unwrap())
            })
            .gives("true"),
        case("state.paused", "pause freezes it, resume goes on")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let mut seen = vec![lab.call(&["pause", "@ID@"]).verdict().to_string(), lab.status()];
                seen.extend([lab.call(&["resume", "@ID@"]).verdict().to_string(), lab.status()]);
                seen.join(" ")
            })
            .gives("ok paused ok running"),
        case(
            "state.killed-runtime",
            "a runtime that was killed while it stayed with `run` leaves what delete --force can clean",
        )
        .with(SLEEPS)
        .act(|lab| {
            let mut run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
            let null = std::process::Stdio::null;
            let mut child = run.stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
            let running = lab.wait_for("running");
            child.kill().unwrap();
            child.wait().unwrap();
            let deleted = lab.call(&["delete", "--force", "@ID@"]).verdict();
            format!("{running} {deleted} {} {}", lab.status(), lab.leftovers())
        })
        .gives("running ok absent "),
    ]
}

fn operations() -> Vec<Case> {
    vec![
        case("create.copy", "changes of config.json after create have no effect")
            .sh("echo before")
            .act(|lab| {
                let output = std::fs::File::create(lab.dir.join("said")).unwrap();
                let null = std::process::Stdio::null;
                let status = lab
                    .command(&["create", "--bundle", "@BUNDLE@", "@ID@"])
                    .stdin(null())
                    .stdout(output)
                    .stderr(null())
                    .status();
                lab.script("echo after");
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                let started = lab.start().verdict();
                format!("{} {started} {}", status.unwrap().success(), lab.wait_for_file("said"))
            })
            .gives("true ok before\n"),
        case("create.silent", "create says nothing on standard output and standard error")
            .act(|lab| {
                let said = lab.create();
                format!("{}|{}", said.out, said.err)
            })
            .gives("|"),
        case("create.pid-file", "--pid-file has the pid, and no end of line")
            .act(|lab| {
                lab.call(&["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"]);
                (lab.file("pid") == lab.state().at("pid").show()).to_string()
            })
            .gives("true"),
        case("create.process.unset", "create without a process is legal; start MUST be an error")
            .with(r#"{"process": null}"#)
            .act(|lab| {
                let created = lab.create().verdict();
                format!("{created} {}", lab.start().verdict())
            })
            .gives("ok refused"),
        case("run.detach", "run --detach leaves it running")
            .with(SLEEPS)
            .act(|lab| {
                let said = lab.call(&["run", "--detach", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"]);
                format!("{}{} {}", said.show(), lab.status(), lab.file("pid") == lab.state().at("pid").show())
            })
            .gives("running true"),
        case("run.keep", "run --keep leaves what stopped")
            .act(|lab| {
                lab.call(&["run", "--keep", "--bundle", "@BUNDLE@", "@ID@"]);
                lab.status()
            })
            .gives("stopped"),
        case("run.signals", "a signal to run is the program's")
            .sh("trap 'echo got; exit 3' TERM; echo ready >/tmp/ready; while :; do sleep 0.02; done")
            .act(|lab| {
                let output = std::fs::File::create(lab.dir.join("said")).unwrap();
                let mut run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut child = run.stdin(std::process::Stdio::null()).stdout(output).spawn().unwrap();
                lab.wait_for_file("b/rootfs/tmp/ready");
                // SAFETY: kill touches no memory; the child is ours and has not been waited for.
                unsafe { libc::kill(i32::try_from(child.id()).unwrap(), libc::SIGTERM) };
                let status = ended(&mut child);
                format!("{:?} {}", status.and_then(|status| status.code()), lab.file("said"))
            })
            .gives("Some(3) got\n"),
        case("run.preserve-fds", "--preserve-fds 2 keeps descriptors 3 and 4, and no other")
            .sh("for n in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/self/fd/$n && printf \"$n \"; done; cat <&3")
            .act(|lab| {
                std::fs::write(lab.dir.join("three"), "third\n").unwrap();
                let run = lab.command(&["run", "--preserve-fds", "2", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                let script = lab.fill("exec 3<@DIR@/three 4<@DIR@/three 5<@DIR@/three; exec \"$@\"");
                command.args(["-c", &script, "sh"]).arg(run.get_program()).args(run.get_args());
                lab.finish(&mut command).show()
            })
            .gives("0 1 2 3 4 third\n"),
        case("run.open-fds", "without it none is kept, and LISTEN_FDS does not change that")
            .sh("for n in 0 1 2 3 4 5 6 7 8 9; do test -e /proc/self/fd/$n && printf \"$n \"; done; true")
            .act(|lab| {
                let run = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("/bin/sh");
                command
                    .args(["-c", "exec 3</ 4</etc/passwd 5</dev/null 9</; exec \"$@\"", "sh"])
                    .arg(run.get_program())
                    .args(run.get_args());
                lab.finish(&mut command).show()
            })
            .gives("0 1 2 "),
        case("run.no-pivot", "--no-pivot runs it all the same")
            .sh("ls -d /bin")
            .act(|lab| lab.call(&["run", "--no-pivot", "--bundle", "@BUNDLE@", "@ID@"]).show())
            .gives("/bin\n"),
        case("delete.force.absent", "delete --force of what is not there is no error: containerd does it")
            .act(|lab| lab.call(&["delete", "--force", "nobody"]).verdict().into())
            .gives("ok"),
        case("delete.force.running", "delete --force kills what runs")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["delete", "--force", "@ID@"]);
                format!("{} {} {}", said.verdict(), lab.status(), lab.leftovers())
            })
            .gives("ok absent "),
        case("delete.created", "what is created and not started may be deleted, as in runc")
            .act(|lab| {
                lab.create();
                let said = lab.call(&["delete", "@ID@"]);
                format!("{} {}", said.verdict(), lab.leftovers())
            })
            .gives("ok "),
        case("update.resources", "update sets a limit, or is an error where its controller is not there")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.input = r#"{"pids": {"limit": 5}}"#.into();
                let verdict = lab.call(&["update", "--resources", "-", "@ID@"]).verdict();
                let set = std::fs::read_to_string(lab.cgroup().join("pids.max"));
                let is_right = if set.is_ok() { set.is_ok_and(|text| text == "5\n") } else { verdict == "refused" };
                is_right.to_string()
            })
            .gives("true"),
        case("events.stats", "events --stats prints one object")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                let said = lab.call(&["events", "--stats", "@ID@"]);
                let Ok(event) = Json::try_parse(&said.out) else { return format!("{}{}", said.show(), said.err) };
                format!("{} {}", event.at("type").show(), event.at("id").show() == lab.id)
            })
            .gives("stats true"),
    ]
}

fn signals() -> Vec<Case> {
    let rows = [
        ("kill.default", "SIGTERM where none is given", &["kill", "@ID@"] as &[_], "TERM\n"),
        ("kill.name", "by name", &["kill", "@ID@", "USR1"], "USR1\n"),
        ("kill.full-name", "by its whole name", &["kill", "@ID@", "SIGUSR1"], "USR1\n"),
        ("kill.number", "by number", &["kill", "@ID@", "10"], "USR1\n"),
        ("kill.lower", "by name in lower case", &["kill", "@ID@", "usr1"], "USR1\n"),
        ("kill.realtime", "a real-time signal by number", &["kill", "@ID@", "34"], "34\n"),
        ("kill.all", "--all reaches it too", &["kill", "--all", "@ID@", "TERM"], "TERM\n"),
    ];
    let row = |(name, rule, words, wanted): (
        &'static str,
        &'static str,
        &'static [&'static str],
        &'static str,
    )| {
        case(name, rule)
            .sh("for s in TERM USR1 34; do trap \"echo $s >/tmp/got\" $s; done; echo ready >/tmp/ready; while :; do sleep 0.01; done")
            .act(move |lab| {
                begin(lab);
                lab.wait_for_file("b/rootfs/tmp/ready");
                let said = lab.call(words);
                if said.status == 0 { lab.wait_for_file("b/rootfs/tmp/got") } else { said.err }
            })
            .gives(wanted)
    };
    let mut cases: Vec<_> = rows.map(row).into_iter().collect();
    cases.push(
        case("kill.created", "a signal to what is created is legal")
            .act(|lab| {
                lab.create();
                let said = lab.call(&["kill", "@ID@", "KILL"]);
                format!("{} {}", said.verdict(), lab.wait_for("stopped"))
            })
            .gives("ok stopped"),
    );
    cases.push(
        case("kill.paused", "KILL ends what is paused")
            .with(SLEEPS)
            .act(|lab| {
                begin(lab);
                lab.call(&["pause", "@ID@"]);
                let said = lab.call(&["kill", "@ID@", "KILL"]);
                format!("{} {}", said.verdict(), lab.wait_for("stopped"))
            })
            .gives("ok stopped"),
    );
    cases
}

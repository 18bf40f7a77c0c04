//! config.md, "POSIX-platform Hooks"; runtime.md, "Lifecycle".

use std::os::unix::fs::PermissionsExt;

use super::case::{Case, case};
use crate::support::json::Json;
use crate::support::lab::Lab;

pub fn cases() -> Vec<Case> {
    [order(), inputs(), failures(), wrong()].into_iter().flatten().collect()
}

/// A hook of each kind that writes its name to `order`; the two that run in the container write
/// there.
const ALL: &str = r#"{"hooks": {
    "prestart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo prestart >>@DIR@/order"]}],
    "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "echo createRuntime >>@DIR@/order"]}, {"path": "/bin/sh", "args": ["sh", "-c", "echo second >>@DIR@/order"]}],
    "createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo createContainer >>@DIR@/order"]}],
    "startContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo startContainer >>/shared/order"]}],
    "poststart": [{"path": "/bin/sh", "args": ["sh", "-c", "echo poststart >>@DIR@/order"]}],
    "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo poststop >>@DIR@/order"]}]
}, "mounts+": [{"destination": "/shared", "type": "bind", "source": "@DIR@", "options": ["bind"]}]}"#;

fn order() -> Vec<Case> {
    let words = |lab: &Lab| lab.file("order").replace('\n', " ");
    vec![
        case(
            "hooks.create",
            "create runs prestart, createRuntime and createContainer, in this order",
        )
        .with(ALL)
        .act(move |lab| {
            let said = lab.create();
            format!("{}{}", said.err, words(lab))
        })
        .gives("prestart createRuntime second createContainer "),
        case(
            "hooks.start",
            "start runs startContainer, then the program, and poststart before it returns",
        )
        .with(ALL)
        .sh("echo program >>/shared/order; sleep 5")
        .act(move |lab| {
            lab.create();
            std::fs::write(lab.dir.join("order"), "").unwrap();
            let said = lab.start();
            // The program and poststart run at the same time.
            let begin = std::time::Instant::now();
            let has_poststart = lab.file("order").contains("poststart");
            while lab.file("order").lines().count() < 3 && begin.elapsed().as_secs() < 5 {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            let order = lab.file("order");
            format!(
                "{}{} {has_poststart} {}",
                said.err,
                order.starts_with("startContainer\n"),
                order.contains("program\n")
            )
        })
        .gives("true true true"),
        case("hooks.delete", "delete runs poststop, when the container is gone")
            .with(ALL)
            .act(move |lab| {
                lab.create();
                lab.start();
                lab.wait_for("stopped");
                std::fs::write(lab.dir.join("order"), "").unwrap();
                let said = lab.call(&["delete", "@ID@"]);
                format!("{}{}{}", said.err, words(lab), lab.leftovers())
            })
            .gives("poststop "),
        case("hooks.run", "run runs all of them")
            .with(ALL)
            .sh("sleep 0.1")
            .act(move |lab| {
                let said = lab.run();
                format!("{}{}", said.err, words(lab))
            })
            .gives(
                "prestart createRuntime second createContainer startContainer poststart poststop ",
            ),
        case("hooks.delete-force", "delete --force runs poststop too")
            .with(ALL)
            .sh("sleep 100")
            .act(move |lab| {
                lab.create();
                lab.start();
                lab.call(&["delete", "--force", "@ID@"]);
                words(lab).split_whitespace().last().unwrap_or_default().into()
            })
            .gives("poststop"),
    ]
}

/// What a hook got on its standard input.
fn state_of(lab: &Lab, file: &str) -> String {
    let Ok(state) = Json::try_parse(&lab.file(file)) else {
        return format!("no state: {}", lab.file(file));
    };
    let is_right = [
        !state.at("ociVersion").show().is_empty() && *state.at("ociVersion") != Json::Null,
        state.at("id").show() == lab.id,
        state.at("bundle").show() == lab.bundle.to_str().unwrap(),
        state.at("annotations.some.key") == &Json::Null,
    ];
    format!(
        "{} {} {}",
        state.at("status").show(),
        is_right == [true; 4],
        matches!(state.at("pid"), Json::Number(_))
    )
}

fn inputs() -> Vec<Case> {
    let rows = [
        ("hooks.state.prestart", "prestart", "creating true true"),
        ("hooks.state.createRuntime", "createRuntime", "creating true true"),
        ("hooks.state.createContainer", "createContainer", "creating true true"),
        ("hooks.state.startContainer", "startContainer", "created true true"),
        ("hooks.state.poststart", "poststart", "running true true"),
        ("hooks.state.poststop", "poststop", "stopped true false"),
    ];
    let row = |(name, kind, wanted): (&'static str, &'static str, &'static str)| {
        case(name, "the state is on standard input")
            .setup(move |lab| {
                let place = if kind == "startContainer" { "/shared" } else { "@DIR@" };
                lab.merge(&format!(
                    r#"{{"hooks": {{"{kind}": [{{"path": "/bin/sh", "args": ["sh", "-c", "cat >{place}/state"]}}]}}, "mounts+": [{{"destination": "/shared", "type": "bind", "source": "@DIR@", "options": ["bind"]}}]}}"#
                ));
                lab.script("sleep 0.1");
            })
            .act(|lab| {
                let said = lab.run();
                let seen = state_of(lab, "state");
                // `pid` of one that stopped is 0, or not there.
                let seen = if seen.starts_with("stopped") { seen.replace("true true", "true false") } else { seen };
                if said.status == 0 { seen } else { said.err }
            })
            .gives(wanted)
    };
    let more = vec![
        case("hooks.state.annotations", "the state has the annotations")
            .with(r#"{"annotations": {"org.example": "value"}, "hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >@DIR@/state"]}]}}"#)
            .act(|lab| {
                lab.run();
                let state = Json::try_parse(&lab.file("state")).unwrap_or(Json::Null);
                let Json::Object(members) = state.at("annotations") else { return "none".into() };
                members.iter().map(|(key, value)| format!("{key}={}", value.show())).collect()
            })
            .gives("org.example=value"),
        case("hooks.env", "a hook's environment is env")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/usr/bin/env", "env": ["A=1", "B=2 3"]}]}}"#)
            .setup(|lab| {
                lab.merge(r#"{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "tr '\\0' '\\n' </proc/$$/environ >@DIR@/env"], "env": ["A=1", "B=2 3", "PATH=/usr/bin:/bin"]}]}}"#);
            })
            .act(|lab| {
                lab.run();
                lab.file("env")
            })
            .gives("A=1\nB=2 3\nPATH=/usr/bin:/bin\n"),
        case("hooks.env.absent", "without env it is the runtime's; an empty one is empty")
            .with(r#"{"hooks": {"createRuntime": [
                {"path": "/bin/sh", "args": ["sh", "-c", "echo ${OF_RUNTIME-none} ${OF_PROCESS-none} >@DIR@/env"]},
                {"path": "/bin/sh", "env": [],
                 "args": ["sh", "-c", "echo ${OF_RUNTIME-none} ${OF_PROCESS-none} >>@DIR@/env"]}]}}"#)
            .act(with_variables)
            .gives("1 none\nnone none\n"),
        case("hooks.env.absent.startContainer", "without env a startContainer hook's is the process's")
            .with(r#"{"hooks": {"startContainer": [{"path": "/bin/sh",
                 "args": ["sh", "-c", "echo ${OF_RUNTIME-none} ${OF_PROCESS-none} >/tmp/env"]}]}}"#)
            .act(|lab| {
                with_variables(lab);
                lab.file("b/rootfs/tmp/env")
            })
            .gives("none 1\n"),
        case("hooks.args", "args are as for execv: the first is the name")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["other", "-c", "echo $0 $1 >@DIR@/args", "zero", "a b"]}]}}"#)
            .act(|lab| {
                lab.run();
                lab.file("args")
            })
            .gives("zero a b\n"),
        case("hooks.createContainer.namespace", "createContainer is found in the runtime's namespace and run in the container's")
            .with(r#"{"hooks": {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "/usr/bin/readlink /proc/self/ns/mnt >@DIR@/ns; /usr/bin/readlink /proc/self/ns/uts >>@DIR@/ns"]}]}}"#)
            .act(|lab| {
                lab.create();
                let pid = lab.state().at("pid").show();
                let link = |name: &str| std::fs::read_link(format!("/proc/{pid}/ns/{name}")).unwrap().display().to_string() + "\n";
                if lab.file("ns") == link("mnt") + &link("uts") { "the container's".into() } else { lab.file("ns") }
            })
            .gives("the container's"),
        case("hooks.createRuntime.namespace", "createRuntime is run in the runtime's namespace")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "readlink /proc/self/ns/mnt >@DIR@/ns"], "env": ["PATH=/usr/bin:/bin"]}]}}"#)
            .act(|lab| {
                lab.create();
                let own = std::fs::read_link("/proc/thread-self/ns/mnt").unwrap().display().to_string() + "\n";
                if lab.file("ns") == own { "the runtime's".into() } else { lab.file("ns") }
            })
            .gives("the runtime's"),
        case("hooks.startContainer.namespace", "startContainer is found and run in the container")
            .with(r#"{"hooks": {"startContainer": [{"path": "/bin/only-here", "args": ["x"]}]}}"#)
            .setup(|lab| {
                let path = lab.rootfs.join("bin/only-here");
                std::fs::write(&path, "#!/bin/sh\necho ran as $$ >/tmp/hook\n").unwrap();
                std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            })
            .sh("test -s /tmp/hook && echo ran")
            .gives("ran\n"),
        case("hooks.pid", "pid in the state is as the runtime sees it, and the process is there")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat >@DIR@/state"]}]}}"#)
            .act(|lab| {
                lab.create();
                let state = Json::try_parse(&lab.file("state")).unwrap_or(Json::Null);
                (state.at("pid").show() == lab.state().at("pid").show()).to_string()
            })
            .gives("true"),
    ];
    rows.map(row).into_iter().chain(more).collect()
}

fn failures() -> Vec<Case> {
    let mut cases = Vec::new();
    let rows = [
        ("hooks.fails.prestart", r#"{"hooks": {"prestart": [{"path": "/bin/false"}]}}"#),
        ("hooks.fails.createRuntime", r#"{"hooks": {"createRuntime": [{"path": "/bin/false"}]}}"#),
        (
            "hooks.fails.createContainer",
            r#"{"hooks": {"createContainer": [{"path": "/bin/false"}]}}"#,
        ),
        (
            "hooks.fails.startContainer",
            r#"{"hooks": {"startContainer": [{"path": "/bin/false"}]}}"#,
        ),
    ];
    for (name, patch) in rows {
        let rule = "a hook that fails ends it with an error, and the program never runs";
        cases.push(case(name, rule).with(patch).sh("echo EXECUTED").refused_naming(&["hook"]));
    }
    cases.extend([
        case("hooks.fails.poststop-runs", "after a hook failed the container is destroyed and poststop runs")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/false"}], "poststop": [{"path": "/bin/sh", "args": ["sh", "-c", "echo poststop >@DIR@/order"]}]}}"#)
            .act(|lab| {
                lab.run();
                lab.file("order")
            })
            .gives("poststop\n"),
        case("hooks.fails.poststart", "poststart that fails stops the container, and start fails (1.3.0; a warning before)")
            .with(r#"{"hooks": {"poststart": [{"path": "/bin/false"}]}}"#)
            .sh("sleep 100")
            .act(|lab| {
                lab.create();
                let said = lab.start();
                format!("{} {}", said.verdict(), lab.status())
            })
            .gives("refused absent"),
        case("hooks.fails.poststop", "poststop that fails is warned of: the rest run, and delete succeeds")
            .with(r#"{"hooks": {"poststop": [{"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", "echo second >@DIR@/order"]}]}}"#)
            .act(|lab| {
                lab.create();
                lab.start();
                lab.wait_for("stopped");
                let said = lab.call(&["delete", "@ID@"]);
                format!("{} {} {}", said.status, lab.file("order").trim(), lab.leftovers())
            })
            .gives("0 second "),
        case("hooks.timeout", "one that takes longer than its timeout is killed, and has failed")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "60"], "timeout": 1}]}}"#)
            .act(|lab| {
                let begin = std::time::Instant::now();
                let said = lab.run();
                format!("{} {}", said.verdict(), begin.elapsed().as_secs() < 5)
            })
            .gives("refused true"),
        case("hooks.timeout.kept", "one that is in time has not")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/true", "timeout": 10}]}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("hooks.absent", "one that is not there is an error that names it")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/no/such"}]}}"#)
            .refused_naming(&["/no/such"]),
        case("hooks.fails.rest", "where poststop fails as well the rest of it runs, and nothing is left")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/false"}], "poststop": [{"path": "/bin/false"}, {"path": "/bin/sh", "args": ["sh", "-c", "echo second >@DIR@/order"]}]}}"#)
            .act(|lab| {
                let said = lab.create();
                format!("{} {}{}", said.verdict(), lab.file("order"), lab.leftovers())
            })
            .gives("refused second\n"),
        case("hooks.daemon", "one that leaves a daemon behind, which keeps its output open, keeps nobody waiting")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "/bin/sleep 4 & exit 0"]}]}}"#)
            .act(|lab| {
                let begin = std::time::Instant::now();
                let said = lab.run();
                format!("{} {}", said.status, begin.elapsed().as_secs() < 3)
            })
            .gives("0 true"),
        case("hooks.umask", "what they make is no more open than the caller wants it to be")
            .with(r#"{"hooks": {"createContainer": [{"path": "/bin/sh", "args": ["sh", "-c", "echo >@DIR@/made"]}]}}"#)
            .act(|lab| {
                lab.create();
                let mode = std::fs::metadata(lab.dir.join("made")).map(|made| made.permissions().mode() & 0o002);
                format!("{mode:?}")
            })
            .gives("Ok(0)"),
        case("hooks.no-clone3", "a seccomp profile without clone3, as docker's, lets startContainer run")
            .with(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}}, "hooks": {"startContainer": [{"path": "/bin/true"}]}}"#)
            .sh("echo runs")
            .gives("runs\n"),
        case("hooks.sigchld", "a caller that ignores SIGCHLD changes nothing")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/true"}]}}"#)
            .sh("echo runs")
            .act(|lab| {
                let words = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
                let mut command = std::process::Command::new("env");
                command.arg("--ignore-signal=CHLD").arg(words.get_program()).args(words.get_args()).current_dir(&lab.dir);
                lab.finish(&mut command).show()
            })
            .gives("runs\n"),
        case("hooks.stdin-closed", "one that does not read its input is no error")
            .with(r#"{"annotations": {"long": "@DIR@@DIR@@DIR@"}, "hooks": {"createRuntime": [{"path": "/bin/true"}]}}"#)
            .sh("echo runs")
            .gives("runs\n"),
    ]);
    cases
}

fn wrong() -> Vec<Case> {
    vec![
        case("hooks.path.relative", "a path MUST be absolute")
            .with(r#"{"hooks": {"createRuntime": [{"path": "bin/true"}]}}"#)
            .refused_naming(&["hooks.createRuntime[0].path"]),
        case("hooks.path.missing", "path is REQUIRED")
            .with(r#"{"hooks": {"createRuntime": [{"args": ["true"]}]}}"#)
            .refused_naming(&["hooks.createRuntime[0].path"]),
        case("hooks.timeout.zero", "a timeout MUST be greater than zero")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/true", "timeout": 0}]}}"#)
            .refused_naming(&["hooks.createRuntime[0].timeout"]),
        case("hooks.timeout.negative", "a timeout MUST be greater than zero")
            .with(r#"{"hooks": {"createRuntime": [{"path": "/bin/true", "timeout": -1}]}}"#)
            .refused_naming(&["hooks.createRuntime[0].timeout"]),
    ]
}

/// Runs it with one variable of the runtime and one of the process.
fn with_variables(lab: &mut Lab) -> String {
    lab.merge(r#"{"process": {"env+": ["OF_PROCESS=1"]}}"#);
    let mut command = lab.command(&["run", "--bundle", "@BUNDLE@", "@ID@"]);
    command.env("OF_RUNTIME", "1").env_remove("OF_PROCESS");
    lab.finish(&mut command);
    lab.file("env")
}

//! Bad input to a runtime: a configuration, a bundle, an id or an option that is not as it must be. Each is told in one line
//! that names what is wrong, ends with the exit status that runc gives, and leaves nothing behind.

mod support;

use support::json::Json;
use support::lab::{self, Lab, Runtime, Said};
use support::write;

/// Something that must be refused.
struct Case {
    /// What is changed in the configuration.
    patch: &'static str,
    /// What is done to the bundle then.
    damage: fn(&Lab),
    words: &'static [&'static str],
    /// What the one line must hold.
    says: &'static [&'static str],
    /// The exit status, of ocinit and of runc.
    status: [i32; 2],
}

const CREATE: &[&str] = &["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"];
const RUN: &[&str] = &["run", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"];

/// Processes that were started for this lab and have not ended: its id is in their words.
fn processes(lab: &Lab) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        if words.contains(&lab.id) {
            found.push(words);
        }
    }
    found
}

/// What a refused command must not have left: a state, a cgroup, a mount, a process, a pid file.
fn leftovers(lab: &Lab) -> String {
    let mut left = lab.leftovers();
    for process in processes(lab) {
        left.push_str(&format!(" process {process}"));
    }
    for entry in std::fs::read_dir(&lab.dir).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("pid") {
            left.push_str(&format!(" file {name}"));
        }
    }
    left
}

/// What is wrong with an answer that must be one line, which holds all of these, with nothing on standard output.
fn misses(said: &Said, says: &[String], status: i32) -> String {
    let is_one = said.err.ends_with('\n') && said.err.lines().count() == 1 && said.err.starts_with("ocinit: ");
    let holds = says.iter().all(|text| said.err.contains(text));
    match is_one && holds && said.out.is_empty() && said.status == status {
        true => String::new(),
        false => format!("wanted {status} and {says:?}: {said:?}\n"),
    }
}

/// What is wrong with a log that must be one object with the same message.
fn misses_in_log(lab: &Lab, said: &Said) -> String {
    let log = lab.file("log");
    let object = Json::try_parse(&log).unwrap_or(Json::Null);
    let [level, message, time] = ["level", "msg", "time"].map(|key| object.at(key).show());
    let is_it = level == "error" && time.contains('T') && said.err == format!("ocinit: {message}\n");
    if is_it && log.lines().count() == 1 { String::new() } else { format!("log: {log:?} of {said:?}\n") }
}

/// Options that ask for a log of JSON in the lab.
fn logged(lab: &mut Lab) {
    lab.global = ["--log", "@DIR@/log", "--log-format", "json"].map(|word| lab.fill(word)).to_vec();
}

/// What is not as the case has it, for ocinit without and with a log, and for runc.
fn misses_of(case: &Case) -> String {
    let prepared = |runtime| {
        let mut lab = Lab::new(runtime);
        lab.merge(case.patch);
        (case.damage)(&lab);
        lab
    };
    let mut missed = String::new();
    for is_logging in [false, true] {
        let mut lab = prepared(Runtime::Ocinit);
        let says: Vec<_> = case.says.iter().map(|text| lab.fill(text)).collect();
        if is_logging {
            logged(&mut lab);
        }
        let said = lab.call(case.words);
        missed.push_str(&misses(&said, &says, case.status[0]));
        if is_logging {
            missed.push_str(&misses_in_log(&lab, &said));
        }
        let left = leftovers(&lab);
        if !left.is_empty() {
            missed.push_str(&format!("{:?} left {left}\n", case.says));
        }
    }
    let lab = prepared(Runtime::Runc);
    let said = lab.call(case.words);
    if said.status != case.status[1] {
        missed.push_str(&format!("runc, not {}: {:?}: {said:?}\n", case.status[1], case.says));
    }
    missed
}

#[track_caller]
fn check<'c>(cases: impl IntoIterator<Item = &'c Case>) {
    let missed: String = cases.into_iter().map(misses_of).collect();
    assert!(missed.is_empty(), "\n{missed}");
}

fn config(lab: &Lab, text: impl AsRef<[u8]>) {
    write(&lab.bundle.join("config.json"), text);
}

#[test]
fn a_config_that_cannot_be_read_is_told() {
    lab::enter();
    let of = |damage, says, runc| Case { patch: "{}", damage, words: CREATE, says, status: [1, runc] };
    let cases = [
        of(
            |lab| std::fs::remove_file(lab.bundle.join("config.json")).unwrap(),
            &["config.json", "no such file or directory"],
            1,
        ),
        of(|lab| config(lab, ""), &["config.json", "invalid JSON at byte 0"], 1),
        of(
            |lab| {
                let text = lab.config.to_string();
                config(lab, &text[..text.len() / 2]);
            },
            &["config.json", "invalid JSON at byte ", "the document ends early"],
            1,
        ),
        of(|lab| config(lab, "\0\u{1}nonsense"), &["config.json", "invalid JSON at byte 0"], 1),
        of(|lab| config(lab, [0xff, 0xfe, b'{', 0, b'}', 0]), &["config.json", "invalid JSON at byte 0"], 1),
        of(|lab| config(lab, format!("{}{}", lab.config, "}")), &["config.json", "invalid JSON at byte "], 0),
        // Deeper than any configuration, but no stack is used up.
        of(|lab| config(lab, "[".repeat(500_000)), &["config.json"], 1),
        of(
            |lab| config(lab, format!("{}{}", " ".repeat(2 << 20), lab.config)),
            &["config.json", "more than ", " bytes"],
            0,
        ),
        of(
            |lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                std::fs::create_dir(lab.bundle.join("config.json")).unwrap();
            },
            &["config.json", "not a regular file"],
            1,
        ),
        of(
            |lab| {
                std::fs::remove_file(lab.bundle.join("config.json")).unwrap();
                std::os::unix::fs::symlink("config.json", lab.bundle.join("config.json")).unwrap();
            },
            &["config.json", "too many levels of symbolic links"],
            1,
        ),
        of(|lab| config(lab, "[]"), &["config.json"], 1),
        of(|lab| config(lab, "null"), &["config.json"], 2),
        of(|lab| config(lab, "{}"), &["config.json", "ociVersion", "missing"], 1),
    ];
    check(&cases);
}

#[test]
fn a_config_that_says_what_cannot_be_is_told() {
    lab::enter();
    let of =
        |patch, says, runc| [CREATE, RUN].map(|words| Case { patch, damage: |_| (), words, says, status: [1, runc] });
    let cases = [
        of(r#"{"ociVersion": "2.0.0"}"#, &["config.json: ociVersion", "2.0.0"], 0),
        of(r#"{"ociVersion": "1"}"#, &["config.json: ociVersion"], 0),
        of(r#"{"ociVersion": ""}"#, &["config.json: ociVersion"], 0),
        of(r#"{"root": {"path": "absent"}}"#, &["absent", "no such file or directory"], 1),
        of(r#"{"root": {"path": "config.json"}}"#, &["config.json", "not a directory"], 1),
        of(r#"{"root": {"path": ""}}"#, &["config.json: root.path"], 1),
        of(r#"{"root": null}"#, &["config.json: root", "missing"], 1),
        of(r#"{"process": {"cwd": "relative"}}"#, &["config.json: process.cwd", "absolute"], 1),
        of(r#"{"process": {"args": []}}"#, &["config.json: process.args"], 1),
        of(
            r#"{"process": {"rlimits": [{"type": "RLIMIT_X", "soft": 1, "hard": 1}]}}"#,
            &["config.json: process.rlimits[0].type: RLIMIT_X: unknown"],
            1,
        ),
        of(
            r#"{"process": {"rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]}}"#,
            &["config.json: process.rlimits[0].soft: exceeds hard"],
            1,
        ),
        of(
            r#"{"linux": {"namespaces": [{"type": "nonsense"}]}}"#,
            &["config.json: linux.namespaces[0].type: nonsense: unknown"],
            1,
        ),
        of(r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "mount"}]}}"#, &["linux.namespaces[1]"], 1),
        of(
            r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "@DIR@/absent"}]}}"#,
            &["@DIR@/absent", "no such file or directory"],
            1,
        ),
        of(r#"{"linux": {"sysctl": {"kernel.nonsense": "1"}}}"#, &["kernel.nonsense"], 1),
        of(r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_X"}}}"#, &["linux.seccomp.defaultAction: unknown"], 1),
        of(
            r#"{"linux": {"rootfsPropagation": "nonsense"}}"#,
            &["config.json: linux.rootfsPropagation: nonsense: unknown"],
            1,
        ),
        of(
            r#"{"mounts": [{"destination": "/x", "type": "bind", "source": "@DIR@/absent", "options": ["bind"]}]}"#,
            &["mount", "absent", "no such file or directory"],
            1,
        ),
        of(
            r#"{"mounts": [{"destination": "/x", "type": "nonsensefs", "source": "none"}]}"#,
            &["mount", "/x", "no such device"],
            1,
        ),
        of(r#"{"linux": {"devices": [{"path": "/dev/x", "type": "q", "major": 1, "minor": 3}]}}"#, &["devices[0]"], 1),
        of(
            r#"{"hooks": {"createRuntime": [{"path": "/absent"}]}}"#,
            &["createRuntime hook #0 /absent", "no such file or directory"],
            1,
        ),
        of(
            r#"{"hooks": {"createRuntime": [{"path": "/bin/false"}]}}"#,
            &["createRuntime hook #0 /bin/false: exit status 1"],
            1,
        ),
        of(r#"{"linux": {"cgroupsPath": "../../.."}}"#, &["cgroupsPath"], 0),
    ];
    check(cases.iter().flatten());
}

/// A process that fails at once may be gone before its parent has written down that it was there.
#[test]
fn why_a_process_died_is_heard_however_soon_it_did() {
    lab::enter();
    let mut lab = Lab::new(Runtime::Ocinit);
    lab.merge(r#"{"mounts": [{"destination": "/x", "type": "bind", "source": "@DIR@/absent", "options": ["bind"]}]}"#);
    lab.merge(r#"{"process": {"oomScoreAdj": 500}}"#);
    for _ in 0..40 {
        let missed = misses(
            &lab.call(RUN),
            &["@DIR@/absent: no such file or directory".replace("@DIR@", lab.dir.to_str().unwrap())],
            1,
        );
        assert_eq!((missed, leftovers(&lab)), Default::default());
    }
}

/// A case without a change of the bundle.
const fn plain(words: &'static [&'static str], says: &'static [&'static str], status: [i32; 2]) -> Case {
    Case { patch: "{}", damage: |_| (), words, says, status }
}

#[test]
fn an_absent_container_is_told_by_every_command() {
    lab::enter();
    let says = &["container does not exist"];
    let one = |words| plain(words, says, [1, 1]);
    check(&[
        one(&["state", "@ID@"]),
        one(&["start", "@ID@"]),
        one(&["kill", "@ID@", "KILL"]),
        one(&["delete", "@ID@"]),
        one(&["pause", "@ID@"]),
        one(&["resume", "@ID@"]),
        one(&["update", "--pids-limit", "5", "@ID@"]),
        one(&["ps", "@ID@"]),
        one(&["events", "--stats", "@ID@"]),
        plain(&["exec", "@ID@", "/bin/true"], says, [255, 255]),
        plain(&["exec", "--pid-file", "@DIR@/pid", "--detach", "@ID@", "/bin/true"], says, [255, 255]),
    ]);
}

#[test]
fn words_that_cannot_be_are_told() {
    lab::enter();
    check(&[
        plain(
            &["create", "--bundle", "@DIR@/absent", "@ID@"],
            &["bundle @DIR@/absent: no such file or directory"],
            [1, 1],
        ),
        plain(
            &["run", "--bundle", "@DIR@/absent", "@ID@"],
            &["bundle @DIR@/absent: no such file or directory"],
            [1, 1],
        ),
        plain(&["create", "--bundle", "@BUNDLE@/config.json", "@ID@"], &["config.json: not a directory"], [1, 1]),
        // The current directory is no bundle.
        plain(&["create", "@ID@"], &["open config.json: no such file or directory"], [1, 1]),
        plain(&["create", "--bundle", "@BUNDLE@"], &["usage: ocinit create "], [1, 1]),
        plain(&["create", "--bundle", "@BUNDLE@", "@ID@", "word"], &["arguments are for --image"], [1, 1]),
        plain(&["create", "--bundle", "@BUNDLE@", "@ID@/x"], &["invalid container ID format"], [1, 1]),
        plain(
            &["create", "--bundel", "@BUNDLE@", "@ID@"],
            &["create: no option --bundel; did you mean --bundle?"],
            [1, 1],
        ),
        plain(&["create", "@ID@", "--bundle"], &["--bundle needs a value"], [1, 1]),
        plain(&["state"], &["usage: ocinit state"], [1, 1]),
        plain(&["exec"], &["usage: ocinit exec"], [1, 1]),
        plain(&["exec", "--nonsense", "@ID@"], &["exec: no option --nonsense"], [1, 1]),
        plain(&["checkpoint", "@ID@"], &["checkpoint: ocinit neither saves containers nor restores them"], [1, 1]),
        plain(&["nonsense", "@ID@"], &["unknown command nonsense"], [125, 3]),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/absent/pid", "@ID@"],
            &["pid file @DIR@/absent/pid: no such file"],
            [1, 1],
        ),
        plain(
            &["run", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/absent/pid", "@ID@"],
            &["pid file @DIR@/absent/pid: no such file"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/absent", "@ID@"],
            &["console-socket @DIR@/absent: no such file"],
            [1, 1],
        ),
        plain(
            &["create", "--bundle", "@BUNDLE@", "--preserve-fds", "90", "@ID@"],
            &["--preserve-fds: descriptor 3 is not open"],
            [1, 1],
        ),
        plain(&["create", "--bundle", "@BUNDLE@", "--preserve-fds", "x", "@ID@"], &["--preserve-fds x"], [1, 1]),
    ]);
}

#[test]
fn a_terminal_that_has_nowhere_to_go_is_told() {
    lab::enter();
    let of =
        |words, damage, says| Case { patch: r#"{"process": {"terminal": true}}"#, damage, words, says, status: [1, 1] };
    const TO_SOCKET: &[&str] = &["create", "--bundle", "@BUNDLE@", "--console-socket", "@DIR@/console", "@ID@"];
    check(&[
        of(CREATE, |_| (), &["cannot allocate tty if ocinit will detach without setting console socket"]),
        of(TO_SOCKET, |_| (), &["console-socket @DIR@/console: no such file or directory"]),
        of(TO_SOCKET, |lab| write(&lab.dir.join("console"), ""), &["console-socket @DIR@/console: connection refused"]),
        // Nobody listens there any more.
        of(
            TO_SOCKET,
            |lab| drop(std::os::unix::net::UnixListener::bind(lab.dir.join("console")).unwrap()),
            &["console-socket @DIR@/console: connection refused"],
        ),
    ]);
}

/// `[create, run]` of a command, and the statuses of both of ours.
fn command(args: &'static str, says: &'static [&'static str], status: i32) -> [Case; 2] {
    [CREATE, RUN].map(|words| Case { patch: args, damage: no_programs, words, says, status: [status, 1] })
}

/// Files that cannot be executed.
fn no_programs(lab: &Lab) {
    use std::os::unix::fs::PermissionsExt;
    for (name, mode, text) in
        [("plain", 0o644, "#!/bin/sh\n"), ("script", 0o755, "#!/absent\n"), ("data", 0o755, "data")]
    {
        let path = lab.rootfs.join(name);
        write(&path, text);
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }
}

/// The words are those that docker, containerd and podman look for; runc's status is 1.
#[test]
fn a_command_that_cannot_be_executed_is_told_in_the_words_that_callers_know() {
    lab::enter();
    let cases = [
        command(r#"{"process": {"args": ["absent"]}}"#, &["exec: \"absent\": executable file not found in $PATH"], 127),
        command(r#"{"process": {"args": [""]}}"#, &["exec: \"\": executable file not found in $PATH"], 127),
        command(
            r#"{"process": {"args": ["/absent"]}}"#,
            &["exec: \"/absent\": stat /absent: no such file or directory"],
            127,
        ),
        command(r#"{"process": {"args": ["/bin"]}}"#, &["exec: \"/bin\": ", "permission denied"], 126),
        command(r#"{"process": {"args": ["/plain"]}}"#, &["exec: \"/plain\": permission denied"], 126),
        command(r#"{"process": {"args": ["/plain/x"]}}"#, &["exec: \"/plain/x\": ", "not a directory"], 126),
        command(r#"{"process": {"cwd": "/plain"}}"#, &["working directory /plain: not a directory"], 1),
    ];
    check(cases.iter().flatten());
    // These are seen only when they are executed: by `run` and `start`.
    for (args, says, status) in [
        (r#"["/script"]"#, "exec /script: its interpreter /absent: no such file or directory", 127),
        (r#"["/data"]"#, "exec /data: exec format error", 126),
    ] {
        let mut lab = Lab::new(Runtime::Ocinit);
        lab.merge(&format!(r#"{{"process": {{"args": {args}}}}}"#));
        no_programs(&lab);
        assert_eq!((misses(&lab.run(), &[says.into()], status), leftovers(&lab)), Default::default());
        assert_eq!(lab.create().status, 0);
        let said = lab.start();
        assert!(said.status != 0 && misses(&said, &[says.into()], said.status).is_empty(), "{said:?}");
        assert_eq!(lab.wait_for("stopped"), "stopped");
        assert_eq!(lab.call(&["delete", "@ID@"]).status, 0);
        assert_eq!(leftovers(&lab), "");
    }
}

#[test]
fn an_exec_that_fails_has_status_255_or_the_commands_and_the_container_lives_on() {
    lab::enter();
    let rows: [(&[&str], &str, [i32; 2]); 19] = [
        (&["@ID@", "absent"], "exec: \"absent\": executable file not found in $PATH", [127, 255]),
        (&["@ID@", "/absent"], "exec: \"/absent\": stat /absent: no such file or directory", [127, 255]),
        (&["@ID@", "/bin"], "permission denied", [126, 255]),
        (&["@ID@", "/plain"], "exec: \"/plain\": permission denied", [126, 255]),
        (&["@ID@", "/script"], "exec /script: its interpreter /absent: no such file or directory", [127, 1]),
        (&["@ID@", "/data"], "exec /data: exec format error", [126, 1]),
        (&["@ID@"], "exec: no command given", [255, 255]),
        (&["--cwd", "/absent", "@ID@", "true"], "/absent: no such file or directory", [255, 255]),
        (&["--user", "nobody", "@ID@", "true"], "--user nobody", [255, 255]),
        (&["--user", "4294967295", "@ID@", "true"], "--user 4294967295", [255, 255]),
        (&["--process", "@DIR@/absent", "@ID@"], "open @DIR@/absent: no such file or directory", [255, 255]),
        (&["--process", "@DIR@/torn", "@ID@"], "process @DIR@/torn: invalid JSON at byte ", [255, 255]),
        (&["--process", "@DIR@/wrong", "@ID@"], "process @DIR@/wrong: args: not an array", [255, 255]),
        (&["--process", "@DIR@/no-args", "@ID@"], "process @DIR@/no-args: args", [255, 255]),
        (&["--tty", "--detach", "@ID@", "true"], "cannot allocate tty if ocinit will detach", [255, 255]),
        (
            &["--console-socket", "@DIR@/absent", "-t", "-d", "@ID@", "true"],
            "@DIR@/absent: no such file or directory",
            [255, 255],
        ),
        (
            &["--pid-file", "@DIR@/absent/pid", "@ID@", "sleep", "1000"],
            "@DIR@/absent/pid: no such file or directory",
            [255, 255],
        ),
        (&["--preserve-fds", "90", "@ID@", "true"], "--preserve-fds: descriptor ", [255, 255]),
        (&["--pid-file", "@DIR@", "@ID@", "sleep", "1000"], "write the pid file @DIR@: ", [255, 255]),
    ];
    let mut missed = String::new();
    for runtime in [Runtime::Ocinit, Runtime::Runc] {
        let mut lab = Lab::new(runtime);
        lab.script("exec sleep 1000");
        no_programs(&lab);
        write(&lab.dir.join("torn"), r#"{"args": ["true"], "cwd""#);
        write(&lab.dir.join("wrong"), r#"{"args": "true", "cwd": "/"}"#);
        write(&lab.dir.join("no-args"), r#"{"cwd": "/"}"#);
        assert_eq!((lab.create().status, lab.start().status), (0, 0));
        for (words, says, status) in rows {
            let said = lab.call(&[&["exec"], words].concat());
            match runtime {
                Runtime::Ocinit => missed.push_str(&misses(&said, &[lab.fill(says)], status[0])),
                _ if said.status != status[1] => {
                    missed.push_str(&format!("runc, not {}: {words:?} {said:?}\n", status[1]))
                }
                _ => {}
            }
        }
        let procs = std::fs::read_to_string(lab.cgroup().join("cgroup.procs")).unwrap();
        assert_eq!((procs.lines().count(), lab.status().as_str()), (1, "running"), "{runtime:?}");
        assert!(!lab.dir.with_extension("partial").exists());
    }
    assert!(missed.is_empty(), "\n{missed}");
}

/// Members of no table: what they hold does not matter.
const IGNORED: [&str; 7] = ["vm", "windows", "solaris", "zos", "com.example.unknown", "process.commandLine", "freebsd"];

/// Each value of a document: where it is, as messages have it, and the same with every index the same.
fn each(value: &Json, path: &str, kind: &str, found: &mut Vec<(String, String)>) {
    if !path.is_empty() {
        found.push((path.into(), kind.into()));
    }
    match value {
        Json::Object(members) => members.iter().for_each(|(key, member)| {
            let dot = if path.is_empty() { "" } else { "." };
            each(member, &format!("{path}{dot}{key}"), &format!("{kind}{dot}{key}"), found);
        }),
        Json::List(items) => items
            .iter()
            .enumerate()
            .for_each(|(n, item)| each(item, &format!("{path}[{n}]"), &format!("{kind}[]"), found)),
        _ => {}
    }
}

/// Puts a value of another type where this path, or the rest of it, leads.
fn spoil(value: &mut Json, rest: &str) {
    if rest.is_empty() {
        *value = match value {
            Json::Text(_) => Json::Number("7".into()),
            Json::List(_) => Json::Object(Vec::new()),
            Json::Object(_) => Json::List(Vec::new()),
            _ => Json::Text("text".into()),
        };
        return;
    }
    match value {
        Json::List(items) => {
            let (index, rest) = rest[1..].split_once(']').unwrap();
            spoil(&mut items[index.parse::<usize>().unwrap()], rest);
        }
        Json::Object(members) => {
            let rest = rest.trim_start_matches('.');
            // Names may hold dots.
            let is_it =
                |key: &str| rest.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
            let (key, member) =
                members.iter_mut().filter(|(key, _)| is_it(key)).max_by_key(|(key, _)| key.len()).unwrap();
            spoil(member, &rest[key.len()..]);
        }
        _ => panic!("{rest} leads nowhere"),
    }
}

#[test]
fn a_wrong_type_anywhere_is_told_with_its_place() {
    lab::enter();
    let full = Json::parse(include_str!("configs/full.json"));
    let (mut all, mut seen, mut missed) = (Vec::new(), std::collections::BTreeSet::new(), String::new());
    each(&full, "", "", &mut all);
    let is_ours = |path: &str| !IGNORED.iter().any(|name| path.starts_with(name));
    for (path, _) in all.iter().filter(|(path, kind)| is_ours(path) && seen.insert(kind.clone())) {
        let lab = Lab::new(Runtime::Ocinit);
        let mut spoilt = full.clone();
        spoil(&mut spoilt, path);
        config(&lab, spoilt.to_string());
        // An object of any names is told by what is in it, a list too.
        missed.push_str(&misses(&lab.call(CREATE), &[format!("config.json: {path}: ")], 1));
        let left = leftovers(&lab);
        if !left.is_empty() {
            missed.push_str(&format!("{path} left {left}\n"));
        }
    }
    assert!(missed.is_empty(), "\n{missed}");
    assert!(seen.len() > 250, "{}", seen.len());
}

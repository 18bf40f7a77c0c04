//! Real scripts.

use super::super::state::Process;
use super::*;
use crate::limits::HOOK_STRINGS_MAX;
use crate::spec;
use crate::sys::fd::{self, CWD};
use crate::sys::{Errno, process, signal};
use std::time::{Duration, Instant};

/// A directory, removed on drop.
struct Place(std::path::PathBuf);

impl std::ops::Deref for Place {
    type Target = std::path::Path;
    fn deref(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Runs the hooks of a document. `@` in them stands for this directory.
fn hooks(name: &str, kind: &str, hooks: &str) -> (Place, core::result::Result<(), String>) {
    let place = std::env::temp_dir().join(format!("ocinit-hooks-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&place);
    std::fs::create_dir(&place).unwrap();
    let hooks = hooks.replace('@', place.to_str().unwrap());
    let members = format!(r#","annotations":{{"a":"\"b\""}},"hooks":{{"{kind}":[{hooks}]}}"#);
    let spec = spec::leaked_linux("{}", &members).unwrap();
    let kind = HookKind::ALL.into_iter().find(|known| known.name() == kind).unwrap();
    let state = State {
        version: c"1.3.0",
        bundle: c"/some/bundle",
        process: Process { pid: 12, started: 1 },
        ..State::UNKNOWN
    };
    let context = HookContext {
        spec: &spec,
        id: Id::check(c"one").unwrap(),
        state,
        status: Status::Creating,
    };
    let done = run(&context, kind).map_err(|error| error.to_string());
    (Place(place), done)
}

fn script(text: &str) -> String {
    format!(r#"{{"path":"/bin/sh","args":["sh","-c","{text}"]}}"#)
}

fn read(place: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(place.join(name)).unwrap_or_default()
}

#[test]
fn each_gets_the_state_and_nothing_else() {
    let all = [
        // The first reads nothing of its stdin; the second and third read all.
        script("echo first >>@/order"),
        script("/bin/cat >@/state; /bin/ls /proc/self/fd | /usr/bin/wc -l >@/fds"),
        script(
            "/bin/cat >@/again; /bin/grep -E 'Sig(Blk|Ign)' /proc/self/status >@/signals; echo third >>@/order",
        ),
    ];
    // A fd that would leak if it were not closed.
    let leak = fs::open(CWD, c"/dev/null", fs::O_RDONLY, 0).unwrap();
    fd::set_cloexec(leak.by_ref(), false).unwrap();
    let (place, done) = hooks("inputs", "prestart", &all.join(","));
    done.unwrap();
    let state = r#"{"ociVersion":"1.3.0","id":"one","pid":12,"status":"creating","bundle":"/some/bundle","annotations":{"a":"\"b\""}}"#;
    assert_eq!(read(&place, "state").replace(['\n', ' '], ""), state);
    assert_eq!(read(&place, "state"), read(&place, "again"));
    assert_eq!(read(&place, "order"), "first\nthird\n");
    // 0, 1, 2, and ls(1)'s own.
    assert_eq!(read(&place, "fds").trim(), "4");
    assert!(read(&place, "signals").lines().all(|line| line.ends_with("\t0000000000000000")));
}

#[test]
fn words_and_variables_are_the_entrys() {
    let (place, done) = hooks(
        "words",
        "prestart",
        r#"{"path":"/bin/sh","args":["own name","-c","echo \"$0|$1|$A|$B\" >@/said; /bin/cat /proc/$$/cmdline >@/line","zero","one two"],"env":["A=\u00e9\n1","B="]}"#,
    );
    done.unwrap();
    assert_eq!(read(&place, "said"), "zero|one two|é\n1|\n");
    assert!(read(&place, "line").starts_with("own name\0-c\0"));
    assert_eq!(hooks("no-words", "prestart", r#"{"path":"/bin/true"}"#).1, Ok(()));
}

#[test]
fn a_failure_says_which_and_why() {
    let fails = |hook: &str, text: &str| {
        let (place, done) = hooks(
            "fails",
            "createRuntime",
            &format!("{},{hook},{}", script("exit 0"), script("echo >@/after")),
        );
        assert_eq!(done.unwrap_err(), format!("error running createRuntime hook #1: {text}"));
        assert!(!place.join("after").exists(), "none is run after it");
    };
    fails(&script("echo out; echo err >&2; exit 3"), "exit status 3, output: out\\x0aerr");
    fails(&script("kill -9 $$"), "signal: killed, output: ");
    fails(
        r#"{"path":"/proc/no/such"}"#,
        "exit status 127, output: exec /proc/no/such: no such file or directory",
    );
    fails(
        r#"{"path":"/etc/passwd"}"#,
        "exit status 127, output: exec /etc/passwd: permission denied",
    );
}

#[test]
fn the_last_kind_goes_on_after_a_failure() {
    let (place, done) =
        hooks("all", "poststop", &format!("{},{}", script("exit 4"), script("echo >@/after")));
    assert_eq!(done.unwrap_err(), "error running poststop hook #0: exit status 4, output: ");
    assert!(place.join("after").exists());
}

/// A cause keeps its text, errno and status, whatever cleanup makes and drops after it.
#[test]
fn nine_failing_poststop_hooks_follow_the_cause() {
    let scripts: Vec<_> = (1..=9).map(|n| script(&format!("exit {n}"))).collect();
    let cause = Error::with_errno(format_args!("the cause"), Errno::ENOSPC).with_status(126);
    let (_place, done) = hooks("nine", "poststop", &scripts.join(","));
    let error = cause.with(done.map_err(|text| Error::new(format_args!("{text}"))));
    let text = error.to_string();
    assert!(text.starts_with("the cause; error running poststop hook #0: exit status 1"), "{text}");
    for n in 0..9 {
        let hook = format!("poststop hook #{n}: exit status {}", n + 1);
        assert!(text.contains(&hook), "{hook} is missing: {text}");
    }
    assert_eq!((error.errno(), error.status()), (Errno::ENOSPC, 126));
}

#[test]
fn one_that_takes_too_long_is_killed() {
    let start = Instant::now();
    let hook = r#"{"path":"/bin/sleep","args":["sleep","60"],"timeout":1}"#;
    let done = hooks("late", "poststart", hook).1;
    assert_eq!(
        done.unwrap_err(),
        "error running poststart hook #0: hook ran past specified timeout of 1.0s"
    );
    assert!((1..10).contains(&start.elapsed().as_secs()));
    assert_eq!(
        hooks("in-time", "poststart", r#"{"path":"/bin/true","timeout":9223372036854775807}"#).1,
        Ok(())
    );
}

#[test]
fn who_leaves_a_daemon_or_reads_nothing_keeps_nobody() {
    let start = Instant::now();
    let daemon = script("/bin/sleep 20 & echo $! >@/pid");
    let (place, done) = hooks("daemon", "prestart", &daemon);
    done.unwrap();
    assert!(start.elapsed() < Duration::from_secs(10));
    let pid: i32 = read(&place, "pid").trim().parse().unwrap();
    process::kill(pid, signal::SIGKILL).unwrap();
    // More than a pipe's capacity.
    let loud =
        script("/usr/bin/head -c 300000 /dev/zero | /usr/bin/tr '\\\\0' x; echo end; exit 1");
    let text = hooks("loud", "prestart", &loud).1.unwrap_err();
    assert!(text.ends_with("xxxend") && text.len() < 400, "{text}");
}

#[test]
fn what_cannot_be_meant_is_refused_first() {
    for (hook, text) in [
        (r#"{"path":"bin/true"}"#, "hooks.poststop[0].path: must be an absolute path"),
        (r#"{"args":["x"]}"#, "hooks.poststop[0].path: missing"),
        (
            r#"{"path":"/bin/true","timeout":0}"#,
            "hooks.poststop[0].timeout: must be greater than zero",
        ),
        (
            r#"{"path":"/bin/true","timeout":-1}"#,
            "hooks.poststop[0].timeout: must be greater than zero",
        ),
    ] {
        let hooks =
            format!(r#","hooks":{{"prestart":[{{"path":"/x","timeout":1}}],"poststop":[{hook}]}}"#);
        let error = spec::leaked_linux("{}", &hooks).map(drop).unwrap_err();
        assert_eq!(error.to_string(), text);
    }
    let many = vec![r#""x""#; HOOK_STRINGS_MAX].join(",");
    let hook = format!(r#"{{"path":"/bin/true","args":[{many}]}}"#);
    assert_eq!(
        hooks("many", "prestart", &hook).1.unwrap_err(),
        "error running prestart hook #0: args: argument list too long"
    );
}

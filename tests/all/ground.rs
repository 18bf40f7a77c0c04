//! Tests do not depend on what their parent process passes on, and none waits for ever.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support;
use crate::support::boot::finish;

/// This program again, running the one test that is left out otherwise, as nohup, cron and services
/// start it.
fn again(test: &str) -> Command {
    let mut command = Command::new("sh");
    let surroundings = "trap '' HUP INT QUIT TERM USR1; umask 077; exec \"$@\"";
    command.args(["-c", surroundings, "sh"]).arg(std::env::current_exe().expect("a path"));
    command.args(["--ignored", "--exact", &format!("ground::{test}")]);
    command
        .env("LC_ALL", "tr_TR.UTF-8")
        .env("LANG", "de_DE.UTF-8")
        .env("TERM", "dumb")
        .env("NO_COLOR", "1");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn tests_set_what_they_rely_on() {
    let child = again("what_is_set").spawn().expect("starts");
    finish(child, Some(b"not for a test".to_vec()), Duration::from_secs(60)).expect_status(0);
}

#[test]
#[ignore = "run by tests_set_what_they_rely_on"]
fn what_is_set() {
    let script = "kill -HUP $$; kill -TERM $$; echo still here";
    let mut child =
        Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn().expect("sh");
    let status = child.wait().expect("it ends");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(libc::SIGHUP));
    let said = support::tool(
        Command::new("sh").args(["-c", "umask; cat; echo $LC_ALL $LANG $NO_COLOR $TERM"]),
    );
    assert_eq!(String::from_utf8_lossy(&said), "0022\nC.UTF-8 xterm\n");
}

/// The process ends with the test's name, together with its children.
#[test]
fn a_test_that_hangs_is_ended() {
    let began = Instant::now();
    let child = again("it_hangs").env("OCINIT_TEST_LONGEST", "2").spawn().expect("starts");
    let outcome = finish(child, None, Duration::from_secs(60));
    outcome.expect_status(101).expect_line(&["it_hangs", "it hangs"]);
    assert!(began.elapsed() < Duration::from_secs(50), "{outcome}");
}

#[test]
#[ignore = "run by a_test_that_hangs_is_ended"]
fn it_hangs() {
    Command::new("sleep").arg("1000").status().expect("sleep");
}

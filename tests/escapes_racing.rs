//! Escapes that are races: a container of CAP_SYS_PTRACE takes what a process has that comes into its pid namespace. The short
//! form takes seconds and has found all that was there; `OCINIT_ESCAPES=long` is what `make test-escapes` runs.

mod support;

use std::path::PathBuf;
use std::process::Command;

use support::lab::{self, Lab, Runtime, done};

/// A container of root's in which a thief waits.
fn thief() -> Lab {
    let mut lab = Lab::new(Runtime::Ocinit);
    let source = support::project().join("tests/support/thief.c");
    let built =
        Command::new("gcc").args(["-O2", "-static", "-o"]).arg(lab.rootfs.join("bin/thief")).arg(source).status();
    assert!(built.expect("gcc").success());
    for place in [lab.dir.clone(), lab.state.clone(), lab.bundle.clone(), PathBuf::from(lab::PLACE)] {
        std::fs::write(place.join("secret-of-the-host"), "SECRET\n").unwrap();
    }
    let all = r#"["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_KILL"]"#;
    lab.merge(&format!(
        r#"{{"process": {{"capabilities": {{"bounding": {all}, "effective": {all}, "permitted": {all}}}}}}}"#
    ));
    lab.script("exec /bin/thief >/tmp/stolen 2>&1");
    // Its group is where its limits are; what is seen of it is not the subject.
    done(&lab.call(&["run", "-d", "--bundle", "@BUNDLE@", "@ID@"]));
    assert_eq!(lab.wait_for_file("b/rootfs/tmp/stolen"), "ready\n");
    lab
}

/// What it has got that is the host's.
fn stolen(lab: &Lab) -> String {
    let text = lab.file("b/rootfs/tmp/stolen");
    text.lines().filter(|line| *line != "ready").map(|line| format!("{line}\n")).collect()
}

/// What comes in with the host's root is seen, or this test would prove nothing.
#[track_caller]
fn the_thief_takes_what_it_can(lab: &Lab) {
    let pid = lab.state().at("pid").show();
    for _ in 0..20 {
        let enter = ["-t", &pid, "-p", "sleep", "0.05"];
        assert!(Command::new("nsenter").args(enter).current_dir(&lab.dir).status().expect("nsenter").success());
        if stolen(lab).contains("SECRET") {
            return;
        }
    }
    panic!("the thief does not see who comes in: {}", stolen(lab));
}

/// `exec`: without the fix the caller's working directory, the state root and the cgroup are taken within ten turns.
#[test]
fn exec_gives_nothing_to_who_waits_for_it() {
    lab::enter();
    let lab = thief();
    for turn in 0..lab::turns(60, 3000) {
        let said = match turn % 3 {
            0 => lab.call(&["exec", "@ID@", "/bin/true"]),
            1 => lab.call(&["exec", "-d", "@ID@", "/bin/true"]),
            _ => lab.call(&["exec", "--user", "1000:1000", "@ID@", "/bin/true"]),
        };
        assert!(said.status != -1, "it hangs: {said:?}");
        assert_eq!(stolen(&lab), "", "after {turn} turns");
    }
    the_thief_takes_what_it_can(&lab);
}

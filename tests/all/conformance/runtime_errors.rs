//! runtime.md: errors of operations in a wrong state, and invalid ids.

use super::case::{Case, case, refusal};
use super::runtime::{SLEEPS, begin};
use crate::support::lab::{Lab, ended};

/// Name, rule, the container's state, and the command that is refused there and changes nothing.
const REFUSED: &[(&str, &str, &str, &str)] = &[
    ("create.twice", IN_USE, "created", "create --bundle @BUNDLE@ @ID@"),
    ("run.twice", IN_USE, "running", "run --bundle @BUNDLE@ @ID@"),
    ("start.absent", NOT_THERE, "absent", "start @ID@"),
    ("start.running", "what is not created MUST be an error", "running", "start @ID@"),
    ("start.stopped", "what is not created MUST be an error", "stopped", "start @ID@"),
    ("kill.absent", NOT_THERE, "absent", "kill @ID@ TERM"),
    (
        "kill.stopped",
        "what is not created or running MUST be an error",
        "stopped",
        "kill @ID@ TERM",
    ),
    ("delete.absent", NOT_THERE, "absent", "delete @ID@"),
    ("delete.running", "what is not stopped MUST be an error", "running", "delete @ID@"),
    ("state.absent", NOT_THERE, "absent", "state @ID@"),
    ("exec.stopped", "there is nothing to enter", "stopped", "exec @ID@ /bin/true"),
    ("exec.absent", "there is nothing to enter", "absent", "exec @ID@ /bin/true"),
    ("pause.created", NOT_PAUSED, "stopped", "pause @ID@"),
    ("resume.running", "what is not paused cannot be resumed", "running", "resume @ID@"),
    ("kill.unknown", "an unknown signal is an error", "running", "kill @ID@ NONSENSE"),
    ("kill.large", "a number beyond the kernel's is an error", "running", "kill @ID@ 99"),
];
const IN_USE: &str = "an id that is in use MUST be an error";
const NOT_THERE: &str = "what is not there MUST be an error";
const NOT_PAUSED: &str = "what does not run cannot be paused in runc; crun freezes it";

/// Brings the container into a state.
fn prepare(lab: &Lab, state: &str) {
    match state {
        "absent" => {}
        "created" => drop(lab.create()),
        "running" => begin(lab),
        "stopped" => {
            begin(lab);
            // It may have ended by itself.
            lab.call(&["kill", "@ID@", "KILL"]);
            lab.wait_for("stopped");
        }
        _ => panic!("{state} is no state"),
    }
}

/// Returns what a command is answered in a state: `refused`, and the state, which must not change.
fn answer(lab: &Lab, state: &str, command: &str) -> String {
    prepare(lab, state);
    let words: Vec<&str> = command.split(' ').collect();
    let [before, verdict, after] = [lab.status(), lab.call(&words).verdict().into(), lab.status()];
    if before == state && after == state { verdict } else { format!("{verdict} {before} {after}") }
}

/// Runs a command four times at once. Returns how many succeed.
fn winners(lab: &Lab, words: &[&str]) -> usize {
    let null = std::process::Stdio::null;
    let start = |_| lab.command(words).stdin(null()).stdout(null()).stderr(null()).spawn().unwrap();
    let mut started: Vec<_> = (0..4).map(start).collect();
    started.iter_mut().filter_map(ended).filter(|status| status.success()).count()
}

pub fn errors() -> Vec<Case> {
    let row = |&(name, rule, state, command): &(_, _, &'static str, &'static str)| {
        case(name, rule).with(SLEEPS).act(move |lab| answer(lab, state, command)).gives("refused")
    };
    let mut cases: Vec<Case> = REFUSED.iter().map(row).collect();
    cases.extend([
        case("create.twice.message", "the message says \"exists\", as clients look for")
            .act(|lab| {
                lab.create();
                format!("{}", lab.create().err.contains("exist"))
            })
            .gives("true"),
        case("state.absent.message", "the message says \"does not exist\", as clients look for")
            .act(|lab| lab.call(&["state", "@ID@"]).err.contains("does not exist").to_string())
            .gives("true"),
        case("start.race", "of two starts at once one wins")
            .with(SLEEPS)
            .act(|lab| {
                lab.create();
                let won = winners(lab, &["start", "@ID@"]);
                format!("{won} {}", lab.status())
            })
            .gives("1 running"),
        case("create.race", "of two creates of one id one wins, and the loser harms nothing")
            .with(SLEEPS)
            .act(|lab| {
                let won = winners(lab, &["create", "--bundle", "@BUNDLE@", "@ID@"]);
                format!("{won} {} {}", lab.status(), lab.start().verdict())
            })
            .gives("1 created ok"),
    ]);
    cases
}

pub fn ids() -> Vec<Case> {
    let refused = [
        ("id.dots", "..", "`..` is no id: it would be the directory above the state root"),
        ("id.dot", ".", "`.` is no id"),
        ("id.slash", "a/b", "an id has no slash"),
        ("id.up", "../up", "an id leads nowhere"),
        ("id.empty", "", "an id is not empty"),
        ("id.space", "a b", "an id has no space"),
        ("id.newline", "a\nb", "an id has no end of line"),
    ];
    let row = |(name, id, rule): (&'static str, &'static str, &'static str)| {
        case(name, rule)
            .act(move |lab| refusal(lab, &["run", "--bundle", "@BUNDLE@", id]))
            .gives("refused")
    };
    let mut cases: Vec<_> = refused.map(row).into_iter().collect();
    cases.push(
        case("id.all", "letters, digits, `_`, `+`, `-` and `.` may be in it")
            .act(|lab| {
                let said = lab.call(&["run", "--bundle", "@BUNDLE@", "aZ0_+-.@ID@"]);
                format!("{}{}", said.show(), said.err)
            })
            .gives(""),
    );
    cases
}

//! runtime.md: errors of operations in a wrong state, and invalid ids.

use super::case::{Case, case, refusal};
use super::runtime::{SLEEPS, begin};
use crate::support::lab::{Lab, ended};

/// Returns a check that `words` are refused after `prepare`, and that the status stays the same.
fn refused_at(prepare: fn(&Lab), words: &'static [&'static str]) -> impl Fn(&mut Lab) -> String {
    move |lab| {
        prepare(lab);
        let before = lab.status();
        let verdict = lab.call(words).verdict();
        let after = lab.status();
        format!(
            "{verdict} {before}{}",
            if before == after { String::new() } else { format!(" then {after}") }
        )
    }
}

fn nothing(_: &Lab) {}

fn create(lab: &Lab) {
    lab.create();
}

fn stop(lab: &Lab) {
    begin(lab);
    // It may have ended by itself.
    lab.call(&["kill", "@ID@", "KILL"]);
    lab.wait_for("stopped");
}

pub fn errors() -> Vec<Case> {
    let row = |name, rule, prepare, words, wanted| {
        case(name, rule).with(SLEEPS).act(refused_at(prepare, words)).gives(wanted)
    };
    let mut cases = vec![
        row(
            "create.twice",
            "an id that is in use MUST be an error",
            create as fn(&Lab),
            &["create", "--bundle", "@BUNDLE@", "@ID@"] as &[_],
            "refused created",
        ),
        row(
            "run.twice",
            "an id that is in use MUST be an error",
            begin,
            &["run", "--bundle", "@BUNDLE@", "@ID@"],
            "refused running",
        ),
        row(
            "start.absent",
            "what is not there MUST be an error",
            nothing,
            &["start", "@ID@"],
            "refused absent",
        ),
        row(
            "start.running",
            "what is not created MUST be an error",
            begin,
            &["start", "@ID@"],
            "refused running",
        ),
        row(
            "start.stopped",
            "what is not created MUST be an error",
            stop,
            &["start", "@ID@"],
            "refused stopped",
        ),
        row(
            "kill.absent",
            "what is not there MUST be an error",
            nothing,
            &["kill", "@ID@", "TERM"],
            "refused absent",
        ),
        row(
            "kill.stopped",
            "what is not created or running MUST be an error",
            stop,
            &["kill", "@ID@", "TERM"],
            "refused stopped",
        ),
        row(
            "delete.absent",
            "what is not there MUST be an error",
            nothing,
            &["delete", "@ID@"],
            "refused absent",
        ),
        row(
            "delete.running",
            "what is not stopped MUST be an error",
            begin,
            &["delete", "@ID@"],
            "refused running",
        ),
        row(
            "state.absent",
            "what is not there MUST be an error",
            nothing,
            &["state", "@ID@"],
            "refused absent",
        ),
        row(
            "exec.stopped",
            "there is nothing to enter",
            stop,
            &["exec", "@ID@", "/bin/true"],
            "refused stopped",
        ),
        row(
            "exec.absent",
            "there is nothing to enter",
            nothing,
            &["exec", "@ID@", "/bin/true"],
            "refused absent",
        ),
        row(
            "pause.created",
            "what does not run cannot be paused in runc; crun freezes it",
            stop,
            &["pause", "@ID@"],
            "refused stopped",
        ),
        row(
            "resume.running",
            "what is not paused cannot be resumed",
            begin,
            &["resume", "@ID@"],
            "refused running",
        ),
        row(
            "kill.unknown",
            "an unknown signal is an error",
            begin,
            &["kill", "@ID@", "NONSENSE"],
            "refused running",
        ),
        row(
            "kill.large",
            "a number beyond the kernel's is an error",
            begin,
            &["kill", "@ID@", "99"],
            "refused running",
        ),
    ];
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
                let null = std::process::Stdio::null;
                let mut starts: Vec<_> = (0..4)
                    .map(|_| {
                        lab.command(&["start", "@ID@"])
                            .stdin(null())
                            .stdout(null())
                            .stderr(null())
                            .spawn()
                            .unwrap()
                    })
                    .collect();
                let won =
                    starts.iter_mut().filter_map(ended).filter(|status| status.success()).count();
                format!("{won} {}", lab.status())
            })
            .gives("1 running"),
        case("create.race", "of two creates of one id one wins, and the loser harms nothing")
            .with(SLEEPS)
            .act(|lab| {
                let null = std::process::Stdio::null;
                let words = ["create", "--bundle", "@BUNDLE@", "@ID@"];
                let mut creates: Vec<_> = (0..4)
                    .map(|_| {
                        lab.command(&words)
                            .stdin(null())
                            .stdout(null())
                            .stderr(null())
                            .spawn()
                            .unwrap()
                    })
                    .collect();
                let won =
                    creates.iter_mut().filter_map(ended).filter(|status| status.success()).count();
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

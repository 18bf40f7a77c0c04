//! A case: a rule of the specification or of runc's command line, what is done, what must be seen,
//! and who differs.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::Mutex;

use super::differences::DIFFERENCES;
use crate::support::lab::{self, Lab, Runtime};

/// What a case does with a lab whose config.json is written, and what it saw.
type Act = Box<dyn Fn(&mut Lab) -> String + Send + Sync>;

/// What is done with its bundle before.
type Setup = Box<dyn Fn(&mut Lab) + Send + Sync>;

/// How the text of a difference begins that does not show each time.
const AT_TIMES: &str = "at times ";

/// How often a runtime that is not ours may answer otherwise.
const ASKED_AGAIN: u32 = 4;

/// One row of the table.
pub struct Case {
    /// `process.cwd`: the place in the specification, or the command.
    pub name: &'static str,
    /// The rule, in words.
    pub rule: &'static str,
    patches: Vec<&'static str>,
    script: Option<&'static str>,
    setup: Option<Setup>,
    act: Act,
    wanted: &'static str,
    /// Words that ocinit's message holds when it refuses.
    named: &'static [&'static str],
}

/// A case that runs the container and looks at what it printed and its status.
pub fn case(name: &'static str, rule: &'static str) -> Case {
    Case {
        name,
        rule,
        patches: Vec::new(),
        script: None,
        setup: None,
        act: Box::new(run),
        wanted: "",
        named: &[],
    }
}

impl Case {
    /// Changes config.json: see `Json::merge`.
    pub fn with(mut self, patch: &'static str) -> Case {
        self.patches.push(patch);
        self
    }

    /// What the container's shell does.
    pub fn sh(mut self, script: &'static str) -> Case {
        self.script = Some(script);
        self
    }

    /// What is done before with the bundle.
    pub fn setup(mut self, setup: impl Fn(&mut Lab) + Send + Sync + 'static) -> Case {
        self.setup = Some(Box::new(setup));
        self
    }

    /// What is done instead of `run`, and what was seen.
    pub fn act(mut self, act: impl Fn(&mut Lab) -> String + Send + Sync + 'static) -> Case {
        self.act = Box::new(act);
        self
    }

    /// What must be seen: for `run`, what was printed, and `[STATUS]` where it is not 0.
    pub fn gives(mut self, wanted: &'static str) -> Case {
        self.wanted = wanted;
        self
    }

    /// `run` and `create` must fail with a message, start nothing and leave nothing.
    pub fn refused(mut self) -> Case {
        self.act = Box::new(|lab| refusal(lab, &["run", "--bundle", "@BUNDLE@", "@ID@"]));
        self.wanted = "refused";
        self
    }

    /// [`Case::refused`], and ocinit's message is one line that holds these words.
    pub fn refused_naming(mut self, named: &'static [&'static str]) -> Case {
        self.named = named;
        self.refused()
    }

    /// What this runtime is said to do instead.
    pub fn told(&self, runtime: Runtime) -> Option<&'static str> {
        let mut rows = DIFFERENCES.iter();
        rows.find(|(name, other, _)| *name == self.name && *other == runtime)
            .map(|(_, _, how)| *how)
    }

    fn observe(&self, runtime: Runtime) -> String {
        let mut lab = Lab::new(runtime);
        for patch in &self.patches {
            lab.merge(patch);
        }
        if let Some(script) = self.script {
            lab.script(script);
        }
        if let Some(setup) = &self.setup {
            setup(&mut lab);
        }
        let mut seen = (self.act)(&mut lab);
        if runtime == Runtime::Ocinit && !self.named.is_empty() && seen == self.wanted {
            let said = lab.run();
            let has_all = self.named.iter().all(|word| said.err.contains(word));
            if said.err.lines().count() != 1 || !has_all {
                seen = format!(
                    "refused with {:?}, which is not one line of {:?}",
                    said.err, self.named
                );
            }
        }
        seen
    }

    /// What is wrong with one runtime's answer. Others than ocinit are asked again: some lose a
    /// race now and then.
    fn judge(&self, runtime: Runtime) -> Option<String> {
        let again = if runtime == Runtime::Ocinit { 0 } else { ASKED_AGAIN };
        let first = self.judge_once(runtime)?;
        if (0..again).all(|_| self.judge_once(runtime).is_some()) { Some(first) } else { None }
    }

    fn judge_once(&self, runtime: Runtime) -> Option<String> {
        let seen = self.observe(runtime);
        let told = self.told(runtime);
        let (name, runtime) = (self.name, runtime.name());
        match (seen == self.wanted, told) {
            (true, None) | (false, Some(_)) => None,
            (true, Some(how)) if how.starts_with(AT_TIMES) => None,
            (true, Some(how)) => Some(format!(
                "{name}: {runtime} does as it should now, and is said to differ: {how}"
            )),
            (false, None) => Some(format!(
                "{name}: {runtime}:\n    saw    {seen:?}\n    wanted {:?}",
                self.wanted
            )),
        }
    }
}

/// `run`: what was printed, the status, and what is left that should not be.
fn run(lab: &mut Lab) -> String {
    let said = lab.run();
    match lab.leftovers().as_str() {
        "" => said.show(),
        left => format!("{}, leaves {left}", said.show()),
    }
}

/// What became of a command that must be refused: `refused`, or what it did instead.
pub fn refusal(lab: &Lab, words: &[&str]) -> String {
    let said = lab.call(words);
    let mut seen = said.verdict().to_string();
    if !said.out.is_empty() {
        let _ = write!(seen, ", prints {:?}", said.out);
    }
    let left = lab.leftovers();
    if !left.is_empty() {
        let _ = write!(seen, ", leaves {left}");
    }
    seen
}

/// Runs the cases against the runtimes, several at a time, and fails with all that is not as it is
/// said to be. `OCINIT_CONFORMANCE=process.cwd` runs those whose names begin so,
/// `OCINIT_RUNTIME=runc` asks one runtime alone.
pub fn check(cases: Vec<Case>) {
    let wanted = std::env::var("OCINIT_CONFORMANCE").unwrap_or_default();
    let only = std::env::var("OCINIT_RUNTIME").unwrap_or_default();
    let runtimes: Vec<_> = Runtime::ALL
        .into_iter()
        .filter(|runtime| only.is_empty() || only.contains(runtime.name()))
        .collect();
    let left: VecDeque<_> = cases.iter().filter(|case| case.name.starts_with(&wanted)).collect();
    let (left, wrong) = (Mutex::new(left), Mutex::new(Vec::new()));
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().min(4));
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                lab::enter();
                loop {
                    let Some(case) = left.lock().expect("no panic").pop_front() else { return };
                    for runtime in &runtimes {
                        if let Some(complaint) = case.judge(*runtime) {
                            wrong.lock().expect("no panic").push(complaint);
                        }
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

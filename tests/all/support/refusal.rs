//! What must be refused: in one line, with a status, leaving nothing; and what runc says to the
//! same.

use super::json::Json;
use super::lab::{Lab, Runtime, Said};

/// Something that must be refused.
pub struct Case {
    /// What is changed in the configuration.
    pub patch: &'static str,
    /// What is done to the bundle then.
    pub damage: fn(&Lab),
    pub words: &'static [&'static str],
    /// What the one line must hold.
    pub says: &'static [&'static str],
    /// The exit status, of ocinit and of runc.
    pub status: [i32; 2],
}

/// For runc: it would do to the machine's own root cgroup what it was told to do to a container's.
pub const NOT_ASKED: i32 = -2;

pub const CREATE: &[&str] = &["create", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"];
pub const RUN: &[&str] = &["run", "--bundle", "@BUNDLE@", "--pid-file", "@DIR@/pid", "@ID@"];

/// Processes that were started for this lab and have not ended: its id is in their words.
pub fn processes(lab: &Lab) -> Vec<String> {
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
pub fn leftovers(lab: &Lab) -> String {
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

/// What is wrong with an answer that must be one line, which holds all of these, with nothing on
/// standard output.
pub fn misses(said: &Said, says: &[String], status: i32) -> String {
    let is_one = said.err.ends_with('\n')
        && said.err.lines().count() == 1
        && said.err.starts_with("ocinit: ");
    let holds = says.iter().all(|text| said.err.contains(text));
    match is_one && holds && said.out.is_empty() && said.status == status {
        true => String::new(),
        false => format!("wanted {status} and {says:?}: {said:?}\n"),
    }
}

/// What is wrong with a log that must be one object with the same message.
pub fn misses_in_log(lab: &Lab, said: &Said) -> String {
    let log = lab.file("log");
    let object = Json::try_parse(&log).unwrap_or(Json::Null);
    let [level, message, time] = ["level", "msg", "time"].map(|key| object.at(key).show());
    let is_it =
        level == "error" && time.contains('T') && said.err == format!("ocinit: {message}\n");
    if is_it && log.lines().count() == 1 {
        String::new()
    } else {
        format!("log: {log:?} of {said:?}\n")
    }
}

/// Options that ask for a log of JSON in the lab.
pub fn logged(lab: &mut Lab) {
    lab.global = ["--log", "@DIR@/log", "--log-format", "json"].map(|word| lab.fill(word)).to_vec();
}

/// What is not as the case has it, for ocinit without and with a log, and for runc.
pub fn misses_of(case: &Case) -> String {
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
    if case.status[1] == NOT_ASKED {
        return missed;
    }
    let lab = prepared(Runtime::Runc);
    let said = lab.call(case.words);
    if said.status != case.status[1] {
        missed.push_str(&format!("runc, not {}: {:?}: {said:?}\n", case.status[1], case.says));
    }
    missed
}

#[track_caller]
pub fn check<'c>(cases: impl IntoIterator<Item = &'c Case>) {
    let missed: String = cases.into_iter().map(misses_of).collect();
    assert!(missed.is_empty(), "\n{missed}");
}

/// A case without a change of the bundle.
pub const fn plain(
    words: &'static [&'static str],
    says: &'static [&'static str],
    status: [i32; 2],
) -> Case {
    Case { patch: "{}", damage: |_| (), words, says, status }
}

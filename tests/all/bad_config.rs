//! Malformed configurations: one line that names the fault, runc's exit status, and no leftovers.

use crate::support::json::Json;
use crate::support::lab::{self, Lab, Runtime};
use crate::support::refusal::{CREATE, Case, NOT_ASKED, RUN, check, leftovers, misses};
use crate::support::write;

fn config(lab: &Lab, text: impl AsRef<[u8]>) {
    write(&lab.bundle.join("config.json"), text);
}

#[test]
fn a_config_that_cannot_be_read_is_told() {
    lab::enter();
    let of =
        |damage, says, runc| Case { patch: "{}", damage, words: CREATE, says, status: [1, runc] };
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
        of(
            |lab| config(lab, [0xff, 0xfe, b'{', 0, b'}', 0]),
            &["config.json", "invalid JSON at byte 0"],
            1,
        ),
        of(
            |lab| config(lab, format!("{}{}", lab.config, "}")),
            &["config.json", "invalid JSON at byte "],
            0,
        ),
        // Deeper than any configuration, but no stack is used up.
        of(|lab| config(lab, "[".repeat(500_000)), &["config.json"], 1),
        of(
            |lab| config(lab, format!("{}{}", " ".repeat(5 << 20), lab.config)),
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
    let of = |patch, says, runc| {
        [CREATE, RUN].map(|words| Case { patch, damage: |_| (), words, says, status: [1, runc] })
    };
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
        of(
            r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "mount"}]}}"#,
            &["linux.namespaces[1]"],
            1,
        ),
        of(
            r#"{"linux": {"namespaces": [{"type": "mount"}, {"type": "uts"}, {"type": "network", "path": "@DIR@/absent"}]}}"#,
            &["@DIR@/absent", "no such file or directory"],
            1,
        ),
        of(
            r#"{"linux": {"sysctl": {"kernel.nonsense": "1"}}}"#,
            &["config.json: linux.sysctl.kernel.nonsense"],
            1,
        ),
        of(
            r#"{"linux": {"seccomp": {"defaultAction": "SCMP_ACT_X"}}}"#,
            &["config.json: linux.seccomp.defaultAction: unknown"],
            1,
        ),
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
        of(
            r#"{"linux": {"devices": [{"path": "/dev/x", "type": "q", "major": 1, "minor": 3}]}}"#,
            &["devices[0]"],
            1,
        ),
        of(
            r#"{"hooks": {"createRuntime": [{"path": "/proc/absent"}]}}"#,
            &["createRuntime hook #0: exit status 127", "/absent: no such file or directory"],
            1,
        ),
        of(
            r#"{"hooks": {"createRuntime": [{"path": "/bin/false"}]}}"#,
            &["createRuntime hook #0: exit status 1"],
            1,
        ),
        // runc takes the host's mounts for the container's then.
        of(
            r#"{"hostname": null, "linux": {"namespaces": [{"type": "pid"}]}}"#,
            &["config.json: mounts: need a mount namespace of the container's own"],
            NOT_ASKED,
        ),
        of(
            r#"{"linux": {"resources": {"pids": {"limit": -7}}}}"#,
            &["config.json: linux.resources.pids.limit: "],
            1,
        ),
        of(
            r#"{"linux": {"resources": {"unified": {"../x": "5"}}}}"#,
            &["config.json: linux.resources.unified.../x: "],
            1,
        ),
        of(
            r#"{"linux": {"resources": {"devices": [{"allow": true, "type": "q"}]}}}"#,
            &["config.json: linux.resources.devices[0]"],
            1,
        ),
        of(r#"{"linux": {"cgroupsPath": "../../.."}}"#, &["cgroupsPath"], NOT_ASKED),
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
            &["@DIR@/absent: no such file or directory"
                .replace("@DIR@", lab.dir.to_str().unwrap())],
            1,
        );
        assert_eq!((missed, leftovers(&lab)), Default::default());
    }
}

/// Members of no table: what they hold does not matter.
const IGNORED: [&str; 7] =
    ["vm", "windows", "solaris", "zos", "com.example.unknown", "process.commandLine", "freebsd"];

/// Each value of a document: where it is, as messages have it, and the same with every index the
/// same.
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

/// Values that cannot stand where this one does.
fn others(value: &Json) -> Vec<Json> {
    let number = |text: &str| Json::Number(text.into());
    match value {
        Json::Text(_) => vec![number("7"), Json::Bool(true), Json::List(vec![value.clone()])],
        Json::List(items) => {
            vec![Json::Object(Vec::new()), items.first().cloned().unwrap_or(number("0"))]
        }
        Json::Object(_) => vec![Json::List(vec![value.clone()]), Json::Text("{}".into())],
        Json::Number(_) => {
            vec![
                Json::Text("1".into()),
                number("1.5"),
                number("1e3"),
                number("18446744073709551616"),
                Json::Bool(false),
            ]
        }
        _ => vec![Json::Text("true".into()), number("1")],
    }
}

/// The value where this path, or the rest of it, leads.
fn at<'j>(value: &'j mut Json, rest: &str) -> &'j mut Json {
    if rest.is_empty() {
        return value;
    }
    match value {
        Json::List(items) => {
            let (index, rest) = rest[1..].split_once(']').unwrap();
            at(&mut items[index.parse::<usize>().unwrap()], rest)
        }
        Json::Object(members) => {
            let rest = rest.trim_start_matches('.');
            // Names may hold dots.
            let is_it = |key: &str| {
                rest.strip_prefix(key)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
            };
            let (key, member) = members
                .iter_mut()
                .filter(|(key, _)| is_it(key))
                .max_by_key(|(key, _)| key.len())
                .unwrap();
            at(member, &rest[key.len()..])
        }
        _ => panic!("{rest} leads nowhere"),
    }
}

#[test]
fn a_wrong_type_anywhere_is_told_with_its_place() {
    lab::enter();
    let (lab, mut full) =
        (Lab::new(Runtime::Ocinit), Json::parse(include_str!("../configs/full.json")));
    let (mut all, mut seen, mut missed) =
        (Vec::new(), std::collections::BTreeSet::new(), String::new());
    each(&full, "", "", &mut all);
    let is_ours = |path: &str| !IGNORED.iter().any(|name| path.starts_with(name));
    for (path, _) in all.iter().filter(|(path, kind)| is_ours(path) && seen.insert(kind.clone())) {
        for other in others(at(&mut full, path)) {
            let before = std::mem::replace(at(&mut full, path), other);
            config(&lab, full.to_string());
            missed.push_str(&misses(&lab.call(CREATE), &[format!("config.json: {path}: ")], 1));
            *at(&mut full, path) = before;
            let left = leftovers(&lab);
            if !left.is_empty() {
                missed.push_str(&format!("{path} left {left}\n"));
            }
        }
    }
    assert!(missed.is_empty(), "\n{missed}");
    assert!(seen.len() > 250, "{}", seen.len());
}

use super::*;
use crate::codec::json;
use crate::io::text::words;
use crate::spec::read::{read, read_process};
use crate::spec::{Process, Spec, SpecMemory};
use crate::sys::arena::Word as Room;

/// A config with a good value for every member of the table, and some unknown members.
const FULL: &str = include_str!("../../../tests/configs/full.json");

fn verdict(text: &str) -> String {
    let (mut document, mut strings, mut lists) = room(text);
    let read = read(&mut document, &mut SpecMemory::new(&mut strings, &mut lists));
    read.map_or_else(|error| error.to_string(), |_: Spec<'_>| "good".into())
}

fn verdict_of_process(text: &str) -> String {
    let (mut document, mut strings, mut lists) = room(text);
    let read = read_process(&mut document, &mut SpecMemory::new(&mut strings, &mut lists));
    read.map_or_else(|error| error.to_string(), |_: Process<'_>| "good".into())
}

fn room(text: &str) -> (Vec<u8>, Vec<u8>, Vec<Room>) {
    let lists = vec![Room::uninit(); SpecMemory::LISTS];
    (text.as_bytes().to_vec(), vec![0; 4 * text.len() + 4096], lists)
}

fn verdict_of_resources(text: &str) -> String {
    let mut document = text.as_bytes().to_vec();
    let value = json::check(&mut document).unwrap_or_else(|error| panic!("{error}: {text}"));
    check(&value, RESOURCES).map_or_else(|error| error.to_string(), |()| "good".into())
}

/// A step from a value to one inside it.
#[derive(Clone, PartialEq)]
enum Step {
    Key(String),
    First,
}

/// A member of the table: its path from the top, and its kind without `!`.
#[derive(Clone)]
struct Member {
    steps: Vec<Step>,
    kind: &'static [u8],
}

impl Member {
    fn path(&self) -> String {
        self.steps.iter().fold(String::new(), |path, step| match step {
            Step::Key(name) if path.is_empty() => name.clone(),
            Step::Key(name) => format!("{path}.{name}"),
            Step::First => format!("{path}[0]"),
        })
    }

    fn within(&self, step: Step, kind: &'static [u8]) -> Member {
        Member { steps: [&self.steps[..], &[step]].concat(), kind }
    }

    /// Returns the full config with `text` in place of this member.
    fn replaced(&self, text: &str) -> String {
        let mut full = FULL.as_bytes().to_vec();
        patched(json::check(&mut full).ok(), &self.steps, &mut |_| text.to_string())
    }
}

/// Returns the text of `value` with the value at `steps` changed by `change`; an empty text removes
/// a member.
fn patched<'v>(
    value: Option<Value<'v>>,
    steps: &[Step],
    change: &mut dyn FnMut(Option<Value<'v>>) -> String,
) -> String {
    let Some((step, rest)) = steps.split_first() else { return change(value) };
    let (mut parts, mut is_done) = (Vec::new(), false);
    match step {
        Step::Key(name) => {
            for (key, member) in value.unwrap_or_default().as_object().unwrap_or_default() {
                let is_it = key == name.as_str();
                is_done |= is_it;
                let text = match is_it {
                    true => patched(Some(member), rest, change),
                    false => member.as_json().to_string(),
                };
                if !text.is_empty() {
                    parts.push(format!("\"{}\":{text}", key.as_escaped()));
                }
            }
            if !is_done {
                let text = patched(None, rest, change);
                if !text.is_empty() {
                    parts.push(format!("\"{name}\":{text}"));
                }
            }
            format!("{{{}}}", parts.join(","))
        }
        Step::First => {
            let items = value.unwrap_or_default().as_array().unwrap_or_default();
            parts.extend(items.map(Some).enumerate().map(|(n, item)| match n {
                0 => patched(item, rest, change),
                _ => item.unwrap_or_default().as_json().to_string(),
            }));
            if parts.is_empty() {
                parts.push(patched(None, rest, change));
            }
            format!("[{}]", parts.join(","))
        }
    }
}

/// Returns the key of the first member of the object at `steps` in the full config.
fn first_key(steps: &[Step]) -> String {
    let (mut full, mut key) = (FULL.as_bytes().to_vec(), String::new());
    patched(json::check(&mut full).ok(), steps, &mut |object| {
        let first = object.unwrap_or_default().as_object().unwrap_or_default().next();
        key = first.map_or("any".into(), |(key, _)| key.to_string());
        String::new()
    });
    key
}

fn members_of(at: &Member, found: &mut Vec<Member>) {
    let table = match at.kind {
        [mark @ (b'*' | b'%'), rest @ ..] => {
            let step = match mark {
                b'*' => Step::First,
                _ => Step::Key(first_key(&at.steps)),
            };
            let inner = at.within(step, rest);
            found.push(inner.clone());
            return members_of(&inner, found);
        }
        [table, ..] if table.is_ascii_alphabetic() => *table,
        _ => return,
    };
    assert!(at.steps.len() < 12, "the table leads to itself: {}", at.path());
    for word in words(OBJECTS[index(table)]) {
        let name = std::str::from_utf8(&word[kind_length(word)..]).unwrap();
        assert!(!name.is_empty(), "{}", OBJECTS[index(table)]);
        let kind = word.strip_prefix(b"!").unwrap_or(word);
        let member = at.within(Step::Key(name.into()), kind);
        members_of(&member, found);
        found.push(member);
    }
}

fn all_members() -> Vec<Member> {
    let mut found = Vec::new();
    members_of(&Member { steps: Vec::new(), kind: b"A" }, &mut found);
    found
}

#[test]
fn every_member_of_a_wrong_type_is_named() {
    let wrong: &[(u8, &[&str])] = &[
        (b'?', &["0", "\"true\"", "[]", "{}"]),
        (b'\'', &["0", "true", "[]", "{}"]),
        (b'.', &["0", "true", "[]", "{}", "\"\""]),
        (b'/', &["0", "true", "[]", "{}", "\"\"", "\"a/b\"", "\"./a\""]),
        (b'2', &["-1", "65536", "1.5", "1e3", "\"1\"", "true", "[]", "{}"]),
        (b'4', &["-1", "4294967296", "1.5", "1e3", "\"1\"", "true", "[]", "{}"]),
        (b'#', &["-1", "4294967295", "1.5", "1e3", "\"1\"", "true", "[]", "{}"]),
        (b'8', &["-1", "18446744073709551616", "1.5", "\"1\"", "true", "[]", "{}"]),
        (b'5', &["-2147483649", "2147483648", "1.5", "\"1\"", "true", "[]", "{}"]),
        (
            b'9',
            &["-9223372036854775809", "9223372036854775808", "1.5", "\"1\"", "true", "[]", "{}"],
        ),
        (b'*', &["0", "\"a\"", "true", "{}", "[null]"]),
        (b'%', &["0", "\"a\"", "true", "[]", "{\"monotonic\":null}"]),
    ];
    let mut tried = 0;
    for member in all_members() {
        let (first, path) = (member.kind[0], member.path());
        let objects: &[&str] = &["0", "\"a\"", "true", "[]"];
        let values =
            wrong.iter().find(|(kind, _)| *kind == first).map_or(objects, |(_, values)| values);
        for value in values {
            let said = verdict(&member.replaced(value));
            assert!(said.starts_with(&path), "{path} {value}: {said}");
            assert!(!said.ends_with("missing"), "{path} {value}: {said}");
            tried += 1;
        }
    }
    assert!(tried > 900, "{tried}");
}

#[test]
fn what_must_be_there_is_missed() {
    for member in all_members() {
        let [table, ..] = *member.kind else { continue };
        if !table.is_ascii_alphabetic() {
            continue;
        }
        let (said, path) = (verdict(&member.replaced("{}")), member.path());
        if let Some(word) = words(OBJECTS[index(table)]).find(|word| word.starts_with(b"!")) {
            let name = std::str::from_utf8(&word[kind_length(word)..]).unwrap();
            assert_eq!(said, format!("{path}.{name}: missing"));
        }
    }
    assert_eq!(verdict("{}"), "ociVersion: missing");
    assert_eq!(verdict("{\"ociVersion\":null}"), "ociVersion: missing");
    assert_eq!(verdict("{\"ociVersion\":\"1.0.0\"}"), "root: missing");
    assert_eq!(verdict_of_process("{}"), "cwd: missing");
    assert_eq!(verdict_of_resources("{}"), "good");
}

#[test]
fn a_member_is_given_once_and_null_is_as_good_as_nothing() {
    for member in all_members() {
        let Some((Step::Key(name), parent)) = member.steps.split_last() else { continue };
        let path = member.path();
        if matches!(member.kind[0], b'*' | b'%') || !is_in_a_table(name) {
            continue;
        }
        let mut full = FULL.as_bytes().to_vec();
        let twice = patched(json::check(&mut full).ok(), parent, &mut |object| {
            let text = object.map_or("{}", |object| object.as_json());
            let inside = text[1..text.len() - 1].trim_matches(',');
            let comma = if inside.is_empty() { "" } else { "," };
            format!("{{{inside}{comma}\"{name}\":null,\"{name}\":null}}")
        });
        let said = verdict(&twice);
        assert!(said.starts_with(&path) && said.ends_with(": given twice"), "{path}: {said}");
        assert_eq!(verdict(&member.replaced("null")), verdict(&member.replaced("")), "{path}");
    }
    let nulls = "{\"memory\":null,\"unified\":null,\"devices\":null}";
    assert_eq!(verdict_of_resources(nulls), "good");
    assert_eq!(verdict_of_resources("{\"unified\":{\"\":\"1\"}}"), "unified.: an empty key");
    assert_eq!(
        verdict("{\"ociVersion\":\"1.0.0\",\"root\":{\"path\":\"/\"},\"annotations\":{\"\":\"\"}}"),
        "annotations.: an empty key"
    );
}

/// Returns whether a table has this name. Others are the config's own, which are read once.
fn is_in_a_table(name: &str) -> bool {
    OBJECTS
        .iter()
        .any(|table| words(table).any(|word| &word[kind_length(word)..] == name.as_bytes()))
}

#[test]
fn the_config_that_has_everything_has_all_that_the_table_has() {
    assert_eq!(verdict(FULL), "good");
    // The config has each member of the table by name, so a wrong name in the table fails here.
    for member in all_members() {
        if let Some(Step::Key(name)) = member.steps.last() {
            assert!(FULL.contains(&format!("\"{name}\":")), "{}", member.path());
        }
    }
}

#[test]
fn members_are_found_in_any_order() {
    let mut text = String::from("{\"z\":0");
    let mut table: Vec<_> = words(OBJECTS[index(CAPABILITIES)]).collect();
    table.rotate_left(2);
    table.reverse();
    for (n, word) in table.iter().enumerate() {
        let name = std::str::from_utf8(&word[kind_length(word)..]).unwrap();
        text += &format!(",\"x{name}\":0,\"{name}\":[{n}]");
    }
    let mut document = (text + "}").into_bytes();
    let mut found = [None; 5];
    fill(Some(&json::check(&mut document).unwrap()), CAPABILITIES, &mut found).unwrap();
    let found = found.map(|list| list.unwrap().as_json().to_string());
    assert_eq!(found, ["[1]", "[0]", "[4]", "[3]", "[2]"]);
}

#[test]
fn the_text_of_an_error_is_exact() {
    for (from, to, said) in [
        ("\"type\":\"pid\"", "\"type\":7", "linux.namespaces[3].type: not a string"),
        ("\"uid\":1000", "\"uid\":-1", "process.user.uid: negative"),
        ("\"uid\":1000", "\"uid\":4294967295", "process.user.uid: exceeds 4294967294"),
        ("\"cwd\":\"/\"", "\"cwd\":\"tmp\"", "process.cwd: must be an absolute path"),
    ] {
        assert!(FULL.contains(from), "{from}");
        assert_eq!(verdict(&FULL.replacen(from, to, 1)), said);
    }
    assert_eq!(verdict("[]"), "not an object");
}

#[test]
fn hostile_sizes_take_no_stack_and_no_time() {
    // The deepest document that may contain anything, and a wide one.
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(62), "]".repeat(62));
    assert_eq!(verdict_of_process(&deep), "cwd: missing");
    let nested = format!("{{\"linux\":{}1{}}}", "{\"linux\":".repeat(60), "}".repeat(60));
    assert_eq!(verdict(&nested), "ociVersion: missing");
    let args = "\"args\":[\"a\"],\"cwd\":\"/\"}";
    let wide = format!("{{\"env\":[{}\"a=\"],{args}", "\"a=b\",".repeat(170_000));
    assert_eq!(verdict_of_process(&wide), "good");
    let strangers: String = (0..60_000).map(|n| format!("\"k{n}\":1,")).collect();
    assert_eq!(verdict_of_process(&format!("{{{strangers}{args}")), "good");
}

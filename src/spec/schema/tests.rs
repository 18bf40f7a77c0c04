use super::*;
use crate::codec::json;

/// A config in which every member of the table stands with a good value, and some that are not in
/// it.
const FULL: &str = include_str!("../../../tests/configs/full.json");

fn verdict(text: &str, kind: &[u8]) -> String {
    let mut document = text.as_bytes().to_vec();
    let value = json::check(&mut document).unwrap_or_else(|error| panic!("{error}: {text}"));
    check(&value, kind).map_or_else(|error| error.to_string(), |()| "good".into())
}

/// A member of the table: how it is reached from the top, what goes around it, and its kind without
/// `!`.
struct Member {
    path: String,
    before: String,
    after: String,
    kind: &'static [u8],
}

fn members_of(at: &Member, found: &mut Vec<Member>) {
    let table = match at.kind {
        [b'*', rest @ ..] => {
            let Member { path, before, after, .. } = at;
            let inner = Member {
                path: format!("{path}[0]"),
                before: format!("{before}["),
                after: format!("]{after}"),
                kind: rest,
            };
            found.push(Member {
                path: inner.path.clone(),
                before: inner.before.clone(),
                after: inner.after.clone(),
                kind: rest,
            });
            return members_of(&inner, found);
        }
        [b'%', rest @ ..] => {
            let Member { path, before, after, .. } = at;
            let inner = Member {
                path: format!("{path}.any"),
                before: format!("{before}{{\"any\":"),
                after: format!("}}{after}"),
                kind: rest,
            };
            found.push(Member {
                path: inner.path.clone(),
                before: inner.before.clone(),
                after: inner.after.clone(),
                kind: rest,
            });
            return members_of(&inner, found);
        }
        [table, ..] if table.is_ascii_alphabetic() => *table,
        _ => return,
    };
    assert!(at.path.matches(['.', '[']).count() < 12, "the table leads to itself: {}", at.path);
    let index = usize::from(table - if table < b'a' { b'A' } else { b'a' - 26 });
    for word in words(OBJECTS[index]) {
        let name = std::str::from_utf8(name_of(word)).unwrap();
        assert!(!name.is_empty(), "{}", OBJECTS[index]);
        let dot = if at.path.is_empty() { "" } else { "." };
        let member = Member {
            path: format!("{}{dot}{name}", at.path),
            before: format!("{}{{\"{name}\":", at.before),
            after: format!("}}{}", at.after),
            kind: word.strip_prefix(b"!").unwrap_or(word),
        };
        members_of(&member, found);
        found.push(member);
    }
}

fn members() -> Vec<Member> {
    let top =
        Member { path: String::new(), before: String::new(), after: String::new(), kind: CONFIG };
    let mut found = Vec::new();
    members_of(&top, &mut found);
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
        (b'%', &["0", "\"a\"", "true", "[]", "{\"any\":null}"]),
    ];
    let mut tried = 0;
    for Member { path, before, after, kind } in members() {
        let first = kind[0];
        let objects: &[&str] = &["0", "\"a\"", "true", "[]"];
        let values =
            wrong.iter().find(|(kind, _)| *kind == first).map_or(objects, |(_, values)| values);
        for value in values {
            let said = verdict(&format!("{before}{value}{after}"), CONFIG);
            assert!(said.starts_with(&path), "{path} {value}: {said}");
            assert!(!said.ends_with("missing"), "{path} {value}: {said}");
            tried += 1;
        }
    }
    assert!(tried > 900, "{tried}");
}

#[test]
fn what_must_be_there_is_missed() {
    for Member { path, before, after, kind } in members() {
        if !kind[0].is_ascii_alphabetic() {
            continue;
        }
        let index = usize::from(kind[0] - if kind[0] < b'a' { b'A' } else { b'a' - 26 });
        let said = verdict(&format!("{before}{{}}{after}"), CONFIG);
        match words(OBJECTS[index]).find(|word| word.starts_with(b"!")) {
            Some(word) => {
                let name = std::str::from_utf8(name_of(word)).unwrap();
                assert_eq!(said, format!("{path}.{name}: missing"));
            }
            // What is missed then is at the top, or further out.
            None => assert!(
                said.ends_with(": missing") && !said.starts_with(&format!("{path}.")),
                "{path}: {said}"
            ),
        }
    }
    assert_eq!(verdict("{}", CONFIG), "ociVersion: missing");
    assert_eq!(verdict("{\"ociVersion\":null}", CONFIG), "ociVersion: missing");
    assert_eq!(verdict("{\"ociVersion\":\"1.0.0\"}", CONFIG), "root: missing");
    assert_eq!(verdict("{}", PROCESS), "cwd: missing");
    assert_eq!(verdict("{}", RESOURCES), "good");
}

#[test]
fn a_member_is_given_once_and_null_is_as_good_as_nothing() {
    for Member { path, before, after, kind } in members() {
        if kind[0] == b'*' || kind[0] == b'%' || path.ends_with(']') || path.ends_with(".any") {
            continue;
        }
        let name = path.rsplit('.').next().unwrap();
        let said = verdict(&format!("{before}null,\"{name}\":null{after}"), CONFIG);
        assert!(said.starts_with(&path) && said.ends_with(": given twice"), "{path}: {said}");
        let said = verdict(&format!("{before}null{after}"), CONFIG);
        assert!(said.ends_with(": missing"), "{path}: {said}");
    }
    assert_eq!(verdict("{\"memory\":null,\"unified\":null,\"devices\":null}", RESOURCES), "good");
    assert_eq!(verdict("{\"unified\":{\"\":\"1\"}}", RESOURCES), "unified.: an empty key");
}

#[test]
fn the_config_that_has_everything_has_all_that_the_table_has() {
    assert_eq!(verdict(FULL, CONFIG), "good");
    // Each member of the table is found in it by name, with a value: a wrong name in the table is
    // in neither.
    for Member { path, .. } in members() {
        let name = path.rsplit('.').next().unwrap().trim_end_matches("[0]");
        assert!(name == "any" || FULL.contains(&format!("\"{name}\":")), "{path}");
    }
}

#[test]
fn the_text_of_an_error_is_exact() {
    for (text, said) in [
        (
            "{\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":7}]}}",
            "linux.namespaces[1].type: not a string",
        ),
        ("{\"process\":{\"user\":{\"uid\":-1}}}", "process.user.uid: negative"),
        ("{\"process\":{\"user\":{\"uid\":4294967295}}}", "process.user.uid: exceeds 4294967294"),
        ("{\"process\":{\"cwd\":\"tmp\"}}", "process.cwd: must be an absolute path"),
        ("{\"linux\":[]}", "linux: not an object"),
        ("{\"annotations\":{\"a\":1}}", "annotations.a: not a string"),
        ("[]", "not an object"),
    ] {
        assert_eq!(verdict(text, CONFIG), said);
    }
}

#[test]
fn hostile_sizes_take_no_stack_and_no_time() {
    // As deep as a document may be, where anything may stand; and as wide.
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(62), "]".repeat(62));
    assert_eq!(verdict(&deep, PROCESS), "cwd: missing");
    let nested = format!("{{\"linux\":{}1{}}}", "{\"linux\":".repeat(60), "}".repeat(60));
    assert_eq!(verdict(&nested, CONFIG), "ociVersion: missing");
    let wide = format!("{{\"env\":[{}\"\"],\"cwd\":\"/\"}}", "\"a=b\",".repeat(170_000));
    assert_eq!(verdict(&wide, PROCESS), "good");
    let strangers: String = (0..60_000).map(|n| format!("\"k{n}\":1,")).collect();
    assert_eq!(verdict(&format!("{{{strangers}\"cwd\":\"/\"}}"), PROCESS), "good");
}

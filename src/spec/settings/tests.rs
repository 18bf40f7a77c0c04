use super::*;
use crate::spec::limit::Amount;

fn set<'m>(key: &str, value: &'m str) -> core::result::Result<Draft<'m>, Refusal> {
    let setting = rows().iter().find(|row| row.key == key).expect("a key");
    let mut draft = Draft::EMPTY;
    (setting.set)(&mut draft, value.as_bytes()).map(|()| draft)
}

#[test]
fn no_two_rows_say_the_same() {
    let is_twice = |name: fn(&Setting) -> &'static str| {
        let names: Vec<_> = rows().iter().map(name).filter(|name| !name.is_empty()).collect();
        names.iter().any(|one| names.iter().filter(|other| *other == one).count() > 1)
    };
    assert!(!is_twice(|row| row.key) && !is_twice(|row| row.option));
    for row in rows() {
        assert!(row.key.is_empty() || !row.texts.0.is_empty(), "{}", row.key);
        assert!(row.option.is_empty() || !row.about.is_empty(), "{}", row.option);
    }
}

#[test]
fn processors_are_thousandths_that_the_kernel_takes() {
    for (text, expected) in [("1", Some(1000)), ("0.010", Some(10)), ("0.009", None), ("0", None)] {
        let quota = set("cpus", text).ok().map(|draft| draft.limits[0].amount);
        let amount = |thousandths: i64| Amount::Number(thousandths * 100);
        assert_eq!(quota, expected.map(amount), "{text}");
    }
}

#[test]
fn sizes_are_not_0() {
    let limits = set("memory", "1.5G").unwrap().limits;
    let both = [(LimitKey::MEMORY, 3 << 29), (LimitKey::SWAP, 3 << 30)];
    assert_eq!(limits[..], both.map(|(key, bytes)| Limit::number(key, bytes)));
    assert!(set("memory", "0").is_err() && set("memory", "1x").is_err());
}

#[test]
fn hostnames() {
    assert_eq!(set("hostname", "a-b.c_1").unwrap().hostname, Some("a-b.c_1"));
    let long = "x".repeat(65);
    for text in ["", "a b", &long] {
        assert!(set("hostname", text).is_err(), "{text}");
    }
}

#[test]
fn limits_are_written_as_docker_takes_them() {
    let draft = set("ulimit", "nofile=1024:524288,core=0,memlock=-1:-1,nofile=5:6").unwrap();
    let rlimits: Vec<_> =
        draft.rlimits.iter().map(|limit| (limit.name(), limit.soft, limit.hard)).collect();
    assert_eq!(rlimits, [("NOFILE", 5, 6), ("CORE", 0, 0), ("MEMLOCK", u64::MAX, u64::MAX)]);
    for (text, why) in [
        ("nofile", "not NAME=SOFT[:HARD]"),
        ("files=1", "there is no such limit"),
        ("nofile=", "not a number"),
        ("nofile=1:", "not a number"),
        ("nofile=1:2:3", "not a number"),
        ("nofile=-2", "not a number"),
        ("nofile=20:10", "the soft limit is above the hard one"),
        ("nofile=-1:10", "the soft limit is above the hard one"),
    ] {
        assert_eq!(set("ulimit", text).unwrap_err(), why, "{text}");
    }
}

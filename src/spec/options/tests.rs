use super::*;

fn of(options: &str) -> Options {
    let text: String = options.split(' ').map(|word| format!("{word}\0")).collect();
    Options::of(PackedStrings::new(text.as_bytes()))
}

fn change(set: u64, clear: u64) -> Change {
    Change { set, clear }
}

#[test]
fn later_options_win() {
    assert_eq!(of("ro noatime nosuid strictatime rw").own, change(0x22, 0x71));
    assert_eq!(of("strictatime norelatime").own, change(0x20, 0x70));
    assert_eq!(of("noatime atime").own, change(0, 0x70));
    assert_eq!(of("noatime nostrictatime").own, change(0x10, 0x70));
    assert_eq!(of("rw ro").own, change(1, 0));
    assert_eq!(of("rro rw"), Options { own: change(0, 1), all: change(1, 0), flags: 0 });
    assert_eq!(of("mode=755 size=1 rdefaults rremount rtmpcopyup rsync rr r"), Options::default());
}

#[test]
fn several_options_may_stand_in_one_string() {
    let split = |text: &[u8]| {
        each(PackedStrings::new(text)).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" | ")
    };
    assert_eq!(
        split(b"rw\0\0nosuid,,size=64k,\0,\0mode=700\0"),
        "rw | nosuid | size=64k | mode=700"
    );
    assert_eq!(split(b"lowerdir=/a\\,b:/c,upperdir=/d\0"), "lowerdir=/a\\,b:/c | upperdir=/d");
    assert_eq!(split(b"a\\\\,b\0"), "a\\\\ | b");
    assert_eq!(split(b"context=\"s0:c1,c2\",ro\0"), "context=\"s0:c1,c2\" | ro");
    assert_eq!(of("bind,ro,nosuid rw").own, change(2, 1));
    let readonly = |text: &[u8]| are_readonly(PackedStrings::new(text));
    assert!(
        readonly(b"ro\0")
            && readonly(b"nosuid,ro\0")
            && readonly(b"rro\0")
            && !readonly(b"ro\0rw\0nosuid\0")
    );
}

#[test]
fn every_option_does_what_its_name_says() {
    // Name, set, clear, for the mount itself; an `r` before the name means all beneath, too.
    let attributes = [
        ("ro", 0x1, 0),
        ("rw", 0, 0x1),
        ("nosuid", 0x2, 0),
        ("suid", 0, 0x2),
        ("nodev", 0x4, 0),
        ("dev", 0, 0x4),
        ("noexec", 0x8, 0),
        ("exec", 0, 0x8),
        ("nodiratime", 0x80, 0),
        ("diratime", 0, 0x80),
        ("nosymfollow", 0x20_0000, 0),
        ("symfollow", 0, 0x20_0000),
        ("noatime", 0x10, 0x70),
        ("atime", 0, 0x70),
        ("strictatime", 0x20, 0x70),
        ("nostrictatime", 0, 0x70),
        ("relatime", 0, 0x70),
        ("norelatime", 0, 0),
    ];
    for (name, set, clear) in attributes {
        assert_eq!(of(name), Options { own: change(set, clear), ..Options::default() }, "{name}");
        assert_eq!(
            of(&format!("r{name}")),
            Options { all: change(set, clear), ..Options::default() },
            "r{name}"
        );
    }
    for (name, flags) in [
        ("bind", 1),
        ("rbind", 3),
        ("idmap", 4),
        ("ridmap", 12),
        ("remount", 16),
        ("tmpcopyup", 32),
    ] {
        assert_eq!(of(name), Options { flags, ..Options::default() }, "{name}");
    }
    for (name, bits) in
        [("private", 1 << 18), ("slave", 1 << 19), ("shared", 1 << 20), ("unbindable", 1 << 17)]
    {
        assert_eq!(propagation(name.as_bytes()), Some(bits));
        assert_eq!(propagation(format!("r{name}").as_bytes()), Some(bits | 0x4000));
        assert_eq!(of(name).flags, flag::PROPAGATION);
    }
    let mut none = Options::default();
    for name in ["defaults", "iversion", "noiversion", "silent", "loud"] {
        assert!(none.add(name.as_bytes()), "{name}");
    }
    for name in
        ["sync", "async", "dirsync", "mand", "nomand", "lazytime", "nolazytime", "mode=755", ""]
    {
        assert!(!none.add(name.as_bytes()), "{name}");
    }
    assert_eq!(none, Options::default());
    assert_eq!(
        (propagation(b"ro"), propagation(b"rslavery"), propagation(b"")),
        (None, None, None)
    );
}

#[test]
fn all_names_are_known() {
    let known: Vec<_> = names().collect();
    // runc 1.3's `features` has these 62 names, and "acl" never was one.
    assert_eq!(known.iter().filter(|(recursive, _)| !recursive).count(), words(NAMES).count() - 1);
    assert!(known.contains(&(true, b"bind")) && !known.contains(&(true, b"remount")));
    assert!(known.contains(&(true, b"norelatime")) && known.contains(&(false, b"dirsync")));
    for (recursive, name) in known {
        let name = [if recursive { &b"r"[..] } else { b"" }, name].concat();
        assert!(find(&name).is_some());
    }
}

//! `ocinit unpack`: the files that a layer's whiteouts hide and spare, in every order. Needs root.

use std::process::Command;

use crate::support;
use crate::support::unpack::Case;
use crate::support::{Tar, scratch};
use crate::unpack::text;

fn lower() -> Tar {
    Tar::new()
        .directory("a/", 0o755)
        .file("a/x", 0o644, "lower")
        .directory("a/b/", 0o755)
        .file("a/b/y", 0o644, "lower")
        .file("z", 0o644, "lower")
}

#[test]
fn whiteouts_hide_what_is_below_in_any_order() {
    for (name, upper, expected) in [
        ("file", Tar::new().whiteout("a/x"), &["a/", "a/b/", "a/b/y", "z"][..]),
        (
            "missing",
            Tar::new().whiteout("a/none").whiteout("no/such/place"),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        ("tree", Tar::new().whiteout("a"), &["z"]),
        ("then-added", Tar::new().whiteout("a").file("a", 0o644, ""), &["a", "z"]),
        (
            "added-before",
            Tar::new().file("a/x", 0o644, "upper").whiteout("a/x"),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        (
            "tree-added-before",
            Tar::new().directory("a/", 0o755).file("a/new", 0o644, "").whiteout("a").whiteout("z"),
            &["a/", "a/new"],
        ),
        (
            "implied-before",
            Tar::new().file("a/b/new", 0o644, "").whiteout("a"),
            &["a/", "a/b/", "a/b/new", "z"],
        ),
        (
            "opaque",
            Tar::new().directory("a/", 0o755).file("a/.wh..wh..opq", 0o644, ""),
            &["a/", "z"],
        ),
        (
            "opaque-first",
            Tar::new().file("a/.wh..wh..opq", 0o644, "").file("a/new", 0o644, ""),
            &["a/", "a/new", "z"],
        ),
        (
            "opaque-last",
            Tar::new().file("a/new", 0o644, "").file("a/b/deep", 0o644, "").file(
                "a/.wh..wh..opq",
                0o644,
                "",
            ),
            &["a/", "a/b/", "a/b/deep", "a/new", "z"],
        ),
        (
            "opaque-root",
            Tar::new().file("new", 0o644, "").file(".wh..wh..opq", 0o644, ""),
            &["new"],
        ),
        (
            "opaque-missing",
            Tar::new().file("n/m/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "n/", "n/m/", "z"],
        ),
        (
            "opaque-file",
            Tar::new().file("z/.wh..wh..opq", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "z/"],
        ),
        (
            "aufs",
            Tar::new().file(".wh..wh.plnk/1", 0o644, "").file(".wh..wh.aufs", 0o644, ""),
            &["a/", "a/b/", "a/b/y", "a/x", "z"],
        ),
        (
            "any-type",
            Tar::new().directory("a/.wh.x/", 0o755).symlink(".wh.z", "q"),
            &["a/", "a/b/", "a/b/y"],
        ),
        (
            "link-kept",
            Tar::new()
                .file("own", 0o644, "o")
                .hard_link("a/x", "own")
                .whiteout("a/x")
                .whiteout("z"),
            &["a/", "a/b/", "a/b/y", "a/x", "own"],
        ),
    ] {
        let root = Case::tars(&format!("whiteout-{name}"), [lower(), upper]).gives(expected);
        if name == "added-before" {
            assert_eq!(text(&root, "a/x"), "upper");
        }
    }
}

#[test]
fn a_whiteout_through_a_symlink_spares_its_own_layer() {
    let lower =
        Tar::new().directory("usr/", 0o755).file("usr/x", 0o644, "lower").symlink("s", "usr");
    for upper in [
        Tar::new().file("usr/x", 0o644, "upper").whiteout("s/x"),
        Tar::new().file("s/x", 0o644, "upper").whiteout("usr/x"),
    ] {
        let root =
            Case::tars("whiteout-alias", [lower.clone(), upper]).gives(&["s", "usr/", "usr/x"]);
        assert_eq!(text(&root, "usr/x"), "upper");
    }
}

#[test]
fn a_deep_tree_is_removed_without_recursion() {
    let mut deep = Tar::new();
    let mut path = String::new();
    for n in 0..1000 {
        path += if n == 0 { "d" } else { "/d" };
        if n % 50 == 49 {
            deep = deep.pax(&[("path", &format!("{path}/f"))]).file("f", 0o644, "x");
        }
    }
    for n in 0..500 {
        deep = deep.file(&format!("wide/{n}/f"), 0o644, "");
    }
    Case::tars("deep", [deep, Tar::new().whiteout("d").whiteout("wide")]).gives(&[]);
}

/// Layers in which whiteouts meet entries or links of their own layer, and one with so many names
/// that the filter errs. The result is the same as with `list-files`.
#[test]
fn a_whiteout_never_touches_what_its_layer_adds() {
    support::tmpfs::mount_here(scratch("own").parent().unwrap(), 1 << 30);
    let lower = || {
        Tar::new()
            .directory("usr/", 0o755)
            .directory("usr/lib/", 0o755)
            .file("usr/lib/x", 0o644, "lower")
            .symlink("lib", "usr/lib")
            .file("a", 0o644, "a of below")
            .file("c", 0o644, "c of below")
            .directory("d/", 0o755)
            .file("d/a", 0o644, "d/a of below")
            .directory("d/e/", 0o755)
            .file("d/e/f", 0o644, "deep")
    };
    // The upper layer, paths that exist afterwards with their content, and paths that do not.
    type Upper = fn(Tar) -> Tar;
    type Whiteouts<'a> = (&'a str, Upper, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let cases: [Whiteouts; 10] = [
        (
            "behind",
            |tar| tar.file("lib/x", 0o644, "new").whiteout("lib"),
            &[("lib/x", "new"), ("usr/lib/x", "lower")],
            &[],
        ),
        (
            "before",
            |tar| tar.whiteout("lib").file("lib/x", 0o644, "new"),
            &[("lib/x", "new"), ("usr/lib/x", "lower")],
            &[],
        ),
        ("link", |tar| tar.hard_link("b", "a").whiteout("a"), &[("b", "a of below")], &["a"]),
        ("late-link", |tar| tar.whiteout("a").hard_link("b", "a"), &[("b", "a of below")], &["a"]),
        (
            "link-and-own",
            |tar| tar.hard_link("b", "a").whiteout("a").file("c", 0o644, "new").whiteout("c"),
            &[("b", "a of below"), ("c", "new")],
            &["a"],
        ),
        (
            "replaced",
            |tar| tar.hard_link("b", "a").file("a", 0o644, "new").whiteout("a"),
            &[("b", "a of below"), ("a", "new")],
            &[],
        ),
        (
            "opaque",
            |tar| {
                tar.hard_link("b", "d/e/f").file("d/n", 0o644, "n").file(
                    "d/.wh..wh..opq",
                    0o644,
                    "",
                )
            },
            &[("b", "deep"), ("d/n", "n")],
            &["d/a", "d/e"],
        ),
        (
            "twice",
            |tar| {
                tar.whiteout("d/e/f")
                    .whiteout("d/e")
                    .whiteout("d")
                    .hard_link("b", "d/e/f")
                    .hard_link("h", "d/a")
                    .directory("d/", 0o755)
            },
            &[("b", "deep"), ("h", "d/a of below")],
            &["d/e", "d/a"],
        ),
        (
            "root",
            |tar| tar.file("n", 0o644, "n").hard_link("b", "a").file(".wh..wh..opq", 0o644, ""),
            &[("n", "n"), ("b", "a of below")],
            &["a", "usr", "lib", "d"],
        ),
        (
            "parent",
            |tar| tar.file("d/n", 0o644, "n").whiteout("d"),
            &[("d/n", "n")],
            &["d/a", "d/e"],
        ),
    ];
    for (name, upper, there, missing) in cases {
        let case = Case::tars(&format!("own-{name}"), [lower(), upper(Tar::new())]);
        let unpacked = case.run();
        assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""), "{name}");
        let list = Command::new(support::ocinit())
            .arg("list-files")
            .arg(case.directory.join("image"))
            .output()
            .unwrap();
        let list = String::from_utf8(list.stdout).unwrap();
        let name_of = |line: &str| {
            let line = line.split(" link to ").next().unwrap().split(" -> ").next().unwrap();
            line.rsplit(' ').next().unwrap().trim_end_matches('/').to_string()
        };
        let names: Vec<String> = list.lines().map(name_of).collect();
        for (path, content) in there {
            let found = std::fs::read_to_string(unpacked.root.join(path));
            assert_eq!(found.ok().as_deref(), Some(*content), "{name}: {path}");
            assert!(names.iter().any(|it| it == path), "{name}: {path} is not listed\n{list}");
        }
        for path in missing {
            assert!(
                unpacked.root.join(path).symlink_metadata().is_err(),
                "{name}: {path} is there"
            );
            assert!(!names.iter().any(|it| it == path), "{name}: {path} is listed");
        }
        let names =
            std::fs::read_dir(&unpacked.root).unwrap().map(|entry| entry.unwrap().file_name());
        assert!(
            names.into_iter().all(|name| !name.to_str().unwrap().starts_with(".ocinit")),
            "{name}"
        );
    }
    // So many names that the filter of them errs for some of the whiteouts.
    let numbers = 0..300;
    let below = numbers.clone().fold(Tar::new(), |tar, n| tar.file(&format!("a{n}"), 0o644, ""));
    let crowd = (0..60_000).fold(Tar::new(), |tar, n| tar.file(&format!("x{n}"), 0o644, ""));
    let links =
        numbers.clone().fold(crowd, |tar, n| tar.hard_link(&format!("b{n}"), &format!("a{n}")));
    let upper = numbers.clone().fold(links, |tar, n| tar.whiteout(&format!("a{n}")));
    let crowded = Case::tars("own-crowd", [below, upper]);
    let unpacked = crowded.run();
    assert_eq!((unpacked.status, unpacked.line.as_str()), (0, ""));
    let there = |name: String| unpacked.root.join(name).exists();
    assert!(numbers.into_iter().all(|n| there(format!("b{n}")) && !there(format!("a{n}"))));
    // The path exists nowhere.
    Case::tars("own-nothing", [lower(), Tar::new().whiteout("a").hard_link("b", "z")])
        .refuses("hard link to z: no such file");
}

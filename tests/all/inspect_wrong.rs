//! `ocinit inspect` of what is missing, damaged, hostile or for another platform: one line each,
//! the exit status, and the rest of a list.

use std::process::Command;

use crate::inspect::{check, inspect, many, said, shown, small};
use crate::support::images::Layer;
use crate::support::layout::{INDEX, Layout, MANIFEST, platform, tagged};
use crate::support::{Tar, scratch, tool, write};

#[test]
fn what_is_missing_is_listed_as_missing() {
    let layout = many(&scratch("inspect-sparse").join("image"));
    let arm = small("arm64").store(&layout);
    std::fs::remove_file(layout.path(&arm.manifest.digest)).unwrap();
    let table = shown(&[], &format!("{}:many", layout.directory.display()));
    let short = &arm.manifest.digest["sha256:".len()..][..12];
    assert!(
        table.contains(&format!("{short}  missing      linux/arm64       -       -          -")),
        "{table}"
    );
    assert!(table.contains("\nPlatform        linux/amd64\n"), "{table}");
}

#[test]
fn a_damaged_document_is_not_shown() {
    for which in ["config", "manifest"] {
        let (layout, stored) =
            small("amd64").write(&scratch(&format!("inspect-damaged-{which}")).join("image"));
        let digest =
            if which == "config" { &stored.config.digest } else { &stored.manifest.digest };
        let text = std::fs::read_to_string(layout.path(digest)).unwrap();
        write(
            &layout.path(digest),
            text.replace("linux", "linuy").replace("layers\":[{", "layerz\":[{"),
        );
        for format in ["table", "json"] {
            let output = inspect(&["--format", format], layout.directory.to_str().unwrap());
            let line = String::from_utf8(output.stderr).unwrap();
            assert_eq!((output.status.code(), &*output.stdout), (Some(125), &b""[..]), "{line}");
            assert!(
                line.starts_with(&format!("ocinit: {which} {digest}: digest mismatch")),
                "{line}"
            );
        }
    }
}

#[test]
fn what_a_hostile_image_says_stays_on_its_line() {
    let evil = r#"\u001b[2J\u001b]0;x\u0007\nName            forged\r\u009b31m"#;
    let image = small("amd64").config(&format!(
        r#""User":"{evil}","Env":["{evil}"],"Cmd":["{evil}"],"Labels":{{"{evil}":"{evil}"}},"StopSignal":"{evil}""#
    ));
    let mut layout = Layout::create(&scratch("inspect-hostile").join("image"));
    let stored = image.store(&layout);
    let said = format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{evil}"}}"#);
    layout.entries.push(
        stored.manifest.descriptor(MANIFEST, &format!("{}{said}", platform("amd64", "linux"))),
    );
    layout.write_index();
    let name = layout.directory.to_str().unwrap();
    let table = shown(&[], name);
    assert!(!table.contains(|c: char| c != '\n' && c.is_control()), "{table:?}");
    assert_eq!(table.lines().filter(|line| line.starts_with("Name")).count(), 1);
    assert!(table.contains("Tags            \\x1b[2J\\x1b]0;x\\x07\\x0aName "), "{table}");
    let config = layout.path(&stored.config.digest);
    check(
        name,
        &[],
        &[&config],
        r#"
config = load(2)
assert shown["Config"] == config and shown["Labels"] == config["config"]["Labels"]
assert shown["RepoTags"] == [config["config"]["User"]]
"#,
    );
    let text = shown(&["--format", "json"], name);
    assert!(!text.contains(|c: char| c != '\n' && c != '\t' && c.is_control()), "{text:?}");
}

#[test]
fn an_image_whose_manifest_is_missing_or_unreadable_fails() {
    let (layout, stored) = small("amd64").write(&scratch("inspect-no-manifest").join("image"));
    let file = layout.path(&stored.manifest.digest);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let image = layout.directory.to_str().unwrap();
    let named = format!("{image}:latest");
    for words in [image, &named] {
        for format in ["table", "json"] {
            let mut command = Command::new("setpriv");
            command.args(["--bounding-set=-all", "--inh-caps=-all", env!("CARGO_BIN_EXE_ocinit")]);
            let (status, output, errors) =
                said(command.args(["inspect", "--format", format, words]).output().unwrap());
            assert_eq!((status, &*output), (Some(125), ""), "{errors}");
            assert!(errors.contains("ermission denied") && !errors.contains("missing"), "{errors}");
        }
    }
    std::fs::remove_file(file).unwrap();
    for words in [image, &named] {
        let (status, output, errors) = said(inspect(&[], words));
        assert_eq!((status, &*output), (Some(125), ""), "{errors}");
        assert!(errors.contains(&stored.manifest.digest) && errors.contains("missing"), "{errors}");
    }
}

#[test]
fn an_odd_entry_among_others_has_a_row_that_says_so_and_the_exit_status_tells() {
    let digest = format!("sha256:{}", "1".repeat(64));
    let garbage = Layout::create(&scratch("inspect-odd-garbage").join("image")).blob(b"garbage");
    for (n, odd, kind) in [
        (
            0,
            format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":-1{}}}"#,
                tagged("odd")
            ),
            "damaged",
        ),
        (
            1,
            format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"sha256:1","size":1{}}}"#,
                tagged("odd")
            ),
            "damaged",
        ),
        (
            2,
            format!(r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":1,"annotations":5}}"#),
            "damaged",
        ),
        (
            3,
            format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":1{}}}"#,
                tagged("odd")
            ),
            "missing",
        ),
        (4, garbage.descriptor(MANIFEST, &tagged("odd")), "damaged"),
        (5, garbage.descriptor(INDEX, &tagged("odd")), "damaged"),
        (6, String::from("5"), "damaged"),
    ] {
        for others in [1, 2] {
            let mut layout =
                Layout::create(&scratch(&format!("inspect-odd-{n}-{others}")).join("image"));
            layout.blob(b"garbage");
            small("amd64").add(&mut layout, "one");
            layout.entries.push(odd.clone());
            if others == 2 {
                small("amd64")
                    .layer(Layer::plain(Tar::new().file("c", 0o644, "3")))
                    .add(&mut layout, "two");
            }
            layout.write_index();
            let image = layout.directory.to_str().unwrap();
            let (status, table, errors) = said(inspect(&[], image));
            assert_eq!((status, errors.lines().count()), (Some(125), 1), "{odd}: {errors}");
            let kinds = |kind: &str| {
                table
                    .lines()
                    .filter(|line| line.split_whitespace().nth(1).is_some_and(|it| it == kind))
                    .count()
            };
            assert_eq!((kinds(kind), kinds("image")), (1, others), "{odd}: {table}");
            let (status, json, _) = said(inspect(&["--format", "json"], image));
            let file = layout.directory.join("shown.json");
            write(&file, json);
            let program = "import json, sys\nrows = json.load(open(sys.argv[1]))['Manifests']\n\
                print([row['Kind'] for row in rows if 'Error' in row])";
            let kinds = tool(Command::new("python3").arg("-c").arg(program).arg(&file));
            assert_eq!(
                (status, &*String::from_utf8(kinds).unwrap()),
                (Some(125), &*format!("['{kind}']\n")),
                "{odd}"
            );
            // The name stands for another image.
            if n != 2 && n != 6 {
                shown(&[], &format!("{image}:one"));
            }
        }
    }
}

#[test]
fn an_image_for_another_platform_than_the_one_asked_for_is_an_error() {
    let directory = scratch("inspect-platform");
    let (layout, _) = small("amd64").write(&directory.join("image"));
    let docker = directory.join("docker.tar");
    let to = format!("docker-archive:{}:a", docker.display());
    tool(Command::new("skopeo").args([
        "copy",
        "-q",
        &format!("oci:{}:latest", layout.directory.display()),
        &to,
    ]));
    let image = layout.directory.to_str().unwrap();
    for words in [
        image,
        &format!("{image}:latest"),
        docker.to_str().unwrap(),
        &format!("{}:a", docker.display()),
    ] {
        for format in ["table", "json"] {
            let arguments = ["--format", format, "--platform", "linux/arm64"];
            let (status, output, errors) = said(inspect(&arguments, words));
            assert_eq!((status, &*output), (Some(125), ""), "{words}: {errors}");
            assert!(
                errors.contains(
                    "wrong architecture: the image is for linux/amd64, wanted is linux/arm64"
                ),
                "{errors}"
            );
            shown(&["--format", format, "--platform", "linux/amd64"], words);
        }
    }
}

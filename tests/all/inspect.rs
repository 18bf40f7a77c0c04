//! `ocinit inspect`: its values against skopeo's for images by real tools; lists; hostile texts.

use std::path::Path;
use std::process::{Command, Output};

use crate::support;
use crate::support::images::Layer;
use crate::support::json::Json;
use crate::support::layout::{INDEX, Layout, MANIFEST, platform, tagged};
use crate::support::{Image, Tar, project, scratch, tool, write};

fn inspect(arguments: &[&str], image: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .arg("inspect")
        .args(arguments)
        .arg(image)
        .output()
        .unwrap()
}

#[track_caller]
fn shown(arguments: &[&str], image: &str) -> String {
    let output = inspect(arguments, image);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{image}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs Python on what is shown as JSON, as `shown`; `a` and `b` are the names of further JSON
/// files.
#[track_caller]
fn check(image: &str, arguments: &[&str], others: &[&Path], program: &str) {
    let text = shown(&[&["--format", "json"], arguments].concat(), image);
    let directory =
        scratch(&format!("inspect-check-{}", support::layout::sha256(program.as_bytes())));
    let file = directory.join("shown.json");
    write(&file, text);
    let load = "import json, sys\nload = lambda n: json.load(open(sys.argv[n]))\nshown = load(1)\n";
    tool(Command::new("python3").arg("-c").arg(format!("{load}{program}")).arg(&file).args(others));
}

/// What skopeo says of the same image has the same values.
#[track_caller]
fn same_as_skopeo(image: &str, options: &[&str], arguments: &[&str], name: &str) {
    let directory = scratch(&format!("inspect-skopeo-{name}"));
    let (plain, config) = (directory.join("plain.json"), directory.join("config.json"));
    let skopeo = |more: &[&str]| {
        tool(Command::new("skopeo").args(options).arg("inspect").args(more).arg(image))
    };
    write(&plain, skopeo(&[]));
    write(&config, skopeo(&["--config"]));
    let program = format!(
        r#"
plain, config = load(2), load(3)
for key in ["Created", "DockerVersion", "Labels", "Architecture", "Os", "Layers", "Env"]:
    assert shown[key] == plain[key], (key, shown[key], plain[key])
# skopeo makes up a manifest for a docker-archive.
if {}:
    # Of an image for many platforms it gives the index's digest.
    assert plain["Digest"] in [shown["Digest"]] + [row["Digest"] for row in shown["Manifests"] if row["Kind"] == "index"]
    assert [layer["Digest"] for layer in shown["LayersData"]] == plain["Layers"]
    assert shown["Manifest"]["config"]["digest"] == shown["ConfigDigest"]
for key in config:
    assert shown["Config"][key] == config[key], key
assert "{name}"
"#,
        if image.starts_with("docker-archive:") { "False" } else { "True" }
    );
    check(image, arguments, &[&plain, &config], &program);
}

fn debian() -> String {
    let text = tool(&mut Command::new(project().join("qemu/debian-image")));
    String::from_utf8(text).expect("a path").trim_end().to_string()
}

fn small(architecture: &str) -> Image {
    Image { architecture: architecture.into(), ..Image::empty() }
        .config(r#""User":"app","Env":["A=1","B=two words"],"Cmd":["sh","-c","true"],"Labels":{"k":"v","l":""}"#)
        .layer(Layer::gzip(Tar::new().file("a", 0o644, architecture)))
        .layer(Layer::plain(Tar::new().file("b", 0o644, "2")))
}

#[test]
fn images_by_umoci_skopeo_and_buildah() {
    let directory = scratch("inspect-real");
    let umoci = format!("oci:{}:latest", debian());
    same_as_skopeo(&umoci, &[], &[], "umoci");
    let archive = format!("oci-archive:{}:v1", directory.join("skopeo.tar").display());
    tool(Command::new("skopeo").args(["copy", "-q", &umoci, &archive]));
    same_as_skopeo(&archive, &[], &[], "skopeo");
    let docker = format!("docker-archive:{}:a/b:c", directory.join("docker.tar").display());
    tool(Command::new("skopeo").args(["copy", "-q", &umoci, &docker]));
    same_as_skopeo(&docker[..docker.len() - ":a/b:c".len()], &[], &[], "docker");
    let schema2 = format!("oci:{}:v2s2", directory.join("schema2").display());
    tool(Command::new("skopeo").args(["copy", "-q", "--format", "oci", &docker, &schema2]));
    same_as_skopeo(&schema2, &[], &[], "again");
    // Its own store is beneath the scratch directory, and nothing is run or pulled.
    let buildah = |arguments: &[&str]| {
        let mut command = Command::new("buildah");
        command
            .arg("--root")
            .arg(directory.join("root"))
            .arg("--runroot")
            .arg(directory.join("run"));
        String::from_utf8(tool(command.args(["--storage-driver", "vfs"]).args(arguments))).unwrap()
    };
    let container = buildah(&["from", "scratch"]);
    write(&directory.join("file"), "by buildah");
    buildah(&["copy", container.trim(), directory.join("file").to_str().unwrap(), "/file"]);
    buildah(&[
        "config",
        "--label",
        "a=b",
        "--env",
        "X=1",
        "--cmd",
        "/file",
        "--author",
        "me",
        container.trim(),
    ]);
    let made = format!("oci:{}:made", directory.join("buildah").display());
    buildah(&["commit", "-q", container.trim(), &made]);
    same_as_skopeo(&made, &[], &[], "buildah");
    let table = shown(&[], &made);
    assert!(
        table.contains("\nLabels          a=b\n") && table.contains("\nAuthor          me\n"),
        "{table}"
    );
}

/// Two platforms behind one tag, an attestation and an artifact beside them.
fn many(directory: &Path) -> Layout {
    let mut layout = Layout::create(directory);
    let manifests: Vec<_> =
        ["amd64", "arm64"].map(|name| (name, small(name).store(&layout).manifest)).into();
    let mut entries: Vec<_> = manifests
        .iter()
        .map(|(name, blob)| blob.descriptor(MANIFEST, &platform(name, "linux")))
        .collect();
    let config = layout.blob(b"{}");
    let other = |kind: &str| {
        let config = config.descriptor(kind, "");
        layout.blob(
            format!(
                r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[]}}"#
            )
            .as_bytes(),
        )
    };
    let attests = r#","annotations":{"vnd.docker.reference.type":"attestation-manifest"}"#;
    let said = format!("{}{attests}", platform("unknown", "unknown"));
    entries.push(other("application/vnd.oci.image.config.v1+json").descriptor(MANIFEST, &said));
    let chart = other("application/vnd.example.chart").descriptor(MANIFEST, &tagged("chart"));
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        entries.join(",")
    );
    layout.entries.push(layout.blob(index.as_bytes()).descriptor(INDEX, &tagged("many")));
    layout.entries.push(chart);
    layout.write_index();
    layout
}

#[test]
fn an_image_for_many_platforms() {
    let layout = many(&scratch("inspect-many").join("image"));
    let image = format!("oci:{}:many", layout.directory.display());
    same_as_skopeo(&image, &["--override-arch", "amd64"], &[], "amd64");
    same_as_skopeo(&image, &["--override-arch", "arm64"], &["--platform", "linux/arm64"], "arm64");
    let table = shown(&[], &image);
    assert!(table.contains("\nPlatform        linux/amd64\n"), "{table}");
    let kinds: Vec<_> = table.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(kinds.ends_with(&["KIND", "index", "image", "image", "attestation"]), "{table}");
    let output = inspect(&["--platform", "linux/s390x"], &image);
    assert!(String::from_utf8(output.stderr).unwrap().contains("wanted is linux/s390x"));
}

#[test]
fn an_image_for_another_machine_is_shown_all_the_same() {
    let directory = scratch("inspect-other");
    small("s390x").write(&directory.join("image"));
    for words in ["", ":latest"] {
        let image = format!("oci:{}{words}", directory.join("image").display());
        same_as_skopeo(
            &image,
            &["--override-arch", "s390x"],
            &[],
            &format!("other{}", words.len()),
        );
        assert!(shown(&[], &image).contains("\nPlatform        linux/s390x\n"));
    }
}

#[test]
fn several_images_and_no_tag_are_a_list() {
    let mut layout = many(&scratch("inspect-list").join("image"));
    let stored = small("amd64").add(&mut layout, "v1");
    layout.write_index();
    let image = layout.directory.to_str().unwrap();
    let table = shown(&[], image);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines[1], "Tags            many, chart, v1");
    let short = &stored.manifest.digest["sha256:".len()..][..12];
    let size: u64 = stored.layers.iter().map(|layer| layer.size).sum();
    assert_eq!(
        lines[lines.len() - 1],
        format!(
            "{short}  image        linux/amd64       2       {:9}  -                    v1",
            format!("{:.1} kB", size as f64 / 1000.0)
        )
    );
    assert!(table.contains("  artifact     -                 0       0 B        -                    chart application/vnd.example.chart\n"), "{table}");
    check(
        image,
        &[],
        &[],
        r#"
assert "Digest" not in shown and shown["RepoTags"] == ["many", "chart", "v1"]
rows = [(row["Kind"], row["Tags"], row["Os"], row["Architecture"], row["Layers"]) for row in shown["Manifests"]]
assert rows == [
    ("index", ["many"], "", "", 0),
    ("image", ["many"], "linux", "amd64", 2),
    ("image", ["many"], "linux", "arm64", 2),
    ("attestation", ["many"], "unknown", "unknown", 0),
    ("artifact", ["chart"], "", "", 0),
    ("image", ["v1"], "linux", "amd64", 2),
], rows
"#,
    );
    let archive = layout.archive();
    let (_, archived) = (0, shown(&[], archive.to_str().unwrap()));
    assert_eq!(archived.lines().skip(1).collect::<Vec<_>>(), lines[1..]);
}

#[test]
fn a_docker_archive_of_several_images_is_a_list() {
    let directory = scratch("inspect-docker");
    let mut layout = Layout::create(&directory.join("image"));
    small("amd64").add(&mut layout, "one");
    small("amd64").layer(Layer::plain(Tar::new().file("c", 0o644, "3"))).add(&mut layout, "two");
    layout.write_index();
    let tar = directory.join("docker.tar");
    for tag in ["one", "two"] {
        let to = format!("docker-archive:{}:{tag}", directory.join(format!("{tag}.tar")).display());
        tool(Command::new("skopeo").args([
            "copy",
            "-q",
            &format!("oci:{}:{tag}", layout.directory.display()),
            &to,
        ]));
    }
    // Both in one, as `docker save one two` writes it.
    let join = r#"
import io, json, sys, tarfile
out = tarfile.open(sys.argv[1], "w")
manifest, seen = [], set()
for name in sys.argv[2:]:
    with tarfile.open(name) as tar:
        for member in tar:
            data = tar.extractfile(member)
            if member.name == "manifest.json":
                manifest += json.load(data)
            elif member.name not in seen and member.name != "repositories":
                seen.add(member.name)
                out.addfile(member, data)
text = json.dumps(manifest).encode()
info = tarfile.TarInfo("manifest.json")
info.size = len(text)
out.addfile(info, io.BytesIO(text))
out.close()
"#;
    let parts = ["one.tar", "two.tar"].map(|name| directory.join(name));
    tool(Command::new("python3").arg("-c").arg(join).arg(&tar).args(parts));
    let image = tar.to_str().unwrap();
    check(
        image,
        &[],
        &[],
        r#"
assert shown["RepoTags"] == ["docker.io/library/one:latest", "docker.io/library/two:latest"], shown
assert [(row["Tags"], row["Layers"]) for row in shown["Manifests"]] == [([shown["RepoTags"][0]], 2), ([shown["RepoTags"][1]], 3)]
"#,
    );
    let table = shown(&[], image);
    assert!(
        table.ends_with("docker.io/library/two:latest\n") && table.lines().count() == 6,
        "{table}"
    );
    assert!(shown(&[], &format!("{image}:two")).contains(" in 3 layers\n"));
}

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
fn a_table_is_what_it_looks_like() {
    let directory = scratch("inspect-table").join("image");
    let mut layout = Layout::create(&directory);
    let image = small("amd64");
    let stored = image.store(&layout);
    let history = r#","created":"2026-11-24T11:30:26.246036026Z","author":"somebody","history":[
        {"created":"2026-11-24T11:30:26.25Z","created_by":"ADD a /"},
        {"created":"2026-11-24T11:30:27Z","created_by":"CMD sh","empty_layer":true},
        {"created_by":"ADD b /"}]}"#;
    let config = image.config_json();
    let config = layout.blob(format!("{}{history}", config.strip_suffix('}').unwrap()).as_bytes());
    let manifest = layout.blob(image.manifest_json(&config, &stored.layers).as_bytes());
    layout.entries.push(manifest.descriptor(MANIFEST, &tagged("v1")));
    layout.write_index();
    let short = |n: usize| &stored.layers[n].digest["sha256:".len()..][..12];
    let text = format!(
        r#"Name            {}
Tags            v1
Digest          {}
Media type      application/vnd.oci.image.manifest.v1+json
Config          {}
Platform        linux/amd64
Size            2.1 kB in 2 layers
Created         2026-11-24T11:30:26.246036026Z
Author          somebody
User            app
Env             A=1
Env             B=two words
Cmd             ["sh","-c","true"]
Labels          k=v
                l=

LAYER         SIZE       CREATED              BY
{}  {:9}  2026-11-24 11:30:26  ADD a /
-             -          2026-11-24 11:30:27  CMD sh
{}  2.0 kB     -                    ADD b /
"#,
        directory.display(),
        manifest.digest,
        config.digest,
        short(0),
        format!("{} B", stored.layers[0].size),
        short(1),
    );
    assert_eq!(shown(&["--format=table"], directory.to_str().unwrap()), text);
    let output = inspect(&["--format", "xml"], directory.to_str().unwrap());
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "ocinit: --format xml: neither table nor json\n"
    );
}

/// Exit status, standard output and standard error.
fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
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

#[test]
fn a_size_in_json_has_a_name_that_says_of_what() {
    let (layout, stored) = small("amd64").write(&scratch("inspect-sizes").join("image"));
    let layers: u64 = stored.layers.iter().map(|layer| layer.size).sum();
    let archive = layout.directory.with_extension("docker");
    let target = format!("docker-archive:{}", archive.display());
    let image = layout.directory.to_str().unwrap();
    tool(Command::new(env!("CARGO_BIN_EXE_ocinit")).args(["copy", image, &target]));
    for (image, document) in
        [(image, stored.manifest.size.to_string()), (archive.to_str().unwrap(), "null".into())]
    {
        let (status, json, errors) = said(inspect(&["--format", "json"], image));
        assert_eq!(status, Some(0), "{errors}");
        let json = Json::try_parse(&json).expect("JSON");
        let row = json.at("Manifests").items()[0].clone();
        assert_eq!(row.at("DocumentSize").show(), document);
        for object in [&json, &row] {
            assert!(object.at("Size").show() == "null", "{}", object.show());
        }
        assert!(image.ends_with("docker") || json.at("DocumentSize").show() == document);
        // A docker-archive has plain layers.
        let layers =
            if document == "null" { json.at("LayersSize").show() } else { layers.to_string() };
        assert_eq!(
            (json.at("LayersSize").show(), row.at("LayersSize").show()),
            (layers.clone(), layers)
        );
    }
}

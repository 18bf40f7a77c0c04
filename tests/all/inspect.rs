//! `ocinit inspect`: its values against skopeo's for images of real tools; lists and tables.
//! inspect_wrong.rs has malformed ones.

use std::path::Path;
use std::process::{Command, Output};

use crate::support;
use crate::support::images::Layer;
use crate::support::json::Json;
use crate::support::layout::{INDEX, Layout, MANIFEST, platform, tagged};
use crate::support::{Image, Tar, project, scratch, tool, write};

pub fn inspect(arguments: &[&str], image: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ocinit"))
        .arg("inspect")
        .args(arguments)
        .arg(image)
        .output()
        .unwrap()
}

#[track_caller]
pub fn shown(arguments: &[&str], image: &str) -> String {
    let output = inspect(arguments, image);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*errors), (Some(0), ""), "{image}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs Python on what is shown as JSON, as `shown`; `a` and `b` are the names of further JSON
/// files.
#[track_caller]
pub fn check(image: &str, arguments: &[&str], others: &[&Path], program: &str) {
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

pub fn small(architecture: &str) -> Image {
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
pub fn many(directory: &Path) -> Layout {
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
pub fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
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

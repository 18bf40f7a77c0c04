//! Archives of `docker save`, in all their forms since manifest.json.

use super::archives::{END, entry, files, read_as, seal, tar};
use super::*;

/// A configuration of an image of these layers, and its name's digits.
fn config(author: &str, layers: &[&str]) -> (String, String) {
    let ids: Vec<_> =
        layers.iter().map(|layer| format!(r#""{}""#, digest_of(layer.as_bytes()))).collect();
    let text = format!(
        r#"{{"architecture":"amd64","os":"linux","author":"{author}","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        ids.join(",")
    );
    (digest_of(text.as_bytes()).hex().to_string(), text)
}

fn item(config: &str, tags: &[&str], layers: &[&str]) -> String {
    let quoted = |list: &[&str]| {
        list.iter().map(|text| format!(r#""{text}""#)).collect::<Vec<_>>().join(",")
    };
    let tags = if tags.is_empty() { "null".to_string() } else { format!("[{}]", quoted(tags)) };
    format!(r#"{{"Config":"{config}","RepoTags":{tags},"Layers":[{}]}}"#, quoted(layers))
}

fn file(name: &str, text: &str) -> Vec<u8> {
    entry(name, b'0', text.as_bytes())
}

fn link(name: &str, kind: u8, target: &str) -> Vec<u8> {
    let mut block = entry(name, kind, b"");
    block[157..157 + target.len()].copy_from_slice(target.as_bytes());
    seal(&mut block);
    block
}

fn read(parts: &[Vec<u8>], wanted: &Wanted<'_>) -> Result<String, String> {
    read_as(&[parts.concat(), END.to_vec()].concat(), Form::Either, wanted)
}

fn any(parts: &[Vec<u8>]) -> Result<String, String> {
    read(parts, &Wanted::default())
}

fn tagged(parts: &[Vec<u8>], tag: &str) -> Result<String, String> {
    read(parts, &Wanted { reference: Some(tag), ..Wanted::default() })
}

/// An image of one layer, and the list of images, which comes last.
fn simple(tags: &[&str]) -> [Vec<u8>; 3] {
    let (id, text) = config("a", &["tar"]);
    let manifest = format!("[{}]", item(&format!("{id}.json"), tags, &["1/layer.tar"]));
    [
        file("1/layer.tar", "tar"),
        file(&format!("{id}.json"), &text),
        file("manifest.json", &manifest),
    ]
}

#[test]
fn the_only_image_and_its_names() {
    assert_eq!(any(&simple(&[])).unwrap(), "a");
    let parts = simple(&["busybox:latest", "reg.example:5000/b:v1"]);
    assert_eq!(any(&parts).unwrap(), "a");
    for name in ["busybox", "busybox:latest", "docker.io/library/busybox", "reg.example:5000/b:v1"]
    {
        assert_eq!(tagged(&parts, name).unwrap(), "a", "{name}");
    }
    error_has(
        tagged(&parts, "busybox:1"),
        &["manifest.json: no tag \"busybox:1\", there is: busybox:latest, reg.ex"],
    );
    error_has(
        tagged(&simple(&[]), "busybox"),
        &["manifest.json: no tag \"busybox\", nor any other"],
    );
}

#[test]
fn several_images_are_chosen_by_tag_place_or_id() {
    let (one, one_text) = config("one", &["tar"]);
    let (two, two_text) = config("two", &["tar", "more"]);
    let list = [
        item(&format!("{one}.json"), &["x:1"], &["shared.tar"]),
        item(&format!("{two}.json"), &["x:2"], &["shared.tar", "more.tar"]),
        item(&format!("{two}.json"), &["x:3"], &["shared.tar", "more.tar"]),
    ];
    let parts = [
        file("manifest.json", &format!("[{}]", list.join(","))),
        file("shared.tar", "tar"),
        file("more.tar", "more"),
        file(&format!("{one}.json"), &one_text),
        file(&format!("{two}.json"), &two_text),
    ];
    for (tag, author) in [("x:1", "one"), ("x:2", "two"), ("x:3", "two")] {
        assert_eq!(tagged(&parts, tag).unwrap(), author);
    }
    error_has(any(&parts), &["several images, and nothing to choose by: x:1, x:2, x:3, or @0"]);
    let at = |index| read(&parts, &Wanted { index: Some(index), ..Wanted::default() });
    assert_eq!((at(0).unwrap(), at(1).unwrap()), ("one".into(), "two".into()));
    error_has(at(3), &["holds no image, or not the one"]);
    let pinned = |text: &str| {
        let digest = Some(Digest::parse(text).unwrap());
        read(&parts, &Wanted { digest, ..Wanted::default() })
    };
    assert_eq!(pinned(&format!("sha256:{two}")).unwrap(), "two");
    error_has(pinned(&digest_of(b"x").to_string()), &["holds no image, or not the one"]);
    // Two names of one image are one image.
    let two_names =
        [vec![file("manifest.json", &format!("[{},{}]", list[1], list[2]))], parts[1..].to_vec()]
            .concat();
    assert_eq!(any(&two_names).unwrap(), "two");
}

#[test]
fn a_layer_may_be_a_link_to_another() {
    let (id, text) = config("linked", &["tar", "tar", "tar", "tar"]);
    let layers = ["a/layer.tar", "b/layer.tar", "c/layer.tar", "d/layer.tar"];
    let manifest = format!("[{}]", item(&format!("{id}.json"), &[], &layers));
    let parts = |c: Vec<u8>| {
        [
            entry("a/", b'5', b""),
            file("a/VERSION", "1.0"),
            file("a/json", "{}"),
            file("a/layer.tar", "tar"),
            link("b/layer.tar", b'2', "../a/layer.tar"),
            c,
            link("d/layer.tar", b'2', "../../../c/layer.tar"),
            file(&format!("{id}.json"), &text),
            file("repositories", "{}"),
            file("manifest.json", &manifest),
        ]
    };
    assert_eq!(any(&parts(link("c/layer.tar", b'1', "./a/layer.tar"))).unwrap(), "linked");
    let why = "manifest.json: [0].Layers[2]: archive: c/layer.tar: a link to a file that is not in the archive";
    error_has(any(&parts(link("c/layer.tar", b'2', "/etc/passwd"))), &[why]);
    error_has(any(&parts(link("c/layer.tar", b'2', "layer.tar"))), &["too many links to links"]);
    error_has(any(&parts(entry("c/layer.tar", b'3', b""))), &["c/layer.tar: not a regular file"]);
    error_has(
        any(&parts(entry("e", b'0', b""))),
        &["manifest.json: [0].Layers[2]: c/layer.tar: not in the archive"],
    );
    // A name that does not fit into a header.
    let long = format!("{}/layer.tar", "x".repeat(300));
    let manifest = manifest.replace("a/layer.tar", &long);
    let mut named = parts(link("c/layer.tar", b'1', "d")).to_vec();
    named[3] = [entry("././@LongLink", b'L', long.as_bytes()), file("cut", "tar")].concat();
    named[4] = [
        entry("././@LongLink", b'K', format!("/{long}\0").as_bytes()),
        link("b/layer.tar", b'2', "cut"),
    ]
    .concat();
    let record = format!("{} linkpath={long}\n", long.len() + 14);
    named[5] = [entry("x", b'x', record.as_bytes()), link("c/layer.tar", b'1', "cut")].concat();
    named[9] = file("manifest.json", &manifest);
    assert_eq!(any(&named).unwrap(), "linked");
}

#[test]
fn names_with_a_digest_are_held_to_it() {
    let (id, text) = config("a", &["tar"]);
    let with = |name: &str, text: &str| {
        let manifest = format!("[{}]", item(name, &[], &["l"]));
        any(&[file("l", "tar"), file(name, text), file("manifest.json", &manifest)])
    };
    for name in [
        format!("{id}.json"),
        format!("blobs/sha256/{id}"),
        format!("sha256:{id}"),
        "config.json".into(),
    ] {
        assert_eq!(with(&name, &text).unwrap(), "a", "{name}");
        let other = with(&name, &text.replace("\"a\"", "\"b\""));
        if name == "config.json" {
            assert_eq!(other.unwrap(), "b");
        } else {
            error_has(other, &["config: digest mismatch: expected sha256:"]);
        }
    }
    error_has(with(&format!("{id}.json"), "{}"), &["config: digest mismatch"]);
    error_has(
        with("config.json", &text.replace("amd64", "arm64")),
        &["for linux/arm64, this machine is linux/amd64"],
    );
    error_has(
        with("config.json", &config("a", &["x", "y"]).1),
        &["diff_ids: 2 of them, the manifest has 1 layers"],
    );
}

#[test]
fn layers_are_known_by_their_first_bytes() {
    let open_with = |start: &[u8]| {
        let layer = [start, b"......"].concat();
        let (_, text) = config("a", &["tar"]);
        let manifest = format!("[{}]", item("c", &[], &["l"]));
        any(&[entry("l", b'0', &layer), file("c", &text), file("manifest.json", &manifest)])
    };
    for start in [&b"\x1f\x8b\x08"[..], b"etc/", b"", b"BZ.."] {
        assert!(open_with(start).is_ok(), "{start:?}");
    }
    error_has(open_with(b"BZh9"), &["manifest.json: [0].Layers[0]: compressed with bzip2"]);
    error_has(open_with(b"\xfd7zXZ\0"), &["compressed with xz"]);
}

#[test]
fn a_layout_in_the_same_archive_is_preferred() {
    let layout = Layout::new();
    layout.index(&[super::tagged(&layout.image("layout", "amd64"), "v1")]);
    let both = [simple(&["v1"]).concat(), tar(&files(&layout)), END.to_vec()].concat();
    for (form, author) in [(Form::Either, "layout"), (Form::Layout, "layout"), (Form::Docker, "a")]
    {
        assert_eq!(read_as(&both, form, &Wanted::default()).unwrap(), author);
    }
    let docker = simple(&[]).concat();
    error_has(
        read_as(&docker, Form::Layout, &Wanted::default()),
        &["archive: oci-layout: missing"],
    );
    error_has(
        read_as(&tar(&files(&layout)), Form::Docker, &Wanted::default()),
        &["manifest.json: missing: not what docker save writes"],
    );
}

#[test]
fn docker_before_manifest_json_is_named() {
    let old = [
        file("1/json", "{}"),
        file("1/layer.tar", "tar"),
        file("repositories", r#"{"x":{"latest":"1"}}"#),
    ];
    error_has(
        any(&old),
        &["manifest.json: missing: an archive of docker before 1.10 (repositories)"],
    );
}

#[test]
fn the_list_of_images_is_read_strictly() {
    let with = |text: &str| any(&[file("l", "tar"), file("c", "{}"), file("manifest.json", text)]);
    for (text, why) in [
        ("", "manifest.json: invalid JSON at byte"),
        ("{}", "manifest.json: not an array"),
        ("[]", "manifest.json: holds no image"),
        ("[{}]", "manifest.json: [0].Config: missing"),
        (r#"[{"Config":7}]"#, "[0].Config: not a string"),
        (
            r#"[{"Config":"../../etc/passwd","Layers":[]}]"#,
            "[0].Config: ../../etc/passwd: not in the archive",
        ),
        (r#"[{"Config":"c","Layers":["l",7]}]"#, "[0].Layers[1]: not a string"),
        (r#"[{"Config":"c","Layers":[""]}]"#, "[0].Layers[0]: : not in the archive"),
        (r#"[{"Config":"c","Layers":["l"],"RepoTags":"x"}]"#, "[0].RepoTags: not an array"),
    ] {
        error_has(with(text), &[why]);
    }
    let many = vec!["\"l\""; 1025].join(",");
    error_has(
        with(&format!(r#"[{{"Config":"c","Layers":[{many}]}}]"#)),
        &["[0].Layers: more than 1024 layers"],
    );
    let large = vec![b' '; crate::limits::DOCUMENT_BYTES + 1];
    error_has(
        any(&[entry("manifest.json", b'0', &large)]),
        &["manifest.json: 4194305 bytes, more than the 4194304"],
    );
}

#[test]
fn every_prefix_of_the_list_is_an_error() {
    let (id, text) = config("a", &["tar"]);
    let manifest = format!("[{}]", item(&id, &["x:1"], &["l"]));
    for length in 0..manifest.len() {
        let parts =
            [file("l", "tar"), file(&id, &text), file("manifest.json", &manifest[..length])];
        error_has(any(&parts), &["manifest.json: invalid JSON at byte", "ends early"]);
    }
}

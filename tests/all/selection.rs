//! Which image of a layout runs: tags, nested indexes, platforms, pins, and the form of 2016.

use std::ffi::OsString;

use crate::support;
use crate::support::images::{Layer, Stored};
use crate::support::layout::{Blob, INDEX, MANIFEST, platform, sha256, tagged};
use crate::support::{Boot, Image, Layout, Tar, busybox, scratch};

/// busybox that says its name.
fn saying(word: &str) -> Image {
    let layer = Layer::plain(Tar::new().file("word", 0o644, format!("{word}\n")));
    busybox().config(r#""Cmd":["cat","/word"],"Env":["PATH=/bin"]"#).layer(layer)
}

fn layout(name: &str) -> Layout {
    Layout::create(&scratch(&format!("selection-{name}")).join("layout"))
}

/// The layout with `:TAG` behind it.
fn at(layout: &Layout, tag: &str) -> Boot {
    let mut name = OsString::from(&layout.directory);
    name.push(":");
    name.push(tag);
    Boot::new(name)
}

#[track_caller]
fn says(boot: &Boot, word: &str) {
    boot.run().expect_status(0).expect_stdout(&format!("{word}\n"));
}

#[track_caller]
fn refused(boot: &Boot, parts: &[&str]) {
    boot.run().expect_status(125).expect_stdout("").expect_line(parts);
}

/// Stores an index of these descriptors and gives its own.
fn index(layout: &Layout, descriptors: &[String]) -> Blob {
    let text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
        descriptors.join(",")
    );
    layout.blob(text.as_bytes())
}

fn two_tags(name: &str) -> (Layout, Stored, Stored) {
    let mut layout = layout(name);
    let first = saying("first").add(&mut layout, "v1");
    let second = saying("second").add(&mut layout, "registry.example/app:v2.0+b");
    layout.write_index();
    (layout, first, second)
}

#[test]
fn by_its_tag() {
    let (layout, ..) = two_tags("tags");
    says(&at(&layout, "v1"), "first");
    says(&at(&layout, "registry.example/app:v2.0+b"), "second");
}

#[test]
fn without_a_tag_two_images_are_an_error_that_lists_them() {
    let (layout, ..) = two_tags("ambiguous");
    refused(&Boot::new(&layout.directory), &["ocinit: ", "v1", "registry.example/app:v2.0+b"]);
}

#[test]
fn the_only_image_needs_no_tag() {
    let mut layout = layout("untagged");
    let stored = saying("only").store(&layout);
    layout.entries.push(stored.manifest.descriptor(MANIFEST, ""));
    layout.write_index();
    says(&Boot::new(&layout.directory), "only");
}

/// A nested index, with another platform first, an attestation and an unknown type.
#[test]
fn the_first_that_fits_in_a_nested_index() {
    let mut layout = layout("nested");
    let arm = Image { architecture: "arm64".into(), ..saying("arm") }.store(&layout);
    let ours = saying("ours").store(&layout);
    let later = saying("later").store(&layout);
    let unknown = layout.blob(b"{}");
    let inner = index(
        &layout,
        &[
            unknown.descriptor("application/x-nobody-knows", ""),
            unknown.descriptor(MANIFEST, &platform("unknown", "unknown")),
            arm.manifest.descriptor(MANIFEST, &platform("arm64", "linux")),
            ours.manifest.descriptor(MANIFEST, &platform("amd64", "linux")),
            later.manifest.descriptor(MANIFEST, &platform("amd64", "linux")),
        ],
    );
    let outer = index(&layout, &[inner.descriptor(INDEX, "")]);
    layout.entries.push(outer.descriptor(INDEX, &tagged("multi")));
    layout.write_index();
    says(&at(&layout, "multi"), "ours");
    // A pin of any index on the way is as good as one of the manifest.
    says(&at(&layout, "multi").append(&format!("ocinit.digest={}", inner.digest)), "ours");
    says(&at(&layout, "multi").append(&format!("ocinit.digest={}", outer.digest)), "ours");
}

#[test]
fn an_index_without_our_platform_names_what_it_has() {
    let mut layout = layout("platform");
    let arm = Image { architecture: "arm64".into(), ..saying("arm") }.store(&layout);
    let inner = index(&layout, &[arm.manifest.descriptor(MANIFEST, &platform("arm64", "linux"))]);
    layout.entries.push(inner.descriptor(INDEX, &tagged("multi")));
    layout.write_index();
    refused(&at(&layout, "multi"), &["ocinit: ", "amd64"]);
}

#[test]
fn the_pinned_manifest_runs_and_no_other() {
    let (layout, first, second) = two_tags("pin");
    says(&at(&layout, "v1").append(&format!("ocinit.digest={}", first.manifest.digest)), "first");
    // The tag leads to another than the pin.
    let wrong = at(&layout, "v1").append(&format!("ocinit.digest={}", second.manifest.digest));
    refused(&wrong, &["ocinit: ", &first.manifest.digest[..14], &second.manifest.digest[..14]]);
}

#[test]
fn a_pin_alone_chooses() {
    let (layout, _, second) = two_tags("pin-alone");
    says(
        &Boot::new(&layout.directory).append(&format!("ocinit.digest={}", second.manifest.digest)),
        "second",
    );
}

#[test]
fn a_pin_that_nothing_fits() {
    let mut layout = layout("pin-none");
    saying("it").add(&mut layout, "latest");
    layout.write_index();
    let pin = sha256(b"something else");
    refused(
        &Boot::new(&layout.directory).append(&format!("ocinit.digest={pin}")),
        &["ocinit: ", &pin[..14]],
    );
}

/// Until January 2017 a layout had a file for each tag and no index.json.
#[test]
fn the_form_of_2016() {
    let layout = layout("refs");
    let refs = layout.directory.join("refs");
    std::fs::create_dir(&refs).expect("refs");
    for word in ["old", "older"] {
        let stored = saying(word).store(&layout);
        support::write(&refs.join(word), stored.manifest.descriptor(MANIFEST, ""));
    }
    says(&at(&layout, "older"), "older");
    refused(&Boot::new(&layout.directory), &["ocinit: ", "old", "older"]);
    std::fs::remove_file(refs.join("older")).expect("a tag");
    says(&Boot::new(&layout.directory), "old");
}

/// The key of the release candidates.
#[test]
fn the_tag_of_early_2017() {
    let mut layout = layout("rc5");
    let stored = saying("rc5").store(&layout);
    let more = r#","annotations":{"org.opencontainers.ref.name":"early"}"#;
    layout.entries.push(stored.manifest.descriptor(MANIFEST, more));
    layout.write_index();
    says(&at(&layout, "early"), "rc5");
}

/// Layers are applied in order, whiteouts hide what lies below them, wherever they stand in their
/// layer.
#[test]
fn layers_in_order_with_whiteouts() {
    let lower = Tar::new()
        .directory("d/", 0o755)
        .file("d/gone", 0o644, "x")
        .file("d/kept", 0o644, "lower\n")
        .file("d/replaced", 0o644, "lower\n")
        .directory("opaque/", 0o755)
        .file("opaque/gone", 0o644, "x");
    let upper = Tar::new()
        .file("d/new", 0o644, "upper\n")
        .whiteout("d/new")
        .whiteout("d/gone")
        .file("d/replaced", 0o600, "upper\n")
        .hard_link("d/linked", "d/kept")
        .file("opaque/stays", 0o644, "upper\n")
        .file("opaque/.wh..wh..opq", 0o644, "");
    let image = busybox()
        .config(r#""Cmd":["sh","-c","cd /d; ls; cat kept new replaced linked; stat -c %a replaced; ls -A /opaque"],"Env":["PATH=/bin"]"#)
        .layer(Layer::gzip(lower))
        .layer(Layer::plain(upper));
    let mut layout = layout("whiteouts");
    image.add(&mut layout, "latest");
    layout.write_index();
    let expected = "kept\nlinked\nnew\nreplaced\nlower\nupper\nupper\nlower\n600\nstays\n";
    Boot::new(&layout.directory).run().expect_status(0).expect_stdout(expected);
}

/// The tmpfs of Linux 6.1 holds no `user.*` attributes; a container can live without, but is told
/// how many.
#[test]
fn attributes_that_a_tmpfs_cannot_hold_are_counted() {
    let noted = |tar: Tar, name: &str| {
        let records = [("SCHILY.xattr.user.note", "a"), ("SCHILY.xattr.user.other", "b")];
        tar.pax(&records).file(name, 0o644, "there\n")
    };
    let layer = Layer::plain(noted(noted(Tar::new(), "one"), "two"));
    let mut layout = layout("attributes");
    let stored = busybox()
        .config(r#""Cmd":["cat","/one","/two"],"Env":["PATH=/bin"]"#)
        .layer(layer)
        .add(&mut layout, "it");
    layout.write_index();
    assert_eq!(stored.layers.len(), 2);
    let outcome = Boot::new(&layout.directory).flag("--verbose").run();
    outcome
        .expect_status(0)
        .expect_stdout("there\nthere\n")
        .expect_line(&["ocinit: skipped 4 extended attributes"]);
}

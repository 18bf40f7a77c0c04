//! Bad input gives one line with the thing, the place and the reason, and status 125; nothing is
//! executed.

use crate::support;
use crate::support::images::{Layer, Stored, busybox_layout};
use crate::support::layout::{MANIFEST, archive, platform, sha256, tagged};
use crate::support::tar::Header;
use crate::support::{Boot, Image, Layout, Tar, busybox, disk, scratch, write};

/// busybox whose command says so if it ever runs.
fn image() -> Image {
    busybox().config(r#""Cmd":["echo","EXECUTED"],"Env":["PATH=/bin"]"#)
}

/// A second layer of something.
fn small_layer() -> Layer {
    Layer::gzip(Tar::new().file("small", 0o644, "something\n"))
}

/// Boots and expects one line with these parts, and silence of the container.
#[track_caller]
fn refused(boot: &Boot, parts: &[&str]) {
    let outcome = boot.run();
    outcome.expect_status(125).expect_stdout("");
    let mut all = vec!["ocinit: "];
    all.extend(parts);
    outcome.expect_line(&all);
    assert!(!outcome.stderr.contains("EXECUTED"), "it ran\n{outcome}");
    let lines = outcome.stderr.lines().filter(|line| line.starts_with("ocinit: ")).count();
    assert!(lines == 1, "{lines} lines, not one\n{outcome}");
}

struct Case {
    layout: Layout,
    stored: Stored,
}

/// A sound layout of `image`, to be damaged.
fn case(name: &str, image: &Image) -> Case {
    let (layout, stored) = image.write(&scratch(&format!("bad-{name}")).join("layout"));
    Case { layout, stored }
}

impl Case {
    fn boot(&self) -> Boot {
        Boot::new(&self.layout.directory)
    }

    /// Puts a manifest of this text into the index, in place of the image.
    fn manifest(&mut self, text: &str) {
        let blob = self.layout.blob(text.as_bytes());
        self.layout.entries =
            vec![blob.descriptor(
                MANIFEST,
                &format!("{}{}", platform("amd64", "linux"), tagged("latest")),
            )];
        self.layout.write_index();
    }
}

/// What all the others rely on: undamaged, the image runs.
#[test]
fn the_sound_image_runs() {
    let case = case("sound", &image().layer(small_layer()));
    case.boot().run().expect_status(0).expect_stdout("EXECUTED\n");
}

#[test]
fn no_such_disk() {
    refused(
        &Boot::new(busybox_layout()).append("ocinit.disk=/dev/vdz ocinit.wait=1"),
        &["/dev/vdz"],
    );
}

#[test]
fn no_disk_with_an_image() {
    let blank = scratch("bad-blank").join("disk.img");
    disk::blank(&blank, 8);
    refused(&Boot::new(&blank).append("ocinit.disk=auto ocinit.wait=1"), &["no disk", "image"]);
}

#[test]
fn a_disk_of_noise() {
    let noise = scratch("bad-noise").join("disk.img");
    write(&noise, support::random_bytes(1 << 20));
    refused(&Boot::new(&noise), &["/dev/vda"]);
}

#[test]
fn a_file_system_without_a_layout() {
    let directory = scratch("bad-no-layout");
    std::fs::create_dir(directory.join("content")).expect("content");
    write(&directory.join("content/readme"), "no image here\n");
    disk::ext4(&directory.join("disk.img"), 16, Some(&directory.join("content")), &[]);
    refused(&Boot::new(directory.join("disk.img")), &["/dev/vda", "oci-layout"]);
}

#[test]
fn an_unknown_layout_version() {
    let case = case("version", &image());
    write(&case.layout.directory.join("oci-layout"), r#"{"imageLayoutVersion":"2.7.1"}"#);
    refused(&case.boot(), &["oci-layout", "2.7.1"]);
}

#[test]
fn an_unknown_tag() {
    let case = case("tag", &image());
    let mut name = case.layout.directory.clone().into_os_string();
    name.push(":no-such-tag");
    refused(&Boot::new(name), &["no-such-tag", "latest"]);
}

#[test]
fn another_architecture() {
    let image = Image { architecture: "arm64".into(), ..image() };
    refused(&case("architecture", &image).boot(), &["arm64", "amd64"]);
}

/// The index does not say, so only the configuration can.
#[test]
fn another_architecture_in_the_configuration_alone() {
    let mut case = case("architecture-config", &Image { architecture: "arm64".into(), ..image() });
    case.layout.entries = vec![case.stored.manifest.descriptor(MANIFEST, &tagged("latest"))];
    case.layout.write_index();
    refused(&case.boot(), &["arm64", "amd64"]);
}

#[test]
fn another_operating_system() {
    let image = Image { os: "windows".into(), ..image() };
    refused(&case("os", &image).boot(), &["windows", "linux"]);
}

#[test]
fn an_index_that_is_no_json() {
    let case = case("index-json", &image());
    write(&case.layout.directory.join("index.json"), "{\"schemaVersion\":2,\"manifests\":[}");
    refused(&case.boot(), &["index.json", "byte 32"]);
}

#[test]
fn a_manifest_that_is_no_json() {
    let mut case = case("manifest-json", &image());
    case.manifest("{\"schemaVersion\":2,\"layers\":");
    refused(&case.boot(), &["manifest", "sha256:"]);
}

#[test]
fn a_configuration_that_is_no_json() {
    let mut case = case("config-json", &image());
    let config = case.layout.blob(b"{\"architecture\":\"amd64\",\"os\":\"linux\",\"rootfs\":{]}");
    case.manifest(&image().manifest_json(&config, &case.stored.layers));
    refused(&case.boot(), &["config", &config.digest[..14]]);
}

#[test]
fn a_missing_blob() {
    let case = case("missing", &image());
    std::fs::remove_file(case.layout.path(&case.stored.layers[0].digest)).expect("blob");
    refused(&case.boot(), &[&case.stored.layers[0].digest[..14]]);
}

/// The manifest claims a byte more than the blob has.
#[test]
fn a_size_that_is_not_the_blobs() {
    let mut case = case("size", &image().layer(small_layer()));
    let mut layers = case.stored.layers.clone();
    let (real, claimed) = (layers[1].size, layers[1].size + 1);
    layers[1].size = claimed;
    case.manifest(&image().layer(small_layer()).manifest_json(&case.stored.config, &layers));
    let parts = ["layer 2 of 2", &layers[1].digest[..14], &real.to_string(), &claimed.to_string()];
    refused(&case.boot(), &parts);
}

/// Flips a byte in the middle of a blob, on every kind of disk that is read differently.
fn damaged(name: &str, which: impl Fn(&Stored) -> String) -> Case {
    let case = case(name, &image().layer(small_layer()));
    let path = case.layout.path(&which(&case.stored));
    let mut bytes = support::read(&path);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    write(&path, bytes);
    case
}

#[test]
fn a_damaged_manifest() {
    let case = damaged("manifest", |stored| stored.manifest.digest.clone());
    refused(&case.boot(), &["manifest", &case.stored.manifest.digest[..14], "digest mismatch"]);
}

#[test]
fn a_damaged_configuration() {
    let case = damaged("config", |stored| stored.config.digest.clone());
    refused(&case.boot(), &["config", &case.stored.config.digest[..14], "digest mismatch"]);
}

/// The tar is stored as it is: only the digest can tell.
#[test]
fn a_damaged_layer() {
    let layer = Layer::plain(Tar::new().file("big", 0o644, vec![b'x'; 100_000]));
    let case = case("layer", &image().layer(layer));
    let path = case.layout.path(&case.stored.layers[1].digest);
    let mut bytes = support::read(&path);
    bytes[60_000] = b'y';
    write(&path, bytes);
    refused(
        &case.boot(),
        &["layer 2 of 2", &case.stored.layers[1].digest[..14], "digest mismatch"],
    );
}

#[test]
fn a_damaged_layer_of_an_archive() {
    let case = damaged("archive", |stored| stored.layers[0].digest.clone());
    let archive = archive(&case.layout.directory);
    refused(&Boot::new(archive), &["layer 1 of 2", &case.stored.layers[0].digest[..14]]);
}

/// The blob is what the manifest says; the tar in it is not what the configuration says.
#[test]
fn a_diff_id_that_is_not_the_tars() {
    let layer = Layer { diff_id: sha256(b"another tar"), ..small_layer() };
    let case = case("diff-id", &image().layer(layer));
    refused(
        &case.boot(),
        &["layer 2 of 2", &case.stored.layers[1].digest[..14], "diff_id", "digest mismatch"],
    );
}

/// gzip that ends in the middle, under a digest that is right.
#[test]
fn a_truncated_gzip() {
    let tar = Tar::new().file("noise", 0o644, support::random_bytes(200_000));
    let mut layer = Layer::gzip(tar);
    layer.stored.truncate(100_000);
    let case = case("gzip-short", &image().layer(layer));
    refused(&case.boot(), &["layer 2 of 2", "gzip", "truncated"]);
}

/// The trailer is missing: eight bytes that only a careful reader looks for.
#[test]
fn a_gzip_without_its_trailer() {
    let mut layer = small_layer();
    layer.stored.truncate(layer.stored.len() - 8);
    refused(&case("gzip-trailer", &image().layer(layer)).boot(), &["layer 2 of 2", "gzip"]);
}

#[test]
fn a_gzip_with_a_wrong_length() {
    let mut layer = small_layer();
    let at = layer.stored.len() - 4;
    layer.stored[at] ^= 1;
    refused(
        &case("gzip-length", &image().layer(layer)).boot(),
        &["layer 2 of 2", "gzip", "wrong length"],
    );
}

#[test]
fn a_gzip_with_a_wrong_checksum_whose_bytes_have_the_right_digest_runs() {
    let mut layer = small_layer();
    let at = layer.stored.len() - 8;
    layer.stored[at] ^= 1;
    case("gzip-crc", &image().layer(layer)).boot().run().expect_status(0);
}

#[test]
fn a_truncated_tar() {
    let mut layer = Layer::plain(Tar::new().file("noise", 0o644, support::random_bytes(20_000)));
    layer.stored.truncate(10_000);
    layer.diff_id = sha256(&layer.stored);
    refused(
        &case("tar-short", &image().layer(layer)).boot(),
        &["layer 2 of 2", "tar", "truncated"],
    );
}

#[test]
fn a_tar_header_that_is_none() {
    let mut layer = Layer::plain(Tar::new().file("noise", 0o644, "x"));
    layer.stored[0] ^= 1;
    layer.diff_id = sha256(&layer.stored);
    refused(&case("tar-header", &image().layer(layer)).boot(), &["layer 2 of 2", "checksum"]);
}

#[track_caller]
fn escapes(name: &str, tar: Tar, parts: &[&str]) {
    let mut all = vec!["layer 2 of 2"];
    all.extend(parts);
    refused(&case(name, &image().layer(Layer::plain(tar))).boot(), &all);
}

#[test]
fn an_entry_that_escapes_the_root() {
    escapes("escape", Tar::new().file("../../outside", 0o644, "x"), &["../../outside"]);
}

#[test]
fn an_entry_that_escapes_from_within() {
    escapes(
        "escape-within",
        Tar::new().file("etc/../../outside", 0o644, "x"),
        &["etc/../../outside"],
    );
}

#[test]
fn a_hard_link_that_escapes_the_root() {
    escapes("escape-link", Tar::new().hard_link("inside", "../../init"), &["../../init"]);
}

#[test]
fn a_whiteout_of_the_directory_above() {
    escapes("escape-whiteout", Tar::new().file("etc/.wh...", 0o644, ""), &[".wh..."]);
}

/// Not an escape: an absolute link of the image leads to the image's own root, and never to ours.
#[test]
fn a_symlink_to_above_stays_inside() {
    let tar = Tar::new()
        .symlink("up", "/../../..")
        .file("up/seen", 0o644, "inside\n")
        .symlink("self", "/proc/self");
    let case = case("symlink", &image().layer(Layer::plain(tar)));
    case.boot().arguments(["cat", "/seen"]).run().expect_status(0).expect_stdout("inside\n");
}

#[test]
fn an_owner_beyond_32_bits() {
    let header = Header { mode: 0o4755, size: 1, ..Header::new("suid", b'0') };
    let tar = Tar::new().pax(&[("uid", "4294967296")]).entry(&header, b"x");
    escapes("owner", tar, &["suid", "4294967296"]);
}

#[test]
fn a_full_tmpfs() {
    let case = case("full", &image());
    refused(
        &case.boot().append("ocinit.rootfs-size=1M"),
        &["layer 1 of 1", "bin/busybox", "no space left on device"],
    );
}

/// More diff_ids than layers: something of the image would be left out without a word.
#[test]
fn a_manifest_with_too_few_layers() {
    let mut case = case("count", &image().layer(small_layer()));
    let layers = vec![case.stored.layers[0].clone()];
    case.manifest(&image().layer(small_layer()).manifest_json(&case.stored.config, &layers));
    refused(&case.boot(), &["diff_ids", "2 of them", "1 layers"]);
}

/// The manifest is an index too: which of both a reader sees is an attacker's choice
/// (CVE-2021-41190).
#[test]
fn a_manifest_that_is_also_an_index() {
    let mut case = case("both", &image());
    let text = image().manifest_json(&case.stored.config, &case.stored.layers);
    case.manifest(&text.replacen('{', r#"{"manifests":[],"#, 1));
    refused(&case.boot(), &["manifest"]);
}

/// Go takes the last of two names, others the first: refused.
#[test]
fn a_name_that_is_there_twice() {
    let mut case = case("twice", &image());
    let text = image().manifest_json(&case.stored.config, &case.stored.layers);
    case.manifest(&text.replacen("\"layers\":", r#""layers":[],"layers":"#, 1));
    refused(&case.boot(), &["layers", "twice"]);
}

#[test]
fn a_digest_of_an_unknown_algorithm() {
    let mut case = case("algorithm", &image());
    let text = image().manifest_json(&case.stored.config, &case.stored.layers);
    case.manifest(
        &text.replace(&case.stored.layers[0].digest, "md5:d41d8cd98f00b204e9800998ecf8427e"),
    );
    refused(&case.boot(), &["md5"]);
}

#[test]
fn a_digest_that_is_a_path() {
    let mut case = case("path", &image());
    let text = image().manifest_json(&case.stored.config, &case.stored.layers);
    case.manifest(&text.replace(&case.stored.layers[0].digest, "sha256:../../../../etc/passwd"));
    refused(&case.boot(), &["digest"]);
}

#[test]
fn no_command_at_all() {
    let case = case("command", &busybox().config(""));
    refused(&case.boot(), &["Cmd"]);
}

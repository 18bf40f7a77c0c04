//! Malformed documents.

use super::*;

/// Expects an error for a manifest of these fields beside `schemaVersion`. `CONFIG` and `LAYER`
/// stand for descriptors' starts.
#[track_caller]
fn manifest(fields: &str, parts: &[&str]) {
    let layout = Layout::new();
    let layer = layout.blob(LAYER, "layer");
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        digest_of(b"")
    );
    let fields = fields.replace("CONFIG", &layout.blob(CONFIG, &config)).replace("LAYER", &layer);
    layout.index(&[plain(&layout.blob(MANIFEST, &format!("{{{fields}}}")))]);
    match parts {
        [] => assert_eq!(layout.only(), Ok(String::new())),
        _ => error_has(layout.only(), &[&["manifest sha256:"], parts].concat()),
    }
}

#[test]
fn a_manifest_is_read_strictly() {
    manifest(r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER}],"unknown":{"a":[null]}"#, &[]);
    manifest(r#""schemaVersion":2,"config":CONFIG},"la\u0079ers":[LAYER}],"Layers":[]"#, &[]);
    for (fields, why) in [
        (r#""config":CONFIG},"layers":[LAYER}]"#, "schemaVersion: missing"),
        (r#""schemaVersion":1,"config":CONFIG},"layers":[LAYER}]"#, "schemaVersion: not 2"),
        (
            r#""schemaVersion":"2","config":CONFIG},"layers":[LAYER}]"#,
            "schemaVersion: not a number",
        ),
        (r#""schemaVersion":2,"layers":[LAYER}]"#, "config: missing"),
        (r#""schemaVersion":2,"config":[],"layers":[LAYER}]"#, "config: not an object"),
        (r#""schemaVersion":2,"config":CONFIG},"layers":{}"#, "layers: not an array"),
        (
            r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER}],"layers":[]"#,
            "layers: given twice",
        ),
        (
            r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER}],"manifests":[]"#,
            "manifests: does not belong",
        ),
        (
            r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER,"size":5}]"#,
            "layers[0].size: given twice",
        ),
        (
            r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER},{}]"#,
            "layers[1].mediaType: missing",
        ),
        (r#""schemaVersion":2,"config":CONFIG},"layers":[LAYER},null]"#, "layers[1]: not a"),
        (
            r#""schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","config":CONFIG},"layers":[LAYER}]"#,
            "mediaType: application/vnd.oci.image.index.v1+json, where application/vnd.oci.image.manifest.v1+json",
        ),
    ] {
        manifest(fields, &[why]);
    }
}

#[test]
fn a_descriptor_is_read_strictly() {
    let digest = digest_of(b"").to_string();
    let upper = digest.to_uppercase().replace("SHA", "sha");
    for (descriptor, why) in [
        (format!(r#""digest":"{digest}","size":-1"#), "size: negative"),
        (
            format!(r#""digest":"{digest}","size":18446744073709551616"#),
            "size: not a whole number below 2^64",
        ),
        (format!(r#""digest":"{digest}","size":1e3"#), "size: not a whole number"),
        (format!(r#""digest":"{digest}","size":"1""#), "size: not a number"),
        (format!(r#""digest":"{digest}","size":null"#), "size: missing"),
        (format!(r#""digest":"{digest}","size":9223372036854775807"#), "size mismatch"),
        (format!(r#""digest":"{upper}","size":0"#), "not lower-case hex"),
        (r#""digest":"sha256:../../../etc/passwd","size":0"#.into(), "not as long as"),
        (
            r#""digest":"md5:d41d8cd98f00b204e9800998ecf8427e","size":0"#.into(),
            "only sha256 and sha512",
        ),
        (r#""digest":"sha256:\n","size":0"#.into(), "has characters that no digest has"),
        (r#""digest":7,"size":0"#.into(), "digest: not a string"),
        (r#""size":0"#.into(), "digest: missing"),
    ] {
        let layout = Layout::new();
        layout.index(&[format!(r#"{{"mediaType":"{MANIFEST}",{descriptor}}}"#)]);
        layout.hollow_blob(&digest, 0);
        error_has(layout.only(), &[why]);
    }
    let layout = Layout::new();
    layout.index(&[
        plain(&layout.image("a", "amd64")),
        format!(r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":-5}}"#, digest_of(b"")),
    ]);
    error_has(layout.only(), &["index.json: manifests[1].size: negative"]);
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let layout = Layout::new();
    let digest = digest_of(b"x").to_string();
    layout.hollow_blob(&digest, 100 << 20);
    layout.index(&[format!(
        r#"{{"mediaType":"{MANIFEST}","digest":"{digest}","size":{}}}"#,
        100 << 20
    )]);
    error_has(layout.only(), &["104857600 bytes, more than the 4194304 a document may have"]);
    let file = std::fs::File::create(layout.0.join("index.json")).unwrap();
    file.set_len(1 << 40).unwrap();
    error_has(layout.only(), &["index.json: 1099511627776 bytes, more than the 4194304"]);
}

#[test]
fn an_index_and_a_manifest_cannot_be_confused() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    let both =
        |extra: &str| format!(r#"{{"schemaVersion":2,"manifests":[{}]{extra}}}"#, plain(&image));
    for extra in [r#","layers":[]"#, r#","config":{}"#] {
        layout.index(&[plain(&layout.blob(INDEX, &both(extra)))]);
        error_has(
            layout.only(),
            &["index sha256:", "does not belong into a document of this kind"],
        );
        layout.file("index.json", &both(extra));
        error_has(layout.only(), &["index.json: ", "does not belong"]);
    }
    layout.file("index.json", &both(&format!(r#","mediaType":"{MANIFEST}""#)));
    error_has(layout.only(), &["index.json: mediaType"]);
    layout.file("index.json", &both(&format!(r#","mediaType":"{INDEX}""#)));
    assert_eq!(layout.only().unwrap(), "a");
    layout.index(&[plain(&layout.blob(MANIFEST, &both("")))]);
    error_has(layout.only(), &["manifests: does not belong"]);
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    layout.index(&[plain(&layout.blob(list, &both(&format!(r#","mediaType":"{INDEX}""#))))]);
    error_has(layout.only(), &["mediaType"]);
}

#[track_caller]
fn config(text: &str, parts: &[&str]) {
    let layout = Layout::new();
    let layer = layout.blob(LAYER, "layer");
    let config = layout.blob(CONFIG, text);
    let manifest = format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{layer}}}]}}"#);
    layout.index(&[plain(&layout.blob(MANIFEST, &manifest))]);
    match parts {
        [] => assert_eq!(layout.only(), Ok(String::new())),
        _ => error_has(layout.only(), &[&["config sha256:"], parts].concat()),
    }
}

#[test]
fn a_configuration_is_read_strictly() {
    let rootfs = format!(r#""rootfs":{{"type":"layers","diff_ids":["{}"]}}"#, digest_of(b""));
    let with =
        |fields: &str| format!(r#"{{"architecture":"amd64","os":"linux",{rootfs},{fields}}}"#);
    config(&with(r#""config":null,"history":null"#), &[]);
    config(
        &with(
            r#""config":{"User":null,"Env":null,"Labels":null,"Volumes":null,"Cmd":null,"Memory":0.5}"#,
        ),
        &[],
    );
    config(&with(r#""config":{"Labels":{"a":null},"Healthcheck":{"Test":[1]}}"#), &[]);
    for (fields, why) in [
        (r#""config":[]"#, "config: not an object"),
        (r#""config":{"User":0}"#, "config.User: not a string"),
        (r#""config":{"Env":{}}"#, "config.Env: not an array"),
        (r#""config":{"Env":["A=1",2]}"#, "config.Env[1]: not a string"),
        (r#""config":{"Env":["A=1"],"Env":[]}"#, "config.Env: given twice"),
        (r#""config":{"Labels":["a"]}"#, "config.Labels: not an object"),
        (r#""config":{"Labels":{"a":{"b":1}}}"#, "config.Labels.a: not a string"),
        (r#""config":{"Volumes":["/v"]}"#, "config.Volumes: not an object"),
        (r#""author":[]"#, "author: not a string"),
    ] {
        config(&with(fields), &[why]);
    }
    let empty = r#"{"architecture":"amd64","os":"linux","rootfs":"#;
    config(
        &format!(r#"{empty}{{"type":"layers","diff_ids":[]}}}}"#),
        &["diff_ids: 0 of them, the manifest has 1"],
    );
    config(&format!(r#"{empty}{{"type":"layers"}}}}"#), &["diff_ids: 0 of them"]);
    let id = digest_of(b"");
    config(
        &format!(r#"{empty}{{"type":"layers","diff_ids":["{id}","{id}"]}}}}"#),
        &["2 of them, the manifest has 1"],
    );
    config(
        &format!(r#"{empty}{{"type":"layers","diff_ids":["sha256:"]}}}}"#),
        &["rootfs.diff_ids[0]: digest"],
    );
    config(
        &format!(r#"{empty}{{"type":"tree","diff_ids":["{id}"]}}}}"#),
        &["rootfs.type: not layers"],
    );
    config(&format!("{empty}null}}"), &["rootfs: missing"]);
    config(&format!(r#"{{"os":"linux",{rootfs}}}"#), &["architecture: missing"]);
    config(&format!(r#"{{"architecture":"amd64",{rootfs}}}"#), &["os: missing"]);
    config("[]", &["not an object"]);
    config("", &["the document ends early"]);
}

#[test]
fn an_image_that_is_for_nothing_is_for_no_machine() {
    let layout = Layout::new();
    let config = format!(
        r#"{{"architecture":"","os":"","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
        digest_of(b"")
    );
    let (layer, config) = (layout.blob(LAYER, "layer"), layout.blob(CONFIG, &config));
    let manifest = format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{layer}}}]}}"#);
    layout.index(&[plain(&layout.blob(MANIFEST, &manifest))]);
    error_has(
        layout.only(),
        &["wrong architecture: the image is for -, this machine is linux/amd64"],
    );
}

#[test]
fn layers_must_be_there_and_readable() {
    let layer = |media_type: &str, remove: bool| {
        let layout = Layout::new();
        let layers = [LAYER, media_type].map(|kind| layout.blob(kind, kind) + "}");
        let id = digest_of(b"");
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{id}","{id}"]}}}}"#
        );
        let config = layout.blob(CONFIG, &config);
        let manifest =
            format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{}]}}"#, layers.join(","));
        layout.index(&[plain(&layout.blob(MANIFEST, &manifest))]);
        if remove {
            std::fs::remove_file(layout.blob_path(&digest_of(media_type.as_bytes()))).unwrap();
        }
        layout.only()
    };
    for known in [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.docker.image.rootfs.diff.tar.zstd",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.docker.image.rootfs.diff.tar.gzip",
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.tar+gzip",
        "application/vnd.oci.image.rootfs.tar.gzip",
    ] {
        assert_eq!(layer(known, false), Ok(String::new()), "{known}");
    }
    let oci = "application/vnd.oci.image.layer.v1.tar";
    error_has(
        layer(&format!("{oci}+gzip+encrypted"), false),
        &["layers[1]", "the layer is encrypted"],
    );
    error_has(layer(&format!("{oci}+xz"), false), &["layers[1]", "unknown compression"]);
    error_has(
        layer("application/vnd.cncf.helm.chart.content.v1.tar+gzip", false),
        &["helm", "not a layer"],
    );
    error_has(layer(oci, true), &["layer 2 of 2: blob sha256:", "missing"]);
    let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
    error_has(layer(foreign, true), &["layer 2 of 2: a foreign layer", "missing"]);
}

#[test]
fn layers_have_a_limit() {
    let layout = Layout::new();
    let layers = vec![layout.blob(LAYER, "layer") + "}"; 1025].join(",");
    let config = layout.blob(CONFIG, "{}");
    layout.index(&[plain(&layout.blob(
        MANIFEST,
        &format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{layers}]}}"#),
    ))]);
    error_has(layout.only(), &["layers: more than 1024 layers"]);
}

#[test]
fn the_layout_file_is_checked() {
    let layout = Layout::new();
    layout.index(&[plain(&layout.image("a", "amd64"))]);
    for (text, why) in [
        ("", "ends early"),
        ("[]", "not an object"),
        ("{}", "imageLayoutVersion: missing"),
        (r#"{"imageLayoutVersion":1}"#, "imageLayoutVersion: not a string"),
        (r#"{"imageLayoutVersion":"2.0.0"}"#, "version 2.0.0 is not supported"),
        (&" ".repeat(5000), "5000 bytes, more than the 4096"),
    ] {
        layout.file("oci-layout", text);
        error_has(layout.only(), &["oci-layout: ", why]);
    }
    layout.file("oci-layout", r#"{"imageLayoutVersion": "1.0.0", "more": 1} "#);
    assert_eq!(layout.only().unwrap(), "a");
    std::fs::remove_file(layout.0.join("oci-layout")).unwrap();
    error_has(layout.only(), &["oci-layout: missing: not an OCI image layout"]);
}

#[test]
fn a_name_in_a_layout_cannot_lead_out_of_it() {
    use std::os::unix::fs::symlink;
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    let outside = Layout::new();
    outside.index(&[plain(&image)]);
    symlink(outside.0.join("index.json"), layout.0.join("index.json")).unwrap();
    error_has(layout.only(), &["index.json: leads out of the layout"]);
    std::fs::remove_file(layout.0.join("index.json")).unwrap();
    symlink("../../../../../../etc/passwd", layout.0.join("index.json")).unwrap();
    error_has(layout.only(), &["index.json: leads out of the layout"]);
    std::fs::remove_file(layout.0.join("index.json")).unwrap();
    std::fs::create_dir(layout.0.join("index.json")).unwrap();
    error_has(layout.only(), &["index.json: not a regular file"]);
    std::fs::remove_dir(layout.0.join("index.json")).unwrap();
    // Inside it a link is a file like any other.
    layout.file("real.json", &index(&[plain(&image)]));
    symlink("real.json", layout.0.join("index.json")).unwrap();
    assert_eq!(layout.only().unwrap(), "a");
}

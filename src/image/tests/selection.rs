//! Which image is chosen.

use super::*;

#[test]
fn a_tag_chooses_and_without_one_there_must_be_one_image() {
    let layout = Layout::new();
    let (a, b) = (layout.image("a", "amd64"), layout.image("b", "amd64"));
    layout.index(&[tagged(&a, "v1"), tagged(&b, "docker.io/x:5000/y@z+1")]);
    assert_eq!(layout.tag("v1").unwrap(), "a");
    assert_eq!(layout.tag("docker.io/x:5000/y@z+1").unwrap(), "b");
    error_has(layout.only(), &["several images", "v1, docker.io/x:5000/y@z+1"]);
    error_has(layout.tag("v3"), &["no tag \"v3\"", "there is: v1, docker.io/x:5000/y@z+1"]);
    error_has(layout.tag("V1"), &["no tag"]);

    layout.index(&[tagged(&a, "v1"), tagged(&a, "latest")]);
    assert_eq!(layout.only().unwrap(), "a");
    layout.index(&[plain(&a)]);
    assert_eq!(layout.only().unwrap(), "a");
    error_has(layout.tag("v1"), &["no tag \"v1\"", "have no tags"]);
    layout.index(&[plain(&a), tagged(&b, "b")]);
    error_has(layout.only(), &["several images"]);
    layout.index(&[plain(&a), plain(&b)]);
    error_has(layout.only(), &["names two images", &digest_in(&a), &digest_in(&b)]);
    layout.index(&[]);
    error_has(layout.only(), &["the layout holds no image"]);
    error_has(layout.tag("v1"), &["no tag \"v1\""]);
}

#[test]
fn a_long_list_of_tags_is_cut_and_counted() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    layout.index(&(0..1000).map(|n| tagged(&image, &format!("tag-{n:03}"))).collect::<Vec<_>>());
    error_has(layout.tag("x"), &["tag-000, tag-001", " more"]);
    assert_eq!(layout.only().unwrap(), "a");
    layout.index(&[tagged(&image, &"x".repeat(5000))]);
    error_has(layout.tag("x"), &["there is: 1 with long names"]);
    layout.index(&(0..4100).map(|n| tagged(&image, &format!("{n}"))).collect::<Vec<_>>());
    error_has(layout.only(), &["more than 4096 manifests"]);
    assert_eq!(layout.tag("4099").unwrap(), "a");
}

#[test]
fn both_keys_of_a_name_and_dockers_are_known() {
    let layout = Layout::new();
    let (a, b) = (layout.image("a", "amd64"), layout.image("b", "amd64"));
    let old = format!(r#"{a},"annotations":{{"org.opencontainers.ref.name":"old"}}}}"#);
    let docker = format!(
        r#"{b},"annotations":{{"io.containerd.image.name":"docker.io/library/b:1","org.opencontainers.image.ref.name":"1"}}}}"#
    );
    layout.index(&[old, docker]);
    assert_eq!(layout.tag("old").unwrap(), "a");
    assert_eq!(layout.tag("1").unwrap(), "b");
    assert_eq!(layout.tag("docker.io/library/b:1").unwrap(), "b");
}

#[test]
fn the_platform_chooses_and_the_first_of_equals_in_a_nested_index() {
    let layout = Layout::new();
    let [arm, a, b, v3, none] =
        [("arm", "arm64"), ("a", "amd64"), ("b", "amd64"), ("v3", "amd64"), ("none", "amd64")]
            .map(|(salt, architecture)| layout.image(salt, architecture));
    let arm64 = platform(&arm, "linux/arm64/v8") + "}";
    let windows = platform(&b, "windows/amd64") + "}";
    let (first, second) = (platform(&a, "linux/amd64") + "}", platform(&b, "linux/amd64") + "}");
    let v3 = platform(&v3, "linux/amd64/v3") + "}";
    let none = plain(&none);
    for (manifests, chosen) in [
        (vec![&arm64, &first], "a"),
        (vec![&windows, &first, &second], "a"),
        (vec![&v3, &second, &first], "b"),
        (vec![&arm64, &v3], "v3"),
        (vec![&none, &v3], "v3"),
        (vec![&none, &arm64], "none"),
    ] {
        let manifests: Vec<String> = manifests.into_iter().cloned().collect();
        layout.index(&[tagged(&layout.nested(&manifests), "multi")]);
        assert_eq!(layout.tag("multi").unwrap(), chosen);
        assert_eq!(layout.only().unwrap(), chosen);
        layout.index(&manifests);
        if chosen != "a" && chosen != "b" {
            assert_eq!(layout.only().unwrap(), chosen);
        }
    }
    layout.index(&[tagged(&layout.nested(&[arm64.clone(), windows.clone()]), "multi")]);
    let both = "linux/arm64/v8, windows/amd64, this machine is linux/amd64";
    error_has(layout.tag("multi"), &["wrong architecture", both]);
    layout.index(&[windows, arm64]);
    error_has(layout.only(), &["wrong architecture", "windows/amd64, linux/arm64/v8"]);
    // Two images of one name and one platform.
    let two = [&a, &b].map(|image| tagged(&platform(image, "linux/amd64"), "x"));
    layout.index(&two);
    error_has(
        layout.tag("x"),
        &["x names two images", &digest_in(&a), &digest_in(&b), "choose by digest"],
    );
    assert_eq!(layout.open(Some("x"), Some(&digest_in(&b))).unwrap(), "b");
    let two = [(&arm, "linux/arm64"), (&b, "linux/amd64")]
        .map(|(image, name)| tagged(&platform(image, name), "x"));
    layout.index(&two);
    assert_eq!(layout.tag("x").unwrap(), "b");
}

#[test]
fn the_configuration_says_which_machine_it_is_for() {
    let layout = Layout::new();
    let arm = layout.image("arm", "arm64");
    layout.index(&[tagged(&arm, "v1")]);
    error_has(
        layout.only(),
        &["wrong architecture: the image is for linux/arm64, this machine is linux/amd64"],
    );
    layout.index(&[platform(&arm, "linux/amd64") + "}"]);
    error_has(layout.only(), &["wrong architecture: the image is for linux/arm64"]);
    layout.index(&[platform(&arm, "linux/arm64") + "}"]);
    error_has(layout.pin(&digest_in(&arm)), &["wrong architecture: the image is for linux/arm64"]);
}

#[test]
fn a_digest_pins_the_manifest_or_an_index_that_led_to_it() {
    let layout = Layout::new();
    let (a, b, c) =
        (layout.image("a", "amd64"), layout.image("b", "amd64"), layout.image("c", "amd64"));
    let inner = layout.nested(&[plain(&b)]);
    let outer = layout.nested(&[plain(&inner)]);
    layout.index(&[tagged(&a, "a"), tagged(&outer, "b"), tagged(&c, "c")]);
    for descriptor in [&b, &inner, &outer] {
        assert_eq!(layout.pin(&digest_in(descriptor)).unwrap(), "b");
        assert_eq!(layout.open(Some("b"), Some(&digest_in(descriptor))).unwrap(), "b");
        let (wanted, found) = (digest_in(descriptor), digest_in(&a));
        error_has(layout.open(Some("a"), Some(&wanted)), &["refused", &wanted, &found]);
    }
    error_has(layout.pin(&digest_of(b"").to_string()), &["refused"]);
    error_has(layout.open(Some("x"), Some(&digest_in(&a))), &["no tag \"x\""]);
    // A second manifest of a nested index, which is not the first of its platform.
    let both = layout.nested(&[plain(&a), plain(&b)]);
    layout.index(&[plain(&both)]);
    assert_eq!(layout.pin(&digest_in(&b)).unwrap(), "b");
    assert_eq!(layout.pin(&digest_in(&both)).unwrap(), "a");
    // A missing document elsewhere does not matter to a wanted digest.
    layout.index(&[tagged(&both, "both"), tagged(&a, "a")]);
    std::fs::remove_file(layout.blob_path(&Digest::parse(&digest_in(&both)).unwrap())).unwrap();
    assert_eq!(layout.pin(&digest_in(&a)).unwrap(), "a");
    error_has(layout.tag("both"), &["index sha256:", "missing"]);
}

#[test]
fn what_is_no_image_is_left_out() {
    let layout = Layout::new();
    let image = layout.image("a", "amd64");
    let other = layout.image("attestation", "amd64");
    let attestation = platform(&other, "unknown/unknown") + "}";
    let reference = format!(
        r#"{other},"annotations":{{"vnd.docker.reference.type":"attestation-manifest"}}}}"#
    );
    let typed = format!(r#"{other},"artifactType":"application/x.sbom"}}"#);
    let unknown = layout.blob("application/x.unknown+json", "{}") + "}";
    let layer = layout.blob(LAYER, "not a manifest") + "}";
    let empty = layout.blob("application/vnd.oci.empty.v1+json", "{}");
    let artifact =
        layout.blob(MANIFEST, &format!(r#"{{"schemaVersion":2,"config":{empty}}},"layers":[]}}"#));
    let nested = layout.nested(&[
        attestation.clone(),
        reference.clone(),
        typed.clone(),
        unknown.clone(),
        layer,
        plain(&artifact),
        plain(&image),
    ]);
    layout.index(&[tagged(&nested, "v1")]);
    assert_eq!(layout.only().unwrap(), "a");
    layout.index(&[
        unknown.clone(),
        attestation,
        tagged(&image, "v1"),
        reference,
        tagged(&artifact, "signature"),
    ]);
    assert_eq!(layout.only().unwrap(), "a");
    error_has(
        layout.tag("signature"),
        &["manifest sha256:", "an artifact", "application/vnd.oci.empty.v1+json"],
    );
    layout.index(&[unknown, typed]);
    error_has(layout.only(), &["no image, only application/x.unknown+json, application/x.sbom"]);
}

#[test]
fn indexes_nest_so_deep_and_so_large() {
    let layout = Layout::new();
    let mut descriptor = layout.image("a", "amd64");
    for depth in 0..6 {
        layout.index(&[plain(&descriptor)]);
        match depth {
            0..=4 => assert_eq!(layout.only().unwrap(), "a", "{depth}"),
            _ => error_has(layout.only(), &["nested deeper than 4 indexes"]),
        }
        descriptor = layout.nested(&[plain(&descriptor)]);
    }
    // Each names the next a thousand times: by depth alone that would be 10^12 documents.
    let mut descriptor = layout.nested(&[]);
    for _ in 0..3 {
        descriptor = layout.nested(&vec![plain(&descriptor); 900]);
    }
    layout.index(&[plain(&descriptor)]);
    let start = std::time::Instant::now();
    error_has(layout.only(), &["more than"]);
    assert!(start.elapsed().as_secs() < 60);
}

#[test]
fn a_layout_of_2016_has_a_file_for_each_tag() {
    let layout = Layout::new();
    error_has(layout.only(), &["neither index.json nor refs"]);
    std::fs::create_dir(layout.0.join("refs")).unwrap();
    error_has(layout.only(), &["the layout holds no image"]);
    let (a, b) = (layout.image("a", "amd64"), layout.image("b", "amd64"));
    layout.file("refs/v1.0", &plain(&a));
    assert_eq!(layout.only().unwrap(), "a");
    let list = "application/vnd.oci.image.manifest.list.v1+json";
    let nested = layout.blob(list, &index(&[platform(&b, "linux/amd64") + "}"]));
    layout.file("refs/v2", &plain(&nested).replace("mediaType", "mediatype"));
    layout.file("refs/.hidden", "not a descriptor");
    assert_eq!(layout.tag("v1.0").unwrap(), "a");
    assert_eq!(layout.tag("v2").unwrap(), "b");
    error_has(layout.only(), &["several images", "v1.0", "v2"]);
    error_has(layout.tag("../index.json"), &["no tag"]);
    layout.file("refs/v3", "{");
    assert_eq!(layout.tag("v1.0").unwrap(), "a");
    error_has(layout.tag("v3"), &["refs v3: invalid JSON at byte 1: the document ends early"]);
    std::fs::remove_file(layout.0.join("refs/v3")).unwrap();
    // If index.json exists, refs/ is ignored.
    layout.index(&[tagged(&b, "b")]);
    assert_eq!(layout.only().unwrap(), "b");
}

#[test]
fn what_nobody_asks_for_may_be_anything() {
    let layout = Layout::new();
    let image = platform(&layout.image("a", "amd64"), "linux/amd64") + "}";
    let strange = r#""digest":"blake3:00","size":1"#;
    let arm = format!(
        r#"{{"mediaType":"{MANIFEST}",{strange},"platform":{{"os":"linux","architecture":"arm64"}}}}"#
    );
    let unknown = format!(r#"{{"mediaType":"application/x",{strange}}}"#);
    let tag = format!(
        r#"{{"mediaType":"{MANIFEST}",{strange},"annotations":{{"org.opencontainers.image.ref.name":"other"}}}}"#
    );
    layout.index(&[tagged(&layout.nested(&[arm, unknown.clone(), image]), "v1"), unknown, tag]);
    assert_eq!(layout.tag("v1").unwrap(), "a");
    error_has(
        layout.tag("other"),
        &["index.json: manifests[2]: digest \"blake3:00\"", "only sha256 and sha512"],
    );
}

#[test]
fn artifacts_cost_a_bounded_time() {
    let layout = Layout::new();
    let empty = layout.blob("application/vnd.oci.empty.v1+json", "{}");
    let padding = " ".repeat(1_000_000);
    let artifact = layout.blob(
        MANIFEST,
        &format!(r#"{{"schemaVersion":2,"config":{empty}}},"layers":[]}}{padding}"#),
    );
    let leaf = layout.nested(&vec![plain(&artifact); 1000]);
    layout.index(&[plain(&layout.nested(&vec![plain(&leaf); 20]))]);
    let start = std::time::Instant::now();
    error_has(layout.only(), &["bytes of indexes and manifests to search"]);
    assert!(start.elapsed().as_secs() < 30);
}

#[test]
fn a_platform_that_is_wanted_is_taken_or_missed() {
    let layout = Layout::new();
    let names = ["linux/amd64", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7", "windows/amd64"];
    let image = |name: &&str| {
        let (os, rest) = name.split_once('/').unwrap();
        let (architecture, _) = rest.split_once('/').unwrap_or((rest, ""));
        let text = layout.image(name, architecture);
        match os {
            "linux" => plain(&platform(&text, name)),
            _ => plain(&platform(&layout.image_for(name, os, architecture), name)),
        }
    };
    let inner = layout.nested(&names.iter().map(image).collect::<Vec<_>>());
    layout.index(&[tagged(&inner, "multi")]);
    let store = Store::open_directory(layout.dir()).unwrap();
    let wants = |os, architecture, variant| {
        let target = Target { os, architecture, variant };
        summary(&store, &Wanted { platform: target, ..Wanted::default() })
    };
    for ((os, architecture, variant), author) in [
        (("linux", "amd64", ""), "linux/amd64"),
        (("linux", "amd64", "v3"), "linux/amd64"),
        (("linux", "arm64", ""), "linux/arm64/v8"),
        (("linux", "arm", ""), "linux/arm/v7"),
        (("linux", "arm", "v6"), "linux/arm/v6"),
        (("windows", "amd64", ""), "windows/amd64"),
    ] {
        assert_eq!(wants(os, architecture, variant).unwrap(), author);
    }
    error_has(
        wants("linux", "arm", "v5"),
        &[
            "the image is for linux/amd64, linux/arm64/v8, linux/arm/v6, linux/arm/v7, windows/amd64, wanted is linux/arm/v5",
        ],
    );
    // An index without platforms: the configuration decides.
    layout.index(&[plain(&layout.image("plain", "arm64"))]);
    let store = Store::open_directory(layout.dir()).unwrap();
    let arm = Target { os: "linux", architecture: "arm64", variant: "" };
    assert_eq!(summary(&store, &Wanted { platform: arm, ..Wanted::default() }).unwrap(), "plain");
    error_has(layout.only(), &["the image is for linux/arm64, this machine is linux/amd64"]);
}

#[test]
fn a_place_in_the_index_chooses() {
    let layout = Layout::new();
    layout.index(&[
        tagged(&layout.image("a", "amd64"), "x"),
        tagged(&layout.image("b", "amd64"), "x"),
    ]);
    let store = Store::open_directory(layout.dir()).unwrap();
    let at = |index| summary(&store, &Wanted { index: Some(index), ..Wanted::default() });
    assert_eq!((at(0).unwrap(), at(1).unwrap()), ("a".into(), "b".into()));
    error_has(at(2), &["no image @2 in index.json"]);
}

#[test]
fn docker_25_has_the_whole_name_beside_the_tag() {
    let layout = Layout::new();
    let notes = r#","annotations":{"io.containerd.image.name":"docker.io/library/busybox:1.36","org.opencontainers.image.ref.name":"1.36"}}"#;
    layout
        .index(&[layout.image("a", "amd64") + notes, tagged(&layout.image("b", "amd64"), "other")]);
    for name in ["1.36", "busybox:1.36", "docker.io/library/busybox:1.36"] {
        assert_eq!(layout.tag(name).unwrap(), "a", "{name}");
    }
    error_has(layout.tag("busybox"), &["no tag \"busybox\""]);
}

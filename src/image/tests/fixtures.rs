//! Documents as umoci 0.4.7, buildah 1.28 and skopeo 1.9 wrote them, byte for byte.

use super::*;

const UMOCI_INDEX: &str = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:7c225e1a7765950ea3f87959c47f0d4ad6679dc03b3ce57b31bc9eccee457890","size":192,"annotations":{"org.opencontainers.image.ref.name":"empty"}},{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:15881f2b3668dbdc932ab5aee022545a2877935565c5bbacaaa941aa7e66fc06","size":347,"annotations":{"org.opencontainers.image.ref.name":"two"}}]}
"#;
const UMOCI_EMPTY: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:acb809a0d105c978cbe42b415f4835a9da66f52a1969179e3797ca824db95fb9","size":134},"layers":[]}
"#;
const UMOCI_EMPTY_CONFIG: &str = r#"{"created":"2026-11-24T03:03:05.032865667Z","architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":[]}}
"#;
const UMOCI_TWO: &str = r#"{"schemaVersion":2,"config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:56a68f81846c5c60103049b83bf626b0f13d5e4c1d7911855790388b5dbde7d6","size":468},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:3a8a53107d4d5f1f1db32525559f225bd4f9115d6e1194f82b8f269345ca35ec","size":15194}]}
"#;
const UMOCI_TWO_CONFIG: &str = r#"{"created":"2026-11-24T03:03:05.032865667Z","architecture":"amd64","os":"linux","config":{"User":"1000:1000","Env":["A=\"q\\uote\""],"Cmd":["/bin/sh"],"Labels":{"a":"é😀"}},"rootfs":{"type":"layers","diff_ids":["sha256:53a0e51ce5b58a0b1e8807eb17b7209d54352cecf0ac2e9059ff7844d537b663"]},"history":[{"created":"2026-11-24T03:03:05.060829295Z","created_by":"umoci repack"},{"created":"2026-11-24T03:03:05.067966092Z","created_by":"umoci config","empty_layer":true}]}
"#;

const BUILDAH_INDEX: &str = r#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:1a2ef521ac05820bc6779c792633cec000bbbddf368554e6718f87b03b7a4dfb","size":496,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}"#;
const BUILDAH_MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:14c1b9a19e4874e3ea0c1a0f62cdfa75ff76bfd9f4d4e436b6e7940e58b4de18","size":466},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:a42aeb9253a7b33febb67b321b38871681db5af3dfecb0b62b597318590889a3","size":39424}],"annotations":{"org.opencontainers.image.base.digest":"","org.opencontainers.image.base.name":""}}"#;
const BUILDAH_CONFIG: &str = r#"{"created":"2026-11-24T03:03:05.292149085Z","architecture":"amd64","os":"linux","config":{"ExposedPorts":{"80/tcp":{}},"Env":["B=1"],"Entrypoint":["/bin/sh"],"Cmd":["x"],"Volumes":{"/v":{}},"WorkingDir":"/w","Labels":{"io.buildah.version":"1.28.2"},"StopSignal":"SIGQUIT"},"rootfs":{"type":"layers","diff_ids":["sha256:a42aeb9253a7b33febb67b321b38871681db5af3dfecb0b62b597318590889a3"]},"history":[{"created":"2026-11-24T03:03:05.29303994Z","created_by":"/bin/sh"}]}"#;

const DOCKER_MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.docker.distribution.manifest.v2+json","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":1097,"digest":"sha256:94e5d3230713c4bac0d53510c7cd0c8bc725d72b801f3d3044e0fc9255b76bc0"},"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar","size":39424,"digest":"sha256:a42aeb9253a7b33febb67b321b38871681db5af3dfecb0b62b597318590889a3"}]}"#;
const DOCKER_CONFIG: &str = r#"{"created":"2026-11-24T03:03:05.312521756Z","container":"1482ae5cc296ff09f60e59948942aab7d048c7d541df4d461a88956bc60b8156","container_config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["B=1"],"Cmd":["x"],"Image":"","Volumes":{"/v":{}},"WorkingDir":"/w","Entrypoint":["/bin/sh"],"OnBuild":[],"Labels":{"io.buildah.version":"1.28.2"},"StopSignal":"SIGQUIT"},"config":{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"ExposedPorts":{"80/tcp":{}},"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":["B=1"],"Cmd":["x"],"Image":"","Volumes":{"/v":{}},"WorkingDir":"/w","Entrypoint":["/bin/sh"],"OnBuild":[],"Labels":{"io.buildah.version":"1.28.2"},"StopSignal":"SIGQUIT"},"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:a42aeb9253a7b33febb67b321b38871681db5af3dfecb0b62b597318590889a3"]},"history":[{"created":"2026-11-24T03:03:05.313565143Z","created_by":"/bin/sh"}]}"#;

const DIFF_ID: &str = "sha256:a42aeb9253a7b33febb67b321b38871681db5af3dfecb0b62b597318590889a3";

fn strings<'m>(list: impl Iterator<Item = crate::codec::json::Text<'m>>) -> Vec<String> {
    list.map(|text| text.to_string()).collect()
}

#[test]
fn umoci() {
    let layout = Layout::new();
    layout.file("index.json", UMOCI_INDEX);
    for text in [UMOCI_EMPTY, UMOCI_EMPTY_CONFIG, UMOCI_TWO, UMOCI_TWO_CONFIG] {
        layout.blob("", text);
    }
    layout.hollow_blob(
        "sha256:3a8a53107d4d5f1f1db32525559f225bd4f9115d6e1194f82b8f269345ca35ec",
        15194,
    );
    let store = Store::open_directory(layout.dir()).unwrap();
    let mut memory = lock(&MEMORY);
    let image =
        open(&store, &Wanted { reference: Some("two"), ..Wanted::default() }, &mut memory).unwrap();
    assert_eq!(image.manifest.to_string(), digest_of(UMOCI_TWO.as_bytes()).to_string());
    let config = &image.config;
    assert!(
        config.architecture() == "amd64"
            && config.os() == "linux"
            && config.user().unwrap() == "1000:1000"
    );
    assert_eq!(strings(config.env()), ["A=\"q\\uote\""]);
    assert_eq!(strings(config.cmd()), ["/bin/sh"]);
    assert!(strings(config.entrypoint()).is_empty());
    assert!(
        config.working_dir().is_none()
            && config.stop_signal().is_none()
            && config.hostname().is_none()
    );
    let labels: Vec<_> = config.labels().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(labels, ["a=é😀"]);
    let [layer] = image.layers else { panic!("{:?}", image.layers) };
    assert_eq!((layer.size, layer.compression), (15194, crate::image::Compression::Gzip));
    assert!(layer.diff_id.to_string().starts_with("sha256:53a0e51c"));
    let image =
        open(&store, &Wanted { reference: Some("empty"), ..Wanted::default() }, &mut memory)
            .unwrap();
    assert!(image.layers.is_empty() && image.config.env().next().is_none());
}

fn buildah_layout() -> Layout {
    let layout = Layout::new();
    layout.file("index.json", BUILDAH_INDEX);
    layout.blob("", BUILDAH_MANIFEST);
    layout.blob("", BUILDAH_CONFIG);
    layout.hollow_blob(DIFF_ID, 39424);
    layout
}

#[test]
fn buildah() {
    let layout = buildah_layout();
    let store = Store::open_directory(layout.dir()).unwrap();
    let mut memory = lock(&MEMORY);
    let image = open(&store, &Wanted::default(), &mut memory).unwrap();
    let config = &image.config;
    assert_eq!(strings(config.env()), ["B=1"]);
    assert_eq!(strings(config.entrypoint()), ["/bin/sh"]);
    assert_eq!(strings(config.cmd()), ["x"]);
    assert_eq!(strings(config.volumes()), ["/v"]);
    assert_eq!(strings(config.exposed_ports()), ["80/tcp"]);
    assert!(config.working_dir().unwrap() == "/w" && config.stop_signal().unwrap() == "SIGQUIT");
    assert!(
        config.created().unwrap() == "2026-11-24T03:03:05.292149085Z" && config.author().is_none()
    );
    assert_eq!(image.layers[0].compression, crate::image::Compression::None);
    assert_eq!(image.layers[0].diff_id.to_string(), DIFF_ID);
}

#[test]
fn docker_schema_2() {
    let layout = Layout::new();
    let media_type = "application/vnd.docker.distribution.manifest.v2+json";
    layout.index(&[plain(&layout.blob(media_type, DOCKER_MANIFEST))]);
    layout.blob("", DOCKER_CONFIG);
    layout.hollow_blob(DIFF_ID, 39424);
    let store = Store::open_directory(layout.dir()).unwrap();
    let mut memory = lock(&MEMORY);
    let image = open(&store, &Wanted::default(), &mut memory).unwrap();
    assert!(image.config.hostname().is_none() && image.config.stop_signal().unwrap() == "SIGQUIT");
    assert_eq!(strings(image.config.entrypoint()), ["/bin/sh"]);
}

#[test]
fn every_prefix_of_a_document_is_an_error() {
    let layout = buildah_layout();
    assert!(layout.only().is_ok());
    for length in 0..BUILDAH_INDEX.len() {
        layout.file("index.json", &BUILDAH_INDEX[..length]);
        error_has(layout.only(), &["index.json: invalid JSON at byte", "ends early"]);
    }
    let manifest = |text: &str| {
        layout.index(&[plain(&layout.blob(MANIFEST, text))]);
        layout.only()
    };
    for length in 0..BUILDAH_MANIFEST.len() {
        error_has(
            manifest(&BUILDAH_MANIFEST[..length]),
            &["manifest sha256:", "invalid JSON at byte", "ends early"],
        );
    }
    let descriptor =
        BUILDAH_MANIFEST.split(",\"layers\"").next().unwrap().split("\"config\":").nth(1).unwrap();
    for length in 0..BUILDAH_CONFIG.len() {
        let config = layout.blob(CONFIG, &BUILDAH_CONFIG[..length]) + "}";
        let result = manifest(&BUILDAH_MANIFEST.replace(descriptor, &config));
        error_has(result, &["config sha256:", "invalid JSON at byte", "ends early"]);
    }
}

#[test]
fn bytes_that_change_under_a_digest_are_refused() {
    let layout = buildah_layout();
    let digest = digest_of(BUILDAH_CONFIG.as_bytes());
    std::fs::write(layout.blob_path(&digest), BUILDAH_CONFIG.replace("SIGQUIT", "SIGKILL"))
        .unwrap();
    error_has(layout.only(), &["config sha256:14c1b9a1", "digest mismatch"]);
    std::fs::write(layout.blob_path(&digest), BUILDAH_CONFIG.replace("SIGQUIT", "SIGTERMS"))
        .unwrap();
    error_has(
        layout.only(),
        &["config sha256:14c1b9a1", "size mismatch: expected 466 bytes, found 467"],
    );
    std::fs::remove_file(layout.blob_path(&digest)).unwrap();
    error_has(layout.only(), &["config sha256:14c1b9a1", "missing"]);
}

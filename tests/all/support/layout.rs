//! An OCI layout written by hand, so that a test can write one that no tool would.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest as _, Sha256};

/// Media type of a manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Media type of an index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A layout directory being filled; `index.json` is written by [`Layout::write_index`].
pub struct Layout {
    pub directory: PathBuf,
    /// Descriptors of `index.json`, as JSON text.
    pub entries: Vec<String>,
}

/// A stored blob: what a descriptor says of it.
#[derive(Clone, Debug)]
pub struct Blob {
    pub digest: String,
    pub size: u64,
}

impl Blob {
    /// A descriptor with more members behind it: `descriptor(MANIFEST, r#","platform":{…}"#)`.
    pub fn descriptor(&self, media_type: &str, more: &str) -> String {
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{}","size":{}{more}}}"#,
            self.digest, self.size
        )
    }
}

/// `,"annotations":{"org.opencontainers.image.ref.name":"tag"}`
pub fn tagged(tag: &str) -> String {
    format!(r#","annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}"#)
}

/// `,"platform":{"architecture":"amd64","os":"linux"}`
pub fn platform(architecture: &str, os: &str) -> String {
    format!(r#","platform":{{"architecture":"{architecture}","os":"{os}"}}"#)
}

/// `sha256:` and the digest of `bytes`.
pub fn sha256(bytes: &[u8]) -> String {
    let mut text = String::from("sha256:");
    for byte in Sha256::digest(bytes) {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

/// `bytes` as gzip, the same bytes in every run.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    filter(Command::new("gzip").args(["-n", "-c", "-6"]), bytes)
}

/// `bytes` as zstd of the command line, from a pipe.
pub fn zstd(bytes: &[u8], options: &[&str]) -> Vec<u8> {
    filter(Command::new("zstd").args(["-q", "-c"]).args(options), bytes)
}

/// What a tool makes of `bytes` on its standard input.
fn filter(command: &mut Command, bytes: &[u8]) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).expect("the tool reads all"));
        let output = child.wait_with_output().expect("the tool ends");
        assert!(output.status.success(), "{command:?}: {}", output.status);
        output.stdout
    })
}

impl Layout {
    /// An empty layout in `directory`, which is made.
    pub fn create(directory: &Path) -> Layout {
        std::fs::create_dir_all(directory.join("blobs/sha256")).expect("layout directory");
        super::write(&directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#);
        Layout { directory: directory.to_path_buf(), entries: Vec::new() }
    }

    /// Stores bytes under their digest.
    pub fn blob(&self, bytes: &[u8]) -> Blob {
        let blob = Blob { digest: sha256(bytes), size: bytes.len() as u64 };
        super::write(&self.path(&blob.digest), bytes);
        blob
    }

    /// Writes a manifest with these descriptors of its configuration and its layers.
    pub fn manifest(&self, config: &str, layers: &str) -> Blob {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{config},"layers":[{layers}]}}"#
        );
        self.blob(text.as_bytes())
    }

    /// Where a blob is.
    pub fn path(&self, digest: &str) -> PathBuf {
        self.directory.join("blobs").join(digest.replace(':', "/"))
    }

    /// Writes `index.json` with what was entered.
    pub fn write_index(&self) {
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#,
            self.entries.join(",")
        );
        super::write(&self.directory.join("index.json"), text);
    }

    /// The layout as an oci-archive beside it.
    pub fn archive(&self) -> PathBuf {
        archive(&self.directory)
    }
}

/// A layout directory as an oci-archive beside it.
pub fn archive(directory: &Path) -> PathBuf {
    let file = directory.with_extension("tar");
    super::tool(
        Command::new("tar")
            .arg("-C")
            .arg(directory)
            .args(["--sort=name", "-cf"])
            .arg(&file)
            .arg("."),
    );
    file
}

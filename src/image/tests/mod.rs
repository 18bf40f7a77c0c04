//! Layouts built file by file, and how they are read.

mod archives;
mod docker;
mod documents;
mod fixtures;
mod selection;

use super::{ArchiveMemory, Form, ImageMemory, Store, Target, Wanted, open};
use crate::codec::digest::{Algorithm, Digest, Hasher};
use crate::sync::{TryGuard, TryLock};
use crate::sys::fd::Fd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

static MEMORY: TryLock<ImageMemory> = TryLock::new(ImageMemory::EMPTY);
static ARCHIVE: TryLock<ArchiveMemory> = TryLock::new(ArchiveMemory::EMPTY);

/// These memories are too large for a test's stack: tests take turns.
fn lock<T>(slot: &'static TryLock<T>) -> TryGuard<'static, T> {
    loop {
        if let Some(guard) = slot.try_lock() {
            return guard;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// A layout in a directory of its own, removed on drop.
struct Layout(PathBuf);

impl Drop for Layout {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn digest_of(bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    hasher.update(bytes);
    hasher.finish()
}

fn open_path(path: &std::path::Path) -> Fd {
    let path = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    crate::sys::fs::open(crate::sys::fd::CWD, &path, crate::sys::fs::O_RDONLY, 0).unwrap()
}

impl Layout {
    fn new() -> Layout {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "ocinit-image-{}-{}",
            std::process::id(),
            COUNT.fetch_add(1, Ordering::Relaxed)
        );
        let layout = Layout(std::env::temp_dir().join(name));
        std::fs::create_dir_all(layout.0.join("blobs/sha256")).unwrap();
        layout.file("oci-layout", r#"{"imageLayoutVersion":"1.0.0"}"#);
        layout
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.0.join(format!("blobs/sha256/{}", digest.hex()))
    }

    /// Stores a blob. Returns the start of its descriptor, to be followed by `}` or `,…}`.
    fn blob(&self, media_type: &str, text: &str) -> String {
        let digest = digest_of(text.as_bytes());
        std::fs::write(self.blob_path(&digest), text).unwrap();
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{}"#, text.len())
    }

    /// Stores a blob of zeros under a false digest: layers are not read here.
    fn hollow_blob(&self, digest: &str, size: u64) {
        let file = std::fs::File::create(self.blob_path(&Digest::parse(digest).unwrap())).unwrap();
        file.set_len(size).unwrap();
    }

    fn index(&self, descriptors: &[String]) {
        self.file("index.json", &index(descriptors));
    }

    /// Stores an image of one layer. Returns the start of its manifest's descriptor. Images of
    /// different `salt` differ.
    fn image(&self, salt: &str, architecture: &str) -> String {
        self.image_for(salt, "linux", architecture)
    }

    fn image_for(&self, salt: &str, os: &str, architecture: &str) -> String {
        let layer = self.blob(LAYER, salt);
        let config = format!(
            r#"{{"architecture":"{architecture}","os":"{os}","author":"{salt}","rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            digest_of(b"tar")
        );
        let config = self.blob(CONFIG, &config);
        self.blob(
            MANIFEST,
            &format!(r#"{{"schemaVersion":2,"config":{config}}},"layers":[{layer}}}]}}"#),
        )
    }

    fn nested(&self, descriptors: &[String]) -> String {
        self.blob(INDEX, &index(descriptors))
    }

    fn dir(&self) -> Fd {
        open_path(&self.0)
    }

    fn open(&self, reference: Option<&str>, digest: Option<&str>) -> Result<String, String> {
        let store = Store::open_directory(self.dir()).map_err(|error| error.to_string())?;
        let digest = digest.map(|text| Digest::parse(text).unwrap());
        summary(&store, &Wanted { reference, digest, ..Wanted::default() })
    }

    /// Returns the author of the tagged image: its salt.
    fn tag(&self, tag: &str) -> Result<String, String> {
        self.open(Some(tag), None)
    }

    fn only(&self) -> Result<String, String> {
        self.open(None, None)
    }

    fn pin(&self, digest: &str) -> Result<String, String> {
        self.open(None, Some(digest))
    }
}

fn summary(store: &Store<'_>, wanted: &Wanted<'_>) -> Result<String, String> {
    let mut memory = lock(&MEMORY);
    let image = open(store, wanted, &mut memory).map_err(|error| error.to_string())?;
    Ok(image.config.author().map(|text| text.to_string()).unwrap_or_default())
}

fn index(descriptors: &[String]) -> String {
    format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, descriptors.join(","))
}

/// Returns a descriptor's start, with a tag.
fn tagged(descriptor: &str, tag: &str) -> String {
    format!(r#"{descriptor},"annotations":{{"org.opencontainers.image.ref.name":"{tag}"}}}}"#)
}

/// Returns a descriptor's start, with a platform.
fn platform(descriptor: &str, platform: &str) -> String {
    let mut parts = platform.split('/');
    let (os, architecture) = (parts.next().unwrap(), parts.next().unwrap());
    let variant =
        parts.next().map(|variant| format!(r#","variant":"{variant}""#)).unwrap_or_default();
    format!(r#"{descriptor},"platform":{{"os":"{os}","architecture":"{architecture}"{variant}}}"#)
}

fn plain(descriptor: &str) -> String {
    format!("{descriptor}}}")
}

fn digest_in(descriptor: &str) -> String {
    descriptor.split('"').find(|part| part.starts_with("sha256:")).unwrap().to_string()
}

#[track_caller]
fn error_has(result: Result<String, String>, parts: &[&str]) {
    let error = result.unwrap_err();
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    assert!(!error.contains('\n') && error.len() < 1024);
}

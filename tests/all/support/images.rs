//! Images of the tests: Debian's static busybox and what a test adds.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::layout::{Blob, Layout, MANIFEST, gzip, platform, sha256, tagged, zstd};
use super::{Tar, cache, project, read, tool};

/// Media type of a layer that is a tar.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// Media type of an image's configuration.
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// One layer as a descriptor and a diff_id will claim it.
#[derive(Clone)]
pub struct Layer {
    /// The bytes that are stored.
    pub stored: Vec<u8>,
    /// They are gzip.
    pub gzip: bool,
    /// What the configuration says of the tar.
    pub diff_id: String,
}

impl Layer {
    /// The tar itself.
    pub fn plain(tar: Tar) -> Layer {
        let stored = tar.finish();
        Layer { diff_id: sha256(&stored), stored, gzip: false }
    }

    /// The tar, packed.
    pub fn gzip(tar: Tar) -> Layer {
        let tar = tar.finish();
        Layer { diff_id: sha256(&tar), stored: gzip(&tar), gzip: true }
    }

    /// The tar, packed by `zstd` with these options.
    pub fn zstd(tar: &[u8], options: &[&str]) -> Layer {
        Layer { diff_id: sha256(tar), stored: zstd(tar, options), gzip: false }
    }

    /// The end of its media type.
    fn packing(&self) -> &'static str {
        match (self.gzip, self.stored.first_chunk()) {
            (true, _) => "+gzip",
            (false, Some([0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18])) => "+zstd",
            _ => "",
        }
    }
}

/// An image being put together.
#[derive(Clone)]
pub struct Image {
    pub architecture: String,
    pub os: String,
    /// Members of the `config` object, as JSON text: `"User":"app","Cmd":["sh"]`.
    pub config: String,
    pub layers: Vec<Layer>,
}

/// A stored image: its manifest and the parts of it, for tests that damage one.
#[derive(Clone, Debug)]
pub struct Stored {
    pub manifest: Blob,
    pub config: Blob,
    pub layers: Vec<Blob>,
}

/// busybox with all its applets, `/etc/passwd`, `/etc/group` and `/tmp`; Cmd is `sh`.
pub fn busybox() -> Image {
    let tar = read(&busybox_tar_file());
    let packed = read(&cache::get("busybox.tar.gz", |place| super::write(place, gzip(&tar))));
    Image {
        architecture: "amd64".into(),
        os: "linux".into(),
        config: r#""Cmd":["sh"],"Env":["PATH=/bin"]"#.into(),
        layers: vec![Layer { diff_id: sha256(&tar), stored: packed, gzip: true }],
    }
}

/// The layer of [`busybox`], as a tar.
pub fn busybox_tar_file() -> PathBuf {
    cache::get("busybox.tar", |place| super::write(place, busybox_tar()))
}

/// Returns the static program of `support/NAME.c`.
pub fn compiled(name: &str) -> Vec<u8> {
    let source = project().join("tests/all/support").join(name).with_extension("c");
    let entry = format!("{name}-{}", sha256(&read(&source)).replace(':', "-"));
    read(&cache::get(&entry, |place| {
        let mut gcc = Command::new("gcc");
        tool(gcc.args(["-O1", "-Wall", "-Werror", "-static", "-o"]).arg(place).arg(&source));
    }))
}

/// Debian's busybox-static, unpacked and not installed.
pub fn busybox_binary() -> PathBuf {
    cache::get("busybox-deb", |place| {
        std::fs::create_dir(place).expect("cache");
        tool(
            Command::new("apt-get").args(["-qq", "download", "busybox-static"]).current_dir(place),
        );
        let package = std::fs::read_dir(place)
            .expect("cache")
            .next()
            .expect("a package")
            .expect("cache")
            .path();
        tool(Command::new("dpkg").arg("-x").arg(package).arg(place));
    })
    .join("bin/busybox")
}

fn busybox_tar() -> Vec<u8> {
    let binary = busybox_binary();
    let applets = String::from_utf8(tool(Command::new(&binary).arg("--list"))).expect("names");
    let mut tar = Tar::new()
        .directory("bin/", 0o755)
        .directory("etc/", 0o755)
        .directory("root/", 0o700)
        .directory("tmp/", 0o1777)
        .file("bin/busybox", 0o755, read(&binary))
        .file(
            "etc/passwd",
            0o644,
            "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n",
        )
        .file(
            "etc/group",
            0o644,
            "root:x:0:\napp:x:1000:\nwheel:x:10:root,app\nextra:x:2000:app\nlone:x:3000:\n",
        );
    for applet in applets.lines().filter(|applet| *applet != "busybox") {
        tar = tar.symlink(&format!("bin/{applet}"), "busybox");
    }
    tar.finish()
}

impl Image {
    /// An image of no layers and no command.
    pub fn empty() -> Image {
        Image { layers: Vec::new(), config: String::new(), ..busybox() }
    }

    /// The members of the `config` object, in place of those before.
    pub fn config(mut self, members: &str) -> Image {
        self.config = members.into();
        self
    }

    /// One layer more.
    pub fn layer(mut self, layer: Layer) -> Image {
        self.layers.push(layer);
        self
    }

    /// The image's configuration as JSON.
    pub fn config_json(&self) -> String {
        let diff_ids: Vec<String> =
            self.layers.iter().map(|layer| format!("\"{}\"", layer.diff_id)).collect();
        format!(
            r#"{{"architecture":"{}","os":"{}","config":{{{}}},"rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
            self.architecture,
            self.os,
            self.config,
            diff_ids.join(",")
        )
    }

    /// Stores it in a layout without naming it in the index.
    pub fn store(&self, layout: &Layout) -> Stored {
        let layers: Vec<Blob> =
            self.layers.iter().map(|layer| layout.blob(&layer.stored)).collect();
        let config = layout.blob(self.config_json().as_bytes());
        let manifest = layout.blob(self.manifest_json(&config, &layers).as_bytes());
        Stored { manifest, config, layers }
    }

    /// A manifest of this image with the descriptors given.
    pub fn manifest_json(&self, config: &Blob, layers: &[Blob]) -> String {
        let layers: Vec<String> = self
            .layers
            .iter()
            .zip(layers)
            .map(|(layer, blob)| blob.descriptor(&format!("{LAYER}{}", layer.packing()), ""))
            .collect();
        format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
            config.descriptor(CONFIG, ""),
            layers.join(",")
        )
    }

    /// Stores it and enters it in the index under a tag.
    pub fn add(&self, layout: &mut Layout, tag: &str) -> Stored {
        let stored = self.store(layout);
        let more = format!("{}{}", platform(&self.architecture, &self.os), tagged(tag));
        layout.entries.push(stored.manifest.descriptor(MANIFEST, &more));
        stored
    }

    /// A layout in `directory` that holds this image alone, tagged `latest`.
    pub fn write(&self, directory: &Path) -> (Layout, Stored) {
        let mut layout = Layout::create(directory);
        let stored = self.add(&mut layout, "latest");
        layout.write_index();
        (layout, stored)
    }
}

/// The layout of plain busybox, shared by the tests that need no other.
pub fn busybox_layout() -> PathBuf {
    cache::get("busybox-layout", |place| {
        busybox().write(place);
    })
}

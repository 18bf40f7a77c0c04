//! Writes one JSON object, for programs.

use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value, Writer};
use crate::engine::inspect::{Row, View};
use crate::image::{Config, Layer};
use crate::io::output::Sink;
use crate::limits::ERROR_TEXT_BYTES;
use core::fmt::Write;

/// The members of a layer's descriptor, and their names here.
static LAYER: &[(&str, &str)] = &[
    ("mediaType", "MIMEType"),
    ("digest", "Digest"),
    ("size", "Size"),
    ("annotations", "Annotations"),
];

/// The members of a configuration, or of the `config` in it, their names here, and the value for an
/// absent one.
static CONFIG: &[(&str, &str, Absent)] = &[
    ("created", "Created", Absent::Null),
    ("docker_version", "DockerVersion", Absent::Empty),
    ("Labels", "Labels", Absent::Null),
    ("architecture", "Architecture", Absent::Null),
    ("variant", "Variant", Absent::LeftOut),
    ("os", "Os", Absent::Null),
    ("Env", "Env", Absent::Null),
];

/// The value for an absent member.
enum Absent {
    Null,
    Empty,
    LeftOut,
}

/// A document in progress.
pub struct Document<'s> {
    json: Writer<'s>,
    /// Inside the list of tags, or of manifests.
    in_tags: bool,
    in_rows: bool,
}

impl<'s> Document<'s> {
    /// Returns an empty one.
    pub fn new(sink: &'s mut dyn Sink) -> Document<'s> {
        Document { json: Writer::new(sink), in_tags: false, in_rows: false }
    }

    fn digest(&mut self, key: &str, digest: &Digest) {
        self.json.key(key);
        self.digest_here(digest);
    }

    fn digest_here(&mut self, digest: &Digest) {
        let mut text: heapless::String<160> = heapless::String::new();
        let _ = write!(text, "{digest}");
        self.json.string(text.as_bytes());
    }

    /// Writes a value of another document, or null if it is absent.
    #[inline(never)]
    fn value(&mut self, key: &str, value: Option<Value<'_>>) {
        match (self.json.key(key), value) {
            (json, Some(value)) => json.value(&value),
            (json, None) => json.null(),
        }
    }

    /// Writes the size of the manifest or index; null if there is none, as in a docker-archive.
    fn document_size(&mut self, size: u64) {
        match (self.json.key("DocumentSize"), size) {
            (json, 0) => json.null(),
            (json, size) => json.number(size),
        }
    }

    /// Writes the sum of the layers' stored bytes.
    fn layers_size(&mut self, layers: &[Layer]) {
        self.json.key("LayersSize").number(layers.iter().map(|layer| layer.size).sum());
    }

    fn end_tags(&mut self) {
        if core::mem::take(&mut self.in_tags) {
            self.json.end();
        }
    }
}

impl View for Document<'_> {
    fn lists_even_one(&self) -> bool {
        true
    }

    fn begin(&mut self, name: &[u8]) {
        self.json.object();
        self.json.string_of("Name", name);
        self.json.array_of("RepoTags");
        self.in_tags = true;
    }

    fn tag(&mut self, tag: &Text<'_>) {
        self.json.text(tag);
    }

    fn manifest(&mut self, digest: &Digest, manifest: Option<(Value<'_>, u64)>) {
        self.end_tags();
        self.digest("Digest", digest);
        let Some((manifest, size)) = manifest else { return };
        self.document_size(size);
        self.json.array_of("LayersData");
        for layer in manifest.list_or_none("layers") {
            self.json.object();
            for (key, name) in LAYER {
                self.value(name, layer.member(key));
            }
            self.json.end();
        }
        self.json.end();
        self.value("Manifest", Some(manifest));
    }

    fn config(&mut self, digest: &Digest, config: &Config<'_>, layers: &[Layer]) {
        let document = config.document();
        for (key, name, absent) in CONFIG {
            // Members of the inner `config` keep their names here.
            let object = if key == name { document.member("config") } else { Some(document) };
            let value = object.and_then(|object| object.member(key));
            match absent {
                Absent::Empty if value.is_none() => self.json.key(name).string(b""),
                Absent::LeftOut if value.is_none() => {}
                _ => self.value(name, value),
            }
        }
        self.json.array_of("Layers");
        layers.iter().for_each(|layer| self.digest_here(layer.name()));
        self.json.end();
        self.layers_size(layers);
        self.digest("ConfigDigest", digest);
        self.value("Config", Some(document));
    }

    fn row(&mut self, row: &Row<'_>) {
        self.end_tags();
        if !core::mem::replace(&mut self.in_rows, true) {
            self.json.array_of("Manifests");
        }
        self.json.object();
        self.json.array_of("Tags");
        if !row.tag.is_empty() {
            self.json.text(&row.tag);
        }
        for tag in row.tags.clone() {
            self.json.text(&tag.as_string().unwrap_or(Text::EMPTY));
        }
        self.json.end();
        self.json.string_of("Kind", row.kind.as_bytes());
        match *row.digest == Digest::ZERO {
            true => self.json.key("Digest").null(),
            false => self.digest("Digest", row.digest),
        }
        if let Some(fault) = &row.fault {
            let mut text: heapless::String<ERROR_TEXT_BYTES> = heapless::String::new();
            let _ = write!(text, "{fault}");
            self.json.string_of("Error", text.as_bytes());
        }
        self.document_size(row.size);
        self.json.key("MediaType").text(&row.media_type);
        self.json.key("Os").text(&row.platform.os);
        self.json.key("Architecture").text(&row.platform.architecture);
        self.json.key("Variant").text(&row.platform.variant);
        self.json.key("Created").text(&row.created);
        self.json.key("Layers").number(row.layers.len() as u64);
        self.layers_size(row.layers);
        self.json.end();
    }

    fn end(&mut self) {
        self.end_tags();
        if self.in_rows {
            self.json.end();
        }
        self.json.end();
    }
}

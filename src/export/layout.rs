//! Layouts (image-layout.md): unchanged blobs, and an `index.json` that names the copy.

use super::{Descriptor, Target, copy_layer, hash_blob, put, quoted};
use crate::codec::digest::{Algorithm, Digest};
use crate::codec::json::{Items, Text, Value};
use crate::image::{self, Blob, Compression, Document, Image, ImageMemory, Layer, Part, Store};
use crate::io::observer::Observer;
use crate::io::output::Sink;
use crate::limits::{LAYERS_MAX, REGISTRY_BLOBS_AHEAD};
use crate::rootfs::UnpackMemory;
use crate::{Context, Result};
use core::fmt::{self, Display};

const TAG: &str = "org.opencontainers.image.ref.name";

/// A part that waits for its turn.
struct Waiting {
    digest: Digest,
    size: u64,
    layer: Option<(usize, usize)>,
}

/// Copies a manifest or an index of a layout, and all beneath it, byte for byte. It verifies each
/// blob's digest. A registry is asked for the next blobs meanwhile.
pub fn copy_parts(
    store: &Store<'_>,
    top: &Blob,
    memory: &mut ImageMemory,
    watch: &dyn Observer,
    target: &mut Target<'_>,
) -> Result<()> {
    let mut queue: heapless::Deque<Waiting, { REGISTRY_BLOBS_AHEAD + 1 }> = heapless::Deque::new();
    image::parts(store, top, memory, &mut |Part { digest, size, layer }| {
        if store.blobs_ahead() > 0 && !target.has(digest, size)? {
            store.ask_ahead(digest, size)?;
        }
        let _ = queue.push_back(Waiting { digest: *digest, size, layer });
        match queue.len() > store.blobs_ahead() {
            true => copy_first(store, &mut queue, watch, target),
            false => Ok(()),
        }
    })?;
    while !queue.is_empty() {
        copy_first(store, &mut queue, watch, target)?;
    }
    Ok(())
}

/// Copies the first part of the queue.
fn copy_first<const N: usize>(
    store: &Store<'_>,
    queue: &mut heapless::Deque<Waiting, N>,
    watch: &dyn Observer,
    target: &mut Target<'_>,
) -> Result<()> {
    let Some(Waiting { digest, size, layer }) = queue.pop_front() else { return Ok(()) };
    if let Some((n, count)) = layer {
        watch.layer(n, count, size);
    }
    let copied = store.blob(&digest, size).and_then(|blob| target.copy_blob(&blob, &digest, watch));
    copied.map_err(|error| match layer {
        Some((n, count)) => error.within(format_args!("layer {n} of {count} {digest}")),
        None => error.within(format_args!("blob {digest}")),
    })
}

/// Copies an image without a manifest, and makes one. The same image gives the same manifest.
pub fn layout_of_docker(
    store: &Store<'_>,
    image: &Image<'_>,
    watch: &dyn Observer,
    target: &mut Target<'_>,
    unpack: &mut UnpackMemory,
) -> Result<Blob> {
    target.copy_blob(&store.config(image)?, &image.id.digest, watch).doing("config")?;
    let mut layers = [Layer::blob(Digest::ZERO, 0); LAYERS_MAX];
    for (n, (layer, its)) in layers.iter_mut().zip(image.layers).enumerate() {
        *layer = *its;
        if layer.compression != Compression::None {
            // The digest is unknown, and as the blob's name it precedes the bytes.
            layer.digest = Some(hash_blob(&store.layer(layer)?, Algorithm::Sha256, None, &())?);
        }
        copy_layer(store, layer, (n + 1, image.layers.len()), watch, target, unpack)?;
    }
    let manifest = |sink: &mut dyn Sink| {
        let config = Descriptor(Document::CONFIG.name(), &image.id.digest, image.id.size);
        put(sink, format_args!(r#"{}"config":{config}}},"layers":["#, Head(Document::MANIFEST)));
        let mut comma = "";
        for layer in layers.iter().take(image.layers.len()) {
            let layer = Descriptor(image::layer_name(layer.compression), layer.name(), layer.size);
            put(sink, format_args!("{comma}{layer}}}"));
            comma = ",";
        }
        sink.put(b"]}");
    };
    let (digest, size) = target.document("", &manifest)?;
    Ok(Blob { media: Document::MANIFEST, digest, size })
}

/// Writes `oci-layout` first: it marks even an unfinished layout.
pub fn begin_layout(target: &mut Target<'_>) -> Result<()> {
    target.document("oci-layout", &|sink| sink.put(br#"{"imageLayoutVersion":"1.0.0"}"#)).map(drop)
}

/// An entry for the new index: the source's descriptor with new names.
pub struct Entry<'a> {
    /// The document.
    pub top: &'a Blob,
    /// Its descriptor in the source; None if it was made here.
    pub descriptor: Option<Value<'a>>,
    /// Its tag in the copy.
    pub tag: &'a str,
}

/// Annotations with names. The last holds a whole name, which is wrong if the tag changes.
const NAMES: [&str; 3] = [TAG, "org.opencontainers.ref.name", "io.containerd.image.name"];

/// Members that we write anew. `mediatype` is the spelling of the image-spec's example in 2016.
const OWN: [&str; 5] = ["mediaType", "mediatype", "digest", "size", "annotations"];

impl Entry<'_> {
    fn put(&self, sink: &mut dyn Sink) {
        let Entry { top, descriptor, tag } = *self;
        put(sink, format_args!("{}", Descriptor(top.media.name(), &top.digest, top.size)));
        let is_one_of = |key: &Text<'_>, names: &[&str]| names.iter().any(|name| *key == **name);
        let members = descriptor.iter().flat_map(|it| it.as_object().unwrap_or_default());
        for (key, value) in members.filter(|(key, _)| !is_one_of(key, &OWN)) {
            member(sink, ",", &key, &value);
        }
        put(sink, format_args!(r#","annotations":{{"{TAG}":"#));
        quoted(tag.as_bytes(), sink);
        let notes = || descriptor.iter().flat_map(|it| it.entries_or_none("annotations"));
        let is_renamed = !notes()
            .any(|(key, value)| key == TAG && value.as_string().is_some_and(|its| its == *tag));
        let names = if is_renamed { &NAMES[..] } else { &NAMES[..2] };
        for (key, value) in notes().filter(|(key, _)| !is_one_of(key, names)) {
            member(sink, ",", &key, &value);
        }
        sink.put(b"}}");
    }
}

/// Copies a member of an object from another document.
fn member(sink: &mut dyn Sink, comma: &str, key: &Text<'_>, value: &Value<'_>) {
    put(sink, format_args!(r#"{comma}"{}":{}"#, key.as_escaped(), value.as_json()));
}

/// Writes `oci-layout`, and an `index.json` with the copy under its tag. The `former` index keeps
/// its own members and its entries of other tags.
pub fn finish_layout(
    entry: &Entry<'_>,
    former: Option<Value<'_>>,
    target: &mut Target<'_>,
) -> Result<()> {
    let is_same = |it: &Value<'_>| -> Result<bool> {
        let Some(notes) = it.get("annotations")? else { return Ok(false) };
        Ok(notes.text(TAG)?.is_some_and(|name| name == entry.tag))
    };
    let items = match former {
        Some(former) => former.list("manifests")?,
        None => Items::default(),
    };
    // Check the entries now, because writing them cannot fail any more.
    items.clone().try_for_each(|item| is_same(&item).map(drop)).doing("index.json")?;
    if former.is_none() {
        begin_layout(target)?;
    }
    let index = |sink: &mut dyn Sink| {
        match former {
            None => put(sink, format_args!("{}", Head(Document::INDEX))),
            Some(former) => {
                let mut comma = "{";
                for (key, value) in
                    former.entries().unwrap_or_default().filter(|(key, _)| *key != *"manifests")
                {
                    member(sink, comma, &key, &value);
                    comma = ",";
                }
                sink.put(comma.as_bytes());
            }
        }
        sink.put(br#""manifests":["#);
        for item in items.clone().filter(|item| !is_same(item).unwrap_or(false)) {
            put(sink, format_args!("{},", item.as_json()));
        }
        entry.put(sink);
        sink.put(b"]}");
    };
    target.document("index.json", &index).map(drop)
}

/// The start of a manifest or an index.
struct Head(Document);

impl Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"schemaVersion":2,"mediaType":"{}","#, self.0.name())
    }
}

//! A repository of a registry, as the store of one image: its index has one entry, the manifest or
//! index that the tag or digest names.

use super::bytes::Bytes;
use super::document::read;
use super::media::{Document, Kind};
use crate::codec::digest::Digest;
use crate::codec::json;
use crate::io::lossy::Lossy;
use crate::io::section::Section;
use crate::limits::DOCUMENT_BYTES;
use crate::registry::{Client, Named, Sort};
use crate::sys::fd::Fd;
use crate::sys::fs;
use crate::sys::vm::MappedVec;
use crate::{Context, Error, Result};

/// The text of the index, in bytes: a media type, a digest, a size and a tag.
type Text = heapless::String<768>;

/// A repository of a registry.
pub struct Repository {
    client: Client,
    /// `index.json`, in a file in memory.
    index: Fd,
    size: u64,
}

impl Repository {
    /// Asks for the manifest or index of a tag or digest. The index has the tag as its name.
    pub fn open(client: Client, tag: Option<&str>, digest: Option<&Digest>) -> Result<Repository> {
        let mut text: heapless::String<160> = heapless::String::new();
        let reference = match digest {
            Some(digest) => {
                let _ = core::fmt::write(&mut text, format_args!("{digest}"));
                &*text
            }
            None => tag.unwrap_or("latest"),
        };
        let named = client.fetch(reference)?;
        digest.map_or(Ok(()), |digest| digest.expect(&named.digest))?;
        let media = media_type(&client, &named)?;
        let Named { digest, size, .. } = named;
        let mut text = Text::new();
        core::fmt::write(
            &mut text,
            format_args!(
                "{{\"schemaVersion\":2,\"manifests\":[{{\"mediaType\":\"{}\",\"digest\":\"{digest}\",\
                 \"size\":{size}",
                media.name()
            ),
        )
        .and_then(|()| match tag {
            // A tag has no character that JSON escapes.
            Some(tag) => core::fmt::write(
                &mut text,
                format_args!(
                    ",\"annotations\":{{\"org.opencontainers.image.ref.name\":\"{tag}\"}}"
                ),
            ),
            None => Ok(()),
        })
        .and_then(|()| text.push_str("}]}").map_err(|_| core::fmt::Error))
        .map_err(|_| Error::new(format_args!("the tag is too long")))?;
        let index = fs::memory_file(c"index.json").doing("make a file")?;
        fs::write_all(index.by_ref(), text.as_bytes()).doing("write")?;
        Ok(Repository { client, index, size: text.len() as u64 })
    }

    /// Returns its index.
    pub fn index(&self) -> Result<Bytes<'_>> {
        let file = crate::sys::fd::duplicate(self.index.by_ref(), 3).doing("open the index")?;
        Ok(Bytes::File(Section { file, offset: 0, size: self.size }))
    }

    /// Asks for a blob that is soon read.
    pub fn ask_ahead(&self, digest: &Digest, size: u64) -> Result<()> {
        self.client.ask_ahead(digest, size)
    }

    /// Returns a blob or document. The registry is asked when it is read.
    pub fn stored(&self, sort: Sort, digest: &Digest, size: u64) -> Bytes<'_> {
        Bytes::Remote(self.client.stored(sort, *digest, size))
    }
}

/// Returns the media type of a document: what it says itself, or else what the server says.
fn media_type(client: &Client, named: &Named) -> Result<Document> {
    let Named { digest, size, media_type } = named;
    let said = media_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let mut buffer = MappedVec::zeroed(DOCUMENT_BYTES).doing("map memory")?;
    let Some(buffer) = buffer.first_chunk_mut::<DOCUMENT_BYTES>() else {
        return Err(Error::new(format_args!("no memory for the manifest")));
    };
    let document = json::check(read(&client.stored(Sort::Manifest, *digest, *size), buffer)?)
        .map_err(|error| error.within(format_args!("the manifest, of type {}", Lossy(said))))?;
    let own = document.text("mediaType")?.and_then(|own| own.as_plain());
    let name = own.or(core::str::from_utf8(said).ok()).unwrap_or_default();
    let media = Document::of(name);
    media.filter(|media| media.kind() != Kind::Config).ok_or_else(|| {
        Error::new(format_args!(
            "neither a manifest nor an index of an image: {}",
            Lossy(name.as_bytes())
        ))
    })
}

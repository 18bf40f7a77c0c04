//! The top entries of a layout: those of `index.json`, or the files of `refs/`.

use super::Wanted;
use super::document::{check_form, read};
use super::media::Kind;
use super::reference::same_reference;
use super::store::Store;
use crate::codec::json::{self, Text, Value};
use crate::limits::DOCUMENT_BYTES;
use crate::{Context, Result};

/// Gets a top entry: the entry if it is wanted, its tag, its number. The tag is empty if there is
/// none, and an error if the annotations are malformed.
type AtTheTop<'v> = &'v mut dyn FnMut(Option<&Value<'_>>, Result<Text<'_>>, usize) -> Result<()>;

/// Calls `see` with each top entry in order, of `index.json` or of `refs/`.
pub fn each_at_the_top(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    buffer: &mut [u8; DOCUMENT_BYTES],
    see: AtTheTop<'_>,
) -> Result<()> {
    let is_place = |n| wanted.index.is_none_or(|index| index == n);
    if let Some(section) = store.index()? {
        let mut look = || -> Result<()> {
            let index = json::check(read(&section, buffer)?)?;
            check_form(&index, Kind::Index, None)?;
            for (n, value) in index.list("manifests")?.enumerate() {
                let named = Named::read(&value);
                let is = |wanted| named.as_ref().is_ok_and(|named| named.is(wanted));
                let is_wanted = is_place(n) && wanted.reference.is_none_or(is);
                see(is_wanted.then_some(&value), named.map(|named| named.name), n)?;
            }
            Ok(())
        };
        return look().doing("index.json");
    }
    let mut n = 0;
    store.references(&mut |name, section| {
        n += 1;
        let tag = Text::plain(name).unwrap_or(Text::EMPTY);
        if !is_place(n - 1) || wanted.reference.is_some_and(|wanted| wanted != name) {
            return see(None, Ok(tag), n - 1);
        }
        let mut look = || see(Some(&json::check(read(&section, buffer)?)?), Ok(tag), n - 1);
        look().context("refs", &name)
    })
}

/// The names of a top entry.
struct Named<'m> {
    /// Its tag, or empty.
    name: Text<'m>,
    full_name: Option<&'m str>,
}

impl<'m> Named<'m> {
    /// Reads the annotations that name an image.
    fn read(value: &Value<'m>) -> Result<Named<'m>> {
        let notes = value.get("annotations")?;
        let note = |key: &str| notes.map_or(Ok(None), |notes| notes.text(key));
        let name = note("org.opencontainers.image.ref.name")?;
        let name = if name.is_some() { name } else { note("org.opencontainers.ref.name")? };
        // docker save shortens ref.name to the tag; this annotation has the whole name.
        let full_name = note("io.containerd.image.name")?.and_then(|name| name.as_plain());
        Ok(Named { name: name.unwrap_or(Text::EMPTY), full_name })
    }

    /// Returns whether it is the wanted entry.
    fn is(&self, wanted: &str) -> bool {
        self.name == wanted || self.full_name.is_some_and(|full| same_reference(full, wanted))
    }
}

//! The memory for text and lists of a [`Spec`](super::Spec).

use crate::codec::json::{Ends, Items, Value};
use crate::error::{Error, Result};
use crate::io::strings::StringBlock;
use crate::limits::SPEC_LISTS_BYTES;
use crate::sys::arena::{Arena, List, Word};

/// Gets a line about a member that is ignored.
pub type Note<'n> = &'n mut dyn FnMut(Error);

/// Reads one item of a list, with access to the former ones.
type ReadItem<'r, 'v, 'm, T> = &'r mut dyn FnMut(Value<'v>, &mut SpecMemory<'m>, &[T]) -> Result<T>;

/// The memory for text and lists of a [`Spec`](super::Spec).
pub struct SpecMemory<'m> {
    /// Its text.
    pub strings: StringBlock<'m>,
    lists: Arena<'m>,
}

impl<'m> SpecMemory<'m> {
    /// Number of words for the lists of every config.
    pub const LISTS: usize = SPEC_LISTS_BYTES / size_of::<Word>();

    /// Returns the memory for text and for lists.
    pub fn new(text: &'m mut [u8], lists: &'m mut [Word]) -> SpecMemory<'m> {
        SpecMemory { strings: StringBlock::new(text), lists: Arena::new(lists) }
    }

    /// Begins a list of at most `most` items.
    pub(super) fn list<T: Copy>(&mut self, most: usize) -> Result<List<'m, T>> {
        self.lists.list(most).ok_or_else(no_room)
    }

    /// Returns memory for the ends of a document's objects and arrays.
    pub(super) fn ends(&mut self) -> Result<&'m mut Ends> {
        let mut ends = self.list(size_of::<Ends>() / size_of::<u64>())?;
        while ends.push(0) {}
        ends.finish().first_chunk_mut().ok_or_else(no_room)
    }

    /// Reads a list of at most `most` items. `read` gets the former ones, too.
    pub(super) fn read_list<'v, T: Copy>(
        &mut self,
        items: Items<'v>,
        most: usize,
        read: ReadItem<'_, 'v, 'm, T>,
    ) -> Result<&'m [T]> {
        let mut list = self.list(items.clone().count().min(most))?;
        for value in items {
            let item = read(value, self, list.as_slice())?;
            push(&mut list, item, value, most)?;
        }
        Ok(list.finish())
    }
}

/// Adds an item, or returns an error that names the limit.
pub(super) fn push<T: Copy>(
    list: &mut List<'_, T>,
    item: T,
    value: Value<'_>,
    most: usize,
) -> Result<()> {
    match list.push(item) {
        true => Ok(()),
        false => Err(value.at(Error::new(format_args!("more than {most}")))),
    }
}

#[cold]
fn no_room() -> Error {
    Error::new(format_args!("its lists exceed {SPEC_LISTS_BYTES} bytes (SPEC_LISTS_BYTES)"))
}

//! Walks over a tar from header to header: which file lies where. It skips contents.
//!
//! A layout's tar needs only names, sizes and offsets. So this uses the headers and pax records of
//! `codec::tar`, but not its reader, which borrows a quarter of a megabyte.

use crate::codec::tar::{BLOCK, Header, pax, until_nul};
use crate::io::Source;
use crate::io::lossy::Lossy;
use crate::io::section::{Section, SectionReader};
use crate::limits::{ARCHIVE_NAME_BYTES, ARCHIVE_PAX_BYTES};
use crate::{Context, Error, Result};

/// The longest name in a header of bounded length.
type Name = heapless::Vec<u8, ARCHIVE_NAME_BYTES>;
const _: () = assert!(ARCHIVE_NAME_BYTES >= ARCHIVE_PAX_BYTES);

/// A tar, read for its headers.
struct OuterTar<'a> {
    reader: SectionReader<'a>,
    /// Size of the file or device.
    end: u64,
    name: Name,
    link: Name,
}

/// The type of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A regular file.
    File,
    /// A symlink: its target is relative to its directory.
    Symlink,
    /// A hard link: its target is relative to the archive's top.
    HardLink,
    /// Anything else.
    Other,
}

/// An entry, and the location of its contents.
pub struct Outer<'a> {
    pub kind: Kind,
    /// Its name, unchanged.
    pub name: &'a [u8],
    /// Its target, if it is a link.
    pub link: &'a [u8],
    /// Start of the contents, in bytes from the start of the file or device.
    pub offset: u64,
    /// Size of the contents in bytes.
    pub size: u64,
}

/// Calls `see` with each entry of the tar at the start of this file or device.
pub fn each_entry(whole: &Section, see: &mut dyn FnMut(&Outer<'_>) -> Result<()>) -> Result<()> {
    let mut buffer = [0; 4096];
    let mut tar = OuterTar {
        reader: whole.reader(&mut buffer),
        end: whole.size,
        name: Name::new(),
        link: Name::new(),
    };
    while let Some((kind, offset, size)) = tar.next().doing("archive")? {
        see(&Outer { kind, name: &tar.name, link: &tar.link, offset, size })?;
    }
    Ok(())
}

impl OuterTar<'_> {
    /// Returns the next entry's type, and the location of its contents; `None` at the end.
    fn next(&mut self) -> Result<Option<(Kind, u64, u64)>> {
        let (mut is_named, mut is_linked, mut real_size) = (false, false, None);
        loop {
            let at = self.reader.position();
            let fault = |why: &str| Error::new(format_args!("{why} header at byte {at}"));
            let mut block = [0; BLOCK];
            let there = self.reader.read_full(&mut block)?;
            // One block of zeros ends an archive, as in GNU tar. Some archives have none.
            if there == 0 || (there == BLOCK && block == [0; BLOCK]) {
                return Ok(None);
            }
            if there < BLOCK {
                return Err(fault("truncated in the"));
            }
            let header = Header::check(&block).ok_or_else(|| fault("wrong checksum: not a tar"))?;
            let kind = header.kind();
            let is_extension = matches!(kind, b'x' | b'X' | b'g' | b'L' | b'K');
            let impossible = || fault("impossible size in the");
            let mut size =
                header.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(impossible)?;
            if !is_extension {
                size = real_size.unwrap_or(size);
                if !is_named {
                    self.take_name(header);
                }
                if !is_linked {
                    set(&mut self.link, header.link());
                }
                // Links, devices, directories and fifos have no contents, whatever their size field
                // says.
                if matches!(kind, b'1'..=b'6' | b'V') {
                    size = 0;
                }
            }
            let offset = self.reader.position();
            if self.end.saturating_sub(offset) < size {
                let (name, all) = (Lossy(&self.name), self.end);
                return Err(Error::new(format_args!(
                    "truncated: {name} at byte {at} has {size} bytes, of {all} in all"
                )));
            }
            if is_extension && kind != b'g' {
                let mut buffer = [0; ARCHIVE_PAX_BYTES];
                let contents = self.contents(size, &mut buffer)?;
                let (is_set, place) = match kind {
                    b'K' => (&mut is_linked, &mut self.link),
                    _ => (&mut is_named, &mut self.name),
                };
                if matches!(kind, b'L' | b'K') {
                    // A pax header wins at any position.
                    if !*is_set {
                        *is_set = true;
                        set(place, until_nul(contents));
                    }
                } else {
                    let malformed =
                        |why: &str| Error::new(format_args!("pax header at byte {at}: {why}"));
                    let records = pax::check(contents).map_err(malformed)?;
                    // An empty value is ignored. Elsewhere it takes the former value back.
                    for (key, value) in pax::Records(records).filter(|(_, value)| !value.is_empty())
                    {
                        match key {
                            b"path" => {
                                is_named = true;
                                set(&mut self.name, value);
                            }
                            b"linkpath" => {
                                is_linked = true;
                                set(&mut self.link, value);
                            }
                            b"size" => {
                                real_size =
                                    Some(crate::io::text::decimal(value).ok_or_else(impossible)?)
                            }
                            _ => (),
                        }
                    }
                }
            }
            // The last block may lack its padding.
            let next = offset
                .saturating_add(size)
                .checked_next_multiple_of(BLOCK as u64)
                .ok_or_else(impossible)?;
            self.reader.skip(next.saturating_sub(self.reader.position()))?;
            if !is_extension {
                let kind = match kind {
                    b'0' | 0 | b'7' => Kind::File,
                    b'1' => Kind::HardLink,
                    b'2' => Kind::Symlink,
                    _ => Kind::Other,
                };
                return Ok(Some((kind, offset, size)));
            }
        }
    }

    fn contents<'b>(
        &mut self,
        size: u64,
        buffer: &'b mut [u8; ARCHIVE_PAX_BYTES],
    ) -> Result<&'b [u8]> {
        let Some(place) = buffer.get_mut(..size as usize) else {
            return Err(Error::new(format_args!(
                "a header of {size} bytes, more than {ARCHIVE_PAX_BYTES}"
            )));
        };
        let there = self.reader.read_full(place)?;
        Ok(&place[..there])
    }

    fn take_name(&mut self, header: Header<'_>) {
        let (prefix, name) = (header.prefix(), header.name());
        self.name.clear();
        let _ = self.name.extend_from_slice(prefix);
        if !prefix.is_empty() {
            let _ = self.name.push(b'/');
        }
        let _ = self.name.extend_from_slice(name);
    }
}

fn set(name: &mut Name, bytes: &[u8]) {
    name.clear();
    let _ = name.extend_from_slice(&bytes[..bytes.len().min(ARCHIVE_NAME_BYTES)]);
}

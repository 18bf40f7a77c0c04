//! Goes over a tar from header to header: which file lies where. Contents are not read.
//!
//! Of what `codec::tar` knows, a layout's own tar needs names, sizes and places alone; so this takes its headers and
//! pax records and not its reader, which borrows a quarter of a megabyte for the rest.

use crate::codec::tar::{BLOCK, Header, pax, until_nul};
use crate::io::Source;
use crate::io::section::SectionReader;
use crate::io::show::Show;
use crate::limits::ARCHIVE_PAX_BYTES;
use crate::{Error, Result};

/// Longer names than any that a layout has: they need not be known whole.
const NAME: usize = 256;

/// A tar of which the headers are wanted.
pub struct OuterTar<'a> {
    reader: SectionReader<'a>,
    /// How far the file or device reaches.
    end: u64,
    name: heapless::Vec<u8, NAME>,
}

/// Where an entry's contents are.
pub struct Outer {
    /// A regular file.
    pub is_file: bool,
    /// In bytes from the start of the file or device.
    pub offset: u64,
    /// In bytes.
    pub size: u64,
}

impl<'a> OuterTar<'a> {
    /// A tar that is somewhere before `end`.
    pub fn new(reader: SectionReader<'a>, end: u64) -> OuterTar<'a> {
        OuterTar { reader, end, name: heapless::Vec::new() }
    }

    /// The name of the entry that `next` gave last, without `./` and `/` before it.
    pub fn name(&self) -> &[u8] {
        let mut name = &self.name[..];
        while let Some(rest) = name.strip_prefix(b"./").or(name.strip_prefix(b"/")) {
            name = rest;
        }
        name
    }

    /// The next entry that is a file, a directory or the like; `None` at the end of the archive.
    pub fn next(&mut self) -> Result<Option<Outer>> {
        let (mut is_named, mut real_size) = (false, None);
        loop {
            let at = self.reader.position();
            let mut block = [0; BLOCK];
            let there = self.reader.read_full(&mut block)?;
            // One block of zeros ends an archive, as for GNU tar; some have none.
            if there == 0 || (there == BLOCK && block == [0; BLOCK]) {
                return Ok(None);
            }
            if there < BLOCK {
                return Err(Error::new(format_args!("truncated in the header at byte {at}")));
            }
            let Some(header) = Header::check(&block) else {
                return Err(Error::new(format_args!("no tar header at byte {at}: wrong checksum")));
            };
            let kind = header.kind();
            let is_extension = matches!(kind, b'x' | b'X' | b'g' | b'L' | b'K');
            let impossible = || Error::new(format_args!("the header at byte {at} has an impossible size"));
            let mut size = header.size().and_then(|size| u64::try_from(size).ok()).ok_or_else(impossible)?;
            if !is_extension {
                size = real_size.unwrap_or(size);
                if !is_named {
                    self.take_name(header);
                }
                // Links, devices, directories and fifos have no contents, whatever their size field says.
                if matches!(kind, b'1'..=b'6' | b'V') {
                    size = 0;
                }
            }
            let offset = self.reader.position();
            if self.end.saturating_sub(offset) < size {
                let (name, all) = (Show(self.name()), self.end);
                return Err(Error::new(format_args!(
                    "truncated: {name} at byte {at} has {size} bytes, of {all} in all"
                )));
            }
            match kind {
                b'x' | b'X' => {
                    let mut records = [0; ARCHIVE_PAX_BYTES];
                    let malformed = |why: &str| Error::new(format_args!("pax header at byte {at}: {why}"));
                    let records = pax::check(self.contents(size, &mut records)?).map_err(malformed)?;
                    // Nothing takes back what was said before, as an empty value does elsewhere.
                    for (key, value) in pax::Records(records).filter(|(_, value)| !value.is_empty()) {
                        match key {
                            b"path" => {
                                is_named = true;
                                self.set_name(value);
                            }
                            b"size" => real_size = Some(crate::io::text::decimal(value).ok_or_else(impossible)?),
                            _ => (),
                        }
                    }
                }
                b'L' => {
                    let mut name = [0; ARCHIVE_PAX_BYTES];
                    let name = self.contents(size, &mut name)?;
                    // A pax path wins, wherever it stands.
                    if !is_named {
                        is_named = true;
                        self.set_name(until_nul(name));
                    }
                }
                _ => (),
            }
            // The last block may lack its padding.
            let next = offset.saturating_add(size).checked_next_multiple_of(BLOCK as u64).ok_or_else(impossible)?;
            self.reader.skip(next.saturating_sub(self.reader.position()))?;
            if !is_extension {
                return Ok(Some(Outer { is_file: matches!(kind, b'0' | 0 | b'7'), offset, size }));
            }
        }
    }

    fn contents<'b>(&mut self, size: u64, buffer: &'b mut [u8; ARCHIVE_PAX_BYTES]) -> Result<&'b [u8]> {
        let Some(place) = buffer.get_mut(..size as usize) else {
            return Err(Error::new(format_args!("a header of {size} bytes, more than {ARCHIVE_PAX_BYTES}")));
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

    /// A name that is too long is no name that a layout has.
    fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        let _ = self.name.extend_from_slice(&name[..name.len().min(NAME)]);
    }
}

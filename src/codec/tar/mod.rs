//! Tar archives, read as a stream: v7, POSIX ustar, pax, GNU, star.
//!
//! ```text
//! let mut archive = Archive::new(source, memory);
//! while let Some(entry) = archive.next(memory)? {
//!     // … entry.name, entry.kind …
//!     while let bytes @ [_, ..] = archive.data()? { … archive.consume(bytes.len()) }
//! }
//! ```
//!
//! Errors: a wrong checksum, a malformed number, an extended header that breaks its own rules or
//! exceeds its buffer, a sparse map that contradicts itself, an end inside an entry, an unknown
//! type.
//!
//! Where readers differ: a pax `path` wins over a GNU long name. Of several `x` headers before an
//! entry only the last counts, as in GNU tar and Go. The archive ends at the first block of zeros
//! or at the end of the bytes.

mod entry;
mod header;
pub mod pax;
mod sparse;
pub mod write;

pub use entry::{Entry, Kind, Xattr};
pub use header::{BLOCK, Header, until_nul};
pub use sparse::Segment;

use crate::io::Source;
use crate::io::lossy::{Elided, Lossy};
use crate::io::text::decimal;
use crate::limits::{ENTRIES_MAX, PATH_BYTES, PAX_BYTES, PAX_GLOBAL_BYTES};
use crate::{Error, Result};
use entry::{Key, Overrides, matters};
use pax::Records;
use sparse::{Fault, Map};

/// The pax keys of a sparse map in form 0.0.
const OFFSET: &[u8] = b"GNU.sparse.offset";
const NUMBYTES: &[u8] = b"GNU.sparse.numbytes";

/// The buffers for reading an archive; entries borrow from it.
pub struct TarMemory {
    block: [u8; BLOCK],
    /// The GNU long name and long link name of the next entry.
    name: [u8; PATH_BYTES],
    link: [u8; PATH_BYTES],
    /// pax records of the next entry, and of all that follow.
    records: [u8; PAX_BYTES],
    globals: [u8; PAX_GLOBAL_BYTES],
    globals_length: usize,
    map: Map,
}

impl TarMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: TarMemory = TarMemory {
        block: [0; BLOCK],
        name: [0; PATH_BYTES],
        link: [0; PATH_BYTES],
        records: [0; PAX_BYTES],
        globals: [0; PAX_GLOBAL_BYTES],
        globals_length: 0,
        map: Map::EMPTY,
    };
}

/// An archive being read.
pub struct Archive<'s> {
    source: &'s mut dyn Source,
    /// Bytes of the archive consumed so far.
    position: u64,
    /// Stored bytes of the present entry that are still unread.
    left: u64,
    /// Padding of its last block, in bytes.
    padding: u64,
    ended: bool,
    /// Number of entries read so far.
    entries: u64,
}

impl<'s> Archive<'s> {
    /// Returns the archive that starts at `source`'s position. The caller passes the same `memory`
    /// to all calls.
    pub fn new(source: &'s mut dyn Source, memory: &mut TarMemory) -> Archive<'s> {
        memory.globals_length = 0;
        Archive { source, position: 0, left: 0, padding: 0, ended: false, entries: 0 }
    }

    /// Returns the position in the archive, in bytes. After [`Archive::next`] the entry's data
    /// begins there.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Returns the stored bytes of the present entry that are still unread.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// Returns bytes of the present entry, at least one until its end.
    pub fn data(&mut self) -> Result<&[u8]> {
        if self.left == 0 {
            return Ok(&[]);
        }
        let bytes = self.source.peek()?;
        if bytes.is_empty() {
            return Err(truncated(self.position));
        }
        Ok(&bytes[..bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX))])
    }

    /// Removes the first `count` of the bytes that [`Archive::data`] returned last.
    pub fn consume(&mut self, count: usize) {
        self.source.consume(count);
        self.left -= count as u64;
        self.position += count as u64;
    }

    /// Skips the rest of the present entry.
    fn skip_entry(&mut self) -> Result<()> {
        let left = core::mem::take(&mut self.left);
        let passed = self.source.skip(left)?;
        self.position += passed;
        if passed < left {
            return Err(truncated(self.position));
        }
        // Some archives lack the last entry's padding.
        self.position += self.source.skip(core::mem::take(&mut self.padding))?;
        Ok(())
    }

    fn start_entry(&mut self, stored: u64) {
        self.left = stored;
        self.padding = stored.wrapping_neg() % BLOCK as u64;
    }

    /// Reads one block. Returns false at the end of the bytes.
    fn read_block(&mut self, block: &mut [u8; BLOCK]) -> Result<bool> {
        let there = self.source.read_full(block)?;
        self.position += there as u64;
        match there {
            BLOCK => Ok(true),
            0 => Ok(false),
            _ => Err(truncated(self.position)),
        }
    }

    /// Reads all data of an extended header to `place`. Returns its length.
    fn read_extension(&mut self, size: u64, place: &mut [u8], what: &str) -> Result<usize> {
        let limit = place.len() as u64;
        if size > limit {
            return Err(self.error(format_args!("{what} of {size} bytes exceeds {limit} bytes")));
        }
        self.start_entry(size);
        let mut filled = 0;
        while filled < size as usize {
            let bytes = self.data()?;
            let count = bytes.len();
            place[filled..filled + count].copy_from_slice(bytes);
            self.consume(count);
            filled += count;
        }
        self.skip_entry()?;
        Ok(filled)
    }

    #[cold]
    fn error(&self, why: core::fmt::Arguments<'_>) -> Error {
        Error::new(format_args!("tar: {why} (before byte {})", self.position))
    }

    /// Returns the next entry, or None at the archive's end. Skips the rest of the former one.
    pub fn next<'m>(&mut self, memory: &'m mut TarMemory) -> Result<Option<Entry<'m>>> {
        let (mut records, mut name, mut link, mut extended) = (0, None, None, false);
        memory.map.clear();
        loop {
            self.skip_entry()?;
            if self.ended
                || !self.read_block(&mut memory.block)?
                || memory.block.iter().all(|&byte| byte == 0)
            {
                self.ended = true;
                let error = self.error(format_args!("an extended header without an entry"));
                return if extended { Err(error) } else { Ok(None) };
            }
            let header = Header::check(&memory.block)
                .ok_or_else(|| self.error(format_args!("wrong checksum")))?;
            let kind = header.kind();
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                return Err(self.error(format_args!("more than {ENTRIES_MAX} entries")));
            }
            if !matches!(kind, b'L' | b'K' | b'x' | b'X' | b'g' | b'V') {
                break;
            }
            let size = self.size(header.size())?;
            match kind {
                // A volume's label has no meaning here, nor has any data after it.
                b'V' => {
                    self.start_entry(size);
                    continue;
                }
                b'L' => name = Some(self.read_extension(size, &mut memory.name, "long name")?),
                b'K' => {
                    link = Some(self.read_extension(size, &mut memory.link, "long link name")?)
                }
                b'g' => self.read_globals(size, memory)?,
                _ => {
                    let filled =
                        self.read_extension(size, &mut memory.records, "extended header")?;
                    let text = pax::check(&memory.records[..filled]);
                    records = text
                        .map_err(|why| self.error(format_args!("extended header: {why}")))?
                        .len();
                }
            }
            extended |= kind != b'g';
        }
        self.entry(memory, records, name, link).map(Some)
    }

    /// Returns the entry of the header in `memory.block`.
    fn entry<'m>(
        &mut self,
        memory: &'m mut TarMemory,
        records: usize,
        name: Option<usize>,
        link: Option<usize>,
    ) -> Result<Entry<'m>> {
        let globals = &memory.globals[..memory.globals_length];
        let records = &memory.records[..records];
        let said = Overrides::read(Records(globals).chain(Records(records)));

        // The continuation blocks of an old sparse map replace this block: borrow nothing from it.
        let header = Header(&memory.block);
        let (flag, old_size, device) = (header.kind(), header.sparse_size(), header.device());
        let mode = self.checked(header.mode(), "mode")? & 0o7777;
        let uid = self.decimal(said.of(Key::Uid), header.uid(), "uid")?;
        let gid = self.decimal(said.of(Key::Gid), header.gid(), "gid")?;
        let mtime = match said.of(Key::Mtime) {
            Some(text) => self.checked(pax::time(text), "mtime")?,
            None => (self.checked(header.mtime(), "mtime")?, 0),
        };
        let size = match said.of(Key::Size) {
            Some(text) => self.size(decimal(text).and_then(|size| i64::try_from(size).ok()))?,
            None => self.size(header.size())?,
        };
        let name = match (said.of(Key::SparseName).or(said.of(Key::Path)), name) {
            (Some(path), _) => path,
            (None, Some(length)) => until_nul(&memory.name[..length]),
            (None, None) => join(header.prefix(), header.name(), &mut memory.name),
        };
        let link = match (said.of(Key::Link), link) {
            (Some(path), _) => path,
            (None, Some(length)) => until_nul(&memory.link[..length]),
            (None, None) => {
                let link = header.link();
                memory.link[..link.len()].copy_from_slice(link);
                &memory.link[..link.len()]
            }
        };

        let kind = match flag {
            // Before POSIX a directory was a file whose name ends in a slash.
            0 if name.ends_with(b"/") => Kind::Directory,
            0 | b'0' | b'7' | b'S' => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::Symlink,
            b'3' => Kind::Character,
            b'4' => Kind::Block,
            b'5' | b'D' => Kind::Directory,
            b'6' => Kind::Fifo,
            _ => {
                let (name, flag) = (Elided(name), Lossy(&[flag]));
                return Err(self.error(format_args!("{name}: entry of unknown type '{flag}'")));
            }
        };
        // Only a file has data, whatever its size field says; GNU's incremental dumps list a
        // directory.
        let stored = if kind == Kind::File || flag == b'D' { size } else { 0 };
        self.start_entry(stored);

        let mut entry = Entry {
            kind,
            name,
            link,
            mode: mode as u32,
            uid,
            gid,
            size: if kind == Kind::File { size } else { 0 },
            mtime,
            device: (0, 0),
            sparse: None,
            globals,
            records,
        };
        if matches!(kind, Kind::Character | Kind::Block) {
            let written = device.unzip();
            entry.device = (
                self.decimal(said.of(Key::Major), written.0, "device")?,
                self.decimal(said.of(Key::Minor), written.1, "device")?,
            );
        }
        if kind == Kind::File {
            let text_first = said.of(Key::SparseMajor) == Some(b"1");
            let parted = records_hold(records, OFFSET);
            if flag == b'S' {
                entry.size = self.size(old_size)?;
                self.read_old_map(&mut memory.block, &mut memory.map)?;
            } else if text_first {
                self.read_text_map(&mut memory.block, &mut memory.map)?;
            } else if let Some(list) = said.of(Key::SparseMap) {
                memory.map.push_list(list).map_err(|fault| self.error(format_args!("{fault}")))?;
            } else if parted {
                self.read_parted_map(records, &mut memory.map)?;
            }
            if flag == b'S' || text_first || said.of(Key::SparseMap).is_some() || parted {
                if flag != b'S' {
                    let size = said.of(Key::SparseSize).and_then(decimal);
                    entry.size = self.size(size.and_then(|size| i64::try_from(size).ok()))?;
                }
                let segments = memory.map.segments(entry.size, self.left);
                entry.sparse = Some(segments.map_err(|fault| self.error(format_args!("{fault}")))?);
            }
        }
        Ok(entry)
    }

    /// Keeps the known records of a `g` header, for all further entries.
    fn read_globals(&mut self, size: u64, memory: &mut TarMemory) -> Result<()> {
        let length = memory.globals_length;
        let place = &mut memory.globals[length..];
        let filled = self.read_extension(size, place, "global extended header")?;
        let text = pax::check(&place[..filled]);
        let text = text.map_err(|why| self.error(format_args!("global extended header: {why}")))?;
        if Records(text).any(|(key, _)| matters(key)) {
            memory.globals_length += text.len();
        }
        Ok(())
    }

    fn read_old_map(&mut self, block: &mut [u8; BLOCK], map: &mut Map) -> Result<()> {
        let (fields, mut goes_on) = Header(block).sparse();
        map.push_fields(fields).map_err(|fault| self.error(format_args!("{fault}")))?;
        while goes_on {
            if !self.read_block(block)? {
                return Err(truncated(self.position));
            }
            let (fields, more) = header::more_sparse(block);
            map.push_fields(fields).map_err(|fault| self.error(format_args!("{fault}")))?;
            goes_on = more;
        }
        Ok(())
    }

    /// Reads a map of form 0.0: each offset and each length is a record.
    fn read_parted_map(&mut self, records: &[u8], map: &mut Map) -> Result<()> {
        for (key, value) in Records(records) {
            if [OFFSET, NUMBYTES].contains(&key) {
                let pushed =
                    decimal(value).ok_or(Fault::Malformed).and_then(|value| map.push(value));
                pushed.map_err(|fault| self.error(format_args!("{fault}")))?;
            }
        }
        Ok(())
    }

    /// Reads a map of form 1.0, lines at the start of the data: the number of segments, then
    /// offsets and lengths, padded to a block.
    fn read_text_map(&mut self, block: &mut [u8; BLOCK], map: &mut Map) -> Result<()> {
        let malformed = |archive: &Archive<'_>| archive.error(format_args!("{}", Fault::Malformed));
        let (mut expected, mut line, mut digits) = (None, 0u64, 0);
        while expected != Some(0) {
            if self.left < BLOCK as u64 {
                return Err(malformed(self));
            }
            if !self.read_block(block)? {
                return Err(truncated(self.position));
            }
            self.left -= BLOCK as u64;
            for &byte in block.iter() {
                match byte {
                    b'0'..=b'9' if digits < 18 => {
                        (line, digits) = (line * 10 + u64::from(byte - b'0'), digits + 1)
                    }
                    b'\n' if digits > 0 => {
                        match &mut expected {
                            None => expected = Some(line.saturating_mul(2)),
                            Some(expected) => {
                                map.push(line)
                                    .map_err(|fault| self.error(format_args!("{fault}")))?;
                                *expected -= 1;
                            }
                        }
                        (line, digits) = (0, 0);
                        if expected == Some(0) {
                            break;
                        }
                    }
                    _ => return Err(malformed(self)),
                }
            }
        }
        Ok(())
    }

    fn checked<T>(&self, value: Option<T>, what: &str) -> Result<T> {
        value.ok_or_else(|| self.error(format_args!("{what} is not a number")))
    }

    fn size(&self, value: Option<i64>) -> Result<u64> {
        u64::try_from(self.checked(value, "size")?)
            .map_err(|_| self.error(format_args!("negative size")))
    }

    /// Returns a number that is not negative: from a pax record, else from the header.
    fn decimal(&self, said: Option<&[u8]>, header: Option<i64>, what: &str) -> Result<u64> {
        match said {
            Some(text) => self.checked(decimal(text), what),
            None => u64::try_from(self.checked(header, what)?)
                .map_err(|_| self.error(format_args!("negative {what}"))),
        }
    }
}

fn records_hold(records: &[u8], wanted: &[u8]) -> bool {
    Records(records).any(|(key, _)| key == wanted)
}

#[cold]
fn truncated(position: u64) -> Error {
    Error::new(format_args!("tar: truncated inside an entry (after {position} bytes)"))
}

/// Returns `prefix/name`. Both come from one block, so they fit.
fn join<'b>(prefix: &[u8], name: &[u8], buffer: &'b mut [u8]) -> &'b [u8] {
    let mut length = 0;
    let slash: &[u8] = if prefix.is_empty() { b"" } else { b"/" };
    for part in [prefix, slash, name] {
        buffer[length..length + part.len()].copy_from_slice(part);
        length += part.len();
    }
    &buffer[..length]
}

#[cfg(test)]
mod tests;

//! Goes over a tar from header to header: which file lies where. Contents are not read.

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

/// Where the fields of a header are (ustar, POSIX.1-1988).
mod field {
    use core::ops::Range;
    pub const NAME: Range<usize> = 0..100;
    pub const SIZE: Range<usize> = 124..136;
    pub const CHECKSUM: Range<usize> = 148..156;
    pub const KIND: usize = 156;
    pub const MAGIC: Range<usize> = 257..263;
    pub const PREFIX: Range<usize> = 345..500;
}

type Header = [u8; 512];

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
        let (mut long_name, mut real_size) = (false, None);
        loop {
            let at = self.reader.position();
            let mut header: Header = [0; 512];
            let there = self.reader.read_full(&mut header)?;
            // One block of zeros ends an archive, as for GNU tar; some have none.
            if there == 0 || (there == header.len() && header == [0; 512]) {
                return Ok(None);
            }
            if there < header.len() {
                return Err(Error::new(format_args!("truncated in the header at byte {at}")));
            }
            if !is_header(&header) {
                return Err(Error::new(format_args!("no tar header at byte {at}: checksum mismatch")));
            }
            let kind = header[field::KIND];
            let is_file = matches!(kind, b'0' | 0 | b'7');
            let mut size = number(&header[field::SIZE])
                .ok_or_else(|| Error::new(format_args!("the header at byte {at} has an impossible size")))?;
            if !matches!(kind, b'x' | b'g' | b'L' | b'K') {
                size = real_size.unwrap_or(size);
                if !long_name {
                    self.take_name(&header);
                }
                // Links, devices, directories and fifos have no contents, whatever their size field says.
                if matches!(kind, b'1'..=b'6') {
                    size = 0;
                }
            }
            let offset = self.reader.position();
            if self.end.saturating_sub(offset) < size {
                let name = Show(self.name());
                let there = self.end;
                return Err(Error::new(format_args!(
                    "truncated: {name} at byte {at} has {size} bytes, of {there} in all"
                )));
            }
            match kind {
                b'x' => {
                    let mut records = [0; ARCHIVE_PAX_BYTES];
                    let records = self.contents(size, &mut records)?;
                    pax(records, |key, value| match key {
                        b"path" => {
                            long_name = true;
                            self.set_name(value);
                            true
                        }
                        b"size" => {
                            real_size = core::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                            real_size.is_some()
                        }
                        _ => true,
                    })
                    .ok_or_else(|| Error::new(format_args!("the pax header at byte {at} is malformed")))?;
                }
                b'L' => {
                    let mut name = [0; ARCHIVE_PAX_BYTES];
                    let name = self.contents(size, &mut name)?;
                    long_name = true;
                    self.set_name(until_nul(name));
                }
                _ => self.skip_to(offset + size)?,
            }
            // The last block may lack its padding.
            self.skip_to(offset.saturating_add(size).next_multiple_of(512))?;
            if !matches!(kind, b'x' | b'g' | b'L' | b'K') {
                return Ok(Some(Outer { is_file, offset, size }));
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

    fn skip_to(&mut self, position: u64) -> Result<()> {
        self.reader.skip(position.saturating_sub(self.reader.position())).map(drop)
    }

    fn take_name(&mut self, header: &Header) {
        self.name.clear();
        let prefix = until_nul(&header[field::PREFIX]);
        if &header[field::MAGIC] == b"ustar\0" && !prefix.is_empty() {
            let _ = self.name.extend_from_slice(prefix);
            let _ = self.name.push(b'/');
        }
        let _ = self.name.extend_from_slice(until_nul(&header[field::NAME]));
    }

    /// A name that is too long is no name that a layout has.
    fn set_name(&mut self, name: &[u8]) {
        self.name.clear();
        let _ = self.name.extend_from_slice(&name[..name.len().min(NAME)]);
    }
}

/// Whether the checksum is right: the sum of all bytes with its own field as spaces, of signed bytes in old writers.
pub fn is_header(header: &Header) -> bool {
    let (mut sum, mut signed) = (0u64, 0i64);
    for (n, &byte) in header.iter().enumerate() {
        let byte = if field::CHECKSUM.contains(&n) { b' ' } else { byte };
        sum += u64::from(byte);
        signed += i64::from(byte as i8);
    }
    number(&header[field::CHECKSUM]).is_some_and(|said| said == sum || i64::try_from(said) == Ok(signed))
}

/// Octal digits that end with a space or NUL, or (GNU) a binary number after a byte 0x80. Negative ones are none.
fn number(bytes: &[u8]) -> Option<u64> {
    if bytes[0] & 0x80 != 0 {
        let (high, low) = bytes.split_at(bytes.len() - 8);
        let is_small = high[0] == 0x80 && high[1..].iter().all(|&byte| byte == 0);
        return low.try_into().ok().map(u64::from_be_bytes).filter(|&size| is_small && size <= i64::MAX as u64);
    }
    let text = until_nul(bytes).trim_ascii();
    text.iter().try_fold(0u64, |value, digit| match digit {
        b'0'..=b'7' => Some(value << 3 | u64::from(digit - b'0')),
        _ => None,
    })
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or(bytes)
}

/// Shows each `LENGTH KEY=VALUE\n` of a pax header, until told not to go on; `None` then, or where one is malformed.
fn pax(mut records: &[u8], mut see: impl FnMut(&[u8], &[u8]) -> bool) -> Option<()> {
    while !records.is_empty() {
        let space = records.iter().position(|&byte| byte == b' ')?;
        let length: usize = core::str::from_utf8(&records[..space]).ok()?.parse().ok()?;
        let record = records.get(space + 1..length)?.strip_suffix(b"\n")?;
        let equals = record.iter().position(|&byte| byte == b'=')?;
        if !see(&record[..equals], &record[equals + 1..]) {
            return None;
        }
        records = &records[length..];
    }
    Some(())
}

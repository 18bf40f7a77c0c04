//! Columns of text: cells with escaped control characters, padded to the width of their column.

use super::output::Sink;
use crate::error::{Error, Result};
use crate::limits::TABLE_BYTES;
use crate::sys::vm::MappedVec;
use core::fmt::{self, Display, Write};

/// Escapes control characters, like errors, and counts the columns.
struct Cell<'s> {
    sink: &'s mut dyn Sink,
    columns: usize,
}

impl Write for Cell<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            let mut buffer = [0; 4];
            self.columns += 1;
            match character {
                '\0'..' ' | '\x7f'..'\u{a0}' => {
                    let hex = |shift: u32| b"0123456789abcdef"[(character as usize) >> shift & 15];
                    self.sink.put(&[b'\\', b'x', hex(4), hex(0)]);
                    self.columns += 3;
                }
                _ => self.sink.put(character.encode_utf8(&mut buffer).as_bytes()),
            }
        }
        Ok(())
    }
}

/// Writes `what` to the line. Returns its columns.
pub fn part(sink: &mut dyn Sink, what: &dyn Display) -> usize {
    let mut cell = Cell { sink, columns: 0 };
    let _ = write!(cell, "{what}");
    cell.columns
}

/// Pads a cell, of which `columns` are written, to `width`, and by at least `gap` spaces.
pub fn fill(sink: &mut dyn Sink, columns: usize, width: usize, gap: usize) {
    (0..width.saturating_sub(columns).max(gap)).for_each(|_| sink.put(b" "));
}

/// Lines of a table, kept until each column's width is known.
pub struct Table<const COLUMNS: usize> {
    cells: Kept,
    widths: [usize; COLUMNS],
}

/// Least width of a column, and the gap between two, as runc sets them for Go's tabwriter.
const WIDTH_LEAST: usize = 12;
const PADDING: usize = 3;

impl<const COLUMNS: usize> Table<COLUMNS> {
    /// Returns a table with these titles.
    pub fn new(titles: [&dyn Display; COLUMNS]) -> Result<Table<COLUMNS>> {
        let cells = Kept { bytes: MappedVec::new(TABLE_BYTES), is_full: false };
        let mut table = Table { cells, widths: [WIDTH_LEAST; COLUMNS] };
        table.line(titles)?;
        Ok(table)
    }

    /// Adds a line.
    pub fn line(&mut self, cells: [&dyn Display; COLUMNS]) -> Result<()> {
        for (cell, width) in cells.iter().zip(&mut self.widths) {
            *width = (*width).max(part(&mut self.cells, cell) + PADDING);
            self.cells.put(b"\0");
        }
        match self.cells.is_full {
            true => Err(Error::new(format_args!("more than {TABLE_BYTES} bytes of a table"))),
            false => Ok(()),
        }
    }

    /// Writes all lines.
    pub fn write(&self, sink: &mut dyn Sink) {
        let columns = self.widths.iter().enumerate().cycle();
        for (cell, (n, width)) in self.cells.bytes.split(|byte| *byte == 0).zip(columns) {
            if n == 0 && cell.is_empty() {
                // The text after the last NUL.
                return;
            }
            sink.put(cell);
            // Count characters: leave out bytes that continue one.
            let count = cell.iter().filter(|byte| **byte & 0xc0 != 0x80).count();
            match n + 1 < COLUMNS {
                true => fill(sink, count, *width, PADDING),
                false => sink.put(b"\n"),
            }
        }
    }
}

/// Cells, each ended by a NUL, which no cell contains.
struct Kept {
    bytes: MappedVec<u8>,
    is_full: bool,
}

impl Sink for Kept {
    fn put(&mut self, bytes: &[u8]) {
        self.is_full |= self.bytes.extend(bytes).is_err();
    }
}

#[cfg(test)]
mod tests {
    use super::super::output::InMemory;
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let mut table = Table::new([&"ID", &"OWNER"]).unwrap();
        table.line([&"a-long-container", &"root"]).unwrap();
        table.line([&"ä\n", &"\x7f"]).unwrap();
        let mut buffer = [0; 256];
        let mut sink = InMemory::new(&mut buffer);
        table.write(&mut sink);
        assert_eq!(
            core::str::from_utf8(sink.finish().unwrap()).unwrap().lines().collect::<Vec<_>>(),
            ["ID                 OWNER", "a-long-container   root", "ä\\x0a              \\x7f"]
        );
    }

    #[test]
    fn a_full_cell_has_a_gap_behind_it() {
        let mut buffer = [0; 64];
        let mut sink = InMemory::new(&mut buffer);
        for what in ["ab", "abcdef"] {
            let columns = part(&mut sink, &what);
            fill(&mut sink, columns, 5, 2);
        }
        assert_eq!(sink.finish().unwrap(), b"ab   abcdef  ");
    }
}

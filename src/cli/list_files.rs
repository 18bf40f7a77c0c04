//! `ocinit list-files IMAGE`: the merged tree of all layers, in the form of `tar tvf
//! --numeric-owner`.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::print::to_stdout;
use super::progress::Progress;
use super::{image, options};
use crate::Result;
use crate::engine::list_files::list_files;
use crate::io::output::{Output, Sink};
use crate::rootfs::tree::Listed;
use crate::sys::fs;
use core::fmt::{self, Display, Write};

pub(super) const COMMAND: Command = Command {
    name: "list-files",
    words: "IMAGE",
    least: 1,
    most: 1,
    about: "Verify an image and list the files its layers come to, without unpacking them.",
    flags: &options::and_registry::<2, 7>([options::PLATFORM, options::MAX_SIZE]),
    run: Run::Image(run),
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let limit = MaxSize::parse(arguments)?;
    let image = image::parse(arguments, &limit)?;
    let progress = Progress::new(limit.again());
    let tree = list_files(&image, &progress, &mut crate::memory::claim().engine)?;
    progress.release();
    let mut width = OWNER_AND_SIZE_COLUMNS;
    to_stdout(|output| {
        tree.list(&mut |file| {
            line(output, file, &mut width);
            Ok(())
        })
    })
}

/// Columns of owner, group and size together; a longer line widens them. This is GNU tar's
/// `ugswidth`, which never shrinks.
const OWNER_AND_SIZE_COLUMNS: usize = 19;

#[inline(never)]
fn line(output: &mut Output<'_>, file: &Listed<'_>, width: &mut usize) {
    output.put(&mode(file));
    let mut columns: heapless::String<160> = heapless::String::new();
    let _ = match file.mode & fs::S_IFMT {
        fs::S_IFCHR | fs::S_IFBLK if !file.is_hard_link => {
            write!(columns, "{},{}", file.device.0, file.device.1)
        }
        _ => write!(columns, "{}", if file.is_hard_link { 0 } else { file.size }),
    };
    let mut owner: heapless::String<160> = heapless::String::new();
    let _ = write!(owner, "{}/{}", file.owner.0, file.owner.1);
    *width = (*width).max(owner.len() + 1 + columns.len());
    let room = *width - owner.len();
    let _ = write!(output, " {owner}{columns:>room$} {} ", Date(file.modified));
    let is_directory = file.mode & fs::S_IFMT == fs::S_IFDIR;
    name(output, if file.path.is_empty() { b"." } else { file.path });
    output.put(match (is_directory, file.is_hard_link, file.link) {
        (true, _, _) => b"/",
        (_, true, _) => b" link to ",
        (_, _, []) => b"",
        _ => b" -> ",
    });
    name(output, file.link);
    output.put(b"\n");
}

/// Returns `drwxr-xr-x`, like ls(1), and `h` for a further name of a file.
fn mode(file: &Listed<'_>) -> [u8; 10] {
    let mut text = *b"-rwxrwxrwx";
    text[0] = match file.mode & fs::S_IFMT {
        _ if file.is_hard_link => b'h',
        fs::S_IFDIR => b'd',
        fs::S_IFLNK => b'l',
        fs::S_IFCHR => b'c',
        fs::S_IFBLK => b'b',
        fs::S_IFIFO => b'p',
        _ => b'-',
    };
    for (n, place) in text[1..].iter_mut().enumerate() {
        if file.mode & 0o400 >> n == 0 {
            *place = b'-';
        }
    }
    for (n, letter) in [(3, b's'), (6, b's'), (9, b't')] {
        // setuid, setgid and sticky replace an execute permission; capitals mean that it is
        // missing.
        if file.mode & 0o4000 >> (n / 3 - 1) != 0 {
            text[n] = if text[n] == b'-' { letter.to_ascii_uppercase() } else { letter };
        }
    }
    text
}

/// `2026-11-24 11:47`, in UTC.
struct Date(i64);

impl Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Days and years of whole cycles of the calendar that move the oldest time after 1970.
        const CYCLES: i64 = 800_000_000;
        let (days, minutes) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400) / 60);
        let (year, month, day) = crate::log::date((days + CYCLES * 146_097) as u64);
        let year = year as i64 - CYCLES * 400;
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Writes a name on one line, like GNU tar's `--quoting-style=escape`: unprintable characters, and
/// bytes that are not UTF-8, in octal.
fn name(output: &mut Output<'_>, name: &[u8]) {
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            let mut buffer = [0; 4];
            let bytes = character.encode_utf8(&mut buffer).as_bytes();
            const NAMED: &[u8; 7] = b"abtnvfr";
            match character {
                '\\' => output.put(b"\\\\"),
                '\x07'..='\r' => output.put(&[b'\\', NAMED[character as usize - 7]]),
                '\0'..' ' | '\x7f'..'\u{a0}' => octal(output, bytes),
                _ => output.put(bytes),
            }
        }
        octal(output, chunk.invalid());
    }
}

fn octal(output: &mut Output<'_>, bytes: &[u8]) {
    for byte in bytes {
        output.put(&[b'\\', b'0' | byte >> 6, b'0' | byte >> 3 & 7, b'0' | byte & 7]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_before_1970_and_after_9999() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00"),
            (-1, "1969-12-31 23:59"),
            (1_610_612_736, "2021-01-14 08:25"),
            (15_032_385_535, "2446-05-10 22:38"),
            (253_402_300_800, "10000-01-01 00:00"),
            (-62_135_596_800, "0001-01-01 00:00"),
        ] {
            assert_eq!(Date(seconds).to_string(), text);
        }
        assert!(
            Date(i64::MIN).to_string().starts_with('-')
                && !Date(i64::MAX).to_string().starts_with('-')
        );
    }
}

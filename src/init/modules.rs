//! Kernel modules, from an ordered list in the initramfs: a line is `FILE [FILESYSTEM]`.
//!
//! A line with a file system is loaded before that file system is mounted, the others at the start.

use super::early;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs, system};
use crate::{Context, Error, Result};

/// The list. The modules lie beside it.
const LIST: &core::ffi::CStr = c"/lib/modules/list";

/// The list. It is empty if the kernel needs no modules.
#[derive(Clone, Copy)]
pub struct Modules(&'static [u8]);

impl Modules {
    /// Reads the list.
    pub fn open() -> Result<Modules> {
        early::map(LIST).map(Modules)
    }

    /// Loads the modules without a file system, in order.
    #[inline(never)]
    pub fn load_first(self) -> Result<()> {
        self.load(b"")
    }

    /// Loads a file system's modules, in order.
    pub fn load_for(self, file_system: &str) -> Result<()> {
        self.load(file_system.as_bytes())
    }

    fn load(self, file_system: &[u8]) -> Result<()> {
        for line in lines(self.0) {
            let line = line?;
            if line.file_system == file_system {
                load_file(line.file)?;
            }
        }
        Ok(())
    }
}

/// One module: its file, and its file system, or empty.
#[derive(PartialEq, Eq, Debug)]
struct Line<'a> {
    file: &'a [u8],
    file_system: &'a [u8],
}

fn lines(list: &[u8]) -> impl Iterator<Item = Result<Line<'_>>> {
    list.split(|&byte| byte == b'\n').enumerate().filter_map(|(index, text)| {
        let mut words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let file = words.next().filter(|file| !file.starts_with(b"#"))?;
        let file_system = words.next().unwrap_or(b"");
        Some(match words.next() {
            None => Ok(Line { file, file_system }),
            Some(word) => {
                let (list, number, word) = (crate::io::lossy::LossyC(LIST), index + 1, Lossy(word));
                Err(Error::new(format_args!(
                    "{list}: line {number}: FILE [FILESYSTEM] expected, then {word}"
                )))
            }
        })
    })
}

/// For the fuzzer: returns file and file system of each line.
#[cfg(fuzzing)]
pub fn module_lines(list: &[u8]) -> impl Iterator<Item = Result<(&[u8], &[u8])>> {
    lines(list).map(|line| line.map(|line| (line.file, line.file_system)))
}

/// Loads a module. Ignores one that finds no device, because that does not stop a boot.
fn load_file(name: &[u8]) -> Result<()> {
    let shown = Lossy(name);
    let path = PathBuf::format(format_args!("/lib/modules/{shown}")).context("module", &shown)?;
    let file = fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0).context("module", &shown)?;
    match system::load_module(file.by_ref()) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => {
            crate::warning!("module {shown}: {errno}");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_files_and_file_systems() {
        let list = b"# first\nvirtio.ko\n\n  fs/vfat.ko\tvfat \r\nlast.ko";
        let lines: Vec<_> = lines(list).map(|line| line.unwrap()).collect();
        let line = |file: &'static str, fs: &'static str| Line {
            file: file.as_bytes(),
            file_system: fs.as_bytes(),
        };
        assert_eq!(lines, [line("virtio.ko", ""), line("fs/vfat.ko", "vfat"), line("last.ko", "")]);
    }

    #[test]
    fn a_line_of_three_words_is_refused() {
        let error = lines(b"a\nb c d").last().unwrap().unwrap_err().to_string();
        assert_eq!(error, "/lib/modules/list: line 2: FILE [FILESYSTEM] expected, then d");
    }
}

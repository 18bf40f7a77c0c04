//! Finds the program and executes it. Its errors have runc's words.
//!
//! All names are resolved after the pivot, as the process's own user.

use crate::error::{Error, STATUS_NOT_EXECUTABLE, STATUS_NOT_FOUND};
use crate::io::lossy::{Lossy, LossyC};
use crate::io::path::PathBuf;
use crate::io::strings::PackedStrings;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs};
use core::ffi::CStr;

/// Finds `name` like a shell: unchanged if it has a slash, else in each directory of the PATH in
/// `env`. Stores the path in `found`.
pub fn find(name: &CStr, env: PackedStrings<'_>, found: &mut PathBuf) -> Result<(), Error> {
    let bytes = name.to_bytes();
    let fault = |errno: Errno, text: core::fmt::Arguments<'_>| {
        let missing = errno == Errno::ENOENT;
        let error = Error::with_errno(format_args!("exec: \"{}\": {text}", LossyC(name)), errno);
        Err(error.with_status(if missing { STATUS_NOT_FOUND } else { STATUS_NOT_EXECUTABLE }))
    };
    if bytes.contains(&b'/') {
        return match check(name).and_then(|()| found.push_bytes(bytes)) {
            Ok(()) => Ok(()),
            Err(Errno::ENOENT) => {
                fault(Errno::ENOENT, format_args!("stat {}: {}", LossyC(name), Errno::ENOENT))
            }
            // Clients look for these words.
            Err(Errno::EISDIR) => {
                fault(Errno::EISDIR, format_args!("{}: {}", Errno::EISDIR, Errno::EACCES))
            }
            Err(errno) => fault(errno, format_args!("{errno}")),
        };
    }
    // Of several PATHs the process gets the last.
    let path = env
        .iter()
        .filter_map(|entry| entry.to_bytes().strip_prefix(b"PATH="))
        .last()
        .unwrap_or_default();
    match search(path, bytes, found) {
        true => Ok(()),
        false => fault(Errno::ENOENT, format_args!("executable file not found in $PATH")),
    }
}

/// Finds `name` in each directory of `path`, a value of PATH. Returns false if none has it.
pub fn search(path: &[u8], name: &[u8], found: &mut PathBuf) -> bool {
    path.split(|byte| *byte == b':').filter(|_| !name.is_empty() && !path.is_empty()).any(
        |directory| {
            let directory = if directory.is_empty() { b"." } else { directory };
            found.truncate(0);
            let made = found.push_bytes(directory).and_then(|()| found.push(name));
            made.and_then(|()| check(found.as_c_str())).is_ok()
        },
    )
}

/// Returns an error unless it is a file that we may execute.
fn check(path: &CStr) -> crate::sys::Result<()> {
    let place = fs::open(CWD, path, fs::O_PATH, 0)?;
    match fs::stat(place.by_ref(), c"")?.kind() {
        fs::S_IFDIR => Err(Errno::EISDIR),
        _ => fs::access(CWD, path, libc::X_OK),
    }
}

/// Returns the error of a failed execve(2). `interpreter` is the one that the file at `path` names,
/// if it is known.
pub fn failure(path: &[u8], interpreter: Option<&[u8]>, errno: Errno) -> Error {
    let shown = Lossy(path);
    if errno != Errno::ENOENT {
        let error = Error::with_errno(format_args!("exec {shown}: {errno}"), errno);
        return error.with_status(STATUS_NOT_EXECUTABLE);
    }
    // The file exists, so its interpreter is missing.
    let error = match interpreter {
        Some(name) => Error::with_errno(
            format_args!("exec {shown}: its interpreter {}: {errno}", Lossy(name)),
            errno,
        ),
        None => Error::with_errno(
            format_args!("exec {shown}: {errno} (its interpreter is missing)"),
            errno,
        ),
    };
    error.with_status(STATUS_NOT_FOUND)
}

/// Bytes of a file that the kernel reads to decide how it is run (BINPRM_BUF_SIZE).
pub const INTERPRETER_BYTES: usize = 256;

/// Returns the interpreter in a script's first line or an ELF file's PT_INTERP.
#[inline(never)]
pub fn interpreter<'b>(path: &CStr, name: &'b mut [u8; INTERPRETER_BYTES]) -> Option<&'b [u8]> {
    /// Includes the tables of most ELF files.
    const HEAD_BYTES: usize = 1024;
    let file = fs::open(CWD, path, fs::O_RDONLY | fs::O_NONBLOCK, 0).ok()?;
    let mut head = [0; HEAD_BYTES];
    let length = fs::read_at(file.by_ref(), &mut head, 0).ok()?;
    let head = &head[..length];
    // Fills `part` with the bytes at `offset`, and returns their number.
    let read = |part: &mut [u8], offset: u64| {
        let end = (offset as usize).checked_add(part.len())?;
        match head.get(offset as usize..end) {
            Some(known) => part.copy_from_slice(known),
            None => return fs::read_at(file.by_ref(), part, offset).ok(),
        }
        Some(part.len())
    };
    if let Some(line) = head[..length.min(INTERPRETER_BYTES)].strip_prefix(b"#!") {
        let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let line = &line[line.iter().position(|byte| !blank(byte))?..];
        let end = line
            .iter()
            .position(|byte| blank(byte) || matches!(byte, b'\n' | 0))
            .unwrap_or(line.len());
        name[..end].copy_from_slice(&line[..end]);
        return Some(&name[..end]);
    }
    // ELF64: e_phoff at 32, e_phentsize at 54, e_phnum at 56; p_type at 0, p_offset at 8, p_filesz
    // at 32.
    let field =
        |bytes: &[u8], at: usize| Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    if length < 64 || !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, sizes) = (field(head, 32)?, field(head, 54)?);
    let (entry_bytes, entries) = (sizes & 0xffff, sizes >> 16 & 0xffff);
    for index in 0..entries.min(64) {
        let mut entry = [0; 56];
        let at = table.checked_add(index * entry_bytes)?;
        if read(&mut entry, at)? < entry.len() {
            return None;
        }
        const PT_INTERP: u64 = 3;
        if field(&entry, 0)? & 0xffff_ffff == PT_INTERP {
            let size = (field(&entry, 32)? as usize).min(name.len());
            let length = read(&mut name[..size], field(&entry, 8)?)?;
            let end = name[..length].iter().position(|byte| *byte == 0).unwrap_or(length);
            return Some(&name[..end]);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    // No process can make a name in /proc, so these stay missing.
    fn fails(name: &CStr, text: &str, status: u8) {
        let env = PackedStrings::new(b"A=1\0PATH=/proc/nowhere:/proc/sys\0");
        let error = find(name, env, &mut PathBuf::new()).unwrap_err();
        assert_eq!((error.to_string().as_str(), error.status()), (text, status));
    }

    #[test]
    fn what_cannot_be_found_is_said_as_runc_says_it() {
        fails(c"nosuch", "exec: \"nosuch\": executable file not found in $PATH", 127);
        fails(c"", "exec: \"\": executable file not found in $PATH", 127);
        fails(
            c"/proc/nosuch",
            "exec: \"/proc/nosuch\": stat /proc/nosuch: no such file or directory",
            127,
        );
        fails(c"/etc", "exec: \"/etc\": is a directory: permission denied", 126);
        fails(c"/etc/passwd", "exec: \"/etc/passwd\": permission denied", 126);
        fails(c"/etc/passwd/x", "exec: \"/etc/passwd/x\": not a directory", 126);
        let mut found = PathBuf::new();
        find(c"sh", PackedStrings::new(b"PATH=/proc/nowhere:/bin\0"), &mut found).unwrap();
        assert_eq!(found.as_bytes(), b"/bin/sh");
        assert!(find(c"sh", PackedStrings::new(b"HOME=/\0"), &mut found).is_err());
    }

    #[test]
    fn the_missing_interpreter_is_named() {
        let directory = std::env::temp_dir().join(format!("ocinit-execute-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let script = directory.join("script");
        let mut name = [0; INTERPRETER_BYTES];
        for (text, expected) in [
            ("#! /opt/none -x\n", "/opt/none"),
            ("#!/opt/none", "/opt/none"),
            ("#!", "?"),
            ("", "?"),
        ] {
            std::fs::write(&script, text).unwrap();
            let path = std::ffi::CString::new(script.to_str().unwrap()).unwrap();
            let found = interpreter(&path, &mut name).unwrap_or(b"?");
            assert_eq!(core::str::from_utf8(found).unwrap(), expected, "{text:?}");
        }
        std::fs::remove_dir_all(&directory).unwrap();
        let found = interpreter(c"/usr/bin/env", &mut name).map(|name| name.starts_with(b"/lib"));
        assert!(found.is_none_or(|known| known), "a dynamic program's interpreter is in /lib");
    }
}

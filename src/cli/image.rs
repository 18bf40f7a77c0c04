//! `IMAGE` on a command line: `[oci:|oci-archive:]PATH[:TAG][@DIGEST]`, as skopeo and podman write it.

use crate::codec::digest::Digest;
use crate::image::{ArchiveMemory, Store, Wanted};
use crate::io::path::PathBuf;
use crate::sys::fd::CWD;
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// Opens the store that the words name; which of its images is wanted.
pub fn open<'m, 'w>(words: &'w CStr, memory: &'m mut ArchiveMemory) -> Result<(Store<'m>, Wanted<'w>)> {
    let text = words.to_str().map_err(|_| Error::new(format_args!("the image's name is not UTF-8")))?;
    let rest = text.strip_prefix("oci:").or_else(|| text.strip_prefix("oci-archive:")).unwrap_or(text);
    let (path, wanted) = split(rest)?;
    let path = PathBuf::from_bytes(path.as_bytes()).context("open", &path)?;
    let shown = crate::io::show::Show(path.as_bytes());
    let file = fs::open(CWD, path.as_c_str(), fs::O_RDONLY, 0).context("open", &shown)?;
    let stat = fs::stat(file.by_ref(), c"").context("stat", &shown)?;
    let store = match stat.kind() {
        fs::S_IFDIR => Store::open_directory(file),
        fs::S_IFREG => Store::open_archive(file, stat.size, memory),
        fs::S_IFBLK => {
            let size = fs::device_size(file.by_ref()).context("size of", &shown)?;
            Store::open_archive(file, size, memory)
        }
        _ => Err(Error::new(format_args!("neither a directory nor an archive"))),
    };
    Ok((store.context("image", &shown)?, wanted))
}

/// The path, and what follows it; a path that is there is taken whole.
fn split(text: &str) -> Result<(&str, Wanted<'_>)> {
    let mut wanted = Wanted::default();
    let there = PathBuf::from_bytes(text.as_bytes()).and_then(|path| fs::stat(CWD, path.as_c_str()));
    if !matches!(there, Err(Errno::ENOENT | Errno::ENOTDIR)) {
        return Ok((text, wanted));
    }
    let mut rest = text;
    if let Some((before, digest)) = rest.rsplit_once('@')
        && digest.contains(':')
    {
        wanted.digest = Some(Digest::parse(digest)?);
        rest = before;
    }
    if let Some((path, tag)) = rest.split_once(':') {
        wanted.reference = Some(tag);
        rest = path;
    }
    Ok((rest, wanted))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn names_are_split_as_skopeo_does() {
        let hex = "a".repeat(64);
        for (text, path, tag, digest) in [
            ("/no/layout", "/no/layout", None, false),
            ("/no/layout:v1", "/no/layout", Some("v1"), false),
            ("/no/layout:reg.io:5000/a/b:v1", "/no/layout", Some("reg.io:5000/a/b:v1"), false),
            (&format!("/no/layout@sha256:{hex}"), "/no/layout", None, true),
            (&format!("/no/layout:v1@sha256:{hex}"), "/no/layout", Some("v1"), true),
            ("src", "src", None, false),
        ] {
            let (found, wanted) = split(text).unwrap();
            assert_eq!((found, wanted.reference, wanted.digest.is_some()), (path, tag, digest), "{text}");
        }
        assert!(split("/no/layout@sha256:123").is_err());
    }
}

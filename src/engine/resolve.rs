//! Finds an image by its name in the form of skopeo and podman:
//! `[oci:|oci-archive:|docker-archive:]PATH[:TAG|:@INDEX][@DIGEST]`. `-` is stdin.

use super::archive_file::{inflated, keep, spool};
use crate::codec::digest::Digest;
use crate::image::{
    ArchiveMemory, Form, Image, ImageMemory, Repository, Store, Target, Wanted, registry_name,
};
use crate::io::lossy::{Lossy, LossyC};
use crate::io::observer::Observer;
use crate::io::path::PathBuf;
use crate::io::section::Section;
use crate::io::text::{decimal, last_of, split_once};
use crate::limits::DOCUMENT_BYTES;
use crate::registry::{Client, Settings};
use crate::rootfs::UnpackMemory;
use crate::sys::fd::{CWD, Fd};
use crate::sys::{self, Errno, fs};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Display};

/// The kind of an image's source, by the word before its path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// No word: the source's content decides.
    Any,
    /// A layout in a directory.
    Oci,
    /// A layout in a tar.
    OciArchive,
    /// An archive of `docker save`.
    DockerArchive,
}

const TRANSPORTS: [(&str, Transport); 3] = [
    ("oci:", Transport::Oci),
    ("oci-archive:", Transport::OciArchive),
    ("docker-archive:", Transport::DockerArchive),
];

/// skopeo's prefix for a registry.
const DOCKER: &str = "docker://";

/// Transports of skopeo and podman that ocinit cannot read.
const ELSEWHERE: [(&str, &str); 7] = [
    ("https://", "not a transport"),
    ("http://", "not a transport"),
    ("registry:", "not a transport"),
    ("dir:", "neither an OCI layout nor an archive"),
    ("docker-daemon:", "IMAGE is a path"),
    ("containers-storage:", "IMAGE is a path"),
    ("ostree:", "IMAGE is a path"),
];

/// The name of an image in a registry, or the command that makes a layout of one elsewhere.
struct GetImage<'a> {
    prefix: &'a str,
    name: &'a str,
}

impl Display for GetImage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.prefix;
        if prefix == DOCKER || prefix.starts_with("http") || prefix == "registry:" {
            return write!(f, "an image of a registry is docker://{}", Lossy(self.name.as_bytes()));
        }
        // The last component, without a tag or digest, is the directory's name.
        let bytes = self.name.as_bytes();
        let last =
            bytes.rsplit(|byte| *byte == b'/').find(|part| !part.is_empty()).unwrap_or(b"image");
        let directory = last.split(|byte| matches!(byte, b':' | b'@')).next().unwrap_or(last);
        let (name, directory) = (Lossy(bytes), Lossy(directory));
        write!(
            f,
            "get it by: skopeo copy {prefix}{name} oci:{directory}:latest, then IMAGE is {directory}"
        )
    }
}

/// Returns whether the word looks like an image's name, and not like a file's path.
fn is_name(path: &str) -> bool {
    let bytes = path.as_bytes();
    let is_path = bytes.starts_with(b"/") || bytes.starts_with(b".") || bytes.ends_with(b"/");
    !is_path && !bytes.is_empty() && !bytes.ends_with(b".tar")
}

/// Returns the transport, and the text after it.
pub fn transport(words: &CStr) -> Result<(Transport, &str)> {
    let text =
        words.to_str().map_err(|_| Error::new(format_args!("{}: not UTF-8", LossyC(words))))?;
    let known = TRANSPORTS
        .iter()
        .find_map(|(prefix, transport)| Some((*transport, text.strip_prefix(prefix)?)));
    Ok(known.unwrap_or((Transport::Any, text)))
}

/// The selection of an image.
pub struct ImageQuery<'a> {
    /// The name on the command line.
    pub name: &'a CStr,
    /// The platform, if it is not this machine's.
    pub platform: Option<Target<'a>>,
    /// The tag, if the name has none.
    pub reference: Option<&'a CStr>,
    /// The options for a registry.
    pub registry: Settings<'a>,
    /// Aborts reading a compressed archive that is too large.
    pub limit: &'a dyn Observer,
}

/// An image, and the store of its layers.
pub struct Resolved<'m> {
    /// The source of its blobs.
    pub store: Store<'m>,
    /// Its documents.
    pub image: Image<'m>,
}

impl Resolved<'_> {
    /// Returns the sum of its layers' stored bytes.
    pub fn bytes(&self) -> u64 {
        self.image.layers.iter().map(|layer| layer.size).sum()
    }
}

/// Finds the image.
pub fn resolve<'m>(
    query: &ImageQuery<'_>,
    archive: &'m mut ArchiveMemory,
    memory: &'m mut ImageMemory,
    unpack: &mut UnpackMemory,
) -> Result<Resolved<'m>> {
    let (store, wanted) = open(query, archive, unpack)?;
    let resolved = in_store(store, &wanted, memory)?;
    let (count, bytes) = (resolved.image.layers.len(), resolved.bytes());
    crate::debug!("image {}: {count} layers, {bytes} bytes", LossyC(query.name));
    Ok(resolved)
}

/// Finds the image in an open store.
#[inline(never)]
pub fn in_store<'m>(
    store: Store<'m>,
    wanted: &Wanted<'_>,
    memory: &'m mut ImageMemory,
) -> Result<Resolved<'m>> {
    let image = crate::image::open(&store, wanted, memory)?;
    Ok(Resolved { store, image })
}

/// Opens the store in the image's name. Returns it, and the selection of its image.
pub fn open<'m, 'w>(
    query: &ImageQuery<'w>,
    memory: &'m mut ArchiveMemory,
    unpack: &mut UnpackMemory,
) -> Result<(Store<'m>, Wanted<'w>)> {
    let words = query.name;
    let (transport, rest) = transport(words)?;
    if let Some(name) = rest.strip_prefix(DOCKER).filter(|_| transport == Transport::Any) {
        return open_registry(query, name).context("image", &LossyC(words));
    }
    if let Some((prefix, what)) = ELSEWHERE.iter().find(|(prefix, _)| rest.starts_with(prefix)) {
        let name = rest.strip_prefix(prefix).unwrap_or_default();
        return Err(Error::new(format_args!(
            "image {}: {what}; {}",
            LossyC(words),
            GetImage { prefix, name }
        )));
    }
    let (path, mut wanted) = split(rest)?;
    if let Some(platform) = query.platform {
        wanted.platform = platform;
    }
    if let Some(name) = query.reference {
        let name = name.to_str().ok().filter(|_| wanted.reference.is_none());
        wanted.reference = Some(
            name.ok_or_else(|| Error::new(format_args!("--ref: the image has a tag already")))?,
        );
    }
    let shown = Lossy(path.as_bytes());
    let file = match path {
        "-" | "/dev/stdin" => spool()?,
        _ => match open_path(path, fs::O_RDONLY) {
            Err(Errno::ENOENT) if is_name(path) => {
                return Err(Error::with_errno(
                    format_args!(
                        "image {}: no such file or directory, and IMAGE is a path; {}",
                        Lossy(rest.as_bytes()),
                        GetImage { prefix: DOCKER, name: rest }
                    ),
                    Errno::ENOENT,
                ));
            }
            file => file.context("open", &shown)?,
        },
    };
    let (file, stat) = whole(file, query.limit, unpack).context("image", &shown)?;
    let form = match transport {
        Transport::DockerArchive => Form::Docker,
        Transport::OciArchive => Form::Layout,
        _ => Form::Either,
    };
    let store = match (stat.kind(), transport) {
        (fs::S_IFDIR, Transport::Any | Transport::Oci) => Store::open_directory(file),
        (fs::S_IFDIR, _) => Err(Error::new(format_args!("a directory, and no archive"))),
        (fs::S_IFREG | fs::S_IFBLK, Transport::Oci) => {
            Err(Error::new(format_args!("no directory: see oci-archive:")))
        }
        (fs::S_IFREG, _) => Store::open_archive(file, stat.size, form, memory),
        (fs::S_IFBLK, _) => {
            let size = fs::device_size(file.by_ref()).context("size of", &shown)?;
            Store::open_archive(file, size, form, memory)
        }
        _ => Err(Error::new(format_args!("neither a directory nor an archive"))),
    };
    Ok((store.context("image", &shown)?, wanted))
}

/// Opens the repository of a registry. The selection is the one image that the name has there.
#[inline(never)]
fn open_registry<'m, 'w>(query: &ImageQuery<'w>, name: &str) -> Result<(Store<'m>, Wanted<'w>)> {
    let name = registry_name(name)?;
    let reference = query.reference.and_then(|reference| reference.to_str().ok());
    let tag = match query.reference {
        Some(_) => Some(reference.ok_or_else(|| Error::new(format_args!("--ref: not UTF-8")))?),
        None => name.tag,
    };
    let client = Client::start(name.host, &name.repository, &query.registry)?;
    let repository = Repository::open(client, tag, name.digest.as_ref())?;
    let mut wanted = Wanted { digest: name.digest, ..Wanted::default() };
    if let Some(platform) = query.platform {
        wanted.platform = platform;
    }
    Ok((Store::Registry(repository), wanted))
}

/// Returns the file itself, or an unnamed one with the content of a pipe or compressed archive.
fn whole(file: Fd, limit: &dyn Observer, unpack: &mut UnpackMemory) -> Result<(Fd, fs::Stat)> {
    let mut file = file;
    let mut stat = fs::stat(file.by_ref(), c"").doing("stat")?;
    if matches!(stat.kind(), fs::S_IFIFO | fs::S_IFSOCK) {
        file = keep(file.by_ref())?;
        stat = fs::stat(file.by_ref(), c"").doing("stat")?;
    }
    if stat.kind() != fs::S_IFREG {
        return Ok((file, stat));
    }
    if stat.size == 0 {
        return Err(Error::new(format_args!("empty, and no archive")));
    }
    let section = Section { file, offset: 0, size: stat.size };
    match inflated(&section, limit, unpack)? {
        None => Ok((section.file, stat)),
        Some(tar) => {
            let stat = fs::stat(tar.by_ref(), c"").doing("stat")?;
            Ok((tar, stat))
        }
    }
}

#[inline(never)]
fn open_path(path: &str, flags: i32) -> sys::Result<Fd> {
    fs::open(CWD, PathBuf::from_bytes(path.as_bytes())?.as_c_str(), flags, 0)
}

const _: () = assert!(crate::limits::STRINGS_BYTES >= 2 * DOCUMENT_BYTES);

/// Returns two buffers for indexes, from one that is unused until an image is chosen.
pub fn index_buffers(strings: &mut [u8]) -> [&mut [u8; DOCUMENT_BYTES]; 2] {
    let (one, rest) = strings.split_first_chunk_mut().expect("it is larger than two documents");
    [one, rest.first_chunk_mut().expect("it is larger than two documents")]
}

/// Returns the path and the selection after it. An existing path is taken whole.
pub fn split(text: &str) -> Result<(&str, Wanted<'_>)> {
    let mut wanted = Wanted::default();
    if !matches!(open_path(text, fs::O_PATH), Err(Errno::ENOENT | Errno::ENOTDIR)) {
        return Ok((text, wanted));
    }
    let mut rest = text;
    if let Some(at) = last_of(text, b'@')
        && let (Some(before), Some(digest)) = (text.get(..at), text.get(at + 1..))
        && digest.as_bytes().contains(&b':')
    {
        wanted.digest = Some(Digest::parse(digest)?);
        rest = before;
    }
    if let Some((path, tag)) = split_once(rest, b':') {
        match tag.strip_prefix('@').and_then(|index| decimal(index.as_bytes())) {
            Some(index) => wanted.index = Some(index as usize),
            None => wanted.reference = Some(tag).filter(|tag| !tag.is_empty()),
        }
        rest = path;
    }
    Ok((rest, wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_as_skopeo_does() {
        let hex = "a".repeat(64);
        for (text, path, tag, digest) in [
            ("/proc/no/layout", "/proc/no/layout", None, false),
            ("/proc/no/layout:v1", "/proc/no/layout", Some("v1"), false),
            ("/proc/no/layout:", "/proc/no/layout", None, false),
            (
                "/proc/no/layout:reg.io:5000/a/b:v1",
                "/proc/no/layout",
                Some("reg.io:5000/a/b:v1"),
                false,
            ),
            (&format!("/proc/no/layout@sha256:{hex}"), "/proc/no/layout", None, true),
            (&format!("/proc/no/layout:v1@sha256:{hex}"), "/proc/no/layout", Some("v1"), true),
            ("-:v1", "-", Some("v1"), false),
            ("src", "src", None, false),
        ] {
            let (found, wanted) = split(text).unwrap();
            assert_eq!(
                (found, wanted.reference, wanted.digest.is_some()),
                (path, tag, digest),
                "{text}"
            );
            assert_eq!(wanted.index, None);
        }
        let (found, wanted) = split("/proc/no/layout:@12").unwrap();
        assert_eq!((found, wanted.reference, wanted.index), ("/proc/no/layout", None, Some(12)));
        assert!(split("/proc/no/layout@sha256:123").is_err());
        for (words, kind, rest) in [
            (c"oci:a:b", Transport::Oci, "a:b"),
            (c"oci-archive:a", Transport::OciArchive, "a"),
            (c"docker-archive:-", Transport::DockerArchive, "-"),
            (c"a:b", Transport::Any, "a:b"),
        ] {
            assert_eq!(transport(words).unwrap(), (kind, rest));
        }
        assert!(transport(c"\xff").is_err());
    }
}

//! Copies an image, and verifies it on the way.

use super::resolve::{self, ImageQuery, Transport};
use super::staged::{Staged, is_empty};
use super::{EngineMemory, Notice, Notices};
use crate::codec::json;
use crate::export::{self, Kind, Target};
use crate::image::{Blob, Image, ImageMemory, Store, Wanted, check_name, select, select_artifact};
use crate::io::lossy::LossyC;
use crate::io::observer::Observer;
use crate::io::path::PathBuf;
use crate::limits::{NEW_LAYOUTS_MAX, REFERENCE_BYTES};
use crate::rootfs::stale;
use crate::sys::event::wait_ms;
use crate::sys::fd::{CWD, Fd, STDOUT, duplicate};
use crate::sys::{Errno, fs, tty};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::sync::atomic::{AtomicBool, Ordering};

/// The target.
struct Goal<'w> {
    transport: Transport,
    path: &'w str,
    /// The tag, or docker's name.
    name: Option<&'w str>,
}

/// The source.
enum What<'m> {
    /// A document of a layout, with all beneath it, unchanged.
    Document(Blob),
    /// An image, which gets new documents.
    Image(&'m Image<'m>),
}

/// An image and the target.
pub struct Copy<'a> {
    /// The image.
    pub image: ImageQuery<'a>,
    /// `oci:PATH[:TAG]` and similar.
    pub target: &'a CStr,
    /// Copies the images for all platforms, and their index.
    pub all: bool,
}

/// Copies an image. A failure leaves the target unchanged.
pub fn copy(
    wanted: &Copy<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let EngineMemory {
        archive,
        image: documents,
        unpack,
        export: names,
        strings,
        config: scratch,
        ..
    } = memory;
    let goal = goal(wanted.target)?;
    let is_all = wanted.all;
    let (store, wanted) = resolve::open(&wanted.image, archive, unpack)?;
    let as_it_stands =
        goal.transport != Transport::DockerArchive && !matches!(store, Store::Docker(_));
    let path = PathBuf::from_bytes(goal.path.as_bytes()).doing("make")?;
    let mut tries = NEW_LAYOUTS_MAX;
    let mut is_begun = false;
    loop {
        let opened;
        let (what, tag, total) = if is_all {
            if !as_it_stands {
                return Err(Error::new(format_args!(
                    "--all: a docker-archive has no index over its images"
                )));
            }
            let (top, tag) = select(&store, &wanted, documents)?;
            (What::Document(top), tag, 0)
        } else if let Some((top, tag)) = artifact(as_it_stands, &store, &wanted, documents) {
            (What::Document(top), tag, 0)
        } else {
            opened = crate::image::open(&store, &wanted, documents)?;
            let image = &opened;
            let what = match image.document {
                Some(top) if as_it_stands => What::Document(top),
                _ => What::Image(image),
            };
            (what, image.tag, image.layers.iter().map(|layer| layer.size).sum())
        };
        let mut its_tag: heapless::String<REFERENCE_BYTES> = heapless::String::new();
        let _ = its_tag.push_str(if tag.is_empty() { "latest" } else { tag });
        let tag = goal.name.unwrap_or(&its_tag);
        if !core::mem::replace(&mut is_begun, true) {
            watch.begin(total);
        }
        let mut partial = PathBuf::new();
        let Made { place, kind, layout } =
            make(&goal, path.as_c_str(), &mut partial, watch, notices)?;
        let mut target = Target::new(place.file(), kind, names);
        if let What::Image(image) = what
            && goal.transport == Transport::DockerArchive
        {
            export::docker_archive(&store, image, goal.name, watch, &mut target, unpack)?;
            target.finish()?;
            return place.commit();
        }
        if goal.transport == Transport::Oci && place.is_filled_in_place() {
            // First, so that the next copy recognizes the layout if this one is killed.
            export::begin_layout(&mut target)?;
        }
        let mut descriptor: &mut [u8] = &mut [];
        let top = match what {
            What::Document(top) => {
                let indexes = resolve::index_buffers(strings);
                descriptor =
                    crate::image::descriptor(&store, &wanted, &top.digest, indexes, scratch);
                export::copy_parts(&store, &top, documents, watch, &mut target)?;
                top
            }
            What::Image(image) => {
                export::layout_of_docker(&store, image, watch, &mut target, unpack)?
            }
        };
        // The lock keeps other copies from replacing the index until ours is written.
        let (former, _lock) = match &layout {
            Some(layout) => {
                let lock = lock(duplicate(place.file(), 3).doing("lock")?, watch, notices)?;
                (layout.index_document(documents)?, Some(lock))
            }
            None => (None, None),
        };
        let descriptor = if descriptor.is_empty() { None } else { Some(json::check(descriptor)?) };
        export::finish_layout(&export::Entry { top: &top, descriptor, tag }, former, &mut target)?;
        target.finish()?;
        let made = place.commit();
        tries -= 1;
        match made {
            // Another copy has made this layout meanwhile: copy into that.
            Err(error) if is_taken(&error) && goal.transport == Transport::Oci && tries > 0 => {
                continue;
            }
            made => return made,
        }
    }
}

fn is_taken(error: &Error) -> bool {
    matches!(error.errno(), Errno::EEXIST | Errno::ENOTEMPTY)
}

/// Returns the wanted entry if it is an artifact and not an image.
fn artifact<'m>(
    as_it_stands: bool,
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    documents: &'m mut ImageMemory,
) -> Option<(Blob, &'m str)> {
    match as_it_stands {
        true => select_artifact(store, wanted, documents).ok().flatten(),
        false => None,
    }
}

/// The target of the copy.
struct Made<'n> {
    place: Staged<'n>,
    kind: Kind,
    /// The existing layout at the target.
    layout: Option<Store<'static>>,
}

/// Makes the target, or returns an error. The result includes an existing layout.
fn make<'n>(
    goal: &Goal<'_>,
    path: &'n CStr,
    partial: &'n mut PathBuf,
    watch: &dyn Observer,
    notices: Notices<'n>,
) -> Result<Made<'n>> {
    let new = |place, kind| Ok(Made { place, kind, layout: None });
    if goal.path == "-" {
        if tty::is_terminal(STDOUT) {
            return Err(Error::new(format_args!(
                "standard output is a terminal, and takes no archive"
            )));
        }
        return new(
            Staged::of(duplicate(STDOUT, 3).doing("standard output")?, partial, notices)?,
            Kind::Stream,
        );
    }
    if goal.transport != Transport::Oci {
        return new(Staged::make_file("copy to", path, partial, notices)?, Kind::File);
    }
    let directory = match fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0) {
        Ok(directory) => lock(directory, watch, notices).context("copy to", &LossyC(path))?,
        Err(_) => {
            return new(Staged::make("copy to", path, 0o755, partial, notices)?, Kind::Directory);
        }
    };
    // Partial files of killed copies.
    stale::sweep(directory.by_ref(), export::PARTIAL.as_bytes());
    if fs::stat(directory.by_ref(), c"oci-layout").is_err() {
        if !is_empty(directory.by_ref()).context("copy to", &LossyC(path))? {
            return Err(Error::new(format_args!(
                "copy to {}: not empty, and no layout",
                LossyC(path)
            )));
        }
        return new(Staged::fill(directory, path, partial, notices)?, Kind::Directory);
    }
    let layout = Store::open_directory(duplicate(directory.by_ref(), 3).doing("open")?)
        .context("copy to", &LossyC(path))?;
    if layout.is_of_2016()? {
        return Err(Error::new(format_args!(
            "a layout of 2016, with refs and no index.json: nothing is added to it"
        )));
    }
    // Copies may write blobs at the same time: only a change of the index needs the lock.
    let _ = fs::lock(directory.by_ref(), libc::LOCK_UN);
    Ok(Made {
        place: Staged::of(directory, partial, notices)?,
        kind: Kind::Directory,
        layout: Some(layout),
    })
}

/// Milliseconds of waiting for another copy after which we report it. The second constant is the
/// interval of attempts.
const SAID_AFTER_MS: i32 = 5000;
const LOOK_MS: i32 = 10;

/// The missing lock was reported: one command locks twice.
static SAID: AtomicBool = AtomicBool::new(false);

/// Locks the layout against other copies until it is closed. Waits for another copy's lock.
fn lock(directory: Fd, watch: &dyn Observer, notices: Notices<'_>) -> Result<Fd> {
    let mut waited = 0;
    loop {
        match fs::lock(directory.by_ref(), libc::LOCK_EX | libc::LOCK_NB) {
            Err(Errno::EAGAIN) => {}
            Err(Errno::EINTR) => continue,
            Err(errno) => {
                if !SAID.swap(true, Ordering::Relaxed) {
                    notices(&Notice::NotLocked(errno));
                }
                return Ok(directory);
            }
            Ok(()) => return Ok(directory),
        }
        if waited == SAID_AFTER_MS {
            notices(&Notice::WaitsForCopy);
        }
        waited += LOOK_MS;
        let _ = wait_ms(LOOK_MS);
        watch.progress(0)?;
    }
}

/// Returns the transport, the path and the name after it.
fn goal(words: &CStr) -> Result<Goal<'_>> {
    let (transport, rest) = resolve::transport(words)?;
    let (path, wanted) = resolve::split(rest)?;
    let fault = |why: &str| Err(Error::new(format_args!("copy to {rest}: {why}")));
    let transport = match (transport, path) {
        (Transport::Any, "-") => Transport::OciArchive,
        (Transport::Any, _) => {
            return fault("say what to make: oci:, oci-archive: or docker-archive:");
        }
        (Transport::Oci, "-") => return fault("a directory, and not a stream"),
        (transport, _) => transport,
    };
    if wanted.digest.is_some() || wanted.index.is_some() {
        return fault("a digest or a place is not a name");
    }
    if let Some(name) = wanted.reference.filter(|_| transport == Transport::DockerArchive) {
        check_name(name).context("copy to", &rest)?;
    }
    Ok(Goal { transport, path, name: wanted.reference })
}

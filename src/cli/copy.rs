//! `ocinit copy SRC DST`: an image from one place to another, verified on its way.

use super::image::{self, PLATFORM, Transport};
use super::place::Place;
use super::progress::Progress;
use super::{Arguments, Command, Flag};
use crate::export::{self, Kind, Target};
use crate::image::{Blob, ImageMemory, Store, Wanted, select};
use crate::io::path::PathBuf;
use crate::limits::REFERENCE_BYTES;
use crate::memory::Memory;
use crate::sys::fd::{CWD, STDOUT, duplicate};
use crate::sys::{fs, tty};
use crate::{Context, Error, Result};
use core::ffi::CStr;

pub(super) const COMMAND: Command = Command {
    name: "copy",
    words: "SRC DST",
    least: 2,
    most: 2,
    about: "Copy an image to oci:PATH[:TAG], oci-archive:PATH[:TAG] or docker-archive:PATH[:NAME[:TAG]], and verify all of it; - is standard input or output.",
    flags: &[PLATFORM, Flag::switch("all", b'a', "the images for all platforms, with the index over them")],
    run,
};

/// Where it goes.
struct Goal<'w> {
    transport: Transport,
    path: &'w str,
    /// The tag, or docker's name.
    name: Option<&'w str>,
}

/// What is copied.
struct What {
    /// A document of a layout: all that is beneath it, as it stands there. Otherwise an image, which gets other documents.
    top: Option<Blob>,
    tag: heapless::String<REFERENCE_BYTES>,
    /// Bytes of its layers, where they are known.
    total: u64,
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let Memory { archive, image: documents, unpack, export: names, .. } = crate::memory::claim();
    let goal = goal(arguments.word(1))?;
    let (store, wanted) = image::open(arguments, archive)?;
    let what = choose(&store, &wanted, &goal, arguments.has("all"), documents)?;
    let progress = Progress::start(what.total);
    let (place, kind, former) = make(&goal)?;
    let mut target = Target::new(place.file(), kind, names);
    let mut fill = || {
        let top = if let Some(top) = what.top {
            export::copy_parts(&store, &top, documents, &progress, &mut target, unpack)?;
            top
        } else {
            let image = crate::image::open(&store, &wanted, documents)?;
            if goal.transport == Transport::DockerArchive {
                return export::docker_archive(&store, &image, goal.name, &progress, &mut target, unpack);
            }
            export::layout_of_docker(&store, &image, &progress, &mut target, unpack)?
        };
        let former = former.as_ref().map(|layout| layout.read_index(documents)).transpose()?.flatten();
        export::finish_layout(&top, goal.name.unwrap_or(&what.tag), former, &mut target)
    };
    let filled = fill();
    filled.and_then(|()| target.finish()).and_then(|()| place.keep())
}

/// Finds what is wanted.
fn choose(
    store: &Store<'_>,
    wanted: &Wanted<'_>,
    goal: &Goal<'_>,
    all: bool,
    documents: &mut ImageMemory,
) -> Result<What> {
    let as_it_stands = goal.transport != Transport::DockerArchive && !matches!(store, Store::Docker(_));
    if all && !as_it_stands {
        return Err(Error::new(format_args!("--all: a docker-archive has no index over its images")));
    }
    let (top, tag, total) = if all {
        let (top, tag) = select(store, wanted, documents)?;
        (Some(top), tag, 0)
    } else {
        let image = crate::image::open(store, wanted, documents)?;
        (image.document.filter(|_| as_it_stands), image.tag, image.layers.iter().map(|layer| layer.size).sum())
    };
    let mut what = What { top, tag: heapless::String::new(), total };
    let _ = what.tag.push_str(if tag.is_empty() { "latest" } else { tag });
    Ok(what)
}

/// Makes what is to be written, or refuses; with a layout that is there already.
fn make(goal: &Goal<'_>) -> Result<(Place, Kind, Option<Store<'static>>)> {
    let Goal { transport, path, .. } = *goal;
    if path == "-" {
        if tty::is_terminal(STDOUT) {
            return Err(Error::new(format_args!("standard output is a terminal, and takes no archive")));
        }
        return Ok((Place::of(duplicate(STDOUT, 3).doing("standard output")?)?, Kind::Stream, None));
    }
    let mut name = PathBuf::from_bytes(path.as_bytes()).doing("make")?;
    if transport != Transport::Oci {
        return Ok((Place::make_file("copy to", name.as_c_str())?, Kind::File, None));
    }
    name.push(b"oci-layout").doing("make")?;
    let is_there = fs::stat(CWD, name.as_c_str()).is_ok();
    name.truncate(path.len());
    if !is_there {
        return Ok((Place::make("copy to", name.as_c_str(), 0o755)?, Kind::Directory, None));
    }
    let open = || fs::open(CWD, name.as_c_str(), fs::O_RDONLY | fs::O_DIRECTORY, 0).doing("open");
    let layout = Store::open_directory(open()?)?;
    match layout.has_index()? {
        true => Ok((Place::of(open()?)?, Kind::Directory, Some(layout))),
        false => Err(Error::new(format_args!("a layout of 2016, with refs and no index.json: nothing is added to it"))),
    }
}

/// The transport, the path and the name after it.
fn goal(words: &CStr) -> Result<Goal<'_>> {
    let (transport, rest) = image::transport(words)?;
    let (path, wanted) = image::split(rest)?;
    let transport = match (transport, path) {
        (Transport::Any, "-") => Transport::OciArchive,
        (Transport::Any, _) => {
            return Err(Error::new(format_args!(
                "copy to {rest}: say what to make: oci:, oci-archive: or docker-archive:"
            )));
        }
        (Transport::Oci, "-") => return Err(Error::new(format_args!("copy to {rest}: a directory, and not a stream"))),
        (transport, _) => transport,
    };
    if wanted.digest.is_some() || wanted.index.is_some() {
        return Err(Error::new(format_args!("copy to {rest}: a digest or a place is not a name")));
    }
    Ok(Goal { transport, path, name: wanted.reference })
}

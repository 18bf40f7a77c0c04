//! `ocinit copy SRC DST`: an image from one place to another, verified on its way.

use super::image::{self, PLATFORM, Transport};
use super::place::Place;
use super::progress::Progress;
use super::{Arguments, Command, Flag, Run};
use crate::codec::json::Items;
use crate::export::{self, Kind, Target};
use crate::image::{Blob, Image, Store, select};
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
    run: Run::Image(run),
};

/// Where it goes.
struct Goal<'w> {
    transport: Transport,
    path: &'w str,
    /// The tag, or docker's name.
    name: Option<&'w str>,
}

/// What is copied.
enum What<'m> {
    /// A document of a layout: all that is beneath it, as it stands there.
    Document(Blob),
    /// An image, which gets other documents.
    Image(&'m Image<'m>),
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let Memory { archive, image: documents, unpack, export: names, .. } = crate::memory::claim();
    let goal = goal(arguments.word(1))?;
    let (store, wanted) = image::open(arguments, arguments.word(0), archive)?;
    let as_it_stands = goal.transport != Transport::DockerArchive && !matches!(store, Store::Docker(_));
    let opened;
    let (what, tag, total) = if arguments.has("all") {
        if !as_it_stands {
            return Err(Error::new(format_args!("--all: a docker-archive has no index over its images")));
        }
        let (top, tag) = select(&store, &wanted, documents)?;
        (What::Document(top), tag, 0)
    } else {
        opened = crate::image::open(&store, &wanted, documents);
        let image = opened.as_ref().map_err(|error| *error)?;
        let what = match image.document {
            Some(top) if as_it_stands => What::Document(top),
            _ => What::Image(image),
        };
        (what, image.tag, image.layers.iter().map(|layer| layer.size).sum())
    };
    let mut its_tag: heapless::String<REFERENCE_BYTES> = heapless::String::new();
    let _ = its_tag.push_str(if tag.is_empty() { "latest" } else { tag });
    let progress = Progress::start(total);
    let (path, mut partial) = (PathBuf::from_bytes(goal.path.as_bytes()).doing("make")?, PathBuf::new());
    let (place, kind, former) = make(&goal, path.as_c_str(), &mut partial)?;
    let mut target = Target::new(place.file(), kind, names);
    let top = match what {
        What::Document(top) => {
            export::copy_parts(&store, &top, documents, &progress, &mut target, unpack)?;
            Some(top)
        }
        What::Image(image) if goal.transport == Transport::DockerArchive => {
            export::docker_archive(&store, image, goal.name, &progress, &mut target, unpack)?;
            None
        }
        What::Image(image) => Some(export::layout_of_docker(&store, image, &progress, &mut target, unpack)?),
    };
    if let Some(top) = top {
        let former = match &former {
            Some(layout) => layout.entries(documents)?,
            None => Items::default(),
        };
        export::finish_layout(&top, goal.name.unwrap_or(&its_tag), former, &mut target)?;
    }
    target.finish()?;
    place.keep()
}

/// Makes what is to be written, or refuses; with a layout that is there already.
fn make<'n>(
    goal: &Goal<'_>,
    path: &'n CStr,
    partial: &'n mut PathBuf,
) -> Result<(Place<'n>, Kind, Option<Store<'static>>)> {
    if goal.path == "-" {
        if tty::is_terminal(STDOUT) {
            return Err(Error::new(format_args!("standard output is a terminal, and takes no archive")));
        }
        return Ok((Place::of(duplicate(STDOUT, 3).doing("standard output")?, partial)?, Kind::Stream, None));
    }
    if goal.transport != Transport::Oci {
        return Ok((Place::make_file("copy to", path, partial)?, Kind::File, None));
    }
    let there = fs::open(CWD, path, fs::O_RDONLY | fs::O_DIRECTORY, 0).ok();
    let Some(directory) = there.filter(|there| fs::stat(there.by_ref(), c"oci-layout").is_ok()) else {
        return Ok((Place::make("copy to", path, 0o755, partial)?, Kind::Directory, None));
    };
    let layout = Store::open_directory(duplicate(directory.by_ref(), 3).doing("open")?)?;
    match layout.has_index()? {
        true => Ok((Place::of(directory, partial)?, Kind::Directory, Some(layout))),
        false => Err(Error::new(format_args!("a layout of 2016, with refs and no index.json: nothing is added to it"))),
    }
}

/// The transport, the path and the name after it.
fn goal(words: &CStr) -> Result<Goal<'_>> {
    let (transport, rest) = image::transport(words)?;
    let (path, wanted) = image::split(rest)?;
    let fault = |why: &str| Err(Error::new(format_args!("copy to {rest}: {why}")));
    let transport = match (transport, path) {
        (Transport::Any, "-") => Transport::OciArchive,
        (Transport::Any, _) => return fault("say what to make: oci:, oci-archive: or docker-archive:"),
        (Transport::Oci, "-") => return fault("a directory, and not a stream"),
        (transport, _) => transport,
    };
    if wanted.digest.is_some() || wanted.index.is_some() {
        return fault("a digest or a place is not a name");
    }
    Ok(Goal { transport, path, name: wanted.reference })
}

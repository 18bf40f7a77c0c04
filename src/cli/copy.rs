//! `ocinit copy SRC DST`: copies an image, verified on the way.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::max_size::MaxSize;
use super::notices::warn;
use super::progress::Progress;
use super::{image, options};
use crate::Result;
use crate::engine::copy::{Copy, copy};

pub(super) const COMMAND: Command = Command {
    name: "copy",
    words: "SRC DST",
    least: 2,
    most: 2,
    about: "Copy an image to oci:PATH[:TAG], oci-archive:PATH[:TAG] or docker-archive:PATH[:NAME[:TAG]], \
            each blob verified by its digest; - is standard input or output.",
    flags: &options::and_registry::<2, 7>([
        options::PLATFORM,
        Flag::switch("all", b'a', "the images for all platforms, with the index over them"),
    ]),
    run: Run::Image(run),
};

fn parse<'a>(arguments: &Arguments<'a>, any_size: &'a MaxSize) -> Result<Copy<'a>> {
    Ok(Copy {
        image: image::parse(arguments, any_size)?,
        target: arguments.word(1),
        all: arguments.has("all"),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let any_size = MaxSize::none();
    let wanted = parse(arguments, &any_size)?;
    let progress = Progress::new(MaxSize::none());
    copy(&wanted, &progress, &mut crate::memory::claim().engine, &warn)
}

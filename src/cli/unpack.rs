//! `ocinit unpack [--rootless] IMAGE ROOTFS`: unpacks and verifies an image in one pass into a new
//! directory.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::notices::warn;
use super::progress::Progress;
use super::{image, options};
use crate::Result;
use crate::engine::unpack::{Unpack, unpack};

pub(super) const COMMAND: Command = Command {
    name: "unpack",
    words: "IMAGE ROOTFS",
    least: 2,
    most: 2,
    about: "Verify an image and unpack its layers into the directory ROOTFS, which is made or is empty.",
    flags: &options::and_registry::<3, 8>([
        options::PLATFORM,
        options::MAX_SIZE,
        options::ROOTLESS,
    ]),
    run: Run::Image(run),
};

fn parse<'a>(arguments: &Arguments<'a>, limit: &'a MaxSize) -> Result<Unpack<'a>> {
    Ok(Unpack {
        image: image::parse(arguments, limit)?,
        rootfs: arguments.word(1),
        is_rootless: options::parse_rootless(arguments),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let limit = MaxSize::parse(arguments)?;
    let wanted = parse(arguments, &limit)?;
    let progress = Progress::new(limit.again());
    unpack(&wanted, &progress, &mut crate::memory::claim().engine, &warn)
}

//! `ocinit unpack [--rootless] IMAGE ROOTFS`: verified, in one pass, into a new directory.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::notices::warn;
use super::progress::Progress;
use super::{image, options, rootless};
use crate::Result;
use crate::container::userns::Ids;
use crate::engine::unpack::{Unpack, unpack};
use crate::log::Level;

pub(super) const COMMAND: Command = Command {
    name: "unpack",
    words: "IMAGE ROOTFS",
    least: 2,
    most: 2,
    about: "Verify an image and unpack its layers into the directory ROOTFS, which is made or is empty.",
    flags: &[options::PLATFORM, options::MAX_SIZE, options::ROOTLESS],
    run: Run::Image(run),
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let powers = rootless::powers(arguments, &mut Ids::of_caller());
    let limit = MaxSize::typed(arguments)?;
    let image = image::query(arguments, arguments.word(0), &limit)?;
    let wanted = Unpack { image, rootfs: arguments.word(1), powers };
    let progress = Progress::new(limit.again());
    let applied = unpack(&wanted, &progress, &mut crate::memory::claim().engine, &warn)?;
    drop(progress);
    rootless::report(Level::Warning, &applied);
    Ok(())
}

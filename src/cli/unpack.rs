//! `ocinit unpack [--rootless] IMAGE ROOTFS`: verified, in one pass, into a new directory.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::image::{self, Chosen};
use super::staged::Staged;
use super::{options, rootless};
use crate::container::userns::Ids;
use crate::io::path::PathBuf;
use crate::log::Level;
use crate::{Result, bundle};

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
    let memory = &mut crate::memory::claim().engine;
    let Chosen { store, image, progress } = image::choose(
        arguments,
        arguments.word(0),
        &mut memory.archive,
        &mut memory.image,
        &mut memory.unpack,
    )?;
    let mut partial = PathBuf::new();
    let place = Staged::make("rootfs", arguments.word(1), 0o755, &mut partial)?;
    let applied = bundle::unpack_layers(
        &store,
        image.layers,
        place.file(),
        powers,
        &progress,
        &mut memory.unpack,
    )?;
    place.commit()?;
    drop(progress);
    rootless::report(Level::Warning, &applied);
    Ok(())
}

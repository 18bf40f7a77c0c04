//! `ocinit unpack [--rootless] IMAGE ROOTFS`: verified, in one pass, into a new directory.

use super::place::Place;
use super::progress::Progress;
use super::{Arguments, Command, image, rootless};
use crate::container::userns::Ids;
use crate::io::path::PathBuf;
use crate::{Result, bundle};

pub(super) const COMMAND: Command = Command {
    name: "unpack",
    words: "IMAGE ROOTFS",
    least: 2,
    most: 2,
    about: "Verify an image and unpack its layers into the directory ROOTFS, which is made or is empty.",
    flags: &[image::PLATFORM, rootless::FLAG],
    run,
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let [words, rootfs] = arguments.exactly();
    let powers = rootless::powers(arguments, &mut Ids::of_caller());
    let memory = crate::memory::claim();
    let (store, wanted) = image::open(words, arguments, &mut memory.archive)?;
    let image = crate::image::open(&store, &wanted, &mut memory.image)?;
    let progress = Progress::start(image.layers.iter().map(|layer| layer.size).sum());
    let mut partial = PathBuf::new();
    let place = Place::make("rootfs", rootfs, 0o755, &mut partial)?;
    let applied = bundle::unpack_layers(&store, image.layers, place.file(), powers, &progress, &mut memory.unpack)?;
    place.keep()?;
    drop(progress);
    rootless::report(&applied.losses);
    if applied.skipped_xattrs > 0 {
        crate::warning!("{} extended attributes were skipped", applied.skipped_xattrs);
    }
    Ok(())
}

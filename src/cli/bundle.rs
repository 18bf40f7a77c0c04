//! `ocinit bundle IMAGE BUNDLE`: a root file system and the config.json for it, as runc and crun
//! take them.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::notices::warn;
use super::progress::Progress;
use super::{image, options, rootless, settings};
use crate::Result;
use crate::container::userns::Ids;
use crate::engine::bundle::{FromImage, Place, make};
use crate::log::Level;

pub(super) const COMMAND: Command = Command {
    name: "bundle",
    words: "IMAGE BUNDLE",
    least: 2,
    most: 2,
    about: "Verify an image and make a bundle of it for runc, crun and the like: BUNDLE/rootfs and BUNDLE/config.json.",
    flags: &[
        options::PLATFORM,
        options::REF,
        options::MAX_SIZE,
        options::ROOTLESS,
        options::TTY,
        options::PRIVILEGED,
        options::SECURITY_OPT,
        options::ULIMIT,
    ],
    run: Run::Image(run),
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let mut ids = Ids::of_caller();
    let powers = rootless::powers(arguments, &mut ids);
    let draft = settings::draft(arguments)?;
    let limit = MaxSize::typed(arguments)?;
    let from = FromImage {
        image: image::query(arguments, arguments.word(0), &limit)?,
        args: None,
        draft: &draft,
    };
    let place = Place { bundle: arguments.word(1), powers, ids: &ids, joins: false };
    let progress = Progress::new(limit.again());
    let applied = make(from, &place, &progress, &mut crate::memory::claim().engine, &warn)?;
    drop(progress);
    rootless::report(Level::Warning, &applied);
    Ok(())
}

//! `ocinit bundle IMAGE BUNDLE`: makes a root file system and its config.json, for runc and crun.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::notices::warn;
use super::progress::Progress;
use super::settings::FLAGS;
use super::{image, options, settings};
use crate::Result;
use crate::engine::bundle::{Bundle, make_bundle};

pub(super) const COMMAND: Command = Command {
    name: "bundle",
    words: "IMAGE BUNDLE",
    least: 2,
    most: 2,
    about: "Verify an image and make a bundle of it for runc, crun and the like: BUNDLE/rootfs and BUNDLE/config.json.",
    flags: &options::and_settings::<13, { 13 + FLAGS.len() }>(options::and_registry([
        options::PLATFORM,
        options::REF,
        options::MAX_SIZE,
        options::ROOTLESS,
        options::TTY,
        options::PRIVILEGED,
        options::SECURITY_OPT,
        options::ULIMIT,
    ])),
    run: Run::Image(run),
};

fn parse<'a>(arguments: &Arguments<'a>, limit: &'a MaxSize) -> Result<Bundle<'a>> {
    Ok(Bundle {
        draft: settings::parse(arguments)?,
        image: image::parse(arguments, limit)?,
        bundle: arguments.word(1),
        is_rootless: options::parse_rootless(arguments),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let limit = MaxSize::parse(arguments)?;
    let wanted = parse(arguments, &limit)?;
    let progress = Progress::new(limit.again());
    make_bundle(wanted, &progress, &mut crate::memory::claim().engine, &warn)
}

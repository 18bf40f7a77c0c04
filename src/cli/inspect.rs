//! `ocinit inspect IMAGE`: an image, or the list of images, as text or as JSON.
//!
//! The names in the JSON are skopeo's if it has them. All documents are verified before any of
//! their text is shown. Layers are not read.

mod json;
mod table;

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::max_size::MaxSize;
use super::options::Format;
use super::print::to_stdout;
use super::{image, options};
use crate::Result;
use crate::engine::inspect::inspect;
use crate::engine::resolve::ImageQuery;

pub(super) const COMMAND: Command = Command {
    name: "inspect",
    words: "IMAGE",
    least: 1,
    most: 1,
    about: "Show what an image is: its digests, platform, configuration, layers and history. Without a tag, and where \
            there are several images, show which there are.",
    flags: &options::and_registry::<2, 7>([
        Flag::value(
            "format",
            0,
            "table|json",
            "for a person, which is the default, or for a program",
        ),
        options::PLATFORM,
    ]),
    run: Run::Image(run),
};

struct Inspect<'a> {
    image: ImageQuery<'a>,
    format: Format,
}

fn parse<'a>(arguments: &Arguments<'a>, any_size: &'a MaxSize) -> Result<Inspect<'a>> {
    Ok(Inspect {
        image: image::parse(arguments, any_size)?,
        format: options::parse_format(arguments, "table")?,
    })
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let any_size = MaxSize::none();
    let Inspect { image, format } = parse(arguments, &any_size)?;
    let memory = &mut crate::memory::claim().engine;
    let mut fault = None;
    to_stdout(|output| {
        fault = match format {
            Format::Person => inspect(&image, &mut table::Table::new(output), memory)?,
            Format::Program => inspect(&image, &mut json::Document::new(output), memory)?,
        };
        Ok(())
    })?;
    fault.map_or(Ok(()), Err)
}

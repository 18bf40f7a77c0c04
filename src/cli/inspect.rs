//! `ocinit inspect IMAGE`: what an image is, or what images there are; for a person or as JSON.
//!
//! The names in the JSON are skopeo's where it has one. Nothing is believed less than elsewhere:
//! all documents are verified before a word of them is shown. Layers are not read.

mod json;
mod table;

use super::arguments::{Arguments, choice};
use super::command::{Command, Flag, Run};
use super::max_size::MaxSize;
use super::{image, options};
use crate::engine::inspect::inspect;
use crate::io::output::Output;
use crate::sys::fd::STDOUT;
use crate::{Context, Result};

pub(super) const COMMAND: Command = Command {
    name: "inspect",
    words: "IMAGE",
    least: 1,
    most: 1,
    about: "Show what an image is: its digests, platform, configuration, layers and history. Without a tag, and where \
            there are several images, show which there are.",
    flags: &[
        Flag::value(
            "format",
            0,
            "table|json",
            "for a person, which is the default, or for a program",
        ),
        options::PLATFORM,
    ],
    run: Run::Image(run),
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let any_size = MaxSize::none();
    let query = image::query(arguments, arguments.word(0), &any_size)?;
    let format = arguments.value("format").unwrap_or(c"table");
    let memory = &mut crate::memory::claim().engine;
    let mut output = Output::new(STDOUT);
    let fault = match format.to_bytes() {
        b"table" => inspect(&query, &mut table::Table::new(&mut output), memory)?,
        b"json" => inspect(&query, &mut json::Document::new(&mut output), memory)?,
        _ => return Err(choice("--format", format, "table nor json")),
    };
    output.finish().doing("write standard output")?;
    fault.map_or(Ok(()), Err)
}

//! `ocinit ps ID`: the processes of a container, by their pids or by ps(1)'s lines.

use super::arguments::{Arguments, TypedWords};
use super::command::{Command, Flag, PASSED_ON, Run};
use super::container::{self, Container};
use super::options::{self, Format};
use super::print::to_stdout;
use crate::Result;
use crate::codec::json::Writer;
use crate::engine::EngineMemory;
use crate::engine::processes::{describe, processes};

pub(super) const COMMAND: Command = Command {
    name: "ps",
    words: "ID [PS-OPTION]...",
    least: 1,
    most: PASSED_ON,
    about: "Show the processes of a container. The options behind its ID are those of ps(1), `-ef` where there are none.",
    flags: &[Flag::value(
        "format",
        b'f',
        "table|json",
        "what ps says of them, which is the default, or their numbers",
    )],
    run: Run::Container(run),
};

struct Ps<'a> {
    container: Container<'a>,
    format: Format,
    /// ps(1)'s arguments.
    words: TypedWords<'a>,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Ps<'a>> {
    let (container, mut words) = (container::parse(arguments)?, arguments.words());
    let _ = words.next();
    Ok(Ps { container, format: options::parse_format(arguments, "table")?, words })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let Ps { container: Container { root, id }, format, mut words } = parse(arguments)?;
    let EngineMemory { container, config, strings, .. } = &mut crate::memory::claim().engine;
    let pids = processes(&root.open()?, id, container, config)?;
    to_stdout(|output| match format {
        Format::Person => describe(pids, &mut words, output, strings),
        Format::Program => {
            let mut json = Writer::with_indent(output, "");
            match pids {
                [] => json.null(),
                pids => {
                    json.array();
                    pids.iter().for_each(|pid| json.number(*pid as u64));
                    json.end();
                }
            }
            Ok(())
        }
    })
    .map(|()| 0)
}

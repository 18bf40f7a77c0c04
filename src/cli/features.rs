//! `ocinit features`: the features of this runtime.

use super::command::{Command, Run};
use super::print::to_stdout;
use crate::Result;
use crate::codec::json::Writer;
use crate::engine::features::write_features;

pub(super) const COMMAND: Command = Command {
    name: "features",
    words: "",
    least: 0,
    most: 0,
    about: "Show what the runtime knows of the specification, as JSON.",
    flags: &[],
    run: Run::Container(|_| run()),
};

fn run() -> Result<i32> {
    to_stdout(|output| {
        write_features(&mut Writer::new(output));
        Ok(())
    })
    .map(|()| 0)
}

//! `ocinit verify IMAGE`: verifies every blob by its digest and every layer by its diff_id. It
//! writes nothing.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::max_size::MaxSize;
use super::print::print;
use super::progress::Progress;
use super::{image, options};
use crate::Result;
use crate::bundle::verify::Work;
use crate::engine::resolve::ImageQuery;
use crate::engine::verify::verify;
use core::fmt::{self, Display};

pub(super) const COMMAND: Command = Command {
    name: "verify",
    words: "IMAGE",
    least: 1,
    most: 1,
    about: "Verify an image, or all that is in a layout: each blob against its digest, each layer as a tar and against \
            its diff_id.",
    flags: &options::and_registry::<2, 7>([options::PLATFORM, options::MAX_SIZE]),
    run: Run::Image(run),
};

struct Verify<'a> {
    image: ImageQuery<'a>,
    is_quiet: bool,
}

fn parse<'a>(arguments: &Arguments<'a>, limit: &'a MaxSize) -> Result<Verify<'a>> {
    let image = image::parse(arguments, limit)?;
    Ok(Verify { image, is_quiet: arguments.has("quiet") })
}

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let limit = MaxSize::parse(arguments)?;
    let Verify { image, is_quiet } = parse(arguments, &limit)?;
    let progress = Progress::new(limit.again());
    let work = verify(&image, &progress, &mut crate::memory::claim().engine)?;
    drop(progress);
    if is_quiet {
        return Ok(());
    }
    print(format_args!("verified{}\n", Said(&work)))
}

/// The names of the counts, in their order below.
static COUNTED: [&str; 7] = [
    "images",
    "artifacts",
    "blobs",
    "bytes",
    "blobs that nothing refers to",
    "foreign layers that are not here",
    "files not looked at, as their names are no digests",
];

/// The verified and the skipped blobs.
struct Said<'a>(&'a Work);

impl Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Work { images, artifacts, unreferenced, others, foreign, .. } = self.0;
        let (blobs, bytes) = self.0.size();
        let counts = [*images, *artifacts, blobs, bytes, *unreferenced, *foreign, *others];
        let mut comma = ": ";
        for (what, &count) in COUNTED.iter().zip(&counts) {
            if count > 0 {
                write!(f, "{comma}{what} {count}")?;
                comma = ", ";
            }
        }
        Ok(())
    }
}

//! `ocinit verify IMAGE`: every blob is what its digest says, every layer what its image says;
//! nothing is written.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::print::print;
use super::progress::Progress;
use super::{image, max_size, options};
use crate::Result;
use crate::bundle::verify::Work;
use crate::image::walk_index::Scope;
use crate::limits::{BLOB_READ_BYTES, DOCUMENT_BYTES};
use core::fmt::{self, Display};

pub(super) const COMMAND: Command = Command {
    name: "verify",
    words: "IMAGE",
    least: 1,
    most: 1,
    about: "Verify an image, or all that is in a layout: each blob against its digest, each layer as a tar and against \
            its diff_id.",
    flags: &[options::PLATFORM, options::MAX_SIZE],
    run: Run::Image(run),
};

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let memory = &mut crate::memory::claim().engine;
    let (store, wanted) =
        image::open(arguments, arguments.word(0), &mut memory.archive, &mut memory.unpack)?;
    let scope = Scope { wanted, is_of_platform: arguments.has("platform") };
    let indexes = image::index_buffers(&mut memory.strings);
    let work = Work::collect(&store, &scope, indexes, &mut memory.image)?;
    if work.images + work.artifacts == 0 {
        // Whoever chooses an image says best why there is none.
        crate::image::open(&store, &scope.wanted, &mut memory.image)?;
    }
    let progress = Progress::start(work.size().1, max_size::MaxSize::typed(arguments)?);
    let mut buffer = [0; BLOB_READ_BYTES];
    work.run(&store, &progress, &mut memory.unpack, &mut buffer)?;
    drop(progress);
    match arguments.has("quiet") {
        true => Ok(()),
        false => print(format_args!("verified{}\n", Said(&work))),
    }
}

/// What is counted, in the order of the counts below.
static COUNTED: [&str; 7] = [
    "images",
    "artifacts",
    "blobs",
    "bytes",
    "blobs that nothing refers to",
    "foreign layers that are not here",
    "files not looked at, as their names are no digests",
];

/// What was verified, and what was not.
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

const _: () = assert!(crate::limits::STRINGS_BYTES >= 2 * DOCUMENT_BYTES);

//! Verifies an image, or all of a layout. It writes nothing.

use super::EngineMemory;
use super::resolve::{ImageQuery, index_buffers, open};
use crate::Result;
use crate::bundle::verify::Work;
use crate::image::walk_index::Scope;
use crate::io::observer::Observer;
use crate::limits::BLOB_READ_BYTES;

/// Reads every blob. Returns the counts.
pub fn verify(
    image: &ImageQuery<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
) -> Result<Work> {
    let (store, wanted) = open(image, &mut memory.archive, &mut memory.unpack)?;
    let scope = Scope { wanted, is_of_platform: image.platform.is_some() };
    let indexes = index_buffers(&mut memory.strings);
    let work = Work::collect(&store, &scope, indexes, &mut memory.image)?;
    if work.images + work.artifacts == 0 {
        // Run the image selection to get its error message.
        crate::image::open(&store, &scope.wanted, &mut memory.image)?;
    }
    watch.begin(work.size().1);
    let mut buffer = [0; BLOB_READ_BYTES];
    work.run(&store, watch, &mut memory.unpack, &mut buffer)?;
    watch.end();
    Ok(work)
}

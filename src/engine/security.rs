//! The user's seccomp profile for an image's container.

use crate::bundle::{Given, Security};
use crate::codec::json::{self, Writer};
use crate::container::seccomp::{self, Program};
use crate::io::document;
use crate::io::lossy::Lossy;
use crate::io::output::InMemory;
use crate::io::path::PathBuf;
use crate::spec::settings::{Draft, Filter};
use crate::spec::{self, SpecMemory};
use crate::{Context, Result};

/// Reads the seccomp profile to the first buffer and resolves it to the second. Compiles it once
/// here, so that its errors come before any effect.
pub fn read<'m>(
    draft: &'m Draft<'_>,
    [text, resolved]: [&'m mut [u8]; 2],
    room: &mut SpecMemory<'_>,
    program: &mut Program,
) -> Result<Given<'m>> {
    let mut given = Given { rlimits: &draft.rlimits, ..Given::default() };
    if let Some(Filter::File(path)) = draft.filter {
        let (place, option) = (Lossy(path), "--security-opt seccomp");
        let path = PathBuf::from_bytes(path).context(option, &place)?;
        let read = document::read_named(path.as_c_str(), text).and_then(json::check);
        let profile = read.context(option, &place)?;
        let mut sink = InMemory::new(resolved);
        let mut json = Writer::with_indent(&mut sink, "");
        let bounding = Security::of(draft).bounding();
        spec::seccomp::resolve(profile, bounding, &mut json).context(option, &place)?;
        let profile = sink.finish().and_then(json::check).context(option, &place)?;
        spec::read_seccomp(profile, room)
            .and_then(|profile| seccomp::compile(&profile, program).map(drop))
            .context(option, &place)?;
        given.profile = Some(profile);
    }
    Ok(given)
}

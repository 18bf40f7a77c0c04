//! The user's seccomp profile for an image's container.

use crate::bundle::{Given, Security};
use crate::codec::json;
use crate::container::seccomp::{self, Program};
use crate::io::document;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::spec::settings::{Draft, Filter};
use crate::spec::{self, SpecMemory};
use crate::{Context, Result};

/// Reads the seccomp profile by way of the buffer, decided for the container's capabilities.
/// Compiles it once here, so that its errors come before any effect.
pub fn read<'m>(
    draft: &'m Draft<'_>,
    text: &mut [u8],
    room: &mut SpecMemory<'m>,
    program: &mut Program,
) -> Result<Given<'m>> {
    let mut given = Given { rlimits: &draft.rlimits, draft: Some(draft), ..Given::default() };
    if let Some(Filter::File(path)) = draft.filter {
        let (place, option) = (Lossy(path), "--security-opt seccomp");
        let path = PathBuf::from_bytes(path).context(option, &place)?;
        let read = document::read_named(path.as_c_str(), text).and_then(json::check);
        let profile = read.context(option, &place)?;
        let bounding = Security::of(draft).bounding();
        let profile = spec::read_docker_seccomp(profile, bounding, room).context(option, &place)?;
        seccomp::compile(&profile, program).context(option, &place)?;
        given.profile = Some(profile);
    }
    Ok(given)
}

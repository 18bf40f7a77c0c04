//! `linux.timeOffsets`: the offsets of a new time namespace's clocks from the host's
//! (time_namespaces(7)).

use super::procfs::Procfs;
use crate::error::{Context, Result};
use crate::io::path::PathBuf;
use crate::spec::Spec;
use crate::spec::attributes::{CLOCKS, ClockOffset};

/// Sets them, in the time namespace that this process has made for its children, before the first
/// child.
pub fn set(spec: &Spec<'_>) -> Result<()> {
    if spec.clocks == [None; 2] {
        return Ok(());
    }
    let proc = Procfs::open()?;
    for (clock, offset) in CLOCKS.iter().zip(&spec.clocks) {
        let Some(ClockOffset { seconds, nanoseconds }) = offset else { continue };
        let line = PathBuf::format(format_args!("{clock} {seconds} {nanoseconds}\n"))
            .doing("time offset")?;
        proc.write(c"self/timens_offsets", line.as_bytes())
            .context("set the offset of the clock", clock)?;
    }
    Ok(())
}

//! `linux.timeOffsets`: how far the clocks of a new time namespace are from the host's
//! (time_namespaces(7)).

use super::procfs::Procfs;
use crate::error::{Context, Result};
use crate::io::path::PathBuf;
use crate::spec::Spec;
use crate::sys::clone::CLONE_NEWTIME;

/// Checks the clocks and their offsets, before anything is made.
pub fn check(spec: &Spec<'_>) -> Result<()> {
    let Some(offsets) = spec.linux("timeOffsets") else { return Ok(()) };
    for (clock, offset) in offsets.entries()? {
        if clock != "monotonic" && clock != "boottime" {
            return Err(offset.error("neither monotonic nor boottime"));
        }
        if offset.get("nanosecs")?.map_or(Ok(0), |value| value.as_u64())? >= 1_000_000_000 {
            return Err(offset.error_in("nanosecs", "not below a second"));
        }
        if spec.namespaces & CLONE_NEWTIME == 0 {
            return Err(offset.error("needs a time namespace of the container's own"));
        }
    }
    Ok(())
}

/// Sets them, in the time namespace that this process has made for its children, before the first
/// is in it.
pub fn set(spec: &Spec<'_>) -> Result<()> {
    let Some(offsets) = spec.linux("timeOffsets") else { return Ok(()) };
    let proc = Procfs::open()?;
    for (clock, offset) in offsets.entries()? {
        let seconds = offset.get("secs")?.map_or(Ok(0), |value| value.as_i64())?;
        let nanoseconds = offset.get("nanosecs")?.map_or(Ok(0), |value| value.as_u64())?;
        let line = PathBuf::format(format_args!("{clock} {seconds} {nanoseconds}\n"))
            .doing("time offset")?;
        proc.write(c"self/timens_offsets", line.as_bytes())
            .context("set the offset of the clock", &clock)?;
    }
    Ok(())
}

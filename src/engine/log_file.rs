//! The log file.

use crate::io::lossy::{LossyC, On};
use crate::sys::fd::{self, CWD};
use crate::sys::{Errno, fs};
use crate::{Context, Error, Result, log};
use core::ffi::CStr;

/// Opens or makes the file, and appends all further messages to it.
pub fn open_log(name: &CStr) -> Result<()> {
    // O_NONBLOCK, because neither a FIFO without a reader nor a full one may stop a container.
    let flags = fs::O_WRONLY | fs::O_CREAT | fs::O_APPEND | fs::O_NONBLOCK | fs::O_NOCTTY;
    let file = match fs::open(CWD, name, flags, 0o644) {
        Err(Errno::ENXIO) => {
            return Err(Error::new(format_args!(
                "open the log {}: no process reads it",
                LossyC(name)
            )));
        }
        file => file.on("open the log", name)?,
    };
    // Keep the container's first three fds free.
    log::set_target(fd::duplicate(file.by_ref(), 3).doing("duplicate a descriptor")?.leak());
    Ok(())
}

//! Options of every command: target and level of messages, and the maker of cgroups.

use super::MAKING;
use super::arguments::{Arguments, choice};
use super::command::Command;
use crate::engine::log_file::open_log;
use crate::log::{self, Format, Level};
use crate::{Error, Result};
use core::ffi::CStr;

/// The target, level and format of messages.
pub(super) struct Messages<'a> {
    log: Option<&'a CStr>,
    format: &'a CStr,
    level: Option<Level>,
}

/// Returns the options of messages.
pub(super) fn parse<'a>(arguments: &Arguments<'a>) -> Messages<'a> {
    Messages {
        log: arguments.value("log"),
        format: arguments.value("log-format").unwrap_or(c"text"),
        level: match arguments.has("quiet") {
            true => Some(Level::Error),
            false => arguments.has("debug").then_some(Level::Debug),
        },
    }
}

impl Messages<'_> {
    /// Applies them to all further messages. The log comes first, because it gets all later errors.
    pub fn set_up(&self) -> Result<()> {
        self.log.map_or(Ok(()), open_log)?;
        match self.format.to_bytes() {
            b"text" => {}
            b"json" => log::set_format(Format::Json),
            _ => return Err(choice("--log-format", self.format, "text nor json")),
        }
        if let Some(level) = self.level {
            log::set_level(level);
        }
        Ok(())
    }
}

/// Returns an error for an unknown manager, and if `create` or `run` should leave cgroups to
/// systemd.
pub(super) fn parse_manager(command: &Command, arguments: &Arguments<'_>) -> Result<()> {
    let manager = arguments.value("cgroup-manager").unwrap_or(c"cgroupfs");
    let is_systemd = match manager.to_bytes() {
        b"cgroupfs" | b"disabled" => arguments.has("systemd-cgroup"),
        b"systemd" => true,
        _ => return Err(choice("--cgroup-manager", manager, "cgroupfs nor disabled")),
    };
    match is_systemd && MAKING.contains(&command.name) {
        true => Err(Error::new(format_args!(
            "--systemd-cgroup: ocinit makes cgroups without systemd, as with --cgroup-manager cgroupfs"
        ))),
        false => Ok(()),
    }
}

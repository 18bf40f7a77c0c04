//! Handover from a service manager: sockets (sd_listen_fds(3)), and its socket for READY=1.

use crate::container::notify::{self, Relay};
use crate::container::state::{Id, Root};
use crate::io::path::PathBuf;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::io::text::decimal;
use crate::limits::PRESERVED_FDS_MAX;
use crate::spec::Mount;
use crate::sys::{Errno, fd, process};
use crate::{Context, Error, Result};
use core::fmt;

/// Returns the number of sockets, from fd 3 up, that a service manager passed to us
/// (sd_listen_fds(3)).
pub fn listening() -> u32 {
    let number =
        |name: &str| process::variable(name.as_bytes()).and_then(|text| decimal(text.to_bytes()));
    let is_ours = number("LISTEN_PID") == Some(process::getpid() as u64);
    number(LISTEN_FDS).filter(|count| is_ours && *count < PRESERVED_FDS_MAX).unwrap_or(0) as u32
}

const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
/// Returns the config's environment, in which a service manager's variables replace older ones.
pub fn environment<'m>(
    of: PackedStrings<'_>,
    listening: u32,
    relay: Option<&Relay>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let is_listening = listening > 0;
    let names = process::variable(LISTEN_FDNAMES.as_bytes()).filter(|_| is_listening);
    let replaced = [
        (LISTEN_FDS, is_listening),
        (LISTEN_PID, is_listening),
        (LISTEN_FDNAMES, names.is_some()),
        (notify::VARIABLE, relay.is_some()),
    ];
    let mut words = strings.begin();
    for word in of.iter() {
        let name = word.to_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        if !replaced.iter().any(|(other, is_set)| *is_set && other.as_bytes() == name) {
            words.push(word.to_bytes())?;
            words.end_word()?;
        }
    }
    let mut add =
        |text: fmt::Arguments<'_>| words.push_format(text).and_then(|()| words.end_word());
    if is_listening {
        add(format_args!("{LISTEN_FDS}={listening}"))?;
        // Its pid in its own pid namespace.
        add(format_args!("{LISTEN_PID}=1"))?;
    }
    if relay.is_some() {
        add(format_args!("{}={}", notify::VARIABLE, notify::SOCKET))?;
    }
    if let Some(names) = names {
        words.push_format(format_args!("{LISTEN_FDNAMES}="))?;
        words.push(names.to_bytes())?;
        words.end_word()?;
    }
    Ok(words.finish_words())
}

/// Returns the number of fds from 3 up that the process keeps: the `handed` ones, and then `typed`
/// ones. All of them must be open.
pub fn preserved(typed: u32, handed: u32) -> Result<u32> {
    for number in 0..handed + typed {
        let descriptor = 3 + number;
        // A fd of ours with this number would give the container access to the host.
        if fd::is_inherited(descriptor) {
            continue;
        }
        let (option, n) = if number < handed {
            (LISTEN_FDS, number)
        } else {
            ("--preserve-fds", number - handed)
        };
        // runc's words are included.
        let text = format_args!("{option}: descriptor {descriptor} is not open (preserved-fd {n})");
        return Err(Error::with_errno(text, Errno::EBADF));
    }
    Ok(handed + typed)
}

/// Returns the mount of the state directory that will hold the process's notification socket.
pub fn notifications<'m>(
    root: &Root,
    id: Id<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<Mount<'m>> {
    let mut source = PathBuf::new();
    root.path_of(id, &mut source)?;
    source.push(notify::DIRECTORY.to_bytes()).doing("find the directory for notifications")?;
    Ok(Mount {
        destination: notify::PLACE,
        kind: c"bind",
        source: strings.add(source.as_bytes())?,
        options: PackedStrings::new(b"bind\0nosuid\0noexec\0nodev\0ro\0"),
        optional: false,
        uid_mappings: &[],
        gid_mappings: &[],
    })
}

//! The text of `state.json`.

use super::{Id, Process, Status};
use crate::codec::json::{Value, Writer};
use crate::io::output::Sink;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::limits::{PATH_BYTES, STATE_BYTES};
use crate::sys::fd::FdRef;
use crate::sys::fs::{self, Time};
use crate::sys::{self, Errno, time};
use crate::{Error, Result};
use core::ffi::CStr;
use core::fmt::{self, Display, Write};

// Every text of a state fits, escaped.
const _: () = assert!(STATE_BYTES >= 4 * 6 * PATH_BYTES + 1024);

/// The saved state of a container.
#[derive(Clone, Copy)]
pub struct State<'s> {
    /// `ociVersion` of its configuration.
    pub version: &'s CStr,
    /// Its process. While it is being made, and after a failure, pid 0.
    pub process: Process,
    /// Its bundle, absolute.
    pub bundle: &'s CStr,
    /// Its root directory, absolute.
    pub rootfs: &'s CStr,
    /// The directory of its cgroup, absolute; empty if it has no own one.
    pub cgroup: &'s CStr,
    /// Its creation time.
    pub created: Time,
    /// The user that made it.
    pub owner: u32,
    /// It was made without root.
    pub rootless: bool,
    /// Its process has a terminal.
    pub terminal: bool,
    /// Says whether we made the bundle, which is then removed with the container.
    pub made: Made,
}

/// A directory that we made. Device and inode distinguish it from a later one of the same path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Made {
    /// The bundle is the caller's.
    No,
    /// It will be made: it may exist and be empty.
    Soon,
    /// This one, by its [`fs::Stat`].
    This {
        /// Device number of its file system.
        device: u64,
        /// Inode number.
        inode: u64,
    },
}

impl Made {
    /// Returns the record of an open directory.
    pub fn of(directory: FdRef<'_>) -> sys::Result<Made> {
        let fs::Stat { device, inode, .. } = fs::stat(directory, c"")?;
        Ok(Made::This { device, inode })
    }

    /// Returns the numbers in state.json. [0, 0] and [0, 1] cannot be directories: no inode is 0,
    /// and device 0 has none of number 1.
    fn numbers(self) -> [u64; 2] {
        match self {
            Made::No => [0, 0],
            Made::Soon => [0, 1],
            Made::This { device, inode } => [device, inode],
        }
    }

    fn from_numbers(numbers: [u64; 2]) -> Made {
        match numbers {
            [_, 0] => Made::No,
            [0, 1] => Made::Soon,
            [device, inode] => Made::This { device, inode },
        }
    }
}

/// The buffers for reading a state.
pub struct StateMemory {
    /// The document.
    pub document: [u8; STATE_BYTES],
    /// Its texts.
    pub strings: [u8; 4 * PATH_BYTES],
}

impl StateMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: StateMemory =
        StateMemory { document: [0; STATE_BYTES], strings: [0; 4 * PATH_BYTES] };
}

const TEXTS: [&str; 4] = ["ociVersion", "bundle", "rootfs", "cgroup"];
const NUMBERS: [&str; 7] =
    ["pid", "startTime", "createdSeconds", "createdNanoseconds", "owner", "rootless", "terminal"];
/// Members that are absent in a state of an older version.
const MADE: [&str; 2] = ["bundleDevice", "bundleInode"];

impl<'s> State<'s> {
    /// The state of a container of which nothing is known.
    pub const UNKNOWN: State<'static> = State {
        version: c"",
        process: Process::NONE,
        bundle: c"",
        rootfs: c"",
        cgroup: c"",
        created: Time { seconds: 0, nanoseconds: 0 },
        owner: 0,
        rootless: false,
        terminal: false,
        made: Made::No,
    };

    /// Returns the pid of its process as shown with this status, or 0.
    pub fn pid(&self, status: Status) -> i32 {
        if status == Status::Stopped { 0 } else { self.process.pid }
    }

    /// Returns the state of a container that is being made.
    pub fn new() -> State<'s> {
        State {
            created: time::real(),
            owner: crate::sys::process::effective_uid(),
            ..State::UNKNOWN
        }
    }

    /// Writes it in the runtime-spec's form ("State"), for hooks and callers. With an `owner` it
    /// has runc's further members.
    pub fn describe(
        &self,
        id: Id<'_>,
        json: &mut Writer<'_>,
        status: Status,
        owner: Option<&[u8]>,
        annotations: PackedStrings<'_>,
    ) {
        let pid = self.pid(status);
        json.object();
        json.string_of("ociVersion", self.version.to_bytes());
        json.string_of("id", id.as_c_str().to_bytes());
        if pid != 0 || owner.is_some() {
            json.key("pid").number(pid as u64);
        }
        json.string_of("status", status.name().as_bytes());
        json.string_of("bundle", self.bundle.to_bytes());
        if owner.is_some() {
            json.string_of("rootfs", self.rootfs.to_bytes());
            let mut created: heapless::String<40> = heapless::String::new();
            let _ = write!(created, "{}", Rfc3339(self.created));
            json.string_of("created", created.as_bytes());
        }
        if annotations.first().is_some() {
            json.object_of("annotations");
            let _ = annotations.each_pair::<()>(&mut |key, value| {
                json.bytes_key(key.to_bytes()).string(value.to_bytes());
                Ok(())
            });
            json.end();
        }
        if let Some(owner) = owner {
            json.string_of("owner", owner);
        }
        json.end();
    }

    pub(super) fn write(&self, id: Id<'_>, output: &mut dyn Sink) -> Result<()> {
        let State {
            version,
            process,
            bundle,
            rootfs,
            cgroup,
            created,
            owner,
            rootless,
            terminal,
            made,
        } = *self;
        let mut json = Writer::new(output);
        json.object();
        json.string_of("id", id.as_c_str().to_bytes());
        for (key, text) in TEXTS.iter().zip([version, bundle, rootfs, cgroup]) {
            if text.count_bytes() >= PATH_BYTES {
                return Err(Error::with_errno(
                    format_args!("{key}: {}", Errno::ENAMETOOLONG),
                    Errno::ENAMETOOLONG,
                ));
            }
            json.string_of(key, text.to_bytes());
        }
        let numbers = [
            process.pid as u64,
            process.started,
            created.seconds as u64,
            created.nanoseconds.into(),
            owner.into(),
            rootless.into(),
            terminal.into(),
        ];
        for (key, number) in NUMBERS.iter().zip(numbers) {
            json.key(key).number(number);
        }
        for (key, number) in MADE.iter().zip(made.numbers()) {
            json.key(key).number(number);
        }
        json.end();
        Ok(())
    }

    /// Reads the state of container `id` from a checked document. `memory` holds its texts.
    pub(super) fn read(
        id: Id<'_>,
        document: &Value<'_>,
        memory: &'s mut [u8],
    ) -> Result<State<'s>> {
        // A renamed directory must not turn one container's state into another's.
        if document.require_text("id")? != id.0.to_str().unwrap_or("") {
            return Err(document.error_in("id", "another container's"));
        }
        let mut strings = StringBlock::new(memory);
        let mut texts = [c""; TEXTS.len()];
        for (key, text) in TEXTS.iter().zip(&mut texts) {
            let mut builder = strings.begin();
            document.require_text(key)?.write_to(&mut builder)?;
            *text = builder.finish()?;
        }
        let mut numbers = [0; NUMBERS.len()];
        for (key, number) in NUMBERS.iter().zip(&mut numbers) {
            *number = document.require_u64(key)?;
        }
        let made = MADE
            .map(|key| document.member(key).and_then(|number| number.as_u64().ok()).unwrap_or(0));
        let (
            [version, bundle, rootfs, cgroup],
            [pid, started, seconds, nanoseconds, owner, rootless, terminal],
        ) = (texts, numbers);
        // A negative pid would be a process group, or all processes.
        let pid = i32::try_from(pid).map_err(|_| document.error_in("pid", "not a process"))?;
        Ok(State {
            version,
            process: Process { pid, started },
            bundle,
            rootfs,
            cgroup,
            created: Time { seconds: seconds as i64, nanoseconds: nanoseconds as u32 },
            owner: owner as u32,
            rootless: rootless != 0,
            terminal: terminal != 0,
            made: Made::from_numbers(made),
        })
    }
}

impl Default for State<'_> {
    fn default() -> Self {
        State::new()
    }
}

/// A time in UTC as Go writes it: RFC 3339 with all nonzero digits of a second.
pub struct Rfc3339(pub Time);

impl Display for Rfc3339 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Time { seconds, nanoseconds } = self.0;
        let seconds = seconds.max(0) as u64;
        let (year, month, day) = crate::log::date(seconds / 86400);
        let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        let (mut digits, mut width) = (nanoseconds, 9);
        while width > 0 && digits.is_multiple_of(10) {
            (digits, width) = (digits / 10, width - 1);
        }
        match width {
            0 => f.write_str("Z"),
            width => write!(f, ".{digits:0width$}Z"),
        }
    }
}

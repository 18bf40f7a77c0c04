//! What `create` and `run` have in common: from words and a bundle to a container's process.

use super::arguments::Arguments;
use super::bundle::{self, Wanted};
use super::notices::warn;
use crate::codec::json;
use crate::container::cgroup;
use crate::container::create::{self, Request};
use crate::container::notify::{self, Relay};
use crate::container::state::{Directory, Id, Made, Root};
use crate::container::userns::{self, Ids};
use crate::container::{Running, Stdio};
use crate::engine::{self, EngineMemory, image_bundle};
use crate::io::document;
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::path::PathBuf;
use crate::io::strings::{PackedStrings, StringBlock};
use crate::io::text::decimal;
use crate::io::unique;
use crate::limits::PATH_BYTES;
use crate::rootfs::Privilege;
use crate::spec::{self, Lists, Mount, Process, capability};
use crate::sys::fd::{CWD, Fd, FdRef, STDERR, STDIN, STDOUT};
use crate::sys::{Errno, fd, fs, mount, process, socket, tty};
use crate::{Context, Error, Result};
use core::ffi::CStr;
use core::fmt;

/// Where a container's terminal goes, and who hears of its process: what is named relative to where
/// we are, looked up before the bundle is entered.
pub(super) struct Notify<'a> {
    console: Option<Fd>,
    pidfd: Option<Fd>,
    pid_file: Option<&'a CStr>,
    directory: Fd,
}

impl<'a> Notify<'a> {
    /// By the options of a command.
    pub fn of(arguments: &Arguments<'a>) -> Result<Notify<'a>> {
        let connect = |option: &str| {
            let path = arguments.value(option)?;
            Some(socket::connect(path, libc::SOCK_STREAM).on(option, path))
        };
        Ok(Notify {
            console: connect("console-socket").transpose()?,
            pidfd: connect("pidfd-socket").transpose()?,
            pid_file: arguments.value("pid-file"),
            directory: fs::open(CWD, c".", fs::O_PATH, 0).doing("open the current directory")?,
        })
    }

    /// Standard streams for a process that has a terminal or none, and is left alone or not.
    pub fn stdio(
        &self,
        process: &Process<'_>,
        terminal: bool,
        stays: bool,
    ) -> Result<Stdio<'static>> {
        match (terminal, &self.console) {
            (true, None) if !stays => Err(Error::new(format_args!(
                "cannot allocate tty if ocinit will detach without setting console socket"
            ))),
            (false, Some(_)) => Err(Error::new(format_args!(
                "cannot use console socket if ocinit will not detach or allocate tty"
            ))),
            (true, _) => Ok(Stdio::Terminal(console_size(process).or_else(|| tty::size(STDIN)))),
            (false, None) => Ok(Stdio::Files([STDIN, STDOUT, STDERR])),
        }
    }

    /// Tells them of a process.
    pub fn tell(&self, running: &Running) -> Result<()> {
        if let (Some(console), Some(master)) = (&self.console, &running.terminal) {
            let send = socket::send(console.by_ref(), b"/dev/ptmx", Some(master.by_ref()));
            send.doing("send the terminal to the console socket")?;
        }
        if let Some(pidfd) = &self.pidfd {
            let send = socket::send(pidfd.by_ref(), b"pidfd", Some(running.pidfd.by_ref()));
            send.doing("send the pidfd")?;
        }
        match self.pid_file {
            Some(path) => {
                write_pid(self.directory.by_ref(), path, running.pid).on("write the pid file", path)
            }
            None => Ok(()),
        }
    }
}

/// The size (rows, columns) that the config has for the terminal.
fn console_size(process: &Process<'_>) -> Option<(u16, u16)> {
    let size = process.document?.member("consoleSize")?;
    let side = |key| size.member(key)?.as_u64().ok().map(|side| side as u16);
    Some((side("height")?, side("width")?))
}

/// Whole under its name, or not there.
fn write_pid(directory: FdRef<'_>, path: &CStr, pid: i32) -> crate::sys::Result<()> {
    let mut partial = PathBuf::from_bytes(path.to_bytes())?;
    partial.push_bytes(b".partial-")?;
    // A new name: neither another user's link nor another file of the caller's.
    let file = unique::file(directory, &mut partial, 0o666)?;
    let mut text = PathBuf::new();
    text.set(format_args!("{pid}"))?;
    let written = fs::write_all(file.by_ref(), text.as_bytes());
    let named =
        written.and_then(|()| fs::rename(directory, partial.as_c_str(), directory, path, 0));
    if named.is_err() {
        let _ = fs::unlink(directory, partial.as_c_str());
    }
    named
}

/// Returns how many fds from 3 up the process keeps: --preserve-fds, after the `handed` ones. All
/// of them must be open.
pub(super) fn preserved(arguments: &Arguments<'_>, handed: u32) -> Result<u32> {
    let text = arguments.value("preserve-fds").unwrap_or(c"0");
    let count = decimal(text.to_bytes()).filter(|count| *count < PRESERVED_MAX);
    let count = count
        .ok_or_else(|| Error::new(format_args!("--preserve-fds {}: not a number", LossyC(text))))?
        as u32;
    for number in 0..handed + count {
        let descriptor = 3 + number;
        // One of ours with this number would show the container the host.
        if fd::is_inherited(FdRef::from_raw(descriptor as i32)) {
            continue;
        }
        let (option, n) = if number < handed {
            (LISTEN_FDS, number)
        } else {
            ("--preserve-fds", number - handed)
        };
        // In runc's words, too.
        let text = format_args!("{option}: descriptor {descriptor} is not open (preserved-fd {n})");
        return Err(Error::with_errno(text, Errno::EBADF));
    }
    Ok(handed + count)
}

/// Returns how many sockets, from 3 up, a service manager has passed to us (sd_listen_fds(3)).
fn listening() -> u32 {
    let number =
        |name: &str| process::variable(name.as_bytes()).and_then(|text| decimal(text.to_bytes()));
    let is_ours = number("LISTEN_PID") == Some(process::getpid() as u64);
    number(LISTEN_FDS).filter(|count| is_ours && *count < PRESERVED_MAX).unwrap_or(0) as u32
}

const LISTEN_FDS: &str = "LISTEN_FDS";
const LISTEN_PID: &str = "LISTEN_PID";
const LISTEN_FDNAMES: &str = "LISTEN_FDNAMES";
/// The default limit of fds of a process.
const PRESERVED_MAX: u64 = 1024;

/// Returns the config's environment, in which a service manager's variables replace older ones.
fn environment<'m>(
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
        // Its pid as it sees it, in its own pid namespace.
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

/// Fills the bundle of a container with an image. A non-root caller is then in a user namespace.
fn unpack(
    arguments: &Arguments<'_>,
    image: &CStr,
    bundle: &CStr,
    memory: &mut EngineMemory,
) -> Result<()> {
    let mut ids = Ids::of_caller();
    let powers = match process::effective_uid() {
        0 => Privilege::Root,
        _ => userns::enter(&mut ids).map(|()| Privilege::Namespace)?,
    };
    let has_args = arguments.words().nth(1).is_some();
    let mut args = arguments.words().skip(1).map(|word| word.to_bytes());
    let args = if has_args { Some(&mut args as &mut dyn Iterator<Item = _>) } else { None };
    let joins = powers != Privilege::Root;
    bundle::make(arguments, Wanted { image, bundle, powers, ids: &ids, args, joins }, memory)
}

/// The parts of a new container, and how its process starts.
struct Making<'a> {
    arguments: &'a Arguments<'a>,
    root: &'a Root,
    id: Id<'a>,
    /// The process waits for `start`.
    waits: bool,
    /// We stay until it ends.
    stays: bool,
    callers: Notify<'a>,
    /// Number of fds from 3 up that it keeps, and of those that are a manager's sockets.
    preserved: u32,
    listening: u32,
    /// Passes READY=1 on to the service manager.
    relay: Option<&'a Relay>,
    /// Its state directory, if it was made already.
    reserved: Option<&'a Directory<'a>>,
    /// Whether we made its bundle.
    made: Made,
}

/// Makes the container that the words ask for; it waits for its start, or runs. `stays`: we stay
/// with it.
pub(super) fn make(
    arguments: &Arguments<'_>,
    root: &Root,
    id: Id<'_>,
    [waits, stays]: [bool; 2],
    relay: Option<&Relay>,
    memory: &mut EngineMemory,
) -> Result<Running> {
    let listening = listening();
    let preserved = preserved(arguments, listening)?;
    let callers = Notify::of(arguments)?;
    let (reserved, made) = (None, Made::No);
    let making = Making {
        arguments,
        root,
        id,
        waits,
        stays,
        callers,
        preserved,
        listening,
        relay,
        reserved,
        made,
    };
    match (arguments.value("image"), arguments.value("bundle")) {
        (Some(_), Some(_)) => {
            Err(Error::new(format_args!("--image and --bundle: one or the other")))
        }
        (Some(image), None) => of_image(making, image, memory),
        (None, _) if arguments.words().nth(1).is_some() => Err(Error::new(format_args!(
            "arguments are for --image: a bundle has its own in config.json"
        ))),
        (None, bundle) => {
            for option in ["privileged", "security-opt", "ulimit"] {
                if arguments.has(option) {
                    return Err(Error::new(format_args!(
                        "--{option} is for --image: a bundle has its own in config.json"
                    )));
                }
            }
            if let Some(bundle) = bundle {
                mount::chdir(bundle).on("enter the bundle", bundle)?;
            }
            make_here(making, memory)
        }
    }
}

/// Writes the state before the image is unpacked: if we are killed, `delete` can remove it.
fn of_image(making: Making<'_>, image: &CStr, memory: &mut EngineMemory) -> Result<Running> {
    let directory = making.root.create(making.id)?;
    let mut bundle = PathBuf::new();
    let created = image_bundle::make(&directory, &mut bundle).and_then(|made| {
        unpack(making.arguments, image, bundle.as_c_str(), memory)?;
        mount::chdir(bundle.as_c_str()).on("enter the bundle", bundle.as_c_str())?;
        if making.stays {
            // Unpacking has unblocked them.
            engine::hold_signals()?;
        }
        make_here(Making { reserved: Some(&directory), made, ..making }, memory)
    });
    if created.is_err()
        && let Err(error) = take_back(&directory, memory)
    {
        crate::warning!("{error}");
    }
    created
}

fn take_back(directory: &Directory<'_>, memory: &mut EngineMemory) -> Result<()> {
    image_bundle::remove(&directory.read(&mut memory.container.state)?, &warn)?;
    directory.remove()
}

/// The same of the bundle that is the current directory.
fn make_here(making: Making<'_>, memory: &mut EngineMemory) -> Result<Running> {
    let Making {
        arguments,
        root,
        id,
        waits,
        stays,
        callers,
        preserved,
        listening,
        relay,
        reserved,
        made,
    } = making;
    let mut buffer = [0; PATH_BYTES];
    let bundle = mount::current_directory(&mut buffer).doing("find the bundle")?;
    let text = document::read(CWD, c"config.json", &mut memory.config)?;
    let top = json::check(text).doing("config.json")?;
    let (mut strings, mut lists) = (StringBlock::new(&mut memory.strings), Lists::empty());
    if relay.is_some() {
        lists.last_mount = Some(notifications(root, id, &mut strings)?);
    }
    let mut spec = spec::read_config(top, &mut strings, &mut lists).doing("config.json")?;
    if listening > 0 || relay.is_some() {
        spec.process.env = environment(spec.process.env, listening, relay, &mut strings)?;
    }
    crate::debug!("config.json of {}: read", LossyC(bundle));
    spec::each_unknown_capability(&spec.process, &mut |value| {
        crate::warning!(
            "config.json: {}",
            value.error("there is no such capability: it is left out")
        );
    });
    let sets = &spec.process.capabilities;
    for name in capability::names(sets.ambient & !(sets.inheritable & sets.permitted)) {
        // runc's words, and the kernel's rule (capabilities(7)).
        crate::debug!(
            "can't raise ambient capability CAP_{}: it is not both permitted and inheritable",
            Lossy(name)
        );
    }
    let stdio = callers.stdio(&spec.process, spec.process.terminal, stays)?;
    let mut absolute = PathBuf::new();
    let rootfs = match spec.root.path.to_bytes() {
        [b'/', ..] => spec.root.path,
        relative => {
            absolute
                .push_bytes(bundle.to_bytes())
                .and_then(|()| absolute.push(relative))
                .doing("root.path")?;
            absolute.as_c_str()
        }
    };
    let without_cgroup = arguments.value("cgroup-manager") == Some(c"disabled");
    let request = Request {
        id,
        root,
        reserved,
        made,
        bundle,
        rootfs,
        waits,
        stdio,
        preserved,
        no_pivot: arguments.has("no-pivot"),
        without_cgroup,
        keeps_keyring: arguments.has("no-new-keyring"),
        shows_terminal: stays,
        relay,
    };
    let running = create::create(request, &spec, &mut memory.container, &mut |running| {
        callers.tell(running)
    })?;
    if !waits && !without_cgroup && cgroup::can_lift_limits(&spec) {
        crate::warning!(
            "/sys/fs/cgroup is mounted without nsdelegate: the container can lift its limits \
             (mount -o remount,nsdelegate /sys/fs/cgroup)"
        );
    }
    Ok(running)
}

/// Returns the mount of the state's directory that will hold the process's notification socket.
fn notifications<'m>(root: &Root, id: Id<'_>, strings: &mut StringBlock<'m>) -> Result<Mount<'m>> {
    let mut source = PathBuf::new();
    root.path_of(id, &mut source)?;
    source.push(notify::DIRECTORY.to_bytes()).doing("find the directory for notifications")?;
    Ok(Mount {
        destination: notify::PLACE,
        kind: c"bind",
        source: strings.add(source.as_bytes())?,
        options: PackedStrings::new(b"bind\0nosuid\0noexec\0nodev\0ro\0"),
        optional: false,
        document: None,
    })
}

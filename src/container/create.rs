//! From a checked configuration to a container: its directory, its control group, its process; or nothing of them.

use super::cgroup::{Cgroup, Place};
use super::launch::{self, Host, Launch};
use super::state::{Directory, Id, Process, Root, State};
use super::{ContainerMemory, Running, Stdio, gate};
use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::sys::clone::CLONE_NEWUSER;
use crate::sys::fd::{CWD, FdRef};
use crate::sys::{Errno, fs, process};
use core::cell::Cell;
use core::ffi::CStr;

/// What is made, and how. The current directory is the bundle.
pub struct Request<'a> {
    /// Its name.
    pub id: Id<'a>,
    /// Where states are kept.
    pub root: &'a Root,
    /// The bundle, absolute.
    pub bundle: &'a CStr,
    /// The root directory, absolute.
    pub rootfs: &'a CStr,
    /// It waits for its start.
    pub waits: bool,
    /// What becomes 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// Descriptors from 3 up that the process keeps.
    pub preserved: u32,
    /// The old root stays below the new one.
    pub no_pivot: bool,
    /// It gets no control group of its own.
    pub without_cgroup: bool,
    /// It keeps our session keyring.
    pub keeps_keyring: bool,
}

/// Makes a container, and has `then` do what belongs to it; on failure of either nothing of it is left.
pub fn create(
    request: Request<'_>,
    spec: &Spec<'_>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let directory = request.root.create(request.id)?;
    let place = match request.without_cgroup {
        true => Ok(None),
        false => Place::find(spec, request.id.as_c_str().to_bytes()),
    };
    let made = place.and_then(|place| make(request, spec, &directory, place.as_ref(), memory, then));
    if made.is_err() {
        directory.remove()?;
    }
    made
}

fn make(
    request: Request<'_>,
    spec: &Spec<'_>,
    directory: &Directory<'_>,
    place: Option<&Place>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let rootless = process::effective_uid() != 0;
    let mut state = State {
        // Before the group is made: whatever becomes of us, its removal finds it.
        cgroup: place.map_or(c"", Place::path),
        version: c"1.0.2",
        bundle: request.bundle,
        rootfs: request.rootfs,
        rootless,
        terminal: spec.process.terminal,
        ..State::new()
    };
    directory.write(&state)?;
    if let Some(document) = &spec.document {
        directory.write_config(document)?;
    }
    let group = place.map_or(Ok(None), |place| place.create(spec, rootless))?;
    if group.is_none() {
        state.cgroup = c"";
    }
    let made = start(request, spec, directory, &state, group.as_ref(), memory, then);
    if let (Err(_), Some(group)) = (&made, group) {
        group.undo();
    }
    made
}

/// Starts it in its group.
fn start(
    request: Request<'_>,
    spec: &Spec<'_>,
    directory: &Directory<'_>,
    state: &State<'_>,
    group: Option<&Cgroup>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    // Root of a new user namespace opens it itself, where only that one may.
    let root = match fs::open(CWD, request.rootfs, fs::O_PATH | fs::O_DIRECTORY, 0) {
        Ok(root) => root,
        Err(errno) => return Err(missing_root(request.rootfs, errno)),
    };
    let gate = if request.waits { Some(gate::make(directory.fd())?) } else { None };
    let host = AtHost { directory, state: Cell::new(*state) };
    let launch = Launch {
        spec,
        root: (!state.rootless || spec.namespaces & CLONE_NEWUSER == 0).then(|| root.by_ref()),
        stdio: request.stdio,
        cgroup: group.map(Cgroup::directory),
        gate,
        enters: None,
        no_pivot: request.no_pivot,
        preserved: request.preserved,
        keeps_keyring: request.keeps_keyring,
        host: &host,
    };
    let running = launch::launch(&launch, memory)?;
    match then(&running) {
        Ok(()) => Ok(running),
        Err(error) => {
            running.kill();
            Err(error)
        }
    }
}

#[cold]
fn missing_root(path: &CStr, errno: Errno) -> Error {
    let path = crate::io::show::ShowC(path);
    Error::with_errno(format_args!("config.json: root.path: {path}: {errno}"), errno)
}

/// The host's side of a container that is being made.
struct AtHost<'a> {
    directory: &'a Directory<'a>,
    state: Cell<State<'a>>,
}

impl Host for AtHost<'_> {
    fn born(&self, pid: i32) -> Result<()> {
        let process = Process::now(pid).ok_or_else(|| Error::new(format_args!("the container's process has died")))?;
        self.state.set(State { process, ..self.state.get() });
        self.directory.write(&self.state.get())
    }

    fn hooks(&self, _: i32) -> Result<()> {
        Ok(())
    }

    fn listener(&self, _: i32, _: FdRef<'_>) -> Result<()> {
        Ok(())
    }

    fn has_hooks(&self) -> bool {
        false
    }
}

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
    let made = make(request, spec, &directory, memory, then);
    if made.is_err() {
        directory.remove()?;
    }
    made
}

fn make(
    request: Request<'_>,
    spec: &Spec<'_>,
    directory: &Directory<'_>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let rootless = process::effective_uid() != 0;
    let place = match request.without_cgroup {
        true => None,
        false => Place::find(spec, request.id.as_c_str().to_bytes())?,
    };
    // Root of a new user namespace opens it itself, where only that one may.
    let root = match fs::open(CWD, request.rootfs, fs::O_PATH | fs::O_DIRECTORY, 0) {
        Ok(root) => root,
        Err(errno) => return Err(missing_root(request.rootfs, errno)),
    };
    let mut state = State {
        version: c"1.0.2",
        bundle: request.bundle,
        rootfs: request.rootfs,
        // Before the group is made: whatever becomes of us, who deletes the container finds it.
        cgroup: place.as_ref().map_or(c"", Place::path),
        rootless,
        terminal: spec.process.terminal,
        ..State::new()
    };
    directory.write(&state)?;
    let group = place.as_ref().map_or(Ok(None), |place| place.create(spec, rootless))?;
    if group.is_none() {
        state.cgroup = c"";
    }
    let host = AtHost { directory, state: Cell::new(state) };
    let made = start(request, spec, root.by_ref(), group.as_ref(), &host, memory, then);
    if made.is_err()
        && let Some(group) = group
    {
        group.undo();
    }
    made
}

fn start(
    request: Request<'_>,
    spec: &Spec<'_>,
    root: FdRef<'_>,
    group: Option<&Cgroup>,
    host: &AtHost<'_>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let state = host.state.get();
    if let Some(document) = &spec.document {
        host.directory.write_config(document)?;
    }
    let gate = if request.waits { Some(gate::make(host.directory.fd())?) } else { None };
    let launch = Launch {
        spec,
        root: (!state.rootless || spec.namespaces & CLONE_NEWUSER == 0).then_some(root),
        stdio: request.stdio,
        cgroup: group.map(Cgroup::directory),
        gate,
        enters: None,
        no_pivot: request.no_pivot,
        preserved: request.preserved,
        keeps_keyring: request.keeps_keyring,
        host,
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

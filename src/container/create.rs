//! From a checked configuration to a container: its directory, its cgroup and its process. A
//! failure leaves nothing behind.

use super::due::{Due, Record};
use super::hooks::{self, HookContext};
use super::launch::{self, Launch};
use super::notify::Relay;
use super::plan::Plan;
use super::seccomp::Filter;
use super::start_socket::StartSocket;
use super::state::{Directory, Id, Made, Process, Root, State, Status};
use super::{ContainerMemory, Pointers, Running, Stdio, intel_rdt, userns};
use crate::cgroup::{self, Cgroup, CgroupPath, Manager};
use crate::error::Result;
use crate::io::lossy::LossyC;
use crate::spec::{self, HookKind, Spec};
use crate::sys::clone::CLONE_NEWPID;
use crate::sys::fd::FdRef;
use crate::sys::process;
use core::cell::Cell;
use core::ffi::CStr;

/// The container to make. The current directory is the bundle.
pub struct Request<'a> {
    /// Its name.
    pub id: Id<'a>,
    /// The state root.
    pub root: &'a Root,
    /// Its state directory, if the caller has made it; then the caller removes it on failure.
    pub reserved: Option<&'a Directory<'a>>,
    /// [`Made::Yes`] if we made the bundle for this container.
    pub made: Made,
    /// The bundle, absolute.
    pub bundle: &'a CStr,
    /// The root directory, absolute.
    pub rootfs: &'a CStr,
    /// It waits for its start.
    pub waits: bool,
    /// The sources of fds 0, 1 and 2.
    pub stdio: Stdio<'a>,
    /// Number of fds from 3 up that the process keeps.
    pub preserved: u32,
    /// Leaves the old root beneath the new one.
    pub no_pivot: bool,
    /// The manager of its cgroup.
    pub manager: Manager,
    /// It keeps the caller's session keyring.
    pub keeps_keyring: bool,
    /// The caller attends it in the foreground and relays its terminal.
    pub shows_terminal: bool,
    /// Forwards READY=1 to the service manager.
    pub relay: Option<&'a Relay>,
}

/// Makes a container, and then calls `then`. If either fails, nothing of the container is left.
pub fn create(
    request: Request<'_>,
    spec: &Spec<'_>,
    memory: &mut ContainerMemory,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let ContainerMemory { seccomp, pointers, .. } = memory;
    let plan = Plan::decide(request, spec, seccomp)?;
    let (root, request) = (plan.open_root()?, &plan.request);
    // First, because an ID in use is the most important error.
    let created;
    let directory = match request.reserved {
        Some(directory) => directory,
        None => {
            created = request.root.create(request.id)?;
            &created
        }
    };
    let is_ours = request.reserved.is_none();
    let take_back = || if is_ours { directory.remove() } else { Ok(()) };
    let place = match plan.cgroup() {
        Ok(place) => place,
        Err(error) => return Err(error.with(take_back())),
    };
    let state = State {
        // Before the cgroup is made, so that a later removal finds it in any case.
        cgroup: place.as_ref().map_or(c"", CgroupPath::path),
        version: spec::VERSION,
        bundle: request.bundle,
        rootfs: request.rootfs,
        rootless: process::effective_uid() != 0 || userns::is_in_one(),
        terminal: spec.process.terminal,
        made: request.made,
        ..State::new()
    };
    let id = request.id;
    let process = Cell::new(state.process);
    let Plan { request, spec, filter } = plan;
    let wanted = Wanted { request, spec, directory, root: root.by_ref(), filter };
    let made = make(wanted, (place.as_ref(), state), &process, pointers, then);
    made.map_err(|error| {
        let state = State { process: process.get(), ..state };
        intel_rdt::remove(spec, id);
        let removed = take_back();
        // Their results do not matter: these hooks undo the effects of the earlier ones.
        let context = HookContext { spec, id, state, status: Status::Stopped };
        let hooks =
            if state.process.pid != 0 { hooks::run(&context, HookKind::Poststop) } else { Ok(()) };
        error.with(hooks).with(removed)
    })
}

/// The container's plan.
struct Wanted<'a> {
    request: Request<'a>,
    spec: &'a Spec<'a>,
    directory: &'a Directory<'a>,
    root: FdRef<'a>,
    filter: Option<Filter<'a>>,
}

/// Makes the cgroup, and starts the container in it.
fn make(
    wanted: Wanted<'_>,
    (place, mut state): (Option<&CgroupPath>, State<'_>),
    process: &Cell<Process>,
    pointers: &mut Pointers,
    then: &mut dyn FnMut(&Running) -> Result<()>,
) -> Result<Running> {
    let directory = wanted.directory;
    directory.write(&state)?;
    if !wanted.spec.source.is_empty() {
        directory.write_config(wanted.spec.source)?;
    }
    if let Some(relay) = wanted.request.relay {
        relay.make(directory.fd())?;
        // `start` relays the messages of a created container.
        if !wanted.request.waits {
            relay.listen(directory)?;
        }
    }
    crate::debug!("container {}: its directory is made", directory.id());
    let manager = wanted.request.manager;
    let group = manager.create(place, wanted.spec, state.rootless)?;
    match &group {
        Some(_) => crate::debug!("cgroup {}: made", LossyC(state.cgroup)),
        None => crate::debug!("no cgroup of its own"),
    }
    if group.is_none() {
        state.cgroup = c"";
    }
    let made = start(wanted, group.as_ref(), (state, process), pointers)
        .map_err(|error| cgroup::explain(state.cgroup, error))
        .and_then(|running| {
            let told = then(&running).map(|()| running.pid);
            told.inspect_err(|_| running.kill()).map(|_| running)
        });
    if let (Err(_), Some(group)) = (&made, group) {
        group.undo();
    }
    made
}

fn start(
    wanted: Wanted<'_>,
    group: Option<&Cgroup>,
    (state, process): (State<'_>, &Cell<Process>),
    pointers: &mut Pointers,
) -> Result<Running> {
    let Wanted { request, spec, directory, root, filter } = wanted;
    let is_among_others = spec.joined().iter().any(|one| one.kind == CLONE_NEWPID);
    let filters_early = filter.is_some_and(|filter| {
        !spec.process.no_new_privileges || filter.notifies() || is_among_others
    });
    let gate =
        if request.waits { Some(StartSocket::make(directory.fd(), filters_early)?) } else { None };
    let context = HookContext { spec, id: request.id, state, status: Status::Creating };
    let record = Record { directory, context, process };
    let launch = Launch {
        args: None,
        spec,
        root: Some(root),
        rootless: state.rootless,
        stdio: request.stdio,
        cgroup: group.map(Cgroup::directory),
        gate,
        enters: None,
        no_pivot: request.no_pivot,
        preserved: request.preserved,
        keeps_keyring: request.keeps_keyring,
        shows_terminal: request.shows_terminal,
        about: Some((request.id, state)),
        filter,
        due: Due {
            container: Some(context),
            record: Some(&record),
            hooks: &[HookKind::Prestart, HookKind::CreateRuntime],
            cgroup: None,
        },
    };
    let running = launch::launch(&launch, pointers)?;
    if !request.waits {
        let state = State { process: process.get(), ..state };
        let context = HookContext { state, status: Status::Running, ..context };
        hooks::run(&context, HookKind::Poststart).inspect_err(|_| running.kill())?;
    }
    Ok(running)
}

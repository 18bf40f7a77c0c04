//! Runs a further process in a container.

use super::notify::{Listeners, Notify};
use super::state_root::StateRoot;
use super::{Attach, EngineMemory, Notice, Notices, foreground, hold_signals, service_manager};
use crate::cgroup::Joined;
use crate::container::hooks::HookContext;
use crate::container::launch::{self, Launch};
use crate::container::state::{Id, Status};
use crate::container::{ContainerMemory, Due, Running, attributes, intermediate, seccomp};
use crate::io::document;
use crate::io::lossy::LossyC;
use crate::io::strings::StringBlock;
use crate::limits::GROUPS_MAX;
use crate::spec::{self, Capabilities, Process, Spec, SpecMemory, User, capability};
use crate::sys::signal::SignalSet;
use crate::watch::Loop;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A process to execute.
pub struct Exec<'a> {
    /// The state root.
    pub root: StateRoot<'a>,
    /// The container.
    pub id: Id<'a>,
    /// The process.
    pub process: ProcessFrom<'a>,
    /// It gets a terminal, whatever the process's config says.
    pub adds_terminal: bool,
    /// A cgroup beneath the container's.
    pub cgroup: Option<&'a CStr>,
    /// Fds from 3 up that it keeps.
    pub preserved: u32,
    /// The container may be paused.
    pub ignores_pause: bool,
    /// The caller attends it in the foreground.
    pub attach: Attach,
    /// The receivers of the process's pid.
    pub listeners: Listeners<'a>,
}

/// The source of the process's description.
pub enum ProcessFrom<'a> {
    /// A file in the form of config.json's `process`.
    File(&'a CStr),
    /// In the container's config.json, with these changes.
    Container(Changes<'a>),
}

/// The process's differences from the container's own.
pub struct Changes<'a> {
    /// Its arguments; at least one.
    pub args: &'a mut dyn Iterator<Item = &'a CStr>,
    /// `NAME=VALUE`, in addition to the container's.
    pub env: &'a mut dyn Iterator<Item = &'a CStr>,
    /// Its working directory.
    pub cwd: Option<&'a CStr>,
    /// Its user.
    pub uid: Option<u32>,
    /// Its group.
    pub gid: Option<u32>,
    /// Groups in addition to the container's.
    pub additional_gids: &'a [u32],
    /// Names of capabilities in addition to the container's.
    pub capabilities: &'a mut dyn Iterator<Item = &'a CStr>,
    /// execve(2) grants it no privileges.
    pub no_new_privileges: bool,
    /// Its AppArmor profile.
    pub apparmor: Option<&'a CStr>,
    /// Its SELinux label.
    pub selinux: Option<&'a CStr>,
}

/// Executes the process. Returns its exit status at its end, or 0 at once if the caller does not
/// attend it.
pub fn exec(wanted: Exec<'_>, memory: &mut EngineMemory, notices: Notices<'_>) -> Result<u8> {
    let attach = wanted.attach;
    let running = execute(wanted, memory, notices)?;
    if attach == Attach::Yes { foreground::wait(&running, None) } else { Ok(0) }
}

/// Executes the process. Returns after its execve(2).
fn execute(
    mut wanted: Exec<'_>,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<Running> {
    let notify = Notify::connect(&wanted.listeners)?;
    let root = wanted.root.open()?;
    let preserved = service_manager::preserved(wanted.preserved, 0)?;
    let id = wanted.id;
    let directory = root.container(id)?;
    let ContainerMemory { pointers, seccomp, state, .. } = &mut memory.container;
    let state = directory.read(state)?;
    let Some(init) = state.process.open() else {
        return Err(Error::new(format_args!("cannot exec a container that has stopped")));
    };
    if directory.status(&state) == Status::Paused && !wanted.ignores_pause {
        return Err(Error::new(format_args!(
            "cannot exec in a paused container (use --ignore-paused to override)"
        )));
    }
    let mut room = SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let container = spec::read(directory.read_config(&mut memory.config)?, &mut room)?;
    let process = match wanted.process {
        ProcessFrom::File(path) => {
            let text = document::read_named(path, &mut memory.process)?;
            spec::read_process(text, &mut room).context("process", &LossyC(path))?
        }
        ProcessFrom::Container(ref mut changes) => {
            changed(changes, &container.process, &mut room.strings, notices)?
        }
    };
    let attach = wanted.attach;
    let terminal = process.terminal || wanted.adds_terminal;
    if let Some(cpus) = &process.cpus_initial {
        attributes::set_affinity(cpus, "initial")?;
    }
    let kinds = intermediate::kinds_of(state.process.pid)?;
    let group = Joined::find(state.cgroup, state.process.pid, state.rootless, wanted.cgroup)?;
    let spec = Spec { process, namespaces: 0, joined: &[], init: false, ..container };
    let filter = seccomp::of(&spec, seccomp)?;
    let context = HookContext { spec: &spec, id, state, status: Status::Running };
    let launch = Launch {
        args: None,
        spec: &spec,
        root: None,
        stdio: notify.stdio(&spec.process, terminal, attach)?,
        cgroup: group.directory(),
        gate: None,
        enters: Some((init.by_ref(), kinds)),
        rootless: false,
        no_pivot: false,
        preserved,
        keeps_keyring: false,
        shows_terminal: attach == Attach::Yes,
        about: None,
        filter,
        due: Due { container: Some(context), cgroup: Some(&group), ..Due::NOTHING },
    };
    if attach == Attach::Yes {
        // Up to here a signal may end us, because nothing has been made yet.
        hold_signals()?;
    }
    let mut events = Loop::new(SignalSet::NONE)?;
    let started = launch::begin(&launch, &launch, &mut events, pointers).and_then(|starting| {
        if let Some(errno) = starting.is_in_cgroup_of_caller() {
            notices(&Notice::CgroupOfCaller(errno));
        }
        starting.finish(&mut events)
    });
    let running = started.map_err(|error| group.explain(error))?;
    crate::debug!("container {id}: process {} is executed", running.pid);
    if let Err(error) = notify.send(&running) {
        running.kill();
        return Err(error);
    }
    Ok(running)
}

/// Returns the container's own process with these changes.
fn changed<'s, 'm: 's>(
    changes: &mut Changes<'_>,
    of: &Process<'s>,
    strings: &mut StringBlock<'m>,
    notices: Notices<'_>,
) -> Result<Process<'s>> {
    let mut words = strings.begin();
    for word in &mut *changes.args {
        words.push(word.to_bytes())?;
        words.end_word()?;
    }
    let args = words.finish_words();
    if args.first().is_none() {
        return Err(Error::new(format_args!("exec: no command given")));
    }
    let mut env = strings.begin();
    env.push_words(of.env)?;
    for variable in &mut *changes.env {
        env.push(variable.to_bytes())?;
        env.end_word()?;
    }
    let env = env.finish_words();
    let cwd = match changes.cwd {
        Some(directory) => strings.add(directory.to_bytes())?,
        None => of.cwd,
    };
    let mut more = 0;
    for name in &mut *changes.capabilities {
        // As in a config: a capability unknown to the kernel is no error (runtime-spec 1.1).
        match capability::by_name(name.to_bytes()) {
            Some(bit) => more |= bit,
            None => notices(&Notice::NoSuchCapability(name)),
        }
    }
    let mut capabilities = of.capabilities;
    // As in runc, they become ambient only if the config makes them inheritable.
    let Capabilities { bounding, effective, permitted, ambient, .. } = &mut capabilities;
    [bounding, effective, permitted, ambient].into_iter().for_each(|set| *set |= more);
    let mut label = |label: Option<&CStr>, of| match label {
        Some(label) => strings.add(label.to_bytes()).map(Some),
        None => Ok(of),
    };
    let (apparmor, selinux) =
        (label(changes.apparmor, of.apparmor)?, label(changes.selinux, of.selinux)?);
    let (uid, gid) = (changes.uid.unwrap_or(of.user.uid), changes.gid.unwrap_or(of.user.gid));
    let mut user = User { uid, gid, umask: of.user.umask, ..User::default() };
    user.additional_gids.extend(&of.user.additional_gids).doing("copy the groups")?;
    for gid in changes.additional_gids {
        user.additional_gids.push(*gid).map_err(|_| too_many_groups())?;
    }
    Ok(Process {
        terminal: false,
        args,
        env,
        cwd,
        user,
        capabilities,
        no_new_privileges: of.no_new_privileges || changes.no_new_privileges,
        apparmor,
        selinux,
        ..*of
    })
}

/// Returns the error for one group too many.
#[cold]
pub fn too_many_groups() -> Error {
    Error::new(format_args!("more than {GROUPS_MAX} groups"))
}

//! The new process between clone3 and execve: one straight line.
//!
//! It has a copy of its parent's memory. It writes only to its stack, to memory that the parent
//! prepared for it, and to the slots of its own errors. It does not log, and opens every fd
//! close-on-exec.

use super::hooks::{self, HookContext, Inside};
pub use super::prepared::Plan;
use super::request::{Launch, creates_userns};
use super::seccomp::Filter;
use super::start_socket::StartSocket;
use super::state::{Process, State, Status};
use super::{
    Stdio, attributes, devices, execute, home, last_steps, privileges, procfs_maker, set_up_root,
};
use crate::error::{Context, Error, Result};
use crate::io::kernel_file::write_file;
use crate::io::lossy::{LossyC, On};
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::spec::{self, HookKind};
use crate::sys::fd::{self, CWD, Fd, FdRef};
use crate::sys::last_work::LastWork;
use crate::sys::{Errno, clone, event, fs, mount, process, signal, tty};
use core::ffi::CStr;

/// Runs the cloned process's whole life.
pub fn child_main(plan: &Plan<'_>, last: LastWork) -> ! {
    process::exit(run(plan, Some(last)).status().into())
}

/// Returns the namespaces whose maker owns them (for example the mqueue's root), so root of the new
/// user namespace makes them.
pub fn namespaces_owned_by_root(launch: &Launch<'_>) -> i32 {
    if creates_userns(launch) { launch.spec.namespaces & clone::CLONE_NEWIPC } else { 0 }
}

/// The program, found while names still resolve as they do for the process.
#[derive(Default)]
pub struct Program {
    /// Its path.
    pub path: PathBuf,
    /// A variable to add to the environment, or empty.
    pub home: PathBuf,
    /// Its standard streams are its own terminal.
    pub has_terminal: bool,
    /// Its interpreter if a filter may forbid to find it later; else empty.
    pub interpreter: PathBuf,
}

impl Program {
    /// Returns the variable to add to the environment.
    pub fn home(&self) -> Option<&CStr> {
        Some(self.home.as_c_str()).filter(|home| !home.is_empty())
    }
}

/// Carries out all steps up to execve(2). Returns only an error, which the parent has received. A
/// process with a parent does its last work here.
pub fn run(plan: &Plan<'_>, last: Option<LastWork>) -> Error {
    let mut program = Program::default();
    let done = begin(plan)
        .and_then(|()| set_up(plan, &mut program, last))
        .and_then(|()| last_steps::prepare(plan, &program));
    match done {
        Ok(has_terminal) => last_steps::finish(plan, &program, has_terminal, last),
        Err(error) => {
            if let Some(channel) = &plan.channel {
                channel.failed(&error);
            }
            error
        }
    }
}

/// Does the first steps of a process that was cloned into its namespaces.
fn begin(plan: &Plan<'_>) -> Result<()> {
    let launch = plan.launch;
    match &plan.channel {
        Some(channel) if plan.staged => channel.await_go()?,
        Some(channel) if creates_userns(launch) => {
            channel.ask_for_ids()?;
            privileges::become_root()?;
            clone::unshare(namespaces_owned_by_root(launch)).doing("make an ipc namespace")?;
        }
        _ => {}
    }
    watch_parent(plan)
}

/// Sets up the process, or the intermediate process that makes it: every step that needs more
/// rights than the process has. Afterwards it has the process's user, capabilities, limits, root
/// and working directory. Of the host only the standard streams and the parent's channel are open.
/// The caller's environment is erased from its memory.
#[inline(never)]
pub fn set_up(plan: &Plan<'_>, program: &mut Program, last: Option<LastWork>) -> Result<()> {
    let (launch, wanted) = (plan.launch, &plan.launch.spec.process);
    // No process in the namespaces may trace us, or open our files in /proc, before the set-up is
    // done.
    process::set_dumpable(false).doing("forbid tracing")?;
    if launch.enters.is_none() {
        // For hooks, too. The process of exec begins its own session later.
        lead_session()?;
    }
    if !launch.keeps_keyring {
        match process::new_session_keyring() {
            Ok(()) | Err(Errno::ENOSYS) => {}
            Err(errno) => return Err(errno).doing("make a session keyring"),
        }
    }
    // Otherwise the parent does it, which has more privilege than root of a user namespace.
    if plan.channel.is_none() {
        adjust_oom_score(process::getpid(), wanted)?;
    }
    let terminal = match launch.enters {
        Some(_) => open_terminal(plan, None)?,
        None => set_up_root::set_up_root(plan)?,
    };

    procfs_maker::end();
    set_stdio(&launch.stdio, terminal.as_ref(), wanted)?;
    let root = fs::open(CWD, c"/", fs::O_PATH | fs::O_DIRECTORY, 0).doing("open /")?;
    home::add(root.by_ref(), wanted, &mut program.home);
    if !plan.is_apart() {
        // Not here: a child might not inherit it, and with SCHED_DEADLINE fork(2) fails.
        attributes::schedule(0, wanted)?;
    }
    attributes::apply(launch.spec, launch.enters.is_none())?;
    attributes::label(wanted, plan.proc.as_ref())?;
    drop(root);
    program.has_terminal = terminal.is_some();
    drop(terminal);
    // Other processes that see this one must not get the parent's files, and its locks must end.
    // This comes before the filter, which may be older than the system call.
    fd::set_cloexec_from(3 + launch.preserved).doing("close all descriptors at exec")?;
    if let (Some(channel), Some(last)) = (&plan.channel, last) {
        // Close-on-exec would be too late: the executed path may lead through /proc/self/fd to the
        // host (CVE-2024-21626). A process at its start socket would also hold the lock of a killed
        // command.
        let [one, two, three] = launch.gate.as_ref().map_or([None; 3], StartSocket::descriptors);
        let kept = [Some(channel.descriptor()), one, two, three];
        last.close_others(3 + launch.preserved, &kept).doing("close descriptors")?;
    }
    if let Some(last) = last {
        // The container may read /proc/PID/environ of this process. Later hooks have another
        // environment.
        last.erase_environment();
    }
    privileges::set_limits(wanted.rlimits, plan.is_apart())?;
    // First with all privileges, because the user may lack access to its working directory.
    let entered = mount::chdir(wanted.cwd);
    fs::umask(wanted.user.umask.unwrap_or(0o022));
    privileges::drop_to(wanted, launch.filter.is_some())?;
    check_directory(wanted, entered)?;

    // A change of the user has cleared the parent-death signal. It also set the dumpable flag by
    // /proc/sys/fs/suid_dumpable.
    watch_parent(plan)?;
    process::set_dumpable(false).doing("forbid tracing")?;
    match launch.args().first() {
        Some(name) => execute::find(name, wanted.env, &mut program.path)?,
        None if launch.gate.is_some() => {}
        None => return Err(nothing_to_start()),
    }
    if launch.filter.is_some() {
        let mut name = [0; execute::INTERPRETER_BYTES];
        if let Some(name) = execute::interpreter(program.path.as_c_str(), &mut name) {
            program.interpreter.push_bytes(name).doing("note the interpreter")?;
        }
    }
    Ok(())
}

/// setsid(2). Ignores EPERM: the process leads a session already.
pub fn lead_session() -> Result<()> {
    match process::new_session() {
        Ok(()) | Err(Errno::EPERM) => Ok(()),
        Err(errno) => Err(errno).doing("setsid"),
    }
}

/// Runs hooks in the container's namespaces, with `pid` for its process, and under a filter if one
/// is given. Hooks without an environment get the process's, and `home`.
pub fn run_hooks(
    plan: &Plan<'_>,
    (kind, status): (HookKind, Status),
    (pid, home): (i32, Option<&CStr>),
    filter: Option<&Filter<'_>>,
) -> Result<()> {
    let Some((id, state)) = plan.launch.about.filter(|_| spec::TAKES_CONFIGS) else {
        return Ok(());
    };
    let wanted = &plan.launch.spec.process;
    let state = State { process: Process { pid, ..state.process }, ..state };
    let context = HookContext { spec: plan.launch.spec, id, state, status };
    let starts = kind == HookKind::StartContainer;
    let (env, is_filtered) = (starts.then_some(wanted.env), starts && plan.filters_early);
    // Borrowed, because execve(2) needs them later.
    let mut pointers = plan.pointers.take();
    let space = pointers.as_deref_mut().map_or(&mut [][..], |pointers| pointers);
    let done = hooks::run_inside(
        &context,
        kind,
        &Inside { env, home, filter, process: wanted, is_filtered },
        space,
    );
    plan.pointers.set(pointers);
    done
}

/// Sets the OOM score adjustment, through a /proc that no container can change.
pub fn adjust_oom_score(pid: i32, wanted: &spec::Process<'_>) -> Result<()> {
    let Some(adjustment) = wanted.oom_score_adj.filter(|_| spec::TAKES_CONFIGS) else {
        return Ok(());
    };
    let path =
        PathBuf::format(format_args!("/proc/{pid}/oom_score_adj")).doing("set oom_score_adj")?;
    match write_file(CWD, path.as_c_str(), format_args!("{adjustment}")) {
        // It has ended already, and reports the reason.
        Err(Errno::ENOENT | Errno::ESRCH) => Ok(()),
        written => written.context("set oom_score_adj", &adjustment),
    }
}

pub fn nothing_to_start() -> Error {
    Error::new(format_args!("the config has no process to start"))
}

/// Makes this process die with its parent. It checks the channel, because the parent may have died
/// before.
pub fn watch_parent(plan: &Plan<'_>) -> Result<()> {
    let Some(channel) = &plan.channel else { return Ok(()) };
    process::set_parent_death_signal(signal::SIGKILL).doing("watch the parent")?;
    let happened = event::poll_one(channel.descriptor(), 0, 0).doing("watch the parent")?;
    if happened & libc::POLLHUP != 0 {
        return Err(Error::new(format_args!("the parent has ended")));
    }
    Ok(())
}

/// Opens the process's terminal, if it gets one, and sends the parent the master. In a new `root`
/// it also becomes the console.
pub fn open_terminal(plan: &Plan<'_>, root: Option<FdRef<'_>>) -> Result<Option<Fd>> {
    let Stdio::Terminal(size) = plan.launch.stdio else { return Ok(None) };
    let (master, terminal) = match root {
        Some(root) => devices::console(root, size, &plan.launch.spec.process.user)?,
        None => {
            let root = fs::open(CWD, c"/", fs::O_PATH | fs::O_DIRECTORY, 0).doing("open /")?;
            devices::terminal(root.by_ref(), size, &plan.launch.spec.process.user)?
        }
    };
    match &plan.channel {
        Some(channel) => channel.terminal(master.by_ref())?,
        None => {
            return Err(Error::new(format_args!(
                "a process that replaces this one gets no terminal of its own"
            )));
        }
    }
    Ok(Some(terminal))
}

/// Opens the three streams. Private ones become the user's, so that it can open /dev/stderr again.
fn set_stdio(stdio: &Stdio<'_>, terminal: Option<&Fd>, wanted: &spec::Process<'_>) -> Result<()> {
    let sources = match (stdio, terminal) {
        (Stdio::Files(files), _) => *files,
        (_, Some(terminal)) => [terminal.by_ref(); 3],
        (_, None) => return Ok(()),
    };
    // Copy them above fd 2 first, because one source may be another's target.
    let mut copies = [None, None, None];
    for (copy, source) in copies.iter_mut().zip(sources) {
        *copy = Some(fd::duplicate(source, 3).doing("duplicate stdio")?);
    }
    for (number, copy) in copies.iter().flatten().enumerate() {
        let stat = fs::stat(copy.by_ref(), c"").doing("stat stdio")?;
        // Pipes and terminals. A file or /dev/null keeps its owner, because other processes use it
        // by name.
        let personal = stat.kind() == fs::S_IFIFO
            || stat.kind() == fs::S_IFCHR && tty::is_terminal(copy.by_ref());
        if personal && stat.uid != wanted.user.uid {
            // A file system without owners may refuse; the process can still use its open fd.
            let _ = fs::chown(copy.by_ref(), c"", wanted.user.uid, u32::MAX);
        }
        fd::duplicate_to(copy.by_ref(), number as i32).doing("duplicate stdio")?;
    }
    Ok(())
}

/// Checks that the working directory was reached, and lies inside the root (CVE-2024-21626).
fn check_directory(wanted: &spec::Process<'_>, entered: crate::sys::Result<()>) -> Result<()> {
    entered.or_else(|_| mount::chdir(wanted.cwd)).on("chdir to cwd", wanted.cwd)?;
    let mut buffer = [0; PATH_BYTES];
    let inside =
        mount::current_directory(&mut buffer).is_ok_and(|path| path.to_bytes().starts_with(b"/"));
    if !inside {
        let cwd = LossyC(wanted.cwd);
        return Err(Error::new(format_args!(
            "the working directory {cwd} is outside of the container's root"
        )));
    }
    Ok(())
}

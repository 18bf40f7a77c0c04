//! The last steps of a process before execve(2), with its final user and capabilities. Its filter
//! may forbid some of them.
//!
//! Other processes of its pid namespace can already see it. docs/system-calls.md lists the system
//! calls under the filter.

use super::child::{Plan, Program, lead_session, nothing_to_start, run_hooks, watch_parent};
use super::handshake::Channel;
use super::privileges::RaisedAdmin;
use super::report::Report;
use super::seccomp::Filter;
use super::state::Status;
use super::{execute, init, privileges, start_socket};
use crate::error::{Context, Error, Result};
use crate::limits::PROCESS_STRINGS_MAX;
use crate::spec::{HookKind, TAKES_CONFIGS};
use crate::sys::fd::{self, Fd};
use crate::sys::last_work::{self, LastWork};
use crate::sys::marked::{self, Mark};
use crate::sys::process::{self, StringVector};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, clone, tty};

/// The `start` that released the process: it receives errors from then on.
#[derive(Default)]
struct Opener {
    channel: Option<Channel>,
    report: Option<Report>,
}

/// Sets up signals, which a process inherits from an intermediate one. Returns whether stdin is a
/// terminal.
pub fn prepare(plan: &Plan<'_>, program: &Program) -> Result<bool> {
    let launch = plan.launch;
    match &launch.gate {
        Some(_) => start_socket::end_on_signals(),
        None => signal::reset_all(),
    }
    // The init of `--init` keeps them blocked, so it loses none.
    if !launch.spec.init {
        signal::set_mask(SignalSet::NONE).doing("unblock all signals")?;
    }
    if launch.gate.is_some() {
        // Only this lets a non-root `exec` join our namespaces meanwhile. No fd of the host is
        // open.
        process::set_dumpable(launch.rootless).doing("let the user in")?;
    }
    Ok(program.has_terminal || tty::is_terminal(fd::STDIN))
}

/// Intermediate process: loads the filter, which the process that it makes inherits. On return the
/// parent has the listener.
pub fn load_apart(plan: &Plan<'_>, mark: Mark, has_terminal: bool) -> Result<()> {
    let (Some(filter), Some(report)) = (&plan.launch.filter, &plan.report) else { return Ok(()) };
    let wanted = &plan.launch.spec.process;
    let mut others = heapless::Vec::<u32, 3>::new();
    for (call, is_made) in [
        (marked::CALL_OF_LIMITS, privileges::are_processes_limited(wanted.rlimits)),
        (marked::CALL_OF_TERMINALS, has_terminal),
        (marked::CALL_OF_HOOKS, plan.has_hooks_inside),
    ] {
        if is_made {
            // Each fits.
            let _ = others.push(call);
        }
    }
    let listener = privileges::load_marked(filter, wanted, mark, &others)?;
    hand_over(listener, report, plan.channel.as_ref())
}

/// Writes the error to memory that the parent reads, because a filter may forbid write(2).
pub fn report(plan: &Plan<'_>, error: &Error) {
    if let Some(report) = &plan.report {
        report.failed(error);
    }
}

/// Carries out the rest after the set-up. Returns only an error, which the parent has received.
pub fn finish(
    plan: &Plan<'_>,
    program: &Program,
    has_terminal: bool,
    last: Option<LastWork>,
) -> Error {
    let mut opener = Opener::default();
    let error = match enter(plan, program, has_terminal, (&mut opener, last)) {
        Ok(()) => execute(plan, program, &opener),
        Err(error) => error,
    };
    if plan.filters_early {
        report(plan, &error);
    }
    if let Some(mark) = plan.mark.filter(|_| plan.is_released()) {
        mark.exit(error.status().into());
    }
    // After the start socket, errors go to the `start` that released the process.
    if let Some(channel) = opener.channel.as_ref().or(plan.channel.as_ref()) {
        channel.failed(&error);
    }
    error
}

/// Loads a filter that is not early, and executes the program directly after it. Returns only an
/// error.
#[inline(never)]
fn execute(plan: &Plan<'_>, program: &Program, opener: &Opener) -> Error {
    let (launch, wanted) = (plan.launch, &plan.launch.spec.process);
    let pointers = plan.pointers.take().map_or(&mut [][..], |pointers| pointers);
    let split = (plan.launch.args().iter().count() + 1).min(pointers.len());
    let (for_args, for_env) = pointers.split_at_mut(split);
    let args = StringVector::new(for_args, plan.launch.args().iter());
    let (args, env) = match (
        args,
        StringVector::of_variables(for_env, wanted.env.iter().chain(program.home())),
    ) {
        (Ok(args), Ok(env)) => (args, env),
        _ => {
            let limit = PROCESS_STRINGS_MAX - 2;
            let text = format_args!("more than {limit} arguments and environment variables");
            return Error::with_errno(text, Errno::E2BIG);
        }
    };
    let path = program.path.as_c_str();
    let filter = launch.filter.as_ref().filter(|_| !plan.filters_early);
    let report = opener.report.as_ref().or(plan.report.as_ref()).filter(|_| filter.is_some());
    let mut name = [0; execute::INTERPRETER_BYTES];
    let mut known = Some(program.interpreter.as_bytes()).filter(|name| !name.is_empty());
    if let (Some(filter), Some(report)) = (filter, report) {
        report.about_to_execute(path.to_bytes(), known);
        let channel = opener.channel.as_ref().or(plan.channel.as_ref());
        if let Err(error) = load(plan, filter, (report, channel), RaisedAdmin::Keep) {
            return error;
        }
    } else if let Some(filter) = filter
        && let Err(error) = privileges::load(filter, wanted, RaisedAdmin::Keep)
    {
        return error;
    }
    let errno = process::execute(path, &args, &env);
    if let Some(report) = report {
        report.not_executed(errno);
    }
    if launch.filter.is_none() && errno == Errno::ENOENT {
        known = execute::interpreter(path, &mut name);
    }
    execute::failure(path.to_bytes(), known, errno)
}

#[inline(never)]
fn enter(
    plan: &Plan<'_>,
    program: &Program,
    has_terminal: bool,
    (opener, last): (&mut Opener, Option<LastWork>),
) -> Result<()> {
    let (launch, wanted) = (plan.launch, &plan.launch.spec.process);
    let is_early = plan.filters_early;
    let pid;
    if let (Some(mark), Some(channel)) = (plan.mark, &plan.channel) {
        // A new process leads no session, so EPERM cannot happen.
        mark.new_session().doing("setsid")?;
        privileges::limit_processes(wanted.rlimits, Some(mark))?;
        if has_terminal {
            must(program.has_terminal, mark.make_controlling(fd::STDIN))?;
        }
        // The parent knows its pid now, and the listener's receiver has the fd.
        channel.await_marked(mark)?;
        if plan.is_released() {
            return Ok(());
        }
        pid = if plan.has_hooks_inside { mark.getpid() } else { 0 };
    } else {
        if plan.is_apart() {
            watch_parent(plan)?;
            lead_session()?;
            privileges::limit_processes(wanted.rlimits, None)?;
        }
        if launch.spec.init {
            signal::set_mask(SignalSet::ALL).doing("block signals")?;
            match clone::fork(0, None).doing("fork")? {
                clone::Side::Child => {
                    process::new_session().doing("setsid")?;
                    signal::set_mask(SignalSet::NONE).doing("unblock all signals")?;
                }
                clone::Side::Parent(pid, _) => {
                    privileges::apply(wanted)?;
                    last_work::run(init::reap_and_forward, pid)
                }
            }
        }
        if has_terminal {
            must(program.has_terminal, tty::make_controlling(fd::STDIN))?;
        }
        // These system calls come before the filter (docs/system-calls.md).
        pid = process::getpid();
        if is_early || launch.gate.is_some() {
            // From here the channel's end shows that the process has died.
            process::set_parent_death_signal(0).doing("outlive the parent")?;
        }
        if let (true, Some(filter), Some(report)) = (is_early, &launch.filter, &plan.report) {
            load(plan, filter, (report, plan.channel.as_ref()), RaisedAdmin::Drop)?;
        }
    }
    let mut channel = plan.channel.as_ref();
    if TAKES_CONFIGS && let (Some(creator), Some(gate)) = (channel, &launch.gate) {
        creator.ready()?;
        let (opened, file) = gate.wait()?;
        if !is_early {
            process::set_dumpable(false).doing("forbid tracing")?;
            // Close the start socket and the creator's channel, which are no longer needed.
            let file = file.as_ref().map(Fd::by_ref);
            if let Some(last) = last {
                let kept = [file, Some(opened.descriptor())];
                last.close_others(3 + launch.preserved, &kept).doing("close descriptors")?;
            }
            opener.report = file.map(Report::adopt).transpose()?;
            signal::reset_all();
        }
        channel = Some(opener.channel.insert(opened));
        if program.path.as_bytes().is_empty() {
            return Err(nothing_to_start());
        }
    }
    let filter = launch.filter.as_ref().filter(|_| !is_early);
    if TAKES_CONFIGS && plan.has_hooks_inside {
        run_hooks(
            plan,
            (HookKind::StartContainer, Status::Created),
            (pid, program.home()),
            filter,
        )?;
    }
    let Some(channel) = channel else { return Ok(()) };
    if !is_early && launch.gate.is_none() {
        process::set_parent_death_signal(0).doing("outlive the parent")?;
    }
    channel.ready()
}

/// Puts this process under the filter. If the filter notifies, the parent then has its listener.
fn load(
    plan: &Plan<'_>,
    filter: &Filter<'_>,
    (report, channel): (&Report, Option<&Channel>),
    raised_admin: RaisedAdmin,
) -> Result<()> {
    let listener = privileges::load(filter, &plan.launch.spec.process, raised_admin)?;
    hand_over(listener, report, channel)
}

fn hand_over(listener: Option<Fd>, report: &Report, channel: Option<&Channel>) -> Result<()> {
    let Some(listener) = listener else { return Ok(()) };
    let is_taken = report.offer(listener.by_ref());
    if let (false, Some(channel)) = (is_taken, channel) {
        channel.listener(listener.by_ref())?;
    }
    // Close-on-exec closes it: the filter may forbid close(2), or pass it to its listener.
    listener.leak();
    Ok(())
}

/// Only the process's own terminal must become its controlling terminal. An inherited one does if
/// it is free, for ^C.
fn must(is_required: bool, taken: crate::sys::Result<()>) -> Result<()> {
    if is_required { taken.doing("take the terminal") } else { Ok(()) }
}

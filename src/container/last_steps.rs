//! From a process that is set up to its exec: what it does as what it will be, and what its filter may forbid.
//!
//! Whoever is in its pid namespace may already look at it. docs/system-calls.md says what is called under the filter.

use super::child::{Plan, Program, close_others, lead_session, nothing_to_start, run_hooks, watch_parent};
use super::handshake::Channel;
use super::report::Report;
use super::seccomp::Filter;
use super::state::Status;
use super::{execute, gate, init, privileges};
use crate::error::{Context, Error, Result};
use crate::limits::PROCESS_STRINGS_MAX;
use crate::sys::fd::{self, Fd};
use crate::sys::process::{self, StringVector};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{Errno, clone, tty};

/// Whoever hears of what comes after the gate.
#[derive(Default)]
struct Opener {
    channel: Option<Channel>,
    report: Option<Report>,
}

/// The rest, when everything is set up. Returns only to say why not; the parent has heard it then.
pub fn finish(plan: &Plan<'_>, program: &Program) -> Error {
    let mut opener = Opener::default();
    let error = match enter(plan, program, &mut opener) {
        Ok(()) => execute(plan, program, &opener),
        Err(error) => error,
    };
    if let (true, Some(report)) = (plan.launch.filters_early(), &plan.report) {
        report.failed(&error);
    }
    // Whoever opened the gate hears what comes after it.
    if let Some(channel) = opener.channel.as_ref().or(plan.channel.as_ref()) {
        channel.failed(&error);
    }
    error
}

/// The exec itself, which alone follows a filter that is not early. Returns only to say why not.
#[inline(never)]
fn execute(plan: &Plan<'_>, program: &Program, opener: &Opener) -> Error {
    let (launch, wanted) = (plan.launch, &plan.launch.spec.process);
    let pointers = plan.pointers.take().map_or(&mut [][..], |pointers| pointers);
    let split = (wanted.args.iter().count() + 1).min(pointers.len());
    let (for_args, for_env) = pointers.split_at_mut(split);
    let args = StringVector::new(for_args, wanted.args.iter());
    let (args, env) = match (args, StringVector::of_variables(for_env, wanted.env.iter().chain(program.home()))) {
        (Ok(args), Ok(env)) => (args, env),
        _ => {
            let limit = PROCESS_STRINGS_MAX - 2;
            let text = format_args!("more than {limit} arguments and environment variables");
            return Error::with_errno(text, Errno::E2BIG);
        }
    };
    let path = program.path.as_c_str();
    let filter = launch.filter.as_ref().filter(|_| !launch.filters_early());
    let report = opener.report.as_ref().or(plan.report.as_ref()).filter(|_| filter.is_some());
    let mut name = [0; execute::INTERPRETER_BYTES];
    let mut known = Some(program.interpreter.as_bytes()).filter(|name| !name.is_empty());
    if let (Some(filter), Some(report)) = (filter, report) {
        report.about_to_execute(path.to_bytes(), known);
        let channel = opener.channel.as_ref().or(plan.channel.as_ref());
        if let Err(error) = load(plan, filter, (report, channel), false) {
            return error;
        }
    } else if let Some(filter) = filter
        && let Err(error) = privileges::load(filter, wanted, false)
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

/// From there to the exec.
#[inline(never)]
fn enter(plan: &Plan<'_>, program: &Program, opener: &mut Opener) -> Result<()> {
    let (launch, wanted) = (plan.launch, &plan.launch.spec.process);
    if plan.is_apart() {
        watch_parent(plan)?;
        lead_session()?;
        privileges::limit_processes(wanted.limits)?;
    }
    if launch.spec.init {
        signal::set_mask(SignalSet::ALL).doing("block signals")?;
        match clone::fork(0, None).doing("fork")? {
            clone::Side::Child => process::new_session().doing("setsid")?,
            clone::Side::Parent(pid, _) => {
                privileges::settle(wanted)?;
                init::look_after(pid)
            }
        }
    }
    take_terminal(program.has_terminal)?;
    let is_early = launch.filters_early();
    let pid = process::getpid();
    let mut channel = plan.channel.as_ref();
    // What is made here is not made under a filter: docs/system-calls.md.
    match &launch.gate {
        Some(_) => gate::end_on_signals(),
        None => signal::reset_all(),
    }
    signal::set_mask(SignalSet::NONE).doing("unblock all signals")?;
    if is_early || launch.gate.is_some() {
        // One that dies before its last word is noticed by the end of the conversation.
        process::set_parent_death_signal(0).doing("outlive the parent")?;
    }
    if launch.gate.is_some() {
        // An ordinary user who adds a process meanwhile has no other right to our namespaces; nothing of the host is open.
        process::set_dumpable(launch.rootless).doing("let the user in")?;
    }
    if let (true, Some(filter), Some(report)) = (is_early, &launch.filter, &plan.report) {
        load(plan, filter, (report, channel), true)?;
    }
    if let (Some(creator), Some(gate)) = (channel, &launch.gate) {
        creator.ready()?;
        let (opened, file) = gate.wait()?;
        if !is_early {
            process::set_dumpable(false).doing("forbid tracing")?;
            // Nobody waits here any more, and whoever made it is gone.
            let file = file.as_ref().map(Fd::by_ref);
            close_others(3 + launch.preserved, &mut file.into_iter().chain([opened.descriptor()]))?;
            opener.report = file.map(Report::adopt).transpose()?;
            signal::reset_all();
        }
        channel = Some(opener.channel.insert(opened));
        if program.path.as_bytes().is_empty() {
            return Err(nothing_to_start());
        }
    }
    let filter = launch.filter.as_ref().filter(|_| !is_early);
    run_hooks(plan, ("startContainer", Status::Created), (pid, program.home()), filter)?;
    let Some(channel) = channel else { return Ok(()) };
    if !is_early && launch.gate.is_none() {
        process::set_parent_death_signal(0).doing("outlive the parent")?;
    }
    channel.ready()
}

/// Puts this process under the filter. Its listener, if it notifies, the parent has when this returns.
fn load(
    plan: &Plan<'_>,
    filter: &Filter<'_>,
    (report, channel): (&Report, Option<&Channel>),
    ends: bool,
) -> Result<()> {
    let Some(listener) = privileges::load(filter, &plan.launch.spec.process, ends)? else { return Ok(()) };
    let is_taken = report.offer(listener.by_ref());
    if let (false, Some(channel)) = (is_taken, channel) {
        channel.listener(listener.by_ref())?;
    }
    // It is closed at exec: close(2) may be forbidden, or wait for an answer.
    listener.leak();
    Ok(())
}

/// The terminal on 0 controls our session. One that was handed to us does if it is free, for the sake of ^C.
fn take_terminal(required: bool) -> Result<()> {
    if required || tty::is_terminal(fd::STDIN) {
        let taken = tty::make_controlling(fd::STDIN);
        if required {
            taken.doing("take the terminal")?;
        }
    }
    Ok(())
}

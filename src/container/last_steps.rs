//! The last steps of a process, with its final user and capabilities, up to the exec. Its filter
//! may forbid some of them.
//!
//! Other processes of its pid namespace can see it by now. docs/system-calls.md lists the calls
//! that are made under the filter.

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

/// The start that opened the gate: it receives errors from then on.
#[derive(Default)]
struct Opener {
    channel: Option<Channel>,
    report: Option<Report>,
}

/// Runs the rest, when everything is set up. Returns only an error, which the parent has received.
pub fn finish(plan: &Plan<'_>, program: &Program) -> Error {
    let mut opener = Opener::default();
    let error = match enter(plan, program, &mut opener) {
        Ok(()) => execute(plan, program, &opener),
        Err(error) => error,
    };
    if let (true, Some(report)) = (plan.launch.filters_early(), &plan.report) {
        report.failed(&error);
    }
    // Errors after the gate go to the start that opened it.
    if let Some(channel) = opener.channel.as_ref().or(plan.channel.as_ref()) {
        channel.failed(&error);
    }
    error
}

/// Loads a filter that is not early, and executes: nothing comes between. Returns only an error.
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
    // These calls come before the filter: docs/system-calls.md.
    match &launch.gate {
        Some(_) => gate::end_on_signals(),
        None => signal::reset_all(),
    }
    signal::set_mask(SignalSet::NONE).doing("unblock all signals")?;
    if is_early || launch.gate.is_some() {
        // From here the end of the conversation shows that it has died.
        process::set_parent_death_signal(0).doing("outlive the parent")?;
    }
    if launch.gate.is_some() {
        // Without root only this lets `exec` join our namespaces meanwhile. Nothing of the host is
        // open.
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
            // Closes the gate and the creator's channel, which are of no use any more.
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

/// Puts this process under the filter. If the filter notifies, the parent has its listener then.
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
    // Left to close-on-exec: the filter may forbid close(2), or notify its listener.
    listener.leak();
    Ok(())
}

/// Makes the terminal on 0 control our session. An inherited one only if it is free, for ^C.
fn take_terminal(required: bool) -> Result<()> {
    if required || tty::is_terminal(fd::STDIN) {
        let taken = tty::make_controlling(fd::STDIN);
        if required {
            taken.doing("take the terminal")?;
        }
    }
    Ok(())
}

//! Programs that the config wants run at the stations of a container's life (runtime-spec,
//! "POSIX-platform Hooks").
//!
//! Each gets the container's state on standard input, from a file in memory: nobody waits for one
//! that does not read, and none is kept waiting. What it says goes to another such file, of which
//! an error shows the end; so one that leaves a process behind, with all of its descriptors, keeps
//! nobody either.

use super::privileges;
use super::report::Report;
use super::seccomp::Filter;
use super::state::{Id, State, Status};
use crate::codec::json::Writer;
use crate::error::{Context, Error, Result};
use crate::io::lossy::{Lossy, LossyC};
use crate::io::output::Output;
use crate::io::strings::PackedStrings;
use crate::limits::HOOK_STRINGS_MAX;
use crate::spec::{self, Hook, HookKind, Spec};
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::process::{self, Ended, StringVector, Whom};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{clone, event, fs};
use core::ffi::CStr;

/// What of a failed hook's words is shown, in bytes.
const SAID_BYTES: usize = 256;

/// Whose hooks they are, and at which station.
pub struct HookContext<'a> {
    /// The config.
    pub spec: &'a Spec<'a>,
    /// The container.
    pub id: Id<'a>,
    /// What is known of it; the pid is the one that the hook would see.
    pub state: State<'a>,
    /// What it is doing.
    pub status: Status,
}

impl HookContext<'_> {
    /// Writes the container's state as the runtime-spec has it.
    pub fn describe(&self, json: &mut Writer<'_>) {
        self.state.describe(self.id, json, self.status, None, self.spec.annotations);
    }
}

/// The context of hooks that a container's process runs.
pub struct Inside<'a> {
    /// The environment of hooks without their own, instead of ours.
    pub env: Option<PackedStrings<'a>>,
    /// A variable that is added to it.
    pub home: Option<&'a CStr>,
    /// The filter of the container's process, under which the hooks run.
    pub filter: Option<&'a Filter<'a>>,
    /// The container's process.
    pub process: &'a spec::Process<'a>,
    /// The process is under it already.
    pub is_filtered: bool,
}

/// Runs the hooks of one kind as [`run`] does, up to the first that fails.
///
/// `space` is for pointers to the process's environment, which may be large.
pub fn run_inside(
    context: &HookContext<'_>,
    kind: HookKind,
    inside: &Inside<'_>,
    space: &mut [usize],
) -> Result<()> {
    run_all(context, kind, false, Some(inside), space)
}

/// Runs the hooks of one kind, in order, up to the first that fails; with `all` each of them, and
/// all failures are told.
pub fn run(context: &HookContext<'_>, kind: HookKind, all: bool) -> Result<()> {
    run_all(context, kind, all, None, &mut [])
}

fn run_all(
    context: &HookContext<'_>,
    kind: HookKind,
    all: bool,
    inside: Option<&Inside<'_>>,
    space: &mut [usize],
) -> Result<()> {
    let hooks = context.spec.hooks.of(kind);
    if hooks.is_empty() {
        return Ok(());
    }
    let file = fs::memory_file(c"state").doing("write the state for hooks")?;
    let mut output = Output::new(file.by_ref());
    context.describe(&mut Writer::with_indent(&mut output, ""));
    output.finish().doing("write the state for hooks")?;
    let mut failed = Ok(());
    for (n, hook) in hooks.iter().enumerate() {
        let done = run_one(hook, file.by_ref(), inside, space);
        if let Err(error) = done {
            let error = error.within(format_args!("error running {} hook #{n}", kind.name()));
            failed = Err(match failed {
                Ok(()) => error,
                Err(first) => Error::and(first, error),
            });
            if !all {
                break;
            }
        }
    }
    failed
}

// A frame of its own, for it is large.
#[inline(never)]
fn run_one(
    hook: &Hook<'_>,
    state: FdRef<'_>,
    inside: Option<&Inside<'_>>,
    space: &mut [usize],
) -> Result<()> {
    // As exec(3) has it where nothing is said: the program's own name.
    let name = hook.args.first().is_none().then_some(hook.path);
    let (mut for_args, mut for_env) = ([0; HOOK_STRINGS_MAX], [0; HOOK_STRINGS_MAX]);
    let args =
        StringVector::new(&mut for_args, name.into_iter().chain(hook.args.iter())).doing("args")?;
    let of_process = inside.and_then(|inside| Some(inside.env?.iter().chain(inside.home)));
    let env = match (hook.env, of_process) {
        (Some(env), _) => StringVector::of_variables(&mut for_env, env.iter()).doing("env")?,
        (None, Some(env)) => StringVector::of_variables(space, env).doing("env")?,
        (None, None) => StringVector::environment(),
    };
    let report =
        inside.filter(|inside| inside.filter.is_some()).map(|_| Report::new()).transpose()?;
    let said = fs::memory_file(c"output").doing("make a file")?;
    fs::seek(state, 0, libc::SEEK_SET).doing("rewind the state")?;
    let process = match clone::fork(0, None).doing("fork")? {
        clone::Side::Child => {
            let stdio = [state, said.by_ref(), said.by_ref()];
            become_hook(stdio, (hook.path, &args, &env), inside, report.as_ref())
        }
        clone::Side::Parent(_, process) => process,
    };
    let seconds = hook.timeout_s;
    let patience =
        seconds.map_or(-1, |seconds| seconds.saturating_mul(1000).min(i32::MAX as u32) as i32);
    let in_time =
        event::poll_one(process.by_ref(), libc::POLLIN, patience).doing("wait for it")? != 0;
    if !in_time {
        let _ = process::kill_pidfd(process.by_ref(), signal::SIGKILL);
    }
    let ended = process::wait(Whom::Pidfd(process.by_ref()), true).doing("wait for it")?;
    match ended {
        _ if !in_time => {
            let seconds = seconds.unwrap_or(0);
            Err(Error::new(format_args!("hook ran past specified timeout of {seconds}.0s")))
        }
        Some((_, Ended::Exited(0))) => Ok(()),
        Some(_) if let Some(error) = report.as_ref().and_then(Report::failure) => Err(error),
        Some((_, Ended::Exited(status))) => {
            Err(failure(format_args!("exit status {status}"), &said))
        }
        Some((_, Ended::Killed(number))) => Err(match signal_words(number) {
            Some(words) => failure(format_args!("signal: {words}"), &said),
            None => failure(format_args!("signal {number}"), &said),
        }),
        None => Ok(()),
    }
}

/// Returns what Go, and so runc, calls a signal that ended a process.
fn signal_words(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGABRT => "aborted",
        libc::SIGBUS => "bus error",
        libc::SIGFPE => "floating point exception",
        libc::SIGILL => "illegal instruction",
        libc::SIGKILL => "killed",
        libc::SIGPIPE => "broken pipe",
        libc::SIGSEGV => "segmentation fault",
        libc::SIGSYS => "bad system call",
        libc::SIGTERM => "terminated",
        _ => return None,
    })
}

#[cold]
fn failure(how: core::fmt::Arguments<'_>, said: &Fd) -> Error {
    let mut end = [0; SAID_BYTES];
    let size = fs::stat(said.by_ref(), c"").map_or(0, |stat| stat.size);
    let length =
        fs::read_at(said.by_ref(), &mut end, size.saturating_sub(SAID_BYTES as u64)).unwrap_or(0);
    Error::new(format_args!("{how}, output: {}", Lossy(end[..length].trim_ascii())))
}

fn become_hook(
    stdio: [FdRef<'_>; 3],
    (path, args, env): (&CStr, &StringVector<'_>, &StringVector<'_>),
    inside: Option<&Inside<'_>>,
    report: Option<&Report>,
) -> ! {
    let is_filtered = inside.is_some_and(|inside| inside.is_filtered);
    let prepare = || {
        // None of these fds is 0, 1 or 2, which are open; all of ours are close-on-exec.
        for (number, file) in stdio.into_iter().enumerate() {
            fd::duplicate_to(file, number as i32)?;
        }
        if is_filtered {
            // The container's process has reset its signals already.
            return Ok(());
        }
        fd::set_cloexec_from(3)?;
        signal::reset_all();
        signal::set_mask(SignalSet::NONE)
    };
    let mut said = prepare().map_err(|errno| Error::with_errno(format_args!("{errno}"), errno));
    if let Some(Inside { filter: Some(filter), process, .. }) = inside {
        if let Some(report) = report {
            report.about_to_execute(path.to_bytes(), None);
        }
        // Without a listener: no parent waits for a second one.
        said = said
            .and_then(|()| privileges::load(&filter.without_listener(), process, false).map(drop));
    }
    let error = match said {
        Ok(()) => {
            let errno = process::execute(path, args, env);
            if let Some(report) = report {
                report.not_executed(errno);
            }
            Error::with_errno(format_args!("{errno}"), errno)
        }
        Err(error) => error,
    };
    let mut output = Output::new(fd::STDERR);
    let _ =
        core::fmt::Write::write_fmt(&mut output, format_args!("exec {}: {error}", LossyC(path)));
    let _ = output.finish();
    process::exit(crate::error::STATUS_NOT_FOUND.into())
}

#[cfg(test)]
mod tests;

//! The process of one hook.

use super::Inside;
use crate::container::privileges::{self, RaisedAdmin};
use crate::container::report::Report;
use crate::error::{Context, Error, Result};
use crate::io::lossy::{Lossy, LossyC};
use crate::io::output::Output;
use crate::limits::HOOK_STRINGS_MAX;
use crate::spec::Hook;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::process::{self, Ended, StringVector};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{clone, fs};
use core::ffi::CStr;

/// Bytes of a failed hook's output that an error shows.
const SAID_BYTES: usize = 256;

/// The process of a hook, without its pidfd.
pub struct Spawned {
    /// Its pid.
    pub pid: i32,
    /// The file for its output.
    said: Fd,
    /// Memory for its report, if it loads a filter.
    report: Option<Report>,
    /// Seconds after which it is killed.
    timeout_s: Option<u32>,
}

/// Makes the process of a hook, with the container's state on its stdin.
// A frame of its own, because it is large.
#[inline(never)]
pub fn spawn(
    hook: &Hook<'_>,
    state: FdRef<'_>,
    inside: Option<&Inside<'_>>,
    space: &mut [usize],
) -> Result<(Spawned, Fd)> {
    // Without arguments, argv[0] is the path.
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
    match clone::fork(0, None).doing("fork")? {
        clone::Side::Child => {
            let stdio = [state, said.by_ref(), said.by_ref()];
            become_hook(stdio, (hook.path, &args, &env), inside, report.as_ref())
        }
        clone::Side::Parent(pid, pidfd) => {
            Ok((Spawned { pid, said, report, timeout_s: hook.timeout_s }, pidfd))
        }
    }
}

impl Spawned {
    /// Returns the milliseconds it may take; None if there is no limit.
    pub fn patience_ms(&self) -> Option<u64> {
        self.timeout_s.map(|seconds| u64::from(seconds) * 1000)
    }

    /// Returns the result of its end. `in_time` means that the time-out did not kill it.
    pub fn verdict(&self, ended: Ended, in_time: bool) -> Result<()> {
        match ended {
            _ if !in_time => {
                let seconds = self.timeout_s.unwrap_or(0);
                Err(Error::new(format_args!("hook ran past specified timeout of {seconds}.0s")))
            }
            Ended::Exited(0) => Ok(()),
            _ if let Some(error) = self.report.as_ref().and_then(Report::failure) => Err(error),
            Ended::Exited(status) => {
                let status = u32::from(status);
                Err(failure(format_args!("exit status {status}"), &self.said))
            }
            Ended::Killed(number) => Err(match signal_words(number) {
                Some(words) => failure(format_args!("signal: {words}"), &self.said),
                None => failure(format_args!("signal {number}"), &self.said),
            }),
        }
    }
}

/// Returns Go's (and so runc's) words for a signal that ended a process.
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
        // Without a listener, because no parent waits for a second one.
        let filter = filter.without_listener();
        said = said.and_then(|()| privileges::load(&filter, process, RaisedAdmin::Keep).map(drop));
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

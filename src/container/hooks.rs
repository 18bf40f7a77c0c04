//! Hooks: programs that a config has somebody run at some points of a container's life (runtime-spec, "POSIX-platform Hooks").
//!
//! A hook gets the container's state on its standard input, the environment of its entry and no other, and no descriptor of
//! ours. The state is a file in memory: no hook can keep us waiting by not reading it. What it writes is only kept to say
//! why it failed. It ends with its own process: a daemon that it leaves behind, with its output open, is not waited for.

use super::execute;
use super::state::{self, Id, Status};
use crate::codec::json::{Value, Writer};
use crate::error::{Context, Error, Result};
use crate::io::output::Output;
use crate::io::show::Show;
use crate::io::strings::Strings;
use crate::limits::{HOOK_OUTPUT_BYTES, HOOK_STRINGS_BYTES, HOOK_STRINGS_MAX};
use crate::sys::fd::{self, Fd, FdRef, STDERR};
use crate::sys::process::{self, Ended, StringVector, Whom};
use crate::sys::signal::{self, SignalSet};
use crate::sys::{clone, event, fs, mount, time};
use core::ffi::CStr;
use core::fmt::Write;

/// When hooks are run, in the order of a container's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// By the runtime, when the namespaces are there (deprecated).
    Prestart,
    /// By the runtime, after those.
    CreateRuntime,
    /// By the container's process before the pivot: found on the host, executed in the container's namespaces.
    CreateContainer,
    /// By the container's process, as its last act before it executes.
    StartContainer,
    /// By the runtime, when that has been done.
    Poststart,
    /// By the runtime, when the container has been removed.
    Poststop,
}

/// By [`Kind`]: the member of `hooks`, and the status that the hooks are told.
const KINDS: [(&str, Status); 6] = [
    ("prestart", Status::Creating),
    ("createRuntime", Status::Creating),
    ("createContainer", Status::Creating),
    ("startContainer", Status::Created),
    ("poststart", Status::Running),
    ("poststop", Status::Stopped),
];

/// Whose hooks.
#[derive(Clone, Copy)]
pub struct Hooks<'a> {
    /// The container's config.json.
    pub document: Value<'a>,
    /// Its name.
    pub id: Id<'a>,
    /// Its bundle, absolute.
    pub bundle: &'a CStr,
}

/// Whether every hook can be run, before anything is made: its time, and whether its texts fit.
pub fn check(document: &Value<'_>) -> Result<()> {
    for (_, list) in document.entries_or_none("hooks") {
        for hook in list.items()? {
            timeout(&hook)?;
            with_texts(&hook, &mut |_, _, _| Ok(()))?;
        }
    }
    Ok(())
}

/// Whether there are hooks of this kind.
pub fn has(document: &Value<'_>, kind: Kind) -> bool {
    document.member("hooks").is_some_and(|hooks| hooks.list_or_none(KINDS[kind as usize].0).next().is_some())
}

impl Hooks<'_> {
    /// Runs the hooks of this kind in their order, up to the first that fails. `pid` is the container's process as the hooks see it.
    ///
    /// Nobody else may collect the caller's children meanwhile.
    pub fn run(&self, kind: Kind, pid: i32) -> Result<()> {
        self.run_each(kind, pid, &mut Err)
    }

    /// The same; `failed` decides whether the others are run after one that fails.
    pub fn run_each(&self, kind: Kind, pid: i32, failed: &mut dyn FnMut(Error) -> Result<()>) -> Result<()> {
        let Some(hooks) = self.document.member("hooks") else { return Ok(()) };
        let name = KINDS[kind as usize].0;
        hooks.list_or_none(name).enumerate().try_for_each(|(index, hook)| {
            let run = self.run_one(&hook, kind, pid);
            run.or_else(|error| failed(error.within(format_args!("error running {name} hook #{}", index as u32))))
        })
    }

    fn run_one(&self, hook: &Value<'_>, kind: Kind, pid: i32) -> Result<()> {
        let limit = timeout(hook)?;
        let state = fs::memory_file(c"state").doing("make the state for a hook")?;
        let mut output = Output::new(state.by_ref());
        self.describe(&mut Writer::new(&mut output), kind, pid);
        output.finish().and_then(|()| fs::seek(state.by_ref(), 0, fs::SEEK_SET)).doing("write the state for a hook")?;
        let (mut stdout, for_stdout) = Said::new()?;
        let (mut stderr, for_stderr) = Said::new()?;
        let pidfd = match clone::fork(0, None).doing("fork")? {
            clone::Side::Child => {
                let files = [state.by_ref(), for_stdout.by_ref(), for_stderr.by_ref()];
                let error = self.become_hook(hook, kind, files);
                let mut output = Output::new(STDERR);
                let _ = write!(output, "{error}");
                let _ = output.finish();
                process::exit(error.status().into())
            }
            clone::Side::Parent(_, pidfd) => pidfd,
        };
        drop((for_stdout, for_stderr));
        let start = time::monotonic_us();
        let mut late = false;
        let mut answers = [0; 3];
        while answers[0] == 0 {
            let left = limit.map_or(-1, |limit| {
                (limit.saturating_mul(1000)).saturating_sub((time::monotonic_us() - start) / 1000).min(1 << 30) as i32
            });
            if left == 0 && !late {
                late = true;
                process::kill_pidfd(pidfd.by_ref(), signal::SIGKILL).doing("kill a hook")?;
            }
            let sources = [Some((pidfd.by_ref(), libc::POLLIN)), stdout.source(), stderr.source()];
            event::poll_within(&sources, &mut answers, if late { -1 } else { left }).doing("wait for a hook")?;
            stdout.take(answers[1]);
            stderr.take(answers[2]);
        }
        let ended = process::wait(Whom::Pidfd(pidfd.by_ref()), true).doing("wait for a hook")?;
        let (how, number) = match ended {
            _ if late => {
                let limit = limit.unwrap_or(0);
                return Err(Error::new(format_args!("hook ran past specified timeout of {limit}.0s")));
            }
            Some((_, Ended::Exited(0))) => return Ok(()),
            Some((_, Ended::Exited(status))) => ("exit status", u32::from(status)),
            Some((_, Ended::Killed(signal))) => ("signal", signal as u32),
            None => ("lost", 0),
        };
        let (stdout, stderr) = (Show(stdout.text()), Show(stderr.text()));
        Err(Error::new(format_args!("{how} {number}, stdout: {stdout}, stderr: {stderr}")))
    }

    /// The new process; returns only to say why it does not become the hook.
    #[cold]
    fn become_hook(&self, hook: &Value<'_>, kind: Kind, files: [FdRef<'_>; 3]) -> Error {
        let become_it = || {
            // Copies above 2 first: one may be another's target.
            let mut copies = [None, None, None];
            for (copy, file) in copies.iter_mut().zip(files) {
                *copy = Some(fd::duplicate(file, 3).doing("duplicate stdio")?);
            }
            for (number, copy) in copies.iter().flatten().enumerate() {
                fd::duplicate_to(copy.by_ref(), number as i32).doing("duplicate stdio")?;
            }
            fd::close_from(3, true).doing("close all descriptors at exec")?;
            if !matches!(kind, Kind::CreateContainer | Kind::StartContainer) {
                // As good as where we are: the bundle of a container that is removed may be gone.
                let _ = mount::chdir(self.bundle);
            }
            signal::reset_all();
            signal::set_mask(SignalSet::NONE).doing("unblock all signals")?;
            with_texts(hook, &mut |path, args, env| Err(execute::execute(path, args, env)))
        };
        match become_it() {
            Err(error) => error,
            Ok(()) => Error::new(format_args!("not executed")),
        }
    }

    /// Writes the state as the runtime-spec has it ("State").
    fn describe(&self, json: &mut Writer<'_>, kind: Kind, pid: i32) {
        json.object();
        if let Some(version) = self.document.member("ociVersion").and_then(|version| version.as_text().ok()) {
            json.key("ociVersion").text(&version);
        }
        let pid = if kind == Kind::Poststop { None } else { Some(pid) };
        state::write_start(json, self.id, pid, KINDS[kind as usize].1, self.bundle);
        state::write_annotations(json, &self.document);
        json.end();
    }
}

/// The seconds that a hook may take.
fn timeout(hook: &Value<'_>) -> Result<Option<u64>> {
    match hook.get("timeout")? {
        None => Ok(None),
        Some(limit) => match limit.as_i64()? {
            seconds @ 1.. => Ok(Some(seconds as u64)),
            _ => Err(limit.fault("must be greater than 0")),
        },
    }
}

/// Shows what a hook is executed with: path, arguments, environment.
fn with_texts(
    hook: &Value<'_>,
    see: &mut dyn FnMut(&CStr, &StringVector<'_>, &StringVector<'_>) -> Result<()>,
) -> Result<()> {
    let mut memory = [0; HOOK_STRINGS_BYTES];
    let mut strings = Strings::new(&mut memory);
    let mut text = strings.begin();
    hook.require_text("path")?.write_to(&mut text)?;
    let path = text.finish()?;
    let mut lists = [None; 2];
    for (list, key) in lists.iter_mut().zip(["args", "env"]) {
        let mut words = strings.begin();
        for word in hook.list_or_none(key) {
            word.as_text()?.write_to(&mut words).and_then(|()| words.end_word()).map_err(|error| word.blame(error))?;
        }
        *list = (!words.is_empty()).then(|| words.finish_words());
    }
    let [args, env] = lists;
    let (mut for_args, mut for_env) = ([0; HOOK_STRINGS_MAX], [0; HOOK_STRINGS_MAX]);
    let full = |_| hook.fault("more arguments or variables than a hook may have");
    let args = match args {
        Some(args) => StringVector::new(&mut for_args, args.iter()),
        None => StringVector::new(&mut for_args, core::iter::once(path)),
    };
    let env = StringVector::new(&mut for_env, env.unwrap_or_default().iter()).map_err(full)?;
    see(path, &args.map_err(full)?, &env)
}

/// What a hook writes, as much of it as an error shows.
struct Said {
    pipe: Option<Fd>,
    text: [u8; HOOK_OUTPUT_BYTES],
    length: usize,
}

impl Said {
    /// Nothing yet; and the end that the hook writes to.
    fn new() -> Result<(Said, Fd)> {
        let (pipe, end) = fd::pipe().doing("make a pipe")?;
        fd::set_nonblocking(pipe.by_ref(), true).doing("make a pipe")?;
        Ok((Said { pipe: Some(pipe), text: [0; HOOK_OUTPUT_BYTES], length: 0 }, end))
    }

    fn source(&self) -> Option<(FdRef<'_>, i16)> {
        self.pipe.as_ref().map(|pipe| (pipe.by_ref(), libc::POLLIN))
    }

    /// Takes some of what there is, once poll(2) has `answered` that there is something.
    fn take(&mut self, answered: i16) {
        let Some(pipe) = self.pipe.as_ref().filter(|_| answered != 0) else { return };
        let mut bytes = [0; HOOK_OUTPUT_BYTES];
        match fs::read(pipe.by_ref(), &mut bytes) {
            Ok(0) => self.pipe = None,
            Ok(count) => {
                let room = &mut self.text[self.length..];
                let kept = count.min(room.len());
                room[..kept].copy_from_slice(&bytes[..kept]);
                self.length += kept;
            }
            Err(_) => {}
        }
    }

    /// Takes the rest, as far as it is shown and there now: somebody else may have the other end.
    fn text(&mut self) -> &[u8] {
        let mut before = usize::MAX;
        while before != self.length {
            before = self.length;
            self.take(1);
        }
        self.text[..self.length].trim_ascii_end()
    }
}

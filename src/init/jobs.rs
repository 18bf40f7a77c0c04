//! Further containers beside the main one (jobs). Each has its own namespaces, the same image root,
//! and the main one's configuration except for its program.
//!
//! Their streams are lines of the control port (`control.rs`), because a running machine gets no
//! further virtio ports. They have no standard input.

use super::control::{Control, Start};
use crate::container::starting::{Starting, Step};
use crate::container::{Launch, Running, Starter, Stdio};
use crate::io::strings::PackedStrings;
use crate::limits::{JOB_PIECE_BYTES, JOBS_MAX};
use crate::sys::fd::{self, CWD, Fd};
use crate::sys::process::{self, Ended};
use crate::sys::{Errno, fs, signal};
use crate::watch::{Happened, Interest, Loop, Token};
use crate::{Context, Error, Result};
use core::fmt;

/// The state of a job.
enum JobState<'m> {
    Starting(Starting<'m>),
    /// It runs. Its row is gone once it has ended.
    Running(Running, Option<Token>),
    /// It ended with this status. Its output may still come.
    Ended(u8),
}

struct Job<'m> {
    start: Start,
    state: JobState<'m>,
    /// Its standard output and error, until their ends.
    streams: [Option<Fd>; 2],
    /// The row of the time at which it is killed.
    stop: Option<Token>,
}

/// All jobs.
#[derive(Default)]
pub struct Jobs<'m> {
    jobs: [Option<Job<'m>>; JOBS_MAX],
    /// The main container has ended, so no job starts any more.
    are_stopping: bool,
}

/// Bytes as two digits each.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl<'m> Jobs<'m> {
    /// Returns true if no job is left.
    pub fn is_empty(&self) -> bool {
        self.jobs.iter().all(Option::is_none)
    }

    /// Begins the start that the host asked for. A failure goes to the host, and changes no other
    /// job.
    pub fn start(
        &mut self,
        start: Start,
        starter: &mut Starter<'_>,
        like: &'m Launch<'m>,
        control: &mut Control,
        events: &mut Loop,
    ) {
        let name = start.name.clone();
        if let Err(error) = self.begin(start, starter, like, events) {
            control.send(format_args!("job {name} failed {error}"));
        }
    }

    fn begin(
        &mut self,
        start: Start,
        starter: &mut Starter<'_>,
        like: &'m Launch<'m>,
        events: &mut Loop,
    ) -> Result<()> {
        if self.are_stopping {
            return Err(Error::new(format_args!("the machine is going off")));
        }
        if self.jobs.iter().flatten().any(|job| job.start.name == start.name) {
            return Err(Error::new(format_args!("there is a job of this name")));
        }
        let Some(place) = self.jobs.iter_mut().find(|place| place.is_none()) else {
            return Err(Error::new(format_args!("more than {JOBS_MAX} jobs (JOBS_MAX)")));
        };
        let null = fs::open(CWD, c"/dev/null", fs::O_RDONLY, 0).doing("open /dev/null")?;
        let (out, their_out) = pipe(starter)?;
        let (err, their_err) = pipe(starter)?;
        let stdio = Stdio::Files([null.by_ref(), their_out.by_ref(), their_err.by_ref()]);
        let args = PackedStrings::new(&start.args);
        let mut starting = starter.begin(like, args, stdio, events)?;
        for stream in [&out, &err] {
            if let Err(error) = events.add(stream.by_ref(), Interest::EDGES) {
                starting.abandon(events);
                return Err(error);
            }
        }
        let (state, streams) = (JobState::Starting(starting), [Some(out), Some(err)]);
        *place = Some(Job { start, state, streams, stop: None });
        Ok(())
    }

    /// Handles an event of any job.
    pub fn handle(&mut self, happened: &Happened, control: &mut Control, events: &mut Loop) {
        for place in &mut self.jobs {
            let Some(job) = place else { continue };
            match job.handle(happened, events) {
                None => {}
                Some(Ok(())) => control.send(format_args!("job {} started", job.start.name)),
                Some(Err(error)) => {
                    control.send(format_args!("job {} failed {error}", job.start.name));
                    *place = None;
                }
            }
        }
    }

    /// Sends the jobs' output as far as the host takes it. Returns whether there may be more.
    pub fn pump(&mut self, control: &mut Control) -> bool {
        let mut more = false;
        for place in &mut self.jobs {
            let Some(job) = place else { continue };
            more |= job.pump(control);
            if let (JobState::Ended(status), [None, None]) = (&job.state, &job.streams) {
                let status = u32::from(*status);
                control.send(format_args!("job {} exit {status}", job.start.name));
                *place = None;
            }
        }
        more
    }

    /// Sends each job the stop signal, and SIGKILL after `patience_ms`, because the main container
    /// has ended.
    pub fn stop(&mut self, number: i32, patience_ms: u64, events: &mut Loop) {
        self.are_stopping = true;
        for job in self.jobs.iter_mut().flatten() {
            // A starting job has no program yet that could handle a signal.
            let number =
                if matches!(job.state, JobState::Running(..)) { number } else { signal::SIGKILL };
            job.signal(number);
            job.stop = events.after(patience_ms).ok();
        }
    }
}

impl Job<'_> {
    fn signal(&self, number: i32) {
        match &self.state {
            // ESRCH: it is ending, and needs no signal.
            JobState::Running(running, _) => {
                let _ = process::kill_pidfd(running.pidfd.by_ref(), number);
            }
            JobState::Starting(starting) => starting.kill(),
            JobState::Ended(_) => {}
        }
    }

    /// Returns the result of its start, when that is known.
    fn handle(&mut self, happened: &Happened, events: &mut Loop) -> Option<Result<()>> {
        match (&mut self.state, *happened) {
            (_, Happened::Due(token)) if self.stop == Some(token) => {
                self.signal(signal::SIGKILL);
                None
            }
            (JobState::Starting(starting), happened) => match starting.step(&happened, events) {
                Step::Wait => None,
                Step::Failed(error) => Some(Err(error)),
                Step::Started => {
                    let before = core::mem::replace(&mut self.state, JobState::Ended(0));
                    if let JobState::Starting(starting) = before {
                        let (running, row, ended) = starting.into_running();
                        self.state = match ended {
                            Some(ended) => JobState::Ended(ended.status()),
                            None => JobState::Running(running, row),
                        };
                    }
                    Some(Ok(()))
                }
            },
            (JobState::Running(_, row), Happened::Ended(token, ended)) if *row == Some(token) => {
                self.end(ended, events);
                None
            }
            _ => None,
        }
    }

    fn end(&mut self, ended: Ended, events: &mut Loop) {
        self.state = JobState::Ended(ended.status());
        self.stop.take().into_iter().for_each(|token| events.remove(token));
    }

    fn pump(&mut self, control: &mut Control) -> bool {
        let mut more = false;
        if matches!(self.state, JobState::Starting(_)) {
            // Its output comes after `started`.
            return false;
        }
        for (stream, kind) in self.streams.iter_mut().zip(["out", "err"]) {
            // Send a line only when all earlier ones are gone: the main container's come first.
            let Some(fd) = stream.as_ref().filter(|_| control.flush()) else { continue };
            let mut piece = [0; JOB_PIECE_BYTES];
            match fs::read(fd.by_ref(), &mut piece) {
                Err(Errno::EAGAIN) => {}
                Ok(length @ 1..) => {
                    let (name, text) = (&self.start.name, Hex(&piece[..length]));
                    control.send(format_args!("job {name} {kind} {text}"));
                    more = true;
                }
                _ => *stream = None,
            }
        }
        more
    }
}

/// Returns our end, non-blocking, and the process's end, owned by its user.
fn pipe(starter: &Starter<'_>) -> Result<(Fd, Fd)> {
    let (ours, theirs) = fd::pipe().doing("make pipe")?;
    fd::set_nonblocking(ours.by_ref(), true).doing("make pipe")?;
    let user = &starter.spec.process.user;
    fs::chown(theirs.by_ref(), c"", user.uid, user.gid).doing("make pipe")?;
    Ok((ours, theirs))
}

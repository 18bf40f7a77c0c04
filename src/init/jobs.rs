//! Further containers beside the main one (jobs). Each has its own namespaces, the same image root,
//! and the main one's configuration except for its program.
//!
//! Their streams are lines of the control port (`control.rs`), because a running machine gets no
//! further virtio ports. They have no standard input. A line is sent when the port has taken all
//! earlier ones, so a host that does not read cannot delay a signal.

use super::control::{Control, Start};
use super::job::Job;
use super::streams::pipe;
use crate::container::{Launch, Starter, Stdio};
use crate::io::strings::PackedStrings;
use crate::limits::{JOB_PIECE_BYTES, JOBS_MAX};
use crate::sys::fd::{CWD, Fd};
use crate::sys::{Errno, fs};
use crate::watch::{Happened, Interest, Loop};
use crate::{Context, Error, Result};
use core::fmt;

/// A job, and what the host knows of it.
struct Named<'m> {
    start: Start,
    job: Job<'m>,
    /// The host knows that it has started.
    is_told: bool,
    /// Its standard output and error, until their ends.
    streams: [Option<Fd>; 2],
}

/// All jobs.
#[derive(Default)]
pub struct Jobs<'m> {
    jobs: [Option<Named<'m>>; JOBS_MAX],
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

    /// Begins the starts that the host asked for. A failure goes to the host, and changes no other
    /// job.
    pub fn start(
        &mut self,
        starter: &mut Starter<'_>,
        like: &'m Launch<'m>,
        control: &mut Control,
        events: &mut Loop,
    ) {
        while control.flush() {
            let Some(start) = control.take_start() else { return };
            let name = start.name.clone();
            if let Err(error) = self.begin(start, starter, like, events) {
                control.send(format_args!("job {name} failed {error}"));
            }
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
        let (out, their_out) = pipe(starter, false)?;
        let (err, their_err) = pipe(starter, false)?;
        let stdio = Stdio::Files([null.by_ref(), their_out.by_ref(), their_err.by_ref()]);
        let args = PackedStrings::new(&start.args);
        let mut starting = starter.begin(like, Some(args), stdio, events)?;
        for stream in [&out, &err] {
            if let Err(error) = events.add(stream.by_ref(), Interest::EDGES) {
                starting.abandon(events);
                return Err(error);
            }
        }
        let streams = [Some(out), Some(err)];
        *place = Some(Named { start, job: Job::new(starting), is_told: false, streams });
        Ok(())
    }

    /// Handles an event of any job.
    pub fn handle(&mut self, happened: &Happened, events: &mut Loop) {
        for named in self.jobs.iter_mut().flatten() {
            // `pump` tells what has changed.
            let _ = named.job.handle(happened, events, &mut |_, _| Ok(()));
        }
    }

    /// Sends the jobs' starts, output and ends as far as the host takes them. Returns whether there
    /// may be more.
    pub fn pump(&mut self, control: &mut Control) -> bool {
        let mut more = false;
        for place in &mut self.jobs {
            let Some(named) = place else { continue };
            more |= named.pump(control);
            let name = &named.start.name;
            if !control.flush() {
                continue;
            }
            if let Some(error) = named.job.take_failure() {
                control.send(format_args!("job {name} failed {error}"));
                *place = None;
            } else if let (Some(status), true, [None, None]) =
                (named.job.status(), named.is_told, &named.streams)
            {
                let status = u32::from(status);
                control.send(format_args!("job {name} exit {status}"));
                *place = None;
            }
        }
        more
    }

    /// Sends each job the stop signal, and SIGKILL later, because the main container has ended.
    pub fn stop(&mut self, number: i32, events: &mut Loop) {
        self.are_stopping = true;
        for Named { job, .. } in self.jobs.iter_mut().flatten() {
            // A starting job has no program yet that could handle a signal.
            if job.is_starting() { job.kill() } else { job.stop(number, events) }
        }
    }
}

impl Named<'_> {
    fn pump(&mut self, control: &mut Control) -> bool {
        let mut more = false;
        if !self.is_told {
            let has_started = self.job.running().is_some() || self.job.status().is_some();
            if !has_started || !control.flush() {
                return false;
            }
            control.send(format_args!("job {} started", self.start.name));
            self.is_told = true;
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

//! The main container's streams: pumps between it and the ports, or the console.

use super::early;
use crate::container::starting::Starting;
use crate::container::{Launch, Running, Starter, Stdio};
use crate::sys::fd::{self, Fd};
use crate::sys::{fs, tty};
use crate::watch::pump::{AtEnd, Buffer, Kind, Pump};
use crate::watch::{Interest, Loop};
use crate::{Context, Error, Result};

/// The container's three streams. A terminal has no third.
#[derive(Default)]
pub struct Streams<'m> {
    /// From the port to the container.
    pub stdin: Option<Pump<'m>>,
    /// From the container to the port.
    pub stdout: Option<Pump<'m>>,
    /// From the container to the port.
    pub stderr: Option<Pump<'m>>,
}

impl Streams<'_> {
    /// Adds rows for all of their ends. Edges: a port without a host is always "ready".
    pub fn watch(&self, events: &mut Loop) -> Result<()> {
        for pump in [&self.stdin, &self.stdout, &self.stderr].into_iter().flatten() {
            for end in [pump.source(), pump.sink()].into_iter().flatten() {
                events.add(end, Interest::EDGES)?;
            }
        }
        Ok(())
    }
}

/// The main container's streams while it starts.
pub enum Prepared<'m> {
    /// Pumps, if any. The process has the other ends.
    Pumps(Streams<'m>),
    /// Input and output of the terminal that the process makes.
    Terminal(Fd, Fd, &'m mut [Buffer; 3]),
}

impl<'m> Prepared<'m> {
    /// Returns the streams of a process whose program was executed.
    pub fn of(self, running: &Running) -> Result<Streams<'m>> {
        match (self, &running.terminal) {
            (Prepared::Pumps(streams), _) => Ok(streams),
            (Prepared::Terminal(stdin, stdout, buffers), Some(master)) => {
                let input = (Kind::Port, stdin, AtEnd::WriteEof);
                let [first, second, _] = buffers;
                let pumps = Pump::of_terminal(master.by_ref(), input, stdout, [first, second]);
                let [stdin, stdout] = pumps.doing("terminal")?.map(Some);
                Ok(Streams { stdin, stdout, stderr: None })
            }
            (Prepared::Terminal(..), None) => {
                Err(Error::new(format_args!("the container has no terminal")))
            }
        }
    }
}

/// The start of the main container, and its streams.
pub type Begun<'a, 'm> = (Starting<'a>, Prepared<'m>);

/// Begins a start on the console. If that is a terminal, the process gets a pseudo-terminal: at the
/// end of its session's leader the kernel would hang up the console and drop unsent bytes.
pub fn begin_on_console<'a, 'm>(
    (starter, like): (&mut Starter<'_>, &'a Launch<'a>),
    buffers: &'m mut [Buffer; 3],
    events: &mut Loop,
) -> Result<Begun<'a, 'm>> {
    let console = early::open_terminal()?;
    if !tty::is_terminal(console.by_ref()) {
        let stdio = Stdio::Files([console.by_ref(); 3]);
        let starting = starter.begin(like, None, stdio, events)?;
        return Ok((starting, Prepared::Pumps(Streams::default())));
    }
    let size = tty::size(console.by_ref());
    fd::set_nonblocking(console.by_ref(), true).context("console", &"")?;
    let output = fd::duplicate(console.by_ref(), 3).context("console", &"")?;
    let starting = starter.begin(like, None, Stdio::Terminal(size), events)?;
    Ok((starting, Prepared::Terminal(console, output, buffers)))
}

/// Begins a start with pipes, which pumps connect to the ports.
pub fn begin_on_pipes<'a, 'm>(
    (starter, like): (&mut Starter<'_>, &'a Launch<'a>),
    [stdin_port, stdout_port, stderr_port]: [Fd; 3],
    [first, second, third]: &'m mut [Buffer; 3],
    events: &mut Loop,
) -> Result<Begun<'a, 'm>> {
    let (their_stdin, stdin) = pipe(starter, true)?;
    let (stdout, their_stdout) = pipe(starter, false)?;
    let (stderr, their_stderr) = pipe(starter, false)?;
    let stdio = Stdio::Files([their_stdin.by_ref(), their_stdout.by_ref(), their_stderr.by_ref()]);
    let starting = starter.begin(like, None, stdio, events)?;
    let streams = Streams {
        stdin: Some(Pump::new(Kind::Port, stdin_port, stdin, first)),
        stdout: Some(Pump::new(Kind::Pipe, stdout, stdout_port, second)),
        stderr: Some(Pump::new(Kind::Pipe, stderr, stderr_port, third)),
    };
    Ok((starting, Prepared::Pumps(streams)))
}

/// Returns both ends of a pipe, the reading end first. One is the process's, owned by its user; our
/// own end is non-blocking.
pub fn pipe(starter: &Starter<'_>, process_reads: bool) -> Result<(Fd, Fd)> {
    let (reads, writes) = fd::pipe().doing("make pipe")?;
    let (ours, theirs) = if process_reads { (&writes, &reads) } else { (&reads, &writes) };
    fd::set_nonblocking(ours.by_ref(), true).doing("make pipe")?;
    // The process may open it again by name, as /dev/stderr.
    let user = &starter.spec.process.user;
    fs::chown(theirs.by_ref(), c"", user.uid, user.gid).doing("make pipe")?;
    Ok((reads, writes))
}

/// Begins a start with a terminal of this size, which pumps connect to the ports.
pub fn begin_on_terminal<'a, 'm>(
    (starter, like): (&mut Starter<'_>, &'a Launch<'a>),
    [stdin, stdout, stderr]: [Fd; 3],
    size: Option<(u16, u16)>,
    buffers: &'m mut [Buffer; 3],
    events: &mut Loop,
) -> Result<Begun<'a, 'm>> {
    let starting = starter.begin(like, None, Stdio::Terminal(size), events)?;
    // A terminal has no standard error. The port stays open, and empty, until the machine is off.
    stderr.leak();
    Ok((starting, Prepared::Terminal(stdin, stdout, buffers)))
}

//! From an unpacked image to its exit status: the runtime config, the container, and whoever looks
//! after it.

use super::control::Control;
use super::options::Options;
use super::report::Report;
use super::sources::OptionSources;
use super::supervise::{self, Outcome, Streams, Supervisor};
use super::{early, pressure, rootfs_place, sysfs};
use crate::cgroup::MachineGroup;
use crate::container::{self, ContainerMemory, Running, Starter, Stdio};
use crate::engine::Notice;
use crate::engine::machine::{self, Machine};
use crate::image::Config;
use crate::io::strings::StringBlock;
use crate::limits::{COMMAND_LINE_BYTES, STRINGS_BYTES};
use crate::spec::Spec;
use crate::sys::fd::{self, Fd, FdRef};
use crate::sys::{fs, tty};
use crate::watch::pump::{Buffer, Kind, Pump};
use crate::{Context, Error, Result};

/// A host that promised a terminal says its size at once; without an answer this many milliseconds
/// later the terminal starts without one.
const SIZE_WAIT_MS: u64 = 1000;

/// What was told, and the memory for it.
pub struct Plan<'a> {
    /// Arguments and environment.
    pub told: OptionSources<'a>,
    /// Everything else.
    pub options: &'a Options<'a>,
    /// Size of its /dev/shm, in bytes.
    pub shm: u64,
    /// Space for the arguments of the command line.
    pub arguments: &'a mut [u8; COMMAND_LINE_BYTES + 1],
    /// Space for the container's text.
    pub strings: &'a mut [u8; STRINGS_BYTES],
    /// Space for its start.
    pub container: &'a mut ContainerMemory,
    /// Space for its streams.
    pub buffers: &'a mut [Buffer; 3],
    /// The ports for standard input, output and error. Without them stdio is the console.
    pub streams: Option<[Fd; 3]>,
}

impl Plan<'_> {
    /// Starts the container and waits for its end. Not inlined: its frame is large.
    #[inline(never)]
    pub fn carry_out(
        self,
        config: &Config<'_>,
        root: FdRef<'_>,
        report: &mut Report,
    ) -> Result<Outcome> {
        let Plan { told, options, shm, arguments, strings, container, buffers, streams } = self;
        let draft = &options.draft;
        let mut args = told.args(arguments);
        let has_args = args.into_iter().next().is_some();
        let mut env = told.env();
        let machine = Machine {
            config,
            draft,
            args: if has_args { Some(&mut args) } else { None },
            env: &mut env,
            terminal: draft.terminal && streams.is_some(),
            becomes: options.exec,
            root,
            shm,
            forbid_devices: &|| rootfs_place::forbid_devices(root),
        };
        let warn = |notice: &Notice<'_>| crate::warning!("{notice}");
        let (mut ports, mut buffers, mut ended) = (streams, Some(buffers), None);
        machine::run(machine, &mut StringBlock::new(strings), &warn, &mut |spec, group| {
            report.end_of("config");
            if options.exec {
                return Err(become_image(spec, root, container, report));
            }
            prepare_network();
            let born_in = group.map(MachineGroup::directory);
            let Some(buffers) = buffers.take() else { return Ok(()) };
            let mut starter = Starter::new(spec, root, born_in, container)?;
            let like = starter.like();
            let (running, streams) = match ports.take() {
                None => start_on_console(&mut starter, buffers)?,
                Some(ports) if draft.terminal => {
                    start_on_terminal(&mut starter, ports, buffers, report)?
                }
                Some(ports) => start_on_pipes(&mut starter, ports, buffers)?,
            };
            report.end_of("start");
            report.started();
            let outcome =
                Supervisor::new(&running, starter, &like, streams, report.control.as_mut())?.run();
            report.end_of("run");
            let outcome = outcome?;
            pressure::tell(group, spec.limits, root, outcome.status, report);
            ended = Some(outcome);
            Ok(())
        })?;
        ended.ok_or_else(|| Error::new(format_args!("the container was not started")))
    }
}

/// Sets docker's sysctls in the machine's network: every user may take every port and send ping.
/// Raises the loopback device: a VM whose kernel has none has no network to speak of.
fn prepare_network() {
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0\n");
    let _ = sysfs::write(c"/proc/sys/net/ipv4/ping_group_range", b"0 2147483647\n");
    if let Err(errno) = crate::sys::net::loopback_up() {
        crate::debug!("loopback: {errno}");
    }
}

/// `ocinit.mode=exec`: PID 1 becomes the image's process, with the console for stdio. Returns only
/// to say why not.
fn become_image(
    spec: &Spec<'_>,
    root: FdRef<'_>,
    container: &mut ContainerMemory,
    report: &mut Report,
) -> Error {
    let terminal = match early::open_terminal() {
        Ok(terminal) => terminal,
        Err(error) => return error,
    };
    let _ = tty::set_raw(terminal.by_ref(), false);
    report.started();
    let stdio = Stdio::Files([terminal.by_ref(); 3]);
    container::become_process(spec, root, stdio, container)
}

/// The console behind a pseudo-terminal: when the container's process, its session's leader, ends,
/// the kernel hangs a real terminal up and drops what was not out on the wire yet.
fn start_on_console<'m>(
    starter: &mut Starter<'_>,
    buffers: &'m mut [Buffer; 3],
) -> Result<(Running, Streams<'m>)> {
    let console = early::open_terminal()?;
    if !tty::is_terminal(console.by_ref()) {
        let running = starter.start(Stdio::Files([console.by_ref(); 3]))?;
        return Ok((running, Streams::default()));
    }
    let running = starter.start(Stdio::Terminal(tty::size(console.by_ref())))?;
    fd::set_nonblocking(console.by_ref(), true).context("console", &"")?;
    let output = fd::duplicate(console.by_ref(), 3).context("console", &"")?;
    let streams = on_terminal(&running, console, output, buffers)?;
    Ok((running, streams))
}

/// The pumps of a container that has a terminal.
fn on_terminal<'m>(
    running: &Running,
    stdin: Fd,
    stdout: Fd,
    buffers: &'m mut [Buffer; 3],
) -> Result<Streams<'m>> {
    let master = running
        .terminal
        .as_ref()
        .ok_or_else(|| Error::new(format_args!("the container has no terminal")))?;
    supervise::terminal_streams(master, stdin, stdout, buffers)
}

fn start_on_pipes<'m>(
    starter: &mut Starter<'_>,
    [stdin_port, stdout_port, stderr_port]: [Fd; 3],
    [first, second, third]: &'m mut [Buffer; 3],
) -> Result<(Running, Streams<'m>)> {
    let spec = starter.spec;
    let pipe = |ours_is_first: bool| -> Result<(Fd, Fd)> {
        let (read_end, write_end) = fd::pipe().doing("make pipe")?;
        let (ours, theirs) =
            if ours_is_first { (read_end, write_end) } else { (write_end, read_end) };
        fd::set_nonblocking(ours.by_ref(), true).doing("make pipe")?;
        // The process may open it again by name, as /dev/stderr, whoever it runs as.
        let user = &spec.process.user;
        fs::chown(theirs.by_ref(), c"", user.uid, user.gid).doing("make pipe")?;
        Ok((ours, theirs))
    };
    let (stdin, their_stdin) = pipe(false)?;
    let (stdout, their_stdout) = pipe(true)?;
    let (stderr, their_stderr) = pipe(true)?;
    let stdio = Stdio::Files([their_stdin.by_ref(), their_stdout.by_ref(), their_stderr.by_ref()]);
    let running = starter.start(stdio)?;
    let streams = Streams {
        stdin: Some(Pump::new(Kind::Port, stdin_port, stdin, false, first)),
        stdout: Some(Pump::new(Kind::Pipe, stdout, stdout_port, false, second)),
        stderr: Some(Pump::new(Kind::Pipe, stderr, stderr_port, false, third)),
    };
    Ok((running, streams))
}

fn start_on_terminal<'m>(
    starter: &mut Starter<'_>,
    [stdin, stdout, stderr]: [Fd; 3],
    buffers: &'m mut [Buffer; 3],
    report: &mut Report,
) -> Result<(Running, Streams<'m>)> {
    let size = report.control.as_mut().and_then(|control| {
        control.hear_until(|control: &Control| control.size.is_some(), SIZE_WAIT_MS);
        control.size.take()
    });
    let running = starter.start(Stdio::Terminal(size))?;
    let streams = on_terminal(&running, stdin, stdout, buffers)?;
    // A terminal has no standard error of its own; its port stays open, and empty, until the
    // machine goes off.
    stderr.leak();
    Ok((running, streams))
}

//! From an unpacked image to its exit status: the runtime config, the container, and its
//! supervisor.

use super::control::Control;
use super::options::{Options, PlanFormat};
use super::report::Report;
use super::sources::OptionSources;
use super::supervise::{Outcome, Supervisor};
use super::{early, pressure, rootfs_place, streams, sysfs};
use crate::bundle;
use crate::cgroup::{CgroupPath, MachineGroup};
use crate::codec::json::Writer;
use crate::container::plan::{Shown, Unpacked};
use crate::container::{self, ContainerMemory, Starter, Stdio, seccomp};
use crate::engine::Notice;
use crate::engine::machine::{self, Machine};
use crate::engine::resolve::Resolved;
use crate::image::Config;
use crate::io::output::Output;
use crate::io::strings::StringBlock;
use crate::limits::{COMMAND_LINE_BYTES, STRINGS_BYTES};
use crate::spec::{self, Spec};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::tty;
use crate::watch::Loop;
use crate::watch::pump::Buffer;
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// A host that promised a terminal says its size at once; without an answer this many milliseconds
/// later the terminal starts without one.
const SIZE_WAIT_MS: u64 = 1000;

/// The container to run, and the memory for it.
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
            root: Some(root),
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
            let mut events = Loop::new(early::signals())?;
            let with = (&mut starter, &like);
            let begun = match ports.take() {
                None => streams::begin_on_console(with, buffers, &mut events)?,
                Some(ports) if draft.terminal => {
                    let size = terminal_size(report);
                    streams::begin_on_terminal(with, ports, size, buffers, &mut events)?
                }
                Some(ports) => streams::begin_on_pipes(with, ports, buffers, &mut events)?,
            };
            let outcome = Supervisor::new(begun, starter, &like, report, events)?.run()?;
            report.end_of("run");
            pressure::tell(group, spec.limits, root, outcome.status, report);
            ended = Some(outcome);
            Ok(())
        })?;
        ended.ok_or_else(|| Error::new(format_args!("the container was not started")))
    }
}

/// Prints the container's plan where its standard output would go, and makes nothing. Its root
/// directory would be `place`. Returns how many bytes that took.
#[inline(never)]
pub fn show(
    told: OptionSources<'_>,
    options: &Options<'_>,
    (format, stdout): (PlanFormat, FdRef<'_>),
    resolved: &Resolved<'_>,
    place: &CStr,
    memory: (&mut [u8; COMMAND_LINE_BYTES + 1], &mut [u8; STRINGS_BYTES], &mut ContainerMemory),
    shm: u64,
) -> Result<u64> {
    if !spec::TAKES_CONFIGS {
        return Err(Error::new(format_args!(
            "ocinit.dry-run= is for a build with the feature runtime"
        )));
    }
    let (arguments, strings, container) = memory;
    let (draft, image) = (&options.draft, &resolved.image);
    let mut args = told.args(arguments);
    let has_args = args.into_iter().next().is_some();
    let mut env = told.env();
    let machine = Machine {
        config: &image.config,
        draft,
        args: if has_args { Some(&mut args) } else { None },
        env: &mut env,
        terminal: draft.terminal,
        becomes: options.exec,
        root: None,
        shm,
        forbid_devices: &|| (),
    };
    let strings = &mut StringBlock::new(strings);
    let user = bundle::wanted_user(&image.config, draft.user, strings)?;
    let warn = |notice: &Notice<'_>| crate::warning!("{notice}");
    let group = CgroupPath::at(MachineGroup::path());
    let mut total = 0;
    machine::run(machine, strings, &warn, &mut |spec, _| {
        let plan = Shown {
            id: None,
            bundle: None,
            unpacked: Some(Unpacked {
                manifest: &image.manifest,
                layers: image.layers.len(),
                bytes: resolved.bytes(),
                user,
            }),
            root: place,
            no_pivot: false,
            spec,
            filter: seccomp::of(spec, &mut container.seccomp)?,
            cgroup: if options.exec { None } else { Some(&group) },
        };
        let mut output = Output::new(stdout);
        match format {
            PlanFormat::Text => plan.write_text(&mut output)?,
            PlanFormat::Json => plan.write(&mut Writer::with_indent(&mut output, "  "))?,
        }
        total = output.total();
        output.finish().doing("write the plan")
    })?;
    Ok(total)
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

/// Returns the size of the host's terminal, if it says one in time.
fn terminal_size(report: &mut Report) -> Option<(u16, u16)> {
    let control = report.control.as_mut()?;
    control.hear_until(|control: &Control| control.size.is_some(), SIZE_WAIT_MS);
    control.size.take()
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

//! PID 1: boots an OCI image, runs its container, and turns the machine off.
//!
//! ```text
//! disk -> layout -> manifest -> layers -> rootfs -> runtime config -> container -> exit status
//! ```
//!
//! [`boot`] has these phases in order; the [`report::Report`] records the time of each. Every
//! failure becomes one line of text and an exit status, and the machine still goes off.

mod block;
mod cmdline;
mod control;
mod disk;
mod disk_text;
mod early;
mod job;
mod jobs;
mod modules;
mod options;
#[cfg(test)]
mod options_tests;
mod ports;
pub mod power;
mod pressure;
mod reaper;
mod report;
mod rootfs_place;
mod run;
mod sources;
mod streams;
mod superblock;
#[cfg(test)]
mod superblock_tests;
mod supervise;
mod sysfs;

#[cfg(fuzzing)]
pub use {
    control::host_says,
    modules::module_lines,
    options::Options,
    pressure::number_of as count_of,
    sources::OptionSources,
    superblock::{Superblock, probe},
};

use crate::engine::EngineMemory;
use crate::engine::resolve::in_store;
use crate::engine::unpack::make_rootfs;
use crate::image;
use crate::io::lossy::Lossy;
use crate::limits::COMMAND_LINE_BYTES;
use crate::memory::{self, Memory};
use crate::rootfs::{Applied, Privilege};
use crate::sys::fd::{self, STDOUT};
use crate::sys::vm;
use crate::watch::pump::Buffer;
use crate::{Context, Error, Result};
use control::{Control, ControlMemory};
#[cfg(not(fuzzing))]
use options::Options;
use report::Report;
use rootfs_place::Budget;
#[cfg(not(fuzzing))]
use sources::OptionSources;
use supervise::Outcome;

/// PID 1's own buffers.
pub struct InitMemory {
    command_line: [u8; COMMAND_LINE_BYTES + 1],
    arguments: [u8; COMMAND_LINE_BYTES + 1],
    disks: block::Disks,
    control: ControlMemory,
    /// For standard input, output and error.
    buffers: [Buffer; 3],
}

impl InitMemory {
    /// Zeros, so that it lies in `.bss`.
    pub const EMPTY: InitMemory = InitMemory {
        command_line: [0; COMMAND_LINE_BYTES + 1],
        arguments: [0; COMMAND_LINE_BYTES + 1],
        disks: block::Disks::new(),
        control: ControlMemory::EMPTY,
        buffers: [[0; crate::limits::PUMP_BYTES]; 3],
    };
}

/// Runs PID 1's whole life.
pub fn main() -> ! {
    early::secure_standard_streams();
    let memory = memory::claim();
    vm::forbid_huge_pages(memory);
    let mut report = Report::new();

    let outcome = boot(memory, &mut report).unwrap_or_else(|error| {
        report.error(&error);
        Outcome { status: error.status(), stdout: 0, stderr: 0, within_line: false }
    });

    clean_up();
    log_peak_memory();
    report.exit(&outcome);
    power::off()
}

/// Boots the machine and runs the container to its end. Returns the outcome.
fn boot(memory: &'static mut Memory, report: &mut Report) -> Result<Outcome> {
    let Memory { init, engine } = memory;
    let EngineMemory { archive, image: documents, unpack, strings, container, .. } = engine;
    let InitMemory { command_line, arguments, disks, control, buffers } = init;

    early::prepare_process();
    let prepared = early::make_root_movable().and_then(|()| early::mount_kernel_file_systems());
    early::open_log();
    early::open_console()?;
    prepared?;
    power::learn();
    report.end_of("mounts");

    // The control port may need a module, so a bad option is reported only after this.
    let uevents = block::Uevents::open()?;
    let modules = modules::Modules::open()?;
    modules.load_first()?;
    let streams = ports::open(&uevents)?.map(|ports| {
        report.set_control(Control::new(ports.control, control));
        [ports.stdin, ports.stdout, ports.stderr]
    });
    report.end_of("modules");

    let told = OptionSources {
        line: early::command_line(command_line)?,
        file: early::map(c"/ocinit.conf")?,
    };
    let options = told.options()?;
    early::set_log_level(options.log);

    let mut search = disk::Search { options: &options, modules, uevents: &uevents, disks };
    let image_disk = search.image_disk(archive)?;
    let rootfs_disk = options.rootfs.map(|which| search.rootfs_disk(which)).transpose()?;
    if rootfs_disk.as_ref().is_some_and(|disk| disk.is_same(&image_disk)) {
        return Err(Error::new(format_args!(
            "{image_disk}: holds the image, and ocinit.rootfs= names it too"
        )));
    }
    report.end_of("disk");

    let store = image_disk.open_store(&options, modules, archive)?;
    let resolved =
        in_store(store, &wanted(&options)?, documents).context("image on", &image_disk)?;
    let image = &resolved.image;
    crate::info!("image {} on {image_disk}, {} layers", image.manifest, image.layers.len());
    report.end_of("image");

    let budget = Budget::of_machine();
    if let Some(format) = options.dry_run {
        let place = if rootfs_disk.is_some() { c"a directory of a disk" } else { c"a tmpfs" };
        let memory = (arguments, strings, container);
        let port = streams.as_ref().map_or(STDOUT, |[_, stdout, _]| stdout.by_ref());
        fd::set_nonblocking(port, false).doing("open standard output")?;
        let bytes =
            run::show(told, &options, (format, port), &resolved, place, memory, budget.shm)?;
        let stdout = if streams.is_some() { bytes } else { 0 };
        return Ok(Outcome { status: 0, stdout, stderr: 0, within_line: false });
    }
    let root = match &rootfs_disk {
        None => rootfs_place::in_memory(options.rootfs_size, budget)?,
        Some(disk) => {
            let mounted = disk.mount_for_rootfs(modules)?;
            rootfs_place::on_disk(mounted.by_ref())
                .map_err(|error| error.within(format_args!("{disk}")))?
        }
    };
    // The next phase needs other code, so half of the program can leave memory now.
    vm::release_code();
    // A layer that fails ends the boot here: no file of the image is executed.
    let unpacked = make_rootfs(&resolved, root.by_ref(), Privilege::Root, &(), unpack)?;
    unpack.release();
    vm::release_code();
    let Applied { entries, bytes, passes, skipped_xattrs, .. } = unpacked;
    crate::debug!(
        "{entries} entries, {bytes} bytes, {passes} passes over {} layers",
        image.layers.len()
    );
    if skipped_xattrs > 0 {
        crate::warning!(
            "skipped {skipped_xattrs} extended attributes that the file system cannot hold"
        );
    }
    report.end_of("unpack");

    run::Plan {
        told,
        options: &options,
        shm: budget.shm,
        arguments,
        strings,
        container,
        buffers,
        streams,
    }
    .carry_out(&image.config, root.by_ref(), report)
}

fn wanted<'a>(options: &Options<'a>) -> Result<image::Wanted<'a>> {
    let digest = options.digest.map(crate::codec::digest::Digest::parse).transpose()?;
    Ok(image::Wanted { reference: options.reference, digest, ..image::Wanted::default() })
}

/// Ends remaining processes, and syncs and unmounts the disks. The tmpfs ends with the machine.
fn clean_up() {
    reaper::kill_all();
    for place in [disk::ROOTFS_DISK_PLACE, disk::IMAGE_PLACE] {
        disk::unmount(place);
    }
}

/// Logs the largest memory of this process, at level debug.
///
/// Every function here with a large frame is never inlined. A finished phase then leaves no frame
/// below the next one.
#[inline(never)]
fn log_peak_memory() {
    // Returning a page makes the kernel update its count.
    let mut buffer = [1; 8192];
    vm::release(&mut buffer);
    let status = sysfs::read(format_args!("/proc/self/status"), &mut buffer).unwrap_or("");
    let mut lines = status.as_bytes().split(|&byte| byte == b'\n');
    if let Some(peak) = lines.find_map(|line| line.strip_prefix(b"VmHWM:")) {
        crate::debug!("peak memory of PID 1: {}", Lossy(peak.trim_ascii()));
    }
}

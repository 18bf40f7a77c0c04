//! `ocinit bundle IMAGE BUNDLE`: a root file system and the config.json for it, as runc and crun
//! take them.

use super::arguments::Arguments;
use super::command::{Command, Run};
use super::image::{self, Chosen};
use super::staged::Staged;
use super::{options, rootless, security};
use crate::bundle::{self, Overrides, Rootless, Stock};
use crate::codec::json::Writer;
use crate::container::userns::Ids;
use crate::engine::EngineMemory;
use crate::io::output::Output;
use crate::io::path::PathBuf;
use crate::io::strings::StringBlock;
use crate::log::Level;
use crate::rootfs::Privilege;
use crate::spec::{self, Spec};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, fs};
use crate::{Context, Result};
use core::ffi::CStr;

pub(super) const COMMAND: Command = Command {
    name: "bundle",
    words: "IMAGE BUNDLE",
    least: 2,
    most: 2,
    about: "Verify an image and make a bundle of it for runc, crun and the like: BUNDLE/rootfs and BUNDLE/config.json.",
    flags: &[
        options::PLATFORM,
        options::REF,
        options::MAX_SIZE,
        options::ROOTLESS,
        options::TTY,
        options::PRIVILEGED,
        options::SECURITY_OPT,
        options::ULIMIT,
    ],
    run: Run::Image(run),
};

/// The root directory's name in the bundle.
const ROOTFS: &CStr = c"rootfs";
const CONFIG: &CStr = c"config.json";
/// What the config is called until it is whole.
const PARTIAL_CONFIG: &CStr = c"config.json.partial";
/// Only its owner's: there are programs in it that change their user, and devices.
const BUNDLE_MODE: u32 = 0o700;

fn run(arguments: &Arguments<'_>) -> Result<()> {
    let mut ids = Ids::of_caller();
    let powers = rootless::powers(arguments, &mut ids);
    let wanted = Wanted {
        image: arguments.word(0),
        bundle: arguments.word(1),
        powers,
        ids: &ids,
        args: None,
        joins: false,
    };
    make(arguments, wanted, &mut crate::memory::claim().engine)
}

/// What is made of which image.
pub(super) struct Wanted<'a> {
    pub image: &'a CStr,
    /// Where.
    pub bundle: &'a CStr,
    pub powers: Privilege,
    /// The users and groups of the user namespace, where there is one.
    pub ids: &'a Ids,
    /// Instead of the image's `Cmd`.
    pub args: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// It is for this process, which is in the user namespace already, and has a network of its
    /// own.
    pub joins: bool,
}

/// Makes the bundle.
pub(super) fn make(
    arguments: &Arguments<'_>,
    wanted: Wanted<'_>,
    memory: &mut EngineMemory,
) -> Result<()> {
    let Wanted { image, bundle, powers, ids, args, joins } = wanted;
    let mut limits = security::Limits::new();
    let documents = [&mut memory.process[..], &mut memory.config[..]];
    let (security, given) =
        security::of(arguments, &mut limits, documents, &mut memory.container.seccomp)?;
    let Chosen { store, image, progress } = image::choose(
        arguments,
        image,
        &mut memory.archive,
        &mut memory.image,
        &mut memory.unpack,
    )?;
    let mut partial = PathBuf::new();
    let place = Staged::make("bundle", bundle, BUNDLE_MODE, &mut partial)?;
    // The image's directories are for the image's users, whoever may use the bundle.
    let umask = fs::umask(0);
    let root = make_rootfs(place.file()).doing("make rootfs")?;
    let applied = bundle::unpack_layers(
        &store,
        image.layers,
        root.by_ref(),
        powers,
        &progress,
        &mut memory.unpack,
    )?;
    drop(progress);
    let (mut strings, mut stock) = (StringBlock::new(&mut memory.strings), Stock::EMPTY);
    let terminal = arguments.has("tty");
    let overrides = Overrides { bundle: true, terminal, args, security, ..Overrides::default() };
    let mut spec = bundle::spec_from_image(&image.config, overrides, root.by_ref(), &mut strings)?;
    let rootless = (powers != Privilege::Root).then_some(Rootless {
        uids: ids.uids(),
        gids: ids.gids(),
        joins,
    });
    bundle::for_bundle(
        &mut spec,
        &image.config,
        root.by_ref(),
        rootless,
        given,
        &mut strings,
        &mut stock,
    )?;
    fs::umask(umask);
    write_config(&spec, place.file()).doing("write config.json")?;
    place.commit()?;
    rootless::report(if joins { Level::Debug } else { Level::Warning }, &applied);
    Ok(())
}

/// As `unpack` makes one.
fn make_rootfs(bundle: FdRef<'_>) -> sys::Result<Fd> {
    fs::mkdir(bundle, ROOTFS, 0o755)?;
    let root = fs::open(bundle, ROOTFS, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    fs::set_times(root.by_ref(), c"", fs::Time::default())?;
    Ok(root)
}

/// Last of all, and under its name only when it is on the disk: a bundle that has a config is
/// whole.
fn write_config(spec: &Spec<'_>, bundle: FdRef<'_>) -> sys::Result<()> {
    let file = fs::open(bundle, PARTIAL_CONFIG, fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL, 0o644)?;
    let mut output = Output::new(file.by_ref());
    let mut json = Writer::new(&mut output);
    spec::write_config(spec, ROOTFS, &mut json);
    if json.has_replaced() {
        crate::warning!("config.json: what is not UTF-8 was replaced, as JSON cannot say it");
    }
    output.finish()?;
    fs::sync_file(file.by_ref())?;
    fs::rename(bundle, PARTIAL_CONFIG, bundle, CONFIG, 0)
}

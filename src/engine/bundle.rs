//! Makes a bundle of an image: a root file system and its config.json, for runc and crun.

use super::resolve::{ImageQuery, Resolved, resolve};
use super::staged::Staged;
use super::unpack::make_rootfs;
use super::{EngineMemory, Notice, Notices, rootless, security};
use crate::bundle::{self, Overrides, Rootless, Stock};
use crate::codec::json::Writer;
use crate::container::ContainerMemory;
use crate::container::userns::Ids;
use crate::io::observer::Observer;
use crate::io::output::Output;
use crate::io::path::PathBuf;
use crate::rootfs::{Applied, Privilege};
use crate::spec::settings::Draft;
use crate::spec::{self, Spec, SpecMemory};
use crate::sys::fd::{Fd, FdRef};
use crate::sys::{self, fs};
use crate::{Context, Result};
use core::ffi::CStr;

/// The root directory's name in the bundle.
const ROOTFS: &CStr = c"rootfs";
const CONFIG: &CStr = c"config.json";
/// Name of the incomplete config.
const PARTIAL_CONFIG: &CStr = c"config.json.partial";
/// Closed to other users, because it has set-user-ID programs and devices.
const BUNDLE_MODE: u32 = 0o700;

/// An image, and the settings of its container.
pub struct FromImage<'a> {
    /// The image.
    pub image: ImageQuery<'a>,
    /// Replaces the image's `Cmd`.
    pub args: Option<&'a mut dyn Iterator<Item = &'a [u8]>>,
    /// The user's settings.
    pub draft: &'a Draft<'a>,
}

/// A bundle that is to be made for the user.
pub struct Bundle<'a> {
    /// The image.
    pub image: ImageQuery<'a>,
    /// The directory, which is made or is empty.
    pub bundle: &'a CStr,
    /// For an ordinary user, in a user namespace.
    pub is_rootless: bool,
    /// The user's settings.
    pub draft: Draft<'a>,
}

/// Makes a bundle for the user, or leaves nothing behind.
pub fn make_bundle(
    wanted: Bundle<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let Bundle { image, bundle, is_rootless, draft } = wanted;
    let mut ids = Ids::of_caller();
    let powers = rootless::enter(is_rootless, &mut ids, notices);
    let from = FromImage { image, args: None, draft: &draft };
    let place = Place { bundle, powers, ids: &ids, joins: false };
    let applied = make(from, &place, watch, memory, notices)?;
    rootless::report(&applied, notices);
    Ok(())
}

/// The place and the owner of a bundle.
pub(super) struct Place<'a> {
    /// The bundle's directory.
    pub bundle: &'a CStr,
    /// The privilege to change files.
    pub powers: Privilege,
    /// The users and groups of the user namespace, if there is one.
    pub ids: &'a Ids,
    /// The container joins the user namespace of this process, and has its own network namespace.
    pub joins: bool,
}

/// Makes the bundle, or leaves nothing behind.
pub(super) fn make(
    from: FromImage<'_>,
    place: &Place<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<Applied> {
    let FromImage { image, args, draft } = from;
    let Place { bundle, powers, ids, joins } = *place;
    let room = &mut SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let given = security::read(draft, &mut memory.config, room, &mut memory.container.seccomp)?;
    let unpack = &mut memory.unpack;
    let resolved = resolve(&image, &mut memory.archive, &mut memory.image, unpack)?;
    watch.begin(resolved.bytes());
    let mut partial = PathBuf::new();
    let place = Staged::make("bundle", bundle, BUNDLE_MODE, &mut partial, notices)?;
    // The image's directories keep their modes, whatever the umask is.
    let umask = fs::umask(0);
    let root = make_root(place.file()).doing("make rootfs")?;
    let applied = make_rootfs(&resolved, root.by_ref(), powers, watch, unpack)?;
    watch.end();
    let config = &resolved.image.config;
    let (strings, mut stock) = (&mut room.strings, Stock::EMPTY);
    let variables = bundle::env(draft, &mut memory.config)?;
    let overrides = Overrides { variables, ..Overrides::of(draft) };
    let overrides = Overrides { bundle: true, args, ..overrides };
    let mut spec = bundle::spec_from_image(config, overrides, Some(root.by_ref()), strings)?;
    let rootless = (powers != Privilege::Root).then_some(Rootless {
        uids: ids.uids(),
        gids: ids.gids(),
        joins,
    });
    bundle::for_bundle(
        &mut spec,
        config,
        Some(root.by_ref()),
        rootless,
        given,
        strings,
        &mut stock,
    )?;
    fs::umask(umask);
    write_config(&spec, place.file(), notices).doing("write config.json")?;
    place.commit()?;
    Ok(applied)
}

/// Gets the spec of a bundle that is not made, its image, the user as it is written, and memory for
/// its start.
type See<'s> =
    &'s mut dyn FnMut(&Spec<'_>, &Resolved<'_>, &CStr, &mut ContainerMemory) -> Result<()>;

/// Calls `see` with the spec that [`make`] would write. Reads and verifies the image's documents,
/// and unpacks nothing.
pub(super) fn plan(
    from: FromImage<'_>,
    ids: Option<&Ids>,
    memory: &mut EngineMemory,
    see: See<'_>,
) -> Result<()> {
    let FromImage { image, args, draft } = from;
    let room = &mut SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let given = security::read(draft, &mut memory.config, room, &mut memory.container.seccomp)?;
    let resolved = resolve(&image, &mut memory.archive, &mut memory.image, &mut memory.unpack)?;
    let config = &resolved.image.config;
    let (strings, mut stock) = (&mut room.strings, Stock::EMPTY);
    let variables = bundle::env(draft, &mut memory.config)?;
    let overrides = Overrides { variables, ..Overrides::of(draft) };
    let overrides = Overrides { bundle: true, args, ..overrides };
    let mut spec = bundle::spec_from_image(config, overrides, None, strings)?;
    let rootless = ids.map(|ids| Rootless { uids: ids.uids(), gids: ids.gids(), joins: true });
    bundle::for_bundle(&mut spec, config, None, rootless, given, strings, &mut stock)?;
    let user = bundle::wanted_user(config, draft.user, strings)?;
    see(&spec, &resolved, user, &mut memory.container)
}

/// Makes the root directory, as `unpack` does.
fn make_root(bundle: FdRef<'_>) -> sys::Result<Fd> {
    fs::mkdir(bundle, ROOTFS, 0o755)?;
    let root = fs::open(bundle, ROOTFS, fs::O_RDONLY | fs::O_DIRECTORY | fs::O_NOFOLLOW, 0)?;
    fs::set_times(root.by_ref(), c"", fs::Time::default())?;
    Ok(root)
}

/// Writes the config last, and renames it when it is on the disk: a bundle with a config is
/// complete.
fn write_config(spec: &Spec<'_>, bundle: FdRef<'_>, notices: Notices<'_>) -> sys::Result<()> {
    let file = fs::open(bundle, PARTIAL_CONFIG, fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL, 0o644)?;
    let mut output = Output::new(file.by_ref());
    let mut json = Writer::new(&mut output);
    spec::write_config(spec, ROOTFS, &mut json);
    if json.has_replaced() {
        notices(&Notice::Replaced);
    }
    output.finish()?;
    fs::sync_file(file.by_ref())?;
    fs::rename(bundle, PARTIAL_CONFIG, bundle, CONFIG, 0)
}

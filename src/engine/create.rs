//! Makes a container: from a bundle or an image to its process.

use super::bundle::{self, FromImage, Place};
use super::notify::{Listeners, Notify};
use super::state_root::StateRoot;
use super::{
    Attach, EngineMemory, Notice, Notices, hold_signals, image_bundle, rootless, service_manager,
};
use crate::cgroup::Manager;
use crate::container::create::{self, Request};
use crate::container::notify::Relay;
use crate::container::plan::{Plan, Shown, Unpacked};
use crate::container::state::{Directory, Id, Made, Root};
use crate::container::userns::{self, Ids};
use crate::container::{ContainerMemory, Running, Stdio};
use crate::io::document;
use crate::io::lossy::{Lossy, LossyC, On};
use crate::io::observer::Observer;
use crate::io::path::PathBuf;
use crate::limits::PATH_BYTES;
use crate::rootfs::{Applied, Privilege};
use crate::spec::{self, Spec, SpecMemory, capability};
use crate::sys::fd::CWD;
use crate::sys::{mount, process};
use crate::{Context, Error, Result};
use core::ffi::CStr;

/// The time at which the container's process executes its program.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// At once.
    Now,
    /// When `start` releases it.
    Later,
}

/// A container to make.
pub struct Create<'a> {
    /// The state root.
    pub root: StateRoot<'a>,
    /// Its name.
    pub id: Id<'a>,
    /// The receivers of its process's pid.
    pub listeners: Listeners<'a>,
    /// Fds from 3 up that the process keeps, in addition to a service manager's.
    pub preserved: u32,
    /// Leaves the old root beneath the new one.
    pub no_pivot: bool,
    /// The manager of its cgroup.
    pub manager: Manager,
    /// It keeps the caller's session keyring.
    pub keeps_keyring: bool,
}

/// The source of a container.
pub enum Source<'a> {
    /// A bundle; the current directory if there is no path.
    Bundle(Option<&'a CStr>),
    /// An image, unpacked to a bundle for this container alone.
    Image(FromImage<'a>),
}

/// Makes a container that waits for its start. A failure leaves nothing behind.
pub fn create(
    wanted: &Create<'_>,
    source: Source<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    let root = wanted.root.make()?;
    let relay = Relay::of_environment();
    let how = How { root: &root, start: Start::Later, attach: Attach::No, relay: relay.as_ref() };
    make(wanted, &how, source, watch, memory, notices).map(drop)
}

/// The options of a new container.
#[derive(Clone, Copy)]
pub(super) struct How<'a> {
    /// The state root.
    pub root: &'a Root,
    /// When it starts.
    pub start: Start,
    /// The caller attends it in the foreground.
    pub attach: Attach,
    /// Forwards READY=1 to the service manager.
    pub relay: Option<&'a Relay>,
}

/// Makes a container. Returns its process. A failure leaves nothing behind, nor a root that was
/// made for it.
pub(super) fn make(
    wanted: &Create<'_>,
    how: &How<'_>,
    source: Source<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<Running> {
    let made = Notify::connect(&wanted.listeners).and_then(|notify| {
        let listening = service_manager::listening();
        let preserved = service_manager::preserved(wanted.preserved, listening)?;
        let (notify, reserved, made) = (&notify, None, Made::No);
        let making = Making { wanted, how, notify, listening, preserved, reserved, made, notices };
        match source {
            Source::Image(image) => of_image(making, image, watch, memory),
            Source::Bundle(bundle) => {
                if let Some(bundle) = bundle {
                    mount::chdir(bundle).on("enter the bundle", bundle)?;
                }
                make_here(making, memory)
            }
        }
    });
    made.inspect_err(|_| how.root.take_back())
}

/// A container in progress.
struct Making<'a> {
    wanted: &'a Create<'a>,
    how: &'a How<'a>,
    notify: &'a Notify<'a>,
    /// Number of sockets from a service manager.
    listening: u32,
    /// Fds from 3 up that the process keeps, including those sockets.
    preserved: u32,
    /// Its state directory, if it exists already.
    reserved: Option<&'a Directory<'a>>,
    /// [`Made::Yes`] if we made its bundle.
    made: Made,
    notices: Notices<'a>,
}

/// Writes the state before the image is unpacked: if we are killed, `delete` can remove it.
fn of_image(
    making: Making<'_>,
    image: FromImage<'_>,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
) -> Result<Running> {
    let (how, notices) = (making.how, making.notices);
    let directory = how.root.create(making.wanted.id)?;
    let mut bundle = PathBuf::new();
    let created = image_bundle::make(&directory, &mut bundle).and_then(|made| {
        let applied = unpack(image, bundle.as_c_str(), watch, memory, notices)?;
        mount::chdir(bundle.as_c_str()).on("enter the bundle", bundle.as_c_str())?;
        if how.attach == Attach::Yes {
            // Unpacking has unblocked them.
            hold_signals()?;
        }
        // At level debug only, because every rootless runtime lacks these.
        rootless::report(&applied, &|notice| crate::debug!("{notice}"));
        make_here(Making { reserved: Some(&directory), made, ..making }, memory)
    });
    if created.is_err()
        && let Err(error) = take_back(&directory, memory, notices)
    {
        notices(&Notice::Failed(&error));
    }
    created
}

fn take_back(
    directory: &Directory<'_>,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<()> {
    image_bundle::remove(&directory.read(&mut memory.container.state)?, notices)?;
    directory.remove()
}

/// Unpacks an image to the container's bundle. A non-root caller is then in a user namespace.
fn unpack(
    image: FromImage<'_>,
    bundle: &CStr,
    watch: &dyn Observer,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
) -> Result<Applied> {
    let mut ids = Ids::of_caller();
    let powers = match process::effective_uid() {
        0 => Privilege::Root,
        _ => userns::enter(&mut ids).map(|()| Privilege::Namespace)?,
    };
    let joins = powers != Privilege::Root;
    bundle::make(image, &Place { bundle, powers, ids: &ids, joins }, watch, memory, notices)
}

/// Gets a plan.
pub type Show<'s> = &'s mut dyn FnMut(&Shown<'_>) -> Result<()>;

/// Plans a container, and calls `show` with the plan. Makes nothing.
pub fn plan(
    wanted: &Create<'_>,
    source: Source<'_>,
    memory: &mut EngineMemory,
    notices: Notices<'_>,
    show: Show<'_>,
) -> Result<()> {
    let root = &wanted.root.open()?;
    root.check_free(wanted.id)?;
    let bundle = match source {
        Source::Bundle(bundle) => bundle,
        Source::Image(image) => return plan_image(wanted, root, image, memory, show),
    };
    // Without notifications, because no process is made.
    let notify = &Notify::connect(&Listeners::default())?;
    if let Some(bundle) = bundle {
        mount::chdir(bundle).on("enter the bundle", bundle)?;
    }
    let how = &How { root, start: Start::Later, attach: Attach::Yes, relay: None };
    let (listening, preserved, reserved, made) = (0, wanted.preserved, None, Made::No);
    let making = Making { wanted, how, notify, listening, preserved, reserved, made, notices };
    with_bundle(making, memory, &mut |request, spec, container| {
        let plan = Plan::decide(request, spec, &mut container.seccomp)?;
        plan.open_root()?;
        let place = plan.cgroup()?;
        plan.check_start()?;
        show(&plan.shown(place.as_ref()))
    })
}

/// Plans the container of an image, whose layers stay packed.
fn plan_image(
    wanted: &Create<'_>,
    root: &Root,
    image: FromImage<'_>,
    memory: &mut EngineMemory,
    show: Show<'_>,
) -> Result<()> {
    let mut ids = Ids::of_caller();
    let is_root = process::effective_uid() == 0;
    if !is_root {
        userns::enter(&mut ids)?;
    }
    let (mut bundle, mut rootfs) = (PathBuf::new(), PathBuf::new());
    image_bundle::pattern(wanted.id, &mut bundle)?;
    image_bundle::pattern(wanted.id, &mut rootfs)?;
    rootfs.push(b"rootfs").doing("root.path")?;
    let ids = (!is_root).then_some(&ids);
    bundle::plan(image, ids, memory, &mut |spec, resolved, user, container| {
        let request = Request {
            id: wanted.id,
            root,
            reserved: None,
            made: Made::No,
            bundle: bundle.as_c_str(),
            rootfs: rootfs.as_c_str(),
            waits: true,
            stdio: Stdio::Terminal(None),
            preserved: wanted.preserved,
            no_pivot: wanted.no_pivot,
            manager: wanted.manager,
            keeps_keyring: wanted.keeps_keyring,
            shows_terminal: false,
            relay: None,
        };
        let plan = Plan::decide(request, spec, &mut container.seccomp)?;
        let place = plan.cgroup()?;
        plan.check_start()?;
        let image = &resolved.image;
        let unpacked = Unpacked {
            manifest: &image.manifest,
            layers: image.layers.len(),
            bytes: resolved.bytes(),
            user,
        };
        show(&Shown { unpacked: Some(unpacked), ..plan.shown(place.as_ref()) })
    })
}

/// Makes the container of the bundle in the current directory.
fn make_here(making: Making<'_>, memory: &mut EngineMemory) -> Result<Running> {
    let (notify, notices) = (making.notify, making.notices);
    let mut running = None;
    with_bundle(making, memory, &mut |request, spec, container| {
        let (waits, manager) = (request.waits, request.manager);
        running = Some(create::create(request, spec, container, &mut |one| notify.send(one))?);
        if !waits && manager.can_lift_limits(spec) {
            notices(&Notice::LiftableLimits);
        }
        Ok(())
    })?;
    running.ok_or_else(|| Error::new(format_args!("no container was made")))
}

/// Gets a bundle's request and spec.
type Act<'a> = &'a mut dyn FnMut(Request<'_>, &Spec<'_>, &mut ContainerMemory) -> Result<()>;

/// Reads the bundle in the current directory, and calls `act`.
fn with_bundle(making: Making<'_>, memory: &mut EngineMemory, act: Act<'_>) -> Result<()> {
    let Making { wanted, how, notify, listening, preserved, reserved, made, notices } = making;
    let (id, How { root, start, attach, relay }) = (wanted.id, *how);
    let mut buffer = [0; PATH_BYTES];
    let bundle = mount::current_directory(&mut buffer).doing("find the bundle")?;
    let text = document::read(CWD, c"config.json", &mut memory.config)?;
    let mut room = SpecMemory::new(&mut memory.strings, &mut memory.lists);
    let last_mount = match relay {
        Some(_) => Some(service_manager::notifications(root, id, &mut room.strings)?),
        None => None,
    };
    let mut spec = spec::read_new(text, &mut room, last_mount, &mut |note| {
        notices(&Notice::Failed(&note.within(format_args!("config.json"))));
    })
    .doing("config.json")?;
    if listening > 0 || relay.is_some() {
        spec.process.env =
            service_manager::environment(spec.process.env, listening, relay, &mut room.strings)?;
    }
    crate::debug!("config.json of {}: read", LossyC(bundle));
    let sets = &spec.process.capabilities;
    for name in capability::names(sets.ambient & !(sets.inheritable & sets.permitted)) {
        // runc's words, and the kernel's rule (capabilities(7)).
        crate::debug!(
            "can't raise ambient capability CAP_{}: it is not both permitted and inheritable",
            Lossy(name)
        );
    }
    let stdio = notify.stdio(&spec.process, spec.process.terminal, attach)?;
    let mut absolute = PathBuf::new();
    let rootfs = match spec.root.path.to_bytes() {
        [b'/', ..] => spec.root.path,
        relative => {
            absolute
                .push_bytes(bundle.to_bytes())
                .and_then(|()| absolute.push(relative))
                .doing("root.path")?;
            absolute.as_c_str()
        }
    };
    let waits = start == Start::Later;
    let request = Request {
        id,
        root,
        reserved,
        made,
        bundle,
        rootfs,
        waits,
        stdio,
        preserved,
        no_pivot: wanted.no_pivot,
        manager: wanted.manager,
        keeps_keyring: wanted.keeps_keyring,
        shows_terminal: attach == Attach::Yes,
        relay,
    };
    act(request, &spec, &mut memory.container)
}

//! Sets up a new container's surroundings: its names, its sysctls, its root and mounts.
//!
//! ```text
//!  parent: plan          opens root.path, copies its mount                     launch.rs
//!  clone
//!  child: enter root.path by the parent's fd; a mount namespace, which moves the current directory
//!         make the host's mounts private; attach the copy at root.path
//!         mounts, devices, terminal, working directory         all beneath root.path
//!         prestart, createRuntime (the parent runs them)      see that by nsenter, but execute the
//!                                                             host's programs
//!         createContainer                                      the same, in this namespace
//!         pivot                                                the host's mounts are gone
//!         read-only and masked paths, the root's own flags     by fds, in the new `/`
//! ```

use super::child::{Plan, open_terminal, run_hooks};
use super::state::Status;
use super::{attributes, devices, mounts, protect, root, sysctl};
use crate::error::{Context, Result};
use crate::io::lossy::On;
use crate::spec::{HookKind, TAKES_CONFIGS};
use crate::sys::fd::{self, CWD, Fd};
use crate::sys::{clone, fs, mount, net, process, system};

/// Sets up a new container's surroundings, up to its root. Returns its terminal, if any.
#[inline(never)]
pub fn set_up_root(plan: &Plan<'_>) -> Result<Option<Fd>> {
    let (launch, spec) = (plan.launch, plan.launch.spec);
    // Not by clone3(2): the cgroup namespace would have the parent's cgroup as its root.
    if spec.namespaces & clone::CLONE_NEWCGROUP != 0 {
        clone::unshare(clone::CLONE_NEWCGROUP).doing("make a cgroup namespace")?;
    }
    if spec.namespaces & clone::CLONE_NEWNET != 0 {
        net::loopback_up().doing("set up the loopback device")?;
    }
    if let Some(name) = spec.hostname {
        system::set_hostname(name.to_bytes()).on("set the hostname", name)?;
    }
    attributes::set_domain_name(spec.domainname)?;
    sysctl::apply(spec)?;

    let rootfs = launch.about.map_or(spec.root.path, |(_, state)| state.rootfs);
    if plan.departure.is_none() {
        // By its path, as root of the container's user namespace, or in a joined mount namespace.
        mount::chdir(rootfs).on("enter the root directory", rootfs)?;
    }
    if spec.namespaces & clone::CLONE_NEWNS != 0 {
        clone::unshare(clone::CLONE_NEWNS).doing("make a mount namespace")?;
    }
    let umask = fs::umask(0);
    if TAKES_CONFIGS && !plan.owns_mounts {
        return chroot(plan, umask);
    }
    let own_tree;
    let tree = match &plan.tree {
        Some(tree) => tree.by_ref(),
        None => {
            own_tree = mount::clone_tree(CWD, c"", mount::Reach::Tree)
                .doing("copy the mount of the root directory")?;
            own_tree.by_ref()
        }
    };
    // In a mount namespace of a new user namespace the kernel has made all mounts slaves.
    let has_users = spec.has_users();
    let entered = root::enter(tree, if has_users { 0 } else { spec.root.propagation() })?;
    let mut mounted = mounts::Mounted::new();
    let from = mounts::From {
        prepared: &plan.prepared,
        bundle: enter_bundle(plan),
        lender: plan.channel.as_ref().filter(|_| mounts::are_lent(spec)),
    };
    mounts::mount_all(entered.new, rootfs, spec, from, &mut mounted)?;
    devices::make_all(entered.new, spec)?;
    let terminal = open_terminal(plan, Some(entered.new))?;
    root::make_directories(entered.new, spec.process.cwd, 0)
        .on("make the working directory", spec.process.cwd)?;
    mounted.finish()?;
    if let Some(channel) = plan.channel.as_ref().filter(|_| TAKES_CONFIGS && launch.due.has_hooks())
    {
        channel.ask_for_hooks()?;
    }
    // Hooks get the caller's umask back, because other users must not write their files.
    fs::umask(umask);
    // As in runc, their working directory is the container's root.
    mount::chdir_fd(entered.new).doing("enter the root directory")?;
    run_hooks(
        plan,
        (HookKind::CreateContainer, Status::Creating),
        (process::getpid(), None),
        None,
    )?;
    let root = fd::duplicate(entered.new, 3).doing("duplicate a descriptor")?;
    entered.pivot(TAKES_CONFIGS && launch.no_pivot)?;
    let places =
        protect::Places { root: root.by_ref(), proc: mounted.proc.as_ref().map(Fd::by_ref) };
    protect::make_readonly(places, spec.readonly_paths)?;
    protect::mask(places, spec.masked_paths)?;
    root::apply_root_flags(root.by_ref(), &spec.root)?;
    Ok(terminal)
}

/// Sets the root of a container in the caller's mount namespace, where nothing is mounted.
fn chroot(plan: &Plan<'_>, umask: u32) -> Result<Option<Fd>> {
    let wanted = &plan.launch.spec.process;
    let root =
        fs::open(CWD, c".", fs::O_PATH | fs::O_DIRECTORY, 0).doing("open the root directory")?;
    root::make_directories(root.by_ref(), wanted.cwd, 0)
        .on("make the working directory", wanted.cwd)?;
    if let Some(channel) = plan.channel.as_ref().filter(|_| plan.launch.due.has_hooks()) {
        channel.ask_for_hooks()?;
    }
    fs::umask(umask);
    run_hooks(
        plan,
        (HookKind::CreateContainer, Status::Creating),
        (process::getpid(), None),
        None,
    )?;
    root::chroot(root.by_ref())?;
    open_terminal(plan, None)
}

/// Enters the bundle if a bind's source is relative to it. Returns an error if that fails.
fn enter_bundle(plan: &Plan<'_>) -> crate::sys::Result<()> {
    let Some((_, state)) = plan.launch.about else { return Ok(()) };
    if !TAKES_CONFIGS || !mounts::has_relative_source(plan.launch.spec) {
        return Ok(());
    }
    match &plan.departure {
        Some(departure) => departure.back(state.bundle),
        None => mount::chdir(state.bundle),
    }
}

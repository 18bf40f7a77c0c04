//! `ocinit exec ID COMMAND...`: one more process in a container.

use super::arguments::Arguments;
use super::command::{Command, Flag, PASSED_ON, Run};
use super::{container, foreground, making, options};
use crate::codec::json;
use crate::container::cgroup::Joined;
use crate::container::hooks::HookContext;
use crate::container::launch::{self, Host, Instead, Launch};
use crate::container::state::{Id, Status};
use crate::container::{ContainerMemory, attributes, intermediate, own_file, seccomp};
use crate::engine;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::strings::StringBlock;
use crate::io::{document, text};
use crate::limits::GROUPS_MAX;
use crate::spec::{self, Capabilities, Lists, Process, Spec, User, capability};
use crate::sys::Errno;
use crate::sys::fd::FdRef;
use crate::{Context, Error, Result};

pub(super) const COMMAND: Command = Command {
    name: "exec",
    words: "ID [COMMAND [ARG]...]",
    least: 1,
    most: PASSED_ON,
    about: "Execute one more process in a container; ends with its exit status.",
    flags: &[
        Flag::value("process", b'p', "FILE", "the process, as config.json has it"),
        Flag::switch("tty", b't', "it gets a terminal"),
        Flag::switch("detach", b'd', "do not stay with it"),
        Flag::value("user", b'u', "UID[:GID]", "as whom it runs"),
        Flag::value("additional-gids", b'g', "GID", "one more group that it has"),
        Flag::value("cwd", 0, "DIR", "where it starts"),
        Flag::value("env", b'e', "NAME=VALUE", "one more variable of its environment"),
        Flag::value("cap", b'c', "CAP_NAME", "one more capability"),
        Flag::switch("no-new-privs", 0, "an exec never gives it more privileges"),
        Flag::value("apparmor", 0, "PROFILE", "its AppArmor profile"),
        Flag::value("process-label", 0, "LABEL", "its SELinux label"),
        Flag::value("cgroup", 0, "PATH", "a cgroup below the container's"),
        Flag::switch("ignore-paused", 0, "even if the container is paused"),
        options::CONSOLE,
        options::PID_FILE,
        options::PIDFD,
        options::PRESERVED,
    ],
    run: Run::Container(run),
};

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    own_file::protect()?;
    let stays = !arguments.has("detach");
    let callers = making::Notify::of(arguments)?;
    let preserved = making::preserved(arguments, 0)?;
    let memory = &mut crate::memory::claim().engine;
    let (root, id) = (container::root(arguments, false)?, Id::check(arguments.word(0))?);
    let directory = root.container(id)?;
    let ContainerMemory { pointers, seccomp, state, .. } = &mut memory.container;
    let state = directory.read(state)?;
    let Some(init) = state.process.open() else {
        return Err(Error::new(format_args!("cannot exec a container that has stopped")));
    };
    if directory.status(&state) == Status::Paused && !arguments.has("ignore-paused") {
        return Err(Error::new(format_args!(
            "cannot exec in a paused container (use --ignore-paused to override)"
        )));
    }
    let (mut strings, mut lists) = (StringBlock::new(&mut memory.strings), Lists::empty());
    let container =
        spec::read_config(directory.read_config(&mut memory.config)?, &mut strings, &mut lists)?;
    let mut of_file = Lists::empty();
    let process = match arguments.value("process") {
        Some(path) => {
            let value = json::check(document::read_named(path, &mut memory.process)?)
                .context("process", &LossyC(path))?;
            spec::read_process(value, &mut strings, &mut of_file)
                .context("process", &LossyC(path))?
        }
        None => process(arguments, &container.process, &mut strings)?,
    };
    let terminal = process.terminal || arguments.has("tty");
    attributes::check_process(&process)?;
    attributes::set_affinity(&process, "initial")?;
    let kinds = intermediate::kinds_of(state.process.pid)?;
    let group = Joined::find(&state, arguments.value("cgroup"))?;
    let spec = Spec { process, namespaces: 0, joined: &[], init: false, ..container };
    let filter =
        spec.linux("seccomp").map(|profile| seccomp::compile(profile, seccomp)).transpose()?;
    let context = HookContext { document: spec.document, id, state, status: Status::Running };
    let launch = Launch {
        spec: &spec,
        root: None,
        stdio: callers.stdio(&spec.process, terminal, stays)?,
        cgroup: group.directory(),
        gate: None,
        enters: Some((init.by_ref(), kinds)),
        rootless: false,
        no_pivot: false,
        preserved,
        keeps_keyring: false,
        shows_terminal: stays,
        about: None,
        filter,
        host: &AtContainer { context, group: &group },
    };
    if stays {
        // A signal before this ends us: nothing has been made yet.
        engine::hold_signals()?;
    }
    let running = launch::launch(&launch, pointers).map_err(|error| group.explain(error))?;
    crate::debug!("container {id}: process {} is executed", running.pid);
    if let Err(error) = callers.tell(&running) {
        running.kill();
        return Err(error);
    }
    if stays { foreground::wait(&running, None).map(i32::from) } else { Ok(0) }
}

/// The container's own process, with what the words say otherwise.
fn process<'s, 'm: 's>(
    arguments: &Arguments<'_>,
    of: &Process<'s>,
    strings: &mut StringBlock<'m>,
) -> Result<Process<'s>> {
    let mut words = strings.begin();
    for word in arguments.words().skip(1) {
        words.push(word.to_bytes())?;
        words.end_word()?;
    }
    let args = words.finish_words();
    if args.first().is_none() {
        return Err(Error::new(format_args!("exec: no command given")));
    }
    let mut env = strings.begin();
    env.push_words(of.env)?;
    for variable in arguments.values("env") {
        // In runc's words.
        let fault = match variable.to_bytes() {
            [b'=', ..] => Some("name cannot be empty"),
            bytes if !bytes.contains(&b'=') => Some("missing '='"),
            _ => None,
        };
        if let Some(why) = fault {
            let shown = LossyC(variable);
            return Err(Error::new(format_args!(
                "--env {shown}: invalid environment variable: {why}"
            )));
        }
        env.push(variable.to_bytes())?;
        env.end_word()?;
    }
    let env = env.finish_words();
    let cwd = match arguments.value("cwd") {
        Some(directory) => strings.add(directory.to_bytes())?,
        None => of.cwd,
    };
    let mut capabilities = of.capabilities;
    for name in arguments.values("cap") {
        // As in a config: a capability unknown to the kernel is no error (runtime-spec 1.1).
        let Some(bit) = capability::by_name(name.to_bytes()) else {
            crate::warning!("--cap {}: there is no such capability: it is left out", LossyC(name));
            continue;
        };
        // As in runc, it becomes ambient only if the config makes it inheritable.
        let Capabilities { bounding, effective, permitted, ambient, .. } = &mut capabilities;
        [bounding, effective, permitted, ambient].into_iter().for_each(|set| *set |= bit);
    }
    let mut label = |option: &str, of| match arguments.value(option) {
        Some(label) => strings.add(label.to_bytes()).map(Some),
        None => Ok(of),
    };
    let (apparmor, selinux) =
        (label("apparmor", of.apparmor)?, label("process-label", of.selinux)?);
    let no_new_privileges = of.no_new_privileges || arguments.has("no-new-privs");
    Ok(Process {
        terminal: false,
        args,
        env,
        cwd,
        user: user(arguments, &of.user)?,
        capabilities,
        no_new_privileges,
        apparmor,
        selinux,
        ..*of
    })
}

/// `UID[:GID]`, and further groups; what is not said is the container's.
fn user(arguments: &Arguments<'_>, of: &User) -> Result<User> {
    let mut user = User { uid: of.uid, gid: of.gid, umask: of.umask, ..User::default() };
    user.additional_gids.extend(&of.additional_gids).doing("copy the groups")?;
    let number = |option: &str, text: &[u8]| {
        let number = text::decimal(text).and_then(|number| u32::try_from(number).ok());
        // The highest number means "no change" to the kernel.
        number.filter(|number| *number != u32::MAX).ok_or_else(|| {
            Error::new(format_args!(
                "{option} {}: neither a number nor two with a colon between",
                Lossy(text)
            ))
        })
    };
    if let Some(text) = arguments.value("user") {
        let mut parts = text.to_bytes().splitn(2, |byte| *byte == b':');
        user.uid = number("--user", parts.next().unwrap_or_default())?;
        if let Some(gid) = parts.next() {
            user.gid = number("--user", gid)?;
        }
    }
    for text in arguments.values("additional-gids") {
        let gid = number("--additional-gids", text.to_bytes())?;
        user.additional_gids
            .push(gid)
            .map_err(|_| Error::new(format_args!("more than {GROUPS_MAX} groups")))?;
    }
    Ok(user)
}

/// The container that the process joins.
struct AtContainer<'a> {
    context: HookContext<'a>,
    group: &'a Joined<'a>,
}

impl Host for AtContainer<'_> {
    fn process_created(&self, pid: i32) -> Result<()> {
        self.context.process_created(pid)
    }

    fn hooks(&self, pid: i32) -> Result<()> {
        self.context.hooks(pid)
    }

    fn listener(&self, pid: i32, listener: FdRef<'_>) -> Result<()> {
        self.context.listener(pid, listener)
    }

    fn has_hooks(&self) -> bool {
        self.context.has_hooks()
    }

    fn other_cgroup(&self, errno: Errno) -> Result<Instead> {
        let instead = self.group.instead(errno)?;
        if matches!(instead, Instead::OfCaller) {
            crate::warning!(
                "the process is in your cgroup, without the container's limits: to join it: {errno}"
            );
        }
        Ok(instead)
    }
}

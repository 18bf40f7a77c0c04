//! `ocinit exec ID COMMAND...`: runs a further process in a container.

use super::arguments::{Arguments, TypedWords, Values};
use super::command::{Command, Flag, PASSED_ON, Run};
use super::container::{self, Container};
use super::notices::warn;
use super::options;
use crate::container::own_file;
use crate::engine::Attach;
use crate::engine::exec::{Changes, Exec, ProcessFrom, exec, too_many_groups};
use crate::engine::notify::Listeners;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::text;
use crate::limits::GROUPS_MAX;
use crate::{Error, Result};
use core::ffi::CStr;

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

/// The typed values that [`Exec`] borrows.
struct Typed<'a> {
    container: Container<'a>,
    /// The file of the process. If None: the container's own, with the changes below.
    process: Option<&'a CStr>,
    args: TypedWords<'a>,
    env: Values<'a>,
    capabilities: Values<'a>,
    gids: heapless::Vec<u32, GROUPS_MAX>,
    uid: Option<u32>,
    gid: Option<u32>,
    cwd: Option<&'a CStr>,
    no_new_privileges: bool,
    apparmor: Option<&'a CStr>,
    selinux: Option<&'a CStr>,
    adds_terminal: bool,
    cgroup: Option<&'a CStr>,
    preserved: u32,
    ignores_pause: bool,
    attach: Attach,
    listeners: Listeners<'a>,
}

fn parse<'a>(arguments: &Arguments<'a>) -> Result<Typed<'a>> {
    let preserved = options::parse_preserved(arguments)?;
    let (container, process) = (container::parse(arguments)?, arguments.value("process"));
    let (mut gids, mut user) = (heapless::Vec::new(), (None, None));
    if process.is_none() {
        parse_groups(arguments, &mut gids)?;
        user = parse_user(arguments)?;
        arguments.values("env").try_for_each(check_variable)?;
    }
    let (mut args, (uid, gid)) = (arguments.words(), user);
    let _ = args.next();
    Ok(Typed {
        container,
        process,
        args,
        env: arguments.values("env"),
        capabilities: arguments.values("cap"),
        gids,
        uid,
        gid,
        cwd: arguments.value("cwd"),
        no_new_privileges: arguments.has("no-new-privs"),
        apparmor: arguments.value("apparmor"),
        selinux: arguments.value("process-label"),
        adds_terminal: arguments.has("tty"),
        cgroup: arguments.value("cgroup"),
        preserved,
        ignores_pause: arguments.has("ignore-paused"),
        attach: options::parse_attach(arguments),
        listeners: options::parse_listeners(arguments),
    })
}

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    let mut typed = parse(arguments)?;
    own_file::protect()?;
    let process = match typed.process {
        Some(path) => ProcessFrom::File(path),
        None => ProcessFrom::Container(Changes {
            args: &mut typed.args,
            env: &mut typed.env,
            cwd: typed.cwd,
            uid: typed.uid,
            gid: typed.gid,
            additional_gids: &typed.gids,
            capabilities: &mut typed.capabilities,
            no_new_privileges: typed.no_new_privileges,
            apparmor: typed.apparmor,
            selinux: typed.selinux,
        }),
    };
    let wanted = Exec {
        root: typed.container.root,
        id: typed.container.id,
        process,
        adds_terminal: typed.adds_terminal,
        cgroup: typed.cgroup,
        preserved: typed.preserved,
        ignores_pause: typed.ignores_pause,
        attach: typed.attach,
        listeners: typed.listeners,
    };
    exec(wanted, &mut crate::memory::claim().engine, &warn).map(i32::from)
}

/// Returns an error unless it is NAME=VALUE, in runc's words.
fn check_variable(variable: &CStr) -> Result<()> {
    let why = match variable.to_bytes() {
        [b'=', ..] => "name cannot be empty",
        bytes if !bytes.contains(&b'=') => "missing '='",
        _ => return Ok(()),
    };
    let shown = LossyC(variable);
    Err(Error::new(format_args!("--env {shown}: invalid environment variable: {why}")))
}

/// Returns the user and group IDs of `UID[:GID]`.
fn parse_user(arguments: &Arguments<'_>) -> Result<(Option<u32>, Option<u32>)> {
    let Some(text) = arguments.value("user") else { return Ok((None, None)) };
    let mut parts = text.to_bytes().splitn(2, |byte| *byte == b':');
    let uid = number("--user", parts.next().unwrap_or_default())?;
    let gid = parts.next().map(|gid| number("--user", gid)).transpose()?;
    Ok((Some(uid), gid))
}

fn parse_groups(
    arguments: &Arguments<'_>,
    gids: &mut heapless::Vec<u32, GROUPS_MAX>,
) -> Result<()> {
    for text in arguments.values("additional-gids") {
        let gid = number("--additional-gids", text.to_bytes())?;
        gids.push(gid).map_err(|_| too_many_groups())?;
    }
    Ok(())
}

/// Returns a user or group ID. The highest means "no change" to the kernel.
fn number(option: &str, text: &[u8]) -> Result<u32> {
    let number = text::decimal(text).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number != u32::MAX).ok_or_else(|| {
        Error::new(format_args!(
            "{option} {}: neither a number nor two with a colon between",
            Lossy(text)
        ))
    })
}

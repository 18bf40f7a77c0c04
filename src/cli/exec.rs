//! `ocinit exec ID COMMAND...`: one more process in a container.

use super::arguments::Arguments;
use super::command::{Command, Flag, PASSED_ON, Run};
use super::container::{self, Container};
use super::notices::warn;
use super::{making, options};
use crate::container::own_file;
use crate::engine::exec::{Changes, Exec, ProcessFrom, exec, too_many_groups};
use crate::engine::foreground;
use crate::io::lossy::{Lossy, LossyC};
use crate::io::text;
use crate::limits::GROUPS_MAX;
use crate::spec::capability;
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

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    own_file::protect()?;
    let stays = !arguments.has("detach");
    let notify = making::notify(arguments)?;
    let preserved = making::preserved(arguments)?;
    let Container { root, id } = container::parse(arguments)?;
    let root = root.open()?;
    let mut gids = heapless::Vec::new();
    let (mut args, mut env) = (arguments.words().skip(1), arguments.values("env"));
    let process = match arguments.value("process") {
        Some(path) => ProcessFrom::File(path),
        None => {
            groups(arguments, &mut gids)?;
            ProcessFrom::Container(changes(arguments, &mut args, &mut env, &gids)?)
        }
    };
    let wanted = Exec {
        root: &root,
        id,
        process,
        adds_terminal: arguments.has("tty"),
        cgroup: arguments.value("cgroup"),
        preserved,
        ignores_pause: arguments.has("ignore-paused"),
        stays,
        notify: &notify,
    };
    let running = exec(wanted, &mut crate::memory::claim().engine, &warn)?;
    if stays { foreground::wait(&running, None).map(i32::from) } else { Ok(0) }
}

/// Returns what the process has otherwise than the container's.
fn changes<'a>(
    arguments: &Arguments<'a>,
    args: &'a mut dyn Iterator<Item = &'a CStr>,
    env: &'a mut dyn Iterator<Item = &'a CStr>,
    additional_gids: &'a [u32],
) -> Result<Changes<'a>> {
    let (uid, gid) = user(arguments)?;
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
    }
    let mut capabilities = 0;
    for name in arguments.values("cap") {
        // As in a config: a capability unknown to the kernel is no error (runtime-spec 1.1).
        match capability::by_name(name.to_bytes()) {
            Some(bit) => capabilities |= bit,
            None => crate::warning!(
                "--cap {}: there is no such capability: it is left out",
                LossyC(name)
            ),
        }
    }
    Ok(Changes {
        args,
        env,
        cwd: arguments.value("cwd"),
        uid,
        gid,
        additional_gids,
        capabilities,
        no_new_privileges: arguments.has("no-new-privs"),
        apparmor: arguments.value("apparmor"),
        selinux: arguments.value("process-label"),
    })
}

/// Returns the numbers of `UID[:GID]`.
fn user(arguments: &Arguments<'_>) -> Result<(Option<u32>, Option<u32>)> {
    let Some(text) = arguments.value("user") else { return Ok((None, None)) };
    let mut parts = text.to_bytes().splitn(2, |byte| *byte == b':');
    let uid = number("--user", parts.next().unwrap_or_default())?;
    let gid = parts.next().map(|gid| number("--user", gid)).transpose()?;
    Ok((Some(uid), gid))
}

fn groups(arguments: &Arguments<'_>, gids: &mut heapless::Vec<u32, GROUPS_MAX>) -> Result<()> {
    for text in arguments.values("additional-gids") {
        let gid = number("--additional-gids", text.to_bytes())?;
        gids.push(gid).map_err(|_| too_many_groups())?;
    }
    Ok(())
}

/// Returns the number of a user or group. The highest means "no change" to the kernel.
fn number(option: &str, text: &[u8]) -> Result<u32> {
    let number = text::decimal(text).and_then(|number| u32::try_from(number).ok());
    number.filter(|number| *number != u32::MAX).ok_or_else(|| {
        Error::new(format_args!(
            "{option} {}: neither a number nor two with a colon between",
            Lossy(text)
        ))
    })
}

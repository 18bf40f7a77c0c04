//! `ocinit spec`: a config.json to begin with.

use super::arguments::Arguments;
use super::command::{Command, Flag, Run};
use super::options;
use crate::bundle::{self, Mounts, Rootless};
use crate::codec::json::Writer;
use crate::container::userns::Ids;
use crate::io::lossy::On;
use crate::io::output::Output;
use crate::spec::{Spec, write_config};
use crate::sys::fd::CWD;
use crate::sys::{self, Errno, fs, mount};
use crate::{Context, Error, Result};
use core::ffi::CStr;

pub(super) const COMMAND: Command = Command {
    name: "spec",
    words: "",
    least: 0,
    most: 0,
    about: "Write a config.json for a root directory of the name rootfs.",
    flags: &[
        options::BUNDLE,
        Flag::switch("rootless", 0, "for an ordinary user, in a user namespace"),
    ],
    run: Run::Container(run),
};

const CONFIG: &CStr = c"config.json";

fn run(arguments: &Arguments<'_>) -> Result<i32> {
    if let Some(bundle) = arguments.value("bundle") {
        mount::chdir(bundle).on("enter the bundle", bundle)?;
    }
    let (ids, mut mounts) = (Ids::of_caller(), Mounts::new(crate::limits::MOUNTS_MAX));
    // Among the options of all commands it has a value, and means something else.
    let is_rootless = arguments.has("rootless") && arguments.value("rootless").is_none();
    let rootless =
        is_rootless.then_some(Rootless { uids: ids.uids(), gids: ids.gids(), joins: false });
    let spec = bundle::example(rootless, &mut mounts)?;
    match write(&spec) {
        Err(Errno::EEXIST) => {
            Err(Error::new(format_args!("File config.json exists. Remove it first")))
        }
        written => written.doing("write config.json").map(|()| 0),
    }
}

fn write(spec: &Spec<'_>) -> sys::Result<()> {
    let file = fs::open(CWD, CONFIG, fs::O_WRONLY | fs::O_CREAT | fs::O_EXCL, 0o666)?;
    let mut output = Output::new(file.by_ref());
    write_config(spec, spec.root.path, &mut Writer::new(&mut output));
    output.finish().inspect_err(|_| {
        let _ = fs::unlink(CWD, CONFIG);
    })
}

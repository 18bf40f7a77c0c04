//! Writes an example config.json.

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

const CONFIG: &CStr = c"config.json";

/// The owner of the container.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Root's.
    Root,
    /// A non-root user's, in a user namespace.
    User,
}

/// Writes the config into the bundle, or into the current directory if there is none.
pub fn write_example(bundle: Option<&CStr>, whose: For) -> Result<()> {
    if let Some(bundle) = bundle {
        mount::chdir(bundle).on("enter the bundle", bundle)?;
    }
    let (ids, mut mounts) = (Ids::of_caller(), Mounts::new(crate::limits::MOUNTS_MAX));
    let rootless = (whose == For::User).then_some(Rootless {
        uids: ids.uids(),
        gids: ids.gids(),
        joins: false,
    });
    let spec = bundle::example(rootless, &mut mounts)?;
    match write(&spec) {
        Err(Errno::EEXIST) => {
            Err(Error::new(format_args!("File config.json exists. Remove it first")))
        }
        written => written.doing("write config.json"),
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

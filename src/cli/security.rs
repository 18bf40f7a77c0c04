//! docker's options for the restrictions of an image's container.

use super::arguments::Arguments;
use crate::bundle::Security;
use crate::engine::security::{Limits, Restrictions};
use crate::io::lossy::{Lossy, LossyC};
use crate::spec::Limit;
use crate::{Error, Result};
use core::ffi::CStr;

/// Reads the options.
pub fn parse<'a>(arguments: &Arguments<'a>) -> Result<Restrictions<'a>> {
    let mut security = Security { privileged: arguments.has("privileged"), ..Security::default() };
    let mut file = None;
    for option in arguments.values("security-opt") {
        let bytes = option.to_bytes();
        // Older versions of docker took a colon.
        let end = bytes.iter().position(|byte| matches!(byte, b'=' | b':')).unwrap_or(bytes.len());
        let value = bytes.get(end + 1..);
        match (&bytes[..end], value) {
            (b"no-new-privileges", None | Some(b"true")) => security.no_new_privileges = true,
            (b"no-new-privileges", Some(b"false")) => security.no_new_privileges = false,
            (b"systempaths", Some(b"unconfined")) => security.shows_all = true,
            // Already so: there is no such confinement.
            (b"apparmor", Some(b"unconfined")) | (b"label", Some(b"disable")) => {}
            (b"seccomp", Some(b"unconfined")) => (security.unconfined, file) = (true, None),
            (b"seccomp", Some(b"builtin")) => (security.unconfined, file) = (false, None),
            (b"seccomp", Some([_, ..])) => {
                let path = CStr::from_bytes_with_nul(&option.to_bytes_with_nul()[end + 1..])
                    .unwrap_or_default();
                (security.unconfined, file) = (false, Some(path));
            }
            _ => {
                return Err(Error::new(format_args!(
                    "--security-opt {}: not one of seccomp=unconfined, seccomp=FILE, no-new-privileges[=true|false], \
                     systempaths=unconfined",
                    LossyC(option)
                )));
            }
        }
    }
    let mut limits = Limits::new();
    for one in arguments.values("ulimit") {
        let limit = limit(one.to_bytes())?;
        match limits.iter_mut().find(|other| other.resource == limit.resource) {
            Some(other) => *other = limit,
            None => drop(limits.push(limit)),
        }
    }
    Ok(Restrictions { security, profile: file, limits })
}

/// Returns a limit from docker's notation.
fn limit(text: &[u8]) -> Result<Limit> {
    Limit::parse(text).map_err(|why| Error::new(format_args!("--ulimit {}: {why}", Lossy(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_written_as_docker_takes_them() {
        let of =
            |text: &str| limit(text.as_bytes()).map(|limit| (limit.name(), limit.soft, limit.hard));
        assert_eq!(of("nofile=1024:524288").unwrap(), ("NOFILE", 1024, 524_288));
        assert_eq!(of("core=0").unwrap(), ("CORE", 0, 0));
        assert_eq!(of("memlock=-1:-1").unwrap(), ("MEMLOCK", u64::MAX, u64::MAX));
        assert_eq!(of("nproc=5:unlimited").unwrap(), ("NPROC", 5, u64::MAX));
        for (text, why) in [
            ("nofile", "not NAME=SOFT[:HARD]"),
            ("files=1", "there is no such limit"),
            ("nofile=", "not a number"),
            ("nofile=1:", "not a number"),
            ("nofile=1:2:3", "not a number"),
            ("nofile=-2", "not a number"),
            ("nofile=20:10", "the soft limit is above the hard one"),
            ("nofile=-1:10", "the soft limit is above the hard one"),
        ] {
            assert_eq!(of(text).unwrap_err().to_string(), format!("--ulimit {text}: {why}"));
        }
    }
}

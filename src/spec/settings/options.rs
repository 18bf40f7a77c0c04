//! Options of `run --image`, `create --image` and `bundle`, as docker means them. Those that PID 1
//! has as a key take the key's value.

use super::{Addition, Draft, Refusal, SETTINGS, Set, Setting, choice, named, option};
use crate::io::{text, units};
use crate::limits::OPTIONS_GIVEN_MAX;
use crate::spec::limit::number_of;
use crate::spec::{Limit, LimitKey, capability};

type Done = core::result::Result<(), Refusal>;

/// docker's least memory, in bytes.
const MEMORY_LEAST: u64 = 6 << 20;
/// The network is the container's own, and has nothing but its loopback.
const NO_PORTS: &str = "the container's network has its loopback alone: with --network=host the \
                        program itself listens on the host's ports";
const NO_NETWORK: &str = "none (the default: its own loopback alone) or host; docker's bridge \
                          needs a daemon";

/// All rows.
pub const OPTIONS: [Setting; 26] = [
    of_key(
        option("user", b'u', "USER[:GROUP]", "as whom it runs, by names or numbers", NOT),
        "user",
    ),
    of_key(
        option("workdir", b'w', "DIR", "where it starts; made if it is missing", NOT),
        "workdir",
    ),
    of_key(option("hostname", 0, "NAME", "its host name", NOT), "hostname"),
    option(
        "entrypoint",
        0,
        "PROGRAM",
        "instead of the image's; its Cmd is left out",
        |draft, value| {
            draft.entrypoint = Some(value);
            Ok(())
        },
    ),
    option(
        "env-file",
        0,
        "FILE",
        "lines of NAME=VALUE or NAME; # begins a comment",
        |draft, value| add(draft, Addition::EnvFile(value)),
    ),
    option("env", b'e', "NAME[=VALUE]", "a variable; without a value it is the caller's", variable),
    option(
        "volume",
        b'v',
        "HOST:PATH[:ro]",
        "a file or directory of the host's, by its path",
        volume,
    ),
    option("tmpfs", 0, "PATH[:OPTIONS]", "a tmpfs: size=64m, mode=1777, exec, ...", tmpfs),
    option("read-only", 0, "", "its root is read-only", |draft, _| {
        draft.read_only = true;
        Ok(())
    }),
    option("cap-add", 0, "CAP", "a capability in addition, or ALL", |draft, value| {
        draft.cap_add |= capabilities(value)?;
        Ok(())
    }),
    option("cap-drop", 0, "CAP", "a capability that it does not get, or ALL", |draft, value| {
        draft.cap_drop |= capabilities(value)?;
        Ok(())
    }),
    option("memory", b'm', "SIZE", "the most memory: 512m, 2g; as much swap again", memory),
    option("memory-swap", 0, "SIZE", "memory and swap together; -1 is no limit", swap),
    of_key(option("cpus", 0, "N", "CPU time in processors: 1.5", NOT), "cpus"),
    option("cpuset-cpus", 0, "LIST", "the processors it may use: 0-2,7", |draft, value| {
        let is_list = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b',' | b'-');
        let list = Some(value).filter(|list| !list.is_empty() && list.iter().all(is_list));
        draft.processors = Some(list.ok_or("not a list such as 0-2,7")?);
        Ok(())
    }),
    option("pids-limit", 0, "N", "the most processes and threads; -1 is no limit", processes),
    option(
        "shm-size",
        0,
        "SIZE",
        "the size of /dev/shm, which is 64m without it",
        |draft, value| {
            let bytes = units::size(value).filter(|bytes| *bytes > 0);
            draft.shm = Some(bytes.ok_or("not a size such as 64m")?);
            Ok(())
        },
    ),
    option("sysctl", 0, "NAME=VALUE", "a sysctl of its own namespaces", |draft, value| {
        named(value).ok_or("not NAME=VALUE")?;
        add(draft, Addition::Sysctl(value))
    }),
    option(
        "network",
        0,
        "none|host",
        "its own loopback alone, or the host's network",
        |draft, value| {
            draft.host_network =
                choice(value, &[("none", false), ("host", true)]).ok_or(NO_NETWORK)?;
            Ok(())
        },
    ),
    option("label", b'l', "KEY[=VALUE]", "an annotation of the container", annotation),
    option("annotation", 0, "KEY=VALUE", "the same", annotation),
    option("interactive", b'i', "", "accepted: standard input is always passed on", accept),
    option("rm", 0, "", "accepted: the bundle is always removed with its container", accept),
    option("publish", b'p', "PORT", "refused: see --network", |_, _| Err(NO_PORTS)),
    option("publish-all", b'P', "", "refused: see --network", |_, _| Err(NO_PORTS)),
    option("pull", 0, "POLICY", "accepted: an image from a registry is always fetched", accept),
];

static ROWS: [Setting; OPTIONS.len()] = OPTIONS;

/// Returns all rows.
pub fn rows() -> &'static [Setting] {
    &ROWS
}

/// Stands for the function of a key's row.
const NOT: Set = |_, _| Ok(());

/// Returns the option with the form and function of a key of PID 1.
const fn of_key(row: Setting, key: &str) -> Setting {
    let mut n = 0;
    while n < SETTINGS.len() {
        if is_same(SETTINGS[n].key.as_bytes(), key.as_bytes()) {
            return Setting { expected: SETTINGS[n].expected, set: SETTINGS[n].set, ..row };
        }
        n += 1;
    }
    panic!("no setting has this key")
}

/// Returns whether both are equal, at compile time.
pub const fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    let mut n = 0;
    while n < a.len() {
        if a[n] != b[n] {
            return false;
        }
        n += 1;
    }
    true
}

fn accept(_: &mut Draft<'_>, _: &[u8]) -> Done {
    Ok(())
}

fn add<'m>(draft: &mut Draft<'m>, addition: Addition<'m>) -> Done {
    const _: () = assert!(OPTIONS_GIVEN_MAX == 128);
    draft.additions.push(addition).map_err(|_| "more than 128 of them (ADDITIONS_MAX)")
}

fn variable<'m>(draft: &mut Draft<'m>, value: &'m [u8]) -> Done {
    match value {
        [] | [b'=', ..] => Err("not NAME=VALUE, and no name"),
        _ => add(draft, Addition::Env(value)),
    }
}

fn annotation<'m>(draft: &mut Draft<'m>, value: &'m [u8]) -> Done {
    match value {
        [] | [b'=', ..] => Err("not KEY=VALUE"),
        _ => add(draft, Addition::Annotation(value)),
    }
}

/// Returns the parts between colons.
fn parts(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b':')
}

fn volume<'m>(draft: &mut Draft<'m>, value: &'m [u8]) -> Done {
    let count = parts(value).count();
    let mut all = parts(value);
    let (first, second) = (all.next().unwrap_or_default(), all.next());
    let is_absolute = |path: &[u8]| path.starts_with(b"/");
    match (first, second) {
        (path, None) if is_absolute(path) => add(draft, Addition::Volume(value)),
        (_, None) => Err("not an absolute path, and no HOST:PATH"),
        (host, Some(_)) if !is_absolute(host) && !host.starts_with(b".") => {
            Err("a named volume, which needs a daemon: give a directory of the host's by its path")
        }
        (_, Some(path)) if !is_absolute(path) || path == b"/" => {
            Err("the path in the container is not absolute, or is its root")
        }
        _ if count > 3 => Err("not HOST:PATH[:OPTIONS]"),
        _ => {
            let options = all.next().unwrap_or_default();
            let mut words = options.split(|byte| *byte == b',').filter(|word| !word.is_empty());
            match words.all(|word| VOLUME_OPTIONS.split(' ').any(|one| one.as_bytes() == word)) {
                true => add(draft, Addition::Volume(value)),
                false => Err("its options are among ro, rw, z, Z, [r]private, [r]shared, [r]slave"),
            }
        }
    }
}

/// `z` and `Z` are SELinux's: a host without it has no labels to change.
const VOLUME_OPTIONS: &str = "ro rw z Z private rprivate shared rshared slave rslave";

fn tmpfs<'m>(draft: &mut Draft<'m>, value: &'m [u8]) -> Done {
    match value {
        [b'/', b':', ..] | [b'/'] => Err("the root itself"),
        [b'/', ..] if parts(value).count() <= 2 => add(draft, Addition::Tmpfs(value)),
        _ => Err("not an absolute path, with :OPTIONS behind it if wanted"),
    }
}

/// Returns the capability of this name, in any case and with or without `CAP_`. ALL is
/// [`u64::MAX`].
fn capabilities(value: &[u8]) -> core::result::Result<u64, Refusal> {
    let mut name = [0; 32];
    let place = name.get_mut(..value.len()).ok_or(NO_CAPABILITY)?;
    place.copy_from_slice(value);
    place.make_ascii_uppercase();
    match place.strip_prefix(b"CAP_").unwrap_or(place) {
        b"ALL" => Ok(u64::MAX),
        name => {
            let mut full = [0; 36];
            full[..4].copy_from_slice(b"CAP_");
            full[4..4 + name.len()].copy_from_slice(name);
            capability::by_name(&full[..4 + name.len()]).ok_or(NO_CAPABILITY)
        }
    }
}

const NO_CAPABILITY: &str = "no such capability: a name such as NET_ADMIN, or ALL";

fn memory(draft: &mut Draft<'_>, value: &[u8]) -> Done {
    let bytes = units::size(value).ok_or("not a size such as 512m")?;
    if bytes < MEMORY_LEAST {
        return Err("less than 6m");
    }
    draft.limit(LimitKey::MEMORY, bytes);
    draft.limit(LimitKey::SWAP, bytes.saturating_mul(2));
    Ok(())
}

/// `--memory` was applied before, because its row is.
fn swap(draft: &mut Draft<'_>, value: &[u8]) -> Done {
    let memory = number_of(&draft.limits, LimitKey::MEMORY).ok_or("needs --memory")?;
    if value == b"-1" {
        draft.put(Limit::number(LimitKey::SWAP, -1));
        return Ok(());
    }
    let bytes = units::size(value).ok_or("not a size such as 1g, or -1")?;
    match bytes {
        // As docker: unset.
        0 => {}
        bytes if i64::try_from(bytes).is_ok_and(|bytes| bytes < memory) => {
            return Err("less than --memory, which it includes");
        }
        bytes => draft.limit(LimitKey::SWAP, bytes),
    }
    Ok(())
}

fn processes(draft: &mut Draft<'_>, value: &[u8]) -> Done {
    match value {
        b"-1" | b"0" => Ok(()),
        _ => {
            let count = text::decimal(value).filter(|count| (1..=4 << 20).contains(count));
            draft.limit(LimitKey::PROCESSES, count.ok_or("not a number up to 4194304, or -1")?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set<'m>(draft: &mut Draft<'m>, name: &str, value: &'m [u8]) -> Done {
        let row = rows().iter().find(|row| row.option == name).unwrap();
        (row.set)(draft, value)
    }

    #[test]
    fn capabilities_are_spelled_as_in_docker() {
        let admin = capability::by_name(b"CAP_NET_ADMIN").unwrap();
        for name in [&b"NET_ADMIN"[..], b"net_admin", b"CAP_NET_ADMIN", b"cap_net_admin"] {
            assert_eq!(capabilities(name), Ok(admin));
        }
        assert_eq!(capabilities(b"all"), Ok(u64::MAX));
        for name in [&b""[..], b"CAP_", b"X", &[b'A'; 40], b"CAP_CAP_KILL"] {
            assert!(capabilities(name).is_err());
        }
    }

    #[test]
    fn swap_is_judged_by_memory() {
        let mut draft = Draft::EMPTY;
        assert!(set(&mut draft, "memory-swap", b"1g").is_err());
        assert!(set(&mut draft, "memory", b"5m").is_err());
        set(&mut draft, "memory", b"512m").unwrap();
        let swap = |draft: &Draft<'_>| number_of(&draft.limits, LimitKey::SWAP);
        assert_eq!(swap(&draft), Some(1 << 30));
        assert!(set(&mut draft, "memory-swap", b"511m").is_err());
        set(&mut draft, "memory-swap", b"512m").unwrap();
        assert_eq!(swap(&draft), Some(512 << 20));
        set(&mut draft, "memory-swap", b"-1").unwrap();
        assert_eq!(swap(&draft), Some(-1));
    }

    #[test]
    fn volumes_are_paths() {
        let mut draft = Draft::EMPTY;
        for good in ["/a:/b", "/a:/b:ro", "/a:/b:ro,Z,rslave", "./a:/b", "/a", ".:/b:"] {
            set(&mut draft, "volume", good.as_bytes())
                .unwrap_or_else(|why| panic!("{good}: {why}"));
        }
        for bad in ["name:/b", "a", "/a:b", "/a:/", "/a:/b:xx", "/a:/b:ro:rw", "", ":/b"] {
            assert!(set(&mut draft, "volume", bad.as_bytes()).is_err(), "{bad}");
        }
        for (bad, option) in [("x", "tmpfs"), ("/", "tmpfs"), ("/a:b:c", "tmpfs"), ("=x", "env")] {
            assert!(set(&mut draft, option, bad.as_bytes()).is_err(), "{bad}");
        }
        for (bad, option) in [("bridge", "network"), ("80:80", "publish"), ("x", "sysctl")] {
            assert!(set(&mut draft, option, bad.as_bytes()).is_err(), "{bad}");
        }
    }
}

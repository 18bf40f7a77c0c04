//! docker's options for an image's container: what is added to the image and to the defaults.

use super::config::push;
use super::volumes::{self, Mounts};
use crate::error::{Context, Error, Result};
use crate::io::document;
use crate::io::lossy::Lossy;
use crate::io::path::PathBuf;
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::limits::PATH_BYTES;
use crate::spec::settings::{Addition, Draft, named};
use crate::spec::{Limit, LimitKey, Mount, limit::Amount};
use crate::sys::fd::CWD;
use crate::sys::{fs, process};
use core::ffi::CStr;

/// Returns the variables of `--env-file` and then of `--env`, in `text`. One without a value has
/// the caller's, or is left out if the caller does not have it.
pub fn env<'t>(draft: &Draft<'_>, text: &'t mut [u8]) -> Result<PackedStrings<'t>> {
    let (file, text) = text.split_at_mut(text.len() / 2);
    let mut block = StringBlock::new(text);
    let mut words = block.begin();
    for addition in &draft.additions {
        if let Addition::EnvFile(name) = addition {
            let what = ("--env-file", Lossy(name));
            let path = PathBuf::from_bytes(name).context(what.0, &what.1)?;
            let content = document::read_named(path.as_c_str(), file).context(what.0, &what.1)?;
            for line in content.split(|byte| *byte == b'\n') {
                let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
                match line {
                    [] | [b'#', ..] => {}
                    [b'=', ..] => {
                        let why = format_args!("{}: no name before the =", Lossy(line));
                        return Err(Error::new(why)).context(what.0, &what.1);
                    }
                    line => variable(line, &mut words).context(what.0, &what.1)?,
                }
            }
        }
    }
    for addition in &draft.additions {
        if let Addition::Env(entry) = addition {
            variable(entry, &mut words).doing("--env")?;
        }
    }
    Ok(words.finish_words())
}

fn variable(entry: &[u8], words: &mut Builder<'_, '_>) -> Result<()> {
    if named(entry).is_some() {
        words.push(entry)?;
        return words.end_word();
    }
    let Some(value) = process::variable(entry) else { return Ok(()) };
    words.push(entry)?;
    words.push(b"=")?;
    words.push(value.to_bytes())?;
    words.end_word()
}

/// Adds the user's mounts, those of few components first: so none hides another.
pub fn mount<'m>(
    draft: &Draft<'_>,
    strings: &mut StringBlock<'m>,
    mounts: &mut Mounts<'m>,
) -> Result<()> {
    let depth = |mount: &Mount<'_>| {
        mount.destination.to_bytes().iter().filter(|byte| **byte == b'/').count()
    };
    let first = mounts.len();
    for addition in &draft.additions {
        let mount = match addition {
            Addition::Volume(words) => bind(words, strings).context("--volume", &Lossy(words))?,
            Addition::Tmpfs(words) => tmpfs(words, strings).context("--tmpfs", &Lossy(words))?,
            _ => continue,
        };
        if mounts[first..].iter().any(|other| other.destination == mount.destination) {
            let place = Lossy(mount.destination.to_bytes());
            return Err(Error::new(format_args!(
                "two mounts at {place}: one of them would be hidden"
            )));
        }
        push(mounts, mount)?;
    }
    mounts[first..].sort_unstable_by_key(depth);
    Ok(())
}

/// Returns a mount without id mappings.
fn of<'m>(
    destination: &'m CStr,
    kind: &'m CStr,
    source: &'m CStr,
    options: PackedStrings<'m>,
) -> Mount<'m> {
    let (uid_mappings, gid_mappings): (&[_], &[_]) = (&[], &[]);
    Mount { destination, kind, source, options, optional: false, uid_mappings, gid_mappings }
}

/// Returns the path in the container, without `.`, `..` and doubled slashes.
fn place<'m>(path: &[u8], strings: &mut StringBlock<'m>) -> Result<&'m CStr> {
    let mut clean = PathBuf::new();
    volumes::clean(path, &mut clean).context("the path", &Lossy(path))?;
    match clean.as_bytes() {
        b"" => Err(Error::new(format_args!("the root itself is no place for a mount"))),
        path => strings.add(path),
    }
}

/// Returns the mount of a directory or file of the host's.
fn bind<'m>(words: &[u8], strings: &mut StringBlock<'m>) -> Result<Mount<'m>> {
    let mut parts = words.split(|byte| *byte == b':');
    let (source, destination) = (parts.next().unwrap_or_default(), parts.next());
    let Some(destination) = destination else {
        // A new volume, which lives as long as the container.
        let options = PackedStrings::new(b"nosuid\0nodev\0tmpcopyup\0mode=755\0");
        return Ok(of(place(source, strings)?, c"tmpfs", c"tmpfs", options));
    };
    let mut path = PathBuf::new();
    if !source.starts_with(b"/") {
        // A bundle's relative sources begin at the bundle, and the user's here.
        let mut buffer = [0; PATH_BYTES];
        let here = fs::readlink(CWD, c"/proc/self/cwd", &mut buffer).doing("look where this is")?;
        path.push_bytes(here).doing("name it")?;
        path.push_bytes(b"/").doing("name it")?;
    }
    path.push_bytes(source).doing("name it")?;
    fs::stat(CWD, path.as_c_str()).map_err(|errno| {
        let why = format_args!("{errno} on this host, and nothing is made there");
        Error::with_errno(why, errno)
    })?;
    let source = strings.add(path.as_bytes())?;
    let destination = place(destination, strings)?;
    let given = parts.next().unwrap_or_default();
    let is = |word: &[u8]| given.split(|byte| *byte == b',').any(|one| one == word);
    let mut options = strings.begin();
    options.push(b"rbind")?;
    options.end_word()?;
    let spread = [&b"private"[..], b"shared", b"rshared", b"slave", b"rslave"];
    options.push(spread.into_iter().find(|word| is(word)).unwrap_or(b"rprivate"))?;
    options.end_word()?;
    if is(b"ro") {
        // Mounts below it, too.
        options.push(b"rro")?;
        options.end_word()?;
    }
    Ok(of(destination, c"bind", source, options.finish_words()))
}

fn tmpfs<'m>(words: &[u8], strings: &mut StringBlock<'m>) -> Result<Mount<'m>> {
    let mut parts = words.split(|byte| *byte == b':');
    let destination = place(parts.next().unwrap_or_default(), strings)?;
    let mut options = strings.begin();
    options.push_words(PackedStrings::new(b"nosuid\0nodev\0noexec\0"))?;
    for word in parts.next().unwrap_or_default().split(|byte| *byte == b',') {
        if !word.is_empty() {
            options.push(word)?;
            options.end_word()?;
        }
    }
    Ok(of(destination, c"tmpfs", c"tmpfs", options.finish_words()))
}

/// Returns the options of /dev/shm with this size.
pub fn shm<'m>(
    options: PackedStrings<'m>,
    bytes: u64,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    for option in options.iter().filter(|option| !option.to_bytes().starts_with(b"size=")) {
        words.push(option.to_bytes())?;
        words.end_word()?;
    }
    words.push_format(format_args!("size={bytes}"))?;
    words.end_word()?;
    Ok(words.finish_words())
}

/// Returns names and values in turn: these, with the user's in place of those of the same name.
fn merged<'m>(
    all: PackedStrings<'_>,
    draft: &Draft<'_>,
    pick: fn(&Addition<'_>) -> bool,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let pair = |addition: &Addition<'_>, words: &mut Builder<'_, '_>| {
        let (Addition::Sysctl(text) | Addition::Annotation(text)) = addition else { return Ok(()) };
        let (name, value) = named(text).unwrap_or((text, b""));
        for word in [name, value] {
            words.push(word)?;
            words.end_word()?;
        }
        Ok(())
    };
    let mut words = strings.begin();
    let mut given = all.iter();
    while let (Some(name), Some(value)) = (given.next(), given.next()) {
        let is_replaced =
            draft.additions.iter().filter(|one| pick(one)).any(|one| key(one) == name.to_bytes());
        if !is_replaced {
            for word in [name, value] {
                words.push(word.to_bytes())?;
                words.end_word()?;
            }
        }
    }
    for (n, one) in draft.additions.iter().enumerate().filter(|(_, one)| pick(one)) {
        // Of one name the last counts.
        if !draft.additions[n + 1..].iter().any(|later| pick(later) && key(later) == key(one)) {
            pair(one, &mut words)?;
        }
    }
    Ok(words.finish_words())
}

/// Returns the name of a sysctl or an annotation.
fn key<'a>(addition: &Addition<'a>) -> &'a [u8] {
    match *addition {
        Addition::Sysctl(text) | Addition::Annotation(text) => {
            text.split(|byte| *byte == b'=').next().unwrap_or_default()
        }
        _ => b"",
    }
}

/// Returns these sysctls with the user's.
pub fn sysctls<'m>(
    all: PackedStrings<'_>,
    draft: &Draft<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    merged(all, draft, |one| matches!(one, Addition::Sysctl(_)), strings)
}

/// Returns these annotations with the user's.
pub fn annotations<'m>(
    all: PackedStrings<'_>,
    draft: &Draft<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    merged(all, draft, |one| matches!(one, Addition::Annotation(_)), strings)
}

/// Limits of the cgroup: the draft's, with its processors.
pub type Limits<'m> = heapless::Vec<Limit<'m>, { crate::spec::settings::LIMITS_MAX }>;

/// Fills `all` with the draft's limits, in the order of their rows.
pub fn limits<'m>(
    draft: &Draft<'_>,
    strings: &mut StringBlock<'m>,
    all: &mut Limits<'m>,
) -> Result<()> {
    // Both have room for every row.
    all.extend(draft.limits.iter().copied());
    if let Some(list) = draft.processors {
        let limit = Limit { key: LimitKey::PROCESSORS, amount: Amount::Text(strings.add(list)?) };
        let place = all.partition_point(|other| other.key < limit.key);
        let _ = all.insert(place, limit);
    }
    Ok(())
}

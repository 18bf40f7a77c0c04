//! The environment: what was given, then what the image says, then defaults for names that neither has.

use crate::error::{Context, Error, Result};
use crate::image::Texts;
use crate::io::show::Brief;
use crate::io::strings::{Builder, Strings, Words};
use crate::spec::defaults;
use core::ffi::CStr;

/// Where the defaults come from.
pub struct Defaults<'a> {
    /// The user's, from /etc/passwd.
    pub home: &'a [u8],
    /// Of a host with a name.
    pub hostname: Option<&'a CStr>,
    /// The process has one.
    pub terminal: bool,
}

/// The image's entries stand as they are, two of one name too; those whose name was given are left out.
pub fn merge<'m>(
    image: Texts<'_>,
    given: Option<&mut dyn Iterator<Item = &[u8]>>,
    values: &Defaults<'_>,
    strings: &mut Strings<'m>,
) -> Result<Words<'m>> {
    let mut env = strings.begin();
    for entry in given.into_iter().flatten() {
        if !entry.contains(&b'=') || entry.starts_with(b"=") {
            return Err(Error::new(format_args!("env={}: not NAME=VALUE", Brief(entry))));
        }
        let start = env.len();
        env.push(entry)?;
        env.end_word()?;
        if let Some(older) = position(&env.as_bytes()[..start], name_of(entry)) {
            env.remove(older);
        }
    }
    let given_end = env.len();
    for entry in image {
        let start = env.len();
        entry.write_to(&mut env).doing("the image's Env")?;
        let (given, from_image) = env.as_bytes().split_at(start);
        if position(&given[..given_end], name_of(from_image)).is_some() {
            env.remove(start..env.len());
        } else {
            env.end_word()?;
        }
    }
    add_default(&mut env, b"PATH", defaults::PATH.as_bytes())?;
    if let Some(hostname) = values.hostname {
        add_default(&mut env, b"HOSTNAME", hostname.to_bytes())?;
    }
    if values.terminal {
        add_default(&mut env, b"TERM", b"xterm")?;
    }
    add_default(&mut env, b"HOME", values.home)?;
    Ok(env.finish_words())
}

fn add_default(env: &mut Builder<'_, '_>, name: &[u8], value: &[u8]) -> Result<()> {
    if position(env.as_bytes(), name).is_none() {
        [name, b"=", value].iter().try_for_each(|part| env.push(part))?;
        env.end_word()?;
    }
    Ok(())
}

fn name_of(entry: &[u8]) -> &[u8] {
    entry.split(|byte| *byte == b'=').next().unwrap_or_default()
}

/// Where the entry of this name stands, its NUL included.
fn position(words: &[u8], name: &[u8]) -> Option<core::ops::Range<usize>> {
    let mut start = 0;
    while start < words.len() {
        let end = start + words[start..].iter().position(|byte| *byte == 0)? + 1;
        let entry = &words[start..end - 1];
        if entry.starts_with(name) && matches!(entry.get(name.len()), None | Some(b'=')) {
            return Some(start..end);
        }
        start = end;
    }
    None
}

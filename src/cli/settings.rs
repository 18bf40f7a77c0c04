//! Options that are settings (see [`crate::spec::settings`]).

use super::arguments::Arguments;
use super::command::Flag;
use crate::io::lossy::LossyC;
use crate::spec::settings::options::{self, OPTIONS, is_same};
use crate::spec::settings::{Draft, SETTINGS, Setting, rows};
use crate::{Error, Result};

/// Returns the flag of a row; an unknown option does not compile.
pub const fn flag(option: &str) -> Flag {
    let mut n = 0;
    while n < SETTINGS.len() {
        let row = &SETTINGS[n];
        if is_same(row.option.as_bytes(), option.as_bytes()) {
            return Flag { long: row.option, short: row.short, value: row.value, about: row.about };
        }
        n += 1;
    }
    panic!("no setting has this option")
}

/// The options of [`OPTIONS`].
pub const FLAGS: [Flag; OPTIONS.len()] = {
    let mut flags = [Flag::switch("", 0, ""); OPTIONS.len()];
    let mut n = 0;
    while n < OPTIONS.len() {
        let Setting { option, short, value, about, .. } = OPTIONS[n];
        flags[n] = Flag { long: option, short, value, about };
        n += 1;
    }
    flags
};

fn options() -> impl Iterator<Item = &'static Setting> {
    rows().iter().chain(options::rows()).filter(|row| !row.option.is_empty())
}

/// Returns the option of a setting that was given, if any.
pub fn parse_any(arguments: &Arguments<'_>) -> Option<&'static str> {
    options().map(|row| row.option).find(|option| arguments.has(option))
}

/// Returns the container's settings from the options.
pub fn parse<'a>(arguments: &Arguments<'a>) -> Result<Draft<'a>> {
    let mut draft = Draft::EMPTY;
    for row in options().filter(|row| arguments.has(row.option)) {
        if row.value.is_empty() {
            // A switch takes this value.
            (row.set)(&mut draft, b"on")
                .map_err(|why| Error::new(format_args!("--{}: {why}", row.option)))?;
            continue;
        }
        for value in arguments.values(row.option) {
            (row.set)(&mut draft, value.to_bytes()).map_err(|why| {
                let (not, why) = if why.is_empty() { ("not ", row.expected) } else { ("", why) };
                Error::new(format_args!("--{} {}: {not}{why}", row.option, LossyC(value)))
            })?;
        }
    }
    Ok(draft)
}

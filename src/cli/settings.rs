//! Options that are settings (see [`crate::spec::settings`]).

use super::arguments::Arguments;
use super::command::Flag;
use crate::io::lossy::LossyC;
use crate::spec::settings::{Draft, SETTINGS, rows};
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

const fn is_same(a: &[u8], b: &[u8]) -> bool {
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

/// Returns the container's settings from the options.
pub fn parse<'a>(arguments: &Arguments<'a>) -> Result<Draft<'a>> {
    let mut draft = Draft::EMPTY;
    for row in rows().iter().filter(|row| !row.option.is_empty() && arguments.has(row.option)) {
        if row.value.is_empty() {
            // A switch takes this value.
            let _ = (row.set)(&mut draft, b"on");
            continue;
        }
        for value in arguments.values(row.option) {
            (row.set)(&mut draft, value.to_bytes()).map_err(|why| {
                Error::new(format_args!("--{} {}: {why}", row.option, LossyC(value)))
            })?;
        }
    }
    Ok(draft)
}

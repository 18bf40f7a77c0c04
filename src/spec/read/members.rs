//! Values of members whose types were checked, and items of arrays, which are checked here.

use crate::codec::json::{Items, Text, Value};
use crate::error::{Error, Result};
use crate::io::strings::{Builder, PackedStrings, StringBlock};
use crate::io::text::{decimal, words};
use crate::spec::attributes::NumberSet;
use crate::spec::schema::{self, Member};
use core::ffi::CStr;

/// Returns a checked number, or 0 if it is absent.
pub(super) fn number(value: &Member<'_>) -> u32 {
    value.as_ref().map_or(0, as_u32)
}

pub(super) fn as_u32(value: &Value<'_>) -> u32 {
    value.as_u64().unwrap_or(0) as u32
}

pub(super) fn signed(value: &Member<'_>) -> Result<i64> {
    value.as_ref().map_or(Ok(0), |value| value.as_i64())
}

pub(super) fn truth(value: &Member<'_>) -> bool {
    value.as_ref().is_some_and(|value| value.as_json() == "true")
}

/// Returns the items of an array; none without one.
pub(super) fn items<'v>(list: &Member<'v>) -> Items<'v> {
    list.as_ref().and_then(|list| list.as_array()).unwrap_or_default()
}

/// Returns a value that the table requires.
pub(super) fn needed<'a, 'v>(value: &'a Member<'v>) -> &'a Value<'v> {
    value.as_ref().unwrap_or(&Value::NOTHING)
}

/// Returns a path from the root, even if the text is relative.
pub(super) fn from_root<'m>(path: &Value<'_>, strings: &mut StringBlock<'m>) -> Result<&'m CStr> {
    let mut builder = strings.begin();
    if !path.as_text()?.as_escaped().starts_with('/') {
        builder.push(b"/")?;
    }
    add(*path, &mut builder)?;
    builder.finish()
}

/// Returns the strings of a list.
pub(super) fn list<'m>(
    list: &Member<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    words_of(list, b"'", strings)
}

/// Returns the absolute paths of a list.
pub(super) fn paths<'m>(
    list: &Member<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    words_of(list, b"/", strings)
}

fn words_of<'m>(
    list: &Member<'_>,
    kind: &[u8],
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut words = strings.begin();
    for one in items(list) {
        if kind != b"'" {
            schema::one(&one, kind)?;
        }
        add(one, &mut words)?;
        words.end_word()?;
    }
    Ok(words.finish_words())
}

/// Returns the members of an object with free names: name, value, next name.
pub(super) fn pairs<'m>(
    object: &Member<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<PackedStrings<'m>> {
    let mut said = strings.begin();
    let entries = object.map(schema::entries).transpose()?;
    for (key, value) in entries.unwrap_or_default() {
        put(&key, value, &mut said)?;
        said.end_word()?;
        add(value, &mut said)?;
        said.end_word()?;
    }
    Ok(said.finish_words())
}

/// Returns a string, or None if it is empty, as in Go.
pub(super) fn string<'m>(
    text: &Member<'_>,
    strings: &mut StringBlock<'m>,
) -> Result<Option<&'m CStr>> {
    let Some(text) = text else { return Ok(None) };
    let mut builder = strings.begin();
    add(*text, &mut builder)?;
    if builder.is_empty() { Ok(None) } else { builder.finish().map(Some) }
}

pub(super) fn add(value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    put(&value.as_text()?, value, builder)
}

pub(super) fn put(text: &Text<'_>, value: Value<'_>, builder: &mut Builder<'_, '_>) -> Result<()> {
    text.write_to(builder).map_err(|error| value.at(error))
}

pub(super) fn is_absolute(path: &CStr) -> bool {
    path.to_bytes().first() == Some(&b'/')
}

/// Returns the index of this text in a list, without the words' common prefix.
pub(super) fn place(value: &Value<'_>, prefix: &str, known: &'static str) -> Result<usize> {
    let text = value.as_text()?.as_escaped();
    let name = text.as_bytes().strip_prefix(prefix.as_bytes());
    let found = words(known).position(|word| Some(word) == name);
    found.ok_or_else(|| value.at(Error::new(format_args!("{text}: unknown"))))
}

/// Returns a bit for each flag, by its index in a list.
pub(super) fn flags(list: &Member<'_>, prefix: &str, known: &'static str) -> Result<u64> {
    items(list).try_fold(0, |bits, flag| Ok(bits | 1 << place(&flag, prefix, known)?))
}

/// Returns CPUs or nodes: `0-3,7`.
pub(super) fn number_set(list: &Value<'_>) -> Result<NumberSet> {
    let mut set = NumberSet::default();
    for part in list.as_text()?.as_escaped().as_bytes().split(|byte| *byte == b',') {
        let mut ends = part.splitn(2, |byte| *byte == b'-').map(|end| decimal(end.trim_ascii()));
        let first = ends.next().flatten();
        let last = ends.next().unwrap_or(first);
        let (Some(first), Some(last)) = (first, last) else {
            return Err(list.error("not a list of numbers"));
        };
        if first > last || last >= 64 * set.len() as u64 {
            return Err(list.error("not a range of numbers below 1024"));
        }
        (first..=last).for_each(|number| set[number as usize / 64] |= 1 << (number % 64));
    }
    Ok(set)
}

/// Returns the error for an unknown keyword.
#[cold]
pub(super) fn refused(value: &Value<'_>, why: &str) -> Error {
    value.at(Error::new(format_args!("{}: {why}", value.as_text().unwrap_or_default())))
}

//! A command's arguments: options by a table, parsed in place by getargs.

use super::command::{Command, Flag, GLOBAL, Usage, VERSION};
use super::nearest::nearest;
use super::options::IMAGE;
use crate::io::lossy::{Lossy, LossyC};
use crate::limits::OPTIONS_GIVEN_MAX;
use crate::{Error, Result};
use core::ffi::CStr;
use getargs::{Arg, Argument, Options};

/// The command line without the program's name. Its options are parsed once.
pub struct Arguments<'a> {
    words: &'a [&'a CStr],
    command: Option<&'static Command>,
    /// Each given option, once, with its last value.
    given: heapless::Vec<(&'static str, Option<&'a CStr>), OPTIONS_GIVEN_MAX>,
}

/// One piece of the command line.
enum Piece<'a> {
    Given(&'static Flag, Option<&'a CStr>),
    Word(&'a CStr),
}

impl<'a> Arguments<'a> {
    /// Parses the options before the command's name.
    pub fn new(words: &'a [&'a CStr]) -> Arguments<'a> {
        let mut arguments = Arguments { words, command: None, given: heapless::Vec::new() };
        // `name` returns the error.
        let _ = arguments.read();
        arguments
    }

    /// Checks the same words as those of `command`: its options with their values, and the number
    /// of words.
    pub fn of(&self, command: &'static Command) -> Result<Arguments<'a>> {
        let (words, given) = (self.words, heapless::Vec::new());
        let mut arguments = Arguments { words, command: Some(command), given };
        arguments.read()?;
        let (count, name, usage) = (arguments.words().count(), command.name, Usage(command));
        match () {
            _ if arguments.has("help") => Ok(arguments),
            _ if count < command.least => {
                let missing = command.words.split(' ').nth(count).unwrap_or_default();
                Err(Error::new(format_args!("{name}: no {missing}: usage: ocinit {usage}")))
            }
            _ if count > command.most => {
                let surplus = LossyC(arguments.word(command.most));
                Err(Error::new(format_args!(
                    "{name}: {surplus}: one word too many: usage: ocinit {usage}"
                )))
            }
            _ => Ok(arguments),
        }
    }

    /// Parses all words, and stores the options.
    fn read(&mut self) -> Result<()> {
        let mut walk = self.walk();
        while let Some(piece) = walk.next()? {
            let Piece::Given(flag, value) = piece else { continue };
            match self.given.iter_mut().find(|(long, _)| *long == flag.long) {
                Some((_, last)) => *last = value,
                None => self.given.push((flag.long, value)).map_err(|_| {
                    Error::new(format_args!("more than {OPTIONS_GIVEN_MAX} options"))
                })?,
            }
        }
        Ok(())
    }

    /// Returns the command's name.
    pub fn name(&self) -> Result<Option<&'a CStr>> {
        let mut walk = self.walk();
        while let Some(piece) = walk.next()? {
            if let Piece::Word(name) = piece {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn last(&self, long: &str) -> Option<Option<&'a CStr>> {
        self.given.iter().find(|(name, _)| *name == long).map(|(_, value)| *value)
    }

    /// Returns whether an option was given.
    pub fn has(&self, long: &str) -> bool {
        self.last(long).is_some()
    }

    /// Returns the value of an option; the last one counts.
    pub fn value(&self, long: &str) -> Option<&'a CStr> {
        self.last(long).flatten()
    }

    /// Returns the values of a repeatable option, in order.
    pub fn values(&self, long: &'static str) -> Values<'a> {
        Values { walk: self.walk(), long }
    }

    /// Returns the words after the command's name that are not options.
    pub fn words(&self) -> TypedWords<'a> {
        let mut words = TypedWords(self.walk());
        let _ = words.next();
        words
    }

    /// Returns word `n` after the command's name, from 0, without the options. The caller knows the
    /// number of words.
    pub fn word(&self, n: usize) -> &'a CStr {
        self.words().nth(n).unwrap_or(c"")
    }

    fn walk(&self) -> Walk<'a> {
        let word: fn(&&'a CStr) -> Word<'a> = |word| Word(word.to_bytes_with_nul());
        Walk {
            options: Options::new(self.words.iter().map(word)),
            command: self.command,
            words: 0,
            is_begun: false,
            passes_on: self.command.is_some_and(Command::passes_on),
        }
    }
}

/// The values of one option, in order.
pub struct Values<'a> {
    walk: Walk<'a>,
    long: &'static str,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        loop {
            match self.walk.next().ok()?? {
                Piece::Given(flag, value) if flag.long == self.long => return value,
                _ => {}
            }
        }
    }
}

/// The words that are not options.
pub struct TypedWords<'a>(Walk<'a>);

impl<'a> Iterator for TypedWords<'a> {
    type Item = &'a CStr;

    fn next(&mut self) -> Option<&'a CStr> {
        loop {
            if let Piece::Word(word) = self.0.next().ok()?? {
                return Some(word);
            }
        }
    }
}

type Source<'a> = core::iter::Map<core::slice::Iter<'a, &'a CStr>, fn(&&'a CStr) -> Word<'a>>;

/// Iterates over the words. Without a command it ends at the first word that is not an option.
struct Walk<'a> {
    options: Options<Word<'a>, Source<'a>>,
    command: Option<&'static Command>,
    /// Number of words so far that were not options.
    words: usize,
    is_begun: bool,
    passes_on: bool,
}

impl<'a> Walk<'a> {
    fn next(&mut self) -> Result<Option<Piece<'a>>> {
        loop {
            // The options after the name depend on the command.
            if self.command.is_none() && self.words > 0 {
                return Ok(None);
            }
            // Words after the first: always for exec, after an image for other commands.
            let is_raw = self.words > 1 && self.passes_on;
            let next = match is_raw {
                true => Ok(self.options.next_positional().map(Arg::Positional)),
                false => self.options.next_arg(),
            };
            let next =
                next.map_err(|_| Error::new(format_args!("an option has a value it cannot take")))?;
            let Some(next) = next else { return Ok(None) };
            let letter;
            let (dashes, name) = match next {
                Arg::Long(name) => ("--", name.bytes()),
                Arg::Short(byte) => {
                    letter = [byte];
                    ("-", &letter[..])
                }
                Arg::Positional(word) => {
                    // One `--` may precede the passed-on words.
                    let is_first = is_raw && !core::mem::replace(&mut self.is_begun, true);
                    if is_first && word.ends_opts() && !self.options.opts_ended() {
                        continue;
                    }
                    self.words += 1;
                    return Ok(Some(Piece::Word(word.value())));
                }
            };
            let is_long = dashes.len() == 2;
            let command = self.command.filter(|_| self.words > 0);
            let own = command.map_or(&[][..], |command| command.flags);
            let is_it = |flag: &&Flag| {
                if is_long { flag.long.as_bytes() == name } else { name == [flag.short] }
            };
            // After a command's name `-v` may be another option, because a command has no version.
            let is_before = self.words == 0;
            let global = GLOBAL.iter().filter(|flag| is_before || flag.long != VERSION);
            let Some(flag) = own.iter().chain(global).find(is_it) else {
                return Err(unknown(self.command, dashes, name, own));
            };
            let value = match flag.value {
                // As in Go.
                "" if is_long => match self.options.value_opt().map(Word::bytes) {
                    None | Some(b"true") => None,
                    Some(b"false") => continue,
                    Some(_) => {
                        return Err(Error::new(format_args!("--{} takes no value", flag.long)));
                    }
                },
                "" => None,
                what if what.starts_with('[') => self.options.value_opt(),
                what => Some(self.options.value().map_err(|_| {
                    Error::new(format_args!("{dashes}{} needs a value: {what}", Lossy(name)))
                })?),
            };
            if flag.long == IMAGE.long {
                if self.words > 1 {
                    let name = self.command.map_or("", |command| command.name);
                    return Err(Error::new(format_args!(
                        "{name}: --image stands before the ID: what follows the ID is the command in the image"
                    )));
                }
                self.passes_on = true;
            }
            return Ok(Some(Piece::Given(flag, value.map(Word::value))));
        }
    }
}

#[cold]
fn unknown(
    command: Option<&'static Command>,
    dashes: &str,
    name: &[u8],
    own: &'static [Flag],
) -> Error {
    let is_known = |flag: &&Flag| command.is_none() || flag.long != VERSION;
    let (name_shown, known) =
        (Lossy(name), own.iter().chain(GLOBAL).filter(is_known).map(|flag| flag.long));
    let (of, colon) = command.map_or(("", ""), |command| (command.name, ": "));
    match nearest(name, &mut { known }) {
        Some(near) if dashes.len() == 2 => {
            Error::new(format_args!("{of}{colon}no option --{name_shown}; did you mean --{near}?"))
        }
        _ => Error::new(format_args!("{of}{colon}no option {dashes}{name_shown}: see --help")),
    }
}

/// Returns the error for a value that the option does not have.
#[cold]
pub fn choice(option: &str, value: &CStr, known: &str) -> Error {
    Error::new(format_args!("{option} {}: neither {known}", LossyC(value)))
}

/// A word or a part of it, for getargs. If it reaches the word's end, a NUL follows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word<'a>(&'a [u8]);

impl<'a> Word<'a> {
    fn bytes(self) -> &'a [u8] {
        self.0.strip_suffix(b"\0").unwrap_or(self.0)
    }

    /// Returns it as a C string. Only an option's name before a `=` lacks the NUL, and needs none.
    fn value(self) -> &'a CStr {
        CStr::from_bytes_with_nul(self.0).unwrap_or(c"")
    }

    /// Returns the rest after these first bytes, unless it is empty.
    fn after(self, start: &[u8]) -> Option<Word<'a>> {
        self.0.strip_prefix(start).filter(|rest| rest.len() > 1).map(Word)
    }
}

impl Argument for Word<'_> {
    type ShortOpt = u8;

    fn ends_opts(self) -> bool {
        self.bytes() == b"--"
    }

    fn parse_long_opt(self) -> Option<(Self, Option<Self>)> {
        let name = self.after(b"--")?;
        let at = name.0.iter().position(|&byte| byte == b'=');
        let parts = at.and_then(|at| Some((name.0.get(..at)?, name.0.get(at + 1..)?)));
        Some(parts.map_or((name, None), |(name, value)| (Word(name), Some(Word(value)))))
    }

    fn parse_short_cluster(self) -> Option<Self> {
        self.after(b"-")
    }

    fn consume_short_opt(self) -> (u8, Option<Self>) {
        let (letter, rest) = self.0.split_first().unwrap_or((&0, &[]));
        (*letter, Some(Word(rest)).filter(|rest| rest.0.len() > 1))
    }

    fn consume_short_val(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests;

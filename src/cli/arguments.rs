//! The words of a command: options by a table, read by getargs where they stand, as often as
//! somebody asks.

use super::making::IMAGE;
use super::{Command, GLOBAL, VERSION, nearest};
use crate::io::lossy::{Lossy, LossyC};
use crate::{Error, Result};
use core::ffi::CStr;
use getargs::{Arg, Argument, Options};

/// An option of a command.
pub struct Flag {
    /// Its name after `--`.
    pub long: &'static str,
    /// Its letter after `-`; 0 where it has none.
    pub short: u8,
    /// What its value is called; empty where it takes none. In brackets: only after a `=`.
    pub value: &'static str,
    /// For `--help`.
    pub about: &'static str,
}

impl Flag {
    /// An option that is there or not.
    pub const fn switch(long: &'static str, short: u8, about: &'static str) -> Flag {
        Flag { long, short, value: "", about }
    }

    /// An option with a value.
    pub const fn value(
        long: &'static str,
        short: u8,
        value: &'static str,
        about: &'static str,
    ) -> Flag {
        Flag { long, short, value, about }
    }
}

/// What was typed, without the program's name.
#[derive(Clone, Copy)]
pub struct Arguments<'a> {
    words: &'a [&'a CStr],
    command: Option<&'static Command>,
}

/// One thing that was typed.
enum Piece<'a> {
    Given(&'static Flag, Option<&'a CStr>),
    Word(&'a CStr),
}

impl<'a> Arguments<'a> {
    /// Before the command is known: options of all commands, then its name. What follows is not
    /// looked at.
    pub fn new(words: &'a [&'a CStr]) -> Arguments<'a> {
        Arguments { words, command: None }
    }

    /// The same words as those of `command`, checked: options that it has, with their values, and
    /// as many words as it takes.
    pub fn of(self, command: &'static Command) -> Result<Arguments<'a>> {
        let arguments = Arguments { command: Some(command), ..self };
        arguments.each(&mut |_| true)?;
        let (count, name, usage) = (arguments.words().count(), command.name, super::Usage(command));
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

    /// The command's name.
    pub fn name(&self) -> Result<Option<&'a CStr>> {
        let mut name = None;
        self.each(&mut |piece| match piece {
            Piece::Word(word) => {
                name = Some(word);
                false
            }
            Piece::Given(..) => true,
        })?;
        Ok(name)
    }

    /// Whether an option was given.
    pub fn has(&self, long: &str) -> bool {
        self.given(long, 0).is_some()
    }

    /// The value of an option; the last one counts.
    pub fn value(&self, long: &str) -> Option<&'a CStr> {
        (0..).map_while(|n| self.given(long, n)).last().flatten()
    }

    /// The values of an option that may be given many times, in order.
    pub fn values(self, long: &'static str) -> impl Iterator<Item = &'a CStr> {
        (0..).map_while(move |n| self.given(long, n).flatten())
    }

    /// The words that are no options, after the command's name.
    pub fn words(self) -> impl Iterator<Item = &'a CStr> {
        (1..).map_while(move |n| self.word_at(n))
    }

    /// One of the words that are no options, from 0 behind the command's name; where it is known
    /// how many there are.
    pub fn word(&self, n: usize) -> &'a CStr {
        self.word_at(n + 1).unwrap_or(c"")
    }

    fn word_at(&self, index: usize) -> Option<&'a CStr> {
        let (mut left, mut found) = (index + 1, None);
        let _ = self.each(&mut |piece| {
            if let Piece::Word(word) = piece {
                left -= 1;
                if left == 0 {
                    found = Some(word);
                }
            }
            left > 0
        });
        found
    }

    /// The use of an option after so many other uses of it, and its value.
    fn given(&self, long: &str, mut after: usize) -> Option<Option<&'a CStr>> {
        let mut found = None;
        let _ = self.each(&mut |piece| match piece {
            Piece::Given(flag, value) if flag.long == long => {
                found = (after == 0).then_some(value);
                after = after.wrapping_sub(1);
                found.is_none()
            }
            _ => true,
        });
        found
    }

    /// Shows each piece until `see` says no.
    fn each(&self, see: &mut dyn FnMut(Piece<'a>) -> bool) -> Result<()> {
        let mut options =
            Options::new(self.words.iter().map(|word| Word(word.to_bytes_with_nul())));
        let (mut words, mut is_begun) = (0, false);
        let mut passes_on = self.command.is_some_and(Command::passes_on);
        loop {
            // Words after the first: always for exec, after an image for other commands.
            let is_raw = words > 1 && passes_on;
            let next = match is_raw {
                true => Ok(options.next_positional().map(Arg::Positional)),
                false => options.next_arg(),
            };
            let next =
                next.map_err(|_| Error::new(format_args!("an option has a value it cannot take")))?;
            let Some(next) = next else { return Ok(()) };
            let letter;
            let (dashes, name) = match next {
                Arg::Long(name) => ("--", name.bytes()),
                Arg::Short(byte) => {
                    letter = [byte];
                    ("-", &letter[..])
                }
                Arg::Positional(word) => {
                    // One `--` may stand before the words that are passed on.
                    let is_first = is_raw && !core::mem::replace(&mut is_begun, true);
                    if is_first && word.ends_opts() && !options.opts_ended() {
                        continue;
                    }
                    words += 1;
                    // Whose options follow a name is not known before the command is.
                    match see(Piece::Word(word.value())) && self.command.is_some() {
                        true => continue,
                        false => return Ok(()),
                    }
                }
            };
            let is_long = dashes.len() == 2;
            let own = self.command.filter(|_| words > 0).map_or(&[][..], |command| command.flags);
            let is_it = |flag: &&Flag| {
                if is_long { flag.long.as_bytes() == name } else { name == [flag.short] }
            };
            // `-v` after a command's name is free for another option: a command has no version.
            let global = GLOBAL.iter().filter(|flag| words == 0 || flag.long != VERSION);
            let Some(flag) = own.iter().chain(global).find(is_it) else {
                return Err(self.unknown(dashes, name, own));
            };
            let value = match flag.value {
                // As Go has it.
                "" if is_long => match options.value_opt().map(Word::bytes) {
                    None | Some(b"true") => None,
                    Some(b"false") => continue,
                    Some(_) => {
                        return Err(Error::new(format_args!("--{} takes no value", flag.long)));
                    }
                },
                "" => None,
                what if what.starts_with('[') => options.value_opt(),
                what => Some(options.value().map_err(|_| {
                    Error::new(format_args!("{dashes}{} needs a value: {what}", Lossy(name)))
                })?),
            };
            if flag.long == IMAGE.long {
                if words > 1 {
                    return Err(self.late_image());
                }
                passes_on = true;
            }
            let piece = Piece::Given(flag, value.map(Word::value));
            if !see(piece) {
                return Ok(());
            }
        }
    }
}

impl Arguments<'_> {
    #[cold]
    fn unknown(&self, dashes: &str, name: &[u8], own: &'static [Flag]) -> Error {
        let is_known = |flag: &&Flag| self.command.is_none() || flag.long != VERSION;
        let (name_shown, known) =
            (Lossy(name), own.iter().chain(GLOBAL).filter(is_known).map(|flag| flag.long));
        let (of, colon) = self.command.map_or(("", ""), |command| (command.name, ": "));
        match nearest(name, &mut { known }) {
            Some(near) if dashes.len() == 2 => Error::new(format_args!(
                "{of}{colon}no option --{name_shown}; did you mean --{near}?"
            )),
            _ => Error::new(format_args!("{of}{colon}no option {dashes}{name_shown}: see --help")),
        }
    }

    #[cold]
    fn late_image(&self) -> Error {
        let name = self.command.map_or("", |command| command.name);
        Error::new(format_args!(
            "{name}: --image stands before the ID: what follows the ID is the command in the image"
        ))
    }
}

/// A word, or a part of one, as getargs wants it: with the NUL behind it where it reaches to the
/// word's end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Word<'a>(&'a [u8]);

impl<'a> Word<'a> {
    fn bytes(self) -> &'a [u8] {
        self.0.strip_suffix(b"\0").unwrap_or(self.0)
    }

    /// As a C string, which a name before a `=` never has to be.
    fn value(self) -> &'a CStr {
        CStr::from_bytes_with_nul(self.0).unwrap_or(c"")
    }

    /// What follows these first bytes, where that is more than nothing.
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
mod tests {
    use super::super::{PASSED_ON, Run};
    use super::*;

    const TEST: Command = Command {
        name: "test",
        words: "A [B]",
        least: 1,
        most: 2,
        about: "",
        flags: &[Flag::switch("all", b'a', ""), Flag::value("env", b'e', "NAME=VALUE", "")],
        run: Run::Image(|_| Ok(())),
    };

    fn check<'a>(words: &'a [&'a CStr]) -> Result<Arguments<'a>> {
        Arguments::new(words).of(&const { TEST })
    }

    #[test]
    fn options_stand_anywhere_and_values_in_any_form() {
        let words = [
            c"--quiet",
            c"test",
            c"one",
            c"-ae",
            c"X=1",
            c"--env=Y=2",
            c"-eZ",
            c"--env",
            c"",
            c"two",
        ];
        let arguments = check(&words).unwrap();
        assert_eq!(arguments.name().unwrap(), Some(c"test"));
        assert_eq!((arguments.word(0), arguments.word(1)), (c"one", c"two"));
        assert_eq!(arguments.words().collect::<Vec<_>>(), [c"one", c"two"]);
        assert!(arguments.has("quiet") && arguments.has("all") && !arguments.has("help"));
        assert_eq!(arguments.values("env").collect::<Vec<_>>(), [c"X=1", c"Y=2", c"Z", c""]);
        assert_eq!((arguments.value("env"), arguments.value("all")), (Some(c""), None));
    }

    static PASSING: Command = Command { name: "exec", most: PASSED_ON, ..TEST };

    #[test]
    fn what_follows_the_first_word_may_be_somebody_elses() {
        let words =
            [c"exec", c"-a", c"--env", c"X=1", c"id", c"ls", c"--env=Y", c"--", c"-x", c"--help"];
        let arguments = Arguments::new(&words).of(&PASSING).unwrap();
        assert_eq!(
            arguments.words().collect::<Vec<_>>(),
            [c"id", c"ls", c"--env=Y", c"--", c"-x", c"--help"]
        );
        assert_eq!(arguments.values("env").collect::<Vec<_>>(), [c"X=1"]);
        assert!(arguments.has("all") && !arguments.has("help"));
        for words in [[c"exec", c"id", c"--", c"-a"], [c"exec", c"--", c"id", c"-a"]] {
            let arguments = Arguments::new(&words).of(&PASSING).unwrap();
            assert_eq!(arguments.words().collect::<Vec<_>>(), [c"id", c"-a"]);
            assert!(!arguments.has("all"));
        }
        let words = [c"exec", c"--", c"id", c"--", c"-a"];
        let arguments = Arguments::new(&words).of(&PASSING).unwrap();
        assert_eq!(
            arguments.words().collect::<Vec<_>>(),
            [c"id", c"--", c"-a"],
            "the first one ends the options"
        );
    }

    const MAKING: &[Flag] = &[IMAGE, Flag::switch("detach", b'd', "")];
    static RUNNING: Command =
        Command { name: "run", words: "ID [ARG]...", most: 9, flags: MAKING, ..TEST };

    #[test]
    fn with_an_image_nothing_after_the_id_is_ours() {
        for users in [
            &[c"ls", c"-d", c"/bin"][..],
            &[c"grep", c"-q", c"x"],
            &[c"echo", c"--help"],
            &[c"sh", c"-c", c"exit 3"],
            &[c"a", c"--", c"--image", c"b"],
            &[c"-d"],
            &[c"--image"],
            &[],
        ] {
            for dashes in [&[][..], &[c"--"]] {
                let words = [&[c"run", c"--image=/i", c"id"], dashes, users].concat();
                let arguments = Arguments::new(&words).of(&RUNNING);
                if dashes.is_empty() && users == [c"--image"] {
                    assert!(arguments.is_ok(), "it is the command's own");
                }
                let arguments = arguments.unwrap();
                assert!(
                    !arguments.has("detach") && !arguments.has("help") && !arguments.has("quiet"),
                    "{words:?}"
                );
                assert_eq!(arguments.words().skip(1).collect::<Vec<_>>(), users, "{words:?}");
                assert_eq!(arguments.value("image"), Some(c"/i"));
            }
        }
        let before = [c"run", c"-d", c"--image", c"/i", c"--", c"id", c"-d"];
        let arguments = Arguments::new(&before).of(&RUNNING).unwrap();
        assert!(arguments.has("detach"));
        assert_eq!(arguments.words().collect::<Vec<_>>(), [c"id", c"-d"]);
        // Without an image options may follow the ID, and an image that comes late is told.
        assert!(Arguments::new(&[c"run", c"id", c"-d"]).of(&RUNNING).unwrap().has("detach"));
        for words in
            [&[c"run", c"id", c"--image", c"/i"][..], &[c"run", c"id", c"ls", c"--image=/i"]]
        {
            let error = Arguments::new(words).of(&RUNNING).err().unwrap().to_string();
            assert!(error.starts_with("run: --image stands before the ID"), "{error}");
        }
    }

    #[test]
    fn options_of_all_commands_may_stand_before_the_name_and_no_other_is_looked_at() {
        let words =
            [c"--root", c"/r", c"--rootless=true", c"exec", c"--frobnicate", c"--log", c"x"];
        let arguments = Arguments::new(&words);
        assert_eq!(arguments.name().unwrap(), Some(c"exec"));
        assert_eq!((arguments.value("root"), arguments.value("log")), (Some(c"/r"), None));
        assert_eq!(arguments.value("rootless"), Some(c"true"));
    }

    #[test]
    fn a_value_may_be_left_out_and_a_switch_may_be_off() {
        let words = [c"test", c"--rootless", c"one", c"--all=false", c"--quiet=true"];
        let arguments = check(&words).unwrap();
        assert!(arguments.has("rootless") && arguments.value("rootless").is_none());
        assert!(!arguments.has("all") && arguments.has("quiet"));
        assert_eq!(arguments.word(0), c"one");
    }

    #[test]
    fn two_dashes_end_the_options_and_one_is_a_word() {
        let words = [c"test", c"-", c"--", c"--all"];
        let arguments = check(&words).unwrap();
        assert_eq!(arguments.words().collect::<Vec<_>>(), [c"-", c"--all"]);
        assert!(!arguments.has("all"));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_nearest_right_one() {
        for (words, text) in [
            (&[c"test", c"--al", c"x"][..], "test: no option --al; did you mean --all?"),
            (&[c"test", c"--frobnicate", c"x"], "test: no option --frobnicate: see --help"),
            (&[c"test", c"-x", c"x"], "test: no option -x: see --help"),
            (&[c"--all", c"test", c"x"], "test: no option --all: see --help"),
            (&[c"test", c"-v", c"x"], "test: no option -v: see --help"),
            (&[c"test", c"--version", c"x"], "test: no option --version: see --help"),
            (&[c"test", c"x", c"--env"], "--env needs a value: NAME=VALUE"),
            (&[c"test", c"x", c"-e"], "-e needs a value: NAME=VALUE"),
            (&[c"test", c"x", c"--all=yes"], "--all takes no value"),
            (&[c"test"], "test: no A: usage: ocinit test [OPTION]... A [B]"),
            (
                &[c"test", c"1", c"2", c"3"],
                "test: 3: one word too many: usage: ocinit test [OPTION]... A [B]",
            ),
        ] {
            assert_eq!(check(words).err().unwrap().to_string(), text);
        }
        assert!(check(&[c"test", c"--help"]).is_ok());
    }
}

//! The image's configuration (config.md): checked once when it is opened, then read where it stands.

use crate::Result;
use crate::codec::json::{Entries, Items, Text, Value};

/// The configuration of an image. Every field that is read here has the type it must have: that was checked.
/// A text that is absent, null or empty is `None`; a list that is absent or null is empty.
#[derive(Clone, Copy)]
pub struct Config<'m> {
    texts: [Text<'m>; TEXTS.len()],
    lists: [Option<Value<'m>>; LISTS.len()],
    maps: [Option<Value<'m>>; MAPS.len()],
}

/// Texts, lists of texts, and maps: where each stands, at the top or in `config`.
const TEXTS: [(bool, &str); 10] = [
    (false, "architecture"),
    (false, "os"),
    (false, "variant"),
    (false, "os.version"),
    (false, "created"),
    (false, "author"),
    (true, "User"),
    (true, "WorkingDir"),
    (true, "StopSignal"),
    (true, "Hostname"),
];
const LISTS: [(bool, &str); 4] = [(true, "Env"), (true, "Entrypoint"), (true, "Cmd"), (false, "os.features")];
const MAPS: [(bool, &str); 3] = [(true, "Labels"), (true, "Volumes"), (true, "ExposedPorts")];

macro_rules! texts {
    ($($index:literal $name:ident $doc:literal)*) => {
        $(#[doc = $doc] pub fn $name(&self) -> Option<Text<'m>> { self.text($index) })*
    };
}

impl<'m> Config<'m> {
    /// Checks every field that this type gives out.
    pub(crate) fn read(top: Value<'m>) -> Result<Config<'m>> {
        let process = top.get("config")?;
        let get = |(inner, key): (bool, &str)| match (inner, process) {
            (false, _) => top.get(key),
            (true, Some(process)) => process.get(key),
            (true, None) => Ok(None),
        };
        let mut config = Config { texts: [Text::EMPTY; _], lists: [None; _], maps: [None; _] };
        for (place, field) in config.texts.iter_mut().zip(TEXTS) {
            if let Some(value) = get(field)? {
                *place = value.as_text()?;
            }
        }
        for (place, field) in config.lists.iter_mut().zip(LISTS) {
            *place = get(field)?;
            if let Some(list) = place {
                list.items()?.try_for_each(|item| item.as_text().map(drop))?;
            }
        }
        for (place, field) in config.maps.iter_mut().zip(MAPS) {
            *place = get(field)?;
            if let Some(map) = place {
                map.entries()?;
            }
        }
        // What the values of Volumes and ExposedPorts are has no meaning; those of Labels are texts.
        config.map(0).filter(|(_, value)| !value.is_null()).try_for_each(|(_, value)| value.as_text().map(drop))?;
        top.require("architecture")?;
        top.require("os")?;
        Ok(config)
    }

    texts! {
        2 variant "The processor's variant: `v8`."
        3 os_version "The operating system's version."
        4 created "When it was made (RFC 3339)."
        5 author "Who made it."
        6 user "`user`, `uid`, `user:group`, `uid:gid`, `uid:group` or `user:gid`."
        7 working_dir "Where the process starts."
        8 stop_signal "The signal that asks the process to end: `SIGTERM`, `SIGRTMIN+3`, `15`."
        9 hostname "docker's field, of which the image-spec knows nothing."
    }

    /// The processor the image is for, in Go's names.
    pub fn architecture(&self) -> Text<'m> {
        self.texts[0]
    }

    /// The operating system the image is for, in Go's names.
    pub fn os(&self) -> Text<'m> {
        self.texts[1]
    }

    /// The environment, `NAME=VALUE` each.
    pub fn env(&self) -> Texts<'m> {
        self.list(0)
    }

    /// What is executed, before the arguments.
    pub fn entrypoint(&self) -> Texts<'m> {
        self.list(1)
    }

    /// Arguments of the entrypoint, or the command where there is none.
    pub fn cmd(&self) -> Texts<'m> {
        self.list(2)
    }

    /// Features that the operating system must have.
    pub fn os_features(&self) -> Texts<'m> {
        self.list(3)
    }

    /// Labels, name and value. A name may stand there twice: the last one counts.
    pub fn labels(&self) -> impl Iterator<Item = (Text<'m>, Text<'m>)> + use<'m> {
        self.map(0).map(|(name, value)| (name, value.as_text().unwrap_or(Text::EMPTY)))
    }

    /// Directories that are to be volumes.
    pub fn volumes(&self) -> impl Iterator<Item = Text<'m>> + use<'m> {
        self.map(1).map(|(name, _)| name)
    }

    /// Ports it listens on: `port/tcp`, `port/udp`, or `port`, which is tcp.
    pub fn exposed_ports(&self) -> impl Iterator<Item = Text<'m>> + use<'m> {
        self.map(2).map(|(name, _)| name)
    }

    fn text(&self, index: usize) -> Option<Text<'m>> {
        Some(self.texts[index]).filter(|text| !text.is_empty())
    }

    fn list(&self, index: usize) -> Texts<'m> {
        Texts(self.lists[index].and_then(|list| list.items().ok()))
    }

    fn map(&self, index: usize) -> core::iter::Flatten<core::option::IntoIter<Entries<'m>>> {
        self.maps[index].and_then(|map| map.entries().ok()).into_iter().flatten()
    }
}

/// A list of texts.
#[derive(Clone)]
pub struct Texts<'m>(Option<Items<'m>>);

impl<'m> Iterator for Texts<'m> {
    type Item = Text<'m>;

    fn next(&mut self) -> Option<Text<'m>> {
        self.0.as_mut()?.next()?.as_text().ok()
    }
}

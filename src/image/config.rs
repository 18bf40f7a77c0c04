//! The image's configuration (config.md): checked once at opening, then read in place.

use crate::Result;
use crate::codec::json::{Entries, Items, Text, Value};

/// The configuration of an image, with all types checked. A text that is absent, null or empty is
/// `None`; a list that is absent or null is empty.
#[derive(Clone, Copy)]
pub struct Config<'m> {
    document: Value<'m>,
    /// The member `config`.
    process: Option<Value<'m>>,
}

/// The type of a field.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    /// A list of texts.
    List,
    /// An object whose values are texts, or null.
    Labels,
    /// An object whose keys are the values.
    Set,
}

/// The fields at the top (false) and in `config` (true).
static FIELDS: [(bool, &str, Kind); 17] = [
    (false, "architecture", Kind::Text),
    (false, "os", Kind::Text),
    (false, "variant", Kind::Text),
    (false, "os.version", Kind::Text),
    (false, "created", Kind::Text),
    (false, "author", Kind::Text),
    (true, "User", Kind::Text),
    (true, "WorkingDir", Kind::Text),
    (true, "StopSignal", Kind::Text),
    (true, "Hostname", Kind::Text),
    (false, "os.features", Kind::List),
    (true, "Env", Kind::List),
    (true, "Entrypoint", Kind::List),
    (true, "Cmd", Kind::List),
    (true, "Labels", Kind::Labels),
    (true, "Volumes", Kind::Set),
    (true, "ExposedPorts", Kind::Set),
];

macro_rules! texts {
    ($($index:literal $name:ident $doc:literal)*) => {
        $(#[doc = $doc] pub fn $name(&self) -> Option<Text<'m>> { self.text($index) })*
    };
}

impl<'m> Config<'m> {
    /// Checks the type of every field of a document. Returns the configuration.
    #[inline(never)]
    pub fn read(top: Value<'m>) -> Result<Config<'m>> {
        let config = Config { document: top, process: top.get("config")? };
        for field in &FIELDS {
            let Some(value) = config.get(field)? else { continue };
            match field.2 {
                Kind::Text => drop(value.as_text()?),
                Kind::List => value.items()?.try_for_each(|item| item.as_text().map(drop))?,
                Kind::Set => _ = value.entries()?,
                Kind::Labels => {
                    let mut labels = value.entries()?.filter(|(_, value)| !value.is_null());
                    labels.try_for_each(|(_, value)| value.as_text().map(drop))?;
                }
            }
        }
        ["architecture", "os"].iter().try_for_each(|key| top.require(key).map(drop))?;
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

    /// Returns the whole document.
    pub fn document(&self) -> Value<'m> {
        self.document
    }

    /// Returns the processor the image is for, in Go's names.
    pub fn architecture(&self) -> Text<'m> {
        self.text(0).unwrap_or(Text::EMPTY)
    }

    /// Returns the operating system the image is for, in Go's names.
    pub fn os(&self) -> Text<'m> {
        self.text(1).unwrap_or(Text::EMPTY)
    }

    /// Returns its self-description by the config's names: architecture, os, variant, os.version,
    /// created, author. Absent ones are left out.
    pub fn about(&self) -> impl Iterator<Item = (&'static str, Text<'m>)> {
        FIELDS
            .iter()
            .enumerate()
            .take(6)
            .filter_map(|(index, (_, name, _))| Some((*name, self.text(index)?)))
    }

    /// Returns the environment, `NAME=VALUE` each.
    pub fn env(&self) -> Texts<'m> {
        self.list(11)
    }

    /// Returns the words that precede the arguments.
    pub fn entrypoint(&self) -> Texts<'m> {
        self.list(12)
    }

    /// Returns the entrypoint's arguments, or the command if there is no entrypoint.
    pub fn cmd(&self) -> Texts<'m> {
        self.list(13)
    }

    /// Returns the features that the operating system must have.
    pub fn os_features(&self) -> Texts<'m> {
        self.list(10)
    }

    /// Returns labels, name and value. Of a repeated name the last one counts.
    pub fn labels(&self) -> impl Iterator<Item = (Text<'m>, Text<'m>)> + use<'m> {
        self.map(14).map(|(name, value)| (name, value.as_string().unwrap_or(Text::EMPTY)))
    }

    /// Returns the directories that become volumes.
    pub fn volumes(&self) -> impl Iterator<Item = Text<'m>> + use<'m> {
        self.map(15).map(|(name, _)| name)
    }

    /// Returns exposed ports: `port/tcp`, `port/udp`, or `port`, which is tcp.
    pub fn exposed_ports(&self) -> impl Iterator<Item = Text<'m>> + use<'m> {
        self.map(16).map(|(name, _)| name)
    }

    fn get(&self, (is_inner, key, _): &(bool, &str, Kind)) -> Result<Option<Value<'m>>> {
        let object = if *is_inner { self.process } else { Some(self.document) };
        object.map_or(Ok(None), |object| object.get(key))
    }

    #[inline(never)]
    fn field(&self, index: usize) -> Option<Value<'m>> {
        self.get(&FIELDS[index]).ok().flatten()
    }

    fn text(&self, index: usize) -> Option<Text<'m>> {
        self.field(index)?.as_string().filter(|text| !text.is_empty())
    }

    fn list(&self, index: usize) -> Texts<'m> {
        Texts(self.field(index).and_then(|list| list.as_array()).unwrap_or_default())
    }

    fn map(&self, index: usize) -> Entries<'m> {
        self.field(index).and_then(|map| map.as_object()).unwrap_or_default()
    }
}

/// A list of texts; empty by default.
#[derive(Clone, Default)]
pub struct Texts<'m>(Items<'m>);

impl<'m> Iterator for Texts<'m> {
    type Item = Text<'m>;

    fn next(&mut self) -> Option<Text<'m>> {
        self.0.next()?.as_string()
    }
}

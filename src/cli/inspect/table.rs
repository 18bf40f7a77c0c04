//! Writes text for the user: a line for each fact, and lists in columns.

use crate::codec::digest::Digest;
use crate::codec::json::{Text, Value};
use crate::engine::inspect::{Row, View};
use crate::image::{Config, Layer, Platform};
use crate::io::lossy::Lossy;
use crate::io::output::{Output, Sink};
use crate::io::table;
use core::fmt::{self, Display, Write};

/// Spaces between two columns.
const GAP: usize = 2;
/// Columns of the names at the start of lines.
const NAME_COLUMNS: usize = 14;
/// Digits of a shortened digest, as in docker.
const DIGEST_DIGITS: usize = 12;

/// Values that are not shown.
const EMPTY: [&str; 6] = ["null", "\"\"", "{}", "[]", "false", "0"];

/// A table in progress.
pub struct Table<'a, 'f> {
    output: &'a mut Output<'f>,
    /// Inside the line of tags, or the list.
    in_tags: bool,
    in_rows: bool,
}

/// A rounded number of bytes: `80.6 MB`.
struct Bytes(u64);

impl Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut tenths, mut units) =
            (self.0.saturating_mul(10), ["B", "kB", "MB", "GB", "TB", "PB"].iter());
        let mut unit = units.next().unwrap_or(&"");
        while tenths >= 9_995
            && let Some(larger) = units.next()
        {
            tenths = (tenths + 500) / 1000;
            unit = larger;
        }
        match *unit {
            "B" => write!(f, "{} B", self.0),
            unit => write!(f, "{}.{} {unit}", tenths / 10, tenths % 10),
        }
    }
}

/// The first digits of a digest.
struct Short<'a>(&'a Digest);

impl Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.bytes().iter().take(DIGEST_DIGITS / 2).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A value of a document: a text unquoted, anything else as JSON.
struct Plain<'m>(Value<'m>);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_string() {
            Some(text) => text.fmt(f),
            None => f.write_str(self.0.as_json()),
        }
    }
}

impl<'a, 'f> Table<'a, 'f> {
    /// Returns an empty one.
    pub fn new(output: &'a mut Output<'f>) -> Table<'a, 'f> {
        Table { output, in_tags: false, in_rows: false }
    }

    /// Writes a part of the line.
    fn part(&mut self, what: &dyn Display) {
        table::part(self.output, what);
    }

    /// Writes a cell of a column with this width, and the gap after it. A width of 0 is the last of
    /// a line.
    fn cell(&mut self, width: usize, what: &dyn Display) {
        let columns = table::part(self.output, what);
        match width {
            0 => self.output.put(b"\n"),
            _ => table::fill(self.output, columns, width + GAP, GAP),
        }
    }

    fn end_tags(&mut self) {
        if core::mem::take(&mut self.in_tags) {
            self.output.put(b"\n");
        }
    }

    fn titles(&mut self, titles: &[(usize, &str)]) {
        titles.iter().for_each(|(width, title)| self.cell(*width, title));
    }

    fn line(&mut self, name: &dyn Display, what: &dyn Display) {
        self.cell(NAME_COLUMNS, name);
        self.cell(0, what);
    }

    /// Writes a member of a document, if it is present and not empty. Each item of a list has its
    /// own line.
    fn member(&mut self, name: &dyn Display, value: Option<Value<'_>>) {
        let Some(value) = value.filter(|value| !EMPTY.contains(&value.as_json())) else { return };
        if let Some(members) = value.as_object() {
            let mut name = name;
            for (key, value) in members {
                self.line(name, &format_args!("{key}={}", Plain(value)));
                name = &"";
            }
            return;
        }
        self.line(name, &Plain(value));
    }
}

impl View for Table<'_, '_> {
    fn lists_even_one(&self) -> bool {
        false
    }

    fn begin(&mut self, name: &[u8]) {
        self.line(&"Name", &Lossy(name));
    }

    fn tag(&mut self, tag: &Text<'_>) {
        match core::mem::replace(&mut self.in_tags, true) {
            true => self.output.put(b", "),
            false => self.cell(NAME_COLUMNS, &"Tags"),
        }
        self.part(tag);
    }

    fn manifest(&mut self, digest: &Digest, manifest: Option<(Value<'_>, u64)>) {
        self.end_tags();
        let Some((manifest, _)) = manifest else { return };
        self.line(&"Digest", digest);
        for (key, name) in
            &[("mediaType", "Media type"), ("subject", "Subject"), ("annotations", "Annotations")]
        {
            self.member(name, manifest.member(key));
        }
    }

    fn config(&mut self, digest: &Digest, config: &Config<'_>, layers: &[Layer]) {
        let document = config.document();
        self.line(&"Config", digest);
        self.line(&"Platform", &Platform::of(config));
        let (size, s) =
            (layers.iter().map(|layer| layer.size).sum(), if layers.len() == 1 { "" } else { "s" });
        self.line(&"Size", &format_args!("{} in {} layer{s}", Bytes(size), layers.len()));
        for (key, name) in
            &[("created", "Created"), ("author", "Author"), ("os.version", "OS version")]
        {
            self.member(name, document.member(key));
        }
        for (key, value) in document.entries_or_none("config") {
            match value.as_array() {
                // Each is long enough for a line.
                Some(items) if key == "Env" => items.for_each(|item| self.line(&key, &Plain(item))),
                _ => self.member(&key, Some(value)),
            }
        }
        self.output.put(b"\n");
        self.titles(&[(DIGEST_DIGITS, "LAYER"), (9, "SIZE"), (19, "CREATED"), (0, "BY")]);
        let (mut layers, mut history) = (layers.iter(), document.list_or_none("history"));
        loop {
            let step = history.next();
            let is_empty = step
                .and_then(|step| step.member("empty_layer"))
                .is_some_and(|it| it.as_json() == "true");
            let layer = if is_empty { None } else { layers.next() };
            if step.is_none() && layer.is_none() {
                break;
            }
            match layer {
                Some(layer) => {
                    self.cell(DIGEST_DIGITS, &Short(layer.name()));
                    self.cell(9, &Bytes(layer.size));
                }
                None => self.titles(&[(DIGEST_DIGITS, "-"), (9, "-")]),
            }
            let said = |key: &str| {
                step.and_then(|step| step.member(key))
                    .and_then(|it| it.as_string())
                    .unwrap_or(Text::EMPTY)
            };
            self.cell(19, &Moment(said("created")));
            self.cell(0, &said("created_by"));
        }
    }

    fn row(&mut self, row: &Row<'_>) {
        self.end_tags();
        if !core::mem::replace(&mut self.in_rows, true) {
            self.output.put(b"\n");
            self.titles(&[
                (DIGEST_DIGITS, "DIGEST"),
                (11, "KIND"),
                (16, "PLATFORM"),
                (6, "LAYERS"),
                (9, "SIZE"),
                (19, "CREATED"),
                (0, "TAG"),
            ]);
        }
        match *row.digest == Digest::ZERO {
            true => self.cell(DIGEST_DIGITS, &"-"),
            false => self.cell(DIGEST_DIGITS, &Short(row.digest)),
        }
        self.cell(11, &row.kind);
        self.cell(16, &row.platform);
        if row.kind == "index" || row.fault.is_some() {
            self.titles(&[(6, "-"), (9, "-")]);
        } else {
            self.cell(6, &row.layers.len());
            self.cell(9, &Bytes(row.layers.iter().map(|layer| layer.size).sum()));
        }
        self.cell(19, &Moment(row.created));
        let mut comma = "";
        for tag in row.tags.clone() {
            self.part(&format_args!("{comma}{}", Plain(tag)));
            comma = ", ";
        }
        self.part(&row.tag);
        if let Some(fault) = row.fault.as_ref().filter(|_| row.kind != "missing") {
            self.part(&format_args!("{}{fault}", if row.tag.is_empty() { "" } else { " " }));
        }
        if matches!(row.kind, "artifact" | "attestation") {
            self.part(&format_args!(
                "{}{}",
                if row.tag.is_empty() { "" } else { " " },
                row.media_type
            ));
        }
        self.output.put(b"\n");
    }

    fn end(&mut self) {
        self.end_tags();
    }
}

/// A time of RFC 3339 without fractions of a second, and `-` if it is missing.
struct Moment<'a>(Text<'a>);

impl Display for Moment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("-");
        }
        self.0
            .chars()
            .take(19)
            .try_for_each(|character| f.write_char(if character == 'T' { ' ' } else { character }))
    }
}

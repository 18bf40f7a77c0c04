//! A list of names for an error.

use crate::limits::TAG_LIST_BYTES;
use core::fmt::{self, Display, Write};

/// Some names for an error message, and the number of further ones.
pub struct List {
    text: heapless::String<TAG_LIST_BYTES>,
    last: usize,
    /// Number of names.
    pub count: usize,
    more: usize,
}

impl List {
    /// Returns an empty list.
    pub fn new() -> List {
        List { text: heapless::String::new(), last: 0, count: 0, more: 0 }
    }

    /// Adds a name, unless it is the last one again.
    pub fn add(&mut self, name: &dyn Display) {
        let length = self.text.len();
        let comma = if length == 0 { "" } else { ", " };
        self.count += 1;
        if write!(self.text, "{comma}{name}").is_err() {
            self.text.truncate(length);
            self.more += 1;
        } else if length > 0
            && self.text.as_bytes()[self.last..length]
                == self.text.as_bytes()[length + comma.len()..]
        {
            self.text.truncate(length);
        } else {
            self.last = length + comma.len();
        }
    }
}

impl Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.more, self.text.is_empty()) {
            (0, _) => f.write_str(&self.text),
            (more, true) => write!(f, "{more} with long names"),
            (more, false) => write!(f, "{} and {more} more", self.text),
        }
    }
}

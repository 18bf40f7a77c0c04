//! JSON (RFC 8259) without a heap and without recursion: checked once in place, then read where it
//! stands.
//!
//! [`check`] goes over a document once. It accepts exactly RFC 8259, less what a reader could take
//! in two ways (a byte order mark, unpaired surrogates, bytes after the end), and leaves the
//! document in one canonical form: no white space between tokens, and in strings every character as
//! itself, but for `"`, `\` and control characters. Equal strings are then equal bytes, so
//! `la\u0079ers` is `layers`.
//!
//! A [`Value`] is a span of the checked document. Nothing is stored: lists and objects are walked
//! where they stand, with no limit on their length. Single values and small fixed structs are read
//! by serde from a value's span ([`Value::read`]); what serde cannot say about a failure, the
//! value's path in the document does.
//!
//! [`Writer`] writes a document; what a [`Text`] or [`Value`] holds goes out as it stands.

mod check;
mod text;
mod value;
mod write;

pub use check::check;
pub use text::Text;
pub use value::{Entries, Items, Value};
pub use write::Writer;

#[cfg(test)]
mod tests;

//! JSON (RFC 8259) without a heap and without recursion: checked once in place, then read where it
//! stands.
//!
//! [`check()`] goes over a document once. It accepts exactly RFC 8259, except for text that two
//! readers could take differently (a byte order mark, unpaired surrogates, bytes after the end). It
//! leaves the document in one canonical form: no white space between tokens, and no escapes in
//! strings but for `"`, `\` and control characters. Equal strings are then equal bytes, so
//! `la\u0079ers` is `layers`.
//!
//! A [`Value`] is a span of the checked document. Lists and objects are walked in place, so their
//! length has no limit; [`check_with`] also keeps where they end ([`Ends`]). serde reads single
//! values and small fixed structs from a value's span ([`Value::read`]). The value's path in the
//! document completes serde's errors.
//!
//! [`Writer`] writes a document; a [`Text`] or [`Value`] is copied unchanged.

mod check;
mod text;
mod value;
mod write;

pub use check::{check, check_with};
pub use text::Text;
pub use value::{Ends, Entries, Items, Value};
pub use write::Writer;

#[cfg(test)]
mod tests;

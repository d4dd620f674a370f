//! Keys of list and leaf-list entries in their canonical order.

use serde::{Deserialize, Serialize};

/// The values of a list's keys (or of a leaf-list entry) as bytes whose order is the canonical order of entries:
/// numbers by value, everything else by its canonical text, key by key.
///
/// Invariant: equal keys have equal bytes, different keys different ones, and no key is a prefix of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Key(pub(crate) Box<[u8]>);

/// Builds a key value by value.
#[derive(Debug, Default)]
pub(crate) struct KeyBuilder(Vec<u8>);

impl KeyBuilder {
    /// A signed number; decimal64 in its smallest units.
    pub(crate) fn push_int(&mut self, value: i64) {
        let flipped = value.cast_unsigned() ^ (1 << 63);
        self.0.extend_from_slice(&flipped.to_be_bytes());
    }

    /// An unsigned number.
    pub(crate) fn push_uint(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// A text: a zero byte (which no YANG string has) ends it.
    pub(crate) fn push_text(&mut self, value: &str) {
        self.0.extend_from_slice(value.as_bytes());
        self.0.push(0);
    }

    /// The key.
    pub(crate) fn finish(self) -> Key {
        Key(self.0.into_boxed_slice())
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }
}

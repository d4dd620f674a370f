//! Keys of list and leaf-list entries in their canonical order.

use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The values of a list's keys (or of a leaf-list entry) as bytes whose order is the canonical order of entries:
/// numbers by value, everything else by its canonical text, key by key.
///
/// Invariant: equal keys have equal bytes, different keys different ones, and no key is a prefix of another.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "Vec<u8>", into = "Vec<u8>")]
pub(crate) struct Key(Repr);

/// Bytes that fit into a key itself.
const INLINE_LEN_MAX: usize = 22;

/// Most keys are short; they lie in the page of their entries.
#[derive(Clone)]
enum Repr {
    /// The length, and that many bytes.
    Inline(u8, [u8; INLINE_LEN_MAX]),
    Shared(Arc<[u8]>),
}

impl Key {
    /// The bytes.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or(bytes),
            Repr::Shared(bytes) => bytes,
        }
    }
}

impl From<&[u8]> for Key {
    fn from(bytes: &[u8]) -> Self {
        let mut inline = [0; INLINE_LEN_MAX];
        match (inline.get_mut(..bytes.len()), u8::try_from(bytes.len())) {
            (Some(slot), Ok(len)) => {
                slot.copy_from_slice(bytes);
                Self(Repr::Inline(len, inline))
            }
            _ => Self(Repr::Shared(Arc::from(bytes))),
        }
    }
}

impl From<Vec<u8>> for Key {
    fn from(bytes: Vec<u8>) -> Self {
        Self::from(bytes.as_slice())
    }
}

impl From<Key> for Vec<u8> {
    fn from(key: Key) -> Self {
        key.as_bytes().to_vec()
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.as_bytes().escape_ascii())
    }
}

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
        Key::from(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyBuilder};

    #[test]
    fn keys_are_ordered_as_their_values_are() {
        let key = |number: i64, unsigned: u64, text: &str| {
            let mut builder = KeyBuilder::default();
            builder.push_int(number);
            builder.push_uint(unsigned);
            builder.push_text(text);
            builder.finish()
        };
        let long = "a".repeat(40);
        let ascending = [
            key(i64::MIN, 0, ""),
            key(-1, u64::MAX, "z"),
            key(0, 1, ""),
            key(0, 1, "a"),
            key(0, 1, &long),
            key(0, 1, &format!("{long}a")),
            key(0, 1, "b"),
            key(0, 256, ""),
            key(i64::MAX, 0, ""),
        ];
        for pair in ascending.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
            assert!(!pair[1].as_bytes().starts_with(pair[0].as_bytes()), "{pair:?}");
        }
    }

    #[test]
    fn a_key_is_its_bytes_whether_short_or_long() {
        for len in [0, 1, 21, 22, 23, 1000] {
            let bytes = vec![7; len];
            let key = Key::from(bytes.clone());
            assert_eq!(key.as_bytes(), bytes);
            let stored = postcard::to_allocvec(&key).unwrap();
            assert_eq!(postcard::from_bytes::<Key>(&stored).unwrap(), key);
        }
        assert_eq!(size_of::<Key>(), 24);
    }
}

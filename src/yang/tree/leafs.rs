//! The leafs of one container, packed into one text.
//!
//! Each leaf is its schema number less the one before it, the length of its value, and the value. The numbers are in
//! groups of six bits, the lowest first, with 0x40 on all groups but the last: characters of one byte, so that the
//! whole is a text and values need no second look.

use crate::yang::schema::NodeId;
use std::sync::Arc;

/// The leafs of a packed text, in schema order.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leafs<'a> {
    packed: &'a str,
    at: usize,
    node: u32,
}

impl<'a> Leafs<'a> {
    pub(super) fn new(packed: &'a str) -> Self {
        Self { packed, at: 0, node: 0 }
    }

    #[inline]
    fn number(&mut self) -> Option<u64> {
        let group = *self.packed.as_bytes().get(self.at)?;
        self.at += 1;
        if group < 0x40 { Some(u64::from(group)) } else { self.long_number(group) }
    }

    /// The number that begins with `group` and goes on.
    fn long_number(&mut self, group: u8) -> Option<u64> {
        let mut number = u64::from(group & 0x3f);
        let mut shift = 6;
        loop {
            let group = *self.packed.as_bytes().get(self.at)?;
            self.at += 1;
            number |= u64::from(group & 0x3f) << shift;
            if group & 0x40 == 0 {
                return Some(number);
            }
            shift += 6;
        }
    }

    /// The value of leaf `node`.
    pub(super) fn value(mut self, node: NodeId) -> Option<&'a str> {
        let (found, text) = self.find(|(other, _)| *other >= node)?;
        (found == node).then_some(text)
    }
}

impl<'a> Iterator for Leafs<'a> {
    type Item = (NodeId, &'a str);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.node += u32::try_from(self.number()?).ok()?;
        let len = usize::try_from(self.number()?).ok()?;
        let text = self.packed.get(self.at..self.at + len)?;
        self.at += len;
        Some((NodeId(self.node), text))
    }
}

/// Room for the leafs of most entries.
const PACKED_LEN: usize = 96;

/// Packs leafs that come in schema order.
#[derive(Debug, Default)]
pub(super) struct Packer {
    packed: String,
    last: u32,
}

impl Packer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { packed: String::with_capacity(bytes), last: 0 }
    }

    /// Adds a leaf; its number is greater than all before.
    pub(super) fn push(&mut self, node: NodeId, text: &str) {
        if self.packed.capacity() == 0 {
            self.packed.reserve(PACKED_LEN);
        }
        self.number(u64::from(node.0 - self.last));
        self.last = node.0;
        self.number(u64::try_from(text.len()).unwrap_or(u64::MAX));
        self.packed.push_str(text);
    }

    /// `node` is greater than all that have been added.
    pub(super) fn takes(&self, node: NodeId) -> bool {
        self.packed.is_empty() || node.0 > self.last
    }

    fn number(&mut self, mut number: u64) {
        loop {
            let [group, ..] = (number & 0x3f).to_le_bytes();
            number >>= 6;
            if number == 0 {
                return self.packed.push(char::from(group));
            }
            self.packed.push(char::from(group | 0x40));
        }
    }

    /// What has been packed.
    pub(super) fn as_str(&self) -> &str {
        &self.packed
    }

    /// What has been packed.
    pub(super) fn finish(self) -> Arc<str> {
        Arc::from(self.packed)
    }
}

/// `packed` with leaf `node` set to `text`, or without it.
pub(super) fn with(packed: &str, node: NodeId, text: Option<&str>) -> Packer {
    let mut packer = Packer::with_capacity(packed.len() + text.map_or(0, |text| text.len() + 16));
    let mut others = Leafs::new(packed).filter(|(other, _)| *other != node).peekable();
    while let Some((other, value)) = others.next_if(|(other, _)| *other < node) {
        packer.push(other, value);
    }
    if let Some(text) = text {
        packer.push(node, text);
    }
    for (other, value) in others {
        packer.push(other, value);
    }
    packer
}

#[cfg(test)]
mod tests {
    use super::{Leafs, Packer, with};
    use crate::yang::schema::NodeId;

    #[test]
    fn leafs_come_back_as_they_were_packed() {
        let long = "ä€𐍈".repeat(3000);
        let leafs =
            [(0, ""), (1, "a"), (63, "\0"), (64, "x"), (4096, long.as_str()), (u32::MAX, "ü")];
        let mut packer = Packer::default();
        for (node, text) in leafs {
            assert!(packer.takes(NodeId(node)));
            packer.push(NodeId(node), text);
            assert!(!packer.takes(NodeId(node)));
        }
        let packed = packer.finish();
        let found: Vec<(u32, &str)> =
            Leafs::new(&packed).map(|(node, text)| (node.0, text)).collect();
        assert_eq!(found, leafs);
        for (node, text) in leafs {
            assert_eq!(Leafs::new(&packed).value(NodeId(node)), Some(text));
            let without = with(&packed, NodeId(node), None);
            assert_eq!(Leafs::new(without.as_str()).value(NodeId(node)), None);
            assert_eq!(Leafs::new(without.as_str()).count(), leafs.len() - 1);
            let again = with(without.as_str(), NodeId(node), Some(text));
            assert_eq!(again.as_str(), &*packed);
        }
        assert_eq!(Leafs::new(&packed).value(NodeId(2)), None);
    }
}

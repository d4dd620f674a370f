//! Bytes of trees and diffs for the log, snapshots and peers. They name schema nodes by module and name, so that they
//! can be read under another numbering.
//!
//! A record is a version byte and a sequence of items; `END` closes what the item before it opened, and at last the
//! record. Numbers are LEB128; texts and keys are their length and bytes.
//!
//! ```text
//! NAME module name                         the next number, for a child of what is open
//! LEAF number text    ANY number text      CONTAINER number, children, END
//! LIST number, (ENTRY key, children, END)*, END         LEAF_LIST number, (ITEM key text)*, END
//! in a diff: LEAF and ANY have flags (1 old, 2 new) and those texts, CONTAINER its existence and, unless removed,
//! changes; LIST and LEAF_LIST are CREATED as in a tree, REMOVED, or CHANGED:
//!   (CREATED key .. | REMOVED key | CHANGED key ..)*, (PLACED key, 0 or 1 and the key before it)*, END
//! ```

use super::container::Children;
use super::diff::{Change, Diff, EntriesChange, EntryChange, Existence, Placed};
use super::{ChildRef, Container, Key, LeafList, Tree, entries};
use super::{NodeNames, Text};
use crate::yang::schema::NodeId;
use std::collections::BTreeMap;

pub(super) const VERSION: u8 = 1;
pub(super) const END: u8 = 0;
pub(super) const NAME: u8 = 1;
pub(super) const LEAF: u8 = 2;
pub(super) const ANY: u8 = 3;
pub(super) const CONTAINER: u8 = 4;
pub(super) const LIST: u8 = 5;
pub(super) const LEAF_LIST: u8 = 6;
pub(super) const ENTRY: u8 = 7;
pub(super) const ITEM: u8 = 8;
pub(super) const CREATED: u8 = 9;
pub(super) const REMOVED: u8 = 10;
pub(super) const CHANGED: u8 = 11;
pub(super) const PLACED: u8 = 12;
pub(super) const KEPT: u8 = 13;

/// `OLD` and `NEW` say which of the two texts of a leaf's change follow.
pub(super) const OLD: u8 = 1;
pub(super) const NEW: u8 = 2;

/// Bytes after which a chunk is handed on.
const CHUNK_BYTES: usize = 64 << 10;

/// The diff's bytes. What removed containers and entries held is not among them; a removed or replaced leaf's value is.
pub(crate) fn encode_diff(diff: &Diff, names: &dyn NodeNames) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sink = |chunk: &[u8]| bytes.extend_from_slice(chunk);
    Encoder::new(names, &mut sink).run(Frame::Changes(None, diff.changes.iter()));
    bytes
}

/// Hands the tree's bytes to `sink`, chunk by chunk.
pub(crate) fn encode_tree(tree: &Tree, names: &dyn NodeNames, sink: &mut dyn FnMut(&[u8])) {
    Encoder::new(names, sink).run(Frame::Children(None, tree.root.iter()));
}

/// What is open, as a stack of our own: data may be deeper than a thread's stack.
enum Frame<'a> {
    Children(Option<NodeId>, Children<'a>),
    Entries(NodeId, entries::Iter<'a, Container>),
    Changes(Option<NodeId>, std::slice::Iter<'a, (NodeId, Change)>),
    EntryChanges(NodeId, std::slice::Iter<'a, (Key, EntryChange<Container, Diff>)>, &'a [Placed]),
}

struct Encoder<'a> {
    names: &'a dyn NodeNames,
    numbers: BTreeMap<(Option<NodeId>, NodeId), usize>,
    /// The same by number: leafs of entries mostly follow each other as they did in the entry before.
    nodes: Vec<(Option<NodeId>, NodeId)>,
    /// The number that is likely to be the next.
    likely: usize,
    bytes: Vec<u8>,
    sink: &'a mut dyn FnMut(&[u8]),
}

impl<'a> Encoder<'a> {
    fn new(names: &'a dyn NodeNames, sink: &'a mut dyn FnMut(&[u8])) -> Self {
        Self {
            names,
            numbers: BTreeMap::new(),
            nodes: Vec::new(),
            likely: 0,
            bytes: vec![VERSION],
            sink,
        }
    }

    fn run(mut self, outermost: Frame<'_>) {
        let mut frames = vec![outermost];
        while let Some(frame) = frames.last_mut() {
            let (inner, done) = match frame {
                Frame::Children(parent, children) => match children.next() {
                    Some((node, child)) => (self.child(*parent, node, child), false),
                    None => (None, true),
                },
                Frame::Entries(node, entries) => match entries.next() {
                    Some((key, entry)) => {
                        self.bytes.push(ENTRY);
                        self.blob(key.as_bytes());
                        (Some(Frame::Children(Some(*node), entry.iter())), false)
                    }
                    None => (None, true),
                },
                Frame::Changes(parent, changes) => match changes.next() {
                    Some((node, change)) => (self.change(*parent, *node, change), false),
                    None => (None, true),
                },
                Frame::EntryChanges(node, changes, placed) => match changes.next() {
                    Some((key, change)) => (self.entry_change(*node, key, change), false),
                    None => {
                        self.placed(placed);
                        (None, true)
                    }
                },
            };
            if done {
                self.bytes.push(END);
                frames.pop();
            }
            frames.extend(inner);
            if self.bytes.len() >= CHUNK_BYTES {
                self.flush();
            }
        }
        self.flush();
    }

    fn flush(&mut self) {
        self.bytes.chunks(CHUNK_BYTES).for_each(|chunk| (self.sink)(chunk));
        self.bytes.clear();
    }

    fn number(&mut self, number: u64) {
        write_number(&mut self.bytes, number);
    }

    fn blob(&mut self, bytes: &[u8]) {
        self.number(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.bytes.extend_from_slice(bytes);
    }

    /// An item's tag and the number of its node, which gets one if it has none yet.
    fn item(&mut self, tag: u8, parent: Option<NodeId>, node: NodeId) {
        let known = if self.nodes.get(self.likely) == Some(&(parent, node)) {
            Some(self.likely)
        } else {
            self.numbers.get(&(parent, node)).copied()
        };
        let number = known.unwrap_or_else(|| {
            let (module, name) = self.names.name(node);
            self.bytes.push(NAME);
            self.blob(module.as_bytes());
            self.blob(name.as_bytes());
            self.numbers.insert((parent, node), self.nodes.len());
            self.nodes.push((parent, node));
            self.nodes.len() - 1
        });
        self.likely = number + 1;
        self.bytes.push(tag);
        self.number(u64::try_from(number).unwrap_or(u64::MAX));
    }

    /// Writes a child, or gives what is in it.
    fn child<'t>(
        &mut self,
        parent: Option<NodeId>,
        node: NodeId,
        child: ChildRef<'t>,
    ) -> Option<Frame<'t>> {
        match child {
            ChildRef::Leaf(text) => {
                self.item(LEAF, parent, node);
                self.blob(text.as_bytes());
                None
            }
            ChildRef::Any(xml) => {
                self.item(ANY, parent, node);
                self.blob(xml.as_bytes());
                None
            }
            ChildRef::Container(inner) => {
                self.item(CONTAINER, parent, node);
                Some(Frame::Children(Some(node), inner.iter()))
            }
            ChildRef::List(list) => {
                self.item(LIST, parent, node);
                Some(Frame::Entries(node, list.iter()))
            }
            ChildRef::LeafList(items) => {
                self.item(LEAF_LIST, parent, node);
                self.items(items);
                None
            }
        }
    }

    fn items(&mut self, items: &LeafList) {
        for (key, text) in items.iter() {
            self.bytes.push(ITEM);
            self.blob(key.as_bytes());
            self.blob(text.as_bytes());
            if self.bytes.len() >= CHUNK_BYTES {
                self.flush();
            }
        }
        self.bytes.push(END);
    }

    /// Writes a change, or gives what is in it.
    fn change<'t>(
        &mut self,
        parent: Option<NodeId>,
        node: NodeId,
        change: &'t Change,
    ) -> Option<Frame<'t>> {
        match change {
            Change::Leaf { old, new } => {
                self.item(LEAF, parent, node);
                self.values(old.as_deref(), new.as_deref());
                None
            }
            Change::Any { old, new } => {
                self.item(ANY, parent, node);
                self.values(old.as_deref(), new.as_deref());
                None
            }
            Change::Container { existence, inner } => {
                self.item(CONTAINER, parent, node);
                self.bytes.push(match existence {
                    Existence::Kept => KEPT,
                    Existence::Created => CREATED,
                    Existence::Removed => REMOVED,
                });
                (*existence != Existence::Removed)
                    .then(|| Frame::Changes(Some(node), inner.changes.iter()))
            }
            Change::List(change) => {
                self.item(LIST, parent, node);
                self.list_change(node, change)
            }
            Change::LeafList(change) => {
                self.item(LEAF_LIST, parent, node);
                self.leaf_list_change(change);
                None
            }
        }
    }

    fn values(&mut self, old: Option<&str>, new: Option<&str>) {
        self.bytes.push(old.map_or(0, |_| OLD) | new.map_or(0, |_| NEW));
        for text in old.into_iter().chain(new) {
            self.blob(text.as_bytes());
        }
    }

    fn list_change<'t>(
        &mut self,
        node: NodeId,
        change: &'t EntriesChange<Container, Diff>,
    ) -> Option<Frame<'t>> {
        match change {
            EntriesChange::Created(list) => {
                self.bytes.push(CREATED);
                Some(Frame::Entries(node, list.iter()))
            }
            EntriesChange::Removed(_) => {
                self.bytes.push(REMOVED);
                None
            }
            EntriesChange::Changed { entries, placed } => {
                self.bytes.push(CHANGED);
                Some(Frame::EntryChanges(node, entries.iter(), placed))
            }
        }
    }

    fn entry_change<'t>(
        &mut self,
        node: NodeId,
        key: &Key,
        change: &'t EntryChange<Container, Diff>,
    ) -> Option<Frame<'t>> {
        let (tag, inner) = match change {
            EntryChange::Created(entry) => {
                (CREATED, Some(Frame::Children(Some(node), entry.iter())))
            }
            EntryChange::Removed(_) => (REMOVED, None),
            EntryChange::Changed(inner) => {
                (CHANGED, Some(Frame::Changes(Some(node), inner.changes.iter())))
            }
        };
        self.bytes.push(tag);
        self.blob(key.as_bytes());
        inner
    }

    fn leaf_list_change(&mut self, change: &EntriesChange<Text, Text>) {
        match change {
            EntriesChange::Created(items) => {
                self.bytes.push(CREATED);
                self.items(items);
            }
            EntriesChange::Removed(_) => self.bytes.push(REMOVED),
            EntriesChange::Changed { entries, placed } => {
                self.bytes.push(CHANGED);
                for (key, change) in entries {
                    let (tag, text) = match change {
                        EntryChange::Created(text) => (CREATED, Some(text)),
                        EntryChange::Removed(_) => (REMOVED, None),
                        EntryChange::Changed(text) => (CHANGED, Some(text)),
                    };
                    self.bytes.push(tag);
                    self.blob(key.as_bytes());
                    if let Some(text) = text {
                        self.blob(text.as_bytes());
                    }
                }
                self.placed(placed);
                self.bytes.push(END);
            }
        }
    }

    fn placed(&mut self, placed: &[Placed]) {
        for Placed { key, after } in placed {
            self.bytes.push(PLACED);
            self.blob(key.as_bytes());
            self.bytes.push(u8::from(after.is_some()));
            if let Some(after) = after {
                self.blob(after.as_bytes());
            }
        }
    }
}

/// Appends a number as LEB128.
pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low);
        }
        out.push(low | 0x80);
    }
}

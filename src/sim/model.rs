//! The models of a world, and edits of them. Each edit writes a value that no other edit writes.

use crate::datastore::edit::{DefaultOperation, Edit, EditEntry, EditNode, EditValue, Operation};
use crate::replication::snapshot::{Decoder, SnapshotError};
use crate::replication::state::State;
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::schema::{Lookup, NodeId, Schema};
use crate::yang::tree::{ChildRef, Text, Tree};
use std::collections::BTreeMap;
use std::sync::Arc;

const TEXT: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    container c {
        leaf l0 { type string; }
        leaf l1 { type string; }
        leaf l2 { type string; }
        leaf l3 { type string; }
        leaf stamp { type string; }
        leaf limited { type int32 { range "0..100"; } must ". != 13"; }
        list e { key k; leaf k { type string; } leaf v { type string; } }
    } }"#;
const LEAFS: [&str; 4] = ["l0", "l1", "l2", "l3"];
const ENTRIES: [&str; 4] = ["e0", "e1", "e2", "e3"];

/// Where a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    Leaf(usize),
    Entry(usize),
    /// What a participant writes.
    Stamp,
}

/// How many places for values there are.
pub(super) const SPOTS: usize = LEAFS.len() + ENTRIES.len();

/// The compiled models.
#[derive(Clone)]
pub struct Model {
    pub(super) schema: Arc<Schema>,
    top: NodeId,
    leafs: Vec<NodeId>,
    stamp: NodeId,
    limited: NodeId,
    list: NodeId,
    key: NodeId,
    value: NodeId,
}

impl Model {
    /// Compiles them: once for many worlds.
    pub fn new() -> Self {
        let options = CompileOptions {
            modules: vec![("m".to_owned(), None)],
            sources: vec![("m".to_owned(), TEXT.to_owned())],
            ..CompileOptions::default()
        };
        let schema = compile(&options).expect("the model of the simulation");
        let child = |parent, name: &str| match schema.child(parent, Some("urn:m"), name) {
            Lookup::Found(node) => node,
            Lookup::UnknownNamespace | Lookup::UnknownElement => panic!("no {name}"),
        };
        let top = child(None, "c");
        let list = child(Some(top), "e");
        let leafs = LEAFS.iter().map(|name| child(Some(top), name)).collect();
        let (stamp, limited) = (child(Some(top), "stamp"), child(Some(top), "limited"));
        let (key, value) = (child(Some(list), "k"), child(Some(list), "v"));
        Self { schema: Arc::new(schema), top, leafs, stamp, limited, list, key, value }
    }

    /// The place of this number.
    pub(super) fn spot(&self, number: usize) -> Spot {
        match number.checked_sub(LEAFS.len()) {
            None => Spot::Leaf(number),
            Some(entry) => Spot::Entry(entry),
        }
    }

    /// Writes `value` there.
    pub(super) fn set(&self, spot: Spot, value: &str) -> Edit {
        let merge = Operation::Merge;
        self.edit(match spot {
            Spot::Leaf(number) => leaf(self.leafs[number], merge, value),
            Spot::Stamp => leaf(self.stamp, merge, value),
            Spot::Entry(number) => {
                let value = leaf(self.value, merge, value);
                self.entry(number, merge, Some(value))
            }
        })
    }

    /// Removes what is there, if something is.
    pub(super) fn remove(&self, spot: Spot) -> Edit {
        let remove = Operation::Remove;
        let absent = |node| EditNode { value: EditValue::Absent, ..leaf(node, remove, "") };
        self.edit(match spot {
            Spot::Leaf(number) => absent(self.leafs[number]),
            Spot::Stamp => absent(self.stamp),
            Spot::Entry(number) => self.entry(number, remove, None),
        })
    }

    /// An edit that validation refuses.
    pub(super) fn invalid(&self) -> Edit {
        self.edit(leaf(self.limited, Operation::Merge, "13"))
    }

    /// The values in a tree, by place.
    pub(super) fn values(&self, tree: &Tree) -> BTreeMap<Spot, String> {
        let mut values = BTreeMap::new();
        let Some(ChildRef::Container(top)) = tree.root.get(self.top) else { return values };
        for (number, node) in self.leafs.iter().enumerate() {
            if let Some(text) = top.leaf(*node) {
                values.insert(Spot::Leaf(number), text.to_owned());
            }
        }
        if let Some(text) = top.leaf(self.stamp) {
            values.insert(Spot::Stamp, text.to_owned());
        }
        if let Some(ChildRef::List(list)) = top.get(self.list) {
            for (number, name) in ENTRIES.iter().enumerate() {
                let entry = list.get(&self.schema.list_key(self.list, &[Text::new(name)]));
                if let Some(text) = entry.and_then(|entry| entry.leaf(self.value)) {
                    values.insert(Spot::Entry(number), text.to_owned());
                }
            }
        }
        values
    }

    /// The state that a snapshot holds.
    pub(super) fn state_of(&self, bytes: &[u8]) -> Result<State, SnapshotError> {
        let mut decoder = Decoder::new(&self.schema);
        decoder.push(bytes)?;
        decoder.finish()
    }

    fn edit(&self, node: EditNode) -> Edit {
        let top = EditNode {
            node: self.top,
            operation: Operation::Merge,
            value: EditValue::Container([node].into()),
        };
        Edit { default_operation: DefaultOperation::Merge, nodes: vec![top] }
    }

    fn entry(&self, number: usize, operation: Operation, value: Option<EditNode>) -> EditNode {
        let name = Text::new(ENTRIES[number]);
        let key = self.schema.list_key(self.list, std::slice::from_ref(&name));
        let children = Some(leaf(self.key, operation, &name)).into_iter().chain(value).collect();
        let entry = EditEntry { key, values: [name].into(), children, insert: None };
        EditNode { node: self.list, operation, value: EditValue::Entry(Box::new(entry)) }
    }
}

impl Default for Model {
    fn default() -> Self {
        Self::new()
    }
}

fn leaf(node: NodeId, operation: Operation, value: &str) -> EditNode {
    EditNode { node, operation, value: EditValue::Leaf(Text::new(value)) }
}

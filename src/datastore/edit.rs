//! The typed form of an edit: what `edit-config` asks for, with names resolved and values canonical.

use crate::yang::path::Selector;
use crate::yang::schema::NodeId;
use crate::yang::tree::{Key, Text};
use serde::{Deserialize, Serialize};

/// The content of one `<config>`: what is to happen at the top level.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Edit {
    pub(crate) default_operation: DefaultOperation,
    /// In the order of the request; the order of siblings never matters, but for user-ordered entries.
    pub(crate) nodes: Vec<EditNode>,
}

/// One node of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EditNode {
    pub(crate) node: NodeId,
    /// In force here: its own, or inherited from the nearest ancestor that has one, or the default operation.
    pub(crate) operation: Operation,
    pub(crate) value: EditValue,
}

/// What a node holds. A large load is an edit of millions of these: they are kept small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EditValue {
    /// A container with its children, in the order of the request.
    Container(Box<[EditNode]>),
    /// A leaf's canonical value.
    Leaf(Text),
    /// A leaf or leaf-list that is deleted without its value being stated (an empty element).
    Absent,
    Entry(Box<EditEntry>),
    Item(Box<EditItem>),
    /// anydata or anyxml: XML that declares every prefix it uses.
    Any(Box<str>),
}

/// A list entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EditEntry {
    pub(crate) key: Key,
    /// The canonical values that the key was made from.
    pub(crate) values: Box<[Text]>,
    /// In the order of the request; the key leafs are among them.
    pub(crate) children: Box<[EditNode]>,
    /// `insert` and `key` attributes (RFC 7950, 7.8.6); user-ordered entries only.
    pub(crate) insert: Option<Box<Insert>>,
}

/// A leaf-list entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EditItem {
    pub(crate) key: Key,
    pub(crate) value: Text,
    /// `insert` and `value` attributes (RFC 7950, 7.7.9); user-ordered entries only.
    pub(crate) insert: Option<Box<Insert>>,
}

impl EditNode {
    /// Child nodes, in the order of the request.
    pub(crate) fn children(&self) -> &[EditNode] {
        match &self.value {
            EditValue::Container(children) => children,
            EditValue::Entry(entry) => &entry.children,
            EditValue::Leaf(_) | EditValue::Absent | EditValue::Item(_) | EditValue::Any(_) => &[],
        }
    }

    /// Where children are; none where there can be none.
    #[cfg(test)]
    pub(crate) fn children_mut(&mut self) -> Option<&mut Box<[EditNode]>> {
        match &mut self.value {
            EditValue::Container(children) => Some(children),
            EditValue::Entry(entry) => Some(&mut entry.children),
            EditValue::Leaf(_) | EditValue::Absent | EditValue::Item(_) | EditValue::Any(_) => None,
        }
    }

    /// The key of an entry.
    pub(crate) fn key(&self) -> Option<&Key> {
        match &self.value {
            EditValue::Entry(entry) => Some(&entry.key),
            EditValue::Item(item) => Some(&item.key),
            EditValue::Container(_)
            | EditValue::Leaf(_)
            | EditValue::Absent
            | EditValue::Any(_) => None,
        }
    }

    /// Where an entry goes.
    pub(crate) fn insert(&self) -> Option<&Insert> {
        match &self.value {
            EditValue::Entry(entry) => entry.insert.as_deref(),
            EditValue::Item(item) => item.insert.as_deref(),
            EditValue::Container(_)
            | EditValue::Leaf(_)
            | EditValue::Absent
            | EditValue::Any(_) => None,
        }
    }

    /// What tells the node from others of its schema node.
    pub(crate) fn selector(&self) -> Selector {
        match &self.value {
            EditValue::Entry(entry) => Selector::Keys(entry.values.to_vec()),
            EditValue::Item(item) => Selector::Value(item.value.clone()),
            EditValue::Container(_)
            | EditValue::Leaf(_)
            | EditValue::Absent
            | EditValue::Any(_) => Selector::None,
        }
    }
}

/// `operation` (RFC 6241, 7.2), with `None` for `default-operation` none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Operation {
    Merge,
    Replace,
    Create,
    Delete,
    Remove,
    None,
}

/// `default-operation` (RFC 6241, 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum DefaultOperation {
    #[default]
    Merge,
    Replace,
    None,
}

/// Where a user-ordered entry goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Insert {
    First,
    Last,
    Before(Key),
    After(Key),
}

#[cfg(test)]
mod tests {
    /// A bulk load is made of these: what they take stands beside everything else in memory.
    #[test]
    fn nodes_of_an_edit_are_small() {
        assert_eq!(size_of::<super::EditNode>(), 32);
    }
}

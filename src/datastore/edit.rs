//! The typed form of an edit: what `edit-config` asks for, with names resolved and values canonical.

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
    /// The node's own value.
    pub(crate) value: EditValue,
    /// Child nodes, in the order of the request. A list entry's key leafs are among them.
    pub(crate) children: Vec<EditNode>,
    /// `insert`, `key` and `value` attributes (RFC 7950, 7.7.9 and 7.8.6); user-ordered entries only.
    pub(crate) insert: Option<Insert>,
}

/// What a node has beside children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EditValue {
    /// A container.
    None,
    /// A leaf's canonical value.
    Leaf(Text),
    /// A leaf or leaf-list that is deleted without its value being stated (an empty element).
    Absent,
    /// A list entry: its key, and the canonical values that it was made from.
    Entry { key: Key, values: Vec<Text> },
    /// A leaf-list entry.
    Item { key: Key, value: Text },
    /// anydata or anyxml: XML that declares every prefix it uses.
    Any(String),
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

//! Where in a data tree, by schema number and key.

use super::Key;
use crate::yang::schema::NodeId;

/// The way from the top to a node: for a list or leaf-list with the key of the entry, or without one for all of it.
/// The empty path is the whole tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct KeyPath(pub(crate) Vec<(NodeId, Option<Key>)>);

impl KeyPath {
    /// This path and one more step.
    #[must_use]
    pub(crate) fn child(&self, node: NodeId, key: Option<&Key>) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push((node, key.cloned()));
        Self(steps)
    }
}

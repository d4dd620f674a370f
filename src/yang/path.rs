//! Instance paths: which node of a data tree (RFC 7950, 9.13).

use super::schema::NodeId;
use super::tree::Text;
use serde::{Deserialize, Serialize};

/// The way from the top of a data tree to one of its nodes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct InstancePath(pub(crate) Vec<Step>);

/// One level of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) node: NodeId,
    pub(crate) selector: Selector,
}

/// Which instance of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Selector {
    /// The only one, or all of a list.
    None,
    /// A list entry: canonical key values in the order of the keys.
    Keys(Vec<Text>),
    /// A leaf-list entry: its canonical value.
    Value(Text),
    /// An entry of a keyless list, counted from 1.
    Position(u32),
}

impl InstancePath {
    /// This path and one more step.
    pub(crate) fn child(&self, node: NodeId, selector: Selector) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step { node, selector });
        Self(steps)
    }
}

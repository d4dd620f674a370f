//! What the tree must know about the schema where numbers do not do: in records and digests, which outlive numbering.

use crate::yang::schema::{Node, NodeId, NodeKind, Order, Schema};

/// The names of schema nodes.
pub(crate) trait NodeNames {
    /// The names of the node's module and of the node.
    fn name(&self, node: NodeId) -> (&str, &str);

    /// A number that orders siblings by (module name, node name).
    fn rank(&self, node: NodeId) -> u32;

    /// The data node of this name below `parent`, or at the top.
    fn child(&self, parent: Option<NodeId>, module: &str, name: &str) -> Option<NodeId>;

    /// What data of the node is.
    fn kind(&self, node: NodeId) -> DataKind;
}

/// What data of a node is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataKind {
    Leaf,
    Container,
    List(Order),
    LeafList(Order),
    Any,
    /// It has no data.
    None,
}

fn node(schema: &Schema, node: NodeId) -> Option<&Node> {
    schema.nodes.get(usize::try_from(node.0).ok()?)
}

impl NodeNames for Schema {
    fn name(&self, id: NodeId) -> (&str, &str) {
        node(self, id).map_or(("", ""), |node| {
            let module = usize::try_from(node.module.0).ok().and_then(|at| self.modules.get(at));
            (module.map_or("", |module| &module.name), &node.name)
        })
    }

    fn rank(&self, id: NodeId) -> u32 {
        node(self, id).map_or(u32::MAX, |node| node.digest_rank)
    }

    fn child(&self, parent: Option<NodeId>, module: &str, name: &str) -> Option<NodeId> {
        let siblings = match parent {
            Some(parent) => &node(self, parent)?.children,
            None => &self.top,
        };
        siblings.iter().copied().find(|id| NodeNames::name(self, *id) == (module, name))
    }

    fn kind(&self, id: NodeId) -> DataKind {
        match node(self, id).map(|node| &node.kind) {
            Some(NodeKind::Container { .. }) => DataKind::Container,
            Some(NodeKind::Leaf(_)) => DataKind::Leaf,
            Some(NodeKind::LeafList(leaf_list)) => DataKind::LeafList(leaf_list.order),
            Some(NodeKind::List(list)) => DataKind::List(list.order),
            Some(NodeKind::Anydata { .. } | NodeKind::Anyxml { .. }) => DataKind::Any,
            Some(NodeKind::Rpc { .. } | NodeKind::Action { .. } | NodeKind::Notification)
            | None => DataKind::None,
        }
    }
}

//! Nodes of the document, as far as an evaluation has come: each knows its parent, which the tree does not.

use crate::yang::schema::{NodeId, Order, Schema};
use crate::yang::tree::{ChildRef, Container, Entries, Key};
use std::cmp::Ordering;

/// A node, by number. Valid in the evaluation that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Node(pub(super) u32);

/// The root of the document.
pub(super) const ROOT: Node = Node(0);

/// What a node is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    /// Of the root: itself.
    pub(super) parent: Node,
    /// Nodes above.
    pub(super) depth: u32,
    /// `None` for the root.
    pub(super) schema: Option<NodeId>,
    pub(super) place: Place<'a>,
    pub(super) data: Data<'a>,
}

/// Which of the instances of a schema node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place<'a> {
    /// The only one; of a list or leaf-list: all of it, which is no node of the document.
    Only,
    /// The entry with this key.
    Entry(&'a Key),
    /// A default of a leaf-list, by number.
    Default(u32),
}

/// What is in a node.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data<'a> {
    /// The root, a container, or an entry of a list.
    Inner(&'a Container),
    /// A leaf, or an entry of a leaf-list.
    Value(&'a str),
    /// The text node of a leaf.
    Text(&'a str),
    /// anydata and anyxml.
    Opaque,
}

/// The nodes that an evaluation has met and may still need.
#[derive(Debug)]
pub(super) struct Arena<'a>(Vec<Facts<'a>>);

impl<'a> Arena<'a> {
    /// The root alone.
    pub(super) fn new(root: &'a Container) -> Self {
        let (place, data) = (Place::Only, Data::Inner(root));
        Self(vec![Facts { parent: ROOT, depth: 0, schema: None, place, data }])
    }

    pub(super) fn get(&self, node: Node) -> &Facts<'a> {
        match usize::try_from(node.0).ok().and_then(|at| self.0.get(at)) {
            Some(facts) => facts,
            None => unreachable!("the node has been given back"),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a node below `parent`. The caller keeps the number within `XPATH_NODES_MAX`.
    pub(super) fn push(
        &mut self,
        parent: Node,
        schema: NodeId,
        place: Place<'a>,
        data: Data<'a>,
    ) -> Node {
        let depth = self.get(parent).depth + 1;
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.push(Facts { parent, depth, schema: Some(schema), place, data });
        Node(number)
    }

    /// Gives back all nodes but the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }

    /// The node above; `None` for the root.
    pub(super) fn parent(&self, node: Node) -> Option<Node> {
        (node != ROOT).then(|| self.get(node).parent)
    }

    /// The node and those above it, up to the root.
    pub(super) fn ancestors_or_self(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        std::iter::successors(Some(node), |node| self.parent(*node))
    }

    /// All have as many nodes above them.
    pub(super) fn is_level(&self, nodes: &[Node]) -> bool {
        let depth = |node: &Node| self.get(*node).depth;
        nodes.windows(2).all(|pair| pair.first().map(depth) == pair.last().map(depth))
    }

    /// Two children of the same node are the same.
    pub(super) fn is_same_child(&self, one: Node, other: Node) -> bool {
        let (one, other) = (self.get(one), self.get(other));
        one.schema == other.schema
            && match (one.place, other.place) {
                (Place::Entry(one), Place::Entry(other)) => one == other,
                (Place::Default(one), Place::Default(other)) => one == other,
                (Place::Only, Place::Only) => true,
                (Place::Only | Place::Entry(_) | Place::Default(_), _) => false,
            }
    }

    /// Document order (XPath 1.0, 5). Equal is the same node.
    pub(super) fn compare(&self, schema: &Schema, one: Node, other: Node) -> Ordering {
        let (mut a, mut b) = (one, other);
        let (a_depth, b_depth) = (self.get(a).depth, self.get(b).depth);
        for _ in b_depth..a_depth {
            a = self.get(a).parent;
        }
        for _ in a_depth..b_depth {
            b = self.get(b).parent;
        }
        // What is above comes first.
        let mut order = a_depth.cmp(&b_depth);
        while a != b {
            let (x, y) = (self.get(a), self.get(b));
            (a, b) = (x.parent, y.parent);
            // The highest difference counts.
            let differs = self.compare_siblings(schema, x, y);
            if differs.is_ne() {
                order = differs;
            }
        }
        order
    }

    /// Compares the places of two children of the same node, or of equal ones.
    fn compare_siblings(&self, schema: &Schema, x: &Facts<'a>, y: &Facts<'a>) -> Ordering {
        x.schema.cmp(&y.schema).then_with(|| match (x.place, y.place) {
            (Place::Entry(a), Place::Entry(b)) => self.compare_entries(schema, x, (a, b)),
            (Place::Default(a), Place::Default(b)) => a.cmp(&b),
            // All of a list stands before its entries.
            (Place::Only, Place::Entry(_)) => Ordering::Less,
            (Place::Entry(_), Place::Only) => Ordering::Greater,
            (Place::Only | Place::Entry(_) | Place::Default(_), _) => Ordering::Equal,
        })
    }

    fn compare_entries(&self, schema: &Schema, x: &Facts<'a>, (a, b): (&Key, &Key)) -> Ordering {
        let by_user = x.schema.is_some_and(|id| {
            schema.node(id).elements().is_some_and(|elements| elements.order == Order::User)
        });
        if a == b || !by_user {
            return a.cmp(b);
        }
        let Data::Inner(parent) = self.get(x.parent).data else { return Ordering::Equal };
        match x.schema.and_then(|id| parent.get(id)) {
            Some(ChildRef::List(list)) => rank(list, a).cmp(&rank(list, b)),
            Some(ChildRef::LeafList(items)) => rank(items, a).cmp(&rank(items, b)),
            Some(ChildRef::Leaf(_) | ChildRef::Container(_) | ChildRef::Any(_)) | None => {
                Ordering::Equal
            }
        }
    }
}

fn rank<V>(entries: &Entries<V>, key: &Key) -> Option<usize> {
    entries.locate(key).map(|(rank, _, _)| rank)
}

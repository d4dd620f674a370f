//! A container's or a list entry's children.

use super::{LeafList, List, Text};
use crate::yang::schema::NodeId;
use std::sync::Arc;

/// The children of one container or list entry, sorted by schema number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Container(Arc<Vec<(NodeId, Child)>>);

/// One child, owned.
#[derive(Debug, Clone)]
pub(crate) enum Child {
    Leaf(Text),
    Container(Container),
    List(List),
    LeafList(LeafList),
    /// anydata or anyxml: its content as XML that declares every prefix it uses.
    Any(Arc<str>),
}

/// One child, to look at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChildRef<'a> {
    Leaf(&'a str),
    Container(&'a Container),
    List(&'a List),
    LeafList(&'a LeafList),
    Any(&'a Arc<str>),
}

impl Container {
    /// No children.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The child `node`, if it is there.
    pub(crate) fn get(&self, node: NodeId) -> Option<ChildRef<'_>> {
        let at = self.0.binary_search_by_key(&node, |(id, _)| *id).ok()?;
        self.0.get(at).map(|(_, child)| child.as_ref())
    }

    /// The value of leaf `node`, if it is there.
    pub(crate) fn leaf(&self, node: NodeId) -> Option<&str> {
        match self.get(node)? {
            ChildRef::Leaf(text) => Some(text),
            ChildRef::Container(_)
            | ChildRef::List(_)
            | ChildRef::LeafList(_)
            | ChildRef::Any(_) => None,
        }
    }

    /// All children in schema order.
    pub(crate) fn iter(&self) -> Children<'_> {
        Children(self.0.iter())
    }

    /// All children from the first whose number is at least `from`, in schema order.
    pub(crate) fn iter_from(
        &self,
        from: NodeId,
    ) -> impl Iterator<Item = (NodeId, ChildRef<'_>)> + '_ {
        let at = self.0.partition_point(|(id, _)| *id < from);
        self.0.iter().skip(at).map(|(id, child)| (*id, child.as_ref()))
    }

    /// Puts `child` in the place of child `node`.
    pub(crate) fn set(&mut self, node: NodeId, child: Child) {
        let children = Arc::make_mut(&mut self.0);
        let at = children.partition_point(|(id, _)| *id < node);
        match children.get_mut(at) {
            Some(slot) if slot.0 == node => slot.1 = child,
            Some(_) | None => children.insert(at, (node, child)),
        }
    }

    /// Takes child `node` out. What it was, if it was there.
    pub(crate) fn remove(&mut self, node: NodeId) -> Option<Child> {
        let at = self.0.binary_search_by_key(&node, |(id, _)| *id).ok()?;
        Some(Arc::make_mut(&mut self.0).remove(at).1)
    }

    /// The two are the same memory, so their content is equal.
    pub(crate) fn same(&self, other: &Container) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The content is equal, as can be seen without opening it. False says nothing.
    pub(crate) fn known_equal(&self, other: &Container) -> bool {
        self.same(other)
    }
}

/// The children of a container in schema order.
#[derive(Debug, Clone)]
pub(crate) struct Children<'a>(std::slice::Iter<'a, (NodeId, Child)>);

impl<'a> Iterator for Children<'a> {
    type Item = (NodeId, ChildRef<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(id, child)| (*id, child.as_ref()))
    }
}

impl Child {
    /// To look at.
    pub(crate) fn as_ref(&self) -> ChildRef<'_> {
        match self {
            Child::Leaf(text) => ChildRef::Leaf(text),
            Child::Container(container) => ChildRef::Container(container),
            Child::List(list) => ChildRef::List(list),
            Child::LeafList(leaf_list) => ChildRef::LeafList(leaf_list),
            Child::Any(xml) => ChildRef::Any(xml),
        }
    }
}

impl ChildRef<'_> {
    /// An owned child with the same content; trees are shared.
    pub(crate) fn to_owned(self) -> Child {
        match self {
            ChildRef::Leaf(text) => Child::Leaf(Text::new(text)),
            ChildRef::Container(container) => Child::Container(container.clone()),
            ChildRef::List(list) => Child::List(list.clone()),
            ChildRef::LeafList(leaf_list) => Child::LeafList(leaf_list.clone()),
            ChildRef::Any(xml) => Child::Any(Arc::clone(xml)),
        }
    }
}

/// Makes a container child by child; cheap where they come in schema order.
#[derive(Debug, Default)]
pub(crate) struct ContainerBuilder(Container);

impl ContainerBuilder {
    /// Adds a child. False, and nothing changed, if `node` is there already.
    pub(crate) fn put(&mut self, node: NodeId, child: Child) -> bool {
        let absent = self.0.get(node).is_none();
        if absent {
            self.0.set(node, child);
        }
        absent
    }

    /// Adds a leaf. False, and nothing changed, if `node` is there already.
    pub(crate) fn put_leaf(&mut self, node: NodeId, text: &str) -> bool {
        self.put(node, Child::Leaf(Text::new(text)))
    }

    /// The container.
    pub(crate) fn finish(self) -> Container {
        self.0
    }
}

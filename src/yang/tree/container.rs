//! A container's or a list entry's children.

use super::leafs::{self, Leafs, Packer};
use super::{LeafList, List, Text};
use crate::base::ids::Digest;
use crate::yang::schema::NodeId;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// The children of one container or list entry, sorted by schema number.
#[derive(Clone)]
pub(crate) struct Container(Repr);

/// Most list entries have leafs alone.
#[derive(Clone)]
enum Repr {
    Leafs(Arc<str>),
    /// Invariant: `inner` is not empty, so that equal content has one form.
    Mixed(Arc<Mixed>),
}

/// Leafs and other children.
#[derive(Clone)]
pub(super) struct Mixed {
    leafs: Arc<str>,
    /// Sorted by schema number; no leafs.
    inner: Vec<(NodeId, Child)>,
    /// Invariant: that of the other fields, or not there.
    pub(super) digest: OnceLock<Digest>,
}

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

impl Default for Container {
    fn default() -> Self {
        Self(Repr::Leafs(Arc::default()))
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl Container {
    fn leafs(&self) -> &Arc<str> {
        match &self.0 {
            Repr::Leafs(leafs) => leafs,
            Repr::Mixed(mixed) => &mixed.leafs,
        }
    }

    fn inner(&self) -> &[(NodeId, Child)] {
        match &self.0 {
            Repr::Leafs(_) => &[],
            Repr::Mixed(mixed) => &mixed.inner,
        }
    }

    /// What it holds, if that is not leafs alone.
    pub(super) fn mixed(&self) -> Option<&Mixed> {
        match &self.0 {
            Repr::Leafs(_) => None,
            Repr::Mixed(mixed) => Some(mixed),
        }
    }

    /// The leafs in schema order.
    pub(super) fn packed(&self) -> Leafs<'_> {
        Leafs::new(self.leafs())
    }

    /// Its leafs in schema order, if it holds nothing else: entries of most lists are so.
    pub(crate) fn leafs_alone(&self) -> Option<impl Iterator<Item = (NodeId, &str)>> {
        match &self.0 {
            Repr::Leafs(leafs) => Some(Leafs::new(leafs)),
            Repr::Mixed(_) => None,
        }
    }

    /// No children.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::Leafs(leafs) if leafs.is_empty())
    }

    /// The child `node`, if it is there.
    pub(crate) fn get(&self, node: NodeId) -> Option<ChildRef<'_>> {
        let inner = self.inner();
        match inner.binary_search_by_key(&node, |(id, _)| *id) {
            Ok(at) => inner.get(at).map(|(_, child)| child.as_ref()),
            Err(_) => self.leaf(node).map(ChildRef::Leaf),
        }
    }

    /// The value of leaf `node`, if it is there.
    pub(crate) fn leaf(&self, node: NodeId) -> Option<&str> {
        self.packed().value(node)
    }

    /// All children in schema order.
    pub(crate) fn iter(&self) -> Children<'_> {
        Children::new(self.packed(), self.inner())
    }

    /// All children from the first whose number is at least `from`, in schema order.
    pub(crate) fn iter_from(&self, from: NodeId) -> Children<'_> {
        let inner = self.inner();
        let at = inner.partition_point(|(id, _)| *id < from);
        let mut children = Children::new(self.packed(), inner.get(at..).unwrap_or_default());
        while children.leaf.is_some_and(|(node, _)| node < from) {
            children.leaf = children.leafs.next();
        }
        children
    }

    /// Puts `child` in the place of child `node`.
    pub(crate) fn set(&mut self, node: NodeId, child: Child) {
        match child {
            Child::Leaf(text) => {
                if !self.inner().is_empty() {
                    self.remove_inner(node);
                }
                self.set_leafs(leafs::with(self.leafs(), node, Some(&text)).finish());
            }
            Child::Container(_) | Child::List(_) | Child::LeafList(_) | Child::Any(_) => {
                self.remove_leaf(node);
                let inner = &mut self.edit().inner;
                match inner.binary_search_by_key(&node, |(id, _)| *id) {
                    Ok(at) => {
                        if let Some((_, slot)) = inner.get_mut(at) {
                            *slot = child;
                        }
                    }
                    Err(at) => inner.insert(at, (node, child)),
                }
            }
        }
    }

    /// Takes child `node` out. What it was, if it was there.
    pub(crate) fn remove(&mut self, node: NodeId) -> Option<Child> {
        self.remove_leaf(node).map(Child::Leaf).or_else(|| self.remove_inner(node))
    }

    fn remove_leaf(&mut self, node: NodeId) -> Option<Text> {
        let text = self.leaf(node).map(Text::new)?;
        self.set_leafs(leafs::with(self.leafs(), node, None).finish());
        Some(text)
    }

    fn remove_inner(&mut self, node: NodeId) -> Option<Child> {
        let at = self.inner().binary_search_by_key(&node, |(id, _)| *id).ok()?;
        let mixed = self.edit();
        let (_, child) = mixed.inner.remove(at);
        if mixed.inner.is_empty() {
            self.0 = Repr::Leafs(Arc::clone(&mixed.leafs));
        }
        Some(child)
    }

    fn set_leafs(&mut self, leafs: Arc<str>) {
        match &mut self.0 {
            Repr::Leafs(slot) => *slot = leafs,
            Repr::Mixed(_) => self.edit().leafs = leafs,
        }
    }

    /// To change: our own copy, if somebody else holds it too, and without a digest. If it had leafs alone until now,
    /// something else must be put in.
    fn edit(&mut self) -> &mut Mixed {
        if let Repr::Leafs(leafs) = &mut self.0 {
            let leafs = std::mem::take(leafs);
            let mixed = Mixed { leafs, inner: Vec::with_capacity(1), digest: OnceLock::new() };
            self.0 = Repr::Mixed(Arc::new(mixed));
        }
        match &mut self.0 {
            Repr::Mixed(mixed) => {
                let mixed = Arc::make_mut(mixed);
                mixed.digest.take();
                mixed
            }
            Repr::Leafs(_) => unreachable!("it has just been made a mixed one"),
        }
    }

    /// The two are the same memory, so their content is equal.
    pub(crate) fn same(&self, other: &Container) -> bool {
        match (&self.0, &other.0) {
            (Repr::Leafs(leafs), Repr::Leafs(other)) => Arc::ptr_eq(leafs, other),
            (Repr::Mixed(mixed), Repr::Mixed(other)) => Arc::ptr_eq(mixed, other),
            (Repr::Leafs(_) | Repr::Mixed(_), _) => false,
        }
    }

    /// The content is equal, as can be seen without opening it. False says nothing.
    pub(crate) fn known_equal(&self, other: &Container) -> bool {
        match (&self.0, &other.0) {
            (Repr::Leafs(leafs), Repr::Leafs(other)) => leafs == other,
            (Repr::Mixed(mixed), Repr::Mixed(other)) => {
                let digests = (mixed.digest.get(), other.digest.get());
                Arc::ptr_eq(mixed, other) || matches!(digests, (Some(a), Some(b)) if a == b)
            }
            (Repr::Leafs(_) | Repr::Mixed(_), _) => false,
        }
    }

    /// Gives away what is in it, if nobody else holds it.
    fn take_apart(self, pending: &mut Vec<(NodeId, Child)>) {
        if let Repr::Mixed(mixed) = self.0
            && let Some(mut mixed) = Arc::into_inner(mixed)
        {
            pending.append(&mut mixed.inner);
        }
    }
}

impl Mixed {
    /// All children in schema order.
    pub(super) fn iter(&self) -> Children<'_> {
        Children::new(Leafs::new(&self.leafs), &self.inner)
    }
}

impl Drop for Mixed {
    fn drop(&mut self) {
        // Level by level, so that the depth of the data is not the depth of the stack.
        let mut pending = std::mem::take(&mut self.inner);
        while let Some((_, child)) = pending.pop() {
            match child {
                Child::Container(inner) => inner.take_apart(&mut pending),
                Child::List(list) => {
                    list.take_apart(&mut |entry: Container| entry.take_apart(&mut pending));
                }
                Child::Leaf(_) | Child::LeafList(_) | Child::Any(_) => {}
            }
        }
    }
}

/// The children of a container in schema order.
#[derive(Debug, Clone)]
pub(crate) struct Children<'a> {
    leafs: Leafs<'a>,
    /// The next leaf.
    leaf: Option<(NodeId, &'a str)>,
    inner: std::slice::Iter<'a, (NodeId, Child)>,
}

impl<'a> Children<'a> {
    #[inline]
    fn new(mut leafs: Leafs<'a>, inner: &'a [(NodeId, Child)]) -> Self {
        let leaf = leafs.next();
        Self { leafs, leaf, inner: inner.iter() }
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = (NodeId, ChildRef<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if let Some((node, text)) = self.leaf
            && self.inner.as_slice().first().is_none_or(|(other, _)| node < *other)
        {
            self.leaf = self.leafs.next();
            return Some((node, ChildRef::Leaf(text)));
        }
        self.inner.next().map(|(node, child)| (*node, child.as_ref()))
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
pub(crate) struct ContainerBuilder {
    leafs: Packer,
    inner: Vec<(NodeId, Child)>,
}

impl ContainerBuilder {
    /// Adds a child. False, and nothing changed, if `node` is there already.
    pub(crate) fn put(&mut self, node: NodeId, child: Child) -> bool {
        if let Child::Leaf(text) = &child {
            return self.put_leaf(node, text);
        }
        match self.inner.binary_search_by_key(&node, |(id, _)| *id) {
            Err(at) if Leafs::new(self.leafs.as_str()).value(node).is_none() => {
                self.inner.insert(at, (node, child));
                true
            }
            Ok(_) | Err(_) => false,
        }
    }

    /// Adds a leaf. False, and nothing changed, if `node` is there already.
    pub(crate) fn put_leaf(&mut self, node: NodeId, text: &str) -> bool {
        if self.inner.binary_search_by_key(&node, |(id, _)| *id).is_ok() {
            return false;
        }
        if !self.leafs.takes(node) {
            let packed = self.leafs.as_str();
            if Leafs::new(packed).value(node).is_some() {
                return false;
            }
            self.leafs = leafs::with(packed, node, Some(text));
            return true;
        }
        self.leafs.push(node, text);
        true
    }

    /// The container.
    pub(crate) fn finish(self) -> Container {
        let leafs = self.leafs.finish();
        Container(if self.inner.is_empty() {
            Repr::Leafs(leafs)
        } else {
            Repr::Mixed(Arc::new(Mixed { leafs, inner: self.inner, digest: OnceLock::new() }))
        })
    }
}

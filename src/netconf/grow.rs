//! Building operational state as a data tree: nodes by name, values by their canonical text.

use crate::yang::schema::{Lookup, NodeId, NodeKind, Order, Schema};
use crate::yang::tree::{Child, ChildRef, Container, Entries, Key, Seed, Text};

/// A container or list entry that is being filled.
///
/// A name that the schema does not have here (an older revision, a deviation, a feature that is off) is passed over.
/// What is empty is left out, as the invariant of `Tree` wants it.
pub(super) struct Grow<'s> {
    schema: &'s Schema,
    node: NodeId,
    content: Container,
}

impl<'s> Grow<'s> {
    /// The top-level container `name` of the module `module`; `None` if that is not implemented.
    pub(super) fn top(schema: &'s Schema, module: &str, name: &str) -> Option<Self> {
        let node = found(schema.child_in_module(None, module, name))?;
        Some(Self { schema, node, content: Container::default() })
    }

    /// The same, with what `root` already holds of it.
    pub(super) fn top_of(
        schema: &'s Schema,
        module: &str,
        name: &str,
        root: &Container,
    ) -> Option<Self> {
        let mut top = Self::top(schema, module, name)?;
        if let Some(ChildRef::Container(content)) = root.get(top.node) {
            top.content = content.clone();
        }
        Some(top)
    }

    /// Adds a leaf.
    pub(super) fn leaf(&mut self, name: &str, value: impl AsRef<str>) -> &mut Self {
        if let Some(node) = self.child(name) {
            self.content.set(node, Child::Leaf(Text::new(value)));
        }
        self
    }

    /// Adds a leaf if there is a value.
    pub(super) fn leaf_if(&mut self, name: &str, value: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    /// Adds a leaf-list.
    pub(super) fn leaf_list<'v>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> &mut Self {
        let Some(node) = self.child(name) else { return self };
        let mut entries = Entries::new(Order::System, Seed::default());
        for value in values {
            entries.insert(self.schema.leaf_list_key(node, value), Text::new(value));
        }
        if !entries.is_empty() {
            self.content.set(node, Child::LeafList(entries));
        }
        self
    }

    /// Adds a container, unless nothing is put into it.
    pub(super) fn container(&mut self, name: &str, fill: impl FnOnce(&mut Grow<'s>)) -> &mut Self {
        if let Some(node) = self.child(name) {
            let mut child = Grow { schema: self.schema, node, content: Container::default() };
            fill(&mut child);
            if !child.content.is_empty() {
                self.content.set(node, Child::Container(child.content));
            }
        }
        self
    }

    /// Adds a list with one entry for each item. An entry whose keys were not given is left out.
    pub(super) fn list<T>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        fill: impl Fn(&mut Grow<'s>, T),
    ) -> &mut Self {
        let Some(node) = self.child(name) else { return self };
        let mut entries = Entries::new(Order::System, Seed::default());
        for item in items {
            let mut entry = Grow { schema: self.schema, node, content: Container::default() };
            fill(&mut entry, item);
            if let Some(key) = entry.key() {
                entries.insert(key, entry.content);
            }
        }
        if !entries.is_empty() {
            self.content.set(node, Child::List(entries));
        }
        self
    }

    /// Puts what was built into `root`, the top of a tree.
    pub(super) fn finish(self, root: &mut Container) {
        if !self.content.is_empty() {
            root.set(self.node, Child::Container(self.content));
        }
    }

    fn child(&self, name: &str) -> Option<NodeId> {
        let module = &self.schema.module_of(self.node).name;
        found(self.schema.child_in_module(Some(self.node), module, name))
    }

    /// The key of the list entry that was filled; `None` if a key leaf is missing.
    fn key(&self) -> Option<Key> {
        let NodeKind::List(list) = &self.schema.node(self.node).kind else { return None };
        let values = list.keys.iter().map(|key| self.content.leaf(*key).map(Text::new));
        let values: Option<Vec<Text>> = values.collect();
        Some(self.schema.list_key(self.node, &values?))
    }
}

fn found(lookup: Lookup) -> Option<NodeId> {
    match lookup {
        Lookup::Found(node) => Some(node),
        Lookup::UnknownNamespace | Lookup::UnknownElement => None,
    }
}

//! Building operational state as a data tree: nodes by name, values by their canonical text.

use crate::yang::schema::{ModuleId, NodeId, NodeKind, Order, Schema, Type, TypeId};
use crate::yang::tree::key::KeyBuilder;
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
        let node = *schema.top.iter().find(|id| {
            schema.nodes.get(index(id.0)).is_some_and(|node| {
                *node.name == *name && module_name(schema, node.module) == Some(module)
            })
        })?;
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

    /// Adds a leaf-list of texts.
    pub(super) fn leaf_list<'v>(
        &mut self,
        name: &str,
        values: impl IntoIterator<Item = &'v str>,
    ) -> &mut Self {
        let Some(node) = self.child(name) else { return self };
        let mut entries = Entries::new(Order::System, Seed::default());
        for value in values {
            let mut key = KeyBuilder::default();
            key.push_text(value);
            entries.insert(key.finish(), Text::new(value));
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
        let parent = self.schema.nodes.get(index(self.node.0))?;
        parent.children.iter().copied().find(|id| {
            self.schema
                .nodes
                .get(index(id.0))
                .is_some_and(|child| *child.name == *name && child.module == parent.module)
        })
    }

    /// The key of the list entry that was filled.
    fn key(&self) -> Option<Key> {
        let NodeKind::List(list) = &self.schema.nodes.get(index(self.node.0))?.kind else {
            return None;
        };
        let mut key = KeyBuilder::default();
        for id in &list.keys {
            let value = self.content.leaf(*id)?;
            let NodeKind::Leaf(leaf) = &self.schema.nodes.get(index(id.0))?.kind else {
                return None;
            };
            if is_unsigned(self.schema, leaf.type_id) {
                key.push_uint(value.parse().ok()?);
            } else {
                key.push_text(value);
            }
        }
        Some(key.finish())
    }
}

fn is_unsigned(schema: &Schema, type_id: TypeId) -> bool {
    matches!(schema.types.get(index(type_id.0)), Some(Type::Uint { .. }))
}

fn module_name(schema: &Schema, id: ModuleId) -> Option<&str> {
    schema.modules.get(index(id.0)).map(|module| &*module.name)
}

/// A number of the schema as a place in its vectors.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

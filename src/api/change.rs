//! Configuration and its changes as applications see them.

use crate::base::ids::{Revision, SessionId};
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::{
    Change as TreeChange, ChildRef, Container, Diff, EntriesChange, EntryChange, Key, LeafList,
    List, Text, Tree, diff,
};
use std::sync::Arc;

/// A configuration: immutable, cheap to clone.
#[derive(Clone)]
pub struct Configuration {
    pub(crate) schema: Arc<Schema>,
    pub(crate) tree: Tree,
    pub(crate) revision: Revision,
}

/// A change of the configuration.
#[derive(Clone)]
pub struct Change {
    pub(crate) before: Configuration,
    pub(crate) after: Configuration,
    pub(crate) user: String,
    pub(crate) session: Option<SessionId>,
}

/// One node that a change sets or deletes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The data path, such as `/ietf-interfaces:interfaces/interface[name='eth0']/mtu`.
    pub path: String,
    /// What happened to it.
    pub kind: ItemKind,
    /// The canonical value before, of a leaf, leaf-list entry or anydata that had one.
    pub old: Option<String>,
    /// The canonical value after, likewise.
    pub new: Option<String>,
}

/// What happened to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemKind {
    /// It was not there before. Everything below it has an item of its own.
    Created,
    /// It is not there any more, nor is anything below it.
    Deleted,
    /// Its value is another one.
    Modified,
    /// It stands at another place of a user-ordered list.
    Moved,
}

impl Configuration {
    /// The revision number: it rises by one with each change of the configuration.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision.0
    }

    /// The configuration as the content of a `<data>` element.
    #[must_use]
    pub fn xml(&self) -> String {
        let bytes = crate::yang::print::print_all(&self.schema, &self.tree);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The canonical value of the leaf at `path`, such as
    /// `/ietf-interfaces:interfaces/interface[name='eth0']/mtu`. Nothing if the leaf is not set, its default aside, or
    /// the path names no leaf.
    #[must_use]
    pub fn leaf(&self, path: &str) -> Option<String> {
        let steps = crate::yang::path_text::parse(&self.schema, path)?;
        let (last, above) = steps.0.split_last()?;
        let mut container = &self.tree.root;
        for step in above {
            container = match (container.get(step.node)?, &step.selector) {
                (ChildRef::Container(inner), Selector::None) => inner,
                (ChildRef::List(list), Selector::Keys(values)) => {
                    list.get(&self.schema.list_key(step.node, values))?
                }
                _ => return None,
            };
        }
        container.leaf(last.node).map(str::to_owned)
    }
}

impl Change {
    /// The configuration without the change.
    #[must_use]
    pub fn before(&self) -> &Configuration {
        &self.before
    }

    /// The configuration with it.
    #[must_use]
    pub fn after(&self) -> &Configuration {
        &self.after
    }

    /// Who asked for it; empty for what the agent itself decides (the rollback of a confirmed commit).
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The NETCONF session that asked for it.
    #[must_use]
    pub fn session(&self) -> Option<u32> {
        self.session.map(|session| session.0)
    }

    /// Every node that differs, parents before children, in schema order.
    #[must_use]
    pub fn items(&self) -> Vec<Item> {
        let difference = diff(&self.before.tree, &self.after.tree);
        let mut walk = Walk { schema: &self.after.schema, items: Vec::new() };
        let (before, after) = (&self.before.tree.root, &self.after.tree.root);
        walk.diff(&InstancePath::default(), &difference, (Some(before), Some(after)));
        walk.items
    }
}

/// Turns a difference into items.
struct Walk<'a> {
    schema: &'a Schema,
    items: Vec<Item>,
}

type Sides<'a> = (Option<&'a Container>, Option<&'a Container>);

impl Walk<'_> {
    fn push(&mut self, path: &InstancePath, kind: ItemKind, values: (Option<&str>, Option<&str>)) {
        self.items.push(Item {
            path: crate::yang::path_text::print(self.schema, path),
            kind,
            old: values.0.map(str::to_owned),
            new: values.1.map(str::to_owned),
        });
    }

    fn diff(&mut self, path: &InstancePath, difference: &Diff, sides: Sides<'_>) {
        for (node, change) in &difference.changes {
            let here = path.child(*node, Selector::None);
            match change {
                TreeChange::Leaf { .. } | TreeChange::Any { .. } => {
                    let (old, new) = (value_of(sides.0, *node), value_of(sides.1, *node));
                    let kind = kind_of(old.is_some(), new.is_some());
                    self.push(&here, kind, (old.as_deref(), new.as_deref()));
                }
                TreeChange::Container { inner, .. } => {
                    let (old, new) = (container_of(sides.0, *node), container_of(sides.1, *node));
                    self.existence(&here, (old, new));
                    if old.is_some() && new.is_some() {
                        self.diff(&here, inner, (old, new));
                    }
                }
                TreeChange::List(change) => self.list(path, *node, change, sides),
                TreeChange::LeafList(change) => self.leaf_list(path, *node, change, sides),
            }
        }
    }

    fn existence(&mut self, path: &InstancePath, (old, new): Sides<'_>) {
        match (old, new) {
            (None, Some(new)) => {
                self.push(path, ItemKind::Created, (None, None));
                self.created(path, new);
            }
            (Some(_), None) => self.push(path, ItemKind::Deleted, (None, None)),
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// Everything below a created node.
    fn created(&mut self, path: &InstancePath, container: &Container) {
        for (node, child) in container.iter() {
            let here = path.child(node, Selector::None);
            match child {
                ChildRef::Leaf(text) => self.push(&here, ItemKind::Created, (None, Some(text))),
                ChildRef::Any(xml) => self.push(&here, ItemKind::Created, (None, Some(xml))),
                ChildRef::Container(inner) => self.existence(&here, (None, Some(inner))),
                ChildRef::List(list) => {
                    for (_, entry) in list.iter() {
                        let here = path.child(node, self.keys(node, entry));
                        self.existence(&here, (None, Some(entry)));
                    }
                }
                ChildRef::LeafList(list) => {
                    for (_, value) in list.iter() {
                        let here = path.child(node, Selector::Value(value.clone()));
                        self.push(&here, ItemKind::Created, (None, Some(value)));
                    }
                }
            }
        }
    }

    fn keys(&self, list: NodeId, entry: &Container) -> Selector {
        let keys = self.schema.keys(list).iter();
        Selector::Keys(keys.map(|key| Text::new(entry.leaf(*key).unwrap_or_default())).collect())
    }

    fn list(
        &mut self,
        path: &InstancePath,
        node: NodeId,
        change: &EntriesChange<Container, Diff>,
        sides: Sides<'_>,
    ) {
        let (old, new) = (list_of(sides.0, node), list_of(sides.1, node));
        match change {
            EntriesChange::Created(entries) => {
                for (_, entry) in entries.iter() {
                    self.existence(&path.child(node, self.keys(node, entry)), (None, Some(entry)));
                }
            }
            EntriesChange::Removed(_) => {
                for (_, entry) in old.iter().flat_map(|list| list.iter()) {
                    self.existence(&path.child(node, self.keys(node, entry)), (Some(entry), None));
                }
            }
            EntriesChange::Changed { entries, placed } => {
                for (key, entry) in entries {
                    let sides =
                        (old.and_then(|list| list.get(key)), new.and_then(|list| list.get(key)));
                    let Some(either) = sides.1.or(sides.0) else { continue };
                    let here = path.child(node, self.keys(node, either));
                    self.existence(&here, sides);
                    if let EntryChange::Changed(inner) = entry {
                        self.diff(&here, inner, sides);
                    }
                }
                for key in placed.iter().map(|placed| &placed.key) {
                    let both =
                        (old.and_then(|list| list.get(key)), new.and_then(|list| list.get(key)));
                    if let (Some(_), Some(entry)) = both {
                        let here = path.child(node, self.keys(node, entry));
                        self.push(&here, ItemKind::Moved, (None, None));
                    }
                }
            }
        }
    }

    fn leaf_list(
        &mut self,
        path: &InstancePath,
        node: NodeId,
        change: &EntriesChange<Text, Text>,
        sides: Sides<'_>,
    ) {
        let (old, new) = (leaf_list_of(sides.0, node), leaf_list_of(sides.1, node));
        let value =
            |list: Option<&LeafList>, key: &Key| list.and_then(|list| list.get(key)).cloned();
        let keys: Vec<&Key> = match change {
            EntriesChange::Created(entries) => entries.iter().map(|(key, _)| key).collect(),
            EntriesChange::Removed(_) => {
                old.iter().flat_map(|list| list.iter()).map(|(key, _)| key).collect()
            }
            EntriesChange::Changed { entries, placed } => {
                let moved = placed.iter().map(|placed| &placed.key);
                let changed: std::collections::BTreeSet<&Key> =
                    entries.iter().map(|(key, _)| key).chain(moved).collect();
                changed.into_iter().collect()
            }
        };
        for key in keys {
            let (old, new) = (value(old, key), value(new, key));
            let Some(either) = new.as_ref().or(old.as_ref()) else { continue };
            let here = path.child(node, Selector::Value(either.clone()));
            let kind = match (&old, &new) {
                (Some(_), Some(_)) => ItemKind::Moved,
                (None, _) => ItemKind::Created,
                (Some(_), None) => ItemKind::Deleted,
            };
            self.push(&here, kind, (old.as_deref(), new.as_deref()));
        }
    }
}

fn kind_of(before: bool, after: bool) -> ItemKind {
    match (before, after) {
        (false, _) => ItemKind::Created,
        (true, false) => ItemKind::Deleted,
        (true, true) => ItemKind::Modified,
    }
}

fn value_of(side: Option<&Container>, node: NodeId) -> Option<String> {
    match side?.get(node)? {
        ChildRef::Leaf(text) => Some(text.to_owned()),
        ChildRef::Any(xml) => Some(xml.to_string()),
        ChildRef::Container(_) | ChildRef::List(_) | ChildRef::LeafList(_) => None,
    }
}

fn container_of(side: Option<&Container>, node: NodeId) -> Option<&Container> {
    match side?.get(node)? {
        ChildRef::Container(container) => Some(container),
        ChildRef::Leaf(_) | ChildRef::Any(_) | ChildRef::List(_) | ChildRef::LeafList(_) => None,
    }
}

fn list_of(side: Option<&Container>, node: NodeId) -> Option<&List> {
    match side?.get(node)? {
        ChildRef::List(list) => Some(list),
        ChildRef::Leaf(_) | ChildRef::Any(_) | ChildRef::Container(_) | ChildRef::LeafList(_) => {
            None
        }
    }
}

fn leaf_list_of(side: Option<&Container>, node: NodeId) -> Option<&LeafList> {
    match side?.get(node)? {
        ChildRef::LeafList(list) => Some(list),
        ChildRef::Leaf(_) | ChildRef::Any(_) | ChildRef::Container(_) | ChildRef::List(_) => None,
    }
}

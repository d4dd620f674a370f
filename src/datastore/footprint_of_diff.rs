//! The footprint of a difference: what others changed meanwhile.

use super::footprint::{Footprint, Step};
use crate::base::limits::FOOTPRINT_ROOTS_MAX;
use crate::yang::schema::{NodeId, NodeKind, Order, Schema};
use crate::yang::tree::{
    Change, ChildRef, Container, Diff, Entries, EntriesChange, EntryChange, Existence, Key, Tree,
};

impl Footprint {
    /// What `diff`, made from `old`, changed.
    pub(crate) fn of_diff(schema: &Schema, old: &Tree, diff: &Diff) -> Self {
        let mut walk = Walk { schema, path: Vec::new(), footprint: Footprint::default() };
        walk.inner(&old.root, diff);
        walk.footprint
    }
}

/// The way through a diff. It is as deep as the schema.
struct Walk<'a> {
    schema: &'a Schema,
    path: Vec<Step>,
    footprint: Footprint,
}

impl Walk<'_> {
    /// The changes of one container's or entry's children.
    fn inner(&mut self, old: &Container, diff: &Diff) {
        for (node, change) in &diff.changes {
            self.path.push((*node, None));
            self.change(old, *node, change);
            self.path.pop();
            if creates(change) {
                self.footprint.add_case(self.schema, &self.path, old, *node);
            }
        }
    }

    fn change(&mut self, old: &Container, id: NodeId, change: &Change) {
        match change {
            Change::Leaf { .. } | Change::Any { .. } => self.root(),
            Change::Container { existence, inner } => {
                // A non-presence container is no more than what is in it.
                let implied = matches!(
                    self.schema.node_checked(id).map(|node| &node.kind),
                    Some(NodeKind::Container { presence: false })
                );
                if *existence == Existence::Kept || (implied && !inner.is_empty()) {
                    let empty = Container::default();
                    let old = match old.get(id) {
                        Some(ChildRef::Container(old)) => old,
                        Some(_) | None => &empty,
                    };
                    self.inner(old, inner);
                } else {
                    self.root();
                }
            }
            Change::List(change) => {
                let old = match old.get(id) {
                    Some(ChildRef::List(old)) => Some(old),
                    Some(_) | None => None,
                };
                self.entries(change, |walk, key, inner| {
                    if let Some(old) = old.and_then(|old| old.get(key)) {
                        walk.inner(old, inner);
                    } else {
                        walk.root();
                    }
                });
            }
            Change::LeafList(change) => self.entries(change, |walk, _, _| walk.root()),
        }
    }

    fn entries<V: Clone, D>(
        &mut self,
        change: &EntriesChange<V, D>,
        mut changed: impl FnMut(&mut Self, &Key, &D),
    ) {
        match change {
            // What is removed leaves the order of the others as it is; what is created has a place in it.
            EntriesChange::Created(entries) if entries.order() == Order::System => {
                self.all(entries);
            }
            EntriesChange::Removed(Some(entries)) => self.all(entries),
            EntriesChange::Created(_) | EntriesChange::Removed(None) => self.root(),
            EntriesChange::Changed { placed, .. } if !placed.is_empty() => self.root(),
            EntriesChange::Changed { entries, .. } => {
                for (key, change) in entries {
                    self.select(Some(key));
                    match change {
                        EntryChange::Created(_) | EntryChange::Removed(_) => self.root(),
                        EntryChange::Changed(inner) => changed(self, key, inner),
                    }
                }
                self.select(None);
            }
        }
    }

    /// Each entry is a root, or the list if there are too many.
    fn all<V: Clone>(&mut self, entries: &Entries<V>) {
        if entries.len() > FOOTPRINT_ROOTS_MAX {
            return self.root();
        }
        for (key, _) in entries.iter() {
            self.select(Some(key));
            self.root();
        }
        self.select(None);
    }

    /// The last step leads to this entry, or to all of the list.
    fn select(&mut self, key: Option<&Key>) {
        if let Some((_, slot)) = self.path.last_mut() {
            *slot = key.cloned();
        }
    }

    fn root(&mut self) {
        self.footprint.add(self.path.clone());
    }
}

/// The node was absent and is present.
fn creates(change: &Change) -> bool {
    match change {
        Change::Leaf { old, new } => old.is_none() && new.is_some(),
        Change::Any { old, new } => old.is_none() && new.is_some(),
        Change::Container { existence, .. } => *existence == Existence::Created,
        Change::List(change) => matches!(change, EntriesChange::Created(_)),
        Change::LeafList(change) => matches!(change, EntriesChange::Created(_)),
    }
}

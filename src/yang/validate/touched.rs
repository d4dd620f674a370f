//! Which rules a change can have made false, and where.

use super::rules::{Cares, Reader, RuleId, RuleSet};
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Change, Container, Diff, EntriesChange, EntryChange, Existence, Key};
use std::collections::{BTreeMap, BTreeSet};

/// What is to be checked in an instance: in the whole tree, to begin with.
#[derive(Debug, Default)]
pub(super) struct Touched {
    /// All rules on it and below.
    pub(super) all: bool,
    /// These rules, on all of their instances here and below.
    pub(super) rules: BTreeSet<RuleId>,
    /// What else there is to check below: in an entry, in a child that is one, or in all entries of a child.
    pub(super) inner: BTreeMap<(NodeId, Option<Key>), Touched>,
}

impl Touched {
    /// All of the tree.
    pub(super) fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.rules.is_empty() && self.inner.is_empty()
    }

    /// Another rule is to be checked at `place`.
    pub(super) fn add(&mut self, place: &[(NodeId, Option<Key>)], rule: RuleId) {
        let Some(((node, key), below)) = place.split_first() else {
            self.rules.insert(rule);
            return;
        };
        let all = (*node, None);
        match key {
            // What is said of all entries is not said again of one.
            Some(_) if self.inner.contains_key(&all) => {
                self.inner.entry(all).or_default().rules.insert(rule);
            }
            _ => self.inner.entry((*node, key.clone())).or_default().add(below, rule),
        }
    }

    fn put(&mut self, node: NodeId, key: Option<&Key>, what: Self) {
        if !what.is_empty() {
            self.inner.insert((node, key.cloned()), what);
        }
    }
}

impl RuleSet {
    /// What a change of a tree that kept all of these rules can have made false.
    pub(super) fn touched(&self, schema: &Schema, diff: &Diff) -> Touched {
        if diff.is_empty() || self.is_empty() {
            return Touched::default();
        }
        let mut collector = Collector { set: self, schema, open: Vec::new() };
        let mut touched = collector.inside(diff);
        touched.rules.extend(&self.unbounded);
        touched
    }
}

/// The walk through a diff. It goes as deep as the schema.
struct Collector<'a> {
    set: &'a RuleSet,
    schema: &'a Schema,
    /// Rules to check in the instances that the walk is in, the tree first.
    open: Vec<BTreeSet<RuleId>>,
}

impl Collector<'_> {
    /// In an instance that is there before and after.
    fn inside(&mut self, diff: &Diff) -> Touched {
        self.open.push(BTreeSet::new());
        let mut touched = Touched::default();
        for (node, change) in &diff.changes {
            self.change(&mut touched, *node, change);
        }
        touched.rules.append(&mut self.open.pop().unwrap_or_default());
        touched
    }

    fn change(&mut self, touched: &mut Touched, node: NodeId, change: &Change) {
        match change {
            Change::Leaf { old, .. } => {
                // Where it is gone, a default may be there.
                let itself = self.changed(node, Gain::if_new(old.is_none()));
                touched.put(node, None, itself);
            }
            Change::Any { old, .. } => {
                let itself = self.changed(node, Gain::if_new(old.is_none()));
                touched.put(node, None, itself);
            }
            Change::Container { existence, inner } => {
                let kind = &self.schema.node(node).kind;
                let presence = matches!(kind, NodeKind::Container { presence: true });
                match existence {
                    Existence::Created if presence => self.created(touched, node, None),
                    Existence::Removed if presence => self.outside(node, Gain::Loss),
                    Existence::Created | Existence::Removed | Existence::Kept => {
                        let mut below = self.inside(inner);
                        if *existence != Existence::Kept {
                            let gain = Gain::if_new(*existence == Existence::Created);
                            below.rules.append(&mut self.changed(node, gain).rules);
                        }
                        touched.put(node, None, below);
                    }
                }
            }
            Change::List(change) => self.list(touched, node, change),
            Change::LeafList(EntriesChange::Created(_)) => {
                let itself = self.changed(node, Gain::New);
                touched.put(node, None, itself);
            }
            Change::LeafList(EntriesChange::Removed(_)) => {
                let itself = self.changed(node, Gain::Loss);
                touched.put(node, None, itself);
            }
            Change::LeafList(EntriesChange::Changed { entries, placed }) => {
                for placed in placed {
                    let itself = self.changed(node, Gain::New);
                    touched.put(node, Some(&placed.key), itself);
                }
                for (key, entry) in entries {
                    let gain = Gain::if_new(matches!(entry, EntryChange::Created(_)));
                    let itself = self.changed(node, gain);
                    if !matches!(entry, EntryChange::Removed(_)) {
                        touched.put(node, Some(key), itself);
                    }
                }
            }
        }
    }

    fn list(
        &mut self,
        touched: &mut Touched,
        node: NodeId,
        change: &EntriesChange<Container, Diff>,
    ) {
        let (entries, placed) = match change {
            EntriesChange::Created(_) => return self.created(touched, node, None),
            EntriesChange::Removed(_) => return self.outside(node, Gain::Loss),
            EntriesChange::Changed { entries, placed } => (entries, placed),
        };
        if !placed.is_empty() {
            self.outside(node, Gain::New);
        }
        for (key, entry) in entries {
            match entry {
                EntryChange::Created(_) => self.created(touched, node, Some(key)),
                EntryChange::Removed(_) => self.outside(node, Gain::Loss),
                EntryChange::Changed(inner) => {
                    let below = self.inside(inner);
                    touched.put(node, Some(key), below);
                }
            }
        }
    }

    /// All that is in a node is new.
    fn created(&mut self, touched: &mut Touched, node: NodeId, key: Option<&Key>) {
        self.outside(node, Gain::New);
        if !self.set.subtree(Some(node)).is_empty() {
            touched.put(node, key, Touched::everything());
        }
    }

    /// A node is there or not, or has another value. What is to be checked in the node itself.
    fn changed(&mut self, node: NodeId, gain: Gain) -> Touched {
        let mut itself = Touched::default();
        for Reader { rule, depth, cares } in self.set.readers_of(node) {
            match self.open.get_mut(*depth) {
                Some(open) if gain.counts(*cares) => open.insert(*rule),
                Some(_) => false,
                None => itself.rules.insert(*rule),
            };
        }
        itself
    }

    /// A node is there or not, and with it all below.
    fn outside(&mut self, node: NodeId, gain: Gain) {
        for Reader { rule, depth, cares } in self.set.readers_outside(node) {
            if let Some(open) = self.open.get_mut(*depth).filter(|_| gain.counts(*cares)) {
                open.insert(*rule);
            }
        }
    }
}

/// What a change is to those who look for nodes.
#[derive(Clone, Copy, PartialEq)]
enum Gain {
    /// A node is there that was not, and that is all; or others stand around it.
    New,
    /// A node or a value is gone.
    Loss,
}

impl Gain {
    fn if_new(is_new: bool) -> Self {
        if is_new { Self::New } else { Self::Loss }
    }

    fn counts(self, cares: Cares) -> bool {
        self == Self::Loss || cares == Cares::Always
    }
}

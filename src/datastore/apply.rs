//! What an edit does to a tree (RFC 6241, 7.2; RFC 7950, 8.3.2).
//!
//! - Every operation looks at the datastore *as it was before the request*, so the order of sibling edits does not
//!   matter. The exception is the RFC's: entries of one user-ordered list or leaf-list are "modified one at a time, in
//!   the order of the XML elements" (7.7.9, 7.8.6), so an anchor may have been created by an earlier sibling, and not
//!   by a later one.
//! - `replace` (and `default-operation` replace, for the whole datastore) decides what *remains*: nothing that the
//!   request does not state. Operations stated below it still look at the datastore before the request.
//! - A case switch is settled when all siblings are done: what a case gained removes what other cases had (7.9). Two
//!   cases that both gain data are refused, also where the reader of the request let them through.
//! - Below a node that is deleted, an operation that states data contradicts it: `bad-attribute`.
//! - The reader refuses duplicates; where it does not, the last of them stands.

use super::apply_entries::Open;
use super::edit::{DefaultOperation, Edit, EditNode, EditValue, Operation};
use super::footprint::Footprint;
use super::operation::{Existence, Refusal, Step, states_data};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::schema::{NodeKind, Schema};
use crate::yang::tree::{Child, ChildRef, Container, Seed, Tree};
use std::sync::Arc;

/// What came of an edit.
#[derive(Debug, Clone)]
pub(crate) struct Edited {
    pub(crate) tree: Tree,
    /// What the edit touched, also where it changed nothing.
    pub(crate) footprint: Footprint,
}

/// `tree` after `edit` (RFC 6241, 7.2). Nothing but the edit is done: what a false `when` removes, defaults and
/// constraints are validation's.
///
/// Fails with the first fault in the order of the request: `data-exists`, `data-missing` (RFC 7950, 8.3.2),
/// `bad-attribute` with `missing-instance` (15.7), `bad-element` for a key that is deleted in an entry that stays and
/// for data of two cases (8.3.1). The path is that of the node at fault.
pub(crate) fn apply_edit(schema: &Schema, tree: &Tree, edit: &Edit) -> Result<Edited, DataError> {
    let mut applier = Applier::new(schema, tree.seed);
    let start = match edit.default_operation {
        DefaultOperation::Replace => {
            applier.footprint = Footprint::whole();
            applier.covered = true;
            Container::default()
        }
        DefaultOperation::Merge | DefaultOperation::None => tree.root.clone(),
    };
    let root = applier.run(tree.root.clone(), start, &edit.nodes)?;
    Ok(Edited { tree: Tree { root, seed: tree.seed }, footprint: applier.footprint })
}

/// The tree that `edit` describes as plain content: for copy-config, validate and an initial configuration.
///
/// Fails as `apply_edit` does on an empty tree.
pub(crate) fn tree_of(schema: &Schema, seed: Seed, edit: &Edit) -> Result<Tree, DataError> {
    let mut applier = Applier::new(schema, seed);
    applier.covered = true;
    let root = applier.run(Container::default(), Container::default(), &edit.nodes)?;
    Ok(Tree { root, seed })
}

/// The way through an edit.
pub(super) struct Applier<'a> {
    pub(super) schema: &'a Schema,
    pub(super) seed: Seed,
    /// The nodes above, the one at hand last.
    pub(super) path: Vec<&'a EditNode>,
    pub(super) footprint: Footprint,
    /// The path lies in a root of the footprint already.
    pub(super) covered: bool,
    /// How often something was touched.
    pub(super) touches: usize,
}

/// A container or list entry (or the top) whose children are being edited. A stack of them is the way down: an edit
/// may be deeper than a thread's stack.
pub(super) struct Level<'a> {
    /// Its children, and those of them that are still to be visited.
    pub(super) edits: &'a [EditNode],
    rest: std::slice::Iter<'a, EditNode>,
    /// What was in it before the request.
    pub(super) before: Container,
    /// What is left of that, with what has been edited so far.
    pub(super) after: Container,
    /// The list at hand: it has been taken out of `after`.
    pub(super) open: Option<Open<'a>>,
    slot: Slot,
    /// `covered` of the level around it.
    covered: bool,
    /// `touches` when it began.
    touches: usize,
}

/// What a level is the content of.
#[derive(Clone, Copy)]
enum Slot {
    Top,
    Container { presence: bool },
    Entry,
}

impl<'a> Applier<'a> {
    fn new(schema: &'a Schema, seed: Seed) -> Self {
        let (path, footprint) = (Vec::new(), Footprint::default());
        Self { schema, seed, path, footprint, covered: false, touches: 0 }
    }

    /// The content of the top level after `edits`; `before` is what was there, `start` what remains of it.
    fn run(
        &mut self,
        before: Container,
        start: Container,
        edits: &'a [EditNode],
    ) -> Result<Container, DataError> {
        let mut outer: Vec<Level<'a>> = Vec::new();
        let mut level = self.level(before, start, edits, Slot::Top);
        loop {
            if let Some(edit) = level.rest.next() {
                self.path.push(edit);
                match self.visit(&mut level, edit)? {
                    Some(inner) => outer.push(std::mem::replace(&mut level, inner)),
                    None => {
                        self.path.pop();
                    }
                }
                continue;
            }
            level.close_list(self.seed);
            self.settle_choices(&mut level)?;
            let Some(around) = outer.pop() else { return Ok(level.after) };
            let inner = std::mem::replace(&mut level, around);
            self.covered = inner.covered;
            self.put_back(&mut level, inner)?;
            self.path.pop();
        }
    }

    fn level(
        &self,
        before: Container,
        start: Container,
        edits: &'a [EditNode],
        slot: Slot,
    ) -> Level<'a> {
        let mut after = start;
        clear_leaf_lists(&mut after, edits);
        let (covered, touches) = (self.covered, self.touches);
        Level { edits, rest: edits.iter(), before, after, open: None, slot, covered, touches }
    }

    /// Does what one edit says, or gives the level that is to be done before it is complete.
    fn visit(
        &mut self,
        level: &mut Level<'a>,
        edit: &'a EditNode,
    ) -> Result<Option<Level<'a>>, DataError> {
        if level.open.as_ref().is_some_and(|open| open.node() != edit.node) {
            level.close_list(self.seed);
        }
        match &self.node(edit)?.kind {
            NodeKind::Container { presence } => return self.container(*presence, level, edit),
            NodeKind::List(list) => return self.entry(list, level, edit),
            NodeKind::LeafList(items) => self.item(items, level, edit)?,
            NodeKind::Leaf(leaf) if leaf.key.is_some() => self.key_leaf(&level.before, edit)?,
            NodeKind::Leaf(_) | NodeKind::Anydata { .. } | NodeKind::Anyxml { .. } => {
                self.terminal(level, edit)?;
            }
            NodeKind::Rpc { .. } | NodeKind::Action { .. } | NodeKind::Notification => {
                return Err(self.misfit());
            }
        }
        Ok(None)
    }

    fn container(
        &mut self,
        presence: bool,
        level: &mut Level<'a>,
        edit: &'a EditNode,
    ) -> Result<Option<Level<'a>>, DataError> {
        let old = match level.before.get(edit.node) {
            Some(ChildRef::Container(old)) => Some(old.clone()),
            Some(_) | None => None,
        };
        let existence = match (&old, presence) {
            (Some(_), _) => Existence::Present,
            (None, true) => Existence::Absent,
            (None, false) => Existence::Implied,
        };
        let old = old.unwrap_or_default();
        let slot = Slot::Container { presence };
        match self.decide(edit, existence)? {
            Step::Delete | Step::Skip => {
                self.gone(edit)?;
                level.after.remove(edit.node);
                Ok(None)
            }
            Step::Fresh => Ok(Some(self.afresh(old, Container::default(), edit, slot))),
            Step::Keep => Ok(Some(self.level(old.clone(), old, edit.children(), slot))),
        }
    }

    /// The inside of a node that is created or replaced: it begins with `start`.
    fn afresh(
        &mut self,
        old: Container,
        start: Container,
        edit: &'a EditNode,
        slot: Slot,
    ) -> Level<'a> {
        self.touch();
        let level = self.level(old, start, edit.children(), slot);
        self.covered = true;
        level
    }

    /// The inside of a list entry: of a new one if it begins with `start`, otherwise of the old one.
    pub(super) fn inside_entry(
        &mut self,
        old: Container,
        start: Option<Container>,
        edit: &'a EditNode,
    ) -> Level<'a> {
        match start {
            Some(start) => self.afresh(old, start, edit, Slot::Entry),
            None => self.level(old.clone(), old, edit.children(), Slot::Entry),
        }
    }

    /// Puts the content of `inner` where it belongs in the level around it.
    fn put_back(&mut self, level: &mut Level<'a>, inner: Level<'a>) -> Result<(), DataError> {
        let Some(edit) = self.path.last().copied() else { return Ok(()) };
        let implied = matches!(inner.slot, Slot::Container { presence: false });
        if self.touches == inner.touches && !implied && states_data(edit.operation) {
            // That it is there is all that was stated.
            self.touch();
        }
        let content = inner.after;
        match inner.slot {
            Slot::Top => {}
            Slot::Container { presence } if content.is_empty() && !presence => {
                level.after.remove(edit.node);
            }
            Slot::Container { .. } => {
                let there = level.after.get(edit.node);
                if !matches!(there, Some(ChildRef::Container(there)) if there.same(&content)) {
                    level.after.set(edit.node, Child::Container(content));
                }
            }
            Slot::Entry => self.put_entry(level, edit, content)?,
        }
        Ok(())
    }

    /// A leaf that is no key, anydata or anyxml.
    fn terminal(&mut self, level: &mut Level<'a>, edit: &'a EditNode) -> Result<(), DataError> {
        let old = level.before.get(edit.node);
        let existence = if old.is_some() { Existence::Present } else { Existence::Absent };
        let step = self.decide(edit, existence)?;
        let after = &mut level.after;
        if edit.operation == Operation::None {
            if let Some(old) = old {
                after.set(edit.node, old.to_owned());
            }
            return Ok(());
        }
        self.touch();
        match step {
            Step::Delete | Step::Skip => {
                after.remove(edit.node);
            }
            Step::Fresh | Step::Keep => match &edit.value {
                EditValue::Leaf(text) if after.leaf(edit.node) == Some(text.as_str()) => {}
                EditValue::Leaf(text) => after.set(edit.node, Child::Leaf(text.clone())),
                EditValue::Any(xml) => after.set(edit.node, Child::Any(Arc::from(&**xml))),
                EditValue::Absent => return Err(self.no_value()),
                EditValue::Container(_) | EditValue::Entry(_) | EditValue::Item(_) => {
                    return Err(self.misfit());
                }
            },
        }
        Ok(())
    }

    /// A key leaf names its entry and lives as long as it does, so an operation on it decides nothing; it may only
    /// be in the way. `merge`, `replace` and `none` agree with every entry, `create` with one that is new;
    /// `delete` and `remove` are `bad-element`, for an entry without a key cannot be (RFC 7950, 7.8.2).
    fn key_leaf(&self, before: &Container, edit: &EditNode) -> Result<(), DataError> {
        match edit.operation {
            Operation::Merge | Operation::Replace | Operation::None => Ok(()),
            Operation::Create if before.leaf(edit.node).is_none() => Ok(()),
            Operation::Create => Err(self.refused(Refusal::Exists)),
            Operation::Delete | Operation::Remove => {
                let element = self.name(edit.node);
                let message = format!("the key {element} cannot be deleted from its entry");
                Err(self.fault(DataErrorKind::BadElement { element }, message))
            }
        }
    }

    /// A node is deleted, or was absent and is to be: nothing below it may be stated.
    pub(super) fn gone(&mut self, edit: &'a EditNode) -> Result<(), DataError> {
        self.touch();
        self.nothing_stated_below(edit)
    }

    fn nothing_stated_below(&mut self, edit: &'a EditNode) -> Result<(), DataError> {
        let here = self.path.len();
        // In the order of the request, each with its depth below `here`.
        let mut pending: Vec<(usize, &'a EditNode)> = Vec::new();
        pending.extend(edit.children().iter().rev().map(|child| (0, child)));
        while let Some((depth, child)) = pending.pop() {
            self.path.truncate(here + depth);
            self.path.push(child);
            if states_data(child.operation) {
                let element = self.name(child.node);
                let message = format!("{element} cannot be kept below a node that is deleted");
                let kind = DataErrorKind::BadAttribute { attribute: "operation".into(), element };
                return Err(self.fault(kind, message));
            }
            pending.extend(child.children().iter().rev().map(|child| (depth + 1, child)));
        }
        self.path.truncate(here);
        Ok(())
    }
}

/// Leaf-lists that are deleted as a whole, without a value, go first, so that what siblings add to them stays.
fn clear_leaf_lists(after: &mut Container, edits: &[EditNode]) {
    for edit in edits {
        if matches!(edit.value, EditValue::Absent)
            && matches!(edit.operation, Operation::Delete | Operation::Remove)
            && matches!(after.get(edit.node), Some(ChildRef::LeafList(_)))
        {
            after.remove(edit.node);
        }
    }
}

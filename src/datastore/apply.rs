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

use super::edit::{DefaultOperation, Edit, EditNode, EditValue, Operation};
use super::footprint::{Footprint, Step as PathStep};
use super::operation::{Existence, Refusal, Step, decide, states_data};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{CaseOf, Node, NodeId, NodeKind, Schema};
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
    let root = applier.children(&tree.root, start, &edit.nodes)?;
    Ok(Edited { tree: Tree { root, seed: tree.seed }, footprint: applier.footprint })
}

/// The tree that `edit` describes as plain content: for copy-config, validate and an initial configuration.
///
/// Fails as `apply_edit` does on an empty tree.
pub(crate) fn tree_of(schema: &Schema, seed: Seed, edit: &Edit) -> Result<Tree, DataError> {
    let mut applier = Applier::new(schema, seed);
    applier.covered = true;
    let empty = Container::default();
    let root = applier.children(&empty, empty.clone(), &edit.nodes)?;
    Ok(Tree { root, seed })
}

/// The way through an edit. It is as deep as the schema, which no request can make deeper.
pub(super) struct Applier<'a> {
    pub(super) schema: &'a Schema,
    pub(super) seed: Seed,
    /// The nodes above, the one at hand last.
    path: Vec<&'a EditNode>,
    footprint: Footprint,
    /// The path lies in a root of the footprint already.
    covered: bool,
}

impl<'a> Applier<'a> {
    fn new(schema: &'a Schema, seed: Seed) -> Self {
        Self { schema, seed, path: Vec::new(), footprint: Footprint::default(), covered: false }
    }

    /// Applies `edits` to the children of one container or entry. `before` is what was there, `after` what remains
    /// of it.
    pub(super) fn children(
        &mut self,
        before: &Container,
        mut after: Container,
        edits: &'a [EditNode],
    ) -> Result<Container, DataError> {
        self.clear_leaf_lists(&mut after, edits);
        for run in edits.chunk_by(|a, b| a.node == b.node) {
            let Some(first) = run.first() else { continue };
            match &self.node(first)?.kind {
                NodeKind::List(list) => self.list(list, before, &mut after, run)?,
                NodeKind::LeafList(items) => self.leaf_list(items, before, &mut after, run)?,
                kind @ (NodeKind::Container { .. }
                | NodeKind::Leaf(_)
                | NodeKind::Anydata { .. }
                | NodeKind::Anyxml { .. }
                | NodeKind::Rpc { .. }
                | NodeKind::Action { .. }
                | NodeKind::Notification) => {
                    for edit in run {
                        self.path.push(edit);
                        self.single(kind, before, &mut after, edit)?;
                        self.path.pop();
                    }
                }
            }
        }
        self.settle_choices(before, &mut after, edits)?;
        Ok(after)
    }

    /// A node of which there is at most one.
    fn single(
        &mut self,
        kind: &NodeKind,
        before: &Container,
        after: &mut Container,
        edit: &'a EditNode,
    ) -> Result<(), DataError> {
        match kind {
            NodeKind::Container { presence } => self.container(*presence, before, after, edit),
            NodeKind::Leaf(leaf) if leaf.key.is_some() => self.key_leaf(before, edit),
            NodeKind::Leaf(_) | NodeKind::Anydata { .. } | NodeKind::Anyxml { .. } => {
                self.terminal(before, after, edit)
            }
            NodeKind::List(_)
            | NodeKind::LeafList(_)
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => Err(self.misfit()),
        }
    }

    fn container(
        &mut self,
        presence: bool,
        before: &Container,
        after: &mut Container,
        edit: &'a EditNode,
    ) -> Result<(), DataError> {
        let old = match before.get(edit.node) {
            Some(ChildRef::Container(old)) => Some(old),
            Some(_) | None => None,
        };
        let existence = match (old, presence) {
            (Some(_), _) => Existence::Present,
            (None, true) => Existence::Absent,
            (None, false) => Existence::Implied,
        };
        let content = match self.decide(edit, existence)? {
            Step::Delete | Step::Skip => {
                self.gone(edit)?;
                after.remove(edit.node);
                return Ok(());
            }
            Step::Fresh => self.afresh(old, Container::default(), edit)?,
            Step::Keep => {
                if presence && edit.children.is_empty() && edit.operation != Operation::None {
                    self.touch();
                }
                self.inside(old, edit)?
            }
        };
        if content.is_empty() && !presence {
            after.remove(edit.node);
        } else if !same_container(after, edit.node, &content) {
            after.set(edit.node, Child::Container(content));
        }
        Ok(())
    }

    /// The content of a node that is created or replaced: it begins with `start`.
    pub(super) fn afresh(
        &mut self,
        old: Option<&Container>,
        start: Container,
        edit: &'a EditNode,
    ) -> Result<Container, DataError> {
        self.touch();
        let covered = std::mem::replace(&mut self.covered, true);
        let content = self.children(old.unwrap_or(&Container::default()), start, &edit.children)?;
        self.covered = covered;
        Ok(content)
    }

    /// The content of a node that stays.
    pub(super) fn inside(
        &mut self,
        old: Option<&Container>,
        edit: &'a EditNode,
    ) -> Result<Container, DataError> {
        let empty = Container::default();
        let old = old.unwrap_or(&empty);
        self.children(old, old.clone(), &edit.children)
    }

    /// A leaf that is no key, anydata or anyxml.
    fn terminal(
        &mut self,
        before: &Container,
        after: &mut Container,
        edit: &'a EditNode,
    ) -> Result<(), DataError> {
        let old = before.get(edit.node);
        let existence = if old.is_some() { Existence::Present } else { Existence::Absent };
        let step = self.decide(edit, existence)?;
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
                EditValue::Any(xml) => after.set(edit.node, Child::Any(Arc::from(xml.as_str()))),
                EditValue::Absent => return Err(self.no_value()),
                EditValue::None | EditValue::Entry { .. } | EditValue::Item { .. } => {
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

    /// Leaf-lists that are deleted as a whole, without a value, go first, so that what siblings add to them stays.
    fn clear_leaf_lists(&self, after: &mut Container, edits: &[EditNode]) {
        for edit in edits {
            let deleted = matches!(edit.operation, Operation::Delete | Operation::Remove);
            if deleted
                && matches!(edit.value, EditValue::Absent)
                && matches!(after.get(edit.node), Some(ChildRef::LeafList(_)))
            {
                after.remove(edit.node);
            }
        }
    }

    /// A node is deleted, or was absent and is to be: nothing below it may be stated.
    pub(super) fn gone(&mut self, edit: &'a EditNode) -> Result<(), DataError> {
        self.touch();
        self.nothing_stated_below(edit)
    }

    fn nothing_stated_below(&mut self, edit: &'a EditNode) -> Result<(), DataError> {
        for child in &edit.children {
            self.path.push(child);
            if states_data(child.operation) {
                let element = self.name(child.node);
                let message = format!("{element} cannot be kept below a node that is deleted");
                let kind = DataErrorKind::BadAttribute { attribute: "operation".into(), element };
                return Err(self.fault(kind, message));
            }
            self.nothing_stated_below(child)?;
            self.path.pop();
        }
        Ok(())
    }

    /// Removes what other cases had of the choices in which this level gained data (RFC 7950, 7.9).
    fn settle_choices(
        &mut self,
        before: &Container,
        after: &mut Container,
        edits: &'a [EditNode],
    ) -> Result<(), DataError> {
        for run in edits.chunk_by(|a, b| a.node == b.node) {
            let Some(edit) = run.first() else { continue };
            let cases = cases(self.schema, edit.node);
            let gained = before.get(edit.node).is_none() && after.get(edit.node).is_some();
            if cases.is_empty() || !gained {
                continue;
            }
            let others: Vec<NodeId> = after
                .iter()
                .map(|(node, _)| node)
                .filter(|node| exclude_each_other(cases, self::cases(self.schema, *node)))
                .collect();
            for other in others {
                let stated = edits.iter().any(|edit| edit.node == other && self.states(edit));
                if stated || before.get(other).is_none() {
                    self.path.push(edit);
                    let element = self.name(edit.node);
                    let message =
                        format!("{element} and {} are of two cases of a choice", self.name(other));
                    return Err(self.fault(DataErrorKind::BadElement { element }, message));
                }
                after.remove(other);
            }
            if !self.covered {
                let parent = self.steps();
                self.footprint.add_case(self.schema, &parent, before, edit.node);
            }
        }
        Ok(())
    }

    /// The edit states data here or below.
    fn states(&self, edit: &EditNode) -> bool {
        match self.node(edit).map(|node| &node.kind) {
            Ok(NodeKind::Container { presence: false }) => {
                edit.children.iter().any(|child| self.states(child))
            }
            Ok(_) => {
                states_data(edit.operation) || edit.children.iter().any(|child| self.states(child))
            }
            Err(_) => false,
        }
    }
}

/// Where the applier is, and what it says there.
impl<'a> Applier<'a> {
    /// One step down.
    pub(super) fn enter(&mut self, edit: &'a EditNode) {
        self.path.push(edit);
    }

    /// One step up.
    pub(super) fn leave(&mut self) {
        self.path.pop();
    }

    /// The table's word on the node at hand.
    pub(super) fn decide(&self, edit: &EditNode, existence: Existence) -> Result<Step, DataError> {
        decide(edit.operation, existence).map_err(|refusal| self.refused(refusal))
    }

    /// The node at hand is a root of the footprint.
    pub(super) fn touch(&mut self) {
        if !self.covered {
            let steps = self.steps();
            self.footprint.add(steps);
        }
    }

    /// All of the list of the entry at hand is a root of the footprint.
    pub(super) fn touch_list(&mut self) {
        if !self.covered {
            let mut steps = self.steps();
            if let Some((_, key)) = steps.last_mut() {
                *key = None;
            }
            self.footprint.add(steps);
        }
    }

    fn steps(&self) -> Vec<PathStep> {
        let step = |edit: &&EditNode| match &edit.value {
            EditValue::Entry { key, .. } | EditValue::Item { key, .. } => {
                (edit.node, Some(key.clone()))
            }
            EditValue::None | EditValue::Leaf(_) | EditValue::Absent | EditValue::Any(_) => {
                (edit.node, None)
            }
        };
        self.path.iter().map(step).collect()
    }

    /// The schema's node of an edit's.
    pub(super) fn node(&self, edit: &EditNode) -> Result<&'a Node, DataError> {
        self.schema.node_checked(edit.node).ok_or_else(|| self.misfit())
    }

    /// A node's name.
    pub(super) fn name(&self, id: NodeId) -> String {
        self.schema.node_checked(id).map_or_else(String::new, |node| node.name.to_string())
    }

    /// A fault of the node at hand.
    pub(super) fn fault(&self, kind: DataErrorKind, message: String) -> DataError {
        let mut path = InstancePath::default();
        for edit in &self.path {
            let selector = match &edit.value {
                EditValue::Entry { values, .. } => Selector::Keys(values.clone()),
                EditValue::Item { value, .. } => Selector::Value(value.clone()),
                EditValue::None | EditValue::Leaf(_) | EditValue::Absent | EditValue::Any(_) => {
                    Selector::None
                }
            };
            path = path.child(edit.node, selector);
        }
        DataError::new(kind, message).at(path)
    }

    fn refused(&self, refusal: Refusal) -> DataError {
        let name = self.path.last().map_or_else(String::new, |edit| self.name(edit.node));
        match refusal {
            Refusal::Exists => {
                self.fault(DataErrorKind::DataExists, format!("{name} exists already"))
            }
            Refusal::Missing => {
                self.fault(DataErrorKind::DataMissing, format!("{name} does not exist"))
            }
        }
    }

    /// The node at hand is to be set and has no value.
    pub(super) fn no_value(&self) -> DataError {
        self.fault(DataErrorKind::InvalidValue, "the node needs a value".into())
    }

    /// The edit was not made for this schema.
    pub(super) fn misfit(&self) -> DataError {
        self.fault(DataErrorKind::OperationFailed, "the edit does not fit the schema".into())
    }
}

/// The choices around a node, outermost first.
pub(super) fn cases(schema: &Schema, id: NodeId) -> &[CaseOf] {
    schema.node_checked(id).map_or(&[], |node| &node.cases)
}

/// Nodes in these places cannot be there both.
fn exclude_each_other(a: &[CaseOf], b: &[CaseOf]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.choice == b.choice && a.case != b.case))
}

fn same_container(parent: &Container, node: NodeId, content: &Container) -> bool {
    matches!(parent.get(node), Some(ChildRef::Container(there)) if there.same(content))
}

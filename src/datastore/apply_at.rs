//! Where the applier of an edit is, and what it says there: footprint and faults.

use super::apply::Applier;
use super::edit::EditNode;
use super::footprint::Step as PathStep;
use super::operation::{Existence, Refusal, Step, decide};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::InstancePath;
use crate::yang::schema::{Node, NodeId};

impl<'a> Applier<'a> {
    /// The table's word on the node at hand.
    pub(super) fn decide(&self, edit: &EditNode, existence: Existence) -> Result<Step, DataError> {
        decide(edit.operation, existence).map_err(|refusal| self.refused(refusal))
    }

    /// The node at hand is a root of the footprint.
    pub(super) fn touch(&mut self) {
        self.touches += 1;
        if !self.covered {
            let steps = self.steps();
            self.footprint.add(steps);
        }
    }

    /// All of the list of the entry at hand is a root of the footprint.
    pub(super) fn touch_list(&mut self) {
        self.touches += 1;
        if !self.covered {
            let mut steps = self.steps();
            if let Some((_, key)) = steps.last_mut() {
                *key = None;
            }
            self.footprint.add(steps);
        }
    }

    /// The path at hand.
    pub(super) fn steps(&self) -> Vec<PathStep> {
        self.path.iter().map(|edit| (edit.node, edit.key().cloned())).collect()
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
            path = path.child(edit.node, edit.selector());
        }
        DataError::new(kind, message).at(path)
    }

    /// The table's refusal of the node at hand.
    pub(super) fn refused(&self, refusal: Refusal) -> DataError {
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

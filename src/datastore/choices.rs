//! What an edit does to the cases of a choice (RFC 7950, 7.9).

use super::apply::{Applier, Level};
use super::edit::EditNode;
use super::operation::states_data;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::schema::{CaseOf, NodeId, NodeKind, Schema};

impl<'a> Applier<'a> {
    /// Removes what other cases had of the choices in which this level gained data (RFC 7950, 7.9).
    pub(super) fn settle_choices(&mut self, level: &mut Level<'a>) -> Result<(), DataError> {
        let Level { edits, before, after, .. } = level;
        for run in edits.chunk_by(|a, b| a.node == b.node) {
            let Some(edit) = run.first() else { continue };
            let cases = cases(self.schema, edit.node);
            let gained = || before.get(edit.node).is_none() && after.get(edit.node).is_some();
            if cases.is_empty() || !gained() {
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

    /// The edit states data here or below. A non-presence container is no data by itself.
    fn states(&self, edit: &EditNode) -> bool {
        let mut pending = vec![edit];
        while let Some(edit) = pending.pop() {
            let implied = self
                .node(edit)
                .is_ok_and(|node| matches!(node.kind, NodeKind::Container { presence: false }));
            if !implied && states_data(edit.operation) {
                return true;
            }
            pending.extend(edit.children());
        }
        false
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

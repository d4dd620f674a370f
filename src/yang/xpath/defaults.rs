//! What is there without being stored (RFC 7950: 6.4.1, 7.6.1, 7.7.2, 7.9.3).

use super::Defaults;
use super::axes::Visit;
use super::evaluate::{Evaluation, EvaluationError, Frame, Verdict};
use super::nodes::{Data, Node, Place};
use crate::yang::schema::{CaseOf, NodeId, NodeKind};
use crate::yang::tree::Container;
use std::sync::LazyLock;

/// What a non-presence container that is not stored holds.
pub(super) static NOTHING: LazyLock<Container> = LazyLock::new(Container::default);

impl<'a> Evaluation<'a> {
    /// Visits the default instances of a child that is not stored.
    pub(super) fn default_instances(
        &mut self,
        frame: &mut Frame,
        (parent, data, id): (Node, &'a Container, NodeId),
        visit: Visit<'_, 'a>,
    ) -> Result<bool, EvaluationError> {
        let schema = self.schema;
        let node = schema.node(id);
        let is_visible = match self.defaults {
            Defaults::Hidden => false,
            Defaults::OfConfiguration => node.config,
            Defaults::All => true,
        };
        if !is_visible || !node.cases.iter().all(|case| self.is_case_in_use(data, *case)) {
            return Ok(true);
        }
        let values: &'a [Box<str>] = match &node.kind {
            NodeKind::Container { presence: false } => {
                let inner: &'static Container = &NOTHING;
                let child = (id, Place::Only, Data::Inner(inner));
                return self.default_instance(frame, parent, child, visit);
            }
            NodeKind::Leaf(leaf) if leaf.key.is_none() => leaf.default.as_slice(),
            NodeKind::LeafList(leaf_list) => &leaf_list.defaults,
            NodeKind::Container { .. }
            | NodeKind::Leaf(_)
            | NodeKind::List(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => return Ok(true),
        };
        for (number, value) in (0..).zip(values) {
            let is_entry = matches!(node.kind, NodeKind::LeafList(_));
            let place = if is_entry { Place::Default(number) } else { Place::Only };
            if !self.default_instance(frame, parent, (id, place, Data::Value(value)), visit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Visits a default, unless a `when` of it is false (RFC 7950, 7.21.5).
    fn default_instance(
        &mut self,
        frame: &mut Frame,
        parent: Node,
        child: (NodeId, Place<'a>, Data<'a>),
        visit: Visit<'_, 'a>,
    ) -> Result<bool, EvaluationError> {
        self.emit(frame, parent, child, &mut |this, frame, node| {
            if this.whens_hold(child.0, node)? {
                visit(this, frame, node)
            } else {
                Ok(Verdict::DROP)
            }
        })
    }

    /// Nodes of the case are there, or it is the default one and no node of another case is there.
    fn is_case_in_use(&self, data: &Container, wanted: CaseOf) -> bool {
        let in_choice = |id: NodeId| {
            self.schema.node(id).cases.iter().find(|case| case.choice == wanted.choice)
        };
        match data.iter().find_map(|(id, _)| in_choice(id)) {
            Some(case) => case.case == wanted.case,
            None => {
                let choice = usize::try_from(wanted.choice.0).ok();
                choice
                    .and_then(|at| self.schema.choices.get(at))
                    .is_some_and(|choice| choice.default_case == Some(wanted.case))
            }
        }
    }
}

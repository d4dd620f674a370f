//! What the checks of constraints ask of an evaluation: instances, whether they are there, where they are.

use super::ast::Compiled;
use super::defaults::NOTHING;
use super::evaluate::{Context, Evaluation, EvaluationError, Frame, Verdict};
use super::nodes::{Data, Node, Place, ROOT};
use crate::base::limits::XPATH_STEPS_MAX;
use crate::yang::path::{InstancePath, Selector, Step};
use crate::yang::schema::{ChoiceId, NodeId, NodeKind, Type, TypeId};
use crate::yang::tree::{Container, Key, KeyPath, Text};

/// What is done with an instance; false ends the walk.
pub(crate) type Each<'v, 'a> =
    &'v mut dyn FnMut(&mut Evaluation<'a>, Node) -> Result<bool, EvaluationError>;

impl Frame {
    /// Of no expression.
    fn none() -> Self {
        Self { current: ROOT, module: None, found: Vec::new(), below: Vec::new() }
    }
}

impl<'a> Evaluation<'a> {
    /// Visits all instances of a child, defaults among them. What was met is forgotten.
    pub(crate) fn each_instance(
        &mut self,
        parent: Node,
        id: NodeId,
        each: Each<'_, 'a>,
    ) -> Result<(), EvaluationError> {
        let Data::Inner(data) = self.arena.get(parent).data else { return Ok(()) };
        self.instances(&mut Frame::none(), (parent, data, id), &mut |this, _, node| {
            let goes_on = each(this, node)?;
            Ok(Verdict { keep: false, stop: !goes_on })
        })?;
        Ok(())
    }

    /// Visits the entry of a list or leaf-list with this key, if it is there.
    pub(crate) fn entry(
        &mut self,
        parent: Node,
        (id, key): (NodeId, &Key),
        each: Each<'_, 'a>,
    ) -> Result<(), EvaluationError> {
        let before = self.arena.len();
        if let Some(node) = self.stored_child(parent, id, Some(key)) {
            self.charge(1)?;
            each(self, node)?;
        }
        self.arena.truncate(before);
        Ok(())
    }

    /// What is stored in the root, a container or an entry; nothing in other nodes.
    pub(crate) fn content(&self, node: Node) -> &'a Container {
        let Data::Inner(data) = self.arena.get(node).data else { return &NOTHING };
        data
    }

    /// The value of a leaf or an entry of a leaf-list.
    pub(crate) fn value(&self, node: Node) -> Option<&'a str> {
        let Data::Value(value) = self.arena.get(node).data else { return None };
        Some(value)
    }

    /// The key of an entry that is stored.
    pub(crate) fn key(&self, node: Node) -> Option<&'a Key> {
        let Place::Entry(key) = self.arena.get(node).place else { return None };
        Some(key)
    }

    /// The expression is true of `context`. It may take as many steps as one expression may, of those that are left.
    pub(crate) fn holds_at(
        &mut self,
        compiled: &'a Compiled,
        context: Node,
    ) -> Result<bool, EvaluationError> {
        self.limited(|this| {
            let mut frame = Frame::new(compiled, context);
            let context = Context { node: context, position: 1, size: 1 };
            this.boolean(&mut frame, &compiled.root, context)
        })
    }

    /// All `when` expressions of a node hold for an instance of it.
    pub(crate) fn whens_hold(&mut self, id: NodeId, node: Node) -> Result<bool, EvaluationError> {
        for (up, when) in self.schema.expressions().whens(id) {
            let context = self.arena.ancestors_or_self(node).nth(usize::from(*up));
            if !self.holds_at(when, context.unwrap_or(ROOT))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// All `when` expressions of a child that is not there would hold if it were: in its place stands a node without
    /// value and children (RFC 7950, 7.21.5).
    pub(crate) fn whens_would_hold(
        &mut self,
        parent: Node,
        id: NodeId,
    ) -> Result<bool, EvaluationError> {
        if self.schema.expressions().whens(id).is_empty() {
            return Ok(true);
        }
        let data = match self.schema.node(id).kind {
            NodeKind::Leaf(_) | NodeKind::LeafList(_) => Data::Value(""),
            NodeKind::Container { .. }
            | NodeKind::List(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => Data::Inner(&NOTHING),
        };
        let before = self.arena.len();
        let dummy = self.arena.push(parent, id, Place::Only, data);
        let hold = self.whens_hold(id, dummy);
        self.arena.truncate(before);
        hold
    }

    /// All `when` expressions of a choice hold; `parent` is the node that the choice is in.
    pub(crate) fn choice_whens_hold(
        &mut self,
        choice: ChoiceId,
        parent: Node,
    ) -> Result<bool, EvaluationError> {
        for when in self.schema.expressions().choice_whens(choice) {
            if !self.holds_at(when, parent)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What a leaf or an entry of a leaf-list refers to is there, or need not be (RFC 7950, 9.9.3 and 9.13). Of a
    /// union it is enough that one member takes the value.
    pub(crate) fn refers_to_something(
        &mut self,
        node: Node,
        type_id: TypeId,
    ) -> Result<bool, EvaluationError> {
        let facts = *self.arena.get(node);
        let (Some(id), Data::Value(value)) = (facts.schema, facts.data) else { return Ok(true) };
        let schema = self.schema;
        match schema.type_facts(type_id) {
            Type::Leafref { require_instance: true, .. } => {
                let Some(path) = schema.expressions().leafref(type_id) else { return Ok(false) };
                self.holds_at(path, node)
            }
            Type::InstanceIdentifier { require_instance: true } => self.limited(|this| {
                let found = this.instance(&mut Frame::none(), id, value)?;
                Ok(found.is_some())
            }),
            Type::Union(members) => {
                for member in members {
                    if schema.is_value(id, *member, value)
                        && self.refers_to_something(node, *member)?
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Type::Leafref { .. }
            | Type::InstanceIdentifier { .. }
            | Type::Boolean
            | Type::Empty
            | Type::Int { .. }
            | Type::Uint { .. }
            | Type::Decimal64 { .. }
            | Type::String { .. }
            | Type::Binary { .. }
            | Type::Enumeration(_)
            | Type::Bits(_)
            | Type::Identityref(_)
            | Type::Foreign { .. } => Ok(true),
        }
    }

    /// Does something that one expression's limit holds for, and forgets what it has met.
    fn limited<T>(
        &mut self,
        what: impl FnOnce(&mut Self) -> Result<T, EvaluationError>,
    ) -> Result<T, EvaluationError> {
        let (all, depth, before) = (self.steps_left, self.depth, self.arena.len());
        let granted = all.min(XPATH_STEPS_MAX);
        self.steps_left = granted;
        let result = what(self);
        self.steps_left = all - (granted - self.steps_left);
        self.depth = depth;
        self.arena.truncate(before);
        result
    }

    /// May take so many steps for all expressions together.
    pub(crate) fn grant(&mut self, steps: u64) {
        self.steps_left = steps;
    }

    /// Where a node is, as errors name it.
    pub(crate) fn path_of(&self, node: Node) -> InstancePath {
        let mut steps: Vec<Step> = self
            .arena
            .ancestors_or_self(node)
            .filter_map(|at| {
                let facts = self.arena.get(at);
                let id = facts.schema?;
                let selector = match (facts.data, &self.schema.node(id).kind) {
                    (Data::Inner(entry), NodeKind::List(list)) => {
                        let value = |key: &NodeId| entry.leaf(*key).map(Text::new);
                        Selector::Keys(list.keys.iter().filter_map(value).collect())
                    }
                    (Data::Value(value), NodeKind::LeafList(_)) => {
                        Selector::Value(Text::new(value))
                    }
                    (_, _) => Selector::None,
                };
                Some(Step { node: id, selector })
            })
            .collect();
        steps.reverse();
        InstancePath(steps)
    }

    /// Where a node is, as the tree knows it.
    pub(crate) fn key_path_of(&self, node: Node) -> KeyPath {
        let up = self.arena.ancestors_or_self(node);
        let mut steps: Vec<_> =
            up.filter_map(|at| Some((self.arena.get(at).schema?, self.key(at).cloned()))).collect();
        steps.reverse();
        KeyPath(steps)
    }
}

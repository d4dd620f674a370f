//! Which schema nodes an expression reads, whatever the data.

use super::ast::{Axis, Compiled, Expr, Function, Path, Predicate, Start, Step, Test, ValueType};
use crate::base::limits::XPATH_ANALYSIS_NODES_MAX;
use crate::yang::schema::{NodeId, NodeKind, Schema, Type, TypeId};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// What an expression reads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    /// A change of no other node can change what the expression evaluates to. What is created or removed with the node
    /// around it is changed, too.
    ///
    /// Each with its anchor: the context node, or one above it (`None` is the root), in whose instance all that is read
    /// of the node lies. So a change counts for context nodes in the same instance of the anchor alone.
    pub(crate) nodes: BTreeMap<NodeId, Option<NodeId>>,
    /// The nodes that it evaluates to, if that is a node-set.
    pub(crate) results: BTreeSet<NodeId>,
    /// The root of the document is among them.
    pub(crate) is_root: bool,
}

impl Compiled {
    /// What the expression reads with an instance of `context` (`None` is the root) for its context node; `None` if
    /// that cannot be known, because an instance-identifier may lead anywhere, or would take too long.
    pub(crate) fn reads(&self, schema: &Schema, context: Option<NodeId>) -> Option<Reads> {
        let mut analysis = Analysis::new(schema);
        let context = Set::from([(context, context)]);
        let results = analysis.expr(&self.root, &context, &context)?;
        Some(Reads {
            nodes: analysis.reads,
            is_root: results.contains_key(&None),
            results: results.into_keys().flatten().collect(),
        })
    }
}

impl Reads {
    /// What decides whether instances of nodes are there, defaults among them: each node with its anchor.
    pub(crate) fn of_presence(
        schema: &Schema,
        nodes: impl IntoIterator<Item = (NodeId, Option<NodeId>)>,
    ) -> Option<Self> {
        let mut analysis = Analysis::new(schema);
        analysis.read(&nodes.into_iter().map(|(id, anchor)| (Some(id), anchor)).collect())?;
        Some(Self { nodes: analysis.reads, ..Self::default() })
    }

    /// What the `when` expressions of a node read, and the node.
    pub(crate) fn of_whens(schema: &Schema, id: NodeId) -> Option<Self> {
        let mut analysis = Analysis::new(schema);
        add(&mut analysis.reads, id, Some(id));
        analysis.whens(id, Some(id))?;
        Some(Self { nodes: analysis.reads, ..Self::default() })
    }

    /// What decides whether a child of `parent` must be there: it, its `when` expressions, and its choices.
    pub(crate) fn of_conditions(
        schema: &Schema,
        parent: Option<NodeId>,
        children: impl IntoIterator<Item = NodeId>,
    ) -> Option<Self> {
        let mut analysis = Analysis::new(schema);
        for child in children {
            add(&mut analysis.reads, child, parent);
            analysis.siblings(child, parent);
            analysis.whens(child, parent)?;
        }
        Some(Self { nodes: analysis.reads, ..Self::default() })
    }
}

/// Schema nodes with their anchors; `None` is the root. Texts of leafs are taken for the leafs.
///
/// All anchors of an analysis lie on one way to the root, and a parent's number is smaller than its children's: where
/// there are two, the smaller one stands for both.
type Set = BTreeMap<Option<NodeId>, Option<NodeId>>;

struct Analysis<'a> {
    schema: &'a Schema,
    reads: BTreeMap<NodeId, Option<NodeId>>,
    /// Those whose defaults have been looked at.
    known: BTreeMap<NodeId, Option<NodeId>>,
    /// Nodes that may still be looked at.
    left: usize,
}

/// Adds a node. Whether that says anything new.
fn add<K: Ord>(set: &mut BTreeMap<K, Option<NodeId>>, node: K, anchor: Option<NodeId>) -> bool {
    match set.entry(node) {
        Entry::Vacant(entry) => {
            entry.insert(anchor);
            true
        }
        Entry::Occupied(mut entry) => {
            let is_higher = anchor < *entry.get();
            if is_higher {
                entry.insert(anchor);
            }
            is_higher
        }
    }
}

fn add_all(set: &mut Set, more: &Set) {
    for (node, anchor) in more {
        add(set, *node, *anchor);
    }
}

/// All but the root.
fn named(set: &Set) -> impl Iterator<Item = (NodeId, Option<NodeId>)> {
    set.iter().filter_map(|(node, anchor)| Some(((*node)?, *anchor)))
}

impl<'a> Analysis<'a> {
    fn new(schema: &'a Schema) -> Self {
        let (reads, known) = (BTreeMap::new(), BTreeMap::new());
        Self { schema, reads, known, left: XPATH_ANALYSIS_NODES_MAX }
    }

    /// The node above, or the root, with its anchor.
    fn above(&self, id: NodeId, anchor: Option<NodeId>) -> (Option<NodeId>, Option<NodeId>) {
        let parent = self.schema.node(id).parent;
        (parent, if anchor == Some(id) { parent } else { anchor })
    }

    /// The nodes that an expression evaluates to; of other types, none. `None` if anything may be read.
    fn expr(&mut self, expr: &Expr, context: &Set, current: &Set) -> Option<Set> {
        match expr {
            Expr::Or(parts) | Expr::And(parts) => {
                for part in parts {
                    self.expr(part, context, current)?;
                }
                Some(Set::new())
            }
            Expr::Compare(_, sides) | Expr::Arithmetic(_, sides) => {
                self.value(&sides.0, context, current)?;
                self.value(&sides.1, context, current)?;
                Some(Set::new())
            }
            Expr::Negate(inner) => {
                self.value(inner, context, current)?;
                Some(Set::new())
            }
            Expr::Union(parts) => {
                let mut all = Set::new();
                for part in parts {
                    add_all(&mut all, &self.expr(part, context, current)?);
                }
                Some(all)
            }
            Expr::Path(path) => self.path(path, context, current),
            Expr::Literal(_) | Expr::Number(_) => Some(Set::new()),
            Expr::Call(function, arguments) => self.call(*function, arguments, context, current),
        }
    }

    fn call(
        &mut self,
        function: Function,
        arguments: &[Expr],
        context: &Set,
        current: &Set,
    ) -> Option<Set> {
        if function == Function::Current {
            return Some(current.clone());
        }
        if function == Function::Deref {
            let from = self.expr(arguments.first()?, context, current)?;
            return self.deref(&from);
        }
        // Whether there are nodes and how many, not what is in them.
        let counts = matches!(function, Function::Count | Function::Boolean | Function::Not);
        for argument in arguments {
            if counts {
                self.expr(argument, context, current)?;
            } else {
                self.value(argument, context, current)?;
            }
        }
        Some(Set::new())
    }

    /// The value of an expression is taken: of nodes, with all that is in them.
    fn value(&mut self, expr: &Expr, context: &Set, current: &Set) -> Option<()> {
        let nodes = self.expr(expr, context, current)?;
        if expr.value_type() == ValueType::Nodes {
            let mut below = Set::new();
            self.descend(&nodes, &mut below);
            self.read(&nodes)?;
            self.read(&below)?;
        }
        Some(())
    }

    fn path(&mut self, path: &Path, context: &Set, current: &Set) -> Option<Set> {
        let mut nodes = match &path.start {
            Start::Root => Set::from([(None, None)]),
            Start::Context => context.clone(),
            Start::Expr(expr, predicates) => {
                let nodes = self.expr(expr, context, current)?;
                self.predicates(predicates, &nodes, current)?;
                nodes
            }
        };
        for step in &path.steps {
            nodes = self.step(&nodes, step);
            self.left = self.left.checked_sub(nodes.len() + 1)?;
            self.read(&nodes)?;
            self.predicates(&step.predicates, &nodes, current)?;
        }
        Some(nodes)
    }

    fn predicates(&mut self, predicates: &[Predicate], nodes: &Set, current: &Set) -> Option<()> {
        for predicate in predicates {
            match predicate.expr.value_type() {
                ValueType::Text | ValueType::Number => {
                    self.value(&predicate.expr, nodes, current)?
                }
                ValueType::Nodes | ValueType::Boolean => {
                    self.expr(&predicate.expr, nodes, current)?;
                }
            }
        }
        Some(())
    }

    /// Where a step leads.
    fn step(&self, from: &Set, step: &Step) -> Set {
        let mut reached = Set::new();
        match step.axis {
            Axis::Child => {
                from.iter().for_each(|(node, anchor)| self.children(*node, *anchor, &mut reached));
            }
            Axis::Descendant => self.descend(from, &mut reached),
            Axis::DescendantOrSelf => {
                self.descend(from, &mut reached);
                add_all(&mut reached, from);
            }
            Axis::Itself => reached.clone_from(from),
            Axis::Parent => {
                for (id, anchor) in named(from) {
                    let (parent, anchor) = self.above(id, anchor);
                    add(&mut reached, parent, anchor);
                }
            }
            Axis::Ancestor | Axis::AncestorOrSelf => {
                for (mut id, mut anchor) in named(from) {
                    loop {
                        let above = self.above(id, anchor);
                        add(&mut reached, above.0, above.1);
                        let (Some(parent), upper) = above else { break };
                        (id, anchor) = (parent, upper);
                    }
                }
                if step.axis == Axis::AncestorOrSelf {
                    add_all(&mut reached, from);
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                for (id, anchor) in named(from) {
                    let (parent, anchor) = self.above(id, anchor);
                    self.children(parent, anchor, &mut reached);
                }
            }
            Axis::Following | Axis::Preceding => {
                self.descend(&Set::from([(None, None)]), &mut reached);
            }
            Axis::None => {}
        }
        // The text of a leaf is its child, and the leaf is the parent of that.
        let texts = matches!(step.test, Test::Text | Test::Node);
        if texts && step.axis == Axis::Child || matches!(step.axis, Axis::Parent | Axis::Ancestor) {
            for (id, anchor) in named(from).filter(|(id, _)| self.is_value(Some(*id))) {
                add(&mut reached, Some(id), anchor);
            }
        }
        reached.retain(|node, _| match (node, &step.test) {
            (_, Test::Node) => true,
            (node, Test::Text) => self.is_value(*node),
            (Some(id), test) => test.names(self.schema, *id),
            (None, _) => false,
        });
        reached
    }

    fn is_value(&self, node: Option<NodeId>) -> bool {
        node.is_some_and(|id| self.schema.type_of(id).is_some())
    }

    fn children(&self, node: Option<NodeId>, anchor: Option<NodeId>, reached: &mut Set) {
        for child in self.schema.children(node) {
            add(reached, Some(*child), anchor);
        }
    }

    fn descend(&self, from: &Set, reached: &mut Set) {
        let mut open: Vec<_> = from.iter().map(|(node, anchor)| (*node, *anchor)).collect();
        while let Some((node, anchor)) = open.pop() {
            for child in self.schema.children(node) {
                if add(reached, Some(*child), anchor) {
                    open.push((Some(*child), anchor));
                }
            }
        }
    }

    /// Notes that nodes are read, and what their defaults depend on.
    fn read(&mut self, nodes: &Set) -> Option<()> {
        for (id, anchor) in named(nodes) {
            add(&mut self.reads, id, anchor);
            // Containers that are there without being stored are so by the same rules.
            let (mut at, mut of) = (id, anchor);
            while add(&mut self.known, at, of) {
                self.left = self.left.checked_sub(1)?;
                self.presence(at, of)?;
                let (Some(parent), upper) = self.above(at, of) else { break };
                let kind = &self.schema.node(parent).kind;
                if !matches!(kind, NodeKind::Container { presence: false }) {
                    break;
                }
                (at, of) = (parent, upper);
            }
        }
        Some(())
    }

    /// Notes what the presence of a node that is not stored depends on: other cases, and `when` expressions.
    fn presence(&mut self, id: NodeId, anchor: Option<NodeId>) -> Option<()> {
        let can_be_implicit = match &self.schema.node(id).kind {
            NodeKind::Container { presence } => !presence,
            NodeKind::Leaf(leaf) => leaf.default.is_some(),
            NodeKind::LeafList(leaf_list) => !leaf_list.defaults.is_empty(),
            NodeKind::List(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => false,
        };
        if can_be_implicit {
            self.siblings(id, anchor);
            self.whens(id, anchor)?;
        }
        Some(())
    }

    /// Notes the nodes of the choice that a node is in.
    fn siblings(&mut self, id: NodeId, anchor: Option<NodeId>) {
        let schema = self.schema;
        let Some(outer) = schema.node(id).cases.first() else { return };
        let (parent, anchor) = self.above(id, anchor);
        for sibling in schema.children(parent) {
            let first = schema.node(*sibling).cases.first();
            if first.is_some_and(|case| case.choice == outer.choice) {
                add(&mut self.reads, *sibling, anchor);
            }
        }
    }

    /// Notes what the `when` expressions of a node read.
    fn whens(&mut self, id: NodeId, anchor: Option<NodeId>) -> Option<()> {
        for (up, when) in self.schema.expressions().whens(id) {
            let mut context = (Some(id), anchor);
            for _ in 0..*up {
                let (Some(id), anchor) = context else { break };
                context = self.above(id, anchor);
            }
            let context = Set::from([context]);
            self.expr(&when.root, &context, &context)?;
        }
        Some(())
    }

    /// Where leafs refer to.
    fn deref(&mut self, from: &Set) -> Option<Set> {
        let mut reached = Set::new();
        self.read(from)?;
        for (id, anchor) in named(from) {
            let Some(type_id) = self.schema.type_of(id) else { continue };
            self.deref_type((id, anchor), type_id, &mut reached)?;
        }
        Some(reached)
    }

    fn deref_type(
        &mut self,
        leaf: (NodeId, Option<NodeId>),
        type_id: TypeId,
        reached: &mut Set,
    ) -> Option<()> {
        match self.schema.type_facts(type_id) {
            Type::InstanceIdentifier { .. } => return None,
            Type::Union(members) => {
                for member in members {
                    self.deref_type(leaf, *member, reached)?;
                }
            }
            Type::Leafref { .. } => {
                let path = self.schema.expressions().leafref(type_id)?;
                let context = Set::from([(Some(leaf.0), leaf.1)]);
                add_all(reached, &self.expr(&path.root, &context, &context)?);
            }
            Type::Boolean
            | Type::Empty
            | Type::Int { .. }
            | Type::Uint { .. }
            | Type::Decimal64 { .. }
            | Type::String { .. }
            | Type::Binary { .. }
            | Type::Enumeration(_)
            | Type::Bits(_)
            | Type::Identityref(_)
            | Type::Foreign { .. } => {}
        }
        Some(())
    }
}

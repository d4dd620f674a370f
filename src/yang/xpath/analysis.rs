//! Which schema nodes an expression reads, whatever the data.

use super::ast::{Axis, Compiled, Expr, Function, Path, Predicate, Start, Step, Test, ValueType};
use crate::base::limits::XPATH_ANALYSIS_NODES_MAX;
use crate::yang::schema::{NodeId, Schema, Type, TypeId};
use std::collections::BTreeSet;

/// What an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reads {
    /// A change of no other node can change what the expression evaluates to. What is created or removed with the node
    /// around it is changed, too.
    pub(crate) nodes: BTreeSet<NodeId>,
    /// The nodes that it evaluates to, if that is a node-set.
    pub(crate) results: BTreeSet<NodeId>,
    /// The root of the document is among them.
    pub(crate) is_root: bool,
}

impl Compiled {
    /// What the expression reads with an instance of `context` (`None` is the root) for its context node; `None` if
    /// that cannot be known, because an instance-identifier may lead anywhere, or would take too long.
    pub(crate) fn reads(&self, schema: &Schema, context: Option<NodeId>) -> Option<Reads> {
        let mut analysis = Analysis {
            schema,
            reads: BTreeSet::new(),
            known: BTreeSet::new(),
            left: XPATH_ANALYSIS_NODES_MAX,
        };
        let context = Set::from([context]);
        let results = analysis.expr(&self.root, &context, &context)?;
        Some(Reads {
            nodes: analysis.reads,
            is_root: results.contains(&None),
            results: results.into_iter().flatten().collect(),
        })
    }
}

/// Schema nodes; `None` is the root. Texts of leafs are taken for the leafs.
type Set = BTreeSet<Option<NodeId>>;

struct Analysis<'a> {
    schema: &'a Schema,
    reads: BTreeSet<NodeId>,
    /// Those whose defaults have been looked at.
    known: BTreeSet<NodeId>,
    /// Nodes that may still be looked at.
    left: usize,
}

impl Analysis<'_> {
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
                    all.append(&mut self.expr(part, context, current)?);
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
            Start::Root => Set::from([None]),
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
            Axis::Child => from.iter().for_each(|node| self.children(*node, &mut reached)),
            Axis::Descendant => self.descend(from, &mut reached),
            Axis::DescendantOrSelf => {
                self.descend(from, &mut reached);
                reached.extend(from);
            }
            Axis::Itself => reached.clone_from(from),
            Axis::Parent => {
                reached.extend(from.iter().flatten().map(|id| self.schema.node(*id).parent))
            }
            Axis::Ancestor | Axis::AncestorOrSelf => {
                for id in from.iter().flatten() {
                    reached.extend(self.schema.ancestors(*id).map(Some));
                    reached.insert(None);
                }
                if step.axis == Axis::AncestorOrSelf {
                    reached.extend(from);
                }
            }
            Axis::FollowingSibling | Axis::PrecedingSibling => {
                for id in from.iter().flatten() {
                    self.children(self.schema.node(*id).parent, &mut reached);
                }
            }
            Axis::Following | Axis::Preceding => self.descend(&Set::from([None]), &mut reached),
            Axis::None => {}
        }
        // The text of a leaf is its child, and the leaf is the parent of that.
        let texts = matches!(step.test, Test::Text | Test::Node);
        if texts && step.axis == Axis::Child {
            reached.extend(from.iter().filter(|node| self.is_value(**node)));
        }
        if matches!(step.axis, Axis::Parent | Axis::Ancestor) {
            reached.extend(from.iter().filter(|node| self.is_value(**node)));
        }
        reached.retain(|node| match (node, &step.test) {
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

    fn children(&self, node: Option<NodeId>, reached: &mut Set) {
        let children = node.map_or(&self.schema.top, |id| &self.schema.node(id).children);
        reached.extend(children.iter().copied().map(Some));
    }

    fn descend(&self, from: &Set, reached: &mut Set) {
        let mut open: Vec<Option<NodeId>> = from.iter().copied().collect();
        while let Some(node) = open.pop() {
            let children = node.map_or(&self.schema.top, |id| &self.schema.node(id).children);
            for child in children.iter().copied().map(Some) {
                if reached.insert(child) {
                    open.push(child);
                }
            }
        }
    }

    /// Notes that nodes are read, and what their defaults depend on.
    fn read(&mut self, nodes: &Set) -> Option<()> {
        for id in nodes.iter().flatten() {
            self.reads.insert(*id);
            if !self.known.insert(*id) {
                continue;
            }
            let node = self.schema.node(*id);
            if let Some(outer) = node.cases.first() {
                let siblings =
                    node.parent.map_or(&self.schema.top, |up| &self.schema.node(up).children);
                self.reads.extend(siblings.iter().filter(|sibling| {
                    self.schema
                        .node(**sibling)
                        .cases
                        .first()
                        .is_some_and(|case| case.choice == outer.choice)
                }));
            }
            let schema = self.schema;
            for (up, when) in schema.expressions().whens(*id) {
                let mut above = std::iter::once(Some(*id)).chain(schema.ancestors(*id).map(Some));
                let context = Set::from([above.nth(usize::from(*up)).flatten()]);
                self.expr(&when.root, &context, &context)?;
            }
        }
        Some(())
    }

    /// Where leafs refer to.
    fn deref(&mut self, from: &Set) -> Option<Set> {
        let mut reached = Set::new();
        self.read(from)?;
        for id in from.iter().flatten() {
            let Some(type_id) = self.schema.type_of(*id) else { continue };
            self.deref_type(*id, type_id, &mut reached)?;
        }
        Some(reached)
    }

    fn deref_type(&mut self, leaf: NodeId, type_id: TypeId, reached: &mut Set) -> Option<()> {
        match self.schema.type_facts(type_id) {
            Type::InstanceIdentifier { .. } => return None,
            Type::Union(members) => {
                for member in members {
                    self.deref_type(leaf, *member, reached)?;
                }
            }
            Type::Leafref { .. } => {
                let path = self.schema.expressions().leafref(type_id)?;
                let context = Set::from([Some(leaf)]);
                reached.append(&mut self.expr(&path.root, &context, &context)?);
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

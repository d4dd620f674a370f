//! Evaluation (XPath 1.0, 2 and 3).

use super::Defaults;
use super::ast::{Arithmetic, Axis, Compiled, Expr, Path, Predicate, Start, Step, ValueType};
use super::axes::{Found, Way};
use super::nodes::{Arena, Node, ROOT};
use super::numbers;
use crate::base::limits::{XPATH_DEPTH_MAX, XPATH_NODES_MAX, XPATH_STEPS_MAX};
use crate::yang::schema::{ModuleId, NodeId, Schema};
use crate::yang::tree::Container;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// Why an evaluation gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EvaluationError {
    #[error("the expression takes more than {XPATH_STEPS_MAX} steps")]
    Steps,
    #[error("the expression has more than {XPATH_NODES_MAX} nodes at a time")]
    Nodes,
    #[error("a text of the expression is too long")]
    Text,
    #[error("the expression is evaluated in more than {XPATH_DEPTH_MAX} levels")]
    Depth,
    #[error("{0:?} is no pattern that is supported")]
    Pattern(String),
}

/// What an expression evaluates to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value<'a> {
    /// In document order, each once.
    Nodes(Vec<Node>),
    Boolean(bool),
    Number(f64),
    Text(Cow<'a, str>),
}

/// Expressions over one tree. What its limits count, it counts over all of its expressions.
#[derive(Debug)]
pub(crate) struct Evaluation<'a> {
    pub(super) schema: &'a Schema,
    pub(super) defaults: Defaults,
    pub(super) arena: Arena<'a>,
    pub(super) patterns: BTreeMap<String, regex::Regex>,
    pub(super) steps_left: u64,
    pub(super) depth: usize,
}

/// One expression that is evaluated.
#[derive(Debug)]
pub(super) struct Frame {
    /// What `current()` is.
    pub(super) current: Node,
    /// The module of names without prefix.
    pub(super) module: Option<ModuleId>,
    /// By number of step: what the name means below the schema node that it was last looked up at.
    pub(super) found: Vec<Option<(Option<NodeId>, Found)>>,
    /// By number of step: whether something of the name is below a schema node.
    pub(super) below: Vec<Option<Rc<[bool]>>>,
}

/// Where an expression is evaluated.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    pub(super) node: Node,
    /// From 1; 0 where nobody asks.
    pub(super) position: usize,
    /// 0 where nobody asks.
    pub(super) size: usize,
}

/// What becomes of a node that was visited.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) keep: bool,
    pub(super) stop: bool,
}

impl Verdict {
    pub(super) const KEEP: Self = Self { keep: true, stop: false };
    pub(super) const DROP: Self = Self { keep: false, stop: false };
}

impl Frame {
    pub(super) fn new(compiled: &Compiled, current: Node) -> Self {
        let found = vec![None; compiled.steps];
        let below = vec![None; compiled.steps];
        Self { current, module: compiled.module, found, below }
    }
}

impl<'a> Evaluation<'a> {
    /// Of the tree whose top-level nodes `root` holds.
    pub(crate) fn new(schema: &'a Schema, root: &'a Container, defaults: Defaults) -> Self {
        Self {
            schema,
            defaults,
            arena: Arena::new(root),
            patterns: BTreeMap::new(),
            steps_left: XPATH_STEPS_MAX,
            depth: 0,
        }
    }

    #[cfg(test)]
    pub(super) fn steps_taken(&self) -> u64 {
        XPATH_STEPS_MAX - self.steps_left
    }

    #[cfg(test)]
    pub(super) fn leave_steps(&mut self, steps: u64) {
        self.steps_left = steps;
    }

    /// Counts what is done.
    pub(super) fn charge(&mut self, steps: usize) -> Result<(), EvaluationError> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        self.steps_left = self.steps_left.checked_sub(steps).ok_or(EvaluationError::Steps)?;
        match self.arena.len() <= XPATH_NODES_MAX {
            true => Ok(()),
            false => Err(EvaluationError::Nodes),
        }
    }

    pub(super) fn eval(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        context: Context,
    ) -> Result<Value<'a>, EvaluationError> {
        self.charge(1)?;
        self.depth += 1;
        if self.depth > XPATH_DEPTH_MAX * 2 {
            return Err(EvaluationError::Depth);
        }
        let value = match expr {
            Expr::Or(parts) => Value::Boolean(self.any(frame, parts, context)?),
            Expr::And(parts) => Value::Boolean(self.all(frame, parts, context)?),
            Expr::Compare(how, sides) => Value::Boolean(self.compare(frame, *how, sides, context)?),
            Expr::Arithmetic(how, sides) => {
                let left = self.number(frame, &sides.0, context)?;
                let right = self.number(frame, &sides.1, context)?;
                Value::Number(how.apply(left, right))
            }
            Expr::Negate(inner) => Value::Number(-self.number(frame, inner, context)?),
            Expr::Union(parts) => {
                let mut nodes = Vec::new();
                for part in parts {
                    nodes.append(&mut self.nodes(frame, part, context)?);
                }
                self.sort(&mut nodes)?;
                Value::Nodes(nodes)
            }
            Expr::Path(path) => Value::Nodes(self.path(frame, path, context)?),
            Expr::Literal(literal) => Value::Text(Cow::Borrowed(&literal.text)),
            Expr::Number(number) => Value::Number(*number),
            Expr::Call(function, arguments) => self.call(frame, *function, arguments, context)?,
        };
        self.depth -= 1;
        Ok(value)
    }

    fn any(
        &mut self,
        frame: &mut Frame,
        parts: &'a [Expr],
        context: Context,
    ) -> Result<bool, EvaluationError> {
        for part in parts {
            if self.boolean(frame, part, context)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn all(
        &mut self,
        frame: &mut Frame,
        parts: &'a [Expr],
        context: Context,
    ) -> Result<bool, EvaluationError> {
        for part in parts {
            if !self.boolean(frame, part, context)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The nodes of an expression whose type is that of node-sets; nothing of others.
    pub(super) fn nodes(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        context: Context,
    ) -> Result<Vec<Node>, EvaluationError> {
        match self.eval(frame, expr, context)? {
            Value::Nodes(nodes) => Ok(nodes),
            Value::Boolean(_) | Value::Number(_) | Value::Text(_) => Ok(Vec::new()),
        }
    }

    fn path(
        &mut self,
        frame: &mut Frame,
        path: &'a Path,
        context: Context,
    ) -> Result<Vec<Node>, EvaluationError> {
        let start = self.start(frame, &path.start, context)?;
        self.steps(frame, start, &path.steps)
    }

    /// The nodes from which the steps of a path lead on.
    pub(super) fn start(
        &mut self,
        frame: &mut Frame,
        start: &'a Start,
        context: Context,
    ) -> Result<Vec<Node>, EvaluationError> {
        match start {
            Start::Root => Ok(vec![ROOT]),
            Start::Context => Ok(vec![context.node]),
            Start::Expr(expr, predicates) => {
                let mut nodes = self.nodes(frame, expr, context)?;
                for predicate in predicates {
                    self.filter(frame, &mut nodes, predicate)?;
                }
                Ok(nodes)
            }
        }
    }

    /// Where the steps lead from the nodes.
    pub(super) fn steps(
        &mut self,
        frame: &mut Frame,
        mut nodes: Vec<Node>,
        steps: &'a [Step],
    ) -> Result<Vec<Node>, EvaluationError> {
        for (at, step) in steps.iter().enumerate() {
            let way = Way { step, next: steps.get(at + 1) };
            // Below nodes of one level, and from one node alone, all comes in order.
            let downwards = matches!(
                step.axis,
                Axis::Child | Axis::Itself | Axis::Descendant | Axis::DescendantOrSelf
            );
            let in_order = nodes.len() <= 1 || (downwards && self.arena.is_level(&nodes));
            let mut reached = Vec::new();
            for node in nodes {
                self.step(frame, way, node, &mut reached)?;
            }
            if matches!(
                step.axis,
                Axis::Ancestor | Axis::AncestorOrSelf | Axis::Preceding | Axis::PrecedingSibling
            ) {
                reached.reverse();
            }
            if !in_order {
                self.sort(&mut reached)?;
            }
            nodes = reached;
        }
        Ok(nodes)
    }

    /// Adds where one step leads from one node, in the order of its axis.
    fn step(
        &mut self,
        frame: &mut Frame,
        way: Way<'a>,
        node: Node,
        reached: &mut Vec<Node>,
    ) -> Result<(), EvaluationError> {
        let predicates = &way.step.predicates;
        // Inside of a descent no other one begins, so that the stack grows with the sum of both depths, not the product.
        let descends = matches!(way.step.axis, Axis::Descendant | Axis::DescendantOrSelf);
        let gathers = descends && !predicates.is_empty();
        if gathers || predicates.iter().any(|predicate| predicate.depends.size) {
            let mut candidates = Vec::new();
            self.axis(frame, way, node, &mut |_, _, node| {
                candidates.push(node);
                Ok(Verdict::KEEP)
            })?;
            for predicate in predicates {
                self.filter(frame, &mut candidates, predicate)?;
            }
            reached.append(&mut candidates);
            return Ok(());
        }
        let mut positions: Vec<usize> = Vec::new();
        if predicates.iter().any(|predicate| predicate.depends.position) {
            positions.resize(predicates.len(), 0);
        }
        self.axis(frame, way, node, &mut |this, frame, node| {
            let mut stop = false;
            for (at, predicate) in predicates.iter().enumerate() {
                let position = positions.get_mut(at).map_or(0, |position| {
                    *position += 1;
                    *position
                });
                if let Expr::Number(wanted) = predicate.expr {
                    stop |= numbers::of_count(position) >= wanted;
                }
                let context = Context { node, position, size: 0 };
                if !this.holds(frame, predicate, context)? {
                    return Ok(Verdict { keep: false, stop });
                }
            }
            reached.push(node);
            Ok(Verdict { keep: true, stop })
        })?;
        Ok(())
    }

    /// Leaves the nodes for which a predicate holds. Their order is that of positions.
    fn filter(
        &mut self,
        frame: &mut Frame,
        nodes: &mut Vec<Node>,
        predicate: &'a Predicate,
    ) -> Result<(), EvaluationError> {
        let size = nodes.len();
        let mut kept = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let context = Context { node: *node, position: at + 1, size };
            if self.holds(frame, predicate, context)? {
                kept.push(*node);
            }
        }
        *nodes = kept;
        Ok(())
    }

    fn holds(
        &mut self,
        frame: &mut Frame,
        predicate: &'a Predicate,
        context: Context,
    ) -> Result<bool, EvaluationError> {
        let before = self.arena.len();
        let holds = match predicate.expr.value_type() {
            ValueType::Number => {
                let number = self.number(frame, &predicate.expr, context)?;
                number == numbers::of_count(context.position)
            }
            ValueType::Nodes | ValueType::Boolean | ValueType::Text => {
                self.boolean(frame, &predicate.expr, context)?
            }
        };
        // Nothing that was met inside is left in the answer.
        self.arena.truncate(before);
        Ok(holds)
    }

    /// Brings nodes in document order, each once.
    pub(super) fn sort(&mut self, nodes: &mut Vec<Node>) -> Result<(), EvaluationError> {
        self.charge(nodes.len())?;
        let compare = |a: &Node, b: &Node| self.arena.compare(self.schema, *a, *b);
        if !nodes.is_sorted_by(|a, b| compare(a, b).is_lt()) {
            nodes.sort_by(compare);
            nodes.dedup_by(|a, b| compare(a, b).is_eq());
        }
        Ok(())
    }

    /// The first of the nodes in document order.
    pub(super) fn first(nodes: &[Node]) -> Option<Node> {
        nodes.first().copied()
    }
}

impl Evaluation<'_> {
    /// The root of the document.
    pub(crate) fn root(&self) -> Node {
        ROOT
    }
}

#[cfg(test)]
impl<'a> Evaluation<'a> {
    /// What `compiled` is with `context` for its context node.
    ///
    /// # Errors
    /// A limit is reached, or a pattern that was put together is none.
    pub(crate) fn evaluate(
        &mut self,
        compiled: &'a Compiled,
        context: Node,
    ) -> Result<Value<'a>, EvaluationError> {
        self.depth = 0;
        let mut frame = Frame::new(compiled, context);
        self.eval(&mut frame, &compiled.root, Context { node: context, position: 1, size: 1 })
    }

    /// The node at a path, without defaults: of a list or leaf-list the entry with the key.
    pub(crate) fn node_at(&mut self, path: &crate::yang::tree::KeyPath) -> Option<Node> {
        let mut node = ROOT;
        for (schema, key) in &path.0 {
            node = self.stored_child(node, *schema, key.as_ref())?;
        }
        Some(node)
    }
}

impl Arithmetic {
    fn apply(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => left % right,
        }
    }
}

//! Entries that predicates name by their keys: looked up, not searched for.
//!
//! What is found is what predicates can hold for; they are evaluated on it all the same. So it may be more than they
//! let through, and never less.

use super::ast::{Axis, Comparison, Expr, Path, Predicate, Start, Step};
use super::evaluate::{Context, Evaluation, EvaluationError, Frame, Value};
use super::nodes::Node;
use super::numbers;
use crate::yang::schema::{NodeId, NodeKind, Schema, Type, TypeId};
use crate::yang::tree::{Key, Text};
use std::collections::BTreeSet;

/// Alternatives that are followed; where there are more, all entries are visited.
const ALTERNATIVES_MAX: usize = 8192;
/// Integers up to here are exact as numbers of XPath.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// The values that some keys of a list must have, in the order of the keys; of a leaf-list, the value.
type Alternative = Vec<Option<Text>>;

/// The keys of a list, or the leaf-list itself.
struct Keyed<'a> {
    keys: &'a [NodeId],
    is_list: bool,
    /// Where the predicates stand; no expression that is evaluated here depends on it.
    context: Context,
}

impl<'a> Evaluation<'a> {
    /// The keys of the entries of list or leaf-list `id` for which the predicates can hold; `None` if that may be any.
    pub(super) fn entries_named(
        &mut self,
        frame: &mut Frame,
        parent: Node,
        id: NodeId,
        predicates: &'a [Predicate],
    ) -> Result<Option<BTreeSet<Key>>, EvaluationError> {
        let itself = [id];
        let is_list = matches!(self.schema.node(id).kind, NodeKind::List(_));
        let keys = if is_list { self.schema.keys(id) } else { itself.as_slice() };
        let context = Context { node: parent, position: 0, size: 0 };
        let keyed = Keyed { keys, is_list, context };
        let mut all: Option<Vec<Alternative>> = None;
        // Behind a predicate on positions the others are about other entries.
        for predicate in predicates.iter().take_while(|predicate| predicate.is_by_node()) {
            let some = self.alternatives(frame, &keyed, &predicate.expr)?;
            all = both(all, some);
        }
        let Some(all) = all.filter(|_| !keys.is_empty()) else { return Ok(None) };
        let mut found = BTreeSet::new();
        for alternative in all {
            let Some(values) = alternative.into_iter().collect::<Option<Vec<Text>>>() else {
                return Ok(None);
            };
            match values.as_slice() {
                [value] if !is_list => found.insert(self.schema.leaf_list_key(id, value)),
                values => found.insert(self.schema.list_key(id, values)),
            };
        }
        Ok(Some(found))
    }

    /// One of these must be so that the expression holds; `None` if it says nothing of keys.
    fn alternatives(
        &mut self,
        frame: &mut Frame,
        keyed: &Keyed<'_>,
        expr: &'a Expr,
    ) -> Result<Option<Vec<Alternative>>, EvaluationError> {
        match expr {
            Expr::And(parts) => {
                let mut all = None;
                for part in parts {
                    all = both(all, self.alternatives(frame, keyed, part)?);
                }
                Ok(all)
            }
            Expr::Or(parts) => {
                let mut any = Vec::new();
                for part in parts {
                    match self.alternatives(frame, keyed, part)? {
                        Some(mut some) if any.len() + some.len() <= ALTERNATIVES_MAX => {
                            any.append(&mut some);
                        }
                        Some(_) | None => return Ok(None),
                    }
                }
                Ok(Some(any))
            }
            Expr::Compare(Comparison::Equal, sides) => {
                for (key, value) in [(&sides.0, &sides.1), (&sides.1, &sides.0)] {
                    if let Some(at) = keyed.position(self.schema, key)
                        && !value.depends().node
                    {
                        return self.equal_to(frame, keyed, at, value);
                    }
                }
                Ok(None)
            }
            Expr::Compare(..)
            | Expr::Arithmetic(..)
            | Expr::Negate(_)
            | Expr::Union(_)
            | Expr::Path(_)
            | Expr::Literal(_)
            | Expr::Number(_)
            | Expr::Call(..) => Ok(None),
        }
    }

    /// The key at position `at` equals what `expr` evaluates to.
    fn equal_to(
        &mut self,
        frame: &mut Frame,
        keyed: &Keyed<'_>,
        at: usize,
        expr: &'a Expr,
    ) -> Result<Option<Vec<Alternative>>, EvaluationError> {
        let Some(type_id) = keyed.keys.get(at).and_then(|key| self.schema.type_of(*key)) else {
            return Ok(None);
        };
        let has_names = self.schema.needs_prefixes(type_id);
        let mut values = Vec::new();
        match (self.eval(frame, expr, keyed.context)?, expr) {
            (Value::Text(_), Expr::Literal(literal)) => {
                if has_names && !literal.text.contains(':') {
                    return Ok(None);
                }
                values.push(Text::new(&literal.text));
                values.extend(literal.with_modules.as_deref().map(Text::new));
            }
            (Value::Text(text), _) => values.push(Text::new(text)),
            (Value::Number(number), _) => {
                let exact = number.abs() < EXACT_MAX && number.fract() == 0.0;
                if !exact || !is_integer(self.schema, type_id) {
                    return Ok(None);
                }
                values.push(Text::from(numbers::to_text(number)));
            }
            (Value::Nodes(nodes), _) => {
                if nodes.len() > ALTERNATIVES_MAX {
                    return Ok(None);
                }
                for node in nodes {
                    values.push(Text::new(self.node_text(frame, node)?));
                }
            }
            (Value::Boolean(_), _) => return Ok(None),
        }
        let alternative = |value| {
            let mut alternative = vec![None; keyed.keys.len()];
            if let Some(slot) = alternative.get_mut(at) {
                *slot = Some(value);
            }
            alternative
        };
        Ok(Some(values.into_iter().map(alternative).collect()))
    }
}

impl Keyed<'_> {
    /// The position of the key that an expression is, seen from an entry.
    fn position(&self, schema: &Schema, expr: &Expr) -> Option<usize> {
        if !self.is_list {
            return expr.is_context().then_some(0);
        }
        let Expr::Path(Path { start: Start::Context, steps }) = expr else { return None };
        let is_here = |step: &&Step| {
            step.axis == Axis::Itself
                && step.test == super::ast::Test::Node
                && step.predicates.is_empty()
        };
        let here = steps.iter().take_while(is_here).count();
        let Some([step]) = steps.get(here..) else { return None };
        if step.axis != Axis::Child || !step.predicates.is_empty() {
            return None;
        }
        // A name can be that of another node beside the key, in another module.
        let key = self.keys.iter().position(|key| step.test.names(schema, *key))?;
        let parent = schema.node(*self.keys.get(key)?).parent?;
        let named = schema.node(parent).children.iter().filter(|id| step.test.names(schema, **id));
        (named.count() == 1).then_some(key)
    }
}

/// Both must be so.
fn both(
    one: Option<Vec<Alternative>>,
    other: Option<Vec<Alternative>>,
) -> Option<Vec<Alternative>> {
    let (Some(one), Some(other)) = (&one, &other) else { return one.or(other) };
    if one.len().saturating_mul(other.len()) > ALTERNATIVES_MAX {
        return Some(one.clone());
    }
    let merge = |a: &Alternative, b: &Alternative| {
        a.iter().zip(b).map(|(a, b)| a.clone().or_else(|| b.clone())).collect()
    };
    Some(one.iter().flat_map(|a| other.iter().map(move |b| merge(a, b))).collect())
}

fn is_integer(schema: &Schema, type_id: TypeId) -> bool {
    match schema.type_facts(type_id) {
        Type::Int { .. } | Type::Uint { .. } => true,
        Type::Leafref { target_type, .. } => is_integer(schema, *target_type),
        Type::Boolean
        | Type::Empty
        | Type::Decimal64 { .. }
        | Type::String { .. }
        | Type::Binary { .. }
        | Type::Enumeration(_)
        | Type::Bits(_)
        | Type::Identityref(_)
        | Type::InstanceIdentifier { .. }
        | Type::Union(_)
        | Type::Foreign { .. } => false,
    }
}

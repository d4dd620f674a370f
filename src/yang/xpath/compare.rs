//! Comparisons (XPath 1.0, 3.4).

use super::ast::{Comparison, Expr, Literal};
use super::evaluate::{Context, Evaluation, EvaluationError, Frame, Value};
use super::nodes::Node;
use super::numbers;
use crate::yang::schema::NodeId;
use std::collections::BTreeSet;

impl Comparison {
    fn is_equality(self) -> bool {
        matches!(self, Self::Equal | Self::NotEqual)
    }

    fn of_numbers(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }

    /// Equality of what can only be equal or not.
    fn of_equality(self, equal: bool) -> bool {
        equal == (self == Self::Equal)
    }

    /// The same with its sides exchanged.
    fn reversed(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

impl<'a> Evaluation<'a> {
    pub(super) fn compare(
        &mut self,
        frame: &mut Frame,
        how: Comparison,
        sides: &'a (Expr, Expr),
        context: Context,
    ) -> Result<bool, EvaluationError> {
        let left = self.eval(frame, &sides.0, context)?;
        let right = self.eval(frame, &sides.1, context)?;
        match (left, right) {
            (Value::Nodes(left), Value::Nodes(right)) => {
                self.compare_nodes(frame, how, &left, &right)
            }
            (Value::Nodes(nodes), other) => self.compare_any(frame, how, &nodes, (other, &sides.1)),
            (other, Value::Nodes(nodes)) => {
                self.compare_any(frame, how.reversed(), &nodes, (other, &sides.0))
            }
            (left, right) => Ok(compare_values(how, &left, &right)),
        }
    }

    /// One of the nodes compares so with a value that is no node-set.
    fn compare_any(
        &mut self,
        frame: &mut Frame,
        how: Comparison,
        nodes: &[Node],
        (value, expr): (Value<'a>, &'a Expr),
    ) -> Result<bool, EvaluationError> {
        if let Value::Boolean(_) = value {
            return Ok(compare_values(how, &Value::Boolean(!nodes.is_empty()), &value));
        }
        for node in nodes {
            let text = self.node_text(frame, *node)?;
            let holds = match (&value, expr) {
                (Value::Text(_), Expr::Literal(literal)) if how.is_equality() => {
                    how.of_equality(self.is_literal(frame, (*node, &text), literal))
                }
                (Value::Text(other), _) if how.is_equality() => how.of_equality(text == *other),
                (other, _) => how.of_numbers(numbers::from_text(&text), value_number(other)),
            };
            if holds {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The value of a node is what a literal says: names in it are compared as names.
    fn is_literal(&self, frame: &Frame, (node, text): (Node, &str), literal: &Literal) -> bool {
        let has_names = || {
            let schema = self.arena.get(node).schema;
            schema
                .and_then(|id: NodeId| self.schema.type_of(id))
                .is_some_and(|type_id| self.schema.needs_prefixes(type_id))
        };
        if let Some(with_modules) = &literal.with_modules
            && has_names()
        {
            return *text == **with_modules;
        }
        if *text == *literal.text {
            return true;
        }
        // An identity without prefix.
        text.split_once(':').is_some_and(|(module, name)| {
            let is_module = |own| *self.schema.module(own).name == *module;
            *name == *literal.text && frame.module.is_none_or(is_module) && has_names()
        })
    }

    /// Some node on the left compares so with some node on the right.
    fn compare_nodes(
        &mut self,
        frame: &mut Frame,
        how: Comparison,
        left: &[Node],
        right: &[Node],
    ) -> Result<bool, EvaluationError> {
        if how.is_equality() {
            let left = self.node_texts(frame, left)?;
            let right = self.node_texts(frame, right)?;
            return Ok(match how == Comparison::Equal {
                true => left.iter().any(|text| right.contains(text)),
                // All are equal only if there is one text on both sides.
                false => left.iter().any(|text| right.iter().any(|other| other != text)),
            });
        }
        let left = self.extremes(frame, left)?;
        let right = self.extremes(frame, right)?;
        let (Some((least, most)), Some((other_least, other_most))) = (left, right) else {
            return Ok(false);
        };
        let (left, right) = match how {
            Comparison::Less | Comparison::LessOrEqual => (least, other_most),
            Comparison::Greater
            | Comparison::GreaterOrEqual
            | Comparison::Equal
            | Comparison::NotEqual => (most, other_least),
        };
        Ok(how.of_numbers(left, right))
    }

    fn node_texts(
        &mut self,
        frame: &mut Frame,
        nodes: &[Node],
    ) -> Result<BTreeSet<String>, EvaluationError> {
        nodes.iter().map(|node| Ok(self.node_text(frame, *node)?.into_owned())).collect()
    }

    /// The least and the greatest number among the nodes, if there is one.
    fn extremes(
        &mut self,
        frame: &mut Frame,
        nodes: &[Node],
    ) -> Result<Option<(f64, f64)>, EvaluationError> {
        let mut extremes: Option<(f64, f64)> = None;
        for node in nodes {
            let number = numbers::from_text(&self.node_text(frame, *node)?);
            if !number.is_nan() {
                let (least, most) = extremes.unwrap_or((number, number));
                extremes = Some((least.min(number), most.max(number)));
            }
        }
        Ok(extremes)
    }
}

/// Compares what are no node-sets.
fn compare_values(how: Comparison, left: &Value<'_>, right: &Value<'_>) -> bool {
    if how.is_equality() {
        match (left, right) {
            (Value::Boolean(_), _) | (_, Value::Boolean(_)) => {
                return how.of_equality(value_boolean(left) == value_boolean(right));
            }
            (Value::Text(left), Value::Text(right)) => return how.of_equality(left == right),
            (Value::Nodes(_) | Value::Number(_) | Value::Text(_), _) => {}
        }
    }
    how.of_numbers(value_number(left), value_number(right))
}

/// The number of what is no node-set.
pub(super) fn value_number(value: &Value<'_>) -> f64 {
    match value {
        Value::Number(number) => *number,
        Value::Boolean(boolean) => f64::from(u8::from(*boolean)),
        Value::Text(text) => numbers::from_text(text),
        Value::Nodes(_) => f64::NAN,
    }
}

pub(super) fn value_boolean(value: &Value<'_>) -> bool {
    match value {
        Value::Nodes(nodes) => !nodes.is_empty(),
        Value::Boolean(boolean) => *boolean,
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::Text(text) => !text.is_empty(),
    }
}

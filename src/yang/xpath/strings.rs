//! Conversions and the functions of the core library (XPath 1.0, 4).

use super::ast::{Expr, Function};
use super::compare::{value_boolean, value_number};
use super::evaluate::{Context, Evaluation, EvaluationError, Frame, Value, Verdict};
use super::lexer::is_space;
use super::nodes::{Data, Node};
use super::{axes::Way, numbers};
use crate::base::limits::XPATH_TEXT_BYTES_MAX;
use std::borrow::Cow;

/// Bytes of text that are one step.
const BYTES_PER_STEP: usize = 16;

impl<'a> Evaluation<'a> {
    pub(super) fn boolean(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        context: Context,
    ) -> Result<bool, EvaluationError> {
        Ok(value_boolean(&self.eval(frame, expr, context)?))
    }

    pub(super) fn number(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        context: Context,
    ) -> Result<f64, EvaluationError> {
        match self.eval(frame, expr, context)? {
            Value::Nodes(nodes) => Ok(numbers::from_text(&self.first_text(frame, &nodes)?)),
            other @ (Value::Boolean(_) | Value::Number(_) | Value::Text(_)) => {
                Ok(value_number(&other))
            }
        }
    }

    pub(super) fn text(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        context: Context,
    ) -> Result<Cow<'a, str>, EvaluationError> {
        let text = match self.eval(frame, expr, context)? {
            Value::Nodes(nodes) => self.first_text(frame, &nodes)?,
            Value::Boolean(boolean) => Cow::Borrowed(if boolean { "true" } else { "false" }),
            Value::Number(number) => Cow::Owned(numbers::to_text(number)),
            Value::Text(text) => text,
        };
        self.charge(text.len() / BYTES_PER_STEP)?;
        Ok(text)
    }

    fn first_text(
        &mut self,
        frame: &mut Frame,
        nodes: &[Node],
    ) -> Result<Cow<'a, str>, EvaluationError> {
        match Self::first(nodes) {
            Some(node) => self.node_text(frame, node),
            None => Ok(Cow::Borrowed("")),
        }
    }

    /// The string-value of a node (XPath 1.0, 5): of what is no leaf, that of all leafs in it.
    pub(super) fn node_text(
        &mut self,
        frame: &mut Frame,
        node: Node,
    ) -> Result<Cow<'a, str>, EvaluationError> {
        match self.arena.get(node).data {
            Data::Value(text) | Data::Text(text) => return Ok(Cow::Borrowed(text)),
            Data::Opaque => return Ok(Cow::Borrowed("")),
            Data::Inner(_) => {}
        }
        let mut all = String::new();
        self.axis(frame, Way::TEXTS, node, &mut |this, _, text| {
            if let Data::Text(text) = this.arena.get(text).data {
                push(&mut all, text)?;
                this.charge(text.len() / BYTES_PER_STEP)?;
            }
            Ok(Verdict::DROP)
        })?;
        Ok(Cow::Owned(all))
    }

    pub(super) fn call(
        &mut self,
        frame: &mut Frame,
        function: Function,
        arguments: &'a [Expr],
        context: Context,
    ) -> Result<Value<'a>, EvaluationError> {
        let mut call = Call { of: self, frame, arguments, context };
        Ok(match function {
            Function::BitIsSet => Value::Boolean(call.bit_is_set()?),
            Function::Boolean => Value::Boolean(call.boolean(0)?),
            Function::Ceiling => Value::Number(call.number(0)?.ceil()),
            Function::Concat => Value::Text(call.concat()?),
            Function::Contains => Value::Boolean(call.text(0)?.contains(&*call.text(1)?)),
            Function::Count => Value::Number(numbers::of_count(call.nodes(0)?.len())),
            Function::Current => Value::Nodes(vec![call.frame.current]),
            Function::Deref => Value::Nodes(call.deref()?),
            Function::DerivedFrom => Value::Boolean(call.is_derived(false)?),
            Function::DerivedFromOrSelf => Value::Boolean(call.is_derived(true)?),
            Function::EnumValue => Value::Number(call.enum_value()?),
            Function::False => Value::Boolean(false),
            Function::Floor => Value::Number(call.number(0)?.floor()),
            // Neither ids nor languages are in our documents.
            Function::Id => call.text(0).map(|_| Value::Nodes(Vec::new()))?,
            Function::Lang => call.text(0).map(|_| Value::Boolean(false))?,
            Function::Last => Value::Number(numbers::of_count(context.size)),
            Function::LocalName => Value::Text(Cow::Borrowed(call.names()?.0)),
            Function::NamespaceUri => Value::Text(Cow::Borrowed(call.names()?.1)),
            Function::NormalizeSpace => {
                let text = call.text(0)?;
                let words = text.split(is_space).filter(|word| !word.is_empty());
                Value::Text(Cow::Owned(words.collect::<Vec<_>>().join(" ")))
            }
            Function::Not => Value::Boolean(!call.boolean(0)?),
            Function::Number => Value::Number(call.number(0)?),
            Function::Position => Value::Number(numbers::of_count(context.position)),
            Function::ReMatch => Value::Boolean(call.re_match()?),
            Function::Round => Value::Number(numbers::round(call.number(0)?)),
            Function::StartsWith => Value::Boolean(call.text(0)?.starts_with(&*call.text(1)?)),
            Function::String => Value::Text(call.text(0)?),
            Function::StringLength => {
                Value::Number(numbers::of_count(call.text(0)?.chars().count()))
            }
            Function::Substring => Value::Text(call.substring()?),
            Function::SubstringAfter => Value::Text(call.split_at()?.1),
            Function::SubstringBefore => Value::Text(call.split_at()?.0),
            Function::Sum => Value::Number(call.sum()?),
            Function::Translate => Value::Text(call.translate()?),
            Function::True => Value::Boolean(true),
        })
    }
}

fn push(all: &mut String, text: &str) -> Result<(), EvaluationError> {
    if all.len() + text.len() > XPATH_TEXT_BYTES_MAX {
        return Err(EvaluationError::Text);
    }
    all.push_str(text);
    Ok(())
}

/// A function that is called.
pub(super) struct Call<'e, 'a> {
    pub(super) of: &'e mut Evaluation<'a>,
    pub(super) frame: &'e mut Frame,
    pub(super) arguments: &'a [Expr],
    pub(super) context: Context,
}

impl<'a> Call<'_, 'a> {
    fn argument(&self, at: usize) -> &'a Expr {
        match self.arguments.get(at) {
            Some(argument) => argument,
            None => unreachable!("arguments are counted when they are parsed"),
        }
    }

    fn boolean(&mut self, at: usize) -> Result<bool, EvaluationError> {
        self.of.boolean(self.frame, self.argument(at), self.context)
    }

    fn number(&mut self, at: usize) -> Result<f64, EvaluationError> {
        self.of.number(self.frame, self.argument(at), self.context)
    }

    pub(super) fn text(&mut self, at: usize) -> Result<Cow<'a, str>, EvaluationError> {
        self.of.text(self.frame, self.argument(at), self.context)
    }

    pub(super) fn nodes(&mut self, at: usize) -> Result<Vec<Node>, EvaluationError> {
        self.of.nodes(self.frame, self.argument(at), self.context)
    }

    fn concat(&mut self) -> Result<Cow<'a, str>, EvaluationError> {
        let mut all = String::new();
        for at in 0..self.arguments.len() {
            push(&mut all, &self.text(at)?)?;
        }
        Ok(Cow::Owned(all))
    }

    /// The local name and the namespace of the first node.
    fn names(&mut self) -> Result<(&'a str, &'a str), EvaluationError> {
        let nodes = self.nodes(0)?;
        let Some(node) = nodes.first() else { return Ok(("", "")) };
        let facts = self.of.arena.get(*node);
        Ok(match (facts.schema, facts.data) {
            (None, _) | (_, Data::Text(_)) => ("", ""),
            (Some(id), Data::Inner(_) | Data::Value(_) | Data::Opaque) => {
                (&self.of.schema.node(id).name, &self.of.schema.module_of(id).namespace)
            }
        })
    }

    /// Characters whose positions, from 1, are at least the second argument and less than that and the third.
    fn substring(&mut self) -> Result<Cow<'a, str>, EvaluationError> {
        let text = self.text(0)?;
        let first = numbers::round(self.number(1)?);
        let end = match self.arguments.len() {
            3 => first + numbers::round(self.number(2)?),
            _ => f64::INFINITY,
        };
        let taken = text.chars().enumerate().filter(|(at, _)| {
            let position = numbers::of_count(at + 1);
            position >= first && position < end
        });
        Ok(Cow::Owned(taken.map(|(_, c)| c).collect()))
    }

    /// What stands before and behind the second text in the first; nothing if it is not there.
    fn split_at(&mut self) -> Result<(Cow<'a, str>, Cow<'a, str>), EvaluationError> {
        let (text, at) = (self.text(0)?, self.text(1)?);
        let (before, after) = text.split_once(&*at).unwrap_or_default();
        Ok((Cow::Owned(before.to_owned()), Cow::Owned(after.to_owned())))
    }

    fn sum(&mut self) -> Result<f64, EvaluationError> {
        let mut sum = 0.0;
        for node in self.nodes(0)? {
            sum += numbers::from_text(&self.of.node_text(self.frame, node)?);
        }
        Ok(sum)
    }

    fn translate(&mut self) -> Result<Cow<'a, str>, EvaluationError> {
        let (text, from, to) = (self.text(0)?, self.text(1)?, self.text(2)?);
        self.of.charge(text.len().saturating_mul(from.len()) / BYTES_PER_STEP)?;
        let to: Vec<char> = to.chars().collect();
        let exchange = |c: char| match from.chars().position(|one| one == c) {
            Some(at) => to.get(at).copied(),
            None => Some(c),
        };
        Ok(Cow::Owned(text.chars().filter_map(exchange).collect()))
    }
}

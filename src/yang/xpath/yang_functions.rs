//! The functions of YANG (RFC 7950, 10).

use super::ast::Expr;
use super::evaluate::{Context, Evaluation, EvaluationError, Frame, Verdict};
use super::nodes::{Data, Node, ROOT};
use super::strings::Call;
use crate::yang::path::{Selector, Step};
use crate::yang::schema::{IdentityId, NodeId, Type, TypeId};
use crate::yang::xsd_regex;

/// Patterns of one evaluation that are kept; where there are more, all are forgotten.
const PATTERNS_MAX: usize = 16;
/// Steps that the translation of a pattern counts for.
const PATTERN_STEPS: usize = 10_000;

impl Call<'_, '_> {
    /// 10.2.1.
    pub(super) fn re_match(&mut self) -> Result<bool, EvaluationError> {
        let (text, pattern) = (self.text(0)?, self.text(1)?);
        if let Some(known) = self.of.patterns.get(&*pattern) {
            return Ok(known.is_match(&text));
        }
        self.of.charge(PATTERN_STEPS)?;
        let Some(regex) = xsd_regex::translate(&pattern) else {
            return Err(EvaluationError::Pattern(pattern.into_owned()));
        };
        let is_match = regex.is_match(&text);
        if self.of.patterns.len() >= PATTERNS_MAX {
            self.of.patterns.clear();
        }
        self.of.patterns.insert(pattern.into_owned(), regex);
        Ok(is_match)
    }

    /// 10.3.1: where the first node's leafref or instance-identifier leads.
    pub(super) fn deref(&mut self) -> Result<Vec<Node>, EvaluationError> {
        let Some((node, id, value)) = self.first_value()? else { return Ok(Vec::new()) };
        let mut type_id = self.of.schema.type_of(id);
        while let Some(at) = type_id {
            type_id = match self.of.schema.type_facts(at) {
                Type::Leafref { .. } => {
                    let Some(path) = self.of.schema.expressions().leafref(at) else {
                        return Ok(Vec::new());
                    };
                    let mut frame = Frame::new(path, node);
                    let context = Context { node, position: 1, size: 1 };
                    return self.of.nodes(&mut frame, &path.root, context);
                }
                Type::InstanceIdentifier { .. } => {
                    return Ok(self.of.instance(self.frame, id, value)?.into_iter().collect());
                }
                Type::Union(members) => {
                    let accepts = |member: &&TypeId| self.of.schema.is_value(id, **member, value);
                    members.iter().find(accepts).copied()
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
                | Type::Foreign { .. } => None,
            };
        }
        Ok(Vec::new())
    }

    /// 10.4.1 and 10.4.2: one of the nodes holds an identity that is derived from the one that is named.
    pub(super) fn is_derived(&mut self, or_self: bool) -> Result<bool, EvaluationError> {
        let nodes = self.nodes(0)?;
        let Some(base) = self.identity()? else { return Ok(false) };
        let schema = self.of.schema;
        Ok(nodes.into_iter().any(|node| {
            let facts = self.of.arena.get(node);
            let (Some(id), Data::Value(value)) = (facts.schema, facts.data) else { return false };
            let is_identity = schema
                .value_type(id, value)
                .is_some_and(|type_id| matches!(schema.type_facts(type_id), Type::Identityref(_)));
            let Some((module, name)) = value.split_once(':').filter(|_| is_identity) else {
                return false;
            };
            let Some(module) = schema.module_by_name(module) else { return false };
            let Some(found) = schema.find_identity(module, name) else { return false };
            (or_self && found == base)
                || schema.identity(base).derived.binary_search(&found).is_ok()
        }))
    }

    /// The identity that the second argument names.
    fn identity(&mut self) -> Result<Option<IdentityId>, EvaluationError> {
        let text = self.text(1)?;
        let text = match self.arguments.get(1) {
            Some(Expr::Literal(literal)) => literal.with_modules.as_deref().unwrap_or(&text),
            _ => &*text,
        };
        let schema = self.of.schema;
        let Some((module, name)) = text.split_once(':') else {
            let own = self.frame.module;
            return Ok(own.and_then(|module| schema.find_identity(module, text)));
        };
        let module = schema.module_by_name(module);
        Ok(module.and_then(|module| schema.find_identity(module, name)))
    }

    /// 10.5.1: the value that the first node's enumeration assigns; NaN if it has none.
    pub(super) fn enum_value(&mut self) -> Result<f64, EvaluationError> {
        let Some((_, id, value)) = self.first_value()? else { return Ok(f64::NAN) };
        let schema = self.of.schema;
        let assigned = schema.value_type(id, value).and_then(|type_id| {
            let Type::Enumeration(names) = schema.type_facts(type_id) else { return None };
            names.iter().find(|(name, _)| **name == *value).map(|(_, assigned)| *assigned)
        });
        Ok(assigned.map_or(f64::NAN, f64::from))
    }

    /// 10.6.1: the first node is of type bits and has the bit.
    pub(super) fn bit_is_set(&mut self) -> Result<bool, EvaluationError> {
        let first = self.first_value()?;
        let bit = self.text(1)?;
        let Some((_, id, value)) = first else { return Ok(false) };
        let schema = self.of.schema;
        let is_bits = schema
            .value_type(id, value)
            .is_some_and(|type_id| matches!(schema.type_facts(type_id), Type::Bits(_)));
        Ok(is_bits && value.split(' ').any(|set| *set == *bit))
    }
}

impl<'a> Call<'_, 'a> {
    /// The first node of the first argument, if it is a leaf or an entry of a leaf-list.
    fn first_value(&mut self) -> Result<Option<(Node, NodeId, &'a str)>, EvaluationError> {
        let nodes = self.nodes(0)?;
        Ok(nodes.first().and_then(|node| {
            let facts = self.of.arena.get(*node);
            match (facts.schema, facts.data) {
                (Some(id), Data::Value(value)) => Some((*node, id, value)),
                (_, Data::Inner(_) | Data::Value(_) | Data::Text(_) | Data::Opaque) => None,
            }
        }))
    }
}

impl Evaluation<'_> {
    /// The node that an instance-identifier names, if it is there.
    pub(super) fn instance(
        &mut self,
        frame: &mut Frame,
        leaf: NodeId,
        value: &str,
    ) -> Result<Option<Node>, EvaluationError> {
        let schema = self.schema;
        let Some(path) = schema.instance_path(leaf, value) else { return Ok(None) };
        let mut node = ROOT;
        for Step { node: id, selector } in path.0 {
            let key = match &selector {
                Selector::None => None,
                Selector::Keys(values) => Some(schema.list_key(id, values)),
                Selector::Value(value) => Some(schema.leaf_list_key(id, value)),
                Selector::Position(_) => return Ok(None),
            };
            let child = match self.stored_child(node, id, key.as_ref()) {
                None => self.default_child(frame, (node, id), &selector)?,
                child => child,
            };
            let Some(child) = child else { return Ok(None) };
            node = child;
        }
        Ok(Some(node))
    }

    /// A child that is there by default.
    fn default_child(
        &mut self,
        frame: &mut Frame,
        (node, id): (Node, NodeId),
        selector: &Selector,
    ) -> Result<Option<Node>, EvaluationError> {
        let Data::Inner(data) = self.arena.get(node).data else { return Ok(None) };
        let mut found = None;
        if data.get(id).is_none() {
            self.default_instances(frame, (node, data, id), &mut |this, _, child| {
                let is_other = matches!((selector, this.arena.get(child).data),
                    (Selector::Value(value), Data::Value(other)) if value != other);
                if is_other {
                    return Ok(Verdict::DROP);
                }
                found = Some(child);
                Ok(Verdict { keep: true, stop: true })
            })?;
        }
        Ok(found)
    }
}

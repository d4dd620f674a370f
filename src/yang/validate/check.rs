//! Checks rules on their instances.

use super::index::Index;
use super::rules::{RuleId, RuleSet};
use super::touched::Touched;
use crate::base::limits::VALIDATION_ERRORS_MAX;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::InstancePath;
use crate::yang::schema::{NodeId, NodeKind, Schema};
use crate::yang::tree::{Key, KeyPath, Text, Tree};
use crate::yang::xpath::{Defaults, Evaluation, EvaluationError, Node};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// Rules to check.
#[derive(Clone, Copy)]
enum Selected<'s> {
    All,
    /// In ascending order.
    Some(&'s [RuleId]),
}

impl<'s> Selected<'s> {
    /// Those in a range.
    fn within(self, range: Range<u32>) -> Selection<'s> {
        match self {
            Self::All => Selection::Range(range),
            Self::Some(rules) => {
                let from = rules.partition_point(|rule| rule.0 < range.start);
                let rules = rules.get(from..).unwrap_or_default();
                let count = rules.partition_point(|rule| rule.0 < range.end);
                Selection::Rules(rules.get(..count).unwrap_or_default())
            }
        }
    }
}

enum Selection<'s> {
    Range(Range<u32>),
    Rules(&'s [RuleId]),
}

impl Selection<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Range(range) => range.is_empty(),
            Self::Rules(rules) => rules.is_empty(),
        }
    }

    fn for_each(self, mut each: impl FnMut(RuleId)) {
        match self {
            Self::Range(range) => range.for_each(|rule| each(RuleId(rule))),
            Self::Rules(rules) => rules.iter().for_each(|rule| each(*rule)),
        }
    }
}

/// What is false.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In document order, `VALIDATION_ERRORS_MAX` at most.
    pub(super) errors: Vec<DataError>,
    /// Nodes whose `when` is false.
    pub(super) out_of_when: Vec<(KeyPath, InstancePath)>,
}

/// The entries of a list that are checked for each `unique`, by the values of its leafs.
pub(super) type Unique = BTreeMap<(RuleId, usize), BTreeMap<Vec<Text>, BTreeSet<Key>>>;

/// Checks what is touched of a tree, in so many steps at most.
pub(super) fn check(
    (schema, set): (&Schema, &RuleSet),
    (tree, index): (&Tree, &Index),
    touched: &Touched,
    steps: u64,
) -> Found {
    let mut found = Found::default();
    if touched.is_empty() || set.is_empty() {
        return found;
    }
    let mut evaluation = Evaluation::new(schema, &tree.root, Defaults::OfConfiguration);
    evaluation.grant(steps);
    let mut check =
        Check { schema, set, index, found: &mut found, is_over: false, uniques: Vec::new() };
    let root = evaluation.root();
    let result = check.instance(&mut evaluation, (None, root), Selected::Some(&[]), Some(touched));
    if let Err(error) = result {
        found.errors.push(DataError::new(DataErrorKind::OperationFailed, error.to_string()));
    }
    found.errors.truncate(VALIDATION_ERRORS_MAX);
    found
}

/// Which entries of a list were noted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Noted {
    All,
    /// Those that are touched.
    Some,
}

pub(super) struct Check<'c, 'a> {
    pub(super) schema: &'a Schema,
    pub(super) set: &'a RuleSet,
    /// Of what is checked.
    pub(super) index: &'a Index,
    pub(super) found: &'c mut Found,
    /// A limit is reached.
    pub(super) is_over: bool,
    /// Of each list whose entries are being looked at.
    pub(super) uniques: Vec<Unique>,
}

impl<'a> Check<'_, 'a> {
    /// Checks an instance and what is below it.
    fn instance(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (id, node): (Option<NodeId>, Node),
        selected: Selected<'_>,
        touched: Option<&Touched>,
    ) -> Result<(), EvaluationError> {
        let merged: Vec<RuleId>;
        let selected = match (selected, touched) {
            (_, Some(touched)) if touched.all => Selected::All,
            (Selected::Some(rules), Some(touched)) if !touched.rules.is_empty() => {
                let all: BTreeSet<RuleId> = rules.iter().chain(&touched.rules).copied().collect();
                merged = all.into_iter().collect();
                Selected::Some(&merged)
            }
            (selected, _) => selected,
        };
        selected.within(self.set.own(id)).for_each(|rule| {
            if !self.is_full() {
                self.rule(evaluation, node, rule);
            }
        });
        for child in self.set.ways(id) {
            if self.is_full() {
                break;
            }
            self.child(evaluation, (node, *child), selected, touched)?;
        }
        Ok(())
    }

    /// Enough has been found.
    pub(super) fn is_full(&self) -> bool {
        self.is_over || self.found.errors.len() >= VALIDATION_ERRORS_MAX
    }

    /// Checks the instances of a child.
    fn child(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (parent, child): (Node, NodeId),
        selected: Selected<'_>,
        touched: Option<&Touched>,
    ) -> Result<(), EvaluationError> {
        let all = touched.and_then(|touched| touched.inner.get(&(child, None)));
        let some = !selected.within(self.set.subtree(Some(child))).is_empty();
        let has_entries = touched.is_some_and(|touched| {
            touched.inner.range((child, None)..).next().is_some_and(|((node, _), _)| *node == child)
        });
        if !some && !has_entries {
            return Ok(());
        }
        let is_list = matches!(self.schema.node(child).kind, NodeKind::List(_));
        if is_list {
            self.uniques.push(Unique::new());
        }
        let mut noted = Noted::Some;
        if some || all.is_some() {
            // Everything of a list, or the one instance.
            let selected = match all {
                Some(all) if all.all => Selected::All,
                Some(_) | None => selected,
            };
            if matches!(selected, Selected::All) {
                noted = Noted::All;
            }
            evaluation.each_instance(parent, child, &mut |evaluation, node| {
                let key = evaluation.key(node).filter(|_| has_entries).cloned();
                let inner = touched.zip(key).and_then(|(t, key)| t.inner.get(&(child, Some(key))));
                self.instance(evaluation, (Some(child), node), selected, inner.or(all))?;
                Ok(!self.is_full())
            })?;
        } else if let Some(touched) = touched {
            for ((node, key), inner) in touched.inner.range((child, None)..) {
                if *node != child || self.is_full() {
                    break;
                }
                let Some(key) = key else { continue };
                evaluation.entry(parent, (child, key), &mut |evaluation, node| {
                    self.instance(evaluation, (Some(child), node), selected, Some(inner))?;
                    Ok(true)
                })?;
            }
        }
        if is_list && let Some(unique) = self.uniques.pop() {
            self.unique(evaluation, (parent, child), (unique, noted))?;
        }
        Ok(())
    }
}

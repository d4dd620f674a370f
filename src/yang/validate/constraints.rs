//! What each kind of rule says, and the error where it is broken (RFC 7950, 15).

use super::check::{Check, Noted, Unique};
use super::plan::Plan;
use super::rules::{RuleId, RuleKind, Rules};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::{InstancePath, Selector};
use crate::yang::path_text;
use crate::yang::schema::{CaseOf, ChoiceId, NodeId, Type, TypeId};
use crate::yang::tree::{ChildRef, Container, Key, Text};
use crate::yang::xpath::{Evaluation, EvaluationError, Node};
use std::collections::{BTreeMap, BTreeSet};

type Checked = Result<(), EvaluationError>;

impl<'a> Check<'_, 'a> {
    /// Checks one rule on an instance of the node that it stands on. What cannot be checked within the limits is a
    /// fault, and the last one.
    pub(super) fn rule(&mut self, evaluation: &mut Evaluation<'a>, node: Node, id: RuleId) {
        let Some(rule) = self.set.rule(id) else { return };
        let (kind, at) = (rule.kind, rule.at);
        let checked = match (kind, at) {
            (RuleKind::Must(number), Some(id)) => self.must(evaluation, (id, node), number),
            (RuleKind::When, Some(id)) => self.when(evaluation, (id, node)),
            (RuleKind::Reference(type_id), _) => self.reference(evaluation, node, (id, type_id)),
            (RuleKind::Unique(number), Some(list)) => {
                self.note_unique(evaluation, (list, node), (id, number))
            }
            (RuleKind::Mandatory(child), _) => self.mandatory(evaluation, node, child),
            (RuleKind::Elements(child), _) => self.elements(evaluation, node, child),
            (RuleKind::Choice(choice), _) => self.choice(evaluation, node, choice),
            (RuleKind::Must(_) | RuleKind::When | RuleKind::Unique(_), None) => Ok(()),
        };
        if let Err(error) = checked {
            let message = format!("{} cannot be checked: {error}", rule.describe(self.schema));
            let error = DataError::new(DataErrorKind::OperationFailed, message);
            self.report(at_inner(error, evaluation.path_of(node)));
            self.is_over = true;
        }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        &Rules::of(self.schema).plan
    }

    fn report(&mut self, error: DataError) {
        self.found.errors.push(error);
    }

    /// 15.4.
    fn must(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (id, node): (NodeId, Node),
        number: usize,
    ) -> Checked {
        let schema = self.schema;
        let statement = schema.node(id).musts.get(number);
        let compiled = schema.expressions().musts(id).get(number);
        let (Some(must), Some(compiled)) = (statement, compiled) else { return Ok(()) };
        if evaluation.holds_at(compiled, node)? {
            return Ok(());
        }
        let message = match &must.error_message {
            Some(message) => message.to_string(),
            None => format!("Must condition \"{}\" not satisfied.", must.expression),
        };
        let app_tag = must.error_app_tag.as_deref().unwrap_or("must-violation");
        let error = DataError::new(DataErrorKind::OperationFailed, message).tagged(app_tag);
        self.report(error.at(evaluation.path_of(node)));
        Ok(())
    }

    /// 8.3.1.
    fn when(&mut self, evaluation: &mut Evaluation<'a>, (id, node): (NodeId, Node)) -> Checked {
        if !evaluation.whens_hold(id, node)? {
            let place = (evaluation.key_path_of(node), evaluation.path_of(node));
            self.found.out_of_when.push(place);
        }
        Ok(())
    }

    /// 15.5; a value that no member of a union takes is none of its values (8.3.1).
    fn reference(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        node: Node,
        (rule, type_id): (RuleId, TypeId),
    ) -> Checked {
        let value = evaluation.value(node).unwrap_or_default();
        let is_there = match self.plan().target(rule) {
            Some(target) => {
                let from = evaluation.key_path_of(node).0;
                self.index.has_target(self.schema, (rule, target), (&from, value))
            }
            None => evaluation.refers_to_something(node, type_id)?,
        };
        if !is_there {
            let error = if matches!(self.schema.type_facts(type_id), Type::Union(_)) {
                let message = format!("\"{value}\" is a value of no member of the union");
                DataError::new(DataErrorKind::InvalidValue, message)
            } else {
                let message = format!("there is no instance of what \"{value}\" refers to");
                DataError::new(DataErrorKind::DataMissing, message).tagged("instance-required")
            };
            self.report(error.at(evaluation.path_of(node)));
        }
        Ok(())
    }

    /// A mandatory leaf, anydata or anyxml (7.6.5).
    fn mandatory(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        parent: Node,
        child: NodeId,
    ) -> Checked {
        let content = evaluation.content(parent);
        if content.get(child).is_some() || !self.is_wanted(evaluation, parent, child)? {
            return Ok(());
        }
        let element = self.schema.node(child).name.to_string();
        let message = format!("Mandatory node \"{element}\" instance does not exist.");
        let error = DataError::new(DataErrorKind::MissingElement { element }, message);
        self.report(at_inner(error, evaluation.path_of(parent)));
        Ok(())
    }

    /// The case that a child is in has been chosen, and its `when` holds.
    fn is_wanted(
        &self,
        evaluation: &mut Evaluation<'a>,
        parent: Node,
        child: NodeId,
    ) -> Result<bool, EvaluationError> {
        let case = self.schema.node(child).cases.last();
        let content = evaluation.content(parent);
        if case.is_some_and(|case| !self.is_chosen(content, *case)) {
            return Ok(false);
        }
        evaluation.whens_would_hold(parent, child)
    }

    /// A node of the case is stored.
    fn is_chosen(&self, content: &Container, case: CaseOf) -> bool {
        content.iter().any(|(id, _)| self.schema.node(id).cases.contains(&case))
    }

    /// 15.2 and 15.3.
    fn elements(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        parent: Node,
        child: NodeId,
    ) -> Checked {
        let Some(elements) = self.schema.node(child).elements() else { return Ok(()) };
        let count = match evaluation.content(parent).get(child) {
            Some(ChildRef::List(list)) => list.len(),
            Some(ChildRef::LeafList(list)) => list.len(),
            Some(ChildRef::Leaf(_) | ChildRef::Container(_) | ChildRef::Any(_)) | None => 0,
        };
        let is = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        let (what, app_tag) = if elements.max.is_some_and(|most| count > is(most)) {
            ("many", "too-many-elements")
        } else if count < is(elements.min) && self.is_wanted(evaluation, parent, child)? {
            ("few", "too-few-elements")
        } else {
            return Ok(());
        };
        let message = format!("Too {what} \"{}\" instances.", self.schema.node(child).name);
        let error = DataError::new(DataErrorKind::OperationFailed, message).tagged(app_tag);
        self.report(error.at(evaluation.path_of(parent).child(child, Selector::None)));
        Ok(())
    }

    /// 15.6, and 8.3.1 for data of two cases.
    fn choice(&mut self, evaluation: &mut Evaluation<'a>, parent: Node, id: ChoiceId) -> Checked {
        let (schema, choice) = (self.schema, self.schema.choice(id));
        let content = evaluation.content(parent);
        let mut chosen = content.iter().filter_map(|(node, _)| {
            let case = schema.node(node).cases.iter().find(|case| case.choice == id)?;
            Some((case.case, node))
        });
        if let Some((first, _)) = chosen.next() {
            if let Some((second, other)) = chosen.find(|(case, _)| *case != first) {
                let case = |number: u16| {
                    let name = choice.cases.get(usize::from(number));
                    name.map_or("", |name| &**name)
                };
                let (one, two) = (case(first), case(second));
                let message = format!("Data for both cases \"{one}\" and \"{two}\" exist.");
                let element = schema.node(other).name.to_string();
                let error = DataError::new(DataErrorKind::BadElement { element }, message);
                self.report(at_inner(error, evaluation.path_of(parent)));
            }
            return Ok(());
        }
        let is_in_use = choice.within.is_none_or(|case| self.is_chosen(content, case));
        if choice.mandatory && is_in_use && evaluation.choice_whens_hold(id, parent)? {
            let message = format!("Mandatory choice \"{}\" data do not exist.", choice.name);
            let kind = DataErrorKind::MissingChoice { choice: choice.name.to_string() };
            let error = DataError::new(kind, message).tagged("missing-choice");
            self.report(at_inner(error, evaluation.path_of(parent)));
        }
        Ok(())
    }

    /// Notes the values of an entry's leafs for a `unique`, unless one is absent (7.8.3).
    fn note_unique(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (list, entry): (NodeId, Node),
        (rule, number): (RuleId, usize),
    ) -> Checked {
        let values = self.unique_values(evaluation, (list, entry), number)?;
        if let (Some(values), Some(key)) = (values, evaluation.key(entry))
            && let Some(unique) = self.uniques.last_mut()
        {
            unique
                .entry((rule, number))
                .or_default()
                .entry(values)
                .or_default()
                .insert(key.clone());
        }
        Ok(())
    }

    fn unique_values(
        &self,
        evaluation: &mut Evaluation<'a>,
        (list, entry): (NodeId, Node),
        number: usize,
    ) -> Result<Option<Vec<Text>>, EvaluationError> {
        let mut values = Vec::new();
        for leaf in self.schema.unique_leafs(list, number) {
            match self.value_below(evaluation, (list, entry), *leaf)? {
                Some(value) => values.push(value),
                None => return Ok(None),
            }
        }
        Ok(Some(values))
    }

    /// The value of a leaf in containers below a node, a default among them.
    fn value_below(
        &self,
        evaluation: &mut Evaluation<'a>,
        (from, node): (NodeId, Node),
        leaf: NodeId,
    ) -> Result<Option<Text>, EvaluationError> {
        if from == leaf {
            return Ok(evaluation.value(node).map(Text::new));
        }
        let way = std::iter::once(leaf).chain(self.schema.ancestors(leaf));
        let Some(next) = way.take_while(|above| *above != from).last() else { return Ok(None) };
        let mut value = None;
        evaluation.each_instance(node, next, &mut |evaluation, child| {
            value = self.value_below(evaluation, (next, child), leaf)?;
            Ok(false)
        })?;
        Ok(value)
    }

    /// 15.1: entries with the same values, `noted` ones among them.
    pub(super) fn unique(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (parent, list): (Node, NodeId),
        (mut unique, noted): (Unique, Noted),
    ) -> Checked {
        for ((rule, number), entries) in &mut unique {
            match noted {
                Noted::All => {}
                Noted::Some if self.plan().has_unique(*rule, list) => {
                    self.add_indexed(evaluation, (parent, list), (*rule, *number), entries)?;
                }
                Noted::Some => self.add_others(evaluation, (parent, list), *number, entries)?,
            }
            for keys in entries.values() {
                let mut keys = keys.iter();
                let Some(first) = keys.next() else { continue };
                for other in keys {
                    if self.is_full() {
                        return Ok(());
                    }
                    self.not_unique(evaluation, (parent, list), *number, (first, other))?;
                }
            }
        }
        Ok(())
    }

    /// Adds the entries of the list that have the values of others, as the index has them.
    fn add_indexed(
        &self,
        evaluation: &mut Evaluation<'a>,
        (parent, list): (Node, NodeId),
        (rule, number): (RuleId, usize),
        entries: &mut BTreeMap<Vec<Text>, BTreeSet<Key>>,
    ) -> Checked {
        let place = evaluation.key_path_of(parent).0;
        for (values, keys) in entries {
            let mut others = self.index.entries_with(rule, &place, values);
            others.retain(|key| !keys.contains(key));
            for key in others {
                evaluation.entry(parent, (list, &key), &mut |evaluation, entry| {
                    let found = self.unique_values(evaluation, (list, entry), number)?;
                    if found.as_ref() == Some(values) {
                        keys.insert(key.clone());
                    }
                    Ok(true)
                })?;
            }
        }
        Ok(())
    }

    /// Likewise, without an index.
    fn add_others(
        &self,
        evaluation: &mut Evaluation<'a>,
        (parent, list): (Node, NodeId),
        number: usize,
        entries: &mut BTreeMap<Vec<Text>, BTreeSet<Key>>,
    ) -> Checked {
        let leaf = self.schema.unique_leafs(list, number).first().copied();
        let firsts: BTreeSet<Text> =
            entries.keys().filter_map(|values| values.first().cloned()).collect();
        evaluation.each_instance(parent, list, &mut |evaluation, entry| {
            // Most differ in the first value, which is seen without an evaluation where it is stored.
            let first = leaf.and_then(|leaf| evaluation.content(entry).leaf(leaf));
            if first.is_some_and(|value| !firsts.contains(value)) {
                return Ok(true);
            }
            let values = self.unique_values(evaluation, (list, entry), number)?;
            if let (Some(values), Some(key)) = (values, evaluation.key(entry))
                && let Some(keys) = entries.get_mut(&values)
            {
                keys.insert(key.clone());
            }
            Ok(true)
        })
    }

    fn not_unique(
        &mut self,
        evaluation: &mut Evaluation<'a>,
        (parent, list): (Node, NodeId),
        number: usize,
        keys: (&Key, &Key),
    ) -> Checked {
        let schema = self.schema;
        let leafs = schema.unique_leafs(list, number);
        let way = |leaf: NodeId| {
            let up = std::iter::once(leaf).chain(schema.ancestors(leaf));
            let mut way: Vec<NodeId> = up.take_while(|above| *above != list).collect();
            way.reverse();
            way
        };
        let (mut entries, mut non_unique) = (Vec::new(), Vec::new());
        for key in [keys.0, keys.1] {
            evaluation.entry(parent, (list, key), &mut |evaluation, entry| {
                let path = evaluation.path_of(entry);
                non_unique.extend(leafs.iter().map(|leaf| {
                    let below = |path: InstancePath, id| path.child(id, Selector::None);
                    way(*leaf).into_iter().fold(path.clone(), below)
                }));
                entries.push(path_text::print(schema, &path));
                Ok(true)
            })?;
        }
        let names = leafs.iter().map(|leaf| {
            way(*leaf).iter().map(|id| &*schema.node(*id).name).collect::<Vec<_>>().join("/")
        });
        let names = names.collect::<Vec<_>>().join(" ");
        let entries = entries.join("\" and \"");
        let message = format!("Unique data leaf(s) \"{names}\" not satisfied in \"{entries}\".");
        let error = DataError::new(DataErrorKind::NotUnique { non_unique }, message);
        self.report(error.tagged("data-not-unique"));
        Ok(())
    }
}

/// The error at the path of an inner node; the top has none.
fn at_inner(error: DataError, path: InstancePath) -> DataError {
    if path.0.is_empty() { error } else { error.at(path) }
}

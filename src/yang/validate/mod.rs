//! Validity of a whole configuration (RFC 7950, 8.3.3), and what a false `when` removes (8.2).

mod check;
mod constraints;
mod index;
#[cfg(test)]
#[allow(
    clippy::wildcard_enum_match_arm,
    clippy::string_slice,
    reason = "what is drawn is known here"
)]
mod oracle;
mod plan;
pub(crate) mod rules;
#[cfg(test)]
mod tests;
mod touched;

use self::check::check;
pub(crate) use self::index::Index;
use self::rules::{RuleSet, Rules};
use self::touched::Touched;
use super::error::{DataError, DataErrorKind};
use super::path::InstancePath;
use super::schema::{NodeId, NodeKind, Schema};
use super::tree::{Child, ChildRef, Container, Diff, Key, Tree, diff};
use crate::base::limits::{VALIDATION_ERRORS_MAX, VALIDATION_STEPS_MAX};
use std::collections::BTreeSet;

/// What is known of the tree before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It is valid under this schema.
    Valid,
    /// Nobody has judged it.
    Unknown,
}

/// `after` as it is valid: without the nodes of `before` whose `when` the change made false (RFC 7950, 8.2).
///
/// A change of what is valid costs what it changes: only rules that read something that differs are checked, in the
/// instances where it can matter. A node that the change itself brings under a false `when` is a fault.
///
/// # Errors
/// What is wrong, as RFC 7950 section 15 has it, in document order and up to `VALIDATION_ERRORS_MAX`. Never empty.
pub(crate) fn settle(
    schema: &Schema,
    (before, known, index): (&Tree, Before, &Index),
    after: &Tree,
) -> Result<(Tree, Index), Vec<DataError>> {
    let rules = Rules::of(schema);
    let index = index.at(schema, before);
    let mut settled = after.clone();
    let mut faults = Vec::new();
    // Where a node is that is a fault: what is in it is not looked at.
    let mut refused: Vec<Vec<Place>> = Vec::new();
    let mut difference = Lazy::default();
    for set in &rules.whens {
        let touched = difference.touched(schema, set, (before, known), &settled);
        let found = check((schema, set), (&settled, &index), &touched, VALIDATION_STEPS_MAX);
        faults.extend(found.errors);
        for (place, path) in found.out_of_when {
            if refused.len() >= VALIDATION_ERRORS_MAX {
                break;
            }
            if exists(&before.root, &place.0) {
                difference = Lazy::default();
                remove(schema, &mut settled.root, &place.0);
            } else if !refused.iter().any(|above| place.0.starts_with(above)) {
                faults.push(out_of_when(schema, path));
                refused.push(place.0);
            }
        }
    }
    if !faults.is_empty() {
        faults.truncate(VALIDATION_ERRORS_MAX);
        return Err(faults);
    }
    let before = (before, known, &index);
    let index =
        check_constraints(schema, before, (&settled, &mut difference), VALIDATION_STEPS_MAX)?;
    Ok((settled, index))
}

/// Checks what a change touches, in so many steps at most, and gives the index of what it leads to.
fn check_constraints(
    schema: &Schema,
    (before, known, index): (&Tree, Before, &Index),
    (after, difference): (&Tree, &mut Lazy),
    steps: u64,
) -> Result<Index, Vec<DataError>> {
    let Rules { constraints: set, plan, .. } = Rules::of(schema);
    let mut touched = difference.touched(schema, set, (before, known), after);
    let (index, lost) = if plan.is_empty() {
        (index.at(schema, after), BTreeSet::new())
    } else {
        index.moved(schema, after, difference.get(before, after))
    };
    for lost in lost {
        for place in index.referrers(schema, lost) {
            touched.add(&place.0, lost.rule);
        }
    }
    let errors = check((schema, set), (after, &index), &touched, steps).errors;
    if errors.is_empty() { Ok(index) } else { Err(errors) }
}

/// A difference that is worked out when it is first asked for.
#[derive(Default)]
struct Lazy(Option<Diff>);

impl Lazy {
    fn touched(
        &mut self,
        schema: &Schema,
        set: &RuleSet,
        (before, known): (&Tree, Before),
        after: &Tree,
    ) -> Touched {
        match known {
            _ if set.is_empty() => Touched::default(),
            Before::Unknown => Touched::everything(),
            Before::Valid => set.touched(schema, self.get(before, after)),
        }
    }

    fn get(&mut self, before: &Tree, after: &Tree) -> &Diff {
        self.0.get_or_insert_with(|| diff(before, after))
    }
}

fn out_of_when(schema: &Schema, path: InstancePath) -> DataError {
    let node = path.0.last().map(|step| schema.node(step.node));
    let element = node.map(|node| node.name.to_string()).unwrap_or_default();
    let whens = node.map_or(&[][..], |node| &node.whens);
    let expressions: Vec<&str> = whens.iter().map(|when| &*when.expression).collect();
    let message = format!("When condition \"{}\" not satisfied.", expressions.join("\", \""));
    DataError::new(DataErrorKind::UnknownElement { element }, message).at(path)
}

type Place = (NodeId, Option<Key>);

/// The node at `steps` is stored. The depth is that of the schema.
fn exists(container: &Container, steps: &[Place]) -> bool {
    let Some(((node, key), below)) = steps.split_first() else { return true };
    match (container.get(*node), key) {
        (Some(ChildRef::Container(inner)), _) => exists(inner, below),
        (Some(ChildRef::List(list)), Some(key)) => {
            list.get(key).is_some_and(|entry| exists(entry, below))
        }
        (Some(ChildRef::LeafList(list)), Some(key)) => list.get(key).is_some(),
        (Some(_), _) => below.is_empty(),
        (None, _) => false,
    }
}

/// Takes the node at `steps` out, and every list, leaf-list and non-presence container that is empty then. Whether it
/// was there. The depth is that of the schema.
fn remove(schema: &Schema, container: &mut Container, steps: &[Place]) -> bool {
    let Some(((node, key), below)) = steps.split_first() else { return false };
    let (removed, left) = match (container.get(*node).map(ChildRef::to_owned), key) {
        (None, _) => return false,
        (Some(Child::Container(mut inner)), _) if !below.is_empty() => {
            let removed = remove(schema, &mut inner, below);
            let kind = &schema.node(*node).kind;
            let presence = matches!(kind, NodeKind::Container { presence: true });
            (removed, (presence || !inner.is_empty()).then_some(Child::Container(inner)))
        }
        (Some(Child::List(mut list)), Some(key)) => {
            let removed = if below.is_empty() {
                list.remove(key).is_some()
            } else {
                list.get(key).cloned().is_some_and(|mut entry| {
                    let removed = remove(schema, &mut entry, below);
                    list.insert(key.clone(), entry);
                    removed
                })
            };
            (removed, (!list.is_empty()).then_some(Child::List(list)))
        }
        (Some(Child::LeafList(mut list)), Some(key)) => {
            let removed = list.remove(key).is_some();
            (removed, (!list.is_empty()).then_some(Child::LeafList(list)))
        }
        (Some(_), _) => (below.is_empty(), None),
    };
    if removed {
        match left {
            Some(child) => container.set(*node, child),
            None => drop(container.remove(*node)),
        }
    }
    removed
}

//! What siblings of one payload owe to each other.

use super::{Fault, Payload};
use crate::datastore::edit::{EditNode, EditValue, Operation};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::Selector;
use crate::yang::schema::{ChoiceId, NodeId, NodeKind, Schema};
use crate::yang::tree::{Key, Text};
use std::collections::BTreeMap;

/// Checks the children of the innermost node: none twice, and one case of each choice.
pub(super) fn check_siblings(payload: &Payload<'_, '_>) -> Result<(), Fault> {
    let children = payload.top.children.as_slice();
    check_unique(payload, children)?;
    check_cases(payload, children)
}

/// What tells a child from its siblings.
fn identity(child: &EditNode) -> (NodeId, Option<&Key>) {
    (child.node, child.key())
}

fn check_unique(payload: &Payload<'_, '_>, children: &[EditNode]) -> Result<(), Fault> {
    if children.is_sorted_by(|a, b| identity(a) < identity(b)) {
        return Ok(());
    }
    let mut sorted: Vec<&EditNode> = children.iter().collect();
    sorted.sort_unstable_by_key(|child| identity(child));
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    match pairs.into_iter().find(|(a, b)| identity(a) == identity(b)) {
        None => Ok(()),
        Some((child, _)) => Err(repeated(payload, child)),
    }
}

fn repeated(payload: &Payload<'_, '_>, child: &EditNode) -> Fault {
    let name = &*payload.schema.node(child.node).name;
    let path = payload.path().child(child.node, child.selector());
    if child.key().is_none() {
        let kind = DataErrorKind::BadElement { element: name.to_owned() };
        let message = format!("{name} is given more than once");
        return Box::new(DataError::new(kind, message).at(path));
    }
    let kind = DataErrorKind::NotUnique { non_unique: vec![path.clone()] };
    let message = format!("the same entry of {name} is given more than once");
    Box::new(DataError::new(kind, message).tagged("data-not-unique").at(path))
}

/// RFC 7950, 8.3.1: data of two cases of a choice is a `bad-element`.
fn check_cases(payload: &Payload<'_, '_>, children: &[EditNode]) -> Result<(), Fault> {
    let mut chosen: BTreeMap<ChoiceId, u16> = BTreeMap::new();
    let mut checked = None;
    for child in children {
        if matches!(child.operation, Operation::Delete | Operation::Remove)
            || checked == Some(child.node)
        {
            continue;
        }
        checked = Some(child.node);
        let node = payload.schema.node(child.node);
        for place in &node.cases {
            if *chosen.entry(place.choice).or_insert(place.case) != place.case {
                let kind = DataErrorKind::BadElement { element: node.name.to_string() };
                let path = payload.path().child(child.node, Selector::None);
                let message = format!("{} is of another case than its siblings", node.name);
                return Err(Box::new(DataError::new(kind, message).at(path)));
            }
        }
    }
    Ok(())
}

/// The value is (one of) the default values of `id`.
pub(super) fn is_default(schema: &Schema, id: NodeId, value: &EditValue) -> bool {
    let is = |default: &str, value: &Text| default == value.as_str();
    match (&schema.node(id).kind, value) {
        (NodeKind::Leaf(leaf), EditValue::Leaf(value)) => {
            leaf.default.as_deref().is_some_and(|default| is(default, value))
        }
        (NodeKind::LeafList(list), EditValue::Item(item)) => {
            list.defaults.iter().any(|default| is(default, &item.value))
        }
        (_, _) => false,
    }
}

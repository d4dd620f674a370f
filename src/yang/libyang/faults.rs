//! What libyang says is wrong with data, in the terms of RFC 7950 section 15.
//!
//! libyang's items have no code for the rule that is broken, only a text, an app-tag for some, and a path. The texts
//! are those of ly_common.h (`LY_VCODE_*`, `LY_ERRMSG_*`) in the bundled 2.2.8:
//!
//! | text | app-tag | path | becomes |
//! |---|---|---|---|
//! | `Unique data leaf(s) "a b" not satisfied in "P" and "Q".` | data-not-unique | of Q | 15.1, the leafs in P and Q |
//! | `Too many "x" instances.` | too-many-elements | of the first surplus entry | 15.2, path of the list |
//! | `Too few "x" instances.` | too-few-elements | in the schema | 15.3, path of the list, its parent looked for |
//! | the statement's, or `Must condition "e" not satisfied.` | the statement's, or must-violation | of the node | 15.4 |
//! | `Invalid leafref value ...`, `Invalid instance-identifier ...` | instance-required | of the leaf | 15.5 |
//! | `Mandatory choice "x" data do not exist.` | missing-choice | of the parent | 15.6 |
//! | `Mandatory node "x" instance does not exist.` | | of the parent | missing-element, path of the parent |
//! | `When condition "e" not satisfied.` | | of the node | 8.3.1, unknown-element |
//! | `Data for both cases "a" and "b" exist.` | | in the schema | 8.3.1, bad-element |
//! | `Duplicate instance of "x".` | | of the node | data-not-unique |
//! | `Unexpected data state node "x" found.` | | of the node | unknown-element |
//!
//! The parent of a top-level node has no path. A `must` can have any text and any app-tag, so what is not in the
//! table and has an app-tag is one.

use super::context::Fault;
use super::locate::DataTree;
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::types::ModuleNames;
use std::collections::BTreeMap;

/// The errors of a validation.
pub(super) fn of_validation(
    schema: &Schema,
    tree: &DataTree<'_>,
    faults: &[Fault],
) -> Vec<DataError> {
    let few = too_few(schema, tree, faults);
    let mut few = few.into_iter();
    let one = |fault: &Fault| match is_too_few(fault) {
        // One for each, in the same order.
        true => few.next().unwrap_or_else(|| general(fault)),
        false => of_rule(schema, fault).unwrap_or_else(|| general(fault)),
    };
    faults.iter().map(one).collect()
}

/// The error of a text that is not data of the schema. The agent writes the text itself, from values that it has
/// checked, so this is a disagreement about a value or about what is in the schema.
pub(super) fn of_parsing(schema: &Schema, fault: &Fault) -> DataError {
    let path = fault.data_path.as_deref().and_then(|path| data_path(schema, path));
    let kind = match quoted(&fault.message) {
        Some(name) if fault.message.starts_with("List instance is missing its key") => {
            DataErrorKind::MissingKey { key: name.to_owned() }
        }
        Some(name) if fault.message.starts_with("Node ") => {
            DataErrorKind::UnknownElement { element: name.to_owned() }
        }
        Some(_) | None if path.is_some() => DataErrorKind::InvalidValue,
        Some(_) | None => DataErrorKind::OperationFailed,
    };
    DataError { kind, path, app_tag: fault.app_tag.clone(), message: message(fault) }
}

/// The error of a rule that the table has, but for `min-elements`.
fn of_rule(schema: &Schema, fault: &Fault) -> Option<DataError> {
    let text = fault.message.as_str();
    let app_tag = fault.app_tag.as_deref();
    let path = fault.data_path.as_deref().and_then(|path| data_path(schema, path));
    let name = quoted(text).map(str::to_owned);
    let mut error = DataError {
        kind: DataErrorKind::OperationFailed,
        path,
        app_tag: app_tag.map(str::to_owned),
        message: message(fault),
    };
    match app_tag {
        Some("data-not-unique") if text.starts_with("Unique data leaf(s) ") => {
            error.kind = DataErrorKind::NotUnique { non_unique: non_unique(schema, text)? };
            error.path = None;
        }
        Some("too-many-elements") if text.starts_with("Too many ") => {
            if let Some(last) = error.path.as_mut().and_then(|path| path.0.last_mut()) {
                last.selector = Selector::None;
            }
        }
        Some("instance-required") if text.starts_with("Invalid ") => {
            error.kind = DataErrorKind::DataMissing;
        }
        Some("missing-choice") if text.starts_with("Mandatory choice ") => {
            error.kind = DataErrorKind::MissingChoice { choice: name? };
        }
        Some(_) => {}
        None if text.starts_with("Mandatory node ") => {
            error.kind = DataErrorKind::MissingElement { element: name? };
        }
        None if text.starts_with("When condition ") => {
            let last = error.path.as_ref().and_then(|path| path.0.last())?;
            let element = schema.node(last.node).name.to_string();
            error.kind = DataErrorKind::UnknownElement { element };
        }
        None if text.starts_with("Data for both cases ") => {
            error.kind = DataErrorKind::BadElement { element: text.split('"').nth(3)?.to_owned() };
        }
        None if text.starts_with("Duplicate instance of ") => {
            error.app_tag = Some("data-not-unique".to_owned());
        }
        None if text.starts_with("Unexpected data ") => {
            error.kind =
                DataErrorKind::UnknownElement { element: text.split('"').nth(1)?.to_owned() };
        }
        None if text.starts_with("Invalid ") => error.kind = DataErrorKind::InvalidValue,
        None => {}
    }
    Some(error)
}

/// A fault of which no more is known than its text.
fn general(fault: &Fault) -> DataError {
    DataError {
        kind: DataErrorKind::OperationFailed,
        path: None,
        app_tag: fault.app_tag.clone(),
        message: message(fault),
    }
}

/// The text in one line, never empty.
fn message(fault: &Fault) -> String {
    let line = fault.message.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.is_empty() { "the data is invalid".to_owned() } else { line }
}

/// What stands in the first pair of quotes.
fn quoted(text: &str) -> Option<&str> {
    text.split('"').nth(1)
}

fn is_too_few(fault: &Fault) -> bool {
    fault.app_tag.as_deref() == Some("too-few-elements") && fault.message.starts_with("Too few ")
}

/// The errors of all `min-elements` faults, in their order.
///
/// libyang names the list in the schema only. The entries that have too few are looked for in the data; they were
/// checked in document order, so the first fault of a list is of the first of them. Where a `when` or a choice
/// exempts some, there are more candidates than faults: then the path names the list in all entries.
fn too_few(schema: &Schema, tree: &DataTree<'_>, faults: &[Fault]) -> Vec<DataError> {
    let faults: Vec<&Fault> = faults.iter().filter(|fault| is_too_few(fault)).collect();
    let lists: Vec<Option<NodeId>> = faults
        .iter()
        .map(|fault| fault.schema_path.as_deref().and_then(|path| schema_path(schema, path)))
        .collect();
    let mut counts: BTreeMap<NodeId, usize> = BTreeMap::new();
    for list in lists.iter().flatten() {
        *counts.entry(*list).or_default() += 1;
    }
    let mut candidates: BTreeMap<NodeId, std::vec::IntoIter<InstancePath>> = counts
        .iter()
        .map(|(list, count)| (*list, parents_with_few(schema, tree, *list, *count).into_iter()))
        .collect();
    faults
        .into_iter()
        .zip(lists)
        .map(|(fault, list)| {
            let mut error = general(fault);
            error.path = list.map(|list| {
                let parent = candidates.get_mut(&list).and_then(Iterator::next);
                match parent {
                    Some(parent) => parent.child(list, Selector::None),
                    None => way_to(schema, list),
                }
            });
            error
        })
        .collect()
}

/// The instances of the list's parent that have too few entries; none unless there are `count`.
fn parents_with_few(
    schema: &Schema,
    tree: &DataTree<'_>,
    list: NodeId,
    count: usize,
) -> Vec<InstancePath> {
    let least = schema.node(list).elements().map_or(0, |elements| elements.min);
    let Some(parent) = schema.node(list).parent else { return Vec::new() };
    let (parent, child) = (schema.path_names(parent), schema.path_names(list));
    let found = tree.with_few(&parent, &child, least, count.saturating_add(1));
    let paths: Vec<InstancePath> =
        found.iter().filter_map(|path| data_path(schema, path)).collect();
    if paths.len() == count { paths } else { Vec::new() }
}

/// The path to a node, in all entries of the lists on the way.
fn way_to(schema: &Schema, node: NodeId) -> InstancePath {
    let mut way: Vec<NodeId> = std::iter::once(node).chain(schema.ancestors(node)).collect();
    way.reverse();
    way.into_iter().fold(InstancePath::default(), |path, node| path.child(node, Selector::None))
}

/// The leafs, in both entries, that `unique` names.
fn non_unique(schema: &Schema, text: &str) -> Option<Vec<InstancePath>> {
    let rest = text.strip_prefix("Unique data leaf(s) \"")?;
    let (leafs, rest) = rest.split_once("\" not satisfied in \"")?;
    let paths = rest.strip_suffix("\".")?;
    // Key values may contain the words between the paths, so every place is tried.
    let (first, second) = paths.match_indices("\" and \"").find_map(|(at, between)| {
        let first = data_path(schema, paths.get(..at)?)?;
        let second = data_path(schema, paths.get(at + between.len()..)?)?;
        Some((first, second))
    })?;
    let list = first.0.last()?.node;
    let leafs: Vec<Vec<NodeId>> =
        leafs.split(' ').filter_map(|path| relative_path(schema, list, path)).collect();
    let of_entry = |entry: &InstancePath| -> Vec<InstancePath> {
        let leaf = |way: &Vec<NodeId>| {
            way.iter().fold(entry.clone(), |path, node| path.child(*node, Selector::None))
        };
        leafs.iter().map(leaf).collect()
    };
    Some(of_entry(&first).into_iter().chain(of_entry(&second)).collect())
}

/// The nodes of a schema path below `from`; choices and cases in it are left out.
fn relative_path(schema: &Schema, from: NodeId, path: &str) -> Option<Vec<NodeId>> {
    let mut way = Vec::new();
    for name in path.split('/').filter(|name| !name.is_empty()) {
        let parent = way.last().copied().unwrap_or(from);
        way.extend(step(schema, Some(parent), None, name));
    }
    (!way.is_empty()).then_some(way)
}

/// The node that a schema path (`/module:a/choice/case/b`) leads to.
fn schema_path(schema: &Schema, path: &str) -> Option<NodeId> {
    let mut at = None;
    for name in path.split('/').filter(|name| !name.is_empty()) {
        at = step(schema, at, None, name).or(at);
    }
    let last = path.rsplit('/').next()?;
    let last = last.split_once(':').map_or(last, |(_, name)| name);
    at.filter(|id| *schema.node(*id).name == *last)
}

/// The node that `name`, with or without a module, means below `parent`: without, it is of `module`, or any.
fn step(
    schema: &Schema,
    parent: Option<NodeId>,
    module: Option<&str>,
    name: &str,
) -> Option<NodeId> {
    match (name.split_once(':'), module) {
        (Some((module, name)), _) => schema.child_in_module(parent, module, name),
        (None, Some(module)) => schema.child_in_module(parent, module, name),
        (None, None) => schema.child(parent, None, name),
    }
    .found()
}

/// A path of libyang (`/module:a/b[k='v']/c`) as ours. `None` if it leads nowhere in the schema.
pub(super) fn data_path(schema: &Schema, text: &str) -> Option<InstancePath> {
    let mut path = InstancePath::default();
    let mut rest = text;
    let mut parent = None;
    while !rest.is_empty() {
        rest = rest.strip_prefix('/')?;
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let (name, behind) = rest.split_at_checked(end)?;
        // A name without module is of the module of the node above.
        let module = parent.map(|id| &*schema.module_of(id).name);
        let node = step(schema, parent, module, name)?;
        let (selector, behind) = selector(schema, node, behind)?;
        path = path.child(node, selector);
        parent = Some(node);
        rest = behind;
    }
    (!path.0.is_empty()).then_some(path)
}

/// What the predicates at the beginning of `text` select, and what is behind them.
fn selector<'a>(schema: &Schema, node: NodeId, text: &'a str) -> Option<(Selector, &'a str)> {
    let keys = schema.keys(node);
    let names = ModuleNames { schema, default: schema.node(node).module };
    let mut rest = text;
    let mut values = Vec::new();
    while let Some(predicate) = rest.strip_prefix('[') {
        if predicate.starts_with(|first: char| first.is_ascii_digit()) {
            let (position, behind) = predicate.split_once(']')?;
            return Some((Selector::Position(position.parse().ok()?), behind));
        }
        let (name, quoted) = predicate.split_once('=')?;
        let quote = quoted.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let quoted = quoted.get(1..)?;
        let end = closing(quoted, quote)?;
        let value = quoted.get(..end)?;
        rest = quoted.get(end + 2..)?;
        if name == "." {
            let value = schema.canonical(node, value, &names).ok()?;
            return Some((Selector::Value(value), rest));
        }
        let key = keys.iter().find(|key| *schema.node(**key).name == *name)?;
        values.push(schema.canonical(*key, value, &names).ok()?);
    }
    let all = !values.is_empty() && values.len() == keys.len();
    Some((if all { Selector::Keys(values) } else { Selector::None }, rest))
}

/// Where a value ends: libyang quotes without escaping, so a value with both sorts of quotes holds its own. The end
/// is the first quote that a bracket and then another predicate, another step or nothing follows.
fn closing(text: &str, quote: char) -> Option<usize> {
    text.match_indices(quote).map(|(at, _)| at).find(|at| {
        let behind = text.get(at + 1..).and_then(|behind| behind.strip_prefix(']'));
        behind.is_some_and(|behind| behind.is_empty() || behind.starts_with(['[', '/']))
    })
}

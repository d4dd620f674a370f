//! Validity of a whole configuration (RFC 7950, 8.3.3), and what a false `when` removes (8.2).

pub(crate) mod impact;
mod names;
#[cfg(test)]
mod oracle;

use self::impact::Impact;
use super::error::{DataError, DataErrorKind};
use super::path::{InstancePath, Selector, Step};
use super::schema::{NodeKind, Schema};
use super::tree::{Child, ChildRef, Container, Tree};
use std::sync::Arc;

/// What is known of the tree before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// It is valid under this schema.
    Valid,
    /// Nobody has judged it.
    Unknown,
}

/// `after` as it is valid: without the nodes of `before` whose `when` the change made false.
///
/// A change of what is valid that no constraint can be touched by costs what it changes. Otherwise the compiler's full
/// validation is the judge. A node that the change itself brings under a false `when` is a fault,
/// and so is everything else that the judge finds.
pub(crate) fn settle(
    schema: &Arc<Schema>,
    (before, known): (&Tree, Before),
    after: &Tree,
) -> Result<Tree, Vec<DataError>> {
    // Nothing at all is quickly judged.
    let is_valid = match before.root.is_empty() {
        true => schema.validate(&[]).is_ok(),
        false => known == Before::Valid,
    };
    if is_valid && Impact::of(schema).is_harmless(before, after) {
        return Ok(after.clone());
    }
    let mut settled = after.clone();
    loop {
        let xml = super::print::print_all(schema, &settled);
        let Err(faults) = schema.validate(&xml) else {
            return Ok(settled);
        };
        let outdated: Vec<&InstancePath> =
            faults.iter().filter_map(|fault| outdated(schema, before, fault)).collect();
        // Each round takes something away, so there is an end.
        let mut removed = false;
        for path in outdated {
            removed |= remove(schema, &mut settled.root, &path.0);
        }
        if !removed {
            return Err(faults);
        }
    }
}

/// The node of a fault that is only there because it was valid before the change.
fn outdated<'a>(schema: &Schema, before: &Tree, fault: &'a DataError) -> Option<&'a InstancePath> {
    let path = fault.path.as_ref()?;
    let by_when = matches!(fault.kind, DataErrorKind::UnknownElement { .. });
    (by_when && exists(schema, &before.root, &path.0)).then_some(path)
}

fn exists(schema: &Schema, container: &Container, steps: &[Step]) -> bool {
    let Some((step, below)) = steps.split_first() else { return true };
    match (container.get(step.node), &step.selector) {
        (Some(ChildRef::Container(inner)), _) => exists(schema, inner, below),
        (Some(ChildRef::List(list)), Selector::Keys(values)) => list
            .get(&schema.list_key(step.node, values))
            .is_some_and(|entry| exists(schema, entry, below)),
        (Some(ChildRef::LeafList(list)), Selector::Value(value)) => {
            below.is_empty() && list.get(&schema.leaf_list_key(step.node, value)).is_some()
        }
        (Some(_), _) => below.is_empty(),
        (None, _) => false,
    }
}

/// Takes the node at `steps` out, and every list, leaf-list and non-presence container that is empty then. Whether it
/// was there. The depth is that of the schema.
fn remove(schema: &Schema, container: &mut Container, steps: &[Step]) -> bool {
    let Some((step, below)) = steps.split_first() else { return false };
    let node = step.node;
    let (removed, left) = match (container.get(node).map(ChildRef::to_owned), &step.selector) {
        (None, _) => return false,
        (Some(Child::Container(mut inner)), _) if !below.is_empty() => {
            let removed = remove(schema, &mut inner, below);
            let presence = matches!(schema.node(node).kind, NodeKind::Container { presence: true });
            (removed, (presence || !inner.is_empty()).then_some(Child::Container(inner)))
        }
        (Some(Child::List(mut list)), Selector::Keys(values)) => {
            let key = schema.list_key(node, values);
            let removed = if below.is_empty() {
                list.remove(&key).is_some()
            } else {
                list.get(&key).cloned().is_some_and(|mut entry| {
                    let removed = remove(schema, &mut entry, below);
                    list.insert(key, entry);
                    removed
                })
            };
            (removed, (!list.is_empty()).then_some(Child::List(list)))
        }
        (Some(Child::LeafList(mut list)), Selector::Value(value)) => {
            let removed = list.remove(&schema.leaf_list_key(node, value)).is_some();
            (removed, (!list.is_empty()).then_some(Child::LeafList(list)))
        }
        (Some(_), _) => (below.is_empty(), None),
    };
    if removed {
        match left {
            Some(child) => container.set(node, child),
            None => drop(container.remove(node)),
        }
    }
    removed
}

#[cfg(test)]
mod tests {
    use super::{Before, settle};
    use crate::yang::libyang::compile_for_test;
    use crate::yang::print::print_all;
    use crate::yang::schema::Schema;
    use crate::yang::tree::{Seed, Tree};
    use std::sync::Arc;

    const MODEL: &str = r#"module w { yang-version 1.1; namespace "urn:w"; prefix w;
        leaf on { type empty; }
        leaf a { when "../on"; type string; }
        container np { container inner { leaf b { when "/a"; type string; } } }
        list l { key k; leaf k { type string; } leaf-list x { when "/on"; type string; } }
        leaf must { type string; must "/on"; }
    }"#;

    fn tree(schema: &Schema, content: &str) -> Tree {
        let text = format!("<data>{content}</data>").replace("><", " ><").replace(" >", ">");
        let text = text.replace("<data>", "<data xmlns=\"urn:w\">");
        let edit = crate::netconf::document::read_document(text.as_bytes(), schema).unwrap();
        crate::datastore::apply::tree_of(schema, Seed(1), &edit).unwrap()
    }

    #[track_caller]
    fn check(before: &str, after: &str, expected: Option<&str>) {
        let schema = compile_for_test(&[("w", MODEL)]);
        let print = |tree: &Tree| String::from_utf8(print_all(&Arc::clone(&schema), tree)).unwrap();
        let settled =
            settle(&schema, (&tree(&schema, before), Before::Valid), &tree(&schema, after));
        let expected = expected.map(|content| print(&tree(&schema, content)));
        assert_eq!(settled.ok().as_ref().map(print), expected);
    }

    #[test]
    fn nodes_whose_when_turns_false_are_removed_until_nothing_changes() {
        let chain = "<a>1</a><np><inner><b>2</b></inner></np>";
        check(&format!("<on/>{chain}"), chain, Some(""));
    }

    #[test]
    fn an_entry_stays_when_its_last_leaf_list_goes() {
        let list = "<l><k>1</k><x>y</x></l>";
        check(&format!("<on/>{list}"), list, Some("<l><k>1</k></l>"));
    }

    #[test]
    fn what_a_change_brings_under_a_false_when_is_refused() {
        check("", "<a>1</a>", None);
        check("<on/><l><k>1</k></l>", "<l><k>1</k><x>y</x></l>", None);
    }

    #[test]
    fn other_faults_are_not_forgiven() {
        check("<on/><must>1</must>", "<must>1</must>", None);
        check("<on/><a>1</a><must>1</must>", "<a>1</a><must>1</must>", None);
    }
}

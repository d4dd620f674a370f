//! Laws of edits on random trees and edits, and a naive model of RFC 6241, 7.2 that they must agree with.

#![expect(clippy::wildcard_enum_match_arm, reason = "the model is shorter so")]

use super::apply::{apply_edit, tree_of};
use super::candidate::Candidate;
use super::edit::{
    DefaultOperation, Edit, EditEntry, EditItem, EditNode, EditValue, Insert, Operation,
};
use super::footprint::Footprint;
use super::graft::graft;
use super::testing::{Dice, fault, schema, show};
use crate::base::ids::Revision;
use crate::yang::schema::{CaseOf, NodeId, NodeKind, Order, Schema};
use crate::yang::tree::{ChildRef, Container, Key, Seed, Text, Tree, diff};

const ROUNDS: u64 = 3000;

/// Random edits over the model of the tests. The reader of requests refuses duplicates and data of two cases, so
/// there are none.
struct Random<'a> {
    schema: &'a Schema,
    dice: Dice,
    /// One in how many nodes has an operation of its own; 0 is none.
    operations: usize,
}

impl Random<'_> {
    fn edit(&mut self) -> Edit {
        let (default_operation, operation) = match self.dice.below(6) {
            0 if self.operations > 0 => (DefaultOperation::Replace, Operation::Replace),
            1 | 2 if self.operations > 0 => (DefaultOperation::None, Operation::None),
            _ => (DefaultOperation::Merge, Operation::Merge),
        };
        let top = self.schema.top.clone();
        Edit { default_operation, nodes: self.nodes(&top, operation) }
    }

    fn nodes(&mut self, among: &[NodeId], inherited: Operation) -> Vec<EditNode> {
        let mut nodes: Vec<EditNode> = Vec::new();
        for _ in 0..1 + self.dice.below(4) {
            let id = *self.dice.pick(among);
            let mut node = self.node(id, inherited);
            let inside = self.children(&node);
            if let Some(children) = node.children_mut() {
                *children = inside.into();
            }
            let twice = nodes.iter().any(|other| same_instance(other, &node));
            let cases = |node: &EditNode| {
                let gone = matches!(node.operation, Operation::Delete | Operation::Remove);
                if gone { [].as_slice() } else { &self.schema.node(node.node).cases }
            };
            let two_cases = nodes.iter().any(|other| exclude(cases(other), cases(&node)));
            if !twice && !two_cases {
                nodes.push(node);
            }
        }
        nodes
    }

    fn word(&mut self) -> Text {
        Text::new(self.dice.pick(&["a", "b", "d"]))
    }

    fn node(&mut self, id: NodeId, inherited: Operation) -> EditNode {
        let all = [
            Operation::Merge,
            Operation::Merge,
            Operation::Replace,
            Operation::Create,
            Operation::Delete,
            Operation::Remove,
            Operation::Remove,
        ];
        let own = self.operations > 0 && self.dice.below(self.operations) == 0;
        let operation = if own { *self.dice.pick(&all) } else { inherited };
        let number = |dice: &mut Dice| Text::new(dice.pick(&["1", "2", "10"]));
        let (mut value, order) = match &self.schema.node(id).kind {
            NodeKind::Container { .. } => (EditValue::Container(Box::default()), Order::System),
            NodeKind::List(list) => {
                let mut values = vec![self.word()];
                values.extend((1..list.keys.len()).map(|_| number(&mut self.dice)));
                let key = self.schema.list_key(id, &values);
                let (values, children) = (values.into(), Box::default());
                let entry = EditEntry { key, values, children, insert: None };
                (EditValue::Entry(Box::new(entry)), list.order)
            }
            NodeKind::LeafList(items) => {
                let numbers = *self.schema.node(id).name == *"ll";
                let value = if numbers { number(&mut self.dice) } else { self.word() };
                let gone = matches!(operation, Operation::Delete | Operation::Remove);
                if gone && items.order == Order::System && self.dice.below(6) == 0 {
                    (EditValue::Absent, Order::System)
                } else {
                    let key = self.schema.leaf_list_key(id, &value);
                    (EditValue::Item(Box::new(EditItem { key, value, insert: None })), items.order)
                }
            }
            NodeKind::Leaf(_) => (EditValue::Leaf(number(&mut self.dice)), Order::System),
            _ => (EditValue::Any(self.word().as_str().into()), Order::System),
        };
        let insert = (order == Order::User && self.operations > 0 && self.dice.below(3) == 0)
            .then(|| Box::new(self.insert(id)));
        match &mut value {
            EditValue::Entry(entry) => entry.insert = insert,
            EditValue::Item(item) => item.insert = insert,
            _ => assert!(insert.is_none(), "only entries have a place"),
        }
        EditNode { node: id, operation, value }
    }

    fn insert(&mut self, id: NodeId) -> Insert {
        let anchor = self.word();
        let key = match self.schema.node(id).kind {
            NodeKind::List(_) => self.schema.list_key(id, &[anchor]),
            _ => self.schema.leaf_list_key(id, &anchor),
        };
        match self.dice.below(4) {
            0 => Insert::First,
            1 => Insert::Last,
            2 => Insert::Before(key),
            _ => Insert::After(key),
        }
    }

    fn children(&mut self, node: &EditNode) -> Vec<EditNode> {
        let among: Vec<NodeId> = self.schema.node(node.node).children.clone();
        let (keys, rest): (Vec<NodeId>, Vec<NodeId>) = among.into_iter().partition(
            |id| matches!(&self.schema.node(*id).kind, NodeKind::Leaf(leaf) if leaf.key.is_some()),
        );
        let mut children = Vec::new();
        if let EditValue::Entry(entry) = &node.value {
            for (key, value) in keys.iter().zip(&entry.values) {
                let mut leaf = self.node(*key, node.operation);
                leaf.value = EditValue::Leaf(value.clone());
                children.push(leaf);
            }
        }
        if !rest.is_empty() && self.dice.below(4) > 0 {
            children.extend(self.nodes(&rest, node.operation));
        }
        children
    }

    fn tree(&mut self) -> Tree {
        let operations = std::mem::replace(&mut self.operations, 0);
        let edit = self.edit();
        self.operations = operations;
        tree_of(self.schema, Seed::default(), &edit).unwrap()
    }
}

fn same_instance(a: &EditNode, b: &EditNode) -> bool {
    let whole = |edit: &EditNode| edit.value == EditValue::Absent;
    a.node == b.node && (a.key() == b.key() || whole(a) || whole(b))
}

fn exclude(a: &[CaseOf], b: &[CaseOf]) -> bool {
    a.iter().any(|a| b.iter().any(|b| a.choice == b.choice && a.case != b.case))
}

#[track_caller]
fn for_random(mut law: impl FnMut(&mut Random<'_>)) {
    let schema = schema();
    for seed in 0..ROUNDS {
        let mut random = Random { schema: &schema, dice: Dice(seed), operations: 3 };
        law(&mut random);
    }
}

// The model: a document of elements, changed by looking and copying.

#[derive(Debug, Clone, PartialEq)]
struct Element {
    node: NodeId,
    key: Option<Key>,
    text: String,
    children: Vec<Element>,
}

fn document(parent: &Container) -> Vec<Element> {
    let mut elements = Vec::new();
    for (node, child) in parent.iter() {
        let element = |key: Option<&Key>, text: &str, children| Element {
            node,
            key: key.cloned(),
            text: text.to_owned(),
            children,
        };
        match child {
            ChildRef::Leaf(text) => elements.push(element(None, text, vec![])),
            ChildRef::Any(xml) => elements.push(element(None, xml, vec![])),
            ChildRef::Container(inner) => elements.push(element(None, "", document(inner))),
            ChildRef::List(list) => elements
                .extend(list.iter().map(|(key, entry)| element(Some(key), "", document(entry)))),
            ChildRef::LeafList(items) => {
                elements.extend(items.iter().map(|(key, value)| element(Some(key), value, vec![])))
            }
        }
    }
    elements
}

struct Model<'a>(&'a Schema);

impl Model<'_> {
    fn order(&self, id: NodeId) -> Order {
        self.0.node(id).elements().map_or(Order::System, |elements| elements.order)
    }

    fn edit(&self, before: &[Element], edit: &Edit) -> Option<Vec<Element>> {
        let replace = edit.default_operation == DefaultOperation::Replace;
        self.children(before, if replace { Vec::new() } else { before.to_vec() }, &edit.nodes)
    }

    fn children(
        &self,
        before: &[Element],
        mut after: Vec<Element>,
        edits: &[EditNode],
    ) -> Option<Vec<Element>> {
        for edit in edits.iter().filter(|edit| edit.value == EditValue::Absent) {
            after.retain(|element| element.node != edit.node);
        }
        for edit in edits {
            self.child(before, &mut after, edit)?;
        }
        // New data of a case removes the data of the others.
        let new: Vec<NodeId> = after
            .iter()
            .map(|element| element.node)
            .filter(|node| before.iter().all(|old| old.node != *node))
            .collect();
        for node in new {
            let cases = &self.0.node(node).cases;
            after.retain(|element| !exclude(&self.0.node(element.node).cases, cases));
        }
        after.sort_by(|a, b| {
            let by_key = if self.order(a.node) == Order::System {
                a.key.cmp(&b.key)
            } else {
                std::cmp::Ordering::Equal
            };
            a.node.cmp(&b.node).then(by_key)
        });
        Some(after)
    }

    fn child(&self, before: &[Element], after: &mut Vec<Element>, edit: &EditNode) -> Option<()> {
        let kind = &self.0.node(edit.node).kind;
        let whole = edit.value == EditValue::Absent;
        let is_it = |e: &Element| e.node == edit.node && (whole || e.key.as_ref() == edit.key());
        let old = before.iter().find(|element| is_it(element));
        let implied = matches!(kind, NodeKind::Container { presence: false });
        if edit.operation == Operation::Create && old.is_some() {
            return None;
        }
        if edit.operation == Operation::Delete && old.is_none() {
            return None;
        }
        if edit.operation == Operation::None && old.is_none() && !implied {
            return None;
        }
        let gone = matches!(edit.operation, Operation::Delete | Operation::Remove);
        if matches!(kind, NodeKind::Leaf(leaf) if leaf.key.is_some()) {
            return (!gone).then_some(());
        }
        if edit.insert().is_some() && (gone || edit.operation == Operation::None) {
            return None;
        }
        if gone {
            after.retain(|element| !is_it(element));
            return (!states(edit.children())).then_some(());
        }
        let fresh = matches!(edit.operation, Operation::Replace | Operation::Create);
        let old_children = old.map_or(vec![], |old| old.children.clone());
        let mut start = if fresh { vec![] } else { old_children.clone() };
        if let (EditValue::Entry(entry), NodeKind::List(list)) = (&edit.value, kind) {
            start.retain(|child| !list.keys.contains(&child.node));
            let keys = list.keys.iter().zip(&entry.values);
            start.extend(keys.map(|(node, value)| Element {
                node: *node,
                key: None,
                text: value.to_string(),
                children: vec![],
            }));
        }
        let at = self.place(after, edit)?;
        let children = self.children(&old_children, start, edit.children())?;
        let text = match &edit.value {
            EditValue::Leaf(_) | EditValue::Any(_) if edit.operation == Operation::None => {
                old?.text.clone()
            }
            EditValue::Leaf(text) => text.to_string(),
            EditValue::Any(xml) => xml.to_string(),
            EditValue::Item(item) => item.value.to_string(),
            _ => String::new(),
        };
        let empty = implied && children.is_empty();
        let element = Element { node: edit.node, key: edit.key().cloned(), text, children };
        after.retain(|other| !is_it(other));
        if !empty {
            after.insert(at.min(after.len()), element);
        }
        Some(())
    }

    /// The index that the element will have when its old place is empty.
    fn place(&self, after: &[Element], edit: &EditNode) -> Option<usize> {
        let mine = |e: &&Element| e.node == edit.node && e.key.as_ref() == edit.key();
        let without: Vec<&Element> = after.iter().filter(|e| !mine(e)).collect();
        let there = after.iter().position(|e| mine(&e));
        let find = |key: &Key| {
            let anchor = |e: &&Element| e.node == edit.node && e.key.as_ref() == Some(key);
            without.iter().position(anchor)
        };
        match edit.insert() {
            None => Some(there.unwrap_or(without.len())),
            Some(Insert::First) => Some(0),
            Some(Insert::Last) => Some(without.len()),
            Some(Insert::Before(key) | Insert::After(key)) if Some(key) == edit.key() => there,
            Some(Insert::Before(key)) => find(key),
            Some(Insert::After(key)) => find(key).map(|at| at + 1),
        }
    }
}

fn states(edits: &[EditNode]) -> bool {
    edits.iter().any(|edit| {
        matches!(edit.operation, Operation::Merge | Operation::Replace | Operation::Create)
            || states(edit.children())
    })
}

#[test]
fn an_edit_does_what_it_does_to_the_naive_model() {
    let (mut done, mut refused) = (0, 0);
    for_random(|random| {
        let (before, edit) = (random.tree(), random.edit());
        let model = Model(random.schema).edit(&document(&before.root), &edit);
        let context = || format!("{} {edit:#?}", show(random.schema, &before));
        match (apply_edit(random.schema, &before, &edit), model) {
            (Ok(edited), Some(model)) => {
                assert_eq!(document(&edited.tree.root), model, "{}", context());
                done += 1;
            }
            (Err(_), None) => refused += 1,
            (Ok(edited), None) => {
                panic!("done: {} {}", show(random.schema, &edited.tree), context())
            }
            (Err(error), Some(_)) => panic!("{} {}", fault(random.schema, &error), context()),
        }
    });
    assert!(done > ROUNDS / 4 && refused > ROUNDS / 10, "{done} {refused}");
}

#[test]
fn what_an_edit_makes_keeps_the_invariants_of_the_tree() {
    for_random(|random| {
        let (before, edit) = (random.tree(), random.edit());
        if let Ok(edited) = apply_edit(random.schema, &before, &edit) {
            // Empty lists and containers, and keys that do not fit, make this fail.
            show(random.schema, &edited.tree);
        }
    });
}

/// Shuffles siblings; entries of one user-ordered list keep their order.
fn shuffle(schema: &Schema, dice: &mut Dice, nodes: &mut [EditNode]) {
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    dice.shuffle(&mut order);
    let user = |node: &EditNode| Model(schema).order(node.node) == Order::User;
    let old = nodes.to_vec();
    let mut lists: std::collections::BTreeMap<NodeId, Vec<usize>> = Default::default();
    for (at, node) in old.iter().enumerate().filter(|(_, node)| user(node)).rev() {
        lists.entry(node.node).or_default().push(at);
    }
    for (to, from) in order.iter().enumerate() {
        let from = lists.get_mut(&old[*from].node).and_then(Vec::pop).unwrap_or(*from);
        nodes[to] = old[from].clone();
        if let Some(children) = nodes[to].children_mut() {
            shuffle(schema, dice, children);
        }
    }
}

#[test]
fn the_order_of_siblings_does_not_matter() {
    for_random(|random| {
        let (before, edit) = (random.tree(), random.edit());
        let mut other = edit.clone();
        shuffle(random.schema, &mut random.dice, &mut other.nodes);
        let result = |edit| apply_edit(random.schema, &before, edit).ok();
        let (one, two) = (result(&edit), result(&other));
        assert_eq!(one.is_some(), two.is_some(), "{edit:#?} {other:#?}");
        if let (Some(one), Some(two)) = (one, two) {
            assert_eq!(one.tree, two.tree, "{edit:#?} {other:#?}");
            assert_eq!(roots(&one.footprint), roots(&two.footprint), "{edit:#?} {other:#?}");
        }
    });
}

fn roots(footprint: &Footprint) -> Vec<crate::yang::tree::KeyPath> {
    footprint.roots().collect()
}

#[test]
fn a_merge_done_twice_is_a_merge_done_once() {
    for_random(|random| {
        random.operations = 0;
        let (before, edit) = (random.tree(), random.edit());
        let once = apply_edit(random.schema, &before, &edit).unwrap().tree;
        let twice = apply_edit(random.schema, &once, &edit).unwrap().tree;
        assert_eq!(once, twice);
    });
}

/// The same edit with one operation throughout.
fn uniform(nodes: &mut [EditNode], operation: Operation) {
    for node in nodes {
        node.operation = operation;
        if let Some(children) = node.children_mut() {
            uniform(children, operation);
        }
    }
}

#[test]
fn what_is_replaced_by_a_payload_is_the_payload() {
    for_random(|random| {
        random.operations = 0;
        let (before, mut edit) = (random.tree(), random.edit());
        let payload = tree_of(random.schema, before.seed, &edit).unwrap();
        uniform(&mut edit.nodes, Operation::Replace);
        edit.default_operation = DefaultOperation::Replace;
        let replaced = apply_edit(random.schema, &before, &edit).unwrap().tree;
        assert_eq!(replaced, payload);
    });
}

#[test]
fn what_an_edit_changed_lies_in_its_footprint_and_in_that_of_the_difference() {
    for_random(|random| {
        let (before, edit) = (random.tree(), random.edit());
        let Ok(edited) = apply_edit(random.schema, &before, &edit) else { return };
        let difference = diff(&before, &edited.tree);
        let of_diff = Footprint::of_diff(random.schema, &before, &difference);
        for footprint in [&edited.footprint, &of_diff] {
            let mut grafted = before.clone();
            for root in footprint.roots() {
                graft(random.schema, &mut grafted, &edited.tree, &root).unwrap();
            }
            assert_eq!(grafted, edited.tree, "{edit:#?}");
        }
        for root in of_diff.roots() {
            assert!(edited.footprint.overlaps(&root), "{root:?} {edit:#?}");
        }
    });
}

#[test]
fn edits_that_do_not_conflict_commute_and_are_what_rebase_makes() {
    let (mut rebased, mut conflicts) = (0, 0);
    for_random(|random| {
        let base = random.tree();
        let (ours, theirs) = (random.edit(), random.edit());
        let mut candidate = Candidate::new(Revision(1), &base);
        let Ok(head) = apply_edit(random.schema, &base, &theirs) else { return };
        if candidate.edit(random.schema, &ours).is_err() {
            return;
        }
        // The other order, from the other side.
        let mut other = Candidate::new(Revision(1), &base);
        other.edit(random.schema, &theirs).unwrap();
        let mirrored = other.rebase(random.schema, Revision(2), candidate.tree());
        match candidate.rebase(random.schema, Revision(2), &head.tree) {
            Err(paths) => {
                assert!(!paths.is_empty());
                conflicts += 1;
            }
            Ok(tree) => {
                show(random.schema, &tree);
                if let Ok(mirrored) = mirrored {
                    assert_eq!(tree, mirrored, "{ours:#?} {theirs:#?}");
                }
                // Running's edit may have stated what was so before; the difference does not know that.
                let disjoint = candidate.footprint.conflicts(&head.footprint, 1).is_empty();
                let mut orders = vec![(&head.tree, &ours)];
                if disjoint {
                    orders.push((candidate.tree(), &theirs));
                }
                for (first, then) in orders {
                    if let Ok(edited) = apply_edit(random.schema, first, then) {
                        assert_eq!(
                            edited.tree,
                            tree,
                            "{} {ours:#?} {theirs:#?}",
                            show(random.schema, &base)
                        );
                    }
                }
                rebased += 1;
            }
        }
    });
    assert!(rebased > ROUNDS / 20 && conflicts > ROUNDS / 20, "{rebased} {conflicts}");
}

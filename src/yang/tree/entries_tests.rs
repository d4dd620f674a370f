//! Entries against plain vectors: content, shape and difference, whatever the history.

use super::entries::{Entries, EntriesBuilder, Place};
use super::key::KeyBuilder;
use super::pages::{Body, Node, Pages, level};
use super::{Key, Seed};
use crate::yang::schema::Order;
use proptest::prelude::*;
use std::sync::LazyLock;

const SEED: Seed = Seed(7);

/// Ascending keys of which every third has a high level, so that few of them make a tall tree.
static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let key = |number: u64| {
        let mut builder = KeyBuilder::default();
        builder.push_uint(number);
        builder.finish()
    };
    let tall = |number: &u64| match level(SEED, &key(*number)) {
        0 => number.is_multiple_of(100),
        1 => number.is_multiple_of(20),
        _ => true,
    };
    (0..40_000).filter(tall).map(key).take(600).collect()
});

fn key(number: u32) -> Key {
    KEYS[usize::try_from(number).unwrap() % KEYS.len()].clone()
}

#[test]
fn the_keys_of_these_tests_make_a_tall_tree() {
    assert!(KEYS.len() >= 600, "{}", KEYS.len());
    assert!(
        built(Order::System, &(0..600).map(|n| (n, n)).collect::<Vec<_>>()).pages().height() > 2
    );
}

/// The shape: for each node its level and first key, in the order of a walk.
fn shape<V>(pages: &Pages<V>) -> Vec<(usize, Key)> {
    fn walk<V>(node: &Node<V>, shape: &mut Vec<(usize, Key)>) {
        shape.push((node.level(), node.first_key().expect("no node is empty").clone()));
        if let Body::Inner(inner) = &node.body {
            let below: usize = inner.children.iter().map(|(_, child)| child.len()).sum();
            assert_eq!(below, node.len());
            for (first, child) in &inner.children {
                assert_eq!(Some(first), child.first_key());
                assert_eq!(child.level() + 1, node.level());
                walk(child, shape);
            }
        }
    }
    let mut all = Vec::new();
    if let Some(root) = &pages.root {
        walk(root, &mut all);
    }
    all
}

fn built(order: Order, rows: &[(u32, u32)]) -> Entries<u32> {
    let mut builder = EntriesBuilder::new(order, SEED);
    for (number, value) in rows {
        assert!(builder.push(key(*number), *value));
    }
    builder.finish()
}

/// The entries are these rows, and are as if they had been made in one go.
#[track_caller]
fn check(entries: &Entries<u32>, rows: &[(u32, u32)]) {
    let expected: Vec<(Key, u32)> =
        rows.iter().map(|(number, value)| (key(*number), *value)).collect();
    let found: Vec<(Key, u32)> = entries.iter().map(|(key, value)| (key.clone(), *value)).collect();
    assert_eq!(found, expected);
    for (rank, (key, value)) in expected.iter().enumerate() {
        assert_eq!(entries.locate(key), Some((rank, key, value)));
    }
    assert_eq!(entries.len(), rows.len());
    assert_eq!(entries.is_empty(), rows.is_empty());
    let built = built(entries.order(), rows);
    assert_eq!(shape(entries.pages()), shape(built.pages()));
    assert_eq!(entries.anchors_for_test(), built.anchors_for_test());
    for (at, (key, value)) in expected.iter().enumerate() {
        assert_eq!(entries.get(key), Some(value));
        if at % 7 == 0 {
            assert!(
                entries
                    .iter_after(key)
                    .map(|(key, _)| key)
                    .eq(expected[at + 1..].iter().map(|(key, _)| key))
            );
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Edit {
    Insert(u32),
    Remove(u32),
    First(u32),
    Before(u32, u32),
    After(u32, u32),
}

/// Makes the edit in both.
fn edit(entries: &mut Entries<u32>, rows: &mut Vec<(u32, u32)>, edit: Edit, value: u32) {
    let place = |rows: &mut Vec<(u32, u32)>, number, anchor: Option<(u32, usize)>| {
        let fits = anchor.is_none_or(|(anchor, _)| {
            anchor != number && rows.iter().any(|(other, _)| *other == anchor)
        });
        if fits {
            rows.retain(|(other, _)| *other != number);
            let at = anchor.map_or(0, |(anchor, add)| {
                rows.iter().position(|(other, _)| *other == anchor).unwrap() + add
            });
            rows.insert(at, (number, value));
        }
        fits
    };
    match edit {
        Edit::Insert(number) => {
            entries.insert(key(number), value);
            let at = rows.iter().position(|(other, _)| *other == number);
            match (at, entries.order()) {
                (Some(at), _) => rows[at].1 = value,
                (None, Order::User) => rows.push((number, value)),
                (None, Order::System) => {
                    let at = rows.partition_point(|(other, _)| *other < number);
                    rows.insert(at, (number, value));
                }
            }
        }
        Edit::Remove(number) => {
            let removed = entries.remove(&key(number));
            let at = rows.iter().position(|(other, _)| *other == number);
            assert_eq!(removed, at.map(|at| rows.remove(at).1));
        }
        Edit::First(number) => {
            assert!(entries.insert_at(key(number), value, Place::First));
            place(rows, number, None);
        }
        Edit::Before(number, anchor) => {
            let done = entries.insert_at(key(number), value, Place::Before(&key(anchor)));
            assert_eq!(done, place(rows, number, Some((anchor, 0))));
        }
        Edit::After(number, anchor) => {
            let done = entries.insert_at(key(number), value, Place::After(&key(anchor)));
            assert_eq!(done, place(rows, number, Some((anchor, 1))));
        }
    }
}

/// What differs, applied to the old rows.
fn patched(old: &Entries<u32>, new: &Entries<u32>) -> Entries<u32> {
    let difference = old.difference(new);
    let mut result = old.clone();
    let mut last = None;
    for (key, before, after) in difference.entries {
        assert!(last < Some(key), "ascending");
        last = Some(key);
        assert_eq!(old.get(key), before);
        match after {
            Some(value) => result.insert(key.clone(), *value),
            None => drop(result.remove(key)),
        }
    }
    for placed in difference.placed {
        let value = *result.get(&placed.key).expect("it is there");
        let place = placed.after.as_ref().map_or(Place::First, Place::After);
        assert!(result.insert_at(placed.key.clone(), value, place));
    }
    result
}

fn number() -> impl Strategy<Value = u32> {
    prop_oneof![0..40_u32, 0..600_u32]
}

fn system_edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit =
        prop_oneof![2 => number().prop_map(Edit::Insert), 1 => number().prop_map(Edit::Remove)];
    prop::collection::vec(edit, 0..500)
}

fn user_edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        2 => number().prop_map(Edit::Insert),
        2 => number().prop_map(Edit::Remove),
        1 => number().prop_map(Edit::First),
        2 => (number(), number()).prop_map(|(number, anchor)| Edit::Before(number, anchor)),
        2 => (number(), number()).prop_map(|(number, anchor)| Edit::After(number, anchor)),
    ];
    prop::collection::vec(edit, 0..500)
}

/// Makes the edits on some rows, looking at many of the steps, and then removes all.
fn check_history(order: Order, begin: u32, edits: &[Edit]) {
    let mut rows: Vec<(u32, u32)> = (0..begin).map(|number| (number * 2, number)).collect();
    let mut entries = built(order, &rows);
    let before = entries.clone();
    for (at, one) in (0_u32..).zip(edits) {
        let (old, old_rows) = (entries.clone(), rows.clone());
        edit(&mut entries, &mut rows, *one, at + 1000);
        if at % 4 == 0 {
            check(&patched(&old, &entries), &rows);
        }
        if at % 16 == 0 {
            check(&entries, &rows);
            check(&old, &old_rows);
        }
    }
    check(&entries, &rows);
    check(&patched(&before, &entries), &rows);
    check(
        &patched(&entries, &before),
        &(0..begin).map(|number| (number * 2, number)).collect::<Vec<_>>(),
    );
    while let Some((number, _)) = rows.get(rows.len() / 2).copied() {
        edit(&mut entries, &mut rows, Edit::Remove(number), 0);
        if rows.len().is_multiple_of(16) {
            check(&entries, &rows);
        }
    }
    assert_eq!(entries.iter().count(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn entries_in_key_order_have_the_shape_of_their_content(
        begin in prop_oneof![Just(0), 0..300_u32],
        edits in system_edits(),
    ) {
        check_history(Order::System, begin, &edits);
    }

    #[test]
    fn entries_in_user_order_have_the_shape_of_their_content(
        begin in prop_oneof![Just(0), 0..300_u32],
        edits in user_edits(),
    ) {
        check_history(Order::User, begin, &edits);
    }
}

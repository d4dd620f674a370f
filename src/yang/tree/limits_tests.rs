//! Trees that are deep or large, and values that are made to be confused.

use super::decode::DecodeError;
use super::encode::{encode_diff, encode_tree};
use super::model_tests::{CONTAINER, LEAF_A, LIST, TestNames, USER_LIST, key};
use super::{
    Change, Child, Container, Diff, Entries, EntriesChange, Key, Place, Seed, Text, Tree,
    TreeDecoder, decode_diff, diff,
};
use crate::base::limits::DEPTH_MAX;
use crate::yang::schema::{NodeId, Order};
use crate::yang::tree::entries::EntriesBuilder;
use crate::yang::tree::key::KeyBuilder;

const SEED: Seed = Seed(99);

fn tree(root: Container) -> Tree {
    Tree { root, seed: SEED }
}

fn leaf(text: &str) -> Container {
    let mut content = Container::default();
    content.set(NodeId(LEAF_A), Child::Leaf(Text::new(text)));
    content
}

/// A leaf below `depth` containers, lists and user-ordered lists in turn.
fn deep(depth: usize, text: &str) -> Tree {
    let mut content = leaf(text);
    for level in 0..depth {
        let inner = std::mem::take(&mut content);
        let list = |order| {
            let mut list = Entries::new(order, SEED);
            list.insert(key(1), inner.clone());
            Child::List(list)
        };
        match level % 3 {
            0 => content.set(NodeId(CONTAINER), Child::Container(inner.clone())),
            1 => content.set(NodeId(LIST), list(Order::System)),
            _ => content.set(NodeId(USER_LIST), list(Order::User)),
        }
    }
    tree(content)
}

fn encoded(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_tree(tree, &TestNames, &mut |chunk| bytes.extend_from_slice(chunk));
    bytes
}

fn decoded(bytes: &[u8]) -> Result<Tree, DecodeError> {
    let mut decoder = TreeDecoder::new(&TestNames, SEED);
    bytes.chunks(1 << 16).try_for_each(|chunk| decoder.push(chunk))?;
    decoder.finish()
}

#[test]
fn depth_of_data_is_not_depth_of_the_stack() {
    // A few bytes of stack for each level, of which there are more than data may have.
    let deep_work = || {
        let (old, new) = (deep(4 * DEPTH_MAX, "old"), deep(4 * DEPTH_MAX, "new"));
        assert!(old != new);
        assert_ne!(old.digest(&TestNames), new.digest(&TestNames));
        let diff = diff(&old, &new);
        assert!(diff.apply(&old).expect("it fits") == new);
        assert_eq!(diff.apply(&new).expect_err("other values").path.0.len(), 4 * DEPTH_MAX + 1);
        assert_eq!(diff.roots(10).len(), 1);
        drop(encode_diff(&diff, &TestNames));
        assert_eq!(decoded(&encoded(&new)).err(), Some(DecodeError::TooDeep));
    };
    let thread = std::thread::Builder::new().stack_size(64 << 10).spawn(deep_work);
    thread.expect("a thread").join().expect("no overflow");
}

#[test]
fn records_have_as_many_levels_as_data_may_have() {
    for (depth, fits) in [(DEPTH_MAX, true), (DEPTH_MAX + 1, false)] {
        let (old, new) = (deep(depth, "old"), deep(depth, "new"));
        assert_eq!(decoded(&encoded(&new)).is_ok(), fits);
        let empty = Tree::empty(SEED);
        for diff in [diff(&old, &new), diff(&empty, &new)] {
            let copy = diff.clone();
            let bytes = encode_diff(&copy, &TestNames);
            let back = decode_diff(&bytes, &TestNames, SEED);
            assert_eq!(back.is_ok(), fits);
            if let Ok(back) = back {
                assert!(
                    [&old, &empty].into_iter().any(|base| back.apply(base).as_ref() == Ok(&new))
                );
            }
        }
    }
}

fn number_key(number: u64) -> Key {
    let mut builder = KeyBuilder::default();
    builder.push_uint(number);
    builder.finish()
}

fn large(order: Order, len: u64) -> Tree {
    let mut list = EntriesBuilder::new(order, SEED);
    for number in 0..len {
        assert!(list.push(number_key(number), leaf(&number.to_string())));
    }
    let mut root = Container::default();
    let node = if order == Order::User { USER_LIST } else { LIST };
    root.set(NodeId(node), Child::List(list.finish()));
    tree(root)
}

fn list_of(tree: &Tree, node: u32) -> Entries<Container> {
    match tree.root.get(NodeId(node)) {
        Some(super::ChildRef::List(list)) => list.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn one_edit_of_a_large_list_opens_few_nodes() {
    for (order, node) in [(Order::System, LIST), (Order::User, USER_LIST)] {
        let old = large(order, 100_000);
        old.digest(&TestNames);
        let list = list_of(&old, node);
        let mut edited = list.clone();
        edited.insert(number_key(70_000), leaf("other"));
        let difference = list.difference(&edited);
        let changed =
            difference.entries.iter().filter(|(_, before, after)| match (before, after) {
                (Some(before), Some(after)) => !before.known_equal(after),
                (_, _) => true,
            });
        assert_eq!(changed.count(), 1);
        assert!(difference.placed.is_empty());
        assert!(difference.opened <= 2 * 12, "{}", difference.opened);
        let mut new = old.clone();
        new.root.set(NodeId(node), Child::List(edited));
        let diff = diff(&old, &new);
        let [(_, Change::List(EntriesChange::Changed { entries, .. }))] = &diff.changes[..] else {
            panic!("{diff:?}")
        };
        assert_eq!(entries.len(), 1);
        // The same content without shared memory: nothing is opened once the digests are known.
        let rebuilt = large(order, 100_000);
        rebuilt.digest(&TestNames);
        assert_eq!(list.difference(&list_of(&rebuilt, node)).opened, 0);
    }
}

#[test]
fn moves_in_a_large_list_are_found_as_few() {
    let old = large(Order::User, 100_000);
    let mut list = list_of(&old, USER_LIST);
    let (first, last) = (number_key(0), number_key(99_999));
    assert!(list.insert_at(first.clone(), leaf("0"), Place::Last));
    assert!(list.insert_at(number_key(50_000), leaf("50000"), Place::First));
    assert!(list.insert_at(number_key(200_000), leaf("new"), Place::After(&number_key(777))));
    let before = list_of(&old, USER_LIST);
    let difference = before.difference(&list);
    let placed: Vec<(&Key, Option<&Key>)> =
        difference.placed.iter().map(|placed| (&placed.key, placed.after.as_ref())).collect();
    assert_eq!(
        placed,
        [
            (&number_key(50_000), None),
            (&number_key(200_000), Some(&number_key(777))),
            (&first, Some(&last)),
        ]
    );
    assert!(difference.opened < 200, "{}", difference.opened);
}

#[test]
fn a_large_list_comes_back_from_its_bytes_in_bounded_chunks() {
    for order in [Order::System, Order::User] {
        let tree = large(order, 20_000);
        let (mut bytes, mut longest) = (Vec::new(), 0);
        encode_tree(&tree, &TestNames, &mut |chunk| {
            longest = longest.max(chunk.len());
            bytes.extend_from_slice(chunk);
        });
        assert!(longest <= 64 << 10);
        let back = decoded(&bytes).expect("it is whole");
        assert!(back == tree);
        assert_eq!(back.digest(&TestNames), tree.digest(&TestNames));
    }
}

#[test]
fn values_that_differ_in_their_borders_alone_have_other_digests() {
    let content = |leafs: &[(u32, &str)]| {
        let mut content = Container::default();
        for (node, text) in leafs {
            content.set(NodeId(*node), Child::Leaf(Text::new(text)));
        }
        content
    };
    let list = |order, entries: &[(&[u8], Container)]| {
        let mut list = EntriesBuilder::new(order, SEED);
        for (key, entry) in entries {
            assert!(list.push(Key::from(*key), entry.clone()));
        }
        let mut content = Container::default();
        let node = if order == Order::User { USER_LIST } else { LIST };
        content.set(NodeId(node), Child::List(list.finish()));
        content
    };
    let inner = |content: Container| {
        let mut outer = Container::default();
        outer.set(NodeId(CONTAINER), Child::Container(content));
        outer
    };
    let none = Container::default;
    let different = [
        none(),
        content(&[(1, "")]),
        content(&[(2, "")]),
        content(&[(1, "ab"), (2, "c")]),
        content(&[(1, "a"), (2, "bc")]),
        content(&[(1, "abc"), (2, "")]),
        content(&[(1, "\0")]),
        content(&[(1, "\0\0")]),
        inner(none()),
        inner(content(&[(1, "ab"), (2, "c")])),
        inner(inner(none())),
        list(Order::System, &[(b"a", none())]),
        list(Order::System, &[(b"a\0", none())]),
        list(Order::System, &[(b"", none()), (b"a", none())]),
        list(Order::System, &[(b"a", none()), (b"b", none())]),
        list(Order::System, &[(b"a", content(&[(1, "b")])), (b"b", none())]),
        list(Order::System, &[(b"a", none()), (b"b", content(&[(1, "b")]))]),
        list(Order::System, &[(b"a", inner(none()))]),
        list(Order::User, &[(b"a", none()), (b"b", none())]),
        list(Order::User, &[(b"b", none()), (b"a", none())]),
    ]
    .map(tree);
    for (at, one) in different.iter().enumerate() {
        for other in &different[..at] {
            assert_ne!(one.digest(&TestNames), other.digest(&TestNames), "{one:?} {other:?}");
            assert!(one != other);
        }
    }
}

/// Keys of which many have the level that an attacker would like them to have, because he knows the seed.
#[test]
fn keys_made_to_meet_in_one_page_are_slow_but_right() {
    let ground: Vec<u64> = (0..)
        .filter(|number| super::pages::level(SEED, &number_key(*number)) == 0)
        .take(3000)
        .collect();
    let mut list = Entries::new(Order::System, SEED);
    for number in ground.iter().rev() {
        list.insert(number_key(*number), Text::new("x"));
    }
    assert_eq!(list.pages().height(), 0);
    assert!(list.iter().map(|(key, _)| key.clone()).eq(ground.iter().map(|n| number_key(*n))));
    for number in &ground {
        assert!(list.remove(&number_key(*number)).is_some());
    }
    assert!(list.is_empty());
}

#[test]
fn diff_of_nothing_is_nothing() {
    let tree = deep(10, "same");
    assert!(diff(&tree, &deep(10, "same")).is_empty());
    assert!(Diff::default().apply(&tree).as_ref() == Ok(&tree));
    assert_eq!(Diff::default().roots(1), []);
}

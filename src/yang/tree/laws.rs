//! The laws of the data tree, on random histories of edits against a naive model.

use super::diff::diff_containers;
use super::key::KeyBuilder;
use super::{
    Child, ChildRef, Container, DataKind, DecodeError, Entries, Key, NodeNames, Place, Seed, Text,
    Tree, TreeDecoder, decode_diff, diff, encode_diff, encode_tree,
};
use crate::base::ids::Digest;
use crate::yang::schema::{NodeId, Order};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Schema numbers of the model; every container and entry may have all of them as children.
pub(super) const LEAF_A: u32 = 1;
const LEAF_B: u32 = 2;
const ANY: u32 = 3;
pub(super) const CONTAINER: u32 = 4;
pub(super) const LIST: u32 = 5;
pub(super) const USER_LIST: u32 = 6;
const ITEMS: u32 = 7;
const USER_ITEMS: u32 = 8;
/// A presence container: it may be empty.
const PRESENCE: u32 = 9;

const SEED: Seed = Seed(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

/// The content of a container in the plainest form.
type Model = BTreeMap<u32, Part>;

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Inner(Model),
    List(Vec<(Key, Model)>),
    Items(Vec<(Key, String)>),
}

#[derive(Debug, Clone)]
struct Edit {
    way: Vec<(Way, u8)>,
    action: Action,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Container,
    Presence,
    List,
    UserList,
}

#[derive(Debug, Clone)]
enum Action {
    Set(u32, String),
    Delete(u32),
    Presence,
    Item(u8),
    RemoveItem(u8),
    UserItem(u8, Spot),
    RemoveUserItem(u8),
    RemoveEntry(u8),
    RemoveUserEntry(u8),
    MoveUserEntry(u8, Spot),
}

#[derive(Debug, Clone, Copy)]
enum Spot {
    First,
    Last,
    Before(u8),
    After(u8),
}

/// Keys that share long prefixes, hold zero bytes (as numbers do), and are longer than what lies inline.
pub(super) fn key(number: u8) -> Key {
    let mut builder = KeyBuilder::default();
    match number % 4 {
        0 => builder.push_uint(u64::from(number)),
        1 => builder.push_text(&"x".repeat(usize::from(number))),
        2 => builder.push_text(&format!("a-long-common-prefix-{number}")),
        _ => {
            builder.push_int(-i64::from(number));
            builder.push_text("");
        }
    }
    builder.finish()
}

fn spot_in(entries: &[Key], spot: Spot, own: &Key) -> Option<Option<Key>> {
    // The entry before; `None` outside: not possible.
    let others: Vec<&Key> = entries.iter().filter(|key| *key != own).collect();
    match spot {
        Spot::First => Some(None),
        Spot::Last => Some(others.last().map(|key| (*key).clone())),
        Spot::Before(number) => {
            let at = others.iter().position(|other| **other == key(number))?;
            Some(at.checked_sub(1).map(|at| others[at].clone()))
        }
        Spot::After(number) => others.contains(&&key(number)).then(|| Some(key(number))),
    }
}

fn model_insert_at<V>(entries: &mut Vec<(Key, V)>, own: Key, value: V, spot: Spot) -> bool {
    let keys: Vec<Key> = entries.iter().map(|(key, _)| key.clone()).collect();
    let Some(after) = spot_in(&keys, spot, &own) else { return false };
    entries.retain(|(key, _)| *key != own);
    let at = after
        .map_or(0, |after| entries.iter().position(|(key, _)| *key == after).expect("there") + 1);
    entries.insert(at, (own, value));
    true
}

fn tree_insert_at<V: Clone>(entries: &mut Entries<V>, own: Key, value: V, spot: Spot) -> bool {
    let anchor = match spot {
        Spot::Before(number) | Spot::After(number) => key(number),
        Spot::First | Spot::Last => own.clone(),
    };
    let place = match spot {
        Spot::First => Place::First,
        Spot::Last => Place::Last,
        Spot::Before(_) => Place::Before(&anchor),
        Spot::After(_) => Place::After(&anchor),
    };
    entries.insert_at(own, value, place)
}

fn sorted_insert<V>(entries: &mut Vec<(Key, V)>, own: Key, value: V) {
    match entries.binary_search_by(|(key, _)| key.cmp(&own)) {
        Ok(at) => entries[at].1 = value,
        Err(at) => entries.insert(at, (own, value)),
    }
}

/// Makes the edit in the model. Whether anything was to be done.
fn edit_model(model: &mut Model, way: &[(Way, u8)], action: &Action) {
    if let Some(((step, number), rest)) = way.split_first() {
        match step {
            Way::Container | Way::Presence => {
                let node = if matches!(step, Way::Container) { CONTAINER } else { PRESENCE };
                let Part::Inner(inner) =
                    model.entry(node).or_insert_with(|| Part::Inner(Model::new()))
                else {
                    panic!("a container")
                };
                edit_model(inner, rest, action);
                if node == CONTAINER && inner.is_empty() {
                    model.remove(&node);
                }
            }
            Way::List | Way::UserList => {
                let user = matches!(step, Way::UserList);
                let node = if user { USER_LIST } else { LIST };
                let Part::List(list) = model.entry(node).or_insert_with(|| Part::List(Vec::new()))
                else {
                    panic!("a list")
                };
                let own = key(*number);
                let at = list.iter().position(|(key, _)| *key == own);
                let at = at.unwrap_or_else(|| {
                    let at =
                        if user { list.len() } else { list.partition_point(|(key, _)| *key < own) };
                    list.insert(at, (own, Model::new()));
                    at
                });
                edit_model(&mut list[at].1, rest, action);
            }
        }
        return;
    }
    edit_model_here(model, action);
}

fn edit_model_here(model: &mut Model, action: &Action) {
    let (node, user) = match action {
        Action::Set(node, text) => {
            model.insert(*node, Part::Text(text.clone()));
            return;
        }
        Action::Delete(node) => {
            model.remove(node);
            return;
        }
        Action::Presence => {
            model.entry(PRESENCE).or_insert_with(|| Part::Inner(Model::new()));
            return;
        }
        Action::Item(_) | Action::RemoveItem(_) => (ITEMS, false),
        Action::UserItem(..) | Action::RemoveUserItem(_) => (USER_ITEMS, true),
        Action::RemoveEntry(_) => (LIST, false),
        Action::RemoveUserEntry(_) | Action::MoveUserEntry(..) => (USER_LIST, true),
    };
    let empty = if node == ITEMS || node == USER_ITEMS {
        Part::Items(Vec::new())
    } else {
        Part::List(Vec::new())
    };
    let part = model.entry(node).or_insert(empty);
    match (&mut *part, action) {
        (Part::Items(items), Action::Item(number)) => {
            sorted_insert(items, key(*number), number.to_string());
        }
        (Part::Items(items), Action::UserItem(number, spot)) => {
            model_insert_at(items, key(*number), number.to_string(), *spot);
        }
        (Part::Items(items), Action::RemoveItem(number) | Action::RemoveUserItem(number)) => {
            items.retain(|(other, _)| *other != key(*number));
        }
        (Part::List(list), Action::RemoveEntry(number) | Action::RemoveUserEntry(number)) => {
            list.retain(|(other, _)| *other != key(*number));
        }
        (Part::List(list), Action::MoveUserEntry(number, spot)) => {
            let own = key(*number);
            if let Some(at) = list.iter().position(|(key, _)| *key == own) {
                let value = list[at].1.clone();
                model_insert_at(list, own, value, *spot);
            }
        }
        (part, action) => panic!("{part:?} {action:?} {user}"),
    }
    let empty = match part {
        Part::Items(items) => items.is_empty(),
        Part::List(list) => list.is_empty(),
        Part::Text(_) | Part::Inner(_) => false,
    };
    if empty {
        model.remove(&node);
    }
}

/// Makes the edit in the tree.
fn edit_tree(content: &mut Container, way: &[(Way, u8)], action: &Action) {
    if let Some(((step, number), rest)) = way.split_first() {
        match step {
            Way::Container | Way::Presence => {
                let node =
                    NodeId(if matches!(step, Way::Container) { CONTAINER } else { PRESENCE });
                let mut inner = match content.get(node) {
                    Some(ChildRef::Container(inner)) => inner.clone(),
                    _ => Container::default(),
                };
                edit_tree(&mut inner, rest, action);
                if node == NodeId(CONTAINER) && inner.is_empty() {
                    content.remove(node);
                } else {
                    content.set(node, Child::Container(inner));
                }
            }
            Way::List | Way::UserList => {
                let (node, order) = match step {
                    Way::UserList => (NodeId(USER_LIST), Order::User),
                    Way::List | Way::Container | Way::Presence => (NodeId(LIST), Order::System),
                };
                let mut list = match content.get(node) {
                    Some(ChildRef::List(list)) => list.clone(),
                    _ => Entries::new(order, SEED),
                };
                let own = key(*number);
                let mut entry = list.get(&own).cloned().unwrap_or_default();
                edit_tree(&mut entry, rest, action);
                list.insert(own, entry);
                content.set(node, Child::List(list));
            }
        }
        return;
    }
    edit_tree_here(content, action);
}

fn edit_tree_here(content: &mut Container, action: &Action) {
    match action {
        Action::Set(ANY, text) => content.set(NodeId(ANY), Child::Any(Arc::from(text.as_str()))),
        Action::Set(node, text) => content.set(NodeId(*node), Child::Leaf(Text::new(text))),
        Action::Delete(node) => {
            content.remove(NodeId(*node));
        }
        Action::Presence => {
            if content.get(NodeId(PRESENCE)).is_none() {
                content.set(NodeId(PRESENCE), Child::Container(Container::default()));
            }
        }
        Action::Item(number) => edit_items(content, ITEMS, |items| {
            items.insert(key(*number), Text::new(number.to_string()));
        }),
        Action::UserItem(number, spot) => edit_items(content, USER_ITEMS, |items| {
            tree_insert_at(items, key(*number), Text::new(number.to_string()), *spot);
        }),
        Action::RemoveItem(number) => edit_items(content, ITEMS, |items| {
            items.remove(&key(*number));
        }),
        Action::RemoveUserItem(number) => edit_items(content, USER_ITEMS, |items| {
            items.remove(&key(*number));
        }),
        Action::RemoveEntry(number) => edit_list(content, LIST, |list| {
            list.remove(&key(*number));
        }),
        Action::RemoveUserEntry(number) => edit_list(content, USER_LIST, |list| {
            list.remove(&key(*number));
        }),
        Action::MoveUserEntry(number, spot) => edit_list(content, USER_LIST, |list| {
            if let Some(entry) = list.get(&key(*number)).cloned() {
                tree_insert_at(list, key(*number), entry, *spot);
            }
        }),
    }
}

fn edit_list(content: &mut Container, node: u32, edit: impl FnOnce(&mut Entries<Container>)) {
    let order = if node == USER_LIST { Order::User } else { Order::System };
    let mut list = match content.get(NodeId(node)) {
        Some(ChildRef::List(list)) => list.clone(),
        _ => Entries::new(order, SEED),
    };
    edit(&mut list);
    if list.is_empty() {
        content.remove(NodeId(node));
    } else {
        content.set(NodeId(node), Child::List(list));
    }
}

fn edit_items(content: &mut Container, node: u32, edit: impl FnOnce(&mut Entries<Text>)) {
    let order = if node == USER_ITEMS { Order::User } else { Order::System };
    let mut items = match content.get(NodeId(node)) {
        Some(ChildRef::LeafList(items)) => items.clone(),
        _ => Entries::new(order, SEED),
    };
    edit(&mut items);
    if items.is_empty() {
        content.remove(NodeId(node));
    } else {
        content.set(NodeId(node), Child::LeafList(items));
    }
}

fn read(content: &Container) -> Model {
    let part = |child: ChildRef<'_>| match child {
        ChildRef::Leaf(text) => Part::Text(text.to_owned()),
        ChildRef::Any(xml) => Part::Text(xml.to_string()),
        ChildRef::Container(inner) => Part::Inner(read(inner)),
        ChildRef::List(list) => {
            assert_eq!(list.len(), list.iter().count());
            Part::List(list.iter().map(|(key, entry)| (key.clone(), read(entry))).collect())
        }
        ChildRef::LeafList(items) => {
            assert_eq!(items.len(), items.iter().count());
            Part::Items(items.iter().map(|(key, text)| (key.clone(), text.to_string())).collect())
        }
    };
    content.iter().map(|(node, child)| (node.0, part(child))).collect()
}

/// The tree with the model's content, made in one go.
fn build(model: &Model) -> Container {
    let mut content = Container::default();
    for (node, part) in model.iter().rev() {
        let order = |user_node| if *node == user_node { Order::User } else { Order::System };
        let child = match part {
            Part::Text(text) if *node == ANY => Child::Any(Arc::from(text.as_str())),
            Part::Text(text) => Child::Leaf(Text::new(text)),
            Part::Inner(inner) => Child::Container(build(inner)),
            Part::List(list) => {
                let mut entries = Entries::new(order(USER_LIST), SEED);
                for (key, entry) in list {
                    entries.insert(key.clone(), build(entry));
                }
                Child::List(entries)
            }
            Part::Items(items) => {
                let mut entries = Entries::new(order(USER_ITEMS), SEED);
                for (key, text) in items {
                    entries.insert(key.clone(), Text::new(text));
                }
                Child::LeafList(entries)
            }
        };
        content.set(NodeId(*node), child);
    }
    content
}

fn edits(len: usize) -> impl Strategy<Value = Vec<Edit>> {
    let number = || prop_oneof![0..6_u8, any::<u8>()];
    let spot = move || {
        prop_oneof![
            Just(Spot::First),
            Just(Spot::Last),
            number().prop_map(Spot::Before),
            number().prop_map(Spot::After),
        ]
    };
    let way = prop_oneof![
        1 => Just(Way::Container),
        1 => Just(Way::Presence),
        3 => Just(Way::List),
        3 => Just(Way::UserList),
    ];
    let text = prop_oneof!["[ab]{0,3}", "[a-zäö]{20,40}"];
    let action = prop_oneof![
        3 => (prop_oneof![Just(LEAF_A), Just(LEAF_B), Just(ANY)], text)
            .prop_map(|(node, text)| Action::Set(node, text)),
        2 => (LEAF_A..=PRESENCE).prop_map(Action::Delete),
        1 => Just(Action::Presence),
        4 => number().prop_map(Action::Item),
        2 => number().prop_map(Action::RemoveItem),
        4 => (number(), spot()).prop_map(|(number, spot)| Action::UserItem(number, spot)),
        2 => number().prop_map(Action::RemoveUserItem),
        3 => number().prop_map(Action::RemoveEntry),
        3 => number().prop_map(Action::RemoveUserEntry),
        3 => (number(), spot()).prop_map(|(number, spot)| Action::MoveUserEntry(number, spot)),
    ];
    let edit = (prop::collection::vec((way, number()), 0..4), action)
        .prop_map(|(way, action)| Edit { way, action });
    prop::collection::vec(edit, 0..len)
}

fn tree(root: Container) -> Tree {
    Tree { root, seed: SEED }
}

/// Every container and entry has the same children, so that trees can be as deep as they like.
pub(super) struct TestNames;

impl NodeNames for TestNames {
    fn name(&self, node: NodeId) -> (&str, &str) {
        // Ranks and numbers are in different orders.
        match node.0 {
            LEAF_A => ("m", "zebra"),
            LEAF_B => ("m", "apple"),
            ANY => ("m", "any"),
            CONTAINER => ("m", "container"),
            LIST => ("m", "list"),
            USER_LIST => ("m", "user-list"),
            ITEMS => ("m", "items"),
            USER_ITEMS => ("l", "user-items"),
            PRESENCE => ("l", "presence"),
            _ => ("", ""),
        }
    }

    fn rank(&self, node: NodeId) -> u32 {
        let mut names: Vec<_> = (LEAF_A..=PRESENCE).map(|node| self.name(NodeId(node))).collect();
        names.sort_unstable();
        u32::try_from(names.iter().position(|name| *name == self.name(node)).unwrap()).unwrap()
    }

    fn child(&self, _: Option<NodeId>, module: &str, name: &str) -> Option<NodeId> {
        (LEAF_A..=PRESENCE).map(NodeId).find(|node| self.name(*node) == (module, name))
    }

    fn kind(&self, node: NodeId) -> DataKind {
        match node.0 {
            LEAF_A | LEAF_B => DataKind::Leaf,
            ANY => DataKind::Any,
            CONTAINER | PRESENCE => DataKind::Container,
            LIST => DataKind::List(Order::System),
            USER_LIST => DataKind::List(Order::User),
            ITEMS => DataKind::LeafList(Order::System),
            USER_ITEMS => DataKind::LeafList(Order::User),
            _ => DataKind::None,
        }
    }
}

fn encoded(tree: &Tree) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_tree(tree, &TestNames, &mut |chunk| bytes.extend_from_slice(chunk));
    bytes
}

fn decoded(bytes: &[u8], chunk_len: usize) -> Result<Tree, DecodeError> {
    let mut decoder = TreeDecoder::new(&TestNames, SEED);
    bytes.chunks(chunk_len).try_for_each(|chunk| decoder.push(chunk))?;
    decoder.finish()
}

fn digest(content: &Container) -> Digest {
    tree(content.clone()).digest(&TestNames)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_tree_is_what_its_edits_made_it(edits in edits(60)) {
        let (mut content, mut model) = (Container::default(), Model::new());
        for edit in &edits {
            let before = (content.clone(), read(&content));
            edit_tree(&mut content, &edit.way, &edit.action);
            edit_model(&mut model, &edit.way, &edit.action);
            prop_assert_eq!(&read(&content), &model);
            prop_assert_eq!(read(&before.0), before.1);
        }
        prop_assert!(build(&model) == content);
    }

    #[test]
    fn a_diff_makes_the_new_tree_of_the_old(first in edits(80), second in edits(30)) {
        let mut old = Container::default();
        for edit in &first {
            edit_tree(&mut old, &edit.way, &edit.action);
        }
        let mut new = old.clone();
        for edit in &second {
            edit_tree(&mut new, &edit.way, &edit.action);
        }
        // Once with shared subtrees and once without.
        for (old, new) in [(old.clone(), new.clone()), (build(&read(&old)), new.clone())] {
            let (old, new) = (tree(old), tree(new));
            prop_assert!(diff(&old, &old).is_empty());
            prop_assert_eq!(diff(&old, &new).is_empty(), old == new);
            prop_assert_eq!(read(&old.root) == read(&new.root), old == new);
            for (from, to) in [(&old, &new), (&new, &old)] {
                let diff = diff(from, to);
                let made = diff.apply(from).expect("it fits");
                prop_assert_eq!(read(&made.root), read(&to.root));
                let bytes = encode_diff(&diff, &TestNames);
                let read_back = decode_diff(&bytes, &TestNames, SEED).expect("it is whole");
                prop_assert!(read_back.apply(from).expect("it fits") == *to);
                prop_assert_eq!(encode_diff(&read_back, &TestNames), bytes);
            }
        }
    }

    #[test]
    fn digests_are_equal_where_trees_are(first in edits(80), second in edits(20)) {
        let (mut content, mut seen) = (Container::default(), Vec::new());
        for (at, edit) in first.iter().chain(&second).enumerate() {
            // Digests that are known at some steps must not outlive the next edit.
            if at % 3 == 0 {
                seen.push((digest(&content), content.clone()));
            }
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        seen.push((digest(&content), content.clone()));
        for (known, content) in &seen {
            let model = read(content);
            prop_assert_eq!(digest(&build(&model)), *known);
            prop_assert_eq!(digest(content), *known);
            for (other_digest, other) in &seen {
                prop_assert_eq!(read(other) == model, other_digest == known);
                prop_assert_eq!(other == content, other_digest == known);
            }
        }
        // Differences of trees whose digests are known.
        let (old, new) = (tree(seen[0].1.clone()), tree(content));
        let rebuilt = tree(build(&read(&new.root)));
        rebuilt.digest(&TestNames);
        prop_assert!(diff(&new, &rebuilt).is_empty());
        let made = diff(&old, &rebuilt).apply(&old).expect("it fits");
        prop_assert_eq!(made.digest(&TestNames), new.digest(&TestNames));
    }

    #[test]
    fn a_tree_comes_back_from_its_bytes(edits in edits(80), chunk_len in 1_usize..200) {
        let mut content = Container::default();
        for edit in &edits {
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        let tree = tree(content);
        let bytes = encoded(&tree);
        prop_assert!(decoded(&bytes, chunk_len).expect("it is whole") == tree);
        let cut = bytes.len().saturating_sub(chunk_len);
        prop_assert_eq!(decoded(&bytes[..cut], 7).err(), Some(DecodeError::Truncated));
        let more = [&bytes[..], &[0]].concat();
        prop_assert_eq!(decoded(&more, more.len()).err(), Some(DecodeError::Trailing));
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_a_fault(
        edits in edits(60),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut content = Container::default();
        for edit in &edits {
            edit_tree(&mut content, &edit.way, &edit.action);
        }
        let tree = tree(content);
        let empty = Tree::empty(SEED);
        let mut tree_bytes = encoded(&tree);
        let mut diff_bytes = encode_diff(&diff(&empty, &tree), &TestNames);
        for (at, byte) in &damage {
            let (at_tree, at_diff) = (at.index(tree_bytes.len()), at.index(diff_bytes.len()));
            tree_bytes[at_tree] = *byte;
            diff_bytes[at_diff] = *byte;
        }
        if let Ok(other) = decoded(&tree_bytes, 64) {
            prop_assert!(decoded(&encoded(&other), 1000) == Ok(other));
        }
        if let Ok(other) = decode_diff(&diff_bytes, &TestNames, SEED) {
            drop((other.apply(&empty), other.apply(&tree), other.roots(10)));
        }
    }

    #[test]
    fn arbitrary_bytes_are_no_fault(mut bytes in prop::collection::vec(0..14_u8, 0..100)) {
        if let Some(first) = bytes.first_mut() {
            *first = 1;
        }
        drop((decoded(&bytes, 10), decode_diff(&bytes, &TestNames, SEED)));
    }
}

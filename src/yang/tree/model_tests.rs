//! A naive model of the data tree, and edits of both.

use super::key::KeyBuilder;
use super::{Child, ChildRef, Container, DataKind, Entries, Key, NodeNames, Place, Seed, Text};
use crate::yang::schema::{NodeId, Order};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Schema numbers of the model; every container and entry may have all of them as children.
pub(super) const LEAF_A: u32 = 1;
pub(super) const LEAF_B: u32 = 2;
pub(super) const ANY: u32 = 3;
pub(super) const CONTAINER: u32 = 4;
pub(super) const LIST: u32 = 5;
pub(super) const USER_LIST: u32 = 6;
pub(super) const ITEMS: u32 = 7;
pub(super) const USER_ITEMS: u32 = 8;
/// A presence container: it may be empty.
pub(super) const PRESENCE: u32 = 9;

pub(super) const SEED: Seed = Seed(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

/// The content of a container in the plainest form.
pub(super) type Model = BTreeMap<u32, Part>;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Part {
    Text(String),
    Inner(Model),
    List(Vec<(Key, Model)>),
    Items(Vec<(Key, String)>),
}

#[derive(Debug, Clone)]
pub(super) struct Edit {
    pub(super) way: Vec<(Way, u8)>,
    pub(super) action: Action,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Way {
    Container,
    Presence,
    List,
    UserList,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
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
pub(super) enum Spot {
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

pub(super) fn spot_in(entries: &[Key], spot: Spot, own: &Key) -> Option<Option<Key>> {
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

pub(super) fn model_insert_at<V>(
    entries: &mut Vec<(Key, V)>,
    own: Key,
    value: V,
    spot: Spot,
) -> bool {
    let keys: Vec<Key> = entries.iter().map(|(key, _)| key.clone()).collect();
    let Some(after) = spot_in(&keys, spot, &own) else { return false };
    entries.retain(|(key, _)| *key != own);
    let at = after
        .map_or(0, |after| entries.iter().position(|(key, _)| *key == after).expect("there") + 1);
    entries.insert(at, (own, value));
    true
}

pub(super) fn tree_insert_at<V: Clone>(
    entries: &mut Entries<V>,
    own: Key,
    value: V,
    spot: Spot,
) -> bool {
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

pub(super) fn sorted_insert<V>(entries: &mut Vec<(Key, V)>, own: Key, value: V) {
    match entries.binary_search_by(|(key, _)| key.cmp(&own)) {
        Ok(at) => entries[at].1 = value,
        Err(at) => entries.insert(at, (own, value)),
    }
}

/// Makes the edit in the model. Whether anything was to be done.
pub(super) fn edit_model(model: &mut Model, way: &[(Way, u8)], action: &Action) {
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

pub(super) fn edit_model_here(model: &mut Model, action: &Action) {
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
pub(super) fn edit_tree(content: &mut Container, way: &[(Way, u8)], action: &Action) {
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

pub(super) fn edit_tree_here(content: &mut Container, action: &Action) {
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

pub(super) fn edit_list(
    content: &mut Container,
    node: u32,
    edit: impl FnOnce(&mut Entries<Container>),
) {
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

pub(super) fn edit_items(
    content: &mut Container,
    node: u32,
    edit: impl FnOnce(&mut Entries<Text>),
) {
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

pub(super) fn read(content: &Container) -> Model {
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
pub(super) fn build(model: &Model) -> Container {
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

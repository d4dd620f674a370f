//! Applying a diff.

use super::diff::{Change, Diff, EntriesChange, EntryChange, Existence, Placed};
use super::{Child, ChildRef, Container, Entries, Key, KeyPath, List, Place, Seed, Tree};
use crate::yang::schema::{NodeId, Order};

/// The diff was made from a tree that differs from this one where it matters. The tree is unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the change does not fit the data: {mismatch} ({path:?})")]
pub(crate) struct ApplyMismatch {
    pub(crate) path: KeyPath,
    pub(crate) mismatch: Mismatch,
}

/// What does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Mismatch {
    #[error("what is to be created exists")]
    Exists,
    #[error("what is to be changed or removed does not exist")]
    Missing,
    #[error("the value before is another one")]
    OtherValue,
    #[error("the node is of another kind")]
    OtherKind,
    #[error("the entry that another one follows does not exist, or follows itself")]
    NoAnchor,
}

impl Diff {
    /// `base` with the changes made.
    ///
    /// A container that is to be created may exist: then what is created in it is added. Everything else that is to
    /// be created must not exist, and what is to be changed or removed must, with the value that the diff knows. Where
    /// `base` is not the tree that the diff was made from, a container may be left empty.
    pub(crate) fn apply(&self, base: &Tree) -> Result<Tree, ApplyMismatch> {
        let mut frames = vec![Frame::container(base.root.clone(), self, Slot::Top)];
        loop {
            match step(&mut frames, base.seed) {
                Ok(None) => {}
                Ok(Some(root)) => return Ok(Tree { root, seed: base.seed }),
                Err((mismatch, last)) => {
                    return Err(ApplyMismatch { path: path_of(&frames, last), mismatch });
                }
            }
        }
    }
}

/// A mismatch, and its last step below the innermost frame.
type Fault = (Mismatch, (NodeId, Option<Key>));

/// A container or list that has been taken out and is being edited. A stack of them is the way down: data may be
/// deeper than a thread's stack.
enum Frame<'a> {
    Container {
        content: Container,
        rest: std::slice::Iter<'a, (NodeId, Change)>,
        /// Where it will be put back.
        slot: Slot<'a>,
    },
    List {
        content: List,
        rest: std::slice::Iter<'a, (Key, EntryChange<Container, Diff>)>,
        placed: &'a [Placed],
        node: NodeId,
    },
}

#[derive(Clone, Copy)]
enum Slot<'a> {
    Top,
    Child(NodeId),
    Entry(&'a Key),
}

impl<'a> Frame<'a> {
    fn container(content: Container, diff: &'a Diff, slot: Slot<'a>) -> Self {
        Frame::Container { content, rest: diff.changes.iter(), slot }
    }
}

/// Makes one change: in the innermost frame, or that frame in the one around it. The root when all are made.
fn step(frames: &mut Vec<Frame<'_>>, seed: Seed) -> Result<Option<Container>, Fault> {
    let inner = match frames.last_mut() {
        Some(Frame::Container { content, rest, .. }) => match rest.next() {
            Some((node, change)) => change_child(content, *node, change, seed)
                .map(Some)
                .map_err(|mismatch| (mismatch, (*node, None)))?,
            None => None,
        },
        Some(Frame::List { content, rest, node, .. }) => match rest.next() {
            Some((key, change)) => change_entry(content, key, change)
                .map(Some)
                .map_err(|mismatch| (mismatch, (*node, Some(key.clone()))))?,
            None => None,
        },
        None => return Ok(Some(Container::default())),
    };
    match inner {
        Some(Some(inner)) => frames.push(inner),
        Some(None) => {}
        None => return put_back(frames),
    }
    Ok(None)
}

/// Ends the innermost frame. The root if that was the outermost.
fn put_back(frames: &mut Vec<Frame<'_>>) -> Result<Option<Container>, Fault> {
    match (frames.pop(), frames.last_mut()) {
        (Some(Frame::Container { content, .. }), None) => return Ok(Some(content)),
        (
            Some(Frame::Container { content, slot: Slot::Child(node), .. }),
            Some(Frame::Container { content: parent, .. }),
        ) => parent.set(node, Child::Container(content)),
        (
            Some(Frame::Container { content, slot: Slot::Entry(key), .. }),
            Some(Frame::List { content: list, .. }),
        ) => list.insert(key.clone(), content),
        (
            Some(Frame::List { mut content, placed, node, .. }),
            Some(Frame::Container { content: parent, .. }),
        ) => {
            place(&mut content, placed).map_err(|(fault, key)| (fault, (node, Some(key))))?;
            if content.is_empty() {
                parent.remove(node);
            } else {
                parent.set(node, Child::List(content));
            }
        }
        (Some(_) | None, _) => {}
    }
    Ok(None)
}

/// Changes a child, or gives the frame in which it is to be changed.
fn change_child<'a>(
    parent: &mut Container,
    node: NodeId,
    change: &'a Change,
    seed: Seed,
) -> Result<Option<Frame<'a>>, Mismatch> {
    let current = parent.get(node);
    match change {
        Change::Leaf { old, new } => {
            let current = match current {
                Some(ChildRef::Leaf(text)) => Some(text),
                Some(_) => return Err(Mismatch::OtherKind),
                None => None,
            };
            check_value(current, old.as_deref())?;
            put_value(parent, node, new.clone().map(Child::Leaf));
        }
        Change::Any { old, new } => {
            let current = match current {
                Some(ChildRef::Any(xml)) => Some(&**xml),
                Some(_) => return Err(Mismatch::OtherKind),
                None => None,
            };
            check_value(current, old.as_deref())?;
            put_value(parent, node, new.clone().map(Child::Any));
        }
        Change::Container { existence, inner } => {
            let content = match (current, existence) {
                (Some(ChildRef::Container(_)), Existence::Removed) => {
                    parent.remove(node);
                    return Ok(None);
                }
                (Some(ChildRef::Container(content)), _) => content.clone(),
                (Some(_), _) => return Err(Mismatch::OtherKind),
                (None, Existence::Created) => Container::default(),
                (None, Existence::Kept | Existence::Removed) => return Err(Mismatch::Missing),
            };
            return Ok(Some(Frame::container(content, inner, Slot::Child(node))));
        }
        Change::List(change) => {
            let current = match current {
                Some(ChildRef::List(list)) => Some(list.clone()),
                Some(_) => return Err(Mismatch::OtherKind),
                None => None,
            };
            if let EntriesChange::Changed { entries, placed } = change {
                let content = current.unwrap_or_else(|| no_entries(placed, seed));
                return Ok(Some(Frame::List { content, rest: entries.iter(), placed, node }));
            }
            put_value(parent, node, change_whole(current, change)?.map(Child::List));
        }
        Change::LeafList(change) => {
            let current = match current {
                Some(ChildRef::LeafList(items)) => Some(items.clone()),
                Some(_) => return Err(Mismatch::OtherKind),
                None => None,
            };
            let items = match change {
                EntriesChange::Changed { entries, placed } => {
                    let mut items = current.unwrap_or_else(|| no_entries(placed, seed));
                    for (key, change) in entries {
                        if let Some(value) = change_present(&mut items, key, change)? {
                            items.insert(key.clone(), value.clone());
                        }
                    }
                    place(&mut items, placed).map_err(|(fault, _)| fault)?;
                    (!items.is_empty()).then_some(items)
                }
                EntriesChange::Created(_) | EntriesChange::Removed(_) => {
                    change_whole(current, change)?
                }
            };
            put_value(parent, node, items.map(Child::LeafList));
        }
    }
    Ok(None)
}

fn check_value(current: Option<&str>, old: Option<&str>) -> Result<(), Mismatch> {
    match (current, old) {
        (Some(_), None) => Err(Mismatch::Exists),
        (None, Some(_)) => Err(Mismatch::Missing),
        (Some(current), Some(old)) if current != old => Err(Mismatch::OtherValue),
        (Some(_), Some(_)) | (None, None) => Ok(()),
    }
}

fn put_value(parent: &mut Container, node: NodeId, child: Option<Child>) {
    match child {
        Some(child) => parent.set(node, child),
        None => {
            parent.remove(node);
        }
    }
}

/// An absent list is one without entries.
fn no_entries<V: Clone>(placed: &[Placed], seed: Seed) -> Entries<V> {
    Entries::new(if placed.is_empty() { Order::System } else { Order::User }, seed)
}

/// Creates or removes all entries that the diff knows. Entries that it does not know stay.
fn change_whole<V: Clone, D>(
    current: Option<Entries<V>>,
    change: &EntriesChange<V, D>,
) -> Result<Option<Entries<V>>, Mismatch> {
    match (current, change) {
        (None, EntriesChange::Created(created)) => Ok(Some(created.clone())),
        (Some(mut list), EntriesChange::Created(created)) => {
            for (key, value) in created.iter() {
                if list.get(key).is_some() {
                    return Err(Mismatch::Exists);
                }
                list.insert(key.clone(), value.clone());
            }
            Ok(Some(list))
        }
        (None, EntriesChange::Removed(_)) => Err(Mismatch::Missing),
        (Some(_), EntriesChange::Removed(None)) => Ok(None),
        (Some(list), EntriesChange::Removed(Some(removed))) if list.known_equal(removed) => {
            Ok(None)
        }
        (Some(mut list), EntriesChange::Removed(Some(removed))) => {
            for (key, _) in removed.iter() {
                list.remove(key).ok_or(Mismatch::Missing)?;
            }
            Ok((!list.is_empty()).then_some(list))
        }
        (current, EntriesChange::Changed { .. }) => Ok(current),
    }
}

/// Changes an entry, or gives the frame in which it is to be changed.
fn change_entry<'a>(
    list: &mut List,
    key: &'a Key,
    change: &'a EntryChange<Container, Diff>,
) -> Result<Option<Frame<'a>>, Mismatch> {
    Ok(change_present(list, key, change)?.map(|inner| {
        let content = list.get(key).cloned().unwrap_or_default();
        Frame::container(content, inner, Slot::Entry(key))
    }))
}

/// Creates or removes an entry; what is to be done to one that stays.
fn change_present<'a, V: Clone, D>(
    list: &mut Entries<V>,
    key: &Key,
    change: &'a EntryChange<V, D>,
) -> Result<Option<&'a D>, Mismatch> {
    match (list.get(key).is_some(), change) {
        (true, EntryChange::Created(_)) => return Err(Mismatch::Exists),
        (false, EntryChange::Removed(_) | EntryChange::Changed(_)) => {
            return Err(Mismatch::Missing);
        }
        (false, EntryChange::Created(value)) => list.insert(key.clone(), value.clone()),
        (true, EntryChange::Removed(_)) => {
            list.remove(key);
        }
        (true, EntryChange::Changed(inner)) => return Ok(Some(inner)),
    }
    Ok(None)
}

/// Puts created and moved entries where they belong.
fn place<V: Clone>(list: &mut Entries<V>, placed: &[Placed]) -> Result<(), (Mismatch, Key)> {
    for Placed { key, after } in placed {
        let fault = |mismatch| (mismatch, key.clone());
        if list.order() != Order::User {
            return Err(fault(Mismatch::OtherKind));
        }
        let value = list.get(key).cloned().ok_or_else(|| fault(Mismatch::Missing))?;
        let place = after.as_ref().map_or(Place::First, Place::After);
        if !list.insert_at(key.clone(), value, place) {
            return Err(fault(Mismatch::NoAnchor));
        }
    }
    Ok(())
}

/// Where the innermost frame is, and one step more.
fn path_of(frames: &[Frame<'_>], last: (NodeId, Option<Key>)) -> KeyPath {
    let mut path = KeyPath::default();
    for frame in frames {
        match frame {
            Frame::Container { slot: Slot::Top, .. } => {}
            Frame::Container { slot: Slot::Child(node), .. } | Frame::List { node, .. } => {
                path.0.push((*node, None));
            }
            Frame::Container { slot: Slot::Entry(entry), .. } => {
                if let Some((_, key)) = path.0.last_mut() {
                    *key = Some((*entry).clone());
                }
            }
        }
    }
    // The step into an entry is a part of the step to its list.
    if matches!(frames.last(), Some(Frame::List { .. })) {
        path.0.pop();
    }
    path.0.push(last);
    path
}

#[cfg(test)]
mod tests {
    use super::{ApplyMismatch, Mismatch};
    use crate::yang::schema::{NodeId, Order};
    use crate::yang::tree::model_tests::{CONTAINER, LEAF_A, LIST, USER_LIST, key};
    use crate::yang::tree::{Child, Container, Entries, KeyPath, Seed, Text, Tree, diff};

    const SEED: Seed = Seed(1);

    fn tree(children: &[(u32, Child)]) -> Tree {
        Tree { root: container(children), seed: SEED }
    }

    fn container(children: &[(u32, Child)]) -> Container {
        let mut content = Container::default();
        for (node, child) in children {
            content.set(NodeId(*node), child.clone());
        }
        content
    }

    fn leaf(text: &str) -> Child {
        Child::Leaf(Text::new(text))
    }

    fn list(order: Order, entries: &[(u8, &str)]) -> Child {
        let mut list = Entries::new(order, SEED);
        for (number, text) in entries {
            list.insert(key(*number), container(&[(LEAF_A, leaf(text))]));
        }
        Child::List(list)
    }

    /// What comes of applying the difference of `old` and `new` to `base`.
    #[track_caller]
    fn check(old: &Tree, new: &Tree, base: &Tree, expected: Result<&Tree, ApplyMismatch>) {
        let made = diff(old, new).apply(base);
        assert_eq!(made.as_ref(), expected.as_ref().map(|tree| *tree));
    }

    fn mismatch(steps: &[(u32, Option<u8>)], mismatch: Mismatch) -> ApplyMismatch {
        let path = steps.iter().map(|(node, number)| (NodeId(*node), number.map(key))).collect();
        ApplyMismatch { path: KeyPath(path), mismatch }
    }

    #[test]
    fn a_diff_that_does_not_fit_says_where() {
        let none = tree(&[]);
        let (one, other) = (tree(&[(LEAF_A, leaf("1"))]), tree(&[(LEAF_A, leaf("2"))]));
        let at_leaf = |kind| Err(mismatch(&[(LEAF_A, None)], kind));
        check(&none, &one, &one, at_leaf(Mismatch::Exists));
        check(&one, &none, &none, at_leaf(Mismatch::Missing));
        check(&one, &none, &other, at_leaf(Mismatch::OtherValue));
        check(&one, &other, &none, at_leaf(Mismatch::Missing));
        let container_there = tree(&[(LEAF_A, Child::Container(Container::default()))]);
        check(&one, &none, &container_there, at_leaf(Mismatch::OtherKind));

        let with = |text| tree(&[(LIST, list(Order::System, &[(1, "a"), (2, text)]))]);
        let without = tree(&[(LIST, list(Order::System, &[(1, "a")]))]);
        let at_entry = |kind| Err(mismatch(&[(LIST, Some(2))], kind));
        check(&without, &with("b"), &with("c"), at_entry(Mismatch::Exists));
        check(&with("b"), &with("c"), &without, at_entry(Mismatch::Missing));
        check(&with("b"), &without, &without, at_entry(Mismatch::Missing));
        check(&with("b"), &without, &none, at_entry(Mismatch::Missing));
        let in_entry = mismatch(&[(LIST, Some(2)), (LEAF_A, None)], Mismatch::OtherValue);
        check(&with("b"), &with("c"), &with("d"), Err(in_entry));
        check(&with("b"), &none, &none, Err(mismatch(&[(LIST, None)], Mismatch::Missing)));

        let user = |numbers: &[(u8, &str)]| tree(&[(USER_LIST, list(Order::User, numbers))]);
        let (before, after) =
            (user(&[(1, ""), (2, ""), (3, "")]), user(&[(2, ""), (1, ""), (3, "")]));
        let moved = user(&[(3, ""), (4, "")]);
        let at = |number| mismatch(&[(USER_LIST, Some(number))], Mismatch::Missing);
        let made = diff(&before, &after).apply(&moved).expect_err("1 and 2 are not there");
        assert!([at(1), at(2)].contains(&made), "{made}");
        let insert = diff(&before, &user(&[(1, ""), (2, ""), (9, ""), (3, "")]));
        let no_anchor = mismatch(&[(USER_LIST, Some(9))], Mismatch::NoAnchor);
        assert_eq!(insert.apply(&moved), Err(no_anchor));
    }

    #[test]
    fn changes_of_different_entries_go_together() {
        let of = |numbers: &[u8]| {
            let entries: Vec<(u8, &str)> = numbers.iter().map(|number| (*number, "x")).collect();
            let inner = container(&[(LIST, list(Order::System, &entries))]);
            tree(&[(CONTAINER, Child::Container(inner))])
        };
        let none = tree(&[]);
        check(&none, &of(&[1]), &of(&[2]), Ok(&of(&[1, 2])));
        check(&of(&[1]), &of(&[1, 2]), &of(&[1, 3]), Ok(&of(&[1, 2, 3])));
        check(&of(&[1, 3]), &of(&[3]), &of(&[1, 2, 3]), Ok(&of(&[2, 3])));
    }
}

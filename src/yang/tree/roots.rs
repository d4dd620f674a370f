//! What a diff touches: the roots of its changed subtrees.

use super::diff::{Change, Diff, EntriesChange, EntryChange, Existence};
use super::{Key, KeyPath};
use crate::yang::schema::Order;

/// What is known about the place of a path.
enum Part<'a> {
    /// It is a root.
    Root,
    Change(&'a Change),
    Inner(&'a Diff),
}

impl Diff {
    /// The roots of what differs: changed leafs, and created or removed containers and entries. An insert or a move
    /// in a user-ordered list is a change of the whole list.
    ///
    /// At most `limit` (but one at least), ascending: where there would be more, their parents stand for them.
    pub(crate) fn roots(&self, limit: usize) -> Vec<KeyPath> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut roots = Vec::new();
        let mut parts = vec![(KeyPath::default(), Part::Inner(self))];
        // Level by level, so that what is widened lies deepest.
        while !parts.is_empty() {
            let mut room = limit.saturating_sub(roots.len() + parts.len());
            let mut next = Vec::new();
            for (path, part) in parts {
                match open(&path, &part, room + 1) {
                    Some(opened) => {
                        room = (room + 1).saturating_sub(opened.len());
                        next.extend(opened);
                    }
                    None => roots.push(path),
                }
            }
            parts = next;
        }
        roots.sort_unstable();
        roots
    }
}

/// What `part` at `path` consists of; `None` if it is a root, or must be one because more than `room` lie in it.
fn open<'a>(path: &KeyPath, part: &Part<'a>, room: usize) -> Option<Vec<(KeyPath, Part<'a>)>> {
    match part {
        Part::Root => None,
        Part::Inner(inner) => open_inner(path, inner, room),
        Part::Change(change) => match change {
            Change::Leaf { .. } | Change::Any { .. } => None,
            Change::Container { existence, inner } => match existence {
                Existence::Kept => open_inner(path, inner, room),
                Existence::Created | Existence::Removed => None,
            },
            Change::List(change) => open_entries(path, change, room, Part::Inner),
            Change::LeafList(change) => open_entries(path, change, room, |_| Part::Root),
        },
    }
}

fn open_inner<'a>(
    path: &KeyPath,
    inner: &'a Diff,
    room: usize,
) -> Option<Vec<(KeyPath, Part<'a>)>> {
    let parts = inner.changes.iter();
    (inner.changes.len() <= room).then(|| {
        parts.map(|(node, change)| (path.child(*node, None), Part::Change(change))).collect()
    })
}

fn open_entries<'a, V: Clone, D>(
    path: &KeyPath,
    change: &'a EntriesChange<V, D>,
    room: usize,
    changed: impl Fn(&'a D) -> Part<'a>,
) -> Option<Vec<(KeyPath, Part<'a>)>> {
    match change {
        EntriesChange::Created(entries) | EntriesChange::Removed(Some(entries)) => {
            (entries.order() == Order::System && entries.len() <= room).then(|| {
                entries.iter().map(|(key, _)| (entry_path(path, key), Part::Root)).collect()
            })
        }
        EntriesChange::Removed(None) => None,
        EntriesChange::Changed { entries, placed } => (placed.is_empty() && entries.len() <= room)
            .then(|| {
                let part = |entry: &'a EntryChange<V, D>| match entry {
                    EntryChange::Changed(inner) => changed(inner),
                    EntryChange::Created(_) | EntryChange::Removed(_) => Part::Root,
                };
                entries.iter().map(|(key, entry)| (entry_path(path, key), part(entry))).collect()
            }),
    }
}

/// The path of one entry of the list that `path` names.
fn entry_path(path: &KeyPath, key: &Key) -> KeyPath {
    let mut path = path.clone();
    if let Some((_, slot)) = path.0.last_mut() {
        *slot = Some(key.clone());
    }
    path
}

#[cfg(test)]
mod tests {
    use crate::yang::schema::{NodeId, Order};
    use crate::yang::tree::model_tests::{CONTAINER, LEAF_A, LIST, USER_LIST, key};
    use crate::yang::tree::{Child, Container, Entries, KeyPath, Seed, Text, Tree, diff};

    type Steps<'a> = &'a [(u32, Option<u8>)];

    fn content(entries: &[(u8, &str)], order: Order) -> Container {
        let mut list = Entries::new(order, Seed(1));
        for (number, text) in entries {
            let mut entry = Container::default();
            entry.set(NodeId(LEAF_A), Child::Leaf(Text::new(text)));
            list.insert(key(*number), entry);
        }
        let mut content = Container::default();
        if !list.is_empty() {
            let node = if order == Order::User { USER_LIST } else { LIST };
            content.set(NodeId(node), Child::List(list));
        }
        content
    }

    fn tree(content: Container) -> Tree {
        let mut root = Container::default();
        root.set(NodeId(CONTAINER), Child::Container(content));
        Tree { root, seed: Seed(1) }
    }

    #[track_caller]
    fn check(old: &Container, new: &Container, limit: usize, expected: &[Steps<'_>]) {
        let mut expected: Vec<KeyPath> = expected
            .iter()
            .map(|steps| {
                KeyPath(
                    steps.iter().map(|(node, number)| (NodeId(*node), number.map(key))).collect(),
                )
            })
            .collect();
        expected.sort();
        assert_eq!(diff(&tree(old.clone()), &tree(new.clone())).roots(limit), expected);
    }

    #[test]
    fn roots_are_what_was_set_created_or_removed() {
        let of = |entries: &[(u8, &str)]| content(entries, Order::System);
        let within = (CONTAINER, None);
        let entry = |number| [within, (LIST, Some(number))];
        check(&of(&[]), &of(&[(1, "a"), (2, "b")]), 9, &[&entry(1), &entry(2)]);
        check(&of(&[(1, "a"), (2, "b")]), &of(&[]), 9, &[&entry(1), &entry(2)]);
        let changed = [within, (LIST, Some(1)), (LEAF_A, None)];
        check(
            &of(&[(1, "a"), (2, "b")]),
            &of(&[(1, "x"), (3, "b")]),
            9,
            &[&changed, &entry(2), &entry(3)],
        );
    }

    #[test]
    fn an_insert_in_a_user_ordered_list_concerns_all_of_it() {
        let of = |entries: &[(u8, &str)]| content(entries, Order::User);
        let within = (CONTAINER, None);
        let whole: Steps<'_> = &[within, (USER_LIST, None)];
        check(&of(&[]), &of(&[(1, "")]), 9, &[whole]);
        check(&of(&[(1, ""), (2, "")]), &of(&[(2, ""), (1, "")]), 9, &[whole]);
        check(&of(&[(1, "")]), &of(&[(1, ""), (2, "")]), 9, &[whole]);
        check(
            &of(&[(1, ""), (2, "")]),
            &of(&[(1, "a")]),
            9,
            &[&[within, (USER_LIST, Some(1)), (LEAF_A, None)], &[within, (USER_LIST, Some(2))]],
        );
    }

    #[test]
    fn parents_stand_for_too_many_roots() {
        let (old, new) = (content(&[], Order::System), |count| {
            let entries: Vec<(u8, &str)> = (0..count).map(|number| (number, "")).collect();
            content(&entries, Order::System)
        });
        let list: Steps<'_> = &[(CONTAINER, None), (LIST, None)];
        for (count, limit, expected) in [(3, 2, 1), (3, 3, 3), (200, 199, 1), (200, 200, 200)] {
            let roots = diff(&tree(old.clone()), &tree(new(count))).roots(limit);
            assert_eq!(roots.len(), expected);
        }
        check(&old, &new(5), 4, &[list]);
        check(&old, &new(5), 0, &[list]);
    }
}

//! What a diff touches: the roots of its changed subtrees.

use super::diff::{Change, Diff, EntriesChange, EntryChange, Existence};
use super::{Entries, Key, KeyPath};
use crate::yang::schema::{NodeId, Order};

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

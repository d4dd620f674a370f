//! What differs between two trees.
//!
//! Law: `diff(a, b).apply(a) == b`, and `diff(a, a)` is empty. Shared subtrees are never opened.

use super::{ChildRef, Container, Entries, Key, LeafList, List, Text, Tree};
use crate::yang::schema::NodeId;
use std::collections::VecDeque;
use std::sync::Arc;

/// The changes that make one container's content another's.
///
/// Invariant: sorted by schema number, each at most once; none of them is empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diff {
    pub(crate) changes: Vec<(NodeId, Change)>,
}

/// The change of one child.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Set (`new`) or deleted (no `new`); `old` is the value before, if there was one.
    Leaf {
        old: Option<Text>,
        new: Option<Text>,
    },
    /// Likewise, for anydata and anyxml.
    Any {
        old: Option<Arc<str>>,
        new: Option<Arc<str>>,
    },
    /// `inner` may be empty where `existence` is not `Kept`. Of a removed container it tells what was in it, unless
    /// the diff has been decoded.
    Container {
        existence: Existence,
        inner: Diff,
    },
    List(EntriesChange<Container, Diff>),
    /// A changed entry (same key, another value) holds its new value.
    LeafList(EntriesChange<Text, Text>),
}

/// What became of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existence {
    Kept,
    Created,
    Removed,
}

/// The change of a list or leaf-list.
#[derive(Debug, Clone)]
pub(crate) enum EntriesChange<V, D> {
    /// There were no entries.
    Created(Entries<V>),
    /// There are no entries left; a decoded diff does not know which there were.
    Removed(Option<Entries<V>>),
    /// Some entries differ.
    Changed {
        /// Sorted by key, each at most once.
        entries: Vec<(Key, EntryChange<V, D>)>,
        /// Entries of a user-ordered list that were created or moved, in their new order.
        placed: Vec<Placed>,
    },
}

/// The change of one entry.
#[derive(Debug, Clone)]
pub(crate) enum EntryChange<V, D> {
    Created(V),
    /// A decoded diff does not know the content.
    Removed(Option<V>),
    Changed(D),
}

/// A created or moved entry of a user-ordered list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) key: Key,
    /// The entry before it; first if there is none. It is there when all earlier ones have been placed.
    pub(crate) after: Option<Key>,
}

/// What differs between two sets of entries: made by `Entries::difference`.
#[derive(Debug)]
pub(super) struct Difference<'a, V> {
    /// Keys with the old and the new entry, ascending: each key whose entry differs, and few others.
    pub(super) entries: Vec<(&'a Key, Option<&'a V>, Option<&'a V>)>,
    /// As in `EntriesChange`.
    pub(super) placed: Vec<Placed>,
    /// How many nodes had to be looked into.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests hold the work to a bound"))]
    pub(super) opened: usize,
}

impl Diff {
    /// Nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Drop for Diff {
    fn drop(&mut self) {
        // Level by level, so that the depth of the data is not the depth of the stack.
        let mut pending = std::mem::take(&mut self.changes);
        while let Some((_, change)) = pending.pop() {
            match change {
                Change::Container { mut inner, .. } => pending.append(&mut inner.changes),
                Change::List(EntriesChange::Changed { entries, .. }) => {
                    for (_, entry) in entries {
                        if let EntryChange::Changed(mut inner) = entry {
                            pending.append(&mut inner.changes);
                        }
                    }
                }
                Change::Leaf { .. }
                | Change::Any { .. }
                | Change::List(_)
                | Change::LeafList(_) => {}
            }
        }
    }
}

/// What makes `new` of `old`.
pub(crate) fn diff(old: &Tree, new: &Tree) -> Diff {
    diff_containers(&old.root, &new.root)
}

/// What makes the content of `new` of the content of `old`.
pub(crate) fn diff_containers(old: &Container, new: &Container) -> Diff {
    let mut comparison = Comparison { pairs: VecDeque::new(), found: Vec::new() };
    comparison.add(Some(old), Some(new));
    while let Some((old, new)) = comparison.pairs.pop_front() {
        let changes = comparison.compare(old, new);
        comparison.found.push(changes);
    }
    assemble(comparison.found)
}

/// The pairs of containers that are still to be compared. A pair found on the way gets the next number, so that inner
/// diffs always have a higher number than the one that holds them.
struct Comparison<'a> {
    pairs: VecDeque<(Option<&'a Container>, Option<&'a Container>)>,
    found: Vec<Vec<(NodeId, Found)>>,
}

/// A change whose inner diffs are still numbers.
enum Found {
    Plain(Change),
    Container(Existence, usize),
    Entries(Vec<(Key, FoundEntry)>, Vec<Placed>),
}

enum FoundEntry {
    Plain(EntryChange<Container, Diff>),
    Changed(usize),
}

impl<'a> Comparison<'a> {
    /// Remembers a pair; its number is that of the diff to come.
    fn add(&mut self, old: Option<&'a Container>, new: Option<&'a Container>) -> usize {
        self.pairs.push_back((old, new));
        // The pair that is being compared has left the queue, but its diff is not in `found` yet.
        self.found.len() + self.pairs.len()
    }

    fn compare(
        &mut self,
        old: Option<&'a Container>,
        new: Option<&'a Container>,
    ) -> Vec<(NodeId, Found)> {
        let mut changes = Vec::new();
        let mut old_children = old.into_iter().flat_map(Container::iter).peekable();
        let mut new_children = new.into_iter().flat_map(Container::iter).peekable();
        loop {
            let old_node = old_children.peek().map(|(node, _)| *node);
            let new_node = new_children.peek().map(|(node, _)| *node);
            let node = match (old_node, new_node) {
                (Some(old), Some(new)) => old.min(new),
                (Some(node), None) | (None, Some(node)) => node,
                (None, None) => return changes,
            };
            let before = old_children.next_if(|(other, _)| *other == node).map(|(_, child)| child);
            let after = new_children.next_if(|(other, _)| *other == node).map(|(_, child)| child);
            if let Some(found) = self.compare_children(before, after) {
                changes.push((node, found));
            }
        }
    }

    fn compare_children(
        &mut self,
        old: Option<ChildRef<'a>>,
        new: Option<ChildRef<'a>>,
    ) -> Option<Found> {
        // A schema node is of one kind; if two trees disagree about it, the old child is that of another node.
        match (old, new) {
            (None | Some(ChildRef::Leaf(_)), Some(ChildRef::Leaf(_)))
            | (Some(ChildRef::Leaf(_)), None) => leaf_change(old, new),
            (None | Some(ChildRef::Any(_)), Some(ChildRef::Any(_)))
            | (Some(ChildRef::Any(_)), None) => any_change(old, new),
            (Some(ChildRef::Container(old)), Some(ChildRef::Container(new))) => (!old
                .known_equal(new))
            .then(|| Found::Container(Existence::Kept, self.add(Some(old), Some(new)))),
            (None, Some(ChildRef::Container(new))) => {
                Some(Found::Container(Existence::Created, self.add(None, Some(new))))
            }
            (Some(ChildRef::Container(old)), None) => {
                Some(Found::Container(Existence::Removed, self.add(Some(old), None)))
            }
            (Some(ChildRef::List(old)), Some(ChildRef::List(new))) => self.compare_lists(old, new),
            (None, Some(ChildRef::List(new))) => {
                Some(Found::Plain(Change::List(EntriesChange::Created(new.clone()))))
            }
            (Some(ChildRef::List(old)), None) => {
                Some(Found::Plain(Change::List(EntriesChange::Removed(Some(old.clone())))))
            }
            (Some(ChildRef::LeafList(old)), Some(ChildRef::LeafList(new))) => {
                compare_leaf_lists(old, new)
            }
            (None, Some(ChildRef::LeafList(new))) => {
                Some(Found::Plain(Change::LeafList(EntriesChange::Created(new.clone()))))
            }
            (Some(ChildRef::LeafList(old)), None) => {
                Some(Found::Plain(Change::LeafList(EntriesChange::Removed(Some(old.clone())))))
            }
            (Some(_), Some(_)) => self.compare_children(None, new),
            (None, None) => None,
        }
    }

    fn compare_lists(&mut self, old: &'a List, new: &'a List) -> Option<Found> {
        let difference = old.difference(new);
        let mut entries = Vec::with_capacity(difference.entries.len());
        for (key, before, after) in difference.entries {
            let entry = match (before, after) {
                (Some(before), Some(after)) if before.known_equal(after) => continue,
                (Some(before), Some(after)) => {
                    FoundEntry::Changed(self.add(Some(before), Some(after)))
                }
                (None, Some(after)) => FoundEntry::Plain(EntryChange::Created(after.clone())),
                (Some(before), None) => {
                    FoundEntry::Plain(EntryChange::Removed(Some(before.clone())))
                }
                (None, None) => continue,
            };
            entries.push((key.clone(), entry));
        }
        (!entries.is_empty() || !difference.placed.is_empty())
            .then_some(Found::Entries(entries, difference.placed))
    }
}

fn leaf_change(old: Option<ChildRef<'_>>, new: Option<ChildRef<'_>>) -> Option<Found> {
    let text = |child| if let Some(ChildRef::Leaf(text)) = child { Some(text) } else { None };
    let (old, new): (Option<&str>, Option<&str>) = (text(old), text(new));
    (old != new)
        .then(|| Found::Plain(Change::Leaf { old: old.map(Text::new), new: new.map(Text::new) }))
}

fn any_change(old: Option<ChildRef<'_>>, new: Option<ChildRef<'_>>) -> Option<Found> {
    let xml =
        |child| if let Some(ChildRef::Any(xml)) = child { Some(Arc::clone(xml)) } else { None };
    let (old, new) = (xml(old), xml(new));
    (old != new).then_some(Found::Plain(Change::Any { old, new }))
}

fn compare_leaf_lists(old: &LeafList, new: &LeafList) -> Option<Found> {
    let difference = old.difference(new);
    let mut entries = Vec::with_capacity(difference.entries.len());
    for (key, before, after) in difference.entries {
        let entry = match (before, after) {
            (Some(before), Some(after)) if before == after => continue,
            (Some(_), Some(after)) => EntryChange::Changed(after.clone()),
            (None, Some(after)) => EntryChange::Created(after.clone()),
            (Some(before), None) => EntryChange::Removed(Some(before.clone())),
            (None, None) => continue,
        };
        entries.push((key.clone(), entry));
    }
    let placed = difference.placed;
    (!entries.is_empty() || !placed.is_empty())
        .then_some(Found::Plain(Change::LeafList(EntriesChange::Changed { entries, placed })))
}

/// Puts inner diffs where their numbers stand, the innermost first; what turns out empty is left out.
fn assemble(mut found: Vec<Vec<(NodeId, Found)>>) -> Diff {
    let mut finished: Vec<Diff> = Vec::new();
    finished.resize_with(found.len(), Diff::default);
    let take = |finished: &mut Vec<Diff>, number: usize| {
        finished.get_mut(number).map(std::mem::take).unwrap_or_default()
    };
    while let Some(changes) = found.pop() {
        let number = found.len();
        let mut diff = Diff { changes: Vec::with_capacity(changes.len()) };
        for (node, change) in changes {
            let change = match change {
                Found::Plain(change) => change,
                Found::Container(existence, number) => {
                    let inner = take(&mut finished, number);
                    if existence == Existence::Kept && inner.is_empty() {
                        continue;
                    }
                    Change::Container { existence, inner }
                }
                Found::Entries(found, placed) => {
                    let mut entries = Vec::with_capacity(found.len());
                    for (key, entry) in found {
                        match entry {
                            FoundEntry::Plain(entry) => entries.push((key, entry)),
                            FoundEntry::Changed(number) => {
                                let inner = take(&mut finished, number);
                                if !inner.is_empty() {
                                    entries.push((key, EntryChange::Changed(inner)));
                                }
                            }
                        }
                    }
                    if entries.is_empty() && placed.is_empty() {
                        continue;
                    }
                    Change::List(EntriesChange::Changed { entries, placed })
                }
            };
            diff.changes.push((node, change));
        }
        if let Some(slot) = finished.get_mut(number) {
            *slot = diff;
        }
    }
    take(&mut finished, 0)
}

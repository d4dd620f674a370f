//! Rows in the user's order: how to find one by its key.
//!
//! Pages are found by position only, so each key remembers an anchor: the first key of the lowest node in which it is
//! not itself the first. Anchors lead from a row to its page, from that page's first key to the node above, and so on
//! to the root, in at most as many look-ups as there are levels. Like the pages, they depend on content alone.

use super::entries::Place;
use super::pages::{Body, Moved, Pages, PagesBuilder, Row, Steps, level};
use super::{Key, Seed};
use std::collections::BTreeMap;

/// The anchors of a sequence of rows, by key.
#[derive(Debug, Clone)]
pub(super) struct Anchors {
    /// As bytes, which need no alignment.
    seed: [u8; 16],
    /// Every key of the sequence. `None` stands for the very first key, whichever that is.
    by_key: Pages<Option<Key>>,
}

impl Anchors {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed: seed.0.to_le_bytes(), by_key: Pages::default() }
    }

    /// The seed of the sequence.
    pub(super) fn seed(&self) -> Seed {
        Seed(u128::from_le_bytes(self.seed))
    }

    #[cfg(test)]
    pub(super) fn iter(&self) -> super::pages::Iter<'_, Option<Key>> {
        self.by_key.iter()
    }

    /// `key` is in the sequence.
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.by_key.find(key).is_some()
    }

    /// Where `key` is among `rows`.
    pub(super) fn find<V>(&self, rows: &Pages<V>, key: &Key) -> Option<Steps> {
        let firsts = self.firsts(key, rows.height())?;
        let mut steps = Vec::with_capacity(firsts.len() + 1);
        let mut node = rows.root.as_deref()?;
        for first in firsts.iter().rev() {
            let Body::Inner(inner) = &node.body else { return None };
            let at = match first {
                Some(first) => inner.children.iter().position(|(other, _)| other == *first)?,
                None => 0,
            };
            steps.push(at);
            node = &inner.children.get(at)?.1;
        }
        let Body::Page(page) = &node.body else { return None };
        steps.push(page.iter().position(|(other, _)| other == key)?);
        Some(steps)
    }

    /// The first keys of the nodes around `key` at each level below the root's; `None` stands for the very first.
    fn firsts<'a>(&'a self, key: &'a Key, height: usize) -> Option<Vec<Option<&'a Key>>> {
        let mut current = Some(key);
        let mut anchor = self.by_key.find(key)?.as_ref();
        let mut current_level = level(self.seed(), key);
        let mut firsts = Vec::with_capacity(height);
        for at in 0..height {
            // The very first key's anchor is itself, at any level.
            while current.is_some() && current_level <= at {
                current = anchor;
                if let Some(key) = current {
                    current_level = level(self.seed(), key);
                    anchor = self.by_key.find(key)?.as_ref();
                }
            }
            firsts.push(current);
        }
        Some(firsts)
    }

    fn set(&mut self, key: &Key, anchor: Option<Key>) {
        match self.by_key.search(key) {
            Ok(steps) => self.by_key.replace(&steps, anchor),
            Err(steps) if steps.iter().all(|step| *step == 0) => {
                let second = self.by_key.first_key().map_or(0, |key| level(self.seed(), key));
                self.by_key.insert_first((key.clone(), anchor), second);
            }
            Err(steps) => {
                self.by_key.insert(&steps, (key.clone(), anchor), level(self.seed(), key));
            }
        }
    }

    fn unset(&mut self, key: &Key) {
        if let Ok(steps) = self.by_key.search(key) {
            if steps.iter().all(|step| *step == 0) {
                self.by_key.remove_first();
            } else {
                self.by_key.remove(&steps, level(self.seed(), key));
            }
        }
    }

    fn set_moved<V>(&mut self, rows: &Pages<V>, moved: Moved) {
        let very_first = rows.first_key();
        for (key, anchor) in moved {
            let anchor = (Some(&anchor) != very_first).then_some(anchor);
            self.set(&key, anchor);
        }
    }

    /// Inserts a row that is not there yet. Nothing happens if the row that `place` names is not there.
    pub(super) fn insert<V: Clone>(&mut self, rows: &mut Pages<V>, place: &Place<'_>, row: Row<V>) {
        let steps = match place {
            Place::First => None,
            Place::Last => rows.root.is_some().then(|| rows.end()),
            Place::Before(anchor) => match self.find(rows, anchor) {
                Some(steps) => rows.end_before(&steps),
                None => return,
            },
            Place::After(anchor) => match self.find(rows, anchor) {
                Some(mut steps) => {
                    if let Some(row) = steps.last_mut() {
                        *row += 1;
                    }
                    Some(steps)
                }
                None => return,
            },
        };
        let key = row.0.clone();
        match steps {
            Some(steps) => {
                let level = level(self.seed(), &key);
                let anchor = rows.first_at(&steps, level).cloned();
                let moved = rows.insert(&steps, row, level);
                self.set_moved(rows, moved);
                self.set(&key, anchor);
            }
            None => {
                // What has been first until now is the first of its nodes only as far up as its level says.
                let second = rows.first_key().cloned();
                let second_level = second.as_ref().map_or(0, |second| level(self.seed(), second));
                for beside in rows.keys_beside_first(second_level) {
                    self.set(&beside, second.clone());
                }
                rows.insert_first(row, second_level);
                self.set(&key, None);
            }
        }
    }

    /// Takes a row out.
    pub(super) fn remove<V: Clone>(&mut self, rows: &mut Pages<V>, key: &Key) -> Option<V> {
        let steps = self.find(rows, key)?;
        let row = if steps.iter().all(|step| *step == 0) {
            let row = rows.remove_first();
            if let Some(first) = rows.first_key().cloned() {
                self.set(&first, None);
                for beside in rows.keys_beside_first(level(self.seed(), &first)) {
                    self.set(&beside, None);
                }
            }
            row
        } else {
            let (row, moved) = rows.remove(&steps, level(self.seed(), key));
            self.set_moved(rows, moved);
            row
        };
        self.unset(key);
        row.map(|(_, value)| value)
    }
}

/// Makes the anchors of rows in their order.
#[derive(Debug, Default)]
pub(super) struct AnchorsBuilder {
    by_key: BTreeMap<Key, Option<Key>>,
    /// The first keys of the open nodes, from the page up; `None` stands for the very first.
    firsts: Vec<Option<Key>>,
}

impl AnchorsBuilder {
    pub(super) fn contains(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    /// Adds a key with its level (0 for the very first) behind all others.
    pub(super) fn push(&mut self, key: Key, level: usize) {
        let anchor = self.firsts.get(level).cloned().flatten();
        if self.firsts.len() < level {
            self.firsts.resize(level, None);
        }
        for first in self.firsts.iter_mut().take(level) {
            *first = Some(key.clone());
        }
        self.by_key.insert(key, anchor);
    }

    pub(super) fn finish(self, seed: Seed) -> Anchors {
        let mut pages = PagesBuilder::new(seed);
        for (key, anchor) in self.by_key {
            pages.push(key, anchor);
        }
        Anchors { seed: seed.0.to_le_bytes(), by_key: pages.finish() }
    }
}

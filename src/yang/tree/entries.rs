//! The entries of a list or leaf-list, in key order or in the user's.

use super::compare::{difference_in_key_order, difference_in_user_order};
use super::diff::Difference;
use super::pages::{self, Pages, PagesBuilder, level};
use super::sequence::{Anchors, AnchorsBuilder};
use super::{Key, Seed};
use crate::yang::schema::Order;

/// Entries by key. Ordered by system: ascending keys. Ordered by user: as they were inserted and moved.
#[derive(Debug, Clone)]
pub(crate) struct Entries<V> {
    order: Order,
    pages: Pages<V>,
    /// Invariant: of the entries ordered by the user those of `pages`, otherwise empty.
    anchors: Anchors,
}

/// Where a user-ordered entry goes (RFC 7950, 7.8.6).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    First,
    Last,
    Before(&'a Key),
    After(&'a Key),
}

/// Entries in order.
#[derive(Debug)]
pub(crate) struct Iter<'a, V>(pages::Iter<'a, V>);

impl<V> Clone for Iter<'_, V> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Key, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}

impl<V> Entries<V> {
    /// No entries.
    pub(crate) fn new(order: Order, seed: Seed) -> Self {
        Self { order, pages: Pages::default(), anchors: Anchors::new(seed) }
    }

    /// Who orders the entries.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.pages.len()
    }

    /// There are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.pages.root.is_none()
    }

    /// The entry with `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        match self.order {
            Order::System => self.pages.find(key),
            Order::User => {
                let steps = self.anchors.find(&self.pages, key)?;
                self.pages.row(&steps).map(|(_, value)| value)
            }
        }
    }

    /// The entry with `key` as it lies here, behind how many others stand before it.
    pub(crate) fn locate(&self, key: &Key) -> Option<(usize, &Key, &V)> {
        let steps = match self.order {
            Order::System => self.pages.search(key).ok(),
            Order::User => self.anchors.find(&self.pages, key),
        }?;
        let (key, value) = self.pages.row(&steps)?;
        Some((self.pages.rows_before(&steps), key, value))
    }

    /// All entries in order.
    pub(crate) fn iter(&self) -> Iter<'_, V> {
        Iter(self.pages.iter())
    }

    /// The entries behind the one with `key`, in order. If it is not there, those with greater keys (ordered by
    /// system) or none (by user).
    pub(crate) fn iter_after(&self, key: &Key) -> Iter<'_, V> {
        let steps = match self.order {
            Order::System => self.pages.search(key),
            Order::User => self.anchors.find(&self.pages, key).ok_or_else(|| self.pages.end()),
        };
        Iter(self.pages.iter_from(&steps.map_or_else(|steps| steps, one_further)))
    }

    /// The content is equal, as can be seen without opening it. False says nothing.
    pub(crate) fn known_equal(&self, other: &Entries<V>) -> bool {
        self.order == other.order
            && self.anchors.seed() == other.anchors.seed()
            && self.pages.known_equal(&other.pages)
    }

    /// What differs from `self` to `new`.
    pub(super) fn difference<'a>(&'a self, new: &'a Entries<V>) -> Difference<'a, V> {
        match (self.order, new.order) {
            (Order::System, Order::System) => difference_in_key_order(&self.pages, &new.pages),
            (Order::User, _) | (_, Order::User) => {
                difference_in_user_order(&self.pages, &new.pages)
            }
        }
    }

    /// The rows, for digests.
    pub(super) fn pages(&self) -> &Pages<V> {
        &self.pages
    }

    /// Where each key's anchor is.
    #[cfg(test)]
    pub(super) fn anchors_for_test(&self) -> Vec<(Key, Option<Key>)> {
        self.anchors.iter().map(|(key, anchor)| (key.clone(), anchor.clone())).collect()
    }

    /// Gives the values away that nobody else holds.
    pub(super) fn take_apart(self, take: &mut dyn FnMut(V)) {
        self.pages.take_apart(take);
    }
}

/// Behind the row at `steps`.
fn one_further(mut steps: pages::Steps) -> pages::Steps {
    if let Some(row) = steps.last_mut() {
        *row += 1;
    }
    steps
}

impl<V: Clone> Entries<V> {
    /// Puts an entry in: in the place of the one with the same key, otherwise where its key belongs or, if the user
    /// orders, last.
    pub(crate) fn insert(&mut self, key: Key, value: V) {
        match self.order {
            Order::System => self.insert_by_key(key, value),
            Order::User => match self.anchors.find(&self.pages, &key) {
                Some(steps) => self.pages.replace(&steps, value),
                None => self.anchors.insert(&mut self.pages, &Place::Last, (key, value)),
            },
        }
    }

    fn insert_by_key(&mut self, key: Key, value: V) {
        let seed = self.anchors.seed();
        match self.pages.search(&key) {
            Ok(steps) => self.pages.replace(&steps, value),
            Err(steps) if steps.iter().all(|step| *step == 0) => {
                let second = self.pages.first_key().map_or(0, |second| level(seed, second));
                self.pages.insert_first((key, value), second);
            }
            Err(steps) => {
                let level = level(seed, &key);
                self.pages.insert(&steps, (key, value), level);
            }
        }
    }

    /// Puts an entry of a user-ordered list at `place`, moving it there if it exists. False, and nothing changed, if
    /// the entry that `place` names is not there or is the entry itself, or if the user does not order.
    pub(crate) fn insert_at(&mut self, key: Key, value: V, place: Place<'_>) -> bool {
        let fits = match place {
            Place::First | Place::Last => true,
            Place::Before(anchor) | Place::After(anchor) => {
                *anchor != key && self.anchors.contains(anchor)
            }
        };
        if fits && self.order == Order::User {
            self.anchors.remove(&mut self.pages, &key);
            self.anchors.insert(&mut self.pages, &place, (key, value));
            return true;
        }
        false
    }

    /// Takes the entry with `key` out.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<V> {
        if self.order == Order::User {
            return self.anchors.remove(&mut self.pages, key);
        }
        let steps = self.pages.search(key).ok()?;
        let row = if steps.iter().all(|step| *step == 0) {
            self.pages.remove_first()
        } else {
            self.pages.remove(&steps, level(self.anchors.seed(), key)).0
        };
        row.map(|(_, value)| value)
    }
}

/// Makes entries in their order, in linear time.
#[derive(Debug)]
pub(crate) struct EntriesBuilder<V> {
    order: Order,
    seed: Seed,
    pages: PagesBuilder<V>,
    anchors: AnchorsBuilder,
}

impl<V> EntriesBuilder<V> {
    /// No entries yet.
    pub(crate) fn new(order: Order, seed: Seed) -> Self {
        let (pages, anchors) = (PagesBuilder::new(seed), AnchorsBuilder::default());
        Self { order, seed, pages, anchors }
    }

    /// Adds the next entry. False, and nothing changed, if the key does not follow the one before (ordered by system)
    /// or is there already (by user).
    pub(crate) fn push(&mut self, key: Key, value: V) -> bool {
        match self.order {
            Order::System => {
                if self.pages.last().is_some_and(|(last, _)| *last >= key) {
                    return false;
                }
                self.pages.push(key, value);
            }
            Order::User => {
                if self.anchors.contains(&key) {
                    return false;
                }
                let level = self.pages.push(key.clone(), value);
                self.anchors.push(key, level);
            }
        }
        true
    }

    /// The entries.
    pub(crate) fn finish(self) -> Entries<V> {
        let anchors = self.anchors.finish(self.seed);
        Entries { order: self.order, pages: self.pages.finish(), anchors }
    }
}

//! The entries of a list or leaf-list, in key order or in the user's.

use super::diff::{Difference, Placed};
use super::{Key, Seed, order};
use crate::yang::schema::Order;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries by key. Ordered by system: ascending keys. Ordered by user: as they were inserted and moved.
#[derive(Debug, Clone)]
pub(crate) struct Entries<V> {
    order: Order,
    seed: Seed,
    entries: Arc<Vec<(Key, V)>>,
}

/// The entry of a key before (with its position) and after.
type Both<'a, V> = (Option<(usize, &'a V)>, Option<&'a V>);

/// Where a user-ordered entry goes (RFC 7950, 7.8.6).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    First,
    Last,
    Before(&'a Key),
    After(&'a Key),
}

/// Entries in order.
#[derive(Debug, Clone)]
pub(crate) struct Iter<'a, V>(std::slice::Iter<'a, (Key, V)>);

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key, value))
    }
}

impl<V: Clone> Entries<V> {
    /// No entries.
    pub(crate) fn new(order: Order, seed: Seed) -> Self {
        Self { order, seed, entries: Arc::new(Vec::new()) }
    }

    /// Who orders the entries.
    pub(crate) fn order(&self) -> Order {
        self.order
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn position(&self, key: &Key) -> Result<usize, usize> {
        match self.order {
            Order::System => self.entries.binary_search_by(|(other, _)| other.cmp(key)),
            Order::User => {
                self.entries.iter().position(|(other, _)| other == key).ok_or(self.entries.len())
            }
        }
    }

    /// The entry with `key`.
    pub(crate) fn get(&self, key: &Key) -> Option<&V> {
        self.position(key).ok().and_then(|at| self.entries.get(at)).map(|(_, value)| value)
    }

    /// All entries in order.
    pub(crate) fn iter(&self) -> Iter<'_, V> {
        Iter(self.entries.iter())
    }

    /// The entries behind the one with `key` (which must be there for a user-ordered one), in order.
    pub(crate) fn iter_after(&self, key: &Key) -> impl Iterator<Item = (&Key, &V)> + '_ {
        let at = self.position(key).map_or_else(|at| at, |at| at + 1);
        self.entries.iter().skip(at).map(|(key, value)| (key, value))
    }

    /// Puts an entry in: in the place of the one with the same key, otherwise where its key belongs or, if the user
    /// orders, last.
    pub(crate) fn insert(&mut self, key: Key, value: V) {
        let at = self.position(&key);
        let entries = Arc::make_mut(&mut self.entries);
        match at {
            Ok(at) => {
                if let Some(slot) = entries.get_mut(at) {
                    slot.1 = value;
                }
            }
            Err(at) => entries.insert(at, (key, value)),
        }
    }

    /// Puts an entry of a user-ordered list at `place`, moving it there if it exists. False, and nothing changed, if
    /// the entry that `place` names is not there or is the entry itself.
    pub(crate) fn insert_at(&mut self, key: Key, value: V, place: Place<'_>) -> bool {
        let anchor = match place {
            Place::First | Place::Last => None,
            Place::Before(anchor) | Place::After(anchor) => Some(anchor),
        };
        if anchor.is_some_and(|anchor| *anchor == key || self.position(anchor).is_err()) {
            return false;
        }
        self.remove(&key);
        let at = match place {
            Place::First => 0,
            Place::Last => self.entries.len(),
            Place::Before(anchor) => self.position(anchor).unwrap_or(0),
            Place::After(anchor) => self.position(anchor).map_or(0, |at| at + 1),
        };
        Arc::make_mut(&mut self.entries).insert(at, (key, value));
        true
    }

    /// Takes the entry with `key` out.
    pub(crate) fn remove(&mut self, key: &Key) -> Option<V> {
        let at = self.position(key).ok()?;
        Some(Arc::make_mut(&mut self.entries).remove(at).1)
    }

    /// The content is equal, as can be seen without opening it. False says nothing.
    pub(crate) fn known_equal(&self, other: &Entries<V>) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries)
    }

    /// What differs from `self` to `new`.
    pub(super) fn difference<'a>(&'a self, new: &'a Entries<V>) -> Difference<'a, V> {
        if self.known_equal(new) {
            return Difference { entries: Vec::new(), placed: Vec::new() };
        }
        let mut all: BTreeMap<&Key, Both<'_, V>> = BTreeMap::new();
        for (at, (key, value)) in self.iter().enumerate() {
            all.entry(key).or_default().0 = Some((at, value));
        }
        for (key, value) in new.iter() {
            all.entry(key).or_default().1 = Some(value);
        }
        let mut placed = Vec::new();
        if new.order == Order::User {
            let stay: Vec<(&Key, usize)> =
                new.iter().filter_map(|(key, _)| Some((key, all.get(key)?.0?.0))).collect();
            let pieces: Vec<(usize, usize)> = stay.iter().map(|(_, at)| (*at, 1)).collect();
            let mut kept =
                stay.iter().zip(order::kept(&pieces)).filter(|(_, kept)| *kept).peekable();
            let mut after: Option<&Key> = None;
            for (key, _) in new.iter() {
                if kept.next_if(|((other, _), _)| *other == key).is_none() {
                    placed.push(Placed { key: key.clone(), after: after.cloned() });
                }
                after = Some(key);
            }
        }
        let entries = all
            .into_iter()
            .map(|(key, (old, new))| (key, old.map(|(_, value)| value), new))
            .collect();
        Difference { entries, placed }
    }
}

/// Makes entries in their order, in linear time.
#[derive(Debug)]
pub(crate) struct EntriesBuilder<V>(Entries<V>);

impl<V: Clone> EntriesBuilder<V> {
    /// No entries yet.
    pub(crate) fn new(order: Order, seed: Seed) -> Self {
        Self(Entries::new(order, seed))
    }

    /// Who orders the entries.
    pub(crate) fn order(&self) -> Order {
        self.0.order()
    }

    /// Adds the next entry. False, and nothing changed, if the key does not follow the one before (ordered by system)
    /// or is there already (by user).
    pub(crate) fn push(&mut self, key: Key, value: V) -> bool {
        let fits = match self.0.order {
            Order::System => self.0.entries.last().is_none_or(|(last, _)| *last < key),
            Order::User => self.0.get(&key).is_none(),
        };
        if fits {
            self.0.insert(key, value);
        }
        fits
    }

    /// The entries.
    pub(crate) fn finish(self) -> Entries<V> {
        self.0
    }
}

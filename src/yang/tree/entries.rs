//! The entries of a list or leaf-list, in key order or in the user's.

use super::{Key, Seed};
use crate::yang::schema::Order;
use std::sync::Arc;

/// Entries by key. Ordered by system: ascending keys. Ordered by user: as they were inserted and moved.
#[derive(Debug, Clone)]
pub(crate) struct Entries<V> {
    order: Order,
    seed: Seed,
    entries: Arc<Vec<(Key, V)>>,
}

/// Where a user-ordered entry goes (RFC 7950, 7.8.6).
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    First,
    Last,
    Before(&'a Key),
    After(&'a Key),
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
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Key, &V)> + '_ {
        self.entries.iter().map(|(key, value)| (key, value))
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
}

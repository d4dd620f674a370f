//! What an edit does to the entries of lists and leaf-lists (RFC 7950, 7.7.9 and 7.8.6).

use super::apply::Applier;
use super::edit::{EditNode, EditValue, Insert, Operation};
use super::operation::{Existence, Step};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::schema::{self, NodeId, Order};
use crate::yang::tree::{Child, ChildRef, Container, Entries, Key, LeafList, List, Place, Text};

/// What becomes of an entry.
enum Fate<V> {
    Put(V),
    /// What there was before remains, unchanged.
    Stay,
    Delete,
}

impl<'a> Applier<'a> {
    /// Applies edits of entries of one list.
    pub(super) fn list(
        &mut self,
        list: &'a schema::List,
        before: &Container,
        after: &mut Container,
        run: &'a [EditNode],
    ) -> Result<(), DataError> {
        let Some(node) = run.first().map(|edit| edit.node) else { return Ok(()) };
        let old = match before.get(node) {
            Some(ChildRef::List(old)) => Some(old),
            Some(_) | None => None,
        };
        let start = match after.remove(node) {
            Some(Child::List(start)) => start,
            Some(_) | None => List::new(list.order, self.seed),
        };
        let entries =
            self.entries(old, start, run, |applier, edit, old| applier.entry(list, edit, old))?;
        put_entries(after, node, entries, Child::List);
        Ok(())
    }

    /// Applies edits of entries of one leaf-list.
    pub(super) fn leaf_list(
        &mut self,
        items: &schema::LeafList,
        before: &Container,
        after: &mut Container,
        run: &'a [EditNode],
    ) -> Result<(), DataError> {
        let Some(node) = run.first().map(|edit| edit.node) else { return Ok(()) };
        let old = match before.get(node) {
            Some(ChildRef::LeafList(old)) => Some(old),
            Some(_) | None => None,
        };
        let start = match after.remove(node) {
            Some(Child::LeafList(start)) => start,
            Some(_) | None => LeafList::new(items.order, self.seed),
        };
        let entries =
            self.entries(old, start, run, |applier, edit, old| applier.item(edit, old))?;
        put_entries(after, node, entries, Child::LeafList);
        Ok(())
    }

    /// Applies a run of edits to `entries`, which hold what remains of `old`; `fate` decides each.
    fn entries<V: Clone>(
        &mut self,
        old: Option<&Entries<V>>,
        mut entries: Entries<V>,
        run: &'a [EditNode],
        mut fate: impl FnMut(&mut Self, &'a EditNode, Option<&V>) -> Result<Fate<V>, DataError>,
    ) -> Result<Entries<V>, DataError> {
        let mut changes: Vec<(&Key, Fate<V>)> = Vec::new();
        for edit in run {
            self.enter(edit);
            let (EditValue::Entry { key, .. } | EditValue::Item { key, .. }) = &edit.value else {
                self.whole(old.is_some_and(|old| !old.is_empty()), edit)?;
                self.leave();
                continue;
            };
            self.check_insert(entries.order(), edit)?;
            let old = old.and_then(|old| old.get(key));
            let fate = match fate(self, edit, old)? {
                Fate::Stay if entries.get(key).is_none() || edit.insert.is_some() => {
                    old.cloned().map_or(Fate::Stay, Fate::Put)
                }
                fate @ (Fate::Put(_) | Fate::Stay | Fate::Delete) => fate,
            };
            match (entries.order(), fate) {
                (_, Fate::Stay) => {}
                (Order::System, fate) => changes.push((key, fate)),
                (Order::User, fate) => self.place(&mut entries, edit, key, fate)?,
            }
            self.leave();
        }
        // Where the server orders, entries go in by ascending key: that is what a map does fastest. Stable, so that
        // the last of several stands.
        changes.sort_by_key(|(key, _)| *key);
        for (key, fate) in changes {
            match fate {
                Fate::Put(value) => entries.insert(key.clone(), value),
                Fate::Delete => {
                    entries.remove(key);
                }
                Fate::Stay => {}
            }
        }
        Ok(entries)
    }

    /// An entry of a list.
    fn entry(
        &mut self,
        list: &schema::List,
        edit: &'a EditNode,
        old: Option<&Container>,
    ) -> Result<Fate<Container>, DataError> {
        let EditValue::Entry { values, .. } = &edit.value else { return Err(self.misfit()) };
        let existence = if old.is_some() { Existence::Present } else { Existence::Absent };
        match self.decide(edit, existence)? {
            Step::Delete | Step::Skip => {
                self.gone(edit)?;
                Ok(Fate::Delete)
            }
            Step::Fresh => {
                if values.len() != list.keys.len() {
                    return Err(self.misfit());
                }
                let mut start = Container::default();
                for (node, value) in list.keys.iter().zip(values) {
                    start.set(*node, Child::Leaf(value.clone()));
                }
                self.afresh(old, start, edit).map(Fate::Put)
            }
            Step::Keep => {
                let only_keys = edit.children.iter().all(|child| list.keys.contains(&child.node));
                if only_keys && edit.operation != Operation::None {
                    self.touch();
                }
                let content = self.inside(old, edit)?;
                let unchanged = old.is_some_and(|old| old.same(&content));
                Ok(if unchanged { Fate::Stay } else { Fate::Put(content) })
            }
        }
    }

    /// An entry of a leaf-list: it can be created and deleted, but not modified (RFC 7950, 7.7.9).
    fn item(&mut self, edit: &'a EditNode, old: Option<&Text>) -> Result<Fate<Text>, DataError> {
        let EditValue::Item { value, .. } = &edit.value else { return Err(self.misfit()) };
        let existence = if old.is_some() { Existence::Present } else { Existence::Absent };
        let step = self.decide(edit, existence)?;
        if edit.operation != Operation::None {
            self.touch();
        }
        Ok(match step {
            Step::Delete | Step::Skip => Fate::Delete,
            Step::Keep => Fate::Stay,
            Step::Fresh if old.is_some() => Fate::Stay,
            Step::Fresh => Fate::Put(value.clone()),
        })
    }

    /// A leaf-list named without a value: all of it is meant. `children` has removed it from what remains already.
    fn whole(&mut self, present: bool, edit: &'a EditNode) -> Result<(), DataError> {
        let EditValue::Absent = edit.value else { return Err(self.misfit()) };
        let existence = if present { Existence::Present } else { Existence::Absent };
        match self.decide(edit, existence)? {
            Step::Delete | Step::Skip => {
                self.touch();
                Ok(())
            }
            Step::Keep if edit.operation == Operation::None => Ok(()),
            Step::Fresh | Step::Keep => Err(self.no_value()),
        }
    }

    /// `insert` belongs to an operation that inserts or moves, in a list whose order is the user's.
    fn check_insert(&self, order: Order, edit: &EditNode) -> Result<(), DataError> {
        if edit.insert.is_none() {
            return Ok(());
        }
        let (attribute, element) = ("insert".to_owned(), self.name(edit.node));
        match (order, edit.operation) {
            (Order::System, _) => Err(self.fault(
                DataErrorKind::UnknownAttribute { attribute, element },
                "the entries are not ordered by the user".into(),
            )),
            (Order::User, Operation::Merge | Operation::Replace | Operation::Create) => Ok(()),
            (Order::User, Operation::Delete | Operation::Remove | Operation::None) => Err(self
                .fault(
                    DataErrorKind::BadAttribute { attribute, element },
                    "the operation inserts and moves nothing".into(),
                )),
        }
    }

    /// Puts an entry of a user-ordered list in or takes it out, at once: the next edit sees it.
    fn place<V: Clone>(
        &mut self,
        entries: &mut Entries<V>,
        edit: &'a EditNode,
        key: &Key,
        fate: Fate<V>,
    ) -> Result<(), DataError> {
        let value = match fate {
            Fate::Stay => return Ok(()),
            Fate::Delete => {
                entries.remove(key);
                return Ok(());
            }
            Fate::Put(value) => value,
        };
        let present = entries.get(key).is_some();
        if !present || edit.insert.is_some() {
            self.touch_list();
        }
        let place = match &edit.insert {
            None => {
                entries.insert(key.clone(), value);
                return Ok(());
            }
            Some(Insert::First) => Place::First,
            Some(Insert::Last) => Place::Last,
            // Beside itself is where it is.
            Some(Insert::Before(anchor) | Insert::After(anchor)) if present && anchor == key => {
                entries.insert(key.clone(), value);
                return Ok(());
            }
            Some(Insert::Before(anchor)) => Place::Before(anchor),
            Some(Insert::After(anchor)) => Place::After(anchor),
        };
        if entries.insert_at(key.clone(), value, place) {
            return Ok(());
        }
        let attribute = match edit.value {
            EditValue::Entry { .. } => "key".to_owned(),
            EditValue::None
            | EditValue::Leaf(_)
            | EditValue::Absent
            | EditValue::Item { .. }
            | EditValue::Any(_) => "value".to_owned(),
        };
        let kind = DataErrorKind::BadAttribute { attribute, element: self.name(edit.node) };
        let message = "the entry that insert refers to does not exist".to_owned();
        Err(self.fault(kind, message).tagged("missing-instance"))
    }
}

/// Puts a list back, unless nothing is left of it.
fn put_entries<V: Clone>(
    parent: &mut Container,
    node: NodeId,
    entries: Entries<V>,
    child: impl FnOnce(Entries<V>) -> Child,
) {
    if !entries.is_empty() {
        parent.set(node, child(entries));
    }
}

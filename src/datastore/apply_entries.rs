//! What an edit does to the entries of lists and leaf-lists (RFC 7950, 7.7.9 and 7.8.6).

use super::apply::{Applier, Level};
use super::edit::{EditNode, EditValue, Insert, Operation};
use super::operation::{Existence, Step, states_data};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::schema::{self, NodeId, NodeKind, Order};
use crate::yang::tree::container::ContainerBuilder;
use crate::yang::tree::entries::EntriesBuilder;
use crate::yang::tree::{
    Child, ChildRef, Container, Entries, Key, LeafList, List, Place, Seed, Text,
};

/// The list or leaf-list whose entries are being edited.
pub(super) enum Open<'a> {
    List(Run<'a, Container>),
    LeafList(Run<'a, Text>),
}

/// A run of edits of entries of one list.
pub(super) struct Run<'a, V> {
    node: NodeId,
    /// What was there before the request.
    old: Option<Entries<V>>,
    /// What is left of it, with what has been edited so far.
    entries: Entries<V>,
    /// What is still to be made of entries whose order is the server's.
    changes: Vec<(&'a Key, Fate<V>)>,
}

/// What becomes of an entry.
enum Fate<V> {
    Put(V),
    Delete,
}

impl Open<'_> {
    /// The list.
    pub(super) fn node(&self) -> NodeId {
        match self {
            Open::List(run) => run.node,
            Open::LeafList(run) => run.node,
        }
    }
}

impl<'a> Level<'a> {
    /// Puts the list at hand back, unless nothing is left of it.
    pub(super) fn close_list(&mut self, seed: Seed) {
        let (node, child) = match self.open.take() {
            Some(Open::List(run)) => (run.node, run.finish(seed).map(Child::List)),
            Some(Open::LeafList(run)) => (run.node, run.finish(seed).map(Child::LeafList)),
            None => return,
        };
        if let Some(child) = child {
            self.after.set(node, child);
        }
    }

    /// The run of a list: the one at hand or, from `empty`, a new one. To be put into `open` again.
    fn list(&mut self, node: NodeId, empty: List) -> Run<'a, Container> {
        if let Some(Open::List(run)) = self.open.take() {
            return run;
        }
        let old = match self.before.get(node) {
            Some(ChildRef::List(old)) => Some(old.clone()),
            Some(_) | None => None,
        };
        let entries = match self.after.remove(node) {
            Some(Child::List(entries)) => entries,
            Some(_) | None => empty,
        };
        Run { node, old, entries, changes: Vec::new() }
    }

    /// As `list`, of a leaf-list.
    fn leaf_list(&mut self, node: NodeId, empty: LeafList) -> Run<'a, Text> {
        if let Some(Open::LeafList(run)) = self.open.take() {
            return run;
        }
        let old = match self.before.get(node) {
            Some(ChildRef::LeafList(old)) => Some(old.clone()),
            Some(_) | None => None,
        };
        let entries = match self.after.remove(node) {
            Some(Child::LeafList(entries)) => entries,
            Some(_) | None => empty,
        };
        Run { node, old, entries, changes: Vec::new() }
    }
}

impl<'a, V: Clone> Run<'a, V> {
    fn old(&self, key: &Key) -> Option<&V> {
        self.old.as_ref().and_then(|old| old.get(key))
    }

    fn existence(&self, key: &Key) -> Existence {
        if self.old(key).is_some() { Existence::Present } else { Existence::Absent }
    }

    fn delete(&mut self, key: &'a Key) {
        match self.entries.order() {
            Order::System => self.changes.push((key, Fate::Delete)),
            Order::User => {
                self.entries.remove(key);
            }
        }
    }

    /// Puts an entry in; one that the user orders at once, so that the next edit sees it. The anchor has been checked.
    fn put(&mut self, key: &'a Key, value: V, insert: Option<&Insert>) {
        if self.entries.order() == Order::System {
            self.changes.push((key, Fate::Put(value)));
            return;
        }
        let place = match insert {
            None => None,
            Some(Insert::First) => Some(Place::First),
            Some(Insert::Last) => Some(Place::Last),
            // Beside itself is where it is.
            Some(Insert::Before(anchor) | Insert::After(anchor)) if anchor == key => None,
            Some(Insert::Before(anchor)) => Some(Place::Before(anchor)),
            Some(Insert::After(anchor)) => Some(Place::After(anchor)),
        };
        match place {
            None => self.entries.insert(key.clone(), value),
            Some(place) => {
                let placed = self.entries.insert_at(key.clone(), value, place);
                assert!(placed, "the anchor has been checked");
            }
        }
    }

    /// Leaves what there was before as it is; it may have to be put back or moved.
    fn keep(&mut self, key: &'a Key, insert: Option<&Insert>) {
        if insert.is_none() && self.entries.get(key).is_some() {
            return;
        }
        if let Some(old) = self.old(key).cloned() {
            self.put(key, old, insert);
        }
    }

    /// The entries when all edits of the run are done; `None` if there are none.
    ///
    /// Where the server orders, they go in by ascending key: that is what a map does fastest. The sort is stable, so
    /// that the last of several stands.
    fn finish(mut self, seed: Seed) -> Option<Entries<V>> {
        self.changes.sort_by_key(|(key, _)| *key);
        if self.entries.is_empty() && self.changes.is_sorted_by(|(a, _), (b, _)| a < b) {
            let mut builder = EntriesBuilder::new(self.entries.order(), seed);
            for (key, fate) in self.changes {
                if let Fate::Put(value) = fate {
                    builder.push(key.clone(), value);
                }
            }
            let entries = builder.finish();
            return (!entries.is_empty()).then_some(entries);
        }
        for (key, fate) in self.changes {
            match fate {
                Fate::Put(value) => self.entries.insert(key.clone(), value),
                Fate::Delete => {
                    self.entries.remove(key);
                }
            }
        }
        (!self.entries.is_empty()).then_some(self.entries)
    }
}

impl<'a> Applier<'a> {
    /// An entry of a list.
    pub(super) fn entry(
        &mut self,
        list: &schema::List,
        level: &mut Level<'a>,
        edit: &'a EditNode,
    ) -> Result<Option<Level<'a>>, DataError> {
        let EditValue::Entry(entry) = &edit.value else { return Err(self.misfit()) };
        let (key, values) = (&entry.key, &*entry.values);
        let mut run = level.list(edit.node, List::new(list.order, self.seed));
        self.check_insert(list.order, edit)?;
        let step = self.decide(edit, run.existence(key))?;
        let old = run.old(key).cloned();
        let created = old.is_none();
        let old = old.unwrap_or_default();
        let inner = match step {
            Step::Delete | Step::Skip => {
                self.gone(edit)?;
                run.delete(key);
                None
            }
            Step::Fresh => {
                self.check_place(&run, key, edit)?;
                if let Some(content) =
                    created.then(|| self.plain_entry(list, values, edit)).flatten()
                {
                    self.touch();
                    run.put(key, content, edit.insert());
                    None
                } else {
                    let start = self.keys(list, values)?;
                    Some(self.inside_entry(old, Some(start), edit))
                }
            }
            Step::Keep => {
                self.check_place(&run, key, edit)?;
                Some(self.inside_entry(old, None, edit))
            }
        };
        level.open = Some(Open::List(run));
        Ok(inner)
    }

    /// The content of a new entry that is stated in leafs alone, made in one go: most of a large load is such entries.
    /// `None` if there is more to it.
    fn plain_entry(
        &self,
        list: &schema::List,
        values: &[Text],
        edit: &EditNode,
    ) -> Option<Container> {
        if values.len() != list.keys.len() {
            return None;
        }
        let mut content = ContainerBuilder::default();
        for (node, value) in list.keys.iter().zip(values) {
            content.put_leaf(*node, value);
        }
        for child in edit.children() {
            let node = self.schema.node_checked(child.node)?;
            let key = match &node.kind {
                NodeKind::Leaf(leaf) => leaf.key.is_some(),
                NodeKind::Container { .. }
                | NodeKind::LeafList(_)
                | NodeKind::List(_)
                | NodeKind::Anydata { .. }
                | NodeKind::Anyxml { .. }
                | NodeKind::Rpc { .. }
                | NodeKind::Action { .. }
                | NodeKind::Notification => return None,
            };
            let plain = states_data(child.operation) && node.cases.is_empty();
            match &child.value {
                EditValue::Leaf(_) if plain && key => {}
                EditValue::Leaf(text) if plain && content.put_leaf(child.node, text) => {}
                EditValue::Leaf(_)
                | EditValue::Container(_)
                | EditValue::Absent
                | EditValue::Entry(_)
                | EditValue::Item(_)
                | EditValue::Any(_) => return None,
            }
        }
        Some(content.finish())
    }

    /// The key leafs of a new entry.
    fn keys(&self, list: &schema::List, values: &[Text]) -> Result<Container, DataError> {
        if values.len() != list.keys.len() {
            return Err(self.misfit());
        }
        let mut keys = Container::default();
        for (node, value) in list.keys.iter().zip(values) {
            keys.set(*node, Child::Leaf(value.clone()));
        }
        Ok(keys)
    }

    /// The inside of the entry at hand is done.
    pub(super) fn put_entry(
        &self,
        level: &mut Level<'a>,
        edit: &'a EditNode,
        content: Container,
    ) -> Result<(), DataError> {
        let (Some(key), Some(Open::List(run))) = (edit.key(), &mut level.open) else {
            return Err(self.misfit());
        };
        if run.old(key).is_some_and(|old| old.same(&content)) {
            run.keep(key, edit.insert());
        } else {
            run.put(key, content, edit.insert());
        }
        Ok(())
    }

    /// An entry of a leaf-list: it can be created and deleted, but not modified (RFC 7950, 7.7.9).
    pub(super) fn item(
        &mut self,
        items: &schema::LeafList,
        level: &mut Level<'a>,
        edit: &'a EditNode,
    ) -> Result<(), DataError> {
        let mut run = level.leaf_list(edit.node, LeafList::new(items.order, self.seed));
        self.check_insert(items.order, edit)?;
        match &edit.value {
            EditValue::Item(item) => {
                let key = &item.key;
                let step = self.decide(edit, run.existence(key))?;
                if edit.operation != Operation::None {
                    self.touch();
                }
                if matches!(step, Step::Fresh | Step::Keep) {
                    self.check_place(&run, key, edit)?;
                }
                match step {
                    Step::Delete | Step::Skip => run.delete(key),
                    Step::Fresh if run.old(key).is_none() => {
                        run.put(key, item.value.clone(), edit.insert());
                    }
                    Step::Fresh | Step::Keep => run.keep(key, edit.insert()),
                }
            }
            EditValue::Absent => self.whole(run.old.is_some(), edit)?,
            EditValue::Container(_)
            | EditValue::Leaf(_)
            | EditValue::Entry(_)
            | EditValue::Any(_) => {
                return Err(self.misfit());
            }
        }
        level.open = Some(Open::LeafList(run));
        Ok(())
    }

    /// A leaf-list named without a value: all of it is meant. What is to go has gone when its level began.
    fn whole(&mut self, present: bool, edit: &'a EditNode) -> Result<(), DataError> {
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
        if edit.insert().is_none() {
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

    /// The anchor of an entry that is put in is there (RFC 7950, 15.7). An entry that is inserted or moved touches
    /// all of its list.
    fn check_place<V: Clone>(
        &mut self,
        run: &Run<'a, V>,
        key: &Key,
        edit: &EditNode,
    ) -> Result<(), DataError> {
        if run.entries.order() == Order::System {
            return Ok(());
        }
        if edit.insert().is_some() || run.entries.get(key).is_none() {
            self.touch_list();
        }
        match edit.insert() {
            Some(Insert::Before(anchor) | Insert::After(anchor))
                if run.entries.get(anchor).is_none() =>
            {
                let attribute = match edit.value {
                    EditValue::Entry(_) => "key".to_owned(),
                    EditValue::Container(_)
                    | EditValue::Leaf(_)
                    | EditValue::Absent
                    | EditValue::Item(_)
                    | EditValue::Any(_) => "value".to_owned(),
                };
                let kind = DataErrorKind::BadAttribute { attribute, element: self.name(edit.node) };
                let message = "the entry that insert refers to does not exist".to_owned();
                Err(self.fault(kind, message).tagged("missing-instance"))
            }
            Some(Insert::First | Insert::Last | Insert::Before(_) | Insert::After(_)) | None => {
                Ok(())
            }
        }
    }
}

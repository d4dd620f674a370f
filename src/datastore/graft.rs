//! Taking over what one tree has at some places into another.

use super::footprint::Step;
use crate::yang::schema::{NodeId, NodeKind, Order, Schema};
use crate::yang::tree::{
    Child, ChildRef, Container, Entries, Key, KeyPath, LeafList, List, Seed, Tree,
};

/// The way to the place is blocked: an entry or presence container on it is in the source, but not in the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked;

/// Makes what is at `path` in `target` what it is at `path` in `source`, also if that is nothing. Non-presence
/// containers on the way come and go as needed.
pub(super) fn graft(
    schema: &Schema,
    target: &mut Tree,
    source: &Tree,
    path: &KeyPath,
) -> Result<(), Blocked> {
    Graft { schema, seed: target.seed }.container(&mut target.root, Some(&source.root), &path.0)
}

/// The way down. It is as deep as the schema.
struct Graft<'a> {
    schema: &'a Schema,
    seed: Seed,
}

impl Graft<'_> {
    fn container(
        &self,
        target: &mut Container,
        source: Option<&Container>,
        steps: &[Step],
    ) -> Result<(), Blocked> {
        let Some(((id, key), rest)) = steps.split_first() else {
            *target = source.cloned().unwrap_or_default();
            return Ok(());
        };
        let theirs = source.and_then(|source| source.get(*id));
        match key {
            None if rest.is_empty() => {
                put(target, *id, theirs.map(ChildRef::to_owned));
                Ok(())
            }
            None => self.child(target, *id, theirs, rest),
            Some(key) => self.entry(target, (*id, key), theirs, rest),
        }
    }

    fn child(
        &self,
        target: &mut Container,
        id: NodeId,
        theirs: Option<ChildRef<'_>>,
        rest: &[Step],
    ) -> Result<(), Blocked> {
        let theirs = match theirs {
            Some(ChildRef::Container(theirs)) => Some(theirs),
            Some(_) | None => None,
        };
        let presence = matches!(
            self.schema.node_checked(id).map(|node| &node.kind),
            Some(NodeKind::Container { presence: true })
        );
        let ours = match target.get(id) {
            Some(ChildRef::Container(ours)) => Some(ours.clone()),
            Some(_) | None => None,
        };
        let mut content = match (ours, theirs) {
            (Some(ours), _) => ours,
            (None, None) => return Ok(()),
            (None, Some(_)) if presence => return Err(Blocked),
            (None, Some(_)) => Container::default(),
        };
        self.container(&mut content, theirs, rest)?;
        let stays = presence || !content.is_empty();
        put(target, id, stays.then_some(Child::Container(content)));
        Ok(())
    }

    fn entry(
        &self,
        target: &mut Container,
        (id, key): (NodeId, &Key),
        theirs: Option<ChildRef<'_>>,
        rest: &[Step],
    ) -> Result<(), Blocked> {
        let order = match self.schema.node_checked(id).map(|node| &node.kind) {
            Some(NodeKind::List(list)) => list.order,
            Some(NodeKind::LeafList(items)) => {
                let theirs = match theirs {
                    Some(ChildRef::LeafList(theirs)) => theirs.get(key).cloned(),
                    Some(_) | None => None,
                };
                let ours = target.remove(id);
                let mut ours = match ours {
                    Some(Child::LeafList(ours)) => ours,
                    Some(_) | None => LeafList::new(items.order, self.seed),
                };
                put_entry(&mut ours, key, theirs);
                put(target, id, (!ours.is_empty()).then_some(Child::LeafList(ours)));
                return Ok(());
            }
            Some(_) | None => Order::System,
        };
        let theirs = match theirs {
            Some(ChildRef::List(theirs)) => theirs.get(key),
            Some(_) | None => None,
        };
        let mut ours = match target.get(id) {
            Some(ChildRef::List(ours)) => ours.clone(),
            Some(_) | None => List::new(order, self.seed),
        };
        if rest.is_empty() {
            put_entry(&mut ours, key, theirs.cloned());
        } else {
            match (ours.get(key).cloned(), theirs) {
                (Some(mut content), theirs) => {
                    self.container(&mut content, theirs, rest)?;
                    ours.insert(key.clone(), content);
                }
                (None, Some(_)) => return Err(Blocked),
                (None, None) => return Ok(()),
            }
        }
        put(target, id, (!ours.is_empty()).then_some(Child::List(ours)));
        Ok(())
    }
}

fn put(target: &mut Container, id: NodeId, child: Option<Child>) {
    match child {
        Some(child) => target.set(id, child),
        None => {
            target.remove(id);
        }
    }
}

fn put_entry<V: Clone>(entries: &mut Entries<V>, key: &Key, value: Option<V>) {
    match value {
        Some(value) => entries.insert(key.clone(), value),
        None => {
            entries.remove(key);
        }
    }
}

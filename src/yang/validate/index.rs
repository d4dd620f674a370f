//! Reverse indexes of a tree: who refers to a value, where a value stands, which entries have the same values.
//!
//! A row is a hash, of a rule with values, and the keys of the lists on the way to a node that has these values. It says
//! where to look; whoever asks looks there, so that two values with one hash do no harm. The rows are kept as entries of
//! lists are: an index of another version of the tree shares what is equal.

use super::plan::{Column, Plan, Role, Target, Unique};
use super::rules::{RuleId, Rules};
use crate::base::limits::VALIDATION_ERRORS_MAX;
use crate::yang::schema::{NodeId, NodeKind, Order, Schema};
use crate::yang::tree::{
    Change, ChildRef, Container, Diff, Entries, EntriesBuilder, EntriesChange, EntryChange, Key,
    KeyPath, List, Seed, Text, Tree, diff,
};
use siphasher::sip::SipHasher13;
use std::collections::BTreeSet;
use std::hash::Hasher;

/// Where one of so many rows changes, all are written anew.
const ROWS_MERGED_FROM: usize = 4;

/// The indexes of a tree.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    of: Tree,
    rows: Entries<()>,
}

/// A value that a leafref may need is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lost {
    pub(super) rule: RuleId,
    /// Of the rows of those that refer to it.
    hash: u64,
}

impl Index {
    /// Of no data.
    pub(crate) fn empty(seed: Seed) -> Self {
        Self { of: Tree::empty(seed), rows: Entries::new(Order::System, seed) }
    }

    /// The indexes of another tree. That costs what differs.
    pub(crate) fn at(&self, schema: &Schema, tree: &Tree) -> Self {
        if tree.seed != self.of.seed {
            return Self::empty(tree.seed).at(schema, tree);
        }
        if Rules::of(schema).plan.is_empty() {
            return Self { of: tree.clone(), rows: self.rows.clone() };
        }
        self.moved(schema, tree, &diff(&self.of, tree)).0
    }

    /// The indexes of `tree`, which differs so, and the values that are gone.
    pub(super) fn moved(
        &self,
        schema: &Schema,
        tree: &Tree,
        diff: &Diff,
    ) -> (Self, BTreeSet<Lost>) {
        let plan = &Rules::of(schema).plan;
        let mut walk = Walk {
            plan,
            seed: tree.seed,
            path: Path::default(),
            new: Vec::new(),
            gone: Vec::new(),
            lost: BTreeSet::new(),
        };
        walk.container(diff, &self.of.root, &tree.root);
        let rows = changed(&self.rows, tree.seed, (walk.gone, walk.new));
        (Self { of: tree.clone(), rows }, walk.lost)
    }

    #[cfg(test)]
    pub(super) fn rows_for_test(&self) -> Vec<&Key> {
        self.rows.iter().map(|(row, ())| row).collect()
    }

    /// What follows the hash in its rows: nothing, where no list is on the way.
    fn rows(&self, hash: u64) -> impl Iterator<Item = &[u8]> {
        let before = hash.checked_sub(1).map(u64::to_be_bytes);
        let before = Key::from(before.as_ref().map_or(&[][..], |before| before));
        let hash = hash.to_be_bytes();
        let behind = self.rows.iter_after(&before).map(|(row, ())| row.as_bytes());
        let from = behind.skip_while(move |row| *row < hash.as_slice());
        from.map_while(move |row| row.strip_prefix(hash.as_slice()))
    }

    /// Where nodes refer to a value that is gone. It is there for all who refer by one leafref, or for none, so that
    /// some of them are enough; another member of a union may be right in one place and wrong in another.
    pub(super) fn referrers(&self, schema: &Schema, lost: Lost) -> Vec<KeyPath> {
        let Some(rule) = Rules::of(schema).constraints.rule(lost.rule) else { return Vec::new() };
        let most = if rule.is_leafref(schema) { VALIDATION_ERRORS_MAX } else { usize::MAX };
        let place = |row| rule.at.and_then(|at| place(schema, at, row));
        self.rows(lost.hash).take(most).filter_map(place).collect()
    }

    /// A target of the rule has this value, as seen from `from`.
    pub(super) fn has_target(
        &self,
        schema: &Schema,
        (rule, target): (RuleId, Target),
        (from, value): (&[(NodeId, Option<Key>)], &str),
    ) -> bool {
        let path = Path::to(from);
        let scope = path.scope(target.lists);
        let hash = hash(self.of.seed, (rule, TARGET), scope, [value]);
        self.rows(hash).any(|row| {
            row.starts_with(scope)
                && place(schema, target.node, row)
                    .is_some_and(|place| value_at(&self.of.root, &place.0) == Some(value))
        })
    }

    /// The keys of entries of a list in `parent` that may have these values.
    pub(super) fn entries_with(
        &self,
        rule: RuleId,
        parent: &[(NodeId, Option<Key>)],
        values: &[Text],
    ) -> Vec<Key> {
        let path = Path::to(parent);
        let values = values.iter().map(Text::as_str);
        let hash = hash(self.of.seed, (rule, UNIQUE), &path.bytes, values);
        let key = |row: &[u8]| {
            let (key, rest) = split_key(row.strip_prefix(path.bytes.as_slice())?)?;
            rest.is_empty().then_some(key)
        };
        self.rows(hash).filter_map(key).collect()
    }
}

const REFERRER: u8 = 0;
const TARGET: u8 = 1;
const UNIQUE: u8 = 2;

/// Of a rule with values, in the instance of the anchor that the keys in `scope` name.
fn hash<'v>(
    seed: Seed,
    (rule, role): (RuleId, u8),
    scope: &[u8],
    values: impl IntoIterator<Item = &'v str>,
) -> u64 {
    let mut hasher = SipHasher13::new_with_key(&seed.0.to_le_bytes());
    hasher.write_u8(role);
    hasher.write_u32(rule.0);
    hasher.write_usize(scope.len());
    hasher.write(scope);
    for value in values {
        hasher.write_usize(value.len());
        hasher.write(value.as_bytes());
    }
    hasher.finish()
}

/// A row behind its hash, so that few comparisons look at more.
type Hashed = (u64, Key);

fn changed(
    rows: &Entries<()>,
    seed: Seed,
    (mut gone, mut new): (Vec<Hashed>, Vec<Hashed>),
) -> Entries<()> {
    if (gone.len() + new.len()).saturating_mul(ROWS_MERGED_FROM) < rows.len() {
        let mut rows = rows.clone();
        for (_, row) in &gone {
            rows.remove(row);
        }
        for (_, row) in new {
            rows.insert(row, ());
        }
        return rows;
    }
    gone.sort_unstable();
    new.sort_unstable();
    let (mut gone, mut new) = (gone.into_iter().peekable(), new.into_iter().peekable());
    let mut builder = EntriesBuilder::new(Order::System, seed);
    for (row, ()) in rows.iter() {
        let first = row.as_bytes().first_chunk();
        let at = (first.map_or(0, |hash| u64::from_be_bytes(*hash)), row);
        while let Some((_, row)) = new.next_if(|(hash, row)| (*hash, row) < at) {
            builder.push(row, ());
        }
        while gone.next_if(|(hash, row)| (*hash, row) < at).is_some() {}
        if gone.next_if(|(hash, row)| (*hash, row) == at).is_none() {
            builder.push(row.clone(), ());
        }
    }
    for (_, row) in new {
        builder.push(row, ());
    }
    builder.finish()
}

/// The keys of the lists on the way to a node, one behind the other, each with its length.
#[derive(Debug, Default)]
struct Path {
    bytes: Vec<u8>,
    /// Where each key ends.
    ends: Vec<usize>,
}

/// A length that does not fit into one byte follows this one.
const LONG: u8 = u8::MAX;

impl Path {
    fn to(place: &[(NodeId, Option<Key>)]) -> Self {
        let mut path = Self::default();
        place.iter().filter_map(|(_, key)| key.as_ref()).for_each(|key| path.push(key));
        path
    }

    fn push(&mut self, key: &Key) {
        let bytes = key.as_bytes();
        match u8::try_from(bytes.len()) {
            Ok(len) if len != LONG => self.bytes.push(len),
            _ => {
                self.bytes.push(LONG);
                self.bytes.extend_from_slice(&bytes.len().to_be_bytes());
            }
        }
        self.bytes.extend_from_slice(bytes);
        self.ends.push(self.bytes.len());
    }

    fn pop(&mut self) {
        self.ends.pop();
        self.bytes.truncate(self.ends.last().copied().unwrap_or(0));
    }

    /// Up to so many lists.
    fn scope(&self, lists: usize) -> &[u8] {
        let end = lists.checked_sub(1).and_then(|last| self.ends.get(last));
        self.bytes.get(..end.copied().unwrap_or(0)).unwrap_or_default()
    }
}

/// The first key of a path, and what follows it.
fn split_key(bytes: &[u8]) -> Option<(Key, &[u8])> {
    let (len, rest) = bytes.split_first()?;
    let (len, rest) = match *len {
        LONG => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from_be_bytes(*len), rest)
        }
        len => (usize::from(len), rest),
    };
    let (key, rest) = rest.split_at_checked(len)?;
    Some((Key::from(key), rest))
}

/// Where the instance of a node is that lies in these entries.
fn place(schema: &Schema, node: NodeId, mut keys: &[u8]) -> Option<KeyPath> {
    let mut way: Vec<NodeId> = std::iter::once(node).chain(schema.ancestors(node)).collect();
    way.reverse();
    let step = |id: NodeId| match schema.node(id).kind {
        NodeKind::List(_) | NodeKind::LeafList(_) => {
            let (key, rest) = split_key(keys)?;
            keys = rest;
            Some((id, Some(key)))
        }
        NodeKind::Leaf(_)
        | NodeKind::Container { .. }
        | NodeKind::Anydata { .. }
        | NodeKind::Anyxml { .. }
        | NodeKind::Rpc { .. }
        | NodeKind::Action { .. }
        | NodeKind::Notification => Some((id, None)),
    };
    way.into_iter().map(step).collect::<Option<Vec<_>>>().map(KeyPath)
}

/// The value of the leaf, or entry of a leaf-list, at `place`.
fn value_at<'t>(root: &'t Container, place: &[(NodeId, Option<Key>)]) -> Option<&'t str> {
    let mut at = root;
    for (node, key) in place {
        at = match (at.get(*node)?, key) {
            (ChildRef::Container(inner), _) => inner,
            (ChildRef::List(list), Some(key)) => list.get(key)?,
            (ChildRef::LeafList(list), Some(key)) => return list.get(key).map(Text::as_str),
            (ChildRef::Leaf(value), _) => return Some(value),
            (ChildRef::List(_) | ChildRef::LeafList(_) | ChildRef::Any(_), _) => return None,
        };
    }
    None
}

/// The values that make an entry one of its kind.
fn values<'t>(entry: &'t Container, unique: &Unique) -> Option<Vec<&'t str>> {
    unique.leafs.iter().map(|place| value_at(entry, &place.0)).collect()
}

/// A walk through what differs. It goes as deep as the schema.
struct Walk<'p> {
    plan: &'p Plan,
    seed: Seed,
    path: Path,
    new: Vec<Hashed>,
    gone: Vec<Hashed>,
    lost: BTreeSet<Lost>,
}

/// What becomes of a value.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    New,
    Gone,
}

impl Walk<'_> {
    /// A container, or an entry, that is there before and after.
    fn container(&mut self, diff: &Diff, old: &Container, new: &Container) {
        for (node, change) in diff.changes.iter().filter(|(node, _)| self.plan.leads_on(*node)) {
            match change {
                Change::Leaf { old, new } => {
                    old.iter().for_each(|value| self.value(*node, value, Fate::Gone));
                    new.iter().for_each(|value| self.value(*node, value, Fate::New));
                }
                Change::Container { inner, .. } => match (old.get(*node), new.get(*node)) {
                    (Some(ChildRef::Container(old)), Some(ChildRef::Container(new))) => {
                        self.container(inner, old, new);
                    }
                    (old, new) => {
                        old.into_iter().for_each(|old| self.child(*node, old, Fate::Gone));
                        new.into_iter().for_each(|new| self.child(*node, new, Fate::New));
                    }
                },
                Change::List(EntriesChange::Changed { entries, .. }) => {
                    let (Some(ChildRef::List(old)), Some(ChildRef::List(new))) =
                        (old.get(*node), new.get(*node))
                    else {
                        continue;
                    };
                    self.entries(*node, entries, (old, new));
                }
                Change::LeafList(EntriesChange::Changed { entries, .. }) => {
                    let (Some(ChildRef::LeafList(old)), Some(ChildRef::LeafList(new))) =
                        (old.get(*node), new.get(*node))
                    else {
                        continue;
                    };
                    for (key, _) in entries {
                        old.get(key)
                            .iter()
                            .for_each(|old| self.item(*node, (key, old), Fate::Gone));
                        new.get(key).iter().for_each(|new| self.item(*node, (key, new), Fate::New));
                    }
                }
                Change::List(_) | Change::LeafList(_) => {
                    old.get(*node).into_iter().for_each(|old| self.child(*node, old, Fate::Gone));
                    new.get(*node).into_iter().for_each(|new| self.child(*node, new, Fate::New));
                }
                Change::Any { .. } => {}
            }
        }
    }

    fn entries(
        &mut self,
        node: NodeId,
        changes: &[(Key, EntryChange<Container, Diff>)],
        (old, new): (&List, &List),
    ) {
        for (key, change) in changes {
            match (change, old.get(key), new.get(key)) {
                (EntryChange::Changed(inner), Some(old), Some(new)) => {
                    self.uniques(node, key, (Some(old), Some(new)));
                    self.path.push(key);
                    self.container(inner, old, new);
                    self.path.pop();
                }
                (_, old, new) => {
                    old.into_iter().for_each(|old| self.entry(node, (key, old), Fate::Gone));
                    new.into_iter().for_each(|new| self.entry(node, (key, new), Fate::New));
                }
            }
        }
    }

    /// All of a node.
    fn child(&mut self, node: NodeId, child: ChildRef<'_>, fate: Fate) {
        match child {
            ChildRef::Leaf(value) => self.value(node, value, fate),
            ChildRef::Container(inner) => self.all(inner, fate),
            ChildRef::List(list) => {
                list.iter().for_each(|entry| self.entry(node, entry, fate));
            }
            ChildRef::LeafList(list) => {
                list.iter().for_each(|item| self.item(node, item, fate));
            }
            ChildRef::Any(_) => {}
        }
    }

    fn all(&mut self, content: &Container, fate: Fate) {
        for (node, child) in content.iter().filter(|(node, _)| self.plan.leads_on(*node)) {
            self.child(node, child, fate);
        }
    }

    fn entry(&mut self, node: NodeId, (key, content): (&Key, &Container), fate: Fate) {
        match fate {
            Fate::New => self.uniques(node, key, (None, Some(content))),
            Fate::Gone => self.uniques(node, key, (Some(content), None)),
        }
        self.path.push(key);
        self.all(content, fate);
        self.path.pop();
    }

    fn item(&mut self, node: NodeId, (key, value): (&Key, &Text), fate: Fate) {
        self.path.push(key);
        self.value(node, value, fate);
        self.path.pop();
    }

    fn value(&mut self, node: NodeId, value: &str, fate: Fate) {
        for Column { rule, role, lists } in self.plan.columns(node) {
            let scope = self.path.scope(*lists);
            let of = |role| hash(self.seed, (*rule, role), scope, [value]);
            match role {
                Role::Referrer => self.row(of(REFERRER), fate),
                Role::Target { indexed } => {
                    if fate == Fate::Gone {
                        self.lost.insert(Lost { rule: *rule, hash: of(REFERRER) });
                    }
                    if *indexed {
                        self.row(of(TARGET), fate);
                    }
                }
            }
        }
    }

    /// The values of an entry's `unique` leafs, before and after, where all of them are there (RFC 7950, 7.8.3).
    fn uniques(
        &mut self,
        list: NodeId,
        key: &Key,
        entries: (Option<&Container>, Option<&Container>),
    ) {
        for unique in self.plan.uniques(list) {
            let (old, new) = (
                entries.0.and_then(|e| values(e, unique)),
                entries.1.and_then(|e| values(e, unique)),
            );
            if old == new {
                continue;
            }
            for (values, fate) in [(old, Fate::Gone), (new, Fate::New)] {
                let Some(values) = values else { continue };
                let hash = hash(self.seed, (unique.rule, UNIQUE), &self.path.bytes, values);
                self.path.push(key);
                self.row(hash, fate);
                self.path.pop();
            }
        }
    }

    fn row(&mut self, hash: u64, fate: Fate) {
        let row = [hash.to_be_bytes().as_slice(), &self.path.bytes].concat();
        match fate {
            Fate::New => self.new.push((hash, Key::from(row))),
            Fate::Gone => self.gone.push((hash, Key::from(row))),
        }
    }
}

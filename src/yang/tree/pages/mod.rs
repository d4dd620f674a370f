//! Rows in pages: a persistent B+tree whose shape depends on its rows and the seed alone.
//!
//! Each key has a level, drawn from its hash: one of 16 is at least 1, one of 256 at least 2, and so on. A row whose
//! key has level `n` begins a page, and a node at each level below `n`; so does the very first row, at all levels.
//! That leaves one shape for each sequence of rows, whatever edits made it: equal pages of two versions stay shared,
//! and equal content has equal digests.

mod build;
mod edit;

use super::{Key, Seed};
use crate::base::ids::Digest;
use siphasher::sip::SipHasher13;
use std::sync::{Arc, OnceLock};

pub(super) use build::PagesBuilder;
pub(super) use edit::Moved;

/// Levels of nodes, the pages' included.
pub(super) const LEVELS_MAX: usize = 12;

/// One of 2^4 rows begins a page.
const FAN_OUT_BITS: u32 = 4;

/// The level of a key under a seed.
pub(super) fn level(seed: Seed, key: &Key) -> usize {
    let hash = SipHasher13::new_with_key(&seed.0.to_le_bytes()).hash(key.as_bytes());
    usize::try_from(hash.trailing_zeros() / FAN_OUT_BITS)
        .map_or(0, |level| level.min(LEVELS_MAX - 1))
}

pub(super) type Row<V> = (Key, V);

/// A node below an inner one, with the key of its first row.
pub(super) type Child<V> = (Key, Arc<Node<V>>);

/// The way from the root to a row: the position in each node, the last one that in the page.
pub(super) type Steps = Vec<usize>;

/// Rows in an order that the caller keeps.
#[derive(Debug, Clone)]
pub(super) struct Pages<V> {
    pub(super) root: Option<Arc<Node<V>>>,
}

/// A page, or what holds pages together.
#[derive(Debug, Clone)]
pub(super) struct Node<V> {
    pub(super) body: Body<V>,
    /// Invariant: that of `body`, or not there.
    digest: OnceLock<Digest>,
}

#[derive(Debug, Clone)]
pub(super) enum Body<V> {
    Page(Vec<Row<V>>),
    Inner(Inner<V>),
}

#[derive(Debug, Clone)]
pub(super) struct Inner<V> {
    /// 1 above pages.
    level: usize,
    /// Rows below.
    len: usize,
    pub(super) children: Vec<Child<V>>,
}

impl<V> Default for Pages<V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<V> Node<V> {
    fn page(rows: Vec<Row<V>>) -> Self {
        Self { body: Body::Page(rows), digest: OnceLock::new() }
    }

    fn inner(level: usize, children: Vec<Child<V>>) -> Self {
        let len = children.iter().map(|(_, child)| child.len()).sum();
        Self { body: Body::Inner(Inner { level, len, children }), digest: OnceLock::new() }
    }

    /// Rows in it or below.
    pub(super) fn len(&self) -> usize {
        match &self.body {
            Body::Page(rows) => rows.len(),
            Body::Inner(inner) => inner.len,
        }
    }

    /// 0 for a page.
    pub(super) fn level(&self) -> usize {
        match &self.body {
            Body::Page(_) => 0,
            Body::Inner(inner) => inner.level,
        }
    }

    /// The key of the first row.
    pub(super) fn first_key(&self) -> Option<&Key> {
        match &self.body {
            Body::Page(rows) => rows.first().map(|(key, _)| key),
            Body::Inner(inner) => inner.children.first().map(|(key, _)| key),
        }
    }

    /// The digest, made where it is not known: by `page` of rows, by `inner` of a level and the children's digests.
    pub(super) fn digest(
        &self,
        page: &mut dyn FnMut(&[Row<V>]) -> Digest,
        inner: fn(usize, &[Digest]) -> Digest,
    ) -> Digest {
        if let Some(digest) = self.digest.get() {
            return *digest;
        }
        let digest = match &self.body {
            Body::Page(rows) => page(rows),
            Body::Inner(Inner { level, children, .. }) => {
                let below: Vec<Digest> =
                    children.iter().map(|(_, child)| child.digest(page, inner)).collect();
                inner(*level, &below)
            }
        };
        *self.digest.get_or_init(|| digest)
    }

    /// The two hold the same rows, as can be seen without opening them.
    pub(super) fn known_equal(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        Arc::ptr_eq(self, other)
            || matches!((self.digest.get(), other.digest.get()), (Some(a), Some(b)) if a == b)
    }

    /// Calls `open` with the pages whose digest is not known.
    pub(super) fn for_each_unknown<'a>(&'a self, open: &mut dyn FnMut(&'a [Row<V>])) {
        match &self.body {
            _ if self.digest.get().is_some() => {}
            Body::Page(rows) => open(rows),
            Body::Inner(inner) => {
                inner.children.iter().for_each(|(_, child)| child.for_each_unknown(open));
            }
        }
    }

    /// Gives the rows away that nobody else holds.
    fn take_apart(self: Arc<Self>, take: &mut dyn FnMut(V)) {
        match Arc::into_inner(self).map(|node| node.body) {
            Some(Body::Page(rows)) => rows.into_iter().for_each(|(_, value)| take(value)),
            Some(Body::Inner(inner)) => {
                inner.children.into_iter().for_each(|(_, child)| child.take_apart(take));
            }
            None => {}
        }
    }
}

impl<V> Pages<V> {
    /// Rows.
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.len())
    }

    /// The level of the root.
    pub(super) fn height(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.level())
    }

    /// The key of the first row.
    pub(super) fn first_key(&self) -> Option<&Key> {
        self.root.as_ref()?.first_key()
    }

    /// All rows in order.
    pub(super) fn iter(&self) -> Iter<'_, V> {
        let mut iter = Iter { rows: [].iter(), above: Vec::new() };
        if let Some(root) = &self.root {
            iter.open(root);
        }
        iter
    }

    /// The rows from `steps` on; the last step may be behind the end of the page.
    pub(super) fn iter_from(&self, steps: &[usize]) -> Iter<'_, V> {
        let mut iter = Iter { rows: [].iter(), above: Vec::new() };
        let mut next = self.root.as_deref();
        for step in steps {
            match next.take().map(|node| &node.body) {
                Some(Body::Page(rows)) => {
                    iter.rows = rows.get(*step..).unwrap_or_default().iter();
                }
                Some(Body::Inner(inner)) => {
                    next = inner.children.get(*step).map(|(_, child)| &**child);
                    iter.above.push(inner.children.get(*step + 1..).unwrap_or_default().iter());
                }
                None => {}
            }
        }
        iter
    }

    /// The row at `steps`.
    pub(super) fn row(&self, steps: &[usize]) -> Option<&Row<V>> {
        let mut node = self.root.as_deref()?;
        for step in steps {
            match &node.body {
                Body::Page(rows) => return rows.get(*step),
                Body::Inner(inner) => node = &inner.children.get(*step)?.1,
            }
        }
        None
    }

    /// How many rows stand before the one at `steps`.
    pub(super) fn rows_before(&self, steps: &[usize]) -> usize {
        let (mut next, mut count) = (self.root.as_deref(), 0);
        for step in steps {
            match next.take().map(|node| &node.body) {
                Some(Body::Page(_)) | None => count += step,
                Some(Body::Inner(inner)) => {
                    count += inner
                        .children
                        .iter()
                        .take(*step)
                        .map(|(_, child)| child.len())
                        .sum::<usize>();
                    next = inner.children.get(*step).map(|(_, child)| &**child);
                }
            }
        }
        count
    }

    /// The first key of the node at `level` on the way; `None` if that is the very first key.
    pub(super) fn first_at(&self, steps: &[usize], level: usize) -> Option<&Key> {
        let way = steps.get(..self.height().checked_sub(level)?)?;
        if way.iter().all(|step| *step == 0) {
            return None;
        }
        let mut node = self.root.as_deref()?;
        for step in way {
            match &node.body {
                Body::Page(_) => return None,
                Body::Inner(inner) => node = &inner.children.get(*step)?.1,
            }
        }
        node.first_key()
    }

    /// Where the first nodes are concerned that lie below `level`: the keys in them but the very first.
    pub(super) fn keys_beside_first(&self, level: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut next = self.root.as_deref();
        while let Some(node) = next {
            match &node.body {
                Body::Page(rows) => {
                    keys.extend(rows.iter().skip(1).map(|(key, _)| key.clone()));
                    next = None;
                }
                Body::Inner(inner) => {
                    if inner.level < level {
                        keys.extend(inner.children.iter().skip(1).map(|(key, _)| key.clone()));
                    }
                    next = inner.children.first().map(|(_, child)| &**child);
                }
            }
        }
        if level == 0 { Vec::new() } else { keys }
    }

    /// Behind the last row.
    pub(super) fn end(&self) -> Steps {
        self.end_below(Vec::new(), self.root.as_deref())
    }

    /// Behind the row before the one at `steps`, in that one's page; `None` if there is none.
    pub(super) fn end_before(&self, steps: &[usize]) -> Option<Steps> {
        let (row, _) = steps.split_last()?;
        if *row > 0 {
            return Some(steps.to_vec());
        }
        let turn = steps.iter().rposition(|step| *step > 0)?;
        let mut before: Steps = steps.get(..=turn)?.to_vec();
        *before.last_mut()? -= 1;
        let mut node = self.root.as_deref()?;
        for step in &before {
            match &node.body {
                Body::Page(_) => return None,
                Body::Inner(inner) => node = &inner.children.get(*step)?.1,
            }
        }
        Some(self.end_below(before, Some(node)))
    }

    fn end_below(&self, mut steps: Steps, mut next: Option<&Node<V>>) -> Steps {
        while let Some(node) = next {
            match &node.body {
                Body::Page(rows) => {
                    steps.push(rows.len());
                    next = None;
                }
                Body::Inner(inner) => {
                    steps.push(inner.children.len().saturating_sub(1));
                    next = inner.children.last().map(|(_, child)| &**child);
                }
            }
        }
        steps
    }

    /// Of rows in ascending order: where `key` is, or where it would be inserted.
    pub(super) fn search(&self, key: &Key) -> Result<Steps, Steps> {
        let mut steps = Vec::with_capacity(self.height() + 1);
        let mut next = self.root.as_deref();
        let mut found = false;
        while let Some(node) = next {
            match &node.body {
                Body::Page(rows) => {
                    let at = rows.binary_search_by(|(other, _)| other.cmp(key));
                    found = at.is_ok();
                    steps.push(at.unwrap_or_else(|at| at));
                    next = None;
                }
                Body::Inner(inner) => {
                    let at = position_above(&inner.children, key);
                    steps.push(at);
                    next = inner.children.get(at).map(|(_, child)| &**child);
                }
            }
        }
        if found { Ok(steps) } else { Err(steps) }
    }

    /// Of rows in ascending order: the value of `key`.
    pub(super) fn find(&self, key: &Key) -> Option<&V> {
        let mut node = self.root.as_deref()?;
        loop {
            match &node.body {
                Body::Page(rows) => {
                    let at = rows.binary_search_by(|(other, _)| other.cmp(key)).ok()?;
                    return rows.get(at).map(|(_, value)| value);
                }
                Body::Inner(inner) => {
                    node = &inner.children.get(position_above(&inner.children, key))?.1;
                }
            }
        }
    }

    /// Gives the rows away that nobody else holds.
    pub(super) fn take_apart(self, take: &mut dyn FnMut(V)) {
        if let Some(root) = self.root {
            root.take_apart(take);
        }
    }

    /// The two hold the same rows, as can be seen without opening them.
    pub(super) fn known_equal(&self, other: &Self) -> bool {
        match (&self.root, &other.root) {
            (Some(root), Some(other)) => root.known_equal(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The child below which `key` belongs.
fn position_above<V>(children: &[Child<V>], key: &Key) -> usize {
    children.partition_point(|(first, _)| first <= key).saturating_sub(1)
}

/// A node as a child.
fn keyed<V>(node: Arc<Node<V>>) -> Option<Child<V>> {
    Some((node.first_key()?.clone(), node))
}

/// Rows in order.
#[derive(Debug)]
pub(super) struct Iter<'a, V> {
    rows: std::slice::Iter<'a, Row<V>>,
    above: Vec<std::slice::Iter<'a, Child<V>>>,
}

impl<V> Clone for Iter<'_, V> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), above: self.above.clone() }
    }
}

impl<'a, V> Iter<'a, V> {
    fn open(&mut self, node: &'a Node<V>) {
        match &node.body {
            Body::Page(rows) => self.rows = rows.iter(),
            Body::Inner(inner) => self.above.push(inner.children.iter()),
        }
    }

    /// Opens the next page. Kept out of the way of the rows.
    #[inline(never)]
    fn next_page(&mut self) -> Option<&'a Row<V>> {
        loop {
            match self.above.last_mut()?.next() {
                Some((_, child)) => self.open(child),
                None => {
                    self.above.pop();
                }
            }
            if let Some(row) = self.rows.next() {
                return Some(row);
            }
        }
    }
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (&'a Key, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = match self.rows.next() {
            Some(row) => row,
            None => self.next_page()?,
        };
        Some((key, value))
    }
}

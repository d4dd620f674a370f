//! What differs between two versions of a list's rows, without opening the pages that they share.

use super::diff::{Difference, Placed};
use super::pages::{Body, Node, Pages, Row};
use super::{Key, order};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A row, or the node that holds it and others.
enum Piece<'a, V> {
    Node(&'a Key, &'a Arc<Node<V>>),
    Row(&'a Row<V>),
}

impl<V> Clone for Piece<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Piece<'_, V> {}

impl<'a, V> Piece<'a, V> {
    fn root(pages: &'a Pages<V>) -> Option<Self> {
        let root = pages.root.as_ref()?;
        Some(Piece::Node(root.first_key()?, root))
    }

    fn first_key(&self) -> &'a Key {
        match self {
            Piece::Node(key, _) => key,
            Piece::Row((key, _)) => key,
        }
    }

    fn last_key(&self) -> Option<&'a Key> {
        let mut node = match self {
            Piece::Row((key, _)) => return Some(key),
            Piece::Node(_, node) => &***node,
        };
        loop {
            match &node.body {
                Body::Page(rows) => return rows.last().map(|(key, _)| key),
                Body::Inner(inner) => node = &inner.children.last()?.1,
            }
        }
    }
}

/// The pieces below `node`, in order.
fn open<V>(node: &Node<V>) -> impl DoubleEndedIterator<Item = Piece<'_, V>> {
    let (rows, children) = match &node.body {
        Body::Page(rows) => (rows.as_slice(), [].as_slice()),
        Body::Inner(inner) => ([].as_slice(), inner.children.as_slice()),
    };
    let nodes = children.iter().map(|(key, child)| Piece::Node(key, child));
    rows.iter().map(Piece::Row).chain(nodes)
}

/// Rows in ascending order, of which only what is needed is opened.
struct Ascending<'a, V> {
    /// The next piece is the last.
    pieces: Vec<Piece<'a, V>>,
    opened: usize,
}

impl<'a, V> Ascending<'a, V> {
    fn new(pages: &'a Pages<V>) -> Self {
        Self { pieces: Piece::root(pages).into_iter().collect(), opened: 0 }
    }

    fn peek(&self) -> Option<Piece<'a, V>> {
        self.pieces.last().copied()
    }

    /// Takes the next piece: the row, if it is one, otherwise what is in the node comes next.
    fn advance(&mut self) -> Option<&'a Row<V>> {
        match self.pieces.pop()? {
            Piece::Row(row) => Some(row),
            Piece::Node(_, node) => {
                self.opened += 1;
                self.pieces.extend(open(node).rev());
                None
            }
        }
    }

    fn skip(&mut self) {
        self.pieces.pop();
    }
}

/// The difference of rows in ascending order.
pub(super) fn difference_in_key_order<'a, V>(
    old: &'a Pages<V>,
    new: &'a Pages<V>,
) -> Difference<'a, V> {
    let (mut old, mut new) = (Ascending::new(old), Ascending::new(new));
    let mut entries = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(a), Some(b)) => a.first_key().cmp(b.first_key()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        match (order, old.peek(), new.peek()) {
            (Ordering::Less, _, _) => {
                entries.extend(old.advance().map(|(key, value)| (key, Some(value), None)));
            }
            (Ordering::Greater, _, _) => {
                entries.extend(new.advance().map(|(key, value)| (key, None, Some(value))));
            }
            (Ordering::Equal, Some(Piece::Node(_, a)), Some(Piece::Node(_, b))) => {
                if a.known_equal(b) {
                    old.skip();
                    new.skip();
                } else {
                    let (level, other) = (a.level(), b.level());
                    if level >= other {
                        old.advance();
                    }
                    if other >= level {
                        new.advance();
                    }
                }
            }
            (Ordering::Equal, Some(Piece::Node(..)), _) => drop(old.advance()),
            (Ordering::Equal, _, Some(Piece::Node(..))) => drop(new.advance()),
            (Ordering::Equal, _, _) => {
                if let (Some((key, before)), Some((_, after))) = (old.advance(), new.advance()) {
                    entries.push((key, Some(before), Some(after)));
                }
            }
        }
    }
    Difference { entries, placed: Vec::new(), opened: old.opened + new.opened }
}

/// The difference of rows in the user's order.
pub(super) fn difference_in_user_order<'a, V>(
    old: &'a Pages<V>,
    new: &'a Pages<V>,
) -> Difference<'a, V> {
    let mut pieces = Pieces {
        old: Piece::root(old).into_iter().collect(),
        new: Piece::root(new).into_iter().collect(),
        before: None,
        rows: Vec::new(),
        opened: 0,
    };
    for level in (0..=old.height().max(new.height())).rev() {
        pieces.trim();
        pieces.open_level(level);
    }
    pieces.trim();
    pieces.difference()
}

/// Both orders, as far as they have been opened, without what is the same at both ends. Every node in one is in the
/// other too.
struct Pieces<'a, V> {
    old: Vec<Piece<'a, V>>,
    new: Vec<Piece<'a, V>>,
    /// The piece before, which is the same in both.
    before: Option<Piece<'a, V>>,
    /// Rows that are at the same place in both.
    rows: Vec<RowOfBoth<'a, V>>,
    opened: usize,
}

type RowOfBoth<'a, V> = (&'a Key, Option<&'a V>, Option<&'a V>);
type NodesByKey<'a, V> = BTreeMap<&'a Key, &'a Arc<Node<V>>>;

impl<'a, V> Pieces<'a, V> {
    /// Takes off what is the same at both ends.
    fn trim(&mut self) {
        let same = |(old, new): &(&Piece<'a, V>, &Piece<'a, V>)| match (old, new) {
            (Piece::Node(_, old), Piece::Node(_, new)) => old.known_equal(new),
            (Piece::Row((old, _)), Piece::Row((new, _))) => old == new,
            (Piece::Node(..) | Piece::Row(_), _) => false,
        };
        let first = self.old.iter().zip(&self.new).take_while(same).count();
        let ends = self.old.iter().skip(first).rev().zip(self.new.iter().skip(first).rev());
        let last = ends.take_while(same).count();
        let rest = |pieces: &mut Vec<Piece<'a, V>>| {
            let tail = pieces.split_off(pieces.len() - last);
            let middle = pieces.split_off(first);
            let head = std::mem::replace(pieces, middle);
            (head, tail)
        };
        let (old_head, old_tail) = rest(&mut self.old);
        let (new_head, new_tail) = rest(&mut self.new);
        self.before = new_head.last().copied().or(self.before);
        let old = old_head.iter().chain(&old_tail);
        for pair in old.zip(new_head.iter().chain(&new_tail)) {
            if let (Piece::Row((key, old)), Piece::Row((_, new))) = pair {
                self.rows.push((key, Some(old), Some(new)));
            }
        }
    }

    /// Opens the nodes at `level` that are not in both.
    fn open_level(&mut self, level: usize) {
        let nodes = |pieces: &[Piece<'a, V>]| -> NodesByKey<'a, V> {
            let at_level = pieces.iter().filter_map(|piece| match piece {
                Piece::Node(key, node) if node.level() == level => Some((*key, *node)),
                Piece::Node(..) | Piece::Row(_) => None,
            });
            at_level.collect()
        };
        let (in_old, in_new) = (nodes(&self.old), nodes(&self.new));
        let mut open_others = |pieces: &mut Vec<Piece<'a, V>>, others: &NodesByKey<'a, V>| {
            let mut opened = Vec::with_capacity(pieces.len());
            for piece in pieces.drain(..) {
                match piece {
                    Piece::Node(key, node)
                        if node.level() == level
                            && !others.get(key).is_some_and(|other| node.known_equal(other)) =>
                    {
                        self.opened += 1;
                        opened.extend(open(node));
                    }
                    Piece::Node(..) | Piece::Row(_) => opened.push(piece),
                }
            }
            *pieces = opened;
        };
        open_others(&mut self.old, &in_new);
        open_others(&mut self.new, &in_old);
    }

    fn difference(self) -> Difference<'a, V> {
        let mut rows: BTreeMap<&'a Key, (Option<&'a V>, Option<&'a V>)> = BTreeMap::new();
        let mut positions: BTreeMap<&'a Key, usize> = BTreeMap::new();
        for (at, piece) in self.old.iter().enumerate() {
            positions.insert(piece.first_key(), at);
            if let Piece::Row((key, value)) = piece {
                rows.entry(key).or_default().0 = Some(value);
            }
        }
        for piece in &self.new {
            if let Piece::Row((key, value)) = piece {
                rows.entry(key).or_default().1 = Some(value);
            }
        }
        let placed = self.placed(&positions);
        let mut entries = self.rows;
        entries.extend(rows.into_iter().map(|(key, (old, new))| (key, old, new)));
        entries.sort_unstable_by_key(|(key, _, _)| *key);
        Difference { entries, placed, opened: self.opened }
    }

    /// What has been created or moved, given the positions of the old pieces.
    fn placed(&self, positions: &BTreeMap<&'a Key, usize>) -> Vec<Placed> {
        let weights: Vec<(usize, usize)> = self
            .new
            .iter()
            .filter_map(|piece| {
                let weight = match piece {
                    Piece::Node(_, node) => node.len(),
                    Piece::Row(_) => 1,
                };
                Some((*positions.get(piece.first_key())?, weight))
            })
            .collect();
        let mut kept = order::kept(&weights).into_iter();
        let mut placed = Vec::new();
        let mut after = self.before.and_then(|piece| piece.last_key());
        for piece in &self.new {
            let known = positions.contains_key(piece.first_key());
            if known && kept.next().unwrap_or(false) {
                after = piece.last_key();
                continue;
            }
            let mut below = vec![*piece];
            while let Some(piece) = below.pop() {
                match piece {
                    Piece::Row((key, _)) => {
                        placed.push(Placed { key: key.clone(), after: after.cloned() });
                        after = Some(key);
                    }
                    Piece::Node(_, node) => below.extend(open(node).rev()),
                }
            }
        }
        placed
    }
}

//! Making pages of rows that come in their order.

use super::{Child, Node, Pages, Row, keyed, level};
use crate::yang::tree::{Key, Seed};
use std::sync::Arc;

/// Makes pages of rows in their order, in linear time.
#[derive(Debug)]
pub(in crate::yang::tree) struct PagesBuilder<V> {
    seed: Seed,
    /// The open page.
    rows: Vec<Row<V>>,
    /// The open nodes above it, from level 1 up.
    above: Vec<Vec<Child<V>>>,
}

impl<V> PagesBuilder<V> {
    pub(in crate::yang::tree) fn new(seed: Seed) -> Self {
        Self { seed, rows: Vec::new(), above: Vec::new() }
    }

    /// The last row.
    pub(in crate::yang::tree) fn last(&self) -> Option<&Row<V>> {
        self.rows.last()
    }

    /// Adds a row behind all others. Its key's level, 0 for the very first row.
    pub(in crate::yang::tree) fn push(&mut self, key: Key, value: V) -> usize {
        let level = if self.rows.is_empty() { 0 } else { level(self.seed, &key) };
        if level > 0 {
            let mut closed = self.close_page();
            self.above.resize_with(self.above.len().max(level), Vec::new);
            for (at, open) in self.above.iter_mut().enumerate().take(level) {
                open.extend(closed.take());
                if at + 1 < level {
                    closed = close(at + 1, open);
                }
            }
        }
        self.rows.push((key, value));
        level
    }

    fn close_page(&mut self) -> Option<Child<V>> {
        // The page takes what it needs, the buffer stays for the next.
        let mut rows = Vec::with_capacity(self.rows.len());
        rows.append(&mut self.rows);
        keyed(Arc::new(Node::page(rows)))
    }

    pub(in crate::yang::tree) fn finish(mut self) -> Pages<V> {
        let mut closed = self.close_page();
        for (at, open) in self.above.iter_mut().enumerate() {
            open.extend(closed.take());
            closed = close(at + 1, open);
        }
        Pages { root: closed.map(|(_, root)| root) }
    }
}

fn close<V>(level: usize, open: &mut Vec<Child<V>>) -> Option<Child<V>> {
    let mut children = Vec::with_capacity(open.len());
    children.append(open);
    keyed(Arc::new(Node::inner(level, children)))
}

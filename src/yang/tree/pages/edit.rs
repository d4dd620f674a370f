//! Editing pages in place, by the way to a row.

use super::{Body, Child, Inner, Node, Pages, Row, keyed};
use crate::yang::tree::Key;
use std::sync::{Arc, OnceLock};

/// Keys that are not the first in their node any more, or are now in another one, with the first key of that node.
pub(in crate::yang::tree) type Moved = Vec<(Key, Key)>;

impl<V: Clone> Pages<V> {
    /// Puts another value into the row at `steps`.
    pub(in crate::yang::tree) fn replace(&mut self, steps: &[usize], value: V) {
        let Some(mut node) = self.root.as_mut() else { return };
        for step in steps {
            match node.edit() {
                Body::Page(rows) => {
                    if let Some((_, slot)) = rows.get_mut(*step) {
                        *slot = value;
                    }
                    return;
                }
                Body::Inner(inner) => node = &mut child_at(&mut inner.children, *step).1,
            }
        }
    }

    /// Inserts a row before all others. `second` is the level of the row that has been first until now.
    pub(in crate::yang::tree) fn insert_first(&mut self, row: Row<V>, second: usize) {
        let Some(mut root) = self.root.take() else {
            self.root = Some(Arc::new(Node::page(vec![row])));
            return;
        };
        if second > root.level() {
            // That row's level counts from now on: it begins a node at each level below.
            while root.level() + 1 < second {
                root = wrap(root);
            }
            let level = root.level() + 1;
            let children = [chain(row, level - 1), keyed(root)];
            root = Arc::new(Node::inner(level, children.into_iter().flatten().collect()));
        } else {
            insert_first_below(&mut root, row, second);
        }
        self.root = Some(root);
    }

    /// Inserts a row whose key has `level` at `steps`, which is not the very beginning. Gives the keys that have come
    /// into a node that the new row begins.
    pub(in crate::yang::tree) fn insert(
        &mut self,
        steps: &[usize],
        row: Row<V>,
        level: usize,
    ) -> Moved {
        let mut moved = Vec::new();
        let Some(mut root) = self.root.take() else {
            self.root = Some(Arc::new(Node::page(vec![row])));
            return moved;
        };
        if let Some((_, mut right)) = insert_below(&mut root, steps, row, level, &mut moved) {
            while root.level() + 1 < level {
                root = wrap(root);
                right = wrap(right);
            }
            let above = root.level() + 1;
            let children = [keyed(root), keyed(right)];
            root = Arc::new(Node::inner(above, children.into_iter().flatten().collect()));
        }
        self.root = Some(root);
        moved
    }

    /// Takes the row at `steps`, which is not the very first and whose key has `level`, out. Gives the keys that have
    /// come into another node.
    pub(in crate::yang::tree) fn remove(
        &mut self,
        steps: &[usize],
        level: usize,
    ) -> (Option<Row<V>>, Moved) {
        let mut moved = Vec::new();
        let row = self.root.as_mut().map(|root| remove_below(root, steps, level, &mut moved));
        self.collapse();
        (row, moved)
    }

    /// Takes the very first row out.
    pub(in crate::yang::tree) fn remove_first(&mut self) -> Option<Row<V>> {
        let row = remove_first_below(self.root.as_mut()?);
        self.collapse();
        row
    }

    /// A root has two children or is a page with a row.
    fn collapse(&mut self) {
        while let Some(root) = &self.root {
            match &root.body {
                Body::Inner(inner) if inner.children.len() < 2 => {
                    self.root = inner.children.first().map(|(_, child)| Arc::clone(child));
                }
                Body::Page(rows) if rows.is_empty() => self.root = None,
                Body::Inner(_) | Body::Page(_) => return,
            }
        }
    }
}

impl<V: Clone> Node<V> {
    /// To change: our own copy, if somebody else holds the node too, and without a digest.
    fn edit(self: &mut Arc<Self>) -> &mut Body<V> {
        if Arc::get_mut(self).is_none() {
            // With room for the row or child that most edits are about to insert.
            let body = match &self.body {
                Body::Page(rows) => Body::Page(copy_with_room(rows)),
                Body::Inner(Inner { level, len, children }) => Body::Inner(Inner {
                    level: *level,
                    len: *len,
                    children: copy_with_room(children),
                }),
            };
            *self = Arc::new(Self { body, digest: OnceLock::new() });
        }
        let node = Arc::make_mut(self);
        node.digest.take();
        &mut node.body
    }
}

fn copy_with_room<T: Clone>(items: &[T]) -> Vec<T> {
    let mut copy = Vec::with_capacity(items.len() + 1);
    copy.extend_from_slice(items);
    copy
}

/// Inserts without doubling the capacity: pages are small, and there are many.
fn insert_tight<T>(items: &mut Vec<T>, at: usize, item: T) {
    if items.len() == items.capacity() {
        items.reserve_exact(4 + items.len() / 8);
    }
    items.insert(at, item);
}

fn child_at<V>(children: &mut [Child<V>], at: usize) -> &mut Child<V> {
    #[expect(clippy::indexing_slicing, reason = "steps come from a search of these very nodes")]
    &mut children[at]
}

/// A node that holds this one alone.
fn wrap<V>(node: Arc<Node<V>>) -> Arc<Node<V>> {
    let level = node.level() + 1;
    Arc::new(Node::inner(level, keyed(node).into_iter().collect()))
}

/// A node at `level` that holds one row.
fn chain<V>(row: Row<V>, level: usize) -> Option<Child<V>> {
    let page = Arc::new(Node::page(vec![row]));
    keyed((0..level).fold(page, |node, _| wrap(node)))
}

/// `second` is at most the level of `node`.
fn insert_first_below<V: Clone>(node: &mut Arc<Node<V>>, row: Row<V>, second: usize) {
    match node.edit() {
        Body::Page(rows) => insert_tight(rows, 0, row),
        Body::Inner(Inner { level, len, children }) => {
            *len += 1;
            if *level == second {
                if let Some(first) = chain(row, *level - 1) {
                    insert_tight(children, 0, first);
                }
            } else {
                let first = child_at(children, 0);
                first.0 = row.0.clone();
                insert_first_below(&mut first.1, row, second);
            }
        }
    }
}

/// Inserts below `node`. What is left over of it and begins with the new row, if that begins a node here.
fn insert_below<V: Clone>(
    node: &mut Arc<Node<V>>,
    steps: &[usize],
    row: Row<V>,
    level: usize,
    moved: &mut Moved,
) -> Option<Child<V>> {
    let (step, steps) = steps.split_first()?;
    match node.edit() {
        Body::Page(rows) if level == 0 => {
            insert_tight(rows, *step, row);
            None
        }
        Body::Page(rows) => {
            let key = row.0.clone();
            let tail = rows.split_off(*step);
            moved.extend(tail.iter().map(|(other, _)| (other.clone(), key.clone())));
            let mut right = Vec::with_capacity(tail.len() + 1);
            right.push(row);
            right.extend(tail);
            Some((key, Arc::new(Node::page(right))))
        }
        Body::Inner(Inner { level: here, len, children }) => {
            *len += 1;
            let below = &mut child_at(children, *step).1;
            let split = insert_below(below, steps, row, level, moved)?;
            if level == *here {
                insert_tight(children, *step + 1, split);
                return None;
            }
            let key = split.0.clone();
            let tail = children.split_off(*step + 1);
            moved.extend(tail.iter().map(|(other, _)| (other.clone(), key.clone())));
            let mut right = Vec::with_capacity(tail.len() + 1);
            right.push(split);
            right.extend(tail);
            let right = Node::inner(*here, right);
            *len -= right.len();
            Some((key, Arc::new(right)))
        }
    }
}

fn remove_below<V: Clone>(
    node: &mut Arc<Node<V>>,
    steps: &[usize],
    level: usize,
    moved: &mut Moved,
) -> Row<V> {
    let at = steps.first().copied().unwrap_or(0);
    match node.edit() {
        Body::Page(rows) => rows.remove(at),
        Body::Inner(Inner { level: here, len, children }) => {
            *len -= 1;
            if *here == level {
                // The row begins the child: what else is in that goes to the child before it.
                let (_, right) = children.remove(at);
                join(&mut child_at(children, at - 1).1, right, moved)
            } else {
                let below = &mut child_at(children, at).1;
                remove_below(below, steps.get(1..).unwrap_or_default(), level, moved)
            }
        }
    }
}

/// Appends `right` to `left`, but for its first row.
fn join<V: Clone>(left: &mut Arc<Node<V>>, right: Arc<Node<V>>, moved: &mut Moved) -> Row<V> {
    let anchor = left.first_key().cloned();
    let mut remember = |key: &Key| moved.extend(anchor.iter().map(|to| (key.clone(), to.clone())));
    match (left.edit(), Arc::unwrap_or_clone(right).body) {
        (Body::Page(rows), Body::Page(mut right)) => {
            let row = right.remove(0);
            right.iter().for_each(|(key, _)| remember(key));
            rows.append(&mut right);
            row
        }
        (Body::Inner(inner), Body::Inner(mut right)) => {
            inner.len += right.len - 1;
            let (_, first) = right.children.remove(0);
            right.children.iter().for_each(|(key, _)| remember(key));
            let last = inner.children.len() - 1;
            let row = join(&mut child_at(&mut inner.children, last).1, first, moved);
            inner.children.append(&mut right.children);
            row
        }
        (Body::Page(_) | Body::Inner(_), _) => unreachable!("siblings have one level"),
    }
}

fn remove_first_below<V: Clone>(node: &mut Arc<Node<V>>) -> Option<Row<V>> {
    match node.edit() {
        Body::Page(rows) => (!rows.is_empty()).then(|| rows.remove(0)),
        Body::Inner(Inner { len, children, .. }) => {
            *len -= 1;
            let (first, below) = child_at(children, 0);
            let row = remove_first_below(below);
            match below.first_key() {
                Some(key) => *first = key.clone(),
                None => drop(children.remove(0)),
            }
            row
        }
    }
}

//! Equality of content.

use super::{ChildRef, Container, Tree};

impl PartialEq for Tree {
    /// The content is equal, in the same order where the user orders; the seed does not matter.
    fn eq(&self, other: &Self) -> bool {
        self.root == other.root
    }
}

impl Eq for Tree {}

impl PartialEq for Container {
    fn eq(&self, other: &Self) -> bool {
        let mut pending = vec![(self, other)];
        while let Some((a, b)) = pending.pop() {
            if !a.known_equal(b) && !equal_but_for_inner(a, b, &mut pending) {
                return false;
            }
        }
        true
    }
}

impl Eq for Container {}

/// Everything but inner containers and entries is equal; those are left in `pending`.
fn equal_but_for_inner<'a>(
    a: &'a Container,
    b: &'a Container,
    pending: &mut Vec<(&'a Container, &'a Container)>,
) -> bool {
    let mut others = b.iter();
    for (node, child) in a.iter() {
        let Some((other_node, other)) = others.next() else { return false };
        if node != other_node {
            return false;
        }
        let equal = match (child, other) {
            (ChildRef::Leaf(text), ChildRef::Leaf(other)) => text == other,
            (ChildRef::Any(xml), ChildRef::Any(other)) => xml == other,
            (ChildRef::Container(inner), ChildRef::Container(other)) => {
                pending.push((inner, other));
                true
            }
            (ChildRef::LeafList(items), ChildRef::LeafList(others)) => {
                items.known_equal(others)
                    || items.order() == others.order() && items.iter().eq(others.iter())
            }
            (ChildRef::List(list), ChildRef::List(other)) => {
                list.known_equal(other)
                    || list.order() == other.order()
                        && list.len() == other.len()
                        && list.iter().zip(other.iter()).all(
                            |((key, entry), (other_key, other_entry))| {
                                if !entry.known_equal(other_entry) {
                                    pending.push((entry, other_entry));
                                }
                                key == other_key
                            },
                        )
            }
            (_, _) => false,
        };
        if !equal {
            return false;
        }
    }
    others.next().is_none()
}

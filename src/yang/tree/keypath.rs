//! Where in a data tree, by schema number and key.

use super::Key;
use crate::yang::schema::NodeId;

/// The way from the top to a node: for a list or leaf-list with the key of the entry, or without one for all of it.
/// The empty path is the whole tree.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct KeyPath(pub(crate) Vec<(NodeId, Option<Key>)>);

impl KeyPath {
    /// This path and one more step.
    #[must_use]
    pub(crate) fn child(&self, node: NodeId, key: Option<&Key>) -> Self {
        let mut steps = Vec::with_capacity(self.0.len() + 1);
        steps.extend_from_slice(&self.0);
        steps.push((node, key.cloned()));
        Self(steps)
    }

    /// One of the two is, or lies below, the other.
    pub(crate) fn overlaps(&self, other: &KeyPath) -> bool {
        self.0.iter().zip(&other.0).all(|((node, key), (other_node, other_key))| {
            node == other_node && (key == other_key || key.is_none() || other_key.is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::KeyPath;
    use crate::yang::schema::NodeId;
    use crate::yang::tree::key::KeyBuilder;

    fn path(steps: &[(u32, &str)]) -> KeyPath {
        steps.iter().fold(KeyPath::default(), |path, (node, key)| {
            let mut builder = KeyBuilder::default();
            builder.push_text(key);
            let key = builder.finish();
            path.child(NodeId(*node), (!key.as_bytes().starts_with(b"-")).then_some(&key))
        })
    }

    #[test]
    fn paths_overlap_where_one_is_at_or_below_the_other() {
        let whole: &[(u32, &str)] = &[];
        for (a, b, expected) in [
            (whole, &[(1, "-")][..], true),
            (&[(1, "-")], &[(1, "-"), (2, "a")], true),
            (&[(1, "-"), (2, "a")], &[(1, "-"), (2, "b")], false),
            (&[(1, "-"), (2, "a")], &[(1, "-"), (2, "-")], true),
            (&[(2, "-")], &[(2, "a"), (3, "-")], true),
            (&[(2, "a"), (3, "-")], &[(2, "a"), (4, "-")], false),
            (&[(2, "a"), (3, "-")], &[(2, "a"), (3, "-")], true),
        ] {
            assert_eq!(path(a).overlaps(&path(b)), expected, "{a:?} {b:?}");
            assert_eq!(path(b).overlaps(&path(a)), expected, "{b:?} {a:?}");
        }
    }
}

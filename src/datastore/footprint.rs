//! What a change touched: the roots of subtrees that two changes must not both have touched if they are to be
//! independent. Leaf paths would be too weak: an entry deleted here and edited there, two cases of a choice, and
//! neighbours in a user-ordered list would pass.

use super::choices::cases;
use crate::base::limits::FOOTPRINT_ROOTS_MAX;
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{CaseOf, ChoiceId, NodeId, NodeKind, Schema};
use crate::yang::tree::{ChildRef, Container, Key, KeyPath, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// One level of a root: for an entry its key, without one all of a list or the one node.
pub(super) type Step = (NodeId, Option<Key>);

/// The roots of what a change touched:
/// - a leaf, anydata, anyxml or leaf-list entry that was set, deleted, or was to be absent;
/// - a list entry or presence container that was created, replaced or deleted, or whose being there was stated;
/// - the container, entry or datastore that was replaced;
/// - all of a user-ordered list in which an entry was inserted or moved;
/// - all nodes of a choice in which another case became the present one.
///
/// Invariant: no root lies in another; at most `FOOTPRINT_ROOTS_MAX`, beyond which the deepest are widened to their
/// parents.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Footprint {
    /// With the node that chose the case, where the root stands for a choice.
    roots: BTreeMap<Vec<Step>, Option<NodeId>>,
}

impl Footprint {
    /// Everything: what copy-config and default-operation replace touch.
    pub(crate) fn whole() -> Self {
        Self { roots: BTreeMap::from([(Vec::new(), None)]) }
    }

    /// Nothing was touched.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty()
    }

    /// The roots, ascending.
    pub(crate) fn roots(&self) -> impl Iterator<Item = KeyPath> + '_ {
        self.roots.keys().map(|steps| KeyPath(steps.clone()))
    }

    /// What lies at `path` has been touched, or something above or below it.
    #[cfg(test)]
    pub(super) fn overlaps(&self, path: &KeyPath) -> bool {
        self.above(&path.0).is_some() || self.below(&path.0).next().is_some()
    }

    /// Adds what `other` touched.
    pub(crate) fn union(&mut self, other: &Footprint) {
        for (steps, origin) in &other.roots {
            self.insert(steps.clone(), *origin);
        }
    }

    /// Adds a root.
    pub(super) fn add(&mut self, steps: Vec<Step>) {
        self.insert(steps, None);
    }

    /// Adds the choices in which `chosen` made another case the present one; `before` is the content of `parent`
    /// without it.
    pub(super) fn add_case(
        &mut self,
        schema: &Schema,
        parent: &[Step],
        before: &Container,
        chosen: NodeId,
    ) {
        let present = |case: &CaseOf| before.iter().any(|(id, _)| cases(schema, id).contains(case));
        // The outermost choice holds the others.
        let Some(switched) = cases(schema, chosen).iter().find(|case| !present(case)) else {
            return;
        };
        for member in members(schema, chosen, switched.choice) {
            let mut steps = parent.to_vec();
            steps.push((member, None));
            self.insert(steps, Some(chosen));
        }
    }

    fn insert(&mut self, steps: Vec<Step>, origin: Option<NodeId>) {
        if let Some((last, _)) = self.roots.last_key_value()
            && *last < steps
        {
            // Large edits mostly come in order: nothing lies in `steps`, and only the last root can hold it.
            if !lies_in(&steps, last) {
                self.put(steps, origin);
            }
            return;
        }
        if self.above(&steps).is_some_and(|(root, _)| origin.is_none() || *root != steps) {
            return;
        }
        let within: Vec<Vec<Step>> = self.below(&steps).map(|(root, _)| root.clone()).collect();
        for root in within {
            self.roots.remove(&root);
        }
        self.put(steps, origin);
    }

    fn put(&mut self, steps: Vec<Step>, origin: Option<NodeId>) {
        self.roots.insert(steps, origin);
        if self.roots.len() > FOOTPRINT_ROOTS_MAX {
            self.widen();
        }
    }

    /// Replaces the deepest roots by their parents until half of the limit is free again, so that this is seldom.
    fn widen(&mut self) {
        while self.roots.len() > FOOTPRINT_ROOTS_MAX / 2 {
            let Some(deepest) = self.roots.keys().map(|steps| depth(steps)).max() else { return };
            let (widened, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut self.roots)
                .into_iter()
                .partition(|(steps, _)| depth(steps) == deepest);
            self.roots = kept.into_iter().collect();
            for (mut steps, _) in widened {
                if let Some((list, Some(_))) = steps.pop() {
                    steps.push((list, None));
                }
                // Whatever lies in the parent is one of the deepest, so no root that was kept does.
                self.roots.insert(steps, None);
            }
        }
    }

    /// The root that `steps` lies in or is. What lies in a root follows it in the order of roots without a gap, and no
    /// root lies in another, so it can only be the nearest one that does not come after `steps`.
    fn above(&self, steps: &[Step]) -> Option<(&Vec<Step>, Option<NodeId>)> {
        let (root, origin) = self
            .roots
            .range::<[Step], _>((Bound::Unbounded, Bound::Included(steps)))
            .next_back()?;
        lies_in(steps, root).then_some((root, *origin))
    }

    /// The roots that lie in `steps` or are it.
    fn below<'a>(
        &'a self,
        steps: &'a [Step],
    ) -> impl Iterator<Item = (&'a Vec<Step>, Option<NodeId>)> + 'a {
        self.roots
            .range::<[Step], _>((Bound::Included(steps), Bound::Unbounded))
            .take_while(|(root, _)| lies_in(root, steps))
            .map(|(root, origin)| (root, *origin))
    }

    /// Where this change and another one touched the same: for each meeting its most telling path, ascending, at
    /// most `limit`. For a choice that is the node that chose the case, otherwise the deeper of the two roots.
    pub(crate) fn conflicts(&self, other: &Footprint, limit: usize) -> Vec<KeyPath> {
        let mut found = BTreeSet::new();
        for (steps, origin) in &self.roots {
            for (theirs, their_origin) in other.above(steps).into_iter().chain(other.below(steps)) {
                if found.len() >= limit {
                    return found.into_iter().collect();
                }
                found.insert(KeyPath(telling((steps, *origin), (theirs, their_origin))));
            }
        }
        found.into_iter().collect()
    }
}

/// How deep a root is; an entry is one deeper than its list.
fn depth(steps: &[Step]) -> usize {
    let entry = steps.last().is_some_and(|(_, key)| key.is_some());
    2 * steps.len() + usize::from(entry)
}

/// `root` is at or below `steps`.
fn lies_in(root: &[Step], steps: &[Step]) -> bool {
    let Some((last, parents)) = steps.split_last() else { return true };
    let Some(rest) = root.strip_prefix(parents) else { return false };
    rest.first().is_some_and(|(node, key)| *node == last.0 && (last.1.is_none() || *key == last.1))
}

/// The path that tells a user most about two roots that meet.
fn telling(ours: (&[Step], Option<NodeId>), theirs: (&[Step], Option<NodeId>)) -> Vec<Step> {
    let chosen = |(steps, origin): (&[Step], Option<NodeId>)| {
        let (_, parent) = steps.split_last()?;
        let mut path = parent.to_vec();
        path.push((origin?, None));
        Some(path)
    };
    let deeper = if depth(theirs.0) > depth(ours.0) { theirs.0 } else { ours.0 };
    chosen(ours)
        .or_else(|| chosen(theirs).filter(|_| depth(ours.0) <= depth(theirs.0)))
        .unwrap_or_else(|| deeper.to_vec())
}

/// The nodes of a choice: siblings of `of`, which is one of them.
fn members(schema: &Schema, of: NodeId, choice: ChoiceId) -> Vec<NodeId> {
    let parent = schema.node_checked(of).and_then(|of| of.parent);
    let siblings = match parent.and_then(|parent| schema.node_checked(parent)) {
        Some(parent) => &parent.children,
        None => &schema.top,
    };
    let in_choice = |id: &NodeId| cases(schema, *id).iter().any(|case| case.choice == choice);
    siblings.iter().copied().filter(in_choice).collect()
}

/// The path of a root with the key values of its entries, read in the first of `trees` that has them. Where none has,
/// the path ends at the list.
pub(crate) fn instance_path(schema: &Schema, path: &KeyPath, trees: &[&Tree]) -> InstancePath {
    let mut longest = InstancePath::default();
    for tree in trees {
        let found = path_in(schema, path, &tree.root);
        if found.0.len() == path.0.len() && !ends_early(path, &found) {
            return found;
        }
        if found.0.len() > longest.0.len() {
            longest = found;
        }
    }
    longest
}

/// The last step is an entry's in `path` and all of the list's in `found`.
fn ends_early(path: &KeyPath, found: &InstancePath) -> bool {
    path.0.last().is_some_and(|(_, key)| key.is_some())
        && found.0.last().is_some_and(|step| step.selector == Selector::None)
}

fn path_in(schema: &Schema, path: &KeyPath, root: &Container) -> InstancePath {
    let mut found = InstancePath::default();
    let mut inside = Some(root);
    for (id, key) in &path.0 {
        let child = inside.and_then(|container| container.get(*id));
        inside = None;
        let selector = match (child, key) {
            (_, None) => Some(Selector::None),
            (Some(ChildRef::LeafList(items)), Some(key)) => {
                items.get(key).cloned().map(Selector::Value)
            }
            (Some(ChildRef::List(list)), Some(key)) => {
                inside = list.get(key);
                inside.map(|entry| Selector::Keys(key_values(schema, *id, entry)))
            }
            (_, Some(_)) => None,
        };
        if let (Some(ChildRef::Container(content)), None) = (child, key) {
            inside = Some(content);
        }
        found = found.child(*id, selector.clone().unwrap_or(Selector::None));
        if selector.is_none() {
            break;
        }
    }
    found
}

fn key_values(schema: &Schema, list: NodeId, entry: &Container) -> Vec<crate::yang::tree::Text> {
    match schema.node_checked(list).map(|node| &node.kind) {
        Some(NodeKind::List(list)) => {
            list.keys.iter().filter_map(|key| entry.leaf(*key)).map(Into::into).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

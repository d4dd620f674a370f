//! What an expression selects of a tree, as a tree (RFC 6241, 8.9): the nodes with all that is in them, the nodes above
//! them, and the keys of the entries on the way.

use super::Defaults;
use super::ast::{Axis, Compiled, Expr, Path, Step, Test};
use super::axes::Found;
use super::evaluate::{Context, Evaluation, EvaluationError, Frame};
use super::nodes::{Data, Node, Place, ROOT};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::container::ContainerBuilder;
use crate::yang::tree::entries::EntriesBuilder;
use crate::yang::tree::{Child, ChildRef, Container, Key, Seed, Tree};

/// What a node-set expression selects of `tree`. What is selected whole is shared with it. Defaults are not seen.
///
/// # Errors
/// As `Evaluation::evaluate`.
pub(crate) fn select(
    schema: &Schema,
    tree: &Tree,
    compiled: &Compiled,
) -> Result<Tree, EvaluationError> {
    let mut evaluation = Evaluation::new(schema, &tree.root, Defaults::Hidden);
    let mut frame = Frame::new(compiled, ROOT);
    let mut nodes = Vec::new();
    let root = std::slice::from_ref(&compiled.root);
    let parts = if let Expr::Union(parts) = &compiled.root { parts } else { root };
    for part in parts {
        evaluation.pick(&mut frame, part, &mut nodes)?;
    }
    if parts.len() > 1 || !evaluation.arena.is_level(&nodes) {
        evaluation.sort(&mut nodes)?;
    }
    let picked = Picked { evaluation: &evaluation, seed: tree.seed };
    Ok(Tree { root: picked.inner(None, &tree.root, &nodes, 0), seed: tree.seed })
}

impl<'a> Evaluation<'a> {
    /// Adds the nodes of an expression. Where its last step is but a name, a list stands for all of its entries.
    fn pick(
        &mut self,
        frame: &mut Frame,
        expr: &'a Expr,
        nodes: &mut Vec<Node>,
    ) -> Result<(), EvaluationError> {
        let context = Context { node: ROOT, position: 1, size: 1 };
        let whole = |step: &&Step| {
            let is_child = step.axis == Axis::Child && step.predicates.is_empty();
            is_child && !matches!(step.test, Test::Node | Test::Text | Test::Nothing)
        };
        if let Expr::Path(Path { start, steps }) = expr
            && let Some((last, steps)) = steps.split_last().filter(|(last, _)| whole(last))
        {
            let start = self.start(frame, start, context)?;
            for parent in self.steps(frame, start, steps)? {
                self.pick_children(frame, parent, last, nodes)?;
            }
            return Ok(());
        }
        nodes.append(&mut self.nodes(frame, expr, context)?);
        Ok(())
    }

    fn pick_children(
        &mut self,
        frame: &mut Frame,
        parent: Node,
        step: &'a Step,
        nodes: &mut Vec<Node>,
    ) -> Result<(), EvaluationError> {
        let facts = *self.arena.get(parent);
        let Data::Inner(data) = facts.data else { return Ok(()) };
        let mut pick = |this: &mut Self, id| {
            nodes.push(this.arena.push(parent, id, Place::Only, Data::Opaque));
            this.charge(1)
        };
        match self.resolve(frame, step, facts.schema) {
            Found::One(id) => {
                for id in id.into_iter().filter(|id| data.get(*id).is_some()) {
                    pick(self, id)?;
                }
            }
            Found::Several(ids) => {
                for id in ids.iter().filter(|id| data.get(**id).is_some()) {
                    pick(self, *id)?;
                }
            }
        }
        Ok(())
    }
}

/// Nodes that are made a tree.
struct Picked<'e, 'a> {
    evaluation: &'e Evaluation<'a>,
    seed: Seed,
}

impl Picked<'_, '_> {
    /// The node above `node` that has `depth` nodes above it, or `node` itself.
    fn at_depth(&self, node: Node, depth: u32) -> Node {
        let arena = &self.evaluation.arena;
        let above = arena.get(node).depth.saturating_sub(depth);
        (0..above).fold(node, |node, _| arena.get(node).parent)
    }

    /// Of a container, entry or tree that has `depth` nodes above it: what `nodes`, in document order, are or are in.
    fn inner(
        &self,
        owner: Option<NodeId>,
        data: &Container,
        nodes: &[Node],
        depth: u32,
    ) -> Container {
        let arena = &self.evaluation.arena;
        let is_whole = |node: &Node| arena.get(*node).depth <= depth;
        if nodes.first().is_some_and(is_whole) {
            return data.clone();
        }
        let mut builder = ContainerBuilder::default();
        let child = |node: &Node| arena.get(self.at_depth(*node, depth + 1)).schema;
        for group in nodes.chunk_by(|a, b| child(a) == child(b)) {
            let Some(id) = group.first().and_then(child) else { continue };
            let Some(all) = data.get(id) else { continue };
            if let Some(some) = self.child(id, all, group, depth + 1) {
                builder.put(id, some);
            }
        }
        let schema = self.evaluation.schema;
        for key in owner.map_or(&[][..], |owner| schema.keys(owner)) {
            if let Some(value) = data.leaf(*key) {
                // It may have been selected itself.
                builder.put_leaf(*key, value);
            }
        }
        builder.finish()
    }

    fn child(&self, id: NodeId, all: ChildRef<'_>, nodes: &[Node], depth: u32) -> Option<Child> {
        let arena = &self.evaluation.arena;
        let is_all = |node: &Node| {
            let facts = arena.get(*node);
            facts.depth == depth && matches!(facts.place, Place::Only)
        };
        if nodes.first().is_some_and(is_all) {
            return Some(all.to_owned());
        }
        let key = |node: &Node| match arena.get(self.at_depth(*node, depth)).place {
            Place::Entry(key) => Some(key),
            Place::Only | Place::Default(_) => None,
        };
        let same_entry = |a: &Node, b: &Node| key(a) == key(b);
        let groups = nodes.chunk_by(same_entry).filter_map(|group| {
            let key: &Key = group.first().and_then(key)?;
            Some((key, group))
        });
        match all {
            // Their text is selected.
            ChildRef::Leaf(_) | ChildRef::Any(_) => Some(all.to_owned()),
            ChildRef::Container(inner) => {
                Some(Child::Container(self.inner(Some(id), inner, nodes, depth)))
            }
            ChildRef::List(list) => {
                let mut some = EntriesBuilder::new(list.order(), self.seed);
                for (key, group) in groups {
                    if let Some(entry) = list.get(key) {
                        some.push(key.clone(), self.inner(Some(id), entry, group, depth));
                    }
                }
                Some(some.finish()).filter(|some| !some.is_empty()).map(Child::List)
            }
            ChildRef::LeafList(items) => {
                let mut some = EntriesBuilder::new(items.order(), self.seed);
                for (key, _) in groups {
                    if let Some(value) = items.get(key) {
                        some.push(key.clone(), value.clone());
                    }
                }
                Some(some.finish()).filter(|some| !some.is_empty()).map(Child::LeafList)
            }
        }
    }
}

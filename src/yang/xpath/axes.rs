//! Axes and node tests (XPath 1.0, 2.2 and 2.3).

use super::ast::{Axis, Step, Test};
use super::evaluate::{Evaluation, EvaluationError, Frame, Verdict};
use super::nodes::{Data, Node, Place, ROOT};
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::{ChildRef, Container, Key};
use std::cmp::Ordering;
use std::rc::Rc;

/// A step, and the one behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way<'a> {
    pub(super) step: &'a Step,
    pub(super) next: Option<&'a Step>,
}

/// The text nodes below.
static TEXTS: Step =
    Step { axis: Axis::Descendant, test: Test::Text, predicates: Vec::new(), number: usize::MAX };

impl Way<'_> {
    pub(super) const TEXTS: Self = Self { step: &TEXTS, next: None };
}

/// The children that a name means below a schema node.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// One at most.
    One(Option<NodeId>),
    Several(Rc<[NodeId]>),
}

/// What is done with each node of an axis. Nodes that are not kept are forgotten.
pub(super) type Visit<'v, 'a> =
    &'v mut dyn FnMut(&mut Evaluation<'a>, &mut Frame, Node) -> Result<Verdict, EvaluationError>;

/// Whether the axis goes on.
type Flow = Result<bool, EvaluationError>;
const ON: Flow = Ok(true);

/// Which children are wanted.
#[derive(Clone, Copy)]
enum Wanted<'w> {
    All,
    /// Those from which something of the name can be reached.
    Towards(&'w Test, &'w [bool]),
}

impl Wanted<'_> {
    fn takes(self, schema: &Schema, id: NodeId) -> bool {
        match self {
            Self::All => true,
            Self::Towards(test, below) => is_below(below, id) || test.names(schema, id),
        }
    }
}

fn is_below(below: &[bool], id: NodeId) -> bool {
    usize::try_from(id.0).ok().and_then(|at| below.get(at)).is_none_or(|below| *below)
}

impl Test {
    /// Elements of the schema node pass the test.
    pub(super) fn names(&self, schema: &Schema, id: NodeId) -> bool {
        let node = schema.node(id);
        match self {
            Self::Node | Self::Any => true,
            Self::AnyOf(module) => node.module == *module,
            Self::Name(module, name) => node.module == *module && node.name == *name,
            Self::NameOfAny(name) => node.name == *name,
            Self::Text | Self::Nothing => false,
        }
    }

    /// It has names, so that few schema nodes pass it.
    fn is_selective(&self) -> bool {
        matches!(self, Self::Name(..) | Self::NameOfAny(_) | Self::AnyOf(_))
    }

    /// Whether something that passes the test is below each schema node.
    fn below(&self, schema: &Schema) -> Rc<[bool]> {
        let mut below = vec![false; schema.nodes.len()];
        // A parent's number is smaller than its children's.
        for (at, node) in schema.nodes.iter().enumerate().rev() {
            let Some(parent) = node.parent.and_then(|parent| usize::try_from(parent.0).ok()) else {
                continue;
            };
            let id = NodeId(u32::try_from(at).unwrap_or(u32::MAX));
            if (below.get(at) == Some(&true) || self.names(schema, id))
                && let Some(slot) = below.get_mut(parent)
            {
                *slot = true;
            }
        }
        below.into()
    }
}

impl<'a> Evaluation<'a> {
    /// Visits the nodes on the axis of a step from `node` that pass its test, in the order of the axis.
    pub(super) fn axis(
        &mut self,
        frame: &mut Frame,
        way: Way<'a>,
        node: Node,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        let test = &way.step.test;
        match way.step.axis {
            Axis::Child => self.children(frame, node, way.step, visit),
            Axis::Descendant => self.below(frame, node, way, visit),
            Axis::DescendantOrSelf => {
                Ok(self.visit_if(frame, node, test, visit)?
                    && self.below(frame, node, way, visit)?)
            }
            Axis::Itself => self.visit_if(frame, node, test, visit),
            Axis::Parent => {
                let parent: Vec<Node> = self.arena.parent(node).into_iter().collect();
                self.visit_each(frame, &parent, test, visit)
            }
            Axis::Ancestor | Axis::AncestorOrSelf => {
                let skipped = usize::from(way.step.axis == Axis::Ancestor);
                let up: Vec<Node> = self.arena.ancestors_or_self(node).skip(skipped).collect();
                self.visit_each(frame, &up, test, visit)
            }
            Axis::FollowingSibling => {
                let siblings = self.siblings(frame, node, Ordering::Greater)?;
                self.visit_each(frame, &siblings, test, visit)
            }
            Axis::PrecedingSibling => {
                let siblings = self.siblings(frame, node, Ordering::Less)?;
                self.visit_each(frame, &siblings, test, visit)
            }
            Axis::Following => self.beside(frame, (node, Ordering::Greater), test, visit),
            Axis::Preceding => self.beside(frame, (node, Ordering::Less), test, visit),
            Axis::None => ON,
        }
    }

    fn passes(&self, node: Node, test: &Test) -> bool {
        let facts = self.arena.get(node);
        match (facts.schema, facts.data) {
            (_, Data::Text(_)) => matches!(test, Test::Node | Test::Text),
            (None, _) => *test == Test::Node,
            (Some(id), Data::Inner(_) | Data::Value(_) | Data::Opaque) => {
                test.names(self.schema, id)
            }
        }
    }

    fn visit_if(
        &mut self,
        frame: &mut Frame,
        node: Node,
        test: &Test,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        self.charge(1)?;
        if !self.passes(node, test) {
            return ON;
        }
        Ok(!visit(self, frame, node)?.stop)
    }

    fn visit_each(
        &mut self,
        frame: &mut Frame,
        nodes: &[Node],
        test: &Test,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        for node in nodes {
            if !self.visit_if(frame, *node, test, visit)? {
                return Ok(false);
            }
        }
        ON
    }

    /// Visits children.
    fn children(
        &mut self,
        frame: &mut Frame,
        node: Node,
        step: &'a Step,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        let facts = *self.arena.get(node);
        let data = match facts.data {
            Data::Inner(data) => data,
            Data::Value(value) => {
                let Some(id) = facts.schema else { return ON };
                if matches!(step.test, Test::Node | Test::Text) {
                    return self.text_node(frame, (node, id), value, visit);
                }
                return ON;
            }
            Data::Text(_) | Data::Opaque => return ON,
        };
        if !matches!(step.test, Test::Name(..) | Test::NameOfAny(_)) {
            let test = &step.test;
            return self.each_child(frame, node, Wanted::All, &mut |this, frame, child| match this
                .passes(child, test)
            {
                true => visit(this, frame, child),
                false => Ok(Verdict::DROP),
            });
        }
        match self.resolve(frame, step, facts.schema) {
            Found::One(None) => ON,
            Found::One(Some(id)) => self.named(frame, (node, data, id), step, visit),
            Found::Several(ids) => {
                for id in ids.iter() {
                    if !self.named(frame, (node, data, *id), step, visit)? {
                        return Ok(false);
                    }
                }
                ON
            }
        }
    }

    /// The children that a step's name means below a schema node.
    pub(super) fn resolve(&self, frame: &mut Frame, step: &Step, parent: Option<NodeId>) -> Found {
        let slot = frame.found.get_mut(step.number);
        if let Some(Some((known, found))) = &slot
            && *known == parent
        {
            return found.clone();
        }
        let children = match parent {
            Some(parent) => &self.schema.node(parent).children,
            None => &self.schema.top,
        };
        let mut named = children.iter().filter(|id| step.test.names(self.schema, **id));
        let found = match (named.next(), named.next()) {
            (Some(first), Some(second)) => {
                Found::Several([*first, *second].into_iter().chain(named.copied()).collect())
            }
            (first, _) => Found::One(first.copied()),
        };
        if let Some(slot) = slot {
            *slot = Some((parent, found.clone()));
        }
        found
    }

    /// Visits the instances of a named child. Of a list whose predicates name keys, only the entries with those.
    fn named(
        &mut self,
        frame: &mut Frame,
        (parent, data, id): (Node, &'a Container, NodeId),
        step: &'a Step,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        if !matches!(data.get(id), Some(ChildRef::List(_) | ChildRef::LeafList(_))) {
            return self.instances(frame, (parent, data, id), visit);
        }
        let before = self.arena.len();
        let keys = self.entries_named(frame, parent, id, &step.predicates)?;
        self.arena.truncate(before);
        let Some(keys) = keys else { return self.instances(frame, (parent, data, id), visit) };
        match data.get(id) {
            Some(ChildRef::List(list)) => {
                let mut found: Vec<_> = keys.iter().filter_map(|key| list.locate(key)).collect();
                found.sort_unstable_by_key(|(rank, _, _)| *rank);
                for (_, key, entry) in found {
                    let child = (id, Place::Entry(key), Data::Inner(entry));
                    if !self.emit(frame, parent, child, visit)? {
                        return Ok(false);
                    }
                }
            }
            Some(ChildRef::LeafList(items)) => {
                let mut found: Vec<_> = keys.iter().filter_map(|key| items.locate(key)).collect();
                found.sort_unstable_by_key(|(rank, _, _)| *rank);
                for (_, key, value) in found {
                    let child = (id, Place::Entry(key), Data::Value(value));
                    if !self.emit(frame, parent, child, visit)? {
                        return Ok(false);
                    }
                }
            }
            Some(ChildRef::Leaf(_) | ChildRef::Container(_) | ChildRef::Any(_)) | None => {}
        }
        ON
    }

    /// Visits a new node.
    pub(super) fn emit(
        &mut self,
        frame: &mut Frame,
        parent: Node,
        (id, place, data): (NodeId, Place<'a>, Data<'a>),
        visit: Visit<'_, 'a>,
    ) -> Flow {
        self.charge(1)?;
        let before = self.arena.len();
        let node = self.arena.push(parent, id, place, data);
        let verdict = visit(self, frame, node)?;
        if !verdict.keep {
            self.arena.truncate(before);
        }
        Ok(!verdict.stop)
    }

    fn text_node(
        &mut self,
        frame: &mut Frame,
        (leaf, id): (Node, NodeId),
        value: &'a str,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        if value.is_empty() {
            return ON;
        }
        self.emit(frame, leaf, (id, Place::Only, Data::Text(value)), visit)
    }

    /// Visits all instances of a child.
    pub(super) fn instances(
        &mut self,
        frame: &mut Frame,
        (parent, data, id): (Node, &'a Container, NodeId),
        visit: Visit<'_, 'a>,
    ) -> Flow {
        match data.get(id) {
            Some(ChildRef::Leaf(value)) => {
                self.emit(frame, parent, (id, Place::Only, Data::Value(value)), visit)
            }
            Some(ChildRef::Container(inner)) => {
                self.emit(frame, parent, (id, Place::Only, Data::Inner(inner)), visit)
            }
            Some(ChildRef::List(list)) => {
                for (key, entry) in list.iter() {
                    let child = (id, Place::Entry(key), Data::Inner(entry));
                    if !self.emit(frame, parent, child, visit)? {
                        return Ok(false);
                    }
                }
                ON
            }
            Some(ChildRef::LeafList(items)) => {
                for (key, value) in items.iter() {
                    let child = (id, Place::Entry(key), Data::Value(value));
                    if !self.emit(frame, parent, child, visit)? {
                        return Ok(false);
                    }
                }
                ON
            }
            Some(ChildRef::Any(_)) => {
                self.emit(frame, parent, (id, Place::Only, Data::Opaque), visit)
            }
            None => self.default_instances(frame, (parent, data, id), visit),
        }
    }

    /// Visits all children that are wanted, text nodes among them.
    fn each_child(
        &mut self,
        frame: &mut Frame,
        node: Node,
        wanted: Wanted<'_>,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        let facts = *self.arena.get(node);
        let data = match (facts.data, facts.schema) {
            (Data::Inner(data), _) => data,
            (Data::Value(value), Some(id)) => {
                return self.text_node(frame, (node, id), value, visit);
            }
            (Data::Value(_) | Data::Text(_) | Data::Opaque, _) => return ON,
        };
        if self.defaults == super::Defaults::Hidden {
            for (id, _) in data.iter() {
                if wanted.takes(self.schema, id)
                    && !self.instances(frame, (node, data, id), visit)?
                {
                    return Ok(false);
                }
            }
            return ON;
        }
        let schema = self.schema;
        let children = facts.schema.map_or(&schema.top, |id| &schema.node(id).children);
        for id in children {
            if wanted.takes(schema, *id) && !self.instances(frame, (node, data, *id), visit)? {
                return Ok(false);
            }
        }
        ON
    }

    /// Visits what is below a node and passes the test, in document order.
    ///
    /// Where only nodes of a name count, here or in the step behind, ways that cannot lead to such are left out.
    fn below(&mut self, frame: &mut Frame, node: Node, way: Way<'a>, visit: Visit<'_, 'a>) -> Flow {
        let Way { step, next } = way;
        let goal = match next {
            _ if step.test.is_selective() => Some(step),
            // The abbreviation `//`: nodes that have nothing of the name below are of no use.
            Some(next) if step.test == Test::Node && step.predicates.is_empty() => {
                Some(next).filter(|next| next.axis == Axis::Child && next.test.is_selective())
            }
            Some(_) | None => None,
        };
        let Some(goal) = goal else {
            return self.descend(frame, node, (&step.test, Wanted::All), visit);
        };
        let below = match frame.below.get_mut(goal.number) {
            Some(Some(below)) => Rc::clone(below),
            slot => {
                self.charge(self.schema.nodes.len())?;
                let below = goal.test.below(self.schema);
                if let Some(slot) = slot {
                    *slot = Some(Rc::clone(&below));
                }
                below
            }
        };
        // Of the step behind, only what is strictly above its nodes is wanted.
        let itself = if goal.number == step.number { &goal.test } else { &Test::Nothing };
        self.descend(frame, node, (&step.test, Wanted::Towards(itself, &below)), visit)
    }

    /// No deeper than the schema.
    fn descend(
        &mut self,
        frame: &mut Frame,
        node: Node,
        (test, wanted): (&Test, Wanted<'_>),
        visit: Visit<'_, 'a>,
    ) -> Flow {
        self.each_child(frame, node, wanted, &mut |this, frame, child| {
            let mut verdict = Verdict::DROP;
            if this.passes(child, test) {
                verdict = visit(this, frame, child)?;
            }
            if !verdict.stop {
                let before = this.arena.len();
                verdict.stop = !this.descend(frame, child, (test, wanted), visit)?;
                verdict.keep |= this.arena.len() > before;
            }
            Ok(verdict)
        })
    }

    /// The siblings on one side of a node, those that are nearest first.
    fn siblings(
        &mut self,
        frame: &mut Frame,
        node: Node,
        side: Ordering,
    ) -> Result<Vec<Node>, EvaluationError> {
        let Some(parent) = self.arena.parent(node) else { return Ok(Vec::new()) };
        let (mut siblings, mut passed) = (Vec::new(), false);
        self.each_child(frame, parent, Wanted::All, &mut |this, _, child| {
            if this.arena.is_same_child(child, node) {
                passed = true;
                return Ok(Verdict { keep: false, stop: side == Ordering::Less });
            }
            if passed == (side == Ordering::Less) {
                return Ok(Verdict::DROP);
            }
            siblings.push(child);
            Ok(Verdict::KEEP)
        })?;
        if side == Ordering::Less {
            siblings.reverse();
        }
        Ok(siblings)
    }

    /// Visits what stands on one side of a node, without its ancestors and what is in it, the nearest first.
    fn beside(
        &mut self,
        frame: &mut Frame,
        (node, side): (Node, Ordering),
        test: &Test,
        visit: Visit<'_, 'a>,
    ) -> Flow {
        let up: Vec<Node> = self.arena.ancestors_or_self(node).filter(|up| *up != ROOT).collect();
        for from in up {
            for sibling in self.siblings(frame, from, side)? {
                let mut inside = vec![sibling];
                self.descend(frame, sibling, (&Test::Node, Wanted::All), &mut |_, _, node| {
                    inside.push(node);
                    Ok(Verdict::KEEP)
                })?;
                if side == Ordering::Less {
                    inside.reverse();
                }
                if !self.visit_each(frame, &inside, test, visit)? {
                    return Ok(false);
                }
            }
        }
        ON
    }

    /// The child that is stored: of a list or leaf-list the entry with the key.
    pub(super) fn stored_child(
        &mut self,
        parent: Node,
        id: NodeId,
        key: Option<&Key>,
    ) -> Option<Node> {
        let Data::Inner(data) = self.arena.get(parent).data else { return None };
        let (place, data) = match (data.get(id)?, key) {
            (ChildRef::Leaf(value), _) => (Place::Only, Data::Value(value)),
            (ChildRef::Container(inner), _) => (Place::Only, Data::Inner(inner)),
            (ChildRef::Any(_), _) => (Place::Only, Data::Opaque),
            (ChildRef::List(list), Some(key)) => {
                let (_, key, entry) = list.locate(key)?;
                (Place::Entry(key), Data::Inner(entry))
            }
            (ChildRef::LeafList(items), Some(key)) => {
                let (_, key, value) = items.locate(key)?;
                (Place::Entry(key), Data::Value(value))
            }
            (ChildRef::List(_) | ChildRef::LeafList(_), None) => return None,
        };
        Some(self.arena.push(parent, id, place, data))
    }
}

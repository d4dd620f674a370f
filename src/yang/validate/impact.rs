//! What a change can do to validity: whether it may be taken without judging the whole configuration.
//!
//! Every expression of the models (must, when, the path of a leafref) is compiled to the names that it reads. A change
//! that touches no node of those names, and none that a constraint stands on, leaves every verdict as it was. What is
//! left (mandatory nodes, min-elements, max-elements) is checked right here, in what the change touched. Wherever that
//! is not enough to be sure, the answer is no and the judge decides, so that errors are always the judge's.

use super::names::{Reads, names_read, takes_context};
use crate::yang::schema::{
    ChoiceId, Leaf, LeafList, List, Node, NodeId, NodeKind, Schema, Type, TypeId,
};
use crate::yang::tree::{
    Change, ChildRef, Container, Diff, EntriesChange, EntryChange, Existence, Tree, diff,
};
use std::collections::BTreeMap;

/// The constraints of a schema as what touches them.
pub(crate) struct Impact {
    nodes: Vec<NodeImpact>,
    /// What the top level needs.
    top: Vec<Need>,
    /// Some instance-identifier must name a node that exists: whatever is deleted may be it.
    deletions: bool,
}

#[derive(Default)]
struct NodeImpact {
    /// An expression reads nodes of this name, or a constraint stands on this very node.
    read: bool,
    /// The same for this node or any below it.
    read_below: bool,
    /// What must be in an instance of this container or entry.
    needs: Vec<Need>,
    elements_max: Option<usize>,
}

/// Something that must be there (RFC 7950, 7.6.5, 7.7.5, 7.9.4).
enum Need {
    Child(NodeId),
    /// One of the nodes of a mandatory choice.
    OneOf(Vec<NodeId>),
    Elements(NodeId, usize),
    /// A non-presence container that has needs of its own, whether it is there or not.
    Inside(NodeId),
}

impl Impact {
    /// The constraints of `schema`.
    pub(crate) fn new(schema: &Schema) -> Self {
        let mut nodes: Vec<NodeImpact> =
            schema.nodes.iter().map(|_| NodeImpact::default()).collect();
        let mut reads = Reads::default();
        let mut deletions = false;
        for (node, impact) in schema.nodes.iter().zip(&mut nodes).filter(|(node, _)| node.config) {
            impact.read = !node.musts.is_empty() || !node.whens.is_empty();
            read_by_expressions(schema, node, &mut reads);
            if let NodeKind::Leaf(Leaf { type_id, .. })
            | NodeKind::LeafList(LeafList { type_id, .. }) = &node.kind
            {
                let refers = refers(schema, *type_id, &mut reads);
                impact.read |= refers.somewhere;
                deletions |= refers.anywhere;
            }
            impact.elements_max = elements_max(node);
        }
        let mut impact = Self { nodes, top: Vec::new(), deletions };
        impact.mark_uniques(schema);
        impact.mark_read(schema, &reads);
        impact.find_needs(schema);
        impact.sum_up(schema);
        impact
    }

    /// The constraints of `schema`, worked out once.
    pub(super) fn of(schema: &Schema) -> &Impact {
        schema.impact.get_or_init(|| Impact::new(schema))
    }

    fn node(&self, node: NodeId) -> Option<&NodeImpact> {
        self.nodes.get(usize::try_from(node.0).ok()?)
    }

    fn mark(&mut self, node: NodeId) {
        if let Some(impact) =
            usize::try_from(node.0).ok().and_then(|index| self.nodes.get_mut(index))
        {
            impact.read = true;
        }
    }

    fn mark_uniques(&mut self, schema: &Schema) {
        for (list, node) in numbered(schema) {
            if let NodeKind::List(List { uniques, .. }) = &node.kind
                && !uniques.is_empty()
            {
                self.mark(list);
                uniques.iter().flatten().for_each(|leaf| self.mark(*leaf));
            }
        }
    }

    /// Marks what expressions read: by local name, in whatever module; with all below where the value of an inner node
    /// may be taken.
    fn mark_read(&mut self, schema: &Schema, reads: &Reads) {
        let mut inside: Vec<bool> = Vec::with_capacity(schema.nodes.len());
        for (id, node) in numbered(schema) {
            let parent = node.parent.and_then(|parent| usize::try_from(parent.0).ok());
            let taken = parent.and_then(|parent| inside.get(parent)).copied().unwrap_or(false)
                || reads.values.contains(&*node.name);
            inside.push(taken);
            if reads.everything || taken || reads.names.contains(&*node.name) {
                self.mark(id);
            }
        }
    }

    fn find_needs(&mut self, schema: &Schema) {
        // Children have higher numbers, so that the needs of a container are known before its parent's.
        for index in (0..schema.nodes.len()).rev() {
            let children = schema.nodes.get(index).map_or(&[][..], |node| &node.children);
            let needs = self.needs_of(schema, children);
            if let Some(impact) = self.nodes.get_mut(index) {
                impact.needs = needs;
            }
        }
        self.top = self.needs_of(schema, &schema.top);
    }

    fn needs_of(&mut self, schema: &Schema, children: &[NodeId]) -> Vec<Need> {
        let mut needs = Vec::new();
        for child in children.iter().copied() {
            let node = schema.node(child);
            // What a false `when` takes away is not needed: it is marked as read, and the judge knows.
            if !node.config || !node.whens.is_empty() {
                continue;
            }
            let need = self.need(schema, child);
            if node.cases.is_empty() {
                needs.extend(need);
            } else if need.is_some() {
                self.mark(child);
            }
        }
        for (choice, members) in choices(schema, children) {
            let mandatory = |choice: ChoiceId| {
                let facts = usize::try_from(choice.0).ok().and_then(|at| schema.choices.get(at));
                facts.is_some_and(|facts| facts.mandatory)
            };
            // An inner choice that is mandatory is so only in its case: the judge knows.
            let inner = |member: &NodeId| {
                schema.node(*member).cases.iter().skip(1).any(|case| mandatory(case.choice))
            };
            if members.iter().any(inner) {
                members.iter().for_each(|member| self.mark(*member));
            }
            if mandatory(choice) {
                needs.push(Need::OneOf(members));
            }
        }
        needs
    }

    /// What the presence of its parent asks of a child.
    fn need(&self, schema: &Schema, child: NodeId) -> Option<Need> {
        let elements = |min: u32| {
            usize::try_from(min).ok().filter(|min| *min > 0).map(|min| Need::Elements(child, min))
        };
        match &schema.node(child).kind {
            NodeKind::Leaf(leaf) => leaf.mandatory.then_some(Need::Child(child)),
            NodeKind::Anydata { mandatory } | NodeKind::Anyxml { mandatory } => {
                mandatory.then_some(Need::Child(child))
            }
            NodeKind::LeafList(list) => elements(list.min_elements),
            NodeKind::List(list) => elements(list.min_elements),
            NodeKind::Container { presence: false } => {
                let has_needs = self.node(child).is_some_and(|impact| !impact.needs.is_empty());
                has_needs.then_some(Need::Inside(child))
            }
            NodeKind::Container { presence: true }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => None,
        }
    }

    /// Sums up what is read below each node. If something of a choice is read, then all of it is: one case's nodes
    /// take another's away, defaults included.
    fn sum_up(&mut self, schema: &Schema) {
        for index in (0..schema.nodes.len()).rev() {
            let children = schema.nodes.get(index).map_or(&[][..], |node| &node.children);
            self.join_choices(schema, children);
            let below = children.iter().any(|child| self.is_read_below(*child));
            if let Some(impact) = self.nodes.get_mut(index) {
                impact.read_below = impact.read || below;
            }
        }
        self.join_choices(schema, &schema.top);
    }

    fn join_choices(&mut self, schema: &Schema, children: &[NodeId]) {
        for members in choices(schema, children).into_values() {
            if members.iter().any(|member| self.is_read_below(*member)) {
                for member in members {
                    self.mark(member);
                    let index = usize::try_from(member.0).ok();
                    if let Some(impact) = index.and_then(|index| self.nodes.get_mut(index)) {
                        impact.read_below = true;
                    }
                }
            }
        }
    }

    fn is_read_below(&self, node: NodeId) -> bool {
        self.node(node).is_some_and(|impact| impact.read_below)
    }

    /// Whether `after` is valid for sure, given that `before` is. Costs what differs between them.
    pub(super) fn is_harmless(&self, before: &Tree, after: &Tree) -> bool {
        self.keeps(&self.top, &diff(before, after), &after.root)
    }

    /// A container or entry that is there before and after.
    fn keeps(&self, needs: &[Need], diff: &Diff, after: &Container) -> bool {
        self.has(needs, after)
            && diff.changes.iter().all(|(node, change)| {
                let Some(impact) = self.node(*node) else { return false };
                match change {
                    Change::Leaf { new: Some(_), .. } | Change::Any { new: Some(_), .. } => {
                        !impact.read
                    }
                    Change::Leaf { new: None, .. } | Change::Any { new: None, .. } => {
                        !impact.read && !self.deletions
                    }
                    Change::Container { existence, inner } => match (existence, after.get(*node)) {
                        (Existence::Kept, Some(ChildRef::Container(after))) => {
                            self.keeps(&impact.needs, inner, after)
                        }
                        (Existence::Created, Some(ChildRef::Container(after))) => {
                            !impact.read_below && self.is_whole(impact, after)
                        }
                        (Existence::Removed, _) => !impact.read_below && !self.deletions,
                        (Existence::Kept | Existence::Created, _) => false,
                    },
                    Change::List(change) => self.keeps_list(impact, change, after.get(*node)),
                    Change::LeafList(change) => {
                        let created_only = matches!(change, EntriesChange::Created(_));
                        let fits = match after.get(*node) {
                            Some(ChildRef::LeafList(list)) => impact.allows(list.len()),
                            _ => true,
                        };
                        !impact.read && fits && (created_only || !self.deletions)
                    }
                }
            })
    }

    fn keeps_list(
        &self,
        impact: &NodeImpact,
        change: &EntriesChange<Container, Diff>,
        after: Option<ChildRef<'_>>,
    ) -> bool {
        let after = match after {
            Some(ChildRef::List(list)) => Some(list),
            _ => None,
        };
        let fits = after.is_none_or(|list| impact.allows(list.len()));
        let entries = match change {
            EntriesChange::Created(entries) => {
                return fits
                    && !impact.read_below
                    && entries.iter().all(|(_, entry)| self.is_whole(impact, entry));
            }
            EntriesChange::Removed(_) => return !impact.read_below && !self.deletions,
            EntriesChange::Changed { placed, .. } if impact.read && !placed.is_empty() => {
                return false;
            }
            EntriesChange::Changed { entries, .. } => entries,
        };
        fits && entries.iter().all(|(key, entry)| match entry {
            EntryChange::Created(entry) => !impact.read_below && self.is_whole(impact, entry),
            EntryChange::Removed(_) => !impact.read_below && !self.deletions,
            EntryChange::Changed(inner) => after
                .and_then(|list| list.get(key))
                .is_some_and(|after| self.keeps(&impact.needs, inner, after)),
        })
    }

    /// A created container or entry has everything that it needs, and so has all in it. The depth is the schema's.
    fn is_whole(&self, impact: &NodeImpact, container: &Container) -> bool {
        self.has(&impact.needs, container)
            && container.iter().all(|(node, child)| {
                let Some(impact) = self.node(node) else { return false };
                match child {
                    ChildRef::Leaf(_) | ChildRef::Any(_) => true,
                    ChildRef::Container(inner) => self.is_whole(impact, inner),
                    ChildRef::LeafList(list) => impact.allows(list.len()),
                    ChildRef::List(list) => {
                        impact.allows(list.len())
                            && list.iter().all(|(_, entry)| self.is_whole(impact, entry))
                    }
                }
            })
    }

    fn has(&self, needs: &[Need], container: &Container) -> bool {
        needs.iter().all(|need| match need {
            Need::Child(child) => container.get(*child).is_some(),
            Need::OneOf(members) => members.iter().any(|member| container.get(*member).is_some()),
            Need::Elements(child, min) => match container.get(*child) {
                Some(ChildRef::List(list)) => list.len() >= *min,
                Some(ChildRef::LeafList(list)) => list.len() >= *min,
                _ => false,
            },
            Need::Inside(child) => match (self.node(*child), container.get(*child)) {
                (Some(impact), Some(ChildRef::Container(inner))) => self.has(&impact.needs, inner),
                _ => false,
            },
        })
    }
}

impl NodeImpact {
    fn allows(&self, elements: usize) -> bool {
        self.elements_max.is_none_or(|most| elements <= most)
    }
}

/// What values of a type refer to.
struct Refers {
    /// To a node that a path names.
    somewhere: bool,
    /// To any node.
    anywhere: bool,
}

fn refers(schema: &Schema, type_id: TypeId, reads: &mut Reads) -> Refers {
    match schema.type_facts(type_id) {
        Type::Leafref { path, require_instance, target_type, .. } => {
            if *require_instance {
                names_read(path, reads);
            }
            let target = refers(schema, *target_type, reads);
            Refers { somewhere: *require_instance || target.somewhere, ..target }
        }
        Type::InstanceIdentifier { require_instance } => {
            Refers { somewhere: *require_instance, anywhere: *require_instance }
        }
        Type::Union(members) => {
            let mut any = Refers { somewhere: false, anywhere: false };
            for member in members {
                let member = refers(schema, *member, reads);
                any.somewhere |= member.somewhere;
                any.anywhere |= member.anywhere;
            }
            any
        }
        Type::Boolean
        | Type::Empty
        | Type::Int { .. }
        | Type::Uint { .. }
        | Type::Decimal64 { .. }
        | Type::String { .. }
        | Type::Binary { .. }
        | Type::Enumeration(_)
        | Type::Bits(_)
        | Type::Identityref(_)
        | Type::Foreign { .. } => Refers { somewhere: false, anywhere: false },
    }
}

/// What the expressions on a node read.
fn read_by_expressions(schema: &Schema, node: &Node, reads: &mut Reads) {
    let musts = node.musts.iter().map(|must| (&must.expression, 0));
    let whens = node.whens.iter().map(|when| (&when.expression, when.context_up));
    for (expression, context_up) in musts.chain(whens) {
        names_read(expression, reads);
        if takes_context(expression) {
            // Of a leaf it is its value, and the leaf is marked; of an inner node it may be everything below.
            let mut context = node;
            reads.values.insert(context.name.to_string());
            for _ in 0..context_up {
                let Some(parent) = context.parent else { break };
                context = schema.node(parent);
                reads.values.insert(context.name.to_string());
            }
        }
    }
}

/// The nodes of each outermost choice among `children`.
fn choices(schema: &Schema, children: &[NodeId]) -> BTreeMap<ChoiceId, Vec<NodeId>> {
    let mut choices: BTreeMap<ChoiceId, Vec<NodeId>> = BTreeMap::new();
    for child in children {
        if let Some(outermost) = schema.node(*child).cases.first() {
            choices.entry(outermost.choice).or_default().push(*child);
        }
    }
    choices
}

fn elements_max(node: &Node) -> Option<usize> {
    node.elements()?.max.and_then(|most| usize::try_from(most).ok())
}

fn numbered(schema: &Schema) -> impl Iterator<Item = (NodeId, &Node)> {
    (0..).map(NodeId).zip(&schema.nodes)
}

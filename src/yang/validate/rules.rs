//! The constraints of a schema, each with the nodes that it reads.

use super::plan::{Plan, has_default, leafrefs, plain};
use crate::yang::schema::{ChoiceId, Node, NodeId, NodeKind, Schema, Type, TypeId};
use crate::yang::xpath::Reads;
use std::collections::BTreeMap;
use std::ops::Range;

/// All constraints.
#[derive(Debug)]
pub(crate) struct Rules {
    /// What `when` says, in the order in which it is to be looked at: no set reads what a later one can remove.
    pub(super) whens: Vec<RuleSet>,
    pub(super) constraints: RuleSet,
    /// What of the data is indexed for the constraints.
    pub(super) plan: Plan,
}

/// A constraint, by number: an index of its set's `rules`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RuleId(pub(super) u32);

/// Constraints, ordered by where they stand, so that those of a node and all below it are one range.
#[derive(Debug, Default)]
pub(super) struct RuleSet {
    rules: Vec<Rule>,
    /// By node; `None` is the top. Nodes that no rule stands on or below, or reads, are not there.
    places: BTreeMap<Option<NodeId>, Place>,
    /// Rules of which it is not known what they read: they are looked at whenever anything changed.
    pub(super) unbounded: Vec<RuleId>,
}

/// What is checked of each instance of a node.
#[derive(Debug)]
pub(super) struct Rule {
    /// The context node; `None` is the top.
    pub(super) at: Option<NodeId>,
    pub(super) kind: RuleKind,
}

/// RFC 7950, 7.5.3, 7.21.5, 9.9.3, 9.13, 7.8.3, 7.6.5, 7.7.5, 7.7.6, 7.9.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RuleKind {
    /// The `must` with this number.
    Must(usize),
    /// All `when` expressions of the node.
    When,
    /// A value of this type refers to something that must be there.
    Reference(TypeId),
    /// The `unique` with this number, of an entry.
    Unique(usize),
    /// The child must be there.
    Mandatory(NodeId),
    /// How many entries the child may have.
    Elements(NodeId),
    /// One case at most, or exactly one.
    Choice(ChoiceId),
}

/// What rules have to do with a node.
#[derive(Debug, Default)]
struct Place {
    own: Range<u32>,
    /// The rules on the node and all below it.
    subtree: Range<u32>,
    /// Children with rules on or below them.
    ways: Vec<NodeId>,
    /// Rules that read the node.
    readers: Vec<Reader>,
    /// Rules that read the node or any below it, from outside.
    outside: Vec<Reader>,
}

/// A rule that reads a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reader {
    pub(super) rule: RuleId,
    /// How many nodes are above the anchor, itself counted: 0 is the root (see `Reads::nodes`).
    pub(super) depth: usize,
    pub(super) cares: Cares,
}

/// Which changes of a node count for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cares {
    Always,
    /// A node that was not there before cannot make the rule false.
    ForLoss,
}

impl Rules {
    /// The constraints of `schema`, worked out once.
    pub(crate) fn of(schema: &Schema) -> &Rules {
        schema.rules.get_or_init(|| Rules::new(schema))
    }

    fn new(schema: &Schema) -> Self {
        let mut constraints = Vec::new();
        for (id, node) in numbered(schema).filter(|(_, node)| node.config) {
            constraints_of(schema, (id, node), &mut constraints);
        }
        for (number, choice) in (0..).zip(&schema.choices).filter(|(_, choice)| choice.config) {
            let kind = RuleKind::Choice(ChoiceId(number));
            constraints.push(Rule { at: choice.parent, kind });
        }
        let whens = by_rank(schema).into_iter().map(|nodes| {
            let rule = |id| Rule { at: Some(id), kind: RuleKind::When };
            RuleSet::new(schema, nodes.into_iter().map(rule).collect())
        });
        let (whens, constraints) = (whens.collect(), RuleSet::new(schema, constraints));
        let plan = Plan::of(schema, &constraints);
        Self { whens, constraints, plan }
    }

    /// What each constraint is of which it is not known what it reads. They are looked at with every change.
    pub(crate) fn unbounded(&self, schema: &Schema) -> Vec<String> {
        let sets = self.whens.iter().chain([&self.constraints]);
        sets.flat_map(|set| set.unbounded.iter().filter_map(|rule| set.rule(*rule)))
            .map(|rule| rule.describe(schema))
            .collect()
    }
}

/// The constraints of one node, each where it is checked.
fn constraints_of(schema: &Schema, (id, node): (NodeId, &Node), rules: &mut Vec<Rule>) {
    let here = |kind| Rule { at: Some(id), kind };
    rules.extend((0..schema.expressions().musts(id).len()).map(|at| here(RuleKind::Must(at))));
    if let Some(type_id) = node.type_id().filter(|type_id| refers(schema, *type_id)) {
        rules.push(here(RuleKind::Reference(type_id)));
    }
    let above = |kind| Rule { at: node.parent, kind };
    if node.elements().is_some_and(|elements| elements.min > 0 || elements.max.is_some()) {
        rules.push(above(RuleKind::Elements(id)));
    }
    match &node.kind {
        NodeKind::Leaf(leaf) if leaf.mandatory && leaf.key.is_none() => {
            rules.push(above(RuleKind::Mandatory(id)));
        }
        NodeKind::Anydata { mandatory: true } | NodeKind::Anyxml { mandatory: true } => {
            rules.push(above(RuleKind::Mandatory(id)));
        }
        NodeKind::List(list) => {
            rules.extend((0..list.uniques.len()).map(|at| here(RuleKind::Unique(at))));
        }
        NodeKind::Leaf(_)
        | NodeKind::LeafList(_)
        | NodeKind::Container { .. }
        | NodeKind::Anydata { .. }
        | NodeKind::Anyxml { .. }
        | NodeKind::Rpc { .. }
        | NodeKind::Action { .. }
        | NodeKind::Notification => {}
    }
}

/// Values of the type refer to something that must be there.
fn refers(schema: &Schema, type_id: TypeId) -> bool {
    leafrefs(schema, type_id).is_none_or(|found| !found.is_empty())
}

/// The nodes with a `when`, those first that others depend on: a node's are looked at when those of all that they
/// read, and of all nodes above, have been. libyang refuses models where they go in circles.
fn by_rank(schema: &Schema) -> Vec<Vec<NodeId>> {
    let mut ranks: BTreeMap<NodeId, Option<usize>> = BTreeMap::new();
    for (id, _) in numbered(schema).filter(|(_, node)| node.config && !node.whens.is_empty()) {
        rank(schema, id, &mut ranks);
    }
    let mut by_rank: Vec<Vec<NodeId>> = Vec::new();
    for (id, rank) in ranks {
        let rank = rank.unwrap_or(0);
        if by_rank.len() <= rank {
            by_rank.resize_with(rank + 1, Vec::new);
        }
        if let Some(nodes) = by_rank.get_mut(rank) {
            nodes.push(id);
        }
    }
    by_rank
}

/// The rank of a node with a `when`. `None` in `ranks` is one that is being worked out.
fn rank(schema: &Schema, id: NodeId, ranks: &mut BTreeMap<NodeId, Option<usize>>) -> usize {
    if let Some(known) = ranks.get(&id) {
        return known.unwrap_or(0);
    }
    ranks.insert(id, None);
    let reads = Reads::of_whens(schema, id);
    // Where it is not known what it reads, it is all that is there.
    let reads: Vec<NodeId> = match reads {
        Some(reads) => reads.nodes.into_keys().collect(),
        None => numbered(schema).map(|(id, _)| id).collect(),
    };
    let mut mine = 0;
    for read in reads.into_iter().chain(schema.ancestors(id)) {
        for other in std::iter::once(read).chain(schema.ancestors(read)) {
            let node = schema.node(other);
            if other != id && node.config && !node.whens.is_empty() {
                mine = mine.max(rank(schema, other, ranks) + 1);
            }
        }
    }
    ranks.insert(id, Some(mine));
    mine
}

impl Rule {
    /// What the rule reads; `None` if that is not known.
    fn reads(&self, schema: &Schema) -> Option<BTreeMap<NodeId, Option<NodeId>>> {
        let mut reads = BTreeMap::new();
        let mut add = |more: Reads| {
            for (id, anchor) in more.nodes {
                let known = reads.entry(id).or_insert(anchor);
                *known = anchor.min(*known);
            }
        };
        // Its own node, too: it is there, or there by default.
        let itself = self.at.map(|at| (at, Some(at)));
        let mut present: Vec<(NodeId, Option<NodeId>)> = itself.into_iter().collect();
        match self.kind {
            RuleKind::When => return Some(Reads::of_whens(schema, self.at?)?.nodes),
            RuleKind::Must(number) => {
                let must = self.at.and_then(|at| schema.expressions().musts(at).get(number))?;
                add(must.reads(schema, self.at)?);
            }
            // What it refers to is indexed.
            RuleKind::Reference(_) if plain(schema, self).is_some() => {}
            RuleKind::Reference(type_id) => {
                for path in leafrefs(schema, type_id)? {
                    add(schema.expressions().leafref(path)?.reads(schema, self.at)?);
                }
            }
            RuleKind::Unique(number) => {
                let list = self.at?;
                for leaf in schema.unique_leafs(list, number) {
                    let way = schema.ancestors(*leaf).take_while(|above| *above != list);
                    present.extend(std::iter::once(*leaf).chain(way).map(|id| (id, self.at)));
                }
            }
            RuleKind::Mandatory(child) | RuleKind::Elements(child) => {
                add(Reads::of_conditions(schema, self.at, [child])?);
            }
            RuleKind::Choice(choice) => {
                let of_choice =
                    |id: &&NodeId| schema.node(**id).cases.iter().any(|case| case.choice == choice);
                let members = schema.children(self.at).iter().filter(of_choice);
                add(Reads::of_conditions(schema, self.at, members.copied())?);
            }
        }
        add(Reads::of_presence(schema, present)?);
        Some(reads)
    }

    /// A leafref leads to nodes by equality alone, so that more nodes find more (RFC 7950, 9.9.2), unless some come
    /// in the place of defaults.
    fn cares(&self, schema: &Schema, reads: &BTreeMap<NodeId, Option<NodeId>>) -> Cares {
        let is_stored = |id: &NodeId| {
            let node = schema.node(*id);
            !has_default(schema, *id) && node.cases.is_empty() && node.whens.is_empty()
        };
        match self.kind {
            RuleKind::Reference(_) if reads.keys().all(is_stored) => Cares::ForLoss,
            RuleKind::Reference(_)
            | RuleKind::Must(_)
            | RuleKind::When
            | RuleKind::Unique(_)
            | RuleKind::Mandatory(_)
            | RuleKind::Elements(_)
            | RuleKind::Choice(_) => Cares::Always,
        }
    }

    /// It is of a leafref, and of no union with one.
    pub(super) fn is_leafref(&self, schema: &Schema) -> bool {
        let RuleKind::Reference(type_id) = self.kind else { return false };
        matches!(schema.type_facts(type_id), Type::Leafref { .. })
    }

    /// The rule and where it stands, for people.
    pub(super) fn describe(&self, schema: &Schema) -> String {
        let at = self.at.map_or_else(|| "/".to_owned(), |at| schema.path_names(at));
        match (self.kind, self.at) {
            (RuleKind::Must(number), Some(node)) => {
                let must = schema.node(node).musts.get(number);
                format!("must \"{}\" of {at}", must.map_or("", |must| &must.expression))
            }
            (kind, _) => format!("{kind:?} of {at}"),
        }
    }
}

impl RuleSet {
    fn new(schema: &Schema, mut rules: Vec<Rule>) -> Self {
        rules.sort_by_key(|rule| (rule.at, rule.kind));
        let mut places: BTreeMap<Option<NodeId>, Place> = BTreeMap::new();
        let mut unbounded = Vec::new();
        for (number, rule) in (0..).zip(&rules) {
            let id = RuleId(number);
            let own = &mut places.entry(rule.at).or_default().own;
            *own = if own.start == own.end { number..number + 1 } else { own.start..number + 1 };
            let up = rule.at.into_iter().flat_map(|at| schema.ancestors(at).map(Some));
            let up = std::iter::once(rule.at).chain(up).chain([None]);
            for above in up {
                let subtree = &mut places.entry(above).or_default().subtree;
                let start = if subtree.start == subtree.end { number } else { subtree.start };
                *subtree = start..number + 1;
            }
            match rule.reads(schema) {
                Some(reads) => {
                    let cares = rule.cares(schema, &reads);
                    add_readers(&mut places, schema, (id, cares), &reads);
                }
                None => unbounded.push(id),
            }
        }
        let mut set = Self { rules, places, unbounded };
        set.find_ways(schema);
        set
    }

    fn find_ways(&mut self, schema: &Schema) {
        let mut ways: Vec<(Option<NodeId>, NodeId)> = Vec::new();
        for (id, place) in &mut self.places {
            place.outside.sort_unstable();
            place.outside.dedup_by_key(|reader| reader.rule);
            if let Some(id) = id.filter(|_| !place.subtree.is_empty()) {
                ways.push((schema.node(id).parent, id));
            }
        }
        for (parent, child) in ways {
            self.places.entry(parent).or_default().ways.push(child);
        }
    }

    /// There are none.
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    pub(super) fn numbered(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        (0..).map(RuleId).zip(&self.rules)
    }

    pub(super) fn rule(&self, id: RuleId) -> Option<&Rule> {
        usize::try_from(id.0).ok().and_then(|at| self.rules.get(at))
    }

    /// The rules on a node.
    pub(super) fn own(&self, id: Option<NodeId>) -> Range<u32> {
        self.places.get(&id).map_or(0..0, |place| place.own.clone())
    }

    /// The rules on a node and all below it.
    pub(super) fn subtree(&self, id: Option<NodeId>) -> Range<u32> {
        self.places.get(&id).map_or(0..0, |place| place.subtree.clone())
    }

    /// The children that rules stand on, or below.
    pub(super) fn ways(&self, id: Option<NodeId>) -> &[NodeId] {
        self.places.get(&id).map_or(&[], |place| &place.ways)
    }

    /// The rules that read a node.
    pub(super) fn readers_of(&self, id: NodeId) -> &[Reader] {
        self.places.get(&Some(id)).map_or(&[], |place| &place.readers)
    }

    /// The rules that read a node or any below it, whose anchors are above it.
    pub(super) fn readers_outside(&self, id: NodeId) -> &[Reader] {
        self.places.get(&Some(id)).map_or(&[], |place| &place.outside)
    }
}

/// Notes what a rule reads.
fn add_readers(
    places: &mut BTreeMap<Option<NodeId>, Place>,
    schema: &Schema,
    (rule, cares): (RuleId, Cares),
    reads: &BTreeMap<NodeId, Option<NodeId>>,
) {
    for (read, anchor) in reads {
        let depth = anchor.map_or(0, |anchor| schema.ancestors(anchor).count() + 1);
        let reader = Reader { rule, depth, cares };
        places.entry(Some(*read)).or_default().readers.push(reader);
        for above in std::iter::once(*read).chain(schema.ancestors(*read)) {
            let is_outside = anchor.is_none_or(|anchor| anchor < above);
            if is_outside {
                places.entry(Some(above)).or_default().outside.push(reader);
            }
        }
    }
}

impl Schema {
    /// The leafs of a list's `unique` statement.
    pub(super) fn unique_leafs(&self, list: NodeId, number: usize) -> &[NodeId] {
        let uniques = self.node(list).list().map_or(&[][..], |list| &list.uniques);
        uniques.get(number).map_or(&[], Vec::as_slice)
    }
}

fn numbered(schema: &Schema) -> impl Iterator<Item = (NodeId, &Node)> {
    (0..).map(NodeId).zip(&schema.nodes)
}

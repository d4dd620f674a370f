//! What is indexed: values that leafrefs and `unique` statements would otherwise be looked for in whole lists.

use super::rules::{Rule, RuleId, RuleKind, RuleSet};
use crate::yang::schema::{NodeId, NodeKind, Schema, Type, TypeId};
use crate::yang::tree::KeyPath;
use std::collections::{BTreeMap, BTreeSet};

/// What is indexed of the data of a schema.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// By leaf or leaf-list.
    columns: BTreeMap<NodeId, Vec<Column>>,
    /// By list.
    uniques: BTreeMap<NodeId, Vec<Unique>>,
    /// The nodes of both, and all above them.
    ways: BTreeSet<NodeId>,
    targets: BTreeMap<RuleId, Target>,
}

/// An index of the values of a leaf or leaf-list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Column {
    pub(super) rule: RuleId,
    pub(super) role: Role,
    /// How many lists are above the anchor, itself counted: in another of its instances a value is another one.
    pub(super) lists: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The values refer.
    Referrer,
    /// The values are referred to. They stand in the index unless an evaluation finds them by key.
    Target { indexed: bool },
}

/// Where the rule of a leafref looks for a value in the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    pub(super) node: NodeId,
    pub(super) lists: usize,
}

/// An index of the entries of a list by the values of some leafs.
#[derive(Debug)]
pub(super) struct Unique {
    pub(super) rule: RuleId,
    /// The way to each leaf, the entry not counted; no list is on it.
    pub(super) leafs: Vec<KeyPath>,
}

/// A leafref without predicates: its value is that of one node or another of the same kind.
pub(super) struct Plain {
    target: NodeId,
    lists: usize,
}

impl Plan {
    pub(super) fn of(schema: &Schema, constraints: &RuleSet) -> Self {
        let mut plan = Self::default();
        for (id, rule) in constraints.numbered() {
            match (rule.kind, rule.at) {
                (RuleKind::Reference(_), Some(at)) => {
                    let is_union = !rule.is_leafref(schema);
                    for plain in plain(schema, rule).unwrap_or_default() {
                        plan.add_reference(schema, (id, at, is_union), &plain);
                    }
                }
                (RuleKind::Unique(number), Some(list)) => {
                    plan.add_unique(schema, id, (list, number))
                }
                (_, _) => {}
            }
        }
        let indexed: Vec<NodeId> =
            plan.columns.keys().chain(plan.uniques.keys()).copied().collect();
        for id in indexed {
            plan.ways.extend(std::iter::once(id).chain(schema.ancestors(id)));
        }
        plan
    }

    fn add_reference(
        &mut self,
        schema: &Schema,
        (rule, at, is_union): (RuleId, NodeId, bool),
        plain: &Plain,
    ) {
        let Plain { target, lists } = *plain;
        let indexed = !is_union && !is_found_by_key(schema, plain);
        let of_target = Column { rule, role: Role::Target { indexed }, lists };
        self.columns.entry(target).or_default().push(of_target);
        let of_referrer = Column { rule, role: Role::Referrer, lists };
        self.columns.entry(at).or_default().push(of_referrer);
        if indexed {
            self.targets.insert(rule, Target { node: target, lists });
        }
    }

    /// Where a leaf has a default, entries are compared without an index.
    fn add_unique(&mut self, schema: &Schema, rule: RuleId, (list, number): (NodeId, usize)) {
        let leafs = schema.unique_leafs(list, number);
        if leafs.iter().any(|leaf| has_default(schema, *leaf)) {
            return;
        }
        let way = |leaf: &NodeId| {
            let up = std::iter::once(*leaf).chain(schema.ancestors(*leaf));
            let mut way: Vec<NodeId> = up.take_while(|above| *above != list).collect();
            way.reverse();
            KeyPath(way.into_iter().map(|node| (node, None)).collect())
        };
        let unique = Unique { rule, leafs: leafs.iter().map(way).collect() };
        self.ways.extend(unique.leafs.iter().flat_map(|way| &way.0).map(|(node, _)| *node));
        self.uniques.entry(list).or_default().push(unique);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ways.is_empty()
    }

    /// Something on the node, or below it, is indexed.
    pub(super) fn leads_on(&self, node: NodeId) -> bool {
        self.ways.contains(&node)
    }

    pub(super) fn columns(&self, leaf: NodeId) -> &[Column] {
        self.columns.get(&leaf).map_or(&[], Vec::as_slice)
    }

    pub(super) fn uniques(&self, list: NodeId) -> &[Unique] {
        self.uniques.get(&list).map_or(&[], Vec::as_slice)
    }

    /// Entries are found by what a `unique` of theirs names.
    pub(super) fn has_unique(&self, rule: RuleId, list: NodeId) -> bool {
        self.uniques(list).iter().any(|unique| unique.rule == rule)
    }

    pub(super) fn target(&self, rule: RuleId) -> Option<Target> {
        self.targets.get(&rule).copied()
    }
}

/// The leafrefs of a rule's type, if it is made of such that an index can serve: without predicates, and neither side
/// is there by default.
pub(super) fn plain(schema: &Schema, rule: &Rule) -> Option<Vec<Plain>> {
    let (RuleKind::Reference(type_id), Some(at)) = (rule.kind, rule.at) else { return None };
    if has_default(schema, at) {
        return None;
    }
    let leafrefs = leafrefs(schema, type_id)?;
    leafrefs.into_iter().map(|leafref| plain_of(schema, at, leafref)).collect()
}

/// The leafrefs among the members of a type; `None` if an instance-identifier is there.
pub(super) fn leafrefs(schema: &Schema, type_id: TypeId) -> Option<Vec<TypeId>> {
    match schema.type_facts(type_id) {
        Type::Leafref { require_instance: true, .. } => Some(vec![type_id]),
        Type::InstanceIdentifier { require_instance: true } => None,
        Type::Union(members) => {
            let mut all = Vec::new();
            for member in members {
                all.append(&mut leafrefs(schema, *member)?);
            }
            Some(all)
        }
        Type::Leafref { .. }
        | Type::InstanceIdentifier { .. }
        | Type::Boolean
        | Type::Empty
        | Type::Int { .. }
        | Type::Uint { .. }
        | Type::Decimal64 { .. }
        | Type::String { .. }
        | Type::Binary { .. }
        | Type::Enumeration(_)
        | Type::Bits(_)
        | Type::Identityref(_)
        | Type::Foreign { .. } => Some(Vec::new()),
    }
}

fn plain_of(schema: &Schema, at: NodeId, type_id: TypeId) -> Option<Plain> {
    let path = schema.expressions().leafref(type_id)?;
    if !schema.expressions().is_plain_leafref(type_id) || schema.needs_prefixes(type_id) {
        return None;
    }
    let reads = path.reads(schema, Some(at))?;
    let mut results = reads.results.iter();
    let (Some(target), None) = (results.next(), results.next()) else { return None };
    let anchor = *reads.nodes.get(target)?;
    let is_list = |id: &NodeId| matches!(schema.node(*id).kind, NodeKind::List(_));
    let above = |anchor: NodeId| std::iter::once(anchor).chain(schema.ancestors(anchor));
    let lists = anchor.map_or(0, |anchor| above(anchor).filter(is_list).count());
    (!has_default(schema, *target)).then_some(Plain { target: *target, lists })
}

/// In an instance of the anchor there is one node with a value at most, and an evaluation does not look through others.
fn is_found_by_key(schema: &Schema, plain: &Plain) -> bool {
    let lists: Vec<NodeId> = schema
        .ancestors(plain.target)
        .filter(|id| matches!(schema.node(*id).kind, NodeKind::List(_)))
        .collect();
    match lists.len().checked_sub(plain.lists) {
        Some(0) | None => true,
        Some(1) => lists.first().is_some_and(|list| schema.keys(*list) == [plain.target]),
        Some(_) => false,
    }
}

pub(super) fn has_default(schema: &Schema, id: NodeId) -> bool {
    match &schema.node(id).kind {
        NodeKind::Leaf(leaf) => leaf.default.is_some(),
        NodeKind::LeafList(leaf_list) => !leaf_list.defaults.is_empty(),
        NodeKind::Container { .. }
        | NodeKind::List(_)
        | NodeKind::Anydata { .. }
        | NodeKind::Anyxml { .. }
        | NodeKind::Rpc { .. }
        | NodeKind::Action { .. }
        | NodeKind::Notification => false,
    }
}

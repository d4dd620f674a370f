//! Random edits of data of any schema.

use super::random_models::Random;
use crate::netconf::BASE_NAMESPACE;
use crate::yang::schema::{ChoiceId, ForeignText, Node, NodeId, NodeKind, Schema, Type, TypeId};
use crate::yang::types::{ModuleNames, decimal};
use crate::yang::xpath::Reads;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Texts among which there are values of most types.
const TEXTS: [&str; 28] = [
    "a",
    "b",
    "bb",
    "ab",
    "xa",
    "1",
    "0",
    "eth0",
    "192.0.2.1",
    "192.0.2.2",
    "2001:db8::1",
    "2001:db8::2",
    "192.0.2.0/24",
    "198.51.100.0/24",
    "2001:db8::/32",
    "2001:db8:1::/48",
    "00:11:22:33:44:55",
    "2026-01-02T03:04:05Z",
    "1.3.6.1.2",
    "example.com",
    "urn:example:a",
    "Europe/Berlin",
    "*",
    "0a:0b",
    "1:2:3",
    "",
    "YQ==",
    "$0$secret",
];

/// Values of one leaf that are drawn.
const VALUES_MAX: usize = 5;
/// Values of one key that are drawn.
const KEYS_MAX: usize = 3;
/// Levels below the node of an edit.
const LEVELS_MAX: usize = 6;

/// What is put into a node.
#[derive(Clone, Copy, PartialEq)]
enum Fill {
    /// What must be there.
    Required,
    /// That, and some other children.
    Some,
}

/// Random edits.
pub(super) struct RandomData<'s> {
    schema: &'s Schema,
    random: Random,
    /// What can be configured: keys, and what is in a node that cannot be drawn, are not among it.
    nodes: Vec<NodeId>,
    /// Those on which a `when` depends.
    decisive: Vec<NodeId>,
    /// What each leaf can be.
    values: BTreeMap<NodeId, Vec<String>>,
    /// Of all modules, by their names.
    namespaces: String,
}

impl<'s> RandomData<'s> {
    pub(super) fn new(schema: &'s Schema, seed: u64) -> Self {
        let mut namespaces = format!(" xmlns:nc='{BASE_NAMESPACE}'");
        for module in schema.modules.iter().filter(|module| module.implemented) {
            write!(namespaces, " xmlns:{}='{}'", module.name, module.namespace).unwrap();
        }
        let mut data = Self {
            schema,
            random: Random(seed),
            nodes: Vec::new(),
            decisive: Vec::new(),
            values: BTreeMap::new(),
            namespaces,
        };
        data.find_nodes(None);
        data.nodes.sort_unstable();
        assert!(!data.nodes.is_empty(), "something can be configured");
        let mut decisive = BTreeSet::new();
        for (number, node) in (0..).zip(&schema.nodes) {
            if node.config && !node.whens.is_empty() {
                let reads = Reads::of_whens(schema, NodeId(number));
                decisive.extend(reads.into_iter().flat_map(|reads| reads.nodes.into_keys()));
            }
        }
        data.decisive = data.nodes.iter().copied().filter(|id| decisive.contains(id)).collect();
        data
    }

    /// Leafs and leaf-lists of which no value is known here.
    pub(super) fn without_values(&self) -> Vec<String> {
        let none = self.values.iter().filter(|(id, _)| !self.nodes.contains(id));
        let none = none.filter(|(_, values)| values.is_empty());
        none.map(|(id, _)| self.schema.path_names(*id)).collect()
    }

    fn find_nodes(&mut self, parent: Option<NodeId>) {
        let schema = self.schema;
        for id in schema.children(parent).iter().copied().filter(|id| schema.node(*id).config) {
            let node = schema.node(id);
            if let Some(type_id) = node.type_id() {
                let mut values = self.values_of(type_id);
                let names = ModuleNames { schema, default: node.module };
                values.retain(|value| schema.canonical(id, value, &names).is_ok());
                let is_key = matches!(&node.kind, NodeKind::Leaf(leaf) if leaf.key.is_some());
                values.truncate(if is_key { KEYS_MAX } else { VALUES_MAX });
                let is_drawn = !values.is_empty() || is_free(schema, type_id);
                self.values.insert(id, values);
                if is_drawn && !is_key {
                    self.nodes.push(id);
                }
                continue;
            }
            self.nodes.push(id);
            self.find_nodes(Some(id));
            let has_values = |key: &NodeId| self.values.get(key).is_some_and(|v| !v.is_empty());
            if !schema.keys(id).iter().all(has_values) {
                let is_below = |node: &NodeId| schema.ancestors(*node).any(|above| above == id);
                self.nodes.retain(|node| *node != id && !is_below(node));
            }
        }
    }

    /// Texts that can be values of a type.
    fn values_of(&self, type_id: TypeId) -> Vec<String> {
        let schema = self.schema;
        let texts = || TEXTS.map(str::to_owned).to_vec();
        match schema.type_facts(type_id) {
            Type::Boolean => vec!["true".into(), "false".into()],
            Type::Empty => vec![String::new()],
            Type::Int { ranges, .. } => ranges
                .iter()
                .flat_map(|(low, high)| [*low, low.saturating_add(1), *high])
                .chain([0, 1])
                .map(|number| number.to_string())
                .collect(),
            Type::Uint { ranges, .. } => ranges
                .iter()
                .flat_map(|(low, high)| (*low..=*high).take(VALUES_MAX))
                .map(|number| number.to_string())
                .collect(),
            Type::Decimal64 { fraction_digits, ranges, .. } => ranges
                .iter()
                .flat_map(|(low, high)| [*low, *high])
                .map(|units| decimal::canonical(units, *fraction_digits))
                .chain(["0.0".into(), "0.5".into()])
                .collect(),
            Type::String { .. }
            | Type::Foreign { text: ForeignText::Plain | ForeignText::DateAndTime, .. } => texts(),
            Type::Binary { .. } => vec!["".into(), "YQ==".into(), "YWI=".into()],
            Type::Enumeration(names) => names.iter().map(|(name, _)| name.to_string()).collect(),
            Type::Bits(names) => {
                let all: Vec<&str> = names.iter().map(|(name, _)| &**name).collect();
                let one = all.iter().map(|name| (*name).to_owned());
                one.take(3).chain([String::new(), all.join(" ")]).collect()
            }
            Type::Identityref(bases) => {
                let Some(first) = bases.first() else { return Vec::new() };
                let derived = schema.identity(*first).derived.iter();
                let name = |id: &_| {
                    let identity = schema.identity(*id);
                    format!("{}:{}", schema.module(identity.module).name, identity.name)
                };
                derived.map(name).collect()
            }
            Type::Leafref { target_type, .. } => self.values_of(*target_type),
            Type::Union(members) => {
                // Some of each.
                let mut all: Vec<Vec<String>> =
                    members.iter().map(|member| self.values_of(*member)).collect();
                let mut values = Vec::new();
                for at in 0..TEXTS.len() {
                    values.extend(all.iter_mut().filter_map(|of| of.get(at).cloned()));
                }
                values
            }
            Type::InstanceIdentifier { .. } => Vec::new(),
            Type::Foreign { .. } => {
                let top = self.schema.top.first().map(|top| self.name(*top));
                vec![format!("/{}", top.unwrap_or_default())]
            }
        }
    }

    /// The name with its module's for the prefix.
    fn name(&self, id: NodeId) -> String {
        format!("{}:{}", self.schema.module_of(id).name, self.schema.node(id).name)
    }

    fn node(&self, id: NodeId) -> &'s Node {
        self.schema.node(id)
    }

    /// A value; there is nothing to escape in any.
    fn value(&mut self, id: NodeId) -> String {
        match self.values.get(&id) {
            Some(values) if !values.is_empty() => values[self.random.below(values.len())].clone(),
            _ => self.instance(),
        }
    }

    /// How many edits a change is of.
    pub(super) fn count(&mut self) -> usize {
        1 + self.random.below(5) / 3
    }

    /// An edit of one place.
    pub(super) fn edit(&mut self) -> String {
        let from_decisive = !self.decisive.is_empty() && self.random.one_in(3);
        let nodes = if from_decisive { &self.decisive } else { &self.nodes };
        let target = nodes[self.random.below(nodes.len())];
        let mut way: Vec<NodeId> = self.schema.ancestors(target).collect();
        way.reverse();
        let (mut out, mut close) = (String::new(), String::new());
        let mut inner = None;
        for id in way.into_iter().chain([target]) {
            if let Some(parent) = inner
                && self.random.one_in(2)
            {
                // So that nothing is missing where the way is new.
                out += &self.children((parent, Some(id)), Fill::Required, 0);
            }
            let name = self.name(id);
            let namespaces = if inner.is_none() { self.namespaces.as_str() } else { "" };
            write!(out, "<{name}{namespaces}").unwrap();
            if id == target {
                match self.random.below(12) {
                    0..3 => return self.removed(out, id, &close),
                    3 => out += " nc:operation='replace'",
                    _ => {}
                }
            }
            out.push('>');
            out += &self.keys(id);
            close.insert_str(0, &format!("</{name}>"));
            inner = Some(id);
        }
        out += &match self.node(target).type_id() {
            Some(_) => self.value(target),
            None => self.children((target, None), Fill::Some, 0),
        };
        out + &close
    }

    /// The edit that removes a node, whose start tag is open.
    fn removed(&mut self, mut out: String, id: NodeId, close: &str) -> String {
        out += " nc:operation='remove'>";
        match self.node(id).kind {
            NodeKind::List(_) => out += &self.keys(id),
            NodeKind::LeafList(_) => out += &self.value(id),
            _ => {}
        }
        format!("{out}</{}>{close}", self.name(id))
    }

    fn keys(&mut self, id: NodeId) -> String {
        let mut out = String::new();
        for key in self.schema.keys(id) {
            let (name, value) = (self.name(*key), self.value(*key));
            write!(out, "<{name}>{value}</{name}>").unwrap();
        }
        out
    }

    /// Children of a node, but for one, whose cases are those that are chosen.
    fn children(
        &mut self,
        (parent, but): (NodeId, Option<NodeId>),
        fill: Fill,
        level: usize,
    ) -> String {
        let mut out = String::new();
        let mut chosen: BTreeMap<ChoiceId, u16> = BTreeMap::new();
        let cases = but.map_or(&[][..], |but| &self.node(but).cases);
        chosen.extend(cases.iter().map(|case| (case.choice, case.case)));
        for id in self.schema.children(Some(parent)) {
            if Some(*id) == but || level > LEVELS_MAX || self.nodes.binary_search(id).is_err() {
                continue;
            }
            let node = self.node(*id);
            let mut is_chosen = true;
            for case in &node.cases {
                let count = self.schema.choice(case.choice).cases.len();
                let drawn = u16::try_from(self.random.below(count)).unwrap();
                is_chosen &= *chosen.entry(case.choice).or_insert(drawn) == case.case;
            }
            let is_wanted = if is_required(self.schema, node) {
                !self.random.one_in(8)
            } else {
                fill == Fill::Some && self.random.one_in(3)
            };
            let is_wanted = is_wanted && (node.whens.is_empty() || self.random.one_in(3));
            if is_chosen && is_wanted {
                out += &self.instance_of(*id, fill, level);
            } else if is_chosen && matches!(node.kind, NodeKind::Container { presence: false }) {
                let inner = self.children((*id, None), Fill::Required, level + 1);
                if !inner.is_empty() {
                    let name = self.name(*id);
                    write!(out, "<{name}>{inner}</{name}>").unwrap();
                }
            }
        }
        out
    }

    fn instance_of(&mut self, id: NodeId, fill: Fill, level: usize) -> String {
        let name = self.name(id);
        let inner = match self.node(id).kind {
            NodeKind::Leaf(_) | NodeKind::LeafList(_) => self.value(id),
            NodeKind::Anydata { .. } | NodeKind::Anyxml { .. } => String::new(),
            _ => {
                let keys = self.keys(id);
                keys + &self.children((id, None), fill, level + 1)
            }
        };
        format!("<{name}>{inner}</{name}>")
    }

    /// An instance-identifier.
    fn instance(&mut self) -> String {
        let mut target = self.nodes[self.random.below(self.nodes.len())];
        if matches!(self.node(target).kind, NodeKind::LeafList(_))
            && self.values[&target].is_empty()
        {
            target = self.nodes[0];
        }
        let mut way: Vec<NodeId> = self.schema.ancestors(target).collect();
        way.reverse();
        let mut out = String::new();
        for id in way.into_iter().chain([target]) {
            write!(out, "/{}", self.name(id)).unwrap();
            for key in self.schema.keys(id) {
                let (name, value) = (self.name(*key), self.value(*key));
                write!(out, "[{name}='{value}']").unwrap();
            }
            if matches!(self.node(id).kind, NodeKind::LeafList(_)) {
                let value = self.value(id);
                write!(out, "[.='{value}']").unwrap();
            }
        }
        out
    }
}

/// It can have an instance-identifier for a value.
fn is_free(schema: &Schema, type_id: TypeId) -> bool {
    match schema.type_facts(type_id) {
        Type::InstanceIdentifier { .. } => true,
        Type::Leafref { target_type, .. } => is_free(schema, *target_type),
        _ => false,
    }
}

/// Its parent needs it, or one of its choice.
fn is_required(schema: &Schema, node: &Node) -> bool {
    let by_itself = match &node.kind {
        NodeKind::Leaf(leaf) => leaf.mandatory,
        NodeKind::Anydata { mandatory } | NodeKind::Anyxml { mandatory } => *mandatory,
        _ => node.elements().is_some_and(|elements| elements.min > 0),
    };
    by_itself || node.cases.iter().any(|case| schema.choice(case.choice).mandatory)
}

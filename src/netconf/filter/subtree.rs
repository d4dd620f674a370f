//! Subtree filters (RFC 6241, 6).
//!
//! A filter is read once into sets of siblings that name schema nodes and hold canonical values. Selecting walks data
//! and filter together, all siblings for the same data at once, so that overlapping subtrees need no merging and
//! entries come out in the order of the data. Where the RFC leaves a choice:
//! - Elements without a namespace, and those in NETCONF's own (where a client forgot to leave it), match nodes of any
//!   module.
//! - A content match that no instance can satisfy (an unknown name, a value that its type refuses) is false. An unknown
//!   name otherwise selects nothing and leaves its siblings alone.
//! - What is inside anydata and anyxml is selected with them or not at all.
//! - A list entry of which something is selected comes with its keys.

use crate::netconf::BASE_NAMESPACE;
use crate::xml::{Event, Reader, XmlError, trim};
use crate::yang::schema::{Lookup, NodeId, NodeKind, Order, Schema};
use crate::yang::tree::container::ContainerBuilder;
use crate::yang::tree::entries::EntriesBuilder;
use crate::yang::tree::{Child, ChildRef, Container, Key, LeafList, List, Seed, Text, Tree};
use std::collections::{BTreeMap, BTreeSet};

/// A subtree filter. It belongs to the schema that it was read with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Subtree {
    top: Siblings,
}

/// The elements inside one filter element (6.2.5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Siblings {
    /// Content match nodes, all of which must hold.
    matches: Vec<Match>,
    /// Selection nodes: these children are wanted whole.
    selected: Vec<NodeId>,
    /// Containment nodes.
    contained: Vec<Containment>,
    /// There are others that select nothing: unknown names, attribute matches, mixed content.
    idle: bool,
    /// A content match among them cannot hold.
    never: bool,
    /// There is nothing but content matches, so that everything around them is wanted.
    whole: bool,
}

/// A content match node: one of these nodes has this value. There are several if the name is that of several modules.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Match(Vec<(NodeId, Wanted)>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// A leaf's canonical value.
    Leaf(Text),
    /// A leaf-list entry.
    Item(Key),
}

/// A containment node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Containment {
    /// The nodes it can be, each with the entry's key if `inside` matches all of a list's keys.
    nodes: Vec<(NodeId, Option<Key>)>,
    inside: Siblings,
}

impl Subtree {
    /// Reads the content of `<filter>` up to its end; the reader stands behind its start.
    ///
    /// # Errors
    /// Only if the document cannot be read on: unknown names and values match nothing.
    pub(crate) fn parse(reader: &mut Reader<'_>, schema: &Schema) -> Result<Self, XmlError> {
        let mut open: Vec<Element> = Vec::new();
        let mut top = Element::default();
        loop {
            match reader.next()? {
                Event::Start => {
                    let nodes = candidates(reader, schema, (!open.is_empty()).then_some(&top));
                    top.has_elements = true;
                    if nodes.is_empty() {
                        top.inside.unknown(reader)?;
                    } else {
                        let element = Element { nodes, ..Element::default() };
                        open.push(std::mem::replace(&mut top, element));
                    }
                }
                Event::Text => top.text(reader, schema),
                Event::End | Event::Eof => {
                    let Some(outer) = open.pop() else { break };
                    let element = std::mem::replace(&mut top, outer);
                    top.inside.add(element, schema);
                }
            }
        }
        top.inside.finish();
        top.inside.whole &= top.has_elements;
        Ok(Self { top: top.inside })
    }

    /// False if nothing of the top-level node `node` can be selected, whatever it holds.
    pub(crate) fn can_select(&self, node: NodeId) -> bool {
        let Siblings { matches, selected, contained, whole, .. } = &self.top;
        let names = |part: &Containment| part.nodes.iter().any(|(id, _)| *id == node);
        let matches_it = |part: &Match| part.0.iter().any(|(id, _)| *id == node);
        *whole
            || selected.contains(&node)
            || contained.iter().any(names)
            || matches.iter().any(matches_it)
    }

    /// What the filter selects of a tree. What is selected whole is shared with it.
    pub(crate) fn select(&self, schema: &Schema, tree: &Tree) -> Tree {
        let selection = Selection { schema, seed: tree.seed };
        let root = selection.children(None, &tree.root, &[&self.top]).unwrap_or_default();
        Tree { root, seed: tree.seed }
    }
}

/// A filter element whose end has not come.
#[derive(Debug, Default)]
struct Element {
    /// The schema nodes that it can be; at the top there are none.
    nodes: Vec<NodeId>,
    inside: Siblings,
    has_elements: bool,
    /// What it matches if it turns out to be a content match node.
    content: Option<Match>,
}

impl Element {
    fn text(&mut self, reader: &Reader<'_>, schema: &Schema) {
        let text = trim(reader.text());
        if text.is_empty() || self.nodes.is_empty() {
            return;
        }
        let wanted = self.nodes.iter().filter_map(|id| {
            let leaf_list = match schema.node(*id).kind {
                NodeKind::Leaf(_) => false,
                NodeKind::LeafList(_) => true,
                NodeKind::Container { .. }
                | NodeKind::List(_)
                | NodeKind::Anydata { .. }
                | NodeKind::Anyxml { .. }
                | NodeKind::Rpc { .. }
                | NodeKind::Action { .. }
                | NodeKind::Notification => return None,
            };
            let value = schema.canonical(*id, text, reader.scope()).ok()?;
            let item = || Wanted::Item(schema.leaf_list_key(*id, &value));
            Some((*id, if leaf_list { item() } else { Wanted::Leaf(value.clone()) }))
        });
        self.content = Some(Match(wanted.collect()));
    }
}

impl Siblings {
    /// Takes in an element that no schema node can be. The reader stands behind its start.
    fn unknown(&mut self, reader: &mut Reader<'_>) -> Result<(), XmlError> {
        let outside = reader.depth().saturating_sub(1);
        let (mut elements, mut text) = (false, false);
        while reader.depth() > outside {
            match reader.next()? {
                Event::Start => elements = true,
                Event::Text => text |= !trim(reader.text()).is_empty(),
                Event::End | Event::Eof => {}
            }
        }
        if text && !elements {
            self.never = true;
        } else {
            self.idle = true;
        }
        Ok(())
    }

    /// Takes in a complete element.
    fn add(&mut self, element: Element, schema: &Schema) {
        let Element { nodes, mut inside, has_elements, content } = element;
        match (has_elements, content) {
            (false, None) => self.selected.extend(nodes),
            (false, Some(content)) if content.0.is_empty() => self.never = true,
            (false, Some(content)) => self.matches.push(content),
            // Mixed content is no filter (6.2.5), so it selects nothing.
            (true, Some(_)) => self.idle = true,
            (true, None) => {
                inside.finish();
                let keyed = nodes.into_iter().map(|id| (id, inside.key(schema, id)));
                self.contained.push(Containment { nodes: keyed.collect(), inside });
            }
        }
    }

    /// No more elements will come.
    fn finish(&mut self) {
        self.whole = self.selected.is_empty() && self.contained.is_empty() && !self.idle;
        self.selected.sort_unstable();
        self.selected.dedup();
    }

    /// The key of the one entry of list `id` that these can match, if they name all of its keys.
    fn key(&self, schema: &Schema, id: NodeId) -> Option<Key> {
        let NodeKind::List(list) = &schema.node(id).kind else { return None };
        if list.keys.is_empty() {
            return None;
        }
        let values: Option<Vec<Text>> = list.keys.iter().map(|key| self.wanted(*key)).collect();
        Some(schema.list_key(id, &values?))
    }

    /// The value that leaf `id` must have.
    fn wanted(&self, id: NodeId) -> Option<Text> {
        self.matches.iter().find_map(|Match(nodes)| match nodes.as_slice() {
            [(node, Wanted::Leaf(value))] if *node == id => Some(value.clone()),
            _ => None,
        })
    }

    /// Every content match holds among these children.
    fn hold(&self, children: &Container) -> bool {
        !self.never
            && self.matches.iter().all(|Match(nodes)| {
                nodes.iter().any(|(node, wanted)| wanted.is_in(children, *node))
            })
    }
}

impl Wanted {
    fn is_in(&self, children: &Container, node: NodeId) -> bool {
        match (self, children.get(node)) {
            (Wanted::Leaf(wanted), Some(ChildRef::Leaf(value))) => wanted.as_str() == value,
            (Wanted::Item(key), Some(ChildRef::LeafList(items))) => items.get(key).is_some(),
            (_, _) => false,
        }
    }
}

/// The schema nodes that the element which was started last can be: children of those that `parent` can be, or top
/// nodes.
fn candidates(reader: &Reader<'_>, schema: &Schema, parent: Option<&Element>) -> Vec<NodeId> {
    // No data of ours has attributes, so an attribute match expression is never met (6.2.2).
    if reader.has_attributes() {
        return Vec::new();
    }
    let namespace = reader.namespace().filter(|namespace| *namespace != BASE_NAMESPACE);
    let below = |parent: Option<NodeId>| match namespace {
        Some(_) => match schema.child(parent, namespace, reader.name()) {
            Lookup::Found(id) => vec![id],
            Lookup::UnknownNamespace | Lookup::UnknownElement => Vec::new(),
        },
        None => {
            let siblings = match parent {
                Some(id) => schema.node(id).children.as_slice(),
                None => schema.top.as_slice(),
            };
            let is_named = |id: &&NodeId| *schema.node(**id).name == *reader.name();
            siblings.iter().filter(is_named).copied().collect()
        }
    };
    match parent {
        None => below(None),
        Some(parent) => parent.nodes.iter().flat_map(|id| below(Some(*id))).collect(),
    }
}

/// Selected children by number.
type Selected = BTreeMap<NodeId, Child>;

/// Selecting in progress.
struct Selection<'s> {
    schema: &'s Schema,
    seed: Seed,
}

impl Selection<'_> {
    /// What `filters` together select of the children of `parent`, a container or an entry, or of the tree; `None` is
    /// nothing. No deeper than the schema.
    fn children(
        &self,
        parent: Option<NodeId>,
        data: &Container,
        filters: &[&Siblings],
    ) -> Option<Container> {
        let live: Vec<&Siblings> =
            filters.iter().copied().filter(|filter| filter.hold(data)).collect();
        if live.is_empty() {
            return None;
        }
        if live.iter().any(|filter| filter.whole) {
            return Some(data.clone());
        }
        let mut out = Selected::new();
        for id in live.iter().flat_map(|filter| &filter.selected) {
            if let Some(child) = data.get(*id) {
                out.insert(*id, child.to_owned());
            }
        }
        self.matched(data, &live, &mut out);
        let mut inside: BTreeMap<NodeId, Vec<(Option<&Key>, &Siblings)>> = BTreeMap::new();
        for containment in live.iter().flat_map(|filter| &filter.contained) {
            for (id, key) in &containment.nodes {
                inside.entry(*id).or_default().push((key.as_ref(), &containment.inside));
            }
        }
        for (id, filters) in inside {
            if out.contains_key(&id) {
                continue;
            }
            let selected = match data.get(id) {
                Some(ChildRef::Container(child)) => {
                    let filters: Vec<_> = filters.into_iter().map(|(_, filter)| filter).collect();
                    self.children(Some(id), child, &filters).map(Child::Container)
                }
                Some(ChildRef::List(list)) => Some(self.entries(id, list, &filters))
                    .filter(|l| !l.is_empty())
                    .map(Child::List),
                Some(ChildRef::Leaf(_) | ChildRef::LeafList(_) | ChildRef::Any(_)) | None => None,
            };
            out.extend(selected.map(|child| (id, child)));
        }
        if out.is_empty() {
            return None;
        }
        self.add_keys(parent, data, &mut out);
        let mut container = ContainerBuilder::default();
        for (id, child) in out {
            container.put(id, child);
        }
        Some(container.finish())
    }

    /// Adds the content match nodes themselves, which are part of what is selected.
    fn matched(&self, data: &Container, live: &[&Siblings], out: &mut Selected) {
        let mut items: BTreeMap<NodeId, BTreeSet<&Key>> = BTreeMap::new();
        for (id, wanted) in live.iter().flat_map(|filter| &filter.matches).flat_map(|m| &m.0) {
            match wanted {
                _ if out.contains_key(id) || !wanted.is_in(data, *id) => {}
                Wanted::Leaf(value) => {
                    out.insert(*id, Child::Leaf(value.clone()));
                }
                Wanted::Item(key) => {
                    items.entry(*id).or_default().insert(key);
                }
            }
        }
        for (id, keys) in items {
            if let Some(ChildRef::LeafList(all)) = data.get(id) {
                out.insert(id, Child::LeafList(self.items(all, &keys)));
            }
        }
    }

    fn items(&self, all: &LeafList, keys: &BTreeSet<&Key>) -> LeafList {
        let mut some = EntriesBuilder::new(all.order(), self.seed);
        if all.order() == Order::User && keys.len() > 1 {
            for (key, value) in all.iter().filter(|(key, _)| keys.contains(key)) {
                some.push(key.clone(), value.clone());
            }
        } else {
            for key in keys {
                if let Some(value) = all.get(key) {
                    some.push((*key).clone(), value.clone());
                }
            }
        }
        some.finish()
    }

    /// What `filters` together select of a list. Entries that are named by their keys are looked up; all are visited
    /// only if a filter does not name its entry, or if the user's order of several entries is to be kept.
    fn entries(&self, id: NodeId, all: &List, filters: &[(Option<&Key>, &Siblings)]) -> List {
        let mut keyed: BTreeMap<&Key, Vec<&Siblings>> = BTreeMap::new();
        let mut general: Vec<&Siblings> = Vec::new();
        for (key, filter) in filters {
            match key {
                Some(key) => keyed.entry(key).or_default().push(filter),
                None => general.push(filter),
            }
        }
        let mut some = EntriesBuilder::new(all.order(), self.seed);
        let mut add = |key: &Key, entry: &Container, filters: &[&Siblings]| {
            if let Some(selected) = self.children(Some(id), entry, filters) {
                some.push(key.clone(), selected);
            }
        };
        if general.is_empty() && (all.order() == Order::System || keyed.len() == 1) {
            for (key, filters) in keyed {
                if let Some(entry) = all.get(key) {
                    add(key, entry, &filters);
                }
            }
            return some.finish();
        }
        let general_len = general.len();
        for (key, entry) in all.iter() {
            general.truncate(general_len);
            general.extend(keyed.get(key).into_iter().flatten());
            if !general.is_empty() {
                add(key, entry, &general);
            }
        }
        some.finish()
    }

    /// Adds an entry's keys.
    fn add_keys(&self, parent: Option<NodeId>, entry: &Container, out: &mut Selected) {
        let Some(NodeKind::List(list)) = parent.map(|id| &self.schema.node(id).kind) else {
            return;
        };
        for key in &list.keys {
            if let Some(child) = entry.get(*key) {
                out.entry(*key).or_insert_with(|| child.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests;

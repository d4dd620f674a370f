//! A data tree as XML (RFC 7950: 7.5.7, 7.6.6, 7.7.8, 7.8.5 and their like).
//!
//! Top-level elements declare their module's namespace as the default one, and so does every element whose module is
//! another than its parent's. Values that hold prefixes declare them on their own element.

use super::path::{InstancePath, Selector, Step};
use super::prefixes::Declarations;
use super::schema::{Node, NodeId, NodeKind, Schema, Type, TypeId};
use super::tree::{ChildRef, Container, Key, LeafList, List, Tree};
use super::types::PrefixSink;
use crate::xml::Writer;
use crate::xml::writer::push_text;
use std::sync::Arc;

/// Bytes up to which a container or an entry is written in one go.
const WHOLE_BYTES_MAX: usize = 8 << 10;
/// Entries up to which a leaf-list is written in one go.
const WHOLE_ITEMS_MAX: usize = 256;

/// Writes a tree piece by piece. Between the pieces it holds pointers into the tree, and nothing that was written.
#[derive(Debug)]
pub(crate) struct Printer {
    schema: Arc<Schema>,
    /// What is open, outermost first.
    levels: Vec<Level>,
}

/// What `Printer::fill` leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more to come.
    More,
    /// Everything is written.
    Done,
}

/// A node of the tree that is written in part.
#[derive(Debug)]
enum Level {
    /// Children of a container or entry (or of the tree) from the first whose number is at least `from`.
    Children { owner: Option<NodeId>, data: Container, from: NodeId },
    /// Entries of a list behind `after`.
    Entries { node: NodeId, list: List, after: Option<Key> },
    /// Entries of a leaf-list behind `after`.
    Items { node: NodeId, items: LeafList, after: Option<Key> },
}

/// Where a run through a list's entries ends.
enum Stop {
    /// Behind the last one.
    End,
    /// Behind this one, because enough is written.
    Behind(Key),
    /// Inside of this one, whose start tag is written.
    Inside(Key, Container),
}

impl Printer {
    /// Will write all of `tree`, which is a tree of `schema`.
    pub(crate) fn new(schema: Arc<Schema>, tree: &Tree) -> Self {
        let level = Level::Children { owner: None, data: tree.root.clone(), from: NodeId(0) };
        Self { schema, levels: vec![level] }
    }

    /// Appends to `out` until it holds at least `until` bytes or nothing is left. One call may go beyond by a small
    /// entry, or by one value.
    pub(crate) fn fill(&mut self, out: &mut Vec<u8>, until: usize) -> Progress {
        let pen = Pen { schema: &self.schema, tags: self.schema.tags() };
        while out.len() < until {
            match self.levels.pop() {
                None => return Progress::Done,
                Some(Level::Children { owner, data, from }) => {
                    pen.children(&mut self.levels, (owner, data, from), out, until);
                }
                Some(Level::Entries { node, list, after }) => {
                    let stop = match &after {
                        None => pen.entries(node, list.iter(), out, until),
                        Some(key) => pen.entries(node, list.iter_after(key), out, until),
                    };
                    match stop {
                        Stop::End => {}
                        Stop::Behind(key) => {
                            self.levels.push(Level::Entries { node, list, after: Some(key) });
                        }
                        Stop::Inside(key, data) => {
                            self.levels.push(Level::Entries { node, list, after: Some(key) });
                            let (owner, from) = (Some(node), NodeId(0));
                            self.levels.push(Level::Children { owner, data, from });
                        }
                    }
                }
                Some(Level::Items { node, items, after }) => {
                    let stop = match &after {
                        None => pen.items(node, items.iter(), out, until),
                        Some(key) => pen.items(node, items.iter_after(key), out, until),
                    };
                    if let Some(key) = stop {
                        self.levels.push(Level::Items { node, items, after: Some(key) });
                    }
                }
            }
        }
        if self.levels.is_empty() { Progress::Done } else { Progress::More }
    }
}

/// All of `tree`, which is a tree of `schema`: the content of a `<data>` or `<config>`.
pub(crate) fn print_all(schema: &Arc<Schema>, tree: &Tree) -> Vec<u8> {
    let mut out = Vec::new();
    Printer::new(Arc::clone(schema), tree).fill(&mut out, usize::MAX);
    out
}

/// A path as an instance-identifier (RFC 7950, 9.13): every name with a prefix of `sink`, values as `sink`'s prefixes
/// have them.
///
/// A value that holds both kinds of quotes has no place in that grammar. It is written as XPath's `concat()`, which the
/// other place for paths, `error-path`, can hold (RFC 6241, 4.3).
pub(crate) fn instance_identifier(
    schema: &Schema,
    path: &InstancePath,
    sink: &mut dyn PrefixSink,
) -> String {
    let mut out = String::new();
    for Step { node: id, selector } in &path.0 {
        out.push('/');
        push_name(&mut out, schema, *id, sink);
        match (selector, &schema.node(*id).kind) {
            (Selector::Keys(values), NodeKind::List(list)) => {
                for (key, value) in list.keys.iter().zip(values) {
                    out.push('[');
                    push_name(&mut out, schema, *key, sink);
                    out.push('=');
                    push_quoted(&mut out, &schema.lexical(*key, value, sink));
                    out.push(']');
                }
            }
            (Selector::Value(value), _) => {
                out.push_str("[.=");
                push_quoted(&mut out, &schema.lexical(*id, value, sink));
                out.push(']');
            }
            (Selector::Position(position), _) => out.push_str(&format!("[{position}]")),
            (Selector::None | Selector::Keys(_), _) => {}
        }
    }
    out
}

fn push_name(out: &mut String, schema: &Schema, id: NodeId, sink: &mut dyn PrefixSink) {
    let node = schema.node(id);
    let module = schema.module(node.module);
    out.push_str(&sink.prefix(&module.namespace, &module.prefix));
    out.push(':');
    out.push_str(&node.name);
}

fn push_quoted(out: &mut String, value: &str) {
    let quote = |part: &str| if part.contains('\'') { '"' } else { '\'' };
    if !(value.contains('\'') && value.contains('"')) {
        let quote = quote(value);
        out.extend([quote]);
        out.push_str(value);
        out.push(quote);
        return;
    }
    out.push_str("concat(");
    for (at, part) in value.split_inclusive('\'').flat_map(split_quote).enumerate() {
        let quote = quote(part);
        out.push_str(if at == 0 { "" } else { "," });
        out.push(quote);
        out.push_str(part);
        out.push(quote);
    }
    out.push(')');
}

/// A part that ends in an apostrophe, or has none, as what stands before it and the apostrophe.
fn split_quote(part: &str) -> impl Iterator<Item = &str> {
    let before = part.strip_suffix('\'').unwrap_or(part);
    let apostrophe = part.get(before.len()..).unwrap_or_default();
    [before, apostrophe].into_iter().filter(|part| !part.is_empty())
}

/// Every node's tags, made once for a schema.
#[derive(Debug)]
pub(crate) struct Tags(Vec<Tag>);

#[derive(Debug)]
struct Tag {
    /// The start tag, with its namespace if it needs one.
    start: Markup,
    end: Markup,
    value: Value,
}

/// Bytes that are written often.
#[derive(Debug)]
enum Markup {
    /// So many bytes of a block. Copying all of it is a few instructions, copying exactly so many would be a call.
    Short([u8; SHORT_LEN_MAX], usize),
    Long(Box<[u8]>),
}

/// Bytes of markup that fits into a block.
const SHORT_LEN_MAX: usize = 32;

impl Markup {
    fn new(bytes: &[u8]) -> Self {
        let mut block = [0; SHORT_LEN_MAX];
        match block.get_mut(..bytes.len()) {
            Some(slot) => {
                slot.copy_from_slice(bytes);
                Self::Short(block, bytes.len())
            }
            None => Self::Long(bytes.into()),
        }
    }

    #[inline]
    fn push(&self, out: &mut Vec<u8>) {
        match self {
            Self::Short(block, len) => {
                let end = out.len().saturating_add(*len);
                out.extend_from_slice(block);
                out.truncate(end);
            }
            Self::Long(bytes) => out.extend_from_slice(bytes),
        }
    }

    fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(block, len) => block.get(..*len).unwrap_or(block),
            Self::Long(bytes) => bytes,
        }
    }
}

/// How a canonical value becomes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    /// As it is: the type has no character that needs escaping.
    Plain,
    /// Escaped.
    Escaped,
    /// With prefixes, which are declared on the element.
    Prefixed,
}

impl Tags {
    /// The tags of the nodes of `schema`.
    fn new(schema: &Schema) -> Self {
        Self(schema.nodes.iter().map(|node| tag(schema, node)).collect())
    }

    fn of(&self, id: NodeId) -> &Tag {
        match usize::try_from(id.0).ok().and_then(|at| self.0.get(at)) {
            Some(tag) => tag,
            None => unreachable!("node {} is of another schema", id.0),
        }
    }
}

fn tag(schema: &Schema, node: &Node) -> Tag {
    let mut start = Vec::new();
    let mut writer = Writer::new(&mut start);
    writer.start(&node.name);
    if node.parent.is_none_or(|parent| schema.node(parent).module != node.module) {
        writer.default_namespace(&schema.module(node.module).namespace);
    }
    writer.content();
    let value = node.type_id().map_or(Value::Plain, |type_id| value_of(schema, type_id));
    let end = Markup::new(format!("</{}>", node.name).as_bytes());
    Tag { start: Markup::new(&start), end, value }
}

fn value_of(schema: &Schema, type_id: TypeId) -> Value {
    if schema.needs_prefixes(type_id) {
        Value::Prefixed
    } else if is_plain(schema, type_id) {
        Value::Plain
    } else {
        Value::Escaped
    }
}

/// Values of the type hold no character that XML has another use for.
fn is_plain(schema: &Schema, type_id: TypeId) -> bool {
    match schema.type_facts(type_id) {
        Type::Boolean
        | Type::Empty
        | Type::Int { .. }
        | Type::Uint { .. }
        | Type::Decimal64 { .. }
        | Type::Binary { .. }
        | Type::Bits(_) => true,
        Type::Leafref { target_type, .. } => is_plain(schema, *target_type),
        Type::Union(members) => members.iter().all(|member| is_plain(schema, *member)),
        Type::String { .. }
        | Type::Enumeration(_)
        | Type::Identityref(_)
        | Type::InstanceIdentifier { .. }
        | Type::Foreign { .. } => false,
    }
}

impl Schema {
    /// Every node's tags.
    fn tags(&self) -> &Tags {
        self.tags.get_or_init(|| Tags::new(self))
    }
}

/// Writes nodes of one schema.
struct Pen<'s> {
    schema: &'s Schema,
    tags: &'s Tags,
}

impl Pen<'_> {
    /// Writes a level's children, and its end tag, until `out` is long enough or there is something to go down into.
    fn children(
        &self,
        levels: &mut Vec<Level>,
        (owner, data, from): (Option<NodeId>, Container, NodeId),
        out: &mut Vec<u8>,
        until: usize,
    ) {
        let mut stop = None;
        for (id, child) in data.iter_from(from) {
            if out.len() >= until {
                stop = Some((id, None));
                break;
            }
            let below = match child {
                ChildRef::List(list) => {
                    Level::Entries { node: id, list: list.clone(), after: None }
                }
                ChildRef::LeafList(items) if items.len() > WHOLE_ITEMS_MAX => {
                    Level::Items { node: id, items: items.clone(), after: None }
                }
                ChildRef::Container(inner) => {
                    if self.try_whole(id, inner, out) {
                        continue;
                    }
                    self.tags.of(id).start.push(out);
                    Level::Children { owner: Some(id), data: inner.clone(), from: NodeId(0) }
                }
                ChildRef::LeafList(_) | ChildRef::Leaf(_) | ChildRef::Any(_) => {
                    self.child(id, child, out, usize::MAX);
                    continue;
                }
            };
            stop = Some((NodeId(id.0.saturating_add(1)), Some(below)));
            break;
        }
        match (stop, owner) {
            (Some((from, below)), _) => {
                levels.push(Level::Children { owner, data, from });
                levels.extend(below);
            }
            (None, Some(owner)) => self.tags.of(owner).end.push(out),
            (None, None) => {}
        }
    }

    fn entries<'e>(
        &self,
        node: NodeId,
        entries: impl Iterator<Item = (&'e Key, &'e Container)>,
        out: &mut Vec<u8>,
        until: usize,
    ) -> Stop {
        for (key, entry) in entries {
            if !self.try_whole(node, entry, out) {
                self.tags.of(node).start.push(out);
                return Stop::Inside(key.clone(), entry.clone());
            }
            if out.len() >= until {
                return Stop::Behind(key.clone());
            }
        }
        Stop::End
    }

    fn items<'e>(
        &self,
        node: NodeId,
        items: impl Iterator<Item = (&'e Key, &'e super::tree::Text)>,
        out: &mut Vec<u8>,
        until: usize,
    ) -> Option<Key> {
        for (key, value) in items {
            self.leaf(node, value, out);
            if out.len() >= until {
                return Some(key.clone());
            }
        }
        None
    }

    /// Writes a container or entry, unless it turns out to be large: then nothing is written.
    fn try_whole(&self, id: NodeId, data: &Container, out: &mut Vec<u8>) -> bool {
        let before = out.len();
        let written = self.whole(id, data, out, before.saturating_add(WHOLE_BYTES_MAX));
        if !written {
            out.truncate(before);
        }
        written
    }

    /// Writes a container or entry with all that is in it. No deeper than the schema. False if it goes beyond `limit`
    /// and is left unfinished.
    fn whole(&self, id: NodeId, data: &Container, out: &mut Vec<u8>, limit: usize) -> bool {
        let tag = self.tags.of(id);
        tag.start.push(out);
        let written = match data.leafs_alone() {
            Some(mut leafs) => leafs.all(|(id, value)| {
                self.leaf(id, value, out);
                out.len() <= limit
            }),
            None => data.iter().all(|(id, child)| self.child(id, child, out, limit)),
        };
        if written {
            tag.end.push(out);
        }
        written
    }

    /// Writes a child, or all entries of a list or leaf-list. False as `whole`.
    fn child(&self, id: NodeId, child: ChildRef<'_>, out: &mut Vec<u8>, limit: usize) -> bool {
        match child {
            ChildRef::Leaf(value) => self.leaf(id, value, out),
            ChildRef::Container(inner) => return self.whole(id, inner, out, limit),
            ChildRef::List(list) => {
                return list.iter().all(|(_, entry)| self.whole(id, entry, out, limit));
            }
            ChildRef::LeafList(items) => {
                return items.iter().all(|(_, value)| {
                    self.leaf(id, value, out);
                    out.len() <= limit
                });
            }
            ChildRef::Any(xml) => {
                let tag = self.tags.of(id);
                tag.start.push(out);
                out.extend_from_slice(xml.as_bytes());
                tag.end.push(out);
            }
        }
        out.len() <= limit
    }

    /// A leaf or leaf-list entry.
    fn leaf(&self, id: NodeId, value: &str, out: &mut Vec<u8>) {
        let tag = self.tags.of(id);
        match tag.value {
            Value::Plain => {
                tag.start.push(out);
                out.extend_from_slice(value.as_bytes());
            }
            Value::Escaped => {
                tag.start.push(out);
                push_text(out, value);
            }
            Value::Prefixed => {
                let mut declarations = Declarations::default();
                let text = self.schema.lexical(id, value, &mut declarations);
                let (_, start) = tag.start.as_bytes().split_last().unwrap_or((&b'>', &[]));
                out.extend_from_slice(start);
                declarations.write(out);
                out.push(b'>');
                push_text(out, &text);
            }
        }
        tag.end.push(out);
    }
}

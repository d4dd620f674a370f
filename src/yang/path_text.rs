//! Data paths as people and applications write and read them: `/module:node/node[key='value']`, a module name where it changes.

use super::path::{InstancePath, Selector};
use super::schema::{NodeId, NodeKind, Schema};
use super::tree::Text;

/// A data path as text.
pub(crate) fn print(schema: &Schema, path: &InstancePath) -> String {
    let mut out = String::new();
    let mut module = None;
    for step in &path.0 {
        let node = schema.node(step.node);
        out.push('/');
        if module != Some(node.module) {
            out.push_str(&schema.module(node.module).name);
            out.push(':');
            module = Some(node.module);
        }
        out.push_str(&node.name);
        match &step.selector {
            Selector::None => {}
            Selector::Keys(values) => {
                for (key, value) in schema.keys(step.node).iter().zip(values) {
                    predicate(&mut out, &schema.node(*key).name, value);
                }
            }
            Selector::Value(value) => predicate(&mut out, ".", value),
            Selector::Position(position) => {
                out.push_str(&format!("[{position}]"));
            }
        }
    }
    out
}

fn predicate(out: &mut String, name: &str, value: &str) {
    let quote = if value.contains('\'') { '"' } else { '\'' };
    out.push_str(&format!("[{name}={quote}{value}{quote}]"));
}

/// The schema nodes of a path without predicates. `None` if it names no data node.
pub(crate) fn parse_schema_path(schema: &Schema, text: &str) -> Option<Vec<NodeId>> {
    let mut nodes: Vec<NodeId> = Vec::new();
    let mut module = "";
    for segment in text.strip_prefix('/')?.split('/') {
        let (prefix, name) = segment.split_once(':').unwrap_or((module, segment));
        module = prefix;
        nodes.push(schema.child_in_module(nodes.last().copied(), module, name).found()?);
    }
    Some(nodes)
}

/// The data path that `text` writes. `None` if it is none of this schema. Values are taken as they are canonical.
pub(crate) fn parse(schema: &Schema, text: &str) -> Option<InstancePath> {
    let mut path = InstancePath::default();
    let mut module = "";
    let mut parent = None;
    let mut rest = text.strip_prefix('/')?;
    loop {
        let end = rest.find(['/', '[']).unwrap_or(rest.len());
        let (segment, behind) = rest.split_at_checked(end)?;
        let (prefix, name) = segment.split_once(':').unwrap_or((module, segment));
        module = prefix;
        let node = schema.child_in_module(parent, module, name).found()?;
        let (predicates, behind) = predicates(behind)?;
        path = path.child(node, selector(schema, node, &predicates)?);
        parent = Some(node);
        match behind.strip_prefix('/') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Some(path),
            None => return None,
        }
    }
}

fn selector(schema: &Schema, node: NodeId, predicates: &[(&str, &str)]) -> Option<Selector> {
    if predicates.is_empty() {
        return Some(Selector::None);
    }
    match schema.node(node).kind {
        NodeKind::List(_) => {
            let value = |key: &NodeId| {
                let name = &*schema.node(*key).name;
                let found = predicates.iter().find(|(given, _)| {
                    given.split_once(':').map_or(*given, |(_, local)| local) == name
                });
                found.map(|(_, value)| Text::new(value))
            };
            schema.keys(node).iter().map(value).collect::<Option<Vec<Text>>>().map(Selector::Keys)
        }
        NodeKind::LeafList(_) => {
            predicates.first().map(|(_, value)| Selector::Value(Text::new(value)))
        }
        NodeKind::Container { .. }
        | NodeKind::Leaf(_)
        | NodeKind::Anydata { .. }
        | NodeKind::Anyxml { .. }
        | NodeKind::Rpc { .. }
        | NodeKind::Action { .. }
        | NodeKind::Notification => None,
    }
}

/// Leading `[name='value']`s, and what follows them.
fn predicates(mut text: &str) -> Option<(Vec<(&str, &str)>, &str)> {
    let mut found = Vec::new();
    while let Some(open) = text.strip_prefix('[') {
        let (name, value) = open.split_once('=')?;
        let value = value.trim_start();
        let quote = value.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (value, behind) = value.strip_prefix(quote)?.split_once(quote)?;
        found.push((name.trim(), value));
        text = behind.trim_start().strip_prefix(']')?;
    }
    Some((found, text))
}

//! What a schema holds that is computed from its parts: look-up by name, digests, defaults.

use super::compile::Draft;
use crate::base::ids::Digest;
use crate::yang::schema::{Module, ModuleId, NameIndex, Node, NodeId, NodeKind, Schema};
use crate::yang::types::ModuleNames;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What the nodes of a cluster must agree on. The numbers of the schema's nodes stand in log entries, so they are a
/// part of it. Every field is preceded by its length.
pub(super) fn schema_id(modules: &[Module], nodes: &[Node]) -> Digest {
    fn field(hasher: &mut Sha256, bytes: &[u8]) {
        hasher.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(bytes);
    }
    fn names(hasher: &mut Sha256, names: &[Box<str>]) {
        let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
        hasher.update(count.to_be_bytes());
        names.iter().for_each(|name| field(hasher, name.as_bytes()));
    }
    let mut hasher = Sha256::new();
    for module in modules {
        field(&mut hasher, module.name.as_bytes());
        field(&mut hasher, module.revision.as_bytes());
        field(&mut hasher, module.namespace.as_bytes());
        hasher.update([u8::from(module.implemented)]);
        names(&mut hasher, &module.features);
        names(&mut hasher, &module.deviated_by);
        field(&mut hasher, &Sha256::digest(module.source.as_bytes()));
        hasher.update(u64::try_from(module.submodules.len()).unwrap_or(u64::MAX).to_be_bytes());
        for submodule in &module.submodules {
            field(&mut hasher, submodule.name.as_bytes());
            field(&mut hasher, submodule.revision.as_bytes());
            field(&mut hasher, &Sha256::digest(submodule.source.as_bytes()));
        }
    }
    for node in nodes {
        field(&mut hasher, node.name.as_bytes());
        hasher.update(node.module.0.to_be_bytes());
        hasher.update(node.parent.map_or(u32::MAX, |parent| parent.0).to_be_bytes());
    }
    Digest(hasher.finalize().into())
}

/// Everything that is looked up by name.
pub(super) fn name_index(draft: &Draft) -> NameIndex {
    let node = |id: &NodeId| usize::try_from(id.0).ok().and_then(|at| draft.nodes.get(at));
    let sorted = |ids: &[NodeId]| {
        let mut ids = ids.to_vec();
        ids.sort_by_key(|id| node(id).map(|node| (&*node.name, node.module)));
        ids
    };
    let mut namespaces: Vec<(&str, ModuleId)> = draft
        .modules
        .iter()
        .zip((0..).map(ModuleId))
        .filter(|(module, _)| module.implemented)
        .map(|(module, id)| (&*module.namespace, id))
        .collect();
    namespaces.sort_unstable();
    let below = draft.nodes.iter().map(|node| sorted(&node.children));
    NameIndex {
        by_parent: std::iter::once(sorted(&draft.top)).chain(below).collect(),
        rpcs: sorted(&draft.rpcs),
        notifications: sorted(&draft.notifications),
        namespaces: namespaces.into_iter().map(|(_, id)| id).collect(),
    }
}

/// Equal names in equal modules have equal ranks.
pub(super) fn set_digest_ranks(schema: &mut Schema) {
    let modules: Vec<Box<str>> = schema.modules.iter().map(|module| module.name.clone()).collect();
    let module = |id: ModuleId| usize::try_from(id.0).ok().and_then(|at| modules.get(at).cloned());
    let names: Vec<(Option<Box<str>>, Box<str>)> =
        schema.nodes.iter().map(|node| (module(node.module), node.name.clone())).collect();
    let distinct: BTreeSet<&(Option<Box<str>>, Box<str>)> = names.iter().collect();
    let ranks: BTreeMap<_, u32> = distinct.into_iter().zip(0..).collect();
    for (node, name) in schema.nodes.iter_mut().zip(&names) {
        node.digest_rank = ranks.get(name).copied().unwrap_or(u32::MAX);
    }
}

/// libyang's canonical defaults in our canonical form.
pub(super) fn set_defaults(schema: &mut Schema) {
    let mut defaults: Vec<(NodeId, Vec<Box<str>>)> = Vec::new();
    for (node, id) in schema.nodes.iter().zip((0..).map(NodeId)) {
        let names = ModuleNames { schema, default: node.module };
        let canonical = |value: &str| match schema.canonical(id, value, &names) {
            Ok(text) => text.as_str().into(),
            // libyang accepted it, so it is a value; a form that differs from ours is better than none.
            Err(_) => value.into(),
        };
        let values: Vec<Box<str>> = match &node.kind {
            NodeKind::Leaf(leaf) => leaf.default.iter().map(|value| canonical(value)).collect(),
            NodeKind::LeafList(list) => {
                list.defaults.iter().map(|value| canonical(value)).collect()
            }
            NodeKind::Container { .. }
            | NodeKind::List(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => Vec::new(),
        };
        if !values.is_empty() {
            defaults.push((id, values));
        }
    }
    for (id, values) in defaults {
        let node = usize::try_from(id.0).ok().and_then(|at| schema.nodes.get_mut(at));
        match node.map(|node| &mut node.kind) {
            Some(NodeKind::Leaf(leaf)) => leaf.default = values.into_iter().next(),
            Some(NodeKind::LeafList(list)) => list.defaults = values,
            Some(_) | None => {}
        }
    }
}

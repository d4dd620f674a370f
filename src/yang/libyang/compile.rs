//! From a compiled context to our `Schema`: modules and the data tree.

use super::compile_types::Types;
use super::context::Context;
use super::derived::{name_index, schema_id, set_defaults, set_digest_ranks};
use super::judge::{Handle, Judge};
use super::modules::asked;
use super::sources::Sources;
use super::view::{ConditionView, Kind, ModuleView, NodeView};
use super::{CompileError, CompileOptions};
use crate::base::limits::DEPTH_MAX;
use crate::yang::schema::{
    CaseOf, Choice, ChoiceId, Identity, Leaf, LeafList, List, Module, ModuleId, Must,
    NacmExtension, Node, NodeId, NodeKind, Order, Schema, Submodule, Type, When,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use yang2::ffi;

/// The schema of all modules that those of `options` reach.
///
/// # Errors
/// The models are larger or deeper than numbers here go.
pub(super) fn schema(
    context: Context,
    sources: &Sources,
    options: &CompileOptions,
) -> Result<Schema, CompileError> {
    let draft = Draft::of(&context, sources, options)?;
    let mut schema = Schema {
        schema_id: schema_id(&draft.modules, &draft.nodes),
        names: name_index(&draft),
        modules: draft.modules,
        nodes: draft.nodes,
        top: draft.top,
        types: draft.types,
        identities: draft.identities,
        choices: draft.choices,
        judge: Arc::new(Judge::new(context, draft.handles)),
        rules: std::sync::OnceLock::new(),
        expressions: std::sync::OnceLock::new(),
        tags: std::sync::OnceLock::new(),
    };
    set_digest_ranks(&mut schema);
    set_defaults(&mut schema);
    Ok(schema)
}

/// The parts of a schema; they borrow nothing from the context.
pub(super) struct Draft {
    pub(super) modules: Vec<Module>,
    pub(super) nodes: Vec<Node>,
    pub(super) top: Vec<NodeId>,
    pub(super) rpcs: Vec<NodeId>,
    pub(super) notifications: Vec<NodeId>,
    types: Vec<Type>,
    handles: Vec<Handle>,
    identities: Vec<Identity>,
    choices: Vec<Choice>,
}

impl Draft {
    fn of(
        context: &Context,
        sources: &Sources,
        options: &CompileOptions,
    ) -> Result<Self, CompileError> {
        let views = reached_modules(context, options);
        let by_address: BTreeMap<usize, ModuleId> =
            (0..).zip(&views).map(|(number, view)| (view.address(), ModuleId(number))).collect();
        let mut walk = Walk {
            types: Types::new(&views, &by_address),
            modules: &by_address,
            nodes: Vec::new(),
            choices: Vec::new(),
            by_address: BTreeMap::new(),
        };
        let (mut top, mut rpcs, mut notifications) = (Vec::new(), Vec::new(), Vec::new());
        for view in views.iter().filter(|view| view.implemented()) {
            top.extend(walk.siblings(None, view.data())?);
            rpcs.extend(walk.siblings(None, view.rpcs())?);
            notifications.extend(walk.siblings(None, view.notifications())?);
        }
        let Walk { types, nodes, choices, .. } = walk;
        let (types, identities, handles) = types.finish();
        let modules = views.iter().map(|view| module(context, *view, sources)).collect();
        Ok(Self { modules, nodes, top, rpcs, notifications, types, handles, identities, choices })
    }
}

/// The modules of `options` and those that they import, directly or not; sorted by name, then revision.
///
/// libyang has modules of its own in each context: they are served only if someone asks for them.
fn reached_modules<'c>(context: &'c Context, options: &CompileOptions) -> Vec<ModuleView<'c>> {
    let asked = asked(options);
    let mut open: Vec<ModuleView<'c>> = context
        .modules()
        .filter(|module| module.implemented() && asked.contains_key(&*module.name()))
        .collect();
    let mut reached = BTreeMap::new();
    while let Some(module) = open.pop() {
        let key = (module.name(), module.revision());
        if reached.insert(key, module).is_none() {
            open.extend(module.imports());
        }
    }
    reached.into_values().collect()
}

/// A module's facts and its text: as it was read, or printed if it is one that libyang brings along.
fn module(context: &Context, view: ModuleView<'_>, sources: &Sources) -> Module {
    let source_of = |name: &str, revision: &str| {
        sources
            .text(name, revision)
            .unwrap_or_else(|| context.print_module(view, name).unwrap_or_default().into())
    };
    let mut features = view.enabled_features();
    features.sort();
    features.dedup();
    let mut deviated_by: Vec<Box<str>> =
        view.deviated_by().into_iter().map(ModuleView::name).collect();
    deviated_by.sort();
    deviated_by.dedup();
    let submodules = view.submodules().into_iter().map(|submodule| {
        let (name, revision) = (submodule.name(), submodule.revision());
        let source = source_of(&name, &revision);
        Submodule { name, revision, source }
    });
    let submodules = submodules.collect();
    let (name, revision) = (view.name(), view.revision());
    let source = source_of(&name, &revision);
    Module {
        name,
        revision,
        namespace: view.namespace(),
        prefix: view.prefix(),
        yang_1_1: view.yang_1_1(),
        implemented: view.implemented(),
        features,
        deviated_by,
        submodules,
        source,
    }
}

/// The walk through the schema trees.
struct Walk<'a, 'c> {
    types: Types<'a, 'c>,
    modules: &'a BTreeMap<usize, ModuleId>,
    nodes: Vec<Node>,
    choices: Vec<Choice>,
    by_address: BTreeMap<usize, NodeId>,
}

/// Where in the tree the walk is.
#[derive(Clone, Default)]
struct Place {
    parent: Option<NodeId>,
    depth: usize,
    /// The choices around, up to the parent.
    cases: Vec<CaseOf>,
    /// Their whens; the same for each node in them.
    whens: Vec<When>,
    nacm: Option<NacmExtension>,
}

impl<'c> Walk<'_, 'c> {
    /// Numbers the nodes below `parent` and all that is below them.
    fn siblings(
        &mut self,
        parent: Option<NodeId>,
        views: Vec<NodeView<'c>>,
    ) -> Result<Vec<NodeId>, CompileError> {
        self.level(views, &Place { parent, ..Place::default() })
    }

    fn level(
        &mut self,
        views: Vec<NodeView<'c>>,
        place: &Place,
    ) -> Result<Vec<NodeId>, CompileError> {
        if place.depth > DEPTH_MAX {
            return Err(too_large("nodes are nested too deep"));
        }
        let mut ids = Vec::new();
        for view in views {
            match view.kind() {
                Kind::Choice => ids.extend(self.choice(view, place)?),
                Kind::Unknown | Kind::Case => {}
                Kind::Container
                | Kind::Leaf
                | Kind::LeafList
                | Kind::List
                | Kind::Anydata
                | Kind::Anyxml
                | Kind::Rpc
                | Kind::Action
                | Kind::Notification => ids.push(self.node(view, place)?),
            }
        }
        Ok(ids)
    }

    /// The nodes of all cases of a choice.
    fn choice(&mut self, view: NodeView<'c>, place: &Place) -> Result<Vec<NodeId>, CompileError> {
        let id = ChoiceId(number(self.choices.len())?);
        let mut outer = place.clone();
        outer.depth += 1;
        self.enter(view, &mut outer);
        let cases: Vec<NodeView<'c>> = view.children();
        let default_case = view
            .default_case()
            .and_then(|default| cases.iter().position(|case| case.address() == default.address()));
        self.choices.push(Choice {
            name: view.name(),
            parent: place.parent,
            mandatory: view.has(ffi::LYS_MAND_TRUE),
            config: view.has(ffi::LYS_CONFIG_W),
            cases: cases.iter().map(|case| case.name()).collect(),
            default_case: default_case.and_then(|at| u16::try_from(at).ok()),
            within: place.cases.last().copied(),
            whens: outer.whens.clone(),
        });
        let mut ids = Vec::new();
        for (at, case) in (0..).zip(cases) {
            let mut inner = outer.clone();
            inner.cases.push(CaseOf { choice: id, case: at });
            self.enter(case, &mut inner);
            ids.extend(self.level(case.children(), &inner)?);
        }
        Ok(ids)
    }

    /// Adds to `place` what a choice or case says for the nodes in it.
    fn enter(&self, view: NodeView<'c>, place: &mut Place) {
        let module = self.module_of(view);
        for when in view.whens() {
            let prefixes = self.types.prefix_map(&when.prefixes);
            let expression = when.expression;
            place.whens.push(When { expression, module, prefixes, context_up: 1 });
        }
        place.nacm = nacm(view).or(place.nacm);
    }

    fn node(&mut self, view: NodeView<'c>, place: &Place) -> Result<NodeId, CompileError> {
        let id = NodeId(number(self.nodes.len())?);
        let kind = self.kind(view)?;
        self.by_address.insert(view.address(), id);
        self.nodes.push(Node {
            name: view.name(),
            module: self.module_of(view),
            parent: place.parent,
            kind,
            config: view.has(ffi::LYS_CONFIG_W),
            children: Vec::new(),
            cases: place.cases.clone(),
            digest_rank: 0,
            musts: self.musts(view),
            whens: self.whens(view, place),
            nacm: nacm(view).or(place.nacm).unwrap_or(NacmExtension::None),
            actions: Vec::new(),
            notifications: Vec::new(),
        });
        let below = Place { parent: Some(id), depth: place.depth + 1, ..Place::default() };
        let children = self.level(view.children(), &below)?;
        let output = self.level(view.output(), &below)?;
        let actions = self.level(view.actions(), &below)?;
        let notifications = self.level(view.notifications(), &below)?;
        let keys = self.mark_keys(view, &children)?;
        let uniques = self.uniques(view);
        let Some(node) = usize::try_from(id.0).ok().and_then(|at| self.nodes.get_mut(at)) else {
            return Err(too_large("the models are too large"));
        };
        node.children = children;
        node.actions = actions;
        node.notifications = notifications;
        match &mut node.kind {
            NodeKind::List(list) => (list.keys, list.uniques) = (keys, uniques),
            NodeKind::Rpc { output: place } | NodeKind::Action { output: place } => *place = output,
            NodeKind::Container { .. }
            | NodeKind::Leaf(_)
            | NodeKind::LeafList(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Notification => {}
        }
        Ok(id)
    }

    /// A node's kind, without what is known only after the nodes below it.
    fn kind(&mut self, view: NodeView<'c>) -> Result<NodeKind, CompileError> {
        let module = self.module_of(view);
        let mandatory = view.has(ffi::LYS_MAND_TRUE);
        let order = if view.has(ffi::LYS_ORDBY_USER) { Order::User } else { Order::System };
        Ok(match view.kind() {
            Kind::Leaf => NodeKind::Leaf(Leaf {
                type_id: self.types.of_node(view, module)?,
                default: view.defaults().into_iter().next(),
                mandatory,
                key: None,
            }),
            Kind::LeafList => {
                let (min, max) = view.leaf_list().map_or((0, 0), |raw| (raw.min, raw.max));
                NodeKind::LeafList(LeafList {
                    type_id: self.types.of_node(view, module)?,
                    defaults: view.defaults(),
                    order,
                    min_elements: min,
                    max_elements: bounded(max),
                })
            }
            Kind::List => {
                let (min, max) = view.list().map_or((0, 0), |raw| (raw.min, raw.max));
                NodeKind::List(List {
                    keys: Vec::new(),
                    order,
                    min_elements: min,
                    max_elements: bounded(max),
                    uniques: Vec::new(),
                })
            }
            Kind::Anydata => NodeKind::Anydata { mandatory },
            Kind::Anyxml => NodeKind::Anyxml { mandatory },
            Kind::Rpc => NodeKind::Rpc { output: Vec::new() },
            Kind::Action => NodeKind::Action { output: Vec::new() },
            Kind::Notification => NodeKind::Notification,
            Kind::Container | Kind::Choice | Kind::Case | Kind::Unknown => {
                NodeKind::Container { presence: view.has(ffi::LYS_PRESENCE) }
            }
        })
    }

    /// A list's key leafs, each of which learns its position. libyang puts them first, in the order of `key`.
    fn mark_keys(
        &mut self,
        view: NodeView<'c>,
        children: &[NodeId],
    ) -> Result<Vec<NodeId>, CompileError> {
        if view.kind() != Kind::List {
            return Ok(Vec::new());
        }
        let key_count = view.children().iter().take_while(|child| child.has(ffi::LYS_KEY)).count();
        let keys: Vec<NodeId> = children.iter().copied().take(key_count).collect();
        for (position, key) in keys.iter().enumerate() {
            let position = u16::try_from(position)
                .ok()
                .ok_or_else(|| too_large("a list has too many keys"))?;
            let node = usize::try_from(key.0).ok().and_then(|at| self.nodes.get_mut(at));
            if let Some(Node { kind: NodeKind::Leaf(leaf), .. }) = node {
                leaf.key = Some(position);
            }
        }
        Ok(keys)
    }

    fn uniques(&self, view: NodeView<'c>) -> Vec<Vec<NodeId>> {
        let of_leafs = |leafs: Vec<usize>| {
            leafs.iter().filter_map(|leaf| self.by_address.get(leaf).copied()).collect()
        };
        view.uniques().into_iter().map(of_leafs).collect()
    }

    fn musts(&self, view: NodeView<'c>) -> Vec<Must> {
        let module = self.module_of(view);
        let must = |must: ConditionView<'c>| Must {
            prefixes: self.types.prefix_map(&must.prefixes),
            expression: must.expression,
            module,
            error_message: must.error_message,
            error_app_tag: must.error_app_tag,
        };
        view.musts().into_iter().map(must).collect()
    }

    /// The node's whens (libyang has put those of its uses and augment to them) and those of the choices around it.
    fn whens(&self, view: NodeView<'c>, place: &Place) -> Vec<When> {
        let module = self.module_of(view);
        let own = view.whens().into_iter().map(|when| When {
            prefixes: self.types.prefix_map(&when.prefixes),
            expression: when.expression,
            module,
            context_up: u16::from(!when.on_itself),
        });
        own.chain(place.whens.iter().cloned()).collect()
    }

    fn module_of(&self, view: NodeView<'c>) -> ModuleId {
        // Every node belongs to a module that was reached: it is one of them, or augments one and imports it.
        view.module()
            .and_then(|module| self.modules.get(&module.address()).copied())
            .unwrap_or(ModuleId(0))
    }
}

/// 0 and the largest number are how libyang says `unbounded`.
fn bounded(max_elements: u32) -> Option<u32> {
    (max_elements != 0 && max_elements != u32::MAX).then_some(max_elements)
}

/// RFC 8341's extension on this node.
fn nacm(view: NodeView<'_>) -> Option<NacmExtension> {
    const MODULE: &str = "ietf-netconf-acm";
    if view.has_extension(MODULE, "default-deny-all") {
        Some(NacmExtension::DefaultDenyAll)
    } else if view.has_extension(MODULE, "default-deny-write") {
        Some(NacmExtension::DefaultDenyWrite)
    } else {
        None
    }
}

/// A number of something.
pub(super) fn number(count: usize) -> Result<u32, CompileError> {
    u32::try_from(count).ok().ok_or_else(|| too_large("the models are too large"))
}

fn too_large(reason: &str) -> CompileError {
    CompileError { file: None, line: None, reason: reason.to_owned() }
}

//! Finding things in a schema: nodes by name, modules by namespace, keys of entries.

use super::schema::{
    Choice, ChoiceId, Identity, IdentityId, Lookup, Module, ModuleId, Node, NodeId, Schema, Type,
    TypeId,
};
use super::tree::key::KeyBuilder;
use super::tree::{Key, Text};
use super::types::decimal;

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Schema({})", self.schema_id)
    }
}

/// The element with number `id`. Ids are made with the schema that holds what they name, so it is there.
fn at<'a, T>(items: &'a [T], id: u32, what: &str) -> &'a T {
    match usize::try_from(id).ok().and_then(|at| items.get(at)) {
        Some(item) => item,
        None => unreachable!("{what} {id} is of another schema"),
    }
}

impl Schema {
    /// The node with this number, which must be of this schema.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        at(&self.nodes, id.0, "node")
    }

    /// The children of a node, or the top-level nodes, in ascending order.
    pub(crate) fn children(&self, parent: Option<NodeId>) -> &[NodeId] {
        parent.map_or(&self.top, |parent| &self.node(parent).children)
    }

    /// The choice with this number, which must be of this schema.
    pub(crate) fn choice(&self, id: ChoiceId) -> &Choice {
        at(&self.choices, id.0, "choice")
    }

    /// The key leafs of a list, in the order of its `key` statement; none of anything else.
    pub(crate) fn keys(&self, list: NodeId) -> &[NodeId] {
        self.node(list).list().map_or(&[], |list| &list.keys)
    }

    /// The node with this number, if the schema has so many. For numbers that come from outside.
    pub(crate) fn node_checked(&self, id: NodeId) -> Option<&Node> {
        usize::try_from(id.0).ok().and_then(|at| self.nodes.get(at))
    }

    /// The module with this number, which must be of this schema.
    pub(crate) fn module(&self, id: ModuleId) -> &Module {
        at(&self.modules, id.0, "module")
    }

    /// The type with this number, which must be of this schema.
    pub(crate) fn type_facts(&self, id: TypeId) -> &Type {
        at(&self.types, id.0, "type")
    }

    /// The identity with this number, which must be of this schema.
    pub(crate) fn identity(&self, id: IdentityId) -> &Identity {
        at(&self.identities, id.0, "identity")
    }

    /// The module of a node.
    pub(crate) fn module_of(&self, id: NodeId) -> &Module {
        self.module(self.node(id).module)
    }

    /// The data node that element `name` in `namespace` names below `parent` (a container, list, notification, or
    /// the input of an operation), or at the top if that is `None`.
    ///
    /// Without a namespace, the node of any module: of the parent's if there is one, otherwise the first by module.
    pub(crate) fn child(
        &self,
        parent: Option<NodeId>,
        namespace: Option<&str>,
        name: &str,
    ) -> Lookup {
        let children = self.index_slot(parent);
        let Some(namespace) = namespace else {
            let own = parent.map(|parent| self.node(parent).module);
            let found = self.named(children, name);
            let of_own = found.iter().find(|id| Some(self.node(**id).module) == own);
            return match of_own.or_else(|| found.first()) {
                Some(id) => Lookup::Found(*id),
                None => Lookup::UnknownElement,
            };
        };
        self.in_namespace(children, namespace, name)
    }

    /// As `child`, with the module's name in place of the namespace (RFC 7951, 4).
    pub(crate) fn child_in_module(
        &self,
        parent: Option<NodeId>,
        module: &str,
        name: &str,
    ) -> Lookup {
        self.named(self.index_slot(parent), name)
            .iter()
            .find(|id| *self.module_of(**id).name == *module)
            .map_or_else(
                || match self.module_by_name(module) {
                    Some(_) => Lookup::UnknownElement,
                    None => Lookup::UnknownNamespace,
                },
                |id| Lookup::Found(*id),
            )
    }

    /// The operation with this name.
    pub(crate) fn rpc(&self, namespace: Option<&str>, name: &str) -> Lookup {
        self.in_namespace_or_any(&self.names.rpcs, namespace, name)
    }

    /// The top-level notification with this name.
    pub(crate) fn notification(&self, namespace: Option<&str>, name: &str) -> Lookup {
        self.in_namespace_or_any(&self.names.notifications, namespace, name)
    }

    /// The action with this name below a data node.
    pub(crate) fn action(&self, parent: NodeId, namespace: Option<&str>, name: &str) -> Lookup {
        self.in_namespace_or_any(&self.sorted(&self.node(parent).actions), namespace, name)
    }

    /// The notification with this name below a data node.
    pub(crate) fn nested_notification(
        &self,
        parent: NodeId,
        namespace: Option<&str>,
        name: &str,
    ) -> Lookup {
        self.in_namespace_or_any(&self.sorted(&self.node(parent).notifications), namespace, name)
    }

    /// The ids in the order of names.
    fn sorted(&self, ids: &[NodeId]) -> Vec<NodeId> {
        let mut ids = ids.to_vec();
        ids.sort_by_key(|id| (&*self.node(*id).name, self.node(*id).module));
        ids
    }

    fn index_slot(&self, parent: Option<NodeId>) -> &[NodeId] {
        let slot = match parent {
            None => Some(0),
            Some(parent) => usize::try_from(parent.0).ok().and_then(|at| at.checked_add(1)),
        };
        slot.and_then(|slot| self.names.by_parent.get(slot)).map_or(&[], Vec::as_slice)
    }

    /// The nodes called `name` among `ids`, which stand in the order of names.
    fn named<'a>(&self, ids: &'a [NodeId], name: &str) -> &'a [NodeId] {
        let from = ids.partition_point(|id| *self.node(*id).name < *name);
        let rest = ids.get(from..).unwrap_or_default();
        let count = rest.iter().take_while(|id| *self.node(**id).name == *name).count();
        rest.get(..count).unwrap_or_default()
    }

    fn in_namespace(&self, ids: &[NodeId], namespace: &str, name: &str) -> Lookup {
        let found =
            self.named(ids, name).iter().find(|id| *self.module_of(**id).namespace == *namespace);
        match found {
            Some(id) => Lookup::Found(*id),
            None if self.module_by_namespace(namespace).is_some() => Lookup::UnknownElement,
            None => Lookup::UnknownNamespace,
        }
    }

    fn in_namespace_or_any(&self, ids: &[NodeId], namespace: Option<&str>, name: &str) -> Lookup {
        match namespace {
            Some(namespace) => self.in_namespace(ids, namespace, name),
            None => match self.named(ids, name).first() {
                Some(id) => Lookup::Found(*id),
                None => Lookup::UnknownElement,
            },
        }
    }

    /// The implemented module with this namespace.
    pub(crate) fn module_by_namespace(&self, namespace: &str) -> Option<ModuleId> {
        let namespaces = &self.names.namespaces;
        let at = namespaces.partition_point(|id| *self.module(*id).namespace < *namespace);
        namespaces.get(at).copied().filter(|id| *self.module(*id).namespace == *namespace)
    }

    /// The implemented module with this name.
    pub(crate) fn module_by_name(&self, name: &str) -> Option<ModuleId> {
        let from = self.modules.partition_point(|module| *module.name < *name);
        let rest = self.modules.get(from..).unwrap_or_default();
        let offset = rest
            .iter()
            .take_while(|module| *module.name == *name)
            .position(|module| module.implemented)?;
        u32::try_from(from + offset).ok().map(ModuleId)
    }

    /// The type of a leaf or leaf-list.
    pub(crate) fn type_of(&self, node: NodeId) -> Option<TypeId> {
        self.node(node).type_id()
    }

    /// The key of a list entry with these canonical key values, in the order of the keys.
    pub(crate) fn list_key(&self, list: NodeId, values: &[Text]) -> Key {
        let mut builder = KeyBuilder::default();
        for (key, value) in self.keys(list).iter().zip(values) {
            self.push_key(&mut builder, self.type_of(*key), value);
        }
        builder.finish()
    }

    /// The key of a leaf-list entry with this canonical value.
    pub(crate) fn leaf_list_key(&self, node: NodeId, value: &str) -> Key {
        let mut builder = KeyBuilder::default();
        self.push_key(&mut builder, self.type_of(node), value);
        builder.finish()
    }

    fn push_key(&self, builder: &mut KeyBuilder, type_id: Option<TypeId>, value: &str) {
        let mut type_id = type_id;
        // A leafref leads to one type, which may be a leafref again; libyang refuses circles.
        while let Some(id) = type_id {
            match self.type_facts(id) {
                Type::Leafref { target_type, .. } => type_id = Some(*target_type),
                Type::Int { .. } => match value.parse() {
                    Ok(number) => return builder.push_int(number),
                    Err(_) => break,
                },
                Type::Uint { .. } => match value.parse() {
                    Ok(number) => return builder.push_uint(number),
                    Err(_) => break,
                },
                Type::Decimal64 { fraction_digits, .. } => {
                    match decimal::units(value, *fraction_digits) {
                        Some(units) => return builder.push_int(units),
                        None => break,
                    }
                }
                Type::Boolean
                | Type::Empty
                | Type::String { .. }
                | Type::Binary { .. }
                | Type::Enumeration(_)
                | Type::Bits(_)
                | Type::Identityref(_)
                | Type::InstanceIdentifier { .. }
                | Type::Union(_)
                | Type::Foreign { .. } => break,
            }
        }
        builder.push_text(value);
    }

    /// The nodes above `node`, the nearest first.
    pub(crate) fn ancestors(&self, node: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        std::iter::successors(self.node(node).parent, |id| self.node(*id).parent)
    }

    /// The way to a node, for people: `/module:a/b/other:c`.
    pub(crate) fn path_names(&self, node: NodeId) -> String {
        let mut way: Vec<NodeId> = std::iter::once(node).chain(self.ancestors(node)).collect();
        way.reverse();
        let mut path = String::new();
        let mut module = None;
        for id in way {
            let node = self.node(id);
            path.push('/');
            if module != Some(node.module) {
                path.push_str(&self.module(node.module).name);
                path.push(':');
                module = Some(node.module);
            }
            path.push_str(&node.name);
        }
        path
    }
}

impl Lookup {
    /// The node, if there is one.
    pub(crate) fn found(self) -> Option<NodeId> {
        match self {
            Lookup::Found(node) => Some(node),
            Lookup::UnknownNamespace | Lookup::UnknownElement => None,
        }
    }
}

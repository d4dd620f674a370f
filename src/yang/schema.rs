//! The compiled models (RFC 7950): immutable, shared, ours. `yang/libyang.rs` makes it.
//!
//! Nodes are numbered in the order of a depth-first walk through the *data* tree: choices and cases have no number,
//! they are facts about their nodes. A parent's number is smaller than its children's, a list's keys come first
//! among its children, and siblings in ascending order stand in schema order, which is the order of output.

use crate::base::ids::Digest;
use std::sync::Arc;

/// A node of the schema, by number. Valid only with the `Schema` that gave it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub(crate) struct NodeId(pub(crate) u32);

/// A module, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ModuleId(pub(crate) u32);

/// A type, by number: an index of `Schema::types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TypeId(pub(crate) u32);

/// An identity, by number: an index of `Schema::identities`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct IdentityId(pub(crate) u32);

/// All models that the agent serves.
pub(crate) struct Schema {
    /// Implemented and import-only modules, by number; sorted by name, then revision.
    pub(crate) modules: Vec<Module>,
    /// Every schema node, by number.
    pub(crate) nodes: Vec<Node>,
    /// Top-level data nodes, in ascending order.
    pub(crate) top: Vec<NodeId>,
    /// Types, by number.
    pub(crate) types: Vec<Type>,
    /// Identities, by number.
    pub(crate) identities: Vec<Identity>,
    /// Choices, by number.
    pub(crate) choices: Vec<Choice>,
    /// SHA-256 over modules, revisions, features, deviations and their content: yang-library's content-id, and what
    /// the nodes of a cluster must agree on.
    pub(crate) schema_id: Digest,
    /// The compiler's own type code, for what has no native form here; in tests, its validation.
    pub(crate) judge: Arc<super::libyang::Judge>,
    /// `find_child` by (parent, name, module): sorted.
    pub(crate) names: NameIndex,
    /// The constraints, with what each reads, worked out when they are first asked for.
    pub(crate) rules: std::sync::OnceLock<super::validate::rules::Rules>,
    /// The models' expressions, parsed when they are first asked for.
    pub(crate) expressions: std::sync::OnceLock<super::xpath::stored::Expressions>,
    /// Every node's tags, made when the first tree is printed.
    pub(crate) tags: std::sync::OnceLock<super::print::Tags>,
}

/// A YANG module or submodule as yang-library and netconf-state show it.
pub(crate) struct Module {
    pub(crate) name: Box<str>,
    /// Empty if the module states none.
    pub(crate) revision: Box<str>,
    pub(crate) namespace: Box<str>,
    pub(crate) prefix: Box<str>,
    /// `yang-version 1.1` is stated. Such modules are not listed in a hello (RFC 7950, 5.6.4).
    pub(crate) yang_1_1: bool,
    pub(crate) implemented: bool,
    /// Enabled features, sorted.
    pub(crate) features: Vec<Box<str>>,
    /// Names of the modules that deviate this one, sorted.
    pub(crate) deviated_by: Vec<Box<str>>,
    pub(crate) submodules: Vec<Submodule>,
    /// The module's text as it was read, for get-schema.
    pub(crate) source: Arc<str>,
}

/// A submodule of a module.
pub(crate) struct Submodule {
    pub(crate) name: Box<str>,
    pub(crate) revision: Box<str>,
    pub(crate) source: Arc<str>,
}

/// A schema node of the data tree, or an operation, action or notification.
pub(crate) struct Node {
    pub(crate) name: Box<str>,
    pub(crate) module: ModuleId,
    pub(crate) parent: Option<NodeId>,
    pub(crate) kind: NodeKind,
    /// `config true`. False also for everything below an rpc, action or notification.
    pub(crate) config: bool,
    /// Data children with choices and cases flattened, in ascending order. For an rpc or action: its input's.
    pub(crate) children: Vec<NodeId>,
    /// The choices around this node inside its parent, outermost first.
    pub(crate) cases: Vec<CaseOf>,
    /// Rank of (module name, node name) among all nodes: the order of digests, independent of numbering.
    pub(crate) digest_rank: u32,
    /// `must` statements, in order.
    pub(crate) musts: Vec<Must>,
    /// `when` expressions that hold for this node, also those of its cases, augments and uses.
    pub(crate) whens: Vec<When>,
    /// RFC 8341 `default-deny-all` and `default-deny-write`.
    #[cfg_attr(not(test), expect(dead_code, reason = "access control reads it"))]
    pub(crate) nacm: NacmExtension,
    /// Actions below this data node.
    pub(crate) actions: Vec<NodeId>,
    /// Notifications below this data node.
    pub(crate) notifications: Vec<NodeId>,
}

impl Node {
    /// Its facts as a list.
    pub(crate) fn list(&self) -> Option<&List> {
        if let NodeKind::List(list) = &self.kind { Some(list) } else { None }
    }

    /// The type of a leaf or leaf-list.
    pub(crate) fn type_id(&self) -> Option<TypeId> {
        match &self.kind {
            NodeKind::Leaf(leaf) => Some(leaf.type_id),
            NodeKind::LeafList(leaf_list) => Some(leaf_list.type_id),
            NodeKind::Container { .. }
            | NodeKind::List(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => None,
        }
    }

    /// What a list or leaf-list says of its entries.
    pub(crate) fn elements(&self) -> Option<Elements> {
        match &self.kind {
            NodeKind::List(List { order, min_elements, max_elements, .. })
            | NodeKind::LeafList(LeafList { order, min_elements, max_elements, .. }) => {
                Some(Elements { order: *order, min: *min_elements, max: *max_elements })
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
}

/// What a node is.
pub(crate) enum NodeKind {
    Container {
        presence: bool,
    },
    Leaf(Leaf),
    LeafList(LeafList),
    List(List),
    Anydata {
        mandatory: bool,
    },
    Anyxml {
        mandatory: bool,
    },
    /// `children` are those of the input.
    Rpc {
        output: Vec<NodeId>,
    },
    /// `children` are those of the input.
    Action {
        output: Vec<NodeId>,
    },
    Notification,
}

/// A leaf's facts.
pub(crate) struct Leaf {
    pub(crate) type_id: TypeId,
    /// Canonical, also where the type states it.
    pub(crate) default: Option<Box<str>>,
    pub(crate) mandatory: bool,
    /// The position among the keys of the parent list.
    pub(crate) key: Option<u16>,
}

/// A leaf-list's facts.
pub(crate) struct LeafList {
    pub(crate) type_id: TypeId,
    /// Canonical.
    pub(crate) defaults: Vec<Box<str>>,
    pub(crate) order: Order,
    pub(crate) min_elements: u32,
    /// `None` is unbounded.
    pub(crate) max_elements: Option<u32>,
}

/// A list's facts.
pub(crate) struct List {
    /// Key leafs in the order of the `key` statement. Empty for a keyless (`config false`) list.
    pub(crate) keys: Vec<NodeId>,
    pub(crate) order: Order,
    pub(crate) min_elements: u32,
    /// `None` is unbounded.
    pub(crate) max_elements: Option<u32>,
    /// Each `unique` statement as the leafs that it names.
    pub(crate) uniques: Vec<Vec<NodeId>>,
}

/// What a list or leaf-list says of its entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Elements {
    pub(crate) order: Order,
    pub(crate) min: u32,
    /// `None` is unbounded.
    pub(crate) max: Option<u32>,
}

/// `ordered-by` (RFC 7950, 7.7.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    System,
    User,
}

/// RFC 8341's extensions, as they stand on this very node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NacmExtension {
    None,
    DefaultDenyWrite,
    DefaultDenyAll,
}

/// A node's place in a choice: case `case` (an index of `Choice::cases`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaseOf {
    pub(crate) choice: ChoiceId,
    pub(crate) case: u16,
}

/// A choice, by number: an index of `Schema::choices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChoiceId(pub(crate) u32);

/// A choice's facts.
pub(crate) struct Choice {
    pub(crate) name: Box<str>,
    pub(crate) parent: Option<NodeId>,
    pub(crate) mandatory: bool,
    pub(crate) config: bool,
    /// Names of the cases.
    pub(crate) cases: Vec<Box<str>>,
    pub(crate) default_case: Option<u16>,
    /// The innermost case around it inside its parent.
    pub(crate) within: Option<CaseOf>,
    /// Its own `when` expressions and those of the choices and cases around it; their context node is the parent.
    pub(crate) whens: Vec<When>,
}

/// The prefixes that an expression uses, in string literals too, with their modules; sorted by prefix.
pub(crate) type PrefixMap = Box<[(Box<str>, ModuleId)]>;

/// A `must` statement.
pub(crate) struct Must {
    pub(crate) expression: Box<str>,
    /// Names without prefix are those of this module (RFC 7950, 6.4.1).
    pub(crate) module: ModuleId,
    pub(crate) prefixes: PrefixMap,
    pub(crate) error_message: Option<Box<str>>,
    pub(crate) error_app_tag: Option<Box<str>>,
}

/// A `when` expression.
#[derive(Clone)]
pub(crate) struct When {
    pub(crate) expression: Box<str>,
    /// Names without prefix are those of this module.
    pub(crate) module: ModuleId,
    pub(crate) prefixes: PrefixMap,
    /// How many levels above the node the context node lies: 0 is the node itself, 1 its parent.
    pub(crate) context_up: u16,
}

/// An identity.
pub(crate) struct Identity {
    pub(crate) name: Box<str>,
    pub(crate) module: ModuleId,
    /// Every identity that is derived from this one, directly or not; sorted.
    pub(crate) derived: Vec<IdentityId>,
}

/// A compiled type.
pub(crate) enum Type {
    Boolean,
    Empty,
    /// int8 to int64.
    Int {
        ranges: Vec<(i64, i64)>,
        error: Restriction,
    },
    /// uint8 to uint64.
    Uint {
        ranges: Vec<(u64, u64)>,
        error: Restriction,
    },
    /// Ranges are in units of 10^-fraction_digits.
    Decimal64 {
        fraction_digits: u8,
        ranges: Vec<(i64, i64)>,
        error: Restriction,
    },
    /// Lengths count characters.
    String {
        lengths: Vec<(u64, u64)>,
        length_error: Restriction,
        patterns: Vec<Pattern>,
    },
    /// Lengths count octets.
    Binary {
        lengths: Vec<(u64, u64)>,
        error: Restriction,
    },
    /// Enabled names with their values, in schema order.
    Enumeration(Vec<(Box<str>, i32)>),
    /// Enabled names with their positions, by position.
    Bits(Vec<(Box<str>, u32)>),
    /// The bases; a value must be derived from all of them.
    Identityref(Vec<IdentityId>),
    InstanceIdentifier {
        require_instance: bool,
    },
    /// Values are those of `target_type`.
    Leafref {
        path: Box<str>,
        /// Names without prefix are those of this module.
        module: ModuleId,
        prefixes: PrefixMap,
        require_instance: bool,
        target_type: TypeId,
    },
    /// Members in order; the first that accepts a value has it.
    Union(Vec<TypeId>),
    /// Only the compiler's type code knows its values and their canonical form (RFC 6991's addresses, for one).
    /// `text` tells what is special about them.
    Foreign {
        handle: super::libyang::TypeHandle,
        text: ForeignText,
    },
}

/// What is special about the text of a foreign type's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForeignText {
    /// No prefixes in it.
    Plain,
    /// `yang:date-and-time`: no prefixes in it; its canonical form is in UTC, whatever the machine's time zone.
    DateAndTime,
    /// `yang:xpath1.0`: prefixes anywhere in an expression.
    Xpath,
    /// RFC 8341's `node-instance-identifier`: an instance-identifier that may leave out keys. It has a native form.
    NodeInstanceIdentifier,
}

/// A pattern of a string type.
pub(crate) struct Pattern {
    /// The XSD expression as the module has it.
    pub(crate) source: Box<str>,
    pub(crate) invert: bool,
    pub(crate) error: Restriction,
    /// The translation, anchored at both ends; `None` if only the compiler's type code can decide it.
    pub(crate) regex: Option<regex::Regex>,
}

/// `error-message` and `error-app-tag` of a restriction (RFC 7950, 8.3.1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Restriction {
    pub(crate) message: Option<Box<str>>,
    pub(crate) app_tag: Option<Box<str>>,
}

/// Look-up by name. Ids stand in ascending order of (name, module).
pub(crate) struct NameIndex {
    /// Data nodes: slot 0 is the top, slot n+1 the children of node n.
    pub(crate) by_parent: Vec<Vec<NodeId>>,
    pub(crate) rpcs: Vec<NodeId>,
    pub(crate) notifications: Vec<NodeId>,
    /// Implemented modules in ascending order of namespace.
    pub(crate) namespaces: Vec<ModuleId>,
}

/// What a child element's name resolves to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lookup {
    Found(NodeId),
    /// No module has that namespace, or none that is implemented.
    UnknownNamespace,
    /// The module has no such node here.
    UnknownElement,
}

//! Looking at a compiled context: what libyang's structures say, as safe values.
//!
//! Every view borrows the context that it looks into. Nothing changes a context once it is compiled, so what a
//! pointer of it leads to stays there, unchanged, for as long as the view lives. That is what each SAFETY comment
//! here means by "a compiled context".

use super::context::Context;
use super::view_types::{IdentityView, TypeView};
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::ptr;
use yang2::ffi;

/// The text of a C string of the context; empty for a null pointer.
pub(super) fn text<'c>(_context: &'c Context, pointer: *const c_char) -> std::borrow::Cow<'c, str> {
    if pointer.is_null() {
        return std::borrow::Cow::Borrowed("");
    }
    // SAFETY: callers pass strings of a compiled context, which are NUL-terminated and live in its dictionary.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy()
}

/// The elements of a sized array of libyang: its length stands, as 64 bits, before the first element.
pub(super) fn array<T>(_context: &Context, pointer: *const T) -> &[T] {
    if pointer.is_null() {
        return &[];
    }
    // SAFETY: callers pass sized arrays of a compiled context; the count lies before the first element
    // (`LY_ARRAY_COUNT` of tree.h), which is aligned for it.
    let count = unsafe { pointer.cast::<u64>().sub(1).read_unaligned() };
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as above; `count` elements follow and nothing changes them.
    unsafe { std::slice::from_raw_parts(pointer, count) }
}

/// A module.
#[derive(Clone, Copy)]
pub(super) struct ModuleView<'c> {
    context: &'c Context,
    raw: &'c ffi::lys_module,
}

/// A submodule.
#[derive(Clone, Copy)]
pub(super) struct SubmoduleView<'c> {
    context: &'c Context,
    raw: &'c ffi::lysp_submodule,
}

/// A schema node of any kind, choices and cases included.
#[derive(Clone, Copy)]
pub(super) struct NodeView<'c> {
    context: &'c Context,
    raw: *const ffi::lysc_node,
    life: PhantomData<&'c ffi::lysc_node>,
}

/// What kind of statement a schema node comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Container,
    Choice,
    Case,
    Leaf,
    LeafList,
    List,
    Anydata,
    Anyxml,
    Rpc,
    Action,
    Notification,
    Unknown,
}

/// Prefixes of an expression with their modules.
pub(super) type Prefixes<'c> = Vec<(Box<str>, ModuleView<'c>)>;

/// A `must` or `when`.
pub(super) struct ConditionView<'c> {
    pub(super) expression: Box<str>,
    pub(super) prefixes: Prefixes<'c>,
    pub(super) error_message: Option<Box<str>>,
    pub(super) error_app_tag: Option<Box<str>>,
    /// The context node of a `when` is the node that has it, not an ancestor.
    pub(super) on_itself: bool,
}

impl Context {
    /// All modules, in the order in which they were loaded.
    pub(super) fn modules(&self) -> impl Iterator<Item = ModuleView<'_>> {
        let mut index = 0;
        std::iter::from_fn(move || {
            // SAFETY: the context is valid; `index` is where the iteration stands.
            let raw = unsafe { ffi::ly_ctx_get_module_iter(self.as_ptr(), &raw mut index) };
            ModuleView::new(self, raw)
        })
    }
}

impl<'c> ModuleView<'c> {
    fn new(context: &'c Context, raw: *const ffi::lys_module) -> Option<Self> {
        // SAFETY: a module pointer of a compiled context, or null.
        unsafe { raw.as_ref() }.map(|raw| Self { context, raw })
    }

    /// Its address: equal for equal modules.
    pub(super) fn address(self) -> usize {
        ptr::from_ref(self.raw).addr()
    }

    pub(super) fn as_ptr(self) -> *const ffi::lys_module {
        self.raw
    }

    pub(super) fn name(self) -> Box<str> {
        text(self.context, self.raw.name).into()
    }

    pub(super) fn revision(self) -> Box<str> {
        text(self.context, self.raw.revision).into()
    }

    pub(super) fn namespace(self) -> Box<str> {
        text(self.context, self.raw.ns).into()
    }

    pub(super) fn prefix(self) -> Box<str> {
        text(self.context, self.raw.prefix).into()
    }

    pub(super) fn implemented(self) -> bool {
        self.raw.implemented != 0
    }

    fn parsed(self) -> Option<&'c ffi::lysp_module> {
        // SAFETY: `parsed` of a module of a compiled context, kept because it was not asked to be freed.
        unsafe { self.raw.parsed.as_ref() }
    }

    pub(super) fn yang_1_1(self) -> bool {
        self.parsed()
            .is_some_and(|parsed| u32::from(parsed.version) == ffi::LYS_VERSION::LYS_VERSION_1_1)
    }

    /// Names of the enabled features of the module and its submodules.
    pub(super) fn enabled_features(self) -> Vec<Box<str>> {
        let mut names = Vec::new();
        let (mut feature, mut index) = (ptr::null_mut::<ffi::lysp_feature>(), 0);
        loop {
            // SAFETY: the parsed module is valid; `feature` and `index` are where the iteration stands.
            feature = unsafe { ffi::lysp_feature_next(feature, self.raw.parsed, &raw mut index) };
            // SAFETY: a feature of the parsed module, or null at the end.
            let Some(found) = (unsafe { feature.as_ref() }) else { return names };
            if u32::from(found.flags) & ffi::LYS_FENABLED != 0 {
                names.push(text(self.context, found.name).into());
            }
        }
    }

    /// The modules that deviate this one.
    pub(super) fn deviated_by(self) -> Vec<ModuleView<'c>> {
        let modules = array(self.context, self.raw.deviated_by.cast_const());
        modules.iter().filter_map(|module| Self::new(self.context, *module)).collect()
    }

    /// The modules that this one and its submodules import.
    pub(super) fn imports(self) -> Vec<ModuleView<'c>> {
        let Some(parsed) = self.parsed() else { return Vec::new() };
        let own = array(self.context, parsed.imports.cast_const());
        let inner = self
            .submodules()
            .into_iter()
            .flat_map(|submodule| array(self.context, submodule.raw.imports.cast_const()));
        own.iter()
            .chain(inner)
            .filter_map(|import| Self::new(self.context, import.module))
            .collect()
    }

    pub(super) fn submodules(self) -> Vec<SubmoduleView<'c>> {
        let Some(parsed) = self.parsed() else { return Vec::new() };
        array(self.context, parsed.includes.cast_const())
            .iter()
            .filter_map(|include| {
                // SAFETY: the submodule of an include of a compiled context.
                let raw = unsafe { include.submodule.as_ref() }?;
                Some(SubmoduleView { context: self.context, raw })
            })
            .collect()
    }

    pub(super) fn identities(self) -> Vec<IdentityView<'c>> {
        let identities = array(self.context, self.raw.identities.cast_const());
        identities.iter().filter_map(|raw| IdentityView::new(self.context, raw)).collect()
    }

    fn compiled(self) -> Option<&'c ffi::lysc_module> {
        // SAFETY: null, or the compiled form of a module of a compiled context.
        unsafe { self.raw.compiled.as_ref() }
    }

    /// Top-level data nodes, choices among them.
    pub(super) fn data(self) -> Vec<NodeView<'c>> {
        self.compiled().map_or_else(Vec::new, |compiled| siblings(self.context, compiled.data))
    }

    pub(super) fn rpcs(self) -> Vec<NodeView<'c>> {
        self.compiled()
            .map_or_else(Vec::new, |compiled| siblings(self.context, compiled.rpcs.cast()))
    }

    pub(super) fn notifications(self) -> Vec<NodeView<'c>> {
        self.compiled()
            .map_or_else(Vec::new, |compiled| siblings(self.context, compiled.notifs.cast()))
    }
}

impl SubmoduleView<'_> {
    pub(super) fn name(self) -> Box<str> {
        text(self.context, self.raw.name).into()
    }

    pub(super) fn revision(self) -> Box<str> {
        let revisions = array(self.context, self.raw.revs.cast_const());
        revisions
            .first()
            .map_or_else(Box::default, |newest| text(self.context, newest.date.as_ptr()).into())
    }
}

/// A node and the siblings behind it.
fn siblings<'c>(context: &'c Context, first: *const ffi::lysc_node) -> Vec<NodeView<'c>> {
    let mut nodes = Vec::new();
    let mut at = first;
    while let Some(node) = NodeView::new(context, at) {
        nodes.push(node);
        at = node.header().next;
    }
    nodes
}

impl<'c> NodeView<'c> {
    fn new(context: &'c Context, raw: *const ffi::lysc_node) -> Option<Self> {
        (!raw.is_null()).then_some(Self { context, raw, life: PhantomData })
    }

    /// What every kind of node has.
    fn header(self) -> &'c ffi::lysc_node {
        // SAFETY: a non-null node pointer of a compiled context; every kind of node begins with these fields.
        unsafe { &*self.raw }
    }

    /// Its address: equal for equal nodes.
    pub(super) fn address(self) -> usize {
        self.raw.addr()
    }

    pub(super) fn as_ptr(self) -> *const ffi::lysc_node {
        self.raw
    }

    pub(super) fn kind(self) -> Kind {
        match u32::from(self.header().nodetype) {
            ffi::LYS_CONTAINER => Kind::Container,
            ffi::LYS_CHOICE => Kind::Choice,
            ffi::LYS_CASE => Kind::Case,
            ffi::LYS_LEAF => Kind::Leaf,
            ffi::LYS_LEAFLIST => Kind::LeafList,
            ffi::LYS_LIST => Kind::List,
            ffi::LYS_ANYDATA => Kind::Anydata,
            ffi::LYS_ANYXML => Kind::Anyxml,
            ffi::LYS_RPC => Kind::Rpc,
            ffi::LYS_ACTION => Kind::Action,
            ffi::LYS_NOTIF => Kind::Notification,
            _ => Kind::Unknown,
        }
    }

    pub(super) fn name(self) -> Box<str> {
        text(self.context, self.header().name).into()
    }

    pub(super) fn module(self) -> Option<ModuleView<'c>> {
        ModuleView::new(self.context, self.header().module)
    }

    /// One of the bits `flag` (LYS_*) is set.
    pub(super) fn has(self, flag: u32) -> bool {
        u32::from(self.header().flags) & flag != 0
    }

    /// Children; a choice's are its cases, an operation's those of its input.
    pub(super) fn children(self) -> Vec<NodeView<'c>> {
        let node = match self.operation() {
            Some(operation) => (&raw const operation.input).cast(),
            None => self.raw,
        };
        // SAFETY: a node of a compiled context, or the input of one.
        siblings(self.context, unsafe { ffi::lysc_node_child(node) })
    }

    /// The children of an operation's output.
    pub(super) fn output(self) -> Vec<NodeView<'c>> {
        self.operation()
            .map_or_else(Vec::new, |operation| siblings(self.context, operation.output.child))
    }

    fn operation(self) -> Option<&'c ffi::lysc_node_action> {
        // SAFETY: nodes of these kinds are `lysc_node_action`.
        matches!(self.kind(), Kind::Rpc | Kind::Action).then(|| unsafe { &*self.raw.cast() })
    }

    pub(super) fn actions(self) -> Vec<NodeView<'c>> {
        // SAFETY: a node of a compiled context; kinds without actions give null.
        siblings(self.context, unsafe { ffi::lysc_node_actions(self.raw) }.cast())
    }

    pub(super) fn notifications(self) -> Vec<NodeView<'c>> {
        // SAFETY: a node of a compiled context; kinds without notifications give null.
        siblings(self.context, unsafe { ffi::lysc_node_notifs(self.raw) }.cast())
    }

    pub(super) fn musts(self) -> Vec<ConditionView<'c>> {
        let node = match self.operation() {
            Some(operation) => (&raw const operation.input).cast(),
            None => self.raw,
        };
        // SAFETY: a node of a compiled context, or the input of one; kinds without musts give null.
        let musts = array(self.context, unsafe { ffi::lysc_node_musts(node) }.cast_const());
        musts
            .iter()
            .map(|must| ConditionView {
                expression: expression(self.context, must.cond),
                prefixes: prefixes(self.context, must.prefixes),
                error_message: optional(self.context, must.emsg),
                error_app_tag: optional(self.context, must.eapptag),
                on_itself: true,
            })
            .collect()
    }

    pub(super) fn whens(self) -> Vec<ConditionView<'c>> {
        // SAFETY: a node of a compiled context; kinds without whens give null.
        let whens = array(self.context, unsafe { ffi::lysc_node_when(self.raw) }.cast_const());
        whens
            .iter()
            // SAFETY: the elements are pointers to the whens of a compiled context.
            .filter_map(|when| unsafe { when.as_ref() })
            .map(|when| ConditionView {
                expression: expression(self.context, when.cond),
                prefixes: prefixes(self.context, when.prefixes),
                error_message: None,
                error_app_tag: None,
                on_itself: ptr::eq(when.context, self.raw),
            })
            .collect()
    }

    /// The node carries this extension itself; libyang's copies of inherited ones do not count.
    pub(super) fn has_extension(self, module: &str, name: &str) -> bool {
        array(self.context, self.header().exts.cast_const()).iter().any(|instance| {
            // SAFETY: the definition of an extension instance of a compiled context.
            let Some(definition) = (unsafe { instance.def.as_ref() }) else { return false };
            !instance.module.is_null()
                && text(self.context, definition.name) == name
                && ModuleView::new(self.context, definition.module)
                    .is_some_and(|defining| &*defining.name() == module)
        })
    }

    pub(super) fn leaf(self) -> Option<&'c ffi::lysc_node_leaf> {
        // SAFETY: nodes of this kind are `lysc_node_leaf`.
        (self.kind() == Kind::Leaf).then(|| unsafe { &*self.raw.cast() })
    }

    pub(super) fn leaf_list(self) -> Option<&'c ffi::lysc_node_leaflist> {
        // SAFETY: nodes of this kind are `lysc_node_leaflist`.
        (self.kind() == Kind::LeafList).then(|| unsafe { &*self.raw.cast() })
    }

    pub(super) fn list(self) -> Option<&'c ffi::lysc_node_list> {
        // SAFETY: nodes of this kind are `lysc_node_list`.
        (self.kind() == Kind::List).then(|| unsafe { &*self.raw.cast() })
    }

    /// The type of a leaf or leaf-list.
    pub(super) fn leaf_type(self) -> Option<TypeView<'c>> {
        let raw = match (self.leaf(), self.leaf_list()) {
            (Some(leaf), _) => leaf.type_,
            (None, Some(leaf_list)) => leaf_list.type_,
            (None, None) => return None,
        };
        TypeView::new(self.context, raw)
    }

    /// A leaf's default or a leaf-list's defaults, as libyang canonicalises them.
    pub(super) fn defaults(self) -> Vec<Box<str>> {
        let one;
        let values = match (self.leaf(), self.leaf_list()) {
            (Some(leaf), _) if leaf.dflt.is_null() => return Vec::new(),
            (Some(leaf), _) => {
                one = [leaf.dflt];
                &one[..]
            }
            (None, Some(leaf_list)) => array(self.context, leaf_list.dflts.cast_const()),
            (None, None) => return Vec::new(),
        };
        values
            .iter()
            .map(|value| {
                // SAFETY: a default value of a compiled context. Its canonical text is made once, here, by the one
                // thread that compiles, and only read afterwards.
                let canonical =
                    unsafe { ffi::lyd_value_get_canonical(self.context.as_ptr(), *value) };
                text(self.context, canonical).into()
            })
            .collect()
    }

    /// The default case of a choice.
    pub(super) fn default_case(self) -> Option<NodeView<'c>> {
        if self.kind() != Kind::Choice {
            return None;
        }
        // SAFETY: nodes of this kind are `lysc_node_choice`.
        let choice = unsafe { &*self.raw.cast::<ffi::lysc_node_choice>() };
        NodeView::new(self.context, choice.dflt.cast())
    }

    /// Addresses of the leafs of each `unique` statement of a list.
    pub(super) fn uniques(self) -> Vec<Vec<usize>> {
        let Some(list) = self.list() else { return Vec::new() };
        array(self.context, list.uniques.cast_const())
            .iter()
            .map(|unique| {
                array(self.context, unique.cast_const()).iter().map(|leaf| leaf.addr()).collect()
            })
            .collect()
    }
}

/// The text of an expression.
pub(super) fn expression(context: &Context, expression: *const ffi::lyxp_expr) -> Box<str> {
    // SAFETY: an expression of a compiled context; null gives null.
    text(context, unsafe { ffi::lyxp_get_expr(expression) }).into()
}

/// The prefixes that were found in an expression.
pub(super) fn prefixes<'c>(
    context: &'c Context,
    prefixes: *const ffi::lysc_prefix,
) -> Prefixes<'c> {
    array(context, prefixes)
        .iter()
        .filter(|entry| !entry.prefix.is_null())
        .filter_map(|entry| {
            let module = ModuleView::new(context, entry.mod_)?;
            Some((text(context, entry.prefix).into(), module))
        })
        .collect()
}

/// A string that may be absent.
pub(super) fn optional(context: &Context, pointer: *const c_char) -> Option<Box<str>> {
    (!pointer.is_null()).then(|| text(context, pointer).into())
}

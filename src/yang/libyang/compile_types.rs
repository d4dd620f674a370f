//! From a compiled context to our `Schema`: types and identities.

use super::CompileError;
use super::TypeHandle;
use super::compile::number;
use super::judge::Handle;
use super::view::{ModuleView, NodeView, Prefixes};
use super::view_types::{IdentityView, PatternView, RangeView, TypeFacts, TypeView};
use crate::yang::schema::{
    ForeignText, Identity, IdentityId, ModuleId, Pattern, PrefixMap, Restriction, Type, TypeId,
};
use crate::yang::xsd_regex;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};

/// Types and identities as they are met.
pub(super) struct Types<'a, 'c> {
    modules: &'a BTreeMap<usize, ModuleId>,
    types: Vec<Type>,
    /// One type for each of libyang's and each module that uses it: names without prefix are that module's.
    by_address: BTreeMap<(usize, ModuleId), TypeId>,
    handles: Vec<Handle>,
    /// Translated patterns by their source: many types share one.
    regexes: BTreeMap<Box<str>, Option<Regex>>,
    identities: Vec<Identity>,
    identity_by_address: BTreeMap<usize, IdentityId>,
    life: std::marker::PhantomData<&'c ()>,
}

impl<'a, 'c> Types<'a, 'c> {
    /// No types yet; all identities of the modules.
    pub(super) fn new(views: &[ModuleView<'c>], modules: &'a BTreeMap<usize, ModuleId>) -> Self {
        let mut all: Vec<(Box<str>, ModuleId, IdentityView<'c>)> = Vec::new();
        for (view, module) in views.iter().zip((0..).map(ModuleId)) {
            all.extend(view.identities().into_iter().map(|id| (id.name(), module, id)));
        }
        all.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
        let identity_by_address: BTreeMap<usize, IdentityId> =
            all.iter().zip(0..).map(|((_, _, id), at)| (id.address(), IdentityId(at))).collect();
        let identities = all
            .into_iter()
            .map(|(name, module, view)| Identity {
                name,
                module,
                derived: derived(view, &identity_by_address),
            })
            .collect();
        Self {
            modules,
            types: Vec::new(),
            by_address: BTreeMap::new(),
            handles: Vec::new(),
            regexes: BTreeMap::new(),
            identities,
            identity_by_address,
            life: std::marker::PhantomData,
        }
    }

    pub(super) fn finish(self) -> (Vec<Type>, Vec<Identity>, Vec<Handle>) {
        (self.types, self.identities, self.handles)
    }

    /// Prefixes with their modules, sorted.
    pub(super) fn prefix_map(&self, prefixes: &Prefixes<'_>) -> PrefixMap {
        let map: BTreeMap<Box<str>, ModuleId> = prefixes
            .iter()
            .filter_map(|(prefix, module)| {
                Some((prefix.clone(), *self.modules.get(&module.address())?))
            })
            .collect();
        map.into_iter().collect()
    }

    /// The type of a leaf or leaf-list of `module`.
    pub(super) fn of_node(
        &mut self,
        node: NodeView<'c>,
        module: ModuleId,
    ) -> Result<TypeId, CompileError> {
        let Some(view) = node.leaf_type() else {
            let reason = format!("leaf \"{}\" has no type", node.name());
            return Err(CompileError { file: None, line: None, reason });
        };
        self.id(view, node, module)
    }

    fn id(
        &mut self,
        view: TypeView<'c>,
        node: NodeView<'c>,
        module: ModuleId,
    ) -> Result<TypeId, CompileError> {
        if let Some(known) = self.by_address.get(&(view.address(), module)) {
            return Ok(*known);
        }
        let type_ = self.convert(view, node, module)?;
        let id = TypeId(number(self.types.len())?);
        self.types.push(type_);
        self.by_address.insert((view.address(), module), id);
        Ok(id)
    }

    fn convert(
        &mut self,
        view: TypeView<'c>,
        node: NodeView<'c>,
        module: ModuleId,
    ) -> Result<Type, CompileError> {
        let facts = view.facts();
        if !is_builtin(&facts, &view.plugin()) {
            return self.foreign(view, node);
        }
        Ok(match facts {
            TypeFacts::Boolean => Type::Boolean,
            TypeFacts::Empty => Type::Empty,
            TypeFacts::Signed { bits, range } => signed(bits, range),
            TypeFacts::Unsigned { bits, range } => unsigned(bits, range),
            TypeFacts::Decimal64 { digits, range } => Type::Decimal64 {
                fraction_digits: digits,
                ranges: range.map_or_else(|| vec![(i64::MIN, i64::MAX)], RangeView::signed),
                error: restriction(range),
            },
            TypeFacts::String { length, patterns } => {
                let patterns: Option<Vec<Pattern>> =
                    patterns.into_iter().map(|view| self.pattern(view)).collect();
                let Some(patterns) = patterns else { return self.foreign(view, node) };
                Type::String {
                    lengths: length.map_or_else(Vec::new, RangeView::unsigned),
                    length_error: restriction(length),
                    patterns,
                }
            }
            TypeFacts::Binary { length } => Type::Binary {
                lengths: length.map_or_else(Vec::new, RangeView::unsigned),
                error: restriction(length),
            },
            TypeFacts::Enumeration(names) => Type::Enumeration(names),
            TypeFacts::Bits(mut names) => {
                names.sort_by_key(|(_, position)| *position);
                Type::Bits(names)
            }
            TypeFacts::Identityref(bases) => Type::Identityref(
                bases
                    .into_iter()
                    .filter_map(|base| self.identity_by_address.get(&base.address()).copied())
                    .collect(),
            ),
            TypeFacts::InstanceIdentifier { require_instance } => {
                Type::InstanceIdentifier { require_instance }
            }
            TypeFacts::Leafref { path, prefixes, require_instance, target } => Type::Leafref {
                path,
                module,
                prefixes: self.prefix_map(&prefixes),
                require_instance,
                target_type: self.id(target, node, module)?,
            },
            TypeFacts::Union(members) => {
                let mut ids = Vec::new();
                for member in members {
                    ids.push(self.id(member, node, module)?);
                }
                Type::Union(ids)
            }
            TypeFacts::Unknown => return self.foreign(view, node),
        })
    }

    /// A pattern with its translation, or `None` if it has none.
    fn pattern(&mut self, view: PatternView<'_>) -> Option<Pattern> {
        let source = view.source();
        let translate = || xsd_regex::translate(&source);
        let regex = self.regexes.entry(source.clone()).or_insert_with(translate).clone()?;
        Some(Pattern {
            source,
            invert: view.inverted(),
            error: Restriction { message: view.error_message(), app_tag: view.error_app_tag() },
            regex: Some(regex),
        })
    }

    /// A type that only libyang's code knows.
    fn foreign(&mut self, view: TypeView<'c>, node: NodeView<'c>) -> Result<Type, CompileError> {
        let handle = TypeHandle(number(self.handles.len())?);
        self.handles.push(Handle::new(view, node));
        let text = match &*view.plugin() {
            "date-and-time" => ForeignText::DateAndTime,
            "xpath1.0" => ForeignText::Xpath,
            "node-instance-identifier" => ForeignText::NodeInstanceIdentifier,
            _ => ForeignText::Plain,
        };
        Ok(Type::Foreign { handle, text })
    }
}

/// Every enabled identity that is derived from `view`, directly or not; sorted.
fn derived(view: IdentityView<'_>, ids: &BTreeMap<usize, IdentityId>) -> Vec<IdentityId> {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = view.derived();
    while let Some(identity) = open.pop() {
        if !seen.insert(identity.address()) {
            continue;
        }
        if identity.enabled() {
            found.extend(ids.get(&identity.address()).copied());
        }
        open.extend(identity.derived());
    }
    found.into_iter().collect()
}

/// The type's values are stored and printed by the code of its built-in base type.
fn is_builtin(facts: &TypeFacts<'_>, plugin: &str) -> bool {
    plugin
        == match facts {
            TypeFacts::Boolean => "boolean",
            TypeFacts::Empty => "empty",
            TypeFacts::Signed { .. } | TypeFacts::Unsigned { .. } => "integers",
            TypeFacts::Decimal64 { .. } => "decimal64",
            TypeFacts::String { .. } => "string",
            TypeFacts::Binary { .. } => "binary",
            TypeFacts::Enumeration(_) => "enumeration",
            TypeFacts::Bits(_) => "bits",
            TypeFacts::Identityref(_) => "identityref",
            TypeFacts::InstanceIdentifier { .. } => "instance-identifier",
            TypeFacts::Leafref { .. } => "leafref",
            TypeFacts::Union(_) => "union",
            TypeFacts::Unknown => return false,
        }
}

fn signed(bits: u32, range: Option<RangeView<'_>>) -> Type {
    let all = || {
        let max = i64::MAX >> (64_u32.saturating_sub(bits));
        vec![(-max - 1, max)]
    };
    Type::Int { ranges: range.map_or_else(all, RangeView::signed), error: restriction(range) }
}

fn unsigned(bits: u32, range: Option<RangeView<'_>>) -> Type {
    let all = || vec![(0, u64::MAX >> (64_u32.saturating_sub(bits)))];
    Type::Uint { ranges: range.map_or_else(all, RangeView::unsigned), error: restriction(range) }
}

fn restriction(range: Option<RangeView<'_>>) -> Restriction {
    range.map_or_else(Restriction::default, |range| Restriction {
        message: range.error_message(),
        app_tag: range.error_app_tag(),
    })
}

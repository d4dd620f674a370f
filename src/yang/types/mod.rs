//! Values: what the types of RFC 7950 section 9 accept, and their canonical form.
//!
//! A canonical value names modules, never prefixes, as RFC 7951 section 6 has it; each name in an instance-identifier
//! carries its module. XML's prefixes are translated on the way in (`Schema::canonical`) and out (`Schema::lexical`).

mod date_time;
pub(crate) mod decimal;
mod identity;
mod instance;
mod lexical;
mod number;
mod text;
mod xpath_names;

#[cfg(test)]
mod tests;

pub(crate) use xpath_names::rename_prefixes;

use super::schema::{ForeignText, ModuleId, NodeId, Restriction, Schema, Type, TypeId};
use super::tree::Text;

/// What prefixes in a value mean.
pub(crate) trait Prefixes {
    /// The namespace of a prefix; of the empty one, the default namespace.
    fn namespace(&self, prefix: &str) -> Option<&str>;

    /// A name without prefix in an instance-identifier is in the module of the name before it (RFC 7951, 6.11);
    /// otherwise each name has to have a prefix (RFC 7950, 9.13.2).
    fn names_inherit(&self) -> bool {
        false
    }
}

/// Gives prefixes to namespaces when values are written.
pub(crate) trait PrefixSink {
    /// A prefix that means `namespace` where the value is written: `preferred`, unless that means something else.
    fn prefix(&mut self, namespace: &str, preferred: &str) -> String;
}

/// Module names as prefixes: those of canonical values and of JSON (RFC 7951).
pub(crate) struct ModuleNames<'a> {
    pub(crate) schema: &'a Schema,
    /// The module of names without one.
    pub(crate) default: ModuleId,
}

impl Prefixes for ModuleNames<'_> {
    fn namespace(&self, prefix: &str) -> Option<&str> {
        let module = match prefix {
            "" => self.default,
            name => self.schema.module_by_name(name)?,
        };
        Some(&self.schema.module(module).namespace)
    }

    fn names_inherit(&self) -> bool {
        true
    }
}

/// Why a text is no value of a type (RFC 7950, 8.3.1: `invalid-value`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValueError {
    /// The statement's error-message, or what is wrong. Never empty.
    pub(crate) message: String,
    /// The statement's error-app-tag.
    pub(crate) app_tag: Option<String>,
}

impl ValueError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), app_tag: None }
    }

    /// A restriction is violated: in its words, or if it has none, in those of `message`.
    fn restricted(restriction: &Restriction, message: impl FnOnce() -> String) -> Self {
        let stated = restriction.message.as_deref().filter(|stated| !stated.is_empty());
        Self {
            message: stated.map_or_else(message, str::to_owned),
            app_tag: restriction.app_tag.as_deref().map(str::to_owned),
        }
    }
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Scope<'a> {
    prefixes: &'a dyn Prefixes,
    /// The module of its leaf: that of a name without prefix if there is no default namespace.
    module: ModuleId,
}

impl Schema {
    /// The canonical form of `text` as a value of leaf or leaf-list `node`.
    ///
    /// White space around is allowed for numbers and bits alone, as libyang has it. Integers are decimal: hexadecimal
    /// and octal ones are for defaults in modules (RFC 7950, 9.2.1). That a leafref or instance-identifier leads to
    /// something in data is not checked here.
    ///
    /// # Errors
    /// The text is no value of the type, or `node` has no values.
    pub(crate) fn canonical(
        &self,
        node: NodeId,
        text: &str,
        prefixes: &dyn Prefixes,
    ) -> Result<Text, ValueError> {
        let Some(type_id) = self.type_of(node) else {
            return Err(ValueError::new("the node is no leaf and no leaf-list"));
        };
        let scope = Scope { prefixes, module: self.node(node).module };
        self.canonical_value(type_id, text, scope)
    }

    /// The type that gives a canonical value its meaning: the target of a leafref, the member of a union.
    pub(crate) fn value_type(&self, node: NodeId, value: &str) -> Option<TypeId> {
        let mut type_id = self.type_of(node)?;
        // Leafrefs and unions have an end: libyang refuses circles.
        loop {
            type_id = match self.type_facts(type_id) {
                Type::Leafref { target_type, .. } => *target_type,
                Type::Union(members) => {
                    *members.iter().find(|member| self.is_value(node, **member, value))?
                }
                Type::Boolean
                | Type::Empty
                | Type::Int { .. }
                | Type::Uint { .. }
                | Type::Decimal64 { .. }
                | Type::String { .. }
                | Type::Binary { .. }
                | Type::Enumeration(_)
                | Type::Bits(_)
                | Type::Identityref(_)
                | Type::InstanceIdentifier { .. }
                | Type::Foreign { .. } => return Some(type_id),
            };
        }
    }

    /// `value` is a canonical value of the type, in an instance of `node`.
    pub(crate) fn is_value(&self, node: NodeId, type_id: TypeId, value: &str) -> bool {
        let module = self.node(node).module;
        let prefixes = ModuleNames { schema: self, default: module };
        self.canonical_value(type_id, value, Scope { prefixes: &prefixes, module }).is_ok()
    }

    fn canonical_value(
        &self,
        type_id: TypeId,
        text: &str,
        scope: Scope<'_>,
    ) -> Result<Text, ValueError> {
        match self.type_facts(type_id) {
            Type::Boolean => match text {
                "true" | "false" => Ok(Text::new(text)),
                _ => Err(ValueError::new(format!("\"{text}\" is not true or false"))),
            },
            Type::Empty if text.is_empty() => Ok(Text::default()),
            Type::Empty => Err(ValueError::new("type empty has no value")),
            Type::Int { ranges, error } => number::signed(text, ranges, error),
            Type::Uint { ranges, error } => number::unsigned(text, ranges, error),
            Type::Decimal64 { fraction_digits, ranges, error } => {
                number::decimal64(text, *fraction_digits, ranges, error)
            }
            Type::String { lengths, length_error, patterns } => {
                text::string(text, lengths, length_error, patterns)
            }
            Type::Binary { lengths, error } => text::binary(text, lengths, error),
            Type::Enumeration(names) => match names.iter().any(|(name, _)| **name == *text) {
                true => Ok(Text::new(text)),
                false => Err(ValueError::new(format!("\"{text}\" is none of the enumeration"))),
            },
            Type::Bits(names) => text::bits(text, names),
            Type::Identityref(bases) => self.identity_value(text, bases, scope),
            Type::InstanceIdentifier { .. } => {
                self.instance_value(text, instance::Keys::Required, scope)
            }
            Type::Leafref { target_type, .. } => self.canonical_value(*target_type, text, scope),
            Type::Union(members) => members
                .iter()
                .find_map(|member| self.canonical_value(*member, text, scope).ok())
                .ok_or_else(|| {
                    ValueError::new(format!("\"{text}\" is of none of the union's types"))
                }),
            Type::Foreign { handle, text: holds } => match holds {
                ForeignText::Plain => self.judge.canonical(*handle, text).map(Text::from),
                ForeignText::Xpath => {
                    let named = self.xpath_with_modules(text, scope)?;
                    self.judge.canonical(*handle, &named).map(Text::from)
                }
                ForeignText::DateAndTime => {
                    // libyang's canonical form depends on the time zone of the machine.
                    self.judge.canonical(*handle, text)?;
                    date_time::canonical(text)
                        .map(Text::from)
                        .ok_or_else(|| ValueError::new(format!("\"{text}\" is no date and time")))
                }
                ForeignText::NodeInstanceIdentifier => {
                    self.instance_value(text, instance::Keys::Optional, scope)
                }
            },
        }
    }

    /// Values of this type can hold names that need prefixes in XML: such go through `lexical`, all others are
    /// written as they are.
    pub(crate) fn needs_prefixes(&self, type_id: TypeId) -> bool {
        match self.type_facts(type_id) {
            Type::Identityref(_) | Type::InstanceIdentifier { .. } => true,
            Type::Foreign { text, .. } => {
                matches!(text, ForeignText::Xpath | ForeignText::NodeInstanceIdentifier)
            }
            Type::Leafref { target_type, .. } => self.needs_prefixes(*target_type),
            Type::Union(members) => members.iter().any(|member| self.needs_prefixes(*member)),
            Type::Boolean
            | Type::Empty
            | Type::Int { .. }
            | Type::Uint { .. }
            | Type::Decimal64 { .. }
            | Type::String { .. }
            | Type::Binary { .. }
            | Type::Enumeration(_)
            | Type::Bits(_) => false,
        }
    }
}

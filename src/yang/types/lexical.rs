//! Canonical values as XML writes them: with prefixes in place of module names.

use super::instance::{Keys, Predicate, push_name, push_position, push_value};
use super::xpath_names::rename;
use super::{ModuleNames, PrefixSink, Scope};
use crate::yang::schema::{ForeignText, ModuleId, NodeId, Schema, Type, TypeId};
use std::borrow::Cow;

impl Schema {
    /// The XML form of a canonical value of leaf or leaf-list `node`; `out` learns which namespaces it needs.
    ///
    /// What is no canonical value of the type is given back as it is.
    pub(crate) fn lexical<'a>(
        &self,
        node: NodeId,
        canonical: &'a str,
        out: &mut dyn PrefixSink,
    ) -> Cow<'a, str> {
        match self.type_of(node) {
            Some(type_id) => self.lexical_value(type_id, canonical, self.node(node).module, out),
            None => Cow::Borrowed(canonical),
        }
    }

    fn lexical_value<'a>(
        &self,
        type_id: TypeId,
        canonical: &'a str,
        module: ModuleId,
        out: &mut dyn PrefixSink,
    ) -> Cow<'a, str> {
        match self.type_facts(type_id) {
            Type::Identityref(_) => match canonical.split_once(':') {
                Some((name, identity)) => match self.prefix_of(name, out) {
                    Some(prefix) => Cow::Owned(format!("{prefix}:{identity}")),
                    None => Cow::Borrowed(canonical),
                },
                None => Cow::Borrowed(canonical),
            },
            Type::InstanceIdentifier { .. } => {
                self.lexical_instance(canonical, Keys::Required, module, out)
            }
            Type::Leafref { target_type, .. } => {
                self.lexical_value(*target_type, canonical, module, out)
            }
            Type::Union(members) => {
                let names = ModuleNames { schema: self, default: module };
                let scope = Scope { prefixes: &names, module };
                let member = members.iter().find(|member| {
                    self.canonical_value(**member, canonical, scope)
                        .is_ok_and(|value| value == canonical)
                });
                match member {
                    Some(member) => self.lexical_value(*member, canonical, module, out),
                    None => Cow::Borrowed(canonical),
                }
            }
            Type::Foreign { text: ForeignText::Xpath, .. } => {
                Cow::Owned(rename(canonical, |name| self.prefix_of(name.prefix, out)))
            }
            Type::Foreign { text: ForeignText::NodeInstanceIdentifier, .. } => {
                self.lexical_instance(canonical, Keys::Optional, module, out)
            }
            Type::Foreign { text: ForeignText::Plain | ForeignText::DateAndTime, .. }
            | Type::Boolean
            | Type::Empty
            | Type::Int { .. }
            | Type::Uint { .. }
            | Type::Decimal64 { .. }
            | Type::String { .. }
            | Type::Binary { .. }
            | Type::Enumeration(_)
            | Type::Bits(_) => Cow::Borrowed(canonical),
        }
    }

    /// A prefix for the module with this name.
    fn prefix_of(&self, module: &str, out: &mut dyn PrefixSink) -> Option<String> {
        let module = self.module(self.module_by_name(module)?);
        Some(out.prefix(&module.namespace, &module.prefix))
    }

    fn prefix_of_node(&self, node: NodeId, out: &mut dyn PrefixSink) -> String {
        let module = self.module_of(node);
        out.prefix(&module.namespace, &module.prefix)
    }

    fn lexical_instance<'a>(
        &self,
        canonical: &'a str,
        keys: Keys,
        module: ModuleId,
        out: &mut dyn PrefixSink,
    ) -> Cow<'a, str> {
        let names = ModuleNames { schema: self, default: module };
        let scope = Scope { prefixes: &names, module };
        let Ok(parts) = self.instance_parts(canonical, keys, scope) else {
            return Cow::Borrowed(canonical);
        };
        let mut text = String::with_capacity(canonical.len());
        for part in &parts {
            let prefix = self.prefix_of_node(part.node, out);
            push_name(&mut text, '/', &prefix, &self.node(part.node).name);
            for predicate in &part.predicates {
                match predicate {
                    Predicate::Key(key, value) => {
                        let prefix = self.prefix_of_node(*key, out);
                        push_name(&mut text, '[', &prefix, &self.node(*key).name);
                        push_value(&mut text, &self.lexical(*key, value, out));
                    }
                    Predicate::Value(value) => {
                        text.push_str("[.");
                        push_value(&mut text, &self.lexical(part.node, value, out));
                    }
                    Predicate::Position(position) => push_position(&mut text, *position),
                }
            }
        }
        Cow::Owned(text)
    }
}

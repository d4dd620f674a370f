//! instance-identifier (RFC 7950, 9.13) and RFC 8341's node-instance-identifier.

use super::{ModuleNames, Scope, ValueError};
use crate::base::limits::DEPTH_MAX;
use crate::yang::path::{InstancePath, Selector, Step};
use crate::yang::schema::{Lookup, NodeId, NodeKind, Schema};
use crate::yang::tree::Text;
use std::fmt::Write;

/// Whether each key of a list on the way must be stated.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keys {
    Required,
    /// node-instance-identifier: one that is not stated stands for all; `/` alone stands for everything.
    Optional,
}

/// One level of an instance-identifier.
pub(super) struct Part {
    pub(super) node: NodeId,
    pub(super) predicates: Vec<Predicate>,
}

/// What stands in brackets.
pub(super) enum Predicate {
    /// A key leaf with its canonical value.
    Key(NodeId, Text),
    /// A leaf-list entry's canonical value.
    Value(Text),
    Position(u32),
}

impl Schema {
    /// The canonical form of an instance-identifier: `/m:a/m:b[m:k='v']`, keys in their order.
    pub(super) fn instance_value(
        &self,
        text: &str,
        keys: Keys,
        scope: Scope<'_>,
    ) -> Result<Text, ValueError> {
        if keys == Keys::Optional && text == "/" {
            return Ok(Text::new_static("/"));
        }
        let parts = self.instance_parts(text, keys, scope)?;
        let mut canonical = String::with_capacity(text.len());
        for part in &parts {
            push_name(
                &mut canonical,
                '/',
                &self.module_of(part.node).name,
                &self.node(part.node).name,
            );
            for predicate in &part.predicates {
                match predicate {
                    Predicate::Key(key, value) => {
                        let node = self.node(*key);
                        push_name(&mut canonical, '[', &self.module(node.module).name, &node.name);
                        push_value(&mut canonical, value);
                    }
                    Predicate::Value(value) => {
                        canonical.push_str("[.");
                        push_value(&mut canonical, value);
                    }
                    Predicate::Position(position) => push_position(&mut canonical, *position),
                }
            }
        }
        Ok(Text::from(canonical))
    }

    /// The node that `value`, a canonical instance-identifier in an instance of `leaf`, names.
    pub(crate) fn instance_path(&self, leaf: NodeId, value: &str) -> Option<InstancePath> {
        let module = self.node(leaf).module;
        let prefixes = ModuleNames { schema: self, default: module };
        let scope = Scope { prefixes: &prefixes, module };
        let parts = self.instance_parts(value, Keys::Required, scope).ok()?;
        let steps = parts.into_iter().map(|Part { node, predicates }| {
            let mut keys = Vec::new();
            for predicate in predicates {
                match predicate {
                    Predicate::Key(_, value) => keys.push(value),
                    Predicate::Value(value) => {
                        return Step { node, selector: Selector::Value(value) };
                    }
                    Predicate::Position(position) => {
                        return Step { node, selector: Selector::Position(position) };
                    }
                }
            }
            let selector = if keys.is_empty() { Selector::None } else { Selector::Keys(keys) };
            Step { node, selector }
        });
        Some(InstancePath(steps.collect()))
    }

    /// The parts of an instance-identifier, all of whose nodes are in the schema.
    pub(super) fn instance_parts(
        &self,
        text: &str,
        keys: Keys,
        scope: Scope<'_>,
    ) -> Result<Vec<Part>, ValueError> {
        let mut reader = Reader { schema: self, text, rest: text, scope, parts: Vec::new() };
        while !reader.rest.is_empty() {
            if reader.parts.len() >= DEPTH_MAX {
                return Err(reader.error("too long"));
            }
            reader.part(keys)?;
        }
        match reader.parts.is_empty() {
            true => Err(reader.error("empty")),
            false => Ok(reader.parts),
        }
    }
}

/// `/module:name` or `[module:name`.
pub(super) fn push_name(out: &mut String, before: char, prefix: &str, name: &str) {
    out.push(before);
    out.push_str(prefix);
    out.push(':');
    out.push_str(name);
}

/// `='value']`. A value holds one sort of quotes at most: it was between the other.
pub(super) fn push_value(out: &mut String, value: &str) {
    let quote = if value.contains('\'') { '"' } else { '\'' };
    out.push('=');
    out.push(quote);
    out.push_str(value);
    out.push(quote);
    out.push(']');
}

/// `[1]`.
pub(super) fn push_position(out: &mut String, position: u32) {
    // Writing to a String does not fail.
    let written = write!(out, "[{position}]");
    debug_assert!(written.is_ok());
}

/// Reads an instance-identifier from left to right.
struct Reader<'a> {
    schema: &'a Schema,
    text: &'a str,
    rest: &'a str,
    scope: Scope<'a>,
    parts: Vec<Part>,
}

impl<'a> Reader<'a> {
    fn error(&self, what: &str) -> ValueError {
        ValueError::new(format!("\"{}\" is not an instance-identifier: {what}", self.text))
    }

    /// `/` name, predicates.
    fn part(&mut self, keys: Keys) -> Result<(), ValueError> {
        self.expect('/')?;
        let parent = self.parts.last().map(|part| part.node);
        let (prefix, name) = self.name()?;
        let node = self.resolve(parent, prefix, name)?;
        let mut predicates = Vec::new();
        while self.rest.starts_with('[') {
            predicates.push(self.predicate(node)?);
        }
        let predicates = self.checked(node, predicates, keys)?;
        self.parts.push(Part { node, predicates });
        Ok(())
    }

    /// A qualified name, of which the prefix may be absent.
    fn name(&mut self) -> Result<(&'a str, &'a str), ValueError> {
        let ends = |c: char| !(c.is_alphanumeric() || "_-.:".contains(c));
        let length = self.rest.find(ends).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        match name.split_once(':') {
            _ if name.is_empty() => Err(self.error("a name is missing")),
            Some(("", _)) => Err(self.error("a prefix is empty")),
            Some((prefix, name)) => Ok((prefix, name)),
            None => Ok(("", name)),
        }
    }

    /// The node that a name means below `parent`.
    fn resolve(
        &self,
        parent: Option<NodeId>,
        prefix: &str,
        name: &str,
    ) -> Result<NodeId, ValueError> {
        let schema = self.schema;
        let module = match (prefix, parent) {
            ("", Some(parent)) if self.scope.prefixes.names_inherit() => schema.node(parent).module,
            ("", _) => return Err(self.error(&format!("\"{name}\" has no prefix"))),
            (prefix, _) => schema.module_of_prefix(prefix, self.scope)?,
        };
        let namespace = Some(&*schema.module(module).namespace);
        let lookups = match parent {
            None => [
                schema.child(None, namespace, name),
                schema.rpc(namespace, name),
                schema.notification(namespace, name),
            ],
            Some(parent) => [
                schema.child(Some(parent), namespace, name),
                schema.action(parent, namespace, name),
                schema.nested_notification(parent, namespace, name),
            ],
        };
        let found = lookups.into_iter().find_map(Lookup::found);
        found.ok_or_else(|| self.error(&format!("there is no node \"{name}\"")))
    }

    /// `[key = 'value']`, `[. = 'value']` or `[position]`.
    fn predicate(&mut self, node: NodeId) -> Result<Predicate, ValueError> {
        self.expect('[')?;
        self.skip_space();
        let predicate = if let Some(rest) = self.rest.strip_prefix('.') {
            self.rest = rest;
            let value = self.value()?;
            Predicate::Value(self.canonical(node, value)?)
        } else if self.rest.starts_with(|first: char| first.is_ascii_digit()) {
            let not_digit = |c: char| !c.is_ascii_digit();
            let length = self.rest.find(not_digit).unwrap_or(self.rest.len());
            let (digits, rest) = self.rest.split_at_checked(length).unwrap_or_default();
            self.rest = rest;
            match digits.parse() {
                Ok(position) if position > 0 => Predicate::Position(position),
                Ok(_) | Err(_) => return Err(self.error("a position counts from 1")),
            }
        } else {
            let (prefix, name) = self.name()?;
            let key = self.resolve(Some(node), prefix, name)?;
            let value = self.value()?;
            Predicate::Key(key, self.canonical(key, value)?)
        };
        self.skip_space();
        self.expect(']')?;
        Ok(predicate)
    }

    /// `= 'value'`.
    fn value(&mut self) -> Result<&'a str, ValueError> {
        self.skip_space();
        self.expect('=')?;
        self.skip_space();
        let quote = match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => quote,
            Some(_) | None => return Err(self.error("a value is not in quotes")),
        };
        let inner = self.rest.get(1..).unwrap_or_default();
        let Some((value, rest)) = inner.split_once(quote) else {
            return Err(self.error("a quote is not closed"));
        };
        self.rest = rest;
        Ok(value)
    }

    fn canonical(&self, node: NodeId, value: &str) -> Result<Text, ValueError> {
        self.schema.canonical(node, value, self.scope.prefixes)
    }

    fn expect(&mut self, character: char) -> Result<(), ValueError> {
        match self.rest.strip_prefix(character) {
            Some(rest) => self.rest = rest,
            None => return Err(self.error(&format!("\"{character}\" is missing"))),
        }
        Ok(())
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// The predicates in the order of the keys, if they are what the node can have.
    fn checked(
        &self,
        node: NodeId,
        predicates: Vec<Predicate>,
        keys: Keys,
    ) -> Result<Vec<Predicate>, ValueError> {
        let stated = predicates.len();
        match &self.schema.node(node).kind {
            NodeKind::List(list) if list.keys.is_empty() => match predicates.as_slice() {
                [Predicate::Position(_)] => Ok(predicates),
                [] if keys == Keys::Optional => Ok(predicates),
                _ => Err(self.error("an entry of a list without keys is named by its position")),
            },
            NodeKind::List(list) => {
                let mut ordered = Vec::with_capacity(stated);
                for predicate in predicates {
                    match predicate {
                        Predicate::Key(key, value) => {
                            let Some(at) = list.keys.iter().position(|k| *k == key) else {
                                return Err(self.error("a predicate names no key"));
                            };
                            ordered.push((at, Predicate::Key(key, value)));
                        }
                        Predicate::Value(_) | Predicate::Position(_) => {
                            return Err(self.error("an entry of a list is named by its keys"));
                        }
                    }
                }
                ordered.sort_by_key(|(at, _)| *at);
                ordered.dedup_by_key(|(at, _)| *at);
                if ordered.len() != stated {
                    return Err(self.error("a key is stated twice"));
                }
                if keys == Keys::Required && stated != list.keys.len() {
                    return Err(self.error("a key is missing"));
                }
                Ok(ordered.into_iter().map(|(_, predicate)| predicate).collect())
            }
            NodeKind::LeafList(_) => match predicates.as_slice() {
                [Predicate::Value(_)] => Ok(predicates),
                [] if keys == Keys::Optional => Ok(predicates),
                _ => Err(self.error("an entry of a leaf-list is named by its value")),
            },
            NodeKind::Container { .. }
            | NodeKind::Leaf(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => match predicates.is_empty() {
                true => Ok(predicates),
                false => Err(self.error("a predicate stands where no list or leaf-list is")),
            },
        }
    }
}

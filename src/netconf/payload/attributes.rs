//! Attributes of data in an edit: `operation` (RFC 6241, 7.2), `insert`, `key` and `value` (RFC 7950, 7.7.9 and
//! 7.8.6), `default` (RFC 6243, 4.5).

use super::{Fault, Operations, Payload, is_named};
use crate::datastore::edit::{Insert, Operation};
use crate::netconf::BASE_NAMESPACE as NETCONF;
use crate::xml::{Attribute, Scope, is_ncname, trim};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::Selector;
use crate::yang::schema::{List, Node, NodeId, NodeKind, Order};
use crate::yang::tree::Key;

const YANG: &str = "urn:ietf:params:xml:ns:yang:1";
const WITH_DEFAULTS: &str = "urn:ietf:params:xml:ns:netconf:default:1.0";

/// What the attributes of one element say.
pub(super) struct Attributes {
    /// In force: the element's own or the inherited one.
    pub(super) operation: Operation,
    pub(super) insert: Option<Box<Insert>>,
    /// The value is tagged as the default.
    pub(super) is_default: bool,
}

/// The attributes that say where a user-ordered entry goes, as they are written.
#[derive(Default)]
struct Placement<'r> {
    insert: Option<&'r str>,
    /// `key` of a list entry, `value` of a leaf-list entry.
    anchor: Option<&'r str>,
}

impl Payload<'_, '_> {
    /// The attributes of the element that was started last, which is `node`.
    pub(super) fn attributes(&self, id: NodeId, node: &Node) -> Result<Attributes, Fault> {
        let mut read =
            Attributes { operation: self.top.operation, insert: None, is_default: false };
        if !self.reader.has_attributes() {
            return Ok(read);
        }
        let mut placement = Placement::default();
        let allowed = matches!(self.operations, Operations::Allowed(_));
        for attribute in self.reader.attributes() {
            let known = match (attribute.namespace, attribute.name) {
                (Some(NETCONF), "operation") if allowed => {
                    read.operation = operation(attribute.value)
                        .ok_or_else(|| self.bad_attribute(id, node, &attribute))?;
                    true
                }
                (Some(YANG), "insert") if allowed && order(node) == Order::User => {
                    placement.insert = Some(attribute.value);
                    true
                }
                (Some(YANG), name) if allowed && Some(name) == anchor_name(node) => {
                    placement.anchor = Some(attribute.value);
                    true
                }
                (Some(WITH_DEFAULTS), "default") if has_value(node) => {
                    read.is_default = boolean(attribute.value)
                        .ok_or_else(|| self.bad_attribute(id, node, &attribute))?;
                    true
                }
                (None | Some(NETCONF | YANG | WITH_DEFAULTS), _) => false,
                (Some(_), _) => true,
            };
            if !known {
                let message = format!("{} has no attribute {}", node.name, attribute.name);
                let kind = DataErrorKind::UnknownAttribute {
                    attribute: attribute.name.to_owned(),
                    element: node.name.to_string(),
                };
                return Err(self.attribute_fault(id, kind, message));
            }
        }
        read.insert = self.placement(id, node, &placement)?.map(Box::new);
        Ok(read)
    }

    fn placement(
        &self,
        id: NodeId,
        node: &Node,
        placement: &Placement<'_>,
    ) -> Result<Option<Insert>, Fault> {
        let anchor_name = anchor_name(node).unwrap_or_default();
        let make: fn(Key) -> Insert = match (placement.insert, placement.anchor) {
            (None, None) => return Ok(None),
            (Some("first"), None) => return Ok(Some(Insert::First)),
            (Some("last"), None) => return Ok(Some(Insert::Last)),
            (Some("before"), Some(_)) => Insert::Before,
            (Some("after"), Some(_)) => Insert::After,
            (Some("before" | "after"), None) => {
                let message = format!("insert of {} needs the attribute {anchor_name}", node.name);
                let kind = DataErrorKind::MissingAttribute {
                    attribute: anchor_name.to_owned(),
                    element: node.name.to_string(),
                };
                return Err(self.attribute_fault(id, kind, message));
            }
            (None | Some("first" | "last"), Some(_)) => {
                let message = format!("{anchor_name} means nothing without before or after");
                let kind = DataErrorKind::UnknownAttribute {
                    attribute: anchor_name.to_owned(),
                    element: node.name.to_string(),
                };
                return Err(self.attribute_fault(id, kind, message));
            }
            (Some(value), _) => return Err(self.bad_value(id, node, "insert", value)),
        };
        let written = placement.anchor.unwrap_or_default();
        match self.anchor(id, node, written) {
            Some(key) => Ok(Some(make(key))),
            None => Err(self.bad_value(id, node, anchor_name, written)),
        }
    }

    /// The key of the entry that `key` or `value` names. `None` if it cannot be one of this list.
    fn anchor(&self, id: NodeId, node: &Node, written: &str) -> Option<Key> {
        let scope = self.reader.scope();
        match &node.kind {
            NodeKind::LeafList(_) => {
                let value = self.schema.canonical(id, written, scope).ok()?;
                Some(self.schema.leaf_list_key(id, &value))
            }
            NodeKind::List(list) => self.list_anchor(id, list, written, scope),
            NodeKind::Container { .. }
            | NodeKind::Leaf(_)
            | NodeKind::Anydata { .. }
            | NodeKind::Anyxml { .. }
            | NodeKind::Rpc { .. }
            | NodeKind::Action { .. }
            | NodeKind::Notification => None,
        }
    }

    /// Key predicates of an instance-identifier (RFC 7950, 9.13), in any order: each key once.
    fn list_anchor(
        &self,
        id: NodeId,
        list: &List,
        written: &str,
        scope: &Scope<'_>,
    ) -> Option<Key> {
        let mut values = vec![None; list.keys.len()];
        let mut rest = trim(written);
        while !rest.is_empty() {
            let (prefix, name, value) = next_predicate(&mut rest)?;
            let at = list.keys.iter().position(|key| {
                // A name without a prefix is a key's all the same: nothing else can stand here.
                match (prefix.is_empty(), scope.namespace(prefix)) {
                    (true, _) => *self.schema.node(*key).name == *name,
                    (false, Some(namespace)) => is_named(self.schema, *key, namespace, name),
                    (false, None) => false,
                }
            })?;
            let canonical = self.schema.canonical(*list.keys.get(at)?, value, scope).ok()?;
            if values.get_mut(at)?.replace(canonical).is_some() {
                return None;
            }
        }
        let values: Vec<_> = values.into_iter().collect::<Option<_>>()?;
        Some(self.schema.list_key(id, &values))
    }

    /// `insert` stands at what is deleted as a whole.
    pub(super) fn inserts_nothing(&self, id: NodeId) -> Fault {
        let element = self.schema.node(id).name.to_string();
        let kind = DataErrorKind::BadAttribute { attribute: "insert".to_owned(), element };
        self.attribute_fault(id, kind, "the operation inserts and moves nothing".to_owned())
    }

    fn bad_attribute(&self, id: NodeId, node: &Node, attribute: &Attribute<'_>) -> Fault {
        self.bad_value(id, node, attribute.name, attribute.value)
    }

    fn bad_value(&self, id: NodeId, node: &Node, attribute: &str, value: &str) -> Fault {
        let message = format!("\"{value}\" is no {attribute} of {}", node.name);
        let kind = DataErrorKind::BadAttribute {
            attribute: attribute.to_owned(),
            element: node.name.to_string(),
        };
        self.attribute_fault(id, kind, message)
    }

    fn attribute_fault(&self, id: NodeId, kind: DataErrorKind, message: String) -> Fault {
        Box::new(DataError::new(kind, message).at(self.path().child(id, Selector::None)))
    }
}

/// `none` is a default-operation only (RFC 6241, 7.2).
fn operation(value: &str) -> Option<Operation> {
    match value {
        "merge" => Some(Operation::Merge),
        "replace" => Some(Operation::Replace),
        "create" => Some(Operation::Create),
        "delete" => Some(Operation::Delete),
        "remove" => Some(Operation::Remove),
        _ => None,
    }
}

/// `xs:boolean`.
fn boolean(value: &str) -> Option<bool> {
    match value {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

fn order(node: &Node) -> Order {
    node.elements().map_or(Order::System, |elements| elements.order)
}

/// The attribute that names the entry before or after which this one goes.
fn anchor_name(node: &Node) -> Option<&'static str> {
    let name = if matches!(node.kind, NodeKind::List(_)) { "key" } else { "value" };
    (order(node) == Order::User).then_some(name)
}

fn has_value(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Leaf(_) | NodeKind::LeafList(_))
}

/// Takes the next `[prefix:name = 'value']` off the front of `rest`: prefix (or nothing), name, value.
fn next_predicate<'a>(rest: &mut &'a str) -> Option<(&'a str, &'a str, &'a str)> {
    let (name, after) = rest.strip_prefix('[')?.split_once('=')?;
    let (prefix, name) = match trim(name).split_once(':') {
        Some((prefix, name)) if is_ncname(prefix) => (prefix, name),
        Some(_) => return None,
        None => ("", trim(name)),
    };
    let after = trim(after);
    let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''))?;
    let (value, after) = after.strip_prefix(quote)?.split_once(quote)?;
    *rest = trim(trim(after).strip_prefix(']')?);
    is_ncname(name).then_some((prefix, name, value))
}

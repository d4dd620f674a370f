//! `<config>` to a typed edit (RFC 6241, 7.2; RFC 7950, 7 and 8.3.1), without a document in between.
//!
//! Where the RFCs leave a choice:
//! - State data in an edit is an `unknown-element`: no configuration datastore has such a node (RFC 7950, 7.21.1).
//! - The same entry or value twice is `operation-failed` with `data-not-unique`; the same leaf or container twice a
//!   `bad-element`. Which of the two would count is nowhere said.
//! - A node that is deleted or removed is no data of its case, so a request may take one case away and bring another.
//! - Attributes in namespaces that mean nothing to us are metadata (RFC 7952) and left alone; those in NETCONF's and
//!   YANG's namespaces, and those without any, must be known, because they were meant for us.

mod attributes;
mod checks;
#[cfg(test)]
mod tests;

use crate::datastore::edit::{
    DefaultOperation, Edit, EditEntry, EditItem, EditNode, EditValue, Insert, Operation,
};
use crate::xml::{Content, Event, Reader, XmlError};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{List, Lookup, NodeId, NodeKind, Schema};
use crate::yang::tree::Text;
use crate::yang::types::ValueError;
use attributes::Attributes;

/// What `operation` and `insert` attributes are to the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operations {
    /// `edit-config`: they are what it is about.
    Allowed(DefaultOperation),
    /// `copy-config` and `validate`: plain content, where they are `unknown-attribute`. The edit merges.
    Forbidden,
}

/// Why there is no edit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum PayloadError {
    /// The message itself cannot be read on.
    Xml(XmlError),
    /// It can, but its data is wrong. The reader stands somewhere inside of `<config>`.
    Data(Box<DataError>),
}

impl From<XmlError> for PayloadError {
    fn from(error: XmlError) -> Self {
        Self::Xml(error)
    }
}

impl From<Fault> for PayloadError {
    fn from(error: Fault) -> Self {
        Self::Data(error)
    }
}

/// A fault of the data. It is large and rare, so it travels as a pointer.
type Fault = Box<DataError>;

/// Reads the content of `<config>` up to its end; the reader stands behind its start.
///
/// Every node's operation is the one in force: its own, or that of the nearest ancestor that has one, or the default.
///
/// # Errors
/// The first fault of the data in the order of the document; those of a whole entry or container count at its end.
pub(crate) fn read_config(
    reader: &mut Reader<'_>,
    schema: &Schema,
    operations: Operations,
) -> Result<Edit, PayloadError> {
    let default_operation = match operations {
        Operations::Allowed(default) => default,
        Operations::Forbidden => DefaultOperation::Merge,
    };
    let operation = match default_operation {
        DefaultOperation::Merge => Operation::Merge,
        DefaultOperation::Replace => Operation::Replace,
        DefaultOperation::None => Operation::None,
    };
    let top = Frame::new(None, operation, None);
    let payload = Payload { reader, schema, operations, open: Vec::new(), top };
    let nodes = payload.read()?;
    Ok(Edit { default_operation, nodes })
}

/// Reading in progress.
struct Payload<'p, 'a> {
    reader: &'p mut Reader<'a>,
    schema: &'p Schema,
    operations: Operations,
    /// The containers and list entries around `top`, `<config>` first. No deeper than the schema.
    open: Vec<Frame>,
    /// The innermost one.
    top: Frame,
}

/// A container or list entry whose end has not come.
struct Frame {
    /// `None` is `<config>`.
    node: Option<NodeId>,
    operation: Operation,
    insert: Option<Box<Insert>>,
    children: Vec<EditNode>,
    /// Where the last child's node stands among the schema's children.
    last: usize,
    /// How many children the last child has: the next one probably has as many.
    width: usize,
}

/// For how many children space is made before they are there.
const WIDTH_MAX: usize = 16;

impl Frame {
    fn new(node: Option<NodeId>, operation: Operation, insert: Option<Box<Insert>>) -> Self {
        Self { node, operation, insert, children: Vec::new(), last: 0, width: 0 }
    }
}

impl Payload<'_, '_> {
    fn read(mut self) -> Result<Vec<EditNode>, PayloadError> {
        loop {
            match self.reader.next()? {
                Event::Start => self.start()?,
                Event::Text if crate::xml::is_white_space(self.reader.text()) => {}
                Event::Text => return Err(self.mixed_content().into()),
                Event::End | Event::Eof => {
                    checks::check_siblings(&self)?;
                    let Some(outer) = self.open.pop() else { return Ok(self.top.children) };
                    self.close(outer)?;
                }
            }
        }
    }

    fn start(&mut self) -> Result<(), PayloadError> {
        let id = self.look_up()?;
        let schema = self.schema;
        let node = schema.node(id);
        if !node.config {
            let message = format!("{} is not configuration", self.reader.name());
            return Err(self.fault(unknown_element(self.reader.name()), message).into());
        }
        let attributes = self.attributes(id, node)?;
        match &node.kind {
            NodeKind::Container { .. } | NodeKind::List(_) => {
                let mut frame = Frame::new(Some(id), attributes.operation, attributes.insert);
                frame.children.reserve_exact(self.top.width.min(WIDTH_MAX));
                self.open.push(std::mem::replace(&mut self.top, frame));
                Ok(())
            }
            NodeKind::Leaf(leaf) => self.leaf(id, attributes, leaf.key.is_some()),
            NodeKind::LeafList(_) => self.leaf_list_entry(id, attributes),
            NodeKind::Anydata { .. } | NodeKind::Anyxml { .. } => {
                let value = EditValue::Any(self.reader.copy_content()?.into_boxed_str());
                self.top.children.push(EditNode {
                    node: id,
                    operation: attributes.operation,
                    value,
                });
                Ok(())
            }
            NodeKind::Rpc { .. } | NodeKind::Action { .. } | NodeKind::Notification => {
                let message = format!("{} is not data", self.reader.name());
                Err(self.fault(unknown_element(self.reader.name()), message).into())
            }
        }
    }

    /// The child of the innermost node that the element names. Siblings mostly come in the schema's order or repeat,
    /// so the last one and its successor are tried first.
    fn look_up(&mut self) -> Result<NodeId, Fault> {
        let (reader, schema) = (&*self.reader, self.schema);
        let name = reader.name();
        let Some(namespace) = reader.namespace() else {
            let kind = unknown_namespace(name, "");
            return Err(self.fault(kind, format!("{name} has no namespace")));
        };
        let siblings = match self.top.node {
            Some(parent) => &schema.node(parent).children,
            None => &schema.top,
        };
        for at in [self.top.last, self.top.last.saturating_add(1)] {
            if let Some(id) = siblings.get(at)
                && is_named(schema, *id, namespace, name)
            {
                self.top.last = at;
                return Ok(*id);
            }
        }
        match schema.child(self.top.node, Some(namespace), name) {
            Lookup::Found(id) => {
                self.top.last = siblings.binary_search(&id).unwrap_or(0);
                Ok(id)
            }
            Lookup::UnknownNamespace => {
                let kind = unknown_namespace(name, namespace);
                Err(self.fault(kind, format!("no module has the namespace {namespace}")))
            }
            Lookup::UnknownElement => {
                Err(self.fault(unknown_element(name), format!("there is no node {name} here")))
            }
        }
    }

    fn leaf(&mut self, id: NodeId, attributes: Attributes, key: bool) -> Result<(), PayloadError> {
        self.leaf_content(id)?;
        let Attributes { operation, insert: _, is_default } = attributes;
        let value = if removes(operation) && !key && self.reader.text().is_empty() {
            EditValue::Absent
        } else {
            EditValue::Leaf(self.canonical(id)?)
        };
        self.top.children.push(EditNode { node: id, operation, value });
        if is_default { self.take_default() } else { Ok(()) }
    }

    fn leaf_list_entry(&mut self, id: NodeId, attributes: Attributes) -> Result<(), PayloadError> {
        self.leaf_content(id)?;
        let Attributes { operation, insert, is_default } = attributes;
        let value = match self.canonical(id) {
            Ok(value) => {
                let key = self.schema.leaf_list_key(id, &value);
                EditValue::Item(Box::new(EditItem { key, value, insert }))
            }
            Err(_) if removes(operation) && self.reader.text().is_empty() => {
                if insert.is_some() {
                    return Err(self.inserts_nothing(id).into());
                }
                EditValue::Absent
            }
            Err(error) => return Err(error.into()),
        };
        self.top.children.push(EditNode { node: id, operation, value });
        if is_default { self.take_default() } else { Ok(()) }
    }

    /// Reads the text of a leaf or leaf-list entry, and its end.
    fn leaf_content(&mut self, id: NodeId) -> Result<(), PayloadError> {
        match self.reader.content()? {
            Content::Text => Ok(()),
            Content::Element => {
                let kind = unknown_element(self.reader.name());
                let path = self.path().child(id, Selector::None);
                let fault = DataError::new(kind, "a leaf has no child elements").at(path);
                Err(PayloadError::Data(Box::new(fault)))
            }
        }
    }

    /// The canonical form of the text that was read last, as a value of `id`.
    fn canonical(&self, id: NodeId) -> Result<Text, Fault> {
        self.schema.canonical(id, self.reader.text(), self.reader.scope()).map_err(|error| {
            Box::new(invalid_value(error).at(self.path().child(id, Selector::None)))
        })
    }

    /// The last child is tagged as a default (RFC 6243, 4.5): it is to be removed, provided that its value is that.
    fn take_default(&mut self) -> Result<(), PayloadError> {
        let Some(last) = self.top.children.last_mut() else { return Ok(()) };
        if !checks::is_default(self.schema, last.node, &last.value) {
            let id = last.node;
            let path = self.path().child(id, Selector::None);
            let message = "a value that is tagged as the default is not the default";
            let fault = DataError::new(DataErrorKind::InvalidValue, message).at(path);
            return Err(PayloadError::Data(Box::new(fault)));
        }
        last.operation = match last.operation {
            Operation::Merge | Operation::Replace | Operation::Create => Operation::Remove,
            other @ (Operation::Delete | Operation::Remove | Operation::None) => other,
        };
        Ok(())
    }

    /// The innermost node is complete: it becomes a child of `outer`.
    fn close(&mut self, outer: Frame) -> Result<(), Fault> {
        let key = match self.top.node.and_then(|id| Some((id, self.list(id)?))) {
            None => None,
            Some((id, list)) => {
                let values = self.keys(list, &outer, id)?;
                Some((self.schema.list_key(id, &values), values.into_boxed_slice()))
            }
        };
        let Frame { node, operation, insert, children, last: _, width: _ } =
            std::mem::replace(&mut self.top, outer);
        self.top.width = children.len();
        let children = children.into_boxed_slice();
        let value = match key {
            None => EditValue::Container(children),
            Some((key, values)) => {
                EditValue::Entry(Box::new(EditEntry { key, values, children, insert }))
            }
        };
        if let Some(node) = node {
            self.top.children.push(EditNode { node, operation, value });
        }
        Ok(())
    }

    fn list(&self, id: NodeId) -> Option<&List> {
        self.schema.node(id).list()
    }

    /// The innermost entry's key values; its frame is `top`, the one around it `outer`.
    fn keys(&self, list: &List, outer: &Frame, id: NodeId) -> Result<Vec<Text>, Fault> {
        let mut values = Vec::with_capacity(list.keys.len());
        for (at, key) in list.keys.iter().enumerate() {
            let Some(value) = key_value(&self.top, at, *key) else {
                let name = &*self.schema.node(*key).name;
                let kind = DataErrorKind::MissingKey { key: name.to_owned() };
                let path = self.path_to(&self.open, outer).child(id, Selector::None);
                let fault = DataError::new(kind, format!("the key {name} is missing")).at(path);
                return Err(Box::new(fault));
            };
            values.push(value.clone());
        }
        Ok(values)
    }

    fn mixed_content(&self) -> Fault {
        let element = match self.top.node {
            Some(id) => self.schema.node(id).name.to_string(),
            None => "config".to_owned(),
        };
        let message = format!("there is text in {element}, which holds elements only");
        self.fault(DataErrorKind::BadElement { element }, message)
    }

    /// A fault of a child of the innermost node that has no path of its own.
    fn fault(&self, kind: DataErrorKind, message: String) -> Fault {
        let error = DataError::new(kind, message);
        Box::new(if self.top.node.is_some() { error.at(self.path()) } else { error })
    }

    /// The way to the innermost node.
    fn path(&self) -> InstancePath {
        self.path_to(&self.open, &self.top)
    }

    /// The way to `last`, which lies in the last one of `outer`. An entry has its keys once all of them are known.
    fn path_to(&self, outer: &[Frame], last: &Frame) -> InstancePath {
        let mut path = InstancePath::default();
        for frame in outer.iter().chain([last]) {
            let Some(id) = frame.node else { continue };
            let keys = self.list(id).and_then(|list| {
                let keys = list.keys.iter().enumerate();
                keys.map(|(at, key)| key_value(frame, at, *key).cloned()).collect()
            });
            path = path.child(id, keys.map_or(Selector::None, Selector::Keys));
        }
        path
    }
}

/// The value of the key leaf `key`, which is mostly the child at `at`.
fn key_value(frame: &Frame, at: usize, key: NodeId) -> Option<&Text> {
    let child = match frame.children.get(at) {
        Some(child) if child.node == key => Some(child),
        Some(_) | None => frame.children.iter().find(|child| child.node == key),
    };
    match &child?.value {
        EditValue::Leaf(value) => Some(value),
        EditValue::Container(_)
        | EditValue::Absent
        | EditValue::Entry(_)
        | EditValue::Item(_)
        | EditValue::Any(_) => None,
    }
}

fn removes(operation: Operation) -> bool {
    matches!(operation, Operation::Delete | Operation::Remove)
}

fn unknown_element(name: &str) -> DataErrorKind {
    DataErrorKind::UnknownElement { element: name.to_owned() }
}

fn unknown_namespace(name: &str, namespace: &str) -> DataErrorKind {
    let (element, namespace) = (name.to_owned(), namespace.to_owned());
    DataErrorKind::UnknownNamespace { element, namespace }
}

fn invalid_value(error: ValueError) -> DataError {
    let data_error = DataError::new(DataErrorKind::InvalidValue, error.message);
    match error.app_tag {
        Some(app_tag) => data_error.tagged(app_tag),
        None => data_error,
    }
}

/// The node is `name` of `namespace`.
fn is_named(schema: &Schema, id: NodeId, namespace: &str, name: &str) -> bool {
    *schema.node(id).name == *name && *schema.module_of(id).namespace == *namespace
}

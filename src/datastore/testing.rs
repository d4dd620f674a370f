//! A short notation for edits and trees, so that tests are data.
//!
//! ```text
//! c{ x=1 d:delete l[a]:create{ v=2 } ll=7:remove ul=z@after=y u[b]@before=a any='<a/>' p{} }
//! ```
//! A leaf or leaf-list entry has `=value`, a list entry `[key,key]`; `:operation` is inherited as in a payload, `@`
//! says where a user-ordered entry goes. A leaf without value is an empty element.

#![expect(clippy::wildcard_enum_match_arm, reason = "a test fails on everything else")]

use super::apply::{Edited, apply_edit};
use super::edit::{
    DefaultOperation, Edit, EditEntry, EditItem, EditNode, EditValue, Insert, Operation,
};
use crate::yang::error::{DataError, DataErrorKind};
use crate::yang::libyang::compile_for_test;
use crate::yang::path::{InstancePath, Selector};
use crate::yang::schema::{Lookup, NodeId, NodeKind, Schema};
use crate::yang::tree::{ChildRef, Container, Seed, Text, Tree};
use std::fmt::Write;
use std::iter::Peekable;
use std::str::Chars;
use std::sync::{Arc, OnceLock};

/// A model with one node of each kind in each place that matters.
pub(super) const MODEL: &str = r#"module t {
  yang-version 1.1; namespace "urn:t"; prefix t;
  grouping content {
    leaf x { type string; }
    leaf d { type uint8; default 7; }
    leaf-list ll { type uint8; }
    leaf-list ul { type string; ordered-by user; }
    list l { key k; leaf k { type string; } leaf v { type string; }
      container in { leaf a { type string; } leaf b { type string; } }
      list l2 { key "k1 k2"; leaf k1 { type string; } leaf k2 { type uint8; } leaf v { type string; } } }
    list u { key k; ordered-by user; leaf k { type string; } leaf v { type string; } }
    container p { presence "it counts"; leaf y { type string; } }
    anydata any;
    anyxml raw;
    choice ch {
      case a { leaf a1 { type string; } leaf a2 { type string; } }
      case b { container bc { leaf b1 { type string; } leaf b2 { type string; } } }
      case n {
        choice inner {
          leaf n1 { type string; }
          case n2 { leaf-list n2 { type string; } leaf n2x { type string; } }
          list n3 { key k; leaf k { type string; } }
        }
        leaf n0 { type string; }
      }
    }
  }
  container c { uses content; container deep { leaf z { type string; } } }
  container q { presence "it counts"; uses content; }
  leaf top { type string; }
}"#;

pub(crate) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| compile_for_test(&[("t", MODEL)])))
}

/// An edit with default-operation merge, unless the text begins with `none:` or `replace:`.
#[track_caller]
pub(super) fn edit(text: &str) -> Edit {
    edit_of(&schema(), text)
}

#[track_caller]
pub(super) fn edit_of(schema: &Schema, text: &str) -> Edit {
    let (default_operation, operation, rest) = if let Some(rest) = text.strip_prefix("none:") {
        (DefaultOperation::None, Operation::None, rest)
    } else if let Some(rest) = text.strip_prefix("replace:") {
        (DefaultOperation::Replace, Operation::Replace, rest)
    } else {
        (DefaultOperation::Merge, Operation::Merge, text)
    };
    let mut parser = Parser { schema, chars: rest.chars().peekable() };
    let nodes = parser.nodes(None, operation);
    assert_eq!(parser.chars.next(), None, "left over in {text}");
    Edit { default_operation, nodes }
}

/// The tree that `text` describes.
#[track_caller]
pub(crate) fn tree(text: &str) -> Tree {
    let edited = apply_edit(&schema(), &Tree::empty(Seed::default()), &edit(text));
    edited.unwrap_or_else(|error| panic!("{text}: {}", fault(&schema(), &error))).tree
}

/// The tree after `text`, or the fault, in the notation.
#[track_caller]
pub(super) fn outcome(before: &str, text: &str) -> String {
    match apply_edit(&schema(), &tree(before), &edit(text)) {
        Ok(Edited { tree, .. }) => show(&schema(), &tree),
        Err(error) => fault(&schema(), &error),
    }
}

struct Parser<'a> {
    schema: &'a Schema,
    chars: Peekable<Chars<'a>>,
}

impl Parser<'_> {
    fn nodes(&mut self, parent: Option<NodeId>, inherited: Operation) -> Vec<EditNode> {
        let mut nodes = Vec::new();
        loop {
            while self.chars.next_if(|c| c.is_whitespace()).is_some() {}
            if self.chars.peek().is_none_or(|c| *c == '}') {
                return nodes;
            }
            nodes.push(self.node(parent, inherited));
        }
    }

    fn word(&mut self) -> String {
        let mut word = String::new();
        if self.chars.next_if_eq(&'\'').is_some() {
            word.extend(std::iter::from_fn(|| self.chars.next_if(|c| *c != '\'')));
            assert_eq!(self.chars.next(), Some('\''), "no end of quote");
            return word;
        }
        let of_word = |c: &char| c.is_alphanumeric() || "-_.".contains(*c);
        word.extend(std::iter::from_fn(|| self.chars.next_if(of_word)));
        word
    }

    fn words(&mut self) -> Vec<Text> {
        let mut words = vec![Text::new(self.word())];
        while self.chars.next_if_eq(&',').is_some() {
            words.push(Text::new(self.word()));
        }
        assert_eq!(self.chars.next(), Some(']'));
        words
    }

    fn node(&mut self, parent: Option<NodeId>, inherited: Operation) -> EditNode {
        let name = self.word();
        let Lookup::Found(node) = self.schema.child(parent, None, &name) else {
            panic!("no node '{name}'")
        };
        let mut value = self.value(node);
        let operation = if self.chars.next_if_eq(&':').is_some() {
            match self.word().as_str() {
                "merge" => Operation::Merge,
                "replace" => Operation::Replace,
                "create" => Operation::Create,
                "delete" => Operation::Delete,
                "remove" => Operation::Remove,
                "none" => Operation::None,
                other => panic!("no operation {other}"),
            }
        } else {
            inherited
        };
        let place = self.chars.next_if_eq(&'@').is_some().then(|| Box::new(self.insert(node)));
        let mut children = self.keys(node, &value, operation);
        if self.chars.next_if_eq(&'{').is_some() {
            let stated = self.nodes(Some(node), operation);
            children.retain(|key| stated.iter().all(|child| child.node != key.node));
            children.extend(stated);
            assert_eq!(self.chars.next(), Some('}'));
        }
        match &mut value {
            EditValue::Container(inside) => *inside = children.into(),
            EditValue::Entry(entry) => {
                (entry.children, entry.insert) = (children.into(), place);
            }
            EditValue::Item(item) => item.insert = place,
            EditValue::Leaf(_) | EditValue::Absent | EditValue::Any(_) => {
                assert!(children.is_empty() && place.is_none(), "nothing is inside");
            }
        }
        EditNode { node, operation, value }
    }

    fn value(&mut self, node: NodeId) -> EditValue {
        let text = if self.chars.next_if_eq(&'=').is_some() { Some(self.word()) } else { None };
        match (&self.schema.node(node).kind, text) {
            (NodeKind::Container { .. }, None) => EditValue::Container(Box::default()),
            (NodeKind::Leaf(_), Some(text)) => EditValue::Leaf(Text::new(text)),
            (NodeKind::LeafList(_), Some(text)) => {
                let key = self.schema.leaf_list_key(node, &text);
                EditValue::Item(Box::new(EditItem { key, value: Text::new(text), insert: None }))
            }
            (NodeKind::Anydata { .. } | NodeKind::Anyxml { .. }, Some(text)) => {
                EditValue::Any(text.into())
            }
            (NodeKind::List(_), None) => {
                assert_eq!(self.chars.next(), Some('['));
                let values = self.words();
                let key = self.schema.list_key(node, &values);
                let (values, children) = (values.into(), Box::default());
                EditValue::Entry(Box::new(EditEntry { key, values, children, insert: None }))
            }
            (_, None) => EditValue::Absent,
            (_, Some(text)) => panic!("{text} is no value here"),
        }
    }

    fn insert(&mut self, node: NodeId) -> Insert {
        let place = self.word();
        if place == "first" {
            return Insert::First;
        }
        if place == "last" {
            return Insert::Last;
        }
        assert_eq!(self.chars.next(), Some('='));
        let anchor = self.word();
        let key = match self.schema.node(node).kind {
            NodeKind::LeafList(_) => self.schema.leaf_list_key(node, &anchor),
            _ => self.schema.list_key(node, &[Text::new(anchor)]),
        };
        if place == "before" { Insert::Before(key) } else { Insert::After(key) }
    }

    /// A list entry's key leafs, which a payload always has.
    fn keys(&self, node: NodeId, value: &EditValue, operation: Operation) -> Vec<EditNode> {
        let (NodeKind::List(list), EditValue::Entry(entry)) = (&self.schema.node(node).kind, value)
        else {
            return Vec::new();
        };
        let key = |(node, value): (&NodeId, &Text)| EditNode {
            node: *node,
            operation,
            value: EditValue::Leaf(value.clone()),
        };
        list.keys.iter().zip(&entry.values).map(key).collect()
    }
}

/// A tree in the notation; keys stand in brackets alone.
pub(super) fn show(schema: &Schema, tree: &Tree) -> String {
    let mut out = Vec::new();
    show_children(schema, &tree.root, &[], &mut out);
    out.join(" ")
}

fn show_children(schema: &Schema, parent: &Container, keys: &[NodeId], out: &mut Vec<String>) {
    for (node, child) in parent.iter().filter(|(node, _)| !keys.contains(node)) {
        let name = &*schema.node(node).name;
        match child {
            ChildRef::Leaf(text) => out.push(format!("{name}={text}")),
            ChildRef::Any(xml) => out.push(format!("{name}='{xml}'")),
            ChildRef::LeafList(items) => {
                assert!(!items.is_empty(), "an empty leaf-list is stored");
                out.extend(items.iter().map(|(_, value)| format!("{name}={value}")));
            }
            ChildRef::Container(content) => {
                let presence =
                    matches!(schema.node(node).kind, NodeKind::Container { presence: true });
                assert!(presence || !content.is_empty(), "an empty container is stored");
                let mut inner = Vec::new();
                show_children(schema, content, &[], &mut inner);
                out.push(format!("{name}{{{}}}", inner.join(" ")));
            }
            ChildRef::List(list) => {
                assert!(!list.is_empty(), "an empty list is stored");
                let NodeKind::List(facts) = &schema.node(node).kind else { panic!("no list") };
                for (key, entry) in list.iter() {
                    let values: Vec<&str> =
                        facts.keys.iter().map(|key| entry.leaf(*key).unwrap()).collect();
                    let texts: Vec<Text> = values.iter().map(Text::new).collect();
                    assert_eq!(*key, schema.list_key(node, &texts), "the key of another entry");
                    let mut inner = Vec::new();
                    show_children(schema, entry, &facts.keys, &mut inner);
                    let inner = match inner.is_empty() {
                        true => String::new(),
                        false => format!("{{{}}}", inner.join(" ")),
                    };
                    out.push(format!("{name}[{}]{inner}", values.join(",")));
                }
            }
        }
    }
}

/// `/c/l[a]/v`, `/c/ll=3`.
pub(super) fn show_path(schema: &Schema, path: &InstancePath) -> String {
    let mut out = String::new();
    for step in &path.0 {
        write!(out, "/{}", schema.node(step.node).name).unwrap();
        match &step.selector {
            Selector::None => {}
            Selector::Keys(values) => write!(out, "[{}]", values.join(",")).unwrap(),
            Selector::Value(value) => write!(out, "={value}").unwrap(),
            Selector::Position(at) => write!(out, "[{at}]").unwrap(),
        }
    }
    out
}

/// `data-missing /c/x`.
pub(super) fn fault(schema: &Schema, error: &DataError) -> String {
    let kind = match &error.kind {
        DataErrorKind::DataExists => "data-exists".to_owned(),
        DataErrorKind::DataMissing => "data-missing".to_owned(),
        DataErrorKind::BadElement { element } => format!("bad-element {element}"),
        DataErrorKind::BadAttribute { attribute, element } => {
            format!("bad-attribute {attribute} {element}")
        }
        DataErrorKind::UnknownAttribute { attribute, element } => {
            format!("unknown-attribute {attribute} {element}")
        }
        DataErrorKind::InvalidValue => "invalid-value".to_owned(),
        DataErrorKind::OperationFailed => "operation-failed".to_owned(),
        other => panic!("{other:?}"),
    };
    assert!(!error.message.is_empty());
    let tag = error.app_tag.as_deref().map_or(String::new(), |tag| format!(" ({tag})"));
    format!("{kind}{tag} {}", show_path(schema, error.path.as_ref().unwrap()))
}

/// Numbers that look random, the same for the same seed.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for at in (1..items.len()).rev() {
            items.swap(at, self.below(at + 1));
        }
    }
}

//! Models and short forms for the tests of payloads and filters.

use super::payload::{Operations, PayloadError, read_config};
use crate::datastore::edit::{DefaultOperation, Edit, EditNode, EditValue};
use crate::xml::{Event, Reader};
use crate::yang::libyang::compile_for_test;
use crate::yang::path::InstancePath;
use crate::yang::prefixes::Declarations;
use crate::yang::print::{instance_identifier, print_all};
use crate::yang::schema::{NodeId, Order, Schema};
use crate::yang::tree::{Child, ChildRef, Container, Entries, Seed, Tree};
use std::sync::{Arc, OnceLock};

const M: &str = r#"
module m {
  yang-version 1.1; namespace "urn:m"; prefix m;
  identity kind;
  identity big { base kind; }
  grouping line { leaf text { type string; } }
  container box {
    leaf name { type string; }
    leaf size {
      type uint8 { range "1..100" { error-message "too much"; error-app-tag "size-range"; } }
      default 5;
    }
    leaf flag { type empty; }
    leaf kind { type identityref { base kind; } }
    leaf state { config false; type string; }
    choice how {
      case one { leaf a { type string; } leaf b { type string; } }
      case two { container c { leaf d { type string; } } }
      choice deeper { leaf e { type string; } leaf f { type string; } }
    }
    list pair {
      key "x y";
      leaf v { type string; }
      leaf y { type uint8; }
      leaf x { type string; }
      list inner { key id; leaf id { type string; } leaf-list tag { type string; } }
    }
    list line { key name; ordered-by user; leaf name { type string; } uses line; }
    list typed { key "kind name"; ordered-by user;
      leaf kind { type identityref { base kind; } } leaf name { type string; } }
    leaf-list tag { type string { length "1..10"; } default small; }
    leaf-list word { type string; ordered-by user; }
    leaf-list ref { ordered-by user; type identityref { base kind; } }
    anydata blob;
    anyxml raw;
    container lid { presence "it has one"; leaf color { type string; } }
  }
  leaf top { type string; }
}"#;

const N: &str = r#"
module n {
  yang-version 1.1; namespace "urn:n"; prefix n;
  import m { prefix m; }
  identity huge { base m:big; }
  augment "/m:box" {
    leaf name { type string; }
    container label { leaf text { type string; } }
  }
  augment "/m:box/m:line" { leaf mark { type string; } }
  leaf top { type string; }
}"#;

/// Modules `m` and `n`, made once.
pub(super) fn schema() -> Arc<Schema> {
    static SCHEMA: OnceLock<Arc<Schema>> = OnceLock::new();
    Arc::clone(SCHEMA.get_or_init(|| compile_for_test(&[("m", M), ("n", N)])))
}

/// `<config>` around `content`, with prefixes for what tests need.
pub(super) fn config(content: &str) -> String {
    format!(
        "<config xmlns='urn:ietf:params:xml:ns:netconf:base:1.0' xmlns:m='urn:m' xmlns:n='urn:n' \
         xmlns:nc='urn:ietf:params:xml:ns:netconf:base:1.0' xmlns:y='urn:ietf:params:xml:ns:yang:1' \
         xmlns:wd='urn:ietf:params:xml:ns:netconf:default:1.0'>{content}</config>"
    )
}

/// The edit in a document whose root is `<config>`.
pub(super) fn read(
    schema: &Schema,
    document: &[u8],
    operations: Operations,
) -> Result<Edit, PayloadError> {
    let mut reader = Reader::new(document)?;
    reader.next()?;
    let edit = read_config(&mut reader, schema, operations)?;
    assert_eq!(reader.next()?, Event::Eof);
    Ok(edit)
}

/// The tree with this content.
pub(super) fn tree(schema: &Schema, content: &str) -> Tree {
    let operations = Operations::Allowed(DefaultOperation::Merge);
    let edit = read(schema, config(content).as_bytes(), operations).unwrap();
    let mut tree = Tree::empty(Seed(7));
    fill(schema, &mut tree.root, &edit.nodes);
    tree
}

pub(super) fn print(schema: &Arc<Schema>, tree: &Tree) -> String {
    String::from_utf8(print_all(schema, tree)).unwrap()
}

pub(super) fn path(schema: &Schema, path: &InstancePath) -> String {
    instance_identifier(schema, path, &mut Declarations::default())
}

fn order(schema: &Schema, id: NodeId) -> Order {
    schema.node(id).elements().map_or(Order::System, |elements| elements.order)
}

/// What an edit without operations makes of nothing.
fn fill(schema: &Schema, data: &mut Container, nodes: &[EditNode]) {
    for edit in nodes {
        let node = &edit.node;
        let mut inside = Container::default();
        fill(schema, &mut inside, edit.children());
        let order = order(schema, *node);
        let child = match &edit.value {
            EditValue::Container(_) => Child::Container(inside),
            EditValue::Leaf(value) => Child::Leaf(value.clone()),
            EditValue::Any(xml) => Child::Any((**xml).into()),
            EditValue::Absent => continue,
            EditValue::Entry(entry) => {
                let mut list = match data.get(*node) {
                    Some(ChildRef::List(list)) => list.clone(),
                    _ => Entries::new(order, Seed(7)),
                };
                list.insert(entry.key.clone(), inside);
                Child::List(list)
            }
            EditValue::Item(item) => {
                let mut items = match data.get(*node) {
                    Some(ChildRef::LeafList(items)) => items.clone(),
                    _ => Entries::new(order, Seed(7)),
                };
                items.insert(item.key.clone(), item.value.clone());
                Child::LeafList(items)
            }
        };
        data.set(*node, child);
    }
}

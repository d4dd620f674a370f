//! Digests of content: equal for equal trees whatever their history, different for different ones.
//!
//! ```text
//! container  SHA-256(2, number of children, children in the order of (module, name):
//!            module, name, kind, and the leaf's value or XML, the inner container's digest, or the order of a list
//!            or leaf-list and the digest of its root node)
//! page       SHA-256(0, number of rows, ends of rows, forms, rows)
//!   row      key, and the value of a leaf-list entry; or number of a form and the leafs' values; or 0 and a
//!            container's digest
//!   form     the leafs of an entry that has leafs alone: their number and names in the order of (module, name);
//!            each form once, in the order in which rows first have it
//! node       SHA-256(1, level, number of children, their digests)
//! ```
//! Numbers and lengths are LEB128, ends are 8 bytes. Names stand for schema numbers, so that digests outlive them.

use super::container::Mixed;
use super::encode::write_number;
use super::pages::{Pages, Row};
use super::{ChildRef, Container, NodeNames, Text, Tree};
use crate::base::ids::Digest;
use crate::yang::schema::{NodeId, Order};
use sha2::{Digest as _, Sha256};

const PAGE: u8 = 0;
const NODE: u8 = 1;
const CONTAINER: u8 = 2;

impl Tree {
    /// The digest of the content. What it finds out about subtrees stays with them: where little has changed since
    /// the last call, little is done. The names must be the same ones for all trees that share subtrees; digests of
    /// trees with different seeds do not compare.
    pub(crate) fn digest(&self, names: &dyn NodeNames) -> Digest {
        let digester = Digester { names };
        digester.settle(&self.root);
        digester.container(&self.root)
    }
}

fn write_len(out: &mut Vec<u8>, len: usize) {
    write_number(out, u64::try_from(len).unwrap_or(u64::MAX));
}

fn write_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    write_len(out, bytes.len());
    out.extend_from_slice(bytes);
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

fn node_digest(level: usize, children: &[Digest]) -> Digest {
    let mut bytes = Vec::with_capacity(8 + 32 * children.len());
    bytes.push(NODE);
    write_len(&mut bytes, level);
    write_len(&mut bytes, children.len());
    children.iter().for_each(|digest| bytes.extend_from_slice(&digest.0));
    hash(&[&bytes])
}

#[derive(Clone, Copy)]
struct Digester<'n> {
    names: &'n dyn NodeNames,
}

impl Digester<'_> {
    /// Finds the digest of every container below that does not have leafs alone, the innermost first. It keeps a
    /// stack of its own: data may be deeper than a thread's stack.
    fn settle(self, top: &Container) {
        let mut pending: Vec<(&Mixed, bool)> =
            top.mixed().map(|top| (top, false)).into_iter().collect();
        while let Some((mixed, inner_settled)) = pending.pop() {
            if mixed.digest.get().is_some() {
                continue;
            }
            if inner_settled {
                mixed.digest.get_or_init(|| self.children(mixed.iter()));
                continue;
            }
            pending.push((mixed, true));
            for (_, child) in mixed.iter() {
                match child {
                    ChildRef::Container(inner) => {
                        pending.extend(inner.mixed().map(|inner| (inner, false)));
                    }
                    ChildRef::List(list) => {
                        if let Some(root) = &list.pages().root {
                            root.for_each_unknown(&mut |rows| {
                                let entries = rows.iter().filter_map(|(_, entry)| entry.mixed());
                                pending.extend(entries.map(|entry| (entry, false)));
                            });
                        }
                    }
                    ChildRef::Leaf(_) | ChildRef::LeafList(_) | ChildRef::Any(_) => {}
                }
            }
        }
    }

    /// The digest of a container whose inner containers and entries are settled.
    fn container(self, container: &Container) -> Digest {
        match container.mixed().and_then(|mixed| mixed.digest.get()) {
            Some(digest) => *digest,
            None => self.children(container.iter()),
        }
    }

    fn children<'a>(self, children: impl Iterator<Item = (NodeId, ChildRef<'a>)>) -> Digest {
        let mut ranked: Vec<(u32, NodeId, ChildRef<'a>)> =
            children.map(|(node, child)| (self.names.rank(node), node, child)).collect();
        ranked.sort_unstable_by_key(|(rank, _, _)| *rank);
        let mut out = vec![CONTAINER];
        write_len(&mut out, ranked.len());
        for (_, node, child) in ranked {
            self.write_name(node, &mut out);
            self.write_child(child, &mut out);
        }
        hash(&[&out])
    }

    fn write_name(self, node: NodeId, out: &mut Vec<u8>) {
        let (module, name) = self.names.name(node);
        write_blob(out, module.as_bytes());
        write_blob(out, name.as_bytes());
    }

    fn write_child(self, child: ChildRef<'_>, out: &mut Vec<u8>) {
        let order = |order| match order {
            Order::System => 0,
            Order::User => 1,
        };
        match child {
            ChildRef::Leaf(text) => {
                out.push(0);
                write_blob(out, text.as_bytes());
            }
            ChildRef::Any(xml) => {
                out.push(1);
                write_blob(out, xml.as_bytes());
            }
            ChildRef::Container(inner) => {
                out.push(2);
                out.extend_from_slice(&self.container(inner).0);
            }
            ChildRef::List(list) => {
                out.extend_from_slice(&[3, order(list.order())]);
                let mut forms = Forms::default();
                let digest = root_digest(list.pages(), &mut |rows| self.page(rows, &mut forms));
                out.extend_from_slice(&digest.0);
            }
            ChildRef::LeafList(items) => {
                out.extend_from_slice(&[4, order(items.order())]);
                let digest = root_digest(items.pages(), &mut page_of_items);
                out.extend_from_slice(&digest.0);
            }
        }
    }

    /// The digest of a page of entries.
    fn page(self, rows: &[Row<Container>], forms: &mut Forms) -> Digest {
        let mut page = Page::new(rows.len());
        let mut leafs: Vec<(NodeId, &str)> = Vec::new();
        forms.begin_page();
        for (key, entry) in rows {
            write_blob(&mut page.rows, key.as_bytes());
            if entry.mixed().is_some() {
                page.rows.push(0);
                page.rows.extend_from_slice(&self.container(entry).0);
            } else {
                leafs.clear();
                leafs.extend(entry.packed());
                let number = forms.number(&leafs, self);
                write_len(&mut page.rows, number + 1);
                let order = forms.in_page().nth(number).into_iter().flat_map(|form| &form.order);
                for (_, text) in order.filter_map(|at| leafs.get(*at)) {
                    write_blob(&mut page.rows, text.as_bytes());
                }
            }
            page.end_row();
        }
        page.digest(forms)
    }
}

/// The digest of a page of leaf-list entries.
fn page_of_items(rows: &[Row<Text>]) -> Digest {
    let mut page = Page::new(rows.len());
    for (key, text) in rows {
        write_blob(&mut page.rows, key.as_bytes());
        write_blob(&mut page.rows, text.as_bytes());
        page.end_row();
    }
    page.digest(&Forms::default())
}

/// The digest of the root of pages.
fn root_digest<V>(pages: &Pages<V>, page: &mut dyn FnMut(&[Row<V>]) -> Digest) -> Digest {
    pages.root.as_ref().map_or_else(|| node_digest(0, &[]), |root| root.digest(page, node_digest))
}

/// A page that is being written.
struct Page {
    head: Vec<u8>,
    rows: Vec<u8>,
}

impl Page {
    fn new(rows: usize) -> Self {
        let mut head = Vec::with_capacity(16 + 8 * rows);
        head.push(PAGE);
        write_len(&mut head, rows);
        Self { head, rows: Vec::with_capacity(96 * rows) }
    }

    fn end_row(&mut self) {
        let end = u64::try_from(self.rows.len()).unwrap_or(u64::MAX);
        self.head.extend_from_slice(&end.to_le_bytes());
    }

    fn digest(mut self, forms: &Forms) -> Digest {
        write_len(&mut self.head, forms.here.len());
        forms.in_page().for_each(|form| self.head.extend_from_slice(&form.text));
        hash(&[&self.head, &self.rows])
    }
}

/// The forms that entries of one list have.
#[derive(Default)]
struct Forms {
    all: Vec<Form>,
    /// Those of the page that is being written, in the order in which they occurred.
    here: Vec<usize>,
}

/// Which leafs an entry has.
struct Form {
    /// In schema order.
    nodes: Vec<NodeId>,
    /// Their positions in the order of (module, name).
    order: Vec<usize>,
    text: Vec<u8>,
}

/// Forms that are remembered from one page to the next.
const FORMS_MAX: usize = 32;

impl Forms {
    fn begin_page(&mut self) {
        self.here.clear();
        if self.all.len() > FORMS_MAX {
            self.all.clear();
        }
    }

    /// The number of these leafs' form in the page.
    fn number(&mut self, leafs: &[(NodeId, &str)], digester: Digester<'_>) -> usize {
        let fits = |form: &Form| form.nodes.iter().eq(leafs.iter().map(|(node, _)| node));
        let known = self.here.iter().position(|at| self.all.get(*at).is_some_and(fits));
        known.unwrap_or_else(|| {
            let at = self.all.iter().position(fits).unwrap_or_else(|| {
                self.all.push(Form::new(leafs.iter().map(|(node, _)| *node).collect(), digester));
                self.all.len() - 1
            });
            self.here.push(at);
            self.here.len() - 1
        })
    }

    /// The page's forms, by number.
    fn in_page(&self) -> impl Iterator<Item = &Form> {
        self.here.iter().filter_map(|at| self.all.get(*at))
    }
}

impl Form {
    fn new(nodes: Vec<NodeId>, digester: Digester<'_>) -> Self {
        let mut ranked: Vec<(u32, usize, NodeId)> =
            (0..).zip(&nodes).map(|(at, node)| (digester.names.rank(*node), at, *node)).collect();
        ranked.sort_unstable();
        let mut text = Vec::new();
        write_len(&mut text, ranked.len());
        for (_, _, node) in &ranked {
            digester.write_name(*node, &mut text);
        }
        Self { nodes, order: ranked.iter().map(|(_, at, _)| *at).collect(), text }
    }
}

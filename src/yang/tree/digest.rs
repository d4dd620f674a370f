//! Digests of content: equal for equal trees whatever their history, different for different ones.
//!
//! ```text
//! container  SHA-256(2, children)         children: their number, then each in the order of (module, name):
//!                                         module, name, kind, and the leaf's value or XML, the inner container's
//!                                         digest, or the digest of the root of the entries' pages
//! page       SHA-256(0, number of rows, ends of rows, rows)      row: key, and the value of a leaf-list entry,
//!                                         0 and children of leafs alone, or 1 and the container's digest
//! node       SHA-256(1, level, number of children, their digests)
//! ```
//! Numbers and lengths are LEB128, ends are 8 bytes. Names stand for schema numbers, so that the digest outlives them.

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
        let mut digester = Digester { names, rows: Vec::new() };
        digester.settle(&self.root);
        digester.container(&self.root)
    }
}

struct Digester<'n> {
    names: &'n dyn NodeNames,
    /// Room to write rows in.
    rows: Vec<u8>,
}

fn write_blob(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, u64::try_from(bytes.len()).unwrap_or(u64::MAX));
    out.extend_from_slice(bytes);
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest(hasher.finalize().into())
}

fn node_digest(level: usize, children: &[Digest]) -> Digest {
    let mut bytes = vec![NODE];
    write_number(&mut bytes, u64::try_from(level).unwrap_or(u64::MAX));
    write_number(&mut bytes, u64::try_from(children.len()).unwrap_or(u64::MAX));
    children.iter().for_each(|digest| bytes.extend_from_slice(&digest.0));
    hash(&[&bytes])
}

impl Digester<'_> {
    /// Finds the digest of every container below that does not have leafs alone, the innermost first. It keeps a
    /// stack of its own: data may be deeper than a thread's stack.
    fn settle(&mut self, top: &Container) {
        let mut pending: Vec<(&Mixed, bool)> =
            top.mixed().map(|top| (top, false)).into_iter().collect();
        while let Some((mixed, inner_settled)) = pending.pop() {
            if mixed.digest.get().is_some() {
                continue;
            }
            if inner_settled {
                let digest = self.children(mixed.iter());
                mixed.digest.get_or_init(|| digest);
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
    fn container(&mut self, container: &Container) -> Digest {
        match container.mixed().and_then(|mixed| mixed.digest.get()) {
            Some(digest) => *digest,
            None => self.children(container.iter()),
        }
    }

    fn children<'a>(&mut self, children: impl Iterator<Item = (NodeId, ChildRef<'a>)>) -> Digest {
        let mut bytes = vec![CONTAINER];
        self.write_children(children, &mut bytes);
        hash(&[&bytes])
    }

    fn write_children<'a>(
        &mut self,
        children: impl Iterator<Item = (NodeId, ChildRef<'a>)>,
        out: &mut Vec<u8>,
    ) {
        let names = self.names;
        let mut ranked: Vec<(u32, NodeId, ChildRef<'a>)> =
            children.map(|(node, child)| (names.rank(node), node, child)).collect();
        ranked.sort_unstable_by_key(|(rank, _, _)| *rank);
        write_number(out, u64::try_from(ranked.len()).unwrap_or(u64::MAX));
        for (_, node, child) in ranked {
            let (module, name) = names.name(node);
            write_blob(out, module.as_bytes());
            write_blob(out, name.as_bytes());
            self.write_child(child, out);
        }
    }

    fn write_child(&mut self, child: ChildRef<'_>, out: &mut Vec<u8>) {
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
                let digest = self.entries(list.pages(), Self::write_entry);
                out.extend_from_slice(&digest.0);
            }
            ChildRef::LeafList(items) => {
                out.extend_from_slice(&[4, order(items.order())]);
                let digest = self.entries(items.pages(), Self::write_item);
                out.extend_from_slice(&digest.0);
            }
        }
    }

    fn write_entry(&mut self, entry: &Container, out: &mut Vec<u8>) {
        if entry.mixed().is_some() {
            out.push(1);
            out.extend_from_slice(&self.container(entry).0);
        } else {
            out.push(0);
            self.write_children(entry.iter(), out);
        }
    }

    fn write_item(&mut self, text: &Text, out: &mut Vec<u8>) {
        write_blob(out, text.as_bytes());
    }

    /// The digest of a list's or leaf-list's pages.
    fn entries<V>(&mut self, pages: &Pages<V>, write: fn(&mut Self, &V, &mut Vec<u8>)) -> Digest {
        let Some(root) = &pages.root else { return node_digest(0, &[]) };
        let mut page = |page: &[Row<V>]| {
            let mut rows = std::mem::take(&mut self.rows);
            rows.clear();
            let mut head = vec![PAGE];
            write_number(&mut head, u64::try_from(page.len()).unwrap_or(u64::MAX));
            for (key, value) in page {
                write_blob(&mut rows, key.as_bytes());
                write(self, value, &mut rows);
                let end = u64::try_from(rows.len()).unwrap_or(u64::MAX);
                head.extend_from_slice(&end.to_le_bytes());
            }
            let digest = hash(&[&head, &rows]);
            self.rows = rows;
            digest
        };
        root.digest(&mut page, node_digest)
    }
}

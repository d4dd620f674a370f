//! The data tree alone, measured beside plain maps and the machine: the figures of `tools/bench --tree`.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a measurement ends where something is wrong, goes by the clock, and is never shipped"
)]

use crate::base::ids::Digest;
use crate::yang::libyang::{CompileOptions, compile};
use crate::yang::print::{Printer, Progress};
use crate::yang::schema::{Lookup, NodeId, Order, Schema};
use crate::yang::tree::container::ContainerBuilder;
use crate::yang::tree::key::KeyBuilder;
use crate::yang::tree::{
    Child, Container, EntriesBuilder, Key, List, Place, Seed, Tree, diff, encode_tree,
};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const MODEL: &str = r#"module m { namespace "urn:m"; prefix m; yang-version 1.1;
    grouping row { leaf id { type string; } leaf next-hop { type string; } leaf metric { type uint32; }
        leaf description { type string; } }
    list by-key { key id; uses row; }
    list by-user { key id; ordered-by user; uses row; } }"#;
const SEED: Seed = Seed(0x1234_5678_9abc_def0);
/// Operations that one figure is the mean of.
const OPERATIONS: u32 = 100_000;
/// The same where every version is kept.
const VERSIONS: usize = 10_000;
/// Printed at a time.
const PIECE_BYTES: usize = 1 << 16;

/// One measured figure.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// What was measured.
    pub what: &'static str,
    /// How much.
    pub measured: f64,
    /// Of what: `s`, `ms`, `us`, `bytes`, `MB/s`.
    pub unit: &'static str,
    /// Whether this is what a plain map or the machine does, beside which the next figures stand.
    pub is_floor: bool,
}

/// Which figures: each part is measured by a process of its own, so that none uses memory that another has left.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    /// Maps of others.
    PlainMaps,
    /// A list ordered by the system.
    ByKey,
    /// A list ordered by the user.
    ByUser,
}

/// The figures of a list of so many entries.
pub fn tree(entries: u32, part: Part) -> Vec<Figure> {
    let rows = Rows::new(entries);
    let mut figures = Figures(Vec::new());
    match part {
        Part::PlainMaps => plain_maps(&mut figures, &rows),
        Part::ByKey => {
            let tree = by_key(&mut figures, &rows);
            whole(&mut figures, &rows, &tree);
        }
        Part::ByUser => by_user(&mut figures, &rows),
    }
    figures.0
}

struct Figures(Vec<Figure>);

impl Figures {
    fn add(&mut self, what: &'static str, measured: f64, unit: &'static str) {
        let is_floor = what.starts_with("floor");
        self.0.push(Figure { what, measured, unit, is_floor });
    }

    /// The time of all operations, a mean in microseconds.
    fn each<T>(&mut self, what: &'static str, operations: u32, work: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = work();
        self.add(what, began.elapsed().as_secs_f64() * 1e6 / f64::from(operations), "us");
        result
    }
}

/// Where rows are, and what they hold: 58 bytes of key and values.
struct Rows {
    schema: Arc<Schema>,
    entries: u32,
}

impl Rows {
    fn new(entries: u32) -> Self {
        let options = CompileOptions {
            modules: vec![("m".to_owned(), None)],
            sources: vec![("m".to_owned(), MODEL.to_owned())],
            ..CompileOptions::default()
        };
        Self { schema: compile(&options).map(Arc::new).expect("the model"), entries }
    }

    fn node(&self, parent: Option<NodeId>, name: &str) -> NodeId {
        match self.schema.child(parent, Some("urn:m"), name) {
            Lookup::Found(node) => node,
            Lookup::UnknownNamespace | Lookup::UnknownElement => panic!("no {name}"),
        }
    }

    /// How entries of the list are made: the value tells versions of an entry apart.
    fn maker(&self, list: &str) -> impl Fn(u32, u32) -> Container {
        let list = Some(self.node(None, list));
        let nodes = ["id", "next-hop", "metric", "description"].map(|name| self.node(list, name));
        move |number, version| {
            let mut builder = ContainerBuilder::default();
            for (node, text) in nodes.into_iter().zip(texts(number, version)) {
                assert!(builder.put_leaf(node, &text), "a leaf stands once");
            }
            builder.finish()
        }
    }

    fn root(&self, list: &str, entries: List) -> Tree {
        let mut root = Container::default();
        root.set(self.node(None, list), Child::List(entries));
        Tree { root, seed: SEED }
    }

    fn build(&self, list: &str, order: Order) -> List {
        let make = self.maker(list);
        let mut builder = EntriesBuilder::new(order, SEED);
        for number in 0..self.entries {
            assert!(builder.push(key(number), make(number, 0)), "keys ascend");
        }
        builder.finish()
    }

    /// Numbers of entries all over the list, always the same ones.
    fn scattered(&self) -> impl Iterator<Item = u32> + use<> {
        let (mut state, entries) = (1_u64, u64::from(self.entries));
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            u32::try_from((state >> 33) % entries).unwrap_or(0)
        })
        .take(usize::try_from(OPERATIONS).unwrap_or(usize::MAX))
    }

    fn keys(&self) -> Vec<Key> {
        self.scattered().map(key).collect()
    }

    /// Other content for these entries: the versions count from `first`.
    fn edits<R>(&self, first: u32, row: impl Fn(u32, u32) -> R) -> impl Iterator<Item = (Key, R)> {
        self.scattered()
            .zip(first..)
            .map(move |(number, version)| (key(number), row(number, version)))
    }
}

fn texts(number: u32, version: u32) -> [String; 4] {
    let [a, b, c, _] = number.to_le_bytes();
    [
        format!("{number:07}"),
        format!("10.{c}.{b}.{a}"),
        version.to_string(),
        format!("the route of customer {number:010}"),
    ]
}

fn key(number: u32) -> Key {
    let mut builder = KeyBuilder::default();
    builder.push_text(&format!("{number:07}"));
    builder.finish()
}

/// What the standard library and a persistent map do with the same rows as one string each.
fn plain_maps(figures: &mut Figures, rows: &Rows) {
    let row = |number, version| texts(number, version).concat().into_boxed_str();
    let (before, began) = (resident(), Instant::now());
    let mut map: BTreeMap<Key, Box<str>> =
        (0..rows.entries).map(|number| (key(number), row(number, 0))).collect();
    figures.add("floor: BTreeMap, build in order", began.elapsed().as_secs_f64(), "s");
    figures.add("floor: BTreeMap, memory of an entry", grown(before, rows), "bytes");
    let keys = rows.keys();
    figures.each("floor: BTreeMap, get", OPERATIONS, || {
        keys.iter().for_each(|key| assert!(black_box(map.get(key)).is_some()));
    });
    let edits: Vec<_> = rows.edits(1, row).collect();
    figures.each("floor: BTreeMap, one entry replaced", OPERATIONS, || {
        edits.into_iter().for_each(|(key, row)| drop(map.insert(key, row)));
    });
    let mut map: imbl::OrdMap<Key, Arc<str>> =
        map.into_iter().map(|(key, row)| (key, Arc::from(row))).collect();
    let edits: Vec<_> = rows.edits(1, |number, version| Arc::from(row(number, version))).collect();
    figures.each("floor: imbl::OrdMap, new version with one entry replaced", OPERATIONS, || {
        edits.into_iter().for_each(|(key, row)| {
            let old = map.clone();
            drop(map.insert(key, row));
            black_box(&old);
        });
    });
}

fn by_key(figures: &mut Figures, rows: &Rows) -> Tree {
    let (before, began) = (resident(), Instant::now());
    let mut list = rows.build("by-key", Order::System);
    figures.add("build in order", began.elapsed().as_secs_f64(), "s");
    figures.add("memory of an entry", grown(before, rows), "bytes");
    let keys = rows.keys();
    figures.each("get", OPERATIONS, || {
        keys.iter().for_each(|key| assert!(black_box(list.get(key)).is_some()));
    });
    let edits: Vec<_> = rows.edits(1, rows.maker("by-key")).collect();
    figures.each("new version with one entry replaced", OPERATIONS, || {
        edits.into_iter().for_each(|(key, row)| {
            let old = list.clone();
            list.insert(key, row);
            black_box(&old);
        });
    });
    rows.root("by-key", list)
}

/// What reads the whole tree, and what follows an edit of it.
fn whole(figures: &mut Figures, rows: &Rows, tree: &Tree) {
    let mut encoded = Vec::new();
    encode_tree(tree, &*rows.schema, &mut |piece| encoded.extend_from_slice(piece));
    let began = Instant::now();
    black_box(Digest(Sha256::digest(&encoded).into()));
    figures.add("floor: SHA-256 of the tree's record", began.elapsed().as_secs_f64() * 1e3, "ms");
    drop(encoded);
    let began = Instant::now();
    black_box(tree.digest(&*rows.schema));
    figures.add("digest of the whole tree", began.elapsed().as_secs_f64() * 1e3, "ms");
    edits(figures, rows, tree);
    printed(figures, rows, tree);
}

/// Versions of one entry each, with what a commit wants to know of them.
fn edits(figures: &mut Figures, rows: &Rows, tree: &Tree) {
    let node = rows.node(None, "by-key");
    let version = |(key, row)| {
        let mut tree = tree.clone();
        let Some(Child::List(mut list)) = tree.root.remove(node) else { panic!("no list") };
        list.insert(key, row);
        tree.root.set(node, Child::List(list));
        tree
    };
    let edits = rows.edits(OPERATIONS + 1, rows.maker("by-key")).take(VERSIONS);
    let versions: Vec<Tree> = edits.map(version).collect();
    let operations = u32::try_from(VERSIONS).unwrap_or(u32::MAX);
    figures.each("digest after one edit", operations, || {
        versions.iter().for_each(|version| {
            black_box(version.digest(&*rows.schema));
        });
    });
    figures.each("diff of one edit", operations, || {
        versions.iter().for_each(|version| assert!(!black_box(diff(tree, version)).is_empty()));
    });
}

fn printed(figures: &mut Figures, rows: &Rows, tree: &Tree) {
    let (mut piece, mut all) = (Vec::with_capacity(2 * PIECE_BYTES), 0);
    let rate = |bytes: usize, began: Instant| {
        f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX))
            / 1e3
            / began.elapsed().as_secs_f64()
    };
    let began = Instant::now();
    let mut printer = Printer::new(Arc::clone(&rows.schema), tree);
    loop {
        let progress = printer.fill(&mut piece, PIECE_BYTES);
        all += piece.len();
        black_box(&piece);
        piece.clear();
        if progress == Progress::Done {
            break;
        }
    }
    let printed = rate(all, began);
    let (source, mut target) = (vec![b'x'; all], vec![b'y'; all]);
    let began = Instant::now();
    target.copy_from_slice(black_box(&source));
    black_box(&target);
    figures.add("floor: copy of as many bytes", rate(all, began), "MB/s");
    figures.add("XML into a buffer", printed, "MB/s");
}

fn by_user(figures: &mut Figures, rows: &Rows) {
    // What making the first one has left free is what making the second one takes.
    let first = rows.build("by-user", Order::User);
    let (before, began) = (resident(), Instant::now());
    let mut list = rows.build("by-user", Order::User);
    figures.add("ordered by user: build", began.elapsed().as_secs_f64(), "s");
    figures.add("ordered by user: memory of an entry", grown(before, rows), "bytes");
    drop(first);
    let keys = rows.keys();
    figures.each("ordered by user: get", OPERATIONS, || {
        keys.iter().for_each(|key| assert!(black_box(list.get(key)).is_some()));
    });
    let make = rows.maker("by-user");
    let inserts: Vec<_> =
        (rows.entries..).map(|number| (key(number), make(number, 0))).zip(keys).collect();
    figures.each("ordered by user: new version, one inserted before another", OPERATIONS, || {
        inserts.into_iter().for_each(|((key, row), anchor)| {
            let old = list.clone();
            assert!(list.insert_at(key, row, Place::Before(&anchor)));
            black_box(&old);
        });
    });
}

/// Resident memory, in bytes (`/proc/self/statm`).
fn resident() -> f64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u32>().ok());
    f64::from(pages.expect("a number of pages")) * 4096.0
}

fn grown(before: f64, rows: &Rows) -> f64 {
    (resident() - before) / f64::from(rows.entries)
}

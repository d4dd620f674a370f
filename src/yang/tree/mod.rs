//! The data tree: immutable, persistent, typed by schema number, values canonical.
//!
//! A clone is a pointer. Readers see references, never how rows lie in memory; writers take an owned `Container`,
//! change it and put it back. The tree knows no schema: whoever edits it keeps the invariants.

mod apply;
mod compare;
pub(crate) mod container;
pub(crate) mod decode;
pub(crate) mod diff;
mod digest;
pub(crate) mod encode;
pub(crate) mod entries;
#[cfg(test)]
mod entries_tests;
mod equal;
mod input;
pub(crate) mod key;
pub(crate) mod keypath;
#[cfg(test)]
mod laws;
mod leafs;
#[cfg(test)]
mod limits_tests;
#[cfg(test)]
mod model_tests;
pub(crate) mod names;
mod order;
mod pages;
mod roots;
mod sequence;

pub(crate) use container::{Child, ChildRef, Container};
pub(crate) use decode::{TreeDecoder, decode_diff};
pub(crate) use diff::{Change, Diff, EntriesChange, EntryChange, Existence, diff};
pub(crate) use encode::{encode_diff, encode_tree};
pub(crate) use entries::{Entries, EntriesBuilder, Place};
pub(crate) use key::Key;
pub(crate) use keypath::KeyPath;
pub(crate) use names::{DataKind, NodeNames};

/// A canonical value: short ones lie inline, longer ones are shared.
pub(crate) type Text = smol_str::SmolStr;

/// Entries of a list: each holds its key leafs too.
pub(crate) type List = Entries<Container>;

/// Entries of a leaf-list.
pub(crate) type LeafList = Entries<Text>;

/// What the boundaries of map nodes depend on. One for all trees of a cluster, drawn when it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub(crate) struct Seed(pub(crate) u128);

/// The content of a datastore.
///
/// Invariant: no list, leaf-list or non-presence container in it is empty, so that equal content is equal trees.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tree {
    pub(crate) root: Container,
    pub(crate) seed: Seed,
}

impl Tree {
    /// Nothing.
    pub(crate) fn empty(seed: Seed) -> Self {
        Self { root: Container::default(), seed }
    }
}

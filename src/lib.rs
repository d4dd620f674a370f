#![doc = include_str!("ARCHITECTURE.md")]

pub(crate) mod agent;
pub(crate) mod api;
pub(crate) mod base;
pub mod cli;
pub(crate) mod daemon;
pub(crate) mod datastore;
#[cfg(test)]
mod fuzz;
pub(crate) mod io;
#[cfg(feature = "measure")]
pub mod measure;
pub(crate) mod netconf;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the peer transport of a cluster uses the rest; a cluster of one sends no messages"
    )
)]
pub(crate) mod raft;
pub(crate) mod replication;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
pub(crate) mod storage;
pub(crate) mod transaction;
pub(crate) mod xml;
pub(crate) mod yang;

pub use api::change::{Change, Configuration, Item, ItemKind};
pub use api::participant::{Alarm, Participant, Refusal, Registration};
pub use daemon::embed::{Agent, RunningAgent};

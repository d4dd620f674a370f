//! Consensus: the only room that names the `raft` crate.
//!
//! `Node` is the crate's state machine behind doors of our own types. It decides and does nothing: what must be
//! written, sent and applied comes out as `Ready`, and the rules of that order are held by the types here and by
//! the tests beside them.

mod batch;
mod election;
mod entry;
mod large;
mod logger;
mod membership;
mod message;
mod node;
mod ready;
mod start;
mod status;
mod store;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod node_tests;
#[cfg(test)]
mod test_cluster;
#[cfg(test)]
mod trap_tests;

pub(crate) use election::SplitMix64;
pub(crate) use entry::{
    EntryKind, HardState, LogEntry, LogPosition, LogWrite, Payload, RecoveredLog, SnapshotMeta,
};
pub(crate) use membership::{ConfState, MembershipChange, MembershipError, SeatChange};
pub(crate) use message::{MessageKind, Outgoing, StepError};
pub(crate) use node::{Delivery, Node, ProposeError, ReadIndexError, TransferError};
pub(crate) use ready::{Committed, CommittedEntry, ReadState, Ready, ReadyNumber, WaitForSync};
pub(crate) use start::{NodeConfig, NodeError};
pub(crate) use status::{NodeStatus, PeerState, Role};

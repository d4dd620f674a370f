//! What is to be done, in the order in which it must be done: early messages, persist, publish, hooks,
//! messages, answers, ends.

use super::event::{Answer, End, ReplyTo};
use crate::api::hook::HookCall;
use crate::base::ids::{Digest, Incarnation, LogIndex, Revision};
use crate::base::time::Timestamp;
use crate::base::token::JoinToken;
use crate::netconf::state::View;
use crate::raft::{LogWrite, ReadyNumber, WaitForSync};
use crate::replication::message::PeerMessage;
use crate::replication::state::Authority;
use crate::yang::tree::Tree;
use std::sync::Arc;

/// A message to another member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToPeer {
    pub(crate) to: Incarnation,
    pub(crate) message: PeerMessage,
}

/// A snapshot of this node's disk that a member needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SendSnapshot {
    pub(crate) to: Incarnation,
    pub(crate) index: LogIndex,
    /// To be delivered after the snapshot is durable there.
    pub(crate) frame: Vec<u8>,
}

/// Another member and where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PeerAddress {
    pub(crate) incarnation: Incarnation,
    pub(crate) name: String,
    /// `host:port` of its peer listener.
    pub(crate) address: String,
}

/// The effects of the events since the last ones were taken.
///
/// Invariant: an answer in it promises only what was durable before; what `persist` holds is promised by the effects
/// that follow `Agent::persisted`.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    /// To other members: may leave before `persist` is durable (a leader's entries, which followers write meanwhile).
    pub(crate) early: Vec<ToPeer>,
    /// To be made durable first, in one write, and then reported by `Agent::persisted` with the last number.
    pub(crate) persist: Vec<Persist>,
    /// What readers see from now on.
    pub(crate) view: Option<Arc<View>>,
    /// Until when this node may answer reads from its view; changes only.
    pub(crate) lease: Option<Lease>,
    /// Calls of participants, in order for each of them.
    pub(crate) hooks: Vec<HookCall>,
    /// To other members, after `persist` is durable and `view` is shown.
    pub(crate) sends: Vec<ToPeer>,
    /// To be streamed in the background; the outcome goes to `Agent::snapshot_sent`.
    pub(crate) snapshots: Vec<SendSnapshot>,
    /// A member waits for a newer snapshot than the one on offer: take one now.
    pub(crate) snapshot_wanted: bool,
    /// The other members, when they changed: whom to be connected to.
    pub(crate) peers: Option<Vec<PeerAddress>>,
    /// The authority of the cluster, when the state comes to have one: certifies this node, if nobody has yet.
    pub(crate) authority: Option<Authority>,
    pub(crate) answers: Vec<(ReplyTo, Answer)>,
    /// Sessions to close.
    pub(crate) ends: Vec<End>,
    /// NETCONF may open.
    pub(crate) ready: bool,
    /// The data of a member that diverged, to be kept for whoever looks for the reason.
    pub(crate) diverged: Option<DivergedData>,
    /// To be remembered on the disk before anything leaves: how this node joins again.
    pub(crate) rejoin: Option<Rejoin>,
    /// The agent cannot go on: what to tell the operator.
    pub(crate) fatal: Option<String>,
    /// That is because it is no member any more: a new start would change nothing.
    pub(crate) removed: bool,
}

/// How a quarantined node gets another seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejoin {
    pub(crate) token: JoinToken,
    /// `host:port` of the peer listeners of the other members.
    pub(crate) members: Vec<String>,
}

/// Data that are not those that a log entry states.
#[derive(Debug)]
pub(crate) struct DivergedData {
    pub(crate) index: LogIndex,
    /// What the data are.
    pub(crate) revision: Revision,
    pub(crate) stated: Digest,
    pub(crate) found: Digest,
    pub(crate) running: Tree,
}

/// How long a reader may trust the view (PROTOCOL M2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// A cluster of one: always.
    Unlimited,
    /// Until this moment of the node's clock; one that is over for a node without a leader.
    Until(Timestamp),
}

/// A durable write and its number.
#[derive(Debug)]
pub(crate) struct Persist {
    pub(crate) number: ReadyNumber,
    pub(crate) sync: WaitForSync,
    pub(crate) write: LogWrite,
}

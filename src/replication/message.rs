//! What members say to each other (PROTOCOL, MESSAGES). Who says it is known from the connection.

use crate::base::ids::{Boot, Digest, Incarnation, LogIndex, Revision, SessionKey, Term, TxId};
use crate::base::time::{Timestamp, WallTime};
use crate::datastore::edit::Edit;
use crate::datastore::footprint::Footprint;
use crate::raft::LogPosition;
use crate::replication::state::LockTarget;
use crate::transaction::confirmed::Ask;
use serde::{Deserialize, Serialize};

/// One message to another member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum PeerMessage {
    /// A frame of consensus, prompt or not.
    Consensus { frame: Vec<u8>, lane: Lane },
    /// The first message when a connection is there: who the sender is in this life, how far its log goes, and what
    /// the receiver had acknowledged to it (PROTOCOL M3).
    Hello { boot: Boot, last: LogPosition, you_acked: LogPosition },
    /// To the leader, each `KEEPALIVE_MS` (PROTOCOL M2).
    Keepalive(Keepalive),
    /// The leader's answer.
    KeepaliveOk(KeepaliveOk),
    /// To the leader: this member shows everything up to `index` to its readers.
    Applied { index: LogIndex },
    /// To the leader: something that is to be decided.
    Request(Box<TxRequest>),
    /// To the origin: the request will not come into the log by this leader; it is what the errors say.
    Abort { txid: TxId, term: Term, errors: Vec<u8> },
    /// To the origin: the request changes nothing. It is done when `read_index` is applied.
    Unchanged { txid: TxId, term: Term, read_index: LogIndex },
    /// To the origin: all members that the acknowledgement waits for show this revision, or are out of reach.
    AckDone { txid: TxId, missing: Vec<Incarnation> },
    /// To the leader: is the commit at `index` acknowledged? Sent to a new leader (PROTOCOL F21).
    AwaitAck { txid: TxId, index: LogIndex },
    /// To a member with participants: validate and prepare this change.
    Prepare(Box<Prepare>),
    /// To the leader: what the participants said.
    Vote { term: Term, slot: u64, txid: TxId, result_digest: Digest, verdict: Verdict },
    /// To a member that was asked: nothing comes of it.
    SlotAbort { term: Term, slot: u64 },
    /// To a member with a rewriting participant.
    Rewrite(Box<Rewrite>),
    /// To the leader: what to change in addition.
    Rewritten { term: Term, slot: u64, call: u64, answer: RewriteAnswer },
}

/// By which connection a message goes, so that bulk never holds up a heartbeat (PROTOCOL F12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Lane {
    /// Heartbeats, elections, leases: small and urgent.
    Prompt,
    /// Entries, requests, snapshots.
    Bulk,
}

/// A sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keepalive {
    /// The sender's clock; comes back.
    pub(crate) sent: Timestamp,
    pub(crate) applied: LogIndex,
    /// The generation of the pending confirmed commit and how many ms the sender has counted since it applied it.
    pub(crate) confirmed: Option<(LogIndex, u64)>,
}

/// A read lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeepaliveOk {
    /// As in the `Keepalive`.
    pub(crate) sent: Timestamp,
    pub(crate) term: Term,
    pub(crate) commit: LogIndex,
    pub(crate) valid_for_ms: u64,
}

/// What an origin asks the leader of `to_term` to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TxRequest {
    pub(crate) to_term: Term,
    pub(crate) txid: TxId,
    /// The origin's lowest request that is still open.
    pub(crate) low: u64,
    pub(crate) session: Option<SessionKey>,
    pub(crate) user: String,
    pub(crate) at: WallTime,
    /// The locks that the origin believes the session to hold, with their fences (PROTOCOL F24).
    pub(crate) held: Vec<(LockTarget, LogIndex)>,
    pub(crate) comment: Option<String>,
    pub(crate) body: RequestBody,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum RequestBody {
    /// Operations on running, evaluated where the leader is.
    Edit(Edit),
    /// All of running, encoded by `yang::tree`.
    Replace(Vec<u8>),
    /// The candidate: its base, what it makes of it, and the roots that it touched.
    Candidate(Box<CandidateChange>),
    Cancel {
        persist_id: Option<String>,
    },
    Lock(LockTarget),
    Unlock(LockTarget),
    SessionEnd {
        session: SessionKey,
    },
    /// The first request of a boot.
    NodeUp {
        boot: Boot,
        name: String,
        address: String,
    },
    /// More wire session-ids.
    SessionIds,
}

/// A commit of the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CandidateChange {
    pub(crate) base: Revision,
    /// The difference to the base, encoded by `yang::tree`.
    pub(crate) diff: Vec<u8>,
    pub(crate) footprint: Footprint,
    pub(crate) ask: Ask,
    /// See `Transaction::confirms`.
    pub(crate) confirms: bool,
}

/// A change to be voted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prepare {
    pub(crate) term: Term,
    pub(crate) slot: u64,
    pub(crate) txid: TxId,
    pub(crate) base: Revision,
    pub(crate) base_digest: Digest,
    pub(crate) result_digest: Digest,
    /// Encoded by `yang::tree`.
    pub(crate) diff: Vec<u8>,
    pub(crate) user: String,
    pub(crate) session: Option<SessionKey>,
    /// Validation points only: nothing is prepared.
    pub(crate) validate_only: bool,
}

/// A member's vote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Yes,
    /// It knows a newer term or has applied more: prepare again.
    Stale,
    No {
        participant: String,
        reason: String,
    },
}

/// A change that a participant may add to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rewrite {
    pub(crate) prepare: Prepare,
    pub(crate) call: u64,
    /// The number of the participant on the member.
    pub(crate) participant: u32,
}

/// What it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum RewriteAnswer {
    Same,
    Amend(Edit),
    Stale,
    No { reason: String },
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message of a member cannot be read: {0}")]
pub(crate) struct MessageError(String);

impl PeerMessage {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, MessageError> {
        postcard::to_stdvec(self).map_err(|error| MessageError(error.to_string()))
    }

    /// The message that `bytes` hold.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, MessageError> {
        postcard::from_bytes(bytes).map_err(|error| MessageError(error.to_string()))
    }

    /// By which connection it goes.
    pub(crate) fn lane(&self) -> Lane {
        match self {
            Self::Consensus { lane, .. } => *lane,
            Self::Hello { .. }
            | Self::Keepalive(_)
            | Self::KeepaliveOk(_)
            | Self::Applied { .. } => Lane::Prompt,
            Self::Request(_)
            | Self::Abort { .. }
            | Self::Unchanged { .. }
            | Self::AckDone { .. }
            | Self::AwaitAck { .. }
            | Self::Prepare(_)
            | Self::Vote { .. }
            | Self::SlotAbort { .. }
            | Self::Rewrite(_)
            | Self::Rewritten { .. } => Lane::Bulk,
        }
    }
}

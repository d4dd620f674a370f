//! What members say to each other (PROTOCOL, MESSAGES). Who says it is known from the connection.

use crate::base::ids::{
    Boot, Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, Term, TxId,
};
use crate::base::policy::Policy;
use crate::base::time::Timestamp;
use crate::datastore::edit::Edit;
use crate::datastore::footprint::Footprint;
use crate::raft::{LogPosition, Payload};
use crate::replication::entry::RequestHead;
use crate::replication::state::{Charter, LockTarget, RegisteredParticipant, Token};
use crate::transaction::confirmed::Ask;
use serde::{Deserialize, Serialize};

/// One message to another member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum PeerMessage {
    /// A frame of consensus, prompt or not.
    Consensus {
        #[serde(with = "serde_bytes")]
        frame: Vec<u8>,
        lane: Lane,
        /// The bytes of its long entries. They travel beside the message (PROTOCOL F12).
        #[serde(skip)]
        large: Vec<Payload>,
    },
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
    Abort {
        txid: TxId,
        term: Term,
        #[serde(with = "serde_bytes")]
        errors: Vec<u8>,
    },
    /// To the origin: the request changes nothing. It is done when `read_index` is applied.
    Unchanged { txid: TxId, term: Term, read_index: LogIndex },
    /// To the origin: all members that the acknowledgement waits for show this revision, or are out of reach; but for
    /// those which are missing after all of the time that there was.
    AckDone { txid: TxId, missing: Vec<Incarnation> },
    /// To the leader: is the commit at `index` acknowledged? There is so much time. Sent to a new leader, too
    /// (PROTOCOL F21).
    AwaitAck { txid: TxId, index: LogIndex, within_ms: u64 },
    /// To a member that was removed: it will hear nothing more.
    Removed,
    /// To a member with participants: what do they say about this change?
    Prepare(Box<Prepare>),
    /// To the leader: what the participants said.
    Vote { term: Term, slot: u64, ask: PrepareAsk, verdict: Verdict },
    /// To a member that was asked: nothing comes of it.
    SlotAbort { term: Term, slot: u64 },
    /// To the member whose session it is: is it open?
    SessionQuery { session: SessionKey },
    /// The answer.
    SessionIs { session: SessionKey, open: bool },
    /// From the sender's transport: its agent is at work on something long, for a time that is bounded. For elections, and
    /// for them alone, that is a sign of life (PROTOCOL F12).
    Working,
    /// To all: this member's data are not those that the log entry at `index` states, but `found` (PROTOCOL A7).
    Diverged { index: LogIndex, found: Digest },
    /// From the leader: a majority has what the entry states. The receiver is to ask for a snapshot.
    Rebuild { index: LogIndex },
    /// To a member that has just greeted: the log knows a later life of it, so that its disk is an older copy.
    Restored,
    /// To the leader: this member gives up its seat, and takes another with the token of this digest (PROTOCOL M3).
    Quarantined { token: Digest },
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
    /// The sender is too slow to lead (PROTOCOL L10).
    pub(crate) strained: bool,
    /// The newest moment of the leader's clock that the sender has heard of, in the term that it is in.
    pub(crate) heard: Option<(Term, Timestamp)>,
}

/// A read lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeepaliveOk {
    /// As in the `Keepalive`.
    pub(crate) sent: Timestamp,
    pub(crate) term: Term,
    pub(crate) commit: LogIndex,
    pub(crate) valid_for_ms: u64,
    /// The leader's clock.
    pub(crate) at: Timestamp,
}

/// What an origin asks the leader of `to_term` to decide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct TxRequest {
    pub(crate) to_term: Term,
    /// With the origin's lowest request that is still open.
    pub(crate) head: RequestHead,
    /// The locks that the origin believes the session to hold, with their fences (PROTOCOL F24).
    pub(crate) held: Vec<(LockTarget, LogIndex)>,
    /// Everything but the decision.
    pub(crate) test_only: bool,
    pub(crate) comment: Option<String>,
    pub(crate) body: RequestBody,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum RequestBody {
    /// Operations on running, evaluated where the leader is.
    Edit(Edit),
    /// The same, if running is still empty.
    Initial(Edit),
    /// All of running, encoded by `yang::tree`.
    Replace(#[serde(with = "serde_bytes")] Vec<u8>),
    /// Would this be valid? Encoded by `yang::tree`.
    Validate(#[serde(with = "serde_bytes")] Vec<u8>),
    Candidate(Box<CandidateChange>),
    Cancel {
        persist_id: Option<String>,
    },
    /// Running becomes what it was.
    Restore(Revision),
    Lock(LockTarget),
    Unlock(LockTarget),
    SessionEnd(SessionKey),
    Control(Box<Control>),
}

/// What is decided without a look at the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Control {
    /// The first request of a boot.
    NodeUp {
        boot: Boot,
        name: String,
        address: String,
        participants: Vec<RegisteredParticipant>,
        schema_id: Digest,
    },
    /// More wire session-ids; no session below this one is open.
    SessionIds {
        lowest: SessionId,
    },
    Init {
        charter: Charter,
        address: String,
    },
    Token(Token),
    Policy(Policy),
    Join {
        token: Digest,
        name: String,
        address: String,
        schema_id: Digest,
    },
    Remove(Incarnation),
    /// Leadership to this voter.
    Transfer(Incarnation),
}

/// A commit of the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct CandidateChange {
    pub(crate) base: Revision,
    /// The difference to the base, encoded by `yang::tree`.
    #[serde(with = "serde_bytes")]
    pub(crate) diff: Vec<u8>,
    pub(crate) footprint: Footprint,
    pub(crate) ask: Ask,
    /// It came while a confirmed commit was pending which it may confirm.
    pub(crate) confirms: bool,
}

/// A change to be voted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prepare {
    pub(crate) term: Term,
    pub(crate) slot: u64,
    pub(crate) base: Revision,
    pub(crate) base_digest: Digest,
    pub(crate) result_digest: Digest,
    /// Encoded by `yang::tree`.
    #[serde(with = "serde_bytes")]
    pub(crate) diff: Vec<u8>,
    pub(crate) user: String,
    pub(crate) session: Option<SessionId>,
    pub(crate) ask: PrepareAsk,
}

/// Who is to say what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum PrepareAsk {
    /// This participant: what is to be changed in addition?
    Rewrite { participant: u32 },
    /// All of them: would it be right?
    Validate,
    /// All of them: is it right, and is what it takes reserved?
    Prepare,
}

/// What a member's participants say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Verdict {
    Yes,
    /// To `Rewrite` only.
    Amend(Edit),
    /// The member knows a newer term or has applied more: ask again.
    Stale,
    No {
        participant: String,
        reason: String,
    },
}

/// Why bytes are no message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a message of a member cannot be read: {0}")]
pub(crate) struct MessageError(String);

/// Most messages have no more bytes than this beside a frame of consensus.
const OTHER_BYTES_USUAL: usize = 128;

impl PeerMessage {
    /// Its bytes.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let frame_bytes = if let Self::Consensus { frame, .. } = self { frame.len() } else { 0 };
        let bytes = Vec::with_capacity(OTHER_BYTES_USUAL.saturating_add(frame_bytes));
        postcard::to_extend(self, bytes).map_err(|error| MessageError(error.to_string()))
    }

    /// The message that `bytes` hold, and what came beside it.
    pub(crate) fn decode(bytes: &[u8], beside: Vec<Payload>) -> Result<Self, MessageError> {
        let mut message =
            postcard::from_bytes(bytes).map_err(|error| MessageError(error.to_string()))?;
        if let Self::Consensus { large, .. } = &mut message {
            *large = beside;
        } else if !beside.is_empty() {
            return Err(MessageError("nothing belongs beside it".to_owned()));
        }
        Ok(message)
    }

    /// What travels beside the message.
    pub(crate) fn beside(&self) -> &[Payload] {
        if let Self::Consensus { large, .. } = self { large } else { &[] }
    }

    /// By which connection it goes.
    pub(crate) fn lane(&self) -> Lane {
        match self {
            Self::Consensus { lane, .. } => *lane,
            Self::Hello { .. }
            | Self::Keepalive(_)
            | Self::KeepaliveOk(_)
            | Self::Applied { .. }
            | Self::Working
            | Self::Diverged { .. }
            | Self::Rebuild { .. }
            | Self::Restored
            | Self::Quarantined { .. } => Lane::Prompt,
            Self::Request(_)
            | Self::Abort { .. }
            | Self::Unchanged { .. }
            | Self::AckDone { .. }
            | Self::AwaitAck { .. }
            | Self::Removed
            | Self::Prepare(_)
            | Self::Vote { .. }
            | Self::SlotAbort { .. }
            | Self::SessionQuery { .. }
            | Self::SessionIs { .. } => Lane::Bulk,
        }
    }
}

//! Log entries: everything that outlives a request.

use super::state::{Charter, LockTarget, RegisteredParticipant, Token};
use crate::base::ids::{
    Boot, Digest, Incarnation, LogIndex, Revision, SessionId, SessionKey, Term, TxId,
};
use crate::base::policy::Policy;
use crate::base::time::WallTime;
use crate::transaction::confirmed::Step;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// What the leader of `term` wrote into the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The proposer's term. An entry under another Raft term is void (PROTOCOL F7).
    pub(crate) term: Term,
    pub(crate) body: Body,
}

/// The kinds of entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Body {
    /// The first entry of a boot: ends what earlier boots of the member left, and gives it wire session-ids.
    NodeUp {
        incarnation: Incarnation,
        boot: Boot,
        name: String,
        address: String,
        participants: Vec<RegisteredParticipant>,
    },
    /// Nothing was heard of the member for the session lease: what it holds is released (PROTOCOL F26).
    NodeDown {
        incarnation: Incarnation,
        boot: u64,
        at: WallTime,
    },
    /// More wire session-ids for a boot, which has no session below `lowest` any more.
    SessionIds {
        incarnation: Incarnation,
        boot: u64,
        lowest: SessionId,
    },
    /// The schema that data are valid under changes; decided after validation at start.
    Schema {
        schema_id: Digest,
    },
    Decision(Box<Decision>),
    Lock {
        request: RequestHead,
        target: LockTarget,
    },
    Unlock {
        request: RequestHead,
        target: LockTarget,
    },
    /// A session is over: its unconfirmed commit is rolled back, its locks are free, in this order. The origin of
    /// `request` sends nothing more for it (PROTOCOL O3).
    SessionEnd {
        request: RequestHead,
        session: SessionKey,
    },
    /// The cluster has a name and an authority: others can join.
    Init {
        request: RequestHead,
        charter: Charter,
        /// Where the only member listens for others.
        address: String,
    },
    /// One more token.
    Token {
        request: RequestHead,
        token: Token,
    },
    Policy {
        request: RequestHead,
        policy: Policy,
    },
    /// In the context of a change of seats: what becomes of the members' records.
    Seat {
        request: RequestHead,
        change: Seat,
    },
}

/// A change of seats.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Seat {
    /// It learns; its token is used up.
    Joined { incarnation: Incarnation, name: String, address: String, token: Digest },
    /// These learners vote: one by a simple change, several by a joint one.
    Promoted { members: Vec<Incarnation> },
    /// The joint change before it is over: the voters decide without the set from before.
    Settled,
    /// It is gone.
    Removed { incarnation: Incarnation },
}

impl Body {
    /// Who asked for it, unless the log's own housekeeping did.
    pub(crate) fn request(&self) -> Option<&RequestHead> {
        match self {
            Self::Decision(decision) => Some(&decision.request),
            Self::Lock { request, .. }
            | Self::Unlock { request, .. }
            | Self::SessionEnd { request, .. }
            | Self::Init { request, .. }
            | Self::Token { request, .. }
            | Self::Policy { request, .. }
            | Self::Seat { request, .. } => Some(request),
            Self::NodeUp { .. }
            | Self::NodeDown { .. }
            | Self::SessionIds { .. }
            | Self::Schema { .. } => None,
        }
    }
}

/// Who asked for an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestHead {
    pub(crate) txid: TxId,
    /// The origin's lowest request that is still open: outcomes below it may be dropped.
    pub(crate) low: u64,
    /// `None` for what the agent itself decides.
    pub(crate) session: Option<SessionKey>,
    pub(crate) user: SmolStr,
    pub(crate) at: WallTime,
    /// The request's `message-id` and its client's `transaction-id`: an outcome is found by them.
    pub(crate) message_id: Option<SmolStr>,
    pub(crate) transaction: Option<SmolStr>,
}

/// One transaction on running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Decision {
    pub(crate) request: RequestHead,
    /// The revision that it was evaluated on.
    pub(crate) base: Revision,
    /// The digest of the data that it was evaluated on.
    pub(crate) base_digest: Digest,
    /// The digest of the data that it makes.
    pub(crate) result_digest: Digest,
    pub(crate) schema_id: Digest,
    /// The locks that the origin believes the session to hold, with their fences.
    pub(crate) held: Vec<(LockTarget, LogIndex)>,
    pub(crate) confirmed: Option<Step>,
    /// The member that the request came to.
    pub(crate) origin: SmolStr,
    pub(crate) comment: Option<String>,
    /// The canonical difference, encoded by `yang::tree`. Empty for a rollback: apply restores what the state holds.
    #[serde(skip)]
    pub(crate) diff: Vec<u8>,
}

/// Bytes of the length of the head.
const LENGTH_BYTES: usize = 4;
/// Most heads have no more bytes than this.
const HEAD_BYTES_USUAL: usize = 256;

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a log entry cannot be read: {0}")]
pub(crate) struct EntryError(String);

impl Entry {
    /// The bytes of the log: the length of the head, the head, the diff.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let diff = match &self.body {
            Body::Decision(decision) => decision.diff.as_slice(),
            Body::NodeUp { .. }
            | Body::NodeDown { .. }
            | Body::SessionIds { .. }
            | Body::Schema { .. }
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. }
            | Body::Init { .. }
            | Body::Token { .. }
            | Body::Policy { .. }
            | Body::Seat { .. } => &[],
        };
        let failed = |error: &dyn std::fmt::Display| EntryError(error.to_string());
        let mut start = Vec::with_capacity(LENGTH_BYTES + HEAD_BYTES_USUAL + diff.len());
        start.extend_from_slice(&[0; LENGTH_BYTES]);
        let mut bytes = postcard::to_extend(self, start).map_err(|error| failed(&error))?;
        let head = bytes.len().saturating_sub(LENGTH_BYTES);
        let length = u32::try_from(head).map_err(|error| failed(&error))?;
        if let Some(start) = bytes.first_chunk_mut::<LENGTH_BYTES>() {
            *start = length.to_le_bytes();
        }
        bytes.extend_from_slice(diff);
        Ok(bytes)
    }

    /// The entry that `bytes` hold.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, EntryError> {
        let short = || EntryError("it ends too early".to_owned());
        let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or_else(short)?;
        let length = usize::try_from(u32::from_le_bytes(*length))
            .map_err(|error| EntryError(error.to_string()))?;
        let (head, diff) = rest.split_at_checked(length).ok_or_else(short)?;
        let mut entry: Entry =
            postcard::from_bytes(head).map_err(|error| EntryError(error.to_string()))?;
        if let Body::Decision(decision) = &mut entry.body {
            decision.diff = diff.to_vec();
        }
        Ok(entry)
    }
}

//! Log entries: everything that outlives a request.

use super::state::LockTarget;
use crate::base::ids::{Boot, Digest, Incarnation, LogIndex, Revision, SessionKey, Term, TxId};
use crate::base::time::WallTime;
use crate::transaction::confirmed::Step;
use serde::{Deserialize, Serialize};

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
    },
    /// More wire session-ids for a boot.
    SessionIds {
        incarnation: Incarnation,
        boot: u64,
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
}

/// Who asked for an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestHead {
    pub(crate) txid: TxId,
    /// The origin's lowest request that is still open: outcomes below it may be dropped.
    pub(crate) low: u64,
    /// `None` for what the agent itself decides.
    pub(crate) session: Option<SessionKey>,
    pub(crate) user: String,
    pub(crate) at: WallTime,
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
    pub(crate) origin: String,
    pub(crate) comment: Option<String>,
    /// The canonical difference, encoded by `yang::tree`. Empty for a rollback: apply restores what the state holds.
    #[serde(skip)]
    pub(crate) diff: Vec<u8>,
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a log entry cannot be read: {0}")]
pub(crate) struct EntryError(String);

impl Entry {
    /// The bytes of the log: the length of the head, the head, the diff.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, EntryError> {
        let head = postcard::to_stdvec(self).map_err(|error| EntryError(error.to_string()))?;
        let diff = match &self.body {
            Body::Decision(decision) => decision.diff.as_slice(),
            Body::NodeUp { .. }
            | Body::SessionIds { .. }
            | Body::Schema { .. }
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. } => &[],
        };
        let length = u32::try_from(head.len()).map_err(|error| EntryError(error.to_string()))?;
        let mut bytes = Vec::with_capacity(4 + head.len() + diff.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(diff);
        Ok(bytes)
    }

    /// The entry that `bytes` hold.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Entry, EntryError> {
        let short = || EntryError("it ends too early".to_owned());
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(short)?;
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

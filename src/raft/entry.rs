//! What the log is made of, in our own types: the `raft` crate's never leave this room.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::ConfState;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The bytes of an entry, shared by all who hold it.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Payload(Arc<Vec<u8>>);

impl From<Vec<u8>> for Payload {
    fn from(bytes: Vec<u8>) -> Payload {
        Payload(Arc::new(bytes))
    }
}

impl Payload {
    /// Whether the two are one in memory.
    pub(crate) fn is(&self, other: &Payload) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// Only the length: what is replicated may be secret.
impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.0.len())
    }
}

/// What an entry's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EntryKind {
    /// An entry of the application; without bytes, the first entry of a new leader.
    Normal,
    /// A change of the members, encoded by this room.
    Membership,
}

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LogEntry {
    /// Its position.
    pub(crate) index: LogIndex,
    /// The term of the leader that appended it.
    pub(crate) term: Term,
    /// What `data` is.
    pub(crate) kind: EntryKind,
    /// The bytes that were proposed.
    pub(crate) data: Payload,
}

/// What a member promised or knows and must not forget (Raft, figure 2: persistent state).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct HardState {
    /// The latest term that this member has seen.
    pub(crate) term: Term,
    /// Whom it voted for in that term.
    pub(crate) vote: Option<Incarnation>,
    /// An index that is known to be committed; it may be behind the truth.
    pub(crate) committed: LogIndex,
}

/// A place in the log. Two members that agree on one agree on all before it (Raft, 5.3: log matching).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct LogPosition {
    /// The index.
    pub(crate) index: LogIndex,
    /// The term of the entry there; 0 before the first.
    pub(crate) term: Term,
}

/// What a snapshot stands for: the log up to a position, and the members at that position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotMeta {
    /// The last entry that it contains.
    pub(crate) position: LogPosition,
    /// The members once that entry is applied.
    pub(crate) conf_state: ConfState,
}

/// One durable write: everything in it becomes durable together or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct LogWrite {
    /// The new hard state, if it changed.
    pub(crate) hard_state: Option<HardState>,
    /// A snapshot replaced the log: everything before this write is void, entries go on behind this position.
    pub(crate) reset: Option<LogPosition>,
    /// New entries. The first one replaces what the log has at its index, and all behind it.
    pub(crate) entries: Vec<LogEntry>,
}

impl LogWrite {
    /// Whether there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.hard_state.is_none() && self.reset.is_none() && self.entries.is_empty()
    }
}

/// What a member finds on its disk when it starts.
///
/// Invariant: entries are contiguous and begin right behind the snapshot (at 1 without one).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RecoveredLog {
    /// The newest valid snapshot.
    pub(crate) snapshot: Option<SnapshotMeta>,
    /// The last hard state.
    pub(crate) hard_state: HardState,
    /// The entries behind the snapshot.
    pub(crate) entries: Vec<LogEntry>,
}

impl RecoveredLog {
    /// Where the log begins: behind this position.
    pub(crate) fn base(&self) -> LogPosition {
        self.snapshot.as_ref().map(|snapshot| snapshot.position).unwrap_or_default()
    }

    /// The last entry's position; the base if there is none.
    pub(crate) fn last(&self) -> LogPosition {
        self.entries
            .last()
            .map_or(self.base(), |entry| LogPosition { index: entry.index, term: entry.term })
    }
}

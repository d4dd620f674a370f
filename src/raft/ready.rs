//! What is to be done after the state machine moved.

use crate::base::ids::{LogIndex, Term};
use crate::raft::{LogWrite, MembershipChange, Outgoing, Payload, SnapshotMeta};

/// The number of a `Ready`; rises by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct ReadyNumber(pub(crate) u64);

/// Whether a `Ready` waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitForSync {
    /// `persist` must be durable, and `Node::persisted` be told so.
    Yes,
    /// `persist` is to be appended to the log and becomes durable with a later write; nothing waits for it.
    No,
}

/// What is to be done, in this order: append `persist` to the log; send `messages`; apply `committed`. Once the log
/// is durable up to here, tell `Node::persisted` and send `persisted_messages`.
///
/// Not one may be dropped, and they are carried out in the order of their numbers. One flush may serve many.
#[derive(Debug)]
pub(crate) struct Ready {
    /// To be given to `Node::persisted`.
    pub(crate) number: ReadyNumber,
    /// Whether anything waits until `persist` is durable.
    pub(crate) sync: WaitForSync,
    /// What goes to the log.
    pub(crate) persist: LogWrite,
    /// May leave at once.
    pub(crate) messages: Vec<Outgoing>,
    /// Promise what is in this or an earlier `persist`: they leave when this number is persisted.
    pub(crate) persisted_messages: Vec<Outgoing>,
    /// The state is to be replaced by this snapshot, before anything else is applied. Its file must be durable
    /// before its message is given to `Node::step`, because `persist` cuts the log behind it.
    pub(crate) snapshot: Option<SnapshotMeta>,
    /// Committed and durable here; each index comes once, in order.
    pub(crate) committed: Vec<Committed>,
    /// Answers to `Node::read_index`.
    pub(crate) read_states: Vec<ReadState>,
}

/// An entry to apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Committed {
    /// Its position.
    pub(crate) index: LogIndex,
    /// The term of the leader that proposed it (PROTOCOL A1: another term in the entry makes it void).
    pub(crate) term: Term,
    /// What it says.
    pub(crate) entry: CommittedEntry,
}

/// What a committed entry says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommittedEntry {
    /// Nothing: the first entry of a leader.
    Empty,
    /// What was given to `Node::propose`.
    Data(Payload),
    /// What was given to `Node::propose_membership`; to be given to `Node::apply_membership`.
    Membership(MembershipChange),
}

/// The answer to `Node::read_index`: who has applied `index` may answer what was asked before (Raft thesis, 6.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReadState {
    /// To be applied first.
    pub(crate) index: LogIndex,
    /// The context of the question.
    pub(crate) context: Vec<u8>,
}

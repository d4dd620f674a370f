//! What an operator wants to see.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::ConfState;

/// What a member is at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// It follows, with or without a known leader.
    Follower,
    /// It asks whether it could win an election (Raft thesis, 9.6).
    PreCandidate,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
}

/// How the leader sends the log to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerState {
    /// It searches where the logs agree.
    Probe,
    /// It streams.
    Replicate,
    /// It waits for a snapshot to arrive.
    Snapshot,
}

/// How far a member is, as the leader knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PeerProgress {
    /// The member.
    pub(crate) member: Incarnation,
    /// The last entry that it is known to have on its disk.
    pub(crate) matched: LogIndex,
    /// How the log is sent to it.
    pub(crate) state: PeerState,
    /// Whether it was heard in the current election timeout.
    pub(crate) recently_active: bool,
}

/// A node's view of consensus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeStatus {
    /// Whose view.
    pub(crate) id: Incarnation,
    /// What it is.
    pub(crate) role: Role,
    /// In which term.
    pub(crate) term: Term,
    /// Whom it follows; itself if it leads.
    pub(crate) leader: Option<Incarnation>,
    /// Whom it voted for in this term.
    pub(crate) vote: Option<Incarnation>,
    /// The first entry in memory.
    pub(crate) first_index: LogIndex,
    /// The last entry of the log.
    pub(crate) last_index: LogIndex,
    /// The last entry that is durable here.
    pub(crate) persisted: LogIndex,
    /// The last entry that is known to be committed.
    pub(crate) committed: LogIndex,
    /// The last entry that is applied.
    pub(crate) applied: LogIndex,
    /// The members.
    pub(crate) conf_state: ConfState,
    /// To whom leadership is being transferred.
    pub(crate) transferring_to: Option<Incarnation>,
    /// How far the members are, by number; empty unless this one leads.
    pub(crate) peers: Vec<PeerProgress>,
}

//! What a node knows, for its callers and for operators.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::store::member_from_crate;
use crate::raft::{ConfState, LogPosition, Node};
use raft::{ProgressState, StateRole};

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

/// What it knows.
impl Node {
    /// Its number.
    pub(crate) fn id(&self) -> Incarnation {
        Incarnation(self.raw.raft.id)
    }

    /// Whether it leads.
    pub(crate) fn is_leader(&self) -> bool {
        self.raw.raft.state == StateRole::Leader
    }

    /// Whether it has a vote.
    pub(crate) fn is_voter(&self) -> bool {
        self.raw.raft.promotable()
    }

    /// Its term.
    pub(crate) fn term(&self) -> Term {
        Term(self.raw.raft.term)
    }

    /// Whom it follows; itself if it leads.
    pub(crate) fn leader(&self) -> Option<Incarnation> {
        member_from_crate(self.raw.raft.leader_id)
    }

    /// The last index that is known to be committed.
    pub(crate) fn committed(&self) -> LogIndex {
        LogIndex(self.raw.raft.raft_log.committed)
    }

    /// The last index of its log.
    pub(crate) fn last_index(&self) -> LogIndex {
        LogIndex(self.raw.raft.raft_log.last_index())
    }

    /// The last entry of its log, for the hello of PROTOCOL M3.
    pub(crate) fn last_position(&self) -> LogPosition {
        let log = &self.raw.raft.raft_log;
        LogPosition { index: LogIndex(log.last_index()), term: Term(log.last_term()) }
    }

    /// The term of an entry in memory: to check what a peer says was acknowledged to it (PROTOCOL M3).
    pub(crate) fn term_at(&self, index: LogIndex) -> Option<Term> {
        let log = &self.raw.raft.raft_log;
        let is_there = index.0 + 1 >= log.first_index() && index.0 <= log.last_index();
        log.term(index.0).ok().filter(|_| is_there).map(Term)
    }

    /// Whether it has applied an entry of its own term: only then may a leader evaluate anything (PROTOCOL L1).
    pub(crate) fn has_applied_in_term(&self) -> bool {
        self.raw.raft.apply_to_current_term()
    }

    /// The members, as far as changes are applied.
    pub(crate) fn conf_state(&self) -> ConfState {
        self.raw.store().conf_state()
    }

    /// To whom leadership is being transferred.
    pub(crate) fn transferring_to(&self) -> Option<Incarnation> {
        self.raw.raft.lead_transferee.map(Incarnation)
    }

    /// The last entry that `member` is known to have on its disk; only the leader knows.
    pub(crate) fn matched(&self, member: Incarnation) -> Option<LogIndex> {
        let peer = self.raw.raft.prs().get(member.0).filter(|_| self.is_leader());
        peer.map(|peer| LogIndex(peer.matched))
    }

    /// All of it, for operators.
    pub(crate) fn status(&self) -> NodeStatus {
        let raft = &self.raw.raft;
        NodeStatus {
            id: self.id(),
            role: match raft.state {
                StateRole::Follower => Role::Follower,
                StateRole::PreCandidate => Role::PreCandidate,
                StateRole::Candidate => Role::Candidate,
                StateRole::Leader => Role::Leader,
            },
            term: self.term(),
            leader: self.leader(),
            vote: member_from_crate(raft.vote),
            first_index: LogIndex(raft.raft_log.first_index()),
            last_index: self.last_index(),
            persisted: LogIndex(raft.raft_log.persisted),
            committed: self.committed(),
            applied: LogIndex(raft.raft_log.applied),
            conf_state: self.conf_state(),
            transferring_to: self.transferring_to(),
            peers: self.peers(),
        }
    }

    fn peers(&self) -> Vec<PeerProgress> {
        if !self.is_leader() {
            return Vec::new();
        }
        let mut peers: Vec<PeerProgress> = self
            .raw
            .raft
            .prs()
            .iter()
            .map(|(id, peer)| PeerProgress {
                member: Incarnation(*id),
                matched: LogIndex(peer.matched),
                state: match peer.state {
                    ProgressState::Probe => PeerState::Probe,
                    ProgressState::Replicate => PeerState::Replicate,
                    ProgressState::Snapshot => PeerState::Snapshot,
                },
                recently_active: peer.recent_active || *id == self.raw.raft.id,
            })
            .collect();
        peers.sort_unstable_by_key(|peer| peer.member);
        peers
    }
}

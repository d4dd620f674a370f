//! How a node starts, and from what it does not.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::base::limits::{
    RAFT_COMMITTED_BYTES_MAX, RAFT_INFLIGHT_MESSAGES_MAX, RAFT_MESSAGE_BYTES,
    RAFT_UNCOMMITTED_BYTES_MAX,
};
use crate::raft::election::NEVER;
use crate::raft::{EntryKind, HardState, LogEntry, LogPosition, MembershipChange, RecoveredLog};
use raft::Config;

/// How a node takes part.
#[derive(Debug, Clone)]
pub(crate) struct NodeConfig {
    /// Its number in the log.
    pub(crate) id: Incarnation,
    /// The voters of a log without a snapshot: the same on every member that starts so, and at every start until
    /// there is a snapshot. Empty for a member that will be sent one.
    pub(crate) voters: Vec<Incarnation>,
    /// Decides the election timeouts.
    pub(crate) seed: u64,
    /// Ticks without a leader after which a follower may stand for election; it waits up to twice as long.
    pub(crate) election_ticks: usize,
    /// Ticks between heartbeats.
    pub(crate) heartbeat_ticks: usize,
}

/// Why a node cannot start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NodeError {
    /// What was recovered contradicts itself; to start from it could break the promises of this member.
    #[error("the recovered log is inconsistent: {0}")]
    Inconsistent(String),
    /// The configuration makes no sense.
    #[error("the configuration of consensus is not usable: {0}")]
    Configuration(String),
}

/// The crate's configuration.
pub(super) fn crate_config(config: &NodeConfig, applied: LogIndex) -> Config {
    Config {
        id: config.id.0,
        election_tick: config.election_ticks,
        heartbeat_tick: config.heartbeat_ticks,
        // One value to draw from, which is never reached: see `ElectionTimeouts`.
        min_election_tick: NEVER,
        max_election_tick: NEVER.saturating_add(1),
        applied: applied.0,
        max_size_per_msg: RAFT_MESSAGE_BYTES,
        max_inflight_msgs: RAFT_INFLIGHT_MESSAGES_MAX,
        max_uncommitted_size: RAFT_UNCOMMITTED_BYTES_MAX,
        max_committed_size_per_ready: RAFT_COMMITTED_BYTES_MAX,
        check_quorum: true,
        pre_vote: true,
        ..Config::default()
    }
}

/// The crate panics on a log that contradicts itself; here it is an error.
pub(super) fn check_recovered(recovered: &RecoveredLog) -> Result<(), NodeError> {
    let inconsistent = |what: String| Err(NodeError::Inconsistent(what));
    if let Some(flaw) = recovered.snapshot.as_ref().and_then(|snapshot| snapshot.conf_state.flaw())
    {
        return inconsistent(format!("the members in the snapshot: {flaw}"));
    }
    let mut before = recovered.base();
    for entry in &recovered.entries {
        let LogEntry { index, term, kind, data } = entry;
        if index.0 != before.index.0 + 1 || *term < before.term || *term == Term(0) {
            return inconsistent(format!("entry {index} of term {term} follows {before:?}"));
        }
        if *kind == EntryKind::Membership
            && let Err(what) = MembershipChange::decode(data)
        {
            return inconsistent(format!("entry {index} is {what}"));
        }
        before = LogPosition { index: *index, term: *term };
    }
    let HardState { term, committed, .. } = recovered.hard_state;
    if committed > before.index {
        return inconsistent(format!("{committed} is committed, the log ends at {}", before.index));
    }
    if term < before.term {
        return inconsistent(format!("the term is {term}, the last entry's is {}", before.term));
    }
    Ok(())
}

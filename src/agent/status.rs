//! What readers and operators see of the agent.

use super::candidate::NodeCandidate;
use super::{Agent, Phase};
use crate::base::ids::{Incarnation, LogIndex};
use crate::base::limits::HISTORY_SHOWN_MAX;
use crate::base::time::{Now, WallTime};
use crate::datastore::store::Datastore;
use crate::netconf::state::{
    ClusterState, HistoryLine, LockState, MemberProgress, MemberState, NodePhase, View,
};
use crate::raft::{PeerState, Role};
use crate::replication::apply::data_digest;
use crate::replication::state::LockTarget;
use std::sync::Arc;

/// What is counted for operators.
#[derive(Debug, Default)]
pub(super) struct Facts {
    pub(super) committed: u64,
    pub(super) failed: u64,
    pub(super) last_commit: Option<WallTime>,
    pub(super) leadership_changes: u64,
    pub(super) last_leadership_change: Option<WallTime>,
    pub(super) snapshot_index: LogIndex,
    pub(super) join_progress: Option<(u64, u64)>,
}

impl Agent {
    pub(super) fn view(&mut self, now: Now) -> View {
        if std::mem::take(&mut self.sessions_changed) {
            let states = self.sessions.iter().map(|(id, session)| session.state(*id)).collect();
            self.session_states = Arc::new(states);
        }
        View {
            running: self.state.shared.clone(),
            candidate: self.candidate.as_ref().map(|candidate| candidate.tree().clone()),
            startup: None,
            sessions: Arc::clone(&self.session_states),
            locks: self.lock_states(),
            cluster: Arc::new(self.cluster_state(now)),
        }
    }

    fn lock_states(&self) -> Vec<LockState> {
        let running = self.state.lock(LockTarget::Running).map(|lock| LockState {
            datastore: Datastore::Running,
            session: lock.session.id,
            locked_time: lock.at,
        });
        let candidate = self.candidate.as_ref().and_then(NodeCandidate::lock_state);
        running.into_iter().chain(candidate).collect()
    }

    fn name_of(&self, incarnation: Incarnation) -> String {
        let member = self.state.member(incarnation);
        member.map_or_else(|| incarnation.to_string(), |member| member.name.clone())
    }

    fn cluster_state(&self, now: Now) -> ClusterState {
        let status = self.node.status();
        let parameters = &self.parameters;
        let facts = &self.facts;
        let charter = self.state.charter.as_ref();
        ClusterState {
            cluster_name: charter.map_or_else(String::new, |charter| charter.name.clone()),
            cluster_id: parameters.cluster.0,
            lineage: parameters.lineage.0,
            node_name: parameters.name.clone(),
            incarnation: parameters.incarnation.0,
            boot: parameters.boot.counter,
            phase: self.node_phase(),
            role: match status.role {
                Role::Leader => "leader",
                Role::Candidate => "candidate",
                Role::PreCandidate => "pre-candidate",
                Role::Follower if status.conf_state.learners.contains(&status.id) => "learner",
                Role::Follower => "follower",
            },
            term: status.term.0,
            leader: status.leader.map(|leader| self.name_of(leader)),
            voted_for: status.vote.map(|vote| self.name_of(vote)),
            policy: self.state.policy,
            first_index: status.first_index.0,
            last_index: status.last_index.0,
            last_term: self.node.last_position().term.0,
            commit_index: status.committed.0,
            applied_index: self.applied.0,
            snapshot_index: facts.snapshot_index.0,
            revision: self.state.revision.0,
            digest: data_digest(&self.state.shared, &parameters.schema).to_string(),
            schema_id: self.state.schema_id.to_string(),
            members: self.member_states(now, &status),
            committed: facts.committed,
            failed: facts.failed,
            queue: u64::try_from(self.leading.queue_length()).unwrap_or(u64::MAX),
            leadership_changes: facts.leadership_changes,
            last_leadership_change: facts.last_leadership_change,
            last_commit: facts.last_commit,
            join_progress: facts.join_progress,
            history: self.history(),
        }
    }

    fn node_phase(&self) -> NodePhase {
        match self.phase {
            Phase::Recovering if self.state.members.is_empty() && !self.peers.alone => {
                NodePhase::Joining
            }
            Phase::Recovering if self.node.leader().is_some() => NodePhase::Syncing,
            Phase::Recovering => NodePhase::Recovering,
            Phase::Starting => NodePhase::Subscribers,
            Phase::Ready if self.leaderless_since.is_some() => NodePhase::Stale,
            Phase::Ready => NodePhase::Ready,
            Phase::Stopped => NodePhase::Stopped,
        }
    }

    fn member_states(&self, now: Now, status: &crate::raft::NodeStatus) -> Vec<MemberState> {
        let state = |member: &crate::replication::state::Member| {
            let progress = status.peers.iter().find(|peer| peer.member == member.incarnation);
            let heard = self.peers.heard_at(member.incarnation);
            MemberState {
                name: member.name.clone(),
                incarnation: member.incarnation.0,
                address: member.address.clone(),
                voter: status.conf_state.voters.contains(&member.incarnation),
                active: self.is_active(now, member.incarnation),
                last_contact_ms: heard.map(|heard| now.monotonic.ms_since(heard)),
                progress: progress.map(|peer| MemberProgress {
                    matched: peer.matched.0,
                    lag: status.last_index.0.saturating_sub(peer.matched.0),
                    state: match peer.state {
                        PeerState::Probe => "probe",
                        PeerState::Replicate => "replicate",
                        PeerState::Snapshot => "snapshot",
                    },
                }),
            }
        };
        self.state.members.iter().map(state).collect()
    }

    fn history(&self) -> Vec<HistoryLine> {
        let newest = self.state.history.iter().rev().take(HISTORY_SHOWN_MAX);
        let line = |line: &crate::replication::state::Committed| HistoryLine {
            revision: line.revision.0,
            transaction: line.txid.map_or_else(String::new, |txid| txid.to_string()),
            user: line.user.clone(),
            session: line.session,
            at: line.at,
            origin: line.origin.clone(),
            comment: line.comment.clone(),
        };
        newest.map(line).collect()
    }
}

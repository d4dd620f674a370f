//! What readers and operators see of the agent.

use super::candidate::NodeCandidate;
use super::{Agent, Phase};
use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::base::limits::{HISTORY_SHOWN_MAX, KEEPALIVE_MS};
use crate::base::time::{Now, WallTime};
use crate::datastore::store::Datastore;
use crate::netconf::state::{
    AckDegraded, ClusterState, ClusterView, HistoryLine, LockState, MemberProgress, MemberState,
    NodePhase, View,
};
use crate::raft::{NodeStatus, PeerState, Role};
use crate::replication::apply::data_digest;
use crate::replication::state::{Committed, LockTarget, Member, State};
use crate::yang::schema::Schema;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A member that was heard within this time is active.
const ACTIVE_MS: u64 = KEEPALIVE_MS * 10;

/// What is counted for operators.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) committed: u64,
    pub(super) failed: u64,
    pub(super) ack_degraded: AckDegraded,
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
            cluster: Arc::new(self.cluster_view(now)),
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

    /// What the state of the cluster is made of, when somebody looks at it.
    fn cluster_view(&self, now: Now) -> ClusterView {
        let parameters = &self.parameters;
        let snapshot = Snapshot {
            cluster_id: parameters.cluster.0,
            lineage: parameters.lineage.0,
            node_name: parameters.name.clone(),
            boot: parameters.boot.counter,
            schema: Arc::clone(&parameters.schema),
            phase: self.node_phase(),
            status: self.node.status(),
            last_term: self.node.last_position().term,
            applied: self.applied,
            state: self.state.clone(),
            queue: self.leading.queue_length(),
            facts: self.facts.clone(),
            heard: self.peers.heard_all(now),
            connected: self.peers.connected().clone(),
        };
        ClusterView::new(move || snapshot.cluster_state())
    }

    fn node_phase(&self) -> NodePhase {
        match self.phase {
            Phase::Recovering if self.state.members.is_empty() && !self.peers.alone => {
                NodePhase::Joining
            }
            Phase::Recovering if self.node.leader().is_some() => NodePhase::Syncing,
            Phase::Recovering => NodePhase::Recovering,
            Phase::Starting => NodePhase::Subscribers,
            Phase::Ready if self.divergence.is_some() => NodePhase::Diverged,
            Phase::Ready if self.leaderless_since.is_some() => NodePhase::Stale,
            Phase::Ready => NodePhase::Ready,
            Phase::Quarantined => NodePhase::Quarantined,
            Phase::Stopped => NodePhase::Stopped,
        }
    }
}

/// The facts of one moment: cheap to take, since trees and maps are shared.
struct Snapshot {
    cluster_id: u128,
    lineage: u128,
    node_name: String,
    boot: u64,
    schema: Arc<Schema>,
    phase: NodePhase,
    status: NodeStatus,
    last_term: Term,
    applied: LogIndex,
    state: State,
    queue: usize,
    facts: Facts,
    /// How many ms ago the members were heard, where this node leads.
    heard: BTreeMap<Incarnation, u64>,
    connected: BTreeSet<Incarnation>,
}

impl Snapshot {
    fn name_of(&self, incarnation: Incarnation) -> String {
        let member = self.state.member(incarnation);
        member.map_or_else(|| incarnation.to_string(), |member| member.name.to_string())
    }

    fn role(&self) -> &'static str {
        match self.status.role {
            Role::Leader => "leader",
            Role::Candidate => "candidate",
            Role::PreCandidate => "pre-candidate",
            Role::Follower if self.status.conf_state.learners.contains(&self.status.id) => {
                "learner"
            }
            Role::Follower => "follower",
        }
    }

    fn cluster_state(&self) -> ClusterState {
        let Self { state, status, facts, .. } = self;
        let charter = state.charter.as_ref();
        ClusterState {
            cluster_name: charter.map_or_else(String::new, |charter| charter.name.clone()),
            cluster_id: self.cluster_id,
            lineage: self.lineage,
            node_name: self.node_name.clone(),
            incarnation: status.id.0,
            boot: self.boot,
            phase: self.phase,
            role: self.role(),
            term: status.term.0,
            leader: status.leader.map(|leader| self.name_of(leader)),
            voted_for: status.vote.map(|vote| self.name_of(vote)),
            policy: state.policy,
            first_index: status.first_index.0,
            last_index: status.last_index.0,
            last_term: self.last_term.0,
            commit_index: status.committed.0,
            applied_index: self.applied.0,
            snapshot_index: facts.snapshot_index.0,
            revision: state.revision.0,
            digest: data_digest(&state.shared, &self.schema).to_string(),
            schema_id: state.schema_id.to_string(),
            outgoing_voters: (status.conf_state.voters_outgoing.iter())
                .map(|voter| self.name_of(*voter))
                .collect(),
            members: state.members.iter().map(|member| self.member_state(member)).collect(),
            committed: facts.committed,
            failed: facts.failed,
            ack_degraded: facts.ack_degraded.clone(),
            queue: u64::try_from(self.queue).unwrap_or(u64::MAX),
            leadership_changes: facts.leadership_changes,
            last_leadership_change: facts.last_leadership_change,
            last_commit: facts.last_commit,
            join_progress: facts.join_progress,
            history: state
                .history
                .iter()
                .rev()
                .take(HISTORY_SHOWN_MAX)
                .map(|line| history_line(line))
                .collect(),
        }
    }

    fn member_state(&self, member: &Member) -> MemberState {
        let status = &self.status;
        let progress = status.peers.iter().find(|peer| peer.member == member.incarnation);
        let heard = self.heard.get(&member.incarnation).copied();
        let own = member.incarnation == status.id;
        let connected = self.connected.contains(&member.incarnation);
        MemberState {
            name: member.name.to_string(),
            incarnation: member.incarnation.0,
            address: member.address.to_string(),
            voter: status.conf_state.voters.contains(&member.incarnation),
            active: own || heard.map_or(connected, |ms| ms <= ACTIVE_MS),
            last_contact_ms: heard,
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
    }
}

fn history_line(line: &Committed) -> HistoryLine {
    HistoryLine {
        number: line.number,
        revision: line.revision.0,
        transaction: line.txid.map_or_else(String::new, |txid| txid.to_string()),
        user: line.user.to_string(),
        session: line.session,
        at: line.at,
        origin: line.origin.to_string(),
        comment: line.comment.clone(),
    }
}

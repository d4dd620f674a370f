//! What sessions read: the facts of this moment, immutable and shared.

use crate::base::ids::SessionId;
use crate::base::time::WallTime;
use crate::datastore::store::Datastore;
use crate::yang::tree::Tree;
use std::sync::{Arc, LazyLock};

/// The agent's published state. A reader takes the pointer and reads at leisure.
#[derive(Debug, Clone)]
pub(crate) struct View {
    pub(crate) running: Tree,
    /// `None` where the candidate is switched off.
    pub(crate) candidate: Option<Tree>,
    pub(crate) startup: Option<Tree>,
    /// Open sessions by id.
    pub(crate) sessions: Arc<Vec<SessionState>>,
    pub(crate) locks: Vec<LockState>,
    pub(crate) cluster: Arc<ClusterView>,
}

/// The state of the cluster, put together when somebody first looks at it: a view is made for each batch of commits.
pub(crate) struct ClusterView(LazyLock<ClusterState, Box<dyn FnOnce() -> ClusterState + Send>>);

impl ClusterView {
    /// What `state` gives, once.
    pub(crate) fn new(state: impl FnOnce() -> ClusterState + Send + 'static) -> Self {
        Self(LazyLock::new(Box::new(state)))
    }
}

impl Default for ClusterView {
    fn default() -> Self {
        Self::new(ClusterState::default)
    }
}

impl std::ops::Deref for ClusterView {
    type Target = ClusterState;

    fn deref(&self) -> &ClusterState {
        &self.0
    }
}

impl std::fmt::Debug for ClusterView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterView").finish_non_exhaustive()
    }
}

/// The cluster as this node sees it, from memory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ClusterState {
    /// Empty before `cluster-init`.
    pub(crate) cluster_name: String,
    pub(crate) cluster_id: u128,
    pub(crate) lineage: u128,
    pub(crate) node_name: String,
    pub(crate) incarnation: u64,
    pub(crate) boot: u64,
    pub(crate) phase: NodePhase,
    pub(crate) role: &'static str,
    pub(crate) term: u64,
    pub(crate) leader: Option<String>,
    pub(crate) voted_for: Option<String>,
    pub(crate) policy: crate::base::policy::Policy,
    pub(crate) first_index: u64,
    pub(crate) last_index: u64,
    pub(crate) last_term: u64,
    pub(crate) commit_index: u64,
    pub(crate) applied_index: u64,
    pub(crate) snapshot_index: u64,
    pub(crate) revision: u64,
    /// Of the configuration; hexadecimal.
    pub(crate) digest: String,
    pub(crate) schema_id: String,
    /// Who voted before, by name, while a joint change of members is not left.
    pub(crate) outgoing_voters: Vec<String>,
    pub(crate) members: Vec<MemberState>,
    pub(crate) committed: u64,
    pub(crate) failed: u64,
    pub(crate) queue: u64,
    pub(crate) ack_degraded: AckDegraded,
    pub(crate) leadership_changes: u64,
    pub(crate) last_leadership_change: Option<WallTime>,
    pub(crate) last_commit: Option<WallTime>,
    /// Bytes of a snapshot that have arrived, of how many, while the node joins.
    pub(crate) join_progress: Option<(u64, u64)>,
    pub(crate) history: Vec<HistoryLine>,
}

/// Ok that came before every member had confirmed what the policy says that it has.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AckDegraded {
    pub(crate) count: u64,
    pub(crate) last: Option<WallTime>,
    /// The members without which the last one came, by name; nobody where that is not known.
    pub(crate) missing: Vec<String>,
}

/// How far a node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum NodePhase {
    #[default]
    Recovering,
    Joining,
    Syncing,
    Subscribers,
    Ready,
    /// Without a leader: reads only, if at all.
    Stale,
    /// Its data are not what the log states: it answers no reads and takes the data of the others.
    Diverged,
    /// Its disk is an older copy than it should have: it gives up its seat for another.
    Quarantined,
    Stopped,
}

/// A member of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberState {
    pub(crate) name: String,
    pub(crate) incarnation: u64,
    pub(crate) address: String,
    pub(crate) voter: bool,
    /// It has been heard lately.
    pub(crate) active: bool,
    pub(crate) last_contact_ms: Option<u64>,
    /// Only where this node leads.
    pub(crate) progress: Option<MemberProgress>,
}

/// How far a member is, as the leader knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MemberProgress {
    pub(crate) matched: u64,
    pub(crate) lag: u64,
    /// `probe`, `replicate` or `snapshot`.
    pub(crate) state: &'static str,
}

/// One line of the commit history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HistoryLine {
    pub(crate) number: u64,
    pub(crate) revision: u64,
    pub(crate) transaction: String,
    pub(crate) user: String,
    pub(crate) session: Option<SessionId>,
    pub(crate) at: WallTime,
    pub(crate) origin: String,
    pub(crate) comment: Option<String>,
}

/// One open session (RFC 6022, 2.1.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionState {
    pub(crate) id: SessionId,
    pub(crate) transport: Transport,
    pub(crate) user: String,
    /// An address, or nothing for the local socket.
    pub(crate) source_host: Option<String>,
    pub(crate) login_time: WallTime,
    /// RFC 6022's per-session statistics, counted by the session's task.
    pub(crate) counters: Arc<Counters>,
}

/// RFC 6022, 2.1.5 (`common-counters`).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) in_rpcs: std::sync::atomic::AtomicU32,
    pub(crate) in_bad_rpcs: std::sync::atomic::AtomicU32,
    pub(crate) out_rpc_errors: std::sync::atomic::AtomicU32,
    pub(crate) out_notifications: std::sync::atomic::AtomicU32,
}

impl PartialEq for Counters {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Counters {}

/// How a session reaches us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum Transport {
    Ssh,
    /// The local socket.
    Unix,
}

/// A held global lock (RFC 6022, 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LockState {
    pub(crate) datastore: Datastore,
    pub(crate) session: SessionId,
    pub(crate) locked_time: WallTime,
}

/// RFC 6022, 2.1.5: what all sessions of this node have done since it was started.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    pub(crate) start_time: WallTime,
    pub(crate) in_bad_hellos: std::sync::atomic::AtomicU32,
    pub(crate) in_sessions: std::sync::atomic::AtomicU32,
    pub(crate) dropped_sessions: std::sync::atomic::AtomicU32,
    /// The sums over all sessions, ended ones included.
    pub(crate) counters: Counters,
}

impl Statistics {
    /// Nothing has happened yet; `start_time` is now.
    pub(crate) fn new(start_time: WallTime) -> Self {
        Self { start_time, ..Self::default() }
    }

    /// A session ended neither by close-session nor by kill-session. (Also one that never said hello.)
    pub(crate) fn session_dropped(&self) {
        count(&self.dropped_sessions);
    }
}

/// One more. At the maximum it begins anew, as RFC 6022 has it.
pub(super) fn count(counter: &std::sync::atomic::AtomicU32) {
    counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
}

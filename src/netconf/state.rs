//! What sessions read: the facts of this moment, immutable and shared.

use crate::base::ids::SessionId;
use crate::base::time::WallTime;
use crate::datastore::store::Datastore;
use crate::yang::tree::Tree;
use std::sync::Arc;

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

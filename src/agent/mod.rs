//! The one decision maker: events in by `step`, effects out by `take_effects`. No clock, no chance, no socket, no file.
//!
//! A node starts in `Recovering` (its log is applied), proposes `NodeUp`, ends what a restart ends, and is `Ready`:
//! then NETCONF opens. Requests on the candidate are decided here and now; requests on running become entries that
//! are evaluated on the `head`, the state after everything proposed, and answered when they are applied.

pub(crate) mod effects;
pub(crate) mod event;

mod applied;
mod candidate;
mod fault;
mod head;
#[cfg(any(test, feature = "sim"))]
pub(crate) mod inspect;
mod requests;
mod sessions;
pub(crate) mod slot;
mod start;
mod transactions;

#[cfg(test)]
mod tests;

use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::{Boot, Incarnation, LogIndex, Revision, SessionId, Term, TxId};
use crate::base::time::{Now, Timestamp};
use crate::datastore::edit::Edit;
use crate::datastore::store::Datastores;
use crate::netconf::state::{LockState, SessionState, View};
use crate::raft::{Delivery, LogPosition, Ready, ReadyNumber, SnapshotMeta};
use crate::replication::message::PeerMessage;
use crate::replication::state::{LockTarget, State};
use crate::yang::schema::Schema;
use candidate::NodeCandidate;
use effects::{Effects, Persist};
use event::{Answer, ReplyTo, SessionEvent};
use head::Head;
use sessions::Session;
use slot::{Registration, SlotQueue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who this node is and what it serves.
#[derive(Clone)]
pub(crate) struct Parameters {
    pub(crate) schema: Arc<Schema>,
    pub(crate) incarnation: Incarnation,
    pub(crate) boot: Boot,
    pub(crate) name: String,
    pub(crate) datastores: Datastores,
    pub(crate) sessions_max: usize,
    /// Content for an empty running datastore.
    pub(crate) initial: Option<Edit>,
    /// In-process participants, by number.
    pub(crate) participants: Vec<Registration>,
}

/// Whether the disk takes more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StorageSpace {
    Enough,
    /// Changes by clients are refused; what undoes or releases is not.
    Full,
}

/// How far the node has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Applying what the log holds.
    Recovering,
    /// Its own `NodeUp` is on the way, then what a restart ends, then the initial content.
    Starting,
    Ready,
    /// The log or the models do not let it go on. Nothing is applied or decided any more.
    Stopped,
}

/// The agent.
///
/// Invariant: `state` is what the log has made, durable; `head.state` is that and everything proposed since. No
/// answer leaves that depends on the difference.
pub(crate) struct Agent {
    parameters: Parameters,
    node: crate::raft::Node,
    state: State,
    applied: LogIndex,
    applied_term: Term,
    head: Head,
    phase: Phase,
    sessions: BTreeMap<SessionId, Session>,
    /// Wire ids that this boot may still give: from the first to below the second.
    session_ids: (u32, u32),
    /// More are on their way through the log.
    session_ids_asked: bool,
    candidate: Option<NodeCandidate>,
    pending: BTreeMap<TxId, Pending>,
    next_seq: u64,
    /// Answers that wait until the entry at an index is applied.
    barriers: BTreeMap<LogIndex, Vec<(ReplyTo, Answer)>>,
    slots: SlotQueue,
    /// When the pending confirmed commit was applied here (its timer), by its generation.
    confirmed_since: Option<(LogIndex, Timestamp)>,
    storage: StorageSpace,
    view_is_stale: bool,
    sessions_changed: bool,
    session_states: Arc<Vec<SessionState>>,
    effects: Effects,
}

/// A proposed transaction of this node.
#[derive(Debug)]
struct Pending {
    /// Nobody waits for what the agent itself decided.
    reply: Option<ReplyTo>,
    /// It commits the candidate.
    candidate: bool,
}

impl Agent {
    /// An agent over a recovered log. `state` is that of the snapshot, or the empty one, at `applied`.
    pub(crate) fn new(
        parameters: Parameters,
        node: crate::raft::Node,
        state: State,
        applied: LogPosition,
    ) -> Self {
        let candidate = parameters
            .datastores
            .may_commit()
            .then(|| NodeCandidate::new(state.revision, &state.shared));
        Self {
            slots: SlotQueue::new(parameters.participants.clone()),
            parameters,
            node,
            state,
            applied: applied.index,
            applied_term: applied.term,
            head: Head::default(),
            phase: Phase::Recovering,
            sessions: BTreeMap::new(),
            session_ids: (0, 0),
            session_ids_asked: false,
            candidate,
            pending: BTreeMap::new(),
            next_seq: 1,
            barriers: BTreeMap::new(),
            confirmed_since: None,
            storage: StorageSpace::Enough,
            view_is_stale: true,
            sessions_changed: true,
            session_states: Arc::default(),
            effects: Effects::default(),
        }
    }

    /// Begins: a cluster of one elects itself.
    pub(crate) fn start(&mut self) {
        self.node.campaign();
    }

    /// Takes in what a session wants. The answer comes with the effects of this step or of a later one.
    pub(crate) fn step(&mut self, now: Now, reply: ReplyTo, event: SessionEvent) {
        match event {
            SessionEvent::Open(client) => self.open_session(reply, client),
            SessionEvent::Request { session, message_id, request } => {
                tracing::debug!(session = session.id.0, message_id, "request");
                self.request(now, (reply, session), request);
            }
            SessionEvent::Cluster { .. } | SessionEvent::Join(_) => {
                self.answer(reply, Answer::Refused("not yet".to_owned()));
            }
            SessionEvent::Ended(session) => self.end_session(now, session, Some(reply)),
        }
    }

    /// Takes in a message of the member that the connection is authenticated for.
    pub(crate) fn peer(&mut self, _now: Now, _from: Incarnation, _message: PeerMessage) {}

    /// A connection to the member is there, in both lanes.
    pub(crate) fn peer_connected(&mut self, _now: Now, _peer: Incarnation) {}

    /// The connection to the member broke. It was reset, or nothing was heard in time.
    pub(crate) fn peer_lost(&mut self, _now: Now, _peer: Incarnation) {}

    /// Takes in a snapshot that has arrived from `from` and is durable, with the state that it holds and the frame
    /// that came after it.
    pub(crate) fn snapshot_arrived(
        &mut self,
        _now: Now,
        _from: Incarnation,
        _meta: SnapshotMeta,
        _state: State,
        _frame: &[u8],
    ) {
    }

    /// How the sending of a snapshot ended.
    pub(crate) fn snapshot_sent(&mut self, _now: Now, _to: Incarnation, _delivery: Delivery) {}

    /// Bytes of a snapshot that have arrived, of how many: for the operator.
    pub(crate) fn snapshot_progress(&mut self, _arrived: u64, _of: u64) {}

    /// Takes in what a participant answers to a call.
    pub(crate) fn hook_answered(&mut self, now: Now, call: CallId, answer: HookAnswer) {
        self.slot_answered(now, call, answer);
    }

    /// Takes in that the write `number` is durable.
    pub(crate) fn persisted(&mut self, number: ReadyNumber) {
        self.node.persisted(number);
    }

    /// Takes in that time has passed: to be called at `wake_at` or later.
    pub(crate) fn tick(&mut self, now: Now) {
        self.slot_deadline(now);
        self.duties(now);
    }

    /// When `tick` has something to do.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        let rollback = self.rollback_due();
        let slot = self.slots.deadline();
        match (rollback, slot) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// What is to be done now.
    pub(crate) fn take_effects(&mut self, now: Now) -> Effects {
        while let Some(ready) = self.node.ready() {
            for committed in &ready.committed {
                self.apply_committed(now, committed);
            }
            let Ready { number, sync, persist: write, messages, persisted_messages, .. } = ready;
            let alone = messages.is_empty() && persisted_messages.is_empty();
            assert!(alone, "a cluster of one has nobody to send messages to");
            assert!(ready.snapshot.is_none(), "nobody sends snapshots to a cluster of one");
            assert!(ready.read_states.is_empty(), "no read index is asked for");
            self.effects.persist.push(Persist { number, sync, write });
            self.duties(now);
        }
        if self.view_is_stale && self.phase == Phase::Ready {
            self.effects.view = Some(Arc::new(self.view()));
            self.view_is_stale = false;
        }
        std::mem::take(&mut self.effects)
    }

    /// Takes in how the disk is.
    pub(crate) fn set_storage(&mut self, storage: StorageSpace) {
        self.storage = storage;
    }

    /// How the disk was last said to be.
    pub(crate) fn storage(&self) -> StorageSpace {
        self.storage
    }

    /// What a snapshot taken now stands for and holds.
    pub(crate) fn snapshot(&self) -> (SnapshotMeta, State) {
        let position = LogPosition { index: self.applied, term: self.applied_term };
        let meta = SnapshotMeta { position, conf_state: self.node.conf_state() };
        (meta, self.state.clone())
    }

    /// A snapshot up to `index` is durable: the log before it is not needed any more.
    pub(crate) fn snapshot_written(&mut self, index: LogIndex) {
        self.node.compact(index);
    }

    fn view(&mut self) -> View {
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
            cluster: Arc::default(),
        }
    }

    fn lock_states(&self) -> Vec<LockState> {
        let running = self.state.lock(LockTarget::Running).map(|lock| LockState {
            datastore: crate::datastore::store::Datastore::Running,
            session: lock.session.id,
            locked_time: lock.at,
        });
        let candidate = self.candidate.as_ref().and_then(NodeCandidate::lock_state);
        running.into_iter().chain(candidate).collect()
    }

    fn answer(&mut self, reply: ReplyTo, answer: Answer) {
        self.effects.answers.push((reply, answer));
    }

    /// Answers when everything that the head has seen is durable, so that the answer rests on nothing that a crash
    /// takes back (PROTOCOL F5).
    fn answer_on_head(&mut self, reply: ReplyTo, answer: Answer) {
        match self.head.last_index() {
            Some(index) => self.barriers.entry(index).or_default().push((reply, answer)),
            None => self.answer(reply, answer),
        }
    }

    fn revision_of_head(&self) -> Revision {
        self.head.state().map_or(self.state.revision, |state| state.revision)
    }
}

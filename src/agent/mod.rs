//! The one decision maker: events in by `step`, effects out by `take_effects`. No clock, no chance, no socket, no file.
//!
//! A node starts in `Recovering` (its log is applied), proposes `NodeUp`, ends what a restart ends, and is `Ready`:
//! then NETCONF opens. Requests on the candidate are decided here and now; requests on running become entries that
//! are evaluated on the `head`, the state after everything proposed, and answered when they are applied.

pub(crate) mod effects;
pub(crate) mod event;

mod applied;
mod asked;
mod candidate;
mod control;
mod departure;
mod divergence;
mod duties;
mod fault;
mod head;
#[cfg(any(test, feature = "sim"))]
pub(crate) mod inspect;
mod kill;
mod leading;
mod member;
mod origin;
mod peers;
mod quarantine;
mod reads;
mod requests;
mod sessions;
pub(crate) mod slot;
pub(crate) mod start;
mod status;
pub(crate) mod strain;
mod transactions;
mod votes;

#[cfg(test)]
mod tests;

use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::{
    Boot, ClusterId, Digest, Incarnation, Lineage, LogIndex, SessionId, Term, TxId,
};
use crate::base::limits::ACK_TIMEOUT_MS;
use crate::base::rules::{Rule, Rules};
use crate::base::time::{Now, Timestamp};
use crate::datastore::edit::Edit;
use crate::datastore::store::Datastores;
use crate::netconf::state::SessionState;
use crate::raft::{
    Committed, Delivery, LogPosition, Payload, Ready, ReadyNumber, SnapshotMeta, StepError,
};
use crate::replication::message::PeerMessage;
use crate::replication::state::State;
use crate::yang::schema::Schema;
use crate::yang::validate::Index;
use candidate::NodeCandidate;
use divergence::{Claim, Divergence, Heard};
use effects::{Effects, Persist};
use event::{Answer, ReplyTo, SessionEvent};
use head::Head;
use kill::Kill;
use leading::{Ack, Conclusion, Leading};
use member::Participants;
use origin::Pending;
use peers::Peers;
use reads::Reads;
use sessions::Session;
use slot::{Registration, SlotQueue};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use strain::Strain;

/// Who this node is and what it serves.
#[derive(Clone)]
pub(crate) struct Parameters {
    pub(crate) schema: Arc<Schema>,
    pub(crate) cluster: ClusterId,
    pub(crate) lineage: Lineage,
    pub(crate) incarnation: Incarnation,
    pub(crate) boot: Boot,
    pub(crate) name: String,
    /// `host:port` at which other members reach this one; empty if it is where the members know it to be.
    pub(crate) address: String,
    /// Of the token with which this node joins again, should it be quarantined.
    pub(crate) rejoin_secret: [u8; 16],
    pub(crate) datastores: Datastores,
    pub(crate) sessions_max: usize,
    /// Milliseconds of silence after which, if this node leads, what a member's sessions hold is released.
    pub(crate) session_lease_ms: u64,
    /// Content for an empty running datastore.
    pub(crate) initial: Option<Edit>,
    /// In-process participants, by number.
    pub(crate) participants: Vec<Registration>,
    pub(crate) rules: Rules,
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
    /// Its disk is an older copy: it takes no part any more, and asks for another seat.
    Quarantined,
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
    leading: Leading,
    /// When this node began to lead.
    leading_since: Timestamp,
    /// Term and leader when they were last looked at, and since when there is no leader.
    watched: (Term, Option<Incarnation>),
    leaderless_since: Option<Timestamp>,
    peers: Peers,
    participants: Participants,
    phase: Phase,
    sessions: BTreeMap<SessionId, Session>,
    kills: Vec<Kill>,
    reads: Reads,
    /// Wire ids that this boot may still give: from the first to below the second.
    session_ids: (u32, u32),
    /// More are on their way through the log.
    session_ids_asked: bool,
    candidate: Option<NodeCandidate>,
    pending: BTreeMap<TxId, Pending>,
    /// Those of them that change nothing, and wait until what they were compared with is applied here.
    unchanged: Vec<TxId>,
    next_seq: u64,
    /// Secrets of tokens that this node is making.
    token_secrets: BTreeMap<Digest, [u8; 16]>,
    /// When the pending confirmed commit was applied here (its timer), by its generation.
    confirmed_since: Option<(LogIndex, Timestamp)>,
    /// The data of this member are not what the log states.
    divergence: Option<Divergence>,
    /// This node's removal and what was committed after it, while it stays for the others.
    departure: VecDeque<Committed>,
    /// Other members whose data are not.
    claims: BTreeMap<Incarnation, Heard>,
    /// When this member last took the data of the others.
    rebuilt_at: Option<Timestamp>,
    /// When a quarantined member says so again.
    say_quarantined_at: Timestamp,
    /// The last snapshot that a member has sent since the start: up to there the data are those of the others.
    received: LogIndex,
    /// What a majority went on with last, and when this member said so.
    passed: Option<(Claim, Timestamp)>,
    /// The digest with which a majority goes on, for the entry that is applied next.
    settled: Option<Digest>,
    /// A snapshot that has arrived and is to replace the state.
    incoming: Option<(SnapshotMeta, State)>,
    storage: StorageSpace,
    /// Of the running configuration, or of one that it is to become: validation takes it from there.
    index: Index,
    strain: Strain,
    view_is_stale: bool,
    sessions_changed: bool,
    session_states: Arc<Vec<SessionState>>,
    facts: status::Facts,
    effects: Effects,
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
        let participants = Participants::new(parameters.participants.clone());
        let index = Index::empty(state.shared.seed);
        Self {
            parameters,
            node,
            state,
            applied: applied.index,
            applied_term: applied.term,
            head: Head::default(),
            leading: Leading::new(SlotQueue::new()),
            leading_since: Timestamp::default(),
            watched: (Term(0), None),
            leaderless_since: None,
            peers: Peers::new(true),
            participants,
            phase: Phase::Recovering,
            sessions: BTreeMap::new(),
            kills: Vec::new(),
            reads: Reads::default(),
            session_ids: (0, 0),
            session_ids_asked: false,
            candidate,
            pending: BTreeMap::new(),
            unchanged: Vec::new(),
            next_seq: 1,
            token_secrets: BTreeMap::new(),
            confirmed_since: None,
            divergence: None,
            departure: VecDeque::new(),
            claims: BTreeMap::new(),
            rebuilt_at: None,
            say_quarantined_at: Timestamp::default(),
            received: LogIndex(0),
            passed: None,
            settled: None,
            incoming: None,
            storage: StorageSpace::Enough,
            index,
            strain: Strain::new(),
            view_is_stale: true,
            sessions_changed: true,
            session_states: Arc::default(),
            facts: status::Facts { snapshot_index: applied.index, ..Default::default() },
            effects: Effects::default(),
        }
    }

    /// Begins: a cluster of one elects itself; a member of several waits to hear of a leader.
    pub(crate) fn start(&mut self, now: Now) {
        self.seats_changed();
        self.pass_time(now);
        self.leaderless_since = Some(now.monotonic);
        if self.peers.alone {
            self.node.campaign();
        }
        self.announce(now);
    }

    /// Takes in what a session wants. The answer comes with the effects of this step or of a later one.
    pub(crate) fn step(&mut self, now: Now, reply: ReplyTo, event: SessionEvent) {
        if self.phase == Phase::Quarantined {
            return self.step_quarantined(now, reply, event);
        }
        match event {
            SessionEvent::Open(client) => self.open_session(now, reply, client),
            SessionEvent::Request { session, message_id, request, transaction } => {
                tracing::debug!(session = session.id.0, message_id, "request");
                self.note_request(session, message_id, transaction);
                self.request(now, (reply, session), request);
            }
            SessionEvent::Cluster { session, message_id, request, transaction, fresh } => {
                tracing::debug!(session = session.id.0, message_id, "request");
                self.note_request(session, message_id, transaction);
                self.cluster_request(now, (reply, session), request, fresh);
            }
            SessionEvent::Read { wait_ms } => self.read(now, reply, wait_ms),
            SessionEvent::Join(join) => self.join_request(now, reply, join),
            SessionEvent::Ended(session) => self.end_session(now, session, Some(reply)),
        }
        self.look_around(now);
    }

    /// Takes in a message of the member that the connection is authenticated for.
    pub(crate) fn peer(&mut self, now: Now, from: Incarnation, message: PeerMessage) {
        if self.phase == Phase::Quarantined && message == PeerMessage::Removed {
            return self.give_up(
                "its seat is given up: start it again, and it joins by itself".to_owned(),
            );
        }
        if !self.takes_part() {
            return;
        }
        match message {
            PeerMessage::Consensus { frame, large, .. } => {
                self.consensus_came(from, &frame, large);
            }
            PeerMessage::Hello { boot, you_acked, .. } => self.heard_hello(from, boot, you_acked),
            PeerMessage::Keepalive(keepalive) => self.heard_keepalive(now, from, &keepalive),
            PeerMessage::KeepaliveOk(ok) => self.heard_keepalive_ok(now, &ok),
            PeerMessage::Applied { index } => self.heard_applied(now, from, index),
            PeerMessage::Request(request) => self.take_request(now, from, *request),
            PeerMessage::Abort { txid, term, errors } => {
                let conclusion = Conclusion::Abort(fault::decode(&errors));
                self.concluded(now, txid, term, conclusion);
            }
            PeerMessage::Unchanged { txid, term, read_index } => {
                self.concluded(now, txid, term, Conclusion::Unchanged(read_index));
            }
            PeerMessage::AckDone { txid, missing } => self.acknowledged(now, txid, Some(&missing)),
            PeerMessage::AwaitAck { txid, index, within_ms } => {
                if self.node.is_leader() && txid.incarnation == from {
                    let until = now.monotonic.plus_ms(within_ms.min(ACK_TIMEOUT_MS));
                    self.wait_for_members(now, Ack { txid, index, until });
                }
            }
            PeerMessage::Prepare(prepare) => self.prepare(now, from, *prepare),
            PeerMessage::Vote { term, slot, ask, verdict } => {
                if self.leading_term() == Some(term) {
                    self.member_said(now, from, (slot, ask), verdict);
                }
            }
            PeerMessage::SlotAbort { term, slot } => self.slot_aborted(now, term, slot),
            PeerMessage::Removed => self.was_removed(now),
            PeerMessage::SessionQuery { session } => self.session_queried(from, session),
            PeerMessage::SessionIs { session, open } => self.session_is(now, from, session, open),
            PeerMessage::Working => self.node.is_at_work(from),
            PeerMessage::Diverged { index, found } => {
                self.heard_divergence(now, from, Claim { index, found });
            }
            PeerMessage::Rebuild { index } => self.may_rebuild(now, from, index),
            PeerMessage::Restored => {
                self.quarantine(
                    "the log knows a later life of this member: its disk is an older copy",
                );
            }
            PeerMessage::Quarantined { token } => self.replace_member(now, from, token),
        }
        self.look_around(now);
    }

    fn consensus_came(&mut self, from: Incarnation, frame: &[u8], large: Vec<Payload>) {
        match self.node.step(from, frame, large) {
            Ok(()) => {}
            Err(error @ (StepError::LogLost { .. } | StepError::CommittedConflict { .. })) => {
                self.quarantine(&error.to_string());
            }
            Err(error) => tracing::debug!(%error, "a frame was dropped"),
        }
    }

    /// A connection to the member is there, in both lanes.
    pub(crate) fn peer_connected(&mut self, now: Now, peer: Incarnation) {
        // The first goodbye is lost if its connection ends with the seat.
        let is_member = |incarnation| self.state.member(incarnation).is_some();
        let had_a_seat = peer.0 < self.state.next_incarnation;
        if is_member(self.parameters.incarnation) && had_a_seat && !is_member(peer) {
            self.say_goodbye(peer);
        }
        self.greet(now, peer);
        self.look_around(now);
    }

    /// The connection to the member broke. It was reset, or nothing was heard in time.
    pub(crate) fn peer_lost(&mut self, now: Now, peer: Incarnation) {
        self.lose(now, peer);
        self.look_around(now);
    }

    /// Takes in a snapshot that has arrived from `from` and is durable, with the state that it holds and the frame
    /// that came after it.
    pub(crate) fn snapshot_arrived(
        &mut self,
        now: Now,
        from: Incarnation,
        snapshot: (SnapshotMeta, State),
        frame: &[u8],
    ) {
        self.consensus_came(from, frame, Vec::new());
        // One of a leader of before may arrive beside that of the leader, and be newer: consensus says which it takes.
        if self.node.pending_snapshot() == Some(snapshot.0.position) {
            self.incoming = Some(snapshot);
        }
        self.look_around(now);
    }

    /// How the sending of a snapshot ended.
    pub(crate) fn snapshot_sent(&mut self, now: Now, to: Incarnation, delivery: Delivery) {
        self.delivered(to, delivery);
        self.look_around(now);
    }

    /// Bytes of a snapshot that have arrived, of how many: for the operator.
    pub(crate) fn snapshot_progress(&mut self, arrived: u64, of: u64) {
        self.facts.join_progress = Some((arrived, of));
        self.view_is_stale = true;
    }

    /// Takes in what a participant answers to a call.
    pub(crate) fn hook_answered(&mut self, now: Now, call: CallId, answer: HookAnswer) {
        self.participant_answered(now, call, answer);
    }

    /// Takes in that the write `number` is durable.
    pub(crate) fn persisted(&mut self, number: ReadyNumber) {
        self.node.persisted(number);
    }

    /// Takes in that time has passed: to be called at `wake_at` or later.
    pub(crate) fn tick(&mut self, now: Now) {
        if !self.takes_part() {
            self.peers.ticked_to(now);
            return self.say_quarantined(now);
        }
        self.pass_time(now);
        self.slot_deadline(now);
        self.participant_deadline(now);
        self.look_around(now);
        self.look_after_pending(now);
        self.look_after_acks(now);
        self.look_after_late_acks(now);
        self.look_after_kills(now);
        self.look_after_reads(now);
        self.look_after_divergence(now);
        self.duties(now);
    }

    /// When `tick` has something to do.
    pub(crate) fn wake_at(&self, now: Now) -> Option<Timestamp> {
        if !self.takes_part() {
            return Some(self.say_quarantined_at);
        }
        let due = [
            self.tick_due(),
            self.rollback_due(now),
            self.leading.slots.deadline(),
            self.participants.deadline(),
            self.pending_due(),
            self.ack_due(now),
            self.kill_due(),
            self.reads_due(),
        ];
        due.into_iter().flatten().min()
    }

    /// What is to be done now.
    pub(crate) fn take_effects(&mut self, now: Now) -> Effects {
        self.ask_read_index(now);
        self.ask_for_reads(now);
        while self.takes_part()
            && let Some(ready) = self.node.ready()
        {
            self.take_ready(now, ready);
            self.look_around(now);
            self.lead_alone();
            self.duties(now);
            self.open_when_started(now);
            self.ask_read_index(now);
            self.ask_for_reads(now);
        }
        if self.node.take_snapshot_wanted() {
            self.effects.snapshot_wanted = true;
        }
        if self.view_is_stale {
            self.effects.view = Some(Arc::new(self.view(now)));
            self.view_is_stale = false;
        }
        self.keep_up_peers(now);
        self.say_quarantined(now);
        std::mem::take(&mut self.effects)
    }

    /// The only member elects itself: at the start, or because the others that the log began with are gone.
    fn lead_alone(&mut self) {
        if self.peers.alone && self.node.leader().is_none() && self.takes_part() {
            self.node.campaign();
        }
    }

    fn take_ready(&mut self, now: Now, ready: Ready) {
        let Ready { number, sync, persist, messages, persisted_messages, .. } = ready;
        for message in messages {
            self.consensus(message, true);
        }
        self.effects.persist.push(Persist { number, sync, write: persist });
        for message in persisted_messages {
            self.consensus(message, false);
        }
        if let Some(meta) = ready.snapshot {
            self.install(now, &meta);
        }
        for committed in &ready.committed {
            self.apply_committed(now, committed);
        }
        for read in &ready.read_states {
            if !self.read_round_came(&read.context, read.index) {
                self.read_index_came(&read.context);
            }
        }
        self.release_barriers(now);
    }

    /// Whether another leads, or this node does, or nobody: what was on its way is given to whoever leads.
    fn look_around(&mut self, now: Now) {
        let seen = (self.node.term(), self.node.leader());
        if seen == self.watched {
            return;
        }
        let before = std::mem::replace(&mut self.watched, seen);
        let own = Some(self.parameters.incarnation);
        if before.1 == own {
            self.stop_leading(now);
        }
        if seen.1 == own {
            self.leading_since = now.monotonic;
        }

        if before.1 != seen.1 && seen.1.is_some() {
            self.facts.leadership_changes = self.facts.leadership_changes.saturating_add(1);
            self.facts.last_leadership_change = Some(now.wall);
        }
        self.leaderless_since = match (seen.1, self.leaderless_since) {
            (Some(_), _) => None,
            (None, Some(since)) => Some(since),
            (None, None) => Some(now.monotonic),
        };
        self.view_is_stale = true;
        self.end_contacts(now);
        if seen.1.is_some() && seen.1 != own {
            self.give_all(now);
        }
        if seen.1 == own && !self.parameters.rules.hold(Rule::NoOpFirst) {
            self.begin_to_lead(now);
        }
    }

    /// Everything that belonged to this term of leadership is thrown away (PROTOCOL L1).
    fn stop_leading(&mut self, _now: Now) {
        if !self.parameters.rules.hold(Rule::HeadEnds) {
            return;
        }
        self.head.end();
        self.leading = Leading::new(self.new_slots());
        self.strain.has_handed_over();
    }

    /// Takes in how the disk is.
    pub(crate) fn set_storage(&mut self, storage: StorageSpace) {
        self.storage = storage;
    }

    /// How the disk was last said to be.
    pub(crate) fn storage(&self) -> StorageSpace {
        self.storage
    }

    /// The last entry that is applied.
    pub(crate) fn applied(&self) -> LogIndex {
        self.applied
    }

    /// The last entry of the newest snapshot here.
    pub(crate) fn snapshot_index(&self) -> LogIndex {
        self.facts.snapshot_index
    }

    /// What a snapshot taken now stands for and holds.
    pub(crate) fn snapshot(&self) -> (SnapshotMeta, State) {
        let position = LogPosition { index: self.applied, term: self.applied_term };
        let meta = SnapshotMeta { position, conf_state: self.node.conf_state() };
        (meta, self.state.clone())
    }

    /// A snapshot is durable: it may be sent to members that lag, and the log before it is not needed any more.
    pub(crate) fn snapshot_written(&mut self, snapshot: SnapshotMeta) {
        let index = snapshot.position.index;
        self.facts.snapshot_index = index;
        self.node.offer_snapshot(snapshot);
        self.compact_log(index);
    }

    fn answer(&mut self, reply: ReplyTo, answer: Answer) {
        self.effects.answers.push((reply, answer));
    }
}

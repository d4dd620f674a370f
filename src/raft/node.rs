//! One member's consensus state machine.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::base::limits::{
    RAFT_COMMITTED_BYTES_MAX, RAFT_INFLIGHT_MESSAGES_MAX, RAFT_MESSAGE_BYTES,
    RAFT_UNCOMMITTED_BYTES_MAX,
};
use crate::raft::election::{ElectionTimeouts, NEVER};
use crate::raft::logger::logger;
use crate::raft::message::{self, View};
use crate::raft::ready::{Committed, CommittedEntry, ReadState, Ready, ReadyNumber, WaitForSync};
use crate::raft::store::{Store, entry_from_crate, hard_state_from_crate, member_from_crate};
use crate::raft::{
    ConfState, EntryKind, HardState, LogEntry, LogPosition, LogWrite, MembershipChange,
    MembershipError, NodeStatus, Outgoing, PeerProgress, PeerState, RecoveredLog, Role, SeatChange,
    SnapshotMeta, StepError,
};
use raft::eraftpb::{Entry, Message, MessageType};
use raft::{Changer, Config, ProgressState, RawNode, SnapshotStatus, StateRole};
use std::collections::VecDeque;

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

/// Why nothing was proposed. The log is unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProposeError {
    /// Only the leader of the term that the caller means appends (PROTOCOL L7).
    #[error("this member does not lead in term {term}")]
    NotLeader {
        /// The term that was meant.
        term: Term,
    },
    /// Leadership is being transferred, or too much is uncommitted. It may be proposed again.
    #[error("the proposal was dropped and may be made again")]
    Dropped,
}

/// Why leadership is not transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TransferError {
    /// Only the leader gives leadership away.
    #[error("this member does not lead")]
    NotLeader,
    /// Only another voter can be given it.
    #[error("{0} is not another voter")]
    NotAVoter(Incarnation),
}

/// Why a read index was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ReadIndexError {
    /// The context tells the answers apart; it must not be empty.
    #[error("the context of a read index is empty")]
    NoContext,
    /// Nobody could answer: no leader is known, or this one has not committed in its term yet.
    #[error("there is no leader that could answer")]
    NoLeader,
}

/// A member's part in consensus: events in, `Ready` out.
///
/// Elections use pre-vote and check-quorum; proposals are never forwarded; randomness comes from the seed.
pub(crate) struct Node {
    raw: RawNode<Store>,
    timeouts: ElectionTimeouts,
    /// What was handed out and is not durable yet, in order.
    outstanding: VecDeque<Outstanding>,
    /// The last `Ready` that is durable.
    persisted: ReadyNumber,
    /// The last `Ready` with a new term or vote.
    promise: ReadyNumber,
    /// The last index handed out for applying.
    handed_out: LogIndex,
    /// The last index that the caller has applied.
    applied: LogIndex,
}

struct Outstanding {
    number: ReadyNumber,
    sync: WaitForSync,
}

impl Node {
    /// The node that goes on from `recovered`. It is a follower until it hears or wins something.
    pub(crate) fn new(config: &NodeConfig, recovered: RecoveredLog) -> Result<Node, NodeError> {
        check_recovered(&recovered)?;
        let base = recovered.base().index;
        let store = Store::new(recovered, &config.voters);
        if !config.voters.is_empty()
            && let Some(flaw) = store.conf_state().flaw()
        {
            return Err(NodeError::Configuration(flaw.to_owned()));
        }
        let raw = RawNode::new(&crate_config(config, base), store, &logger())
            .map_err(|error| NodeError::Configuration(error.to_string()))?;
        let mut node = Node {
            raw,
            timeouts: ElectionTimeouts::new(config.election_ticks, config.seed),
            outstanding: VecDeque::new(),
            persisted: ReadyNumber(0),
            promise: ReadyNumber(0),
            handed_out: base,
            applied: base,
        };
        node.renew_timeout();
        Ok(node)
    }

    /// One tick of time has passed.
    pub(crate) fn tick(&mut self) {
        self.raw.tick();
        self.renew_timeout();
        let raft = &self.raw.raft;
        let may_stand = !self.is_leader() && raft.promotable() && self.log_is_durable();
        if may_stand && self.timeouts.is_over(raft.election_elapsed) {
            self.raw.raft.election_elapsed = 0;
            self.campaign();
        }
    }

    /// Stands for election now: asked by an operator, by `init`, or because the leader's connection broke. Nothing
    /// happens without a vote of its own or while its log is not durable.
    pub(crate) fn campaign(&mut self) {
        if self.raw.raft.promotable() && self.log_is_durable() {
            // The only failures are those of storage, and ours has none.
            let outcome = self.raw.campaign();
            assert!(outcome.is_ok(), "an election could not begin: {outcome:?}");
            self.renew_timeout();
        }
    }

    /// The leader's connection broke: it is no reason any more to refuse a vote to somebody else. Nothing that is
    /// promised depends on it (a leader that lives is heard again with its next heartbeat).
    pub(crate) fn forget_leader(&mut self) {
        if !self.is_leader() {
            self.raw.raft.leader_id = 0;
        }
    }

    /// A frame of the member `from`, as its connection is authenticated (PROTOCOL F41).
    pub(crate) fn step(&mut self, from: Incarnation, frame: &[u8]) -> Result<(), StepError> {
        let log = &self.raw.raft.raft_log;
        let view = View {
            id: self.id(),
            term: self.term(),
            is_leader: self.is_leader(),
            last: self.last_index(),
            committed: self.committed(),
            term_at: &|index| log.term(index).unwrap_or(0),
        };
        let message = message::decode(from, frame, &view)?;
        if message.get_msg_type() == MessageType::MsgTimeoutNow && !self.log_is_durable() {
            return Ok(());
        }
        let outcome = self.raw.step(message);
        self.renew_timeout();
        match outcome {
            Err(raft::Error::StepPeerNotFound) => Err(StepError::NoSeat { from }),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Appends an entry as leader of `term`, and gives its index. It is checked in the same call that this node
    /// leads in that term: the crate by itself would forward the proposal to another leader (PROTOCOL L7, F7).
    pub(crate) fn propose(&mut self, term: Term, data: Vec<u8>) -> Result<LogIndex, ProposeError> {
        assert!(!data.is_empty(), "an entry without bytes is a new leader's first one");
        if !self.is_leader() || self.term() != term {
            return Err(ProposeError::NotLeader { term });
        }
        match self.raw.propose(Vec::new(), data) {
            Ok(()) => Ok(self.last_index()),
            Err(_) => Err(ProposeError::Dropped),
        }
    }

    /// Appends a change of the members as leader of `term`, and gives its index. All that would let the crate put
    /// an empty entry in its place, or let the change fail when it is applied, is refused here (PROTOCOL L9, F38).
    pub(crate) fn propose_membership(
        &mut self,
        term: Term,
        change: &MembershipChange,
    ) -> Result<LogIndex, MembershipError> {
        if !self.is_leader() || self.term() != term {
            return Err(MembershipError::NotLeader);
        }
        if self.has_pending_membership() {
            return Err(MembershipError::Pending);
        }
        self.check_membership(change)?;
        match self.raw.propose_conf_change(Vec::new(), change.to_crate()) {
            Ok(()) => Ok(self.last_index()),
            Err(_) => Err(MembershipError::Dropped),
        }
    }

    /// Whether a change of the members may not be proposed yet. True for a while after each election.
    pub(crate) fn has_pending_membership(&self) -> bool {
        self.raw.raft.has_pending_conf()
    }

    /// Makes a committed change effective, and gives the members from then on. To be called when the change is
    /// applied, before `advance_applied`. An error is the same on every member and leaves all as it was.
    ///
    /// A leader that loses its vote by it asks the best voter to take over and follows (PROTOCOL A8, F37).
    pub(crate) fn apply_membership(
        &mut self,
        change: &MembershipChange,
    ) -> Result<ConfState, MembershipError> {
        let conf_state = self
            .raw
            .apply_conf_change(&change.to_crate())
            .map_err(|error| MembershipError::Impossible(error.to_string()))?;
        self.raw.mut_store().set_conf_state(conf_state);
        if self.is_leader() && !self.raw.raft.promotable() {
            if let Some(best) = self.best_other_voter() {
                self.raw.raft.send_timeout_now(best.0);
            }
            let term = self.term().0;
            self.raw.raft.become_follower(term, 0);
        }
        self.renew_timeout();
        Ok(self.conf_state())
    }

    /// Begins to give leadership to the voter `to`. Proposals are dropped until it has taken over or an election
    /// timeout has passed.
    pub(crate) fn transfer_leader(&mut self, to: Incarnation) -> Result<(), TransferError> {
        if !self.is_leader() {
            return Err(TransferError::NotLeader);
        }
        if to == self.id() || !self.conf_state().voters.contains(&to) {
            return Err(TransferError::NotAVoter(to));
        }
        self.raw.transfer_leader(to.0);
        Ok(())
    }

    /// The voter that has most of the log, for a transfer.
    pub(crate) fn best_other_voter(&self) -> Option<Incarnation> {
        let voters = self.conf_state().voters;
        let progress = self.raw.raft.prs();
        voters
            .into_iter()
            .filter(|voter| *voter != self.id())
            .filter_map(|voter| progress.get(voter.0).map(|peer| (peer, voter)))
            .max_by_key(|(peer, voter)| {
                (peer.recent_active, peer.matched, std::cmp::Reverse(*voter))
            })
            .map(|(_, voter)| voter)
    }

    /// Asks for a read index; the answer comes in a later `Ready`, or never: it is to be asked again after an
    /// election timeout, with a new context, unique in the cluster (PROTOCOL F43).
    pub(crate) fn read_index(&mut self, context: Vec<u8>) -> Result<(), ReadIndexError> {
        if context.is_empty() {
            return Err(ReadIndexError::NoContext);
        }
        let can_answer = match self.leader() {
            None => false,
            Some(leader) => leader != self.id() || self.raw.raft.commit_to_current_term(),
        };
        if !can_answer {
            return Err(ReadIndexError::NoLeader);
        }
        self.raw.read_index(context);
        Ok(())
    }

    /// The last message to this member was not delivered.
    pub(crate) fn unreachable(&mut self, member: Incarnation) {
        self.raw.report_unreachable(member.0);
    }

    /// How the sending of a snapshot to this member ended. Until it is told, the member is sent nothing else.
    pub(crate) fn snapshot_sent(&mut self, member: Incarnation, delivered: Result<(), ()>) {
        let status =
            if delivered.is_ok() { SnapshotStatus::Finish } else { SnapshotStatus::Failure };
        self.raw.report_snapshot(member.0, status);
    }

    /// A snapshot of this node is durable and may be sent to members that lag.
    pub(crate) fn offer_snapshot(&mut self, snapshot: SnapshotMeta) {
        assert!(snapshot.position.index <= self.applied, "a snapshot of what is not applied yet");
        self.raw.mut_store().offer_snapshot(snapshot);
    }

    /// Whether a member waits for a newer snapshot than the one offered. Asking takes the answer back; it comes
    /// again while the member waits.
    pub(crate) fn take_snapshot_wanted(&mut self) -> bool {
        self.raw.store().take_snapshot_wanted()
    }

    /// Forgets entries in memory up to `index`, as far as they are applied and a snapshot covers them.
    pub(crate) fn compact(&mut self, index: LogIndex) {
        let applied = LogIndex(self.raw.raft.raft_log.applied);
        self.raw.mut_store().compact(index.min(applied));
    }

    /// What is to be done now, if anything. To be called until it gives none.
    pub(crate) fn ready(&mut self) -> Option<Ready> {
        if !self.raw.has_ready() {
            return None;
        }
        let mut ready = self.raw.ready();
        let number = ReadyNumber(ready.number());
        let hard_state = ready.hs().map(hard_state_from_crate);
        if hard_state.is_some_and(|state| self.makes_a_promise(state)) {
            self.promise = number;
        }
        let snapshot = snapshot_meta(&ready);
        let persist = LogWrite {
            hard_state,
            reset: snapshot.as_ref().map(|snapshot| snapshot.position),
            entries: ready.take_entries().into_iter().map(entry_from_crate).collect(),
        };
        let at_once = ready.take_messages();
        let after_persist = ready.take_persisted_messages();
        let committed = committed(ready.take_committed_entries());
        let read_states = ready.take_read_states().into_iter();
        let sync = if ready.must_sync() { WaitForSync::Yes } else { WaitForSync::No };

        self.take_into_store(&persist, snapshot.clone());
        self.raw.advance_append_async(ready);
        self.note_handed_out(snapshot.as_ref(), &committed);
        self.outstanding.push_back(Outstanding { number, sync });
        self.skip_what_need_not_wait();

        let mut out = Ready {
            number,
            sync,
            persist,
            messages: at_once.iter().map(message::encode).collect(),
            persisted_messages: after_persist.iter().map(message::encode).collect(),
            snapshot,
            committed,
            read_states: read_states
                .map(|state| ReadState { index: LogIndex(state.index), context: state.request_ctx })
                .collect(),
        };
        self.place_messages(&mut out);
        Some(out)
    }

    /// All of `persist` up to this `Ready` is durable.
    pub(crate) fn persisted(&mut self, number: ReadyNumber) {
        if number <= self.persisted {
            return;
        }
        let known = self.outstanding.back().is_some_and(|last| number <= last.number);
        assert!(known, "a ready is durable that was never given out");
        while self.outstanding.front().is_some_and(|first| first.number <= number) {
            self.outstanding.pop_front();
        }
        self.persisted = number;
        self.raw.on_persist_ready(number.0);
        self.skip_what_need_not_wait();
        self.report_applied();
    }

    /// The caller has applied all up to `index`.
    pub(crate) fn advance_applied(&mut self, index: LogIndex) {
        assert!(index <= self.handed_out, "an entry is applied that was never given out");
        self.applied = self.applied.max(index);
        self.report_applied();
    }
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

/// Parts of the doors.
impl Node {
    /// Whether all of the log is durable here. The crate asserts so when it wins an election, and a voter that is
    /// alone wins at once.
    fn log_is_durable(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        log.persisted == log.last_index()
    }

    fn renew_timeout(&mut self) {
        self.timeouts.renew(&self.raw.raft);
    }

    /// Whether `state` has a term or vote that the disk does not have yet.
    fn makes_a_promise(&self, state: HardState) -> bool {
        let before = self.raw.store().hard_state();
        (before.term, before.vote) != (state.term, state.vote)
    }

    /// Puts into memory what was handed out to be written: the crate reads it there from now on.
    fn take_into_store(&mut self, persist: &LogWrite, snapshot: Option<SnapshotMeta>) {
        let store = self.raw.mut_store();
        if let Some(snapshot) = snapshot {
            store.reset_to(snapshot);
        }
        store.append(&persist.entries);
        if let Some(hard_state) = persist.hard_state {
            store.set_hard_state(hard_state);
        }
    }

    /// A `Ready` that waits for nothing counts as durable once all before it are.
    fn skip_what_need_not_wait(&mut self) {
        let mut through = None;
        while let Some(first) = self.outstanding.front()
            && first.sync == WaitForSync::No
        {
            through = Some(first.number);
            self.outstanding.pop_front();
        }
        if let Some(number) = through {
            self.persisted = number;
            self.raw.on_persist_ready(number.0);
        }
    }

    /// Decides which messages wait for the disk.
    ///
    /// A leader's may leave at once (Raft thesis, 10.2.1), but not before its term and vote are durable. The crate
    /// misses this for a voter that is alone and elects itself: its learners could hear two different leaders of
    /// one term, if it died and did not remember.
    fn place_messages(&self, ready: &mut Ready) {
        if self.persisted < self.promise {
            ready.persisted_messages.append(&mut ready.messages);
        } else if self.persisted >= ready.number {
            ready.messages.append(&mut ready.persisted_messages);
        }
    }

    fn note_handed_out(&mut self, snapshot: Option<&SnapshotMeta>, committed: &[Committed]) {
        if let Some(snapshot) = snapshot {
            self.handed_out = snapshot.position.index;
        }
        for entry in committed {
            assert!(entry.index.0 == self.handed_out.0 + 1, "a committed entry is missing");
            self.handed_out = entry.index;
        }
    }

    /// Tells the crate what is applied, as far as it is durable: a snapshot can be applied before that.
    fn report_applied(&mut self) {
        let log = &self.raw.raft.raft_log;
        let applied = self.applied.0.min(log.committed).min(log.persisted);
        if applied > log.applied {
            self.raw.advance_apply_to(applied);
        }
    }

    /// Whether the change can be applied to the members as they are.
    fn check_membership(&self, change: &MembershipChange) -> Result<(), MembershipError> {
        let seats: &[SeatChange] = match change {
            MembershipChange::Simple { seat, .. } => std::slice::from_ref(seat),
            MembershipChange::EnterJoint { seats, .. } => seats,
            MembershipChange::LeaveJoint { .. } => &[],
        };
        if seats.iter().any(|seat| seat.member() == Incarnation(0)) {
            return Err(MembershipError::Impossible("0 is not a member".to_owned()));
        }
        let own = [SeatChange::Learner(self.id()), SeatChange::Removed(self.id())];
        if seats.iter().any(|seat| own.contains(seat)) {
            return Err(MembershipError::OwnSeat);
        }
        let members = self.raw.raft.prs();
        let changes = change.to_crate().changes;
        let outcome = match change {
            MembershipChange::Simple { .. } => Changer::new(members).simple(&changes),
            MembershipChange::EnterJoint { .. } => {
                Changer::new(members).enter_joint(false, &changes)
            }
            MembershipChange::LeaveJoint { .. } => Changer::new(members).leave_joint(),
        };
        outcome.map(drop).map_err(|error| MembershipError::Impossible(error.to_string()))
    }
}

fn crate_config(config: &NodeConfig, applied: LogIndex) -> Config {
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
fn check_recovered(recovered: &RecoveredLog) -> Result<(), NodeError> {
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

fn snapshot_meta(ready: &raft::Ready) -> Option<SnapshotMeta> {
    let meta = ready.snapshot().get_metadata();
    (meta.index != 0).then(|| SnapshotMeta {
        position: LogPosition { index: LogIndex(meta.index), term: Term(meta.term) },
        conf_state: ConfState::from_crate(meta.get_conf_state()),
    })
}

fn committed(entries: Vec<Entry>) -> Vec<Committed> {
    entries.into_iter().map(entry_from_crate).map(committed_entry).collect()
}

fn committed_entry(entry: LogEntry) -> Committed {
    let LogEntry { index, term, kind, data } = entry;
    let entry = match kind {
        EntryKind::Normal if data.is_empty() => CommittedEntry::Empty,
        EntryKind::Normal => CommittedEntry::Data(data),
        EntryKind::Membership => match MembershipChange::decode(&data) {
            Ok(change) => CommittedEntry::Membership(change),
            // Invariant: `message::decode`, `check_recovered` and `propose_membership` let nothing else in.
            Err(_) => CommittedEntry::Empty,
        },
    };
    Committed { index, term, entry }
}

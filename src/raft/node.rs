//! One member's consensus state machine.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::base::limits::RAFT_UNCOMMITTED_BYTES_MAX;
use crate::raft::election::ElectionTimeouts;
use crate::raft::large::{self, Large};
use crate::raft::logger::logger;
use crate::raft::message::{self, View};
use crate::raft::ready::{Outstanding, ReadyNumber};
use crate::raft::start::{NodeConfig, NodeError, check_recovered, crate_config};
use crate::raft::store::Store;
use crate::raft::{
    ConfState, LogPosition, MembershipChange, MembershipError, Payload, RecoveredLog, SeatChange,
    SnapshotMeta, StepError,
};
use raft::eraftpb::MessageType;
use raft::{Changer, RawNode, SnapshotStatus, StateRole};
use std::collections::VecDeque;

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

/// How the sending of a snapshot ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// The member has it, durably, and its message too.
    Arrived,
    /// It has not; it will be sent again.
    Failed,
}

/// A member's part in consensus: events in, `Ready` out.
///
/// Elections use pre-vote and check-quorum; proposals are never forwarded; randomness comes from the seed.
pub(crate) struct Node {
    pub(super) raw: RawNode<Store>,
    timeouts: ElectionTimeouts,
    pub(super) large: Large,
    /// What was handed out and is not durable yet, in order.
    pub(super) outstanding: VecDeque<Outstanding>,
    /// The last `Ready` that is durable.
    pub(super) persisted: ReadyNumber,
    /// The last `Ready` that must be durable before anything is said: with a new term or vote, or as leader with a
    /// change of members that is committed.
    pub(super) promise: ReadyNumber,
    /// The last index handed out for applying.
    pub(super) handed_out: LogIndex,
    /// The last index that the caller has applied.
    pub(super) applied: LogIndex,
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
            large: Large::default(),
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

    /// The member is at work on something long: that is no reason to elect another leader, and none to stop leading.
    pub(crate) fn is_at_work(&mut self, member: Incarnation) {
        let raft = &mut self.raw.raft;
        if raft.state == StateRole::Leader {
            if let Some(peer) = raft.mut_prs().get_mut(member.0) {
                peer.recent_active = true;
            }
        } else if raft.leader_id == member.0 {
            raft.election_elapsed = 0;
        }
    }

    /// There is reason to believe that the leader is gone: this node stands for election soon, if it hears nothing.
    pub(crate) fn hurry(&mut self) {
        self.timeouts.hurry(&self.raw.raft);
    }

    /// A frame of the member `from`, as its connection is authenticated (PROTOCOL F41), with the bytes of its long
    /// entries.
    pub(crate) fn step(
        &mut self,
        from: Incarnation,
        frame: &[u8],
        large: Vec<Payload>,
    ) -> Result<(), StepError> {
        let log = &self.raw.raft.raft_log;
        let view = View {
            id: self.id(),
            term: self.term(),
            is_leader: self.is_leader(),
            last: self.last_index(),
            committed: self.committed(),
            term_at: &|index| log.term(index).unwrap_or(0),
        };
        let message = message::decode(from, (frame, &large), &view)?;
        let without_seats = self.raw.store().conf_state().voters.is_empty();
        let begins_log = message.get_msg_type() == MessageType::MsgAppend && message.index == 0;
        if without_seats && begins_log {
            // The first entries of the log do not say who the first members were: only a snapshot does.
            return Ok(());
        }
        if message.get_msg_type() == MessageType::MsgTimeoutNow && !self.log_is_durable() {
            return Ok(());
        }
        let entries = message.entries.iter().filter(|entry| large::length(entry).is_some());
        for (entry, payload) in entries.zip(large) {
            self.large.keep((LogIndex(entry.index), Term(entry.term)), payload);
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
        if large::is_large(&data) {
            return self.propose_large(term, data);
        }
        match self.raw.propose(Vec::new(), data) {
            Ok(()) => Ok(self.last_index()),
            Err(_) => Err(ProposeError::Dropped),
        }
    }

    /// The same, where the crate is told nothing but the length. One is always taken.
    fn propose_large(&mut self, term: Term, data: Vec<u8>) -> Result<LogIndex, ProposeError> {
        let waiting =
            self.large.bytes().saturating_add(self.raw.store().large_bytes_after(self.committed()));
        let bytes = waiting.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if waiting > 0 && bytes > RAFT_UNCOMMITTED_BYTES_MAX {
            return Err(ProposeError::Dropped);
        }
        let (context, length) = large::stand_in(&data);
        self.raw.propose(context, length).map_err(|_dropped| ProposeError::Dropped)?;
        let index = self.last_index();
        self.large.keep((index, term), Payload::from(data));
        Ok(index)
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
            self.step_down();
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

    /// Stops leading without a successor: the others stand for election when they have heard nothing for long enough.
    pub(crate) fn step_down(&mut self) {
        if self.is_leader() {
            let term = self.term().0;
            self.raw.raft.become_follower(term, 0);
            self.renew_timeout();
        }
    }

    /// The voter that has most of the log, for a transfer.
    pub(crate) fn best_other_voter(&self) -> Option<Incarnation> {
        self.best_voter_of(|_| true)
    }

    /// The same, among those that are fit.
    pub(crate) fn best_voter_of(&self, fit: impl Fn(Incarnation) -> bool) -> Option<Incarnation> {
        let voters = self.conf_state().voters;
        let progress = self.raw.raft.prs();
        voters
            .into_iter()
            .filter(|voter| *voter != self.id() && fit(*voter))
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
    pub(crate) fn snapshot_sent(&mut self, member: Incarnation, delivery: Delivery) {
        let status = match delivery {
            Delivery::Arrived => SnapshotStatus::Finish,
            Delivery::Failed => SnapshotStatus::Failure,
        };
        self.raw.report_snapshot(member.0, status);
    }

    /// Asks the leader for a snapshot that takes the place of all that is here, although the logs agree. False if it
    /// cannot be asked now; it may be tried again. Entries are not acknowledged until it has come.
    pub(crate) fn request_snapshot(&mut self) -> bool {
        self.raw.request_snapshot().is_ok()
    }

    /// Where the snapshot ends that has been taken in and takes the place of the log next.
    pub(crate) fn pending_snapshot(&self) -> Option<LogPosition> {
        let snapshot = self.raw.raft.raft_log.unstable.snapshot.as_ref()?;
        let of = snapshot.get_metadata();
        Some(LogPosition { index: LogIndex(of.index), term: Term(of.term) })
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

    /// The last entry behind which the log in memory has no more than so many bytes.
    pub(crate) fn log_tail(&self, bytes: u64) -> LogIndex {
        self.raw.store().tail(bytes)
    }

    /// Forgets entries in memory up to `index`, as far as they are applied and a snapshot covers them.
    pub(crate) fn compact(&mut self, index: LogIndex) {
        let applied = LogIndex(self.raw.raft.raft_log.applied);
        self.raw.mut_store().compact(index.min(applied));
    }
}

/// Parts of the doors.
impl Node {
    /// Whether all of the log is durable here. The crate asserts so when it wins an election, and a voter that is
    /// alone wins at once.
    pub(super) fn log_is_durable(&self) -> bool {
        let log = &self.raw.raft.raft_log;
        log.persisted == log.last_index()
    }

    fn renew_timeout(&mut self) {
        self.timeouts.renew(&self.raw.raft);
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

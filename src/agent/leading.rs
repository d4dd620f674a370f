//! The leader's part: requests are evaluated in their order on the head, and what comes of them is said when it can
//! not become untrue any more (PROTOCOL L1 to L7).
//!
//! Everything here lives for one term of leadership and is thrown away with it.

use super::asked::{Asked, Content};
use super::effects::ToPeer;
use super::slot::SlotQueue;
use super::{Agent, fault};
use crate::base::ids::{Incarnation, LogIndex, SessionKey, Term, TxId};
use crate::base::limits::{READ_INDEX_AGAIN_MS, TX_QUEUE_MAX};
use crate::base::rules::Rule;
use crate::base::time::{Now, Timestamp};
use crate::netconf::error::RpcError;
use crate::replication::message::{Control, PeerMessage, TxRequest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What becomes of a request that is not in the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Conclusion {
    /// Final: this leader logs nothing of it.
    Abort(Vec<RpcError>),
    /// It changes nothing of what is there at this index.
    Unchanged(LogIndex),
}

/// What a leader knows of a request.
#[derive(Debug)]
enum Known {
    /// It waits, is voted on, or is in the log without being applied.
    Working,
    Concluded(Conclusion),
}

/// A conclusion that waits until it rests on nothing that can be lost (PROTOCOL F5).
#[derive(Debug)]
struct Barrier {
    txid: TxId,
    conclusion: Conclusion,
    /// What the head had seen.
    after: LogIndex,
    /// The read index that proves that this node still led.
    round: u64,
}

/// A commit that waits until the members have applied it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ack {
    pub(super) index: LogIndex,
    pub(super) txid: TxId,
    /// Then its origin is told who has not.
    pub(super) until: Timestamp,
}

/// A leader's memory.
pub(super) struct Leading {
    pub(super) slots: SlotQueue,
    /// Requests of members that came before this leader could decide anything.
    early: Vec<(Incarnation, TxRequest)>,
    known: BTreeMap<TxId, Known>,
    /// By origin and boot: the lowest request that was still open when it last asked for something.
    floors: BTreeMap<(Incarnation, u64), u64>,
    barriers: VecDeque<Barrier>,
    /// Commits that wait until the members have applied them.
    acks: BTreeSet<Ack>,
    /// The last read index that was asked for, and when; the first one that nobody has asked for yet is the next.
    asked_round: u64,
    asked_at: Timestamp,
    wanted_round: u64,
    confirmed_round: u64,
    /// Since when a learner that could vote waits for another one.
    pub(super) waits_for_second: Option<Timestamp>,
}

impl Leading {
    pub(super) fn new(slots: SlotQueue) -> Self {
        Self {
            slots,
            early: Vec::new(),
            known: BTreeMap::new(),
            floors: BTreeMap::new(),
            barriers: VecDeque::new(),
            acks: BTreeSet::new(),
            asked_round: 0,
            asked_at: Timestamp::default(),
            wanted_round: 0,
            confirmed_round: 0,
            waits_for_second: None,
        }
    }

    /// Requests that wait to be evaluated.
    pub(super) fn queue_length(&self) -> usize {
        self.slots.waiting()
    }

    /// The request has its outcome in the log.
    pub(super) fn forget(&mut self, txid: TxId) {
        self.known.remove(&txid);
    }
}

impl Agent {
    /// A request of a member.
    pub(super) fn take_request(&mut self, now: Now, from: Incarnation, request: TxRequest) {
        let txid = request.head.txid;
        let is_for_this_term =
            request.to_term == self.node.term() || !self.parameters.rules.hold(Rule::ToOneTerm);
        if !is_for_this_term || txid.incarnation != from {
            return;
        }
        if self.head.state().is_none() {
            // It leads, but has not applied the first entry of its term yet.
            if self.node.is_leader() && self.leading.early.len() < TX_QUEUE_MAX {
                self.leading.early.push((from, request));
            }
            return;
        }
        match Asked::from_wire(self, request) {
            Ok(Some(asked)) => self.lead(now, asked),
            // What stands on a revision that is not known here yet is sent again.
            Ok(None) => tracing::debug!(%txid, "a request cannot be evaluated here now"),
            Err(_) if self.leading.known.contains_key(&txid) || self.has_outcome(txid) => {}
            Err(reason) => {
                tracing::error!(%txid, reason, "a member asks for what does not fit the data here");
                let message = format!("the change does not fit the data of the leader: {reason}");
                self.abort(now, txid, vec![fault::operation_failed(message)]);
            }
        }
    }

    /// It is committed, or on its way into the log.
    fn has_outcome(&self, txid: TxId) -> bool {
        let head = self.head.state();
        head.is_some_and(|head| head.outcomes.contains_key(&txid) || head.control.contains(&txid))
    }

    /// The first entry of this term is applied: what came before that has its turn.
    pub(super) fn take_early_requests(&mut self, now: Now) {
        for (from, request) in std::mem::take(&mut self.leading.early) {
            self.take_request(now, from, request);
        }
    }

    /// Evaluates a request, unless it is known (PROTOCOL L2).
    pub(super) fn lead(&mut self, now: Now, asked: Asked) {
        let Some(head) = self.head.state() else { return };
        let txid = asked.txid();
        match self.leading.known.get(&txid) {
            Some(Known::Working) if self.parameters.rules.hold(Rule::RequestsKnown) => return,
            Some(Known::Concluded(conclusion)) => {
                let conclusion = conclusion.clone();
                return self.deliver(now, txid, conclusion);
            }
            Some(Known::Working) | None => {}
        }
        if head.outcomes.contains_key(&txid) || head.control.contains(&txid) {
            return;
        }
        let floor = self.leading.floors.get(&(txid.incarnation, txid.boot));
        if floor.is_some_and(|floor| txid.seq < *floor) {
            // A late copy of what its origin has taken in as concluded (PROTOCOL F2).
            return;
        }
        let begins = matches!(&asked.content, Content::Control(body)
            if matches!(**body, Control::NodeUp { .. }));
        let member = head.member(txid.incarnation);
        let closed =
            member.is_none_or(|member| member.boot.counter != txid.boot || txid.seq < member.floor);
        if closed && !begins {
            return self.conclude(now, txid, Conclusion::Abort(vec![fault::expired(txid)]));
        }
        self.forget_below(txid, asked.head.low);
        self.leading.known.insert(txid, Known::Working);
        match &asked.content {
            Content::SessionEnd(session) => {
                let session = *session;
                self.drop_undecided(now, session);
                self.evaluate_session_end(now, asked, session);
            }
            Content::Control(_) => self.evaluate_control(now, asked),
            Content::Change(_) | Content::Lock(_) | Content::Unlock(_) => self.submit(now, asked),
            Content::Logged => {}
        }
    }

    /// Conclusions that their origin has taken in.
    fn forget_below(&mut self, txid: TxId, low: u64) {
        let floor = self.leading.floors.entry((txid.incarnation, txid.boot)).or_default();
        *floor = low.max(*floor);
        let first = TxId { seq: 0, ..txid };
        let end = TxId { seq: low, ..txid };
        let old: Vec<TxId> = self.leading.known.range(first..end).map(|(txid, _)| *txid).collect();
        for txid in old {
            if let Some(Known::Concluded(_)) = self.leading.known.get(&txid) {
                self.leading.known.remove(&txid);
            }
        }
    }

    /// What came of a request without the log: said as soon as it rests on nothing that can be lost.
    pub(super) fn conclude(&mut self, now: Now, txid: TxId, conclusion: Conclusion) {
        let seen = self.head.last_index();
        let proven = self.parameters.rules.hold(Rule::ProvenConclusions);
        if (self.peers.alone || !proven) && seen.is_none() {
            return self.deliver(now, txid, conclusion);
        }
        let round = if self.peers.alone { 0 } else { self.leading.wanted_round };
        let after = seen.unwrap_or(self.applied);
        self.leading.barriers.push_back(Barrier { txid, conclusion, after, round });
    }

    /// The error for a request that this leader does not log.
    pub(super) fn abort(&mut self, now: Now, txid: TxId, errors: Vec<RpcError>) {
        self.conclude(now, txid, Conclusion::Abort(errors));
    }

    /// Nothing to log: ok, once what it was compared with is durable (PROTOCOL F5).
    pub(super) fn unchanged(&mut self, now: Now, txid: TxId) {
        let index = self.head.last_index().unwrap_or(self.applied);
        self.conclude(now, txid, Conclusion::Unchanged(index));
    }

    fn deliver(&mut self, now: Now, txid: TxId, conclusion: Conclusion) {
        let term = self.node.term();
        let own = txid.incarnation == self.parameters.incarnation;
        if own {
            self.leading.known.remove(&txid);
            return self.concluded(now, txid, term, conclusion);
        }
        let message = match &conclusion {
            Conclusion::Abort(errors) => {
                PeerMessage::Abort { txid, term, errors: fault::encode(errors) }
            }
            Conclusion::Unchanged(index) => {
                PeerMessage::Unchanged { txid, term, read_index: *index }
            }
        };
        self.leading.known.insert(txid, Known::Concluded(conclusion));
        self.effects.sends.push(ToPeer { to: txid.incarnation, message });
    }

    /// Asks for the read index that the conclusions of this step wait for, and again for one that does not come.
    pub(super) fn ask_read_index(&mut self, now: Now) {
        let Some(last) = self.leading.barriers.back().map(|barrier| barrier.round) else { return };
        if self.head.state().is_none() || self.peers.alone {
            return;
        }
        let is_new = last == self.leading.wanted_round;
        let is_late = self.leading.confirmed_round < self.leading.asked_round
            && now.monotonic.ms_since(self.leading.asked_at) >= READ_INDEX_AGAIN_MS;
        if !is_new && !is_late {
            return;
        }
        let round = self.leading.wanted_round;
        self.leading.wanted_round = round.saturating_add(1);
        self.leading.asked_round = round.saturating_add(1);
        self.leading.asked_at = now.monotonic;
        let (incarnation, boot) = (self.parameters.incarnation, self.parameters.boot);
        let mut context = incarnation.0.to_le_bytes().to_vec();
        context.extend_from_slice(&boot.counter.to_le_bytes());
        context.extend_from_slice(&self.node.term().0.to_le_bytes());
        context.extend_from_slice(&self.leading.asked_round.to_le_bytes());
        if let Err(error) = self.node.read_index(context) {
            tracing::debug!(%error, "no read index");
        }
    }

    /// A read index came back: this node led when it was asked for.
    pub(super) fn read_index_came(&mut self, context: &[u8]) {
        let Some((head, round)) = context.split_last_chunk::<8>() else { return };
        let of_term = head.ends_with(&self.node.term().0.to_le_bytes());
        if of_term && self.head.state().is_some() {
            let round = u64::from_le_bytes(*round);
            self.leading.confirmed_round = self.leading.confirmed_round.max(round);
        }
    }

    /// Says the conclusions that rest on nothing that can be lost any more, in their order.
    pub(super) fn release_barriers(&mut self, now: Now) {
        loop {
            let (applied, alone) = (self.applied, self.peers.alone);
            let confirmed = self.leading.confirmed_round;
            let is_safe = self.leading.barriers.front().is_some_and(|barrier| {
                barrier.after <= applied && (alone || barrier.round < confirmed)
            });
            let first = if is_safe { self.leading.barriers.pop_front() } else { None };
            let Some(Barrier { txid, conclusion, .. }) = first else { return };
            self.deliver(now, txid, conclusion);
        }
    }

    /// A commit that its origin wants to acknowledge when all members that are in reach have applied it.
    pub(super) fn wait_for_members(&mut self, now: Now, ack: Ack) {
        self.leading.acks.insert(ack);
        self.look_after_acks(now);
    }

    /// Says which commits all members in reach have applied.
    pub(super) fn look_after_acks(&mut self, now: Now) {
        // Before the first entry of the term is applied this leader does not know who may answer reads.
        if self.leading.acks.is_empty() || self.leading_term().is_none() {
            return;
        }
        let through = self.shown_by_all(now);
        while let Some(ack) = self.leading.acks.first().copied()
            && ack.index <= through
        {
            self.acknowledge(now, ack);
        }
    }

    /// Says of commits whose time is over which members have not applied them.
    pub(super) fn look_after_late_acks(&mut self, now: Now) {
        if self.leading_term().is_none() {
            return;
        }
        let is_late = |ack: &&Ack| ack.until <= now.monotonic;
        while let Some(ack) = self.leading.acks.iter().find(is_late).copied() {
            self.acknowledge(now, ack);
        }
    }

    fn acknowledge(&mut self, now: Now, ack: Ack) {
        self.leading.acks.remove(&ack);
        let Ack { txid, index, .. } = ack;
        let missing = self.not_shown_by(now, index);
        let to = txid.incarnation;
        if to == self.parameters.incarnation {
            self.acknowledged(now, txid, Some(&missing));
        } else {
            let message = PeerMessage::AckDone { txid, missing };
            self.effects.sends.push(ToPeer { to, message });
        }
    }

    /// When an acknowledgement is due whoever is missing. `None` if nobody waits for one.
    pub(super) fn last_ack_due(&self) -> Option<Timestamp> {
        self.leading.acks.iter().map(|ack| ack.until).min()
    }

    /// A request about a session that is over, at the leader: nothing of it is decided.
    pub(super) fn is_over(&self, session: SessionKey) -> bool {
        self.head.state().is_none_or(|head| !head.is_alive(session))
    }

    /// The term that this node leads in, if it may decide.
    pub(super) fn leading_term(&self) -> Option<Term> {
        self.head.state().map(|_| self.node.term())
    }
}

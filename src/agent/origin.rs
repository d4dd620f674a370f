//! What this node's sessions and the node itself ask: given to whoever leads, again and again, until the log or the
//! leader says what became of it (PROTOCOL O1 to O3, N3).

use super::asked::{Asked, Change, Content, is_too_big};
use super::effects::ToPeer;
use super::event::{Answer, ReplyTo};
use super::head::NotProposed;
use super::leading::{Ack, Conclusion};
use super::{Agent, fault};
use crate::base::ids::{Incarnation, LogIndex, SessionKey, Term, TxId};
use crate::base::limits::{ACK_REPORT_MS, ACK_TIMEOUT_MS, NO_LEADER_WAIT_MS, RESEND_MS};
use crate::base::policy::Policy;
use crate::base::rules::Rule;
use crate::base::time::{Now, Timestamp, WallTime};
use crate::netconf::error::RpcError;
use crate::replication::entry::RequestHead;
use crate::replication::message::{Control, PeerMessage};
use crate::replication::state::LockTarget;
use smol_str::SmolStr;
use std::sync::Arc;

/// A request of this node without an outcome.
#[derive(Debug)]
pub(super) struct Pending {
    /// Nobody waits for what the node itself asks.
    pub(super) reply: Option<ReplyTo>,
    /// It commits the candidate, which is busy until then.
    pub(super) candidate: bool,
    pub(super) asked: Asked,
    /// The term of the leader that it was last given to; 0 if to none.
    term: Term,
    given: Timestamp,
    since: Timestamp,
    stage: Stage,
}

/// What is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// It changes nothing, and is done when this is applied.
    Unchanged(LogIndex),
    /// It is applied here; the members that the policy names are waited for until then.
    Applied(LogIndex, Timestamp),
}

/// A new request of this node.
pub(super) struct Order {
    pub(super) reply: Option<ReplyTo>,
    pub(super) session: Option<SessionKey>,
    pub(super) user: SmolStr,
    pub(super) at: WallTime,
    pub(super) candidate: bool,
    pub(super) test_only: bool,
    pub(super) comment: Option<String>,
    pub(super) content: Content,
}

impl Order {
    /// What a session asks.
    pub(super) fn of_session(
        agent: &Agent,
        now: Now,
        (reply, session): (ReplyTo, SessionKey),
        content: Content,
    ) -> Self {
        Self {
            reply: Some(reply),
            session: Some(session),
            user: agent.user_of(session),
            at: now.wall,
            candidate: false,
            test_only: false,
            comment: None,
            content,
        }
    }

    /// What the node itself asks.
    pub(super) fn of_node(now: Now, content: Content) -> Self {
        Self {
            reply: None,
            session: None,
            user: SmolStr::default(),
            at: now.wall,
            candidate: false,
            test_only: false,
            comment: None,
            content,
        }
    }
}

impl Agent {
    /// Takes a request on its way.
    pub(super) fn order(&mut self, now: Now, order: Order) {
        let head = self.request_head(order.session, order.user, order.at);
        let txid = head.txid;
        let held = order.session.map(|session| self.held_by(session)).unwrap_or_default();
        let Order { reply, candidate, test_only, comment, content, .. } = order;
        let asked = Asked { head, held, test_only, comment, content };
        let pending = Pending {
            reply,
            candidate,
            asked,
            term: Term(0),
            given: now.monotonic,
            since: now.monotonic,
            stage: Stage::Open,
        };
        self.pending.insert(txid, pending);
        self.give(now, txid);
    }

    /// The next request of this boot.
    pub(super) fn request_head(
        &mut self,
        session: Option<SessionKey>,
        user: SmolStr,
        at: WallTime,
    ) -> RequestHead {
        let (incarnation, boot) = (self.parameters.incarnation, self.parameters.boot.counter);
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        let low = self.pending.keys().next().map_or(seq, |oldest| oldest.seq);
        let txid = TxId { incarnation, boot, seq };
        let open = session.and_then(|session| self.sessions.get(&session.id));
        let message_id = open.and_then(|open| open.message_id.clone());
        let transaction = open.and_then(|open| open.transaction.clone());
        RequestHead { txid, low, session, user, at, message_id, transaction }
    }

    /// The locks that this node knows the session to hold (PROTOCOL O3).
    fn held_by(&self, session: SessionKey) -> Vec<(LockTarget, LogIndex)> {
        let own = self.state.locks.iter().filter(|lock| lock.session == session);
        own.map(|lock| (lock.target, lock.fence)).collect()
    }

    /// Gives a request to the leader, if there is one (PROTOCOL O1).
    fn give(&mut self, now: Now, txid: TxId) {
        let term = self.node.term();
        let leads = self.head.state().is_some();
        let leader = self.node.leader().filter(|leader| *leader != self.parameters.incarnation);
        let Some(pending) = self.pending.get_mut(&txid) else { return };
        if pending.stage != Stage::Open || !leads && leader.is_none() {
            return;
        }
        if let Content::Change(change) = &mut pending.asked.content
            && !leads
            && let Change::Candidate { candidate, .. } = Arc::make_mut(change)
            && candidate.base().0 < self.state.revision
        {
            // The leader remembers some revisions only: the candidate is brought as near to it as this node is.
            let (revision, running) = (self.state.revision, &self.state.shared);
            match candidate.rebase(&self.parameters.schema, revision, running) {
                Ok(tree) => {
                    let footprint = candidate.base().2.clone();
                    **candidate = crate::datastore::candidate::Candidate::from_parts(
                        revision,
                        running.clone(),
                        tree,
                        footprint,
                    );
                }
                Err(conflicts) if pending.term == Term(0) => {
                    let errors = fault::conflicts(conflicts);
                    return self.fail(now, txid, errors);
                }
                Err(_) => {}
            }
        }
        let Some(pending) = self.pending.get_mut(&txid) else { return };
        let is_new = pending.term == Term(0);
        pending.term = term;
        pending.given = now.monotonic;
        let asked = pending.asked.clone();
        if leads {
            self.lead(now, asked);
        } else if let Some(to) = leader
            && let Some(request) = asked.to_wire(self)
        {
            if is_new && is_too_big(&request) {
                return self.fail(now, txid, vec![fault::not_proposed(&NotProposed::TooBig)]);
            }
            let message = PeerMessage::Request(Box::new(request));
            self.effects.sends.push(ToPeer { to, message });
        }
    }

    /// It is in the log. In a cluster of one nobody is going to be given it again, so that it need not stay in memory.
    pub(super) fn logged(&mut self, txid: TxId) {
        if self.peers.alone
            && let Some(pending) = self.pending.get_mut(&txid)
        {
            pending.asked.content = Content::Logged;
        }
    }

    /// Another leader, or another term, or the connection to it is new: everything without an outcome again.
    pub(super) fn give_all(&mut self, now: Now) {
        let open: Vec<TxId> = self.pending.keys().copied().collect();
        for txid in open {
            match self.pending.get(&txid).map(|pending| pending.stage) {
                Some(Stage::Open) => self.give(now, txid),
                Some(Stage::Applied(index, until)) => {
                    self.await_ack(now, Ack { txid, index, until });
                }
                Some(Stage::Unchanged(_)) | None => {}
            }
        }
    }

    /// Time has passed: what may be lost is sent again, what nobody can decide is answered.
    pub(super) fn look_after_pending(&mut self, now: Now) {
        let leaderless = self.leaderless_since;
        let waited = |pending: &Pending| {
            leaderless.is_some_and(|since| {
                now.monotonic.ms_since(since.max(pending.since)) >= NO_LEADER_WAIT_MS
            })
        };
        let is_due = |pending: &Pending| match pending.stage {
            Stage::Open => waited(pending) || now.monotonic.ms_since(pending.given) >= RESEND_MS,
            Stage::Applied(_, until) => now.monotonic >= until,
            Stage::Unchanged(_) => false,
        };
        let due: Vec<TxId> =
            self.pending.iter().filter(|(_, own)| is_due(own)).map(|(txid, _)| *txid).collect();
        for txid in due {
            let Some(pending) = self.pending.get_mut(&txid) else { continue };
            match pending.stage {
                Stage::Open if waited(pending) && pending.reply.is_some() => {
                    let errors = if pending.term == Term(0) {
                        vec![fault::no_leader()]
                    } else {
                        vec![fault::outcome_unknown(txid)]
                    };
                    self.fail(now, txid, errors);
                }
                Stage::Open if now.monotonic.ms_since(pending.given) >= RESEND_MS => {
                    // Also where nobody leads: the next try is a while from now.
                    pending.given = now.monotonic;
                    self.give(now, txid);
                }
                Stage::Applied(_, until) if now.monotonic >= until.plus_ms(ACK_REPORT_MS) => {
                    self.acknowledged(now, txid, None);
                }
                Stage::Open | Stage::Unchanged(_) | Stage::Applied(..) => {}
            }
        }
    }

    /// When `look_after_pending` has something to do.
    pub(super) fn pending_due(&self) -> Option<Timestamp> {
        let alone = self.peers.alone;
        let due = |pending: &Pending| match pending.stage {
            Stage::Open if alone => None,
            Stage::Open => Some(pending.given.plus_ms(RESEND_MS)),
            Stage::Applied(_, until) => Some(until.plus_ms(ACK_REPORT_MS)),
            Stage::Unchanged(_) => None,
        };
        self.pending.values().filter_map(due).min()
    }

    /// The leader of `term` says what became of a request that is not in the log. Believed only of the leader that it
    /// was last given to (PROTOCOL O2).
    pub(super) fn concluded(&mut self, now: Now, txid: TxId, term: Term, conclusion: Conclusion) {
        let Some(pending) = self.pending.get_mut(&txid) else { return };
        let is_last = pending.term == term || !self.parameters.rules.hold(Rule::LastLeaderBelieved);
        if !is_last || pending.stage != Stage::Open {
            return;
        }
        match conclusion {
            Conclusion::Abort(errors) => self.fail(now, txid, errors),
            Conclusion::Unchanged(index) => {
                pending.stage = Stage::Unchanged(index);
                self.unchanged.push(txid);
                self.finish_unchanged(now);
            }
        }
    }

    /// What changed nothing and waited until this node had applied what it was compared with.
    pub(super) fn finish_unchanged(&mut self, now: Now) {
        let applied = self.applied;
        for txid in std::mem::take(&mut self.unchanged) {
            match self.pending.get(&txid).map(|pending| pending.stage) {
                Some(Stage::Unchanged(at)) if at <= applied => {}
                Some(_) => {
                    self.unchanged.push(txid);
                    continue;
                }
                None => continue,
            }
            let tests = self.pending.get(&txid).is_some_and(|pending| pending.asked.test_only);
            if !tests && self.pending.get(&txid).is_some_and(|pending| pending.candidate) {
                self.candidate_unchanged();
            }
            self.succeed(now, txid);
        }
    }

    /// The log has committed a request of this node: it is answered now, or when the members that the policy names
    /// have applied it (PROTOCOL N3).
    pub(super) fn committed(&mut self, now: Now, txid: TxId, index: LogIndex, changed_data: bool) {
        let waits = changed_data
            && !self.reads_alone(now)
            && self.state.policy != Policy::Majority
            && self.parameters.rules.hold(Rule::MembersBeforeOk);
        let Some(pending) = self.pending.get_mut(&txid) else { return };
        if !waits {
            return self.succeed(now, txid);
        }
        let until = now.monotonic.plus_ms(ACK_TIMEOUT_MS);
        pending.stage = Stage::Applied(index, until);
        self.await_ack(now, Ack { txid, index, until });
    }

    /// What this node has applied from the entry `index` on may not be what the others made of it.
    pub(super) fn doubt_applied(&mut self, now: Now, index: LogIndex) {
        let is_doubtful = |pending: &Pending| matches!(pending.stage, Stage::Applied(applied, _) if applied >= index);
        let doubtful = self.pending.iter().filter(|(_, own)| is_doubtful(own));
        for txid in doubtful.map(|(txid, _)| *txid).collect::<Vec<TxId>>() {
            self.fail(now, txid, vec![fault::outcome_unknown(txid)]);
        }
    }

    /// Asks whoever leads to say when the members have applied a commit.
    fn await_ack(&mut self, now: Now, ack: Ack) {
        if self.node.is_leader() {
            return self.wait_for_members(now, ack);
        }
        if let Some(to) = self.node.leader() {
            let Ack { txid, index, until } = ack;
            let within_ms = until.ms_since(now.monotonic);
            let message = PeerMessage::AwaitAck { txid, index, within_ms };
            self.effects.sends.push(ToPeer { to, message });
        }
    }

    /// All members that count have applied a commit of this node, or time is over: then the leader says which ones are
    /// missing, unless nobody says anything.
    pub(super) fn acknowledged(&mut self, now: Now, txid: TxId, missing: Option<&[Incarnation]>) {
        let is_applied = |pending: &Pending| matches!(pending.stage, Stage::Applied(..));
        if !self.pending.get(&txid).is_some_and(is_applied) {
            return;
        }
        if missing != Some(&[]) {
            self.degraded(now, txid, missing.unwrap_or_default());
        }
        self.succeed(now, txid);
    }

    /// The reply is ok all the same: the change is committed, and NETCONF has no ok with a warning (RFC 6241, 4.3 and
    /// 4.4). Operators are told (PROTOCOL F21).
    fn degraded(&mut self, now: Now, txid: TxId, missing: &[Incarnation]) {
        let name = |member: &Incarnation| {
            let known = self.state.member(*member);
            known.map_or_else(|| member.to_string(), |known| known.name.to_string())
        };
        let missing: Vec<String> = missing.iter().map(name).collect();
        let names = if missing.is_empty() { "unknown".to_owned() } else { missing.join(", ") };
        tracing::warn!(%txid, missing = names, "committed, but not all members confirmed it in time");
        let degraded = &mut self.facts.ack_degraded;
        degraded.count = degraded.count.saturating_add(1);
        degraded.last = Some(now.wall);
        degraded.missing = missing;
        self.view_is_stale = true;
    }

    pub(super) fn succeed(&mut self, now: Now, txid: TxId) {
        let Some(pending) = self.pending.remove(&txid) else { return };
        if let Some(reply) = pending.reply {
            let answer = self.answer_of(&pending.asked);
            self.answer(reply, answer);
        }
        if pending.candidate {
            self.candidate_resolved(now);
        }
    }

    pub(super) fn fail(&mut self, now: Now, txid: TxId, errors: Vec<RpcError>) {
        let Some(pending) = self.pending.remove(&txid) else { return };
        self.facts.failed = self.facts.failed.saturating_add(1);
        self.view_is_stale = true;
        if let Content::Control(body) = &pending.asked.content
            && let Control::Token(token) = &**body
        {
            self.token_secrets.remove(&token.digest);
        }
        if let Some(Change::Initial(_)) = pending.asked.content.change() {
            let why = self.first(&errors);
            return self.give_up(format!("the initial configuration is refused: {why}"));
        }
        if let Some(reply) = pending.reply {
            self.answer(reply, Answer::Errors(errors));
        } else {
            tracing::warn!(%txid, error = self.first(&errors), "a request of this node was refused");
        }
        if pending.candidate {
            self.candidate_resolved(now);
        }
    }

    /// What a session that is over has asked and the log has not decided does not come any more: the entry of its end
    /// is applied (PROTOCOL A3, A4).
    pub(super) fn end_pending_of(&mut self, now: Now, session: SessionKey) {
        let is_its = |pending: &Pending| {
            pending.asked.session() == Some(session) && pending.stage == Stage::Open
        };
        let over: Vec<TxId> = self
            .pending
            .iter()
            .filter(|(_, pending)| is_its(pending))
            .map(|(txid, _)| *txid)
            .collect();
        for txid in over {
            // The entry of the end closes changes and locks, and nothing else.
            let closed = self.pending.get(&txid).is_some_and(|pending| {
                matches!(
                    pending.asked.content,
                    Content::Change(_) | Content::Lock(_) | Content::Unlock(_)
                )
            });
            let error = if closed {
                fault::operation_failed("the session is over")
            } else {
                fault::outcome_unknown(txid)
            };
            self.fail(now, txid, vec![error]);
        }
    }

    /// The session has asked for something that has no outcome yet.
    pub(super) fn has_pending(&self, session: SessionKey) -> bool {
        self.pending
            .values()
            .any(|pending| pending.asked.session() == Some(session) && pending.stage == Stage::Open)
    }

    /// The end of this session is on its way through the log.
    pub(super) fn is_ending(&self, session: SessionKey) -> bool {
        let ends = |pending: &Pending| match &pending.asked.content {
            Content::SessionEnd(ended) => *ended == session,
            Content::Change(_)
            | Content::Lock(_)
            | Content::Unlock(_)
            | Content::Control(_)
            | Content::Logged => false,
        };
        self.pending.values().any(ends)
    }
}

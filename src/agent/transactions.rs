//! Changes of running: admitted and evaluated on the head, proposed, and decided by the log (PROTOCOL L3 to L8).

use super::event::{Answer, ReplyTo};
use super::head::NotProposed;
use super::requests::From;
use super::{Agent, Pending, StorageSpace, fault};
use crate::base::ids::{LogIndex, Revision, SessionKey, TxId};
use crate::base::time::{Now, Timestamp, WallTime};
use crate::datastore::edit::Edit;
use crate::netconf::error::RpcError;
use crate::replication::apply::data_digest;
use crate::replication::entry::{Body, Decision, RequestHead};
use crate::replication::state::{LockTarget, State};
use crate::transaction::confirmed::{Ask, RollbackCause, Step, cancel_step, commit_step};
use crate::yang::tree::{Tree, diff, encode_diff};
use crate::yang::validate::{Before, settle};

/// What is evaluated on the head, one after the other.
#[derive(Debug)]
pub(super) enum Work {
    Transaction(Box<Transaction>),
    Lock { from: From, target: LockTarget, at: WallTime },
    Unlock { from: From, target: LockTarget, at: WallTime },
}

/// A change of running, or a question about one.
#[derive(Debug)]
pub(super) struct Transaction {
    /// Nobody waits for what the agent itself decides.
    pub(super) reply: Option<ReplyTo>,
    pub(super) session: Option<SessionKey>,
    pub(super) user: String,
    pub(super) at: WallTime,
    pub(super) content: Content,
    /// A `<commit>`.
    pub(super) ask: Option<Ask>,
    /// A `<commit>` that came while a confirmed commit was pending which it may confirm. It must not become a plain
    /// commit if that is rolled back before its turn: its client would take the change for confirmed.
    pub(super) confirms: bool,
    /// Everything but the decision.
    pub(super) test_only: bool,
    pub(super) comment: Option<String>,
}

/// What running becomes.
#[derive(Debug)]
pub(super) enum Content {
    Edit(Edit),
    Replace(Tree),
    /// The node's candidate at the time of the evaluation.
    Candidate,
    /// All of the node's candidate, whatever running has become meanwhile (copy-config).
    WholeCandidate,
    Cancel {
        persist_id: Option<String>,
    },
    Rollback(Step),
    /// Nothing: would this content be valid?
    Validate(Tree),
}

/// A change as it was evaluated on the head.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// The revision of the head.
    pub(super) base: Revision,
    pub(super) before: Tree,
    pub(super) after: Tree,
    pub(super) step: Option<Step>,
}

/// What became of an evaluated change.
#[derive(Debug)]
pub(super) enum Decided {
    /// The log decides; the answer comes when it is applied.
    Proposed,
    /// There is nothing to log; it is answered.
    Unchanged,
    /// The head has moved on since the evaluation, which is to be repeated. Nothing is answered.
    HeadMoved,
    /// The log does not take it. Nothing is answered.
    Refused(RpcError),
}

impl Transaction {
    /// A rollback undoes; it passes locks and cannot be refused (PROTOCOL F17).
    pub(super) fn restores(&self) -> bool {
        matches!(self.content, Content::Cancel { .. } | Content::Rollback(_))
    }

    /// The candidate is busy until it has an outcome, and is unmodified if it takes place.
    pub(super) fn takes_candidate(&self) -> bool {
        matches!(self.content, Content::Candidate | Content::WholeCandidate)
    }
}

impl Agent {
    /// Admits, evaluates and checks a transaction on the head.
    pub(super) fn evaluate(&self, transaction: &Transaction) -> Result<Evaluated, Vec<RpcError>> {
        let head = self.head.state().ok_or_else(no_leader)?;
        let step = admit(head, transaction)?;
        let (base, before) = (head.revision, head.shared.clone());
        let after = match &transaction.content {
            Content::Edit(edit) => {
                crate::datastore::apply::apply_edit(&self.parameters.schema, &before, edit)
                    .map_err(|error| fault::of_data(vec![error]))?
                    .tree
            }
            Content::Replace(tree) | Content::Validate(tree) => tree.clone(),
            Content::WholeCandidate => self.candidate_tree()?,
            Content::Candidate => self.rebased_candidate(head.revision, &before)?,
            Content::Cancel { .. } | Content::Rollback(_) => {
                head.confirmed.as_ref().map_or_else(|| before.clone(), |cc| cc.base.clone())
            }
        };
        let after =
            if transaction.restores() { after } else { self.settle((&before, base), &after)? };
        let confirms = matches!(step, Some(Step::Confirm { .. }));
        let ends = transaction.restores() || confirms && diff(&before, &after).is_empty();
        if self.storage == StorageSpace::Full && !ends && !transaction.test_only {
            return Err(vec![fault::storage_full()]);
        }
        Ok(Evaluated { base, before, after, step })
    }

    /// `after` as it is valid, without what the change puts out of its `when` (RFC 7950, 8.2 and 8.3.3). Every revision
    /// but the empty one at the beginning has been judged.
    pub(super) fn settle(
        &self,
        (before, revision): (&Tree, Revision),
        after: &Tree,
    ) -> Result<Tree, Vec<RpcError>> {
        let known = if revision == Revision(0) { Before::Unknown } else { Before::Valid };
        settle(&self.parameters.schema, (before, known), after).map_err(fault::of_data)
    }

    /// Proposes what was evaluated, if it still stands on the head.
    pub(super) fn decide(&mut self, transaction: &Transaction, evaluated: Evaluated) -> Decided {
        let Evaluated { base, before, after, step } = evaluated;
        if self.revision_of_head() != base {
            return Decided::HeadMoved;
        }
        let schema = std::sync::Arc::clone(&self.parameters.schema);
        let change = diff(&before, &after);
        if change.is_empty() && step.is_none() {
            self.unchanged(transaction);
            return Decided::Unchanged;
        }
        let restores = transaction.restores();
        let decision = Decision {
            request: self.request_head(transaction.session, &transaction.user, transaction.at),
            base,
            base_digest: data_digest(&before, &schema),
            result_digest: data_digest(&after, &schema),
            schema_id: schema.schema_id,
            held: transaction.session.map(|session| self.held_by(session)).unwrap_or_default(),
            confirmed: step,
            origin: self.parameters.name.clone(),
            comment: transaction.comment.clone(),
            diff: if restores { Vec::new() } else { encode_diff(&change, &*schema) },
        };
        let pending =
            Pending { reply: transaction.reply, candidate: transaction.takes_candidate() };
        let body = Body::Decision(Box::new(decision));
        match self.propose_request(body, pending, Some(&after)) {
            Ok(()) => Decided::Proposed,
            Err(error) => Decided::Refused(fault::not_proposed(&error)),
        }
    }

    /// Nothing to log: ok when what it was compared with is durable (PROTOCOL F5).
    fn unchanged(&mut self, transaction: &Transaction) {
        if transaction.takes_candidate() {
            self.candidate_unchanged();
        }
        if let Some(reply) = transaction.reply {
            self.answer_on_head(reply, Answer::Ok);
        }
    }

    pub(super) fn request_head(
        &mut self,
        session: Option<SessionKey>,
        user: &str,
        at: WallTime,
    ) -> RequestHead {
        let parameters = &self.parameters;
        let (incarnation, boot) = (parameters.incarnation, parameters.boot.counter);
        let seq = self.next_seq;
        self.next_seq = seq.saturating_add(1);
        let low = self.pending.keys().next().map_or(seq, |oldest| oldest.seq);
        let txid = TxId { incarnation, boot, seq };
        RequestHead { txid, low, session, user: user.to_owned(), at }
    }

    /// The locks that this node knows the session to hold (PROTOCOL O3).
    fn held_by(&self, session: SessionKey) -> Vec<(LockTarget, LogIndex)> {
        let own = self.state.locks.iter().filter(|lock| lock.session == session);
        own.map(|lock| (lock.target, lock.fence)).collect()
    }

    /// Proposes a request of this node. On an error nobody is answered.
    pub(super) fn propose_request(
        &mut self,
        body: Body,
        pending: Pending,
        result: Option<&Tree>,
    ) -> Result<(), NotProposed> {
        let txid = match &body {
            Body::Decision(decision) => decision.request.txid,
            Body::Lock { request, .. }
            | Body::Unlock { request, .. }
            | Body::SessionEnd { request, .. } => request.txid,
            Body::NodeUp { .. } | Body::SessionIds { .. } | Body::Schema { .. } => {
                return Err(NotProposed::Void);
            }
        };
        self.propose_knowing(body, result)
            .inspect_err(|error| tracing::warn!(%error, %txid, "a request was not proposed"))?;
        self.pending.insert(txid, pending);
        Ok(())
    }

    pub(super) fn evaluate_lock(&mut self, from: From, target: LockTarget, at: WallTime) {
        if let Err(error) = self.may_lock(from.1, target) {
            return self.answer_on_head(from.0, Answer::Errors(vec![error]));
        }
        let user = self.user_of(from.1);
        let request = self.request_head(Some(from.1), &user, at);
        let pending = Pending { reply: Some(from.0), candidate: false };
        if let Err(error) = self.propose_request(Body::Lock { request, target }, pending, None) {
            self.answer_on_head(from.0, Answer::Errors(vec![fault::not_proposed(&error)]));
        }
    }

    /// RFC 6241, 7.5.
    fn may_lock(&self, session: SessionKey, target: LockTarget) -> Result<(), RpcError> {
        let Some(head) = self.head.state() else {
            return Err(fault::resource_denied("quorate:no-leader", "no member leads"));
        };
        if self.storage == StorageSpace::Full {
            return Err(fault::storage_full());
        }
        if let Some(lock) = head.lock(target) {
            let holder = lock.session.id;
            return Err(fault::lock_denied(holder.0, format!("it is locked by session {holder}")));
        }
        match &head.confirmed {
            Some(pending) if pending.owner != session => {
                let owner = if head.is_alive(pending.owner)
                    && self.sessions.contains_key(&pending.owner.id)
                {
                    pending.owner.id.0
                } else {
                    0
                };
                Err(fault::lock_denied(owner, "a confirmed commit is pending"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// RFC 6241, 7.6.
    pub(super) fn evaluate_unlock(&mut self, from: From, target: LockTarget, at: WallTime) {
        let held = self.head.state().and_then(|head| head.lock(target));
        if held.is_none_or(|lock| lock.session != from.1) {
            let error = fault::operation_failed("this session does not hold the lock");
            return self.answer_on_head(from.0, Answer::Errors(vec![error]));
        }
        let user = self.user_of(from.1);
        let request = self.request_head(Some(from.1), &user, at);
        let pending = Pending { reply: Some(from.0), candidate: false };
        if let Err(error) = self.propose_request(Body::Unlock { request, target }, pending, None) {
            self.answer_on_head(from.0, Answer::Errors(vec![fault::not_proposed(&error)]));
        }
    }

    /// When the pending confirmed commit is to be rolled back: its timeout after it was applied here.
    pub(super) fn rollback_due(&self) -> Option<Timestamp> {
        let pending = self.head.state()?.confirmed.as_ref()?;
        let (generation, since) = self.confirmed_since?;
        let timeout_ms = u64::from(pending.timeout_s).saturating_mul(1000);
        (generation == pending.generation).then(|| since.plus_ms(timeout_ms))
    }

    /// L8: what the leader itself decides.
    pub(super) fn duties(&mut self, now: Now) {
        self.end_leftovers(now);
        let Some(pending) = self.head.state().and_then(|head| head.confirmed.as_ref()) else {
            return;
        };
        let cause = if pending.alive.is_empty() {
            RollbackCause::Restart
        } else if self.rollback_due().is_some_and(|due| now.monotonic >= due) {
            RollbackCause::Timeout
        } else {
            return;
        };
        let step = Step::Rollback { generation: pending.generation, cause };
        tracing::info!(?cause, revision = pending.base_revision.0, "confirmed commit rolled back");
        let comment = match cause {
            RollbackCause::Timeout => "rollback: the confirmed commit timed out",
            RollbackCause::Restart => "rollback: the node restarted before the confirming commit",
            RollbackCause::SessionEnd => "rollback: the session of the confirmed commit ended",
        };
        let transaction = Transaction {
            reply: None,
            session: None,
            user: String::new(),
            at: now.wall,
            content: Content::Rollback(step),
            ask: None,
            confirms: false,
            test_only: false,
            comment: Some(comment.to_owned()),
        };
        match self.evaluate(&transaction) {
            // If the log takes nothing now, the duty stays.
            Ok(evaluated) => drop(self.decide(&transaction, evaluated)),
            Err(errors) => tracing::error!(?errors, "the confirmed commit cannot be rolled back"),
        }
    }
}

/// What stands before any change of running: locks, and the rules of a pending confirmed commit (L3).
fn admit(head: &State, transaction: &Transaction) -> Result<Option<Step>, Vec<RpcError>> {
    if let Content::Validate(_) = transaction.content {
        return Ok(None);
    }
    if let Content::Rollback(step) = &transaction.content {
        return Ok(Some(step.clone()));
    }
    let Some(session) = transaction.session else {
        return Ok(None);
    };
    if let Some(lock) = head.lock(LockTarget::Running)
        && lock.session != session
    {
        return Err(vec![fault::locked_by("running", lock.session.id)]);
    }
    let pending = head.confirmed.as_ref();
    if transaction.confirms && pending.is_none() {
        let message =
            "the confirmed commit was rolled back before its confirmation could be decided";
        return Err(vec![fault::operation_failed(message)]);
    }
    let step = match (&transaction.content, &transaction.ask) {
        (Content::Cancel { persist_id }, _) => {
            cancel_step(pending, session, persist_id.as_deref()).map(Some)
        }
        (_, Some(ask)) => commit_step(pending, session, ask),
        (_, None) => match pending {
            Some(pending) => {
                Err(crate::transaction::confirmed::NotYours::OtherSession(pending.owner.id))
            }
            None => Ok(None),
        },
    };
    step.map_err(|error| vec![fault::not_yours(&error)])
}

fn no_leader() -> Vec<RpcError> {
    vec![fault::resource_denied("quorate:no-leader", "no member leads")]
}

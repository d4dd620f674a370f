//! Changes of running: admitted and evaluated on the head, proposed, and decided by the log (PROTOCOL L3 to L7).

use super::asked::{Asked, Change};
use super::head::NotProposed;
use super::{Agent, StorageSpace, fault};
use crate::base::ids::{LogIndex, Revision, SessionKey};
use crate::base::rules::{Rule, Rules};
use crate::base::time::Now;
use crate::datastore::candidate::Candidate;
use crate::netconf::error::RpcError;
use crate::replication::apply::data_digest;
use crate::replication::entry::{Body, Decision};
use crate::replication::state::{LockTarget, State};
use crate::transaction::confirmed::{NotYours, Step, cancel_step, commit_step};
use crate::yang::tree::{Tree, diff, encode_diff};
use crate::yang::validate::{Before, Index, settle};

/// A change as it was evaluated on the head.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// The revision of the head.
    pub(super) base: Revision,
    pub(super) before: Tree,
    pub(super) after: Tree,
    /// Of `after`, where it was validated.
    pub(super) index: Option<Index>,
    pub(super) step: Option<Step>,
}

/// What became of an evaluated change.
#[derive(Debug)]
pub(super) enum Decided {
    /// The log decides.
    Proposed,
    /// There is nothing to log.
    Unchanged,
    /// The head has moved on since the evaluation, which is to be repeated.
    HeadMoved,
    /// The log does not take it.
    Refused(RpcError),
    /// This node does not lead any more, or gives leadership away: the origin gives the request to whoever does.
    Lost,
}

impl Agent {
    /// Admits, evaluates and checks a change on the head.
    pub(super) fn evaluate(
        &self,
        asked: &Asked,
        change: &Change,
    ) -> Result<Evaluated, Vec<RpcError>> {
        let head = self.to_decide_on().ok_or_else(|| vec![fault::no_leader()])?;
        let step = admit(head, asked, change, self.parameters.rules)?;
        let (base, before) = (head.revision, head.shared.clone());
        let after = self.result_of(head, change)?;
        let (after, index) = if change.undoes() {
            (after, None)
        } else {
            let (after, index) = self.settle((&before, base), &after)?;
            (after, Some(index))
        };
        let confirms = matches!(step, Some(Step::Confirm { .. }));
        let ends = change.undoes() || confirms && diff(&before, &after).is_empty();
        if self.storage == StorageSpace::Full && !ends && !asked.test_only {
            return Err(vec![fault::storage_full()]);
        }
        Ok(Evaluated { base, before, after, index, step })
    }

    /// What running becomes, before it is validated.
    fn result_of(&self, head: &State, change: &Change) -> Result<Tree, Vec<RpcError>> {
        let schema = &self.parameters.schema;
        match change {
            Change::Initial(_) if head.revision != Revision(0) => Ok(head.shared.clone()),
            Change::Edit(edit) | Change::Initial(edit) => {
                let edited = crate::datastore::apply::apply_edit(schema, &head.shared, edit);
                Ok(edited.map_err(|error| fault::of_data(vec![error]))?.tree)
            }
            Change::Replace(tree) | Change::Validate(tree) => Ok(tree.clone()),
            Change::Candidate { candidate, .. } => self.rebased(candidate, head),
            Change::Restore(revision) => self.tree_at(*revision).ok_or_else(|| {
                let message = format!("revision {revision} is not kept any more");
                vec![fault::invalid_value(message)]
            }),
            Change::Cancel { .. } | Change::Rollback(_) => {
                let pending = head.confirmed.as_ref();
                Ok(pending.map_or_else(|| head.shared.clone(), |pending| pending.base.clone()))
            }
        }
    }

    /// The tree that a commit of the candidate would make of the head: the candidate's changes on it, or the paths
    /// that changed on both sides.
    fn rebased(&self, candidate: &Candidate, head: &State) -> Result<Tree, Vec<RpcError>> {
        candidate
            .rebase(&self.parameters.schema, head.revision, &head.shared)
            .map_err(fault::conflicts)
    }

    /// Running as it was at a revision, if it is kept.
    pub(super) fn tree_at(&self, revision: Revision) -> Option<Tree> {
        self.head.state().unwrap_or(&self.state).tree_at(revision).cloned()
    }

    /// `after` as it is valid, without what the change puts out of its `when` (RFC 7950, 8.2 and 8.3.3). Every revision
    /// but the empty one at the beginning has been judged.
    pub(super) fn settle(
        &self,
        (before, revision): (&Tree, Revision),
        after: &Tree,
    ) -> Result<(Tree, Index), Vec<RpcError>> {
        let known = if revision == Revision(0) { Before::Unknown } else { Before::Valid };
        let before = (before, known, &self.index);
        settle(&self.parameters.schema, before, after).map_err(fault::of_data)
    }

    /// Proposes what was evaluated, if it still stands on the head.
    pub(super) fn decide(&mut self, asked: &Asked, evaluated: Evaluated) -> Decided {
        let Evaluated { base, before, after, index, step } = evaluated;
        let Some(head) = self.to_decide_on() else { return Decided::Lost };
        if head.revision != base {
            return Decided::HeadMoved;
        }
        let origin = head.member(asked.txid().incarnation).map(|member| member.name.clone());
        let schema = std::sync::Arc::clone(&self.parameters.schema);
        let change = diff(&before, &after);
        if change.is_empty() && step.is_none() {
            return Decided::Unchanged;
        }
        let restores = matches!(step, Some(Step::Cancel { .. } | Step::Rollback { .. }));
        let decision = Decision {
            request: asked.head.clone(),
            base,
            base_digest: data_digest(&before, &schema),
            result_digest: data_digest(&after, &schema),
            schema_id: schema.schema_id,
            held: asked.held.clone(),
            confirmed: step,
            origin: origin.unwrap_or_default(),
            comment: asked.comment.clone(),
            diff: if restores { Vec::new() } else { encode_diff(&change, &*schema) },
        };
        let body = Body::Decision(Box::new(decision));
        match self.propose_knowing(body, Some(&after)) {
            Ok(_) => {
                if let Some(index) = index {
                    self.index = index;
                }
                Decided::Proposed
            }
            Err(NotProposed::NoLeader) => Decided::Lost,
            Err(error) => {
                tracing::warn!(%error, txid = %asked.txid(), "a change was not proposed");
                Decided::Refused(fault::not_proposed(&error))
            }
        }
    }

    /// Proposes what needs no evaluation of data; what the log does not take is refused.
    pub(super) fn propose_asked(&mut self, now: Now, asked: &Asked, body: Body) {
        match self.propose(body) {
            Ok(_) => {}
            Err(NotProposed::NoLeader) => self.leading.forget(asked.txid()),
            Err(error) => {
                let txid = asked.txid();
                tracing::warn!(%error, %txid, "a request was not proposed");
                self.abort(now, txid, vec![fault::not_proposed(&error)]);
            }
        }
    }

    pub(super) fn evaluate_lock(&mut self, now: Now, asked: &Asked, target: LockTarget) {
        if let Err(error) = self.may_lock(asked, target) {
            return self.abort(now, asked.txid(), vec![error]);
        }
        let body = Body::Lock { request: asked.head.clone(), target };
        self.propose_asked(now, asked, body);
    }

    /// RFC 6241, 7.5.
    fn may_lock(&self, asked: &Asked, target: LockTarget) -> Result<(), RpcError> {
        let Some(head) = self.to_decide_on() else { return Err(fault::no_leader()) };
        let Some(session) = asked.session().filter(|session| head.is_alive(*session)) else {
            return Err(fault::operation_failed("the session is over"));
        };
        if !head.is_up(session) {
            return Err(fault::not_ready());
        }
        if self.storage == StorageSpace::Full {
            return Err(fault::storage_full());
        }
        if let Some(lock) = head.lock(target) {
            let holder = lock.session.id;
            return Err(fault::lock_denied(holder.0, format!("it is locked by session {holder}")));
        }
        match &head.confirmed {
            Some(pending) if pending.owner != session => {
                // 0 stands for no session: the owner of a persistent one may be gone.
                let owner = if self.is_open(pending.owner) { pending.owner.id.0 } else { 0 };
                Err(fault::lock_denied(owner, "a confirmed commit is pending"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// As far as this node knows.
    fn is_open(&self, session: SessionKey) -> bool {
        let own = session.incarnation == self.parameters.incarnation;
        !self.is_over(session) && (!own || self.sessions.contains_key(&session.id))
    }

    /// RFC 6241, 7.6.
    pub(super) fn evaluate_unlock(&mut self, now: Now, asked: &Asked, target: LockTarget) {
        let held = self.to_decide_on().and_then(|head| head.lock(target));
        if held.is_none_or(|lock| Some(lock.session) != asked.session()) {
            let error = fault::operation_failed("this session does not hold the lock");
            return self.abort(now, asked.txid(), vec![error]);
        }
        let body = Body::Unlock { request: asked.head.clone(), target };
        self.propose_asked(now, asked, body);
    }

    pub(super) fn evaluate_session_end(&mut self, now: Now, asked: Asked, session: SessionKey) {
        let known = self.head.state().and_then(|head| head.member(session.incarnation));
        if known.is_none_or(|member| member.boot.counter != session.boot) {
            return self.session_is_over(now, &asked, session);
        }
        let Asked { ref head, .. } = asked;
        let body = Body::SessionEnd { request: head.clone(), session };
        match self.propose(body) {
            Ok(_) => {}
            Err(NotProposed::Void) => self.session_is_over(now, &asked, session),
            Err(error) => {
                tracing::warn!(%error, session = session.id.0, "the end of a session waits");
                self.leading.forget(asked.txid());
            }
        }
    }

    /// For its own member that is as it should be; for a kill-session of another one there is nothing to end.
    fn session_is_over(&mut self, now: Now, asked: &Asked, session: SessionKey) {
        if asked.session().is_some() {
            self.abort(now, asked.txid(), vec![fault::no_session(session.id)]);
        } else {
            self.unchanged(now, asked.txid());
        }
    }
}

/// What stands before any change of running: the session, locks, and the rules of a pending confirmed commit (L3).
fn admit(
    head: &State,
    asked: &Asked,
    change: &Change,
    rules: Rules,
) -> Result<Option<Step>, Vec<RpcError>> {
    match change {
        Change::Validate(_) => return Ok(None),
        Change::Rollback(step) => return Ok(Some(step.clone())),
        Change::Edit(_)
        | Change::Initial(_)
        | Change::Replace(_)
        | Change::Candidate { .. }
        | Change::Cancel { .. }
        | Change::Restore(_) => {}
    }
    let Some(session) = asked.session() else {
        return Ok(None);
    };
    if !head.is_alive(session) {
        return Err(vec![fault::operation_failed("the session is over")]);
    }
    let holds = |(target, fence): &(LockTarget, LogIndex)| {
        head.lock(*target).is_some_and(|lock| lock.session == session && lock.fence == *fence)
    };
    if !asked.held.iter().all(holds) && rules.hold(Rule::LockFences) {
        return Err(vec![fault::lock_lost()]);
    }
    if let Some(lock) = head.lock(LockTarget::Running)
        && lock.session != session
    {
        return Err(vec![fault::locked_by("running", lock.session.id)]);
    }
    let pending = head.confirmed.as_ref();
    let step = match change {
        Change::Candidate { confirms: true, .. } if pending.is_none() => {
            let message = "the confirmed commit ended before this confirmation could be decided";
            return Err(vec![fault::operation_failed(message)]);
        }
        Change::Candidate { ask, .. } if ask.confirmed.is_some() && !head.is_up(session) => {
            return Err(vec![fault::not_ready()]);
        }
        Change::Candidate { ask, .. } => commit_step(pending, session, ask),
        Change::Cancel { persist_id } => {
            cancel_step(pending, session, persist_id.as_deref()).map(Some)
        }
        Change::Edit(_)
        | Change::Initial(_)
        | Change::Replace(_)
        | Change::Restore(_)
        | Change::Rollback(_)
        | Change::Validate(_) => match pending {
            Some(pending) => Err(NotYours::OtherSession(pending.owner.id)),
            None => Ok(None),
        },
    };
    step.map_err(|error| vec![fault::not_yours(&error)])
}

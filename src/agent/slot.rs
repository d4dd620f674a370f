//! The open slot: a change that waits for its participants (DESIGN section 7, PROTOCOL L5, L6).
//!
//! Hooks run one after the other in ascending priority: those that may rewrite, then validation, then prepare. One
//! slot is open at a time and nothing is evaluated past it (PROTOCOL F9). Who has nothing registered on the changed
//! paths is not asked, and a change that concerns nobody never waits.

use super::event::Answer;
use super::transactions::{Decided, Evaluated, Transaction, Work};
use super::{Agent, fault};
use crate::api::hook::{Call, CallId, HookAnswer, HookCall, ParticipantId, Proposed};
use crate::base::ids::{Revision, SessionKey};
use crate::base::limits::{FOOTPRINT_ROOTS_MAX, TX_QUEUE_MAX};
use crate::base::time::{Now, Timestamp};
use crate::netconf::error::RpcError;
use crate::yang::schema::NodeId;
use crate::yang::tree::{Tree, diff};
use std::collections::VecDeque;

/// What a participant takes part in.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    pub(crate) id: ParticipantId,
    pub(crate) name: String,
    /// Schema nodes: changes at, below or above them concern it. Empty: every change.
    pub(crate) paths: Vec<Vec<NodeId>>,
    /// Lower ones are called first.
    pub(crate) priority: i32,
    pub(crate) deadline_ms: u64,
    pub(crate) rewrites: bool,
}

/// The phases of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Rewrite,
    Validate,
    Prepare,
}

/// A change that waits.
struct Slot {
    transaction: Box<Transaction>,
    evaluated: Evaluated,
    stage: Stage,
    /// Whom this stage still has to ask, in order.
    to_ask: VecDeque<ParticipantId>,
    asked: Option<(CallId, ParticipantId, Timestamp)>,
    /// Who holds prepared state.
    prepared: Vec<ParticipantId>,
}

/// The slot and what waits behind it.
///
/// Invariant: between events, `waiting` is empty while no slot is open.
pub(super) struct SlotQueue {
    participants: Vec<Registration>,
    open: Option<Slot>,
    waiting: VecDeque<Work>,
    next_call: u64,
}

impl SlotQueue {
    pub(super) fn new(mut participants: Vec<Registration>) -> Self {
        participants.sort_by_key(|participant| (participant.priority, participant.id));
        Self { participants, open: None, waiting: VecDeque::new(), next_call: 1 }
    }

    /// When the participant that is being asked must have answered.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.open.as_ref()?.asked.map(|(_, _, deadline)| deadline)
    }

    fn registration(&self, id: ParticipantId) -> Option<&Registration> {
        self.participants.iter().find(|participant| participant.id == id)
    }

    /// Those that a change of `before` into `after` concerns, in order.
    fn concerned(&self, before: &Tree, after: &Tree) -> Vec<ParticipantId> {
        if self.participants.is_empty() {
            return Vec::new();
        }
        let changed = diff(before, after).roots(FOOTPRINT_ROOTS_MAX);
        let touches = |path: &Vec<NodeId>| {
            changed.iter().any(|root| root.0.iter().zip(path).all(|((a, _), b)| a == b))
        };
        let concerns = |participant: &&Registration| {
            !changed.is_empty()
                && (participant.paths.is_empty() || participant.paths.iter().any(touches))
        };
        self.participants.iter().filter(concerns).map(|participant| participant.id).collect()
    }
}

impl Agent {
    /// Evaluates `work` now, or behind the open slot.
    pub(super) fn submit(&mut self, now: Now, work: Work) {
        if self.slots.open.is_none() && self.slots.waiting.is_empty() {
            return self.begin(now, work);
        }
        if self.slots.waiting.len() >= TX_QUEUE_MAX {
            let error = fault::resource_denied("quorate:queue-full", "too many changes wait");
            return self.refuse(now, &work, vec![error]);
        }
        self.slots.waiting.push_back(work);
    }

    fn begin(&mut self, now: Now, work: Work) {
        match work {
            Work::Lock { from, target, at } => self.evaluate_lock(from, target, at),
            Work::Unlock { from, target, at } => self.evaluate_unlock(from, target, at),
            Work::Transaction(transaction) => match self.evaluate(&transaction) {
                Ok(evaluated) => self.open_slot(now, transaction, evaluated),
                Err(errors) => self.refuse(now, &Work::Transaction(transaction), errors),
            },
        }
    }

    fn refuse(&mut self, now: Now, work: &Work, errors: Vec<RpcError>) {
        let (reply, candidate) = match work {
            Work::Lock { from, .. } | Work::Unlock { from, .. } => (Some(from.0), false),
            Work::Transaction(transaction) => (transaction.reply, transaction.takes_candidate()),
        };
        if let Some(reply) = reply {
            self.answer_on_head(reply, Answer::Errors(errors));
        }
        if candidate {
            self.candidate_resolved(now);
        }
    }

    fn open_slot(&mut self, now: Now, transaction: Box<Transaction>, evaluated: Evaluated) {
        let concerned = self.slots.concerned(&evaluated.before, &evaluated.after);
        let stage = if transaction.restores() { Stage::Prepare } else { Stage::Rewrite };
        let to_ask = match stage {
            Stage::Rewrite => self.rewriters(&concerned),
            Stage::Validate | Stage::Prepare => VecDeque::new(),
        };
        let slot =
            Slot { transaction, evaluated, stage, to_ask, asked: None, prepared: Vec::new() };
        self.slots.open = Some(slot);
        self.advance_slot(now);
    }

    fn rewriters(&self, concerned: &[ParticipantId]) -> VecDeque<ParticipantId> {
        let rewrites = |id: &&ParticipantId| {
            self.slots.registration(**id).is_some_and(|participant| participant.rewrites)
        };
        concerned.iter().filter(rewrites).copied().collect()
    }

    /// Asks the next participant, or goes to the next stage, or decides. Nobody is asked about a change before what
    /// it is made on is applied, so that each participant hears of revisions in their order (PROTOCOL M1).
    fn advance_slot(&mut self, now: Now) {
        loop {
            let Some(mut slot) = self.slots.open.take() else { return };
            if !slot.to_ask.is_empty() && self.state.revision != slot.evaluated.base {
                self.slots.open = Some(slot);
                return;
            }
            if let Some(participant) = slot.to_ask.pop_front() {
                self.ask(now, &mut slot, participant);
                self.slots.open = Some(slot);
                return;
            }
            let concerned = self.slots.concerned(&slot.evaluated.before, &slot.evaluated.after);
            match slot.stage {
                Stage::Rewrite => {
                    slot.stage = Stage::Validate;
                    slot.to_ask = concerned.into();
                    self.slots.open = Some(slot);
                }
                Stage::Validate if !slot.transaction.test_only => {
                    slot.stage = Stage::Prepare;
                    slot.to_ask = concerned.into();
                    self.slots.open = Some(slot);
                }
                Stage::Validate | Stage::Prepare => return self.close_slot(now, slot),
            }
        }
    }

    fn ask(&mut self, now: Now, slot: &mut Slot, participant: ParticipantId) {
        let id = CallId(self.slots.next_call);
        self.slots.next_call = id.0.saturating_add(1);
        let deadline_ms =
            self.slots.registration(participant).map_or(0, |registered| registered.deadline_ms);
        slot.asked = Some((id, participant, now.monotonic.plus_ms(deadline_ms)));
        let change = Proposed {
            before: slot.evaluated.before.clone(),
            after: slot.evaluated.after.clone(),
            user: slot.transaction.user.clone(),
            session: slot.transaction.session.map(|session| session.id),
        };
        let call = match slot.stage {
            Stage::Rewrite => Call::Rewrite { id, change },
            Stage::Validate => Call::Validate { id, change },
            Stage::Prepare => {
                slot.prepared.push(participant);
                Call::Prepare { id, change }
            }
        };
        self.effects.hooks.push(HookCall { participant, call });
    }

    /// All said yes: the decision. If the head has moved under the slot, everybody is asked again on the new one.
    fn close_slot(&mut self, now: Now, slot: Slot) {
        if slot.transaction.test_only {
            if let Some(reply) = slot.transaction.reply {
                self.answer_on_head(reply, Answer::Ok);
            }
            return self.next_work(now);
        }
        let candidate = slot.transaction.takes_candidate();
        match self.decide(&slot.transaction, slot.evaluated) {
            Decided::Proposed => {}
            Decided::Unchanged => {
                self.abort_prepared(&slot.prepared);
                if candidate {
                    self.candidate_resolved(now);
                }
            }
            Decided::Refused(error) => {
                self.abort_prepared(&slot.prepared);
                self.refuse(now, &Work::Transaction(slot.transaction), vec![error]);
            }
            Decided::HeadMoved => {
                self.abort_prepared(&slot.prepared);
                self.begin(now, Work::Transaction(slot.transaction));
            }
        }
        self.next_work(now);
    }

    /// `revision` is applied. If the open slot stands on an older one, whoever prepared is released from it, before
    /// anybody hears of the revision: its change is to be evaluated again (PROTOCOL N1).
    pub(super) fn overtake_slot(&mut self, revision: Revision) -> Option<Box<Transaction>> {
        let slot = self.slots.open.take_if(|slot| slot.evaluated.base < revision)?;
        self.abort_prepared(&slot.prepared);
        Some(slot.transaction)
    }

    /// After an entry is applied: the change that it has overtaken begins again; one that waited for it goes on.
    pub(super) fn resume_slot(&mut self, now: Now, overtaken: Option<Box<Transaction>>) {
        if let Some(transaction) = overtaken {
            self.begin(now, Work::Transaction(transaction));
            self.next_work(now);
        } else if self.slots.open.as_ref().is_some_and(|slot| slot.asked.is_none()) {
            self.advance_slot(now);
        }
    }

    fn abort_prepared(&mut self, prepared: &[ParticipantId]) {
        for participant in prepared {
            self.effects.hooks.push(HookCall { participant: *participant, call: Call::Abort });
        }
    }

    fn next_work(&mut self, now: Now) {
        while self.slots.open.is_none() {
            let Some(work) = self.slots.waiting.pop_front() else { return };
            self.begin(now, work);
        }
    }

    pub(super) fn slot_answered(&mut self, now: Now, call: CallId, answer: HookAnswer) {
        let Some(slot) = &mut self.slots.open else { return };
        let Some((_, participant, _)) = slot.asked.take_if(|(asked, _, _)| *asked == call) else {
            return;
        };
        match answer {
            HookAnswer::Yes => self.advance_slot(now),
            HookAnswer::No(reason) => self.abort_slot(now, participant, &reason),
            HookAnswer::Amend(edit) => {
                let schema = std::sync::Arc::clone(&self.parameters.schema);
                let Evaluated { base, before, after, .. } = &slot.evaluated;
                let (base, before) = (*base, before.clone());
                let amended = crate::datastore::apply::apply_edit(&schema, after, &edit)
                    .map_err(|error| error.message)
                    .and_then(|edited| {
                        self.settle((&before, base), &edited.tree)
                            .map_err(|errors| messages(&errors))
                    });
                match (amended, &mut self.slots.open) {
                    (Ok(tree), Some(slot)) => {
                        slot.evaluated.after = tree;
                        self.advance_slot(now);
                    }
                    (Err(reason), _) => {
                        let reason = format!("its own change cannot be made: {reason}");
                        self.abort_slot(now, participant, &reason);
                    }
                    (Ok(_), None) => {}
                }
            }
        }
    }

    /// A participant that does not answer in time has refused.
    pub(super) fn slot_deadline(&mut self, now: Now) {
        let Some(slot) = &mut self.slots.open else { return };
        let Some((_, participant, _)) =
            slot.asked.take_if(|(_, _, deadline)| now.monotonic >= *deadline)
        else {
            return;
        };
        let waited =
            self.slots.registration(participant).map_or(0, |registered| registered.deadline_ms);
        self.abort_slot(now, participant, &format!("it did not answer within {waited} ms"));
    }

    fn abort_slot(&mut self, now: Now, participant: ParticipantId, reason: &str) {
        let Some(slot) = self.slots.open.take() else { return };
        self.abort_prepared(&slot.prepared);
        let name = self
            .slots
            .registration(participant)
            .map_or_else(String::new, |registered| registered.name.clone());
        let error = fault::refused(&self.parameters.name, &name, reason);
        self.refuse(now, &Work::Transaction(slot.transaction), vec![error]);
        self.next_work(now);
    }

    /// The end of a session before the decision: what it asked for does not come (a reply has no reader any more).
    pub(super) fn drop_undecided(&mut self, now: Now, session: SessionKey) {
        let is_its = |work: &Work| match work {
            Work::Lock { from, .. } | Work::Unlock { from, .. } => from.1 == session,
            Work::Transaction(transaction) => transaction.session == Some(session),
        };
        let (dropped, kept): (VecDeque<Work>, VecDeque<Work>) =
            std::mem::take(&mut self.slots.waiting).into_iter().partition(is_its);
        self.slots.waiting = kept;
        let over = || vec![fault::operation_failed("the session is over")];
        for work in &dropped {
            self.refuse(now, work, over());
        }
        let is_open = |slot: &mut Slot| slot.transaction.session == Some(session);
        if let Some(slot) = self.slots.open.take_if(is_open) {
            self.abort_prepared(&slot.prepared);
            self.refuse(now, &Work::Transaction(slot.transaction), over());
            self.next_work(now);
        }
    }

    /// A new revision is durable: whom it concerns is told, in order (PROTOCOL N1).
    pub(super) fn tell_participants(&mut self, revision: Revision, change: &Proposed) {
        for participant in self.slots.concerned(&change.before, &change.after) {
            let call = Call::Commit { revision, change: change.clone() };
            self.effects.hooks.push(HookCall { participant, call });
        }
    }

    /// NETCONF is about to open: every participant gets the full configuration.
    pub(super) fn start_participants(&mut self) {
        for participant in &self.slots.participants {
            let call =
                Call::Start { revision: self.state.revision, tree: self.state.shared.clone() };
            self.effects.hooks.push(HookCall { participant: participant.id, call });
        }
    }
}

fn messages(errors: &[RpcError]) -> String {
    let texts: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    texts.join("; ")
}

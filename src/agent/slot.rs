//! The open slot: a change that waits for participants, of this member and of others (DESIGN section 7, PROTOCOL L5,
//! L6, F13 to F17).
//!
//! First those that may rewrite are asked, one after the other in ascending priority; then all members with
//! participants on the changed paths at once. One slot is open at a time and nothing is evaluated past it (F9). Who
//! has nothing registered on the changed paths is not asked, and a change that concerns nobody never waits.

use super::asked::{Asked, Change, Content};
use super::effects::ToPeer;
use super::member::Question;
use super::transactions::{Decided, Evaluated};
use super::{Agent, fault};
use crate::api::hook::ParticipantId;
use crate::base::ids::{Incarnation, Revision, SessionKey};
use crate::base::limits::{FOOTPRINT_ROOTS_MAX, PREPARE_TIMEOUT_MS, TX_QUEUE_MAX};
use crate::base::policy::Policy;
use crate::base::time::{Now, Timestamp};
use crate::netconf::error::RpcError;
use crate::replication::apply::data_digest;
use crate::replication::message::{PeerMessage, Prepare, PrepareAsk, Verdict};
use crate::replication::state::{Member, RegisteredParticipant, State};
use crate::yang::path_text::parse_schema_path;
use crate::yang::schema::{NodeId, Schema};
use crate::yang::tree::{KeyPath, Tree, diff, encode_diff};
use std::collections::{BTreeSet, VecDeque};

/// What a participant of this member takes part in.
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

/// A change that waits.
struct Slot {
    number: u64,
    asked: Asked,
    evaluated: Evaluated,
    stage: Stage,
    /// Members that were asked to prepare and are to be told if nothing comes of it.
    prepared: BTreeSet<Incarnation>,
}

/// Who is being asked.
enum Stage {
    /// One participant after the other; the one that is asked now, and until when.
    Rewrite { to_ask: VecDeque<(Incarnation, u32)>, asked: Option<((Incarnation, u32), Timestamp)> },
    /// All members with participants, until then.
    Vote { missing: BTreeSet<Incarnation>, asked: bool, until: Timestamp },
}

/// The slot and what waits behind it.
///
/// Invariant: between events, `waiting` is empty while no slot is open.
pub(super) struct SlotQueue {
    open: Option<Slot>,
    waiting: VecDeque<Asked>,
    next_number: u64,
}

/// A registration of any member, by the schema nodes of its paths.
struct Concern<'a> {
    member: &'a Member,
    participant: &'a RegisteredParticipant,
}

impl SlotQueue {
    pub(super) fn new() -> Self {
        Self { open: None, waiting: VecDeque::new(), next_number: 1 }
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When somebody must have answered.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match &self.open.as_ref()?.stage {
            Stage::Rewrite { asked, .. } => asked.map(|(_, until)| until),
            Stage::Vote { asked, until, .. } => asked.then_some(*until),
        }
    }
}

/// The paths that a change touches, as far as they are told apart.
pub(super) fn changed_paths(before: &Tree, after: &Tree) -> Vec<KeyPath> {
    diff(before, after).roots(FOOTPRINT_ROOTS_MAX)
}

/// Whether something registered for `paths` is concerned by changes at `changed`.
pub(super) fn concerns(paths: &[Vec<NodeId>], changed: &[KeyPath]) -> bool {
    let touches = |path: &Vec<NodeId>| {
        changed.iter().any(|root| root.0.iter().zip(path).all(|((a, _), b)| a == b))
    };
    !changed.is_empty() && (paths.is_empty() || paths.iter().any(touches))
}

/// The participants of all members in reach that a change concerns, by priority (PROTOCOL L5).
fn concerned<'a>(
    (schema, head): (&Schema, &'a State),
    evaluated: &Evaluated,
    in_reach: &dyn Fn(Incarnation) -> bool,
) -> Vec<Concern<'a>> {
    if head.members.iter().all(|member| member.participants.is_empty()) {
        return Vec::new();
    }
    let changed = changed_paths(&evaluated.before, &evaluated.after);
    let mut found = Vec::new();
    for member in head.members.iter().filter(|member| member.up && in_reach(member.incarnation)) {
        for participant in member.participants.iter() {
            let paths: Vec<Vec<NodeId>> = participant
                .paths
                .iter()
                .filter_map(|path| parse_schema_path(schema, path))
                .collect();
            let known = paths.len() == participant.paths.len();
            if known && concerns(&paths, &changed) {
                found.push(Concern { member, participant });
            }
        }
    }
    found.sort_by_key(|concern| {
        (concern.participant.priority, concern.member.incarnation, concern.participant.number)
    });
    found
}

impl Agent {
    /// Evaluates a request now, or behind the open slot.
    pub(super) fn submit(&mut self, now: Now, asked: Asked) {
        let slots = &mut self.leading.slots;
        if slots.open.is_none() && slots.waiting.is_empty() {
            return self.begin(now, asked);
        }
        if slots.waiting.len() >= TX_QUEUE_MAX {
            let error = fault::resource_denied("quorate:queue-full", "too many changes wait");
            return self.abort(now, asked.txid(), vec![error]);
        }
        slots.waiting.push_back(asked);
    }

    fn begin(&mut self, now: Now, asked: Asked) {
        match &asked.content {
            Content::Lock(target) => self.evaluate_lock(now, &asked, *target),
            Content::Unlock(target) => self.evaluate_unlock(now, &asked, *target),
            Content::Change(_) if self.took_place_before(&asked) => {
                self.unchanged(now, asked.txid());
            }
            Content::Change(change) => {
                let evaluated = self
                    .everybody_is_there()
                    .map_err(|error| vec![error])
                    .and_then(|()| self.evaluate(&asked, change));
                match evaluated {
                    Ok(evaluated) => self.open_slot(now, asked, evaluated),
                    Err(errors) => self.abort(now, asked.txid(), errors),
                }
            }
            // Neither waits for a slot.
            Content::SessionEnd(_) | Content::Control(_) | Content::Logged => {}
        }
    }

    /// The client has asked for it before under the same name, and the first outcome stands.
    fn took_place_before(&self, asked: &Asked) -> bool {
        let (Some(head), Some(name)) = (self.head.state(), &asked.head.transaction) else {
            return false;
        };
        !asked.test_only && head.named(&asked.head.user, name).is_some()
    }

    /// What the policy `fully-synchronous` asks for.
    fn everybody_is_there(&self) -> Result<(), RpcError> {
        let Some(head) = self.head.state() else { return Ok(()) };
        if head.policy != Policy::FullySynchronous {
            return Ok(());
        }
        let own = self.parameters.incarnation;
        let away = head.members.iter().find(|member| {
            member.incarnation != own
                && (!self.peers.contact_is_fresh(member.incarnation)
                    || self.has_diverged(member.incarnation))
        });
        away.map_or(Ok(()), |member| Err(fault::member_unreachable(&member.name)))
    }

    fn open_slot(&mut self, now: Now, asked: Asked, evaluated: Evaluated) {
        let schema = &self.parameters.schema;
        let Some(head) = self.head.state() else { return };
        let undoes = asked.content.change().is_some_and(Change::undoes);
        let in_reach = |member| self.is_in_reach(member);
        let concerned = concerned((schema, head), &evaluated, &in_reach);
        if undoes || concerned.is_empty() {
            self.decide_slot(now, asked, evaluated);
            return;
        }
        let to_ask: VecDeque<(Incarnation, u32)> = concerned
            .iter()
            .filter(|concern| concern.participant.rewrites)
            .map(|concern| (concern.member.incarnation, concern.participant.number))
            .collect();
        let number = self.leading.slots.next_number;
        self.leading.slots.next_number = number.saturating_add(1);
        let stage = Stage::Rewrite { to_ask, asked: None };
        let slot = Slot { number, asked, evaluated, stage, prepared: BTreeSet::new() };
        self.leading.slots.open = Some(slot);
        self.advance_slot(now);
    }

    /// Asks the next ones, or decides. Nobody is asked about a change before what it is made on is applied, so that
    /// each participant hears of revisions in their order (PROTOCOL M1).
    fn advance_slot(&mut self, now: Now) {
        let Some(mut slot) = self.leading.slots.open.take() else { return };
        let is_applied = self.state.revision == slot.evaluated.base;
        match &mut slot.stage {
            Stage::Rewrite { asked: Some(_), .. } => {}
            Stage::Rewrite { to_ask, .. } if !to_ask.is_empty() && !is_applied => {}
            Stage::Rewrite { to_ask, asked } => {
                if let Some((member, participant)) = to_ask.pop_front() {
                    let until = now.monotonic.plus_ms(self.patience_with(member));
                    *asked = Some(((member, participant), until));
                    let question = self.question(&slot, PrepareAsk::Rewrite { participant });
                    self.leading.slots.open = Some(slot);
                    return self.put(now, member, question);
                }
                let Some(head) = self.head.state() else { return };
                let in_reach = |member| self.is_in_reach(member);
                let missing: BTreeSet<Incarnation> =
                    concerned((&self.parameters.schema, head), &slot.evaluated, &in_reach)
                        .iter()
                        .map(|concern| concern.member.incarnation)
                        .collect();
                slot.stage = Stage::Vote { missing, asked: false, until: now.monotonic };
                self.leading.slots.open = Some(slot);
                return self.advance_slot(now);
            }
            Stage::Vote { asked: false, missing, .. } if !missing.is_empty() && !is_applied => {}
            Stage::Vote { asked, missing, until } => {
                if missing.is_empty() {
                    return self.close_slot(now, slot);
                }
                if !*asked {
                    *asked = true;
                    let voters = missing.clone();
                    let patience = voters.iter().map(|member| self.patience_with(*member)).max();
                    *until = now.monotonic.plus_ms(patience.unwrap_or(0));
                    let ask = if slot.asked.test_only {
                        PrepareAsk::Validate
                    } else {
                        slot.prepared = voters.clone();
                        PrepareAsk::Prepare
                    };
                    let question = self.question(&slot, ask);
                    self.leading.slots.open = Some(slot);
                    for member in voters {
                        self.put(now, member, question.clone());
                    }
                    return;
                }
            }
        }
        self.leading.slots.open = Some(slot);
    }

    /// Milliseconds that a member's participants have together.
    fn patience_with(&self, member: Incarnation) -> u64 {
        let member = self.head.state().and_then(|head| head.member(member));
        let participants = member.map(|member| &*member.participants).unwrap_or_default();
        let deadlines = participants.iter().map(|participant| participant.deadline_ms);
        let all = deadlines.fold(0_u64, |sum, ms| sum.saturating_add(ms.saturating_mul(2)));
        all.saturating_add(PREPARE_TIMEOUT_MS)
    }

    fn question(&self, slot: &Slot, ask: PrepareAsk) -> Question {
        Question {
            term: self.node.term(),
            slot: slot.number,
            base: slot.evaluated.base,
            before: slot.evaluated.before.clone(),
            after: slot.evaluated.after.clone(),
            user: slot.asked.head.user.to_string(),
            session: slot.asked.session().map(|session| session.id),
            ask,
        }
    }

    /// Asks one member, which may be this one.
    fn put(&mut self, now: Now, to: Incarnation, question: Question) {
        if to == self.parameters.incarnation {
            return self.member_asked(now, to, question);
        }
        let schema = &self.parameters.schema;
        let Question { term, slot, base, before, after, user, session, ask } = question;
        let prepare = Prepare {
            term,
            slot,
            base,
            base_digest: data_digest(&before, schema),
            result_digest: data_digest(&after, schema),
            diff: encode_diff(&diff(&before, &after), &**schema),
            user,
            session,
            ask,
        };
        let message = PeerMessage::Prepare(Box::new(prepare));
        self.effects.sends.push(ToPeer { to, message });
    }

    /// A member's participants have spoken.
    pub(super) fn member_said(
        &mut self,
        now: Now,
        member: Incarnation,
        (number, ask): (u64, PrepareAsk),
        verdict: Verdict,
    ) {
        let Some(slot) = self.leading.slots.open.as_mut().filter(|slot| slot.number == number)
        else {
            return;
        };
        let expected = match (&mut slot.stage, ask) {
            (Stage::Rewrite { asked, .. }, PrepareAsk::Rewrite { participant }) => {
                asked.take_if(|(of, _)| *of == (member, participant)).is_some()
            }
            (Stage::Vote { missing, .. }, PrepareAsk::Validate | PrepareAsk::Prepare) => {
                missing.contains(&member)
            }
            (Stage::Rewrite { .. } | Stage::Vote { .. }, _) => false,
        };
        if !expected {
            return;
        }
        match verdict {
            Verdict::Yes => {
                if let Stage::Vote { missing, .. } = &mut slot.stage {
                    missing.remove(&member);
                }
                self.advance_slot(now);
            }
            Verdict::Amend(edit) => self.amend(now, member, &edit),
            Verdict::Stale => self.begin_again(now),
            Verdict::No { participant, reason } => {
                self.refuse_slot(now, member, &participant, &reason);
            }
        }
    }

    fn amend(&mut self, now: Now, member: Incarnation, edit: &crate::datastore::edit::Edit) {
        let Some(slot) = &self.leading.slots.open else { return };
        let Evaluated { base, before, after, .. } = &slot.evaluated;
        let amended = crate::datastore::apply::apply_edit(&self.parameters.schema, after, edit)
            .map_err(|error| error.message)
            .and_then(|edited| {
                self.settle((before, *base), &edited.tree).map_err(|errors| messages(&errors))
            });
        match (amended, &mut self.leading.slots.open) {
            (Ok((tree, index)), Some(slot)) => {
                slot.evaluated.after = tree;
                slot.evaluated.index = Some(index);
                self.advance_slot(now);
            }
            (Err(reason), _) => {
                let reason = format!("its own change cannot be made: {reason}");
                self.refuse_slot(now, member, "", &reason);
            }
            (Ok(_), None) => {}
        }
    }

    /// All said yes: the decision.
    fn close_slot(&mut self, now: Now, slot: Slot) {
        let Slot { asked, evaluated, prepared, number, .. } = slot;
        if !self.decide_slot(now, asked, evaluated) {
            self.release(now, number, &prepared);
        }
        self.next_work(now);
    }

    /// Whether it is in the log now.
    fn decide_slot(&mut self, now: Now, asked: Asked, evaluated: Evaluated) -> bool {
        let txid = asked.txid();
        if asked.test_only {
            self.unchanged(now, txid);
            return false;
        }
        match self.decide(&asked, evaluated) {
            Decided::Proposed => {
                self.logged(txid);
                return true;
            }
            Decided::Unchanged => self.unchanged(now, txid),
            Decided::Refused(error) => self.abort(now, txid, vec![error]),
            Decided::HeadMoved => self.begin(now, asked),
            Decided::Lost => self.leading.forget(txid),
        }
        false
    }

    /// Members that prepared are told that nothing comes of it.
    fn release(&mut self, now: Now, slot: u64, prepared: &BTreeSet<Incarnation>) {
        let term = self.node.term();
        for member in prepared {
            if *member == self.parameters.incarnation {
                self.slot_aborted(now, term, slot);
            } else {
                let message = PeerMessage::SlotAbort { term, slot };
                self.effects.sends.push(ToPeer { to: *member, message });
            }
        }
    }

    /// The change is evaluated and asked about again: what it stood on has changed.
    fn begin_again(&mut self, now: Now) {
        let Some(slot) = self.leading.slots.open.take() else { return };
        self.release(now, slot.number, &slot.prepared);
        self.begin(now, slot.asked);
        self.next_work(now);
    }

    fn is_in_reach(&self, member: Incarnation) -> bool {
        member == self.parameters.incarnation
            || self.peers.connected().contains(&member) && !self.has_diverged(member)
    }

    /// The connection to a member that is being asked is new, or gone: the question or the answer may be lost.
    pub(super) fn ask_again_without(&mut self, now: Now, member: Incarnation) {
        let concerns = self.leading.slots.open.as_ref().is_some_and(|slot| match &slot.stage {
            Stage::Rewrite { asked, .. } => asked.is_some_and(|((of, _), _)| of == member),
            Stage::Vote { missing, .. } => missing.contains(&member),
        });
        if concerns {
            self.begin_again(now);
        }
    }

    /// `revision` is applied. If the open slot stands on an older one, whoever prepared is released from it, before
    /// anybody hears of the revision: its change is to be evaluated again (PROTOCOL N1).
    pub(super) fn overtake_slot(&mut self, now: Now, revision: Revision) -> Option<Asked> {
        let slot = self.leading.slots.open.take_if(|slot| slot.evaluated.base < revision)?;
        self.release(now, slot.number, &slot.prepared);
        Some(slot.asked)
    }

    /// After an entry is applied: the change that it has overtaken begins again; one that waited for it goes on.
    pub(super) fn resume_slot(&mut self, now: Now, overtaken: Option<Asked>) {
        if let Some(asked) = overtaken {
            self.begin(now, asked);
            self.next_work(now);
        } else if self.leading.slots.open.is_some() {
            self.advance_slot(now);
        }
    }

    fn next_work(&mut self, now: Now) {
        while self.leading.slots.open.is_none() {
            let Some(asked) = self.leading.slots.waiting.pop_front() else { return };
            self.begin(now, asked);
        }
    }

    /// Members that do not answer in time: with `fully-synchronous` they refuse; otherwise the change goes on if a
    /// majority of the voters has said yes, or has nobody to ask (PROTOCOL F17).
    pub(super) fn slot_deadline(&mut self, now: Now) {
        if self.leading.slots.deadline().is_none_or(|until| now.monotonic < until) {
            return;
        }
        let Some(slot) = &mut self.leading.slots.open else { return };
        match &mut slot.stage {
            Stage::Rewrite { asked, .. } => {
                if let Some(((member, _), _)) = asked.take() {
                    self.refuse_slot(now, member, "", "it did not answer in time");
                }
            }
            Stage::Vote { missing, .. } => {
                let silent = missing.clone();
                let conf = self.node.conf_state();
                let strict = self.state.policy == Policy::FullySynchronous;
                let own = silent.contains(&self.parameters.incarnation);
                if !strict && !own && conf.is_majority(|voter| !silent.contains(&voter)) {
                    tracing::warn!(?silent, "members did not vote in time; a majority did");
                    missing.clear();
                    return self.advance_slot(now);
                }
                if let Some(member) = silent.first() {
                    self.refuse_slot(now, *member, "", "it did not vote in time");
                }
            }
        }
    }

    fn refuse_slot(&mut self, now: Now, member: Incarnation, participant: &str, reason: &str) {
        let Some(slot) = self.leading.slots.open.take() else { return };
        self.release(now, slot.number, &slot.prepared);
        let member = self.head.state().and_then(|head| head.member(member));
        let member = member.map_or_else(String::new, |member| member.name.to_string());
        let error = fault::refused(&member, participant, reason);
        self.abort(now, slot.asked.txid(), vec![error]);
        self.next_work(now);
    }

    /// The end of a session before the decision: what it asked for does not come.
    pub(super) fn drop_undecided(&mut self, now: Now, session: SessionKey) {
        let is_its = |asked: &Asked| asked.session() == Some(session);
        let waiting = std::mem::take(&mut self.leading.slots.waiting);
        let (dropped, kept): (VecDeque<Asked>, VecDeque<Asked>) =
            waiting.into_iter().partition(is_its);
        self.leading.slots.waiting = kept;
        let over = || vec![fault::operation_failed("the session is over")];
        for asked in dropped {
            self.abort(now, asked.txid(), over());
        }
        if let Some(slot) = self.leading.slots.open.take_if(|slot| is_its(&slot.asked)) {
            self.release(now, slot.number, &slot.prepared);
            self.abort(now, slot.asked.txid(), over());
            self.next_work(now);
        }
    }

    /// Leadership is lost: the slot and the queue are the next leader's. What this member prepared ends with its next
    /// entry.
    pub(super) fn new_slots(&self) -> SlotQueue {
        let next_number = self.leading.slots.next_number;
        SlotQueue { next_number, ..SlotQueue::new() }
    }
}

fn messages(errors: &[RpcError]) -> String {
    let texts: Vec<&str> = errors.iter().map(|error| error.message.as_str()).collect();
    texts.join("; ")
}

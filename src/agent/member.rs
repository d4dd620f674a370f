//! A member's part in a vote: its own participants are asked, in their order, and its verdict is said (PROTOCOL M1,
//! N1). The leader's own member takes the same way.

use super::Agent;
use super::effects::ToPeer;
use super::slot::{Registration, changed_paths, concerns};
use crate::api::hook::{Call, CallId, HookAnswer, HookCall, ParticipantId, Proposed};
use crate::base::ids::{Incarnation, Revision, SessionId, Term};
use crate::base::limits::PREPARE_LEASE_MS;
use crate::base::policy::Policy;
use crate::base::rules::Rule;
use crate::base::time::{Now, Timestamp};
use crate::replication::apply::data_digest;
use crate::replication::message::{PeerMessage, Prepare, PrepareAsk, Verdict};
use crate::replication::state::RegisteredParticipant;
use crate::yang::path::InstancePath;
use crate::yang::path::{Selector, Step};
use crate::yang::tree::{Tree, decode_diff};
use std::collections::VecDeque;

/// What a leader wants to know of a member.
#[derive(Debug, Clone)]
pub(super) struct Question {
    pub(super) term: Term,
    pub(super) slot: u64,
    pub(super) base: Revision,
    pub(super) before: Tree,
    pub(super) after: Tree,
    pub(super) user: String,
    pub(super) session: Option<SessionId>,
    pub(super) ask: PrepareAsk,
}

/// What is asked of the participants, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Rewrite,
    Validate,
    Prepare,
}

/// A question under way, or a yes that waits for its decision.
struct Answering {
    leader: Incarnation,
    question: Question,
    to_ask: VecDeque<(Phase, ParticipantId)>,
    asked: Option<(CallId, ParticipantId, Timestamp)>,
    /// Who holds prepared state.
    prepared: Vec<ParticipantId>,
    /// When it is given up if nothing is heard of it.
    until: Timestamp,
}

/// The participants of this member.
pub(super) struct Participants {
    registered: Vec<Registration>,
    answering: Option<Answering>,
    /// A question that came before the participants were started.
    held: Option<(Incarnation, Question)>,
    /// A question about a change of what is not applied here yet.
    early: Option<(Incarnation, Box<Prepare>)>,
    next_call: u64,
}

impl Participants {
    pub(super) fn new(mut registered: Vec<Registration>) -> Self {
        registered.sort_by_key(|participant| (participant.priority, participant.id));
        Self { registered, answering: None, held: None, early: None, next_call: 1 }
    }

    /// When something is to be given up.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let answering = self.answering.as_ref()?;
        Some(answering.asked.map_or(answering.until, |(_, _, until)| until))
    }

    fn registration(&self, id: ParticipantId) -> Option<&Registration> {
        self.registered.iter().find(|participant| participant.id == id)
    }

    /// Those that a change concerns, in order.
    fn concerned(&self, before: &Tree, after: &Tree) -> Vec<ParticipantId> {
        if self.registered.is_empty() {
            return Vec::new();
        }
        let changed = changed_paths(before, after);
        let concerned = self.registered.iter().filter(|known| concerns(&known.paths, &changed));
        concerned.map(|participant| participant.id).collect()
    }
}

impl Agent {
    /// The participants as all members know them.
    pub(super) fn registered_participants(&self) -> Vec<RegisteredParticipant> {
        let schema = &self.parameters.schema;
        let text = |nodes: &Vec<crate::yang::schema::NodeId>| {
            let steps = nodes.iter().map(|node| Step { node: *node, selector: Selector::None });
            crate::yang::path_text::print(schema, &InstancePath(steps.collect()))
        };
        let record = |known: &Registration| RegisteredParticipant {
            number: known.id.0,
            name: known.name.clone(),
            paths: known.paths.iter().map(text).collect(),
            priority: known.priority,
            deadline_ms: known.deadline_ms,
            rewrites: known.rewrites,
        };
        self.participants.registered.iter().map(record).collect()
    }

    /// A leader asks what this member's participants say.
    pub(super) fn prepare(&mut self, now: Now, from: Incarnation, prepare: Prepare) {
        let (term, base) = (prepare.term, prepare.base);
        let stale = term < self.node.term() || self.state.revision > base;
        if !stale && self.state.revision < base {
            self.participants.early = Some((from, Box::new(prepare)));
            return;
        }
        let Prepare { term, slot, base, base_digest, diff, user, session, ask, .. } = prepare;
        if stale {
            return self.say(now, from, (term, slot, ask), Verdict::Stale);
        }
        let before = self.state.shared.clone();
        if data_digest(&before, &self.parameters.schema) != base_digest {
            // Nobody here can be asked about other data than they know. Whether this member's are wrong or the leader's is
            // seen by all when the change is in the log (PROTOCOL F36): so it has to get there, unless everybody's word
            // is needed for that, or it is not going there.
            let reason = "the leader asks about other data than those of this member";
            tracing::error!(revision = base.0, reason);
            let refuses =
                self.state.policy == Policy::FullySynchronous || ask == PrepareAsk::Validate;
            let verdict = if refuses {
                Verdict::No { participant: String::new(), reason: reason.to_owned() }
            } else {
                Verdict::Yes
            };
            return self.say(now, from, (term, slot, ask), verdict);
        }
        let after = decode_diff(&diff, &*self.parameters.schema, before.seed)
            .map_err(|error| error.to_string())
            .and_then(|diff| diff.apply(&before).map_err(|error| error.to_string()));
        match after {
            Ok(after) => {
                let question = Question { term, slot, base, before, after, user, session, ask };
                self.member_asked(now, from, question);
            }
            Err(reason) => {
                let no = Verdict::No { participant: String::new(), reason };
                self.say(now, from, (term, slot, ask), no);
            }
        }
    }

    /// Something was applied: a question that came early may have its turn.
    pub(super) fn prepare_early(&mut self, now: Now) {
        if let Some((from, prepare)) = self.participants.early.take() {
            self.prepare(now, from, *prepare);
        }
    }

    /// The participants are started: a question that came before has its turn.
    pub(super) fn take_held_question(&mut self, now: Now) {
        if let Some((leader, question)) = self.participants.held.take() {
            self.member_asked(now, leader, question);
        }
    }

    /// Begins to ask this member's participants. What was prepared before is given up.
    pub(super) fn member_asked(&mut self, now: Now, leader: Incarnation, question: Question) {
        if self.phase != super::Phase::Ready {
            // They have not heard of any configuration yet.
            self.participants.held = Some((leader, question));
            return;
        }
        let asked = (question.term, question.slot, question.ask);
        if let Some(known) = &self.participants.answering {
            if known.at() == asked && known.asked.is_none() && known.to_ask.is_empty() {
                return self.say(now, leader, asked, Verdict::Yes);
            }
            if known.at() == asked
                || (known.question.term, known.question.slot) > (asked.0, asked.1)
            {
                return;
            }
        }
        self.abort_prepared();
        let concerned = self.participants.concerned(&question.before, &question.after);
        let all = |phase| concerned.iter().map(move |id| (phase, *id));
        let to_ask: VecDeque<(Phase, ParticipantId)> = match question.ask {
            PrepareAsk::Rewrite { participant } => {
                VecDeque::from([(Phase::Rewrite, ParticipantId(participant))])
            }
            PrepareAsk::Validate => all(Phase::Validate).collect(),
            PrepareAsk::Prepare => all(Phase::Validate).chain(all(Phase::Prepare)).collect(),
        };
        let until = now.monotonic.plus_ms(PREPARE_LEASE_MS);
        let prepared = Vec::new();
        self.participants.answering =
            Some(Answering { leader, question, to_ask, asked: None, prepared, until });
        self.ask_next(now);
    }

    fn ask_next(&mut self, now: Now) {
        let Some(answering) = &mut self.participants.answering else { return };
        let Some((phase, participant)) = answering.to_ask.pop_front() else {
            let (leader, slot) = (answering.leader, answering.at());
            if answering.question.ask != PrepareAsk::Prepare {
                self.participants.answering = None;
            }
            return self.say(now, leader, slot, Verdict::Yes);
        };
        let id = CallId(self.participants.next_call);
        self.participants.next_call = id.0.saturating_add(1);
        let question = &answering.question;
        let change = Proposed {
            before: question.before.clone(),
            after: question.after.clone(),
            user: question.user.clone(),
            session: question.session,
        };
        let call = match phase {
            Phase::Rewrite => Call::Rewrite { id, change },
            Phase::Validate => Call::Validate { id, change },
            Phase::Prepare => {
                answering.prepared.push(participant);
                Call::Prepare { id, change }
            }
        };
        let deadline_ms =
            self.participants.registration(participant).map_or(0, |known| known.deadline_ms);
        if let Some(answering) = &mut self.participants.answering {
            answering.asked = Some((id, participant, now.monotonic.plus_ms(deadline_ms)));
        }
        self.effects.hooks.push(HookCall { participant, call });
    }

    /// A participant has answered.
    pub(super) fn participant_answered(&mut self, now: Now, call: CallId, answer: HookAnswer) {
        let Some(answering) = &mut self.participants.answering else { return };
        let Some((_, participant, _)) = answering.asked.take_if(|(asked, _, _)| *asked == call)
        else {
            return;
        };
        match answer {
            HookAnswer::Yes => self.ask_next(now),
            HookAnswer::No(reason) => self.say_no(now, participant, reason),
            HookAnswer::Amend(edit) => {
                if let Some(answering) = self.participants.answering.take() {
                    self.say(now, answering.leader, answering.at(), Verdict::Amend(edit));
                }
            }
        }
    }

    /// A participant that does not answer in time has refused; a decision that does not come is not waited for.
    pub(super) fn participant_deadline(&mut self, now: Now) {
        let Some(answering) = &mut self.participants.answering else { return };
        match answering.asked.take_if(|(_, _, until)| now.monotonic >= *until) {
            Some((_, participant, _)) => {
                let known = self.participants.registration(participant);
                let waited = known.map_or(0, |known| known.deadline_ms);
                self.say_no(now, participant, format!("it did not answer within {waited} ms"));
            }
            None if answering.asked.is_none() && now.monotonic >= answering.until => {
                self.abort_prepared();
            }
            None => {}
        }
    }

    fn say_no(&mut self, now: Now, participant: ParticipantId, reason: String) {
        let known = self.participants.registration(participant);
        let participant = known.map_or_else(String::new, |known| known.name.clone());
        let Some(answering) = &self.participants.answering else { return };
        let (leader, slot) = (answering.leader, answering.at());
        self.abort_prepared();
        self.say(now, leader, slot, Verdict::No { participant, reason });
    }

    fn say(
        &mut self,
        now: Now,
        to: Incarnation,
        (term, slot, ask): (Term, u64, PrepareAsk),
        verdict: Verdict,
    ) {
        if to == self.parameters.incarnation {
            return self.member_said(now, to, (slot, ask), verdict);
        }
        let message = PeerMessage::Vote { term, slot, ask, verdict };
        self.effects.sends.push(ToPeer { to, message });
    }

    /// Nothing comes of the slot.
    pub(super) fn slot_aborted(&mut self, _now: Now, term: Term, slot: u64) {
        let is_it = self
            .participants
            .answering
            .as_ref()
            .is_some_and(|known| (known.question.term, known.question.slot) == (term, slot));
        if is_it {
            self.abort_prepared();
        }
        let held = &mut self.participants.held;
        held.take_if(|(_, question)| (question.term, question.slot) == (term, slot));
        let early = &mut self.participants.early;
        early.take_if(|(_, prepare)| (prepare.term, prepare.slot) == (term, slot));
    }

    /// An entry of this term is applied: what an earlier leader asked has no decision any more (PROTOCOL M1, S5).
    pub(super) fn end_prepared_before(&mut self, term: Term) {
        let is_old = self
            .participants
            .answering
            .as_ref()
            .is_some_and(|answering| answering.question.term < term);
        if is_old && self.parameters.rules.hold(Rule::PreparedEnds) {
            self.abort_prepared();
        }
    }

    /// The term of the question that this member's participants answer or have answered.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn asked_in(&self) -> Option<crate::base::ids::Term> {
        self.participants.answering.as_ref().map(|answering| answering.question.term)
    }

    pub(super) fn abort_prepared(&mut self) {
        let Some(answering) = self.participants.answering.take() else { return };
        for participant in answering.prepared {
            self.effects.hooks.push(HookCall { participant, call: Call::Abort });
        }
    }

    /// A new revision is durable: whoever prepared another one is released first, then whom it concerns is told, in
    /// order (PROTOCOL N1).
    pub(super) fn tell_participants(&mut self, revision: Revision, change: &Proposed) {
        let is_it = |answering: &mut Answering| answering.question.after == change.after;
        if self.participants.answering.take_if(is_it).is_none() {
            self.abort_prepared();
        }
        for participant in self.participants.concerned(&change.before, &change.after) {
            let call = Call::Commit { revision, change: change.clone() };
            self.effects.hooks.push(HookCall { participant, call });
        }
    }

    /// Every participant gets the full configuration: NETCONF is about to open, or a snapshot has replaced the state.
    pub(super) fn start_participants(&mut self) {
        self.abort_prepared();
        self.participants.early = None;
        for known in &self.participants.registered {
            let call =
                Call::Start { revision: self.state.revision, tree: self.state.shared.clone() };
            self.effects.hooks.push(HookCall { participant: known.id, call });
        }
    }
}

impl Answering {
    fn at(&self) -> (Term, u64, PrepareAsk) {
        (self.question.term, self.question.slot, self.question.ask)
    }
}

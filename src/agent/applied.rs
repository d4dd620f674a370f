//! After an entry is applied: answers, the candidate, participants (PROTOCOL N1 to N3).

use super::event::{Answer, ReplyTo};
use super::{Agent, Phase, fault};
use crate::api::hook::Proposed;
use crate::base::ids::LogIndex;
use crate::base::time::Now;
use crate::raft::{Committed, CommittedEntry};
use crate::replication::apply::{Applied, Effect, Knowledge, Position, apply};
use crate::replication::entry::{Body, Entry, RequestHead};

impl Agent {
    /// Applies a durable entry, unless one before it could not be.
    pub(super) fn apply_committed(&mut self, now: Now, committed: &Committed) {
        if self.phase == Phase::Stopped {
            return;
        }
        let position = Position { index: committed.index, term: committed.term };
        match &committed.entry {
            CommittedEntry::Data(bytes) => self.apply_entry(now, position, bytes),
            CommittedEntry::Empty => {
                if committed.term == self.node.term() && self.node.is_leader() {
                    self.lead(now);
                }
            }
            CommittedEntry::Membership(_) => {}
        }
        if self.phase == Phase::Stopped {
            return;
        }
        self.applied = committed.index;
        self.applied_term = committed.term;
        self.node.advance_applied(committed.index);
        self.release_barriers(committed.index);
    }

    fn apply_entry(&mut self, now: Now, position: Position, bytes: &[u8]) {
        let (entry, applied) = match self.head.take(position) {
            Some(ours) => {
                self.state = ours.state;
                (ours.entry, ours.applied)
            }
            None => match Entry::decode(bytes) {
                Ok(entry) => {
                    let knowledge = Knowledge { schema: &self.parameters.schema, result: None };
                    let (state, applied) = apply(&self.state, position, &entry, knowledge);
                    self.state = state;
                    (entry, applied)
                }
                Err(error) => return self.stop(position.index, &error.to_string()),
            },
        };
        match applied {
            Applied::Done(effect) => self.took_effect(now, position, &entry, effect),
            Applied::Void | Applied::Known => self.had_no_effect(now, &entry),
            Applied::Diverged { stated, found } => {
                let why = format!("it states digest {stated}, and makes {found}");
                self.stop(position.index, &why);
            }
            Applied::Unreadable(reason) => {
                self.stop(position.index, &format!("it does not fit the models: {reason}"));
            }
        }
    }

    /// This node cannot go on from its log. The entry and those after it stay in the log as they are.
    fn stop(&mut self, index: LogIndex, why: &str) {
        self.give_up(format!("log entry {index} cannot be applied: {why}"));
    }

    fn took_effect(&mut self, now: Now, position: Position, entry: &Entry, effect: Effect) {
        let pending =
            request_of(&entry.body).and_then(|request| self.pending.remove(&request.txid));
        let committed_candidate = pending.as_ref().is_some_and(|pending| pending.candidate);
        let mut overtaken = None;
        if let Some((revision, before)) = effect.revision {
            self.candidate_follows(committed_candidate);
            let (user, session) = author(&entry.body);
            let after = self.state.shared.clone();
            overtaken = self.overtake_slot(revision);
            if self.phase == Phase::Ready {
                let change = Proposed { before, after, user, session };
                self.tell_participants(revision, &change);
            }
            tracing::debug!(revision = revision.0, index = position.index.0, "revision committed");
        }
        self.view_is_stale = true;
        self.watch_confirmed(now);
        if let Some(reply) = pending.and_then(|pending| pending.reply) {
            self.answer(reply, Answer::Ok);
        }
        if committed_candidate {
            self.candidate_resolved(now);
        }
        self.resume_slot(now, overtaken);
        self.progress(now, &entry.body);
    }

    /// Voided by the log: the decision of another leader came first. Nothing was changed.
    fn had_no_effect(&mut self, now: Now, entry: &Entry) {
        let Some(pending) =
            request_of(&entry.body).and_then(|request| self.pending.remove(&request.txid))
        else {
            return;
        };
        if let Some(reply) = pending.reply {
            let error =
                fault::resource_denied("quorate:no-leader", "leadership changed; try again");
            self.answer(reply, Answer::Errors(vec![error]));
        }
        if pending.candidate {
            self.candidate_resolved(now);
        }
    }

    /// The timer of a confirmed commit counts from when this node applied it.
    fn watch_confirmed(&mut self, now: Now) {
        let generation = self.state.confirmed.as_ref().map(|pending| pending.generation);
        if self.confirmed_since.map(|(watched, _)| watched) != generation {
            self.confirmed_since = generation.map(|generation| (generation, now.monotonic));
        }
    }

    fn release_barriers(&mut self, index: LogIndex) {
        let later = self.barriers.split_off(&LogIndex(index.0.saturating_add(1)));
        let due = std::mem::replace(&mut self.barriers, later);
        let answers: Vec<(ReplyTo, Answer)> = due.into_values().flatten().collect();
        self.effects.answers.extend(answers);
    }
}

fn request_of(body: &Body) -> Option<&RequestHead> {
    match body {
        Body::Decision(decision) => Some(&decision.request),
        Body::Lock { request, .. }
        | Body::Unlock { request, .. }
        | Body::SessionEnd { request, .. } => Some(request),
        Body::NodeUp { .. } | Body::SessionIds { .. } | Body::Schema { .. } => None,
    }
}

fn author(body: &Body) -> (String, Option<crate::base::ids::SessionId>) {
    match body {
        Body::Decision(decision) => {
            let request = &decision.request;
            (request.user.clone(), request.session.map(|session| session.id))
        }
        Body::SessionEnd { request, session } => (request.user.clone(), Some(session.id)),
        Body::NodeUp { .. }
        | Body::SessionIds { .. }
        | Body::Schema { .. }
        | Body::Lock { .. }
        | Body::Unlock { .. } => (String::new(), None),
    }
}

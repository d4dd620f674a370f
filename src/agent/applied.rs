//! After an entry is applied: answers, the candidate, participants, the way to `Ready` (PROTOCOL N1 to N3, M3).

use super::event::{Answer, ReplyTo};
use super::transactions::{Content, Transaction};
use super::{Agent, Phase, fault};
use crate::api::hook::Proposed;
use crate::base::ids::LogIndex;
use crate::base::time::Now;
use crate::raft::{Committed, CommittedEntry};
use crate::replication::apply::{Applied, Effect, Knowledge, Position, apply};
use crate::replication::entry::{Body, Entry, RequestHead};
use crate::yang::tree::Tree;

impl Agent {
    /// Applies a durable entry.
    pub(super) fn apply_committed(&mut self, now: Now, committed: &Committed) {
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
            Applied::Unreadable(reason) => self.stop(position.index, &reason),
        }
    }

    /// This node cannot go on from its log.
    fn stop(&mut self, index: LogIndex, why: &str) {
        let message = format!("log entry {index} cannot be applied: {why}");
        tracing::error!(index = index.0, why, "a log entry cannot be applied");
        self.effects.fatal.get_or_insert(message);
    }

    fn took_effect(&mut self, now: Now, position: Position, entry: &Entry, effect: Effect) {
        let pending =
            request_of(&entry.body).and_then(|request| self.pending.remove(&request.txid));
        let committed_candidate = pending.as_ref().is_some_and(|pending| pending.candidate);
        if let Some((revision, before)) = effect.revision {
            self.candidate_follows(committed_candidate);
            let (user, session) = author(&entry.body);
            let after = self.state.shared.clone();
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

    /// This node leads and has applied everything before: from here on it decides (PROTOCOL L1).
    fn lead(&mut self, now: Now) {
        self.head.begin(self.state.clone());
        if self.phase != Phase::Recovering {
            return;
        }
        self.phase = Phase::Starting;
        let schema_id = self.parameters.schema.schema_id;
        if self.state.schema_id != schema_id {
            let stored = &self.state.shared;
            let settled = self.settle(&Tree::empty(stored.seed), stored);
            if let Err(errors) = settled {
                let first = errors.first().map_or("", |error| error.message.as_str());
                let why = format!("the stored configuration does not fit the models: {first}");
                self.effects.fatal.get_or_insert(why);
                return;
            }
            self.propose_own(Body::Schema { schema_id });
        }
        let parameters = &self.parameters;
        let (incarnation, boot) = (parameters.incarnation, parameters.boot);
        let name = parameters.name.clone();
        self.propose_own(Body::NodeUp { incarnation, boot, name });
        self.duties(now);
        self.propose_initial(now);
    }

    fn propose_own(&mut self, body: Body) {
        if let Err(error) = self.propose(body) {
            self.effects.fatal.get_or_insert(format!("the node cannot start: {error}"));
        }
    }

    /// The initial content of an empty datastore.
    fn propose_initial(&mut self, now: Now) {
        let Some(edit) = self.parameters.initial.take() else { return };
        if self.state.revision.0 != 0 {
            tracing::info!("running has content: the initial configuration is left aside");
            return;
        }
        let transaction = Transaction {
            reply: None,
            session: None,
            user: String::new(),
            at: now.wall,
            content: Content::Edit(edit),
            ask: None,
            test_only: false,
            comment: Some("initial configuration".to_owned()),
        };
        match self.evaluate(&transaction) {
            Ok(evaluated) => {
                self.decide(&transaction, evaluated);
            }
            Err(errors) => {
                let first = errors.first().map_or("", |error| error.message.as_str());
                let why = format!("the initial configuration is refused: {first}");
                self.effects.fatal.get_or_insert(why);
            }
        }
    }

    /// After each entry of this boot: session-ids, and `Ready` when nothing of the start is on the way.
    fn progress(&mut self, now: Now, body: &Body) {
        let own = self.parameters.incarnation;
        let boot = self.parameters.boot.counter;
        let given = match body {
            Body::NodeUp { incarnation, boot: up, .. } => *incarnation == own && up.counter == boot,
            Body::SessionIds { incarnation, boot: up } => *incarnation == own && *up == boot,
            Body::Schema { .. }
            | Body::Decision(_)
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. } => false,
        };
        if given {
            self.take_session_ids();
        }
        let started = self.phase == Phase::Starting
            && self.head.last_index().is_none()
            && self.session_ids.1 != 0
            && self.effects.fatal.is_none();
        if started {
            self.phase = Phase::Ready;
            self.effects.ready = true;
            self.start_participants();
            self.duties(now);
        }
    }

    /// Blocks follow each other without a gap while nobody else asks for one; otherwise the rest of the old is left.
    fn take_session_ids(&mut self) {
        let Some(member) = self.state.member(self.parameters.incarnation) else { return };
        let (first, end) = member.session_ids;
        let (next, current_end) = self.session_ids;
        self.session_ids =
            if current_end == first && next != 0 { (next, end) } else { (first, end) };
    }
}

fn request_of(body: &Body) -> Option<&RequestHead> {
    match body {
        Body::Decision(decision) => Some(&decision.request),
        Body::Lock { request, .. } | Body::Unlock { request, .. } => Some(request),
        Body::NodeUp { .. }
        | Body::SessionIds { .. }
        | Body::Schema { .. }
        | Body::SessionEnd { .. } => None,
    }
}

fn author(body: &Body) -> (String, Option<crate::base::ids::SessionId>) {
    match body {
        Body::Decision(decision) => {
            let request = &decision.request;
            (request.user.clone(), request.session.map(|session| session.id))
        }
        Body::SessionEnd { session, user, .. } => (user.clone(), Some(session.id)),
        Body::NodeUp { .. }
        | Body::SessionIds { .. }
        | Body::Schema { .. }
        | Body::Lock { .. }
        | Body::Unlock { .. } => (String::new(), None),
    }
}

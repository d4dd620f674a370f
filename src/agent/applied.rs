//! After an entry is applied: answers, the candidate, participants (PROTOCOL N1 to N3).

use super::asked::Content;
use super::start::unreadable;
use super::{Agent, Phase};
use crate::api::hook::Proposed;
use crate::base::ids::{LogIndex, Revision, TxId};
use crate::base::time::Now;
use crate::raft::{Committed, CommittedEntry, SnapshotMeta};
use crate::replication::apply::{Applied, Effect, Knowledge, Position, apply};
use crate::replication::entry::{Body, Entry, Seat};
use crate::replication::message::Control;
use crate::yang::tree::Tree;

impl Agent {
    /// Applies a durable entry, unless one before it could not be.
    pub(super) fn apply_committed(&mut self, now: Now, committed: &Committed) {
        if !self.takes_part() || self.holds_back(committed) || self.stays_for_others(committed) {
            return;
        }
        let position = Position { index: committed.index, term: committed.term };
        match &committed.entry {
            CommittedEntry::Data(bytes) => self.apply_entry(now, position, bytes),
            CommittedEntry::Membership(change) => {
                self.apply_seats(change);
                self.apply_entry(now, position, change.context());
                self.seats_changed();
            }
            CommittedEntry::Empty => {}
        }
        if !self.takes_part() || self.holds_back(committed) {
            return;
        }
        self.applied = committed.index;
        self.applied_term = committed.term;
        self.node.advance_applied(committed.index);
        if committed.entry == CommittedEntry::Empty
            && committed.term == self.node.term()
            && self.node.is_leader()
        {
            self.look_around(now);
            self.begin_to_lead(now);
        }
        self.end_prepared_before(committed.term);
        self.finish_unchanged(now);
        self.finish_reads();
        self.release_barriers(now);
    }

    /// A snapshot replaces the state. What this node asked is known to be committed if it says so.
    pub(super) fn install(&mut self, now: Now, meta: &SnapshotMeta) {
        let Some((_, state)) = self.incoming.take_if(|(arrived, _)| arrived == meta) else {
            return self.give_up("a snapshot was installed that has not arrived".to_owned());
        };
        let before = std::mem::replace(&mut self.state, state);
        let is_rebuilt = self.is_rebuilt(now);
        self.applied = meta.position.index;
        self.received = meta.position.index;
        self.applied_term = meta.position.term;
        self.node.advance_applied(meta.position.index);
        self.end_prepared_before(meta.position.term);
        self.facts.snapshot_index = meta.position.index;
        self.facts.join_progress = None;
        for member in &before.members {
            if self.state.member(member.incarnation).is_none() {
                self.forget_peer(now, member.incarnation);
            }
        }
        self.seats_changed();
        let own: Vec<TxId> = self.pending.keys().copied().collect();
        let decided = |txid: &TxId| {
            self.state.outcomes.contains_key(txid) || self.state.control.contains(txid)
        };
        let decided: Vec<TxId> = own.into_iter().filter(decided).collect();
        let candidate =
            decided.iter().any(|txid| self.pending.get(txid).is_some_and(|own| own.candidate));
        self.candidate_follows(candidate);
        self.watch_confirmed(now);
        for txid in decided {
            let changed_data = self.state.outcomes.contains_key(&txid);
            self.committed(now, txid, meta.position.index, changed_data);
        }
        if self.phase == Phase::Ready && (is_rebuilt || before.revision != self.state.revision) {
            self.start_participants();
        }
        self.look_after_own_record(now);
        self.finish_unchanged(now);
        self.finish_reads();
        self.view_is_stale = true;
    }

    /// What the entries that a snapshot stands for would have told this node about itself.
    fn look_after_own_record(&mut self, now: Now) {
        let own = self.parameters.incarnation;
        let record = self.state.member(own).cloned();
        let Some(record) = record.filter(|record| record.boot == self.parameters.boot) else {
            return;
        };
        let ended: Vec<_> = record.ended.keys().map(|id| self.session_key(*id)).collect();
        for session in ended {
            self.ended_by_log(now, session);
        }
        self.has_session_ids();
        if record.up {
            self.is_up(now);
            self.open_when_started(now);
        } else {
            self.announce(now);
        }
    }

    fn apply_entry(&mut self, now: Now, position: Position, bytes: &[u8]) {
        let (entry, applied) = match self.head.take(position) {
            Some(ours) => {
                self.state = ours.state;
                (ours.entry, ours.applied)
            }
            None => match Entry::decode(bytes) {
                Ok(entry) => {
                    let knowledge = Knowledge {
                        schema: &self.parameters.schema,
                        result: None,
                        settled: self.settled.take(),
                        rules: self.parameters.rules,
                    };
                    let (state, applied) = apply(&self.state, position, &entry, knowledge);
                    self.state = state;
                    (entry, applied)
                }
                Err(error) => return self.stop(position.index, &error.to_string()),
            },
        };
        match applied {
            Applied::Done(effect) => self.took_effect(now, position, &entry, effect),
            Applied::Void | Applied::Known => {
                tracing::debug!(index = position.index.0, "an entry had no effect");
                if let Some(request) = entry.body.request() {
                    // Another copy of it may be decided.
                    self.leading.forget(request.txid);
                }
            }
            Applied::Diverged { stated, found } if self.peers.alone => {
                let why = format!("it states digest {stated}, and makes {found}");
                self.stop(position.index, &why);
            }
            Applied::Diverged { stated, found } => {
                self.diverge(now, position.index, (stated, found));
            }
            Applied::Unreadable(reason) => {
                self.give_up(unreadable(position.index, &reason));
            }
        }
    }

    /// This node cannot go on from its log. The entry and those after it stay in the log as they are.
    fn stop(&mut self, index: LogIndex, why: &str) {
        self.give_up(format!("log entry {index} cannot be applied: {why}"));
    }

    fn took_effect(&mut self, now: Now, position: Position, entry: &Entry, effect: Effect) {
        let txid = entry.body.request().map(|request| request.txid);
        let own = txid.and_then(|txid| self.pending.get(&txid));
        let committed_candidate = own.is_some_and(|pending| pending.candidate);
        let changed_data = effect.revision.is_some();
        let mut overtaken = None;
        if let Some((revision, before)) = effect.revision {
            overtaken = self.overtake_slot(now, revision);
            self.has_new_revision(now, committed_candidate, (revision, before), &entry.body);
            tracing::debug!(revision = revision.0, index = position.index.0, "revision committed");
        }
        self.view_is_stale = true;
        self.watch_confirmed(now);
        if let Some(txid) = txid {
            self.leading.forget(txid);
            self.committed(now, txid, position.index, changed_data);
        }
        self.look_after_sessions(now, &entry.body);
        self.look_after_seats(now, &entry.body);
        self.resume_slot(now, overtaken);
        self.prepare_early(now);
        self.progress(now, &entry.body);
    }

    fn has_new_revision(
        &mut self,
        now: Now,
        committed_candidate: bool,
        (revision, before): (Revision, Tree),
        body: &Body,
    ) {
        self.candidate_follows(committed_candidate);
        self.facts.committed = self.facts.committed.saturating_add(1);
        self.facts.last_commit = Some(now.wall);
        // Who leads next is ready to validate; who leads validates what comes after this.
        if self.phase == Phase::Ready && self.head.state().is_none() {
            self.follow_with_index();
        }
        if self.phase == Phase::Ready {
            let (user, session) = author(body);
            let change = Proposed { before, after: self.state.shared.clone(), user, session };
            self.tell_participants(revision, &change);
        } else {
            self.abort_prepared();
        }
    }

    /// Sessions of this node that the log has ended.
    fn look_after_sessions(&mut self, now: Now, body: &Body) {
        let own = self.parameters.incarnation;
        match body {
            Body::SessionEnd { session, .. } if session.incarnation == own => {
                if session.boot == self.parameters.boot.counter {
                    self.ended_by_log(now, *session);
                }
            }
            Body::NodeDown { incarnation, boot, .. }
                if *incarnation == own && *boot == self.parameters.boot.counter =>
            {
                let ended: Vec<_> = self
                    .state
                    .member(own)
                    .into_iter()
                    .flat_map(|member| member.ended.keys().copied())
                    .map(|id| self.session_key(id))
                    .collect();
                for session in ended {
                    self.ended_by_log(now, session);
                }
                tracing::warn!(
                    "the cluster took this node for lost; what its sessions held is released"
                );
                self.announce(now);
            }
            Body::NodeUp { incarnation, .. } => self.begin_contact(now, *incarnation),
            Body::NodeDown { incarnation, .. } | Body::SessionIds { incarnation, .. } => {
                tracing::debug!(member = incarnation.0, "a member's boot");
            }
            Body::Schema { .. }
            | Body::Decision(_)
            | Body::Lock { .. }
            | Body::Unlock { .. }
            | Body::SessionEnd { .. }
            | Body::Init { .. }
            | Body::Token { .. }
            | Body::Policy { .. }
            | Body::Seat { .. } => {}
        }
    }

    fn look_after_seats(&mut self, now: Now, body: &Body) {
        if let Body::Seat { change: Seat::Joined { .. }, .. } = body
            && self.node.is_leader()
        {
            self.effects.snapshot_wanted = true;
        }
        let Body::Seat { change: Seat::Removed { incarnation }, .. } = body else {
            if let Body::NodeUp { .. } = body {
                self.seats_changed();
            }
            return;
        };
        if *incarnation == self.parameters.incarnation {
            return self.was_removed(now);
        }
        if self.node.is_leader() {
            self.say_goodbye(*incarnation);
        }
        self.forget_peer(now, *incarnation);
    }

    /// This member has no seat any more. Who asked for that through it is answered.
    pub(super) fn was_removed(&mut self, now: Now) {
        let own = Control::Remove(self.parameters.incarnation);
        let is_it = |content: &Content| matches!(content, Content::Control(body) if **body == own);
        let asked = self.pending.iter().filter(|(_, pending)| is_it(&pending.asked.content));
        for txid in asked.map(|(txid, _)| *txid).collect::<Vec<_>>() {
            self.succeed(now, txid);
        }
        self.effects.removed = true;
        self.give_up(
            "this node was removed from its cluster; to bring it back, start it with --join, --token and \
             --discard-local-data"
                .to_owned(),
        );
    }

    /// The timer of a confirmed commit counts from when this node applied it.
    fn watch_confirmed(&mut self, now: Now) {
        let generation = self.state.confirmed.as_ref().map(|pending| pending.generation);
        if self.confirmed_since.map(|(watched, _)| watched) != generation {
            self.confirmed_since = generation.map(|generation| (generation, now.monotonic));
        }
    }
}

fn author(body: &Body) -> (String, Option<crate::base::ids::SessionId>) {
    match body {
        Body::Decision(decision) => {
            let request = &decision.request;
            (request.user.to_string(), request.session.map(|session| session.id))
        }
        Body::SessionEnd { request, session } => (request.user.to_string(), Some(session.id)),
        Body::NodeUp { .. }
        | Body::NodeDown { .. }
        | Body::SessionIds { .. }
        | Body::Schema { .. }
        | Body::Lock { .. }
        | Body::Unlock { .. }
        | Body::Init { .. }
        | Body::Token { .. }
        | Body::Policy { .. }
        | Body::Seat { .. } => (String::new(), None),
    }
}

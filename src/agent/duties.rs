//! What a leader decides by itself, and what every node looks after (PROTOCOL L8, N2).

use super::Agent;
use super::asked::{Asked, Change, Content};
use super::effects::ToPeer;
use super::origin::Order;
use crate::base::ids::{LogIndex, SessionKey};
use crate::base::limits::{LOG_TAIL_BYTES, START_WAIT_MS};
use crate::base::time::{Now, Timestamp};
use crate::replication::entry::Body;
use crate::transaction::confirmed::{RollbackCause, Step};
use smol_str::SmolStr;

impl Agent {
    /// To be called after each event: cheap when there is nothing to do.
    pub(super) fn duties(&mut self, now: Now) {
        if !self.takes_part() {
            return;
        }
        self.depart_when_known(now);
        self.end_leftovers(now);
        if self.leading_term().is_none() {
            return;
        }
        self.hand_over_if_strained(now);
        self.roll_back_when_due(now);
        for (incarnation, boot) in self.lost_members(now) {
            tracing::warn!(member = incarnation.0, "nothing was heard of a member for too long");
            let body = Body::NodeDown { incarnation, boot, at: now.wall };
            if let Err(error) = self.propose(body) {
                tracing::debug!(%error, "a lost member waits for the log");
            }
        }
        self.look_after_votes(now);
    }

    /// What the log holds of sessions of this boot that are over, and have nobody who ends them (PROTOCOL N2).
    fn end_leftovers(&mut self, now: Now) {
        let own = self.parameters.incarnation;
        let boot = self.parameters.boot.counter;
        let is_left = |session: &SessionKey| {
            session.incarnation == own
                && session.boot == boot
                && !self.sessions.contains_key(&session.id)
                && !self.is_ending(*session)
        };
        // Another member ended it: this one says too that nothing more comes of it.
        let unsaid = self.state.member(own).into_iter().flat_map(|member| {
            let unsaid = member.ended.iter().filter(|(_, closed_by)| closed_by.is_none());
            unsaid.map(|(id, _)| SessionKey { incarnation: own, boot, id: *id })
        });
        let mut left: Vec<SessionKey> =
            self.state.holders().chain(unsaid).filter(is_left).collect();
        left.sort_unstable();
        left.dedup();
        for session in left {
            self.order(now, Order::of_node(now, Content::SessionEnd(session)));
        }
    }

    /// When the pending confirmed commit is to be rolled back, if this node leads.
    pub(super) fn rollback_due(&self, now: Now) -> Option<Timestamp> {
        if self.node.transferring_to().is_some() {
            return None;
        }
        let pending = self.head.state()?.confirmed.as_ref()?;
        let (generation, _) = self.confirmed_since?;
        if generation != pending.generation {
            return None;
        }
        let timeout_ms = u64::from(pending.timeout_s).saturating_mul(1000);
        let age_ms = self.age_of_confirmed(now, generation);
        Some(now.monotonic.plus_ms(timeout_ms.saturating_sub(age_ms)))
    }

    /// Nobody of those that have counted its time is left, or nobody is heard (PROTOCOL F29).
    fn nobody_knows_its_age(&self, now: Now) -> bool {
        let Some(pending) = self.head.state().and_then(|head| head.confirmed.as_ref()) else {
            return false;
        };
        let own = (self.parameters.incarnation, self.parameters.boot.counter);
        let is_heard = |(member, _): &(crate::base::ids::Incarnation, u64)| {
            self.peers.heard_at(*member).is_some_and(|at| at > self.leading_since)
        };
        let silent = !pending.alive.iter().any(|alive| *alive == own || is_heard(alive));
        let waited = now.monotonic.ms_since(self.leading_since) >= START_WAIT_MS;
        pending.alive.is_empty() || silent && waited
    }

    fn roll_back_when_due(&mut self, now: Now) {
        let Some(pending) = self.head.state().and_then(|head| head.confirmed.as_ref()) else {
            return;
        };
        // The boot that its session belonged to is over; what else ends a session takes the commit with it (A5).
        let is_orphan = pending.ends_with(pending.owner)
            && self.head.state().is_some_and(|head| !head.is_alive(pending.owner));
        let cause = if self.nobody_knows_its_age(now) {
            RollbackCause::Restart
        } else if is_orphan {
            RollbackCause::SessionEnd
        } else if self.rollback_due(now).is_some_and(|due| now.monotonic >= due) {
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
        let change = Change::Rollback(step);
        let asked = Asked {
            head: self.request_head(None, SmolStr::default(), now.wall),
            held: Vec::new(),
            test_only: false,
            comment: Some(comment.to_owned()),
            content: Content::of(change.clone()),
        };
        match self.evaluate(&asked, &change) {
            // If the log takes nothing now, the duty stays.
            Ok(evaluated) => drop(self.decide(&asked, evaluated)),
            Err(errors) => tracing::error!(?errors, "the confirmed commit cannot be rolled back"),
        }
    }

    /// A snapshot up to `index` is durable: the log before it is kept only for members that lag, as far as memory allows.
    pub(super) fn compact_log(&mut self, index: LogIndex) {
        let conf = self.node.conf_state();
        let members = conf.voters.iter().chain(&conf.learners);
        let behind = members.filter_map(|member| self.node.matched(*member)).min();
        let tail = self.node.log_tail(LOG_TAIL_BYTES).0;
        // At least the first entry goes: a new member has no configuration to begin the log with, and must be sent a
        // snapshot.
        let through = behind.unwrap_or(index).0.max(tail).max(1);
        self.node.compact(LogIndex(through.min(index.0)));
    }

    /// The member was removed and will hear nothing more of the log.
    pub(super) fn say_goodbye(&mut self, to: crate::base::ids::Incarnation) {
        let message = crate::replication::message::PeerMessage::Removed;
        self.effects.sends.push(ToPeer { to, message });
    }
}

//! Learners get their votes (PROTOCOL L8, L9).
//!
//! An even number of voters bears no more failures than one less, and two bear none. So from an odd number the leader
//! goes to the next one by a joint change, as soon as two learners have caught up; one waits for the other, for a
//! moment. From an even number the first that has caught up makes an odd one.
//!
//! A joint configuration is left by whoever leads, as soon as it is applied. Until then a majority of the voters from
//! before is needed too, which was needed before; and one of the new ones may fail.

use super::Agent;
use crate::base::ids::Incarnation;
use crate::base::limits::{SECOND_LEARNER_WAIT_MS, VOTE_SILENCE_MS};
use crate::base::time::Now;
use crate::raft::{ConfState, MembershipChange, SeatChange};
use crate::replication::entry::{Body, Seat};
use smol_str::SmolStr;

/// Entries that a learner may be behind when it gets its vote: what is on its way under load.
const CAUGHT_UP_ENTRIES: u64 = 64;

/// At the leader.
impl Agent {
    /// L8: a joint configuration is left; learners that are up and have caught up vote from now on.
    pub(super) fn look_after_votes(&mut self, now: Now) {
        if self.peers.alone || self.head.state().is_none() || self.node.has_pending_membership() {
            return;
        }
        let conf = self.node.conf_state();
        if conf.is_joint() {
            let leave = |context| MembershipChange::LeaveJoint { context };
            return self.propose_votes(now, leave, Seat::Settled);
        }
        let members = self.next_voters(now, &conf);
        let seats: Vec<SeatChange> = members.iter().copied().map(SeatChange::Voter).collect();
        let change = |context| match *seats {
            [seat] => MembershipChange::Simple { seat, context },
            _ => MembershipChange::EnterJoint { seats, context },
        };
        if !members.is_empty() {
            self.propose_votes(now, change, Seat::Promoted { members });
        }
    }

    /// The learners that get their votes with the next change.
    fn next_voters(&mut self, now: Now, conf: &ConfState) -> Vec<Incarnation> {
        let may_vote = |learner: &Incarnation| self.may_vote(now, *learner);
        let mut ready: Vec<Incarnation> = conf.learners.iter().copied().filter(may_vote).collect();
        let is_odd = conf.voters.len() % 2 == 1;
        let second_may_come = is_odd && ready.len() < 2 && conf.learners.len() > 1;
        ready.truncate(if is_odd && ready.len() > 1 { ready.len() / 2 * 2 } else { 1 });
        if !second_may_come {
            self.leading.waits_for_second = None;
        }
        if !second_may_come || ready.is_empty() {
            return ready;
        }
        let since = *self.leading.waits_for_second.get_or_insert(now.monotonic);
        let is_over = now.monotonic.ms_since(since) >= SECOND_LEARNER_WAIT_MS;
        if is_over { ready } else { Vec::new() }
    }

    /// Whether the learner is up and connected, was heard lately, and has nearly all of the log, of which it has taken
    /// something in this term. With one that is gone, a change that is committed might be the last one.
    fn may_vote(&self, now: Now, learner: Incarnation) -> bool {
        let heard = self.peers.heard_at(learner);
        let member = self.head.state().and_then(|head| head.member(learner));
        let matched = self.node.matched(learner).map_or(0, |matched| matched.0);
        member.is_some_and(|member| member.up)
            && self.peers.connected().contains(&learner)
            && matched > 0
            && matched.saturating_add(CAUGHT_UP_ENTRIES) > self.node.last_index().0
            && heard.is_some_and(|at| now.monotonic.ms_since(at) < VOTE_SILENCE_MS)
    }

    fn propose_votes(
        &mut self,
        now: Now,
        change: impl FnOnce(Vec<u8>) -> MembershipChange,
        seat: Seat,
    ) {
        let request = self.request_head(None, SmolStr::default(), now.wall);
        if let Err(error) = self.propose_membership(change, Body::Seat { request, change: seat }) {
            tracing::debug!(%error, "a change of votes waits");
        }
    }
}

/// At every member.
impl Agent {
    /// A change of seats is committed: seats and records of members change together (PROTOCOL A6).
    pub(super) fn apply_seats(&mut self, change: &MembershipChange) {
        match self.node.apply_membership(change) {
            Ok(conf) => {
                let (voters, learners) = (conf.voters.len(), conf.learners.len());
                tracing::info!(
                    voters,
                    learners,
                    joint = conf.is_joint(),
                    "seats of members change"
                );
            }
            Err(error) => tracing::error!(%error, "a change of members could not be applied"),
        }
    }
}

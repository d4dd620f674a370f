//! A member whose data are not those that the log states (PROTOCOL A7, F36): it answers no reads and applies nothing,
//! goes on acknowledging the log, and says so to all.
//!
//! If a majority has what the log states, the leader lets it ask for a snapshot. If a majority has found the same other
//! data, those go on with it, and whoever disagrees with them is the one that takes a snapshot; a leader gives
//! leadership away before. Otherwise it waits for the voters that are not heard.

use super::Agent;
use super::effects::{DivergedData, ToPeer};
use crate::base::ids::{Digest, Incarnation, LogIndex};
use crate::base::limits::{DIVERGED_AGAIN_MS, DIVERGED_COUNTS_MS, REBUILD_PAUSE_MS};
use crate::base::time::{Now, Timestamp};
use crate::raft::Committed;
use crate::replication::apply::data_digest;
use crate::replication::message::PeerMessage;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Other data than the entry states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claim {
    pub(super) index: LogIndex,
    pub(super) found: Digest,
}

/// What is known of the divergence of another member.
pub(super) struct Heard {
    claim: Claim,
    at: Timestamp,
    /// It does not serve. Otherwise it has gone on with the data of a majority.
    pub(super) stands: bool,
}

/// What a member knows of its own divergence.
pub(super) struct Divergence {
    claim: Claim,
    /// Committed entries from there on.
    held: VecDeque<Committed>,
    /// When it says so again.
    say_at: Timestamp,
}

impl Agent {
    /// Whether the entry is not to be applied now: it is kept.
    pub(super) fn holds_back(&mut self, committed: &Committed) -> bool {
        match &mut self.divergence {
            Some(divergence) => {
                divergence.held.push_back(committed.clone());
                true
            }
            None => false,
        }
    }

    /// Whether the state may be kept as a snapshot.
    pub(crate) fn has_sound_data(&self) -> bool {
        self.divergence.is_none()
    }

    /// The entry at `index` states other data than those that are here. The others hear of it with the next tick.
    pub(super) fn diverge(&mut self, now: Now, index: LogIndex, (stated, found): (Digest, Digest)) {
        tracing::error!(
            %index,
            %stated,
            %found,
            "the data of this member are not those that the log states; it answers no reads until it has those of the others"
        );
        self.effects.diverged = Some(DivergedData {
            index,
            revision: self.state.revision,
            stated,
            found,
            running: self.state.shared.clone(),
        });
        self.abort_prepared();
        self.stop_leading(now);
        self.doubt_applied(now, index);
        let claim = Claim { index, found };
        self.divergence = Some(Divergence { claim, held: VecDeque::new(), say_at: now.monotonic });
        self.view_is_stale = true;
    }

    /// Another member has diverged. Where this one leads it says who is wrong.
    pub(super) fn heard_divergence(&mut self, now: Now, from: Incarnation, claim: Claim) {
        if self.state.member(from).is_none() {
            return;
        }
        // Who says again what a majority went on with may serve; it is asked like any other.
        let stands = self.passed.is_none_or(|(passed, _)| passed != claim);
        let heard = Heard { claim, at: now.monotonic, stands };
        let before = self.claims.insert(from, heard);
        if before.is_none_or(|known| known.claim != claim) {
            let Claim { index, found } = claim;
            tracing::error!(member = %from, %index, %found, "a member has other data than the log states");
        }
        self.look_after_divergence(now);
        if self.divergence.is_none()
            && let Some((passed, said)) = self.passed
            && passed == claim
            && now.monotonic.ms_since(said) >= DIVERGED_AGAIN_MS / 2
        {
            // It has not heard that others have found the same, and who is wrong may not have heard it either.
            self.passed = Some((claim, now.monotonic));
            self.say_claim(claim);
        }
        let decides = self.leading_term().is_some() && self.divergence.is_none();
        if decides && claim.index <= self.applied && self.log_prevails(now, claim.index) {
            let message = PeerMessage::Rebuild { index: claim.index };
            self.effects.sends.push(ToPeer { to: from, message });
        }
    }

    /// The leader says that a majority has what the log states.
    pub(super) fn may_rebuild(&mut self, now: Now, from: Incarnation, index: LogIndex) {
        let is_it = self.divergence.as_ref().is_some_and(|own| own.claim.index == index);
        let again = |at: Timestamp| now.monotonic.ms_since(at) >= REBUILD_PAUSE_MS;
        if is_it && self.node.leader() == Some(from) && self.rebuilt_at.is_none_or(again) {
            let asked = self.node.request_snapshot();
            tracing::info!(%index, asked, "the others have what the log states: their data replace those of this member");
        }
    }

    /// A snapshot has replaced the data: whether they had diverged.
    pub(super) fn is_rebuilt(&mut self, now: Now) -> bool {
        let Some(Divergence { claim, .. }) = self.divergence.take() else { return false };
        tracing::warn!(index = %claim.index, "this member has the data of the others, and serves again");
        self.claims.clear();
        self.rebuilt_at = Some(now.monotonic);
        true
    }

    /// To be called when something was heard or time has passed.
    pub(super) fn look_after_divergence(&mut self, now: Now) {
        if !self.takes_part() {
            return;
        }
        let own = self.divergence.as_ref().map(|own| own.claim);
        match (own, self.claim_of_majority(now)) {
            (Some(own), Some(claim)) if own == claim => return self.go_on_with(now, claim),
            // What a snapshot of the others stands for is as they have it.
            (None, Some(claim))
                if claim.index <= self.applied
                    && claim.index > self.received
                    && self.passed.is_none_or(|(passed, _)| passed != claim) =>
            {
                let found = data_digest(&self.state.shared, &self.parameters.schema);
                return self.diverge(now, claim.index, (claim.found, found));
            }
            (Some(_) | None, _) => {}
        }
        self.say_divergence(now);
    }

    fn say_divergence(&mut self, now: Now) {
        let Some(own) = &mut self.divergence else { return };
        if now.monotonic < own.say_at {
            return;
        }
        own.say_at = now.monotonic.plus_ms(DIVERGED_AGAIN_MS);
        let claim = own.claim;
        self.say_claim(claim);
        if let Some(to) = self.best_successor().filter(|_| self.node.is_leader()) {
            tracing::warn!(%to, "leadership goes to a member that can apply the log");
            // It is tried again with the next word.
            self.node.transfer_leader(to).unwrap_or_default();
        }
    }

    /// A member may lead: where this one leads, and should not, it tries to give that away at once.
    pub(super) fn may_give_leadership_away(&mut self, now: Now) {
        if self.node.is_leader()
            && let Some(own) = &mut self.divergence
        {
            own.say_at = now.monotonic;
        }
    }

    fn say_claim(&mut self, Claim { index, found }: Claim) {
        for to in self.peers.connected().clone() {
            let message = PeerMessage::Diverged { index, found };
            self.effects.sends.push(ToPeer { to, message });
        }
    }

    /// A majority has found the same where the entry states something else: that is what holds.
    fn go_on_with(&mut self, now: Now, claim: Claim) {
        let Some(Divergence { held, .. }) = self.divergence.take() else { return };
        tracing::error!(
            index = %claim.index,
            digest = %claim.found,
            "a majority has the same data, and not those that the log states: they go on with what they have"
        );
        self.claims.clear();
        // The others count too; this one may not have said so yet.
        self.say_claim(claim);
        self.passed = Some((claim, now.monotonic));
        self.settled = Some(claim.found);
        for committed in held {
            self.apply_committed(now, &committed);
        }
        self.settled = None;
        self.view_is_stale = true;
        // Whoever starts with it does not meet the entry again.
        self.effects.snapshot_wanted = true;
    }

    /// What more than half of the voters claim.
    fn claim_of_majority(&self, now: Now) -> Option<Claim> {
        if self.claims.is_empty() {
            return None;
        }
        let mut groups: BTreeMap<Claim, BTreeSet<Incarnation>> = BTreeMap::new();
        for (member, claim) in self.all_claims(now) {
            groups.entry(claim).or_default().insert(member);
        }
        groups.into_iter().find(|(_, group)| self.is_majority(group)).map(|(claim, _)| claim)
    }

    fn all_claims(&self, now: Now) -> impl Iterator<Item = (Incarnation, Claim)> {
        let own = self.divergence.as_ref().map(|own| (self.parameters.incarnation, own.claim));
        let counts = move |heard: &Heard| now.monotonic.ms_since(heard.at) < DIVERGED_COUNTS_MS;
        let others = self.claims.iter().filter(move |(_, heard)| counts(heard));
        others.map(|(member, heard)| (*member, heard.claim)).chain(own)
    }

    /// Whether the member said that its data are not those that the log states, and has not served since.
    pub(super) fn has_diverged(&self, member: Incarnation) -> bool {
        self.claims.get(&member).is_some_and(|heard| heard.stands)
    }

    /// Who leads best when this node does not lead any more: whoever has diverged could not decide anything.
    pub(super) fn best_successor(&self) -> Option<Incarnation> {
        self.node.best_voter_of(|voter| !self.has_diverged(voter))
    }

    /// Whether the log is right at `index`: more than half of the voters have what it states, or all have spoken and no
    /// greater group has found something else.
    fn log_prevails(&self, now: Now, index: LogIndex) -> bool {
        let heard: BTreeMap<Incarnation, Claim> = self.all_claims(now).collect();
        let claims: BTreeMap<Incarnation, Claim> = heard
            .iter()
            .map(|(it, claim)| (*it, *claim))
            .filter(|(_, it)| it.index == index)
            .collect();
        let voters = self.node.conf_state().voters;
        let agrees = |member: &Incarnation| {
            *member == self.parameters.incarnation
                || !heard.contains_key(member)
                    && !self.has_diverged(*member)
                    && self.peers.applied_by(*member) >= index
        };
        let agree: BTreeSet<Incarnation> = voters.iter().copied().filter(agrees).collect();
        let silent = voters.iter().any(|it| !agree.contains(it) && !claims.contains_key(it));
        let of_the_same = |claim: &Claim| claims.values().filter(|other| *other == claim).count();
        let greatest = claims.values().map(of_the_same).max().unwrap_or(0);
        self.is_majority(&agree) || !silent && agree.len() >= greatest
    }

    fn is_majority(&self, group: &BTreeSet<Incarnation>) -> bool {
        self.node.conf_state().is_majority(|voter| group.contains(&voter))
    }
}

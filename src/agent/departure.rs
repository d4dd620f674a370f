//! A leader whose own removal is committed (PROTOCOL A8).
//!
//! A leader never proposes that, but it may be elected with the entry of its predecessor. If it went at once, the others
//! might not know yet that they decide without it, and a cluster of two would wait for its vote for ever. So it stays
//! until another voter has applied the entry, or tells it that it was removed, and neither reads nor applies meanwhile.

use super::Agent;
use crate::base::ids::LogIndex;
use crate::base::time::Now;
use crate::raft::{Committed, CommittedEntry, MembershipChange, SeatChange};

impl Agent {
    /// Whether the entry is not to be applied before the others know of this node's removal: it is kept.
    pub(super) fn stays_for_others(&mut self, committed: &Committed) -> bool {
        let own = SeatChange::Removed(self.parameters.incarnation);
        let removes_own = matches!(
            &committed.entry,
            CommittedEntry::Membership(MembershipChange::Simple { seat, .. }) if *seat == own
        );
        let begins =
            removes_own && self.node.is_leader() && !self.another_voter_has(committed.index);
        if !begins && self.departure.is_empty() {
            return false;
        }
        self.departure.push_back(committed.clone());
        true
    }

    /// Whether this node waits for others to know of its removal.
    pub(super) fn is_departing(&self) -> bool {
        !self.departure.is_empty()
    }

    /// To be called when something was heard.
    pub(super) fn depart_when_known(&mut self, now: Now) {
        if self.departure.front().is_some_and(|first| self.another_voter_has(first.index)) {
            for committed in std::mem::take(&mut self.departure) {
                self.apply_committed(now, &committed);
            }
        }
    }

    fn another_voter_has(&self, index: LogIndex) -> bool {
        let voters = self.node.conf_state().voters;
        let own = self.parameters.incarnation;
        voters.iter().any(|voter| *voter != own && self.peers.applied_by(*voter) >= index)
    }
}

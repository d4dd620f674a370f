//! Who votes, who learns, and how that changes.

use crate::base::ids::Incarnation;
use prost::Message as _;
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2,
    ConfState as CrateConfState,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The members as Raft knows them.
///
/// While `voters_outgoing` is not empty the configuration is joint: a majority of both sets of voters decides.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct ConfState {
    /// They vote and count for the majority.
    pub(crate) voters: Vec<Incarnation>,
    /// They receive the log and do not vote.
    pub(crate) learners: Vec<Incarnation>,
    /// The voters before a joint change that is not left yet.
    pub(crate) voters_outgoing: Vec<Incarnation>,
    /// Outgoing voters that become learners when the joint configuration is left.
    pub(crate) learners_next: Vec<Incarnation>,
}

impl ConfState {
    /// Whether `member` has a seat of any kind.
    pub(crate) fn contains(&self, member: Incarnation) -> bool {
        [&self.voters, &self.learners, &self.voters_outgoing]
            .iter()
            .any(|seats| seats.contains(&member))
    }

    /// Whether a joint change is to be left.
    pub(crate) fn is_joint(&self) -> bool {
        !self.voters_outgoing.is_empty()
    }

    /// Whether those that count can decide: more than half of the voters, in a joint configuration of both sets.
    pub(crate) fn is_majority(&self, counts: impl Fn(Incarnation) -> bool) -> bool {
        let most = |voters: &[Incarnation]| {
            voters.iter().filter(|voter| counts(**voter)).count() > voters.len() / 2
        };
        most(&self.voters) && (!self.is_joint() || most(&self.voters_outgoing))
    }

    /// What is wrong with it, if it cannot be a configuration: the crate would panic on it.
    pub(super) fn flaw(&self) -> Option<&'static str> {
        let set = |members: &[Incarnation]| -> BTreeSet<Incarnation> {
            members.iter().copied().collect()
        };
        let (voters, learners) = (set(&self.voters), set(&self.learners));
        let (outgoing, next) = (set(&self.voters_outgoing), set(&self.learners_next));
        let total = voters.len() + learners.len() + outgoing.len() + next.len();
        let listed = self.voters.len()
            + self.learners.len()
            + self.voters_outgoing.len()
            + self.learners_next.len();
        let has_zero = [&voters, &learners, &outgoing, &next]
            .iter()
            .any(|members| members.contains(&Incarnation(0)));
        if total != listed {
            Some("a member is listed twice")
        } else if has_zero {
            Some("a member has the number 0")
        } else if voters.is_empty() {
            Some("there is no voter")
        } else if !learners.is_disjoint(&voters) || !learners.is_disjoint(&outgoing) {
            Some("a learner is a voter too")
        } else if !next.is_subset(&outgoing) || !next.is_disjoint(&voters) {
            Some("a learner to be is not an outgoing voter")
        } else {
            None
        }
    }

    pub(super) fn from_crate(state: &CrateConfState) -> ConfState {
        let sorted = |ids: &[u64]| {
            let mut members: Vec<Incarnation> = ids.iter().copied().map(Incarnation).collect();
            members.sort_unstable();
            members
        };
        ConfState {
            voters: sorted(&state.voters),
            learners: sorted(&state.learners),
            voters_outgoing: sorted(&state.voters_outgoing),
            learners_next: sorted(&state.learners_next),
        }
    }

    pub(super) fn to_crate(&self) -> CrateConfState {
        let ids = |members: &[Incarnation]| members.iter().map(|member| member.0).collect();
        CrateConfState {
            voters: ids(&self.voters),
            learners: ids(&self.learners),
            voters_outgoing: ids(&self.voters_outgoing),
            learners_next: ids(&self.learners_next),
            auto_leave: false,
        }
    }
}

/// One seat given or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeatChange {
    /// The member votes from now on.
    Voter(Incarnation),
    /// The member learns from now on, and does not vote.
    Learner(Incarnation),
    /// The member is gone.
    Removed(Incarnation),
}

/// A change of the members, as it is proposed and as it comes out of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MembershipChange {
    /// One seat; at most one voter more or less.
    Simple {
        /// The seat.
        seat: SeatChange,
        /// What the proposer wants to find with the committed change.
        context: Vec<u8>,
    },
    /// Several seats by joint consensus (Raft thesis, 4.3). It is left by `LeaveJoint`, never by itself.
    EnterJoint {
        /// The seats.
        seats: Vec<SeatChange>,
        /// What the proposer wants to find with the committed change.
        context: Vec<u8>,
    },
    /// The joint configuration ends; the new voters decide alone.
    LeaveJoint {
        /// What the proposer wants to find with the committed change.
        context: Vec<u8>,
    },
}

impl MembershipChange {
    /// The proposer's bytes.
    pub(crate) fn context(&self) -> &[u8] {
        match self {
            MembershipChange::Simple { context, .. }
            | MembershipChange::EnterJoint { context, .. }
            | MembershipChange::LeaveJoint { context } => context,
        }
    }

    pub(super) fn to_crate(&self) -> ConfChangeV2 {
        let (transition, seats): (_, &[SeatChange]) = match self {
            MembershipChange::Simple { seat, .. } => {
                (ConfChangeTransition::Auto, std::slice::from_ref(seat))
            }
            MembershipChange::EnterJoint { seats, .. } => (ConfChangeTransition::Explicit, seats),
            MembershipChange::LeaveJoint { .. } => (ConfChangeTransition::Auto, &[]),
        };
        let mut change = ConfChangeV2 {
            changes: seats.iter().map(|seat| seat.to_crate()).collect(),
            context: self.context().to_vec(),
            ..ConfChangeV2::default()
        };
        change.set_transition(transition);
        change
    }

    /// The change in the bytes of an entry, or what is wrong with them.
    pub(crate) fn decode(bytes: &[u8]) -> Result<MembershipChange, &'static str> {
        let Ok(change) = ConfChangeV2::decode(bytes) else {
            return Err("a membership change that cannot be read");
        };
        let seats =
            change.changes.iter().map(SeatChange::from_crate).collect::<Result<Vec<_>, _>>()?;
        let context = change.context;
        match (ConfChangeTransition::from_i32(change.transition), seats.as_slice()) {
            (Some(ConfChangeTransition::Auto), []) => Ok(MembershipChange::LeaveJoint { context }),
            (Some(ConfChangeTransition::Auto), [seat]) => {
                Ok(MembershipChange::Simple { seat: *seat, context })
            }
            (Some(ConfChangeTransition::Explicit), [_, ..]) => {
                Ok(MembershipChange::EnterJoint { seats, context })
            }
            _ => Err("a membership change of a kind that is not used"),
        }
    }
}

impl SeatChange {
    /// Whose seat it is.
    pub(crate) fn member(self) -> Incarnation {
        match self {
            SeatChange::Voter(member)
            | SeatChange::Learner(member)
            | SeatChange::Removed(member) => member,
        }
    }

    fn to_crate(self) -> ConfChangeSingle {
        let kind = match self {
            SeatChange::Voter(_) => ConfChangeType::AddNode,
            SeatChange::Learner(_) => ConfChangeType::AddLearnerNode,
            SeatChange::Removed(_) => ConfChangeType::RemoveNode,
        };
        let mut single =
            ConfChangeSingle { node_id: self.member().0, ..ConfChangeSingle::default() };
        single.set_change_type(kind);
        single
    }

    fn from_crate(single: &ConfChangeSingle) -> Result<SeatChange, &'static str> {
        let member = Incarnation(single.node_id);
        if member == Incarnation(0) {
            return Err("a membership change of the member 0");
        }
        match ConfChangeType::from_i32(single.change_type) {
            Some(ConfChangeType::AddNode) => Ok(SeatChange::Voter(member)),
            Some(ConfChangeType::AddLearnerNode) => Ok(SeatChange::Learner(member)),
            Some(ConfChangeType::RemoveNode) => Ok(SeatChange::Removed(member)),
            None => Err("a membership change of an unknown kind"),
        }
    }
}

/// Why a membership change was not proposed, or has no effect. The members are as before.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MembershipError {
    /// Only the leader changes the members, in the term that the caller means.
    #[error("this member does not lead in that term")]
    NotLeader,
    /// One change at a time. A new leader also waits until it has applied what it found in its log.
    #[error("another membership change is not applied yet")]
    Pending,
    /// A leader does not take its own vote away: it transfers leadership first.
    #[error("the leader cannot remove or demote itself; leadership must be transferred first")]
    OwnSeat,
    /// The crate refuses it: no voter would be left, or joint configurations would overlap.
    #[error("the change is not possible: {0}")]
    Impossible(String),
    /// Leadership is being transferred, or too much is uncommitted. It may be tried again.
    #[error("the change was dropped and may be tried again")]
    Dropped,
}

#[cfg(test)]
mod tests {
    use super::{ConfState, MembershipChange, SeatChange};
    use crate::base::ids::Incarnation;
    use prost::Message as _;

    fn members(ids: &[u64]) -> Vec<Incarnation> {
        ids.iter().copied().map(Incarnation).collect()
    }

    #[track_caller]
    fn check(voters: &[u64], learners: &[u64], outgoing: &[u64], next: &[u64]) -> bool {
        let state = ConfState {
            voters: members(voters),
            learners: members(learners),
            voters_outgoing: members(outgoing),
            learners_next: members(next),
        };
        assert_eq!(ConfState::from_crate(&state.to_crate()), state);
        state.flaw().is_none()
    }

    #[test]
    fn configurations_that_the_crate_would_panic_on_are_found() {
        assert!(check(&[1], &[], &[], &[]));
        assert!(check(&[1, 2, 3], &[4], &[], &[]));
        assert!(check(&[1, 2], &[4], &[1, 2, 3], &[3]));
        assert!(!check(&[], &[1], &[], &[]));
        assert!(!check(&[0], &[], &[], &[]));
        assert!(!check(&[1, 1], &[], &[], &[]));
        assert!(!check(&[1], &[1], &[], &[]));
        assert!(!check(&[1], &[2], &[1, 2], &[]));
        assert!(!check(&[1], &[], &[1, 2], &[3]));
        assert!(!check(&[1, 2], &[], &[1, 2], &[2]));
        assert!(!check(&[1], &[], &[], &[2]));
    }

    #[test]
    fn in_a_joint_configuration_a_majority_is_one_of_both_sets() {
        let state = |voters: &[u64], outgoing: &[u64]| ConfState {
            voters: members(voters),
            voters_outgoing: members(outgoing),
            ..ConfState::default()
        };
        let decide = |state: &ConfState, ids: &[u64]| state.is_majority(|it| ids.contains(&it.0));
        assert!(decide(&state(&[1, 2, 3], &[]), &[2, 3]));
        assert!(!decide(&state(&[1, 2, 3, 4], &[]), &[2, 3]));
        let joint = state(&[1, 2, 3], &[1]);
        assert!(decide(&joint, &[1, 3]));
        assert!(!decide(&joint, &[2, 3]), "who decided alone is not outvoted yet");
        assert!(!decide(&joint, &[1]), "nor does it decide alone any more");
    }

    #[test]
    fn changes_come_back_as_they_were_encoded() {
        let seats = vec![SeatChange::Voter(Incarnation(4)), SeatChange::Removed(Incarnation(3))];
        for change in [
            MembershipChange::Simple {
                seat: SeatChange::Learner(Incarnation(9)),
                context: b"member".to_vec(),
            },
            MembershipChange::EnterJoint { seats, context: Vec::new() },
            MembershipChange::LeaveJoint { context: b"leave".to_vec() },
        ] {
            let bytes = change.to_crate().encode_to_vec();
            assert_eq!(MembershipChange::decode(&bytes), Ok(change));
        }
    }

    #[test]
    fn changes_that_we_never_make_are_refused() {
        let mut implicit = MembershipChange::EnterJoint {
            seats: vec![SeatChange::Voter(Incarnation(4))],
            context: Vec::new(),
        }
        .to_crate();
        implicit.transition = 1;
        let mut unknown = implicit.clone();
        unknown.transition = 9;
        let zero = MembershipChange::Simple {
            seat: SeatChange::Voter(Incarnation(0)),
            context: Vec::new(),
        }
        .to_crate();
        for change in [implicit, unknown, zero] {
            assert!(MembershipChange::decode(&change.encode_to_vec()).is_err());
        }
        assert!(MembershipChange::decode(&[0xff, 0xff]).is_err());
    }
}

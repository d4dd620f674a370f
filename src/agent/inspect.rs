//! What a simulation looks at.

use super::Agent;
use crate::base::ids::Term;
use crate::base::time::Now;
use crate::raft::{ConfState, LogPosition};
use crate::replication::state::State;

/// An agent from outside.
pub(crate) struct Inspection<'a> {
    pub(crate) applied: LogPosition,
    /// What the log has made up to there.
    pub(crate) state: &'a State,
    pub(crate) term: Term,
    /// The term in which it leads.
    pub(crate) leads: Option<Term>,
    /// Who votes, and who learns, as of what it has applied.
    pub(crate) seats: ConfState,
    /// It leads and has applied everything before its term.
    pub(crate) decides: bool,
    /// The term in which the question was put that its participants answer or have answered.
    pub(crate) asked_in: Option<Term>,
    /// Requests that have no outcome yet.
    pub(crate) pending: usize,
}

impl Agent {
    /// What its thread is to be woken for, and when.
    pub(crate) fn why_awake(&self, now: Now) -> String {
        format!(
            "now {:?}, tick {:?}, rollback {:?}, slot {:?}, participant {:?}, pending {:?}, ack {:?}",
            now.monotonic,
            self.tick_due(),
            self.rollback_due(now),
            self.leading.slots.deadline(),
            self.participants.deadline(),
            self.pending_due(),
            self.ack_due(now)
        )
    }

    /// Where it stands, for whoever looks for the reason of a standstill.
    pub(crate) fn standing(&self) -> String {
        format!(
            "term {}, leader {:?}, transfers to {:?}, log to {} committed to {} applied to {}, {:?}, waits for {:?}",
            self.node.term(),
            self.node.leader(),
            self.node.transferring_to(),
            self.node.last_index(),
            self.node.committed(),
            self.applied,
            self.node.conf_state(),
            self.pending
        )
    }

    /// What a leader before it has proposed, as the `raft` crate would forward it (`Rule::ProposalsStay`).
    pub(crate) fn forwarded(&mut self, entry: Vec<u8>) {
        if let Err(error) = self.node.propose(self.node.term(), entry) {
            tracing::debug!(%error, "nothing is made of it");
        }
    }

    /// What it knows at this moment.
    pub(crate) fn inspect(&self) -> Inspection<'_> {
        Inspection {
            applied: LogPosition { index: self.applied, term: self.applied_term },
            state: &self.state,
            term: self.node.term(),
            leads: self.node.is_leader().then(|| self.node.term()),
            seats: self.node.conf_state(),
            decides: self.head.state().is_some(),
            asked_in: self.asked_in(),
            pending: self.pending.len(),
        }
    }
}

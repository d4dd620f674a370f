//! The head: the state after everything proposed in this term. Every decision is evaluated on it (PROTOCOL F8).

use super::Agent;
use crate::base::ids::{LogIndex, Term};
use crate::base::limits::LOG_ENTRY_BYTES_MAX;
use crate::base::rules::Rule;
use crate::raft::{MembershipChange, MembershipError, Node, ProposeError};
use crate::replication::apply::{Applied, Knowledge, Position, apply};
use crate::replication::entry::{Body, Entry};
use crate::replication::state::State;
use crate::yang::tree::Tree;
use std::collections::VecDeque;

/// The speculative state of a leader.
///
/// Invariant: `state` is `None` until the no-op of this term is applied (PROTOCOL L1). Each element of `in_flight` is
/// the state after the entry at its index, with what the entry did, in ascending order; the last is `state`.
#[derive(Default)]
pub(super) struct Head {
    state: Option<State>,
    in_flight: VecDeque<InFlight>,
}

/// A proposed entry that is not applied yet.
pub(super) struct InFlight {
    position: Position,
    pub(super) entry: Entry,
    pub(super) state: State,
    pub(super) applied: Applied,
}

impl Head {
    /// The state to evaluate on, if this node leads and may decide.
    pub(super) fn state(&self) -> Option<&State> {
        self.state.as_ref()
    }

    /// The last proposed entry that is not applied yet.
    pub(super) fn last_index(&self) -> Option<LogIndex> {
        self.in_flight.back().map(|entry| entry.position.index)
    }

    /// This node leads, and has applied everything that was before it.
    pub(super) fn begin(&mut self, state: State) {
        self.state = Some(state);
        self.in_flight.clear();
    }

    /// This node does not lead any more: what it proposed is the log's matter.
    pub(super) fn end(&mut self) {
        self.state = None;
        self.in_flight.clear();
    }

    /// The result of the entry at `position`, if it was evaluated here when it was proposed.
    pub(super) fn take(&mut self, position: Position) -> Option<InFlight> {
        let is_next = self.in_flight.front().is_some_and(|entry| entry.position == position);
        if is_next { self.in_flight.pop_front() } else { None }
    }
}

/// Why an entry was not proposed. The head is unchanged.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotProposed {
    #[error("this node does not lead")]
    NoLeader,
    #[error("the log does not take entries now: {0}")]
    Refused(String),
    #[error("one transaction may change at most {LOG_ENTRY_BYTES_MAX} bytes: make several of it")]
    TooBig,
    #[error("what the entry states does not hold on the head")]
    Void,
}

impl Agent {
    /// The state that changes and locks are decided on, if this node leads and may decide: the head.
    pub(super) fn to_decide_on(&self) -> Option<&State> {
        let on_head = self.parameters.rules.hold(Rule::DecidesOnHead);
        self.head.state().map(|head| if on_head { head } else { &self.state })
    }

    /// Proposes an entry that takes effect on the head, and advances the head by it (PROTOCOL L7, F8).
    pub(super) fn propose(&mut self, body: Body) -> Result<LogIndex, NotProposed> {
        self.propose_knowing(body, None)
    }

    /// The same, for a decision whose resulting running is at hand.
    pub(super) fn propose_knowing(
        &mut self,
        body: Body,
        result: Option<&Tree>,
    ) -> Result<LogIndex, NotProposed> {
        let propose = |node: &mut Node, term, bytes| {
            node.propose(term, bytes).map_err(|error| match error {
                ProposeError::NotLeader { .. } => NotProposed::NoLeader,
                ProposeError::Dropped => NotProposed::Refused(error.to_string()),
            })
        };
        self.propose_with(body, result, propose)
    }

    /// Proposes a change of members around `body`, which says what becomes of their records (PROTOCOL A6).
    pub(super) fn propose_membership(
        &mut self,
        change: impl FnOnce(Vec<u8>) -> MembershipChange,
        body: Body,
    ) -> Result<LogIndex, NotProposed> {
        self.propose_with(body, None, |node, term, context| {
            node.propose_membership(term, &change(context)).map_err(|error| match error {
                MembershipError::NotLeader => NotProposed::NoLeader,
                MembershipError::Pending
                | MembershipError::Dropped
                | MembershipError::OwnSeat
                | MembershipError::Impossible(_) => NotProposed::Refused(error.to_string()),
            })
        })
    }

    fn propose_with(
        &mut self,
        body: Body,
        result: Option<&Tree>,
        append: impl FnOnce(&mut Node, Term, Vec<u8>) -> Result<LogIndex, NotProposed>,
    ) -> Result<LogIndex, NotProposed> {
        let term: Term = self.node.term();
        let state = self.head.state.as_ref().ok_or(NotProposed::NoLeader)?;
        if !self.node.is_leader() || self.node.transferring_to().is_some() {
            return Err(NotProposed::NoLeader);
        }
        let entry = Entry { term, body };
        let next = LogIndex(self.node.last_index().0.saturating_add(1));
        let expected = Position { index: next, term };
        let knowledge = Knowledge {
            schema: &self.parameters.schema,
            result,
            settled: None,
            rules: self.parameters.rules,
        };
        let (after, applied) = apply(state, expected, &entry, knowledge);
        let takes_effect = matches!(applied, Applied::Done(_));
        let decides =
            matches!(entry.body, Body::Decision(_) | Body::Lock { .. } | Body::Unlock { .. });
        if !takes_effect && (!decides || self.parameters.rules.hold(Rule::DecidesOnHead)) {
            return Err(NotProposed::Void);
        }
        let bytes = entry.encode().map_err(|error| NotProposed::Refused(error.to_string()))?;
        if bytes.len() > LOG_ENTRY_BYTES_MAX {
            return Err(NotProposed::TooBig);
        }
        let index = append(&mut self.node, term, bytes)?;
        assert_eq!(index, next, "a leader's proposal is the next entry of its log");
        if !takes_effect {
            return Ok(index);
        }
        self.head.state = Some(after.clone());
        self.head.in_flight.push_back(InFlight {
            position: expected,
            entry,
            state: after,
            applied,
        });
        Ok(index)
    }
}

//! The node's candidate: shared by its sessions, unmodified after a restart (RFC 6241, 8.3).

use super::event::{Answer, ReplyTo};
use super::requests::From;
use super::{Agent, fault};
use crate::base::ids::{Revision, SessionKey};
use crate::base::time::{Now, WallTime};
use crate::datastore::candidate::Candidate;
use crate::datastore::edit::Edit;
use crate::datastore::store::Datastore;
use crate::netconf::error::RpcError;
use crate::netconf::operation::{Request, TestOption};
use crate::netconf::state::LockState;
use crate::yang::tree::Tree;
use std::collections::VecDeque;

/// The candidate with its lock.
///
/// Invariant: while `busy` (its commit is undecided) nothing touches it; requests wait in order. Each session has at
/// most one request under way, so at most as many wait as there are sessions.
pub(super) struct NodeCandidate {
    candidate: Candidate,
    lock: Option<(SessionKey, WallTime)>,
    busy: bool,
    waiting: VecDeque<(ReplyTo, SessionKey, Request)>,
}

impl NodeCandidate {
    pub(super) fn new(revision: Revision, running: &Tree) -> Self {
        let candidate = Candidate::new(revision, running);
        Self { candidate, lock: None, busy: false, waiting: VecDeque::new() }
    }

    pub(super) fn tree(&self) -> &Tree {
        self.candidate.tree()
    }

    pub(super) fn lock_state(&self) -> Option<LockState> {
        self.lock.map(|(session, locked_time)| LockState {
            datastore: Datastore::Candidate,
            session: session.id,
            locked_time,
        })
    }

    /// RFC 6241, 8.3.4.2, and 7.5 for a lock of another session.
    fn free_for(&self, session: SessionKey) -> Result<(), Vec<RpcError>> {
        match self.lock {
            Some((holder, _)) if holder != session => {
                Err(vec![fault::locked_by("candidate", holder.id)])
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Agent {
    fn node_candidate(&mut self) -> Result<&mut NodeCandidate, Vec<RpcError>> {
        self.candidate.as_mut().ok_or_else(no_candidate)
    }

    pub(super) fn candidate_tree(&self) -> Result<Tree, Vec<RpcError>> {
        self.candidate.as_ref().map(|own| own.tree().clone()).ok_or_else(no_candidate)
    }

    pub(super) fn candidate_free_for(&self, session: SessionKey) -> Result<(), Vec<RpcError>> {
        self.candidate.as_ref().ok_or_else(no_candidate)?.free_for(session)
    }

    /// The request waits for the outcome of the candidate's commit.
    pub(super) fn candidate_must_wait(
        &mut self,
        (reply, session): From,
        request: &Request,
    ) -> bool {
        match &mut self.candidate {
            Some(own) if own.busy => {
                own.waiting.push_back((reply, session, request.clone()));
                true
            }
            Some(_) | None => false,
        }
    }

    pub(super) fn set_candidate_busy(&mut self) {
        if let Some(own) = &mut self.candidate {
            own.busy = true;
        }
    }

    /// The candidate's commit has an outcome: what waited goes on.
    pub(super) fn candidate_resolved(&mut self, now: Now) {
        let Some(own) = &mut self.candidate else { return };
        own.busy = false;
        let waiting = std::mem::take(&mut own.waiting);
        for (reply, session, request) in waiting {
            self.request(now, (reply, session), request);
        }
    }

    /// Running has a new revision: an unmodified candidate follows it, and so does one that was just committed.
    pub(super) fn candidate_follows(&mut self, committed: bool) {
        let Some(own) = &mut self.candidate else { return };
        if committed {
            own.candidate.discard(self.state.revision, &self.state.shared);
        } else {
            own.candidate.follow(self.state.revision, &self.state.shared);
        }
    }

    /// Its commit changes nothing: it is what the head is. It follows running there, before the commit is answered.
    pub(super) fn candidate_unchanged(&mut self) {
        self.discard();
    }

    /// The candidate as it is now, to be committed.
    pub(super) fn candidate_now(&self) -> Result<Candidate, Vec<RpcError>> {
        self.candidate.as_ref().map(|own| own.candidate.clone()).ok_or_else(no_candidate)
    }

    /// An edit of the candidate: RFC 7950 8.3.1 and 8.3.2 only, unless a test is asked for.
    pub(super) fn edit_candidate(
        &mut self,
        (reply, session): From,
        test_option: TestOption,
        edit: &Edit,
    ) -> Result<(), Vec<RpcError>> {
        let schema = std::sync::Arc::clone(&self.parameters.schema);
        let own = self.node_candidate()?;
        own.free_for(session)?;
        let mut edited = own.candidate.clone();
        edited.edit(&schema, edit).map_err(|error| fault::of_data(vec![error]))?;
        if matches!(test_option, TestOption::TestThenSet | TestOption::TestOnly) {
            self.settle((&self.state.shared, self.state.revision), edited.tree())?;
        }
        if test_option != TestOption::TestOnly {
            self.node_candidate()?.candidate = edited;
            self.view_is_stale = true;
        }
        self.answer(reply, Answer::Ok);
        Ok(())
    }

    pub(super) fn replace_candidate(
        &mut self,
        (reply, session): From,
        tree: Tree,
    ) -> Result<(), Vec<RpcError>> {
        let own = self.node_candidate()?;
        own.free_for(session)?;
        own.candidate.replace_whole(tree);
        self.view_is_stale = true;
        self.answer(reply, Answer::Ok);
        Ok(())
    }

    pub(super) fn discard_changes(&mut self, (reply, session): From) -> Result<(), Vec<RpcError>> {
        self.node_candidate()?.free_for(session)?;
        self.discard();
        self.answer(reply, Answer::Ok);
        Ok(())
    }

    fn discard(&mut self) {
        let Some(own) = &mut self.candidate else { return };
        own.candidate.discard(self.state.revision, &self.state.shared);
        self.view_is_stale = true;
    }

    /// RFC 6241, 7.5 and 8.3.5.2: not while it is modified, nor while anybody holds it.
    pub(super) fn lock_candidate(
        &mut self,
        (reply, session): From,
        at: WallTime,
    ) -> Result<(), Vec<RpcError>> {
        let own = self.node_candidate()?;
        if let Some((holder, _)) = own.lock {
            let message = format!("candidate is locked by session {}", holder.id);
            return Err(vec![fault::lock_denied(holder.id.0, message)]);
        }
        if own.candidate.is_modified() {
            let message = "candidate has changes that are neither committed nor discarded";
            return Err(vec![fault::lock_denied(0, message)]);
        }
        own.lock = Some((session, at));
        self.view_is_stale = true;
        self.answer(reply, Answer::Ok);
        Ok(())
    }

    /// RFC 6241, 8.3.5.2: what is neither committed nor discarded is discarded.
    pub(super) fn unlock_candidate(&mut self, (reply, session): From) -> Result<(), Vec<RpcError>> {
        let own = self.node_candidate()?;
        if own.lock.is_none_or(|(holder, _)| holder != session) {
            return Err(vec![fault::operation_failed("this session does not hold the lock")]);
        }
        own.lock = None;
        self.discard();
        self.answer(reply, Answer::Ok);
        Ok(())
    }

    /// The end of a session: its lock of the candidate with what was not committed.
    pub(super) fn release_candidate(&mut self, session: SessionKey) {
        let Some(own) = &mut self.candidate else { return };
        let waiting = std::mem::take(&mut own.waiting);
        let (over, others): (VecDeque<_>, _) =
            waiting.into_iter().partition(|(_, waiting, _)| *waiting == session);
        own.waiting = others;
        for (reply, _, _) in over {
            let error = fault::operation_failed("the session is over");
            self.effects.answers.push((reply, Answer::Errors(vec![error])));
        }
        if own.lock.take_if(|(holder, _)| *holder == session).is_some() {
            self.discard();
        }
    }
}

fn no_candidate() -> Vec<RpcError> {
    vec![fault::not_supported("the candidate datastore is switched off")]
}

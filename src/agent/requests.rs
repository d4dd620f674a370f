//! Which operation goes where.

use super::asked::{Change, Content};
use super::event::{Answer, ReplyTo};
use super::origin::Order;
use super::{Agent, Phase, fault};
use crate::base::ids::SessionKey;
use crate::base::time::Now;
use crate::datastore::store::Datastore;
use crate::netconf::error::RpcError;
use crate::netconf::operation::{Commit, ConfigSource, Request, TestOption};
use crate::replication::state::LockTarget;
use crate::transaction::confirmed::{Ask, commit_step};
use crate::yang::tree::Tree;

/// Whose request it is.
pub(super) type From = (ReplyTo, SessionKey);

impl Agent {
    pub(super) fn request(&mut self, now: Now, from: From, request: Request) {
        if !self.sessions.contains_key(&from.1.id) {
            let error = fault::operation_failed("the session is over");
            return self.answer(from.0, Answer::Errors(vec![error]));
        }
        if self.phase != Phase::Ready && request != Request::CloseSession {
            return self.answer(from.0, Answer::Errors(vec![fault::not_ready()]));
        }
        if self.touches_candidate(&request) && self.candidate_must_wait(from, &request) {
            return;
        }
        if let Err(errors) = self.try_request(now, from, request) {
            self.answer(from.0, Answer::Errors(errors));
        }
    }

    fn touches_candidate(&self, request: &Request) -> bool {
        let is_candidate =
            |source: &ConfigSource| matches!(source, ConfigSource::Datastore(Datastore::Candidate));
        match request {
            Request::EditConfig { target, .. }
            | Request::Lock { target }
            | Request::Unlock { target }
            | Request::DeleteConfig { target } => *target == Datastore::Candidate,
            Request::CopyConfig { source, target } => {
                is_candidate(source) || *target == Datastore::Candidate
            }
            Request::Validate { source } => is_candidate(source),
            Request::Commit(_) | Request::DiscardChanges => true,
            Request::CloseSession | Request::KillSession { .. } | Request::CancelCommit { .. } => {
                false
            }
        }
    }

    fn try_request(&mut self, now: Now, from: From, request: Request) -> Result<(), Vec<RpcError>> {
        match request {
            Request::EditConfig { target: Datastore::Candidate, test_option, edit } => {
                self.edit_candidate(from, test_option, &edit)
            }
            Request::EditConfig { target: Datastore::Running, test_option, edit } => {
                self.running_is_writable()?;
                let test_only = test_option == TestOption::TestOnly;
                self.order_change(now, from, Change::Edit(edit), test_only);
                Ok(())
            }
            Request::EditConfig { target: Datastore::Startup, .. } => Err(no_startup()),
            Request::CopyConfig { source, target } => self.copy_config(now, from, source, target),
            Request::DeleteConfig { target } => Err(vec![delete_refused(target)]),
            Request::Lock { target } => self.lock(now, from, target),
            Request::Unlock { target } => self.unlock(now, from, target),
            Request::CloseSession => {
                self.end_session(now, from.1, Some(from.0));
                Ok(())
            }
            Request::KillSession { session } => {
                self.kill_session(now, from, session);
                Ok(())
            }
            Request::Commit(commit) => self.commit(now, from, commit),
            Request::DiscardChanges => self.discard_changes(from),
            Request::CancelCommit { persist_id } => {
                self.order_change(now, from, Change::Cancel { persist_id }, false);
                Ok(())
            }
            Request::Validate { source } => self.validate_source(now, from, source),
        }
    }

    fn running_is_writable(&self) -> Result<(), Vec<RpcError>> {
        if self.parameters.datastores.writable_running() {
            return Ok(());
        }
        Err(vec![fault::not_supported("running is written through the candidate only")])
    }

    /// A change of running by a session.
    fn order_change(&mut self, now: Now, from: From, change: Change, test_only: bool) {
        let mut order = Order::of_session(self, now, from, Content::of(change));
        order.test_only = test_only;
        self.order(now, order);
    }

    /// The same, of the whole candidate: it is busy until there is an outcome, and unmodified if it takes place.
    fn order_commit(&mut self, now: Now, from: From, change: Change) {
        let mut order = Order::of_session(self, now, from, Content::of(change));
        order.candidate = true;
        self.set_candidate_busy();
        self.order(now, order);
    }

    fn commit(&mut self, now: Now, from: From, commit: Commit) -> Result<(), Vec<RpcError>> {
        self.candidate_free_for(from.1)?;
        let candidate = Box::new(self.candidate_now()?);
        let ask = Ask {
            confirmed: commit.confirmed.map(|confirmed| (confirmed.timeout_s, confirmed.persist)),
            persist_id: commit.persist_id,
        };
        let confirms = self.may_confirm(from.1, &ask);
        self.order_commit(now, from, Change::Candidate { candidate, ask, confirms });
        Ok(())
    }

    fn may_confirm(&self, session: SessionKey, ask: &Ask) -> bool {
        let pending = self.head.state().unwrap_or(&self.state).confirmed.as_ref();
        pending.is_some() && commit_step(pending, session, ask).is_ok()
    }

    fn copy_config(
        &mut self,
        now: Now,
        from: From,
        source: ConfigSource,
        target: Datastore,
    ) -> Result<(), Vec<RpcError>> {
        if source == ConfigSource::Datastore(target) {
            return Err(vec![fault::invalid_value("source and target are the same datastore")]);
        }
        match target {
            Datastore::Candidate if source == ConfigSource::Datastore(Datastore::Running) => {
                self.discard_changes(from)
            }
            Datastore::Candidate => {
                let tree = self.source_tree(source)?;
                self.replace_candidate(from, tree)
            }
            Datastore::Running => {
                self.running_is_writable()?;
                let takes_candidate = source == ConfigSource::Datastore(Datastore::Candidate)
                    && self.candidate_free_for(from.1).is_ok();
                let tree = self.source_tree(source)?;
                if takes_candidate {
                    // What it holds is in running then, as after a commit.
                    self.order_commit(now, from, Change::Replace(tree));
                } else {
                    self.order_change(now, from, Change::Replace(tree), false);
                }
                Ok(())
            }
            Datastore::Startup => Err(no_startup()),
        }
    }

    /// What a source holds, as this node's clients see it.
    pub(super) fn source_tree(&self, source: ConfigSource) -> Result<Tree, Vec<RpcError>> {
        match source {
            ConfigSource::Datastore(Datastore::Running) => Ok(self.state.shared.clone()),
            ConfigSource::Datastore(Datastore::Candidate) => self.candidate_tree(),
            ConfigSource::Datastore(Datastore::Startup) => Err(no_startup()),
            ConfigSource::Inline(edit) => {
                let seed = self.state.shared.seed;
                crate::datastore::apply::tree_of(&self.parameters.schema, seed, &edit)
                    .map_err(|error| fault::of_data(vec![error]))
            }
        }
    }

    fn validate_source(
        &mut self,
        now: Now,
        from: From,
        source: ConfigSource,
    ) -> Result<(), Vec<RpcError>> {
        let tree = self.source_tree(source)?;
        self.order_change(now, from, Change::Validate(tree), true);
        Ok(())
    }

    fn lock(&mut self, now: Now, from: From, target: Datastore) -> Result<(), Vec<RpcError>> {
        match target {
            Datastore::Candidate => self.lock_candidate(from, now.wall),
            Datastore::Running => {
                let content = Content::Lock(LockTarget::Running);
                let order = Order::of_session(self, now, from, content);
                self.order(now, order);
                Ok(())
            }
            Datastore::Startup => Err(no_startup()),
        }
    }

    fn unlock(&mut self, now: Now, from: From, target: Datastore) -> Result<(), Vec<RpcError>> {
        match target {
            Datastore::Candidate => self.unlock_candidate(from),
            Datastore::Running => {
                let content = Content::Unlock(LockTarget::Running);
                let order = Order::of_session(self, now, from, content);
                self.order(now, order);
                Ok(())
            }
            Datastore::Startup => Err(no_startup()),
        }
    }
}

/// :startup is not advertised.
fn no_startup() -> Vec<RpcError> {
    vec![fault::not_supported("there is no startup datastore: running is durable")]
}

/// RFC 6241, 7.4: running cannot be deleted; the candidate is emptied by discard-changes.
fn delete_refused(target: Datastore) -> RpcError {
    let name = match target {
        Datastore::Running => "running",
        Datastore::Candidate => "candidate",
        Datastore::Startup => "startup",
    };
    fault::not_supported(format!("{name} cannot be deleted"))
}

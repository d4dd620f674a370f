//! Participants: application code that takes part in every change of running.
//!
//! A change is validated, prepared by everybody whom it concerns, made durable, and then committed. One no before
//! that aborts it for all; after that nothing can stop it. Calls of one participant come one after the other, on a
//! thread of its own.

use super::change::{Change, Configuration};
use std::time::Duration;

/// Why a participant refuses a change. The client that asked for it reads this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// Why a participant could not do what it had promised. The change stands; operators read this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Alarm(pub String);

/// The hooks of the transaction engine. Whatever is not implemented agrees and does nothing.
///
/// Order of calls: `start` once, then for each change that concerns the participant `rewrite` (if its registration asks
/// for it), `validate`, `prepare`, and either `commit` or `abort`; also `validate` alone, for a client's `<validate>`.
/// A `commit` without `prepare` before it is a change that cannot be refused: a rollback. A panic counts as a refusal or
/// an alarm.
pub trait Participant: Send + 'static {
    /// The full configuration at the start, before NETCONF opens. Every later revision that concerns the participant
    /// comes as a `commit`, exactly once and in order.
    fn start(&mut self, configuration: &Configuration) {
        let _ = configuration;
    }

    /// What is to be changed in addition, as the content of `<config>` in an edit-config (operation attributes and all),
    /// before the change is validated.
    ///
    /// # Errors
    /// A refusal aborts the change.
    fn rewrite(&mut self, change: &Change) -> Result<Option<String>, Refusal> {
        let _ = change;
        Ok(None)
    }

    /// Whether the change is right. Nothing is reserved: the change may never come.
    ///
    /// # Errors
    /// A refusal aborts the change.
    fn validate(&mut self, change: &Change) -> Result<(), Refusal> {
        let _ = change;
        Ok(())
    }

    /// Reserves what `commit` needs, so that it cannot fail.
    ///
    /// # Errors
    /// A refusal aborts the change.
    fn prepare(&mut self, change: &Change) -> Result<(), Refusal> {
        let _ = change;
        Ok(())
    }

    /// The change is durable and stands.
    ///
    /// # Errors
    /// An alarm tells operators that what runs is not what is configured; nothing is undone.
    fn commit(&mut self, change: &Change) -> Result<(), Alarm>;

    /// The prepared change does not come: what was reserved is to be released.
    fn abort(&mut self) {}
}

/// What a participant takes part in.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The name that errors and logs show.
    pub name: String,
    /// Schema paths such as `/ietf-interfaces:interfaces/interface`; module names where the module changes. A change
    /// at, above or below one of them concerns the participant. None: every change does.
    pub paths: Vec<String>,
    /// Lower ones are called first; equal ones in the order of registration.
    pub priority: i32,
    /// How long `rewrite`, `validate` and `prepare` may each take; beyond, the change is refused in the participant's
    /// name.
    pub deadline: Duration,
    /// Whether `rewrite` is called.
    pub rewrites: bool,
}

impl Registration {
    /// Every change, priority 0, the default deadline of 5 seconds, no rewriting.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            paths: Vec::new(),
            priority: 0,
            deadline: Duration::from_millis(crate::base::limits::PARTICIPANT_DEADLINE_MS),
            rewrites: false,
        }
    }

    /// The same, for changes at, above or below `path` (and those named before).
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// The same, with another priority.
    #[must_use]
    pub fn priority(mut self, priority: i32) -> Self {
        self.priority = priority;
        self
    }

    /// The same, with another deadline.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// The same, with `rewrite` called.
    #[must_use]
    pub fn rewriting(mut self) -> Self {
        self.rewrites = true;
        self
    }
}

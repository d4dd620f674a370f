//! Calls of participants as the agent makes them.

use crate::base::ids::{Revision, SessionId};
use crate::datastore::edit::Edit;
use crate::yang::tree::Tree;

/// A registered participant, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ParticipantId(pub(crate) u32);

/// A call, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId(pub(crate) u64);

/// One call of one participant.
#[derive(Debug, Clone)]
pub(crate) struct HookCall {
    pub(crate) participant: ParticipantId,
    pub(crate) call: Call,
}

/// What is asked or told. Those with an id are answered.
#[derive(Debug, Clone)]
pub(crate) enum Call {
    /// The full configuration, before any other call.
    Start { revision: Revision, tree: Tree },
    /// May add edits to the change.
    Rewrite { id: CallId, change: Proposed },
    /// May refuse; nothing is reserved.
    Validate { id: CallId, change: Proposed },
    /// May refuse; what is needed to commit is reserved.
    Prepare { id: CallId, change: Proposed },
    /// The prepared change is durable, or another one came.
    Commit { revision: Revision, change: Proposed },
    /// The prepared change does not come.
    Abort,
}

/// A change of running.
#[derive(Debug, Clone)]
pub(crate) struct Proposed {
    pub(crate) before: Tree,
    pub(crate) after: Tree,
    pub(crate) user: String,
    pub(crate) session: Option<SessionId>,
}

/// What a participant says to `Rewrite`, `Validate` and `Prepare`.
#[derive(Debug, Clone)]
pub(crate) enum HookAnswer {
    Yes,
    /// To `Rewrite` only: what to change in addition.
    Amend(Edit),
    /// The reason, for the client.
    No(String),
}

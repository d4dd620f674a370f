//! Operations as typed requests: what a `<rpc>` asks for.

use crate::base::ids::SessionId;
use crate::base::policy::Policy;
use crate::datastore::edit::Edit;
pub(crate) use crate::datastore::store::Datastore;

/// An operation that changes something or asks the agent's opinion. Reads are answered from a view, without the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Request {
    /// RFC 6241, 7.2. `error-option` is read and checked; every edit is applied wholly or not at all.
    EditConfig { target: Datastore, test_option: TestOption, edit: Edit },
    /// RFC 6241, 7.3.
    CopyConfig { source: ConfigSource, target: Datastore },
    /// RFC 6241, 7.4.
    DeleteConfig { target: Datastore },
    /// RFC 6241, 7.5.
    Lock { target: Datastore },
    /// RFC 6241, 7.6.
    Unlock { target: Datastore },
    /// RFC 6241, 7.8. The session ends after its reply.
    CloseSession,
    /// RFC 6241, 7.9.
    KillSession { session: SessionId },
    /// RFC 6241, 8.3.4.1 and 8.4.
    Commit(Commit),
    /// RFC 6241, 8.3.4.2.
    DiscardChanges,
    /// RFC 6241, 8.4.4.1.
    CancelCommit { persist_id: Option<String> },
    /// RFC 6241, 8.6.4.1.
    Validate { source: ConfigSource },
}

/// An operation of our cluster module (`yang/quorate-cluster.yang`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ClusterRequest {
    /// Makes of a cluster of one one that others can join: names it and creates its authority. An
    /// address that is empty is that of the configuration.
    Init { name: String, address: String },
    /// A token with which one node can join. The reply has `token`.
    Token { valid_for_s: u32 },
    /// A member leaves: without a name the one that is asked. It has no seat when the reply comes.
    Remove { member: Option<String> },
    /// Another voter leads when the reply comes; without a name the best one.
    TransferLeadership { to: Option<String> },
    /// How transactions are acknowledged and decided.
    SetPolicy { policy: Policy },
    /// What became of a transaction. The reply has `outcome` (`committed`, `open`, `never-or-forgotten` or
    /// `open-or-never`) and, for a committed one, `revision`.
    Outcome { transaction: TransactionName },
    /// Running becomes what it was at this revision, as a commit of its own.
    Rollback { revision: u64 },
}

/// How a transaction is named by who asks for its outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransactionName {
    /// The text of a `TxId`.
    Id(String),
    /// A request by its session and message-id.
    Message { session: SessionId, message_id: String },
    /// The client's `transaction-id` attribute.
    Client(String),
}

/// Where configuration comes from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ConfigSource {
    Datastore(Datastore),
    /// `<config>` in the request: plain content.
    Inline(Edit),
}

/// `test-option` (RFC 6241, 7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TestOption {
    /// Nothing was said. Running is tested before it is set; an edit of the candidate is not, its commit is.
    #[default]
    Unstated,
    TestThenSet,
    Set,
    TestOnly,
}

/// `<commit>`'s parameters.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Commit {
    /// `Some` if `<confirmed/>` was given.
    pub(crate) confirmed: Option<Confirmed>,
    pub(crate) persist_id: Option<String>,
}

/// What comes with `<confirmed/>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmed {
    /// `confirm-timeout`: seconds, at least 1; 600 by default.
    pub(crate) timeout_s: u32,
    pub(crate) persist: Option<String>,
}

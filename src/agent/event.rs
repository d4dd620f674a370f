//! What goes into the agent and what comes out.

use super::effects::PeerAddress;
use crate::base::ids::{Digest, Incarnation, SessionId, SessionKey};
use crate::base::time::WallTime;
use crate::netconf::error::RpcError;
use crate::netconf::operation::{ClusterRequest, Request};
use crate::netconf::state::{Counters, Transport};
use crate::replication::state::Authority;
use std::sync::Arc;

/// Whom an answer goes to: a number that the shell gave with the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ReplyTo(pub(crate) u64);

/// Who opens a session.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) user: String,
    pub(crate) transport: Transport,
    /// An address for people, if there is one.
    pub(crate) source_host: Option<String>,
    pub(crate) login_time: WallTime,
    /// May use the operations of our cluster module.
    pub(crate) admin: bool,
    pub(crate) counters: Arc<Counters>,
}

/// Chance and keys for one cluster operation: the agent has none of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fresh {
    pub(crate) random: [u8; 16],
    /// For `cluster-init`: a new certificate authority.
    pub(crate) authority: Option<Authority>,
}

/// What a node says that wants a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JoinRequest {
    /// The secret of the token.
    pub(crate) secret: [u8; 16],
    pub(crate) name: String,
    /// `host:port` of its peer listener.
    pub(crate) address: String,
    pub(crate) version: String,
    pub(crate) schema_id: Digest,
}

/// What a node gets with its seat. Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Admission {
    pub(crate) incarnation: Incarnation,
    /// Signs the node's certificate, at the member that admits it; does not leave it by this way.
    pub(crate) authority: Authority,
    pub(crate) members: Vec<PeerAddress>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) enum EndCause {
    /// The client's close-session.
    Closed,
    /// A kill-session of another session.
    Killed,
    /// The transport went away, or a limit or deadline ended it.
    Dropped,
    /// The node stops.
    Shutdown,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// The session is open under this identity.
    Opened(SessionKey),
    /// Not now: too many sessions, the node is not ready, or nobody leads. The text says which.
    Refused(String),
    /// `<ok/>`: what it promises is durable.
    Ok,
    /// Elements of the reply to an operation of our cluster module, by name, each with its text.
    Output(Vec<(&'static str, String)>),
    /// To `SessionEvent::Join`: the member has a seat.
    Admitted(Box<Admission>),
    /// Errors in the order in which they are to be reported; at least one. Nothing was changed, unless the error is
    /// `quorate:outcome-unknown`.
    Errors(Vec<RpcError>),
}

/// What happens to the agent from a session's side.
#[derive(Debug, Clone)]
pub(crate) enum SessionEvent {
    Open(Client),
    /// One request; the session sends the next one after its answer.
    Request {
        session: SessionKey,
        message_id: String,
        request: Request,
        /// The client's own name for it (the attribute `transaction-id`).
        transaction: Option<String>,
    },
    /// An operation of our cluster module.
    Cluster {
        session: SessionKey,
        message_id: String,
        request: ClusterRequest,
        /// The client's own name for it.
        transaction: Option<String>,
        /// What the shell drew for it.
        fresh: Fresh,
    },
    /// A linearizable read: answered with ok when the published view is new enough, and with `Refused` if that cannot be
    /// proven in so many milliseconds.
    Read {
        wait_ms: u64,
    },
    /// A node that has no seat yet asks for one, over the peers' transport. Answered with `Admitted` or `Refused`.
    Join(JoinRequest),
    /// The session is over. Answered when its locks are free and its unconfirmed commit is rolled back.
    Ended(SessionKey),
}

/// A session that the agent ends: its transport is to be closed without another reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) session: SessionId,
    pub(crate) cause: EndCause,
}

//! What goes into the agent and what comes out.

use crate::base::ids::{SessionId, SessionKey};
use crate::base::time::WallTime;
use crate::netconf::error::RpcError;
use crate::netconf::operation::Request;
use crate::netconf::state::{Counters, Transport};
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
    pub(crate) counters: Arc<Counters>,
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
    /// Not now: too many sessions, or the node is not ready. The text says which.
    Refused(String),
    /// `<ok/>`: what it promises is durable.
    Ok,
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
    },
    /// The session is over. Answered when its locks are free and its unconfirmed commit is rolled back.
    Ended(SessionKey),
}

/// A session that the agent ends: its transport is to be closed without another reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) session: SessionId,
    pub(crate) cause: EndCause,
}

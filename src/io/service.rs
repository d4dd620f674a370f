//! What every transport does with a client that it has let in.

use crate::agent::event::EndCause;
use crate::netconf::state::Transport;
use std::future::Future;
use tokio::io::{AsyncRead, AsyncWrite};

/// Who is at the other end, as the transport found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) user: String,
    pub(crate) transport: Transport,
    /// An address for people, if there is one.
    pub(crate) source_host: Option<String>,
    /// May use the operations of our cluster module.
    pub(crate) admin: bool,
}

/// Why a client that was let in gets no session. Nothing was said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) String);

/// Serves clients. The one for production is `session::Sessions`.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Serves one client until it is over, and tells why it is; or refuses it.
    ///
    /// `gone` is ready when the client can be neither heard nor reached any more; a client that will only say nothing
    /// more is at the end of `reader`, and is still answered. One task polls both, `gone` whenever it polls at all.
    fn serve<R, W, G>(
        &self,
        peer: Peer,
        reader: R,
        writer: W,
        gone: G,
    ) -> impl Future<Output = Result<EndCause, Refusal>> + Send
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send,
        G: Future<Output = ()> + Send;
}

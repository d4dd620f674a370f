//! The task of one session: moves bytes between a transport and the machine, and asks the agent for it.

use super::handle::{AgentHandle, MaybeOld};
use super::service::{Peer, Refusal, Service};
use super::shutdown::Shutdown;
use super::{clock, random};
use crate::agent::event::{Answer, Client, EndCause, Fresh, SessionEvent};
use crate::base::ids::SessionKey;
use crate::base::limits::{
    DRAIN_TIMEOUT_S, REPLY_CHUNK_BYTES, SESSION_END_TIMEOUT_S, WRITE_STALL_TIMEOUT_S,
};
use crate::netconf::error::{ErrorTag, ErrorType, RpcError};
use crate::netconf::operation::ClusterRequest;
use crate::netconf::reply::{DataReply, Fill};
use crate::netconf::rpc::{Consistency, Read};
use crate::netconf::server::Server;
use crate::netconf::session::{Closing, Session, Step};
use crate::netconf::state::Counters;
use crate::replication::state::Authority;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{Instant, timeout, timeout_at};

/// Bytes received since the machine's last step from which on that step may take long: its thread is left to it.
const LONG_STEP_BYTES: usize = 1 << 20;
/// Bytes of the buffer for what a client sends.
const INPUT_BYTES: usize = 64 << 10;

/// How long sessions wait for their clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionLimits {
    /// From the start until the client's hello.
    pub(crate) hello_timeout: Duration,
    /// From an answer to the next byte; `None` for ever.
    pub(crate) idle_timeout: Option<Duration>,
    /// While a write makes no progress at all.
    pub(crate) write_stall_timeout: Duration,
    pub(crate) reads: Reads,
}

/// What a read does on a node that may be behind the cluster (PROTOCOL M2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reads {
    /// How long it waits for a lease, or a proof.
    pub(crate) wait: Duration,
    pub(crate) without_lease: MinorityReads,
    /// For a client that does not say how new a read has to be.
    pub(crate) consistency: Consistency,
}

/// Whether a node that is cut off from the majority answers reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MinorityReads {
    Deny,
    /// From what it has, which may be old.
    Allow,
}

impl SessionLimits {
    /// The limits of the configuration, in seconds; an idle time of 0 has no limit.
    pub(crate) fn new(hello_timeout_s: u64, idle_timeout_s: u64, reads: Reads) -> Self {
        Self {
            reads,
            hello_timeout: Duration::from_secs(hello_timeout_s),
            idle_timeout: (idle_timeout_s > 0).then(|| Duration::from_secs(idle_timeout_s)),
            write_stall_timeout: Duration::from_secs(WRITE_STALL_TIMEOUT_S),
        }
    }
}

/// Runs sessions at the agent, over any transport.
#[derive(Clone)]
pub(crate) struct Sessions {
    agent: AgentHandle,
    server: Arc<Server>,
    limits: SessionLimits,
    shutdown: Shutdown,
}

impl Sessions {
    /// Sessions of this agent. At the word each ends when it has answered what it has received.
    pub(crate) fn new(
        agent: AgentHandle,
        server: Arc<Server>,
        limits: SessionLimits,
        shutdown: Shutdown,
    ) -> Self {
        Self { agent, server, limits, shutdown }
    }

    /// Ready when the node stops and the time to answer what was asked is over.
    async fn drained(&self) {
        self.shutdown.clone().requested().await;
        tokio::time::sleep(Duration::from_secs(DRAIN_TIMEOUT_S)).await;
    }

    /// Tells the agent, and waits until the session's locks are free and its unconfirmed commit is rolled back.
    async fn end(&self, session: SessionKey, cause: EndCause) {
        let ended = self.agent.ask(SessionEvent::Ended(session));
        match timeout(Duration::from_secs(SESSION_END_TIMEOUT_S), ended).await {
            Ok(Some(_)) => tracing::debug!(session = session.id.0, ?cause, "session ended"),
            Ok(None) => tracing::debug!(session = session.id.0, "the agent ended first"),
            Err(_) => tracing::warn!(session = session.id.0, "the agent does not end a session"),
        }
    }
}

impl Service for Sessions {
    async fn serve<R, W, G>(
        &self,
        peer: Peer,
        reader: R,
        writer: W,
        gone: G,
    ) -> Result<EndCause, Refusal>
    where
        R: AsyncRead + Unpin + Send,
        W: AsyncWrite + Unpin + Send,
        G: Future<Output = ()> + Send,
    {
        let counters = Arc::new(Counters::default());
        let client = Client {
            user: peer.user.clone(),
            transport: peer.transport,
            source_host: peer.source_host.clone(),
            login_time: clock::wall(),
            admin: peer.admin,
            counters: Arc::clone(&counters),
        };
        // From before it is open, so that no word about it is missed.
        let mut ends = self.agent.ends();
        let key = match self.agent.ask(SessionEvent::Open(client)).await {
            Some(Answer::Opened(key)) => key,
            Some(Answer::Refused(reason)) => {
                tracing::warn!(user = peer.user, reason, "session refused");
                return Err(Refusal(reason));
            }
            Some(Answer::Ok | Answer::Errors(_) | Answer::Output(_) | Answer::Admitted(_))
            | None => {
                return Err(Refusal("the node stops".to_owned()));
            }
        };
        let (session, user) = (key.id.0, &peer.user);
        tracing::debug!(session, user, source = peer.source_host, "session opened");
        let conversation = Conversation {
            sessions: self,
            machine: Session::new(Arc::clone(&self.server), counters),
            key,
            reader,
            writer,
            unseen_bytes: 0,
        };
        // Whoever is first ends the session, and nothing more is written: a reply that was cut off stays so.
        let cause = tokio::select! {
            biased;
            cause = ends.wait_for(key.id) => cause,
            () = gone => EndCause::Dropped,
            () = self.drained() => EndCause::Shutdown,
            cause = caught(conversation.run()) => cause.unwrap_or_else(|| {
                tracing::error!(session, "a panic ended the session");
                EndCause::Dropped
            }),
        };
        if cause == EndCause::Dropped {
            self.server.statistics.session_dropped();
        }
        self.end(key, cause).await;
        Ok(cause)
    }
}

/// What `future` gives; `None` if it panicked.
async fn caught<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    // Nothing of the future is looked at after a panic.
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Some(output)),
        Err(_) => Poll::Ready(None),
    })
    .await
}

/// An open session.
struct Conversation<'a, R, W> {
    sessions: &'a Sessions,
    machine: Session,
    key: SessionKey,
    reader: R,
    writer: W,
    /// Received since the machine's last step.
    unseen_bytes: usize,
}

/// Why a session ends from our side, without a word of the agent.
#[derive(Debug, thiserror::Error)]
enum Ending {
    #[error("{0}")]
    Machine(Closing),
    #[error("the client said nothing more")]
    EndOfInput,
    #[error("no hello in time")]
    HelloTimeout,
    #[error("no request in time")]
    IdleTimeout,
    #[error("the client takes nothing more")]
    WriteStall,
    #[error("{0}")]
    Transport(#[from] io::Error),
    #[error("the agent is gone")]
    AgentGone,
    #[error("the node stops")]
    Shutdown,
}

impl Ending {
    fn cause(&self) -> EndCause {
        match self {
            Self::Machine(Closing::CloseSession) => EndCause::Closed,
            Self::Shutdown => EndCause::Shutdown,
            Self::Machine(_)
            | Self::EndOfInput
            | Self::HelloTimeout
            | Self::IdleTimeout
            | Self::WriteStall
            | Self::Transport(_)
            | Self::AgentGone => EndCause::Dropped,
        }
    }
}

/// What a wait for input brought.
enum Input {
    Bytes,
    End,
}

impl<R, W> Conversation<'_, R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send,
{
    async fn run(mut self) -> EndCause {
        let ending = match self.talk().await {
            Ok(ending) | Err(ending) => ending,
        };
        // What is written may still be in a buffer of the transport's.
        if let Err(error) = self.flush().await {
            tracing::debug!(session = self.key.id.0, %error, "the last bytes are lost");
        }
        tracing::debug!(session = self.key.id.0, reason = %ending, "session is over");
        ending.cause()
    }

    async fn talk(&mut self) -> Result<Ending, Ending> {
        let hello_deadline = Instant::now() + self.sessions.limits.hello_timeout;
        let hello = self.machine.opened(self.key.id);
        self.write(&hello).await?;
        let mut buffer = Vec::with_capacity(INPUT_BYTES);
        let mut input = Input::Bytes;
        loop {
            match self.next_step() {
                Step::Ask { message_id, request, transaction } => {
                    let session = self.key;
                    self.ask(SessionEvent::Request { session, message_id, request, transaction })
                        .await?;
                }
                Step::AskCluster { message_id, request, transaction } => {
                    // Chance is drawn here: the agent has none.
                    let authority = match &request {
                        ClusterRequest::Init { name, .. } => Some(new_authority(name)?),
                        ClusterRequest::Token { .. }
                        | ClusterRequest::Remove { .. }
                        | ClusterRequest::TransferLeadership { .. }
                        | ClusterRequest::SetPolicy { .. }
                        | ClusterRequest::Outcome { .. }
                        | ClusterRequest::Rollback { .. } => None,
                    };
                    let fresh = Fresh { random: random::bytes()?, authority };
                    let session = self.key;
                    self.ask(SessionEvent::Cluster {
                        session,
                        message_id,
                        request,
                        transaction,
                        fresh,
                    })
                    .await?;
                }
                Step::Read(read) => self.read(&read).await?,
                Step::Send(bytes) => self.write(&bytes).await?,
                Step::Close(closing) => return Ok(Ending::Machine(closing)),
                Step::Wait => {
                    if let Input::End = input {
                        return Ok(Ending::EndOfInput);
                    }
                    input = self.wait_for_input(&mut buffer, hello_deadline).await?;
                    self.machine.received(&buffer);
                    self.unseen_bytes = self.unseen_bytes.saturating_add(buffer.len());
                    buffer.clear();
                }
            }
        }
    }

    /// The machine's next step. One that may take long leaves this thread's other tasks to another thread.
    fn next_step(&mut self) -> Step {
        let unseen_bytes = std::mem::take(&mut self.unseen_bytes);
        if unseen_bytes >= LONG_STEP_BYTES
            && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread
        {
            return tokio::task::block_in_place(|| self.machine.next_step());
        }
        let step = self.machine.next_step();
        if let Step::Wait = step {
            // The message is not whole yet.
            self.unseen_bytes = unseen_bytes;
        }
        step
    }

    async fn ask(&mut self, event: SessionEvent) -> Result<(), Ending> {
        let reply = match self.sessions.agent.ask(event).await {
            Some(Answer::Ok) => self.machine.answered(Ok(())),
            Some(Answer::Output(elements)) => self.machine.output(&elements),
            Some(Answer::Errors(errors)) => self.machine.answered(Err(errors)),
            Some(Answer::Refused(why)) => self.machine.answered(Err(vec![not_now(why)])),
            Some(Answer::Opened(_) | Answer::Admitted(_)) | None => return Err(Ending::AgentGone),
        };
        self.write(&reply).await
    }

    async fn read(&mut self, read: &Read) -> Result<(), Ending> {
        let Reads { wait, without_lease, consistency } = self.sessions.limits.reads;
        let agent = &self.sessions.agent;
        let consistency = self.machine.consistency(read, consistency);
        let view = match consistency {
            None => Ok(agent.view()),
            Some(Consistency::Leased) => agent.view_with_lease(wait).await,
            Some(Consistency::Linearizable) => agent.linearizable_view(wait).await,
        };
        let view = match (view, consistency, without_lease) {
            (Ok(view), _, _) => view,
            (Err(MaybeOld), Some(Consistency::Leased), MinorityReads::Allow) => agent.view(),
            (Err(MaybeOld), _, _) => {
                let reply = self.machine.answered(Err(vec![no_quorum(consistency)]));
                return self.write(&reply).await;
            }
        };
        let reply = self.machine.read(read, &view);
        self.stream(reply).await
    }

    async fn stream(&mut self, mut reply: DataReply) -> Result<(), Ending> {
        let mut piece = Vec::with_capacity(REPLY_CHUNK_BYTES.saturating_mul(2));
        loop {
            let fill = reply.fill(&mut piece);
            self.write(&piece).await?;
            piece.clear();
            if fill == Fill::Done {
                return Ok(());
            }
        }
    }

    async fn wait_for_input(
        &mut self,
        buffer: &mut Vec<u8>,
        hello_deadline: Instant,
    ) -> Result<Input, Ending> {
        self.flush().await?;
        let hello_done = self.machine.hello_done();
        let idle_timeout = self.sessions.limits.idle_timeout;
        let mut shutdown = self.sessions.shutdown.clone();
        let reading = async {
            let read = self.reader.read_buf(buffer);
            match (hello_done, idle_timeout) {
                (false, _) => {
                    timeout_at(hello_deadline, read).await.map_err(|_e| Ending::HelloTimeout)
                }
                (true, Some(limit)) => timeout(limit, read).await.map_err(|_e| Ending::IdleTimeout),
                (true, None) => Ok(read.await),
            }
        };
        let read = tokio::select! {
            read = reading => read??,
            () = shutdown.requested() => return Err(Ending::Shutdown),
        };
        Ok(if read == 0 { Input::End } else { Input::Bytes })
    }

    /// Writes everything, as slowly as the client takes it.
    async fn write(&mut self, bytes: &[u8]) -> Result<(), Ending> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let write = self.writer.write(rest);
            let written = timeout(self.sessions.limits.write_stall_timeout, write)
                .await
                .map_err(|_elapsed| Ending::WriteStall)??;
            rest = match rest.get(written..) {
                Some(rest) if written > 0 => rest,
                Some(_) | None => return Err(Ending::WriteStall),
            };
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Ending> {
        let flush = self.writer.flush();
        timeout(self.sessions.limits.write_stall_timeout, flush)
            .await
            .map_err(|_elapsed| Ending::WriteStall)?
            .map_err(Ending::Transport)
    }
}

fn no_quorum(consistency: Option<Consistency>) -> RpcError {
    let allow = match consistency {
        Some(Consistency::Leased) => ", or set minority-reads to allow",
        Some(Consistency::Linearizable) | None => "",
    };
    let message = format!(
        "this node is cut off from the majority of its cluster, so that what it has may be old: read from another \
         member, bring members back{allow}"
    );
    RpcError::new(ErrorType::Application, ErrorTag::ResourceDenied, message)
        .tagged("quorate:no-quorum")
}

fn new_authority(cluster: &str) -> io::Result<Authority> {
    super::peer::authority::create(cluster).map_err(io::Error::other)
}

/// The node cannot do it in the phase that it is in.
fn not_now(why: String) -> RpcError {
    RpcError::new(ErrorType::Protocol, ErrorTag::ResourceDenied, why).tagged("quorate:not-ready")
}

#[cfg(test)]
mod tests;

//! One session as a pure machine: bytes in, typed requests out; answers in, bytes out.
//!
//! The shell's loop is: `next_step`, do what it says, again. On `Step::Wait` it reads from the transport, as long as
//! `wants_input`; at the transport's end it goes on until `Step::Wait` comes, then closes.

use super::error::{ErrorTag, ErrorType, RpcError};
use super::framing::{Decoder, Encoder, Framing, FramingError};
use super::hello::{self, HelloError};
use super::operation::{ClusterRequest, Datastore, Request};
use super::reply::{self, DataReply};
use super::rpc::{self, Attributes, Consistency, NotRpc, Operation, Read};
use super::server::Server;
use super::state::{Counters, View, count};
use super::{cluster, read};
use crate::base::ids::SessionId;
use crate::base::limits::{MESSAGE_BYTES_MAX, READ_AHEAD_BYTES, REQUESTS_IN_FLIGHT_MAX};
use crate::yang::schema::NodeId;
use std::collections::VecDeque;
use std::sync::Arc;

/// A NETCONF session from its first byte to its last.
///
/// Invariant: at most one request is `asked`; the next message is looked at when it is answered.
pub(crate) struct Session {
    server: Arc<Server>,
    counters: Arc<Counters>,
    decoder: Decoder,
    encoder: Encoder,
    /// Our `<hello>` was given out.
    opened: bool,
    /// The client's `<hello>` was understood; it says this framing.
    client_framing: Option<Framing>,
    /// Messages that came and were not looked at.
    received: VecDeque<Vec<u8>>,
    received_bytes: usize,
    /// Nothing can be read any more; what came before is still done.
    input_over: Option<Closing>,
    asked: Option<Asked>,
    closing: Option<Closing>,
}

/// The request that is being answered.
struct Asked {
    attributes: Attributes,
    closes: bool,
}

/// What the shell is to do next.
#[derive(Debug)]
pub(crate) enum Step {
    /// Ask the agent, then call `answered`.
    Ask { message_id: String, request: Request, transaction: Option<String> },
    /// The same for an operation of our cluster module; call `answered` or `output`.
    AskCluster { message_id: String, request: ClusterRequest, transaction: Option<String> },
    /// Call `read` with a view, then write the whole reply.
    Read(Read),
    /// Write these bytes.
    Send(Vec<u8>),
    /// Close the transport. Everything before is written.
    Close(Closing),
    /// Nothing, until there is input, or the answer that was asked for.
    Wait,
}

/// Why the machine ends a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closing {
    #[error("the client closed the session")]
    CloseSession,
    #[error("{0}")]
    Hello(#[from] HelloError),
    #[error("{0}")]
    Framing(#[from] FramingError),
    /// A message of a base:1.0 peer, which cannot be told so.
    #[error("a message is no rpc: {0}")]
    Malformed(String),
}

impl Session {
    /// A session whose transport is connected and whose user is known.
    pub(crate) fn new(server: Arc<Server>, counters: Arc<Counters>) -> Self {
        Self {
            server,
            counters,
            decoder: Decoder::new(MESSAGE_BYTES_MAX),
            encoder: Encoder::new(Framing::EndOfMessage),
            opened: false,
            client_framing: None,
            received: VecDeque::new(),
            received_bytes: 0,
            input_over: None,
            asked: None,
            closing: None,
        }
    }

    /// The agent has opened the session: our `<hello>`, to be written (RFC 6241, 8.1).
    pub(crate) fn opened(&mut self, session: SessionId) -> Vec<u8> {
        self.opened = true;
        count(&self.server.statistics.in_sessions);
        let hello = hello::server_hello(&self.server.capabilities, session);
        let mut encoder = Encoder::new(Framing::EndOfMessage);
        encoder.message(&hello)
    }

    /// Both sides have said hello.
    pub(crate) fn hello_done(&self) -> bool {
        self.opened && self.client_framing.is_some()
    }

    /// More bytes can be taken. What is received and not answered is bounded.
    pub(crate) fn wants_input(&self) -> bool {
        self.closing.is_none()
            && self.input_over.is_none()
            && self.received.len() < REQUESTS_IN_FLIGHT_MAX
            && self.received_bytes < READ_AHEAD_BYTES
    }

    /// Takes bytes from the transport.
    pub(crate) fn received(&mut self, bytes: &[u8]) {
        if self.input_over.is_none() {
            self.decoder.push(bytes);
            self.take_messages();
        }
    }

    /// What to do next.
    pub(crate) fn next_step(&mut self) -> Step {
        if let Some(closing) = &self.closing {
            return Step::Close(closing.clone());
        }
        if self.asked.is_some() {
            return Step::Wait;
        }
        if let Some(message) = self.opened.then(|| self.received.pop_front()).flatten() {
            self.received_bytes = self.received_bytes.saturating_sub(message.len());
            self.take_messages();
            return self.message(&message);
        }
        let Some(closing) = self.input_over.clone() else { return Step::Wait };
        self.closing = Some(closing.clone());
        match closing {
            Closing::Framing(error @ FramingError::TooBig { .. }) if self.hello_done() => {
                let error =
                    RpcError::new(ErrorType::Transport, ErrorTag::TooBig, error.to_string());
                Step::Send(self.errors(&Attributes::default(), &[error]))
            }
            Closing::CloseSession
            | Closing::Hello(_)
            | Closing::Framing(_)
            | Closing::Malformed(_) => Step::Close(closing),
        }
    }

    /// The agent has answered what `Step::Ask` asked: done, or the errors. The reply, to be written.
    pub(crate) fn answered(&mut self, outcome: Result<(), Vec<RpcError>>) -> Vec<u8> {
        let Some(asked) = self.asked.take() else { return Vec::new() };
        match outcome {
            Ok(()) => {
                if asked.closes {
                    self.closing = Some(Closing::CloseSession);
                }
                self.encoder.message(&reply::ok(&asked.attributes))
            }
            Err(errors) => self.errors(&asked.attributes, &errors),
        }
    }

    /// How new what `Step::Read` wants to know has to be: what the client says, or `default`. `None` for its own
    /// candidate, its state and its schemas, which a node can show at any time.
    pub(crate) fn consistency(&self, read: &Read, default: Consistency) -> Option<Consistency> {
        let stated = self.asked.as_ref().and_then(|asked| asked.attributes.consistency());
        self.reads_running(read).then(|| stated.unwrap_or(default))
    }

    /// Whether it is what the cluster must agree on.
    fn reads_running(&self, read: &Read) -> bool {
        let schema = &self.server.schema;
        let is_configuration = |id: &NodeId| {
            usize::try_from(id.0)
                .ok()
                .and_then(|at| schema.nodes.get(at))
                .is_some_and(|node| node.config)
        };
        match read {
            Read::Get { filter: None } => true,
            Read::Get { filter: Some(filter) } => {
                let top = schema.top.iter().filter(|node| is_configuration(node));
                top.into_iter().any(|node| filter.can_select(*node))
            }
            Read::GetConfig { source, .. } => *source != Datastore::Candidate,
            Read::GetSchema { .. } => false,
        }
    }

    /// The agent has answered what `Step::AskCluster` asked: elements of the reply, by name, each with its text. The
    /// reply, to be written.
    pub(crate) fn output(&mut self, elements: &[(&'static str, String)]) -> Vec<u8> {
        let Some(asked) = self.asked.take() else { return Vec::new() };
        self.encoder.message(&reply::output(&asked.attributes, cluster::NAMESPACE, elements))
    }

    /// The reply to what `Step::Read` wants to know, as of `view`.
    pub(crate) fn read(&mut self, read: &Read, view: &View) -> DataReply {
        let attributes = self.asked.take().map(|asked| asked.attributes).unwrap_or_default();
        match read::answer(read, &self.server, view) {
            Ok(body) => DataReply::new(self.encoder.clone(), &attributes, body),
            Err(error) => DataReply::whole(self.errors(&attributes, &[error])),
        }
    }

    /// Takes whole messages from the decoder, as many as may wait.
    fn take_messages(&mut self) {
        while self.wants_input() {
            match self.decoder.next_message() {
                Ok(Some(message)) if self.client_framing.is_none() => self.client_hello(&message),
                Ok(Some(message)) => {
                    self.received_bytes = self.received_bytes.saturating_add(message.len());
                    self.received.push_back(message);
                }
                Ok(None) => return,
                Err(error) => {
                    if self.client_framing.is_none() {
                        count(&self.server.statistics.in_bad_hellos);
                    }
                    self.input_over = Some(error.into());
                }
            }
        }
    }

    /// The framing changes for both directions: our `<hello>` is the only message that we send before.
    fn client_hello(&mut self, message: &[u8]) {
        match hello::read_client_hello(message) {
            Ok(framing) => {
                self.client_framing = Some(framing);
                self.decoder.set_framing(framing);
                self.encoder = Encoder::new(framing);
            }
            Err(error) => {
                count(&self.server.statistics.in_bad_hellos);
                self.input_over = Some(error.into());
            }
        }
    }

    fn message(&mut self, message: &[u8]) -> Step {
        let rpc = match rpc::parse(message, &self.server.schema, self.server.features) {
            Ok(rpc) => rpc,
            Err(not_rpc) => return self.not_rpc(not_rpc),
        };
        let message_id = rpc.attributes.message_id().map(str::to_owned);
        let correct = message_id.is_some();
        self.count(|counters| if correct { &counters.in_rpcs } else { &counters.in_bad_rpcs });
        let attributes = rpc.attributes;
        match rpc.operation {
            Ok(Operation::Request(request)) => {
                let closes = request == Request::CloseSession;
                let transaction = attributes.transaction.clone();
                self.asked = Some(Asked { attributes, closes });
                Step::Ask { message_id: message_id.unwrap_or_default(), request, transaction }
            }
            Ok(Operation::Cluster(request)) => {
                let transaction = attributes.transaction.clone();
                self.asked = Some(Asked { attributes, closes: false });
                let message_id = message_id.unwrap_or_default();
                Step::AskCluster { message_id, request, transaction }
            }
            Ok(Operation::Read(read)) => {
                self.asked = Some(Asked { attributes, closes: false });
                Step::Read(read)
            }
            Err(error) => Step::Send(self.errors(&attributes, &[error])),
        }
    }

    fn not_rpc(&mut self, message: NotRpc) -> Step {
        self.count(|counters| &counters.in_bad_rpcs);
        match self.client_framing {
            Some(Framing::Chunked) => {
                let error =
                    RpcError::new(ErrorType::Rpc, ErrorTag::MalformedMessage, message.reason);
                Step::Send(self.errors(&message.attributes, &[error]))
            }
            Some(Framing::EndOfMessage) | None => {
                let closing = Closing::Malformed(message.reason);
                self.closing = Some(closing.clone());
                Step::Close(closing)
            }
        }
    }

    fn errors(&mut self, attributes: &Attributes, errors: &[RpcError]) -> Vec<u8> {
        self.count(|counters| &counters.out_rpc_errors);
        self.encoder.message(&reply::errors(attributes, errors, &self.server.schema))
    }

    /// Counts for this session and for all.
    fn count(&self, counter: impl Fn(&Counters) -> &std::sync::atomic::AtomicU32) {
        count(counter(&self.counters));
        count(counter(&self.server.statistics.counters));
    }
}

#[cfg(test)]
mod tests;

//! The pair of connections to a member, one for each lane: both are there, or the member is lost.

use super::frame::{self, FrameError};
use super::queue::{Pushed, Queue};
use super::{Events, PeerEvent};
use crate::base::ids::{Boot, Incarnation};
use crate::base::limits::{
    PEER_BULK_BYTES_MAX, PEER_BULK_QUEUE_BYTES, PEER_GOODBYE_MS, PEER_HANDSHAKE_MS, PEER_PING_MS,
    PEER_PROMPT_BYTES_MAX, PEER_PROMPT_QUEUE_BYTES, PEER_SILENCE_MS, PEER_WRITE_STALL_MS,
};
use crate::io::tasks::Tasks;
use crate::replication::message::{Lane, PeerMessage};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::watch;
use tokio::time::timeout;

/// Bytes that are put together for one write.
const WRITE_BYTES: usize = 64 << 10;
/// A longer message is written from where it is.
const COPY_BYTES_MAX: usize = 16 << 10;
/// Bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// How far a pair has come. It only goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// One lane is there.
    Half,
    /// Both are.
    Whole,
    /// The agent has been told so: messages are taken.
    Announced,
    /// To be closed.
    Closed,
    /// The agent has been told of the loss, if it knew of the connection.
    Over,
}

/// What tells one pair from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) peer: Incarnation,
    /// The life of the member.
    pub(super) boot: Boot,
    /// Who connected to whom.
    pub(super) dialler: Incarnation,
    /// The number that the dialling side drew.
    pub(super) pair: u64,
}

/// One pair.
#[derive(Debug)]
pub(super) struct Link {
    identity: Identity,
    prompt: Queue,
    bulk: Queue,
    stage: watch::Sender<Stage>,
    /// The member has closed it, in order.
    was_ended: AtomicBool,
}

/// The pairs, at most one to each member.
#[derive(Debug)]
pub(super) struct Links {
    events: Events,
    current: Mutex<BTreeMap<Incarnation, Arc<Link>>>,
}

impl Link {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            prompt: Queue::new(PEER_PROMPT_QUEUE_BYTES),
            bulk: Queue::new(PEER_BULK_QUEUE_BYTES),
            stage: watch::Sender::new(Stage::Half),
            was_ended: AtomicBool::new(false),
        }
    }

    fn queue(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Prompt => &self.prompt,
            Lane::Bulk => &self.bulk,
        }
    }

    fn advance(&self, to: Stage) {
        self.stage.send_if_modified(|stage| {
            let advances = *stage < to;
            *stage = to.max(*stage);
            advances
        });
    }

    /// Closes both connections.
    pub(super) fn close(&self) {
        self.advance(Stage::Closed);
    }

    /// Waits until the pair has come so far, and gives how far it is.
    pub(super) async fn reached(&self, stage: Stage) -> Stage {
        let mut stages = self.stage.subscribe();
        // The sender is ours, so that it cannot be gone.
        stages.wait_for(|now| *now >= stage).await.map_or(Stage::Over, |now| *now)
    }

    /// The member has closed it, in order: it ends, or has another connection.
    pub(super) fn was_ended(&self) -> bool {
        self.was_ended.load(Ordering::Relaxed)
    }

    fn is_closed(&self) -> bool {
        *self.stage.borrow() >= Stage::Closed
    }
}

impl Links {
    /// No pairs. What happens goes to `events`.
    pub(super) fn new(events: Events) -> Self {
        Self { events, current: Mutex::default() }
    }

    /// Gives a message to the pair with the member; without one it is gone.
    pub(super) fn send(&self, to: Incarnation, message: &PeerMessage) {
        let Some(link) = self.current(to) else { return };
        let bytes = match message.encode() {
            Ok(bytes) if bytes.len() <= PEER_BULK_BYTES_MAX => bytes,
            Ok(bytes) => {
                let bytes = bytes.len();
                return tracing::error!(member = to.0, bytes, "a message is too long to be sent");
            }
            Err(error) => {
                return tracing::error!(member = to.0, %error, "a message cannot be sent");
            }
        };
        let fits = bytes.len() <= PEER_PROMPT_BYTES_MAX;
        let lane = if fits { message.lane() } else { Lane::Bulk };
        if link.queue(lane).push(bytes) == Pushed::Dropped {
            tracing::debug!(
                member = to.0,
                ?lane,
                "too much waits to be sent: a message is dropped"
            );
        }
    }

    /// The pair with a member, unless it is about to go.
    pub(super) fn current(&self, peer: Incarnation) -> Option<Arc<Link>> {
        self.lock().get(&peer).filter(|link| !link.is_closed()).cloned()
    }

    /// A new pair, whose prompt lane is there; `None` if there is a better one.
    ///
    /// If both sides connect at the same time, the pair of the younger one stays: both decide so. It goes if a new life
    /// of the member, or the younger one again, comes with another: then it is dead already.
    pub(super) fn begin(self: &Arc<Self>, identity: Identity, tasks: &Tasks) -> Option<Arc<Link>> {
        let mut current = self.lock();
        let previous = current.get(&identity.peer).cloned();
        if let Some(previous) = &previous {
            let Identity { boot, dialler, .. } = previous.identity;
            if !previous.is_closed() && boot == identity.boot && dialler > identity.dialler {
                return None;
            }
            previous.close();
        }
        let link = Arc::new(Link::new(identity));
        current.insert(identity.peer, Arc::clone(&link));
        drop(current);
        tasks.spawn(Arc::clone(self).supervise(Arc::clone(&link), previous));
        Some(link)
    }

    /// The bulk lane of a pair is there. `None` if the pair is gone, or was whole.
    pub(super) fn complete(&self, peer: Incarnation, pair: u64) -> Option<Arc<Link>> {
        let link = self.current(peer).filter(|link| link.identity.pair == pair)?;
        let completes = link.stage.send_if_modified(|stage| {
            let half = *stage == Stage::Half;
            if half {
                *stage = Stage::Whole;
            }
            half
        });
        completes.then_some(link)
    }

    /// Closes the pair with a member, if there is one.
    pub(super) fn close(&self, peer: Incarnation) {
        if let Some(link) = self.current(peer) {
            link.close();
        }
    }

    /// Closes all pairs.
    pub(super) fn close_all(&self) {
        self.lock().values().for_each(|link| link.close());
    }

    /// Tells the agent of the pair's beginning and end, in this order, and after the end of the one before.
    async fn supervise(self: Arc<Self>, link: Arc<Link>, previous: Option<Arc<Link>>) {
        let peer = link.identity.peer;
        let in_time = timeout(Duration::from_millis(PEER_HANDSHAKE_MS), link.reached(Stage::Whole));
        let whole = in_time.await == Ok(Stage::Whole);
        if let Some(previous) = previous {
            previous.reached(Stage::Over).await;
        }
        let announced = whole && self.events.tell(PeerEvent::Connected(peer)).await;
        if announced {
            tracing::info!(member = peer.0, "connected");
            link.advance(Stage::Announced);
            link.reached(Stage::Closed).await;
        }
        link.close();
        self.forget(&link);
        if announced {
            self.events.tell(PeerEvent::Lost(peer)).await;
        }
        link.advance(Stage::Over);
    }

    fn forget(&self, link: &Arc<Link>) {
        let mut current = self.lock();
        let peer = link.identity.peer;
        if current.get(&peer).is_some_and(|current| Arc::ptr_eq(current, link)) {
            current.remove(&peer);
        }
    }

    /// Moves the messages of one lane until the pair is closed.
    pub(super) async fn run<S>(&self, link: &Link, lane: Lane, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let member = link.identity.peer.0;
        let (reader, mut writer) = tokio::io::split(stream);
        // What the member says last is read before a write to it fails.
        let error = tokio::select! {
            biased;
            _ = link.reached(Stage::Closed) => None,
            error = self.receive(link, lane, reader) => Some(error),
            error = transmit(link.queue(lane), &mut writer) => Some(error),
        };
        match error {
            _ if link.is_closed() => {}
            Some(LaneError::Frame(FrameError::Ended)) => {
                link.was_ended.store(true, Ordering::Relaxed);
                tracing::info!(member, "the member has closed the connection");
            }
            // Nobody was told that it was there.
            Some(error) if *link.stage.borrow() < Stage::Announced => {
                tracing::debug!(member, ?lane, %error, "the connection did not come about");
            }
            Some(error) => tracing::warn!(member, ?lane, %error, "the connection is lost"),
            None => {}
        }
        link.close();
        // Says that this is no accident, if there is still somebody to hear it.
        let goodbye = timeout(Duration::from_millis(PEER_GOODBYE_MS), writer.shutdown()).await;
        if !matches!(goodbye, Ok(Ok(()))) {
            tracing::debug!(member, ?lane, "the connection ends without a word");
        }
    }

    async fn receive<R: AsyncRead + Unpin>(&self, link: &Link, lane: Lane, reader: R) -> LaneError {
        let from = link.identity.peer;
        let limit = match lane {
            Lane::Prompt => PEER_PROMPT_BYTES_MAX,
            Lane::Bulk => PEER_BULK_BYTES_MAX,
        };
        let mut reader = BufReader::with_capacity(READ_BYTES, reader);
        let silence = Duration::from_millis(PEER_SILENCE_MS);
        link.reached(Stage::Announced).await;
        loop {
            let bytes = match frame::read(&mut reader, limit, silence).await {
                Ok(bytes) if bytes.is_empty() => continue,
                Ok(bytes) => bytes,
                Err(error) => return error.into(),
            };
            let message = match PeerMessage::decode(&bytes) {
                Ok(message) => message,
                Err(error) => return error.into(),
            };
            if !self.events.message(lane, from, message).await {
                return LaneError::AgentGone;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Arc<Link>>> {
        // Each change of the map is one call.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a lane ended.
#[derive(Debug, thiserror::Error)]
enum LaneError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Message(#[from] crate::replication::message::MessageError),
    #[error("the agent is gone")]
    AgentGone,
}

/// Sends what is in the queue, and a sign of life when nothing is.
async fn transmit<W: AsyncWrite + Unpin>(queue: &Queue, writer: &mut W) -> LaneError {
    let stall = Duration::from_millis(PEER_WRITE_STALL_MS);
    let mut buffer = Vec::with_capacity(WRITE_BYTES);
    loop {
        let waited = timeout(Duration::from_millis(PEER_PING_MS), queue.take(WRITE_BYTES)).await;
        let messages = waited.unwrap_or_else(|_elapsed| vec![Vec::new()]);
        if let Err(error) = transmit_all(writer, &mut buffer, messages, stall).await {
            return error.into();
        }
    }
}

async fn transmit_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    buffer: &mut Vec<u8>,
    messages: Vec<Vec<u8>>,
    stall: Duration,
) -> Result<(), FrameError> {
    for message in messages {
        buffer.extend_from_slice(&frame::header(&message));
        if message.len() <= COPY_BYTES_MAX {
            buffer.extend_from_slice(&message);
        } else {
            frame::write_all(writer, buffer, stall).await?;
            buffer.clear();
            frame::write_all(writer, &message, stall).await?;
        }
    }
    frame::write_all(writer, buffer, stall).await?;
    buffer.clear();
    frame::flush(writer, stall).await
}

//! The pair of connections to a member, one for each lane: both are there, or the member is lost.

use super::frame::{self, Announced, FrameError};
use super::outlet::{Open, Outlet};
use super::queue::{Parcel, Pushed, Queue};
use super::work::Work;
use super::{Events, PeerEvent, Room};
use crate::base::ids::{Boot, Incarnation};
use crate::base::limits::{
    PEER_BULK_BYTES_MAX, PEER_BULK_QUEUE_BYTES, PEER_GOODBYE_MS, PEER_HANDSHAKE_MS,
    PEER_LARGE_BYTES_MAX, PEER_LONG_MESSAGE_BYTES, PEER_PING_MS, PEER_PROMPT_BYTES_MAX,
    PEER_PROMPT_QUEUE_BYTES, PEER_SILENCE_MS, PEER_WORKING_MS, PEER_WRITE_STALL_MS,
};
use crate::io::tasks::Tasks;
use crate::raft::Payload;
use crate::replication::message::{Lane, MessageError, PeerMessage};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{Semaphore, watch};
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
    prompt: Way,
    bulk: Way,
    stage: watch::Sender<Stage>,
    /// The member has closed it, in order.
    was_ended: AtomicBool,
}

/// How messages leave in one lane.
#[derive(Debug)]
struct Way {
    queue: Queue,
    outlet: Outlet,
}

/// The pairs, at most one to each member.
#[derive(Debug)]
pub(super) struct Links {
    events: Events,
    /// What the agent is at.
    pub(super) work: Work,
    current: Mutex<BTreeMap<Incarnation, Arc<Link>>>,
}

impl Way {
    fn new(limit: usize) -> Self {
        Self { queue: Queue::new(limit), outlet: Outlet::default() }
    }

    /// Sends at once if that is possible.
    fn send(&self, parcel: Parcel) -> Pushed {
        let is_short = parcel.beside.is_empty() && parcel.message.len() <= COPY_BYTES_MAX;
        if is_short && self.outlet.write_now(&self.queue, &parcel.message) {
            return Pushed::Taken;
        }
        self.queue.push(parcel)
    }
}

impl Link {
    fn new(identity: Identity) -> Self {
        Self {
            identity,
            prompt: Way::new(PEER_PROMPT_QUEUE_BYTES),
            bulk: Way::new(PEER_BULK_QUEUE_BYTES),
            stage: watch::Sender::new(Stage::Half),
            was_ended: AtomicBool::new(false),
        }
    }

    fn way(&self, lane: Lane) -> &Way {
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
        Self { events, work: Work::default(), current: Mutex::default() }
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
        let parcel = Parcel { message: bytes, beside: message.beside().to_vec() };
        if link.way(lane).send(parcel) == Pushed::Dropped {
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
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let member = link.identity.peer.0;
        let (reader, writer) = tokio::io::split(stream);
        link.way(lane).outlet.open(Box::new(writer)).await;
        // What the member says last is read before a write to it fails.
        let error = tokio::select! {
            biased;
            _ = link.reached(Stage::Closed) => None,
            error = self.receive(link, lane, reader) => Some(error),
            error = self.transmit(link, lane) => Some(error),
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
        let Some(mut writer) = link.way(lane).outlet.close().await else { return };
        let goodbye = timeout(Duration::from_millis(PEER_GOODBYE_MS), writer.shutdown()).await;
        if !matches!(goodbye, Ok(Ok(()))) {
            tracing::debug!(member, ?lane, "the connection ends without a word");
        }
    }

    async fn receive<R: AsyncRead + Unpin>(&self, link: &Link, lane: Lane, reader: R) -> LaneError {
        let from = link.identity.peer;
        let mut input = Input::new(lane, reader);
        link.reached(Stage::Announced).await;
        loop {
            let (message, room) = match input.next().await {
                Ok(next) => next,
                Err(error) => return error,
            };
            if !self.events.message(lane, from, (message, room)).await {
                return LaneError::AgentGone;
            }
        }
    }

    /// Sends what is in the queue, and a sign of life when nothing is.
    async fn transmit(&self, link: &Link, lane: Lane) -> LaneError {
        let stall = Duration::from_millis(PEER_WRITE_STALL_MS);
        let Way { queue, outlet } = link.way(lane);
        loop {
            let sign = self.wait(queue, lane).await;
            // In this order, so that no later message gets in between.
            let mut open = outlet.lock().await;
            let Some(Open { half, rest }) = open.as_mut() else { return LaneError::AgentGone };
            let mut parcels = queue.take(WRITE_BYTES);
            parcels.extend(sign);
            if let Err(error) = transmit_all(half, rest, parcels, stall).await {
                return error.into();
            }
        }
    }

    /// Waits until there is something to send. If there is nothing for a while, gives what says that this member lives,
    /// or that its agent is at work.
    async fn wait(&self, queue: &Queue, lane: Lane) -> Option<Parcel> {
        let pause = Duration::from_millis(PEER_WORKING_MS);
        for _ in 0..PEER_PING_MS / PEER_WORKING_MS {
            if timeout(pause, queue.ready()).await.is_ok() {
                return None;
            }
            if lane == Lane::Prompt
                && self.work.goes_on()
                && let Ok(message) = PeerMessage::Working.encode()
            {
                return Some(message.into());
            }
        }
        Some(Parcel::default())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Incarnation, Arc<Link>>> {
        // Each change of the map is one call.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What comes in one lane.
struct Input<R> {
    reader: BufReader<R>,
    /// Bytes of a message.
    limit: usize,
    /// Bytes beside messages that may be in memory until the agent has taken them.
    large_limit: usize,
    /// How many of them are free.
    room: Arc<Semaphore>,
    /// What has come beside the next message, and how much that is.
    beside: Vec<Payload>,
    beside_bytes: usize,
    held: Option<Room>,
}

impl<R: AsyncRead + Unpin> Input<R> {
    fn new(lane: Lane, reader: R) -> Self {
        let (limit, large_limit) = match lane {
            Lane::Prompt => (PEER_PROMPT_BYTES_MAX, 0),
            Lane::Bulk => (PEER_BULK_BYTES_MAX, PEER_LARGE_BYTES_MAX),
        };
        Self {
            reader: BufReader::with_capacity(READ_BYTES, reader),
            limit,
            large_limit,
            room: Arc::new(Semaphore::new(large_limit)),
            beside: Vec::new(),
            beside_bytes: 0,
            held: None,
        }
    }

    /// The next message, and the room that what came beside it takes.
    async fn next(&mut self) -> Result<(PeerMessage, Option<Room>), LaneError> {
        let silence = Duration::from_millis(PEER_SILENCE_MS);
        loop {
            match frame::announced(&mut self.reader, silence).await? {
                Announced::Message(0) => {}
                Announced::Message(length) => {
                    let bytes = frame::body(&mut self.reader, length, self.limit, silence).await?;
                    self.beside_bytes = 0;
                    let message = decode(bytes, std::mem::take(&mut self.beside)).await?;
                    return Ok((message, self.held.take()));
                }
                Announced::Beside(length) => {
                    self.make_room(length).await?;
                    let bytes = frame::body(&mut self.reader, length, length, silence).await?;
                    self.beside.push(Payload::from(bytes));
                }
            }
        }
    }

    /// Waits until the agent has taken so much of what came before that these bytes may come.
    async fn make_room(&mut self, bytes: usize) -> Result<(), LaneError> {
        self.beside_bytes = self.beside_bytes.saturating_add(bytes);
        if self.beside_bytes > self.large_limit {
            let (bytes, limit) = (self.beside_bytes, self.large_limit);
            return Err(FrameError::TooLong { bytes, limit }.into());
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(permits).await;
        let room = Room(room.map_err(|_closed| LaneError::AgentGone)?);
        match &mut self.held {
            Some(held) => held.0.merge(room.0),
            none => *none = Some(room),
        }
        Ok(())
    }
}

/// The message in these bytes. A long one takes a while, in which the lane must not fall silent.
async fn decode(bytes: Vec<u8>, beside: Vec<Payload>) -> Result<PeerMessage, LaneError> {
    if bytes.len() < PEER_LONG_MESSAGE_BYTES {
        return Ok(PeerMessage::decode(&bytes, beside)?);
    }
    let decoded = tokio::task::spawn_blocking(move || PeerMessage::decode(&bytes, beside)).await;
    Ok(decoded.map_err(|_panic| LaneError::AgentGone)??)
}

/// Why a lane ended.
#[derive(Debug, thiserror::Error)]
enum LaneError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("the agent is gone")]
    AgentGone,
}

async fn transmit_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    buffer: &mut Vec<u8>,
    parcels: Vec<Parcel>,
    stall: Duration,
) -> Result<(), FrameError> {
    for Parcel { message, beside } in parcels {
        for payload in beside {
            buffer.extend_from_slice(&frame::header_beside(&payload));
            frame::write_all(writer, buffer, stall).await?;
            buffer.clear();
            frame::write_all(writer, &payload, stall).await?;
        }
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

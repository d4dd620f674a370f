//! The agent's thread: it alone owns the agent and the log, and carries effects out in their order.
//!
//! Questions are taken in batches: everything that has arrived is decided, then one durable write serves it all, then
//! the answers leave. While the disk works, the next batch gathers.

use super::diverged;
use super::participants::Participants;
use super::rejoin;
use super::snapshots::{self, Schedule, prune};
use super::spare::SpareSegments;
use crate::agent::effects::{Effects, Lease};
use crate::agent::event::{Answer, End, ReplyTo};
use crate::agent::strain::Measured;
use crate::agent::{Agent, StorageSpace};
use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::LogIndex;
use crate::base::limits::{
    AGENT_BATCH_MAX, AGENT_QUEUE_MAX, AGENT_STACK_BYTES, HAND_OVER_MS, PEER_BULK_EVENTS_MAX,
    STORAGE_RESERVE_BYTES,
};
use crate::base::time::{Now, Timestamp};
use crate::io::clock;
use crate::io::handle::{AgentHandle, Question, ReadLease};
use crate::io::peer::{Arrived, PeerEvent, PeerEvents, PeerHandle};
use crate::netconf::state::View;
use crate::raft::{SnapshotMeta, WaitForSync};
use crate::storage::{Disk, Log, LogError, Reserve};
use crate::yang::schema::Schema;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Writes of fewer bytes tell how fast the disk is.
const SMALL_WRITE_BYTES: u64 = 1 << 20;

/// Why the engine ended, other than by request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// What was not answered before may or may not be in the log.
    #[error("the log cannot be written: {0}")]
    Log(#[from] LogError),
    #[error("the data directory cannot be kept: {0}")]
    Disk(#[from] crate::storage::DiskError),
    #[error("no thread for a snapshot: {0}")]
    Thread(#[from] std::io::Error),
    #[error("{0}")]
    Fatal(String),
    /// This node is no member of its cluster any more.
    #[error("{0}")]
    Removed(String),
}

/// Where the engine lives.
pub(crate) struct Running {
    pub(crate) handle: AgentHandle,
    /// Resolves when NETCONF may open; an error if the engine ended before.
    pub(crate) ready: oneshot::Receiver<()>,
    /// Dropped or sent to: what is under way is finished, and the engine ends.
    pub(crate) stop: oneshot::Sender<()>,
    /// Resolves when the engine has ended.
    pub(crate) ended: oneshot::Receiver<Result<(), EngineError>>,
}

/// What the engine is made of.
pub(crate) struct Parts {
    pub(crate) agent: Agent,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) log: Log,
    pub(crate) schema: Arc<Schema>,
    pub(crate) participants: Participants,
    /// Answers of participants.
    pub(crate) hook_answers: mpsc::Receiver<(CallId, HookAnswer)>,
    pub(crate) peers: PeerHandle,
    pub(crate) peer_events: PeerEvents,
    pub(crate) view: Arc<View>,
    /// Until the agent says more.
    pub(crate) lease: Lease,
    /// Bytes by which the log grows from one snapshot to the next.
    pub(crate) snapshot_log_bytes: u64,
}

struct Engine {
    agent: Agent,
    disk: Arc<dyn Disk>,
    log: Log,
    schema: Arc<Schema>,
    participants: Participants,
    peers: PeerHandle,
    spare: SpareSegments,
    waiting: BTreeMap<ReplyTo, oneshot::Sender<Answer>>,
    next_reply: u64,
    views: watch::Sender<Arc<View>>,
    lease: Arc<ReadLease>,
    ends: broadcast::Sender<End>,
    ready: Option<oneshot::Sender<()>>,
    schedule: Schedule,
    /// The process was asked to end: until then this node may still hand over leadership.
    ends_by: Option<Timestamp>,
    /// The snapshot that is being written or looked through, if one is.
    snapshot: Option<oneshot::Receiver<Snapshot>>,
}

/// How the work on a snapshot ended.
#[derive(Debug)]
enum Snapshot {
    /// It is durable and was read back; its state has so many bytes.
    Taken(SnapshotMeta, u64),
    /// It came from a member, is durable and was read back.
    Received(LogIndex),
    /// The log keeps growing.
    Failed,
}

/// What came in.
#[derive(Default)]
struct Batch {
    questions: Vec<Question>,
    hooks: Vec<(CallId, HookAnswer)>,
    /// Of the prompt lane.
    prompt: Vec<PeerEvent>,
    /// Of the bulk lane.
    bulk: Vec<PeerEvent>,
    snapshot: Option<Snapshot>,
    stop: bool,
}

/// Starts the agent's thread.
pub(crate) fn start(parts: Parts) -> std::io::Result<Running> {
    let (question_sender, questions) = mpsc::channel(AGENT_QUEUE_MAX);
    let (views, view_receiver) = watch::channel(parts.view);
    let (ends, _) = broadcast::channel(AGENT_QUEUE_MAX);
    let (ready_sender, ready) = oneshot::channel();
    let (stop, stopped) = oneshot::channel();
    let (ended_sender, ended) = oneshot::channel();
    let handle = AgentHandle::new(question_sender, view_receiver, ends.clone());
    let lease = handle.lease();
    lease.publish(parts.lease);
    let (hook_answers, peer_events) = (parts.hook_answers, parts.peer_events);
    let spare = SpareSegments::start(Arc::clone(&parts.disk))?;
    let schedule = Schedule::new(parts.snapshot_log_bytes, parts.agent.snapshot_index());
    let mut engine = Engine {
        agent: parts.agent,
        disk: parts.disk,
        log: parts.log,
        schema: parts.schema,
        participants: parts.participants,
        peers: parts.peers,
        spare,
        waiting: BTreeMap::new(),
        next_reply: 1,
        views,
        lease,
        ends,
        ready: Some(ready_sender),
        schedule,
        ends_by: None,
        snapshot: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let thread = std::thread::Builder::new().name("agent".to_owned());
    thread.stack_size(AGENT_STACK_BYTES).spawn(move || {
        let inbox = Inbox { questions, hook_answers, peer_events, stopped };
        let result = runtime.block_on(engine.run(inbox));
        engine.participants.stop();
        engine.spare.stop();
        // Nobody waits for the result if the daemon is gone already.
        drop(ended_sender.send(result));
    })?;
    Ok(Running { handle, ready, stop, ended })
}

struct Inbox {
    questions: mpsc::Receiver<Question>,
    hook_answers: mpsc::Receiver<(CallId, HookAnswer)>,
    peer_events: PeerEvents,
    stopped: oneshot::Receiver<()>,
}

impl Engine {
    async fn run(&mut self, mut inbox: Inbox) -> Result<(), EngineError> {
        self.agent.start(now());
        self.carry_out()?;
        loop {
            self.peers.work().rests();
            let batch = self.wait(&mut inbox).await;
            self.peers.work().computes();
            let now = now();
            self.look_for_space();
            if let Some(ended) = batch.snapshot {
                self.snapshot_ended(ended)?;
            }
            // What is prompt comes first, connections before what was said on them.
            let mut received = None;
            for event in batch.prompt.into_iter().chain(batch.bulk) {
                received = self.peer_event(now, event).or(received);
            }
            for (question, sender) in batch.questions {
                let reply = ReplyTo(self.next_reply);
                self.next_reply += 1;
                self.waiting.insert(reply, sender);
                self.agent.step(now, reply, question);
            }
            for (call, answer) in batch.hooks {
                self.agent.hook_answered(now, call, answer);
            }
            self.agent.tick(now);
            self.carry_out()?;
            if let Some(index) = received {
                self.prune_after(index)?;
            }
            if batch.stop && self.has_handed_over(now, &inbox)? {
                return Ok(());
            }
        }
    }

    /// The process was asked to end: a leader hands over first, for as long as somebody is there to hear of it.
    fn has_handed_over(&mut self, now: Now, inbox: &Inbox) -> Result<bool, EngineError> {
        if self.ends_by.is_none() {
            self.agent.prepare_to_end();
            self.agent.tick(now);
            self.carry_out()?;
        }
        let by = *self.ends_by.get_or_insert(now.monotonic.plus_ms(HAND_OVER_MS));
        let is_left = inbox.questions.is_closed() && inbox.questions.is_empty();
        Ok(self.agent.may_end() || now.monotonic >= by || is_left)
    }

    /// Takes in what happened between members. Gives the index of a snapshot that has come.
    fn peer_event(&mut self, now: Now, event: PeerEvent) -> Option<LogIndex> {
        match event {
            PeerEvent::Message { from, message, room } => {
                self.agent.peer(now, from, message);
                drop(room);
            }
            PeerEvent::Connected(peer) => self.agent.peer_connected(now, peer),
            PeerEvent::Lost(peer) => self.agent.peer_lost(now, peer),
            PeerEvent::SnapshotArrived(arrived) => {
                let Arrived { from, meta, state, frame } = *arrived;
                let index = meta.position.index;
                // The node has it: it need not write the same one again.
                self.schedule.is_there(index, 0, self.log.bytes());
                self.agent.snapshot_arrived(now, from, (meta, state), &frame);
                return Some(index);
            }
            PeerEvent::SnapshotSent { to, delivery } => {
                self.agent.snapshot_sent(now, to, delivery);
            }
            PeerEvent::SnapshotProgress { arrived, of } => {
                self.agent.snapshot_progress(arrived, of);
            }
        }
        None
    }

    /// The next events, or nothing when it is time to tick. Whatever comes first, what the other sources have is taken
    /// with it, so that none is held up by a busy one.
    async fn wait(&mut self, inbox: &mut Inbox) -> Batch {
        let mut batch = Batch::default();
        let began = now();
        let wake_at = self.agent.wake_at(began);
        let PeerEvents { prompt, bulk } = &mut inbox.peer_events;
        tokio::select! {
            biased;
            Some(event) = prompt.recv() => batch.prompt.push(event),
            question = inbox.questions.recv() => match question {
                Some(question) => batch.questions.push(question),
                None => batch.stop = true,
            },
            Some(event) = bulk.recv() => batch.bulk.push(event),
            Some(answer) = inbox.hook_answers.recv() => batch.hooks.push(answer),
            ended = wait_for(&mut self.snapshot) => batch.snapshot = Some(ended),
            () = sleep_until(wake_at) => {}
            _ = &mut inbox.stopped, if self.ends_by.is_none() => batch.stop = true,
        }
        if let Some(due) = wake_at.map(|at| at.max(began.monotonic))
            && clock::now() >= due
        {
            self.agent.measured(Measured::Lateness(clock::now().ms_since(due)));
        }
        // A connection is told of before its messages: what the bulk lane has is looked for first.
        take_more(bulk, &mut batch.bulk, PEER_BULK_EVENTS_MAX);
        take_more(prompt, &mut batch.prompt, AGENT_BATCH_MAX);
        take_more(&mut inbox.questions, &mut batch.questions, AGENT_BATCH_MAX);
        while let Ok(answer) = inbox.hook_answers.try_recv() {
            batch.hooks.push(answer);
        }
        if batch.snapshot.is_none() {
            batch.snapshot = self.snapshot.as_mut().and_then(ended_by_now);
        }
        batch.stop |= !matches!(inbox.stopped.try_recv(), Err(TryRecvError::Empty));
        batch
    }

    /// Early messages, persist, publish, hooks, messages, answers, ends; until nothing more follows.
    fn carry_out(&mut self) -> Result<(), EngineError> {
        loop {
            let mut effects = self.agent.take_effects(now());
            for message in std::mem::take(&mut effects.early) {
                self.peers.send(&message);
            }
            let wrote = self.persist(&effects)?;
            let told = self.show(effects)?;
            if !wrote && told == Told::Nothing {
                self.ask_for_spare();
                return self.snapshot_if_due();
            }
        }
    }

    fn persist(&mut self, effects: &Effects) -> Result<bool, EngineError> {
        let Some(last) = effects.persist.last() else { return Ok(false) };
        let mut sync = WaitForSync::No;
        let entries = effects.persist.iter().flat_map(|persist| &persist.write.entries);
        let bytes: u64 = entries.map(|entry| u64_of(entry.data.len())).sum();
        self.peers.work().writes(bytes);
        for persist in &effects.persist {
            self.log.append(&persist.write)?;
            if persist.sync == WaitForSync::Yes {
                sync = WaitForSync::Yes;
            }
        }
        if sync == WaitForSync::Yes {
            let began = clock::now();
            self.flush()?;
            // To write much takes long on any disk.
            if bytes < SMALL_WRITE_BYTES {
                self.agent.measured(Measured::Write(clock::now().ms_since(began)));
            }
        }
        self.peers.work().computes();
        self.agent.persisted(last.number);
        Ok(true)
    }

    fn show(&mut self, effects: Effects) -> Result<Told, EngineError> {
        if let Some(view) = effects.view {
            self.views.send_replace(view);
        }
        if let Some(rejoin) = effects.rejoin {
            rejoin::write(&*self.disk, &rejoin)?;
        }
        if let Some(lease) = effects.lease {
            self.lease.publish(lease);
        }
        if let Some(data) = effects.diverged {
            diverged::keep(data, Arc::clone(&self.disk), Arc::clone(&self.schema));
        }
        for call in effects.hooks {
            self.participants.call(call);
        }
        if let Some(authority) = effects.authority {
            self.peers.set_authority(authority);
        }
        for message in &effects.sends {
            self.peers.send(message);
        }
        // After the last words to a member that is removed.
        if let Some(peers) = effects.peers {
            self.peers.set_peers(peers);
        }
        let mut told = Told::Nothing;
        for snapshot in effects.snapshots {
            let to = snapshot.to;
            if let Err(delivery) = self.peers.send_snapshot(snapshot) {
                self.agent.snapshot_sent(now(), to, delivery);
                told = Told::Something;
            }
        }
        self.schedule.is_wanted |= effects.snapshot_wanted;
        for (reply, answer) in effects.answers {
            if let Some(sender) = self.waiting.remove(&reply) {
                // The session may be gone; its end is on the way here.
                drop(sender.send(answer));
            }
        }
        for end in effects.ends {
            // Without receivers there is no session to end.
            drop(self.ends.send(end));
        }
        if let Some(why) = effects.fatal {
            let removed = effects.removed;
            return Err(if removed { EngineError::Removed(why) } else { EngineError::Fatal(why) });
        }
        if effects.ready
            && let Some(ready) = self.ready.take()
        {
            self.participants.wait_until_started();
            // The daemon may be ending already.
            ready.send(()).ok();
        }
        Ok(told)
    }

    /// One durable write for everything appended. A full disk takes the reserve, and from then on writers are refused
    /// until there is space again.
    fn flush(&mut self) -> Result<(), EngineError> {
        match self.log.flush() {
            Ok(()) => Ok(()),
            Err(LogError::NoSpace) => {
                let released = Reserve::default().release(&*self.disk)?;
                tracing::error!(
                    released,
                    "the disk is full; changes are refused until there is space"
                );
                self.agent.set_storage(StorageSpace::Full);
                Ok(self.log.flush()?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// While the disk is full: is there space again?
    fn look_for_space(&mut self) {
        if self.agent.storage() == StorageSpace::Full
            && self.disk.free_bytes().is_ok_and(|free| free > 2 * STORAGE_RESERVE_BYTES)
            && Reserve::default().hold(&*self.disk).is_ok()
        {
            tracing::info!("there is space on the disk again");
            self.agent.set_storage(StorageSpace::Enough);
        }
    }

    /// Has the next segment of the log made in the background. A full disk has no space for it.
    fn ask_for_spare(&mut self) {
        if self.agent.storage() == StorageSpace::Enough && self.log.take_spare_wanted() {
            self.spare.ask();
        }
    }

    /// Takes a snapshot in the background when the log has grown enough, or a member needs one.
    fn snapshot_if_due(&mut self) -> Result<(), EngineError> {
        let log = (self.log.bytes(), self.agent.applied());
        let due = self.schedule.is_due(clock::now(), log, self.peers.is_sending_snapshots());
        if !due || !self.agent.has_sound_data() || self.snapshot.is_some() {
            return Ok(());
        }
        let (meta, state) = self.agent.snapshot();
        let (disk, schema) = (Arc::clone(&self.disk), Arc::clone(&self.schema));
        let peers = self.peers.clone();
        self.in_background(move || {
            let written = snapshots::write(&disk, meta.clone(), &state, &schema);
            let pruned = |bytes| prune(&*disk, &peers, meta.position.index).map(|()| bytes);
            match written.and_then(pruned) {
                Ok(bytes) => Snapshot::Taken(meta, bytes),
                Err(error) => {
                    tracing::error!(%error, "a snapshot was not written; the log keeps growing");
                    Snapshot::Failed
                }
            }
        })
    }

    /// Deletes what a snapshot that came from a member makes superfluous; in the background, and not while another one
    /// is worked on, which does the same later.
    fn prune_after(&mut self, received: LogIndex) -> Result<(), EngineError> {
        if self.snapshot.is_some() {
            return Ok(());
        }
        let (disk, peers) = (Arc::clone(&self.disk), self.peers.clone());
        self.in_background(move || match prune(&*disk, &peers, received) {
            Ok(()) => Snapshot::Received(received),
            Err(error) => {
                tracing::error!(%error, "a snapshot that came cannot be read back");
                Snapshot::Failed
            }
        })
    }

    fn in_background(
        &mut self,
        work: impl FnOnce() -> Snapshot + Send + 'static,
    ) -> Result<(), EngineError> {
        let (sender, receiver) = oneshot::channel();
        std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            // The engine may have ended meanwhile; the snapshot is found at the next start.
            sender.send(work()).ok();
        })?;
        self.snapshot = Some(receiver);
        Ok(())
    }

    fn snapshot_ended(&mut self, ended: Snapshot) -> Result<(), EngineError> {
        self.snapshot = None;
        match ended {
            Snapshot::Taken(meta, bytes) => {
                // A member that needs a newer one still asks again.
                self.schedule.is_wanted = false;
                let index = meta.position.index;
                self.agent.snapshot_written(meta);
                self.log.prune(index)?;
                self.schedule.is_there(index, bytes, self.log.bytes());
                tracing::info!(index = index.0, "snapshot written");
            }
            Snapshot::Received(index) => {
                self.log.prune(index)?;
                self.schedule.is_there(index, 0, self.log.bytes());
            }
            Snapshot::Failed => self.schedule.has_failed(clock::now()),
        }
        Ok(())
    }
}

/// Whether the agent was told something by the way, so that it may have more effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Something,
}

fn u64_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn now() -> Now {
    Now { monotonic: clock::now(), wall: clock::wall() }
}

/// What there is at once, up to `count` in all.
fn take_more<T>(receiver: &mut mpsc::Receiver<T>, into: &mut Vec<T>, count: usize) {
    while into.len() < count
        && let Ok(one) = receiver.try_recv()
    {
        into.push(one);
    }
}

/// What `wait_for` would give at once.
fn ended_by_now(snapshot: &mut oneshot::Receiver<Snapshot>) -> Option<Snapshot> {
    match snapshot.try_recv() {
        Ok(ended) => Some(ended),
        Err(TryRecvError::Closed) => Some(Snapshot::Failed),
        Err(TryRecvError::Empty) => None,
    }
}

async fn wait_for(snapshot: &mut Option<oneshot::Receiver<Snapshot>>) -> Snapshot {
    match snapshot {
        Some(receiver) => receiver.await.unwrap_or(Snapshot::Failed),
        None => std::future::pending().await,
    }
}

async fn sleep_until(wake_at: Option<Timestamp>) {
    match wake_at {
        Some(at) => {
            let left = at.ms_since(clock::now());
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
        None => std::future::pending().await,
    }
}

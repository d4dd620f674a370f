//! The agent's thread: it alone owns the agent and the log, and carries effects out in their order.
//!
//! Questions are taken in batches: everything that has arrived is decided, then one durable write serves it all, then
//! the answers leave. While the disk works, the next batch gathers.

use super::participants::Participants;
use crate::agent::Agent;
use crate::agent::effects::Effects;
use crate::agent::event::{Answer, End, ReplyTo};
use crate::api::hook::{CallId, HookAnswer};
use crate::base::ids::LogIndex;
use crate::base::limits::{AGENT_BATCH_MAX, AGENT_QUEUE_MAX, SNAPSHOT_LOG_BYTES};
use crate::base::time::Timestamp;
use crate::io::clock;
use crate::io::handle::{AgentHandle, Question};
use crate::netconf::state::View;
use crate::raft::WaitForSync;
use crate::storage::{Snapshots, Storage};
use crate::yang::schema::Schema;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// Why the engine ended, other than by request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// What was not answered before may or may not be in the log.
    #[error("the log cannot be written: {0}")]
    Log(#[from] crate::storage::StorageError),
    #[error("{0}")]
    Fatal(String),
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
    pub(crate) storage: Storage,
    pub(crate) schema: Arc<Schema>,
    pub(crate) participants: Participants,
    /// Answers of participants.
    pub(crate) hook_answers: mpsc::Receiver<(CallId, HookAnswer)>,
    pub(crate) view: Arc<View>,
}

struct Engine {
    agent: Agent,
    storage: Storage,
    schema: Arc<Schema>,
    participants: Participants,
    waiting: BTreeMap<ReplyTo, oneshot::Sender<Answer>>,
    next_reply: u64,
    views: watch::Sender<Arc<View>>,
    ends: broadcast::Sender<End>,
    ready: Option<oneshot::Sender<()>>,
    /// The snapshot that is being written, if one is.
    snapshot: Option<oneshot::Receiver<Option<LogIndex>>>,
}

/// What came in.
struct Batch {
    questions: Vec<Question>,
    hooks: Vec<(CallId, HookAnswer)>,
    snapshot: Option<Option<LogIndex>>,
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
    let hook_answers = parts.hook_answers;
    let mut engine = Engine {
        agent: parts.agent,
        storage: parts.storage,
        schema: parts.schema,
        participants: parts.participants,
        waiting: BTreeMap::new(),
        next_reply: 1,
        views,
        ends,
        ready: Some(ready_sender),
        snapshot: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("agent".to_owned()).spawn(move || {
        let inbox = Inbox { questions, hook_answers, stopped };
        let result = runtime.block_on(engine.run(inbox));
        engine.participants.stop();
        // Nobody waits for the result if the daemon is gone already.
        drop(ended_sender.send(result));
    })?;
    Ok(Running { handle, ready, stop, ended })
}

struct Inbox {
    questions: mpsc::Receiver<Question>,
    hook_answers: mpsc::Receiver<(CallId, HookAnswer)>,
    stopped: oneshot::Receiver<()>,
}

impl Engine {
    async fn run(&mut self, mut inbox: Inbox) -> Result<(), EngineError> {
        self.agent.start();
        self.carry_out()?;
        loop {
            let batch = self.wait(&mut inbox).await;
            let now = clock::now();
            if let Some(written) = batch.snapshot {
                self.snapshot_ended(written)?;
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
            if batch.stop {
                return Ok(());
            }
        }
    }

    /// The next events, or nothing when it is time to tick.
    async fn wait(&mut self, inbox: &mut Inbox) -> Batch {
        let mut batch =
            Batch { questions: Vec::new(), hooks: Vec::new(), snapshot: None, stop: false };
        let wake_at = self.agent.wake_at();
        tokio::select! {
            biased;
            count = inbox.questions.recv_many(&mut batch.questions, AGENT_BATCH_MAX) => {
                batch.stop = count == 0;
            }
            Some(answer) = inbox.hook_answers.recv() => batch.hooks.push(answer),
            written = wait_for(&mut self.snapshot) => batch.snapshot = Some(written),
            () = sleep_until(wake_at) => {}
            _ = &mut inbox.stopped => batch.stop = true,
        }
        batch
    }

    /// Persist, publish, hooks, answers, ends; until nothing more follows.
    fn carry_out(&mut self) -> Result<(), EngineError> {
        loop {
            let effects = self.agent.take_effects(clock::now());
            let wrote = self.persist(&effects)?;
            self.show(effects)?;
            if !wrote {
                return self.snapshot_if_due();
            }
        }
    }

    fn persist(&mut self, effects: &Effects) -> Result<bool, EngineError> {
        let Some(last) = effects.persist.last() else { return Ok(false) };
        let mut sync = WaitForSync::No;
        for persist in &effects.persist {
            self.storage.append(&persist.write)?;
            if persist.sync == WaitForSync::Yes {
                sync = WaitForSync::Yes;
            }
        }
        if sync == WaitForSync::Yes {
            self.storage.flush()?;
        }
        self.agent.persisted(last.number);
        Ok(true)
    }

    fn show(&mut self, effects: Effects) -> Result<(), EngineError> {
        if let Some(view) = effects.view {
            self.views.send_replace(view);
        }
        for call in effects.hooks {
            self.participants.call(call);
        }
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
            return Err(EngineError::Fatal(why));
        }
        if effects.ready && let Some(ready) = self.ready.take() {
            drop(ready.send(()));
        }
        Ok(())
    }

    /// Takes a snapshot in the background when the log has grown enough.
    fn snapshot_if_due(&mut self) -> Result<(), EngineError> {
        if self.snapshot.is_some() || self.storage.log_bytes() < SNAPSHOT_LOG_BYTES {
            return Ok(());
        }
        let (meta, state) = self.agent.snapshot();
        let snapshots: Snapshots = self.storage.snapshots();
        let schema = Arc::clone(&self.schema);
        let (sender, receiver) = oneshot::channel();
        let index = meta.position.index;
        let spawned = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || {
            let written = snapshots.write(&meta, &mut |write| {
                crate::replication::snapshot::encode(&state, &schema, write)
                    .map_err(|error| error.to_string())
            });
            match written {
                Ok(()) => drop(sender.send(Some(index))),
                Err(error) => {
                    tracing::error!(%error, "a snapshot was not written; the log keeps growing");
                    drop(sender.send(None));
                }
            }
        });
        match spawned {
            Ok(_) => self.snapshot = Some(receiver),
            Err(error) => tracing::error!(%error, "no thread for a snapshot"),
        }
        Ok(())
    }

    fn snapshot_ended(&mut self, written: Option<LogIndex>) -> Result<(), EngineError> {
        self.snapshot = None;
        if let Some(index) = written {
            self.agent.snapshot_written(index);
            self.storage.forget_before(index)?;
            tracing::info!(index = index.0, "snapshot written");
        }
        Ok(())
    }
}

async fn wait_for(snapshot: &mut Option<oneshot::Receiver<Option<LogIndex>>>) -> Option<LogIndex> {
    match snapshot {
        Some(receiver) => receiver.await.ok().flatten(),
        None => std::future::pending().await,
    }
}

async fn sleep_until(wake_at: Option<Timestamp>) {
    match wake_at {
        Some(at) => {
            let left = at.ms_since(clock::now().monotonic);
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
        None => std::future::pending().await,
    }
}

//! The threads of in-process participants: one each, so that a slow one delays only its own answers.

use crate::api::change::{Change, Configuration};
use crate::api::hook::{Call, CallId, HookAnswer, HookCall, ParticipantId, Proposed};
use crate::api::participant::{Participant, Refusal};
use crate::base::ids::Revision;
use crate::base::limits::{PARTICIPANT_START_TIMEOUT_S, PARTICIPANT_STOP_TIMEOUT_S};
use crate::netconf::document::read_fragment;
use crate::yang::schema::Schema;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::mpsc;

/// All participants of this process.
///
/// A participant has at most one question open, so its queue holds at most that, its aborts, and the revisions that it
/// has not committed yet, each of which shares its trees with the others.
#[derive(Default)]
pub(crate) struct Participants {
    threads: BTreeMap<ParticipantId, Thread>,
}

/// The thread of one participant.
struct Thread {
    calls: Sender<Call>,
    handle: JoinHandle<()>,
    /// A word when `start` has returned; closed when the thread is done.
    progress: Receiver<()>,
}

/// A participant's own part.
struct Worker {
    name: String,
    participant: Box<dyn Participant>,
    schema: Arc<Schema>,
    answers: mpsc::Sender<(CallId, HookAnswer)>,
    progress: Sender<()>,
}

impl Participants {
    /// Starts a thread for each participant, which sends its answers to `answers`.
    pub(crate) fn start(
        participants: Vec<(ParticipantId, String, Box<dyn Participant>)>,
        schema: &Arc<Schema>,
        answers: &mpsc::Sender<(CallId, HookAnswer)>,
    ) -> std::io::Result<Self> {
        let mut threads = BTreeMap::new();
        for (id, name, participant) in participants {
            let (calls, queue) = channel();
            let (sender, progress) = channel();
            let thread = std::thread::Builder::new().name(format!("participant-{}", id.0));
            let (schema, answers) = (Arc::clone(schema), answers.clone());
            let mut worker = Worker { name, participant, schema, answers, progress: sender };
            let handle = thread.spawn(move || worker.run(&queue))?;
            threads.insert(id, Thread { calls, handle, progress });
        }
        Ok(Self { threads })
    }

    /// Queues a call.
    pub(crate) fn call(&self, call: HookCall) {
        if let Some(thread) = self.threads.get(&call.participant)
            && thread.calls.send(call.call).is_err()
        {
            tracing::error!(participant = call.participant.0, "the participant's thread is gone");
        }
    }

    /// Waits until every participant has taken in the full configuration, which it has been sent.
    pub(crate) fn wait_until_started(&self) {
        for (id, thread) in &self.threads {
            let patience = Duration::from_secs(PARTICIPANT_START_TIMEOUT_S);
            if thread.progress.recv_timeout(patience).is_err() {
                tracing::error!(
                    participant = id.0,
                    "the participant does not start; NETCONF opens"
                );
            }
        }
    }

    /// Lets every participant finish what is queued, and ends the threads. One that hangs is left behind.
    pub(crate) fn stop(&mut self) {
        for (id, Thread { calls, handle, progress }) in std::mem::take(&mut self.threads) {
            drop(calls);
            let patience = Duration::from_secs(PARTICIPANT_STOP_TIMEOUT_S);
            loop {
                match progress.recv_timeout(patience) {
                    Ok(()) => {}
                    Err(RecvTimeoutError::Timeout) => {
                        tracing::error!(participant = id.0, "the participant does not end");
                        break;
                    }
                    Err(RecvTimeoutError::Disconnected) => {
                        if handle.join().is_err() {
                            tracing::error!(
                                participant = id.0,
                                "the participant's thread panicked"
                            );
                        }
                        break;
                    }
                }
            }
        }
    }
}

impl Worker {
    fn run(&mut self, queue: &Receiver<Call>) {
        while let Ok(call) = queue.recv() {
            match call {
                Call::Start { revision, tree } => {
                    let configuration = self.configuration(tree, revision);
                    self.guarded("start", |participant| participant.start(&configuration));
                    // Nobody waits for it if the agent has ended.
                    self.progress.send(()).ok();
                }
                Call::Rewrite { id, change } => {
                    let change = self.change(change, Revision(0));
                    let answer =
                        self.guarded("rewrite", |participant| participant.rewrite(&change));
                    let answer = self.amendment(answer);
                    self.answer(id, answer);
                }
                Call::Validate { id, change } => {
                    let change = self.change(change, Revision(0));
                    let verdict =
                        self.guarded("validate", |participant| participant.validate(&change));
                    self.answer(id, yes_or_no(verdict));
                }
                Call::Prepare { id, change } => {
                    let change = self.change(change, Revision(0));
                    let verdict =
                        self.guarded("prepare", |participant| participant.prepare(&change));
                    self.answer(id, yes_or_no(verdict));
                }
                Call::Commit { revision, change } => {
                    let change = self.change(change, revision);
                    let done = self.guarded("commit", |participant| participant.commit(&change));
                    if let Some(Err(alarm)) = done {
                        let participant = &self.name;
                        tracing::error!(participant, revision = revision.0, %alarm, "commit callback failed");
                    }
                }
                Call::Abort => {
                    self.guarded("abort", |participant| participant.abort());
                }
            }
        }
    }

    /// Calls the participant. `None` if it panicked.
    fn guarded<T>(
        &mut self,
        hook: &str,
        call: impl FnOnce(&mut dyn Participant) -> T,
    ) -> Option<T> {
        let participant = &mut *self.participant;
        let result = catch_unwind(AssertUnwindSafe(|| call(participant)));
        if result.is_err() {
            tracing::error!(participant = self.name, hook, "the participant panicked");
        }
        result.ok()
    }

    fn amendment(&self, answer: Option<Result<Option<String>, Refusal>>) -> HookAnswer {
        match answer {
            Some(Ok(None)) => HookAnswer::Yes,
            Some(Ok(Some(xml))) => match read_fragment(&xml, &self.schema) {
                Ok(edit) => HookAnswer::Amend(edit),
                Err(error) => HookAnswer::No(format!("what it wants to change: {error}")),
            },
            Some(Err(refusal)) => HookAnswer::No(refusal.0),
            None => HookAnswer::No(PANICKED.to_owned()),
        }
    }

    fn answer(&self, id: CallId, answer: HookAnswer) {
        // Without the agent's thread the process is ending.
        drop(self.answers.blocking_send((id, answer)));
    }

    fn configuration(&self, tree: crate::yang::tree::Tree, revision: Revision) -> Configuration {
        Configuration { schema: Arc::clone(&self.schema), tree, revision }
    }

    fn change(&self, change: Proposed, revision: Revision) -> Change {
        let before = Revision(revision.0.saturating_sub(1));
        Change {
            before: self.configuration(change.before, before),
            after: self.configuration(change.after, revision),
            user: change.user,
            session: change.session,
        }
    }
}

const PANICKED: &str = "it failed; the log of the agent tells more";

fn yes_or_no(verdict: Option<Result<(), Refusal>>) -> HookAnswer {
    match verdict {
        Some(Ok(())) => HookAnswer::Yes,
        Some(Err(refusal)) => HookAnswer::No(refusal.0),
        None => HookAnswer::No(PANICKED.to_owned()),
    }
}

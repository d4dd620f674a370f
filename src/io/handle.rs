//! The door to the agent's thread: questions in, answers and views out.

use crate::agent::event::{Answer, End, EndCause, SessionEvent};
use crate::base::ids::SessionId;
use crate::netconf::state::View;
use std::sync::Arc;
use tokio::sync::{broadcast, mpsc, oneshot, watch};

/// A question with the place that its answer goes to.
pub(crate) type Question = (SessionEvent, oneshot::Sender<Answer>);

/// What every connection holds.
#[derive(Debug, Clone)]
pub(crate) struct AgentHandle {
    questions: mpsc::Sender<Question>,
    views: watch::Receiver<Arc<View>>,
    ends: broadcast::Sender<End>,
}

/// Sessions to end. One that misses messages must take itself for ended.
pub(crate) struct Ends(broadcast::Receiver<End>);

impl AgentHandle {
    /// The agent's thread is at the other ends of the channels.
    pub(crate) fn new(
        questions: mpsc::Sender<Question>,
        views: watch::Receiver<Arc<View>>,
        ends: broadcast::Sender<End>,
    ) -> Self {
        Self { questions, views, ends }
    }

    /// Asks and waits. `None` if the agent is gone: what was asked may or may not have been done.
    pub(crate) async fn ask(&self, event: SessionEvent) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        self.questions.send((event, sender)).await.ok()?;
        answer.await.ok()
    }

    /// The newest published state.
    pub(crate) fn view(&self) -> Arc<View> {
        Arc::clone(&self.views.borrow())
    }

    /// From now on, which sessions the agent ends.
    pub(crate) fn ends(&self) -> Ends {
        Ends(self.ends.subscribe())
    }
}

impl Ends {
    /// Waits until the agent ends `session`.
    pub(crate) async fn wait_for(&mut self, session: SessionId) -> EndCause {
        loop {
            match self.0.recv().await {
                Ok(end) if end.session == session => return end.cause,
                Ok(_) => {}
                Err(_) => return EndCause::Dropped,
            }
        }
    }
}

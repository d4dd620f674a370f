//! The door to the agent's thread: questions in, answers and views out.

use super::clock;
use crate::agent::effects::Lease;
use crate::agent::event::{Answer, End, EndCause, SessionEvent};
use crate::base::ids::SessionId;
use crate::netconf::state::View;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

/// A question with the place that its answer goes to.
pub(crate) type Question = (SessionEvent, oneshot::Sender<Answer>);

/// What every connection holds.
#[derive(Debug, Clone)]
pub(crate) struct AgentHandle {
    questions: mpsc::Sender<Question>,
    views: watch::Receiver<Arc<View>>,
    ends: broadcast::Sender<End>,
    lease: Arc<ReadLease>,
}

/// Until when readers may trust the view (PROTOCOL M2).
#[derive(Debug)]
pub(crate) struct ReadLease {
    /// Milliseconds of the node's clock; `u64::MAX` for always.
    until_ms: AtomicU64,
    renewed: Notify,
}

/// No lease came in time, or no proof: what this node has may be old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MaybeOld;

/// Sessions to end. One that misses messages must take itself for ended.
pub(crate) struct Ends(broadcast::Receiver<End>);

impl AgentHandle {
    /// The agent's thread is at the other ends of the channels. There is no lease until one is published.
    pub(crate) fn new(
        questions: mpsc::Sender<Question>,
        views: watch::Receiver<Arc<View>>,
        ends: broadcast::Sender<End>,
    ) -> Self {
        let lease = ReadLease { until_ms: AtomicU64::new(0), renewed: Notify::new() };
        Self { questions, views, ends, lease: Arc::new(lease) }
    }

    /// For who publishes leases.
    pub(crate) fn lease(&self) -> Arc<ReadLease> {
        Arc::clone(&self.lease)
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

    /// The newest published state under a lease: what was acknowledged anywhere before is in it. Waits for a lease as
    /// long as `read_wait`.
    pub(crate) async fn view_with_lease(&self, read_wait: Duration) -> Result<Arc<View>, MaybeOld> {
        if let Some(view) = self.leased_view() {
            return Ok(view);
        }
        let wait = async {
            loop {
                let mut renewed = pin!(self.lease.renewed.notified());
                // From here on no word is missed.
                renewed.as_mut().enable();
                if let Some(view) = self.leased_view() {
                    return view;
                }
                renewed.await;
            }
        };
        timeout(read_wait, wait).await.map_err(|_elapsed| MaybeOld)
    }

    /// A published state that has everything which was acknowledged anywhere before the call. Waits for the proof as long
    /// as `read_wait`.
    pub(crate) async fn linearizable_view(
        &self,
        read_wait: Duration,
    ) -> Result<Arc<View>, MaybeOld> {
        if !self.lease.is_unlimited() {
            let wait_ms = u64::try_from(read_wait.as_millis()).unwrap_or(u64::MAX);
            match self.ask(SessionEvent::Read { wait_ms }).await {
                Some(Answer::Ok) => {}
                Some(_) | None => return Err(MaybeOld),
            }
        }
        Ok(self.view())
    }

    /// The clock is asked before the view is taken and after it. Asked only after, an old view could get through
    /// between a lease that was over and the next one.
    fn leased_view(&self) -> Option<Arc<View>> {
        if !self.lease.holds() {
            return None;
        }
        let view = self.view();
        self.lease.holds().then_some(view)
    }

    /// From now on, which sessions the agent ends.
    pub(crate) fn ends(&self) -> Ends {
        Ends(self.ends.subscribe())
    }
}

impl ReadLease {
    /// The lease from now on. To be called after the view that it is for is published.
    pub(crate) fn publish(&self, lease: Lease) {
        let until_ms = match lease {
            Lease::Unlimited => u64::MAX,
            Lease::Until(until) => until.0,
        };
        self.until_ms.store(until_ms, Ordering::Release);
        self.renewed.notify_waiters();
    }

    /// There is no other member.
    fn is_unlimited(&self) -> bool {
        self.until_ms.load(Ordering::Acquire) == u64::MAX
    }

    fn holds(&self) -> bool {
        match self.until_ms.load(Ordering::Acquire) {
            u64::MAX => true,
            until_ms => clock::now().0 < until_ms,
        }
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

#[cfg(test)]
mod tests {
    use super::{AgentHandle, MaybeOld};
    use crate::agent::effects::Lease;
    use crate::base::time::Timestamp;
    use crate::io::clock;
    use crate::netconf::state::View;
    use crate::netconf::test_server::view;
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::sync::{broadcast, mpsc, watch};

    fn handle() -> (AgentHandle, watch::Sender<Arc<View>>) {
        let (views, receiver) = watch::channel(Arc::new(view()));
        let (questions, _) = mpsc::channel(1);
        (AgentHandle::new(questions, receiver, broadcast::channel(1).0), views)
    }

    const SHORT: Duration = Duration::from_millis(20);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_view_is_given_under_a_lease_only() {
        let (handle, _views) = handle();
        let past = Lease::Until(clock::now());
        let future = Lease::Until(clock::now().plus_ms(1_000_000));
        for (lease, given) in [(None, false), (Some(past), false), (Some(future), true)] {
            if let Some(lease) = lease {
                handle.lease().publish(lease);
            }
            let view = handle.view_with_lease(SHORT).await;
            assert_eq!(view.is_ok(), given, "{lease:?}");
        }
        handle.lease().publish(Lease::Unlimited);
        assert!(handle.view_with_lease(SHORT).await.is_ok());
        handle.lease().publish(Lease::Until(Timestamp(0)));
        assert_eq!(
            handle.view_with_lease(SHORT).await.err(),
            Some(MaybeOld),
            "it can be taken back"
        );
    }

    #[tokio::test]
    async fn who_waits_gets_the_view_that_came_with_the_lease() {
        let (handle, views) = handle();
        let waiting = handle.clone();
        let waiting = tokio::spawn(async move { waiting.view_with_lease(LONG).await });
        tokio::task::yield_now().await;
        handle.lease().publish(Lease::Until(Timestamp(0)));
        tokio::task::yield_now().await;
        let newest = Arc::new(view());
        views.send_replace(Arc::clone(&newest));
        handle.lease().publish(Lease::Until(clock::now().plus_ms(1_000_000)));
        let view = waiting.await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&view, &newest));
    }
}

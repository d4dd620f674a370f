//! Tasks that have an owner who waits for them.

use std::future::Future;
use tokio::sync::mpsc;

/// Starts tasks for an owner.
#[derive(Debug, Clone)]
pub(crate) struct Tasks(mpsc::Sender<()>);

/// The owner's side.
#[derive(Debug)]
pub(crate) struct Running(mpsc::Receiver<()>);

/// A pair: who starts tasks, who waits for them.
pub(crate) fn channel() -> (Tasks, Running) {
    let (sender, receiver) = mpsc::channel(1);
    (Tasks(sender), Running(receiver))
}

impl Tasks {
    /// Runs `future` beside the caller. A panic in it ends it alone.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let alive = self.0.clone();
        // The owner learns of the end by `alive`; that the handle is dropped detaches, it does not abort.
        drop(tokio::spawn(async move {
            future.await;
            drop(alive);
        }));
    }
}

impl Running {
    /// Waits until every task has ended and nobody is left who could start another.
    pub(crate) async fn ended(mut self) {
        while self.0.recv().await.is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn the_owner_waits_for_the_last_task_and_survives_a_panic() {
        let (tasks, running) = super::channel();
        let (release, released) = oneshot::channel::<()>();
        let (done, mut is_done) = oneshot::channel();
        tasks.spawn(async move {
            released.await.unwrap();
            done.send(()).unwrap();
        });
        tasks.spawn(async { panic!("on purpose") });
        drop(tasks);
        release.send(()).unwrap();
        running.ended().await;
        is_done.try_recv().unwrap();
    }
}

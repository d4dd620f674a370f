//! The word that everything is to end, said once to all tasks.

use tokio::sync::watch;

/// Hears the word. Every task holds its own.
#[derive(Debug, Clone)]
pub(crate) struct Shutdown(watch::Receiver<bool>);

/// Says the word. Dropping it says the word, too.
#[derive(Debug)]
pub(crate) struct ShutdownSender(watch::Sender<bool>);

/// A pair: who says it, who hears it.
pub(crate) fn channel() -> (ShutdownSender, Shutdown) {
    let (sender, receiver) = watch::channel(false);
    (ShutdownSender(sender), Shutdown(receiver))
}

impl ShutdownSender {
    /// From now on `requested` returns for all.
    pub(crate) fn request(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// Waits for the word.
    pub(crate) async fn requested(&mut self) {
        // An error means that the sender is gone, and with it the one who could say anything else.
        if self.0.wait_for(|requested| *requested).await.is_err() {
            tracing::debug!("who says when to stop is gone");
        }
    }
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn all_hear_the_word_also_when_it_was_said_before_they_listened() {
        let (sender, mut early) = super::channel();
        let mut late = early.clone();
        sender.request();
        early.requested().await;
        late.requested().await;
    }

    #[tokio::test]
    async fn the_end_of_the_sender_is_the_word() {
        let (sender, mut shutdown) = super::channel();
        drop(sender);
        shutdown.requested().await;
    }
}

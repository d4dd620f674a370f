//! Messages that wait to be sent in one lane, bounded by their bytes.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Whether a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Taken,
    /// The queue is full, and the message is gone: the protocol sends it again.
    Dropped,
}

/// The queue. Whoever pushes never waits; one task takes.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    waiting: Mutex<Waiting>,
    more: Notify,
}

/// Invariant: `bytes` is the sum of the lengths.
#[derive(Debug, Default)]
struct Waiting {
    messages: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Queue {
    /// An empty queue for `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default(), more: Notify::new() }
    }

    /// Adds a message, unless there are too many bytes. The first one is always taken.
    pub(super) fn push(&self, message: Vec<u8>) -> Pushed {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(message.len());
        if bytes > self.limit && !waiting.messages.is_empty() {
            return Pushed::Dropped;
        }
        waiting.bytes = bytes;
        waiting.messages.push_back(message);
        drop(waiting);
        self.more.notify_one();
        Pushed::Taken
    }

    /// Waits for messages and takes the next ones, up to about `bytes` bytes. Cancelling it loses nothing.
    pub(super) async fn take(&self, bytes: usize) -> Vec<Vec<u8>> {
        loop {
            let taken = self.waiting().take(bytes);
            if !taken.is_empty() {
                return taken;
            }
            self.more.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn take(&mut self, bytes: usize) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        let mut sum: usize = 0;
        while sum < bytes
            && let Some(message) = self.messages.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(message.len());
            sum = sum.saturating_add(message.len().max(1));
            taken.push(message);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{Pushed, Queue};

    #[tokio::test]
    async fn messages_are_bounded_by_bytes_and_come_in_order() {
        let queue = Queue::new(10);
        for (message, taken) in [
            (vec![1; 4], Pushed::Taken),
            (vec![2; 6], Pushed::Taken),
            (vec![3; 1], Pushed::Dropped),
        ] {
            assert_eq!(queue.push(message), taken);
        }
        assert_eq!(queue.take(1).await, [vec![1; 4]]);
        assert_eq!(queue.push(vec![4; 4]), Pushed::Taken);
        assert_eq!(queue.take(100).await, [vec![2; 6], vec![4; 4]]);
    }

    #[tokio::test]
    async fn one_message_is_taken_whatever_its_length() {
        let queue = Queue::new(10);
        assert_eq!(queue.push(vec![1; 100]), Pushed::Taken);
        assert_eq!(queue.push(vec![2; 1]), Pushed::Dropped);
        assert_eq!(queue.take(1).await.len(), 1);
        assert_eq!(queue.push(vec![2; 1]), Pushed::Taken);
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_what_comes() {
        let queue = std::sync::Arc::new(Queue::new(10));
        let taker = std::sync::Arc::clone(&queue);
        let taken = tokio::spawn(async move { taker.take(10).await });
        tokio::task::yield_now().await;
        queue.push(vec![7]);
        assert_eq!(taken.await.unwrap(), [vec![7]]);
    }
}

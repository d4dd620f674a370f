//! Messages that wait to be sent in one lane, bounded by their bytes.

use crate::raft::Payload;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Whether a message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Taken,
    /// The queue is full, or the same log entry is on its way already. The message is gone: the protocol sends it again.
    Dropped,
}

/// A message in bytes, and what goes beside it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Parcel {
    pub(super) message: Vec<u8>,
    pub(super) beside: Vec<Payload>,
}

/// The queue. Whoever pushes never waits; one task takes.
#[derive(Debug)]
pub(super) struct Queue {
    limit: usize,
    waiting: Mutex<Waiting>,
    more: Notify,
}

/// Invariant: `bytes` is the sum of the lengths of `parcels`.
#[derive(Debug, Default)]
struct Waiting {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    /// What went beside the parcels that were taken last: they are being sent.
    under_way: Vec<Payload>,
    /// A message was begun that the connection did not take whole.
    is_begun: bool,
}

impl From<Vec<u8>> for Parcel {
    fn from(message: Vec<u8>) -> Self {
        Self { message, beside: Vec::new() }
    }
}

impl Parcel {
    fn len(&self) -> usize {
        let beside = self.beside.iter().map(|payload| payload.len());
        beside.fold(self.message.len(), usize::saturating_add)
    }
}

impl Queue {
    /// An empty queue for `limit` bytes.
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, waiting: Mutex::default(), more: Notify::new() }
    }

    /// Adds a message, unless there are too many bytes; the first one is always taken. A log entry beside it is not sent
    /// a second time while it waits or is being sent: who has not answered yet is asked again and again.
    pub(super) fn push(&self, parcel: Parcel) -> Pushed {
        let mut waiting = self.waiting();
        let bytes = waiting.bytes.saturating_add(parcel.len());
        let is_full = bytes > self.limit && !waiting.parcels.is_empty();
        if is_full || parcel.beside.iter().any(|payload| waiting.has(payload)) {
            return Pushed::Dropped;
        }
        waiting.bytes = bytes;
        waiting.parcels.push_back(parcel);
        drop(waiting);
        self.more.notify_one();
        Pushed::Taken
    }

    /// Nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting().parcels.is_empty()
    }

    /// A message was begun past the queue: whoever takes from it has to go on with that.
    pub(super) fn begun(&self) {
        self.waiting().is_begun = true;
        self.more.notify_one();
    }

    /// Waits until there is something to take, or to go on with.
    pub(super) async fn ready(&self) {
        loop {
            if self.waiting().is_ready() {
                return;
            }
            self.more.notified().await;
        }
    }

    /// Takes the next messages, up to about `bytes` bytes; those that were taken before have been sent.
    pub(super) fn take(&self, bytes: usize) -> Vec<Parcel> {
        self.waiting().take(bytes)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Nothing in here panics while it is held.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn has(&self, payload: &Payload) -> bool {
        let waiting = self.parcels.iter().flat_map(|parcel| &parcel.beside);
        waiting.chain(&self.under_way).any(|known| known.is(payload))
    }

    fn is_ready(&self) -> bool {
        self.is_begun || !self.parcels.is_empty()
    }

    fn take(&mut self, bytes: usize) -> Vec<Parcel> {
        self.is_begun = false;
        self.under_way.clear();
        let mut taken: Vec<Parcel> = Vec::new();
        let mut sum: usize = 0;
        while sum < bytes
            && let Some(parcel) = self.parcels.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(parcel.len());
            sum = sum.saturating_add(parcel.len().max(1));
            self.under_way.extend(parcel.beside.iter().cloned());
            taken.push(parcel);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::{Parcel, Pushed, Queue};
    use crate::raft::Payload;

    async fn take(queue: &Queue, bytes: usize) -> Vec<Vec<u8>> {
        queue.ready().await;
        queue.take(bytes).into_iter().map(|parcel| parcel.message).collect()
    }

    #[tokio::test]
    async fn messages_are_bounded_by_bytes_and_come_in_order() {
        let queue = Queue::new(10);
        for (message, taken) in [
            (vec![1; 4], Pushed::Taken),
            (vec![2; 6], Pushed::Taken),
            (vec![3; 1], Pushed::Dropped),
        ] {
            assert_eq!(queue.push(message.into()), taken);
        }
        assert_eq!(take(&queue, 1).await, [vec![1; 4]]);
        assert_eq!(queue.push(vec![4; 4].into()), Pushed::Taken);
        assert_eq!(take(&queue, 100).await, [vec![2; 6], vec![4; 4]]);
    }

    #[tokio::test]
    async fn one_message_is_taken_whatever_its_length() {
        let queue = Queue::new(10);
        assert_eq!(queue.push(vec![1; 100].into()), Pushed::Taken);
        assert_eq!(queue.push(vec![2; 1].into()), Pushed::Dropped);
        assert_eq!(take(&queue, 1).await.len(), 1);
        assert_eq!(queue.push(vec![2; 1].into()), Pushed::Taken);
    }

    #[tokio::test]
    async fn what_goes_beside_counts_and_is_not_sent_again_before_it_was_sent() {
        let queue = Queue::new(10);
        let entry = Payload::from(vec![9; 8]);
        let parcel = || Parcel { message: vec![1], beside: vec![entry.clone()] };
        assert_eq!(queue.push(parcel()), Pushed::Taken);
        assert_eq!(queue.push(parcel()), Pushed::Dropped, "it waits");
        assert_eq!(queue.push(vec![2; 2].into()), Pushed::Dropped, "no room");
        assert_eq!(take(&queue, 1).await, [vec![1]]);
        assert_eq!(queue.push(parcel()), Pushed::Dropped, "it is being sent");
        assert_eq!(queue.push(vec![3].into()), Pushed::Taken);
        assert_eq!(take(&queue, 1).await, [vec![3]]);
        assert_eq!(queue.push(parcel()), Pushed::Taken, "it was sent");
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_what_comes() {
        let queue = std::sync::Arc::new(Queue::new(10));
        let taker = std::sync::Arc::clone(&queue);
        let taken = tokio::spawn(async move { take(&taker, 10).await });
        tokio::task::yield_now().await;
        queue.push(vec![7].into());
        assert_eq!(taken.await.unwrap(), [vec![7]]);
    }
}

//! The sending half of a lane.
//!
//! While nothing waits, the agent's thread writes a message itself: each message of a commit would otherwise wake
//! another thread on its way, twice in a round trip.

use super::frame;
use super::queue::Queue;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use tokio::io::AsyncWrite;
use tokio::sync::{Mutex, MutexGuard};

/// A sending half of whatever connection.
pub(super) type Half = Box<dyn AsyncWrite + Send + Unpin>;

/// Where a lane sends, from its beginning to its end.
#[derive(Default)]
pub(super) struct Outlet(Mutex<Option<Open>>);

/// A connection that is there.
pub(super) struct Open {
    pub(super) half: Half,
    /// Bytes that are to be written before anything else.
    pub(super) rest: Vec<u8>,
}

impl Outlet {
    /// The lane is there.
    pub(super) async fn open(&self, half: Half) {
        *self.0.lock().await = Some(Open { half, rest: Vec::new() });
    }

    /// The lane ends. Gives what it wrote to.
    pub(super) async fn close(&self) -> Option<Half> {
        self.0.lock().await.take().map(|open| open.half)
    }

    /// For the task that writes what waits.
    pub(super) async fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.0.lock().await
    }

    /// Writes a message if nothing waits before it, without waiting for anything. Whether it was taken: what the
    /// connection did not take at once is left to the task that empties `queue`, and so is every error.
    pub(super) fn write_now(&self, queue: &Queue, message: &[u8]) -> bool {
        let Ok(mut open) = self.0.try_lock() else { return false };
        let Some(Open { half, rest }) = open.as_mut() else { return false };
        if !rest.is_empty() || !queue.is_empty() {
            return false;
        }
        rest.extend_from_slice(&frame::header(message));
        rest.extend_from_slice(message);
        if !write(half, rest) {
            queue.begun();
        }
        true
    }
}

/// Writes as much of `rest` as the connection takes now. Whether that was all, and is on its way.
fn write(half: &mut Half, rest: &mut Vec<u8>) -> bool {
    // Who has to wait for the connection asks again, with a waker.
    let mut context = Context::from_waker(Waker::noop());
    let mut written = 0;
    while let Some(bytes) = rest.get(written..).filter(|bytes| !bytes.is_empty()) {
        match Pin::new(&mut *half).poll_write(&mut context, bytes) {
            Poll::Ready(Ok(count)) if count > 0 => written += count,
            Poll::Ready(Ok(_) | Err(_)) | Poll::Pending => break,
        }
    }
    rest.drain(..written);
    rest.is_empty() && matches!(Pin::new(half).poll_flush(&mut context), Poll::Ready(Ok(())))
}

impl fmt::Debug for Outlet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Outlet").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Open, Outlet, Queue};
    use crate::io::peer::frame;
    use crate::io::peer::queue::Pushed;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_the_connection_does_not_take_at_once_is_left_to_the_task() {
        let (outlet, queue) = (Outlet::default(), Queue::new(1 << 20));
        let message = vec![7; 100];
        assert!(!outlet.write_now(&queue, &message), "there is no connection");
        let (near, mut far) = tokio::io::duplex(64);
        outlet.open(Box::new(near)).await;
        assert!(outlet.write_now(&queue, &message));
        assert!(!outlet.write_now(&queue, &message), "the first is not written whole");
        queue.ready().await;
        let rest = {
            let mut open = outlet.lock().await;
            let Open { half, rest } = open.as_mut().unwrap();
            let (count, rest) = (rest.len(), std::mem::take(rest));
            let writes = async { half.write_all(&rest).await.unwrap() };
            let mut bytes = vec![0; frame::header(&message).len() + message.len()];
            let reads = async { far.read_exact(&mut bytes).await.unwrap() };
            tokio::join!(writes, reads);
            assert!(bytes.ends_with(&message));
            count
        };
        assert!(rest > 0);
        assert_eq!(queue.push(vec![1].into()), Pushed::Taken);
        assert!(!outlet.write_now(&queue, &message), "another waits before it");
        assert_eq!(queue.take(10).len(), 1);
        assert!(outlet.write_now(&queue, &[1, 2, 3]));
        assert!(outlet.close().await.is_some());
        assert!(!outlet.write_now(&queue, &message));
    }
}

//! One SSH channel as a session's transport.

use crate::agent::event::EndCause;
use crate::base::limits::{SESSION_END_TIMEOUT_S, SSH_INPUT_PACKETS_MAX};
use crate::io::service::{Peer, Refusal, Service};
use bytes::{Buf, Bytes};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};

/// SSH_EXTENDED_DATA_STDERR (RFC 4254, 5.2): what clients show to people.
const STDERR: u32 = 1;

/// Runs one session over a channel whose subsystem was started, and closes the channel.
pub(super) async fn serve<S: Service>(service: S, peer: Peer, channel: Channel<Msg>) {
    let (from_client, to_client) = channel.split();
    let incoming = SharedIncoming::new(from_client);
    let input = Input { incoming: incoming.clone(), rest: Bytes::new() };
    let served = service.serve(peer, input, to_client.make_writer(), incoming.gone()).await;
    let status = match served {
        Ok(EndCause::Closed | EndCause::Shutdown) => 0,
        Ok(EndCause::Killed | EndCause::Dropped) | Err(_) => 1,
    };
    let farewell = async {
        if let Err(Refusal(reason)) = served {
            to_client.extended_data_bytes(STDERR, format!("quorate: {reason}\n")).await?;
        }
        // Without an exit status, and before the end of file, OpenSSH's client calls it a failure of the connection.
        to_client.exit_status(status).await?;
        to_client.eof().await?;
        to_client.close().await
    };
    match tokio::time::timeout(Duration::from_secs(SESSION_END_TIMEOUT_S), farewell).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "the connection ended before its channel"),
        Err(_) => tracing::debug!("the client does not take the end of its channel"),
    }
}

/// What comes from a client, for `Input` and `gone`.
///
/// It is taken from the connection at once and kept for a session that reads when it has time: the connection delivers
/// packets of all its channels, window adjustments among them, one after the other, so that a session that waits for a
/// window to write must not keep it from delivering that window.
///
/// Invariant: both are polled by one task, for the channel wakes only who asked last. A channel of tokio's between
/// them would have the task wake itself for each packet, which starts another thread of the runtime.
struct Incoming {
    channel: ChannelReadHalf,
    packets: VecDeque<Bytes>,
    /// The client says nothing more, but may still listen.
    ended: bool,
    closed: bool,
}

impl Incoming {
    /// Takes all that is there, as far as there is room.
    fn take(&mut self, context: &mut Context<'_>) {
        while !self.closed && self.packets.len() < SSH_INPUT_PACKETS_MAX {
            let Poll::Ready(message) = pin!(self.channel.wait()).poll(context) else { return };
            self.closed = matches!(message, None | Some(ChannelMsg::Close));
            self.ended |= self.closed || matches!(message, Some(ChannelMsg::Eof));
            if let Some(ChannelMsg::Data { data }) = message
                && !self.ended
                && !data.is_empty()
            {
                self.packets.push_back(data);
            }
        }
    }

    /// The next packet, `None` at the end.
    fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.take(context);
        match self.packets.pop_front() {
            None if self.ended => Poll::Ready(None),
            None => Poll::Pending,
            packet => {
                // There is room now: who waits for anything else shall hear of the end.
                self.take(context);
                Poll::Ready(packet)
            }
        }
    }
}

/// The same, shared by both.
#[derive(Clone)]
struct SharedIncoming(Arc<Mutex<Incoming>>);

impl SharedIncoming {
    fn new(channel: ChannelReadHalf) -> Self {
        let packets = VecDeque::new();
        let incoming = Incoming { channel, packets, ended: false, closed: false };
        Self(Arc::new(Mutex::new(incoming)))
    }

    fn lock(&self) -> MutexGuard<'_, Incoming> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ready when the channel is closed.
    async fn gone(self) {
        poll_fn(|context| {
            let mut incoming = self.lock();
            incoming.take(context);
            if incoming.closed { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// What a client sent, as a stream of bytes.
struct Input {
    incoming: SharedIncoming,
    /// What did not fit into the reader's last buffer.
    rest: Bytes,
}

impl AsyncRead for Input {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.rest.has_remaining() {
            let next = self.incoming.lock().poll_next(context);
            match ready!(next) {
                Some(packet) => self.rest = packet,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = self.rest.remaining().min(buffer.remaining());
        buffer.put_slice(&self.rest.split_to(len));
        Poll::Ready(Ok(()))
    }
}

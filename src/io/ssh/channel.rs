//! One SSH channel as a session's transport.

use crate::agent::event::EndCause;
use crate::base::limits::{SESSION_END_TIMEOUT_S, SSH_INPUT_PACKETS_MAX};
use crate::io::service::{Peer, Refusal, Service};
use bytes::{Buf, Bytes};
use russh::server::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

/// SSH_EXTENDED_DATA_STDERR (RFC 4254, 5.2): what clients show to people.
const STDERR: u32 = 1;

/// Runs one session over a channel whose subsystem was started, and closes the channel.
pub(super) async fn serve<S: Service>(service: S, peer: Peer, channel: Channel<Msg>) {
    let (from_client, to_client) = channel.split();
    let (packets, input) = mpsc::channel(SSH_INPUT_PACKETS_MAX);
    let input = Input { packets: input, rest: Bytes::new() };
    let served =
        service.serve(peer, input, to_client.make_writer(), pump(from_client, packets)).await;
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

/// Takes what the client sends, at once, for a session that reads when it has time; ends when the channel is closed.
///
/// The connection delivers packets of all its channels, window adjustments among them, one after the other. A session
/// that waits for a window to write must therefore not keep the connection from delivering that window.
async fn pump(mut from_client: ChannelReadHalf, packets: mpsc::Sender<Bytes>) {
    let mut packets = Some(packets);
    while let Some(message) = from_client.wait().await {
        if let ChannelMsg::Close = message {
            return;
        }
        if let ChannelMsg::Eof = message {
            // The client says nothing more, but still listens.
            packets = None;
        }
        if let (ChannelMsg::Data { data }, Some(packets)) = (message, &packets)
            && !data.is_empty()
            && packets.send(data).await.is_err()
        {
            tracing::debug!("data for a session that does not listen any more");
        }
    }
}

/// What a client sent, as a stream of bytes.
struct Input {
    packets: mpsc::Receiver<Bytes>,
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
            match ready!(self.packets.poll_recv(context)) {
                Some(packet) => self.rest = packet,
                None => return Poll::Ready(Ok(())),
            }
        }
        let len = self.rest.remaining().min(buffer.remaining());
        buffer.put_slice(&self.rest.split_to(len));
        Poll::Ready(Ok(()))
    }
}

//! A TCP connection that can be closed from outside of the task that reads and writes it.

use rustix::net::sockopt::set_tcp_quickack;
use rustix::net::{Shutdown, shutdown};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that are read at once, or more for a long packet: the library reads each packet in two steps, and short ones
/// come together. After so few, another short packet may be waiting at the client's side.
pub(super) const READ_AHEAD_BYTES: usize = 4 << 10;

/// The same connection in several hands.
#[derive(Debug, Clone)]
pub(super) struct Stream(Arc<TcpStream>);

impl Stream {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self(Arc::new(stream))
    }

    /// Ends reading and writing for everybody.
    pub(super) fn close(&self) {
        if let Err(error) = shutdown(&*self.0, Shutdown::Both) {
            tracing::debug!(%error, "the connection was closed already");
        }
    }

    /// Acknowledges what was received now, not together with an answer.
    ///
    /// A client that does not switch Nagle's algorithm off, as OpenSSH's does not for subsystems, holds its next
    /// packet back until then: 40 ms for nothing, in the key exchange and after each short packet that has no answer.
    fn acknowledge(&self) {
        if let Err(error) = set_tcp_quickack(&*self.0, true) {
            tracing::trace!(%error, "cannot acknowledge at once");
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.0.poll_read_ready(context))?;
            match self.0.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(len) => {
                    if len <= READ_AHEAD_BYTES {
                        self.acknowledge();
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.0.poll_write_ready(context))?;
            match self.0.try_write_vectored(slices) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(shutdown(&*self.0, Shutdown::Write).map_err(io::Error::from))
    }
}

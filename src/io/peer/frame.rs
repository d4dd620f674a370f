//! Frames between members: a length of 31 bits, big-endian, and so many bytes. An empty one is a sign of life.
//!
//! The highest bit of the length says that the frame is no message but belongs beside the next one.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Bytes of a frame's length.
pub(super) const HEADER_BYTES: usize = 4;

/// What was wrong with what came, or did not come.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameError {
    #[error("nothing was heard for {} ms", .0.as_millis())]
    Silence(Duration),
    #[error("nothing could be sent for {} ms", .0.as_millis())]
    Stall(Duration),
    #[error("a frame of {bytes} bytes is too long, the limit is {limit}")]
    TooLong { bytes: usize, limit: usize },
    /// TLS says that the member itself has ended it (close_notify; RFC 8446, 6.1).
    #[error("the member has closed it")]
    Ended,
    #[error("it was cut off")]
    CutOff,
    #[error(transparent)]
    Io(io::Error),
}

impl From<io::Error> for FrameError {
    fn from(error: io::Error) -> Self {
        let kind = error.kind();
        let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        if closed.contains(&kind) { Self::CutOff } else { Self::Io(error) }
    }
}

/// What a frame announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Announced {
    Message(usize),
    /// So many bytes that belong beside the next message.
    Beside(usize),
}

/// The highest bit of the length.
const BESIDE: u32 = 1 << 31;

/// The next frame, of at most `limit` bytes; each part of it must come within `silence`.
pub(super) async fn read<R: AsyncRead + Unpin>(
    reader: &mut R,
    limit: usize,
    silence: Duration,
) -> Result<Vec<u8>, FrameError> {
    match announced(reader, silence).await? {
        Announced::Message(length) => body(reader, length, limit, silence).await,
        Announced::Beside(bytes) => Err(FrameError::TooLong { bytes, limit: 0 }),
    }
}

/// What comes next; the body follows.
pub(super) async fn announced<R: AsyncRead + Unpin>(
    reader: &mut R,
    silence: Duration,
) -> Result<Announced, FrameError> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    fill(reader, &mut header, HEADER_BYTES, silence).await?;
    let header = header.first_chunk::<HEADER_BYTES>().copied().unwrap_or_default();
    let stated = u32::from_be_bytes(header);
    let length = usize::try_from(stated & !BESIDE).unwrap_or(usize::MAX);
    let is_beside = stated & BESIDE != 0;
    Ok(if is_beside { Announced::Beside(length) } else { Announced::Message(length) })
}

/// The body of a frame. Memory is taken as bytes arrive, not as the length announces them.
pub(super) async fn body<R: AsyncRead + Unpin>(
    reader: &mut R,
    length: usize,
    limit: usize,
    silence: Duration,
) -> Result<Vec<u8>, FrameError> {
    if length > limit {
        return Err(FrameError::TooLong { bytes: length, limit });
    }
    let mut frame = Vec::new();
    fill(reader, &mut frame, length, silence).await?;
    Ok(frame)
}

async fn fill<R: AsyncRead + Unpin>(
    reader: &mut R,
    buffer: &mut Vec<u8>,
    length: usize,
    silence: Duration,
) -> Result<(), FrameError> {
    while buffer.len() < length {
        let missing = length.saturating_sub(buffer.len());
        let mut part = (&mut *reader).take(u64::try_from(missing).unwrap_or(u64::MAX));
        let read = timeout(silence, part.read_buf(buffer)).await;
        if read.map_err(|_elapsed| FrameError::Silence(silence))?? == 0 {
            return Err(FrameError::Ended);
        }
    }
    Ok(())
}

/// Writes one frame and sends it off.
pub(super) async fn write<W: AsyncWrite + Unpin>(
    writer: &mut W,
    frame: &[u8],
    stall: Duration,
) -> Result<(), FrameError> {
    write_all(writer, &header(frame), stall).await?;
    write_all(writer, frame, stall).await?;
    flush(writer, stall).await
}

/// The length in front of a frame.
pub(super) fn header(frame: &[u8]) -> [u8; HEADER_BYTES] {
    // What is sent is bounded far below by the limits of its lane.
    u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// The length in front of bytes that belong beside the next message.
pub(super) fn header_beside(bytes: &[u8]) -> [u8; HEADER_BYTES] {
    (u32::from_be_bytes(header(bytes)) | BESIDE).to_be_bytes()
}

/// Writes everything; each part of it must go within `stall`.
pub(super) async fn write_all<W: AsyncWrite + Unpin>(
    writer: &mut W,
    bytes: &[u8],
    stall: Duration,
) -> Result<(), FrameError> {
    let mut rest = bytes;
    while !rest.is_empty() {
        let written = timeout(stall, writer.write(rest)).await;
        let written = written.map_err(|_elapsed| FrameError::Stall(stall))??;
        rest = match rest.get(written..) {
            Some(rest) if written > 0 => rest,
            Some(_) | None => return Err(FrameError::CutOff),
        };
    }
    Ok(())
}

/// Sends off what was written.
pub(super) async fn flush<W: AsyncWrite + Unpin>(
    writer: &mut W,
    stall: Duration,
) -> Result<(), FrameError> {
    timeout(stall, writer.flush()).await.map_err(|_elapsed| FrameError::Stall(stall))??;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{FrameError, read, write};
    use std::time::Duration;
    use tokio::io::{AsyncWriteExt, duplex};

    const SHORT: Duration = Duration::from_millis(1_500);

    #[tokio::test]
    async fn frames_come_as_they_went_one_by_one() {
        let (mut ours, mut theirs) = duplex(7);
        let frames = [b"".to_vec(), b"a".to_vec(), vec![3; 1000]];
        let sent = frames.clone();
        let sender = tokio::spawn(async move {
            for frame in sent {
                write(&mut ours, &frame, SHORT).await.unwrap();
            }
        });
        for frame in frames {
            assert_eq!(read(&mut theirs, 1000, SHORT).await.unwrap(), frame);
        }
        assert!(matches!(read(&mut theirs, 1000, SHORT).await, Err(FrameError::Ended)));
        sender.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_announced_too_long_is_not_waited_for() {
        let (mut ours, mut theirs) = duplex(64);
        ours.write_all(&1001_u32.to_be_bytes()).await.unwrap();
        let error = read(&mut theirs, 1000, SHORT).await.unwrap_err();
        assert!(matches!(error, FrameError::TooLong { bytes: 1001, limit: 1000 }));
    }

    #[tokio::test(start_paused = true)]
    async fn silence_in_the_middle_of_a_frame_is_noticed_and_a_slow_one_is_waited_for() {
        let (mut ours, mut theirs) = duplex(64);
        let reader = tokio::spawn(async move {
            let slow = read(&mut theirs, 1000, SHORT).await;
            (slow, read(&mut theirs, 1000, SHORT).await)
        });
        for byte in [0, 0, 0, 2, 7, 8, 0, 0, 0, 2, 7] {
            ours.write_all(&[byte]).await.unwrap();
            tokio::time::sleep(SHORT / 2).await;
        }
        let (slow, silent) = reader.await.unwrap();
        assert_eq!(slow.unwrap(), [7, 8]);
        assert!(matches!(silent, Err(FrameError::Silence(_))));
    }

    #[tokio::test(start_paused = true)]
    async fn one_who_reads_nothing_is_given_up() {
        let (mut ours, _theirs) = duplex(64);
        let error = write(&mut ours, &[0; 100], SHORT).await.unwrap_err();
        assert!(matches!(error, FrameError::Stall(_)));
    }
}

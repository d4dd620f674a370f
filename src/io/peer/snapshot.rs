//! Snapshots on their way to a member: each on a connection of its own, piece by piece, so that neither side holds more
//! of it than a few pieces.
//!
//! The sender's frames are a head, pieces of the state, and an empty one; the receiver answers with a frame when the
//! snapshot is durable, or with why it is not.

use super::frame::{self, FrameError};
use super::{Events, PeerEvent};
use crate::base::ids::{Incarnation, LogIndex};
use crate::base::limits::{
    PEER_SNAPSHOT_FRAME_BYTES_MAX, PEER_SNAPSHOT_PIECES_MAX, PEER_SNAPSHOT_STALL_S,
};
use crate::raft::SnapshotMeta;
use crate::replication::snapshot::Decoder;
use crate::replication::state::State;
use crate::storage::{Disk, SnapshotReader, SnapshotWriter};
use crate::yang::schema::Schema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The longest silence.
const STALL: Duration = Duration::from_secs(PEER_SNAPSHOT_STALL_S);
/// Arrived bytes after which the operator is told.
const PROGRESS_BYTES: u64 = 4 << 20;

/// Between two lines of the log.
const PROGRESS_PAUSE: Duration = Duration::from_secs(1);

/// A snapshot of another member that is durable here.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) from: Incarnation,
    pub(crate) meta: SnapshotMeta,
    pub(crate) state: State,
    /// For consensus.
    pub(crate) frame: Vec<u8>,
}

/// The first frame.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    meta: SnapshotMeta,
    /// About as many bytes as will come.
    bytes: u64,
    frame: Vec<u8>,
}

/// The last frame, from the receiver.
#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Durable,
    Failed(String),
}

/// Why a snapshot did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum TransferError {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("the snapshot cannot be read or written: {0}")]
    Disk(String),
    #[error("a frame cannot be read: {0}")]
    Form(#[from] postcard::Error),
    #[error("the member says: {0}")]
    Refused(String),
    #[error("the agent is gone")]
    AgentGone,
}

/// Sends the snapshot of this index, and returns when it is durable there.
pub(super) async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    disk: Arc<dyn Disk>,
    index: LogIndex,
    frame: Vec<u8>,
) -> Result<(), TransferError> {
    let (sender, mut pieces) = mpsc::channel(PEER_SNAPSHOT_PIECES_MAX);
    // It ends with the last piece, or when nobody takes them any more.
    let reading = tokio::task::spawn_blocking(move || read_pieces(disk, index, frame, &sender));
    while let Some(piece) = pieces.recv().await {
        frame::write(stream, &piece, STALL).await?;
    }
    drop(pieces);
    reading
        .await
        .map_err(|error| TransferError::Disk(error.to_string()))?
        .map_err(TransferError::Disk)?;
    frame::write(stream, &[], STALL).await?;
    let answer = frame::read(stream, PEER_SNAPSHOT_FRAME_BYTES_MAX, STALL).await?;
    match postcard::from_bytes(&answer)? {
        Outcome::Durable => Ok(()),
        Outcome::Failed(why) => Err(TransferError::Refused(super::greeting::one_line(&why))),
    }
}

/// The head and the pieces, to whom sends them.
fn read_pieces(
    disk: Arc<dyn Disk>,
    index: LogIndex,
    frame: Vec<u8>,
    sender: &mpsc::Sender<Vec<u8>>,
) -> Result<(), String> {
    let mut reader = SnapshotReader::open(disk, index).map_err(|error| error.to_string())?;
    let head = Head { meta: reader.meta().clone(), bytes: reader.file_bytes(), frame };
    let head = postcard::to_stdvec(&head).map_err(|error| error.to_string())?;
    let mut piece = Some(head);
    while let Some(bytes) = piece {
        if sender.blocking_send(bytes).is_err() {
            // The connection ended before.
            return Ok(());
        }
        piece = reader.read().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Takes a snapshot in, gives it to the agent, and tells the sender how it went.
pub(super) async fn receive<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    from: Incarnation,
    (disk, schema): (Arc<dyn Disk>, Arc<Schema>),
    events: &Events,
) -> Result<(), TransferError> {
    let received = receive_all(stream, (disk, schema), events).await;
    let (outcome, result) = match received {
        Ok((meta, state, frame)) => {
            let arrived = Box::new(Arrived { from, meta, state, frame });
            let told = events.tell(PeerEvent::SnapshotArrived(arrived)).await;
            (Outcome::Durable, if told { Ok(()) } else { Err(TransferError::AgentGone) })
        }
        Err(error) => (Outcome::Failed(error.to_string()), Err(error)),
    };
    let outcome = postcard::to_stdvec(&outcome)?;
    frame::write(stream, &outcome, STALL).await?;
    result
}

async fn receive_all<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    (disk, schema): (Arc<dyn Disk>, Arc<Schema>),
    events: &Events,
) -> Result<(SnapshotMeta, State, Vec<u8>), TransferError> {
    let head = frame::read(stream, PEER_SNAPSHOT_FRAME_BYTES_MAX, STALL).await?;
    let Head { meta, bytes, frame } = postcard::from_bytes(&head)?;
    tracing::info!(index = meta.position.index.0, bytes, "a snapshot is coming");
    let (sender, pieces) = mpsc::channel(PEER_SNAPSHOT_PIECES_MAX);
    let written = meta.clone();
    let writing = tokio::task::spawn_blocking(move || write_pieces(disk, written, &schema, pieces));
    let (mut arrived, mut told, mut logged) = (0_u64, 0_u64, Instant::now());
    loop {
        let piece = frame::read(stream, PEER_SNAPSHOT_FRAME_BYTES_MAX, STALL).await?;
        arrived = arrived.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        let done = piece.is_empty();
        if sender.send(Some(piece).filter(|_| !done)).await.is_err() || done {
            // If nobody takes them, the result says why.
            break;
        }
        if arrived.saturating_sub(told) >= PROGRESS_BYTES {
            told = arrived;
            events.tell(PeerEvent::SnapshotProgress { arrived, of: bytes }).await;
        }
        if logged.elapsed() >= PROGRESS_PAUSE {
            logged = Instant::now();
            let percent = arrived.saturating_mul(100).checked_div(bytes).unwrap_or(100).min(99);
            tracing::info!(percent, arrived, of = bytes, "the snapshot is coming");
        }
    }
    drop(sender);
    let state = writing
        .await
        .map_err(|error| TransferError::Disk(error.to_string()))?
        .map_err(TransferError::Disk)?;
    events.tell(PeerEvent::SnapshotProgress { arrived, of: arrived }).await;
    tracing::info!(index = meta.position.index.0, bytes = arrived, "the snapshot is here");
    Ok((meta, state, frame))
}

/// Writes and decodes pieces until `None` comes, which says that they are all.
fn write_pieces(
    disk: Arc<dyn Disk>,
    meta: SnapshotMeta,
    schema: &Schema,
    mut pieces: mpsc::Receiver<Option<Vec<u8>>>,
) -> Result<State, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut writer = SnapshotWriter::begin(disk, meta).map_err(|error| text(&error))?;
    let mut decoder = Decoder::new(schema);
    while let Some(piece) = pieces.blocking_recv() {
        let Some(piece) = piece else {
            let state = decoder.finish().map_err(|error| text(&error))?;
            writer.finish().map_err(|error| text(&error))?;
            return Ok(state);
        };
        decoder.push(&piece).map_err(|error| text(&error))?;
        writer.write(&piece).map_err(|error| text(&error))?;
    }
    Err("the connection ended before the snapshot did".to_owned())
}

//! Snapshots: the state at one index, with the members and the position it belongs to, in one file that is there
//! whole or not at all.
//!
//! ```text
//! magic 8 bytes, length u32, crc32 u32, meta (postcard)
//! chunks: length u32 > 0, crc32 of number and bytes u32, bytes
//! end:    0 u32,          crc32 u32, chunks u64, bytes u64
//! ```

use super::disk::{Disk, DiskError};
use super::{take_u32, temporary, u64_of, usize_of};
use crate::base::ids::LogIndex;
use crate::raft::SnapshotMeta;
use std::sync::Arc;

const MAGIC: [u8; 8] = *b"QUORSNP\n";
const PREFIX: &str = "snapshot-";
/// Bytes of one chunk on the disk.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// Bytes of the meta record.
const META_BYTES_MAX: usize = 1 << 20;
/// After so many bytes the file is synced, so that the log's syncs never wait for a whole snapshot.
const SYNC_BYTES: u64 = 4 << 20;
/// Length and checksum before a chunk.
const CHUNK_HEAD_BYTES: usize = 8;

/// Why a snapshot cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SnapshotError {
    /// It is not what was written.
    #[error("{file} is damaged at byte {offset}: {what}")]
    Corrupt {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// The disk did not do it. A snapshot that was being written is gone.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Writes a snapshot, from any thread: of this node's state, or as it comes from a peer.
///
/// Dropped before `finish`, it removes what it wrote.
pub(crate) struct SnapshotWriter {
    disk: Arc<dyn Disk>,
    meta: SnapshotMeta,
    offset: u64,
    synced: u64,
    chunks: u64,
    bytes: u64,
    finished: bool,
}

impl SnapshotWriter {
    /// Begins the snapshot. One of the same index that is not finished is thrown away.
    pub(crate) fn begin(
        disk: Arc<dyn Disk>,
        meta: SnapshotMeta,
    ) -> Result<SnapshotWriter, SnapshotError> {
        let mut writer = SnapshotWriter {
            disk,
            meta,
            offset: 0,
            synced: 0,
            chunks: 0,
            bytes: 0,
            finished: false,
        };
        // Postcard fails on what has no length only; there is nothing of the kind in it.
        let meta = postcard::to_stdvec(&writer.meta).unwrap_or_default();
        let mut head = MAGIC.to_vec();
        head.extend_from_slice(&u32_of(meta.len()).to_le_bytes());
        head.extend_from_slice(&crc32fast::hash(&meta).to_le_bytes());
        head.extend_from_slice(&meta);
        writer.disk.create(&writer.temporary(), 0)?;
        writer.put(&head)?;
        Ok(writer)
    }

    /// Adds bytes of the state. How they are divided among calls means nothing to the reader.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        for chunk in bytes.chunks(CHUNK_BYTES_MAX) {
            let mut framed = Vec::with_capacity(CHUNK_HEAD_BYTES.saturating_add(chunk.len()));
            framed.extend_from_slice(&u32_of(chunk.len()).to_le_bytes());
            framed.extend_from_slice(&chunk_crc(self.chunks, chunk).to_le_bytes());
            framed.extend_from_slice(chunk);
            self.put(&framed)?;
            self.chunks = self.chunks.saturating_add(1);
            self.bytes = self.bytes.saturating_add(u64_of(chunk.len()));
        }
        if self.offset.saturating_sub(self.synced) >= SYNC_BYTES {
            self.disk.sync(&self.temporary())?;
            self.synced = self.offset;
        }
        Ok(())
    }

    /// Makes the snapshot durable under its name.
    pub(crate) fn finish(mut self) -> Result<SnapshotMeta, SnapshotError> {
        let (temporary, file) = (self.temporary(), snapshot_file(self.meta.position.index));
        let end = end_record(self.chunks, self.bytes);
        self.put(&end)?;
        self.disk.sync(&temporary)?;
        self.disk.rename(&temporary, &file)?;
        self.finished = true;
        self.disk.sync_directory()?;
        Ok(self.meta.clone())
    }

    fn temporary(&self) -> String {
        temporary(&snapshot_file(self.meta.position.index))
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), SnapshotError> {
        self.disk.write(&self.temporary(), self.offset, bytes)?;
        self.offset = self.offset.saturating_add(u64_of(bytes.len()));
        Ok(())
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        if !self.finished {
            // If it cannot be removed now, it is at the next start.
            self.disk.remove(&self.temporary()).unwrap_or_default();
        }
    }
}

/// Reads a snapshot, chunk by chunk, and checks each.
pub(crate) struct SnapshotReader {
    disk: Arc<dyn Disk>,
    position: ReadPosition,
    meta: SnapshotMeta,
}

impl SnapshotReader {
    /// The snapshot of this index.
    pub(crate) fn open(
        disk: Arc<dyn Disk>,
        index: LogIndex,
    ) -> Result<SnapshotReader, SnapshotError> {
        let (position, meta) = ReadPosition::open(&*disk, index)?;
        Ok(SnapshotReader { disk, position, meta })
    }

    /// What it stands for.
    pub(crate) fn meta(&self) -> &SnapshotMeta {
        &self.meta
    }

    /// Bytes of the file, which are a little more than those of the state.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.position.size
    }

    /// The next bytes of the state; none at the end, which says that all of it was read and valid.
    pub(crate) fn read(&mut self) -> Result<Option<Vec<u8>>, SnapshotError> {
        self.position.next(&*self.disk)
    }
}

/// Where reading is.
struct ReadPosition {
    file: String,
    size: u64,
    offset: u64,
    chunks: u64,
    bytes: u64,
    ended: bool,
}

impl ReadPosition {
    fn open(
        disk: &dyn Disk,
        index: LogIndex,
    ) -> Result<(ReadPosition, SnapshotMeta), SnapshotError> {
        let file = snapshot_file(index);
        let size = disk.size(&file)?;
        let mut position =
            ReadPosition { file, size, offset: 0, chunks: 0, bytes: 0, ended: false };
        if position.take(disk, MAGIC.len())? != MAGIC {
            return Err(position.corrupt("it is no snapshot"));
        }
        let (length, crc) = position.take_head(disk)?;
        if length > META_BYTES_MAX {
            return Err(position.corrupt("its position is too long"));
        }
        let bytes = position.take(disk, length)?;
        let meta = postcard::from_bytes::<SnapshotMeta>(&bytes).ok();
        match meta.filter(|_| crc32fast::hash(&bytes) == crc) {
            Some(meta) if meta.position.index == index => Ok((position, meta)),
            Some(_) => Err(position.corrupt("it is another snapshot")),
            None => Err(position.corrupt("its position does not match the checksum")),
        }
    }

    fn next(&mut self, disk: &dyn Disk) -> Result<Option<Vec<u8>>, SnapshotError> {
        if self.ended {
            return Ok(None);
        }
        let (length, crc) = self.take_head(disk)?;
        if length > CHUNK_BYTES_MAX {
            return Err(self.corrupt("a chunk is too long"));
        }
        if length == 0 {
            let expected = end_record(self.chunks, self.bytes);
            let rest = self.take(disk, expected.len().saturating_sub(CHUNK_HEAD_BYTES))?;
            let is_end = expected.get(4..8) == Some(&crc.to_le_bytes())
                && expected.get(CHUNK_HEAD_BYTES..) == Some(&rest)
                && self.offset == self.size;
            self.ended = is_end;
            return if is_end { Ok(None) } else { Err(self.corrupt("its end is not valid")) };
        }
        let chunk = self.take(disk, length)?;
        if chunk_crc(self.chunks, &chunk) != crc {
            return Err(self.corrupt("a chunk does not match its checksum"));
        }
        self.chunks = self.chunks.saturating_add(1);
        self.bytes = self.bytes.saturating_add(u64_of(chunk.len()));
        Ok(Some(chunk))
    }

    fn take_head(&mut self, disk: &dyn Disk) -> Result<(usize, u32), SnapshotError> {
        let bytes = self.take(disk, CHUNK_HEAD_BYTES)?;
        let mut input = bytes.as_slice();
        let length = take_u32(&mut input).unwrap_or_default();
        Ok((usize_of(u64::from(length)), take_u32(&mut input).unwrap_or_default()))
    }

    fn take(&mut self, disk: &dyn Disk, length: usize) -> Result<Vec<u8>, SnapshotError> {
        if self.size.saturating_sub(self.offset) < u64_of(length) {
            return Err(self.corrupt("it ends too early"));
        }
        let bytes = disk.read(&self.file, self.offset, length)?;
        self.offset = self.offset.saturating_add(u64_of(length));
        Ok(bytes)
    }

    fn corrupt(&self, what: &'static str) -> SnapshotError {
        SnapshotError::Corrupt { file: self.file.clone(), offset: self.offset, what }
    }
}

/// Reads all of a snapshot and gives its meta record if it is valid.
pub(crate) fn verify_snapshot(
    disk: &dyn Disk,
    index: LogIndex,
) -> Result<SnapshotMeta, SnapshotError> {
    let (mut position, meta) = ReadPosition::open(disk, index)?;
    while position.next(disk)?.is_some() {}
    Ok(meta)
}

/// Deletes the snapshots older than that of `newest`, once that one has been read back and is valid; otherwise all
/// stay. Then, and not before, `Log::prune` may be told of it. Gives how many were deleted.
pub(crate) fn prune_snapshots(disk: &dyn Disk, newest: LogIndex) -> Result<usize, SnapshotError> {
    verify_snapshot(disk, newest)?;
    let mut removed: usize = 0;
    for file in disk.list()? {
        if snapshot_index(&file).is_some_and(|index| index < newest) {
            disk.remove(&file)?;
            removed = removed.saturating_add(1);
        }
    }
    if removed > 0 {
        disk.sync_directory()?;
    }
    Ok(removed)
}

/// The index of the snapshot in a file of that name.
pub(super) fn snapshot_index(file: &str) -> Option<LogIndex> {
    let index = LogIndex(u64::from_str_radix(file.strip_prefix(PREFIX)?, 16).ok()?);
    (snapshot_file(index) == file).then_some(index)
}

fn snapshot_file(index: LogIndex) -> String {
    format!("{PREFIX}{:016x}", index.0)
}

fn end_record(chunks: u64, bytes: u64) -> Vec<u8> {
    let mut counts = chunks.to_le_bytes().to_vec();
    counts.extend_from_slice(&bytes.to_le_bytes());
    let mut end = 0_u32.to_le_bytes().to_vec();
    end.extend_from_slice(&crc32fast::hash(&counts).to_le_bytes());
    end.extend_from_slice(&counts);
    end
}

fn chunk_crc(number: u64, chunk: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&number.to_le_bytes());
    hasher.update(chunk);
    hasher.finalize()
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

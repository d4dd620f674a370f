//! The append log: many writes, one record, one sync.

use super::codec::{encode, encoded_len_max};
use super::disk::{Disk, DiskError};
use super::record::{HEADER_BYTES, RecordId, record_len, seal, unseal};
use super::segment::{SEGMENT_HEAD_BYTES, SegmentHead, segment_file};
use super::{temporary, u64_of};
use crate::base::ids::LogIndex;
use crate::base::limits::{LOG_RECORD_BYTES_MAX, LOG_SEGMENT_BYTES};
use crate::raft::{HardState, LogPosition, LogWrite};
use std::collections::VecDeque;
use std::sync::Arc;

/// The file that waits to become the next segment.
pub(super) const SPARE: &str = "spare";
/// A buffer that grew beyond this is given back after the flush.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// The sizes of a log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogOptions {
    /// Bytes of a segment. A longer record has a segment of its own.
    pub(crate) segment_bytes: u64,
    /// Bytes of one record.
    pub(crate) record_bytes_max: usize,
}

impl Default for LogOptions {
    fn default() -> LogOptions {
        LogOptions { segment_bytes: LOG_SEGMENT_BYTES, record_bytes_max: LOG_RECORD_BYTES_MAX }
    }
}

/// Why the log did not take something.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// Nothing appended since the last flush is durable. It is still there: `flush` may be tried again when there
    /// is space.
    #[error("there is no space left on the disk for the log")]
    NoSpace,
    /// The write was not appended; the log is as before.
    #[error("{bytes} bytes are too many for one record of the log, the limit is {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// What a record holds.
        limit: usize,
    },
    /// Whether the last flush is durable is not known. The process must end; recovery finds out.
    #[error("the log cannot be written, this process must end: {0}")]
    Fatal(#[source] DiskError),
    /// It failed before, and the process has not ended.
    #[error("the log failed before, this process must end")]
    Failed,
}

/// What the records of the log amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct LogState {
    /// The last hard state.
    pub(super) hard_state: HardState,
    /// The last entry.
    pub(super) last: LogPosition,
}

/// A segment on the disk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment {
    /// Its number.
    pub(super) number: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// The highest index of its entries that is not void; 0 without.
    pub(super) index_max: LogIndex,
}

/// The log of one member, open for appending. Made by `recover`.
///
/// Invariant: every record before `sequence` is durable; what is appended and not flushed is in `buffer`.
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    options: LogOptions,
    /// Oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    /// Where the next record goes in the last segment.
    offset: u64,
    /// The last segment may hold what is left of a write that failed: the next record begins a new one.
    sealed: bool,
    /// The number of the next record.
    sequence: u64,
    next_segment: u64,
    durable: LogState,
    pending: Pending,
    /// The next record, its payload behind room for the header.
    buffer: Vec<u8>,
    /// No spare segment has been asked for since the last one was taken.
    spare_wanted: bool,
    failed: bool,
}

/// What the buffered writes amount to.
#[derive(Debug, Clone, Copy)]
struct Pending {
    state: LogState,
    index_max: LogIndex,
    reset: bool,
}

/// Where appending goes on after recovery.
pub(super) struct LogEnd {
    pub(super) segments: VecDeque<Segment>,
    pub(super) offset: u64,
    pub(super) sequence: u64,
    pub(super) next_segment: u64,
    pub(super) state: LogState,
}

impl Log {
    pub(super) fn new(disk: Arc<dyn Disk>, options: LogOptions, end: LogEnd) -> Log {
        let pending = Pending { state: end.state, index_max: LogIndex(0), reset: false };
        Log {
            disk,
            options,
            segments: end.segments,
            offset: end.offset,
            sealed: false,
            sequence: end.sequence,
            next_segment: end.next_segment,
            durable: end.state,
            pending,
            buffer: vec![0; HEADER_BYTES],
            spare_wanted: true,
            failed: false,
        }
    }

    /// Takes a write, to become durable with the next `flush`. If the writes that wait leave no room for it in the
    /// record, they are flushed first. On an error the write was not taken.
    pub(crate) fn append(&mut self, write: &LogWrite) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        if write.is_empty() {
            return Ok(());
        }
        let bytes = encoded_len_max(write);
        let limit = self.options.record_bytes_max;
        if bytes > limit {
            return Err(LogError::TooLong { bytes, limit });
        }
        if self.buffer.len().saturating_sub(HEADER_BYTES).saturating_add(bytes) > limit {
            self.flush()?;
        }
        self.pending.take(write);
        self.buffer.reserve(bytes);
        encode(write, &mut self.buffer);
        Ok(())
    }

    /// Makes everything appended so far durable, together or not at all, by one write and one sync.
    pub(crate) fn flush(&mut self) -> Result<(), LogError> {
        if self.failed {
            return Err(LogError::Failed);
        }
        if !self.has_pending() {
            return Ok(());
        }
        let payload = self.buffer.len().saturating_sub(HEADER_BYTES);
        let needed = u64_of(record_len(payload));
        let segment =
            self.segments.back().copied().filter(|segment| {
                !self.sealed && self.offset.saturating_add(needed) <= segment.bytes
            });
        let outcome = match segment {
            Some(segment) => self.write_record(segment),
            None => self.begin_segment(needed),
        };
        match outcome {
            Ok(()) => {
                self.record_is_durable(needed);
                Ok(())
            }
            Err(DiskError::NoSpace { .. }) => Err(LogError::NoSpace),
            Err(error) => {
                self.failed = true;
                Err(LogError::Fatal(error))
            }
        }
    }

    /// Whether something is appended and not flushed.
    pub(crate) fn has_pending(&self) -> bool {
        self.buffer.len() > HEADER_BYTES
    }

    /// The last durable entry.
    #[cfg(test)]
    pub(super) fn durable_last(&self) -> LogPosition {
        self.durable.last
    }

    /// Whether it is time for `prepare_spare`: at the start, and after a segment began. Asking takes the answer back.
    pub(crate) fn take_spare_wanted(&mut self) -> bool {
        std::mem::take(&mut self.spare_wanted)
    }

    /// Bytes that the log takes on the disk: what a snapshot would give back, but for the last segment.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Deletes the segments that a durable and verified snapshot of `snapshot` makes superfluous, and gives how many
    /// they were. On an error some may be left; they are deleted with the next call or the next start.
    pub(crate) fn prune(&mut self, snapshot: LogIndex) -> Result<usize, DiskError> {
        let mut removed: usize = 0;
        while self.segments.len() > 1
            && let Some(oldest) = self.segments.front().copied()
            && oldest.index_max <= snapshot
        {
            match self.disk.remove(&segment_file(oldest.number)) {
                Ok(()) | Err(DiskError::Missing { .. }) => {}
                Err(error) => return Err(error),
            }
            self.segments.pop_front();
            removed = removed.saturating_add(1);
        }
        if removed > 0 {
            self.disk.sync_directory()?;
        }
        Ok(removed)
    }

    fn write_record(&mut self, segment: Segment) -> Result<(), DiskError> {
        let id = RecordId { segment: segment.number, sequence: self.sequence };
        let payload = self.buffer.len().saturating_sub(HEADER_BYTES);
        let mask = seal(&mut self.buffer, id, self.offset);
        let file = segment_file(segment.number);
        if let Err(error) = self.disk.write(&file, self.offset, &self.buffer) {
            unseal(&mut self.buffer, payload, mask);
            self.sealed = true;
            return Err(error);
        }
        self.disk.sync(&file)
    }

    /// Writes the record as the first one of a new segment, which appears under its name when it is durable.
    fn begin_segment(&mut self, record_bytes: u64) -> Result<(), DiskError> {
        let number = self.next_segment;
        let needed = record_bytes.saturating_add(u64_of(SEGMENT_HEAD_BYTES));
        let bytes = needed.max(self.options.segment_bytes);
        let (file, bytes) = self.empty_file(number, bytes)?;
        let id = RecordId { segment: number, sequence: self.sequence };
        let payload = self.buffer.len().saturating_sub(HEADER_BYTES);
        let mask = seal(&mut self.buffer, id, u64_of(SEGMENT_HEAD_BYTES));
        let outcome = self.fill_segment(&file, number);
        if let Err(error) = outcome {
            unseal(&mut self.buffer, payload, mask);
            if error.is_no_space() {
                // What is left of it is removed at the next start if not now.
                self.disk.remove(&file).unwrap_or_default();
            }
            return Err(error);
        }
        self.next_segment = number.saturating_add(1);
        self.spare_wanted = true;
        self.segments.push_back(Segment { number, bytes, index_max: LogIndex(0) });
        self.offset = u64_of(SEGMENT_HEAD_BYTES);
        self.sealed = false;
        Ok(())
    }

    /// A file of zeros and its length: the spare one, or a new one.
    fn empty_file(&self, number: u64, bytes: u64) -> Result<(String, u64), DiskError> {
        match self.disk.size(SPARE) {
            Ok(size) if size >= bytes => Ok((SPARE.to_owned(), size)),
            Ok(_) | Err(DiskError::Missing { .. }) => {
                let file = temporary(&segment_file(number));
                self.disk.create(&file, bytes)?;
                Ok((file, bytes))
            }
            Err(error) => Err(error),
        }
    }

    fn fill_segment(&self, file: &str, number: u64) -> Result<(), DiskError> {
        let head = SegmentHead {
            number,
            first_sequence: self.sequence,
            hard_state: self.durable.hard_state,
            last: self.durable.last,
        };
        self.disk.write(file, 0, &head.encode())?;
        self.disk.write(file, u64_of(SEGMENT_HEAD_BYTES), &self.buffer)?;
        self.disk.sync(file)?;
        self.disk.rename(file, &segment_file(number))?;
        self.disk.sync_directory()
    }

    fn record_is_durable(&mut self, bytes: u64) {
        self.offset = self.offset.saturating_add(bytes);
        self.sequence = self.sequence.saturating_add(1);
        self.durable = self.pending.state;
        if self.pending.reset {
            // Entries above the snapshot that replaced the log are void.
            for segment in &mut self.segments {
                segment.index_max = segment.index_max.min(self.pending.state.last.index);
            }
        }
        if let Some(segment) = self.segments.back_mut() {
            segment.index_max = segment.index_max.max(self.pending.index_max);
        }
        self.pending = Pending { state: self.durable, index_max: LogIndex(0), reset: false };
        self.buffer.truncate(HEADER_BYTES);
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
    }
}

impl Pending {
    fn take(&mut self, write: &LogWrite) {
        if let Some(hard_state) = write.hard_state {
            self.state.hard_state = hard_state;
        }
        if let Some(reset) = write.reset {
            self.state.last = reset;
            self.index_max = LogIndex(0);
            self.reset = true;
        }
        for entry in &write.entries {
            assert!(entry.index.0 <= self.state.last.index.0 + 1, "the log would have a gap");
            self.state.last = LogPosition { index: entry.index, term: entry.term };
            self.index_max = self.index_max.max(entry.index);
        }
    }
}

/// Makes the file ready that becomes the next segment, so that the flush that begins it does not wait for megabytes
/// of zeros. To be called off the agent's thread when `Log::take_spare_wanted` says so, by one thread at a time.
pub(crate) fn prepare_spare(disk: &dyn Disk, options: LogOptions) -> Result<(), DiskError> {
    match disk.size(SPARE) {
        Ok(_) => return Ok(()),
        Err(DiskError::Missing { .. }) => {}
        Err(error) => return Err(error),
    }
    let file = temporary(SPARE);
    disk.create(&file, options.segment_bytes)?;
    disk.sync(&file)?;
    disk.rename(&file, SPARE)
}

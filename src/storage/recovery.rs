//! What a member finds when it starts: everything that was durable, or an error.

use super::codec::decode;
use super::disk::{Disk, DiskError};
use super::log::{Log, LogEnd, LogOptions, LogState, SPARE, Segment};
use super::record::{Found, RecordId, find};
use super::segment::{SEGMENT_HEAD_BYTES, SegmentHead, segment_file, segment_number};
use super::snapshot::{SnapshotError, snapshot_index, verify_snapshot};
use super::{u64_of, usize_of};
use crate::base::ids::LogIndex;
use crate::raft::{HardState, LogEntry, LogPosition, LogWrite, RecoveredLog, SnapshotMeta};
use std::collections::VecDeque;
use std::sync::Arc;

/// Why a member cannot start from its disk. Nothing was changed that was durable.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecoveryError {
    /// Something that was durable is not what it was. To go on without it could lose what was acknowledged, or
    /// break a vote that was given.
    #[error(
        "{file} is damaged at byte {offset}: {what}. This member must not go on from this data, which is left as it \
         is. Move the data directory away and let the member join its cluster again as a new one, or restore a backup"
    )]
    Corrupt {
        /// The file.
        file: String,
        /// Where in it.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// The disk did not answer.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What was being written when the member ended, and never became durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The segment.
    pub(crate) file: String,
    /// Where the torn record begins.
    pub(crate) offset: u64,
}

/// What a member starts with.
pub(crate) struct Recovered {
    /// The log, open for appending.
    pub(crate) log: Log,
    /// What consensus goes on from. The snapshot in it is complete and verified.
    pub(crate) raft: RecoveredLog,
    /// A record that was cut off, if there was one.
    pub(crate) cut: Option<Cut>,
    /// Newer snapshots that are damaged, while an older one and the log make up for them.
    pub(crate) damaged_snapshots: Vec<String>,
}

/// What a member would start with.
pub(crate) struct Verified {
    /// As in `Recovered`.
    pub(crate) raft: RecoveredLog,
    /// As in `Recovered`; it is still there.
    pub(crate) cut: Option<Cut>,
    /// As in `Recovered`.
    pub(crate) damaged_snapshots: Vec<String>,
    /// Segments of the log that are needed.
    pub(crate) segments: usize,
    /// Bytes of them.
    pub(crate) log_bytes: u64,
}

/// Reads the directory as `recover` does, and changes nothing: for an operator who wants to know. The directory must
/// not be in use.
pub(crate) fn verify(disk: &dyn Disk) -> Result<Verified, RecoveryError> {
    let files = disk.list()?;
    let scan = Scan::read(disk, &files)?;
    let snapshots = Snapshots::read(disk, &files)?;
    let (raft, _) = combine(&scan, &snapshots)?;
    Ok(Verified {
        raft,
        cut: scan.cut(),
        damaged_snapshots: snapshots.damaged,
        segments: scan.segments.len(),
        log_bytes: scan.segments.iter().map(|segment| segment.bytes).sum(),
    })
}

/// Reads the directory and makes the log ready to go on: what is there afterwards is durable, what was not
/// finished is gone.
pub(crate) fn recover(
    disk: Arc<dyn Disk>,
    options: LogOptions,
) -> Result<Recovered, RecoveryError> {
    let files = disk.list()?;
    let scan = Scan::read(&*disk, &files)?;
    let snapshots = Snapshots::read(&*disk, &files)?;
    let (raft, matches_log) = combine(&scan, &snapshots)?;

    for file in files.iter().filter(|file| file.ends_with(".tmp") || *file == SPARE) {
        disk.remove(file)?;
    }
    for number in &scan.superfluous {
        disk.remove(&segment_file(*number))?;
    }
    let cut = scan.repair(&*disk)?;
    // Also for a process that was killed between a rename and the sync that was to follow.
    disk.sync_directory()?;

    let mut log = Log::new(disk, options, scan.end());
    if !matches_log {
        // The snapshot was installed, and the write that was to say so is missing.
        let hard_state = Some(raft.hard_state);
        let reset = LogWrite { hard_state, reset: Some(raft.base()), entries: Vec::new() };
        let appended = log.append(&reset);
        assert!(appended.is_ok(), "an empty log does not take a write: {appended:?}");
    }
    Ok(Recovered { log, raft, cut, damaged_snapshots: snapshots.damaged })
}

/// Removes log and snapshots, for a node that begins anew as another member. The identity is the caller's.
pub(crate) fn erase(disk: &dyn Disk) -> Result<(), DiskError> {
    for file in disk.list()? {
        let is_ours = segment_number(&file).is_some() || snapshot_index(&file).is_some();
        if is_ours || file == SPARE {
            disk.remove(&file)?;
        }
    }
    disk.sync_directory()
}

/// The log as it is on the disk.
#[derive(Default)]
struct Scan {
    segments: VecDeque<Segment>,
    /// Segments from before the oldest one that is needed: their deletion was interrupted.
    superfluous: Vec<u64>,
    /// What the entries follow.
    base: LogPosition,
    /// The base is what the oldest segment begins with; what replaces entries before it comes in this segment.
    base_is_head: bool,
    entries: Vec<LogEntry>,
    hard_state: HardState,
    /// The number of the next record.
    sequence: u64,
    /// The last record of the last segment, from where to where.
    last_record: (usize, usize),
    /// Where non-zero bytes end, if a torn record begins behind the last one.
    torn_until: Option<usize>,
    /// The bytes of the last record, to be made durable again.
    last_bytes: Vec<u8>,
}

impl Scan {
    fn read(disk: &dyn Disk, files: &[String]) -> Result<Scan, RecoveryError> {
        let mut numbers: Vec<u64> = files.iter().filter_map(|file| segment_number(file)).collect();
        numbers.sort_unstable();
        let needed = contiguous_end(&numbers);
        let mut scan = Scan { sequence: 1, ..Scan::default() };
        let superfluous = numbers.len().saturating_sub(needed.len());
        scan.superfluous = numbers.iter().copied().take(superfluous).collect();
        let mut segment = needed.first().map(|number| read_segment(disk, *number)).transpose()?;
        let mut later = needed.iter().skip(1);
        while let Some((head, bytes)) = segment {
            let next = later.next().map(|number| read_segment(disk, *number)).transpose()?;
            let until = next.as_ref().map(|(head, _)| head.first_sequence);
            scan.take_segment(&head, &bytes, until)?;
            segment = next;
        }
        Ok(scan)
    }

    /// Reads the records of a segment: all before `until`, if a later segment says so, or all there are.
    fn take_segment(
        &mut self,
        head: &SegmentHead,
        bytes: &[u8],
        until: Option<u64>,
    ) -> Result<(), RecoveryError> {
        let corrupt = |at, what: &str| Err(corrupt(&segment_file(head.number), at, what));
        if self.segments.is_empty() {
            self.base = head.last;
            self.base_is_head = true;
            self.hard_state = head.hard_state;
            self.sequence = head.first_sequence;
        } else if (head.hard_state, head.last) != (self.hard_state, self.last()) {
            return corrupt(0, "the segment does not go on from the one before");
        }
        let number = head.number;
        let length = u64_of(bytes.len());
        self.segments.push_back(Segment { number, bytes: length, index_max: LogIndex(0) });
        let mut at = SEGMENT_HEAD_BYTES;
        self.last_record = (at, at);
        while until.is_none_or(|until| self.sequence < until) {
            match find(bytes, at, RecordId { segment: number, sequence: self.sequence }) {
                Found::Record { payload, next } => {
                    if let Err(what) = self.take_record(&payload) {
                        return corrupt(at, &what);
                    }
                    self.last_record = (at, next);
                    self.sequence = self.sequence.saturating_add(1);
                    at = next;
                }
                Found::Damaged(what) => return corrupt(at, what),
                Found::Nothing => break,
                Found::Torn => {
                    let end = bytes.iter().rposition(|byte| *byte != 0);
                    self.torn_until = end.map(|end| end.saturating_add(1));
                    break;
                }
            }
        }
        if until.is_some_and(|until| self.sequence != until) {
            return corrupt(at, "records are missing that a later segment follows");
        }
        if until.is_none() {
            let (from, to) = self.last_record;
            self.last_bytes = bytes.get(from..to).unwrap_or_default().to_vec();
        }
        Ok(())
    }

    fn take_record(&mut self, mut payload: &[u8]) -> Result<(), String> {
        while !payload.is_empty() {
            let Some(write) = decode(&mut payload) else {
                return Err("a record is valid and cannot be read".to_owned());
            };
            self.take_write(write)?;
        }
        Ok(())
    }

    fn take_write(&mut self, write: LogWrite) -> Result<(), String> {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(reset) = write.reset {
            self.base = reset;
            self.base_is_head = false;
            self.entries.clear();
            for segment in &mut self.segments {
                segment.index_max = segment.index_max.min(reset.index);
            }
        }
        for entry in write.entries {
            let (base, last) = (self.base.index.0, self.last().index.0);
            let before = entry.index.0.saturating_sub(1);
            let is_covered = before >= base || self.base_is_head;
            if entry.index.0 == 0 || before > last || !is_covered {
                return Err(format!("entry {} is in a log from {base} to {last}", entry.index));
            }
            if before < base {
                // It replaces an entry of a deleted segment, so a snapshot covers both, and nobody asks for this
                // position.
                self.base = LogPosition { index: LogIndex(before), ..LogPosition::default() };
            }
            self.entries.truncate(usize_of(before.saturating_sub(base)));
            if let Some(segment) = self.segments.back_mut() {
                segment.index_max = segment.index_max.max(entry.index);
            }
            self.entries.push(entry);
        }
        Ok(())
    }

    fn last(&self) -> LogPosition {
        self.entries
            .last()
            .map_or(self.base, |entry| LogPosition { index: entry.index, term: entry.term })
    }

    /// The position of the entry at `index`.
    fn position(&self, index: LogIndex) -> Option<LogPosition> {
        if index == self.base.index {
            return Some(self.base);
        }
        let offset = index.0.checked_sub(self.base.index.0)?.checked_sub(1)?;
        let entry = self.entries.get(usize_of(offset))?;
        Some(LogPosition { index: entry.index, term: entry.term })
    }

    fn end(&self) -> LogEnd {
        let (_, offset) = self.last_record;
        LogEnd {
            segments: self.segments.clone(),
            offset: u64_of(offset),
            sequence: self.sequence,
            next_segment: self.segments.back().map_or(1, |last| last.number.saturating_add(1)),
            state: LogState { hard_state: self.hard_state, last: self.last() },
        }
    }

    /// Makes the end of the log what recovery took it for: zeros over a torn record, and the last record written
    /// once more, because a process that was killed, or whose sync failed, may have left it in memory only.
    fn repair(&self, disk: &dyn Disk) -> Result<Option<Cut>, RecoveryError> {
        let Some(last) = self.segments.back() else { return Ok(None) };
        let file = segment_file(last.number);
        let (from, to) = self.last_record;
        if let Some(until) = self.torn_until {
            const ZEROS: [u8; 4096] = [0; 4096];
            for at in (to..until).step_by(ZEROS.len()) {
                let length = until.saturating_sub(at).min(ZEROS.len());
                disk.write(&file, u64_of(at), ZEROS.get(..length).unwrap_or_default())?;
            }
        }
        disk.write(&file, u64_of(from), &self.last_bytes)?;
        disk.sync(&file)?;
        Ok(self.cut())
    }

    /// The record at the end that never became durable.
    fn cut(&self) -> Option<Cut> {
        let last = self.segments.back().filter(|_| self.torn_until.is_some())?;
        let (_, to) = self.last_record;
        Some(Cut { file: segment_file(last.number), offset: u64_of(to) })
    }
}

/// The numbers at the end without a gap: a segment before a gap is one whose deletion was interrupted, or the gap
/// shows when the log is held against the snapshot.
fn contiguous_end(numbers: &[u64]) -> &[u64] {
    let gap = numbers.windows(2).rposition(|pair| match pair {
        [a, b] => a.checked_add(1) != Some(*b),
        _ => false,
    });
    numbers.get(gap.map_or(0, |gap| gap.saturating_add(1))..).unwrap_or_default()
}

fn read_segment(disk: &dyn Disk, number: u64) -> Result<(SegmentHead, Vec<u8>), RecoveryError> {
    let file = segment_file(number);
    let size = disk.size(&file)?;
    let bytes = disk.read(&file, 0, usize_of(size))?;
    match SegmentHead::decode(&bytes) {
        Some(head) if head.number == number => Ok((head, bytes)),
        Some(_) => Err(corrupt(&file, 0, "it is another segment")),
        None => Err(corrupt(&file, 0, "the head of the segment is not valid")),
    }
}

fn corrupt(file: &str, at: usize, what: &str) -> RecoveryError {
    RecoveryError::Corrupt { file: file.to_owned(), offset: u64_of(at), what: what.to_owned() }
}

/// The snapshots on the disk.
#[derive(Default)]
struct Snapshots {
    newest: Option<SnapshotMeta>,
    /// Newer ones than that.
    damaged: Vec<String>,
}

impl Snapshots {
    fn read(disk: &dyn Disk, files: &[String]) -> Result<Snapshots, RecoveryError> {
        let mut indexes: Vec<LogIndex> =
            files.iter().filter_map(|file| snapshot_index(file)).collect();
        indexes.sort_unstable();
        let mut snapshots = Snapshots::default();
        for index in indexes.into_iter().rev() {
            match verify_snapshot(disk, index) {
                Ok(meta) => {
                    snapshots.newest = Some(meta);
                    break;
                }
                Err(SnapshotError::Corrupt { file, .. }) => snapshots.damaged.push(file),
                Err(SnapshotError::Disk(error)) => return Err(RecoveryError::Disk(error)),
            }
        }
        Ok(snapshots)
    }
}

/// Snapshot and log together, and whether the log goes on from the snapshot.
fn combine(scan: &Scan, snapshots: &Snapshots) -> Result<(RecoveredLog, bool), RecoveryError> {
    let base = snapshots.newest.as_ref().map(|newest| newest.position).unwrap_or_default();
    let log_file = || match (snapshots.damaged.first(), scan.segments.back()) {
        (Some(damaged), _) => damaged.clone(),
        (None, Some(segment)) => segment_file(segment.number),
        (None, None) => segment_file(1),
    };
    if scan.base.index > base.index {
        let (log, snapshot) = (scan.base.index, base.index);
        let what = format!(
            "the log goes on from entry {log}, the newest whole snapshot ends at {snapshot}"
        );
        return Err(corrupt(&log_file(), 0, &what));
    }
    let matches_log = scan.position(base.index) == Some(base);
    let behind = usize_of(base.index.0.saturating_sub(scan.base.index.0));
    let entries = if matches_log { scan.entries.get(behind..) } else { None };
    let mut hard_state = scan.hard_state;
    hard_state.committed = hard_state.committed.max(base.index);
    hard_state.term = hard_state.term.max(base.term);
    if hard_state.term != scan.hard_state.term {
        hard_state.vote = None;
    }
    let raft = RecoveredLog {
        snapshot: snapshots.newest.clone(),
        hard_state,
        entries: entries.unwrap_or_default().to_vec(),
    };
    if hard_state.committed > raft.last().index {
        let (committed, last) = (hard_state.committed, raft.last().index);
        let what = format!("entry {committed} is committed, and the log ends at {last}");
        return Err(corrupt(&log_file(), 0, &what));
    }
    Ok((raft, matches_log))
}

//! When snapshots of the state are taken, and how one is written.

use crate::base::ids::LogIndex;
use crate::base::limits::{SNAPSHOT_BYTES_PER_ENTRY, SNAPSHOT_ENTRIES};
use crate::base::time::Timestamp;
use crate::io::peer::PeerHandle;
use crate::raft::SnapshotMeta;
use crate::replication::state::State;
use crate::storage::{Disk, SnapshotWriter, prune_snapshots, verify_snapshot};
use crate::yang::schema::Schema;
use std::sync::Arc;

/// Milliseconds after a snapshot failed until the next is tried.
const RETRY_MS: u64 = 10_000;

/// When the next snapshot is taken: before a start would read much of the log again, by its bytes or by its entries, and
/// not so often that a large state is written all the time.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Bytes by which the log grows from one to the next.
    log_bytes: u64,
    /// The length of the log at which the next one is due.
    next_bytes: u64,
    /// The entry with which it is due.
    next_index: LogIndex,
    /// A member waits for a newer one.
    pub(super) is_wanted: bool,
    /// After one that failed, the next is not taken before this.
    not_before: Timestamp,
}

impl Schedule {
    /// A log that goes on from a snapshot of this entry, or from none.
    pub(super) fn new(log_bytes: u64, from: LogIndex) -> Self {
        Self {
            log_bytes,
            next_bytes: log_bytes,
            next_index: LogIndex(from.0.saturating_add(SNAPSHOT_ENTRIES)),
            is_wanted: false,
            not_before: Timestamp(0),
        }
    }

    /// Whether one is due, with a log of so many bytes that is applied through this entry. While others are sent to
    /// members it may wait: none is deleted, and the log since is what these members need next.
    pub(super) fn is_due(
        &self,
        now: Timestamp,
        (log_bytes, applied): (u64, LogIndex),
        is_sending: bool,
    ) -> bool {
        let has_grown = log_bytes >= self.next_bytes || applied >= self.next_index && !is_sending;
        (self.is_wanted || has_grown) && now >= self.not_before
    }

    /// There is one of this entry and size, and so many bytes are left of the log.
    pub(super) fn is_there(&mut self, index: LogIndex, bytes: u64, log_bytes: u64) {
        let entries = SNAPSHOT_ENTRIES.max(bytes / SNAPSHOT_BYTES_PER_ENTRY);
        self.next_index = self.next_index.max(LogIndex(index.0.saturating_add(entries)));
        self.next_bytes = log_bytes.saturating_add(self.log_bytes);
    }

    /// The log keeps growing.
    pub(super) fn has_failed(&mut self, now: Timestamp) {
        self.not_before = now.plus_ms(RETRY_MS);
    }
}

/// Reads the snapshot back, and deletes the older ones; but not while one may be on its way to a member.
pub(super) fn prune(disk: &dyn Disk, peers: &PeerHandle, index: LogIndex) -> anyhow::Result<()> {
    if peers.is_sending_snapshots() {
        verify_snapshot(disk, index)?;
    } else {
        prune_snapshots(disk, index)?;
    }
    Ok(())
}

/// Writes the snapshot. Gives the bytes of the state in it.
pub(super) fn write(
    disk: &Arc<dyn Disk>,
    meta: SnapshotMeta,
    state: &State,
    schema: &Schema,
) -> anyhow::Result<u64> {
    let mut writer = SnapshotWriter::begin(Arc::clone(disk), meta)?;
    let (mut bytes, mut failed) = (0_u64, None);
    crate::replication::snapshot::encode(state, schema, &mut |piece| {
        bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
        if failed.is_none() {
            failed = writer.write(piece).err();
        }
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::{LogIndex, SNAPSHOT_BYTES_PER_ENTRY, SNAPSHOT_ENTRIES, Schedule, Timestamp};

    const NOW: Timestamp = Timestamp(1);

    #[test]
    fn it_is_due_by_bytes_by_entries_and_for_a_member() {
        let mut schedule = Schedule::new(1000, LogIndex(7));
        let last = LogIndex(7 + SNAPSHOT_ENTRIES - 1);
        assert!(!schedule.is_due(NOW, (999, last), false));
        assert!(schedule.is_due(NOW, (1000, last), false));
        let next = LogIndex(last.0 + 1);
        assert!(schedule.is_due(NOW, (0, next), false));
        assert!(!schedule.is_due(NOW, (0, next), true), "others are on their way");
        assert!(schedule.is_due(NOW, (1000, next), true));
        schedule.is_wanted = true;
        assert!(schedule.is_due(NOW, (0, LogIndex(7)), false));
    }

    #[test]
    fn a_large_one_is_taken_less_often() {
        let mut schedule = Schedule::new(1000, LogIndex(0));
        let entries = 3 * SNAPSHOT_ENTRIES;
        schedule.is_there(LogIndex(100), entries * SNAPSHOT_BYTES_PER_ENTRY, 50);
        assert!(!schedule.is_due(NOW, (1049, LogIndex(100 + entries - 1)), false));
        assert!(schedule.is_due(NOW, (1050, LogIndex(100)), false));
        assert!(schedule.is_due(NOW, (0, LogIndex(100 + entries)), false));
        // Small again.
        schedule.is_there(LogIndex(100 + entries), 10, 0);
        let next = LogIndex(100 + entries + SNAPSHOT_ENTRIES);
        assert!(!schedule.is_due(NOW, (0, LogIndex(next.0 - 1)), false));
        assert!(schedule.is_due(NOW, (0, next), false));
    }

    #[test]
    fn after_a_failure_it_waits() {
        let mut schedule = Schedule::new(1000, LogIndex(0));
        schedule.has_failed(NOW);
        assert!(!schedule.is_due(NOW, (2000, LogIndex(0)), false));
        assert!(schedule.is_due(NOW.plus_ms(super::RETRY_MS), (2000, LogIndex(0)), false));
    }
}

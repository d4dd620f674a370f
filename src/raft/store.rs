//! The log in memory, as the crate wants to read it.

use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::large;
use crate::raft::{
    ConfState, EntryKind, HardState, LogEntry, LogPosition, Payload, RecoveredLog, SnapshotMeta,
};
use raft::eraftpb::{
    ConfState as CrateConfState, Entry, EntryType, HardState as CrateHardState, Snapshot,
};
use raft::storage::RaftState;
use raft::{Error, GetEntriesContext, Result, Storage, StorageError};
use std::cell::Cell;
use std::collections::VecDeque;

/// Bytes that an entry takes in a message besides its data, roughly.
const ENTRY_OVERHEAD_BYTES: u64 = 24;

/// The entries since the last compaction, and what the crate asks for at start.
///
/// What is in here is on its way to the disk: `Node` puts it in when it hands it out to be written, and tells the
/// crate later what became durable.
///
/// Invariant: `entries` are contiguous and begin at `base.index + 1`.
pub(super) struct Store {
    conf_state: CrateConfState,
    hard_state: HardState,
    base: LogPosition,
    entries: VecDeque<LogEntry>,
    /// The newest snapshot whose file is durable; what a member that lags too far is sent.
    snapshot: Option<SnapshotMeta>,
    /// A member needs a newer snapshot than there is.
    snapshot_wanted: Cell<bool>,
}

impl Store {
    /// The store of a member that starts with `recovered`, or with `voters` if it has no snapshot.
    pub(super) fn new(recovered: RecoveredLog, voters: &[Incarnation]) -> Store {
        let base = recovered.base();
        let initial = ConfState { voters: voters.to_vec(), ..ConfState::default() };
        let conf_state =
            recovered.snapshot.as_ref().map_or(&initial, |snapshot| &snapshot.conf_state);
        let mut hard_state = recovered.hard_state;
        hard_state.committed = hard_state.committed.max(base.index);
        Store {
            conf_state: conf_state.to_crate(),
            hard_state,
            base,
            entries: recovered.entries.into(),
            snapshot: recovered.snapshot,
            snapshot_wanted: Cell::new(false),
        }
    }

    pub(super) fn hard_state(&self) -> HardState {
        self.hard_state
    }

    pub(super) fn set_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
    }

    pub(super) fn conf_state(&self) -> ConfState {
        ConfState::from_crate(&self.conf_state)
    }

    pub(super) fn set_conf_state(&mut self, conf_state: CrateConfState) {
        self.conf_state = conf_state;
    }

    /// The bytes of an entry.
    pub(super) fn payload(&self, (index, term): (LogIndex, Term)) -> Option<Payload> {
        let entry = self.entries.get(self.offset(index.0)).filter(|_| index > self.base.index)?;
        (entry.term == term).then(|| entry.data.clone())
    }

    /// The bytes of the long entries behind `index`.
    pub(super) fn large_bytes_after(&self, index: LogIndex) -> u64 {
        let behind = self.entries.iter().rev().take_while(|entry| entry.index > index);
        behind.filter(|entry| large::is_large(&entry.data)).map(entry_bytes).sum()
    }

    /// The last entry behind which there are no more than so many bytes.
    pub(super) fn tail(&self, bytes: u64) -> LogIndex {
        let mut sum = 0_u64;
        let beyond = self.entries.iter().rev().find(|entry| {
            sum = sum.saturating_add(entry_bytes(entry));
            sum > bytes
        });
        beyond.map_or(self.base.index, |entry| entry.index)
    }

    /// The last entry.
    pub(super) fn last(&self) -> LogPosition {
        self.entries
            .back()
            .map_or(self.base, |entry| LogPosition { index: entry.index, term: entry.term })
    }

    /// Puts entries in; the first one replaces what is at its index and behind.
    pub(super) fn append(&mut self, entries: &[LogEntry]) {
        let Some(first) = entries.first() else { return };
        assert!(first.index > self.base.index, "an entry replaces a compacted one");
        assert!(first.index.0 <= self.last().index.0 + 1, "an entry leaves a gap in the log");
        self.entries.truncate(self.offset(first.index.0));
        self.entries.extend(entries.iter().cloned());
    }

    /// A snapshot takes the place of the whole log.
    pub(super) fn reset_to(&mut self, snapshot: SnapshotMeta) {
        self.entries.clear();
        self.base = snapshot.position;
        self.conf_state = snapshot.conf_state.to_crate();
        self.snapshot = Some(snapshot);
    }

    /// A snapshot file is durable and can be sent. An older one than the newest known changes nothing.
    pub(super) fn offer_snapshot(&mut self, snapshot: SnapshotMeta) {
        let newest = self.snapshot.as_ref().map(|known| known.position);
        if newest < Some(snapshot.position) {
            self.snapshot = Some(snapshot);
            self.snapshot_wanted.set(false);
        }
    }

    /// Forgets entries up to `index`, but none that only the log can give to a member.
    pub(super) fn compact(&mut self, index: LogIndex) {
        let covered = self.snapshot.as_ref().map(|snapshot| snapshot.position.index);
        let index = covered.unwrap_or_default().min(index).min(self.last().index);
        let Some(term) = self.term_at(index.0).filter(|_| index > self.base.index) else { return };
        self.entries.drain(..self.offset(index.0 + 1));
        self.base = LogPosition { index, term };
    }

    /// Whether a member waits for a newer snapshot than there is; asking takes the answer back.
    pub(super) fn take_snapshot_wanted(&self) -> bool {
        self.snapshot_wanted.take()
    }

    /// The term of the entry at `index`, the base included.
    fn term_at(&self, index: u64) -> Option<Term> {
        if index == self.base.index.0 {
            return Some(self.base.term);
        }
        self.entries.get(self.offset(index)).filter(|_| index > self.base.index.0).map(|e| e.term)
    }

    /// Where `index` is or would be in `entries`.
    fn offset(&self, index: u64) -> usize {
        let offset = index.saturating_sub(self.base.index.0).saturating_sub(1);
        usize::try_from(offset).unwrap_or(usize::MAX)
    }
}

impl Storage for Store {
    fn initial_state(&self) -> Result<RaftState> {
        let hard_state = hard_state_to_crate(self.hard_state);
        Ok(RaftState { hard_state, conf_state: self.conf_state.clone() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> Result<Vec<Entry>> {
        if low <= self.base.index.0 {
            return Err(Error::Store(StorageError::Compacted));
        }
        let max_size = max_size.into().unwrap_or(u64::MAX);
        let mut size = 0_u64;
        let wanted = self.entries.iter().skip(self.offset(low));
        let entries = wanted.take_while(|entry| entry.index.0 < high).enumerate();
        Ok(entries
            .take_while(|(position, entry)| {
                size = size.saturating_add(entry_bytes(entry));
                *position == 0 || size <= max_size
            })
            .map(|(_, entry)| entry_to_crate(entry))
            .collect())
    }

    fn term(&self, index: u64) -> Result<u64> {
        match self.term_at(index) {
            Some(term) => Ok(term.0),
            None if index < self.base.index.0 => Err(Error::Store(StorageError::Compacted)),
            None => Err(Error::Store(StorageError::Unavailable)),
        }
    }

    fn first_index(&self) -> Result<u64> {
        Ok(self.base.index.0 + 1)
    }

    fn last_index(&self) -> Result<u64> {
        Ok(self.last().index.0)
    }

    /// The snapshot for `to`: not one from before `to` became a member, since the crate would ignore it there and
    /// report success, for ever (PROTOCOL F40).
    fn snapshot(&self, request_index: u64, to: u64) -> Result<Snapshot> {
        let usable = self.snapshot.as_ref().filter(|snapshot| {
            let index = snapshot.position.index.0;
            index >= request_index
                && index >= self.base.index.0
                && snapshot.conf_state.contains(Incarnation(to))
        });
        let Some(meta) = usable else {
            self.snapshot_wanted.set(true);
            return Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable));
        };
        let mut snapshot = Snapshot::default();
        snapshot.mut_metadata().index = meta.position.index.0;
        snapshot.mut_metadata().term = meta.position.term.0;
        snapshot.mut_metadata().set_conf_state(meta.conf_state.to_crate());
        Ok(snapshot)
    }
}

/// What an entry counts against the size of a message.
fn entry_bytes(entry: &LogEntry) -> u64 {
    u64::try_from(entry.data.len()).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD_BYTES)
}

fn entry_to_crate(entry: &LogEntry) -> Entry {
    let is_large = entry.kind == EntryKind::Normal && large::is_large(&entry.data);
    let (context, data) =
        if is_large { large::stand_in(&entry.data) } else { (Vec::new(), entry.data.to_vec()) };
    let mut out =
        Entry { index: entry.index.0, term: entry.term.0, context, data, ..Entry::default() };
    out.set_entry_type(match entry.kind {
        EntryKind::Normal => EntryType::EntryNormal,
        EntryKind::Membership => EntryType::EntryConfChangeV2,
    });
    out
}

/// Ours of the crate's; the bytes are moved, or are those of a long one.
pub(super) fn entry_from_crate(entry: Entry, large: Option<Payload>) -> LogEntry {
    LogEntry {
        index: LogIndex(entry.index),
        term: Term(entry.term),
        kind: match entry.get_entry_type() {
            EntryType::EntryNormal => EntryKind::Normal,
            EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => EntryKind::Membership,
        },
        data: large.unwrap_or_else(|| Payload::from(entry.data)),
    }
}

pub(super) fn hard_state_to_crate(state: HardState) -> CrateHardState {
    CrateHardState {
        term: state.term.0,
        vote: state.vote.map_or(0, |member| member.0),
        commit: state.committed.0,
    }
}

pub(super) fn hard_state_from_crate(state: &CrateHardState) -> HardState {
    HardState {
        term: Term(state.term),
        vote: member_from_crate(state.vote),
        committed: LogIndex(state.commit),
    }
}

/// The member of a number in which the crate says "nobody" by 0.
pub(super) fn member_from_crate(id: u64) -> Option<Incarnation> {
    (id != 0).then_some(Incarnation(id))
}

#[cfg(test)]
mod tests {
    use super::Store;
    use crate::base::ids::{Incarnation, LogIndex, Term};
    use crate::raft::{
        ConfState, EntryKind, LogEntry, LogPosition, Payload, RecoveredLog, SnapshotMeta,
    };
    use raft::{GetEntriesContext, Storage};

    fn entry(index: u64, term: u64) -> LogEntry {
        LogEntry {
            index: LogIndex(index),
            term: Term(term),
            kind: EntryKind::Normal,
            data: Payload::from(vec![7; 76]),
        }
    }

    fn snapshot(index: u64, term: u64, voters: &[u64]) -> SnapshotMeta {
        SnapshotMeta {
            position: LogPosition { index: LogIndex(index), term: Term(term) },
            conf_state: ConfState {
                voters: voters.iter().copied().map(Incarnation).collect(),
                ..ConfState::default()
            },
        }
    }

    fn store(last: u64) -> Store {
        let mut store = Store::new(RecoveredLog::default(), &[Incarnation(1)]);
        store.append(&(1..=last).map(|index| entry(index, 1)).collect::<Vec<_>>());
        store
    }

    fn indexes(store: &Store, low: u64, high: u64, max_size: Option<u64>) -> Vec<u64> {
        let context = GetEntriesContext::empty(false);
        let entries = store.entries(low, high, max_size, context).unwrap();
        entries.iter().map(|entry| entry.index).collect()
    }

    #[test]
    fn an_appended_entry_replaces_all_from_its_index_on() {
        let mut store = store(5);
        store.append(&[entry(3, 2)]);
        assert_eq!(store.last(), LogPosition { index: LogIndex(3), term: Term(2) });
        assert_eq!(store.term(2).unwrap(), 1);
        assert!(store.term(4).is_err());
    }

    #[test]
    fn at_least_one_entry_is_given_and_no_more_than_the_size_allows() {
        let store = store(5);
        assert_eq!(indexes(&store, 2, 6, None), [2, 3, 4, 5]);
        assert_eq!(indexes(&store, 2, 4, None), [2, 3]);
        assert_eq!(indexes(&store, 2, 6, Some(0)), [2]);
        assert_eq!(indexes(&store, 2, 6, Some(250)), [2, 3]);
    }

    #[test]
    fn compaction_stops_at_the_snapshot_that_can_be_sent() {
        let mut store = store(5);
        store.compact(LogIndex(4));
        assert_eq!(store.first_index().unwrap(), 1);
        store.offer_snapshot(snapshot(3, 1, &[1]));
        store.compact(LogIndex(4));
        assert_eq!(store.first_index().unwrap(), 4);
        assert_eq!(store.term(3).unwrap(), 1);
        assert!(store.term(2).is_err());
        assert!(store.entries(3, 5, None, GetEntriesContext::empty(false)).is_err());
        assert_eq!(indexes(&store, 4, 6, None), [4, 5]);
    }

    #[test]
    fn the_tail_has_at_most_so_many_bytes() {
        let store = store(5);
        let bytes = super::entry_bytes(&store.entries[0]);
        assert_eq!(store.tail(5 * bytes), LogIndex(0));
        assert_eq!(store.tail(5 * bytes - 1), LogIndex(1));
        assert_eq!(store.tail(2 * bytes), LogIndex(3));
        assert_eq!(store.tail(0), LogIndex(5));
    }

    #[test]
    fn a_snapshot_from_before_a_member_was_added_is_not_for_it() {
        let mut store = store(5);
        store.offer_snapshot(snapshot(3, 1, &[1]));
        assert!(store.snapshot(0, 2).is_err());
        assert!(store.take_snapshot_wanted());
        store.offer_snapshot(snapshot(5, 1, &[1, 2]));
        assert_eq!(store.snapshot(0, 2).unwrap().get_metadata().index, 5);
        assert!(store.snapshot(6, 2).is_err());
        assert!(store.take_snapshot_wanted());
        assert!(!store.take_snapshot_wanted());
    }

    #[test]
    fn a_snapshot_replaces_the_log() {
        let mut store = store(5);
        store.reset_to(snapshot(9, 3, &[1, 2]));
        assert_eq!(store.first_index().unwrap(), 10);
        assert_eq!(store.last_index().unwrap(), 9);
        assert_eq!(store.term(9).unwrap(), 3);
        store.append(&[entry(10, 3)]);
        assert_eq!(indexes(&store, 10, 11, None), [10]);
        assert_eq!(store.conf_state().voters, [Incarnation(1), Incarnation(2)]);
    }
}

//! What a node has written, and what of it is on its disk, as the simulator knows it from the writes themselves.

use super::oracle::{Violation, ensure};
use crate::base::ids::LogIndex;
use crate::raft::{HardState, LogEntry, LogPosition, LogWrite, RecoveredLog};
use std::collections::BTreeMap;

/// The log of a node at one moment. Entries that a snapshot of the node has replaced are kept.
#[derive(Debug, Clone, Default)]
struct Content {
    entries: BTreeMap<LogIndex, LogEntry>,
    /// A snapshot from another node replaced everything up to here.
    base: LogPosition,
    hard_state: HardState,
}

/// The log of one node, in all of its lives.
#[derive(Debug, Clone, Default)]
pub(super) struct Journal {
    written: Content,
    durable: Content,
    pending: Vec<LogWrite>,
}

impl Content {
    fn take(&mut self, write: &LogWrite) {
        if let Some(hard_state) = write.hard_state {
            self.hard_state = hard_state;
        }
        if let Some(base) = write.reset {
            // What this node had in its place need not be what was committed.
            self.base = base;
            self.entries.clear();
        }
        for entry in &write.entries {
            drop(self.entries.split_off(&entry.index));
            self.entries.insert(entry.index, entry.clone());
        }
    }

    fn holds(&self, position: LogPosition) -> bool {
        position.index <= self.base.index
            || self.entries.get(&position.index).is_some_and(|entry| entry.term == position.term)
    }

    fn is(&self, recovered: &RecoveredLog) -> bool {
        let base = recovered.base().index;
        let behind = self.entries.range(LogIndex(base.0 + 1)..).map(|(_, entry)| entry);
        let ours = (self.hard_state.term, self.hard_state.vote);
        let theirs = (recovered.hard_state.term, recovered.hard_state.vote);
        behind.eq(recovered.entries.iter()) && ours == theirs
    }
}

impl Journal {
    /// The node hands out a write. Terms and votes never go back (S21), and never change once given.
    pub(super) fn append(&mut self, write: &LogWrite) -> Result<(), Violation> {
        if let Some(next) = write.hard_state {
            let last = self.written.hard_state;
            let turned = last.term == next.term && last.vote.is_some() && last.vote != next.vote;
            ensure("S21", next.term >= last.term && !turned, || format!("{last:?} -> {next:?}"))?;
        }
        if !write.is_empty() {
            self.written.take(write);
            self.pending.push(write.clone());
        }
        Ok(())
    }

    /// All that was handed out is on the disk.
    pub(super) fn flushed(&mut self) {
        for write in std::mem::take(&mut self.pending) {
            self.durable.take(&write);
        }
    }

    /// The entry that the node has at this index, durable or not.
    pub(super) fn entry(&self, index: LogIndex) -> Option<&LogEntry> {
        self.written.entries.get(&index)
    }

    /// Whether the node has this entry.
    pub(super) fn has(&self, position: LogPosition) -> bool {
        self.written.holds(position)
    }

    /// Whether the entry would survive a power failure of this node.
    pub(super) fn is_durable(&self, position: LogPosition) -> bool {
        self.durable.holds(position)
    }

    /// The node recovered: everything durable is there, and the last write wholly or not at all (S6, S21).
    pub(super) fn recovered(&mut self, recovered: &RecoveredLog) -> Result<(), Violation> {
        let installed = recovered.base().index
            > self.durable.entries.keys().next_back().copied().unwrap_or(self.durable.base.index);
        let known = installed || self.durable.is(recovered) || self.written.is(recovered);
        ensure("S6", known && recovered.hard_state.term >= self.durable.hard_state.term, || {
            let last = self.durable.entries.keys().next_back();
            let found = recovered.last();
            format!("a disk with {last:?}, {:?} is read as {found:?}", self.durable.hard_state)
        })?;
        self.pending.clear();
        let mut content = self.durable.clone();
        content.hard_state = recovered.hard_state;
        if installed {
            content.base = recovered.base();
            content.entries.clear();
        }
        drop(content.entries.split_off(&LogIndex(recovered.base().index.0 + 1)));
        for entry in &recovered.entries {
            content.entries.insert(entry.index, entry.clone());
        }
        self.written = content.clone();
        self.durable = content;
        Ok(())
    }
}

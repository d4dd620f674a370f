//! Long entries: their bytes do not pass through the crate, which copies what it holds, again for each member and each
//! attempt. It is given the length in their place, and the bytes are shared by all who hold them.

use crate::base::ids::{LogIndex, Term};
use crate::base::limits::RAFT_LARGE_BYTES;
use crate::raft::Payload;
use raft::eraftpb::{Entry, EntryType};
use std::collections::BTreeMap;

/// The context of an entry of the crate whose data is a length.
const CONTEXT: &[u8] = b"length";

/// Whether so many bytes travel beside the crate.
pub(super) fn is_large(data: &[u8]) -> bool {
    data.len() > RAFT_LARGE_BYTES
}

/// What the crate is given of a long entry: context and data.
pub(super) fn stand_in(data: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
    (CONTEXT.to_vec(), length.to_le_bytes().to_vec())
}

/// The length of a long entry of the crate; `None` of any other.
pub(super) fn length(entry: &Entry) -> Option<usize> {
    let is_normal = entry.entry_type == i32::from(EntryType::EntryNormal);
    let bytes = <[u8; 8]>::try_from(entry.data.as_slice()).ok();
    let length = usize::try_from(u64::from_le_bytes(bytes?)).ok()?;
    (is_normal && entry.context == CONTEXT && length > RAFT_LARGE_BYTES).then_some(length)
}

/// Bytes of long entries that the crate has taken and not handed out yet, by their place in the log.
#[derive(Debug, Default)]
pub(super) struct Large(BTreeMap<(LogIndex, Term), Payload>);

impl Large {
    /// Takes in the bytes of an entry.
    pub(super) fn keep(&mut self, place: (LogIndex, Term), payload: Payload) {
        self.0.insert(place, payload);
    }

    /// The bytes of an entry.
    pub(super) fn get(&self, place: (LogIndex, Term)) -> Option<Payload> {
        self.0.get(&place).cloned()
    }

    /// How many there are.
    pub(super) fn bytes(&self) -> u64 {
        self.0.values().map(|payload| u64::try_from(payload.len()).unwrap_or(u64::MAX)).sum()
    }

    /// Everything was handed out.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

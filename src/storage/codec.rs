//! A `LogWrite` in bytes. All numbers are little-endian.
//!
//! ```text
//! flags u8   1: hard state, 2: reset
//! [term u64, vote u64 (0: none), committed u64]   hard state
//! [index u64, term u64]                           reset
//! count u32
//! count times: index u64, term u64, kind u8, length u32, data
//! ```

use super::{take, take_u32, take_u64, usize_of};
use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::{EntryKind, HardState, LogEntry, LogPosition, LogWrite, Payload};

const HAS_HARD_STATE: u8 = 1;
const HAS_RESET: u8 = 2;
const NORMAL: u8 = 0;
const MEMBERSHIP: u8 = 1;

/// Bytes of a write without its entries, at most.
const WRITE_BYTES: usize = 1 + 24 + 16 + 4;
/// Bytes of an entry without its data.
const ENTRY_BYTES: usize = 8 + 8 + 1 + 4;

/// At most how many bytes `encode` adds.
pub(super) fn encoded_len_max(write: &LogWrite) -> usize {
    let entries = write.entries.iter().map(|entry| ENTRY_BYTES.saturating_add(entry.data.len()));
    entries.fold(WRITE_BYTES, usize::saturating_add)
}

/// Adds the bytes of `write`. Its length was checked against the limit of a record, below 2^32.
pub(super) fn encode(write: &LogWrite, out: &mut Vec<u8>) {
    let mut flags = 0;
    if write.hard_state.is_some() {
        flags |= HAS_HARD_STATE;
    }
    if write.reset.is_some() {
        flags |= HAS_RESET;
    }
    out.push(flags);
    if let Some(hard_state) = write.hard_state {
        encode_hard_state(hard_state, out);
    }
    if let Some(reset) = write.reset {
        encode_position(reset, out);
    }
    out.extend_from_slice(&u32_of(write.entries.len()).to_le_bytes());
    for entry in &write.entries {
        encode_position(LogPosition { index: entry.index, term: entry.term }, out);
        out.push(match entry.kind {
            EntryKind::Normal => NORMAL,
            EntryKind::Membership => MEMBERSHIP,
        });
        out.extend_from_slice(&u32_of(entry.data.len()).to_le_bytes());
        out.extend_from_slice(&entry.data);
    }
}

/// Takes one write off `input`.
pub(super) fn decode(input: &mut &[u8]) -> Option<LogWrite> {
    let [flags] = take::<1>(input)?;
    if flags & !(HAS_HARD_STATE | HAS_RESET) != 0 {
        return None;
    }
    let mut write = LogWrite::default();
    if flags & HAS_HARD_STATE != 0 {
        write.hard_state = Some(decode_hard_state(input)?);
    }
    if flags & HAS_RESET != 0 {
        write.reset = Some(decode_position(input)?);
    }
    for _ in 0..take_u32(input)? {
        write.entries.push(decode_entry(input)?);
    }
    Some(write)
}

fn decode_entry(input: &mut &[u8]) -> Option<LogEntry> {
    let LogPosition { index, term } = decode_position(input)?;
    let kind = match take::<1>(input)? {
        [NORMAL] => EntryKind::Normal,
        [MEMBERSHIP] => EntryKind::Membership,
        _ => return None,
    };
    let length = usize_of(u64::from(take_u32(input)?));
    let (data, rest) = input.split_at_checked(length)?;
    *input = rest;
    Some(LogEntry { index, term, kind, data: Payload::from(data.to_vec()) })
}

/// Adds a hard state: 24 bytes.
pub(super) fn encode_hard_state(state: HardState, out: &mut Vec<u8>) {
    out.extend_from_slice(&state.term.0.to_le_bytes());
    out.extend_from_slice(&state.vote.map_or(0, |member| member.0).to_le_bytes());
    out.extend_from_slice(&state.committed.0.to_le_bytes());
}

/// Takes a hard state off `input`.
pub(super) fn decode_hard_state(input: &mut &[u8]) -> Option<HardState> {
    let term = Term(take_u64(input)?);
    let vote = take_u64(input)?;
    let committed = LogIndex(take_u64(input)?);
    Some(HardState { term, vote: (vote != 0).then_some(Incarnation(vote)), committed })
}

/// Adds a position: 16 bytes.
pub(super) fn encode_position(position: LogPosition, out: &mut Vec<u8>) {
    out.extend_from_slice(&position.index.0.to_le_bytes());
    out.extend_from_slice(&position.term.0.to_le_bytes());
}

/// Takes a position off `input`.
pub(super) fn decode_position(input: &mut &[u8]) -> Option<LogPosition> {
    let index = LogIndex(take_u64(input)?);
    Some(LogPosition { index, term: Term(take_u64(input)?) })
}

fn u32_of(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, encoded_len_max};
    use crate::base::ids::{Incarnation, LogIndex, Term};
    use crate::raft::{EntryKind, HardState, LogEntry, LogPosition, LogWrite, Payload};

    fn writes() -> Vec<LogWrite> {
        let position = LogPosition { index: LogIndex(7), term: Term(2) };
        let entry = |index, kind, data: &[u8]| LogEntry {
            index: LogIndex(index),
            term: Term(3),
            kind,
            data: Payload::from(data.to_vec()),
        };
        let hard_state =
            HardState { term: Term(3), vote: Some(Incarnation(2)), committed: LogIndex(7) };
        vec![
            LogWrite::default(),
            LogWrite { hard_state: Some(HardState::default()), ..LogWrite::default() },
            LogWrite { reset: Some(position), ..LogWrite::default() },
            LogWrite {
                hard_state: Some(hard_state),
                reset: Some(position),
                entries: vec![
                    entry(8, EntryKind::Normal, b""),
                    entry(9, EntryKind::Membership, b"change"),
                ],
            },
        ]
    }

    #[test]
    fn writes_come_back_one_after_the_other() {
        let mut bytes = Vec::new();
        for write in writes() {
            let before = bytes.len();
            encode(&write, &mut bytes);
            assert!(bytes.len() - before <= encoded_len_max(&write));
        }
        let mut input = bytes.as_slice();
        let decoded: Vec<_> = std::iter::from_fn(|| decode(&mut input)).collect();
        assert_eq!(decoded, writes());
        assert!(input.is_empty());
    }

    #[test]
    fn a_write_that_was_cut_is_refused_at_every_length() {
        for write in writes() {
            let mut bytes = Vec::new();
            encode(&write, &mut bytes);
            for length in 0..bytes.len() {
                assert_eq!(decode(&mut &bytes[..length]), None);
            }
        }
    }

    #[test]
    fn unknown_flags_and_kinds_are_refused() {
        assert_eq!(decode(&mut [4, 0, 0, 0, 0].as_slice()), None);
        let mut bytes = Vec::new();
        encode(&writes()[3], &mut bytes);
        let kind = 1 + 24 + 16 + 4 + 16;
        bytes[kind] = 9;
        assert_eq!(decode(&mut bytes.as_slice()), None);
    }
}

//! The head of a segment: what the log was when the segment began.
//!
//! Because of it, all earlier segments can be deleted once a snapshot covers their entries.

use super::codec::{decode_hard_state, decode_position, encode_hard_state, encode_position};
use super::{take, take_u32, take_u64};
use crate::raft::{HardState, LogPosition};

/// Where the first record of a segment begins.
pub(super) const SEGMENT_HEAD_BYTES: usize = 512;
/// The form of the log as a whole is told by the identity's version; this only says that it is a segment.
const MAGIC: [u8; 8] = *b"QUORLOG\n";
const PREFIX: &str = "log-";

/// The head of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    /// The number of the segment.
    pub(super) number: u64,
    /// The number of its first record. Whatever the segment before has from there on is void.
    pub(super) first_sequence: u64,
    /// The hard state before its first record.
    pub(super) hard_state: HardState,
    /// The last entry before its first record.
    pub(super) last: LogPosition,
}

impl SegmentHead {
    /// The bytes of the head, as long as it is on the disk.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&self.number.to_le_bytes());
        bytes.extend_from_slice(&self.first_sequence.to_le_bytes());
        encode_hard_state(self.hard_state, &mut bytes);
        encode_position(self.last, &mut bytes);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.resize(SEGMENT_HEAD_BYTES, 0);
        bytes
    }

    /// The head at the beginning of `segment`, if it is what was written.
    pub(super) fn decode(segment: &[u8]) -> Option<SegmentHead> {
        let mut input = segment;
        if take::<8>(&mut input)? != MAGIC {
            return None;
        }
        let number = take_u64(&mut input)?;
        let first_sequence = take_u64(&mut input)?;
        let hard_state = decode_hard_state(&mut input)?;
        let last = decode_position(&mut input)?;
        let covered = segment.len().checked_sub(input.len())?;
        let crc = take_u32(&mut input)?;
        let is_valid = crc == crc32fast::hash(segment.get(..covered)?);
        is_valid.then_some(SegmentHead { number, first_sequence, hard_state, last })
    }
}

/// The file of a segment.
pub(super) fn segment_file(number: u64) -> String {
    format!("{PREFIX}{number:016x}")
}

/// The number of the segment in a file of that name.
pub(super) fn segment_number(file: &str) -> Option<u64> {
    let digits = file.strip_prefix(PREFIX)?;
    let number = u64::from_str_radix(digits, 16).ok()?;
    (segment_file(number) == file).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::{SegmentHead, segment_file, segment_number};
    use crate::base::ids::{Incarnation, LogIndex, Term};
    use crate::raft::{HardState, LogPosition};

    fn head() -> SegmentHead {
        SegmentHead {
            number: 7,
            first_sequence: 130,
            hard_state: HardState {
                term: Term(3),
                vote: Some(Incarnation(2)),
                committed: LogIndex(40),
            },
            last: LogPosition { index: LogIndex(44), term: Term(3) },
        }
    }

    #[test]
    fn a_head_comes_back_and_no_flipped_bit_is_taken_for_one() {
        let bytes = head().encode();
        assert_eq!(SegmentHead::decode(&bytes), Some(head()));
        let covered = 8 + 8 + 8 + 24 + 16 + 4;
        for bit in 0..covered * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHead::decode(&flipped).is_none(), "bit {bit}");
        }
        assert_eq!(SegmentHead::decode(&bytes[..20]), None);
    }

    #[test]
    fn only_names_that_are_ours_are_segments() {
        assert_eq!(segment_number(&segment_file(255)), Some(255));
        for file in ["log-", "log-1", "log-00000000000000FF", "log-00000000000000ff.tmp", "spare"] {
            assert_eq!(segment_number(file), None);
        }
    }
}

//! How one flush of the log lies in a segment, and what a place without a valid record means.
//!
//! ```text
//!  0 magic u32    4 length u32       8 crc32 of the payload u32   12 mask u32
//! 16 sequence u64                   24 segment u64
//! 32 crc32 of the 32 bytes before   36 tag
//! 40 payload, every word of it combined with the mask by exclusive or
//!    1 to 8 bytes of padding and 8 bytes of end, so that the record is a multiple of 8 bytes
//! ```
//!
//! A record is written into zeros, by one write, and only after the one before it is durable. So the last record
//! alone can be torn, and every later byte proves the earlier records durable: that is the durable mark. A torn
//! write leaves sectors as they were, all zero; a record never has such a sector by itself, because tag, padding
//! and end are not zero and the mask is chosen so that no sector of the payload is. What is invalid and has no
//! such sector was written, became durable, and was damaged later.

use super::{is_zero, take_u32, take_u64, u64_of, usize_of};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 40;
/// Bytes that a disk writes as a whole or not at all. A disk with larger sectors keeps the promise too.
const SECTOR: usize = 512;
const MAGIC: u32 = u32::from_le_bytes(*b"QREC");
const TAG: [u8; 4] = [0xA5; 4];
const END: [u8; 8] = [0xA5; 8];
const PADDING: u8 = 0xFF;

/// What identifies a record: it is not taken for another, wherever its bytes turn up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RecordId {
    /// The segment that it lies in.
    pub(super) segment: u64,
    /// Its number; rises by one from record to record.
    pub(super) sequence: u64,
}

/// What is found at a place where a record may begin.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// The record that was expected.
    Record {
        /// What it says.
        payload: Cow<'a, [u8]>,
        /// Where the next one begins.
        next: usize,
    },
    /// Zeros up to the end.
    Nothing,
    /// A record that was being written and never became durable.
    Torn,
    /// Something that was durable is not what it was.
    Damaged(&'static str),
}

/// How long a record with such a payload is.
pub(super) fn record_len(payload: usize) -> usize {
    let padded = payload.saturating_add(8) & !7;
    HEADER_BYTES.saturating_add(padded).saturating_add(END.len())
}

/// Makes a record of `buffer`, whose first `HEADER_BYTES` are free for it, to be written at `offset` of the file.
/// The mask that was used is given back, for `unseal`.
pub(super) fn seal(buffer: &mut Vec<u8>, id: RecordId, offset: u64) -> u32 {
    let length = buffer.len().saturating_sub(HEADER_BYTES);
    let payload = buffer.get_mut(HEADER_BYTES..).unwrap_or_default();
    let mask = choose_mask(payload, offset.saturating_add(u64_of(HEADER_BYTES)));
    combine(payload, mask);
    let payload_crc = crc32fast::hash(payload);

    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC.to_le_bytes());
    // Invariant: the log refuses payloads of LOG_RECORD_BYTES_MAX and more.
    header.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    header.extend_from_slice(&payload_crc.to_le_bytes());
    header.extend_from_slice(&mask.to_le_bytes());
    header.extend_from_slice(&id.sequence.to_le_bytes());
    header.extend_from_slice(&id.segment.to_le_bytes());
    let header_crc = crc32fast::hash(&header);
    header.extend_from_slice(&header_crc.to_le_bytes());
    header.extend_from_slice(&TAG);
    if let Some(place) = buffer.first_chunk_mut::<HEADER_BYTES>() {
        place.copy_from_slice(&header);
    }
    buffer.resize(record_len(length).saturating_sub(END.len()), PADDING);
    buffer.extend_from_slice(&END);
    mask
}

/// Makes the buffer of a record, which has a payload of that length, what it was before `seal`.
pub(super) fn unseal(buffer: &mut Vec<u8>, length: usize, mask: u32) {
    buffer.truncate(HEADER_BYTES.saturating_add(length));
    combine(buffer.get_mut(HEADER_BYTES..).unwrap_or_default(), mask);
}

/// What is at `at` of a segment whose records should go on with `expected`.
pub(super) fn find(segment: &[u8], at: usize, expected: RecordId) -> Found<'_> {
    let rest = segment.get(at..).unwrap_or_default();
    match Header::read(rest) {
        Some(header) => find_with_header(segment, at, &header, expected),
        None if is_zero(rest) => Found::Nothing,
        None if has_later_record(segment, at, expected) => {
            Found::Damaged("a record is not valid, and valid ones follow it")
        }
        None if header_is_unwritten(segment, at) => Found::Torn,
        None => Found::Damaged("the header of a record is not valid"),
    }
}

fn find_with_header<'a>(
    segment: &'a [u8],
    at: usize,
    header: &Header,
    expected: RecordId,
) -> Found<'a> {
    if header.id != expected {
        return Found::Damaged("a record is not the one that belongs there");
    }
    let end = at.saturating_add(record_len(header.length));
    let Some(record) = segment.get(at..end) else {
        return Found::Damaged("a record is longer than its segment");
    };
    if let Some(payload) = header.payload(record) {
        return Found::Record { payload, next: end };
    }
    if !is_zero(segment.get(end..).unwrap_or_default()) {
        return Found::Damaged("a record does not match its checksum, and more follows it");
    }
    let is_torn = record.ends_with(&[0])
        || sectors(at..end).any(|sector| segment.get(sector).is_some_and(is_zero));
    if is_torn { Found::Torn } else { Found::Damaged("a record does not match its checksum") }
}

/// A header that is valid by itself.
struct Header {
    id: RecordId,
    length: usize,
    crc: u32,
    mask: u32,
}

impl Header {
    /// The header at the beginning of `bytes`, if it is one.
    fn read(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.first_chunk::<HEADER_BYTES>()?;
        let mut input = bytes.as_slice();
        if take_u32(&mut input)? != MAGIC {
            return None;
        }
        let length = usize_of(u64::from(take_u32(&mut input)?));
        let crc = take_u32(&mut input)?;
        let mask = take_u32(&mut input)?;
        let sequence = take_u64(&mut input)?;
        let segment = take_u64(&mut input)?;
        let header_crc = take_u32(&mut input)?;
        let is_valid = input == TAG && header_crc == crc32fast::hash(bytes.first_chunk::<32>()?);
        is_valid.then_some(Header { id: RecordId { segment, sequence }, length, crc, mask })
    }

    /// The payload of the whole record, if it is what was written.
    fn payload<'a>(&self, record: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        let (payload, rest) = record.get(HEADER_BYTES..)?.split_at_checked(self.length)?;
        let padding = rest.strip_suffix(&END)?;
        if crc32fast::hash(payload) != self.crc || padding.iter().any(|byte| *byte != PADDING) {
            return None;
        }
        let mut payload = Cow::Borrowed(payload);
        if self.mask != 0 {
            combine(payload.to_mut(), self.mask);
        }
        Some(payload)
    }
}

/// Whether a valid record of a later number is anywhere behind `at`.
fn has_later_record(segment: &[u8], at: usize, expected: RecordId) -> bool {
    let mut place = at.saturating_add(8);
    while let Some(rest) = segment.get(place..).filter(|rest| rest.len() >= HEADER_BYTES) {
        let later = Header::read(rest).is_some_and(|header| {
            let record = rest.get(..record_len(header.length)).unwrap_or_default();
            header.id.segment == expected.segment
                && header.id.sequence > expected.sequence
                && header.payload(record).is_some()
        });
        if later {
            return true;
        }
        place = place.saturating_add(8);
    }
    false
}

/// Whether the header at `at`, which is not valid, was written only in part.
fn header_is_unwritten(segment: &[u8], at: usize) -> bool {
    let end = at.saturating_add(HEADER_BYTES).min(segment.len());
    // A lone byte is no record, and none that was damaged: one bit of the zeros flipped.
    let rest = segment.get(at..).unwrap_or_default();
    if rest.iter().filter(|byte| **byte != 0).take(2).count() < 2 {
        return true;
    }
    // Its first sector never arrived,
    let mut parts = sectors(at..end);
    if parts.next().is_some_and(|part| segment.get(part).is_some_and(is_zero)) {
        return true;
    }
    // or its second one, with all that else is in it,
    let second = parts.next().map(|part| part.start..part.start.saturating_add(SECTOR));
    if second.is_some_and(|sector| segment.get(sector).is_some_and(is_zero)) {
        return true;
    }
    // or writing stopped inside of it. The last byte of a header is not zero.
    is_zero(segment.get(end.saturating_sub(1)..).unwrap_or_default())
}

/// The parts of a range of a file that lie in one sector each.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut start = range.start;
    std::iter::from_fn(move || {
        let end = (start / SECTOR).saturating_add(1).saturating_mul(SECTOR).min(range.end);
        let sector = start..end;
        start = end;
        (!sector.is_empty()).then_some(sector)
    })
}

/// A mask with which every whole sector of the payload has at least two words that are not zero, so that it does
/// not become zero by a flipped bit either. It is 0 unless there are such sectors.
///
/// For each sector at most one mask is bad: the word that it consists of, but for one word at most.
fn choose_mask(payload: &[u8], offset: u64) -> u32 {
    let sector = u64_of(SECTOR);
    let skip = usize_of((sector - offset % sector) % sector);
    let whole = payload.get(skip..).unwrap_or_default().chunks_exact(SECTOR);
    let bad: BTreeSet<u32> = whole.filter_map(prevailing_word).collect();
    let mut mask = 0;
    for word in bad {
        if word != mask {
            break;
        }
        mask = mask.wrapping_add(1);
    }
    mask
}

/// The word that a sector consists of, but for one word at most.
fn prevailing_word(sector: &[u8]) -> Option<u32> {
    let words = || sector.chunks_exact(4).filter_map(|mut word| take_u32(&mut word));
    let mut first = words();
    let (a, b, c) = (first.next()?, first.next()?, first.next()?);
    let word = if a == b || a == c { a } else { b };
    let others = words().filter(|other| *other != word).take(2).count();
    (others < 2).then_some(word)
}

/// Combines every word of the payload with the mask; doing it again undoes it.
fn combine(payload: &mut [u8], mask: u32) {
    if mask == 0 {
        return;
    }
    let mask = mask.to_le_bytes();
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::{Found, HEADER_BYTES, RecordId, find, record_len, seal, unseal};

    const ID: RecordId = RecordId { segment: 3, sequence: 17 };

    fn record(payload: &[u8], id: RecordId, offset: usize) -> Vec<u8> {
        let mut buffer = vec![0; HEADER_BYTES];
        buffer.extend_from_slice(payload);
        let mask = seal(&mut buffer, id, u64::try_from(offset).unwrap());
        assert_eq!(buffer.len(), record_len(payload.len()));
        let mut undone = buffer.clone();
        unseal(&mut undone, payload.len(), mask);
        assert_eq!(&undone[HEADER_BYTES..], payload);
        buffer
    }

    /// A segment of zeros with a record at `offset`.
    fn segment(payload: &[u8], offset: usize) -> Vec<u8> {
        let mut segment = vec![0; 8192];
        let record = record(payload, ID, offset);
        segment[offset..offset + record.len()].copy_from_slice(&record);
        segment
    }

    fn payloads() -> Vec<Vec<u8>> {
        let mixed: Vec<u8> = (0..1500_u32).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect();
        let mut zeros_then_ones = vec![0; 1024];
        zeros_then_ones.extend(std::iter::repeat_n([1, 0, 0, 0], 300).flatten());
        let mut lone_bit = vec![0; 1500];
        lone_bit[700] = 4;
        let short = [vec![], vec![1], vec![0; 7], vec![0; 8]];
        [short.to_vec(), vec![mixed, vec![0; 3000], zeros_then_ones, lone_bit]].concat()
    }

    #[test]
    fn a_record_is_found_as_it_was_written() {
        for payload in payloads() {
            for offset in [512, 520, 504, 472, 480, 1016] {
                let next = offset + record_len(payload.len());
                let segment = segment(&payload, offset);
                let expected = Found::Record { payload: payload.as_slice().into(), next };
                assert_eq!(find(&segment, offset, ID), expected);
                assert_eq!(find(&segment, next, ID), Found::Nothing);
            }
        }
    }

    #[test]
    fn a_record_has_no_sector_of_zeros() {
        for payload in payloads() {
            for offset in (0..512).step_by(8) {
                let segment = segment(&payload, offset);
                let end = offset + record_len(payload.len());
                for sector in super::sectors(offset..end) {
                    assert!(segment[sector].iter().any(|byte| *byte != 0));
                }
            }
        }
    }

    #[test]
    fn every_prefix_of_a_record_is_torn() {
        for payload in payloads() {
            let segment = segment(&payload, 480);
            for length in 1..record_len(payload.len()) {
                let mut cut = segment.clone();
                cut[480 + length..].fill(0);
                assert_eq!(find(&cut, 480, ID), Found::Torn, "{length} bytes");
            }
        }
    }

    #[test]
    fn every_set_of_missing_sectors_is_torn() {
        for payload in payloads() {
            let segment = segment(&payload, 480);
            let end = 480 + record_len(payload.len());
            let sectors: Vec<_> = super::sectors(480..end).collect();
            for missing in 1..(1_usize << sectors.len()) {
                let mut torn = segment.clone();
                for (number, sector) in sectors.iter().enumerate() {
                    if missing >> number & 1 == 1 {
                        torn[sector.clone()].fill(0);
                    }
                }
                let found = find(&torn, 480, ID);
                let all = missing + 1 == 1 << sectors.len();
                assert_eq!(found, if all { Found::Nothing } else { Found::Torn });
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_damage() {
        for payload in payloads().into_iter().filter(|payload| payload.len() < 1600) {
            let segment = segment(&payload, 480);
            let end = 480 + record_len(payload.len());
            for bit in (480 * 8)..(end * 8) {
                let mut flipped = segment.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(matches!(find(&flipped, 480, ID), Found::Damaged(_)), "bit {bit}");
            }
        }
    }

    #[test]
    fn a_flipped_bit_behind_the_last_record_costs_nothing() {
        for bit in (1024 * 8)..(2048 * 8) {
            let mut flipped = vec![0; 8192];
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(find(&flipped, 1024, ID), Found::Torn, "bit {bit}");
        }
    }

    #[test]
    fn a_torn_record_before_a_valid_one_is_damage() {
        let mut segment = segment(b"first", 512);
        let next = 512 + record_len(5);
        let later = record(b"second", RecordId { sequence: 18, ..ID }, next);
        segment[next..next + later.len()].copy_from_slice(&later);
        for length in 0..record_len(5) {
            let mut cut = segment.clone();
            cut[512 + length..next].fill(0);
            assert!(matches!(find(&cut, 512, ID), Found::Damaged(_)), "{length} bytes");
        }
    }

    #[test]
    fn a_record_that_belongs_elsewhere_is_not_taken() {
        let segment = segment(b"payload", 512);
        for expected in [RecordId { sequence: 18, ..ID }, RecordId { segment: 4, ..ID }] {
            assert!(matches!(find(&segment, 512, expected), Found::Damaged(_)));
        }
    }
}

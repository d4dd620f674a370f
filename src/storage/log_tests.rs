//! The log against its promises: what was flushed comes back, whole, or recovery refuses.

use super::log::prepare_spare;
use super::record::record_len;
use super::recovery::{RecoveryError, verify};
use super::segment::{SEGMENT_HEAD_BYTES, segment_file};
use super::simulated_disk::{SimulatedDisk, Unsynced};
use super::{Disk, Log, LogError, LogOptions, Recovered, SnapshotWriter, recover};
use crate::base::ids::{Incarnation, LogIndex, Term};
use crate::raft::{
    ConfState, EntryKind, HardState, LogEntry, LogPosition, LogWrite, Payload, RecoveredLog,
    SnapshotMeta,
};
use std::sync::Arc;

pub(super) const OPTIONS: LogOptions =
    LogOptions { segment_bytes: 1536, record_bytes_max: 1 << 20 };

pub(super) fn open(disk: &SimulatedDisk) -> Result<Recovered, RecoveryError> {
    recover(Arc::new(disk.clone()), OPTIONS)
}

pub(super) fn entry(index: u64, term: u64, length: usize) -> LogEntry {
    let byte = u8::try_from(index % 256).unwrap();
    LogEntry {
        index: LogIndex(index),
        term: Term(term),
        kind: EntryKind::Normal,
        data: Payload::from(vec![byte; length]),
    }
}

pub(super) fn entries(first: u64, last: u64, term: u64, length: usize) -> LogWrite {
    LogWrite {
        entries: (first..=last).map(|index| entry(index, term, length)).collect(),
        ..LogWrite::default()
    }
}

pub(super) fn hard_state(term: u64, vote: u64, committed: u64) -> LogWrite {
    let vote = Some(Incarnation(vote));
    let state = HardState { term: Term(term), vote, committed: LogIndex(committed) };
    LogWrite { hard_state: Some(state), ..LogWrite::default() }
}

/// Writes one record each.
fn write_all(log: &mut Log, writes: &[LogWrite]) {
    for write in writes {
        log.append(write).unwrap();
        log.flush().unwrap();
    }
}

/// What the writes amount to in an empty log.
pub(super) fn model(writes: &[LogWrite]) -> RecoveredLog {
    let mut model = RecoveredLog::default();
    for write in writes {
        model.hard_state = write.hard_state.unwrap_or(model.hard_state);
        for entry in &write.entries {
            model.entries.retain(|known| known.index < entry.index);
            model.entries.push(entry.clone());
        }
    }
    model
}

/// Twelve records in several segments.
pub(super) fn sample() -> Vec<LogWrite> {
    vec![
        hard_state(1, 1, 0),
        entries(1, 1, 1, 0),
        entries(2, 3, 1, 30),
        hard_state(1, 1, 3),
        entries(4, 4, 1, 300),
        entries(5, 6, 1, 3),
        hard_state(2, 3, 4),
        entries(5, 5, 2, 200),
        entries(6, 6, 2, 700),
        entries(7, 7, 2, 5),
        entries(8, 8, 2, 900),
        hard_state(2, 3, 7),
    ]
}

fn sample_disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    write_all(&mut open(&disk).unwrap().log, &sample());
    assert!(disk.list().unwrap().len() > 3);
    disk
}

#[test]
fn an_empty_directory_gives_an_empty_log() {
    let recovered = open(&SimulatedDisk::new()).unwrap();
    assert_eq!(recovered.raft, RecoveredLog::default());
    assert_eq!(recovered.cut, None);
}

#[test]
fn what_was_flushed_comes_back_and_the_rest_does_not() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &sample());
    log.append(&entries(9, 9, 2, 10)).unwrap();
    assert!(log.has_pending());
    assert_eq!(log.durable_last(), LogPosition { index: LogIndex(8), term: Term(2) });
    disk.restart(Unsynced::Lost);
    assert_eq!(verify(&disk).unwrap().raft, model(&sample()));
    let mut recovered = open(&disk).unwrap();
    assert_eq!(recovered.raft, model(&sample()));
    write_all(&mut recovered.log, &[entries(9, 12, 3, 100)]);
    let mut all = sample();
    all.push(entries(9, 12, 3, 100));
    assert_eq!(open(&disk).unwrap().raft, model(&all));
}

#[test]
fn many_appends_are_one_write_and_one_sync() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &[hard_state(1, 1, 0)]);
    let (operations, syncs) = (disk.operations(), disk.syncs());
    for index in 1..=10 {
        log.append(&entries(index, index, 1, 1)).unwrap();
    }
    assert_eq!(disk.operations(), operations);
    log.flush().unwrap();
    log.flush().unwrap();
    assert_eq!((disk.operations(), disk.syncs()), (operations + 2, syncs + 1));
    disk.restart(Unsynced::Lost);
    assert_eq!(open(&disk).unwrap().raft.entries, entries(1, 10, 1, 1).entries);
}

#[test]
fn a_record_that_fits_no_segment_has_its_own() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    let writes = [hard_state(1, 1, 0), entries(1, 1, 1, 5000), entries(2, 2, 1, 5)];
    write_all(&mut log, &writes);
    assert_eq!(disk.list().unwrap().len(), 3);
    assert_eq!(open(&disk).unwrap().raft, model(&writes));
}

#[test]
fn a_write_beyond_the_limit_is_refused_and_a_full_record_is_flushed() {
    let disk = SimulatedDisk::new();
    let options = LogOptions { segment_bytes: 4096, record_bytes_max: 1000 };
    let mut log = recover(Arc::new(disk.clone()), options).unwrap().log;
    let refused = log.append(&entries(1, 1, 1, 1000));
    assert!(matches!(refused, Err(LogError::TooLong { limit: 1000, .. })));
    log.append(&entries(1, 1, 1, 600)).unwrap();
    log.append(&entries(2, 2, 1, 600)).unwrap();
    assert_eq!(log.durable_last().index, LogIndex(1));
    log.flush().unwrap();
    assert_eq!(log.durable_last().index, LogIndex(2));
}

#[test]
fn the_spare_file_becomes_the_next_segment() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    prepare_spare(&disk, OPTIONS).unwrap();
    prepare_spare(&disk, OPTIONS).unwrap();
    let operations = disk.operations();
    write_all(&mut log, &[hard_state(1, 1, 0)]);
    assert_eq!(disk.operations(), operations + 5, "two writes, sync, rename, sync");
    assert_eq!(disk.list().unwrap(), [segment_file(1)]);
    prepare_spare(&disk, OPTIONS).unwrap();
    write_all(&mut log, &[entries(1, 1, 1, 2000)]);
    let names = disk.list().unwrap();
    assert_eq!(names, [segment_file(1), segment_file(2), "spare".to_owned()], "it was too short");
    disk.restart(Unsynced::Lost);
    assert_eq!(open(&disk).unwrap().raft.entries.len(), 1);
}

#[test]
fn every_prefix_of_the_log_gives_the_records_that_are_whole() {
    let whole = sample_disk();
    let files = whole.list().unwrap();
    // Where each record ends, in which file.
    let mut ends = Vec::new();
    let mut place = (0, SEGMENT_HEAD_BYTES);
    for write in sample() {
        let mut payload = Vec::new();
        super::codec::encode(&write, &mut payload);
        let length = record_len(payload.len());
        if place.1 + length > 1536 {
            place = (place.0 + usize::from(!ends.is_empty()), SEGMENT_HEAD_BYTES);
        }
        place.1 += length;
        ends.push(place);
    }
    assert_eq!(ends.last().unwrap().0 + 1, files.len());
    for (number, file) in files.iter().enumerate() {
        let last = ends.iter().filter(|end| end.0 == number).map(|end| end.1).max().unwrap();
        let first = ends.iter().find(|end| end.0 == number).unwrap().1;
        // A segment appears with its first record or not at all.
        for length in first..=last {
            let disk = whole.copy();
            files.iter().skip(number + 1).for_each(|later| disk.remove(later).unwrap());
            disk.change(file, |bytes| bytes[length..].fill(0));
            let count = ends.iter().filter(|end| **end <= (number, length)).count();
            let recovered = open(&disk).unwrap();
            assert_eq!(recovered.raft, model(&sample()[..count]), "{length} bytes of {file}");
            let is_cut = !ends.contains(&(number, length));
            assert_eq!(recovered.cut.is_some(), is_cut, "{length} bytes of {file}");
            // The torn record is gone for good, also where the next one is shorter, and the log goes on.
            let mut log = recovered.log;
            let mut writes = sample()[..count].to_vec();
            writes.push(LogWrite { entries: Vec::new(), ..hard_state(9, 1, 0) });
            write_all(&mut log, &writes[count..]);
            disk.restart(Unsynced::Lost);
            let again = open(&disk).unwrap();
            assert_eq!(again.cut, None);
            assert_eq!(again.raft, model(&writes));
        }
    }
}

#[test]
fn no_flipped_bit_changes_or_loses_what_was_durable() {
    let whole = sample_disk();
    let expected = model(&sample());
    let (mut harmless, mut found) = (0, 0);
    for file in whole.list().unwrap() {
        let bits = usize::try_from(whole.size(&file).unwrap()).unwrap() * 8;
        for bit in 0..bits {
            whole.flip(&file, bit);
            let disk = whole.copy();
            whole.flip(&file, bit);
            match open(&disk) {
                Ok(recovered) => {
                    assert_eq!(recovered.raft, expected, "bit {bit} of {file}");
                    harmless += 1;
                }
                Err(RecoveryError::Corrupt { file: named, .. }) => {
                    assert_eq!(named, file, "bit {bit}");
                    found += 1;
                }
                Err(RecoveryError::Disk(error)) => panic!("{error}"),
            }
        }
    }
    assert!(harmless > 1000, "the zeros of {harmless} bits mean nothing");
    assert!(found > 10_000, "{found} bits were missed by nobody");
}

#[test]
fn damage_says_where_it_is_and_what_to_do() {
    let disk = sample_disk();
    let file = segment_file(1);
    disk.flip(&file, (SEGMENT_HEAD_BYTES + 50) * 8);
    let Err(error) = open(&disk) else { panic!("damage was not found") };
    let text = error.to_string();
    assert!(text.starts_with(&format!("{file} is damaged at byte 512: ")), "{text}");
    assert!(text.contains("join its cluster again as a new one"), "{text}");
}

#[test]
fn a_missing_segment_is_damage() {
    for number in [1, 2, 3] {
        let disk = sample_disk();
        disk.remove(&segment_file(number)).unwrap();
        assert!(matches!(open(&disk), Err(RecoveryError::Corrupt { .. })), "segment {number}");
    }
}

#[test]
fn a_commit_beyond_the_log_is_damage() {
    let disk = SimulatedDisk::new();
    write_all(&mut open(&disk).unwrap().log, &[entries(1, 2, 1, 1), hard_state(1, 1, 3)]);
    assert!(matches!(open(&disk), Err(RecoveryError::Corrupt { .. })));
}

#[test]
fn without_space_nothing_is_lost_and_flushing_goes_on_later() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &[hard_state(1, 1, 0), entries(1, 1, 1, 900)]);
    disk.limit(Some(disk.used()));
    log.append(&entries(2, 2, 1, 900)).unwrap();
    for _ in 0..2 {
        assert!(matches!(log.flush(), Err(LogError::NoSpace)));
        assert_eq!(log.durable_last().index, LogIndex(1));
        let after_crash = disk.copy();
        after_crash.restart(Unsynced::Torn(3));
        assert_eq!(open(&after_crash).unwrap().raft.entries.len(), 1);
    }
    disk.limit(None);
    log.append(&entries(3, 3, 1, 900)).unwrap();
    log.flush().unwrap();
    disk.restart(Unsynced::Lost);
    assert_eq!(open(&disk).unwrap().raft.entries, entries(1, 3, 1, 900).entries);
}

#[test]
fn a_write_that_ran_out_of_space_half_way_leaves_no_trace() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &[hard_state(1, 1, 0)]);
    disk.fill(true);
    log.append(&entries(1, 1, 1, 300)).unwrap();
    for _ in 0..2 {
        assert!(matches!(log.flush(), Err(LogError::NoSpace)));
        let after_crash = disk.copy();
        after_crash.fill(false);
        after_crash.restart(Unsynced::Kept);
        assert!(open(&after_crash).unwrap().raft.entries.is_empty());
    }
    disk.fill(false);
    log.flush().unwrap();
    write_all(&mut log, &[entries(2, 2, 1, 3)]);
    disk.restart(Unsynced::Lost);
    let recovered = open(&disk).unwrap();
    assert_eq!(recovered.cut, None);
    assert_eq!(recovered.raft.entries, [entry(1, 1, 300), entry(2, 1, 3)]);
}

#[test]
fn a_power_failure_after_running_out_of_space_is_not_taken_for_damage() {
    for operation in 0..4 {
        let disk = SimulatedDisk::new();
        let mut log = open(&disk).unwrap().log;
        write_all(&mut log, &[hard_state(1, 1, 0)]);
        disk.fill(true);
        log.append(&entries(1, 1, 1, 700)).unwrap();
        assert!(matches!(log.flush(), Err(LogError::NoSpace)));
        disk.fill(false);
        log.append(&entries(2, 2, 1, 100)).unwrap();
        disk.crash_at(disk.operations() + operation);
        assert!(matches!(log.flush(), Err(LogError::Fatal(_))));
        for seed in 0..64 {
            let after_crash = disk.copy();
            after_crash.restart(Unsynced::Torn(seed));
            let count = open(&after_crash).unwrap().raft.entries.len();
            assert!(count == 0 || count == 2, "{count} entries of one record");
        }
    }
}

#[test]
fn pruning_keeps_what_the_snapshot_does_not_cover() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    for index in 1..=9 {
        write_all(&mut log, &[entries(index, index, 1, 400)]);
    }
    let whole = disk.list().unwrap().len();
    assert_eq!(log.prune(LogIndex(0)).unwrap(), 0);
    let removed = log.prune(LogIndex(5)).unwrap();
    assert!(removed > 1 && disk.list().unwrap().len() == whole - removed);
    disk.restart(Unsynced::Lost);
    let Err(RecoveryError::Corrupt { what, .. }) = open(&disk) else { panic!("a gap") };
    assert!(what.contains("the newest whole snapshot ends at 0"), "{what}");
    // With the snapshot, all behind it is there; another log could not have told what is missing.
    let position = LogPosition { index: LogIndex(5), term: Term(1) };
    let voters = vec![Incarnation(1)];
    let conf_state = ConfState { voters, ..ConfState::default() };
    let meta = SnapshotMeta { position, conf_state };
    SnapshotWriter::begin(Arc::new(disk.clone()), meta).unwrap().finish().unwrap();
    let mut recovered = open(&disk).unwrap();
    assert_eq!(recovered.raft.entries, entries(6, 9, 1, 400).entries);
    assert_eq!(recovered.log.prune(LogIndex(5)).unwrap(), 0, "it is known after a restart too");
}

#[test]
fn a_log_that_was_replaced_is_pruned_whatever_its_length_was() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &[entries(1, 9, 1, 100), entries(10, 19, 1, 100)]);
    let reset = LogPosition { index: LogIndex(10), term: Term(2) };
    write_all(&mut log, &[LogWrite { reset: Some(reset), ..hard_state(2, 1, 10) }]);
    write_all(&mut log, &[entries(11, 11, 2, 900)]);
    let reopened = disk.copy();
    assert!(log.prune(LogIndex(10)).unwrap() > 1);
    // A log that is opened again knows it too.
    let conf_state = ConfState { voters: vec![Incarnation(1)], ..ConfState::default() };
    let meta = SnapshotMeta { position: reset, conf_state };
    for disk in [&disk, &reopened] {
        let writer = SnapshotWriter::begin(Arc::new(disk.clone()), meta.clone()).unwrap();
        writer.finish().unwrap();
        let mut recovered = open(disk).unwrap();
        recovered.log.prune(LogIndex(10)).unwrap();
        let segments = disk.list().unwrap();
        let kept = segments.iter().filter(|file| file.starts_with("log-")).count();
        assert_eq!(kept, 1, "{segments:?}");
        assert_eq!(open(disk).unwrap().raft.entries, [entry(11, 2, 900)]);
    }
}

#[test]
fn a_failed_sync_ends_the_log_and_is_never_tried_again() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    write_all(&mut log, &[hard_state(1, 1, 0)]);
    disk.fail_syncs();
    log.append(&entries(1, 1, 1, 3)).unwrap();
    assert!(matches!(log.flush(), Err(LogError::Fatal(_))));
    let syncs = disk.syncs();
    assert!(matches!(log.flush(), Err(LogError::Failed)));
    assert!(matches!(log.append(&entries(2, 2, 1, 3)), Err(LogError::Failed)));
    assert_eq!(disk.syncs(), syncs);
    // Memory shows the record, the disk does not have it: recovery makes it true.
    disk.restart(Unsynced::Kept);
    assert_eq!(open(&disk).unwrap().raft.entries.len(), 1);
    disk.restart(Unsynced::Lost);
    assert_eq!(open(&disk).unwrap().raft.entries.len(), 1);
}

#[test]
fn a_log_that_never_had_the_disk_goes_on_from_what_is_there() {
    let disk = sample_disk();
    let recovered = open(&disk).unwrap();
    // Recovery wrote the last record again; a power failure right after it changes nothing.
    disk.restart(Unsynced::Torn(9));
    assert_eq!(open(&disk).unwrap().raft, recovered.raft);
}

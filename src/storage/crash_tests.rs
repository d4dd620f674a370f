//! Power failures at every operation, and what snapshots, log and identity make of it.

use super::identity::IdentityError;
use super::log::prepare_spare;
use super::log_tests::{OPTIONS, entries, entry, hard_state, open};
use super::recovery::RecoveryError;
use super::segment::segment_file;
use super::simulated_disk::{SimulatedDisk, Unsynced};
use super::snapshot::SnapshotError;
use super::{
    Disk, Identity, Log, Recovered, Reserve, SnapshotReader, SnapshotWriter, prune_snapshots,
};
use crate::base::ids::{Boot, ClusterId, Incarnation, Lineage, LogIndex, Term};
use crate::raft::{ConfState, LogPosition, LogWrite, RecoveredLog, SnapshotMeta};
use std::sync::Arc;

fn meta(index: u64, term: u64) -> SnapshotMeta {
    SnapshotMeta {
        position: LogPosition { index: LogIndex(index), term: Term(term) },
        conf_state: ConfState { voters: vec![Incarnation(1)], ..ConfState::default() },
    }
}

/// A snapshot whose state tells its index.
fn write_snapshot(disk: &SimulatedDisk, meta: SnapshotMeta) -> Result<(), SnapshotError> {
    let index = meta.position.index.0;
    let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), meta)?;
    for part in 0..3_u64 {
        writer.write(&[index.to_le_bytes(), part.to_le_bytes()].concat())?;
    }
    writer.finish().map(drop)
}

fn read_snapshot(disk: &SimulatedDisk, index: LogIndex) -> Result<Vec<u8>, SnapshotError> {
    let mut reader = SnapshotReader::open(Arc::new(disk.clone()), index)?;
    let mut state = Vec::new();
    while let Some(bytes) = reader.read()? {
        state.extend(bytes);
    }
    Ok(state)
}

#[derive(Debug, Clone)]
enum Step {
    /// Appends and flushes.
    Write(LogWrite),
    /// Appends several writes and flushes once.
    Group(Vec<LogWrite>),
    /// Takes a snapshot of this node's own state, and prunes.
    Snapshot(u64, u64),
    /// Installs a leader's snapshot: it replaces the log.
    Install(u64, u64),
    Spare,
}

fn script() -> Vec<Step> {
    vec![
        Step::Write(hard_state(1, 1, 0)),
        Step::Spare,
        Step::Group(vec![entries(1, 1, 1, 0), entries(2, 4, 1, 100), hard_state(1, 1, 3)]),
        Step::Write(entries(5, 5, 1, 700)),
        Step::Write(entries(6, 9, 1, 60)),
        // A new leader replaces the tail, in another segment than that of what it replaces.
        Step::Group(vec![hard_state(2, 2, 5), entries(7, 7, 2, 600)]),
        Step::Write(entries(8, 9, 2, 200)),
        Step::Write(hard_state(2, 2, 9)),
        Step::Snapshot(9, 2),
        Step::Spare,
        Step::Write(entries(10, 12, 2, 300)),
        Step::Write(entries(13, 13, 2, 10)),
        Step::Install(30, 4),
        Step::Write(entries(31, 31, 4, 400)),
        Step::Group(vec![entries(32, 32, 4, 400), hard_state(4, 3, 32)]),
        Step::Snapshot(31, 4),
        Step::Write(entries(33, 34, 5, 1)),
    ]
}

/// What should be on the disk.
#[derive(Debug, Clone, Default, PartialEq)]
struct Model(RecoveredLog);

impl Model {
    fn write(&mut self, write: &LogWrite) {
        self.0.hard_state = write.hard_state.unwrap_or(self.0.hard_state);
        for entry in &write.entries {
            self.0.entries.retain(|known| known.index < entry.index);
            self.0.entries.push(entry.clone());
        }
    }

    fn snapshot(&mut self, meta: SnapshotMeta, replaces_log: bool) {
        let index = meta.position.index;
        self.0.entries.retain(|entry| entry.index > index && !replaces_log);
        self.0.hard_state.committed = self.0.hard_state.committed.max(index);
        if meta.position.term > self.0.hard_state.term {
            self.0.hard_state.term = meta.position.term;
            self.0.hard_state.vote = None;
        }
        self.0.snapshot = Some(meta);
    }
}

/// Carries out the script until the power fails. Gives what may be on the disk: what is durable, and what the step
/// at hand may have made durable.
fn run(disk: &SimulatedDisk, mut log: Log) -> (Model, Model) {
    let mut durable = Model::default();
    for step in script() {
        let mut next = durable.clone();
        let done = match step {
            Step::Spare => prepare_spare(disk, OPTIONS).is_ok(),
            Step::Write(write) => {
                next.write(&write);
                log.append(&write).and_then(|()| log.flush()).is_ok()
            }
            Step::Group(writes) => {
                writes.iter().for_each(|write| next.write(write));
                writes.iter().try_for_each(|write| log.append(write)).is_ok() && log.flush().is_ok()
            }
            Step::Snapshot(index, term) => {
                next.snapshot(meta(index, term), false);
                write_snapshot(disk, meta(index, term)).is_ok()
                    && prune_snapshots(disk, LogIndex(index)).is_ok()
                    && log.prune(LogIndex(index)).is_ok()
            }
            Step::Install(index, term) => {
                next.snapshot(meta(index, term), true);
                let reset = LogWrite {
                    reset: Some(meta(index, term).position),
                    hard_state: Some(next.0.hard_state),
                    ..LogWrite::default()
                };
                write_snapshot(disk, meta(index, term)).is_ok()
                    && log.append(&reset).is_ok()
                    && log.flush().is_ok()
                    && prune_snapshots(disk, LogIndex(index)).is_ok()
                    && log.prune(LogIndex(index)).is_ok()
            }
        };
        if !done {
            return (durable, next);
        }
        durable = next;
    }
    (durable.clone(), durable)
}

#[track_caller]
fn check(disk: &SimulatedDisk, durable: &Model, possible: &Model, what: &str) -> Recovered {
    let recovered = match open(disk) {
        Ok(recovered) => recovered,
        Err(error) => panic!("{what}: {error}"),
    };
    let is_known = recovered.raft == durable.0 || recovered.raft == possible.0;
    assert!(is_known, "{what}: {:?} is not {durable:?} nor {possible:?}", recovered.raft);
    assert!(recovered.damaged_snapshots.is_empty(), "{what}");
    if let Some(snapshot) = &recovered.raft.snapshot {
        assert_eq!(read_snapshot(disk, snapshot.position.index).unwrap().len(), 48, "{what}");
    }
    recovered
}

fn ways() -> impl Iterator<Item = Unsynced> {
    let torn = (0..8).map(Unsynced::Torn);
    let prefixes = [0, 1, 39, 40, 41, 600].map(Unsynced::Prefix);
    [Unsynced::Kept, Unsynced::Lost].into_iter().chain(torn).chain(prefixes)
}

#[test]
fn the_script_without_a_failure_comes_back() {
    let disk = SimulatedDisk::new();
    let (durable, _) = run(&disk, open(&disk).unwrap().log);
    assert_eq!(durable.0.entries.first().map(|entry| entry.index), Some(LogIndex(32)));
    check(&disk, &durable, &durable, "no failure");
    let segments = disk.list().unwrap();
    assert!(!segments.contains(&segment_file(1)), "old segments are gone: {segments:?}");
}

#[test]
fn a_power_failure_at_any_operation_loses_nothing_durable() {
    let counted = SimulatedDisk::new();
    run(&counted, open(&counted).unwrap().log);
    for operation in 0..counted.operations() {
        let disk = SimulatedDisk::new();
        disk.crash_at(operation);
        let Ok(recovered) = open(&disk) else { continue };
        let (durable, possible) = run(&disk, recovered.log);
        assert!(disk.has_crashed());
        for unsynced in ways() {
            let what = format!("operation {operation}, {unsynced:?}");
            let disk = disk.copy();
            disk.restart(unsynced);
            let first = check(&disk, &durable, &possible, &what);
            // What recovery gave is durable: nothing may depend on luck any more.
            disk.restart(Unsynced::Lost);
            let again = check(&disk, &durable, &possible, &what);
            assert_eq!(first.raft, again.raft, "{what}");
        }
    }
}

#[test]
fn a_power_failure_during_recovery_loses_nothing_either() {
    let counted = SimulatedDisk::new();
    run(&counted, open(&counted).unwrap().log);
    for operation in (0..counted.operations()).step_by(3) {
        let disk = SimulatedDisk::new();
        disk.crash_at(operation);
        let Ok(recovered) = open(&disk) else { continue };
        let (durable, possible) = run(&disk, recovered.log);
        for seed in 0..4 {
            let disk = disk.copy();
            disk.restart(Unsynced::Torn(seed));
            for second in 0.. {
                let disk = disk.copy();
                disk.crash_at(disk.operations() + second);
                let done = open(&disk).is_ok();
                disk.restart(Unsynced::Torn(seed + second));
                let what = format!("operations {operation} and {second}, seed {seed}");
                check(&disk, &durable, &possible, &what);
                if done {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_damaged_snapshot_is_made_up_for_by_an_older_one_and_the_log() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    log.append(&entries(1, 8, 1, 1)).unwrap();
    log.flush().unwrap();
    write_snapshot(&disk, meta(4, 1)).unwrap();
    write_snapshot(&disk, meta(6, 1)).unwrap();
    let newest = "snapshot-0000000000000006";
    let bits = usize::try_from(disk.size(newest).unwrap()).unwrap() * 8;
    for bit in 0..bits {
        let damaged = disk.copy();
        damaged.flip(newest, bit);
        let recovered = open(&damaged).unwrap();
        assert_eq!(recovered.raft.snapshot, Some(meta(4, 1)), "bit {bit}");
        assert_eq!(recovered.raft.entries, entries(5, 8, 1, 1).entries);
        assert_eq!(recovered.damaged_snapshots, [newest]);
        assert!(prune_snapshots(&damaged, LogIndex(6)).is_err());
        assert_eq!(recovered.raft.snapshot, Some(meta(4, 1)), "the older one stays");
    }
    let shorter = disk.copy();
    shorter.change(newest, |bytes| bytes.truncate(bytes.len() - 1));
    assert_eq!(open(&shorter).unwrap().raft.snapshot, Some(meta(4, 1)));
    let longer = disk.copy();
    longer.change(newest, |bytes| bytes.push(0));
    assert_eq!(open(&longer).unwrap().raft.snapshot, Some(meta(4, 1)));
    // Once the older one is gone, the log alone does not reach.
    prune_snapshots(&disk, LogIndex(6)).unwrap();
    log.append(&entries(9, 9, 1, 900)).unwrap();
    log.flush().unwrap();
    log.prune(LogIndex(8)).unwrap();
    disk.flip(newest, 900);
    let Err(RecoveryError::Corrupt { file, .. }) = open(&disk) else { panic!("it went on") };
    assert_eq!(file, newest);
}

#[test]
fn a_snapshot_of_another_history_takes_the_place_of_the_log() {
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    log.append(&hard_state(2, 1, 3)).unwrap();
    log.append(&entries(1, 9, 2, 1)).unwrap();
    log.flush().unwrap();
    // The leader's entry 5 is of another term: what follows here never was committed.
    write_snapshot(&disk, meta(5, 3)).unwrap();
    for _ in 0..2 {
        let recovered = open(&disk).unwrap();
        assert_eq!(recovered.raft.entries, []);
        assert_eq!(recovered.raft.hard_state.term, Term(3));
        assert_eq!(recovered.raft.hard_state.vote, None);
        assert_eq!(recovered.raft.hard_state.committed, LogIndex(5));
    }
    let mut log = open(&disk).unwrap().log;
    log.append(&entries(6, 6, 3, 1)).unwrap();
    log.flush().unwrap();
    let recovered = open(&disk).unwrap();
    assert_eq!(recovered.raft.entries, [entry(6, 3, 1)]);
    assert_eq!(log.prune(LogIndex(5)).unwrap(), 0, "the last segment stays");
}

#[test]
fn a_snapshot_that_is_given_up_or_finds_no_space_is_gone() {
    let disk = SimulatedDisk::new();
    let writer = SnapshotWriter::begin(Arc::new(disk.clone()), meta(4, 1)).unwrap();
    assert_eq!(disk.list().unwrap().len(), 1);
    drop(writer);
    assert!(disk.list().unwrap().is_empty());
    disk.limit(Some(100));
    let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), meta(4, 1)).unwrap();
    let full = writer.write(&[7; 200]);
    assert!(matches!(full, Err(SnapshotError::Disk(error)) if error.is_no_space()));
    drop(writer);
    assert!(disk.list().unwrap().is_empty());
}

#[test]
fn a_large_snapshot_comes_back_and_is_synced_on_the_way() {
    let disk = SimulatedDisk::new();
    let state: Vec<u8> = (0..9_000_000_u32).map(|i| i.to_le_bytes()[0]).collect();
    let mut writer = SnapshotWriter::begin(Arc::new(disk.clone()), meta(4, 1)).unwrap();
    for bytes in state.chunks(3_000_000) {
        writer.write(bytes).unwrap();
    }
    writer.finish().unwrap();
    assert!(read_snapshot(&disk, LogIndex(4)).unwrap() == state);
    assert_eq!(disk.syncs(), 3, "after 6 MB, at the end, and of the directory");
}

fn identity() -> Identity {
    Identity {
        cluster: ClusterId(7),
        lineage: Lineage(9),
        incarnation: Incarnation(3),
        boot: Boot { counter: 0, nonce: 1 },
        tree_seed: [5; 16],
    }
}

#[test]
fn each_start_counts_and_an_identity_is_given_once() {
    let disk = SimulatedDisk::new();
    assert!(Identity::start(&disk, 8).unwrap().is_none());
    identity().create(&disk).unwrap();
    assert!(matches!(identity().create(&disk), Err(IdentityError::Exists(Incarnation(3)))));
    for counter in 1..4 {
        let started = Identity::start(&disk, counter * 10).unwrap().unwrap();
        let boot = Boot { counter, nonce: counter * 10 };
        assert_eq!(started, Identity { boot, ..identity() });
        disk.restart(Unsynced::Lost);
        assert_eq!(Identity::read(&disk).unwrap(), Some(started));
    }
}

#[test]
fn a_boot_counter_never_goes_back() {
    for operation in 0..5 {
        for seed in 0..16 {
            let disk = SimulatedDisk::new();
            identity().create(&disk).unwrap();
            Identity::start(&disk, 1).unwrap().unwrap();
            disk.crash_at(disk.operations() + operation);
            let second = Identity::start(&disk, 2);
            assert!(second.is_err());
            disk.restart(Unsynced::Torn(seed));
            let boot = Identity::read(&disk).unwrap().unwrap().boot;
            let (first, second) = (Boot { counter: 1, nonce: 1 }, Boot { counter: 2, nonce: 2 });
            assert!(boot == first || boot == second, "{operation} {seed}: {boot:?}");
        }
    }
}

#[test]
fn a_damaged_or_newer_identity_is_refused_in_clear_words() {
    let disk = SimulatedDisk::new();
    identity().create(&disk).unwrap();
    let bits = usize::try_from(disk.size("identity").unwrap()).unwrap() * 8;
    for bit in 0..bits {
        let damaged = disk.copy();
        damaged.flip("identity", bit);
        let error = Identity::read(&damaged).unwrap_err();
        assert!(matches!(error, IdentityError::Corrupt { .. }), "bit {bit}");
    }
    let of_format = |format| {
        disk.change("identity", |bytes| {
            bytes[8] = format;
            let crc = crc32fast::hash(&bytes[..12]).to_le_bytes();
            bytes[12..16].copy_from_slice(&crc);
            bytes[20..].fill(9);
        });
        Identity::start(&disk, 1).unwrap_err()
    };
    let error = of_format(3);
    assert!(matches!(error, IdentityError::Newer { found: 3 }));
    assert!(error.to_string().contains("this program knows formats up to 2"));
    let error = of_format(1);
    assert!(matches!(error, IdentityError::Older { found: 1 }));
    assert!(error.to_string().contains("this program reads 2"));
}

#[test]
fn the_reserve_is_held_and_given_free() {
    let disk = SimulatedDisk::new();
    let reserve = Reserve { bytes: 5000 };
    assert!(!reserve.release(&disk).unwrap());
    reserve.hold(&disk).unwrap();
    reserve.hold(&disk).unwrap();
    assert!(reserve.is_held(&disk).unwrap());
    disk.limit(Some(disk.used()));
    assert!(disk.create("other", 1).is_err());
    assert!(reserve.release(&disk).unwrap());
    disk.create("other", 5000).unwrap();
    assert!(reserve.hold(&disk).unwrap_err().is_no_space());
}

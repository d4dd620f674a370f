//! A log whose files are damaged: what recovery gives is what the log was after one of its writes, or nothing.

use super::Disk;
use super::log_tests::{entries, hard_state, model, open, sample};
use super::recovery::verify;
use super::segment::segment_number;
use super::simulated_disk::SimulatedDisk;
use crate::fuzz::{Chance, Target, run};
use crate::raft::RecoveredLog;

/// An input is the number of a segment and its bytes.
fn check(
    disk: &SimulatedDisk,
    segments: &[String],
    models: &[RecoveredLog],
    input: &[u8],
    chance: &mut Chance,
) -> bool {
    let Some((number, bytes)) = input.split_first() else { return false };
    let disk = disk.copy();
    let file = &segments[usize::from(*number) % segments.len()];
    disk.change(file, |content| *content = bytes.to_vec());
    if chance.next().is_multiple_of(16) {
        disk.remove(chance.pick(segments).as_str()).unwrap();
    }
    let looked = verify(&disk).map(|verified| verified.raft);
    let recovered = open(&disk).map(|recovered| (recovered.raft, recovered.log));
    let (Ok(looked), Ok((raft, mut log))) = (&looked, recovered) else {
        assert!(looked.is_err() || open(&disk).is_ok(), "verified, and not recovered");
        return false;
    };
    assert_eq!(*looked, raft, "verified and recovered");
    assert!(models.contains(&raft), "the log was never like this: {raft:?}");
    assert_eq!(open(&disk).unwrap().raft, raft, "recovered again");
    let next = raft.last().index.0 + 1;
    log.append(&entries(next, next, 9, 20)).unwrap();
    log.append(&hard_state(9, 1, 0)).unwrap();
    log.flush().unwrap();
    let last = open(&disk).unwrap().raft.last();
    assert_eq!((last.index.0, last.term.0), (next, 9), "what was written then");
    true
}

#[test]
fn log() {
    let writes = sample();
    let disk = SimulatedDisk::new();
    let mut log = open(&disk).unwrap().log;
    let mut models = vec![model(&[])];
    for (number, write) in writes.iter().enumerate() {
        log.append(write).unwrap();
        log.flush().unwrap();
        models.push(model(&writes[..=number]));
    }
    let mut segments = disk.list().unwrap();
    segments.retain(|file| segment_number(file).is_some());
    let content = |(number, file): (usize, &String)| {
        let size = usize::try_from(disk.size(file).unwrap()).unwrap();
        [vec![u8::try_from(number).unwrap()], disk.read(file, 0, size).unwrap()].concat()
    };
    let corpus = segments.iter().enumerate().map(content).collect();
    let check = |input: &[u8], chance: &mut Chance| check(&disk, &segments, &models, input, chance);
    let tokens = ["QREC", "QUORLOG\n", "\0\0\0\0\0\0\0\0", "\u{1}\0\0\0"];
    run(&Target { name: "log", corpus, tokens: &tokens, cpu_ms_max: 2_000, check: &check });
}

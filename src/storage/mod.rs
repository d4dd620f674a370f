//! How log, hard state and snapshots lie on a `Disk`.
//!
//! | file | what |
//! |---|---|
//! | `identity` | who this member is and how often it started |
//! | `log-<number>` | a segment of the log; numbers rise and are never used again |
//! | `snapshot-<index>` | the state once the entry of that index is applied |
//! | `spare` | zeros, to become the next segment |
//! | `reserve` | space kept back for getting out of a full disk |
//! | `*.tmp` | not finished; removed at start |
//!
//! A crash at any point leaves a directory from which `recover` gives all that was durable. Damage to what was
//! durable is an error, never a shorter log.

mod codec;
mod disk;
mod identity;
mod log;
mod record;
mod recovery;
mod reserve;
mod segment;
mod snapshot;

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod log_tests;
#[cfg(any(test, feature = "sim"))]
#[cfg_attr(not(test), expect(dead_code, reason = "tests of this room ask for the rest"))]
pub(crate) mod simulated_disk;

pub(crate) use disk::{Disk, DiskError, replace_file};
pub(crate) use identity::{Identity, IdentityError};
pub(crate) use log::{Log, LogError, LogOptions, prepare_spare};
#[cfg(any(test, feature = "sim"))]
pub(crate) use recovery::RecoveryError;
pub(crate) use recovery::{Recovered, Verified, erase, recover, verify};
pub(crate) use reserve::Reserve;
#[cfg(any(test, feature = "sim"))]
pub(crate) use snapshot::SnapshotError;
pub(crate) use snapshot::{SnapshotReader, SnapshotWriter, prune_snapshots, verify_snapshot};

/// The file of the finished form of `file` while it is written.
fn temporary(file: &str) -> String {
    format!("{file}.tmp")
}

/// A length as it is written to the disk.
fn u64_of(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// A length that is to be in memory; more than there can be if it cannot.
fn usize_of(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

/// Whether there is nothing but zeros.
fn is_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 1024] = [0; 1024];
    bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// Takes the next bytes off `input`, if there are so many.
fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk::<N>()?;
    *input = rest;
    Some(*head)
}

/// Takes a number off `input`.
fn take_u64(input: &mut &[u8]) -> Option<u64> {
    take(input).map(u64::from_le_bytes)
}

/// Takes a number off `input`.
fn take_u32(input: &mut &[u8]) -> Option<u32> {
    take(input).map(u32::from_le_bytes)
}

//! A disk in memory that forgets what was not synced, as the real one may.
//!
//! It is a handle: clones are the same disk. Faults are asked for, and happen at operations that are counted, so a
//! run is repeated from its numbers. After a crash every operation fails until `restart`.

use super::disk::{Disk, DiskError};
use crate::raft::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What arrives on the disk as a whole or not at all.
const SECTOR: usize = 512;

/// What is left of what was not synced when the power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsynced {
    /// All of it, for now: the process alone died, and a later power failure can still take it.
    Kept,
    /// Nothing.
    Lost,
    /// Of each write, and of the names, some sectors and some changes; which ones is drawn from the seed.
    Torn(u64),
    /// Of the last write its first so many bytes, and all before it.
    Prefix(usize),
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    files: BTreeMap<u64, File>,
    next_file: u64,
    names: BTreeMap<String, u64>,
    synced_names: BTreeMap<String, u64>,
    name_changes: Vec<NameChange>,
    last_write: Option<(u64, Write)>,
    operations: u64,
    syncs: u64,
    crash_at: Option<u64>,
    crashed: bool,
    fail_syncs: bool,
    full: bool,
    capacity: Option<u64>,
}

#[derive(Debug, Clone, Default)]
struct File {
    bytes: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Write>,
}

#[derive(Debug, Clone)]
struct Write {
    offset: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone)]
enum NameChange {
    Set(String, u64),
    Gone(String),
    Moved(String, String, u64),
}

/// What a test does to it.
impl SimulatedDisk {
    /// An empty disk without limits.
    pub(crate) fn new() -> SimulatedDisk {
        SimulatedDisk::default()
    }

    /// Another disk with the same contents and the same memory of what was synced.
    pub(crate) fn copy(&self) -> SimulatedDisk {
        SimulatedDisk { state: Arc::new(Mutex::new(self.state().clone())) }
    }

    /// How many operations were asked for that change something or sync.
    pub(crate) fn operations(&self) -> u64 {
        self.state().operations
    }

    /// How many syncs of files and of the directory were asked for.
    pub(crate) fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// The power fails at the operation of that number, counted from 0: it may take effect in part.
    pub(crate) fn crash_at(&self, operation: u64) {
        self.state().crash_at = Some(operation);
    }

    /// Whether the power failed.
    pub(crate) fn has_crashed(&self) -> bool {
        self.state().crashed
    }

    /// Every sync fails from now on, and what it was for is lost.
    pub(crate) fn fail_syncs(&self) {
        self.state().fail_syncs = true;
    }

    /// Every write runs out of space half-way from now on, also into space that was taken: as on a file system that
    /// copies on write.
    pub(crate) fn fill(&self, full: bool) {
        self.state().full = full;
    }

    /// No more than this many bytes of files from now on; without a number, no limit.
    pub(crate) fn limit(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// Bytes of all files.
    pub(crate) fn used(&self) -> u64 {
        self.state().used()
    }

    /// Turns one bit of a file around, on the disk and in memory.
    pub(crate) fn flip(&self, file: &str, bit: usize) {
        self.change(file, |bytes| {
            if let Some(byte) = bytes.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        });
    }

    /// Changes the bytes of a file, on the disk and in memory.
    pub(crate) fn change(&self, file: &str, mut change: impl FnMut(&mut Vec<u8>)) {
        let mut state = self.state();
        let number = state.names.get(file).copied();
        if let Some(file) = number.and_then(|number| state.files.get_mut(&number)) {
            change(&mut file.bytes);
            change(&mut file.synced);
        }
    }

    /// The disk after the power came back, or after the process was started again. Faults are over.
    pub(crate) fn restart(&self, unsynced: Unsynced) {
        let mut state = self.state();
        match unsynced {
            Unsynced::Kept => return state.end_faults(),
            Unsynced::Lost => state.lose(&mut || false),
            Unsynced::Torn(seed) => {
                let mut generator = SplitMix64::new(seed);
                state.lose(&mut || generator.next() & 1 == 1);
            }
            Unsynced::Prefix(bytes) => {
                if let Some((file, write)) = state.last_write.take() {
                    state.cut(file, &write, bytes);
                }
            }
        }
        state.settle();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an operation that changes something; an error if the power is or goes out.
    fn operate(
        &self,
        what: &'static str,
        file: &str,
    ) -> Result<(MutexGuard<'_, State>, bool), DiskError> {
        let mut state = self.state();
        let now = state.operations;
        state.operations += 1;
        if state.crashed {
            return Err(power_failure(what, file));
        }
        let dies = state.crash_at == Some(now);
        state.crashed = dies;
        Ok((state, dies))
    }
}

impl State {
    fn used(&self) -> u64 {
        let named: BTreeSet<&u64> = self.names.values().collect();
        let files = named.into_iter().filter_map(|number| self.files.get(number));
        files.map(|file| u64::try_from(file.bytes.len()).unwrap_or(u64::MAX)).sum()
    }

    fn number(&self, file: &str) -> Result<u64, DiskError> {
        let missing = || DiskError::Missing { file: file.to_owned() };
        self.names.get(file).copied().ok_or_else(missing)
    }

    fn has_room(&self, growth: u64) -> bool {
        self.capacity.is_none_or(|capacity| self.used().saturating_add(growth) <= capacity)
    }

    fn write(&mut self, number: u64, write: Write) {
        if let Some(file) = self.files.get_mut(&number) {
            put(&mut file.bytes, &write);
            file.unsynced.push(write.clone());
            self.last_write = Some((number, write));
        }
    }

    /// Goes back to what was synced, and takes of what came later the sectors and changes of names that `keep` wants.
    fn lose(&mut self, keep: &mut dyn FnMut() -> bool) {
        self.names = std::mem::take(&mut self.synced_names);
        // Changes of names are journaled: they arrive in order, and the journal ends somewhere.
        for change in std::mem::take(&mut self.name_changes) {
            if !keep() {
                break;
            }
            change.apply(&mut self.names);
        }
        for file in self.files.values_mut() {
            let mut bytes = std::mem::take(&mut file.synced);
            for write in std::mem::take(&mut file.unsynced) {
                for part in write.sectors() {
                    if keep() {
                        put(&mut bytes, &part);
                    }
                }
            }
            file.bytes = bytes;
        }
    }

    /// All but the end of a write is there.
    fn cut(&mut self, number: u64, write: &Write, length: usize) {
        if let Some(file) = self.files.get_mut(&number) {
            let mut bytes = std::mem::take(&mut file.synced);
            for earlier in &file.unsynced {
                let is_last = earlier.offset == write.offset && earlier.bytes == write.bytes;
                let length = if is_last { length } else { earlier.bytes.len() };
                let kept = earlier.bytes.iter().take(length).copied().collect();
                put(&mut bytes, &Write { offset: earlier.offset, bytes: kept });
            }
            file.bytes = bytes;
        }
    }

    /// What is there now is what is on the disk.
    fn settle(&mut self) {
        for file in self.files.values_mut() {
            file.synced = file.bytes.clone();
            file.unsynced.clear();
        }
        let named: BTreeSet<u64> = self.names.values().copied().collect();
        self.files.retain(|number, _| named.contains(number));
        self.synced_names = self.names.clone();
        self.name_changes.clear();
        self.last_write = None;
        self.end_faults();
    }

    fn end_faults(&mut self) {
        self.crash_at = None;
        self.crashed = false;
        self.fail_syncs = false;
    }
}

impl Write {
    /// The write, sector by sector.
    fn sectors(&self) -> impl Iterator<Item = Write> {
        let mut offset = self.offset;
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let length = rest.len().min(SECTOR - offset % SECTOR);
            let (sector, after) = rest.split_at_checked(length)?;
            let write = Write { offset, bytes: sector.to_vec() };
            (offset, rest) = (offset + length, after);
            (length > 0).then_some(write)
        })
    }
}

impl NameChange {
    fn apply(self, names: &mut BTreeMap<String, u64>) {
        match self {
            NameChange::Set(name, number) => {
                names.insert(name, number);
            }
            NameChange::Gone(name) => {
                names.remove(&name);
            }
            NameChange::Moved(from, to, number) => {
                names.remove(&from);
                names.insert(to, number);
            }
        }
    }
}

impl Disk for SimulatedDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        Ok(self.state().names.keys().cloned().collect())
    }

    fn size(&self, file: &str) -> Result<u64, DiskError> {
        let state = self.state();
        let number = state.number(file)?;
        let length = state.files.get(&number).map_or(0, |file| file.bytes.len());
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }

    fn create(&self, file: &str, size: u64) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("creation", file)?;
        if state.full || !state.has_room(size) {
            return Err(DiskError::NoSpace { file: file.to_owned() });
        }
        let number = state.next_file;
        state.next_file += 1;
        state.files.insert(number, File::default());
        state.names.insert(file.to_owned(), number);
        state.name_changes.push(NameChange::Set(file.to_owned(), number));
        let zeros = vec![0; usize::try_from(size).unwrap_or(0)];
        state.write(number, Write { offset: 0, bytes: zeros });
        if dies { Err(power_failure("creation", file)) } else { Ok(()) }
    }

    fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let state = self.state();
        let number = state.number(file)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = state.files.get(&number).and_then(|content| {
            content.bytes.get(offset..offset.saturating_add(length)).map(<[u8]>::to_vec)
        });
        let short = || DiskError::of("reading", file, io::ErrorKind::UnexpectedEof.into());
        bytes.ok_or_else(short)
    }

    fn write(&self, file: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("writing", file)?;
        let number = state.number(file)?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let length = state.files.get(&number).map_or(0, |file| file.bytes.len());
        let growth = offset.saturating_add(bytes.len()).saturating_sub(length);
        if growth > 0 && !state.has_room(u64::try_from(growth).unwrap_or(u64::MAX)) {
            return Err(DiskError::NoSpace { file: file.to_owned() });
        }
        if state.full {
            let half = bytes.iter().take(bytes.len() / 2).copied().collect();
            state.write(number, Write { offset, bytes: half });
            return Err(DiskError::NoSpace { file: file.to_owned() });
        }
        state.write(number, Write { offset, bytes: bytes.to_vec() });
        if dies { Err(power_failure("writing", file)) } else { Ok(()) }
    }

    fn sync(&self, file: &str) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("sync", file)?;
        state.syncs += 1;
        let number = state.number(file)?;
        let fails = state.fail_syncs;
        let Some(content) = state.files.get_mut(&number) else { return Ok(()) };
        if dies || fails {
            if fails {
                // The kernel has dropped the pages: memory still shows them, the disk never gets them.
                content.unsynced.clear();
            }
            let source = io::Error::other("the disk is gone");
            return Err(DiskError::SyncFailed { file: file.to_owned(), source });
        }
        for write in std::mem::take(&mut content.unsynced) {
            put(&mut content.synced, &write);
        }
        Ok(())
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("sync", ".")?;
        state.syncs += 1;
        if dies || state.fail_syncs {
            let source = io::Error::other("the disk is gone");
            return Err(DiskError::SyncFailed { file: ".".to_owned(), source });
        }
        state.synced_names = state.names.clone();
        state.name_changes.clear();
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("renaming", from)?;
        let number = state.number(from)?;
        state.names.remove(from);
        state.names.insert(to.to_owned(), number);
        state.name_changes.push(NameChange::Moved(from.to_owned(), to.to_owned(), number));
        if dies { Err(power_failure("renaming", from)) } else { Ok(()) }
    }

    fn remove(&self, file: &str) -> Result<(), DiskError> {
        let (mut state, dies) = self.operate("removal", file)?;
        state.number(file)?;
        state.names.remove(file);
        state.name_changes.push(NameChange::Gone(file.to_owned()));
        if dies { Err(power_failure("removal", file)) } else { Ok(()) }
    }

    fn free_bytes(&self) -> Result<u64, DiskError> {
        let state = self.state();
        Ok(state.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(state.used())))
    }
}

fn put(bytes: &mut Vec<u8>, write: &Write) {
    let end = write.offset + write.bytes.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    if let Some(place) = bytes.get_mut(write.offset..end) {
        place.copy_from_slice(&write.bytes);
    }
}

fn power_failure(operation: &'static str, file: &str) -> DiskError {
    let source = io::Error::other("the power failed");
    DiskError::Failed { operation, file: file.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::{SimulatedDisk, Unsynced};
    use crate::storage::{Disk, DiskError};

    fn disk() -> SimulatedDisk {
        let disk = SimulatedDisk::new();
        disk.create("file", 2048).unwrap();
        disk.write("file", 0, &[1; 2048]).unwrap();
        disk.sync("file").unwrap();
        disk.sync_directory().unwrap();
        disk.write("file", 0, &[2; 2048]).unwrap();
        disk.create("later", 0).unwrap();
        disk
    }

    #[test]
    fn what_was_synced_survives_and_the_rest_as_asked() {
        let content = |unsynced| {
            let disk = disk();
            disk.restart(unsynced);
            (disk.read("file", 0, 2048).unwrap(), disk.list().unwrap().len())
        };
        assert_eq!(content(Unsynced::Kept), (vec![2; 2048], 2));
        assert_eq!(content(Unsynced::Lost), (vec![1; 2048], 1));
        let outcomes: std::collections::BTreeSet<_> =
            (0..200).map(|seed| content(Unsynced::Torn(seed))).collect();
        assert_eq!(outcomes.len(), 32, "each of four sectors and the name, old or new");
        for (bytes, _) in outcomes {
            assert!(bytes.chunks(512).all(|sector| sector == [1; 512] || sector == [2; 512]));
        }
        let disk = SimulatedDisk::new();
        disk.create("file", 0).unwrap();
        disk.write("file", 0, b"abc").unwrap();
        disk.write("file", 3, b"def").unwrap();
        disk.restart(Unsynced::Prefix(1));
        assert_eq!(disk.read("file", 0, 4).unwrap(), b"abcd");
    }

    #[test]
    fn a_sync_that_failed_lost_what_it_was_for() {
        let disk = disk();
        disk.fail_syncs();
        assert!(matches!(disk.sync("file"), Err(DiskError::SyncFailed { .. })));
        assert_eq!(disk.read("file", 0, 1).unwrap(), [2]);
        disk.restart(Unsynced::Torn(1));
        assert_eq!(disk.read("file", 0, 1).unwrap(), [1]);
    }

    #[test]
    fn the_power_fails_when_asked_and_nothing_works_until_the_restart() {
        let disk = disk();
        disk.crash_at(disk.operations());
        assert!(disk.write("file", 0, &[3]).is_err());
        assert!(disk.has_crashed());
        assert!(disk.sync("file").is_err());
        disk.restart(Unsynced::Kept);
        assert_eq!(disk.read("file", 0, 1).unwrap(), [3]);
        disk.sync("file").unwrap();
    }

    #[test]
    fn a_full_disk_says_so_and_writing_in_place_goes_on() {
        let disk = disk();
        disk.limit(Some(disk.used() + 10));
        assert!(disk.create("big", 11).unwrap_err().is_no_space());
        assert!(disk.write("later", 0, &[0; 11]).unwrap_err().is_no_space());
        disk.write("later", 0, &[0; 10]).unwrap();
        disk.write("file", 0, &[4; 2048]).unwrap();
        assert_eq!(disk.free_bytes().unwrap(), 0);
        disk.remove("later").unwrap();
        assert_eq!(disk.free_bytes().unwrap(), 10);
    }
}

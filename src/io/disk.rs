//! The real disk: one directory, which one process uses.

pub(crate) mod read_only;

use crate::storage::{Disk, DiskError};
use rustix::fs::{FallocateFlags, FlockOperation};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Held by the process that uses the directory; its number is in it.
const LOCK: &str = "lock";
/// What lies here is secret: configuration, keys.
const FILE_MODE: u32 = 0o600;
const DIRECTORY_MODE: u32 = 0o700;
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Why a directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// Another process uses it. Two that write to one log destroy it.
    #[error(
        "the data directory {directory} is used by {}: stop it first, or give this one a directory of its own",
        holder.map_or("another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// The number of the process, if it is known.
        holder: Option<u32>,
    },
    /// It cannot be made or opened.
    #[error("the data directory {directory} cannot be used: {source}")]
    Failed {
        /// The directory.
        directory: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A directory on a real disk. No other process has it as long as this lives.
#[derive(Debug)]
pub(crate) struct RealDisk {
    directory: PathBuf,
    /// To sync what happens to names.
    handle: File,
    /// Open files, so that a write is one system call.
    files: Mutex<BTreeMap<String, Arc<File>>>,
    /// Holds the lock.
    _lock: File,
}

impl RealDisk {
    /// Makes the directory, if there is none, and locks it.
    pub(crate) fn open(directory: &Path) -> Result<RealDisk, OpenError> {
        let failed = |source| OpenError::Failed { directory: directory.to_owned(), source };
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory).map_err(failed)?;
        if let Some(parent) = directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent).and_then(|parent| parent.sync_all()).map_err(failed)?;
        }
        let handle = File::open(directory).map_err(failed)?;
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(directory.join(LOCK))
            .map_err(failed)?;
        take_lock(directory, &mut lock, FlockOperation::NonBlockingLockExclusive)?;
        note_holder(&mut lock).map_err(failed)?;
        let files = Mutex::new(BTreeMap::new());
        Ok(RealDisk { directory: directory.to_owned(), handle, files, _lock: lock })
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.join(file)
    }

    fn open_files(&self) -> MutexGuard<'_, BTreeMap<String, Arc<File>>> {
        // The map is consistent whenever the lock is free: each change of it is one call.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, file: &str) -> io::Result<Arc<File>> {
        if let Some(open) = self.open_files().get(file) {
            return Ok(Arc::clone(open));
        }
        let opened = Arc::new(OpenOptions::new().read(true).write(true).open(self.path(file))?);
        self.open_files().insert(file.to_owned(), Arc::clone(&opened));
        Ok(opened)
    }

    fn create_zeroed(&self, file: &str, size: u64) -> io::Result<()> {
        let created = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(self.path(file))?;
        if size > 0 {
            match rustix::fs::fallocate(&created, FallocateFlags::empty(), 0, size) {
                // Not all file systems can; writing takes the space as well.
                Ok(()) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
                Err(error) => return Err(error.into()),
            }
        }
        // Space that was only allocated costs each first write a change of metadata, and with it half of the speed.
        let mut offset = 0;
        while offset < size {
            let length = usize::try_from(size - offset).unwrap_or(ZEROS.len()).min(ZEROS.len());
            created.write_all_at(ZEROS.get(..length).unwrap_or_default(), offset)?;
            offset = offset.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        }
        self.open_files().insert(file.to_owned(), Arc::new(created));
        Ok(())
    }
}

impl Disk for RealDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        names(&self.directory).map_err(|error| DiskError::of("listing", ".", error))
    }

    fn size(&self, file: &str) -> Result<u64, DiskError> {
        let length = std::fs::metadata(self.path(file)).map(|metadata| metadata.len());
        length.map_err(|error| DiskError::of("looking", file, error))
    }

    fn create(&self, file: &str, size: u64) -> Result<(), DiskError> {
        self.open_files().remove(file);
        self.create_zeroed(file, size).map_err(|error| {
            // Its space is needed, and the error at hand says more than a second one would.
            std::fs::remove_file(self.path(file)).unwrap_or_default();
            DiskError::of("creation", file, error)
        })
    }

    fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let read = || {
            let open = self.file(file)?;
            let mut bytes = vec![0; length];
            open.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        };
        read().map_err(|error| DiskError::of("reading", file, error))
    }

    fn write(&self, file: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let written = self.file(file).and_then(|open| open.write_all_at(bytes, offset));
        written.map_err(|error| DiskError::of("writing", file, error))
    }

    fn sync(&self, file: &str) -> Result<(), DiskError> {
        let synced = self.file(file).and_then(|open| open.sync_data());
        synced.map_err(|source| DiskError::SyncFailed { file: file.to_owned(), source })
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        let directory = || self.directory.display().to_string();
        let synced = self.handle.sync_all();
        synced.map_err(|source| DiskError::SyncFailed { file: directory(), source })
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        std::fs::rename(self.path(from), self.path(to))
            .map_err(|error| DiskError::of("renaming", from, error))?;
        let mut open = self.open_files();
        open.remove(to);
        if let Some(renamed) = open.remove(from) {
            open.insert(to.to_owned(), renamed);
        }
        Ok(())
    }

    fn remove(&self, file: &str) -> Result<(), DiskError> {
        self.open_files().remove(file);
        std::fs::remove_file(self.path(file)).map_err(|error| DiskError::of("removal", file, error))
    }

    fn free_bytes(&self) -> Result<u64, DiskError> {
        let free = rustix::fs::statvfs(&self.directory)
            .map(|system| system.f_bavail.saturating_mul(system.f_frsize));
        free.map_err(|error| DiskError::of("asking for the space", ".", error.into()))
    }
}

/// The files of a directory, but for the lock.
fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_file()
            && let Ok(name) = entry.file_name().into_string()
            && name != LOCK
        {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Locks a directory by its file `lock`.
fn take_lock(
    directory: &Path,
    lock: &mut File,
    operation: FlockOperation,
) -> Result<(), OpenError> {
    let directory = directory.to_owned();
    match rustix::fs::flock(&*lock, operation) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::WOULDBLOCK) => {
            Err(OpenError::InUse { directory, holder: holder(lock) })
        }
        Err(error) => Err(OpenError::Failed { directory, source: error.into() }),
    }
}

/// Who wrote its number into the lock, if it lives: whoever only reads the directory writes none.
fn holder(lock: &mut File) -> Option<u32> {
    let mut text = String::new();
    lock.read_to_string(&mut text).ok()?;
    let number: i32 = text.trim().parse().ok()?;
    let lives = rustix::process::Pid::from_raw(number)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH));
    u32::try_from(number).ok().filter(|_| lives)
}

fn note_holder(lock: &mut File) -> io::Result<()> {
    lock.set_len(0)?;
    lock.rewind()?;
    writeln!(lock, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::{OpenError, RealDisk};
    use crate::storage::{Disk, DiskError};

    fn with_disk(test: impl FnOnce(&RealDisk)) {
        let directory = tempfile::tempdir().unwrap();
        test(&RealDisk::open(&directory.path().join("data")).unwrap());
    }

    #[test]
    fn what_is_written_is_read() {
        with_disk(|disk| {
            disk.create("b", 100_000).unwrap();
            disk.create("a", 0).unwrap();
            assert_eq!(disk.list().unwrap(), ["a", "b"]);
            assert_eq!(disk.size("b").unwrap(), 100_000);
            assert!(disk.read("b", 0, 100_000).unwrap().iter().all(|byte| *byte == 0));
            disk.write("b", 99_998, b"tail").unwrap();
            disk.sync("b").unwrap();
            disk.sync_directory().unwrap();
            assert_eq!(disk.read("b", 99_997, 5).unwrap(), b"\0tail");
            assert!(disk.read("b", 99_999, 5).is_err());
            assert!(disk.free_bytes().unwrap() > 0);
        });
    }

    #[test]
    fn names_follow_their_files() {
        with_disk(|disk| {
            for (file, bytes) in [("old", b"old"), ("new", b"new")] {
                disk.create(file, 3).unwrap();
                disk.write(file, 0, bytes).unwrap();
            }
            disk.rename("new", "old").unwrap();
            assert_eq!(disk.list().unwrap(), ["old"]);
            assert_eq!(disk.read("old", 0, 3).unwrap(), b"new");
            disk.write("old", 0, b"two").unwrap();
            assert_eq!(disk.read("old", 0, 3).unwrap(), b"two");
            disk.create("old", 2).unwrap();
            assert_eq!(disk.read("old", 0, 2).unwrap(), [0, 0]);
            disk.remove("old").unwrap();
            for missing in
                [disk.size("old").err(), disk.read("old", 0, 1).err(), disk.remove("old").err()]
            {
                assert!(matches!(missing, Some(DiskError::Missing { .. })));
            }
        });
    }

    #[test]
    fn a_directory_has_one_user_and_the_second_is_told_who() {
        let directory = tempfile::tempdir().unwrap();
        let first = RealDisk::open(directory.path()).unwrap();
        let error = RealDisk::open(directory.path()).unwrap_err();
        let own = std::process::id();
        assert!(matches!(error, OpenError::InUse { holder: Some(pid), .. } if pid == own));
        assert!(error.to_string().contains(&format!("is used by process {own}")));
        drop(first);
        RealDisk::open(directory.path()).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(RealDisk::open(file.path()), Err(OpenError::Failed { .. })));
    }

    #[test]
    fn others_may_not_read_what_is_there() {
        use std::os::unix::fs::PermissionsExt;
        with_disk(|disk| {
            disk.create("secret", 1).unwrap();
            let mode = |path: &std::path::Path| {
                std::fs::metadata(path).unwrap().permissions().mode() & 0o777
            };
            assert_eq!(mode(&disk.path("secret")), 0o600);
            assert_eq!(mode(&disk.directory), 0o700);
        });
    }
}

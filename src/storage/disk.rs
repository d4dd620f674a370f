//! The disk as this room sees it.

use std::io;

/// One directory of files. The real one is `io::disk::RealDisk`; tests and the simulator have one that forgets what
/// was not synced.
///
/// Names are plain file names. What is written may be lost or torn at any sector until `sync`; what is created,
/// renamed or removed may be undone until `sync_directory`.
pub(crate) trait Disk: Send + Sync {
    /// The names of all files, sorted.
    fn list(&self) -> Result<Vec<String>, DiskError>;

    /// How long a file is.
    fn size(&self, file: &str) -> Result<u64, DiskError>;

    /// A new file of `size` zeros for which the space is taken, so that writing to it later neither runs out of
    /// space nor waits for more than the data. A file of that name is replaced. On an error there is none.
    fn create(&self, file: &str, size: u64) -> Result<(), DiskError>;

    /// Exactly `length` bytes.
    fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError>;

    /// Writes all of `bytes`; the file grows as needed. On an error any part of it may have been written.
    fn write(&self, file: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes what was written to the file durable. After an error nothing is known about what was written since
    /// the last success, and trying again would not tell (the kernel has dropped it): the process must end.
    fn sync(&self, file: &str) -> Result<(), DiskError>;

    /// Makes what was created, renamed and removed durable. The same holds for an error.
    fn sync_directory(&self) -> Result<(), DiskError>;

    /// Gives a file another name. A file of that name is replaced.
    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file.
    fn remove(&self, file: &str) -> Result<(), DiskError>;

    /// Bytes that can still be written.
    fn free_bytes(&self) -> Result<u64, DiskError>;
}

/// Makes `bytes` the content of a file, durably: after a crash the file is the old one or the new one.
pub(crate) fn replace_file(disk: &dyn Disk, file: &str, bytes: &[u8]) -> Result<(), DiskError> {
    let temporary = super::temporary(file);
    disk.create(&temporary, 0)?;
    disk.write(&temporary, 0, bytes)?;
    disk.sync(&temporary)?;
    disk.rename(&temporary, file)?;
    disk.sync_directory()
}

/// Why the disk did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskError {
    /// There is no space, or a quota is reached.
    #[error("there is no space left on the disk for {file}")]
    NoSpace {
        /// The file that was written.
        file: String,
    },
    /// The file does not exist.
    #[error("{file} does not exist")]
    Missing {
        /// The file.
        file: String,
    },
    /// What was written is lost or not; the process must end and recover from what is there.
    #[error("{file} could not be forced to the disk, what was written last may be lost: {source}")]
    SyncFailed {
        /// The file or directory.
        file: String,
        /// What the system says.
        source: io::Error,
    },
    /// Anything else.
    #[error("{operation} of {file} failed: {source}")]
    Failed {
        /// What was tried.
        operation: &'static str,
        /// With which file.
        file: String,
        /// What the system says.
        source: io::Error,
    },
}

impl DiskError {
    /// The error of an operation other than a sync.
    pub(crate) fn of(operation: &'static str, file: &str, source: io::Error) -> DiskError {
        let file = file.to_owned();
        let kind = source.kind();
        let no_space =
            [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
        if no_space.contains(&kind) {
            DiskError::NoSpace { file }
        } else if kind == io::ErrorKind::NotFound {
            DiskError::Missing { file }
        } else {
            DiskError::Failed { operation, file, source }
        }
    }

    /// Whether there was no space.
    pub(crate) fn is_no_space(&self) -> bool {
        matches!(self, DiskError::NoSpace { .. })
    }
}

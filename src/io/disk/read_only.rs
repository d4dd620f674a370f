//! A directory of an agent that does not run, to look at: nothing in it is changed, and a read-only medium is enough.

use super::{LOCK, OpenError, names, take_lock};
use crate::storage::{Disk, DiskError};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// No agent starts on the directory as long as this lives.
#[derive(Debug)]
pub(crate) struct ReadOnlyDisk {
    directory: PathBuf,
    /// Holds the lock; none of a copy that came without one, or of a directory that no agent has used.
    _lock: Option<File>,
}

impl ReadOnlyDisk {
    /// Locks the directory, which must be there. Any number of readers may do so at a time.
    pub(crate) fn open(directory: &Path) -> Result<ReadOnlyDisk, OpenError> {
        let failed = |source| OpenError::Failed { directory: directory.to_owned(), source };
        names(directory).map_err(failed)?;
        let lock = match File::open(directory.join(LOCK)) {
            Ok(mut lock) => {
                take_lock(directory, &mut lock, FlockOperation::NonBlockingLockShared)?;
                Some(lock)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        Ok(ReadOnlyDisk { directory: directory.to_owned(), _lock: lock })
    }
}

/// What every change is answered with.
fn refused(operation: &'static str, file: &str) -> DiskError {
    DiskError::of(operation, file, io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Disk for ReadOnlyDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        names(&self.directory).map_err(|error| DiskError::of("listing", ".", error))
    }

    fn size(&self, file: &str) -> Result<u64, DiskError> {
        let length = std::fs::metadata(self.directory.join(file)).map(|metadata| metadata.len());
        length.map_err(|error| DiskError::of("looking", file, error))
    }

    fn create(&self, file: &str, _size: u64) -> Result<(), DiskError> {
        Err(refused("creation", file))
    }

    fn read(&self, file: &str, offset: u64, length: usize) -> Result<Vec<u8>, DiskError> {
        let read = || {
            let mut bytes = vec![0; length];
            File::open(self.directory.join(file))?.read_exact_at(&mut bytes, offset)?;
            Ok(bytes)
        };
        read().map_err(|error| DiskError::of("reading", file, error))
    }

    fn write(&self, file: &str, _offset: u64, _bytes: &[u8]) -> Result<(), DiskError> {
        Err(refused("writing", file))
    }

    fn sync(&self, file: &str) -> Result<(), DiskError> {
        Err(refused("writing", file))
    }

    fn sync_directory(&self) -> Result<(), DiskError> {
        Err(refused("writing", "."))
    }

    fn rename(&self, from: &str, _to: &str) -> Result<(), DiskError> {
        Err(refused("renaming", from))
    }

    fn remove(&self, file: &str) -> Result<(), DiskError> {
        Err(refused("removal", file))
    }

    fn free_bytes(&self) -> Result<u64, DiskError> {
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::ReadOnlyDisk;
    use crate::io::disk::{OpenError, RealDisk};
    use crate::storage::Disk;

    #[test]
    fn a_directory_is_read_while_no_agent_uses_it_and_stays_as_it_is() {
        let directory = tempfile::tempdir().unwrap();
        let real = RealDisk::open(directory.path()).unwrap();
        real.create("file", 0).unwrap();
        real.write("file", 0, b"bytes").unwrap();
        let error = ReadOnlyDisk::open(directory.path()).unwrap_err();
        assert!(matches!(error, OpenError::InUse { holder: Some(_), .. }), "{error}");
        drop(real);

        let disk = ReadOnlyDisk::open(directory.path()).unwrap();
        let second = ReadOnlyDisk::open(directory.path()).unwrap();
        assert_eq!(disk.list().unwrap(), ["file"]);
        assert_eq!(second.read("file", 1, 3).unwrap(), b"yte");
        for refused in [
            disk.write("file", 0, b"x"),
            disk.create("new", 1),
            disk.rename("file", "other"),
            disk.remove("file"),
            disk.sync("file"),
            disk.sync_directory(),
        ] {
            assert!(refused.is_err());
        }
        assert!(matches!(RealDisk::open(directory.path()), Err(OpenError::InUse { .. })));
        drop((disk, second));
        let real = RealDisk::open(directory.path()).unwrap();
        assert_eq!(
            (real.list().unwrap(), real.read("file", 0, 5).unwrap()),
            (vec!["file".to_owned()], b"bytes".to_vec())
        );
    }

    #[test]
    fn a_directory_that_is_not_there_is_not_made() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        assert!(matches!(ReadOnlyDisk::open(&missing), Err(OpenError::Failed { .. })));
        assert!(!missing.exists());
    }
}

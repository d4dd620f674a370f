//! Space kept back for what is needed to get out of a full disk: votes, membership changes, a snapshot.

use super::disk::{Disk, DiskError};
use super::temporary;
use crate::base::limits::STORAGE_RESERVE_BYTES;

const FILE: &str = "reserve";

/// The reserve of a data directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reserve {
    /// How much is kept back.
    pub(crate) bytes: u64,
}

impl Default for Reserve {
    fn default() -> Reserve {
        Reserve { bytes: STORAGE_RESERVE_BYTES }
    }
}

impl Reserve {
    /// Whether the space is kept back.
    pub(crate) fn is_held(self, disk: &dyn Disk) -> Result<bool, DiskError> {
        match disk.size(FILE) {
            Ok(size) => Ok(size == self.bytes),
            Err(DiskError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Keeps the space back, unless it is already. It writes that much: off the agent's thread.
    pub(crate) fn hold(self, disk: &dyn Disk) -> Result<(), DiskError> {
        if self.is_held(disk)? {
            return Ok(());
        }
        let file = temporary(FILE);
        disk.create(&file, self.bytes)?;
        disk.rename(&file, FILE)?;
        disk.sync_directory()
    }

    /// Gives the space free; whether there was any.
    pub(crate) fn release(self, disk: &dyn Disk) -> Result<bool, DiskError> {
        match disk.remove(FILE) {
            Ok(()) => disk.sync_directory().map(|()| true),
            Err(DiskError::Missing { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

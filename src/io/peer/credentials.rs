//! The file with this node's key and certificates.

use super::authority::{AuthorityError, Credentials};
use crate::storage::{Disk, DiskError, replace_file};

/// Its name in the data directory. Nobody but the owner may read it.
const FILE: &str = "member.pem";
/// Bytes of the file: it is far smaller.
const BYTES_MAX: u64 = 1 << 16;

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error("the file {FILE} in the data directory cannot be used: {0}")]
    Damaged(#[from] AuthorityError),
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// What is in the file; `None` without it.
///
/// # Errors
/// If it is there and cannot be used.
pub(crate) fn read_credentials(disk: &dyn Disk) -> Result<Option<Credentials>, CredentialsError> {
    let size = match disk.size(FILE) {
        Ok(size) => size,
        Err(DiskError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if size > BYTES_MAX {
        return Err(AuthorityError::File("it is too long").into());
    }
    let length = usize::try_from(size).unwrap_or(usize::MAX);
    Ok(Some(Credentials::from_pem(&disk.read(FILE, 0, length)?)?))
}

/// Writes the file durably, in place of one that is there.
///
/// # Errors
/// If the disk does not do it; then the old one stays.
pub(crate) fn write_credentials(
    disk: &dyn Disk,
    credentials: &Credentials,
) -> Result<(), CredentialsError> {
    Ok(replace_file(disk, FILE, credentials.to_pem().as_bytes())?)
}

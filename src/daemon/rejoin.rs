//! How a node that was quarantined joins again: the file `rejoin`, from the moment at which it asks for another seat until
//! it has one. A line with the token, then the addresses of members, one a line.

use crate::agent::effects::Rejoin;
use crate::base::limits::OPERATOR_FILE_BYTES_MAX;
use crate::storage::{Disk, DiskError, replace_file};

/// Its name in the data directory.
const FILE: &str = "rejoin";

/// Writes the file durably.
pub(super) fn write(disk: &dyn Disk, rejoin: &Rejoin) -> Result<(), DiskError> {
    let lines = [rejoin.token.to_string()].into_iter().chain(rejoin.members.iter().cloned());
    let text: String = lines.flat_map(|line| [line, "\n".to_owned()]).collect();
    replace_file(disk, FILE, text.as_bytes())
}

/// What is in the file; `None` without it, or if it is not one of ours.
pub(super) fn read(disk: &dyn Disk) -> Result<Option<Rejoin>, DiskError> {
    let size = match disk.size(FILE) {
        Ok(size) => size.min(OPERATOR_FILE_BYTES_MAX),
        Err(DiskError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = disk.read(FILE, 0, usize::try_from(size).unwrap_or_default())?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    let mut lines = text.lines();
    let token = lines.next().and_then(|token| token.parse().ok());
    let members = lines.map(str::to_owned).collect();
    Ok(token.map(|token| Rejoin { token, members }))
}

/// The node has a seat.
pub(super) fn forget(disk: &dyn Disk) -> Result<(), DiskError> {
    match disk.remove(FILE) {
        Ok(()) => disk.sync_directory(),
        Err(DiskError::Missing { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::{forget, read, write};
    use crate::agent::effects::Rejoin;
    use crate::base::ids::Digest;
    use crate::base::token::JoinToken;
    use crate::io::disk::RealDisk;
    use crate::storage::replace_file;

    #[test]
    fn what_is_remembered_is_found_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let disk = RealDisk::open(directory.path()).unwrap();
        assert_eq!(read(&disk).unwrap(), None);
        let token = JoinToken { secret: [3; 16], authority: Digest([4; 32]) };
        let members = ["n1:8830", "192.0.2.1:8830"].map(str::to_owned).to_vec();
        let rejoin = Rejoin { token, members };
        write(&disk, &rejoin).unwrap();
        assert_eq!(read(&disk).unwrap(), Some(rejoin));
        forget(&disk).unwrap();
        forget(&disk).unwrap();
        assert_eq!(read(&disk).unwrap(), None);
        replace_file(&disk, "rejoin", b"\xff no token").unwrap();
        assert_eq!(read(&disk).unwrap(), None);
    }
}

//! Who this member is, and how often it started.
//!
//! ```text
//! magic 8 bytes, format u32, crc32 of the 12 bytes before   the same in all versions
//! length u32, crc32 u32, identity (postcard)
//! ```

use super::disk::{Disk, DiskError};
use super::{take, take_u32, temporary, u64_of, usize_of};
use crate::base::ids::{Boot, ClusterId, Incarnation, Lineage};
use serde::{Deserialize, Serialize};

const FILE: &str = "identity";
const MAGIC: [u8; 8] = *b"QUORATE\n";
/// The form of the data directory as a whole. An older program refuses a newer one.
const FORMAT: u32 = 2;
/// Bytes of the file: it is far smaller.
const BYTES_MAX: u64 = 1 << 16;

/// Who a member is (PROTOCOL, IDS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Its cluster.
    pub(crate) cluster: ClusterId,
    /// The history that its data belong to.
    pub(crate) lineage: Lineage,
    /// Its number in the log.
    pub(crate) incarnation: Incarnation,
    /// This start of it.
    pub(crate) boot: Boot,
    /// The secret seed of the trees' shape.
    pub(crate) tree_seed: [u8; 16],
}

/// Why the identity is not known or not changed. The one on the disk is as it was.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    /// A later version wrote it.
    #[error(
        "the data directory has format {found}, this program knows formats up to {FORMAT}: start the version that \
         wrote it, or a later one"
    )]
    Newer {
        /// The format.
        found: u32,
    },
    /// A version before the first release wrote it.
    #[error(
        "the data directory has format {found}, this program reads {FORMAT}: take the configuration out with the version \
         that wrote it, and begin with an empty directory"
    )]
    Older {
        /// The format.
        found: u32,
    },
    /// It is not what was written.
    #[error(
        "the file identity is damaged: {what}. This member must not start from this data. Move the data directory \
         away and let the member join its cluster again as a new one"
    )]
    Corrupt {
        /// What is wrong.
        what: &'static str,
    },
    /// There is one, so this directory belongs to a member already.
    #[error("the data directory belongs to member {0} already")]
    Exists(Incarnation),
    /// The disk did not do it.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

impl Identity {
    /// The identity on the disk; none in an empty directory.
    pub(crate) fn read(disk: &dyn Disk) -> Result<Option<Identity>, IdentityError> {
        let size = match disk.size(FILE) {
            Ok(size) => size,
            Err(DiskError::Missing { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if size > BYTES_MAX {
            return Err(IdentityError::Corrupt { what: "it is too long" });
        }
        decode(&disk.read(FILE, 0, usize_of(size))?).map(Some)
    }

    /// Gives an empty directory an identity: by `init`, or when a member joined.
    pub(crate) fn create(&self, disk: &dyn Disk) -> Result<(), IdentityError> {
        match Identity::read(disk)? {
            Some(existing) => Err(IdentityError::Exists(existing.incarnation)),
            None => self.write(disk),
        }
    }

    /// Begins a new life of the member, durably, before it does anything else: the counter is one higher, the nonce
    /// is `nonce`, drawn by the caller. None in an empty directory.
    pub(crate) fn start(disk: &dyn Disk, nonce: u64) -> Result<Option<Identity>, IdentityError> {
        let Some(mut identity) = Identity::read(disk)? else { return Ok(None) };
        identity.boot = Boot { counter: identity.boot.counter.saturating_add(1), nonce };
        identity.write(disk)?;
        Ok(Some(identity))
    }

    /// Replaces the identity durably: a new lineage, or a new incarnation.
    pub(crate) fn write(&self, disk: &dyn Disk) -> Result<(), IdentityError> {
        let bytes = self.encode();
        let file = temporary(FILE);
        disk.create(&file, u64_of(bytes.len()))?;
        disk.write(&file, 0, &bytes)?;
        disk.sync(&file)?;
        disk.rename(&file, FILE)?;
        disk.sync_directory()?;
        Ok(())
    }

    fn encode(&self) -> Vec<u8> {
        // Postcard fails on what has no length only; there is nothing of the kind in it.
        let body = postcard::to_stdvec(self).unwrap_or_default();
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }
}

fn decode(bytes: &[u8]) -> Result<Identity, IdentityError> {
    let corrupt = |what| IdentityError::Corrupt { what };
    let mut input = bytes;
    let magic = take::<8>(&mut input).filter(|magic| *magic == MAGIC);
    let format = take_u32(&mut input).filter(|_| magic.is_some());
    let crc = take_u32(&mut input);
    let head = bytes.get(..12).map(crc32fast::hash);
    let Some(format) = format.filter(|_| crc.is_some() && crc == head) else {
        return Err(corrupt("its head does not match the checksum"));
    };
    if format > FORMAT {
        return Err(IdentityError::Newer { found: format });
    }
    if format < FORMAT {
        return Err(IdentityError::Older { found: format });
    }
    let length = take_u32(&mut input).map(|length| usize_of(u64::from(length)));
    let crc = take_u32(&mut input);
    if length != Some(input.len()) || crc != Some(crc32fast::hash(input)) {
        return Err(corrupt("it does not match the checksum"));
    }
    postcard::from_bytes(input).or(Err(corrupt("it cannot be read")))
}

//! The key by which clients know this node.

use crate::base::limits::OPERATOR_FILE_BYTES_MAX;
use crate::io::random;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::{HashAlg, PrivateKey};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of a new host key. An existing one may not be open to more than its owner either.
const MODE: u32 = 0o600;

/// Why there is no host key. Nothing was changed, but for a directory that may have been made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HostKeyError {
    #[error("cannot read the host key {}: {source}", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("the host key {} can be read by others (mode {mode:04o}); `chmod 600` it", path.display())]
    TooOpen { path: PathBuf, mode: u32 },
    #[error("the host key {} is encrypted; a daemon cannot ask for its passphrase", path.display())]
    Encrypted { path: PathBuf },
    #[error("{} is no private key in OpenSSH's form: {reason}", path.display())]
    NotAKey { path: PathBuf, reason: String },
    #[error("cannot write the new host key {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// The host key at `path`; a new ed25519 key, mode 0600, if there is none yet.
///
/// # Errors
/// If the file is there and cannot be used, or is not there and cannot be made.
pub(crate) fn load_or_make(path: &Path) -> Result<PrivateKey, HostKeyError> {
    match File::open(path) {
        Ok(file) => load(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = make(path)
                .map_err(|source| HostKeyError::Unwritable { path: path.to_owned(), source })?;
            let fingerprint = key.fingerprint(HashAlg::Sha256);
            tracing::info!(path = %path.display(), %fingerprint, "made a new host key");
            Ok(key)
        }
        Err(source) => Err(HostKeyError::Unreadable { path: path.to_owned(), source }),
    }
}

fn load(path: &Path, file: File) -> Result<PrivateKey, HostKeyError> {
    let unreadable = |source| HostKeyError::Unreadable { path: path.to_owned(), source };
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(HostKeyError::TooOpen { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    file.take(OPERATOR_FILE_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    let key = PrivateKey::from_openssh(text.trim_end()).map_err(|error| HostKeyError::NotAKey {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    if key.is_encrypted() {
        return Err(HostKeyError::Encrypted { path: path.to_owned() });
    }
    Ok(key)
}

/// Makes a key, so that after a crash there is the whole file or none.
fn make(path: &Path) -> io::Result<PrivateKey> {
    let mut key = PrivateKey::from(Ed25519Keypair::from_seed(&random::bytes()?));
    key.set_comment("quorate");
    let text = key.to_openssh(LineEnding::LF).map_err(io::Error::other)?;
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    let temporary = temporary_beside(path);
    let written = write_new(&temporary, text.as_bytes())
        // A link, not a rename: if another process was faster, its key stays.
        .and_then(|()| std::fs::hard_link(&temporary, path))
        .and_then(|()| File::open(directory)?.sync_all());
    std::fs::remove_file(&temporary)?;
    written.map(|()| key)
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new.{}", std::process::id()));
    PathBuf::from(name)
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(path)?;
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::{HostKeyError, load_or_make};
    use russh::keys::Algorithm;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_an_ed25519_key_and_the_second_finds_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("sub").join("host_key");
        let made = load_or_make(&path).unwrap();
        assert_eq!(made.algorithm(), Algorithm::Ed25519);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let found = load_or_make(&path).unwrap();
        assert_eq!(made.public_key().key_data(), found.public_key().key_data());
        assert_eq!(
            fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing is left over"
        );
    }

    #[test]
    fn two_nodes_have_two_keys() {
        let directory = tempfile::tempdir().unwrap();
        let one = load_or_make(&directory.path().join("one")).unwrap();
        let two = load_or_make(&directory.path().join("two")).unwrap();
        assert_ne!(one.public_key().key_data(), two.public_key().key_data());
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        load_or_make(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        let error = load_or_make(&path).unwrap_err();
        assert!(matches!(error, HostKeyError::TooOpen { mode: 0o640, .. }), "{error}");
    }

    #[test]
    fn what_is_no_key_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        fs::write(&path, "not a key").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let error = load_or_make(&path).unwrap_err();
        assert!(matches!(error, HostKeyError::NotAKey { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
        let error = load_or_make(directory.path()).unwrap_err();
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

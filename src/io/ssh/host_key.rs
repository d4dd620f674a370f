//! The keys by which clients know this node: one of each kind that it has.

use super::host_algorithms;
use crate::base::limits::{OPERATOR_FILE_BYTES_MAX, SSH_RSA_BITS_MIN};
use crate::io::random;
use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::keys::ssh_key::public::RsaPublicKey;
use russh::keys::{Algorithm, HashAlg, PrivateKey};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Mode of a new host key. An existing one may not be open to more than its owner either.
const MODE: u32 = 0o600;

/// Why there is no host key. Nothing was changed, but for a directory or the first key, which may have been made.
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
    #[error(
        "the host key {} is {kind}; one of ed25519, ecdsa or rsa is needed (`ssh-keygen -t`)",
        path.display()
    )]
    Kind { path: PathBuf, kind: String },
    #[error(
        "the host key {} has {bits} bits, for RSA at least {SSH_RSA_BITS_MIN} are needed \
         (`ssh-keygen -t rsa -b 3072`)",
        path.display()
    )]
    TooShort { path: PathBuf, bits: u32 },
    #[error("the host key {} cannot sign: {reason}", path.display())]
    Unusable { path: PathBuf, reason: String },
    #[error(
        "the host keys {} and {} are both {kind}; clients would see the first alone",
        first.display(),
        second.display()
    )]
    Twice { first: PathBuf, second: PathBuf, kind: String },
    #[error("cannot write the new host key {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
}

/// The host keys at `paths`, each of another kind. If the first file does not exist it is made, as an ed25519 key.
///
/// # Errors
/// If a file cannot be used, another than the first is not there, or the first cannot be made.
pub(crate) fn load_all(paths: &[PathBuf]) -> Result<Vec<PrivateKey>, HostKeyError> {
    let mut keys: Vec<PrivateKey> = Vec::new();
    for path in paths {
        let key = if keys.is_empty() {
            load_or_make(path)?
        } else {
            let unreadable = |source| HostKeyError::Unreadable { path: path.clone(), source };
            load(path, File::open(path).map_err(unreadable)?)?
        };
        let kind = key.algorithm();
        let same = keys.iter().zip(paths).find(|(other, _)| other.algorithm() == kind);
        if let Some((_, first)) = same {
            let (first, second) = (first.clone(), path.clone());
            return Err(HostKeyError::Twice { first, second, kind: kind.to_string() });
        }
        keys.push(key);
    }
    Ok(keys)
}

/// The host key at `path`; a new ed25519 key, mode 0600, if there is none yet.
fn load_or_make(path: &Path) -> Result<PrivateKey, HostKeyError> {
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
    check(path, &key)?;
    Ok(key)
}

/// What would fail in every handshake fails at the start.
fn check(path: &Path, key: &PrivateKey) -> Result<(), HostKeyError> {
    let path = path.to_owned();
    let kind = key.algorithm();
    // Which hash an RSA key signs with is agreed on with each client (RFC 8332, 3).
    let is_rsa = matches!(kind, Algorithm::Rsa { .. });
    if !is_rsa && !host_algorithms().contains(&kind) {
        return Err(HostKeyError::Kind { path, kind: kind.to_string() });
    }
    let bits = key.public_key().key_data().rsa().map(RsaPublicKey::key_size);
    if let Some(bits) = bits.filter(|bits| *bits < SSH_RSA_BITS_MIN) {
        return Err(HostKeyError::TooShort { path, bits });
    }
    match key.sign("quorate", HashAlg::Sha512, b"trial") {
        Ok(_) => Ok(()),
        Err(error) => Err(HostKeyError::Unusable { path, reason: error.to_string() }),
    }
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
    use super::super::tests::TestRng;
    use super::{HostKeyError, load_all, load_or_make};
    use russh::keys::ssh_key::LineEnding;
    use russh::keys::{Algorithm, EcdsaCurve, PrivateKey};
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::{Path, PathBuf};

    /// A new key of this kind in a file of this name.
    fn write(directory: &Path, name: &str, kind: Algorithm, seed: u64) -> PathBuf {
        let key = PrivateKey::random(&mut TestRng(seed), kind).unwrap();
        let path = directory.join(name);
        fs::write(&path, &*key.to_openssh(LineEnding::LF).unwrap()).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        path
    }

    #[test]
    fn keys_of_several_kinds_are_several_host_keys() {
        let directory = tempfile::tempdir().unwrap();
        let ecdsa = |curve| Algorithm::Ecdsa { curve };
        let made = directory.path().join("ed25519");
        let p256 = write(directory.path(), "p256", ecdsa(EcdsaCurve::NistP256), 1);
        let p521 = write(directory.path(), "p521", ecdsa(EcdsaCurve::NistP521), 2);
        let keys = load_all(&[made.clone(), p256.clone(), p521]).unwrap();
        let kinds: Vec<_> = keys.iter().map(PrivateKey::algorithm).collect();
        let expected =
            [Algorithm::Ed25519, ecdsa(EcdsaCurve::NistP256), ecdsa(EcdsaCurve::NistP521)];
        assert_eq!(kinds, expected);

        let again = write(directory.path(), "again", ecdsa(EcdsaCurve::NistP256), 3);
        let error = load_all(&[made.clone(), p256.clone(), again.clone()]).unwrap_err();
        assert!(error.to_string().contains("are both ecdsa-sha2-nistp256"), "{error}");
        let HostKeyError::Twice { first, second, .. } = error else { panic!("{error}") };
        assert_eq!((first, second), (p256, again));

        let missing = directory.path().join("missing");
        let error = load_all(&[made, missing.clone()]).unwrap_err();
        assert!(matches!(error, HostKeyError::Unreadable { .. }), "{error}");
        assert!(!missing.exists(), "only the first is made");
    }

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

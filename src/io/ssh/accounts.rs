//! Who may come in by SSH, and what proves it.

use super::authorized_keys::AuthorizedKeys;
use crate::base::limits::OPERATOR_FILE_BYTES_MAX;
use crate::io::password::PasswordHash;
use russh::keys::PublicKey;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// One user.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    /// `None`: no password lets in.
    pub(crate) password: Option<PasswordHash>,
    pub(crate) keys: Vec<PublicKey>,
    /// Read at each attempt, so that a key can be added or taken away while the agent runs.
    pub(crate) keys_file: Option<PathBuf>,
    /// May use the operations of our cluster module.
    pub(crate) admin: bool,
}

/// All users.
#[derive(Debug)]
pub(crate) struct Accounts {
    by_name: BTreeMap<String, Account>,
    /// What is worked on for a user that does not exist.
    decoy: PasswordHash,
}

impl Accounts {
    /// The users by name. Of two with one name the later counts.
    pub(crate) fn new(accounts: Vec<Account>) -> Self {
        // The decoy costs what a real check costs, whatever the rounds of the operator's hashes are.
        let decoy = accounts
            .iter()
            .find_map(|account| account.password.clone())
            .unwrap_or_else(PasswordHash::decoy);
        let by_name = accounts.into_iter().map(|account| (account.name.clone(), account)).collect();
        Self { by_name, decoy }
    }

    /// Whether the password lets this user in. Works equally long for a user that does not exist; not for an async
    /// thread.
    pub(crate) fn is_password(&self, user: &str, password: &str) -> bool {
        let hash = self.by_name.get(user).and_then(|account| account.password.as_ref());
        let right = hash.unwrap_or(&self.decoy).is_of(password);
        right && hash.is_some()
    }

    /// Whether this user may use the operations of our cluster module.
    pub(crate) fn is_admin(&self, user: &str) -> bool {
        self.by_name.get(user).is_some_and(|account| account.admin)
    }

    /// Whether the key is one of this user's. May read a file: not for an async thread.
    pub(crate) fn is_key(&self, user: &str, key: &PublicKey) -> bool {
        let Some(account) = self.by_name.get(user) else { return false };
        let is_it = |known: &PublicKey| known.key_data() == key.key_data();
        account.keys.iter().any(is_it)
            || account.keys_file.as_deref().is_some_and(|path| match read_keys_file(path) {
                Ok(file) => file.keys.iter().any(is_it),
                Err(error) => {
                    let path = path.display();
                    tracing::warn!(user, %path, %error, "cannot read the authorized keys");
                    false
                }
            })
    }
}

/// The keys in a file of sshd's form.
///
/// # Errors
/// If it cannot be read, is not UTF-8 or longer than `OPERATOR_FILE_BYTES_MAX`.
pub(crate) fn read_keys_file(path: &Path) -> io::Result<AuthorizedKeys> {
    let mut text = String::new();
    File::open(path)?.take(OPERATOR_FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > OPERATOR_FILE_BYTES_MAX) {
        let message = format!("longer than {OPERATOR_FILE_BYTES_MAX} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    Ok(AuthorizedKeys::parse(&text))
}

#[cfg(test)]
mod tests {
    use super::{Account, Accounts};
    use crate::io::password::PasswordHash;
    use russh::keys::PublicKey;
    use russh::keys::ssh_key::private::Ed25519Keypair;

    fn key(seed: u8) -> PublicKey {
        PublicKey::from(Ed25519Keypair::from_seed(&[seed; 32]).public)
    }

    fn account(name: &str) -> Account {
        let (name, keys) = (name.to_owned(), Vec::new());
        Account { name, password: None, keys, keys_file: None, admin: false }
    }

    #[test]
    fn a_password_lets_in_its_own_user_alone() {
        let accounts = Accounts::new(vec![
            Account { password: Some(PasswordHash::of("secret").unwrap()), ..account("admin") },
            Account { keys: vec![key(1)], ..account("robot") },
        ]);
        assert!(accounts.is_password("admin", "secret"));
        assert!(!accounts.is_password("admin", "Secret"));
        assert!(!accounts.is_password("robot", "secret"), "the decoy's password lets nobody in");
        assert!(!accounts.is_password("nobody", "secret"));
        assert!(!accounts.is_password("", ""));
    }

    #[test]
    fn a_key_lets_in_its_own_user_alone() {
        let accounts = Accounts::new(vec![
            Account { keys: vec![key(1), key(2)], ..account("robot") },
            account("admin"),
        ]);
        assert!(accounts.is_key("robot", &key(1)));
        assert!(accounts.is_key("robot", &key(2)));
        assert!(!accounts.is_key("robot", &key(3)));
        assert!(!accounts.is_key("admin", &key(1)));
        assert!(!accounts.is_key("nobody", &key(1)));
    }

    #[test]
    fn only_who_is_said_to_be_one_is_an_administrator() {
        let accounts =
            Accounts::new(vec![Account { admin: true, ..account("admin") }, account("robot")]);
        for (user, admin) in [("admin", true), ("robot", false), ("nobody", false)] {
            assert_eq!(accounts.is_admin(user), admin, "{user}");
        }
    }

    #[test]
    fn a_keys_file_is_read_at_each_attempt() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("authorized_keys");
        let accounts =
            Accounts::new(vec![Account { keys_file: Some(path.clone()), ..account("robot") }]);
        assert!(!accounts.is_key("robot", &key(1)), "a missing file lets nobody in");
        std::fs::write(&path, key(1).to_openssh().unwrap()).unwrap();
        assert!(accounts.is_key("robot", &key(1)));
        std::fs::write(&path, "x".repeat(2 << 20)).unwrap();
        assert!(!accounts.is_key("robot", &key(1)));
    }
}

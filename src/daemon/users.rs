//! The users of the configuration as accounts of the SSH server.

use super::configuration::User;
use crate::io::ssh::accounts::{Account, Accounts, read_keys_file};
use std::io;
use std::path::PathBuf;

/// Why a user cannot be let in as configured.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the authorized keys of user `{user}`, {}: {source}", path.display())]
pub(crate) struct UsersError {
    user: String,
    path: PathBuf,
    source: io::Error,
}

/// The accounts of the configured users. Keys that are not accepted are named in the log.
///
/// # Errors
/// If a file of keys cannot be read.
pub(crate) fn accounts(users: &[User]) -> Result<Accounts, UsersError> {
    for user in users {
        let Some(path) = &user.authorized_keys_file else { continue };
        let keys = read_keys_file(path).map_err(|source| UsersError {
            user: user.name.clone(),
            path: path.clone(),
            source,
        })?;
        for refused in keys.refused {
            let (user, line, reason) = (&user.name, refused.line, refused.reason);
            tracing::warn!(user, path = %path.display(), line, reason, "a key is not accepted");
        }
    }
    let account = |user: &User| Account {
        name: user.name.clone(),
        password: user.password_hash.clone(),
        keys: user.authorized_keys.clone(),
        keys_file: user.authorized_keys_file.clone(),
        admin: user.admin,
    };
    Ok(Accounts::new(users.iter().map(account).collect()))
}

#[cfg(test)]
mod tests {
    use super::{User, accounts};
    use crate::io::password::PasswordHash;

    fn user() -> User {
        User {
            name: "admin".to_owned(),
            password_hash: Some(PasswordHash::of("secret").unwrap()),
            authorized_keys: Vec::new(),
            authorized_keys_file: None,
            admin: true,
        }
    }

    #[test]
    fn configured_users_are_let_in() {
        let accounts = accounts(&[user()]).unwrap();
        assert!(accounts.is_password("admin", "secret"));
        assert!(!accounts.is_password("other", "secret"));
        assert!(accounts.is_admin("admin"));
    }

    #[test]
    fn a_file_of_keys_that_cannot_be_read_is_a_clear_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keys");
        let user = User { authorized_keys_file: Some(path.clone()), ..user() };
        let error = accounts(std::slice::from_ref(&user)).unwrap_err().to_string();
        assert!(error.contains("`admin`") && error.contains(&*path.to_string_lossy()), "{error}");
        std::fs::write(&path, "# nothing yet\n").unwrap();
        accounts(&[user]).unwrap();
    }
}

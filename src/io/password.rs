//! Password hashes in the form of crypt(3), method `$6$` (SHA-512).

use super::random;
use crate::base::limits::PASSWORD_BYTES_MAX;
use sha_crypt::{CustomizedPasswordHasher, Params, PasswordVerifier, ShaCrypt};
use std::fmt;
use std::io;

/// Rounds of the hashes that we make: some milliseconds of work for each guess.
const ROUNDS: u32 = 20_000;
/// Bytes of salt of the hashes that we make: 16 characters, the most that the form knows.
const SALT_BYTES: usize = 12;
/// Characters of a SHA-512 digest in crypt's base64.
const DIGEST_CHARACTERS: usize = 86;
/// A hash that no known password has.
const DECOY: &str = "$6$rounds=20000$no.such.password$......................................................................................";

/// A `$6$` hash.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PasswordHash(
    // Invariant: `check` accepts it.
    String,
);

/// Why a text is no password hash. The text itself is not repeated: it could be a password put in the wrong place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PasswordHashError {
    #[error("a password hash begins with `$6$` (SHA-512 crypt; `quorate hash-password` makes one)")]
    Method,
    #[error("the rounds of a password hash are `rounds=N`, N from 1000 to 999999999")]
    Rounds,
    #[error("a password hash is `$6$SALT$DIGEST` or `$6$rounds=N$SALT$DIGEST`")]
    Form,
}

impl PasswordHash {
    /// Takes a hash as it stands in the configuration file.
    ///
    /// # Errors
    /// If it is not `$6$SALT$DIGEST` or `$6$rounds=N$SALT$DIGEST`.
    pub(crate) fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let fields = text.strip_prefix("$6$").ok_or(PasswordHashError::Method)?;
        let fields = match fields.strip_prefix("rounds=").map(|rest| rest.split_once('$')) {
            None => fields,
            Some(None) => return Err(PasswordHashError::Form),
            Some(Some((rounds, rest))) => {
                let valid = rounds.parse().is_ok_and(|rounds| Params::new(rounds).is_ok());
                if !valid {
                    return Err(PasswordHashError::Rounds);
                }
                rest
            }
        };
        let (salt, digest) = fields.split_once('$').ok_or(PasswordHashError::Form)?;
        let of_crypt = |text: &str| {
            text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/'))
        };
        if of_crypt(salt) && of_crypt(digest) && digest.len() == DIGEST_CHARACTERS {
            Ok(Self(text.to_owned()))
        } else {
            Err(PasswordHashError::Form)
        }
    }

    /// Hashes a password with a new salt.
    ///
    /// # Errors
    /// If there is no randomness, or the password is longer than `PASSWORD_BYTES_MAX`.
    pub(crate) fn of(password: &str) -> io::Result<Self> {
        if password.len() > PASSWORD_BYTES_MAX {
            let message = format!("a password has at most {PASSWORD_BYTES_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let salt = random::bytes::<SALT_BYTES>()?;
        let params = Params::new(ROUNDS).map_err(io::Error::other)?;
        let hash = ShaCrypt::SHA512
            .hash_password_customized(password.as_bytes(), &salt, None, None, params)
            .map_err(io::Error::other)?;
        Ok(Self(hash.as_str().to_owned()))
    }

    /// A hash to check against where there is none, so that the work done does not tell whether a user exists.
    pub(crate) fn decoy() -> Self {
        Self(DECOY.to_owned())
    }

    /// Whether the password is the one that was hashed. Takes milliseconds: not for an async thread.
    pub(crate) fn is_of(&self, password: &str) -> bool {
        // The work of the algorithm grows with the square of the length.
        password.len() <= PASSWORD_BYTES_MAX
            && ShaCrypt::SHA512.verify_password(password.as_bytes(), self.0.as_str()).is_ok()
    }

    /// The form that the configuration file has.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::{DECOY, PasswordHash, PasswordHashError};

    /// What the crypt(3) of the system makes of the vectors of the algorithm's specification.
    const KNOWN: [(&str, &str); 3] = [
        (
            "Hello world!",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
        ),
        (
            "Hello world!",
            "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.",
        ),
        (
            "we have a short salt string but not a short password",
            "$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0",
        ),
    ];

    #[test]
    fn hashes_of_others_are_understood() {
        for (password, hash) in KNOWN {
            let hash = PasswordHash::parse(hash).unwrap();
            assert!(hash.is_of(password), "{}", hash.as_str());
            assert!(!hash.is_of(&password.to_lowercase().replace('w', "v")));
            assert!(!hash.is_of(""));
        }
    }

    #[test]
    fn a_new_hash_is_of_its_password_alone() {
        let hash = PasswordHash::of("correct horse").unwrap();
        assert_eq!(PasswordHash::parse(hash.as_str()).unwrap(), hash);
        assert!(hash.is_of("correct horse"));
        assert!(!hash.is_of("correct horsf"));
        assert_ne!(PasswordHash::of("correct horse").unwrap(), hash, "the salt is new each time");
    }

    #[test]
    fn the_decoy_is_a_hash_that_nothing_has() {
        assert_eq!(PasswordHash::parse(DECOY).unwrap(), PasswordHash::decoy());
        assert!(!PasswordHash::decoy().is_of(""));
    }

    #[test]
    fn a_password_beyond_the_limit_is_wrong_and_cannot_be_hashed() {
        let long = "x".repeat(1025);
        assert!(PasswordHash::of(&long).is_err());
        assert!(!PasswordHash::of("x").unwrap().is_of(&long));
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let digest = "x".repeat(86);
        for (text, expected) in [
            (String::new(), PasswordHashError::Method),
            ("secret".to_owned(), PasswordHashError::Method),
            (format!("$5$salt${digest}"), PasswordHashError::Method),
            (format!("$6$rounds=999$salt${digest}"), PasswordHashError::Rounds),
            (format!("$6$rounds=x$salt${digest}"), PasswordHashError::Rounds),
            ("$6$rounds=5000".to_owned(), PasswordHashError::Form),
            ("$6$salt".to_owned(), PasswordHashError::Form),
            ("$6$salt$short".to_owned(), PasswordHashError::Form),
            (format!("$6$sa:lt${digest}"), PasswordHashError::Form),
            (format!("$6$salt${digest}$"), PasswordHashError::Form),
        ] {
            assert_eq!(PasswordHash::parse(&text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_hash_is_not_shown_in_logs() {
        assert_eq!(format!("{:?}", PasswordHash::decoy()), "PasswordHash(..)");
    }
}

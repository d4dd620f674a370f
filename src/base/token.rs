//! The text with which one node can join a cluster.

use super::ids::Digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::fmt;
use std::str::FromStr;

/// The form of the text. Another form has another prefix.
const PREFIX: &str = "Q1-";
/// Bytes of the secret.
pub(crate) const SECRET_BYTES: usize = 16;
/// Bytes of the digest of the authority's certificate.
const DIGEST_BYTES: usize = 32;
/// Secret, digest, checksum.
const BYTES: usize = SECRET_BYTES + DIGEST_BYTES + 4;

/// What a node needs beside an address: a secret that the cluster knows, and how to know the cluster.
///
/// Its text is `Q1-` and, in base64url (RFC 4648, 5), the secret, the SHA-256 digest of the authority's certificate and
/// the CRC-32 of both, so that a text that was cut or mistyped is told from one that is not valid any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct JoinToken {
    pub(crate) secret: [u8; SECRET_BYTES],
    /// Of the certificate of the cluster's authority, in DER.
    pub(crate) authority: Digest,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("a join token begins with `{PREFIX}` (`quorate cluster token` makes one at a member)")]
    Prefix,
    #[error("the join token has a character that does not belong there: copy it again, as a whole")]
    Character,
    #[error(
        "the join token has {found} characters instead of {expected}: copy it again, as a whole"
    )]
    Length { found: usize, expected: usize },
    #[error("the join token is mistyped: copy it again")]
    Checksum,
}

/// Without the secret.
impl fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinToken").field("authority", &self.authority).finish_non_exhaustive()
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.secret.to_vec();
        bytes.extend_from_slice(&self.authority.0);
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_be_bytes());
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let body = text.strip_prefix(PREFIX).ok_or(TokenError::Prefix)?;
        let expected = (BYTES * 4).div_ceil(3);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !body.bytes().all(allowed) {
            return Err(TokenError::Character);
        }
        if body.len() != expected {
            let prefix = PREFIX.len();
            return Err(TokenError::Length { found: text.len(), expected: expected + prefix });
        }
        let bytes = URL_SAFE_NO_PAD.decode(body).or(Err(TokenError::Checksum))?;
        let parts = bytes.split_first_chunk::<SECRET_BYTES>().and_then(|(secret, rest)| {
            let (authority, crc) = rest.split_first_chunk::<DIGEST_BYTES>()?;
            Some((*secret, *authority, <[u8; 4]>::try_from(crc).ok()?))
        });
        let (secret, authority, crc) = parts.ok_or(TokenError::Checksum)?;
        let stated = u32::from_be_bytes(crc);
        let summed = bytes.get(..BYTES - crc.len()).map(crc32fast::hash);
        if summed != Some(stated) {
            return Err(TokenError::Checksum);
        }
        Ok(Self { secret, authority: Digest(authority) })
    }
}

#[cfg(test)]
mod tests {
    use super::{JoinToken, TokenError};
    use crate::base::ids::Digest;

    fn token() -> JoinToken {
        JoinToken { secret: [7; 16], authority: Digest([0xfe; 32]) }
    }

    #[test]
    fn its_text_is_one_word_and_gives_it_back() {
        let text = token().to_string();
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(text.parse(), Ok(token()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token()), "pasted with its line");
    }

    #[test]
    fn a_text_that_was_not_copied_well_is_told_so() {
        let text = token().to_string();
        let cut = text.get(..40).unwrap_or_default();
        let found = 40;
        let expected = text.len();
        let swapped = format!("Q1-A{}", text.get(4..).unwrap_or_default());
        for (text, error) in [
            ("", TokenError::Prefix),
            ("Q2-abc", TokenError::Prefix),
            (cut, TokenError::Length { found, expected }),
            (&*format!("{text}A"), TokenError::Length { found: expected + 1, expected }),
            (&*text.replace('_', "/"), TokenError::Character),
            (&*text.replace("Q1-", "Q1-…"), TokenError::Character),
            (&*swapped, TokenError::Checksum),
        ] {
            assert_eq!(text.parse::<JoinToken>(), Err(error), "{text}");
        }
    }

    #[test]
    fn every_mistyped_character_is_noticed() {
        let text = token().to_string();
        for at in 3..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            let mistyped = String::from_utf8(bytes).unwrap();
            assert_eq!(mistyped.parse::<JoinToken>(), Err(TokenError::Checksum), "{mistyped}");
        }
    }

    #[test]
    fn its_secret_is_not_printed_by_chance() {
        assert!(!format!("{:?}", token()).contains('7'));
    }
}

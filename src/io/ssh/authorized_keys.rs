//! The public keys that a user may have: lines in the form of sshd(8), `AUTHORIZED_KEYS FILE FORMAT`.

use russh::keys::{Algorithm, PublicKey};

/// Options that limit what is refused here to everybody, or that allow it: a key is safe with them.
const HARMLESS: [&str; 13] = [
    "agent-forwarding",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-pty",
    "no-user-rc",
    "no-x11-forwarding",
    "permitlisten",
    "permitopen",
    "port-forwarding",
    "pty",
    "restrict",
    "user-rc",
    "x11-forwarding",
];

/// The keys of a text and the lines that gave none.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct AuthorizedKeys {
    pub(crate) keys: Vec<PublicKey>,
    pub(crate) refused: Vec<Refused>,
}

/// A line whose key is not accepted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Counted from 1.
    pub(crate) line: usize,
    pub(crate) reason: String,
}

impl AuthorizedKeys {
    /// Reads lines. One that cannot be honoured as it stands is refused, with its reason, and the others are kept.
    pub(crate) fn parse(text: &str) -> Self {
        let mut all = Self::default();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match key(line) {
                Ok(key) => all.keys.push(key),
                Err(reason) => all.refused.push(Refused { line: index + 1, reason }),
            }
        }
        all
    }
}

/// The key of one line, if every option of it can be honoured.
///
/// # Errors
/// The reason, for people.
pub(crate) fn key(line: &str) -> Result<PublicKey, String> {
    let (first, rest) = split_word(line);
    let text = if is_key_type(first) {
        line
    } else {
        for option in options(first) {
            let name = option.split('=').next().unwrap_or_default().to_ascii_lowercase();
            if !HARMLESS.contains(&name.as_str()) {
                return Err(format!(
                    "the option `{name}` is not supported, so that the key is not accepted"
                ));
            }
        }
        rest
    };
    let key =
        PublicKey::from_openssh(text).map_err(|error| format!("not a public key: {error}"))?;
    if key.algorithm() == Algorithm::Dsa {
        return Err("DSA keys are not accepted".to_owned());
    }
    Ok(key)
}

/// Splits at the first white space outside of double quotes.
fn split_word(line: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    let end = line.find(|character: char| {
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        character.is_ascii_whitespace() && !quoted
    });
    let (word, rest) = end.and_then(|end| line.split_at_checked(end)).unwrap_or((line, ""));
    (word, rest.trim_start())
}

/// The options of a list: what stands between commas outside of double quotes.
fn options(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let mut escaped = false;
    list.split(move |character: char| {
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
        character == ',' && !quoted
    })
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|prefix| word.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::AuthorizedKeys;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[track_caller]
    fn check(line: &str, accepted: bool) {
        let parsed = AuthorizedKeys::parse(line);
        assert_eq!(
            (parsed.keys.len(), parsed.refused.len()),
            (accepted.into(), (!accepted).into())
        );
    }

    #[test]
    fn keys_without_options_are_accepted() {
        check(KEY, true);
        check(&format!("  {KEY}\t"), true);
        check(&format!("{KEY} fred@example.net"), true);
        check(&format!("{KEY} a comment # with a hash, \"quotes\" and spaces"), true);
    }

    #[test]
    fn options_that_forbid_what_is_refused_anyway_are_accepted() {
        check(&format!("restrict {KEY}"), true);
        check(&format!("no-pty,no-X11-forwarding,permitopen=\"a b:1,c:2\" {KEY}"), true);
    }

    #[test]
    fn a_key_with_an_option_that_would_not_be_honoured_is_refused() {
        for option in [
            "command=\"netconf\"",
            "from=\"192.0.2.0/24\"",
            "expiry-time=\"20300101\"",
            "cert-authority",
            "verify-required",
            "environment=\"A=\\\"b c\\\"\"",
            "no-pty,command=\"a, b\"",
            "what-is-this",
        ] {
            check(&format!("{option} {KEY}"), false);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for line in
            ["secret", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-dss AAAAB3NzaC1kc3M=", "restrict"]
        {
            check(line, false);
        }
    }

    #[test]
    fn a_bad_line_is_named_and_does_not_hide_the_others() {
        let text = format!("# keys\n\n{KEY} one\ncommand=\"x\" {KEY} two\n{KEY} three\n");
        let parsed = AuthorizedKeys::parse(&text);
        let comments: Vec<_> = parsed.keys.iter().map(|key| key.comment().to_string()).collect();
        assert_eq!(comments, ["one", "three"]);
        assert_eq!(parsed.refused[0].line, 4);
        assert!(parsed.refused[0].reason.contains("`command`"), "{:?}", parsed.refused);
    }
}

//! Names in XPath expressions: their prefixes are exchanged without understanding more of the expression.

use super::{Scope, ValueError};
use crate::yang::schema::Schema;

impl Schema {
    /// An XPath expression with module names in place of prefixes.
    pub(super) fn xpath_with_modules(
        &self,
        text: &str,
        scope: Scope<'_>,
    ) -> Result<String, ValueError> {
        let mut error = None;
        let renamed = rename(text, |name| {
            match self.module_of_prefix(name.prefix, scope) {
                Ok(module) => return Some(self.module(module).name.to_string()),
                // A literal that looks like a qualified name may be anything.
                Err(_) if name.in_literal => {}
                Err(unknown) => error = Some(unknown),
            }
            None
        });
        match error {
            Some(error) => Err(error),
            None => Ok(renamed),
        }
    }
}

/// `text` with each prefix in it replaced by what `replace` gives for it, or left if that is `None`.
pub(crate) fn rename_prefixes(
    text: &str,
    mut replace: impl FnMut(&str) -> Option<String>,
) -> String {
    rename(text, |name| replace(name.prefix))
}

/// A prefix in an expression.
pub(super) struct PrefixedName<'a> {
    pub(super) prefix: &'a str,
    /// The whole content of a string literal is a qualified name: perhaps an identity.
    pub(super) in_literal: bool,
}

/// `expression` with each prefix replaced by what `replace` gives for it, or left if that is `None`.
pub(super) fn rename(
    expression: &str,
    mut replace: impl FnMut(PrefixedName<'_>) -> Option<String>,
) -> String {
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        if first == '\'' || first == '"' {
            let inner = rest.get(1..).unwrap_or_default();
            let literal = inner.split(first).next().unwrap_or_default();
            out.push(first);
            match qualified(literal) {
                Some((prefix, after)) if name_len(after) == after.len() => {
                    let new = replace(PrefixedName { prefix, in_literal: true });
                    out.push_str(new.as_deref().unwrap_or(prefix));
                    out.push(':');
                    out.push_str(after);
                }
                Some(_) | None => out.push_str(literal),
            }
            rest = inner.get(literal.len()..).unwrap_or_default();
            // The closing quote, if there is one.
            if rest.starts_with(first) {
                out.push(first);
                rest = rest.get(1..).unwrap_or_default();
            }
        } else if let Some((prefix, after)) = qualified(rest) {
            let new = replace(PrefixedName { prefix, in_literal: false });
            out.push_str(new.as_deref().unwrap_or(prefix));
            out.push(':');
            let local = match name_len(after) {
                0 => 1,
                length => length,
            };
            out.push_str(after.get(..local).unwrap_or_default());
            rest = after.get(local..).unwrap_or_default();
        } else {
            let taken = name_len(rest).max(first.len_utf8());
            out.push_str(rest.get(..taken).unwrap_or_default());
            rest = rest.get(taken..).unwrap_or_default();
        }
    }
    out
}

/// `prefix` and what is behind its colon, if the text begins with a qualified name (or `prefix:*`).
fn qualified(text: &str) -> Option<(&str, &str)> {
    let length = name_len(text);
    let prefix = text.get(..length).filter(|prefix| !prefix.is_empty())?;
    // `::` belongs to an axis.
    let after = text.get(length..)?.strip_prefix(':')?;
    (name_len(after) > 0 || after.starts_with('*')).then_some((prefix, after))
}

/// Bytes of the YANG identifier that the text begins with; 0 if it begins with none.
fn name_len(text: &str) -> usize {
    let is_start = |character: char| character.is_alphabetic() || character == '_';
    let is_part = |character: char| character.is_alphanumeric() || "_-.".contains(character);
    if !text.starts_with(is_start) {
        return 0;
    }
    text.find(|character| !is_part(character)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::rename;

    #[test]
    fn prefixes_are_exchanged_and_nothing_else() {
        for (expression, expected) in [
            ("/a:b/a:c[a:d='x']", "/A:b/A:c[A:d='x']"),
            ("a:b or b:c", "A:b or b:c"),
            ("child::a:b", "child::A:b"),
            ("a::b", "a::b"),
            ("a:*", "A:*"),
            ("derived-from(., 'a:x')", "derived-from(., 'A:x')"),
            ("x='a:b c'", "x='a:b c'"),
            ("x = \"a:b\" and y='it a:b'", "x = \"A:b\" and y='it a:b'"),
            ("'a:b", "'A:b"),
            ("4-a:b", "4-A:b"),
            ("é:b", "é:b"),
            ("", ""),
            ("a:", "a:"),
            (":a", ":a"),
            ("''", "''"),
        ] {
            let renamed = rename(expression, |name| (name.prefix == "a").then(|| "A".to_owned()));
            assert_eq!(renamed, expected, "{expression}");
        }
    }
}

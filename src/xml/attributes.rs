//! What stands between `<` and `>` of a start tag (XML 1.0, 3.1 and 3.3.3).

use super::characters;
use std::borrow::Cow;

/// Splits a start tag's content into its name and what follows it.
pub(super) fn split_name(content: &str) -> (&str, &str) {
    let end = content.bytes().position(characters::is_space).unwrap_or(content.len());
    content.split_at_checked(end).unwrap_or((content, ""))
}

/// Splits a start tag's content into prefix, name and what follows them. `None` if there is no name.
pub(super) fn split_tag(content: &str) -> Option<(&str, &str, &str)> {
    let end = content.bytes().position(|byte| !characters::is_ascii_in_name(byte));
    if end.is_none() && characters::is_ncname(content) {
        return Some(("", content, ""));
    }
    let (name, rest) = split_name(content);
    let (prefix, name) = split_qname(name)?;
    Some((prefix, name, rest))
}

/// Splits a qualified name into its prefix, which may be empty, and its local name. `None` if it is not one.
pub(super) fn split_qname(name: &str) -> Option<(&str, &str)> {
    let (prefix, local) = match name.split_once(':') {
        Some((prefix, local)) if characters::is_ncname(prefix) => (prefix, local),
        Some(_) => return None,
        None => ("", name),
    };
    characters::is_ncname(local).then_some((prefix, local))
}

/// Takes the next `name="value"` off the front of `rest`, the value as it is written. `None` when only white space is
/// left; the error says what is wrong.
pub(super) fn next_attribute<'a>(
    rest: &mut &'a str,
) -> Result<Option<(&'a str, &'a str)>, &'static str> {
    let trimmed = super::trim(rest);
    if trimmed.is_empty() {
        *rest = trimmed;
        return Ok(None);
    }
    if !rest.starts_with([' ', '\t', '\n', '\r']) {
        return Err("there is no white space before an attribute");
    }
    let (name, after) = trimmed.split_once('=').ok_or("an attribute has no value")?;
    let after = super::trim(after);
    let quote = after.chars().next().filter(|first| matches!(first, '"' | '\''));
    let quote = quote.ok_or("an attribute's value is not quoted")?;
    let (value, after) = after
        .strip_prefix(quote)
        .and_then(|open| open.split_once(quote))
        .ok_or("an attribute's value does not end")?;
    *rest = after;
    Ok(Some((super::trim(name), value)))
}

/// An attribute's value with references resolved and white space normalised (3.3.3). The error says what is wrong.
pub(super) fn value(written: &str) -> Result<Cow<'_, str>, &'static str> {
    let special = |byte: u8| (byte == b'&') | (byte == b'<') | (byte < b' ');
    if !characters::any(written.as_bytes(), special) {
        return Ok(Cow::Borrowed(written));
    }
    let mut value = String::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = rest.find(['&', '<', '\t', '\n', '\r']) {
        let (clean, special) = rest.split_at_checked(at).ok_or("an attribute's value is broken")?;
        value.push_str(clean);
        if let Some(after) = special.strip_prefix('&') {
            let (name, after) = after.split_once(';').ok_or("a reference does not end")?;
            value.push(characters::reference(name).ok_or("a reference to an unknown entity")?);
            rest = after;
        } else if special.starts_with('<') {
            return Err("there is a < in an attribute's value");
        } else {
            value.push(' ');
            rest = special
                .strip_prefix("\r\n")
                .or_else(|| special.get(1..))
                .ok_or("an attribute's value is broken")?;
        }
    }
    value.push_str(rest);
    Ok(Cow::Owned(value))
}

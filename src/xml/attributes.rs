//! What stands between `<` and `>` of a start tag (XML 1.0, 3.1 and 3.3.3) or the XML declaration (2.8).

use super::characters;
use memchr::memchr3;
use std::borrow::Cow;

/// Name and text of the element that `source` begins with, if it is as most of a large message are: without attributes
/// or prefix, and with nothing in it but a text without references. There is no carriage return in `source`.
///
/// quick-xml looks at each byte of such an element several times, which is most of the work of reading it.
pub(super) fn plain_element(source: &str) -> Option<(&str, &str)> {
    let tag = source.strip_prefix('<')?;
    let name_len = tag.bytes().position(|byte| !characters::is_ascii_in_name(byte))?;
    let (name, behind) = tag.split_at_checked(name_len)?;
    let content = behind.strip_prefix('>')?;
    let text_len = memchr3(b'<', b'&', b'>', content.as_bytes())?;
    let (text, end) = content.split_at_checked(text_len)?;
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && end.strip_prefix("</")?.strip_prefix(name)?.starts_with('>');
    is_plain.then_some((name, text))
}

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

/// Checks what stands between the question marks of an XML declaration. The error says what is wrong.
pub(super) fn check_declaration(content: &str) -> Result<(), &'static str> {
    const MALFORMED: &str = "an XML declaration that is not well-formed";
    let (_, mut rest) = split_name(content);
    let mut expected = ["version", "encoding", "standalone"].iter();
    let mut first = true;
    while let Some((name, value)) = next_attribute(&mut rest)? {
        if !expected.any(|expected| *expected == name) || first != (name == "version") {
            return Err(MALFORMED);
        }
        first = false;
        match name {
            "version" if value.strip_prefix("1.").is_some_and(is_number) => {}
            "encoding" if value.eq_ignore_ascii_case("utf-8") => {}
            "encoding" => return Err("an encoding that is not UTF-8"),
            "standalone" if matches!(value, "yes" | "no") => {}
            _ => return Err(MALFORMED),
        }
    }
    if first { Err("an XML declaration without a version") } else { Ok(()) }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

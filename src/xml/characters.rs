//! Which characters stand where (XML 1.0, 2.2 and 2.3).

/// White space (2.3).
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `found` holds for a byte. Many bytes are looked at together, some of them twice, and behind the first hit too: it
/// must be cheap and without effect, should not branch, and must not hold for a space.
#[inline]
pub(super) fn any(bytes: &[u8], found: impl Fn(u8) -> bool) -> bool {
    let in_block = |block: &[u8; BLOCK]| block.iter().fold(false, |hit, byte| hit | found(*byte));
    if let Some(last) = bytes.last_chunk() {
        let (chunks, _) = bytes.as_chunks();
        return chunks.iter().any(in_block) || in_block(last);
    }
    match ends::<16>(bytes).or_else(|| ends::<8>(bytes)).or_else(|| ends::<4>(bytes)) {
        Some(block) => in_block(&block),
        None => bytes.iter().any(|byte| found(*byte)),
    }
}

/// Bytes that are looked at together: compilers make a few wide instructions of a loop over so many.
const BLOCK: usize = 32;

/// The first and the last `N` bytes, with spaces behind them. Together they are all of up to `2 * N` bytes.
#[inline]
fn ends<const N: usize>(bytes: &[u8]) -> Option<[u8; BLOCK]> {
    let mut block = [b' '; BLOCK];
    *block.first_chunk_mut::<N>()? = *bytes.first_chunk()?;
    *block.get_mut(N..)?.first_chunk_mut::<N>()? = *bytes.last_chunk()?;
    Some(block)
}

/// A character that a document may contain, written as itself or as a reference (2.2).
pub(super) fn is_char(character: char) -> bool {
    match character {
        '\t' | '\n' | '\r' => true,
        '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => false,
        _ => true,
    }
}

/// Where the first character stands that no document may contain.
pub(super) fn first_forbidden(text: &str) -> Option<usize> {
    // Nothing here branches, so that many bytes are looked at together.
    let suspicious = |byte: u8| {
        ((byte < b' ') & (byte != b'\t') & (byte != b'\n') & (byte != b'\r')) | (byte == 0xEF)
    };
    if !any(text.as_bytes(), suspicious) {
        return None;
    }
    text.char_indices().find(|(_, character)| !is_char(*character)).map(|(at, _)| at)
}

/// A name without a colon (Namespaces in XML, 3).
pub(super) fn is_ncname(name: &str) -> bool {
    if let [first, rest @ ..] = name.as_bytes()
        && (first.is_ascii_alphabetic() || *first == b'_')
        && rest.iter().all(|byte| is_ascii_in_name(*byte))
    {
        return true;
    }
    let mut characters = name.chars();
    characters.next().is_some_and(starts_name) && characters.all(is_in_name)
}

/// An ASCII character of a name other than the colon.
pub(super) fn is_ascii_in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_')
}

/// `NameStartChar` (2.3) without the colon.
fn starts_name(character: char) -> bool {
    matches!(character,
        'A'..='Z' | 'a'..='z' | '_' | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}'
        | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}'
        | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}'
        | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}'
        | '\u{10000}'..='\u{EFFFF}')
}

/// `NameChar` (2.3) without the colon.
pub(super) fn is_in_name(character: char) -> bool {
    starts_name(character)
        || matches!(character,
            '0'..='9' | '-' | '.' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// What a reference `&name;` stands for: one of the five entities, or a character by its number (4.1, 4.6).
pub(super) fn reference(name: &str) -> Option<char> {
    let code = match name {
        "lt" => return Some('<'),
        "gt" => return Some('>'),
        "amp" => return Some('&'),
        "apos" => return Some('\''),
        "quot" => return Some('"'),
        _ => name.strip_prefix('#')?,
    };
    let number = match code.strip_prefix('x') {
        Some(hexadecimal) if hexadecimal.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
            u32::from_str_radix(hexadecimal, 16).ok()?
        }
        None if code.bytes().all(|digit| digit.is_ascii_digit()) => code.parse().ok()?,
        Some(_) | None => return None,
    };
    char::from_u32(number).filter(|character| is_char(*character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_recommendation() {
        for name in ["a", "_", "if-name", "a.b", "A1", "größe", "名前", "\u{10000}x", "a\u{B7}"]
        {
            assert!(is_ncname(name), "{name}");
        }
        for name in ["", "1a", "-a", ".a", "a:b", "a b", "a/", "\u{B7}a", "é\u{D7}", "a\u{2028}"] {
            assert!(!is_ncname(name), "{name}");
        }
    }

    #[test]
    fn references_are_five_names_and_allowed_numbers() {
        for (name, expected) in [
            ("lt", Some('<')),
            ("quot", Some('"')),
            ("#65", Some('A')),
            ("#x1F600", Some('\u{1F600}')),
            ("#13", Some('\r')),
            ("#0", None),
            ("#x1F", None),
            ("#xD800", None),
            ("#xFFFF", None),
            ("#x110000", None),
            ("#99999999999999", None),
            ("#+65", None),
            ("#x+41", None),
            ("#X41", None),
            ("#", None),
            ("#x", None),
            ("nbsp", None),
            ("", None),
        ] {
            assert_eq!(reference(name), expected, "{name}");
        }
    }

    #[test]
    fn forbidden_characters_are_found_wherever_they_stand() {
        for padding in [0, 1, 31, 32, 33, 100] {
            let clean = "x".repeat(padding) + "\t\r\n\u{7F}\u{FFFD}\u{FF01}";
            assert_eq!(first_forbidden(&clean), None);
            for bad in ["\0", "\u{8}", "\u{1F}", "\u{FFFE}", "\u{FFFF}"] {
                let text = clean.clone() + bad + "tail";
                assert_eq!(first_forbidden(&text), Some(clean.len()), "{bad:?} {padding}");
            }
        }
    }
}

//! string, binary and bits (RFC 7950, 9.4, 9.8 and 9.7).

use super::ValueError;
use super::number::within;
use crate::yang::schema::{Pattern, Restriction};
use crate::yang::tree::Text;
use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 with padding; bits behind the last octet are ignored, as libyang does.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(true),
);

/// A string. Lengths count characters.
pub(super) fn string(
    text: &str,
    lengths: &[(u64, u64)],
    length_error: &Restriction,
    patterns: &[Pattern],
) -> Result<Text, ValueError> {
    if let Some(character) = text.chars().find(|character| !is_yang_character(*character)) {
        let code = u32::from(character);
        return Err(ValueError::new(format!("character U+{code:04X} is not allowed in strings")));
    }
    if !lengths.is_empty() {
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        check_length(length, lengths, length_error)?;
    }
    for pattern in patterns {
        // The compiler made a foreign type of every string with a pattern that has no translation.
        let matches = pattern.regex.as_ref().is_some_and(|regex| regex.is_match(text));
        if matches == pattern.invert {
            return Err(ValueError::restricted(&pattern.error, || {
                let verb = if pattern.invert { "matches inverted" } else { "does not match" };
                format!("\"{text}\" {verb} pattern \"{}\"", pattern.source)
            }));
        }
    }
    Ok(Text::new(text))
}

/// `yang-char` (RFC 7950, 14): Unicode without control characters but white space, and without noncharacters.
fn is_yang_character(character: char) -> bool {
    let code = u32::from(character);
    match code {
        0x20..=0xFDCF => true,
        0x9 | 0xA | 0xD => true,
        0..0x20 | 0xFDD0..=0xFDEF => false,
        _ => code & 0xFFFE != 0xFFFE,
    }
}

fn check_length(
    length: u64,
    lengths: &[(u64, u64)],
    error: &Restriction,
) -> Result<(), ValueError> {
    match within(length, lengths) {
        true => Ok(()),
        false => Err(ValueError::restricted(error, || format!("length {length} is out of range"))),
    }
}

/// Base64. Lines may be broken anywhere. Lengths count octets.
pub(super) fn binary(
    text: &str,
    lengths: &[(u64, u64)],
    error: &Restriction,
) -> Result<Text, ValueError> {
    let packed: String;
    let encoded = if text.bytes().any(|byte| byte.is_ascii_whitespace()) {
        packed = text.split_ascii_whitespace().collect();
        &packed
    } else {
        text
    };
    let octets = BASE64
        .decode(encoded)
        .map_err(|error| ValueError::new(format!("the value is not base64: {error}")))?;
    check_length(u64::try_from(octets.len()).unwrap_or(u64::MAX), lengths, error)?;
    Ok(Text::from(BASE64.encode(octets)))
}

/// Names of bits, each once; canonical by position.
pub(super) fn bits(text: &str, names: &[(Box<str>, u32)]) -> Result<Text, ValueError> {
    let mut set = vec![false; names.len()];
    let is_space = |character| matches!(character, ' ' | '\t' | '\n' | '\u{b}' | '\u{c}' | '\r');
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        let at = names.iter().position(|(name, _)| **name == *word);
        match at.and_then(|at| set.get_mut(at)) {
            Some(bit) if !*bit => *bit = true,
            Some(_) => return Err(ValueError::new(format!("bit \"{word}\" is stated twice"))),
            None => return Err(ValueError::new(format!("\"{word}\" is none of the bits"))),
        }
    }
    let stated: Vec<&str> =
        names.iter().zip(set).filter(|(_, is_set)| *is_set).map(|((name, _), _)| &**name).collect();
    Ok(Text::from(stated.join(" ")))
}

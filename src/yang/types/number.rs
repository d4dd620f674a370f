//! Integers and decimal64 (RFC 7950, 9.2 and 9.3).

use super::{ValueError, decimal};
use crate::yang::schema::Restriction;
use crate::yang::tree::Text;
use smol_str::ToSmolStr;

/// int8 to int64.
pub(super) fn signed(
    text: &str,
    ranges: &[(i64, i64)],
    error: &Restriction,
) -> Result<Text, ValueError> {
    let digits = trimmed(text);
    if !is_integer(digits) {
        return Err(ValueError::new(format!("\"{text}\" is not an integer")));
    }
    // Only the size can be wrong now: parse takes signs and leading zeros.
    match digits.parse::<i64>() {
        Ok(value) if within(value, ranges) => Ok(written(digits, value)),
        Ok(_) | Err(_) => Err(out_of_range(digits, error)),
    }
}

/// uint8 to uint64.
pub(super) fn unsigned(
    text: &str,
    ranges: &[(u64, u64)],
    error: &Restriction,
) -> Result<Text, ValueError> {
    let digits = trimmed(text);
    if !is_integer(digits) {
        return Err(ValueError::new(format!("\"{text}\" is not an integer")));
    }
    let value = match digits.strip_prefix('-') {
        // -0 is a value of unsigned types too.
        Some(zeros) if zeros.bytes().all(|byte| byte == b'0') => Some(0),
        Some(_) => None,
        None => digits.parse::<u64>().ok(),
    };
    match value {
        Some(value) if within(value, ranges) => Ok(written(digits, value)),
        Some(_) | None => Err(out_of_range(digits, error)),
    }
}

/// decimal64; ranges are in its smallest units.
pub(super) fn decimal64(
    text: &str,
    fraction_digits: u8,
    ranges: &[(i64, i64)],
    error: &Restriction,
) -> Result<Text, ValueError> {
    match decimal::units(trimmed(text), fraction_digits) {
        Some(units) if within(units, ranges) => {
            Ok(Text::from(decimal::canonical(units, fraction_digits)))
        }
        Some(_) => Err(out_of_range(trimmed(text), error)),
        None => Err(ValueError::new(format!(
            "\"{text}\" is not a decimal number with at most {fraction_digits} fraction digits"
        ))),
    }
}

/// A number's canonical form, which mostly is how it was written.
fn written(digits: &str, value: impl ToSmolStr) -> Text {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    match unsigned.as_bytes() {
        [b'1'..=b'9', ..] => Text::new(digits),
        _ => value.to_smolstr(),
    }
}

/// Without the white space of C's `isspace` around.
fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r'])
}

fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// No range is no restriction.
pub(super) fn within<T: PartialOrd + Copy>(value: T, ranges: &[(T, T)]) -> bool {
    ranges.is_empty() || ranges.iter().any(|(least, most)| *least <= value && value <= *most)
}

fn out_of_range(text: &str, error: &Restriction) -> ValueError {
    ValueError::restricted(error, || format!("{text} is out of range"))
}

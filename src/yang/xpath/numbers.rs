//! Numbers (XPath 1.0, 3.5, 4.2 and 4.4): IEEE 754 doubles, written without exponents.

use super::lexer::is_space;

/// The number that a string is: digits with at most one point and a minus sign, white space around; otherwise NaN.
pub(super) fn from_text(text: &str) -> f64 {
    let text = text.trim_matches(is_space);
    let digits = text.strip_prefix('-').unwrap_or(text);
    let has_digit = digits.bytes().any(|byte| byte.is_ascii_digit());
    let is_number = has_digit
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && digits.bytes().filter(|byte| *byte == b'.').count() <= 1;
    if is_number { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

/// `string()` of a number: as few digits as tell it from all others.
pub(super) fn to_text(number: f64) -> String {
    if number == 0.0 {
        "0".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity".to_owned() } else { "-Infinity".to_owned() }
    } else {
        number.to_string()
    }
}

/// `round()`: the nearest integer; of two that are equally near, the greater one.
pub(super) fn round(number: f64) -> f64 {
    if (-0.5..0.0).contains(&number) {
        return -0.0;
    }
    let floor = number.floor();
    if number - floor >= 0.5 { floor + 1.0 } else { floor }
}

/// A count as a number.
pub(super) fn of_count(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::MAX, f64::from)
}

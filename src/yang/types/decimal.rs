//! decimal64 (RFC 7950, 9.3): numbers in units of 10^-fraction-digits.

/// The value of `text` in units of 10^-`digits`: `[+-]digits[.digits]` with no more than `digits` significant digits
/// behind the point. `None` if it is no such number or does not fit.
pub(crate) fn units(text: &str, digits: u8) -> Option<i64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    let (whole, fraction) = match unsigned.split_once('.') {
        Some((_, "")) => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (unsigned, ""),
    };
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let significant = fraction.trim_end_matches('0');
    let missing = usize::from(digits).checked_sub(significant.len())?;
    let mut value: i128 = 0;
    let zeros = std::iter::repeat_n(b'0', missing);
    for digit in whole.bytes().chain(significant.bytes()).chain(zeros) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    i64::try_from(if negative { -value } else { value }).ok()
}

/// The canonical form (RFC 7950, 9.3.2): at least one digit on each side of the point, no needless zeros.
pub(crate) fn canonical(units: i64, digits: u8) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let base = 10_u64.saturating_pow(u32::from(digits));
    let magnitude = units.unsigned_abs();
    let (whole, fraction) = (magnitude / base, magnitude % base);
    let fraction = format!("{fraction:0width$}", width = usize::from(digits));
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}.0"),
        fraction => format!("{sign}{whole}.{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{canonical, units};

    #[test]
    fn values_have_one_canonical_form() {
        for (text, digits, expected) in [
            ("1", 1, Some("1.0")),
            ("+010.50", 2, Some("10.5")),
            ("-0.0", 3, Some("0.0")),
            ("-0.25", 2, Some("-0.25")),
            ("1.230", 2, Some("1.23")),
            ("1.234", 2, None),
            ("922337203685477580.7", 1, Some("922337203685477580.7")),
            ("-922337203685477580.8", 1, Some("-922337203685477580.8")),
            ("922337203685477580.8", 1, None),
            ("1.", 1, None),
            (".5", 1, None),
            ("", 1, None),
            ("-", 1, None),
            ("--1", 1, None),
            ("1e3", 1, None),
            ("99999999999999999999999999999999999999999999999", 1, None),
        ] {
            let actual = units(text, digits).map(|units| canonical(units, digits));
            assert_eq!(actual.as_deref(), expected, "{text}");
        }
    }
}

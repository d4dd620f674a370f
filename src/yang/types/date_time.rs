//! `yang:date-and-time` (RFC 6991): one canonical form on every node of a cluster.
//!
//! RFC 6991 writes a known time zone with the device's offset. The device's offset is that of UTC here, whatever the
//! machine is set to: members must agree on values, and a change of daylight saving time must not change data.

/// The canonical form: in UTC with `+00:00`, or as it is if the time zone is unknown (`-00:00`).
///
/// `None` if the text is not of RFC 3339's form, names a day or time that is none, or is not in the years 0 to 9999.
pub(super) fn canonical(text: &str) -> Option<String> {
    let date = text.get(..19)?;
    let year = number(date, 0, 4)?;
    let (month, day) = (number(date, 5, 2)?, number(date, 8, 2)?);
    let (hour, minute, second) = (number(date, 11, 2)?, number(date, 14, 2)?, number(date, 17, 2)?);
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    let bytes = date.as_bytes();
    if separators.iter().any(|(at, separator)| bytes.get(*at) != Some(separator)) {
        return None;
    }
    // A leap second is 60; it is the first of the next minute.
    let valid = (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day)
        && hour <= 23
        && minute <= 59
        && second <= 60;
    if !valid {
        return None;
    }
    let rest = text.get(19..)?;
    let (fraction, zone) = rest.split_at_checked(rest.find(['Z', '+', '-'])?)?;
    let digits = fraction.strip_prefix('.').unwrap_or("0");
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || (!fraction.is_empty() && !fraction.starts_with('.')) {
        return None;
    }
    let offset_minutes = offset(zone)?;
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second
        - offset_minutes * 60;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_from_days(days);
    if !(0..=9999).contains(&year) {
        return None;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let zone = if zone == "-00:00" { "-00:00" } else { "+00:00" };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}"))
}

/// The decimal number of `length` ASCII digits at `from`.
fn number(text: &str, from: usize, length: usize) -> Option<i64> {
    let digits = text.get(from..from + length)?;
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

/// Minutes east of UTC.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let (hours, minutes) = (number(zone, 1, 2)?, number(zone, 4, 2)?);
    if zone.len() != 6 || zone.as_bytes().get(3) != Some(&b':') || hours > 23 || minutes > 59 {
        return None;
    }
    let east = hours * 60 + minutes;
    Some(if zone.starts_with('-') { -east } else { east })
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the leap day is the last of its year; 146 097 days are 400 years.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The inverse.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn a_moment_has_one_form_wherever_it_is_written() {
        for (text, expected) in [
            ("2026-11-21T10:00:00Z", Some("2026-11-21T10:00:00+00:00")),
            ("2026-11-21T12:00:00+02:00", Some("2026-11-21T10:00:00+00:00")),
            ("2026-12-31T23:30:00-05:30", Some("2027-01-01T05:00:00+00:00")),
            ("2024-03-01T00:00:00+00:01", Some("2024-02-29T23:59:00+00:00")),
            ("2026-11-21T10:00:00-00:00", Some("2026-11-21T10:00:00-00:00")),
            ("2026-11-21T10:00:00.50Z", Some("2026-11-21T10:00:00.50+00:00")),
            ("2016-12-31T23:59:60Z", Some("2017-01-01T00:00:00+00:00")),
            ("0000-01-01T00:00:00Z", Some("0000-01-01T00:00:00+00:00")),
            ("1969-12-31T23:59:59Z", Some("1969-12-31T23:59:59+00:00")),
            ("0000-01-01T00:00:00+01:00", None),
            ("9999-12-31T23:59:59-01:00", None),
            ("2025-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-00-01T00:00:00Z", None),
            ("2026-11-00T00:00:00Z", None),
            ("2026-11-21T24:00:00Z", None),
            ("2026-11-21T10:60:00Z", None),
            ("2026-11-21T10:00:00", None),
            ("2026-11-21T10:00:00.Z", None),
            ("2026-11-21T10:00:00x0Z", None),
            ("2026-11-21T10:00:00+24:00", None),
            ("2026-11-21T10:00:00+2:00", None),
            ("2026-11-21T10:00:00+02:00x", None),
            ("2026-11-21T10:00:00Zx", None),
            ("2026-11-21 10:00:00Z", None),
            ("٢026-11-21T10:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(canonical(text).as_deref(), expected, "{text}");
        }
    }
}

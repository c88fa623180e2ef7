//! Dates as the protocol spells them: RFC 1123 in headers and most XML; ISO 8601 with seven digits in tables, policies,
//! ids of snapshots and versions, and our own log.

use storage_engine::clock::Timestamp;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const SECONDS_PER_DAY: u64 = 86_400;

/// Year, month and day of the day `days` after 0001-01-01 (proleptic Gregorian).
fn date_of(days: u64) -> (u64, u64, u64) {
    // Counting years from 0000-03-01 puts the leap day at a year's end (Hinnant's civil calendar).
    let shifted = days + 306;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// Days from 0001-01-01 to this date; none if there is no such date.
fn days_to(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let shifted_year = year - u64::from(month <= 2);
    let era = shifted_year / 400;
    let year_of_era = shifted_year % 400;
    let month_index = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(306)?;
    (date_of(days) == (year, month, day)).then_some(days)
}

struct Parts {
    days: u64,
    hour: u64,
    minute: u64,
    second: u64,
    ticks: u64,
}

fn parts(time: Timestamp) -> Parts {
    let seconds = time.ticks() / Timestamp::TICKS_PER_SECOND;
    let of_day = seconds % SECONDS_PER_DAY;
    Parts {
        days: seconds / SECONDS_PER_DAY,
        hour: of_day / 3600,
        minute: of_day / 60 % 60,
        second: of_day % 60,
        ticks: time.ticks() % Timestamp::TICKS_PER_SECOND,
    }
}

fn name<'a>(names: &[&'a str], index: u64) -> &'a str {
    usize::try_from(index).ok().and_then(|index| names.get(index)).copied().unwrap_or_default()
}

/// The last `N` decimal digits of a number. Every answer tells several moments, and the standard library's way of
/// padding a number costs ten times this.
pub(crate) fn digits<const N: usize>(mut number: u64) -> impl Iterator<Item = char> {
    let mut digits = ['0'; N];
    for digit in digits.iter_mut().rev() {
        *digit = char::from(b'0' + u8::try_from(number % 10).unwrap_or_default());
        number /= 10;
    }
    digits.into_iter()
}

/// `2026-11-22`
pub(crate) fn push_date(text: &mut String, year: u64, month: u64, day: u64) {
    text.extend(digits::<4>(year));
    text.push('-');
    text.extend(digits::<2>(month));
    text.push('-');
    text.extend(digits::<2>(day));
}

/// `01:02:03`
fn push_clock(text: &mut String, parts: &Parts) {
    text.extend(digits::<2>(parts.hour));
    text.push(':');
    text.extend(digits::<2>(parts.minute));
    text.push(':');
    text.extend(digits::<2>(parts.second));
}

/// `Sun, 22 Nov 2026 01:02:03 GMT`
pub fn rfc1123(time: Timestamp) -> String {
    let parts = parts(time);
    let (year, month, day) = date_of(parts.days);
    let mut text = String::with_capacity(29);
    text.extend([name(&DAYS, parts.days % 7), ", "]);
    text.extend(digits::<2>(day));
    text.extend([" ", name(&MONTHS, month - 1), " "]);
    text.extend(digits::<4>(year));
    text.push(' ');
    push_clock(&mut text, &parts);
    text.push_str(" GMT");
    text
}

/// `2026-11-22T01:02:03.0000000Z`
pub fn iso8601(time: Timestamp) -> String {
    let parts = parts(time);
    let (year, month, day) = date_of(parts.days);
    let mut text = String::with_capacity(28);
    push_date(&mut text, year, month, day);
    text.push('T');
    push_clock(&mut text, &parts);
    text.push('.');
    text.extend(digits::<7>(parts.ticks));
    text.push('Z');
    text
}

fn number(text: &str, len: usize) -> Option<u64> {
    (text.len() == len && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn moment(days: u64, hour: u64, minute: u64, second: u64, ticks: u64) -> Option<Timestamp> {
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    Some(Timestamp::from_ticks(seconds * Timestamp::TICKS_PER_SECOND + ticks))
}

/// Reads a date as headers spell it; none if it is not one.
pub fn parse_rfc1123(text: &str) -> Option<Timestamp> {
    let (_, rest) = text.split_once(", ")?;
    let mut words = rest.split(' ');
    let day = number(words.next()?, 2)?;
    let month_name = words.next()?;
    let month = MONTHS.iter().position(|month| *month == month_name)? + 1;
    let year = number(words.next()?, 4)?;
    let mut clock = words.next()?.splitn(3, ':');
    let mut two = || number(clock.next()?, 2);
    let (hour, minute, second) = (two()?, two()?, two()?);
    if words.next() != Some("GMT") || words.next().is_some() {
        return None;
    }
    moment(days_to(year, u64::try_from(month).ok()?, day)?, hour, minute, second, 0)
}

/// Reads `YYYY-MM-DD`, optionally with `Thh:mm[:ss[.f{1,7}]]` and `Z` or `±hh:mm`; none if it is not that.
pub fn parse_iso8601(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_once('T').unwrap_or((text, "00:00Z"));
    let mut fields = date.splitn(3, '-');
    let (year, month, day) =
        (number(fields.next()?, 4)?, number(fields.next()?, 2)?, number(fields.next()?, 2)?);
    let (time, offset_minutes) = zone(rest)?;
    let (clock, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut fields = clock.splitn(3, ':');
    let (hour, minute) = (number(fields.next()?, 2)?, number(fields.next()?, 2)?);
    let second = fields.next().map_or(Some(0), |text| number(text, 2))?;
    if fraction.len() > 7 || time.ends_with('.') {
        return None;
    }
    let ticks = number(&format!("{fraction:0<7}"), 7)?;
    let local = moment(days_to(year, month, day)?, hour, minute, second, ticks)?;
    let shift = offset_minutes.unsigned_abs() * 60 * Timestamp::TICKS_PER_SECOND;
    let utc =
        if offset_minutes < 0 { local.ticks().checked_add(shift) } else { local.ticks().checked_sub(shift) };
    utc.map(Timestamp::from_ticks).filter(|time| *time <= Timestamp::MAX)
}

fn zone(text: &str) -> Option<(&str, i64)> {
    if let Some(time) = text.strip_suffix('Z') {
        return Some((time, 0));
    }
    let Some(at) = text.rfind(['+', '-']) else { return Some((text, 0)) };
    let (time, offset) = text.split_at_checked(at)?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    let minutes = i64::try_from(number(hours, 2)? * 60 + number(minutes, 2)?).ok()?;
    Some((time, if offset.starts_with('-') { -minutes } else { minutes }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_dates_read_back() {
        for text in [
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Sun, 22 Nov 2026 01:02:03 GMT",
            "Thu, 29 Feb 2024 23:59:59 GMT",
        ] {
            assert_eq!(rfc1123(parse_rfc1123(text).unwrap()), text);
        }
        assert_eq!(rfc1123(Timestamp::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
        for text in [
            "",
            "Sun, 30 Feb 2026 01:02:03 GMT",
            "Sun, 22 Nov 2026 24:02:03 GMT",
            "Sun, 22 Nov 2026 01:02:03",
        ] {
            assert!(parse_rfc1123(text).is_none(), "{text}");
        }
    }

    #[test]
    fn iso_dates_keep_seven_digits_and_know_their_zone() {
        let time = parse_iso8601("2026-11-22T01:02:03.1234567Z").unwrap();
        assert_eq!(iso8601(time), "2026-11-22T01:02:03.1234567Z");
        assert_eq!(
            iso8601(parse_iso8601("2026-11-22T03:02:03.5+02:00").unwrap()),
            "2026-11-22T01:02:03.5000000Z"
        );
        assert_eq!(iso8601(parse_iso8601("0001-01-01").unwrap()), "0001-01-01T00:00:00.0000000Z");
        for text in [
            "2026-11-22T01:02:03.12345678Z",
            "2026-11-31",
            "0000-01-01",
            "2026-11-22T",
            "x",
            "2026-11-22T1:02Z",
        ] {
            assert!(parse_iso8601(text).is_none(), "{text}");
        }
    }
}

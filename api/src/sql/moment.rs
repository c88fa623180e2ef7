//! Points in time: reading and writing them, and counting between them.
//!
//! Times keep the offset that they were written with, because `TO_STRING` and `EXTRACT` can ask for it; they compare
//! by the instant. The calendar is the library's.

use chrono::{DateTime, Datelike, Days, Duration, FixedOffset, Months, NaiveDate, Timelike, Utc};

/// A part of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    TimezoneHour,
    TimezoneMinute,
}

impl Part {
    /// The part of this name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "timezone_hour" => Self::TimezoneHour,
            "timezone_minute" => Self::TimezoneMinute,
            _ => return None,
        })
    }
}

/// Reads a time of the W3C's note on dates and times, from a year to a fraction of a second; a `T` may end a date.
pub(crate) fn parse(text: &str) -> Option<DateTime<FixedOffset>> {
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, time),
        None => (text, ""),
    };
    let mut parts = date.split('-');
    let year: i32 = digits(parts.next()?, 4)?.try_into().ok()?;
    let month = parts.next().map_or(Some(1), |month| digits(month, 2))?;
    let day = parts.next().map_or(Some(1), |day| digits(day, 2))?;
    if parts.next().is_some() {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    let (clock, offset) = split_offset(time)?;
    let (hour, minute, second, nanosecond) = parse_clock(clock)?;
    date.and_hms_nano_opt(hour, minute, second, nanosecond)?.and_local_timezone(offset).single()
}

/// The time of day, and the offset behind it. Without one it is UTC.
fn split_offset(time: &str) -> Option<(&str, FixedOffset)> {
    let utc = FixedOffset::east_opt(0)?;
    if let Some(clock) = time.strip_suffix(['Z', 'z']) {
        return Some((clock, utc));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, utc)) };
    let (clock, offset) = time.split_at_checked(at)?;
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = match offset.get(1..)?.split_once(':') {
        Some((hours, minutes)) => (digits(hours, 2)?, digits(minutes, 2)?),
        None if offset.len() == 5 => (digits(offset.get(1..3)?, 2)?, digits(offset.get(3..)?, 2)?),
        None => (digits(offset.get(1..)?, 2)?, 0),
    };
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    Some((clock, FixedOffset::east_opt(sign * seconds)?))
}

fn parse_clock(clock: &str) -> Option<(u32, u32, u32, u32)> {
    if clock.is_empty() {
        return Some((0, 0, 0, 0));
    }
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let seconds = parts.next().unwrap_or("00");
    let (second, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let second = digits(second, 2)?;
    let nanosecond = digits(format!("{fraction:0<9}").get(..9)?, 9)?;
    parts.next().is_none().then_some((hour, minute, second, nanosecond))
}

fn digits(text: &str, count: usize) -> Option<u32> {
    let all = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    if all { text.parse().ok() } else { None }
}

/// As an answer writes a time: ISO 8601, with as many digits of the second as it has.
pub(crate) fn text(time: DateTime<FixedOffset>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// The time so many parts later; none if no calendar has it.
pub(super) fn add(part: Part, count: i64, time: DateTime<FixedOffset>) -> Option<DateTime<FixedOffset>> {
    let months = |months: i64| {
        let step = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
        if months < 0 { time.checked_sub_months(step) } else { time.checked_add_months(step) }
    };
    match part {
        Part::Year => months(count.checked_mul(12)?),
        Part::Month => months(count),
        Part::Day if count < 0 => time.checked_sub_days(Days::new(count.unsigned_abs())),
        Part::Day => time.checked_add_days(Days::new(count.unsigned_abs())),
        Part::Hour => time.checked_add_signed(Duration::try_hours(count)?),
        Part::Minute => time.checked_add_signed(Duration::try_minutes(count)?),
        Part::Second => time.checked_add_signed(Duration::try_seconds(count)?),
        Part::TimezoneHour | Part::TimezoneMinute => None,
    }
}

/// How many whole parts lie between two times; negative if the second one is earlier.
pub(super) fn difference(part: Part, from: DateTime<FixedOffset>, to: DateTime<FixedOffset>) -> Option<i64> {
    let between = to.signed_duration_since(from);
    Some(match part {
        Part::Year => months_between(from, to) / 12,
        Part::Month => months_between(from, to),
        Part::Day => between.num_days(),
        Part::Hour => between.num_hours(),
        Part::Minute => between.num_minutes(),
        Part::Second => between.num_seconds(),
        Part::TimezoneHour | Part::TimezoneMinute => return None,
    })
}

fn months_between(from: DateTime<FixedOffset>, to: DateTime<FixedOffset>) -> i64 {
    let (from, to) = (from.with_timezone(&Utc), to.with_timezone(&Utc));
    let (earlier, later, sign) = if from <= to { (from, to, 1) } else { (to, from, -1) };
    let count =
        i64::from(later.year() - earlier.year()) * 12 + i64::from(later.month()) - i64::from(earlier.month());
    let within = |time: DateTime<Utc>| (time.day(), time.time());
    let begun = i64::from(within(later) < within(earlier));
    sign * (count - begun)
}

/// The number of a part.
pub(super) fn extract(part: Part, time: DateTime<FixedOffset>) -> i64 {
    let offset_minutes = time.offset().local_minus_utc() / 60;
    i64::from(match part {
        Part::Year => time.year(),
        Part::TimezoneHour => offset_minutes / 60,
        Part::TimezoneMinute => offset_minutes % 60,
        Part::Month => return time.month().into(),
        Part::Day => return time.day().into(),
        Part::Hour => return time.hour().into(),
        Part::Minute => return time.minute().into(),
        Part::Second => return time.second().into(),
    })
}

/// The time in a format of `TO_STRING`'s letters; other characters stand for themselves.
///
/// # Errors
/// The run of letters that means nothing.
pub(super) fn format(time: DateTime<FixedOffset>, pattern: &str) -> Result<String, String> {
    let mut written = String::new();
    let mut rest = pattern;
    while let Some(letter) = rest.chars().next() {
        let run = rest.find(|c| c != letter).unwrap_or(rest.len());
        let (letters, behind) = rest.split_at_checked(run).unwrap_or((rest, ""));
        rest = behind;
        if letter.is_ascii_alphabetic() {
            written.push_str(&field(time, letters).ok_or_else(|| letters.to_owned())?);
        } else {
            written.push_str(letters);
        }
    }
    Ok(written)
}

fn field(time: DateTime<FixedOffset>, letters: &str) -> Option<String> {
    // Large and small letters of an offset differ only in how they write none.
    if letters.starts_with('X') && time.offset().local_minus_utc() == 0 {
        return Some("Z".to_owned());
    }
    let strftime = match letters.replace('X', "x").as_str() {
        "yy" => "%y",
        "y" | "yyyy" => "%Y",
        "M" => "%-m",
        "MM" => "%m",
        "MMM" => "%b",
        "MMMM" => "%B",
        "d" => "%-d",
        "dd" => "%d",
        "a" => "%p",
        "h" => "%-I",
        "hh" => "%I",
        "H" => "%-H",
        "HH" => "%H",
        "m" => "%-M",
        "mm" => "%M",
        "s" => "%-S",
        "ss" => "%S",
        "S" | "SS" | "SSS" => {
            return format!("{:09}", time.nanosecond()).get(..letters.len()).map(str::to_owned);
        }
        "x" => return time.format("%z").to_string().get(..3).map(str::to_owned),
        "xx" | "xxxx" => "%z",
        "xxx" | "xxxxx" => "%:z",
        _ => return None,
    };
    Some(time.format(strftime).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<FixedOffset> {
        parse(text).unwrap_or_else(|| panic!("{text} is a time"))
    }

    #[test]
    fn every_form_of_the_note_is_read() {
        for (form, meant) in [
            ("2007", "2007-01-01T00:00:00Z"),
            ("2007T", "2007-01-01T00:00:00Z"),
            ("2007-03", "2007-03-01T00:00:00Z"),
            ("2007-03-04T", "2007-03-04T00:00:00Z"),
            ("2018-11-09T00:00+05:30", "2018-11-09T00:00:00+05:30"),
            ("2018-11-09T01:00:23-08:00", "2018-11-09T01:00:23-08:00"),
            ("2017-01-02T03:04:05.006Z", "2017-01-02T03:04:05.006Z"),
        ] {
            assert_eq!(text(time(form)), meant, "{form}");
        }
        for bad in ["", "07", "2007-13", "2007-02-30", "2007-01-01T25:00Z", "2007-01-01T1:00Z", "2007-1-1"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn counting_follows_the_calendar() {
        assert_eq!(text(add(Part::Month, 1, time("2020-01-31")).unwrap()), "2020-02-29T00:00:00Z");
        assert_eq!(text(add(Part::Minute, -1, time("2020-01-01")).unwrap()), "2019-12-31T23:59:00Z");
        assert_eq!(add(Part::Year, i64::MAX, time("2020")), None);
        let (from, to) = (time("2018-11-09T00:00+05:30"), time("2018-11-09T01:00:23-08:00"));
        assert_eq!(difference(Part::Hour, from, to), Some(14));
        assert_eq!(difference(Part::Month, time("2020-01-31"), time("2020-02-29")), Some(0));
        assert_eq!(difference(Part::Year, time("2020-03-01"), time("2018-03-01")), Some(-2));
    }

    #[test]
    fn formats_are_made_of_runs_of_letters() {
        let landing = time("1969-07-20T20:18Z");
        assert_eq!(format(landing, "MMMM d, y").unwrap(), "July 20, 1969");
        assert_eq!(format(landing, "yy-MM-dd hh:mm a xxx").unwrap(), "69-07-20 08:18 PM +00:00");
        assert_eq!(
            format(time("2018-11-09T00:00:01.25+05:30"), "H:mm:ss.SS xx X").unwrap(),
            "0:00:01.25 +0530 +05"
        );
        assert_eq!(format(landing, "X").unwrap(), "Z");
        assert_eq!(format(landing, "QQ"), Err("QQ".to_owned()));
        assert_eq!(extract(Part::TimezoneMinute, time("2018-11-09T00:00+05:30")), 30);
    }
}

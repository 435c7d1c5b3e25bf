//! Time, which the host passes to the machines. They never read a clock.

use std::{fmt, ops::Add, str::FromStr, time::Duration};

use crate::text::InvalidText;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A moment on the host's monotonic clock, in nanoseconds since an origin that the host chooses.
///
/// The clock should keep counting while the computer sleeps. A plain value that will not grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The origin.
    pub const ZERO: Self = Self(0);

    /// Makes a moment `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the time since `earlier`; zero if that is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        Self(self.0.saturating_add(nanos))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", Duration::from_nanos(self.0).as_secs_f64())
    }
}

/// A date, in nanoseconds since the UNIX epoch. It is data, such as a file's modification time, and never a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// Makes a date from nanoseconds since the UNIX epoch. A negative number is before it.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the UNIX epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Makes a date from the float of seconds that protocol 1 has.
    ///
    /// Returns `None` if the number is not finite, or outside the years 1678 to 2262.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let nanos = seconds * NANOS_PER_SECOND as f64;
        (nanos.is_finite() && nanos.abs() < i64::MAX as f64).then(|| Self(nanos.round() as i64))
    }

    /// Returns the seconds since the UNIX epoch as protocol 1 has them, exact to about 0.2 microseconds.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// Returns the whole seconds since the UNIX epoch, rounded down, and the remaining nanoseconds.
    #[must_use]
    pub const fn split(self) -> (i64, u32) {
        (self.0.div_euclid(NANOS_PER_SECOND), self.0.rem_euclid(NANOS_PER_SECOND) as u32)
    }

    /// Returns the time from `other` to this date; zero if `other` is later.
    #[must_use]
    pub const fn since(self, other: Self) -> Duration {
        let nanos = self.0.saturating_sub(other.0);
        Duration::from_nanos(if nanos > 0 { nanos as u64 } else { 0 })
    }
}

impl fmt::Display for UnixTime {
    /// Writes the date in UTC and to the second, in the form of RFC 3339: `2026-12-05T20:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seconds, _) = self.split();
        let (days, rest) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let (year, month, day) = civil(days);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl FromStr for UnixTime {
    type Err = InvalidText;

    /// Reads a date of RFC 3339, with whole seconds or parts of them.
    fn from_str(text: &str) -> Result<Self, InvalidText> {
        rfc_3339(text).ok_or_else(|| InvalidText::new(format!("not a date: {text:?}")))
    }
}

const DAY: i64 = 24 * 60 * 60;

fn rfc_3339(text: &str) -> Option<UnixTime> {
    if !text.is_ascii() || text.len() < 20 {
        return None;
    }
    let (clock, rest) = text.split_at(19);
    for (at, separator) in [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')] {
        if clock.as_bytes()[at] != separator {
            return None;
        }
    }
    if !matches!(clock.as_bytes()[10], b'T' | b't' | b' ') {
        return None;
    }
    let number = |at: usize, digits: usize, range: std::ops::RangeInclusive<i64>| {
        let digits = &clock[at..at + digits];
        let is_number = digits.bytes().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|number| is_number && range.contains(number))
    };
    let (year, month, day) =
        (number(0, 4, 0..=9999)?, number(5, 2, 1..=12)?, number(8, 2, 1..=31)?);
    // A leap second counts as the first one after it.
    let (hour, minute, second) =
        (number(11, 2, 0..=23)?, number(14, 2, 0..=59)?, number(17, 2, 0..=60)?);
    let days = days_of(year, month, day);
    let seconds = days * DAY + hour * 3600 + minute * 60 + second - offset(rest)?;
    (civil(days) == (year, month, day)).then_some(())?;
    seconds.checked_mul(NANOS_PER_SECOND).map(UnixTime)
}

/// Returns the seconds by which a clock is ahead of UTC, given the end of a date of RFC 3339.
fn offset(text: &str) -> Option<i64> {
    let zone = match text.strip_prefix('.') {
        Some(parts) => {
            let zone = parts.trim_start_matches(|c: char| c.is_ascii_digit());
            (zone.len() < parts.len()).then_some(zone)?
        }
        None => text,
    };
    if matches!(zone, "Z" | "z") {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.strip_prefix(['+', '-'])?.split_once(':')?;
    let is_number = |text: &str| text.len() == 2 && text.bytes().all(|c| c.is_ascii_digit());
    (is_number(hours) && is_number(minutes)).then_some(())?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

/// Returns the days from the UNIX epoch to a date of the Gregorian calendar.
const fn days_of(year: i64, month: i64, day: i64) -> i64 {
    // The year begins in March here, so that the leap day is its last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, month) = (year.div_euclid(400), (month + 9) % 12);
    let of_era = year - era * 400;
    let of_year = (153 * month + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Returns the year, month and day that are some days after the UNIX epoch.
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// The moment at which a machine wants to be called again, with the reason for logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The moment for the next timeout.
    pub at: Time,
    /// The reason, as a word or two for a log.
    pub why: &'static str,
}

impl Wake {
    /// Returns the earlier of two wake-ups.
    #[must_use]
    pub fn earlier(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}

/// Returns the wait before the next attempt: `first`, doubled after each of `failures` earlier ones, up to `cap`.
pub(crate) fn backoff(first: Duration, failures: u32, cap: Duration) -> Duration {
    // The bound only keeps the shift in range; the cap is reached long before.
    first.saturating_mul(1 << failures.min(16)).min(cap)
}

/// Finds the earliest wake-up of a machine's timers.
#[derive(Debug, Default)]
pub(crate) struct Earliest(Option<Wake>);

impl Earliest {
    pub(crate) fn at(&mut self, at: Time, why: &'static str) {
        self.0 = Wake::earlier(self.0, Some(Wake { at, why }));
    }

    pub(crate) fn wake(self) -> Option<Wake> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_of_protocol_1_keep_a_date_to_the_microsecond() {
        let date = UnixTime::from_nanos(1_789_012_345_678_901_234);
        let back = UnixTime::from_seconds(date.as_seconds()).unwrap();
        assert!((back.as_nanos() - date.as_nanos()).abs() < 1_000);
    }

    #[test]
    fn an_invalid_date_is_refused() {
        for seconds in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert_eq!(UnixTime::from_seconds(seconds), None);
        }
    }

    #[test]
    fn a_wait_doubles_up_to_its_cap() {
        let [first, cap] = [5, 600].map(Duration::from_secs);
        let waits =
            [0, 1, 2, 6, 7, u32::MAX].map(|failures| backoff(first, failures, cap).as_secs());
        assert_eq!(waits, [5, 10, 20, 320, 600, 600]);
        assert_eq!(backoff(Duration::MAX, 1, cap), cap);
    }

    #[test]
    fn a_date_is_read_as_it_is_written() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1969-12-31T23:59:59Z", -1),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-12-05T20:00:00Z", 1_796_500_800),
            ("2261-12-31T23:59:59Z", 9_214_646_399),
        ] {
            let date = UnixTime::from_nanos(seconds * NANOS_PER_SECOND);
            assert_eq!((date.to_string().as_str(), text.parse()), (text, Ok(date)));
        }
        let date: UnixTime = "2026-12-05T21:30:00.25+01:30".parse().unwrap();
        assert_eq!(date.to_string(), "2026-12-05T20:00:00Z");
        for text in [
            "",
            "2026-12-05",
            "2026-12-05T20:00:00",
            "2026-13-05T20:00:00Z",
            "2026-02-29T20:00:00Z",
            "2026-12-05T24:00:00Z",
            "2026-12-05T20:00:00+1:00",
            "+026-12-05T20:00:00Z",
            "2026-12-05T20:00:00.Z",
            "2026-12-05T20:00:00Zulu",
            "9999-12-05T20:00:00Z",
        ] {
            assert!(text.parse::<UnixTime>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_date_before_the_epoch_is_rounded_down() {
        assert_eq!(UnixTime::from_nanos(-1).split(), (-1, 999_999_999));
    }
}

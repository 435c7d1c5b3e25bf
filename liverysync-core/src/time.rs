//! Time as the machines see it: handed in by the host, never read from a clock.

use std::{fmt, ops::Add, time::Duration};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// A moment on the host's steady clock, in nanoseconds since an origin that the host picks.
///
/// It only ever grows, and it should go on counting while the computer sleeps.
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

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was; zero if it lies ahead.
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

/// A date, in nanoseconds since the UNIX epoch. It is data (a file's mtime), never a deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(i64);

impl UnixTime {
    /// Makes a date from nanoseconds since the UNIX epoch; negative is before it.
    #[must_use]
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the UNIX epoch.
    #[must_use]
    pub const fn as_nanos(self) -> i64 {
        self.0
    }

    /// Makes a date from the seconds that protocol 1 carries as a float.
    ///
    /// Returns `None` for what is no date: not finite, or outside the years 1678 to 2262.
    #[must_use]
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        let nanos = seconds * NANOS_PER_SECOND as f64;
        (nanos.is_finite() && nanos.abs() < i64::MAX as f64).then(|| Self(nanos.round() as i64))
    }

    /// Seconds since the UNIX epoch, as protocol 1 carries them: exact to about 0.2 microseconds.
    #[must_use]
    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / NANOS_PER_SECOND as f64
    }

    /// Whole seconds since the UNIX epoch, rounded down, and the nanoseconds beyond them.
    #[must_use]
    pub const fn split(self) -> (i64, u32) {
        (self.0.div_euclid(NANOS_PER_SECOND), self.0.rem_euclid(NANOS_PER_SECOND) as u32)
    }

    /// How much later than `other` this is; zero if it is not.
    #[must_use]
    pub const fn since(self, other: Self) -> Duration {
        let nanos = self.0.saturating_sub(other.0);
        Duration::from_nanos(if nanos > 0 { nanos as u64 } else { 0 })
    }
}

/// When a machine wants to be called again, and why: the reason makes a log line of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The moment to feed the next timeout at.
    pub at: Time,
    /// What will happen then.
    pub why: &'static str,
}

impl Wake {
    /// Returns the earlier of two wishes.
    #[must_use]
    pub fn earlier(first: Option<Self>, second: Option<Self>) -> Option<Self> {
        match (first, second) {
            (Some(a), Some(b)) => Some(if b.at < a.at { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}

/// Keeps the earliest of many wishes while a machine goes through its timers.
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
    fn what_is_no_date_is_refused() {
        for seconds in [f64::NAN, f64::INFINITY, 1e300, -1e300] {
            assert_eq!(UnixTime::from_seconds(seconds), None);
        }
    }

    #[test]
    fn a_date_before_the_epoch_splits_downwards() {
        assert_eq!(UnixTime::from_nanos(-1).split(), (-1, 999_999_999));
    }
}

//! Time, which the host passes to the machines. They never read a clock.

use std::{fmt, ops::Add, time::Duration};

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
    fn a_date_before_the_epoch_is_rounded_down() {
        assert_eq!(UnixTime::from_nanos(-1).split(), (-1, 999_999_999));
    }
}

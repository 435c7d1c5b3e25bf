//! The two clocks of the machines.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use liverysync_core::time::Time;
#[cfg(any(feature = "client", feature = "server"))]
use liverysync_core::time::UnixTime;

/// The moment at which this run's time begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the time of the steady clock.
    pub(crate) fn time(self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// Returns the instant at which the steady clock shows `time`.
    pub(crate) fn instant(self, time: Time) -> tokio::time::Instant {
        (self.0 + std::time::Duration::from_nanos(time.as_nanos())).into()
    }
}

/// Converts a date of the system. Dates outside the years 1678 to 2262 become the nearest that fits.
#[cfg(any(feature = "client", feature = "server"))]
pub(crate) fn unix_time(date: SystemTime) -> UnixTime {
    let nanos = match date.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    UnixTime::from_nanos(nanos)
}

/// Returns a seed that differs from run to run.
pub(crate) fn seed() -> u64 {
    // Without the system's generator the clock will do: nothing secret depends on the seed.
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    })
}

//! The two clocks that the machines are told of.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use liverysync_core::time::Time;
#[cfg(feature = "client")]
use liverysync_core::time::UnixTime;

/// Where this run's time begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The steady clock.
    pub(crate) fn time(self) -> Time {
        Time::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }

    /// When the steady clock will show `time`.
    pub(crate) fn instant(self, time: Time) -> tokio::time::Instant {
        (self.0 + std::time::Duration::from_nanos(time.as_nanos())).into()
    }
}

/// A date of the system; outside the years 1678 to 2262 it is the nearest that fits.
#[cfg(feature = "client")]
pub(crate) fn unix_time(date: SystemTime) -> UnixTime {
    let nanos = match date.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos),
    };
    UnixTime::from_nanos(nanos)
}

/// A seed that differs from run to run.
pub(crate) fn seed() -> u64 {
    // Without the system's generator the clock has to do: the seed guards nothing.
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::from(since.subsec_nanos()) ^ since.as_secs()
    })
}

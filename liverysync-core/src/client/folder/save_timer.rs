//! The time to write the scan cache.

use std::time::Duration;

use crate::time::{Time, Wake};

/// The time from a change in the index to writing the scan cache: changes come in bursts.
const INDEX_PAUSE: Duration = Duration::from_secs(10);

/// The same for synced versions. If the client is killed without them, the driver's next edit becomes a conflict.
const SYNCED_PAUSE: Duration = Duration::from_secs(2);

/// Set while the scan cache is out of date.
#[derive(Debug, Default)]
pub(super) struct SaveTimer(Option<Time>);

impl SaveTimer {
    /// Notes that the index differs from the scan cache.
    pub(super) fn handle_index_change(&mut self, now: Time) {
        self.save_by(now + INDEX_PAUSE);
    }

    /// Notes that the synced versions differ from the scan cache.
    pub(super) fn handle_synced_change(&mut self, now: Time) {
        self.save_by(now + SYNCED_PAUSE);
    }

    fn save_by(&mut self, at: Time) {
        self.0 = Some(self.0.map_or(at, |planned| planned.min(at)));
    }

    pub(super) fn is_due(&self, now: Time) -> bool {
        self.0.is_some_and(|at| at <= now)
    }

    /// Stops the timer. Returns whether the scan cache was out of date.
    pub(super) fn stop(&mut self) -> bool {
        self.0.take().is_some()
    }

    pub(super) fn next_wake(&self) -> Option<Wake> {
        self.0.map(|at| Wake { at, why: "write the scan cache" })
    }
}

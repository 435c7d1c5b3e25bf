//! The pause after a session that brought nothing.
//!
//! A Python source silently skips a file that is gone, and the server goes on asking for it until it knows what that source
//! still has. But the later server does not ask for the manifest of a client that takes part in a session, and begins the same
//! session again as soon as one is over. After SYNC_DONE it waits for the target's manifest, and begins no session with the
//! target before it has that. So this PC ends such a session with SYNC_DONE, and keeps its manifest back for a while.

use std::time::Duration;

use crate::time::{Time, Wake};

/// The first pause, and the longest one. The server looks every few seconds whose manifest is too old. Until the end of
/// the pause it does not know what this PC has.
const PAUSE_FIRST: Duration = Duration::from_secs(5);
const PAUSE_CAP: Duration = Duration::from_secs(60);

/// The pause, and the number of sessions in a row that brought nothing.
#[derive(Debug, Default)]
pub(in crate::client) struct Pause {
    stalls: u32,
    until: Option<Time>,
}

impl Pause {
    /// Begins a pause: a session has brought nothing.
    pub(in crate::client) fn begin(&mut self, now: Time) {
        let pause = PAUSE_FIRST.saturating_mul(1 << self.stalls.min(16)).min(PAUSE_CAP);
        self.stalls = self.stalls.saturating_add(1);
        self.until = Some(now + pause);
    }

    /// Ends the pause before its time, and makes the next one as short as the first.
    pub(in crate::client) fn reset(&mut self) {
        *self = Self::default();
    }

    /// Returns whether the server is not to be told about the files of this PC.
    pub(in crate::client) const fn is_on(&self) -> bool {
        self.until.is_some()
    }

    /// Ends the pause if its time has come. Returns true if it has ended now.
    pub(in crate::client) fn handle_timeout(&mut self, now: Time) -> bool {
        self.until.take_if(|until| *until <= now).is_some()
    }

    pub(in crate::client) fn next_wake(&self) -> Option<Wake> {
        self.until.map(|at| Wake { at, why: "end of the pause" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_twice_as_long_up_to_a_minute() {
        let (mut pause, start) = (Pause::default(), Time::ZERO);
        for seconds in [5, 10, 20, 40, 60, 60] {
            pause.begin(start);
            let end = start + Duration::from_secs(seconds);
            assert!(!pause.handle_timeout(Time::from_nanos(end.as_nanos() - 1)) && pause.is_on());
            assert!(pause.handle_timeout(end) && !pause.is_on());
        }
        pause.reset();
        pause.begin(start);
        assert_eq!(pause.next_wake().unwrap().at, start + PAUSE_FIRST);
    }
}

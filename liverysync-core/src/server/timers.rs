//! The timers of the machine.

use crate::time::{Earliest, Time, Wake};

/// Something that the machine does at a time. Those that are due at once run in this order: a step of the union decides what
/// is missing, which decides the sessions, and all of it the statuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The union takes a step with all that was reported.
    Merge,
    /// The machine looks for timeouts, retries and manifests that are out of date.
    Tick,
    /// Sessions are opened.
    Schedule,
    /// Peers are told their sync status.
    Status,
}

impl Timer {
    pub(super) const ALL: [Self; 4] = [Self::Merge, Self::Tick, Self::Schedule, Self::Status];

    const fn why(self) -> &'static str {
        match self {
            Self::Merge => "merge",
            Self::Tick => "tick",
            Self::Schedule => "schedule",
            Self::Status => "sync_status",
        }
    }
}

/// The time at which each timer is due; `None` if it is not set.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Time>; Timer::ALL.len()]);

impl Timers {
    pub(super) const fn get(&self, timer: Timer) -> Option<Time> {
        self.0[timer as usize]
    }

    pub(super) const fn set(&mut self, timer: Timer, at: Time) {
        self.0[timer as usize] = Some(at);
    }

    /// Brings a timer forward to a time, unless it is due before.
    pub(super) fn set_earlier(&mut self, timer: Timer, at: Time) {
        let due = &mut self.0[timer as usize];
        *due = Some(due.map_or(at, |due| due.min(at)));
    }

    pub(super) const fn stop(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Stops a timer that is due. Returns whether it was.
    pub(super) fn take_due(&mut self, timer: Timer, now: Time) -> bool {
        let due = self.get(timer).is_some_and(|at| at <= now);
        if due {
            self.stop(timer);
        }
        due
    }

    /// Returns when the next timer is due.
    pub(super) fn next_wake(&self) -> Option<Wake> {
        let mut earliest = Earliest::default();
        for timer in Timer::ALL {
            if let Some(at) = self.get(timer) {
                earliest.at(at, timer.why());
            }
        }
        earliest.wake()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_wakes_the_machine() {
        let at = Time::from_nanos;
        let mut timers = Timers::default();
        assert_eq!(timers.next_wake(), None);
        timers.set(Timer::Tick, at(30));
        timers.set_earlier(Timer::Merge, at(20));
        timers.set_earlier(Timer::Merge, at(30));
        timers.set_earlier(Timer::Status, at(40));
        timers.set_earlier(Timer::Status, at(25));
        timers.set_earlier(Timer::Status, at(50));
        assert_eq!(timers.next_wake(), Some(Wake { at: at(20), why: "merge" }));
        assert!(!timers.take_due(Timer::Merge, at(19)));
        assert!(timers.take_due(Timer::Merge, at(20)) && !timers.take_due(Timer::Merge, at(20)));
        assert_eq!(timers.next_wake(), Some(Wake { at: at(25), why: "sync_status" }));
        timers.stop(Timer::Status);
        assert_eq!(timers.next_wake(), Some(Wake { at: at(30), why: "tick" }));
    }
}

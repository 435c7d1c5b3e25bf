//! The times to scan the folder, and to start watching it for changes.

use std::time::Duration;

use crate::time::Time;

/// The time from a change to the scan that looks for it: changes come in bursts.
const CHANGE_PAUSE: Duration = Duration::from_millis(100);

/// The time from the end of a scan to the next one that changes ask for, as a multiple of the time that the scan took.
/// So scanning never takes more than a third of the time.
const REST_FACTOR: u32 = 2;

/// The same while files are being received. Most changes are what the client itself installs then, and a sync of
/// thousands of files should not be slowed down by scans that find nothing else.
const REST_FACTOR_RECEIVING: u32 = 12;

/// Longest such wait. A folder on a slow network drive must not be left alone for minutes.
const REST_MAX: Duration = Duration::from_secs(5);

/// The time from the first moment in sync to the start of watching. To watch thousands of folders costs as much as half
/// a scan, and a program that only syncs once has ended before it is of use.
const WATCH_PAUSE: Duration = Duration::from_millis(500);

/// The time from the first scan to the start of watching, if this PC is not in sync before.
const WATCH_LATEST: Duration = Duration::from_secs(10);

/// The times of past and future scans.
#[derive(Debug)]
pub(super) struct ScanSchedule {
    /// The time of the next scan if nothing changes before.
    due: Option<Time>,
    change: Option<Change>,
    watching: Watching,
    began: Time,
    ended: Time,
    took: Duration,
}

/// A change since the last scan began.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// The earliest time to scan for it.
    at: Time,
    /// Set if files were being received at every change so far.
    receiving: bool,
}

/// The watch on the folder by which the host reports changes.
#[derive(Clone, Copy, Debug)]
enum Watching {
    /// The first scan does not start it.
    NotYet,
    /// The scan that begins then starts it, and finds the changes before that by itself.
    From(Time),
    Started,
}

impl ScanSchedule {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            due: Some(now),
            change: None,
            watching: Watching::NotYet,
            began: now,
            ended: now,
            took: Duration::ZERO,
        }
    }

    /// Makes sure that a scan begins at `at` or before.
    pub(super) fn scan_by(&mut self, at: Time) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Plans a scan after a change. `receiving` says whether files are being received.
    pub(super) fn handle_change(&mut self, now: Time, receiving: bool) {
        let receiving = receiving && self.change.is_none_or(|change| change.receiving);
        // Counted from the first change of a burst: a folder that changes all the time is scanned too.
        let at = self.change.map_or(now + CHANGE_PAUSE, |change| change.at);
        self.change = Some(Change { at, receiving });
    }

    /// Brings the start of watching forward: from now on the folder changes only if its driver changes it.
    pub(super) fn handle_in_sync(&mut self, now: Time) {
        if let Watching::From(at) = &mut self.watching {
            *at = (*at).min(now + WATCH_PAUSE);
        }
    }

    /// Notes that a scan begins. Returns whether the host is to watch the folder from then on.
    pub(super) fn handle_begin(&mut self, now: Time) -> bool {
        (self.due, self.change) = (None, None);
        self.began = now;
        match self.watching {
            Watching::NotYet => self.watching = Watching::From(now + WATCH_LATEST),
            // The scan that starts the watch finds what changed before it, so no change is missed between them.
            Watching::From(at) if at <= now => self.watching = Watching::Started,
            Watching::From(_) | Watching::Started => {}
        }
        matches!(self.watching, Watching::Started)
    }

    /// Notes that the host has listed the folder.
    pub(super) const fn handle_listed(&mut self, now: Time) {
        self.ended = now;
        self.took = now.since(self.began);
    }

    /// Returns when the next scan is to begin. Meaningless while one is under way.
    pub(super) fn next(&self) -> Option<Time> {
        // Computed here and not when the change comes: a change during a scan waits for the rest after it.
        let change_at = self.change.map(|change| {
            let factor = if change.receiving { REST_FACTOR_RECEIVING } else { REST_FACTOR };
            change.at.max(self.ended + (self.took * factor).min(REST_MAX))
        });
        let watch_at = if let Watching::From(at) = self.watching { Some(at) } else { None };
        [self.due, change_at, watch_at].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(200);

    /// A schedule whose first scan has taken [`TOOK`], and the moment of its end.
    fn scanned() -> (ScanSchedule, Time) {
        let mut schedule = ScanSchedule::new(Time::ZERO);
        schedule.handle_begin(Time::ZERO);
        let now = Time::ZERO + TOOK;
        schedule.handle_listed(now);
        (schedule, now)
    }

    #[test]
    fn a_change_rests_longer_after_a_slow_scan() {
        let (mut schedule, now) = scanned();
        schedule.handle_change(now, true);
        assert_eq!(schedule.next(), Some(now + TOOK * REST_FACTOR_RECEIVING));
        // A scan that somebody asked for does not rest.
        schedule.scan_by(now);
        assert_eq!(schedule.next(), Some(now));
    }

    #[test]
    fn a_change_rests_less_when_nothing_is_received() {
        let (mut schedule, now) = scanned();
        schedule.handle_change(now, true);
        schedule.handle_change(now, false);
        assert_eq!(schedule.next(), Some(now + TOOK * REST_FACTOR));
    }

    #[test]
    fn a_change_during_a_scan_rests_after_it() {
        let mut schedule = ScanSchedule::new(Time::ZERO);
        schedule.handle_begin(Time::ZERO);
        schedule.handle_change(Time::ZERO, true);
        let now = Time::ZERO + TOOK;
        schedule.handle_listed(now);
        assert_eq!(schedule.next(), Some(now + TOOK * REST_FACTOR_RECEIVING));
    }

    #[test]
    fn watching_starts_soon_after_this_pc_is_in_sync() {
        let (mut schedule, now) = scanned();
        schedule.handle_in_sync(now);
        assert_eq!(schedule.next(), Some(now + WATCH_PAUSE));
        assert!(schedule.handle_begin(now + WATCH_PAUSE));
        assert!(schedule.handle_begin(now + WATCH_PAUSE * 2));
    }

    #[test]
    fn watching_starts_even_if_this_pc_is_never_in_sync() {
        let (mut schedule, now) = scanned();
        assert!(!schedule.handle_begin(now));
        assert_eq!(schedule.next(), Some(Time::ZERO + WATCH_LATEST));
        assert!(schedule.handle_begin(Time::ZERO + WATCH_LATEST));
    }
}

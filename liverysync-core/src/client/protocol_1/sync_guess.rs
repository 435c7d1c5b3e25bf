//! A guess at being in sync, for a server of protocol 1, which does not say so.

use std::time::Duration;

use crate::time::{Earliest, Time, Wake};

/// The time between two questions for the server's union while the host waits to be in sync, and the shortest quiet time
/// after a session: the server may be about to begin the next one.
const ASK_INTERVAL: Duration = Duration::from_secs(5);

/// The quiet time after which this PC counts as in sync although the server's union has another hash: that union may
/// hold files that the server can never deliver.
const QUIET_ENOUGH: Duration = Duration::from_secs(20);

/// The signs by which this PC guesses: the server's union hash, and silence.
#[derive(Debug)]
pub(in crate::client) struct SyncGuess {
    /// The last union hash of the server.
    union_hash: Option<String>,
    ask_at: Time,
    /// The last time that a session began or ended.
    busy_at: Time,
    /// Set while the host waits to be in sync. Otherwise the server is not asked.
    is_awaited: bool,
}

impl SyncGuess {
    pub(in crate::client) const fn new(now: Time) -> Self {
        Self { union_hash: None, ask_at: now, busy_at: now, is_awaited: false }
    }

    pub(in crate::client) fn handle_welcome(&mut self, now: Time) {
        self.busy_at = now;
        self.ask_at = now + ASK_INTERVAL;
    }

    pub(in crate::client) fn handle_link_down(&mut self) {
        self.union_hash = None;
    }

    /// Begins to ask the server. Its earlier answers say nothing of what the folder holds now.
    pub(in crate::client) fn handle_sync_request(&mut self, now: Time) {
        self.is_awaited = true;
        self.busy_at = now;
        self.union_hash = None;
        self.ask_at = now + ASK_INTERVAL;
    }

    pub(in crate::client) fn handle_union_hash(&mut self, hash: String) {
        self.union_hash = Some(hash);
    }

    /// Notes that a session has begun or ended.
    pub(in crate::client) const fn handle_session(&mut self, now: Time) {
        self.busy_at = now;
    }

    pub(in crate::client) const fn handle_in_sync(&mut self) {
        self.is_awaited = false;
    }

    /// Returns whether to ask the server for its union. The answer to HELLO is the only way to learn it.
    pub(in crate::client) fn handle_timeout(&mut self, now: Time) -> bool {
        let asks = self.is_awaited && self.ask_at <= now;
        if asks {
            self.ask_at = now + ASK_INTERVAL;
        }
        asks
    }

    pub(in crate::client) fn next_wake(&self, now: Time) -> Option<Wake> {
        let mut earliest = Earliest::default();
        for at in [self.busy_at + ASK_INTERVAL, self.busy_at + QUIET_ENOUGH] {
            if at > now {
                earliest.at(at, "quiet");
            }
        }
        if self.is_awaited {
            earliest.at(self.ask_at, "ask for the union");
        }
        earliest.wake()
    }

    /// Returns whether the server has the union `own_hash`, if this PC counts as in sync.
    pub(in crate::client) fn in_sync(
        &self,
        now: Time,
        own_hash: impl FnOnce() -> String,
    ) -> Option<bool> {
        let quiet = now.since(self.busy_at);
        if quiet < ASK_INTERVAL {
            return None;
        }
        // Equal hashes prove it, if the server has no session in mind. Otherwise only a long silence counts.
        let is_same = self.union_hash.as_ref() == Some(&own_hash());
        (is_same || quiet >= QUIET_ENOUGH).then_some(is_same)
    }
}

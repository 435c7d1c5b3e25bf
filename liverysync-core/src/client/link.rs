//! The link to the server: connecting, waiting after a failure, and noticing that the server is dead.
//!
//! ```text
//! Down --(retry time)--> Connecting --(link up)--> Greeting --(WELCOME)--> Up
//!  ^                         |                        |                    |
//!  |                         |                        +-----> Closing <----+
//!  +------(link down)--------+-----------------------------------+
//! ```

use std::time::Duration;

use super::{ClientConfig, protocol_1::Dialect};
use crate::{
    rng::Rng,
    time::{Earliest, Time, Wake, backoff},
};

/// A link that lasted this long resets the wait before the next attempt. A server that accepts links and drops them at
/// once gets no faster retries for it.
const STABLE_LINK: Duration = Duration::from_secs(30);

/// The wait after the server has refused this PC's driver. Only an admin can change that.
pub(super) const REFUSED_WAIT: Duration = Duration::from_secs(600);

/// The state of the link, and of the attempts to make one.
#[derive(Debug)]
pub(super) struct Link {
    state: State,
    rng: Rng,
    /// Attempts since a link was last stable.
    attempts: u32,
    /// The server has refused this PC's driver on the last link.
    refused: bool,
    heard_at: Time,
    ping_at: Time,
}

#[derive(Debug)]
enum State {
    /// There is no link. The next attempt is due at this time.
    Down(Time),
    Connecting,
    /// The server has not sent WELCOME yet.
    Greeting,
    Up {
        dialect: Dialect,
        since: Time,
    },
    /// The host was asked to close the link.
    Closing,
}

/// An action that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LinkAction {
    Connect,
    /// The server has been silent for too long.
    GiveUp,
    Ping,
}

impl Link {
    /// Makes a link that connects as soon as it may. `seed` spreads the retries of many clients over time.
    pub(super) fn new(now: Time, seed: u64) -> Self {
        Self {
            state: State::Down(now),
            rng: Rng::new(seed),
            attempts: 0,
            refused: false,
            heard_at: now,
            ping_at: now,
        }
    }

    pub(super) const fn handle_up(&mut self, now: Time) {
        self.state = State::Greeting;
        self.heard_at = now;
    }

    /// Returns how long to wait before the next attempt.
    pub(super) fn handle_down(&mut self, now: Time, config: &ClientConfig) -> Duration {
        if let State::Up { since, .. } = self.state
            && now.since(since) >= STABLE_LINK
        {
            self.attempts = 0;
        }
        let wait = backoff(config.retry_first, self.attempts, config.retry_cap);
        // Without jitter all clients of a restarted server would come back in the same second.
        let retry_in = self.rng.jitter(wait);
        let refused = std::mem::take(&mut self.refused);
        let retry_in = if refused { REFUSED_WAIT } else { retry_in };
        self.attempts += 1;
        self.state = State::Down(now + retry_in);
        retry_in
    }

    /// Notes that the server has sent something.
    pub(super) const fn handle_message(&mut self, now: Time) {
        self.heard_at = now;
    }

    pub(super) fn handle_welcome(&mut self, now: Time, dialect: Dialect, config: &ClientConfig) {
        self.state = State::Up { dialect, since: now };
        self.ping_at = now + config.ping;
    }

    /// Notes that the server has refused this PC's driver.
    pub(super) const fn handle_refused(&mut self) {
        self.refused = true;
    }

    /// Marks the link as closing. Returns whether there was one to close.
    pub(super) const fn handle_close(&mut self) -> bool {
        let is_open = !matches!(self.state, State::Down(_) | State::Closing);
        if is_open {
            self.state = State::Closing;
        }
        is_open
    }

    /// Ends the wait before the next attempt.
    pub(super) const fn retry_now(&mut self, now: Time) {
        if let State::Down(retry_at) = &mut self.state {
            *retry_at = now;
        }
    }

    /// Returns what is due. `may_connect` is false until the folder has been scanned.
    pub(super) fn handle_timeout(
        &mut self,
        now: Time,
        config: &ClientConfig,
        may_connect: bool,
    ) -> Option<LinkAction> {
        match self.state {
            // Before the first scan this PC would say that it has no files, and the league would note them as removed.
            State::Down(retry_at) if retry_at <= now && may_connect => {
                self.state = State::Connecting;
                Some(LinkAction::Connect)
            }
            // Silence before WELCOME counts too: some other program may listen on the port.
            State::Greeting | State::Up { .. }
                if now.since(self.heard_at) >= config.silence_timeout =>
            {
                Some(LinkAction::GiveUp)
            }
            State::Up { .. } if self.ping_at <= now => {
                self.ping_at = now + config.ping;
                Some(LinkAction::Ping)
            }
            _ => None,
        }
    }

    pub(super) fn next_wake(&self, config: &ClientConfig, may_connect: bool) -> Option<Wake> {
        let mut earliest = Earliest::default();
        match self.state {
            State::Down(retry_at) if may_connect => earliest.at(retry_at, "connect"),
            State::Greeting => earliest.at(self.heard_at + config.silence_timeout, "silence"),
            State::Up { .. } => {
                earliest.at(self.heard_at + config.silence_timeout, "silence");
                earliest.at(self.ping_at, "ping");
            }
            _ => {}
        }
        earliest.wake()
    }

    /// Returns the dialect of the server, once it has greeted.
    pub(super) const fn dialect(&self) -> Option<Dialect> {
        match self.state {
            State::Up { dialect, .. } => Some(dialect),
            _ => None,
        }
    }

    pub(super) const fn is_greeting(&self) -> bool {
        matches!(self.state, State::Greeting)
    }

    pub(super) const fn is_up(&self) -> bool {
        matches!(self.state, State::Up { .. })
    }
}

//! What is done because time has passed, and when that will be next.

use super::*;

/// How long a server of protocol 1 must have been quiet after a file for the session to be over:
/// it does not say how many files it will bring.
const OLD_SESSION_QUIET: Duration = Duration::from_secs(1);

/// The same for a session of which something was refused: the server will offer that again as soon as
/// the session is over, and the source will send all of it.
const OLD_SESSION_HOLD: Duration = Duration::from_secs(10);

impl ClientMachine {
    pub(super) fn run_timers(&mut self) {
        let now = self.cx.now.time;
        self.folder.handle_timeout(&mut self.cx);
        let may_connect = self.is_ready();
        match self.cx.link.handle_timeout(now, &self.cx.config, may_connect) {
            Some(LinkAction::Connect) => self.cx.push(Output::Connect),
            Some(LinkAction::GiveUp) => {
                self.cx.disconnect("the server has been silent for too long");
            }
            Some(LinkAction::Ping) => self.cx.transmit(Message::Ping),
            None => {}
        }
        if let Some(dialect) = self.cx.link.dialect() {
            if !dialect.speaks_v2() && self.awaited && self.old_state_at <= now {
                self.old_state_at = now + OLD_STATE_INTERVAL;
                // The answer to HELLO is the only way to learn an old server's union.
                self.hello();
            }
            self.run_session_timers();
        }
    }

    /// Whether it is known what lies here, and nothing of an earlier run is left.
    const fn is_ready(&self) -> bool {
        self.swept && self.folder.is_scanned()
    }

    fn run_session_timers(&mut self) {
        let now = self.cx.now.time;
        for (sync_id, at) in self.session_deadlines() {
            if at > now {
                continue;
            }
            let Some(session) = self.inbound.get(&sync_id) else { continue };
            if session.is_owed() {
                self.cx.report(&sync_id, "nothing came for too long", None);
                self.abort_inbound(&sync_id);
            } else if session.is_settled() {
                self.end_inbound(&sync_id);
            } else {
                self.check_inbound(&sync_id, true);
            }
        }
    }

    /// When each session in which this PC is the target is looked at for want of news.
    fn session_deadlines(&self) -> Vec<(SyncId, Time)> {
        let patience = |session: &Inbound| match session {
            session if session.is_owed() => self.cx.config.stall_timeout,
            session if session.refused => OLD_SESSION_HOLD,
            _ => OLD_SESSION_QUIET,
        };
        // A server of ours knows itself who is slow, and its files may have to wait for others. The disk
        // answers in its own time, and with an outcome in any case.
        let watched = |session: &Inbound| !session.over && !session.listed && !session.is_at_disk();
        let watched = self.inbound.iter().filter(|(_, session)| watched(session));
        watched.map(|(id, session)| (id.clone(), session.active_at + patience(session))).collect()
    }

    pub(super) fn next_wake(&self) -> Option<Wake> {
        let mut earliest = Earliest::default();
        if let Some(wake) = self.folder.next_wake() {
            earliest.at(wake.at, wake.why);
        }
        if let Some(wake) = self.cx.link.next_wake(&self.cx.config, self.is_ready()) {
            earliest.at(wake.at, wake.why);
        }
        if let Some(dialect) = self.cx.link.dialect() {
            if !dialect.speaks_v2() {
                for at in [self.busy_at + OLD_STATE_INTERVAL, self.busy_at + OLD_QUIET] {
                    if at > self.cx.now.time {
                        earliest.at(at, "quiet");
                    }
                }
                if self.awaited {
                    earliest.at(self.old_state_at, "ask for the state");
                }
            }
            for (_, at) in self.session_deadlines() {
                earliest.at(at, "session");
            }
        }
        earliest.wake()
    }
}

//! Whether a client has come to where its host waits for it to be, judged by its events.
//!
//! A host waits for two things: that its PC is in sync, or, in a dry run, for the plan. What ends the
//! waiting without either depends on whether the host has set itself a time: one that has is patient
//! with a server that is not there yet.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{Event, Plan};
use crate::{path::RelPath, text::escape};

/// A connection that is lost so often without anything having been moved will not do.
const LOSSES_MAX: u32 = 3;

/// So many files that did not come or go are named when time is up.
const TROUBLES_SHOWN: usize = 5;

/// So many are remembered: their names are a peer's, which may make up new ones for ever.
const TROUBLES_MAX: usize = 1000;

/// What a host waits for.
#[derive(Clone, Debug)]
pub struct SyncWatch {
    terms: WaitPolicy,
    /// Whether the client knows of it. What happened before is no answer.
    begun: bool,
    connected: bool,
    losses: u32,
    /// Why there is no connection.
    unreachable: Option<String>,
    behind: Option<Unfinished>,
    troubles: BTreeMap<String, String>,
    report: SyncReport,
}

/// What a host has said about its watch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WaitPolicy {
    /// The server, as errors are to name it.
    pub server: String,
    /// The liveries folder, as errors are to name it.
    pub folder: String,
    /// Whether the client only finds out what would happen.
    pub dry_run: bool,
    /// Whether the host gives up by itself after some time: then a server that is not there may still come.
    pub patient: bool,
}

/// How an watch stands after an event.
#[derive(Clone, Debug, PartialEq)]
pub enum SyncProgress {
    /// It goes on.
    GoOn,
    /// It is done.
    Done(SyncReport),
    /// It will not be done.
    Failed(SyncError),
}

/// What a sync has come to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct SyncReport {
    /// Number of liveries that this PC shares and holds.
    pub liveries: usize,
    /// Number of files that this PC shares and holds.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Number of files that came, but for those that were copied on this PC.
    pub received_files: u64,
    /// Sum of their sizes.
    pub received_bytes: u64,
    /// Number of times that a file left for another PC.
    pub sent_files: u64,
    /// Sum of their sizes.
    pub sent_bytes: u64,
    /// Files of this PC that have a conflict name.
    pub conflicts: Vec<RelPath>,
    /// Files of the union that will not come as things are.
    pub withheld: u64,
    /// Whether the server said so; one of protocol 1 may only have been seen to be quiet.
    pub certain: bool,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "super::event::as_seconds")]
    pub took: Duration,
    /// What a dry run found out.
    #[serde(skip)]
    pub plan: Option<Box<Plan>>,
}

/// Why a host waits in vain. The texts may come from peers; shown as text (`Display`) they are escaped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The client was stopped.
    #[error("the client has stopped")]
    Stopped,
    /// There is no connection.
    #[error("{}", no_connection(.server, .reason))]
    Unreachable {
        /// The server.
        server: String,
        /// Why.
        reason: String,
    },
    /// The connection breaks again and again.
    #[error("the connection to {} breaks again and again: {}", escape(.server), escape(.reason))]
    ConnectionLost {
        /// The server.
        server: String,
        /// Why it broke the last time.
        reason: String,
    },
    /// The liveries folder cannot be read.
    #[error("cannot read the folder {}: {}", escape(.folder), escape(.reason))]
    Folder {
        /// The folder.
        folder: String,
        /// What the system said.
        reason: String,
    },
    /// The time that the host has set itself is over.
    #[error("timed out after {} s: {unfinished}{}", .after.as_secs_f64(), FileErrors(.troubles))]
    TimedOut {
        /// The time.
        after: Duration,
        /// How things stand.
        unfinished: Unfinished,
        /// Files that did not come or go, with the reason; `the server` for an error that it reports.
        troubles: BTreeMap<String, String>,
    },
}

/// What is still to be done when time is up.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfinished {
    /// There is no connection.
    Unreachable {
        /// The server.
        server: String,
        /// Why, if an attempt has failed.
        reason: Option<String>,
    },
    /// The server has not said yet how this PC stands.
    Unknown {
        /// The server.
        server: String,
    },
    /// Files are still to come or to go.
    Behind {
        /// Files that are still to come.
        missing: u64,
        /// Sum of their sizes.
        missing_bytes: u64,
        /// Files that others still need this PC for.
        needed_by_others: u64,
    },
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { server, reason: Some(reason) } => {
                f.write_str(&no_connection(server, reason))
            }
            Self::Unreachable { server, reason: None } => {
                write!(f, "no connection to {} yet", escape(server))
            }
            Self::Unknown { server } => {
                write!(f, "{} has not said yet how this PC stands", escape(server))
            }
            Self::Behind { missing, missing_bytes, needed_by_others } => write!(
                f,
                "{missing} files ({missing_bytes} bytes) still to come, \
                 others still need {needed_by_others} files from this PC"
            ),
        }
    }
}

/// A reason may name the server or not.
fn no_connection(server: &str, reason: &str) -> String {
    let text = if reason.contains(server) {
        reason.to_owned()
    } else {
        format!("no connection to {server}: {reason}")
    };
    escape(&text).into_owned()
}

/// Some of what did not come or go, for people: a line each, and each begins with its line break.
#[derive(Debug)]
pub struct FileErrors<'a>(pub &'a BTreeMap<String, String>);

impl fmt::Display for FileErrors<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, reason) in self.0.iter().take(TROUBLES_SHOWN) {
            write!(f, "\n  {}: {}", escape(path), escape(reason))?;
        }
        match self.0.len().saturating_sub(TROUBLES_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

impl SyncWatch {
    /// An watch that begins with the next [`Input::Sync`](super::Input::Sync).
    #[must_use]
    pub fn new(terms: WaitPolicy) -> Self {
        Self {
            terms,
            begun: false,
            connected: false,
            losses: 0,
            unreachable: None,
            behind: None,
            troubles: BTreeMap::new(),
            report: SyncReport::default(),
        }
    }

    /// Judges by what has happened. `elapsed` is the time since the watch began.
    pub fn judge(&mut self, event: &Event, elapsed: Duration) -> SyncProgress {
        match event {
            &Event::SyncBegan { connected } => {
                self.begun = true;
                self.connected = connected;
            }
            _ if !self.begun => {}
            Event::Connected { .. } => {
                self.connected = true;
                self.unreachable = None;
            }
            Event::Disconnected { reason, .. } => return self.disconnected(reason),
            Event::FolderUnreadable { reason } if !self.terms.patient => {
                let (folder, reason) = (self.terms.folder.clone(), reason.clone());
                return SyncProgress::Failed(SyncError::Folder { folder, reason });
            }
            &Event::SyncStatus { missing, missing_bytes, needed_by_others, .. } => {
                let behind = Unfinished::Behind { missing, missing_bytes, needed_by_others };
                self.behind = (missing > 0 || needed_by_others > 0).then_some(behind);
            }
            Event::Installed { path, bytes, copied, .. } => {
                self.moved(path);
                if !copied {
                    self.report.received_files += 1;
                    self.report.received_bytes += bytes;
                }
            }
            Event::FileSent { path, bytes, .. } => {
                self.moved(path);
                self.report.sent_files += 1;
                self.report.sent_bytes += bytes;
            }
            Event::SendFailed { path, reason, .. } | Event::ReceiveFailed { path, reason, .. } => {
                self.trouble(path, reason);
            }
            Event::ServerError { reason } => {
                self.trouble("the server", reason);
            }
            Event::InSync { liveries, files, bytes, conflicts, withheld, certain }
                if !self.terms.dry_run =>
            {
                return SyncProgress::Done(SyncReport {
                    liveries: *liveries,
                    files: *files,
                    bytes: *bytes,
                    conflicts: conflicts.clone(),
                    withheld: *withheld,
                    certain: *certain,
                    took: elapsed,
                    ..self.report.clone()
                });
            }
            Event::Plan(plan) => {
                return SyncProgress::Done(SyncReport {
                    liveries: plan.liveries,
                    files: plan.files,
                    bytes: plan.bytes,
                    took: elapsed,
                    plan: Some(Box::new(plan.clone())),
                    ..self.report.clone()
                });
            }
            _ => {}
        }
        SyncProgress::GoOn
    }

    /// Says how things stand when time is up.
    #[must_use]
    pub fn timed_out(&self, after: Duration) -> SyncError {
        let server = self.terms.server.clone();
        let unfinished = match (&self.unreachable, &self.behind) {
            (Some(reason), _) => Unfinished::Unreachable { server, reason: Some(reason.clone()) },
            (None, _) if !self.connected => Unfinished::Unreachable { server, reason: None },
            (None, Some(behind)) => behind.clone(),
            (None, None) => Unfinished::Unknown { server },
        };
        SyncError::TimedOut { after, unfinished, troubles: self.troubles.clone() }
    }

    fn trouble(&mut self, what: &str, reason: &str) {
        if self.troubles.len() < TROUBLES_MAX || self.troubles.contains_key(what) {
            self.troubles.insert(what.to_owned(), reason.to_owned());
        }
    }

    fn moved(&mut self, path: &RelPath) {
        self.losses = 0;
        self.troubles.remove(path.as_str());
    }

    fn disconnected(&mut self, reason: &str) -> SyncProgress {
        let was_connected = std::mem::replace(&mut self.connected, false);
        self.behind = None;
        self.unreachable = Some(reason.to_owned());
        if self.terms.patient {
            return SyncProgress::GoOn;
        }
        let (server, reason) = (self.terms.server.clone(), reason.to_owned());
        if !was_connected {
            return SyncProgress::Failed(SyncError::Unreachable { server, reason });
        }
        self.losses += 1;
        if self.losses < LOSSES_MAX {
            return SyncProgress::GoOn;
        }
        SyncProgress::Failed(SyncError::ConnectionLost { server, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(patient: bool) -> SyncWatch {
        let terms = WaitPolicy {
            server: "league:9239".to_owned(),
            folder: "Liveries".to_owned(),
            dry_run: false,
            patient,
        };
        let mut watch = SyncWatch::new(terms);
        assert_eq!(watch.judge(&lost(), Duration::ZERO), SyncProgress::GoOn, "it was before");
        watch.judge(&Event::SyncBegan { connected: false }, Duration::ZERO);
        watch
    }

    fn lost() -> Event {
        Event::Disconnected { reason: "reset".to_owned(), retry_in: Duration::ZERO }
    }

    #[test]
    fn who_has_no_time_set_fails_at_once_without_a_server() {
        let verdict = watch(false).judge(&lost(), Duration::ZERO);
        let SyncProgress::Failed(error) = verdict else { panic!("{verdict:?}") };
        assert_eq!(error.to_string(), "no connection to league:9239: reset");
    }

    #[test]
    fn who_has_set_a_time_waits_for_a_server() {
        let mut watch = watch(true);
        assert_eq!(watch.judge(&lost(), Duration::ZERO), SyncProgress::GoOn);
        let error = watch.timed_out(Duration::from_secs(2)).to_string();
        assert_eq!(error, "timed out after 2 s: no connection to league:9239: reset");
    }

    #[test]
    fn a_connection_that_breaks_again_and_again_is_given_up() {
        let mut watch = watch(false);
        for round in 1..=LOSSES_MAX {
            assert_eq!(
                watch.judge(&Event::Connected { ours: true }, Duration::ZERO),
                SyncProgress::GoOn
            );
            let failed = matches!(watch.judge(&lost(), Duration::ZERO), SyncProgress::Failed(_));
            assert_eq!(failed, round == LOSSES_MAX, "{round}");
        }
    }

    #[test]
    fn what_moved_is_counted_until_this_pc_is_in_sync() {
        let mut watch = watch(false);
        let sync_id = crate::wire::messages::SyncId::default();
        let path = RelPath::parse("T/decals.png", &crate::path::Extensions::default()).unwrap();
        let in_sync = Event::InSync {
            liveries: 1,
            files: 3,
            bytes: 9,
            conflicts: Vec::new(),
            withheld: 0,
            certain: true,
        };
        let events = [
            Event::Connected { ours: true },
            Event::FileSent { sync_id: sync_id.clone(), path: path.clone(), bytes: 7 },
            Event::Installed {
                sync_id,
                path,
                bytes: 5,
                backup: None,
                copied: false,
                kept_as: None,
            },
        ];
        for event in &events {
            assert_eq!(watch.judge(event, Duration::ZERO), SyncProgress::GoOn);
        }
        let took = Duration::from_secs(1);
        let SyncProgress::Done(report) = watch.judge(&in_sync, took) else { panic!("not done") };
        assert_eq!((report.files, report.bytes, report.took), (3, 9, took));
        assert_eq!((report.received_files, report.received_bytes), (1, 5));
        assert_eq!((report.sent_files, report.sent_bytes), (1, 7));
    }

    #[test]
    fn names_that_a_peer_makes_up_are_not_remembered_for_ever() {
        let mut watch = watch(true);
        for number in 0..2 * TROUBLES_MAX {
            let (sync_id, path) =
                (crate::wire::messages::SyncId::default(), format!("{number}.png"));
            let reason = "no".to_owned();
            let failed = Event::ReceiveFailed { sync_id, path, reason, declined: false };
            watch.judge(&failed, Duration::ZERO);
        }
        let error = watch.timed_out(Duration::ZERO);
        assert!(
            matches!(&error, SyncError::TimedOut { troubles, .. } if troubles.len() == TROUBLES_MAX)
        );
        assert!(error.to_string().ends_with("and 995 more"), "{error}");
    }

    #[test]
    fn text_of_a_peer_cannot_act_on_a_terminal() {
        let mut watch = watch(true);
        watch.judge(&Event::Connected { ours: true }, Duration::ZERO);
        watch.judge(&Event::ServerError { reason: "\u{1b}[2J".to_owned() }, Duration::ZERO);
        let error = watch.timed_out(Duration::from_secs(1)).to_string();
        assert!(error.ends_with("the server: \\u{1b}[2J"), "{error}");
    }
}

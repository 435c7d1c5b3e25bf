//! Waiting for a sync: whether it is done or has failed, judged by the client's events.
//!
//! A host waits until its PC is in sync, or, in a dry run, for the plan. A host with a timeout is patient: a server that
//! cannot be reached may come back in time. Without one the wait fails at once, because it might last forever.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use super::{Event, Outstanding, Plan, link::REFUSED_WAIT};
use crate::{path::RelPath, text::escape};

/// Lost connections in a row, without a file between them, that make a wait fail.
const LOSSES_MAX: u32 = 3;

/// Files that an error names; the others are counted.
const FILES_SHOWN: usize = 10;

/// Files whose errors are kept. Their names come from a peer, which may invent new ones without end.
const FILES_MAX: usize = 1000;

/// A wait for a sync. Feed it every event of the client.
#[derive(Clone, Debug)]
pub struct SyncWatch {
    policy: WaitPolicy,
    /// Set once the client has begun to sync. Events before that are about another state of the folder.
    begun: bool,
    connected: bool,
    losses: u32,
    /// The reason why there is no connection.
    unreachable: Option<String>,
    /// The work that is left, as the server last said.
    behind: Option<Unfinished>,
    file_errors: FileErrors,
    report: SyncReport,
}

/// The aim of a wait, and its patience.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitPolicy {
    /// The server's name in errors.
    pub server: String,
    /// The liveries folder's name in errors.
    pub folder: String,
    /// Set if the client makes a dry run, so that the host waits for its plan.
    pub dry_run: bool,
    /// Set if the wait goes on while the server cannot be reached or the folder cannot be read.
    pub patient: bool,
}

/// The result of a sync.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SyncReport {
    /// Number of liveries that this PC shares.
    pub liveries: usize,
    /// Number of files that this PC shares.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Number of files that were downloaded. Copies from other files of this PC do not count.
    pub received_files: u64,
    /// Sum of their sizes.
    pub received_bytes: u64,
    /// Number of files that were sent. A file counts each time.
    pub sent_files: u64,
    /// Sum of their sizes.
    pub sent_bytes: u64,
    /// Files of this PC that have a conflict name.
    pub conflicts: Vec<RelPath>,
    /// Files of the league that this PC will not get as things are.
    pub withheld: u64,
    /// Files that this PC lacks until somebody has done something about it. If there are none, this PC is in sync in
    /// every way.
    pub outstanding: Vec<Outstanding>,
    /// Set if the server said that this PC is in sync. With protocol 1 its silence may be all there is to go by.
    pub certain: bool,
    /// The time that the sync took.
    #[serde(rename = "seconds", serialize_with = "super::event::as_seconds")]
    pub took: Duration,
    /// The plan of a dry run.
    #[serde(skip)]
    pub plan: Option<Box<Plan>>,
}

/// A sync that failed. The texts may come from peers; `Display` escapes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyncError {
    /// The client has stopped.
    #[error("the client has stopped")]
    Stopped,
    /// There is no connection.
    #[error("{}", no_connection(.server, .reason))]
    Unreachable {
        /// The server.
        server: String,
        /// The reason.
        reason: String,
    },
    /// The connection breaks again and again.
    #[error("the connection to {} breaks again and again: {}", escape(.server), escape(.reason))]
    ConnectionLost {
        /// The server.
        server: String,
        /// The reason why it broke the last time.
        reason: String,
    },
    /// The liveries folder cannot be read.
    #[error("cannot read the folder {}: {}", escape(.folder), escape(.reason))]
    Folder {
        /// The folder.
        folder: String,
        /// The system's words.
        reason: String,
    },
    /// The host's timeout is over.
    #[error("timed out after {} s: {unfinished}{file_errors}", .after.as_secs_f64())]
    TimedOut {
        /// The timeout.
        after: Duration,
        /// The work that is left.
        unfinished: Unfinished,
        /// Files that could not be received or sent.
        file_errors: FileErrors,
    },
}

/// The work that was left at a timeout.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unfinished {
    /// There is no connection.
    Unreachable {
        /// The server.
        server: String,
        /// The reason, if an attempt has failed.
        reason: Option<String>,
    },
    /// The server has sent no status.
    Unknown {
        /// The server.
        server: String,
    },
    /// Files are missing here or elsewhere.
    Behind {
        /// Files that this PC will still get.
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
            Self::Unknown { server } => write!(f, "no status from {} yet", escape(server)),
            Self::Behind { missing, missing_bytes, needed_by_others } => write!(
                f,
                "{missing} files ({missing_bytes} bytes) are missing here, and others need \
                 {needed_by_others} files from this PC"
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

/// The errors that a sync has met and that were not overcome.
///
/// `Display` writes up to ten lines, each with its line break in front. There is nothing to write if there is no error.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileErrors {
    /// The last error that the server reported, beside those about files.
    pub server: Option<String>,
    /// The reason for each file that could not be received or sent, by path.
    pub files: BTreeMap<String, String>,
}

impl FileErrors {
    fn insert(&mut self, path: &str, reason: &str) {
        if self.files.len() < FILES_MAX || self.files.contains_key(path) {
            self.files.insert(path.to_owned(), reason.to_owned());
        }
    }
}

impl fmt::Display for FileErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(reason) = &self.server {
            write!(f, "\n  the server: {}", escape(reason))?;
        }
        for (path, reason) in self.files.iter().take(FILES_SHOWN) {
            write!(f, "\n  {}: {}", escape(path), escape(reason))?;
        }
        match self.files.len().saturating_sub(FILES_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\n  … and {more} more"),
        }
    }
}

impl SyncWatch {
    /// Makes a wait that begins with the next [`Input::Sync`](super::Input::Sync).
    #[must_use]
    pub fn new(policy: WaitPolicy) -> Self {
        Self {
            policy,
            begun: false,
            connected: false,
            losses: 0,
            unreachable: None,
            behind: None,
            file_errors: FileErrors::default(),
            report: SyncReport::default(),
        }
    }

    /// Takes in an event, and returns the end of the wait: the PC is in sync, the dry run has its plan, or waiting longer is
    /// useless. `elapsed` is the time since the wait began.
    pub fn handle_event(
        &mut self,
        event: &Event,
        elapsed: Duration,
    ) -> Option<Result<SyncReport, SyncError>> {
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
            Event::Disconnected { reason, retry_in } => {
                return self.handle_disconnected(reason, *retry_in == REFUSED_WAIT);
            }
            Event::FolderUnreadable { reason } if !self.policy.patient => {
                let (folder, reason) = (self.policy.folder.clone(), reason.clone());
                return Some(Err(SyncError::Folder { folder, reason }));
            }
            &Event::SyncStatus { missing, missing_bytes, needed_by_others, .. } => {
                let behind = Unfinished::Behind { missing, missing_bytes, needed_by_others };
                self.behind = (missing > 0 || needed_by_others > 0).then_some(behind);
            }
            Event::Installed { path, bytes, copied, .. } => {
                self.handle_moved(path);
                if !copied {
                    self.report.received_files += 1;
                    self.report.received_bytes += bytes;
                }
            }
            Event::FileSent { path, bytes, .. } => {
                self.handle_moved(path);
                self.report.sent_files += 1;
                self.report.sent_bytes += bytes;
            }
            Event::SendFailed { path, reason, .. } | Event::ReceiveFailed { path, reason, .. } => {
                self.file_errors.insert(path, reason);
            }
            Event::ServerError { reason } => {
                self.file_errors.server = Some(reason.clone());
            }
            Event::InSync { liveries, files, bytes, conflicts, withheld, outstanding, certain }
                if !self.policy.dry_run =>
            {
                return Some(Ok(SyncReport {
                    liveries: *liveries,
                    files: *files,
                    bytes: *bytes,
                    conflicts: conflicts.clone(),
                    withheld: *withheld,
                    outstanding: outstanding.clone(),
                    certain: *certain,
                    took: elapsed,
                    ..self.report.clone()
                }));
            }
            Event::Plan(plan) => {
                return Some(Ok(SyncReport {
                    liveries: plan.liveries,
                    files: plan.files,
                    bytes: plan.bytes,
                    outstanding: plan.outstanding.clone(),
                    took: elapsed,
                    plan: Some(plan.clone()),
                    ..self.report.clone()
                }));
            }
            _ => {}
        }
        None
    }

    /// Returns the error of a wait that has reached its timeout.
    #[must_use]
    pub fn timed_out(&self, after: Duration) -> SyncError {
        let server = self.policy.server.clone();
        // Without a connection the server's last words say nothing.
        let unfinished = match (&self.unreachable, &self.behind) {
            (Some(reason), _) => Unfinished::Unreachable { server, reason: Some(reason.clone()) },
            (None, _) if !self.connected => Unfinished::Unreachable { server, reason: None },
            (None, Some(behind)) => behind.clone(),
            (None, None) => Unfinished::Unknown { server },
        };
        SyncError::TimedOut { after, unfinished, file_errors: self.file_errors.clone() }
    }

    /// Notes that a file was installed or sent.
    fn handle_moved(&mut self, path: &RelPath) {
        // A connection that brings files is of use, however often it breaks.
        self.losses = 0;
        // An attempt that worked makes up for those that failed.
        self.file_errors.files.remove(path.as_str());
    }

    fn handle_disconnected(
        &mut self,
        reason: &str,
        refused: bool,
    ) -> Option<Result<SyncReport, SyncError>> {
        let was_connected = std::mem::replace(&mut self.connected, false);
        // Much may change until the server can be asked again.
        self.behind = None;
        self.unreachable = Some(reason.to_owned());
        // Nothing that a host waits for changes it.
        if self.policy.patient && !refused {
            return None;
        }
        let (server, reason) = (self.policy.server.clone(), reason.to_owned());
        if !was_connected || refused {
            return Some(Err(SyncError::Unreachable { server, reason }));
        }
        // One lost connection is nothing: the client has connected again before anybody notices.
        self.losses += 1;
        if self.losses < LOSSES_MAX {
            return None;
        }
        Some(Err(SyncError::ConnectionLost { server, reason }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(patient: bool) -> SyncWatch {
        let policy = WaitPolicy {
            server: "league:9239".to_owned(),
            folder: "Liveries".to_owned(),
            dry_run: false,
            patient,
        };
        let mut watch = SyncWatch::new(policy);
        assert_eq!(watch.handle_event(&lost(), Duration::ZERO), None, "the wait had not begun");
        watch.handle_event(&Event::SyncBegan { connected: false }, Duration::ZERO);
        watch
    }

    fn lost() -> Event {
        Event::Disconnected { reason: "reset".to_owned(), retry_in: Duration::ZERO }
    }

    #[test]
    fn without_a_timeout_a_missing_server_is_an_error_at_once() {
        let progress = watch(false).handle_event(&lost(), Duration::ZERO);
        let Some(Err(error)) = progress else { panic!("{progress:?}") };
        assert_eq!(error.to_string(), "no connection to league:9239: reset");
    }

    #[test]
    fn with_a_timeout_the_wait_goes_on_without_a_server() {
        let mut watch = watch(true);
        assert_eq!(watch.handle_event(&lost(), Duration::ZERO), None);
        let error = watch.timed_out(Duration::from_secs(2)).to_string();
        assert_eq!(error, "timed out after 2 s: no connection to league:9239: reset");
    }

    #[test]
    fn a_connection_that_breaks_again_and_again_is_an_error() {
        let mut watch = watch(false);
        for round in 1..=LOSSES_MAX {
            let connected = Event::Connected { speaks_v2: true };
            assert_eq!(watch.handle_event(&connected, Duration::ZERO), None);
            let failed = matches!(watch.handle_event(&lost(), Duration::ZERO), Some(Err(_)));
            assert_eq!(failed, round == LOSSES_MAX, "{round}");
        }
    }

    #[test]
    fn the_report_counts_files_until_this_pc_is_in_sync() {
        let mut watch = watch(false);
        let sync_id = crate::wire::messages::SyncId::default();
        let path = RelPath::parse("T/decals.png", &crate::path::Extensions::default()).unwrap();
        let in_sync = Event::InSync {
            liveries: 1,
            files: 3,
            bytes: 9,
            conflicts: Vec::new(),
            withheld: 0,
            outstanding: Vec::new(),
            certain: true,
        };
        let events = [
            Event::Connected { speaks_v2: true },
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
            assert_eq!(watch.handle_event(event, Duration::ZERO), None);
        }
        let took = Duration::from_secs(1);
        let Some(Ok(report)) = watch.handle_event(&in_sync, took) else { panic!("not done") };
        assert_eq!((report.files, report.bytes, report.took), (3, 9, took));
        assert_eq!((report.received_files, report.received_bytes), (1, 5));
        assert_eq!((report.sent_files, report.sent_bytes), (1, 7));
    }

    #[test]
    fn names_that_a_peer_invents_do_not_fill_the_memory() {
        let mut watch = watch(true);
        for number in 0..2 * FILES_MAX {
            let (sync_id, path) =
                (crate::wire::messages::SyncId::default(), format!("{number}.png"));
            let reason = "no".to_owned();
            let failed = Event::ReceiveFailed { sync_id, path, reason, declined: false };
            watch.handle_event(&failed, Duration::ZERO);
        }
        let error = watch.timed_out(Duration::ZERO);
        assert!(
            matches!(&error, SyncError::TimedOut { file_errors, .. } if file_errors.files.len() == FILES_MAX)
        );
        assert!(error.to_string().ends_with("… and 990 more"), "{error}");
    }

    #[test]
    fn text_of_a_peer_cannot_control_a_terminal() {
        let mut watch = watch(true);
        watch.handle_event(&Event::Connected { speaks_v2: true }, Duration::ZERO);
        watch.handle_event(&Event::ServerError { reason: "\u{1b}[2J".to_owned() }, Duration::ZERO);
        let error = watch.timed_out(Duration::from_secs(1)).to_string();
        assert!(error.ends_with("the server: \\u{1b}[2J"), "{error}");
    }
}

//! The events by which a client tells people what happens.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::{Outstanding, Plan};
use crate::{
    league::HoldReason,
    lint::Finding,
    path::RelPath,
    select::Skipped,
    text::limit_said,
    wire::messages::{OwnerNews, Role, SyncId, SyncOffer},
};

/// Something for people to know. Texts that came from peers are not escaped yet.
///
/// Serialized, an event is the object that `docs/json.md` describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The server has greeted.
    Connected {
        /// Set if it speaks protocol 2.
        #[serde(rename = "server", serialize_with = "server_word")]
        speaks_v2: bool,
    },
    /// There is no link.
    Disconnected {
        /// The reason.
        reason: String,
        /// The time until the next attempt.
        #[serde(rename = "retry_in_seconds", serialize_with = "as_seconds")]
        retry_in: Duration,
    },
    /// The folder could not be scanned.
    FolderUnreadable {
        /// The system's words.
        reason: String,
    },
    /// The list of ignored liveries cannot be read any more. The last one stays in force.
    IgnoreListFault {
        /// The file and the reason.
        reason: String,
    },
    /// This PC has more than 10 liveries that the league does not have, and its driver has not chosen which of them to
    /// share. None of them is shared until [`Input::Share`](super::Input::Share) says which are. Comes again when the
    /// liveries change.
    ShareNeeded {
        /// Number of these liveries.
        liveries: usize,
        /// Number of their files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
        /// Their names, at most the first 100.
        names: Vec<String>,
    },
    /// Globs of a list match no livery of this PC, nor any that the league has offered. Comes once for each list.
    GlobsUnmatched {
        /// Set for the list of shared liveries. Otherwise it is that of ignored ones.
        #[serde(rename = "list", serialize_with = "list_word")]
        shared: bool,
        /// The globs.
        globs: Vec<String>,
    },
    /// A livery that the driver has deleted is downloaded again, because the league still has it. Reported once for all
    /// its files.
    LiveryReturns {
        /// The livery.
        livery: String,
    },
    /// A scan has found other files than before, or was the first one.
    Scanned {
        /// Number of liveries.
        liveries: usize,
        /// Number of files that are shared.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
    },
    /// Something in the folder is not shared. Each file is reported once.
    Skipped(Skipped),
    /// Something is probably wrong with a livery that this PC brings. Each finding is reported once.
    Finding(Finding),
    /// A session has begun.
    SessionBegan {
        /// The session.
        sync_id: SyncId,
        /// The role of this client in it.
        #[serde(serialize_with = "role_word")]
        role: Role,
        /// Number of files, if the server says.
        files: Option<usize>,
        /// Sum of their sizes, if the server says.
        bytes: Option<u64>,
    },
    /// A file has begun to arrive.
    Receiving {
        /// The session.
        sync_id: SyncId,
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
    },
    /// A piece of a file has arrived.
    Received {
        /// The session.
        sync_id: SyncId,
        /// Number of bytes.
        bytes: u64,
    },
    /// A piece of a file has been sent.
    Sent {
        /// The session.
        sync_id: SyncId,
        /// Number of bytes.
        bytes: u64,
    },
    /// A whole file has been sent.
    FileSent {
        /// The session.
        sync_id: SyncId,
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
    },
    /// A file has been installed.
    Installed {
        /// The session.
        sync_id: SyncId,
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
        /// The backup of the file that it replaced, below the root.
        backup: Option<String>,
        /// Set if it was copied from another file of this PC, and not downloaded.
        copied: bool,
        /// The conflict name under which the file that it replaced stays.
        kept_as: Option<RelPath>,
    },
    /// A file of this PC has lost its name to another content. It is kept under a conflict name.
    Conflict {
        /// The name.
        path: RelPath,
        /// Its conflict name.
        conflict_path: RelPath,
        /// The name of the driver whose file keeps the name, if it is known.
        keeper: Option<String>,
    },
    /// The league cannot take a file of this PC. Reported once for each reason.
    Refused {
        /// The file, as it is spelled here. [Escape](crate::text::escape) it before showing it.
        path: String,
        /// The reason. Escape it, too.
        reason: String,
    },
    /// Other drivers do not get a livery as it is on this PC for now.
    Held {
        /// The livery, as it is spelled here.
        livery: String,
        /// The cause: `approval`, `freeze`, `rejected`, `blocked`, `member-liveries`, `member-bytes`, `livery-bytes`
        /// or `lint`.
        cause: HoldReason,
        /// The date at which a freeze ends by itself, in the form of RFC 3339.
        until: Option<String>,
        /// The limit that would be exceeded: a number of liveries or bytes.
        limit: Option<u64>,
        /// The first rule of the league that it breaks, with what to do about it, as a text for people.
        /// [Escape](crate::text::escape) it before showing it.
        finding: Option<String>,
    },
    /// Somebody did something to a livery that this PC's driver owns, or its owner has changed.
    OwnerNews {
        /// The livery, as the league spells it.
        livery: String,
        /// The news: `conflict`, `changed`, `owned` or `disowned`.
        news: OwnerNews,
        /// The name of the driver who did it, if it is known. An admin has none.
        by: Option<String>,
    },
    /// A file that the league has retired went to the backup folder.
    Retired {
        /// The file.
        path: RelPath,
        /// Its backup, below the root.
        backup: String,
    },
    /// A file that the league has retired could not be moved to the backup folder.
    RetireFailed {
        /// The file.
        path: RelPath,
        /// The reason.
        reason: String,
    },
    /// A file could not be sent.
    SendFailed {
        /// The session.
        sync_id: SyncId,
        /// The file, as the server asked for it.
        path: String,
        /// The reason.
        reason: String,
    },
    /// A file could not be received or installed. What was there before still is.
    ReceiveFailed {
        /// The session.
        sync_id: SyncId,
        /// The file, as the server offered it.
        path: String,
        /// The reason.
        reason: String,
        /// Set if this PC does not take it until something has changed here.
        declined: bool,
    },
    /// A session has ended.
    SessionEnded {
        /// The session.
        sync_id: SyncId,
    },
    /// The server reports an error.
    ServerError {
        /// The server's words.
        reason: String,
    },
    /// The host waits to be in sync. All later events are about what the folder holds now.
    SyncBegan {
        /// Set if there is a connection.
        connected: bool,
    },
    /// The server has said what is left to do.
    SyncStatus {
        /// Files that this PC will still get.
        missing: u64,
        /// Sum of their sizes.
        missing_bytes: u64,
        /// Files that others still need this PC for.
        needed_by_others: u64,
        /// Files of the league that this PC will not get as things are.
        withheld: u64,
    },
    /// This PC is in sync: it has all that the league can give it, and the league needs nothing more from it.
    InSync {
        /// Number of liveries.
        liveries: usize,
        /// Number of files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
        /// The files that have a conflict name.
        conflicts: Vec<RelPath>,
        /// Files of the league that this PC will not get as things are.
        withheld: u64,
        /// The part of that which somebody has to do something about.
        outstanding: Vec<Outstanding>,
        /// Set if the server said so, or has the same union hash. A server of protocol 1 may have files that it can never
        /// deliver; then its silence is all there is to go by.
        certain: bool,
    },
    /// A dry run has ended.
    Plan(Box<Plan>),
    /// The host read too slowly, and events were dropped here.
    Missed {
        /// Number of dropped events.
        events: u64,
    },
}

impl Event {
    /// Makes the event for a session that the server offers.
    pub(super) fn session_began(offer: &SyncOffer) -> Self {
        let files = offer.files.as_ref();
        Self::SessionBegan {
            sync_id: offer.sync_id.clone(),
            role: offer.role,
            files: files.map(Vec::len),
            bytes: files.map(|files| files.iter().map(|file| file.info.size).sum()),
        }
    }

    /// Cuts the texts that may be the server's.
    pub(super) fn limit_texts(&mut self) {
        match self {
            Self::Disconnected { reason, .. } | Self::ServerError { reason } => limit_said(reason),
            Self::Refused { path, reason }
            | Self::SendFailed { path, reason, .. }
            | Self::ReceiveFailed { path, reason, .. } => {
                limit_said(path);
                limit_said(reason);
            }
            Self::Held { livery, until, finding, .. } => {
                limit_said(livery);
                until.iter_mut().chain(finding).for_each(limit_said);
            }
            Self::OwnerNews { livery, by, .. } => {
                limit_said(livery);
                by.iter_mut().for_each(limit_said);
            }
            Self::InSync { outstanding, .. } => {
                outstanding.iter_mut().for_each(Outstanding::limit_texts);
            }
            Self::Plan(plan) => plan.limit_texts(),
            _ => {}
        }
    }

    /// Returns whether the event only shows progress, so that a slow host can do without it.
    #[must_use]
    pub const fn is_progress(&self) -> bool {
        matches!(self, Self::Received { .. } | Self::Sent { .. })
    }
}

fn server_word<S: Serializer>(speaks_v2: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *speaks_v2 { "liverysync" } else { "protocol-1" })
}

fn list_word<S: Serializer>(shared: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *shared { "share" } else { "ignore" })
}

fn role_word<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(role.word())
}

pub(super) fn as_seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

//! What a client has to tell.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// What a client is in a session.
pub use crate::wire::messages::Role;
use crate::{
    hash::ContentHash,
    path::RelPath,
    select::Skipped,
    wire::messages::{SyncId, SyncOffer},
};

/// Something for people to know. Texts that came from peers are not escaped yet.
///
/// Serialized, an event is the object that `docs/json.md` describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The server greeted.
    Connected {
        /// Whether it is one of ours.
        #[serde(rename = "server", serialize_with = "server_word")]
        ours: bool,
    },
    /// There is no link.
    Disconnected {
        /// Why.
        reason: String,
        /// When it is tried again.
        #[serde(rename = "retry_in_seconds", serialize_with = "as_seconds")]
        retry_in: Duration,
    },
    /// The folder could not be walked.
    FolderUnreadable {
        /// What the system said.
        reason: String,
    },
    /// The folder holds other files than before, or was walked for the first time.
    Scanned {
        /// Number of liveries.
        liveries: usize,
        /// Number of files that travel.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
    },
    /// Something in the folder does not travel; said once.
    Skipped(Skipped),
    /// A session has begun.
    SessionBegan {
        /// The session.
        sync_id: SyncId,
        /// What this client is in it.
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
    /// A piece of a file has left.
    Sent {
        /// The session.
        sync_id: SyncId,
        /// Number of bytes.
        bytes: u64,
    },
    /// A whole file has left.
    FileSent {
        /// The session.
        sync_id: SyncId,
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
    },
    /// A file is in place.
    Installed {
        /// The session.
        sync_id: SyncId,
        /// The file.
        path: RelPath,
        /// Its size.
        bytes: u64,
        /// Where what it replaced lies now.
        backup: Option<String>,
        /// Whether it was copied on this PC and not downloaded.
        copied: bool,
        /// The second name that what it replaced has got.
        kept_as: Option<RelPath>,
    },
    /// A file that nobody is to have any more was put away.
    Retired {
        /// The file.
        path: RelPath,
        /// Where it lies now, below the root.
        backup: String,
    },
    /// A file that nobody is to have any more is still here.
    RetireFailed {
        /// The file.
        path: RelPath,
        /// Why.
        reason: String,
    },
    /// A file could not be sent.
    SendFailed {
        /// The session.
        sync_id: SyncId,
        /// The file, as the server asked for it.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file could not be received or put in place. What was there before still is.
    ReceiveFailed {
        /// The session.
        sync_id: SyncId,
        /// The file, as the server offered it.
        path: String,
        /// Why.
        reason: String,
        /// Whether it is refused for good.
        declined: bool,
    },
    /// A session has ended.
    SessionEnded {
        /// The session.
        sync_id: SyncId,
    },
    /// The server reports an error.
    ServerError {
        /// What it says.
        reason: String,
    },
    /// The host waits for this PC to be in sync. What is said from here on is about what the folder
    /// holds now.
    SyncBegan {
        /// Whether there is a connection.
        connected: bool,
    },
    /// How this PC stands to the union.
    SyncStatus {
        /// Files that are still to come.
        missing: u64,
        /// Sum of their sizes.
        missing_bytes: u64,
        /// Files that others still need this PC for.
        needed_by_others: u64,
        /// Files of the union that will not come as things are.
        withheld: u64,
    },
    /// This PC holds the union, and the server needs nothing more from it.
    InSync {
        /// Number of liveries.
        liveries: usize,
        /// Number of files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
        /// Those of the files that have a conflict name.
        conflicts: Vec<RelPath>,
        /// Files of the union that will not come as things are.
        withheld: u64,
        /// Whether the server said so, or has the same union hash. One of protocol 1 whose union
        /// holds what it can never deliver can only be seen to be quiet.
        certain: bool,
    },
    /// What a dry run found out.
    Plan(Plan),
    /// The host was so slow to read that events were left out here.
    Missed {
        /// How many.
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

    /// Whether it only shows progress, so that a slow host can do without.
    #[must_use]
    pub const fn is_progress(&self) -> bool {
        matches!(self, Self::Received { .. } | Self::Sent { .. })
    }
}

/// What would happen if this were no dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Number of liveries that this PC shares and holds.
    pub liveries: usize,
    /// Number of files that this PC shares and holds.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Files that would come: path and size.
    #[serde(serialize_with = "sized")]
    pub receive: Vec<(RelPath, u64)>,
    /// Files that would be replaced, with the name under which this PC's own would live on.
    #[serde(serialize_with = "renamed")]
    pub conflicts: Vec<(RelPath, RelPath)>,
    /// Files that others would get: path and size.
    #[serde(serialize_with = "sized")]
    pub send: Vec<(RelPath, u64)>,
    /// Files of the union that this PC would refuse, with the reason.
    #[serde(serialize_with = "refused")]
    pub refuse: Vec<(String, String)>,
    /// Files of this PC that nobody is to have any more, and that would be put away: path and size.
    #[serde(serialize_with = "sized")]
    pub retire: Vec<(RelPath, u64)>,
    /// Files of the union that this PC lacks and nobody can send at present: path and size.
    #[serde(serialize_with = "sized")]
    pub unavailable: Vec<(RelPath, u64)>,
    /// Files of this PC that are not distributed, because their livery is not on the league's list: path and size.
    #[serde(serialize_with = "sized")]
    pub undistributed: Vec<(RelPath, u64)>,
    /// Names that this PC's driver and others claim. Only the league's memory knows whose a file is.
    pub rivals: Vec<Rivalry>,
}

impl Plan {
    /// Whether there is nothing to do: this PC holds all of the union that it can get, and the union has all of this
    /// PC's files.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        self.receive.is_empty() && self.send.is_empty() && self.retire.is_empty()
    }
}

/// A name that a driver and others claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rivalry {
    /// The name.
    pub path: RelPath,
    /// The name that the other content has instead.
    pub rival: RelPath,
    /// Which of the two is this PC's driver's.
    pub own: Claimant,
    /// His content; of the rival if both are his, or nothing has the name.
    pub sha256: ContentHash,
    /// Whether nothing has the name: a rival livery claims it of which no file collides, or an addition that only
    /// owners may make.
    pub free: bool,
}

/// One of two who claim a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Claimant {
    /// Who has it.
    Established,
    /// Who does not.
    Rival,
    /// Both are one driver.
    Both,
}

fn server_word<S: Serializer>(ours: &bool, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(if *ours { "liverysync" } else { "protocol-1" })
}

fn role_word<S: Serializer>(role: &Role, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match role {
        Role::Source => "source",
        Role::Target => "target",
    })
}

pub(super) fn as_seconds<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(span.as_secs_f64())
}

fn sized<S: Serializer>(files: &[(RelPath, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Sized<'a> {
        path: &'a RelPath,
        bytes: u64,
    }
    serializer.collect_seq(files.iter().map(|(path, bytes)| Sized { path, bytes: *bytes }))
}

fn renamed<S: Serializer>(files: &[(RelPath, RelPath)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Renamed<'a> {
        path: &'a RelPath,
        kept_as: &'a RelPath,
    }
    serializer.collect_seq(files.iter().map(|(path, kept_as)| Renamed { path, kept_as }))
}

fn refused<S: Serializer>(files: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Refused<'a> {
        path: &'a str,
        reason: &'a str,
    }
    serializer.collect_seq(files.iter().map(|(path, reason)| Refused { path, reason }))
}

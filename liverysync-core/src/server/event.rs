//! The events of a server.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Protocol;
use crate::{
    hash::ContentHash,
    inspect::Damage,
    league::Setting,
    lint::Finding,
    path::RelPath,
    select::Skipped,
    text::limit_said,
    transfer::SourceFault,
    union::{PeerId, Refusal},
    wire::messages::SyncId,
};

/// Something for people to know. Texts that came from peers are not escaped.
///
/// Serialized, an event is the object that `docs/json.md` describes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A client has introduced itself.
    Joined {
        /// The client.
        peer: PeerId,
        /// Its name for itself.
        name: String,
        /// The address that it connected from.
        address: String,
        /// The program that it is.
        #[serde(rename = "program")]
        protocol: Protocol,
    },
    /// A client has disconnected.
    Left {
        /// The client.
        peer: PeerId,
        /// Its name for itself.
        name: String,
        /// The reason.
        reason: String,
    },
    /// A client has reported other files than before.
    Manifest {
        /// The client.
        name: String,
        /// Number of liveries.
        liveries: usize,
        /// Number of files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
        /// Files of its manifest that were left out.
        left_out: Vec<Skipped>,
    },
    /// A file got a conflict name.
    Conflict {
        /// The client that has it.
        name: String,
        /// Its path at that client.
        path: RelPath,
        /// Its path in the union.
        conflict_path: RelPath,
    },
    /// A file could not join the union.
    Refused {
        /// The client that has it.
        name: String,
        /// The file.
        path: RelPath,
        /// The reason.
        #[serde(serialize_with = "as_text")]
        reason: Refusal,
    },
    /// A livery has got its first owner, or has none any more.
    OwnerChanged {
        /// The livery.
        livery: String,
        /// The member who edited it and owns it now; `None` if nobody does, because several members brought it.
        owner: Option<String>,
        /// The member whose files are the reason.
        by: String,
    },
    /// A member has changed liveries that they own.
    OwnerActed {
        /// The member's name for themself.
        name: String,
        /// `withdraw`, `rename` or `replace`.
        act: &'static str,
        /// The livery or file that was withdrawn, or the old name and the new one.
        names: Vec<String>,
        /// Number of names that got another content.
        placed: usize,
        /// Number of names that no longer have a content.
        retired: usize,
    },
    /// A session has begun.
    SessionBegan {
        /// The session.
        sync_id: SyncId,
        /// The client that uploads; `None` where files come from the store, or are copied on the target's PC.
        source: Option<String>,
        /// The client that downloads; `None` where files go into the store.
        target: Option<String>,
        /// Number of files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
    },
    /// A session has ended.
    SessionEnded {
        /// The session.
        sync_id: SyncId,
        /// The client that uploaded.
        source: Option<String>,
        /// The client that downloaded.
        target: Option<String>,
        /// Number of files that arrived.
        installed: usize,
        /// Number of files that did not.
        failed: usize,
    },
    /// A source sent a file wrongly or not at all. It is not asked for it again until its manifest changes.
    SourceFault {
        /// The source.
        name: String,
        /// Its file.
        path: String,
        /// Its fault.
        #[serde(rename = "reason", serialize_with = "as_text")]
        fault: SourceFault,
    },
    /// A source stopped responding.
    SourceSilent {
        /// The source.
        name: String,
        /// Number of files that it had yet to send.
        files: usize,
    },
    /// The league database cannot be written or read. The league goes on, and the server tries again.
    DatabaseFault {
        /// The reason, and what to do about it.
        reason: String,
    },
    /// The store could not write a content, or has lost it: somebody who has it uploads it again. Or it cannot read a content
    /// at present: it tries again later, and keeps it.
    StoreFault {
        /// Its hash.
        content: ContentHash,
        /// The reason.
        reason: String,
    },
    /// A target did not install a file.
    TargetFault {
        /// The target.
        name: String,
        /// The file.
        path: RelPath,
        /// Its message.
        #[serde(rename = "reason")]
        message: String,
        /// The client will not be offered the file again.
        for_good: bool,
    },
    /// A file of the union will not be offered to a client. Reported once.
    Withheld {
        /// The client.
        name: String,
        /// The file.
        path: RelPath,
        /// The reason.
        #[serde(serialize_with = "as_text")]
        reason: Withheld,
    },
    /// A driver has changed a livery, and the others do not get that before an admin approves it or a freeze ends.
    Held {
        /// The driver; `None` for drivers without a key.
        name: Option<String>,
        /// The livery.
        livery: String,
        /// Number of changed files.
        files: usize,
    },
    /// A file is damaged. It is published only if it replaces nothing intact.
    Damaged {
        /// The driver who brought it; `None` for drivers without a key.
        name: Option<String>,
        /// The file.
        path: RelPath,
        /// The damage.
        #[serde(rename = "reason", serialize_with = "as_text")]
        damage: Damage,
        /// Set if the league has it. Otherwise the livery is held.
        published: bool,
    },
    /// A livery breaks a rule of the league. Reported once.
    Finding {
        /// The driver who brought it; `None` for drivers without a key.
        name: Option<String>,
        /// The rule, and what to do about it.
        #[serde(flatten)]
        finding: Finding,
        /// Set if the league has it. Otherwise the livery is held.
        published: bool,
    },
    /// Every client has all that it can get.
    InSync {
        /// Number of clients.
        clients: usize,
        /// Number of liveries in the union.
        liveries: usize,
        /// Number of files in the union.
        files: usize,
        /// Hash of the union.
        union_hash: ContentHash,
    },
    /// The server was told other settings than the league has. Those of the league count.
    SettingsDiffer {
        /// The settings, in order.
        settings: Vec<DifferingSetting>,
    },
    /// The allow list cannot be read any more. The last one stays in force.
    AllowListFault {
        /// The file and the reason.
        reason: String,
    },
    /// Names on the allow list match no livery of the league. Reported once for each list.
    AllowListUnmatched {
        /// The names, as they were written.
        names: Vec<String>,
    },
    /// The host read so slowly that events were left out here.
    Missed {
        /// Number of events.
        events: u64,
    },
}

/// A setting that a server was told, and that the league has with another value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DifferingSetting {
    /// The setting.
    pub setting: Setting,
    /// Its value in the league, which counts.
    pub used: String,
    /// The value that the server was told.
    pub given: String,
}

impl Event {
    /// Cuts the texts that may be a client's. Its name is cut when it arrives, and a path that keeps the path rule is short.
    pub(super) fn limit_texts(&mut self) {
        match self {
            Self::Left { reason: text, .. }
            | Self::SourceFault { path: text, .. }
            | Self::TargetFault { message: text, .. } => limit_said(text),
            Self::OwnerActed { names, .. } => names.iter_mut().for_each(limit_said),
            Self::Manifest { left_out, .. } => {
                left_out.iter_mut().for_each(|item| limit_said(&mut item.path));
            }
            _ => {}
        }
    }
}

/// The reason why a file is not offered to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Withheld {
    /// The client only sends.
    #[error("that PC only sends")]
    SendsOnly,
    /// Its livery is not on the allow list.
    #[error("its livery is not on the allow list")]
    NotAllowed,
    /// Client 1.0.4 refuses such names or types.
    #[error("client 1.0.4 refuses files of this name or type")]
    OldClientRefuses,
    /// Client 1.0.4 keeps its own file, which is newer.
    #[error("client 1.0.4 keeps its own file, which is newer")]
    OldClientKeepsNewer,
    /// The game makes it from the picture beside it.
    #[error("the game makes it from the picture beside it")]
    Cache,
    /// The client cannot install it in the present state of its disk.
    #[error("that PC cannot install it in the present state of its disk")]
    Blocked,
    /// The client has refused it.
    #[error("the client refuses it")]
    Declined,
    /// The client has a file where this one needs a folder, or the reverse.
    #[error("a file or folder of this client is in the way")]
    InTheWay,
    /// No member who has it can send it.
    #[error("no member who has it can send it now")]
    NoSource,
    /// The file that it would replace exists nowhere else, and nobody can send that.
    #[error("the file that it would replace exists nowhere else yet")]
    OnlyCopy,
    /// The file that it would replace is not in the union under any name.
    #[error("the file that it would replace could not join the league")]
    WouldLose,
    /// Its driver has changed the file, and that is held.
    #[error("their own version is waiting for approval or for the end of a freeze")]
    OwnHeld,
}

fn as_text<S: Serializer>(reason: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

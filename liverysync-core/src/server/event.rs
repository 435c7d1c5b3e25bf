//! What a server has to tell.

use std::fmt;

use serde::{Serialize, Serializer};

use super::Protocol;
use crate::{
    hash::ContentHash,
    league::Setting,
    path::RelPath,
    select::Skipped,
    transfer::SourceFault,
    union::{PeerId, Refusal},
    wire::messages::SyncId,
};

/// Something for people to know. Texts that came from peers are not escaped yet.
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
        /// What it calls itself.
        name: String,
        /// Where it connected from.
        address: String,
        /// Which program it is.
        #[serde(rename = "program")]
        protocol: Protocol,
    },
    /// A client is gone.
    Left {
        /// The client.
        peer: PeerId,
        /// What it called itself.
        name: String,
        /// Why.
        reason: String,
    },
    /// A client holds other files than before.
    Manifest {
        /// The client.
        name: String,
        /// Number of liveries.
        liveries: usize,
        /// Number of files.
        files: usize,
        /// Sum of their sizes.
        bytes: u64,
        /// What of its manifest was left out.
        left_out: Vec<Skipped>,
    },
    /// A rival got a conflict name.
    Conflict {
        /// The client that has it.
        name: String,
        /// The name at that client.
        path: RelPath,
        /// The name in the union.
        conflict_path: RelPath,
    },
    /// A file could not join the union.
    Refused {
        /// The client that has it.
        name: String,
        /// The file.
        path: RelPath,
        /// Why.
        #[serde(serialize_with = "as_text")]
        reason: Refusal,
    },
    /// A session has begun.
    SessionBegan {
        /// The session.
        sync_id: SyncId,
        /// The client that uploads; `None` where files come from the store, or from the target's own PC.
        source: Option<String>,
        /// The client that gets the files; `None` where they go into the store.
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
        /// The client that got the files.
        target: Option<String>,
        /// Number of files that arrived.
        installed: usize,
        /// Number of files that did not.
        failed: usize,
    },
    /// A source did not send a file as it should have; it is not asked for it again until its
    /// manifest changes.
    SourceFault {
        /// The source.
        name: String,
        /// Its file.
        path: String,
        /// What was wrong.
        #[serde(rename = "reason", serialize_with = "as_text")]
        fault: SourceFault,
    },
    /// A source fell silent.
    SourceSilent {
        /// The source.
        name: String,
        /// Number of files that it still owed.
        files: usize,
    },
    /// What the league remembers cannot be written down, or read. The league goes on; it is tried again.
    DatabaseFault {
        /// Why, and what to do about it.
        reason: String,
    },
    /// The store could not keep a content, or has lost it. It is fetched anew from those who have it.
    StoreFault {
        /// Its digest.
        content: ContentHash,
        /// Why.
        reason: String,
    },
    /// A target did not take a file.
    TargetFault {
        /// The target.
        name: String,
        /// The file.
        path: RelPath,
        /// What it said.
        #[serde(rename = "reason")]
        message: String,
        /// Whether it will never be offered to it again.
        for_good: bool,
    },
    /// A file of the union will not be offered to a client, said once.
    Withheld {
        /// The client.
        name: String,
        /// The file.
        path: RelPath,
        /// Why.
        #[serde(serialize_with = "as_text")]
        reason: Withheld,
    },
    /// Every client holds all that it can get.
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
    /// The host was so slow to read that events were left out here.
    Missed {
        /// How many.
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

/// Why a file is not offered to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Withheld {
    /// It is not on the allow list.
    #[error("its livery is not on the allow list")]
    NotAllowed,
    /// A client of generation 1.0.4 refuses such names or types.
    #[error("client 1.0.4 refuses files of this name or type")]
    OldClientRefuses,
    /// A client of generation 1.0.4 keeps a file of its own that is newer.
    #[error("client 1.0.4 keeps its own file, which is newer")]
    OldClientKeepsNewer,
    /// The game makes it anew beside its picture.
    #[error("the game makes it from the picture beside it")]
    Cache,
    /// The client has said that it will not take it.
    #[error("the client refuses it")]
    Declined,
    /// The client has a file where this one needs a folder, or the reverse.
    #[error("it cannot lie beside a file of this client")]
    InTheWay,
    /// Nobody who has it can send it.
    #[error("nobody who has it can send it at present")]
    NoSource,
    /// What it would replace is nowhere else, and nobody can take it.
    #[error("what it would replace is nowhere else yet")]
    OnlyCopy,
    /// What it would replace is not in the union under any name.
    #[error("what it would replace could not join the union")]
    WouldLose,
}

fn as_text<S: Serializer>(reason: &impl fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(reason)
}

//! How a league stands, for whoever asks.

use serde::{Serialize, Serializer};

use super::{Protocol, Withheld};
use crate::{hash::ContentHash, path::RelPath, union::PeerId};

/// How a league stands. Serialized, it is the object that `docs/json.md` describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Number of files in the union.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Hash of the union; `None` while it is empty. Two servers with the same files have the same.
    pub union_hash: Option<ContentHash>,
    /// Files of the union that have a conflict name.
    pub conflicts: Vec<RelPath>,
    /// Number of sessions that are under way.
    pub sessions: usize,
    /// Who is there, in the order in which they connected.
    pub peers: Vec<PeerStatus>,
}

/// How one client stands. Texts come from peers: escape them before they are shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PeerStatus {
    /// Its number, which no later connection gets again.
    pub peer: PeerId,
    /// What it calls itself.
    pub name: String,
    /// Where it connected from.
    pub address: String,
    /// Which program it is.
    #[serde(rename = "program")]
    pub protocol: Protocol,
    /// Number of files that it holds; `None` until it has said so.
    pub files: Option<usize>,
    /// Sum of their sizes; `None` until it has said so.
    pub bytes: Option<u64>,
    /// Files of the union that it does not hold.
    pub missing: Vec<Missing>,
}

impl PeerStatus {
    /// Whether it holds all that it can get.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.files.is_some() && self.missing.iter().all(|file| file.withheld.is_some())
    }
}

/// A file of the union that a client does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// The file.
    pub path: RelPath,
    /// Its size.
    pub bytes: u64,
    /// Why it will not come as things are; `None` if it is on its way or will be.
    #[serde(serialize_with = "as_text")]
    pub withheld: Option<Withheld>,
}

fn as_text<S: Serializer>(reason: &Option<Withheld>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(|reason| reason.to_string()).serialize(serializer)
}

//! The status of a league, for those who ask.

use serde::{Serialize, Serializer};

use super::{Protocol, Withheld};
use crate::{hash::ContentHash, path::RelPath, union::PeerId, wire::messages::Role};

/// The status of a league. Serialized, it is the object that `docs/json.md` describes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// Number of files in the union.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Hash of the union; `None` while it is empty. Two servers with the same files have the same hash.
    pub union_hash: Option<ContentHash>,
    /// Files of the union that have a conflict name.
    pub conflicts: Vec<RelPath>,
    /// Number of open sessions.
    pub sessions: usize,
    /// The clients that are connected, in the order in which they connected.
    pub peers: Vec<PeerStatus>,
}

/// The status of one client. Texts come from peers: escape them before you show them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PeerStatus {
    /// Its number, which no other connection ever gets.
    pub peer: PeerId,
    /// Its name for itself.
    pub name: String,
    /// The address that it connected from.
    pub address: String,
    /// The program that it is.
    #[serde(rename = "program")]
    pub protocol: Protocol,
    /// The only role that it takes, if any: a source downloads nothing, and a target uploads nothing.
    #[serde(serialize_with = "Role::serialize_word")]
    pub only: Option<Role>,
    /// Number of files that it has; `None` until it has reported.
    pub files: Option<usize>,
    /// Sum of their sizes; `None` until it has reported.
    pub bytes: Option<u64>,
    /// Files of the union that it does not have; none if it downloads nothing.
    pub missing: Vec<Missing>,
}

impl PeerStatus {
    /// Returns whether it has all that it can get.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.files.is_some() && self.missing.iter().all(|file| file.withheld.is_some())
    }
}

/// A file of the union that a client does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Missing {
    /// The file.
    pub path: RelPath,
    /// Its size.
    pub bytes: u64,
    /// The reason why the client does not get it as things are; `None` if it will.
    #[serde(serialize_with = "as_text")]
    pub withheld: Option<Withheld>,
}

fn as_text<S: Serializer>(reason: &Option<Withheld>, serializer: S) -> Result<S::Ok, S::Error> {
    reason.map(|reason| reason.to_string()).serialize(serializer)
}

//! Liveries that are held: their members have changed them, and the others do not get that yet.

use serde::{Deserialize, Serialize};

use super::MemberId;
use crate::{hash::ContentHash, lint::Finding, manifest::Entry, time::UnixTime};

/// The decision about a held livery.
// Seen as the words in JSON and in the league database.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HoldState {
    /// It waits for an admin, or for the end of a freeze.
    #[default]
    Waiting,
    /// An admin has approved it. It waits for its files, or for the end of a freeze.
    Approved,
    /// An admin has rejected it. It stays with its member until they change it.
    Rejected,
}

impl HoldState {
    /// Every state with its word in JSON and in the league database.
    pub const WORDS: [(&'static str, Self); 3] =
        [("waiting", Self::Waiting), ("approved", Self::Approved), ("rejected", Self::Rejected)];
}

/// The reason why a livery is held.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HoldReason {
    /// An admin has to approve it.
    Approval,
    /// The livery is frozen.
    Freeze,
    /// An admin has rejected it.
    Rejected,
    /// It has a content that an admin has blocked.
    Blocked,
    /// One of its files is damaged, and the league has an intact version of that.
    Damaged,
    /// With it, its member would have too many liveries.
    MemberLiveries,
    /// With it, its member would have too many bytes.
    MemberBytes,
    /// It would have too many bytes.
    LiveryBytes,
    /// It breaks a rule of the league.
    Lint,
}

/// The cause for which a livery is held: the reason, with what belongs to it.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldCause {
    /// The reason.
    pub reason: HoldReason,
    /// The date at which a freeze ends by itself.
    pub until: Option<UnixTime>,
    /// The limit that would be exceeded.
    pub limit: Option<u64>,
    /// The first rule that it breaks.
    pub finding: Option<Finding>,
}

impl HoldCause {
    pub(crate) const fn new(reason: HoldReason) -> Self {
        Self { reason, until: None, limit: None, finding: None }
    }
}

/// A file that is held.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldFile {
    /// The file.
    pub entry: Entry,
    /// The content that its member last had in sync at this path, if known.
    pub base: Option<ContentHash>,
}

/// The held files of a livery that one member has changed.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldLivery {
    /// The livery's folder, as its member spells it.
    pub livery: String,
    /// The member; `None` for members without a key.
    pub member: Option<MemberId>,
    /// The decision of an admin.
    pub state: HoldState,
    /// The files, in the order of their keys.
    pub files: Vec<HeldFile>,
}

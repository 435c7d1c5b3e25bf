//! The league's memory: what of a union outlives every run of the server.
//!
//! Whatever happens to a union is told in [`Record`]s, each written down once and never changed. Playing
//! them back in their order gives the same union with the same history, so a server needs to keep nothing
//! else, and whoever keeps them needs to understand nothing of it.

mod act;
mod member;
mod settings;
mod view;

use serde::{Deserialize, Serialize};

pub use self::{
    act::{Act, ActError, ActReport, NameFault},
    member::{InvalidKey, InvalidMemberId, MemberId, MemberKey},
    settings::{InvalidSetting, Setting, Settings},
    view::{Conflict, LiveryStatus, Version, VersionChange},
};
use crate::{hash::Content, manifest::Entry, path::RelPath};

/// How a content came to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// The name was new.
    Published,
    /// Somebody changed what he last had in sync.
    Updated,
    /// The same, and the name has had this content before.
    Reverted,
    /// It is a rival, under its conflict name.
    Rival,
    /// What the name had got after it was never sent by anybody.
    Withdrawn,
    /// An administrator chose it among rivals.
    Resolved,
    /// An administrator gave it this name.
    Renamed,
    /// An administrator brought it back.
    Restored,
}

impl Cause {
    /// Every cause with its word.
    pub const WORDS: [(&'static str, Self); 8] = [
        ("published", Self::Published),
        ("updated", Self::Updated),
        ("reverted", Self::Reverted),
        ("rival", Self::Rival),
        ("withdrawn", Self::Withdrawn),
        ("resolved", Self::Resolved),
        ("renamed", Self::Renamed),
        ("restored", Self::Restored),
    ];
}

/// One thing that happened to the league. Steps are numbered from one; a later record has no lower number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// From this step on a name has this content.
    Placed {
        /// The step.
        step: u64,
        /// The name, with its content and the date that its publisher's file has.
        entry: Entry,
        /// Whose file it is; `None` for a member without a key, and for an administrator's acts.
        author: Option<MemberId>,
        /// How that came.
        cause: Cause,
    },
    /// From this step on a name has no content, and those that it had are not wanted.
    Retired {
        /// The step.
        step: u64,
        /// The name.
        path: RelPath,
    },
    /// A content that claims a name is not wanted there, although the name never had it.
    TurnedDown {
        /// The step.
        step: u64,
        /// The name.
        path: RelPath,
        /// The content.
        content: Content,
    },
    /// A name is free again: nobody who had its content is there any more, and nobody ever sent it. What was
    /// recorded of the name before counts no more.
    Forgotten {
        /// The name.
        path: RelPath,
    },
    /// All bytes of this content have been seen, so it exists.
    Proven(Content),
    /// Who may update a livery where only owners may. It takes the place of what was said before.
    Owned {
        /// The livery's folder, as it is spelled.
        livery: String,
        /// Its owners, in order.
        owners: Vec<MemberId>,
    },
    /// A setting of the league has this value. The last record of a setting counts.
    Set {
        /// The setting.
        setting: Setting,
        /// Its value, as [`Settings::set`] takes it.
        value: String,
    },
    /// A member was here and calls himself so.
    Seen {
        /// Who.
        author: MemberId,
        /// His label.
        name: String,
    },
    /// What a member says to hold has changed.
    Reported {
        /// Who.
        author: MemberId,
        /// Whether `gained` is all that he holds, and what was reported before counts no more.
        whole: bool,
        /// Names at which he has nothing any more.
        lost: Vec<RelPath>,
        /// Names at which he has something else than before.
        gained: Vec<Entry>,
    },
}

impl Record {
    /// Returns the setting that the record is about, if it is about one.
    #[must_use]
    pub const fn setting(&self) -> Option<Setting> {
        match self {
            Self::Set { setting, .. } => Some(*setting),
            _ => None,
        }
    }
}

/// Who may change what is established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Updates {
    /// Whoever edits what he had in sync.
    #[default]
    Anyone,
    /// Of these only the livery's owners; what others make of it, or add to it, is a rival.
    Owner,
}

impl Updates {
    /// Every rule with its word.
    pub const WORDS: [(&'static str, Self); 2] = [("anyone", Self::Anyone), ("owner", Self::Owner)];
}

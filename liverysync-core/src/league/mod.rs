//! The league: its records, its members, and the acts of its admin.
//!
//! Everything that happens to a union becomes a [`Record`], which is written once and never changed. Replaying the records in
//! their order gives the same union with the same history. So a server has to store nothing else, and the code that stores
//! them does not need to understand them.

mod act;
mod freeze;
mod hold;
mod lint;
mod member;
mod settings;
mod view;

use serde::{Deserialize, Serialize};

pub use self::{
    act::{Act, ActError, ActReport, NameFault},
    freeze::Freezes,
    hold::{HeldFile, HeldLivery, HoldCause, HoldReason, HoldState},
    lint::Lint,
    member::{MemberId, MemberKey},
    settings::{InvalidSetting, MemberLimits, Setting, Settings},
    view::{Conflict, LiveryStatus, Version, VersionChange},
};
use crate::{
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    manifest::Entry,
    path::RelPath,
};

/// The reason why a name got a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Cause {
    /// The name was new.
    Published,
    /// A member edited the content that they had in sync.
    Updated,
    /// A member edited it, and the name had the new content before.
    Reverted,
    /// The content was in conflict and got a conflict name.
    #[serde(alias = "rival")]
    Conflict,
    /// The next content of the name expired: nobody ever sent it.
    #[serde(alias = "withdrawn")]
    Expired,
    /// An admin chose it among the contents in conflict.
    Resolved,
    /// The livery was renamed. If the name has the content already, only its spelling changed.
    Renamed,
    /// An admin restored an earlier version.
    Restored,
    /// The livery became the successor of another one, with the content that it had already.
    Succeeded,
}

impl Cause {
    /// Every cause with its word in JSON and in the league database.
    pub const WORDS: [(&'static str, Self); 9] = [
        ("published", Self::Published),
        ("updated", Self::Updated),
        ("reverted", Self::Reverted),
        ("conflict", Self::Conflict),
        ("expired", Self::Expired),
        ("resolved", Self::Resolved),
        ("renamed", Self::Renamed),
        ("restored", Self::Restored),
        ("succeeded", Self::Succeeded),
    ];

    /// Finds the cause with this word. Also reads the words that league databases of earlier versions have.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "rival" => Some(Self::Conflict),
            "withdrawn" => Some(Self::Expired),
            _ => {
                let mut words = Self::WORDS.into_iter();
                words.find(|(known, _)| *known == word).map(|(_, cause)| cause)
            }
        }
    }
}

/// One change of the league. Steps are numbered from 1 and never decrease from record to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A name has this content from this step on.
    Placed {
        /// The step.
        step: u64,
        /// The name, with the content and the modification time of its publisher's file.
        entry: Entry,
        /// The member who published it; `None` for a member without a key, and for an admin.
        author: Option<MemberId>,
        /// The reason.
        cause: Cause,
    },
    /// A name has no content from this step on, and nobody should keep the contents that it had.
    Retired {
        /// The step.
        step: u64,
        /// The name.
        path: RelPath,
    },
    /// An admin declined a content that claimed a name and never had it.
    Declined {
        /// The step.
        step: u64,
        /// The name.
        path: RelPath,
        /// The content.
        content: Content,
    },
    /// A name is free again, because nobody holds its content and nobody ever sent it. Earlier records of the name no longer
    /// count.
    Forgotten {
        /// The name.
        path: RelPath,
    },
    /// A content is known to exist, because the server has received and checked it.
    Verified(Content),
    /// The bytes of a content tell these facts.
    Inspected {
        /// The content.
        content: Content,
        /// The facts.
        facts: ContentFacts,
    },
    /// A livery has these owners from now on.
    Owned {
        /// The livery's folder, as it is spelled.
        livery: String,
        /// Its owners, in order.
        owners: Vec<MemberId>,
        /// Set if they own it only because they brought it first. They lose it when another member brings the same files.
        presumed: bool,
    },
    /// A member has had files of a livery. A database that has what members [reported](Record::Reported) makes this of it.
    Met {
        /// The member.
        member: MemberId,
        /// The livery's folder in one case, as [`PathKey::livery`](crate::path::PathKey::livery) has it.
        livery: String,
    },
    /// A member turned out to be the same driver as another one, and is that member from now on: what they published and own
    /// is the other's.
    Merged {
        /// The member who no longer is one.
        former: MemberId,
        /// The member that they are.
        member: MemberId,
    },
    /// These files of a member's livery are held from now on, and no others. Without files, none is held any more.
    Held(HeldLivery),
    /// A member is banned from now on, or not any more.
    Banned {
        /// The member.
        member: MemberId,
        /// Set if they are.
        banned: bool,
    },
    /// A content is blocked from now on, or not any more.
    Blocked {
        /// The content.
        hash: ContentHash,
        /// Set if it is.
        blocked: bool,
    },
    /// A setting of the league has this value from now on.
    Set {
        /// The setting.
        setting: Setting,
        /// Its value, as [`Settings::set`] takes it.
        value: String,
    },
    /// A member has connected.
    Seen {
        /// The member.
        member: MemberId,
        /// The name that they use now.
        name: String,
    },
    /// A member has reported a change of their files.
    Reported {
        /// The member.
        member: MemberId,
        /// Set if `gained` lists all their files. Earlier reports no longer count then.
        complete: bool,
        /// Names at which they have no file any more.
        lost: Vec<RelPath>,
        /// Names at which they have a new file or another content.
        gained: Vec<Entry>,
    },
}

impl Record {
    /// Returns the setting that the record changes, if it changes one.
    #[must_use]
    pub const fn setting(&self) -> Option<Setting> {
        match self {
            Self::Set { setting, .. } => Some(*setting),
            _ => None,
        }
    }
}

/// The members who may change established files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Updates {
    /// Anyone who edits what they had in sync.
    #[default]
    Anyone,
    /// Only the livery's owners. Edits and additions by others are conflicts. A livery without an owner gets the first member
    /// who edits it.
    Owner,
}

impl Updates {
    /// Every rule with its word in options and files.
    pub const WORDS: [(&'static str, Self); 2] = [("anyone", Self::Anyone), ("owner", Self::Owner)];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_have_one_word_everywhere_and_old_words_are_read() {
        for (word, cause) in Cause::WORDS {
            assert_eq!(serde_json::to_string(&cause).unwrap(), format!("{word:?}"));
            assert_eq!(Cause::from_word(word), Some(cause));
        }
        for (old, cause) in [("rival", Cause::Conflict), ("withdrawn", Cause::Expired)] {
            assert_eq!(Cause::from_word(old), Some(cause));
            assert_eq!(serde_json::from_str::<Cause>(&format!("{old:?}")).unwrap(), cause);
        }
        assert_eq!(Cause::from_word("later"), None);
    }
}

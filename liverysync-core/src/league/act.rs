//! The acts of an admin.

use serde::{Deserialize, Serialize};

use super::{InvalidSetting, MemberId, Setting};
use crate::{path::PathFault, pathmap::Collision};

/// A change that an admin wants. Liveries are named by their folder, contents by at least the first four digits of their
/// SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Lets one of the contents that claim `path` keep the name, and retires the others.
    Resolve {
        /// The name that all of them claim.
        path: String,
        /// The content that stays, or [`Act::KEEP_NONE`] to leave a name free that no content has.
        keep: String,
    },
    /// Gives a livery another name on every PC. An owner may do this with their own.
    Rename {
        /// Its folder.
        livery: String,
        /// The folder's new name.
        new: String,
    },
    /// Removes liveries from the union. Every PC moves its copy into `.backup`. An owner may do this with their own.
    Retire {
        /// Their folders; `Team/sponsors.png` is only that file of one.
        liveries: Vec<String>,
        /// Set to retire more than [`Act::MANY`] liveries, or at least five that are more than [`Act::MANY_PERCENT`] of all.
        // The league databases of earlier versions have acts with the old name.
        #[serde(alias = "yes")]
        confirmed: bool,
    },
    /// Makes a livery the successor of another one, which is retired. An owner of both may do this.
    Replace {
        /// The folder of the livery that is retired.
        old: String,
        /// The folder of its successor, which the league already has.
        new: String,
    },
    /// Brings back an earlier version of a livery.
    Restore {
        /// Its folder.
        livery: String,
        /// The version; `None` for the last one before the livery was retired.
        version: Option<String>,
    },
    /// Makes a member an owner of a livery.
    Own {
        /// Its folder.
        livery: String,
        /// The new owner.
        member: MemberId,
    },
    /// Gives a member everything that another one owns.
    OwnAll {
        /// The member who owns it.
        former: MemberId,
        /// The member who gets it.
        member: MemberId,
    },
    /// Makes two members one, because they are the same driver: what one published and owns is the other's, and whoever
    /// has the key of either is that member.
    Merge {
        /// The member who no longer is one.
        former: MemberId,
        /// The member that they are.
        member: MemberId,
    },
    /// Lets liveries that are held take their place in the league.
    Approve {
        /// Their folders; empty for all that wait.
        liveries: Vec<String>,
        /// The member whose liveries are meant; `None` for everybody's.
        from: Option<MemberId>,
    },
    /// Rejects liveries that are held. They stay with their members until those change them.
    Reject {
        /// Their folders; empty for all that wait.
        liveries: Vec<String>,
        /// The member whose liveries are meant; `None` for everybody's.
        from: Option<MemberId>,
    },
    /// Bans a member: nobody may connect with their key. What they published stays.
    Ban {
        /// The member.
        member: MemberId,
    },
    /// Lets a banned member connect again.
    Unban {
        /// The member.
        member: MemberId,
    },
    /// Blocks a content: it is retired under every name, and nobody gets it again.
    Block {
        /// The content: a name that has it, all digits of its SHA-256, or the first ones of one that the league knows.
        content: String,
    },
    /// Ends the block of a content. It stays retired until a member brings it again or an admin restores it.
    Unblock {
        /// The first digits of its SHA-256.
        content: String,
    },
    /// Changes a setting of the league.
    Set {
        /// The setting.
        setting: Setting,
        /// Its new value, as [`Settings::set`](super::Settings::set) takes it.
        value: String,
    },
}

impl Act {
    /// The value of `keep` that retires all claims to a name that no content has.
    pub const KEEP_NONE: &str = "none";

    /// Returns an owner's word for it, and the names that it is about.
    #[doc(hidden)]
    #[must_use]
    pub fn of_owner(&self) -> (&'static str, Vec<&str>) {
        match self {
            Self::Retire { liveries, .. } => {
                ("withdraw", liveries.iter().map(String::as_str).collect())
            }
            Self::Rename { livery, new } => ("rename", vec![livery, new]),
            Self::Replace { old, new } => ("replace", vec![old, new]),
            // Only an admin can do the others.
            _ => ("", Vec::new()),
        }
    }

    /// Number of liveries up to which one act may retire them without confirmation.
    pub const MANY: usize = 10;

    /// The percentage of all liveries up to which one act may retire them without confirmation.
    pub const MANY_PERCENT: usize = 30;

    /// Number of liveries from which that percentage counts. Of a league with three liveries, one is no slip.
    pub(crate) const MANY_OF_ALL: usize = 5;
}

/// The result of an act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ActReport {
    /// Number of names that got another content.
    pub placed: usize,
    /// Number of names that no longer have a content.
    pub retired: usize,
}

impl ActReport {
    /// Makes a report from its fields, as the league database keeps them.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(placed: usize, retired: usize) -> Self {
        Self { placed, retired }
    }
}

/// The reason why an act was refused. Nothing has changed then.
///
/// It is stored in the league database, so its serialized form must stay readable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ActError {
    /// The league has no such livery.
    #[error("the league has no livery {livery:?}")]
    NoLivery {
        /// The requested livery.
        livery: String,
    },
    /// The league has no such file.
    #[error("the league has no file {path:?}")]
    NoFile {
        /// The requested path.
        path: String,
    },
    /// None of the contents that claim the name has this hash.
    #[error("no content of {path:?} begins with {hash:?}")]
    NoContent {
        /// The name.
        path: String,
        /// The requested digits.
        hash: String,
    },
    /// The livery never had this version.
    #[error("{livery:?} has no version {version:?}")]
    NoVersion {
        /// The livery.
        livery: String,
        /// The requested digits.
        version: String,
    },
    /// No version was given, and the livery is not retired.
    #[error("{livery:?} is not retired, so a version is needed")]
    NotRetired {
        /// The livery.
        livery: String,
    },
    /// Several conflicting liveries contain the chosen content, so it does not tell which of them should stay.
    #[error("several liveries have this content of {path:?}: {}", .folders.join(", "))]
    SeveralLiveries {
        /// The name.
        path: String,
        /// The folders of those liveries.
        folders: Vec<String>,
    },
    /// Several contents or versions begin with these digits.
    #[error("several versions begin with {digits:?}")]
    Ambiguous {
        /// The given digits.
        digits: String,
    },
    /// Only members have this file so far. The act would move their copies to `.backup` before the league has one.
    #[error("{path:?} has not reached the server yet")]
    NotSent {
        /// The file.
        path: String,
    },
    /// Nothing of this livery is held.
    #[error("nothing of {livery:?} is held")]
    NotHeld {
        /// The requested livery.
        livery: String,
    },
    /// The member is not banned.
    #[error("the member {member} is not banned")]
    NotBanned {
        /// The member.
        member: MemberId,
    },
    /// The league knows no such content.
    #[error("the league knows no content {content:?}")]
    UnknownContent {
        /// The requested name or digits.
        content: String,
    },
    /// No blocked content has these digits.
    #[error("no blocked content begins with {content:?}")]
    NotBlocked {
        /// The requested digits.
        content: String,
    },
    /// The version has a blocked content.
    #[error("the content of {path:?} is blocked")]
    Blocked {
        /// The file.
        path: String,
    },
    /// The livery is frozen, so nothing changes it.
    #[error("{livery:?} is frozen")]
    Frozen {
        /// The livery.
        livery: String,
    },
    /// The new name cannot be used.
    #[error("{name:?} cannot be the new name: {fault}")]
    InvalidName {
        /// The name.
        name: String,
        /// The reason.
        fault: NameFault,
    },
    /// The setting cannot have this value.
    #[error("{fault}")]
    InvalidSetting {
        /// The reason.
        fault: InvalidSetting,
    },
    /// So many liveries would be retired that the act needs to be confirmed.
    #[error("this would retire {retired} of {all} liveries")]
    Unconfirmed {
        /// Number of liveries that would be retired.
        retired: usize,
        /// Number of liveries in the league.
        all: usize,
    },
    /// Only owners of the livery may do this, and the member is none of them.
    #[error("{livery:?} belongs to {}", owned_by(.owners))]
    NotOwner {
        /// The livery.
        livery: String,
        /// The names of its owners; empty if it has none.
        owners: Vec<String>,
    },
    /// Only an admin may do this.
    #[error("only an admin may do this")]
    AdminOnly,
    /// The member has asked for so many acts lately that this one has to wait.
    #[error("too many changes within a minute")]
    TooMany,
    /// Both members are the same.
    #[error("both are the member {member}")]
    SameMember {
        /// The member.
        member: MemberId,
    },
    /// The member owns no livery.
    #[error("the member {member} owns no livery")]
    OwnsNothing {
        /// The member.
        member: MemberId,
    },
    /// The server that has the league does not know this kind of act.
    #[error("the running server has a different version and does not know this request")]
    Unsupported,
    /// A reason that is only known as text, written by another version.
    #[error("{text}")]
    Other {
        /// The text.
        text: String,
    },
}

fn owned_by(owners: &[String]) -> String {
    if owners.is_empty() { "nobody yet".to_owned() } else { owners.join(", ") }
}

/// The reason why a livery or file cannot get a name.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "fault", content = "detail", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NameFault {
    /// A livery's name is one folder.
    #[error("it contains a slash")]
    Slash,
    /// The league has a livery of this name.
    #[error("the league has a livery of this name")]
    Taken,
    /// The path rule refuses it.
    #[error("{0}")]
    Path(PathFault),
    /// A folder has this name.
    #[error("a folder has the same name")]
    Folder,
    /// This file is where one of its folders would be.
    #[error("{0} is a file")]
    File(String),
}

impl From<Collision> for NameFault {
    fn from(collision: Collision) -> Self {
        match collision {
            Collision::Folder => Self::Folder,
            Collision::Spelling(path) | Collision::File(path) => Self::File(path.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_act_of_an_earlier_version_is_read() {
        let stored = r#"{"act":"retire","liveries":["Team"],"yes":true}"#;
        let act = Act::Retire { liveries: vec!["Team".to_owned()], confirmed: true };
        assert_eq!(serde_json::from_str::<Act>(stored).unwrap(), act);
    }

    #[test]
    fn every_refusal_survives_the_database() {
        let (livery, path, name) = ("Team".to_owned(), "T/a.png".to_owned(), "U".to_owned());
        let faults = [
            NameFault::Slash,
            NameFault::Taken,
            NameFault::Path(PathFault::ReservedCharacter('?')),
            NameFault::Path(PathFault::TooLong(1_025)),
            NameFault::Path(PathFault::DeviceName("con".to_owned())),
            NameFault::Path(PathFault::DotComponent),
            NameFault::Folder,
            NameFault::File(path.clone()),
        ];
        let names =
            faults.into_iter().map(|fault| ActError::InvalidName { name: name.clone(), fault });
        let others = [
            ActError::NoLivery { livery: livery.clone() },
            ActError::NoFile { path: path.clone() },
            ActError::NoContent { path: path.clone(), hash: "00ff".to_owned() },
            ActError::NoVersion { livery: livery.clone(), version: "00ff".to_owned() },
            ActError::NotRetired { livery: livery.clone() },
            ActError::SeveralLiveries { path: path.clone(), folders: vec![livery, name.clone()] },
            ActError::Ambiguous { digits: "00ff".to_owned() },
            ActError::NotSent { path },
            ActError::NotHeld { livery: name.clone() },
            ActError::Frozen { livery: name.clone() },
            ActError::NotBanned { member: "00ff00ff00ff00ff".parse().unwrap() },
            ActError::UnknownContent { content: "00ff".to_owned() },
            ActError::NotBlocked { content: "00ff".to_owned() },
            ActError::Blocked { path: name.clone() },
            ActError::InvalidSetting { fault: InvalidSetting::Suffix { suffix: "a/b".to_owned() } },
            ActError::Unconfirmed { retired: 4, all: 5 },
            ActError::NotOwner { livery: name.clone(), owners: vec!["Aoi".to_owned()] },
            ActError::AdminOnly,
            ActError::TooMany,
            ActError::SameMember { member: "00ff00ff00ff00ff".parse().unwrap() },
            ActError::OwnsNothing { member: "00ff00ff00ff00ff".parse().unwrap() },
            ActError::Unsupported,
            ActError::Other { text: "for a reason".to_owned() },
        ];
        for error in names.chain(others) {
            let stored = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<ActError>(&stored).unwrap(), error, "{stored}");
        }
    }
}

//! What an administrator may do to a union.

use serde::{Deserialize, Serialize};

use super::MemberId;

/// Something that an administrator wants. Liveries are named by their folder, contents by the first digits of
/// their SHA-256, at least four.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// Of the contents that claim `path` one keeps the name, and the others go.
    Resolve {
        /// The name that all of them claim.
        path: String,
        /// Which content stays; [`Act::KEEP_NONE`] where nothing has the name, and that is how it is to be.
        keep: String,
    },
    /// A livery gets another name, on every PC.
    Rename {
        /// Its folder.
        livery: String,
        /// How the folder is to be called.
        new: String,
    },
    /// Liveries go from the union, and on every PC into `.backup`.
    Retire {
        /// Their folders.
        liveries: Vec<String>,
        /// Whether it is meant even if it is more than [`Act::MANY_PERCENT`] of all.
        yes: bool,
    },
    /// A livery becomes again what it was.
    Restore {
        /// Its folder.
        livery: String,
        /// Which version; without one, the one before it was retired.
        version: Option<String>,
    },
    /// A member may update a livery where only owners may.
    Own {
        /// Its folder.
        livery: String,
        /// Who.
        member: MemberId,
    },
}

impl Act {
    /// Instead of a content: a name that only rivals claim stays free.
    pub const KEEP_NONE: &str = "none";

    /// How many of a hundred liveries may go in one act before it has to be said that this is meant.
    pub const MANY_PERCENT: usize = 30;
}

/// What an act has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActReport {
    /// Names that have another content than before.
    pub placed: usize,
    /// Names that have no content any more.
    pub retired: usize,
}

/// Why an act is not done. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// There is no such livery.
    #[error("the league has no livery {0:?}; `liverysync league liveries` lists them")]
    NoLivery(String),
    /// There is no such file.
    #[error("the league has no file {0:?}; `liverysync league conflicts` lists those with rivals")]
    NoFile(String),
    /// There is no such content.
    #[error(
        "{path:?} never had a content {hash:?}; `liverysync league conflicts` lists those that it has"
    )]
    NoContent {
        /// The name.
        path: String,
        /// What was asked for.
        hash: String,
    },
    /// There is no such version.
    #[error("{livery:?} never had a version {version:?}; `liverysync league history` lists them")]
    NoVersion {
        /// The livery.
        livery: String,
        /// What was asked for.
        version: String,
    },
    /// Several rival liveries have this content.
    #[error(
        "more than one livery has this content of {path:?}: {}; choose by a file in which they differ",
        .folders.join(", ")
    )]
    SeveralLiveries {
        /// The name.
        path: String,
        /// The folders of those liveries.
        folders: Vec<String>,
    },
    /// Several contents or versions begin with these digits.
    #[error("more than one begins with {0:?}; give more digits")]
    Ambiguous(String),
    /// A file is with its owners only.
    #[error("{0:?} has not reached the server yet; try again once it has")]
    NotSent(String),
    /// A name is taken, or cannot be.
    #[error("{name:?} cannot be the new name: {reason}")]
    Name {
        /// The name.
        name: String,
        /// Why not.
        reason: String,
    },
    /// So many go that it might be a mistake.
    #[error("this retires {retired} of {all} liveries; say --yes if that is meant")]
    Many {
        /// How many would go.
        retired: usize,
        /// Of how many.
        all: usize,
    },
}

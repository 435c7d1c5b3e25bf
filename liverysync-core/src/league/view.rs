//! Views of a league for its admin.

use serde::Serialize;

use super::{Cause, MemberId};
use crate::{hash::Content, path::RelPath};

/// The state of one livery, current or retired.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LiveryStatus {
    /// Its folder, as the league spells it.
    pub livery: String,
    /// Number of files; 0 once it is retired.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// The first eight hex digits of the hash of its files' manifest, which names the version.
    pub version: String,
    /// The members who may change it if only owners may.
    pub owners: Vec<MemberId>,
    /// Number of its files that are in conflict.
    pub conflicts: usize,
    /// True if it is retired.
    pub retired: bool,
}

/// A version of a livery: its files from one step on until the next.
// `liverysync::league` shows versions with the names of members and with dates, which the union does not have.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Version {
    /// The step that made it.
    pub step: u64,
    /// The hash of its files in hex digits, the same for every spelling of their names. A retired livery has that of no files.
    pub hash: String,
    /// Number of files.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// The changes that the step made.
    pub changes: Vec<VersionChange>,
}

/// The change of one file in a step.
// As `Version`.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct VersionChange {
    /// The name.
    pub path: RelPath,
    /// Its new content; `None` if it was retired.
    pub content: Option<Content>,
    /// The reason; `None` if it was retired.
    pub cause: Option<Cause>,
    /// The member who published it, if they have a key.
    pub author: Option<MemberId>,
}

/// A name that several contents claim, or that only conflict copies claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Conflict {
    /// The name.
    pub path: RelPath,
    /// The content that has the name. `None` if the name is free: a conflicting livery without any collision claims it, or a
    /// file that only an owner could add.
    pub established: Option<Content>,
    /// The other contents, each with its conflict name.
    pub copies: Vec<(RelPath, Content)>,
}

impl Conflict {
    /// Creates a conflict at `path` without conflict copies.
    #[must_use]
    pub const fn new(path: RelPath, established: Option<Content>) -> Self {
        Self { path, established, copies: Vec::new() }
    }
}

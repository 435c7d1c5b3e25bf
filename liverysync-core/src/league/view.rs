//! What an administrator may look at.

use serde::Serialize;

use super::{Cause, MemberId};
use crate::{hash::Content, path::RelPath};

/// One livery of the union, or one that was retired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LiveryStatus {
    /// Its folder, as it is spelled.
    pub livery: String,
    /// Number of files; 0 once it is retired.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// The first eight digits of the version's hash; see [`Version::hash`].
    pub version: String,
    /// Who may update it where only owners may.
    pub owners: Vec<MemberId>,
    /// Files whose rivals are in the union too.
    pub conflicts: usize,
    /// Whether it was retired.
    pub retired: bool,
}

/// What a livery was from one step on, until the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Version {
    /// The step that made it.
    pub step: u64,
    /// The digest of its manifest, in hex digits; that of no file once it is retired.
    pub hash: String,
    /// How many files it has.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// What the step did: each name with its content, none if it went.
    pub changes: Vec<VersionChange>,
}

/// What a step did to one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VersionChange {
    /// The name.
    pub path: RelPath,
    /// What it had from then on; `None` if it was retired.
    pub content: Option<Content>,
    /// How that came.
    pub cause: Option<Cause>,
    /// By whom.
    pub author: Option<MemberId>,
}

/// A name that several contents claim, or that only rivals do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Conflict {
    /// The name.
    pub path: RelPath,
    /// What has it. Nothing has it where a rival livery claims it of which no file collides, or an addition that only
    /// owners may make.
    pub established: Option<Content>,
    /// The others, each with the name that it has instead.
    pub rivals: Vec<(RelPath, Content)>,
}

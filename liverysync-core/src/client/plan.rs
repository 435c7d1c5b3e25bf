//! The result of a dry run.

use serde::{Serialize, Serializer};

use super::{Outstanding, Role};
use crate::{hash::ContentHash, path::RelPath, text::limit_said};

/// The actions that a client would take if it made no dry run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// Number of liveries that this PC shares.
    pub liveries: usize,
    /// Number of files that this PC shares.
    pub files: usize,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Files that this PC would get: path and size.
    #[serde(serialize_with = "sized")]
    pub receive: Vec<(RelPath, u64)>,
    /// Files that would be replaced, with the conflict name under which this PC's own would stay.
    #[serde(serialize_with = "renamed")]
    pub conflicts: Vec<(RelPath, RelPath)>,
    /// Files that others would get: path and size.
    #[serde(serialize_with = "sized")]
    pub send: Vec<(RelPath, u64)>,
    /// Files of the league that this PC would refuse, with the reason.
    #[serde(serialize_with = "refused")]
    pub refuse: Vec<(String, String)>,
    /// Files of the league that this PC cannot install as things are. They are not among those that it would get.
    pub outstanding: Vec<Outstanding>,
    /// Files that this PC would get and that failed so far, with the reason.
    #[serde(serialize_with = "refused")]
    pub failed: Vec<(String, String)>,
    /// Files that the league has retired and that would go to the backup folder: path and size.
    #[serde(serialize_with = "sized")]
    pub retire: Vec<(RelPath, u64)>,
    /// Files that this PC would get if a member who can send them were connected: path and size.
    #[serde(serialize_with = "sized")]
    pub unavailable: Vec<(RelPath, u64)>,
    /// Files of this PC that are not distributed because their livery is not on the league's list: path and size.
    #[serde(serialize_with = "sized")]
    pub undistributed: Vec<(RelPath, u64)>,
    /// Files of liveries that this PC does not share, because its driver has not chosen them or it publishes nothing of its
    /// own: path and size.
    #[serde(serialize_with = "sized")]
    pub unshared: Vec<(RelPath, u64)>,
    /// The only role that this PC takes, if any.
    #[serde(serialize_with = "Role::serialize_word")]
    pub only: Option<Role>,
    /// Conflicts of the league that concern this PC's driver. Only a server with a data folder knows whose a file is.
    pub open_conflicts: Vec<OpenConflict>,
    /// The liveries of the league that somebody has changed and the others do not get yet.
    pub held: Vec<PlannedHold>,
    /// The damaged files of the league, with the damage.
    #[serde(serialize_with = "refused")]
    pub damaged: Vec<(String, String)>,
}

impl Plan {
    /// Cuts the texts that may be the server's.
    pub(super) fn limit_texts(&mut self) {
        self.outstanding.iter_mut().for_each(Outstanding::limit_texts);
        let files = self.refuse.iter_mut().chain(&mut self.failed).chain(&mut self.damaged);
        for (path, reason) in files {
            limit_said(path);
            limit_said(reason);
        }
        for held in &mut self.held {
            limit_said(&mut held.livery);
            limit_said(&mut held.reason);
            held.since.iter_mut().for_each(limit_said);
        }
    }
}

/// A livery that a driver has changed and the others do not get yet.
// On the page of `Plan`: a field names it.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedHold {
    /// The livery.
    pub livery: String,
    /// The driver's name; `None` if it is unknown.
    pub name: Option<String>,
    /// Set if it is this PC's driver.
    pub yours: bool,
    /// The date from which it is held, in the form of RFC 3339; `None` if the server does not know it.
    pub since: Option<String>,
    /// The reason.
    pub reason: String,
}

impl Plan {
    /// Returns whether there is nothing to do: this PC has all that the league can give it, and the league has all that
    /// this PC shares.
    #[must_use]
    pub const fn is_in_sync(&self) -> bool {
        self.receive.is_empty() && self.send.is_empty() && self.retire.is_empty()
    }
}

/// A conflict of the league in which this PC's driver has a part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpenConflict {
    /// The name that both claim.
    pub path: RelPath,
    /// The conflict name that the later content has instead.
    pub copy: RelPath,
    /// The side that belongs to this PC's driver.
    pub yours: ConflictSide,
    /// The driver's content; that of the conflict copy if both are theirs, or if no file has the name.
    pub sha256: ContentHash,
    /// Set if no file has the name. It belongs to a livery that has it all the same: another livery of that name went to a
    /// conflict folder as a whole, or somebody who does not own the livery added the file to it.
    pub free: bool,
    /// The name of the other driver, if it is known and they are another one.
    pub other: Option<String>,
}

impl OpenConflict {
    /// Makes a conflict from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        path: RelPath,
        copy: RelPath,
        yours: ConflictSide,
        sha256: ContentHash,
        free: bool,
        other: Option<String>,
    ) -> Self {
        Self { path, copy, yours, sha256, free, other }
    }
}

/// A side of a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
#[serde(rename_all = "snake_case")]
pub enum ConflictSide {
    /// The content that has the name.
    Established,
    /// The content that has the conflict name.
    Copy,
    /// Both contents belong to one driver.
    Both,
}

fn sized<S: Serializer>(files: &[(RelPath, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Sized<'a> {
        path: &'a RelPath,
        bytes: u64,
    }
    serializer.collect_seq(files.iter().map(|(path, bytes)| Sized { path, bytes: *bytes }))
}

fn renamed<S: Serializer>(files: &[(RelPath, RelPath)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Renamed<'a> {
        path: &'a RelPath,
        kept_as: &'a RelPath,
    }
    serializer.collect_seq(files.iter().map(|(path, kept_as)| Renamed { path, kept_as }))
}

fn refused<S: Serializer>(files: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Refused<'a> {
        path: &'a str,
        reason: &'a str,
    }
    serializer.collect_seq(files.iter().map(|(path, reason)| Refused { path, reason }))
}

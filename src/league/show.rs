//! Views of a league for its admin.

use std::collections::{BTreeMap, BTreeSet};

use liverysync_core::{
    hash::{Content, ContentHash},
    league::{
        ActError, Cause, Conflict, HoldReason, HoldState, LiveryStatus, MemberId, Version,
        VersionChange,
    },
    lint::{Finding, LintRules},
    path::{RelPath, fold},
    union::Union,
};
use serde::Serialize;

use super::{League, LeagueError};
use crate::{
    database::{LeagueDatabase, MemberRow},
    store::{has_blob, lock},
};

/// A summary of a league.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeagueStatus {
    /// True if a server runs on the data now.
    pub served: bool,
    /// Number of files of the union.
    pub files: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// Number of liveries of the union.
    pub liveries: u64,
    /// Number of liveries that were retired.
    pub retired: u64,
    /// Number of members.
    pub members: u64,
    /// Number of names that several contents claim.
    pub conflicts: u64,
    /// The liveries that are held.
    pub held: Vec<Held>,
    /// Number of banned members.
    pub banned: u64,
    /// The contents that nobody gets.
    pub blocked: Vec<ContentHash>,
    /// The damaged files of the union, in the order of their names.
    pub damaged: Vec<DamagedFile>,
    /// Sum of the sizes of those files whose contents the store has.
    pub stored_bytes: u64,
    /// Number of contents of the union that the store lacks and members have.
    pub missing: u64,
    /// The last recorded step; 0 if there was none.
    pub step: u64,
    /// Its date, in UTC and to the second: `2026-03-09T18:30:00Z`.
    pub written_at: Option<String>,
}

/// A damaged file of the union. Nothing intact was there to replace.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DamagedFile {
    /// The file.
    pub path: RelPath,
    /// The damage, as a text for people.
    pub reason: String,
    /// The member who brought it; `None` for a peer without a key.
    pub member: Option<MemberId>,
    /// The last name that the member used.
    pub name: Option<String>,
}

/// A version of a livery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PastVersion {
    /// The step that made it.
    pub step: u64,
    /// Its date, in UTC and to the second: `2026-03-09T18:30:00Z`.
    pub written_at: Option<String>,
    /// The SHA-256 of the list of its files, in hex digits; `restore` takes the first ones.
    pub hash: String,
    /// Number of files; 0 if the livery was retired.
    pub files: u64,
    /// Sum of their sizes.
    pub bytes: u64,
    /// The changes of the step.
    pub changes: Vec<PastChange>,
}

/// The change of one file in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PastChange {
    /// The name.
    pub path: RelPath,
    /// Its new content; `None` if it was retired.
    pub content: Option<Content>,
    /// The cause; `None` if it was retired.
    pub cause: Option<Cause>,
    /// The member who brought it; `None` for a peer without a key and for an admin's acts.
    pub author: Option<MemberId>,
    /// The last name that the member used.
    pub name: Option<String>,
}

/// A livery that a member has changed and the others do not get yet.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Held {
    /// Its folder, as its member spells it.
    pub livery: String,
    /// The member; `None` for members without a key.
    pub member: Option<MemberId>,
    /// The last name that the member used.
    pub name: Option<String>,
    /// The date from which it is held, in UTC and to the second.
    pub since: Option<String>,
    /// The decision of an admin: `waiting`, `approved` or `rejected`.
    pub state: HoldState,
    /// The cause for which it is held.
    pub cause: HoldReason,
    /// The date at which a freeze ends by itself, in the form of RFC 3339.
    pub until: Option<String>,
    /// The limit that would be exceeded: a number of liveries or bytes.
    pub limit: Option<u64>,
    /// The first rule of the league that it breaks.
    pub finding: Option<Finding>,
    /// The files that the member has changed.
    pub files: Vec<HeldContent>,
}

/// A file of a livery that is held.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HeldContent {
    /// The file.
    pub path: RelPath,
    /// Its content.
    #[serde(flatten)]
    pub content: Content,
    /// True if the server has it.
    pub stored: bool,
}

impl League {
    /// Returns the liveries that are held, ordered by name: what their members have changed and the others do not get yet.
    ///
    /// # Errors
    ///
    /// Fails if the league database cannot be read or is damaged.
    pub fn held(&mut self) -> Result<Vec<Held>, LeagueError> {
        let (union, since) = (self.union()?, self.database.held_since()?);
        let names = self.names()?;
        let held = union.held().map(|held| (held, union.hold_cause(held)));
        let held = held.map(|(held, cause)| Held {
            cause: cause.reason,
            until: cause.until.map(|until| until.to_string()),
            limit: cause.limit,
            finding: cause.finding,
            livery: held.livery.clone(),
            member: held.member,
            name: held.member.and_then(|member| names.get(&member).cloned()),
            since: since.get(&(fold(&held.livery), held.member)).cloned(),
            state: held.state,
            files: held
                .files
                .iter()
                .map(|file| HeldContent {
                    path: file.entry.path.clone(),
                    content: file.entry.content,
                    stored: has_blob(&self.data, file.entry.content),
                })
                .collect(),
        });
        Ok(held.collect())
    }

    /// Returns true if a server runs on the data now. Another admin who changes the league at this moment
    /// looks the same.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be read.
    pub fn is_served(&self) -> Result<bool, LeagueError> {
        lock::is_taken(&self.data).map_err(|reason| LeagueError::folder(&self.data, reason))
    }

    /// Returns a summary of the league.
    ///
    /// # Errors
    ///
    /// Fails if the league database cannot be read or is damaged.
    pub fn status(&mut self) -> Result<LeagueStatus, LeagueError> {
        let union = self.union()?;
        let (retired, liveries): (Vec<_>, Vec<_>) =
            union.liveries().into_iter().partition(|livery| livery.retired);
        let contents: BTreeSet<_> = union.iter().map(|entry| entry.content).collect();
        let (stored, missing): (BTreeSet<_>, BTreeSet<_>) =
            contents.into_iter().partition(|content| has_blob(&self.data, *content));
        let files = || union.iter().map(|entry| entry.content);
        let last = self.database.dates()?.pop_last();
        let members = self.database.members()?;
        Ok(LeagueStatus {
            served: self.is_served()?,
            files: union.len() as u64,
            bytes: sum(files()),
            liveries: liveries.len() as u64,
            retired: retired.len() as u64,
            members: members.len() as u64,
            banned: members.iter().filter(|member| member.banned).count() as u64,
            held: self.held()?,
            blocked: union.blocked().collect(),
            damaged: self.damaged(&union)?,
            conflicts: union.conflicts().len() as u64,
            stored_bytes: sum(files().filter(|content| stored.contains(content))),
            missing: missing.len() as u64,
            step: last.as_ref().map_or(0, |(step, _)| *step),
            written_at: last.map(|(_, date)| date),
        })
    }

    fn damaged(&mut self, union: &Union) -> Result<Vec<DamagedFile>, LeagueError> {
        let names = self.names()?;
        let damaged = union.damaged().map(|(entry, damage)| {
            let member = union.author(entry.path.key());
            DamagedFile {
                path: entry.path.clone(),
                reason: damage.to_string(),
                member,
                name: member.and_then(|member| names.get(&member).cloned()),
            }
        });
        Ok(damaged.collect())
    }

    /// Returns what is wrong with the liveries of the league, ordered by livery: by its own rules, or by `rules`.
    ///
    /// # Errors
    ///
    /// Fails if the league database cannot be read or is damaged.
    pub fn lint(&mut self, rules: Option<&LintRules>) -> Result<Vec<Finding>, LeagueError> {
        let union = self.union()?;
        Ok(union.findings(rules.unwrap_or(&union.settings().lint_rules)))
    }

    /// Returns the members, in the order of their [`MemberId`]s.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::members`].
    pub fn members(&mut self) -> Result<Vec<MemberRow>, LeagueError> {
        Ok(self.database.members()?)
    }

    /// Returns all liveries, retired ones too, in the order of their names.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    pub fn liveries(&mut self) -> Result<Vec<LiveryStatus>, LeagueError> {
        Ok(self.union()?.liveries())
    }

    /// Returns the versions of a livery, newest first, and then those of the liveries that it was before: under another name,
    /// or as the one that it replaced.
    ///
    /// # Errors
    ///
    /// Fails if there never was a livery of this name, or if the league database cannot be read or is damaged.
    pub fn history(&mut self, livery: &str) -> Result<Vec<PastVersion>, LeagueError> {
        let union = self.union()?;
        let versions = union.history(livery);
        if versions.is_empty() {
            return Err(ActError::NoLivery { livery: livery.to_owned() }.into());
        }
        let past = Past { dates: self.database.dates()?, names: self.names()? };
        let mut versions: Vec<_> = versions.into_iter().rev().collect();
        for (before, step) in union.predecessors(livery) {
            // The step itself tells how the one livery became the other.
            let earlier = union.history(&before).into_iter().rev();
            versions.extend(earlier.filter(|version| version.step < step));
        }
        Ok(versions.into_iter().map(|version| past.version(version)).collect())
    }

    /// Returns the names that several contents claim, in order.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    pub fn conflicts(&mut self) -> Result<Vec<Conflict>, LeagueError> {
        Ok(self.union()?.conflicts())
    }

    /// Returns the names of the members who brought the contents of these conflicts, by path and content.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    #[doc(hidden)]
    pub fn claimants(
        &mut self,
        conflicts: &[Conflict],
    ) -> Result<BTreeMap<(String, ContentHash), String>, LeagueError> {
        let (union, names) = (self.union()?, self.names()?);
        let mut claimants = BTreeMap::new();
        let copies = |conflict: &Conflict| -> Vec<String> {
            let copies = conflict.copies.iter().map(|(path, _)| path.livery().to_owned());
            copies.chain([conflict.path.livery().to_owned()]).collect()
        };
        let liveries: BTreeSet<_> = conflicts.iter().flat_map(copies).collect();
        for change in
            liveries.iter().flat_map(|livery| union.history(livery)).flat_map(|one| one.changes)
        {
            let name = change.author.and_then(|author| names.get(&author));
            if let (Some(content), Some(name)) = (change.content, name) {
                let key = (change.path.as_str().to_owned(), content.hash);
                // If the content came again later, its first member counts.
                claimants.entry(key).or_insert_with(|| name.clone());
            }
        }
        Ok(claimants)
    }
}

fn sum(contents: impl Iterator<Item = Content>) -> u64 {
    contents.fold(0, |sum, content| sum.saturating_add(content.size))
}

/// The dates and names that the database adds to the union's history.
struct Past {
    dates: BTreeMap<u64, String>,
    names: BTreeMap<MemberId, String>,
}

impl Past {
    fn version(&self, version: Version) -> PastVersion {
        let Version { step, hash, files, bytes, changes, .. } = version;
        PastVersion {
            step,
            written_at: self.dates.get(&step).cloned(),
            hash,
            files: files as u64,
            bytes,
            changes: changes.into_iter().map(|change| self.change(change)).collect(),
        }
    }

    fn change(&self, change: VersionChange) -> PastChange {
        let VersionChange { path, content, cause, author, .. } = change;
        let name = author.and_then(|author| self.names.get(&author).cloned());
        PastChange { path, content, cause, author, name }
    }
}

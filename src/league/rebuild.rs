//! Rebuilding a damaged league database from its readable rows and from the members' last reports.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use liverysync_core::{
    league::MemberId,
    manifest::Entry,
    union::{Change, Gained, PeerId},
};

use super::{LeagueError, replay};
use crate::{
    database::{self, LeagueDatabase, RebuildSummary, Sqlite},
    store::{has_blob, lock},
};

/// The result of rebuilding a league.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// The rows that were read of the old database.
    pub salvaged: RebuildSummary,
    /// Number of files that the union has from the members' last reports, because no row about names could be read.
    pub from_reports: u64,
    /// Number of files that the union has now.
    pub files: u64,
}

/// Rebuilds a league database, as [`database::rebuild`] does. If no row about names can be read, names get the contents of
/// the members' last reports: the member who was first in the league keeps a name, and the others' contents join under
/// conflict names.
///
/// # Errors
///
/// Fails if a server uses the folder, or if it cannot be read or written. Try again then.
pub fn rebuild(data: &Path) -> Result<Rebuilt, LeagueError> {
    let salvaged = database::rebuild(data)?;
    let taken = lock::take(data).map_err(|reason| LeagueError::folder(data, reason))?;
    let Some(_lock) = taken else {
        return Err(database::DatabaseError::Busy { path: data.to_owned() }.into());
    };
    let mut database = Sqlite::open(data)?;
    let from_reports = match salvaged.versions {
        0 => remake(&mut database, data)?,
        _ => 0,
    };
    let files = replay(&mut database)?.len() as u64;
    Ok(Rebuilt { salvaged, from_reports, files })
}

/// Fills an empty union with the members' reports. Returns its number of files.
fn remake(database: &mut Sqlite, data: &Path) -> Result<u64, LeagueError> {
    let mut union = replay(database)?;
    let reports = in_order(database)?;
    let reported = reports.iter().flat_map(|(_, report)| report);
    let stored: BTreeSet<_> =
        reported.map(|entry| entry.content).filter(|content| has_blob(data, *content)).collect();
    let mut records = union.mark_verified(stored);
    let changes = reports.into_iter().zip(0..).map(|((author, report), arrival)| Change {
        peer: PeerId(arrival),
        arrival,
        member: Some(author),
        complete: true,
        lost: Vec::new(),
        gained: report.into_iter().map(Gained::from).collect(),
    });
    records.extend(union.step(changes.collect()).records);
    database.write(&records)?;
    Ok(union.len() as u64)
}

/// Returns the members' reports, ordered by their first connection.
fn in_order(database: &mut Sqlite) -> Result<Vec<(MemberId, Vec<Entry>)>, LeagueError> {
    let members = database.members()?.into_iter();
    let first_seen: BTreeMap<_, _> =
        members.map(|member| (member.member, member.first_seen)).collect();
    let mut reports: Vec<_> = database.reports()?.into_iter().collect();
    // A member who is only known by a report comes last.
    let place = |author: &MemberId| (!first_seen.contains_key(author), first_seen.get(author));
    reports.sort_by_key(|(author, _)| (place(author), *author));
    Ok(reports)
}

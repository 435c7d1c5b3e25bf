//! A league whose memory was damaged, made anew from what is left of it and from what its members had.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use liverysync_core::{
    league::MemberId,
    manifest::Entry,
    union::{Change, Gained, PeerId},
};

use super::{LeagueError, recall};
use crate::{
    ledger::{self, Ledger, RebuildSummary, Sqlite},
    store::{has_blob, lock},
};

/// What came of making a league anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// What was read of the old memory.
    pub salvaged: RebuildSummary,
    /// Number of files that the union has by what its members last reported, because nothing could be read of it.
    pub from_reports: u64,
    /// Number of files that the union has now.
    pub files: u64,
}

/// Makes the memory of a league anew, as [`ledger::rebuild`] does. If nothing can be read of what the names had, they get
/// what the members last reported: who was here first keeps a name, and the others' contents join under conflict names.
///
/// # Errors
///
/// Fails if a server uses the folder, or if it cannot be read or written. It can be tried again then.
pub fn rebuild(data: &Path) -> Result<Rebuilt, LeagueError> {
    let salvaged = ledger::rebuild(data)?;
    let taken = lock::take(data).map_err(|reason| LeagueError::folder(data, reason))?;
    let Some(_lock) = taken else {
        return Err(ledger::LedgerError::Busy { path: data.to_owned() }.into());
    };
    let mut ledger = Sqlite::open(data)?;
    let from_reports = match salvaged.versions {
        0 => remake(&mut ledger, data)?,
        _ => 0,
    };
    let files = recall(&mut ledger)?.len() as u64;
    Ok(Rebuilt { salvaged, from_reports, files })
}

/// Gives a union in which no name has ever had anything what the members reported; returns how many files that are.
fn remake(ledger: &mut Sqlite, data: &Path) -> Result<u64, LeagueError> {
    let mut union = recall(ledger)?;
    let reports = in_order(ledger)?;
    let reported = reports.iter().flat_map(|(_, report)| report);
    let stored: BTreeSet<_> =
        reported.map(|entry| entry.content).filter(|content| has_blob(data, *content)).collect();
    let mut records = union.prove(stored);
    let changes = reports.into_iter().zip(0..).map(|((author, report), arrival)| Change {
        peer: PeerId(arrival),
        arrival,
        author: Some(author),
        whole: true,
        lost: Vec::new(),
        gained: report.into_iter().map(Gained::from).collect(),
    });
    records.extend(union.step(changes.collect()).records);
    ledger.write(&records)?;
    Ok(union.len() as u64)
}

/// What the members reported, by when they were first here.
fn in_order(ledger: &mut Sqlite) -> Result<Vec<(MemberId, Vec<Entry>)>, LeagueError> {
    let members = ledger.members()?.into_iter();
    let first_seen: BTreeMap<_, _> =
        members.map(|member| (member.author, member.first_seen)).collect();
    let mut reports: Vec<_> = ledger.reports()?.into_iter().collect();
    // Who is known by his report alone comes last.
    let place = |author: &MemberId| (!first_seen.contains_key(author), first_seen.get(author));
    reports.sort_by_key(|(author, _)| (place(author), *author));
    Ok(reports)
}

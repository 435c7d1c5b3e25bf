//! The writer of the league database, for a server with a data folder.

use std::{collections::BTreeMap, path::Path};

use liverysync_core::{
    league::{Act, ActError, ActReport, MemberId, Record},
    time::UnixTime,
};

use crate::{
    database::{ActId, Answer, DatabaseError, LeagueDatabase, Sqlite},
    error_chain::with_causes,
};

/// The league database of a server, if it has one.
#[derive(Default)]
pub(super) struct Journal {
    database: Option<Box<dyn LeagueDatabase>>,
    /// Records that could not be written yet, in order.
    unwritten: Vec<Record>,
    unanswered: Vec<Answer>,
    /// The last error, until it is reported.
    error: Option<String>,
    /// Acts that the machine works on: its number for each, and the id in the database.
    acts: Vec<(u64, ActId)>,
    last_act: u64,
}

impl Journal {
    /// Opens the database in the data folder, and reads its records. Without a data folder there is neither.
    pub(super) fn open(data: Option<&Path>) -> Result<(Self, Vec<Record>), DatabaseError> {
        let Some(data) = data else { return Ok((Self::default(), Vec::new())) };
        let mut database = Sqlite::open(data)?;
        let records = database.records()?;
        Ok((Self { database: Some(Box::new(database)), ..Self::default() }, records))
    }

    /// Returns from when each livery is held, by its folded name and its member.
    pub(super) fn held_since(
        &mut self,
    ) -> Result<BTreeMap<(String, Option<MemberId>), UnixTime>, DatabaseError> {
        let Some(database) = &mut self.database else { return Ok(BTreeMap::new()) };
        let since = database.held_since()?.into_iter();
        Ok(since.filter_map(|(of, date)| Some((of, date.parse().ok()?))).collect())
    }

    /// Writes records. If that fails, they are written with the next ones. Meanwhile the league goes on, and should the
    /// server end before, its members bring back most of them.
    pub(super) fn write(&mut self, records: Vec<Record>) {
        self.append(records, None);
    }

    /// Writes the records of an act and its answer in one transaction, so that the administrator gets the answer even
    /// after a crash.
    pub(super) fn acted(
        &mut self,
        number: u64,
        outcome: Result<ActReport, ActError>,
        records: Vec<Record>,
    ) {
        let id = self.acts.iter().find(|(known, _)| *known == number).map(|(_, id)| *id);
        self.append(records, id.map(|id| (id, outcome)));
    }

    fn append(&mut self, records: Vec<Record>, answer: Option<Answer>) {
        if self.database.is_some() {
            self.unwritten.extend(records);
            self.unanswered.extend(answer);
            self.write_pending();
        }
    }

    fn write_pending(&mut self) {
        let Some(database) = &mut self.database else { return };
        if self.unwritten.is_empty() && self.unanswered.is_empty() {
            return;
        }
        match database.commit(&self.unwritten, &self.unanswered) {
            Ok(()) => {
                self.unwritten.clear();
                for (answered, _) in self.unanswered.drain(..) {
                    self.acts.retain(|(_, id)| *id != answered);
                }
            }
            Err(error) => self.error = Some(with_causes(&error)),
        }
    }

    /// Returns new acts of administrators.
    pub(super) fn new_acts(&mut self) -> Vec<(u64, Act)> {
        self.write_pending();
        let Some(database) = &mut self.database else { return Vec::new() };
        let asked = match database.pending() {
            Ok(asked) => asked,
            Err(error) => {
                self.error = Some(with_causes(&error));
                return Vec::new();
            }
        };
        let mut new = Vec::new();
        for (id, act) in asked {
            if self.acts.iter().all(|(_, known)| *known != id) {
                self.last_act += 1;
                self.acts.push((self.last_act, id));
                new.push((self.last_act, act));
            }
        }
        new
    }

    /// Returns the last error once.
    pub(super) fn take_error(&mut self) -> Option<String> {
        self.error.take()
    }
}

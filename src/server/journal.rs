//! Writes the records of a server with a data folder to the league database.

use std::path::Path;

use liverysync_core::league::{Act, ActError, ActReport, Record};

use crate::{
    error_chain::with_causes,
    ledger::{ActId, Answer, Ledger, LedgerError, Sqlite},
};

/// The writer of a server's league database, if it has one.
#[derive(Default)]
pub(super) struct Journal {
    ledger: Option<Box<dyn Ledger>>,
    /// Records that could not be written yet, in order.
    unwritten: Vec<Record>,
    unanswered: Vec<Answer>,
    /// The reason, until it is reported.
    trouble: Option<String>,
    /// Acts that the machine works on, by the numbers that it knows.
    acts: Vec<(u64, ActId)>,
    last_act: u64,
}

impl Journal {
    /// Opens the database in the data folder and reads its records. A server without a data folder has none.
    pub(super) fn open(data: Option<&Path>) -> Result<(Self, Vec<Record>), LedgerError> {
        let Some(data) = data else { return Ok((Self::default(), Vec::new())) };
        let mut ledger = Sqlite::open(data)?;
        let records = ledger.recall()?;
        Ok((Self { ledger: Some(Box::new(ledger)), ..Self::default() }, records))
    }

    /// Writes records. If that fails, they are tried again with the next ones: the league goes on, and its members' reports
    /// restore most of it if the server stops before.
    pub(super) fn write(&mut self, records: Vec<Record>) {
        self.settle(records, None);
    }

    /// Writes the records of an act together with its answer, so that the answer is there after a crash.
    pub(super) fn acted(
        &mut self,
        number: u64,
        outcome: Result<ActReport, ActError>,
        records: Vec<Record>,
    ) {
        let id = self.acts.iter().find(|(known, _)| *known == number).map(|(_, id)| *id);
        self.settle(records, id.map(|id| (id, outcome)));
    }

    fn settle(&mut self, records: Vec<Record>, answer: Option<Answer>) {
        if self.ledger.is_some() {
            self.unwritten.extend(records);
            self.unanswered.extend(answer);
            self.write_the_rest();
        }
    }

    fn write_the_rest(&mut self) {
        let Some(ledger) = &mut self.ledger else { return };
        if self.unwritten.is_empty() && self.unanswered.is_empty() {
            return;
        }
        match ledger.settle(&self.unwritten, &self.unanswered) {
            Ok(()) => {
                self.unwritten.clear();
                for (answered, _) in self.unanswered.drain(..) {
                    self.acts.retain(|(_, id)| *id != answered);
                }
            }
            Err(error) => self.trouble = Some(with_causes(&error)),
        }
    }

    /// Returns the acts that the machine does not work on yet.
    pub(super) fn asked(&mut self) -> Vec<(u64, Act)> {
        self.write_the_rest();
        let Some(ledger) = &mut self.ledger else { return Vec::new() };
        let asked = match ledger.asked() {
            Ok(asked) => asked,
            Err(error) => {
                self.trouble = Some(with_causes(&error));
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

    /// Returns the reason why something could not be written or read, once.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }
}

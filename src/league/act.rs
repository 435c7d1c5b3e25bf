//! What an administrator does: by the server that runs on the data, or without one.

use std::{
    fs::File,
    thread,
    time::{Duration, Instant},
};

use liverysync_core::league::{Act, ActReport};

use super::{League, LeagueError, recall};
use crate::{
    ledger::{ActId, Ledger, Sqlite},
    store::lock,
};

/// How often it is looked for the server's answer.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// What an act has done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acted {
    /// How much it has changed.
    pub report: ActReport,
    /// Whether a server that runs has done it, which tells all who are connected at once.
    pub served: bool,
}

impl League {
    /// Does what an administrator wants. The server that runs on the data does it; where none does, this call.
    ///
    /// Blocks for at most `patience` longer than the work takes.
    ///
    /// # Errors
    ///
    /// Fails with [`LeagueError::Refused`] if it cannot be done, with [`LeagueError::Silent`] if a server runs and does not
    /// answer, and if what the league remembers cannot be read or written. Nothing has changed then.
    pub fn act(&mut self, act: &Act, patience: Duration) -> Result<Acted, LeagueError> {
        match self.take()? {
            Some(_lock) => self.act_alone(act),
            None => self.ask(act, patience),
        }
    }

    /// Takes the data folder; `None` if a server has it.
    fn take(&self) -> Result<Option<File>, LeagueError> {
        lock::take(&self.data).map_err(|reason| LeagueError::folder(&self.data, reason))
    }

    /// The caller has taken the folder.
    fn act_alone(&self, act: &Act) -> Result<Acted, LeagueError> {
        // As a server does it before it writes: this looks at every row.
        let mut ledger = Sqlite::open(&self.data)?;
        let mut union = recall(&mut ledger)?;
        let (report, outcome) = union.act(act)?;
        ledger.write(&outcome.records)?;
        Ok(Acted { report, served: false })
    }

    fn ask(&mut self, act: &Act, patience: Duration) -> Result<Acted, LeagueError> {
        let asked = Instant::now();
        let id = self.ledger.ask(act)?;
        loop {
            if let Some(answer) = self.answer(id)? {
                return answer;
            }
            // The server may have ended meanwhile.
            let lock = self.take()?;
            if lock.is_none() && asked.elapsed() < patience {
                thread::sleep(LOOK_INTERVAL);
                continue;
            }
            let silent = LeagueError::Silent { data: self.data.clone(), after: patience };
            return match (self.ledger.withdraw(id)?, lock) {
                (true, Some(_lock)) => self.act_alone(act),
                (true, None) => Err(silent),
                // It has answered in the last moment.
                (false, _) => self.answer(id)?.unwrap_or(Err(silent)),
            };
        }
    }

    /// What the server has said, if it has.
    fn answer(&mut self, id: ActId) -> Result<Option<Result<Acted, LeagueError>>, LeagueError> {
        let answer = self.ledger.answer_to(id)?;
        let served = |report| Acted { report, served: true };
        Ok(answer.map(|answer| answer.map(served).map_err(LeagueError::from)))
    }
}

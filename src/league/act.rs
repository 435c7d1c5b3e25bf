//! Acts of an admin: the server that runs on the data carries them out, or this process if none runs.

use std::{
    fs::File,
    thread,
    time::{Duration, Instant},
};

use liverysync_core::league::{Act, ActReport};

use super::{League, LeagueError, replay};
use crate::{
    database::{ActId, LeagueDatabase, Sqlite},
    store::{lock, remove_blob},
};

/// Interval at which the server's answer is looked for.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// The result of an act.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Acted {
    /// The extent of the change.
    pub report: ActReport,
    /// True if a running server did it: everybody who is connected gets the change at once.
    pub served: bool,
}

impl League {
    /// Carries out an act. A server that runs on the data does it; otherwise this call does.
    ///
    /// Blocks for at most `patience` longer than the work takes.
    ///
    /// # Errors
    ///
    /// Fails with [`LeagueError::Refused`] if the act is refused, with [`LeagueError::Silent`] if a running server does not
    /// answer, and if the league database cannot be read or written. Nothing has changed then.
    pub fn act(&mut self, act: &Act, patience: Duration) -> Result<Acted, LeagueError> {
        match self.take()? {
            Some(_lock) => self.act_alone(act),
            None => self.ask(act, patience),
        }
    }

    /// Locks the data folder; `None` if a server has it.
    fn take(&self) -> Result<Option<File>, LeagueError> {
        lock::take(&self.data).map_err(|reason| LeagueError::folder(&self.data, reason))
    }

    /// Carries out an act in this process. The caller has locked the folder.
    fn act_alone(&self, act: &Act) -> Result<Acted, LeagueError> {
        // This checks every row before anything is written, as a server does.
        let mut database = Sqlite::open(&self.data)?;
        let mut union = replay(&mut database)?;
        let (report, outcome) = union.act(act)?;
        database.write(&outcome.records)?;
        if matches!(act, Act::Block { .. }) {
            for hash in union.blocked() {
                // Should this fail, the next server removes it at its start.
                let _kept = remove_blob(&self.data, hash);
            }
        }
        Ok(Acted { report, served: false })
    }

    fn ask(&mut self, act: &Act, patience: Duration) -> Result<Acted, LeagueError> {
        let asked = Instant::now();
        let id = self.database.ask(act)?;
        loop {
            if let Some(answer) = self.answer(id)? {
                return answer;
            }
            // The server may have stopped.
            let lock = self.take()?;
            if lock.is_none() && asked.elapsed() < patience {
                thread::sleep(LOOK_INTERVAL);
                continue;
            }
            let silent = LeagueError::Silent { data: self.data.clone(), after: patience };
            return match (self.database.withdraw(id)?, lock) {
                (true, Some(_lock)) => self.act_alone(act),
                (true, None) => Err(silent),
                // The answer came at the last moment.
                (false, _) => self.answer(id)?.unwrap_or(Err(silent)),
            };
        }
    }

    /// Returns the server's answer, if there is one.
    fn answer(&mut self, id: ActId) -> Result<Option<Result<Acted, LeagueError>>, LeagueError> {
        let answer = self.database.answer_to(id)?;
        let served = |report| Acted { report, served: true };
        Ok(answer.map(|answer| answer.map(served).map_err(LeagueError::from)))
    }
}

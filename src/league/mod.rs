//! A league as its administrator has it: the data folder of its server, to look at and to change, whether a server
//! runs on it at that time or not.
//!
//! Everything here waits for the disk, and [`League::act`] for the server too: in async code it belongs on a thread that
//! may block.
//!
//! # Example
//!
//! ```no_run
//! use std::{path::Path, time::Duration};
//!
//! use liverysync::league::{Act, League};
//!
//! # fn main() -> Result<(), liverysync::league::LeagueError> {
//! let mut league = League::open(Path::new("data"))?;
//! let retire = Act::Retire { liveries: vec!["Team".to_owned()], confirmed: false };
//! let acted = league.act(&retire, Duration::from_secs(10))?;
//! println!("{} files are retired", acted.report.retired);
//! # Ok(())
//! # }
//! ```

mod act;
mod rebuild;
mod show;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use liverysync_core::union::Union;

#[doc(no_inline)]
pub use liverysync_core::league::{
    Act, ActError, ActReport, Cause, Conflict, InvalidSetting, LiveryStatus, Setting, Settings,
};

pub use self::{
    act::Acted,
    rebuild::{Rebuilt, rebuild},
    show::{LeagueStatus, PastChange, PastVersion},
};
use crate::{
    ledger::{Ledger, Sqlite},
    store::lock,
};
pub use crate::{
    ledger::{LedgerError, MemberRow, RebuildSummary},
    store::{Verified, VerifySummary, verify_store},
};

/// What a league remembers, and the folder where it does.
#[derive(Debug)]
pub struct League {
    data: PathBuf,
    ledger: Sqlite,
}

impl League {
    /// Opens the data folder of a server, which may be running. If none runs, a database of an older form is brought up
    /// to date.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::attach`].
    pub fn open(data: &Path) -> Result<Self, LeagueError> {
        let ledger = match Sqlite::attach(data) {
            Err(LedgerError::Older { .. }) => {
                let lock = lock::take(data).map_err(|reason| LeagueError::folder(data, reason))?;
                if lock.is_some() {
                    Sqlite::open(data)?;
                }
                Sqlite::attach(data)?
            }
            attached => attached?,
        };
        Ok(Self { data: data.to_owned(), ledger })
    }

    /// The union as it was last written down, with nobody there.
    ///
    /// # Errors
    ///
    /// As [`Ledger::recall`].
    pub fn union(&mut self) -> Result<Union, LeagueError> {
        recall(&mut self.ledger)
    }

    /// Returns the league's settings.
    ///
    /// # Errors
    ///
    /// As [`Ledger::recall`].
    pub fn settings(&mut self) -> Result<Settings, LeagueError> {
        Ok(self.union()?.settings().clone())
    }
}

/// Plays back what the league remembers, its settings included.
fn recall(ledger: &mut Sqlite) -> Result<Union, LeagueError> {
    let records = ledger.recall()?;
    Ok(Union::replay(Settings::default(), &records))
}

/// Why a league cannot be shown or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeagueError {
    /// What it remembers cannot be read or written.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was asked for cannot be done; nothing has changed.
    #[error(transparent)]
    Refused(#[from] ActError),
    /// The server that uses the data did not answer in time. What was asked for is taken back: unless the server had begun with it
    /// and could not write that down, nothing changes.
    #[error(
        "the server that uses {data} has not answered within {seconds} s, so the request was taken back",
        data = .data.display(),
        seconds = .after.as_secs()
    )]
    Silent {
        /// The data folder.
        data: PathBuf,
        /// How long the answer was waited for.
        after: Duration,
    },
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}", path = .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

impl LeagueError {
    fn folder(path: &Path, source: io::Error) -> Self {
        Self::Folder { path: path.to_owned(), source }
    }
}

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
//! use liverysync::{Naming, league::{Act, League}};
//!
//! # fn main() -> Result<(), liverysync::league::LeagueError> {
//! let mut league = League::open(Path::new("data"), Naming::default())?;
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

use liverysync_core::{
    conflict::{Naming, Policy},
    league::Updates,
    union::Union,
};

#[doc(no_inline)]
pub use liverysync_core::league::{Act, ActError, ActReport, Cause, Conflict, LiveryStatus};

pub use self::{
    act::Acted,
    rebuild::{Rebuilt, rebuild},
    show::{LeagueStatus, PastChange, PastVersion},
};
use crate::ledger::{Ledger, Sqlite};
pub use crate::{
    ledger::{LedgerError, MemberRow, RebuildSummary},
    store::{Verified, VerifySummary, verify_store},
};

/// What a league remembers, and the folder where it does.
#[derive(Debug)]
pub struct League {
    data: PathBuf,
    naming: Naming,
    ledger: Sqlite,
}

impl League {
    /// Opens the data folder of a server, which may be running. `naming` is that server's: by it conflict copies are
    /// told from other files.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::attach`].
    pub fn open(data: &Path, naming: Naming) -> Result<Self, LeagueError> {
        Ok(Self { data: data.to_owned(), naming, ledger: Sqlite::attach(data)? })
    }

    /// The union as it was last written down, with nobody there.
    ///
    /// # Errors
    ///
    /// As [`Ledger::recall`].
    pub fn union(&mut self) -> Result<Union, LeagueError> {
        recall(&mut self.ledger, &self.naming)
    }
}

/// Who keeps a name and who may change it counts when a step is taken, and not for what was.
fn recall(ledger: &mut Sqlite, naming: &Naming) -> Result<Union, LeagueError> {
    let records = ledger.recall()?;
    Ok(Union::replay(Policy::default(), naming.clone(), Updates::default(), &records))
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

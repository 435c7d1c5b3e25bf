//! A league as its admin sees it: the data folder of its server, to read and to change, with the server running or not.
//!
//! Everything here blocks on the disk, and [`League::act`] on the server as well: in async code, call it on a thread that
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
mod create;
mod names;
mod rebuild;
mod show;
#[cfg(test)]
mod tests;

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use liverysync_core::{league::MemberId, union::Union};

#[doc(no_inline)]
pub use liverysync_core::league::{
    Act, ActError, ActReport, Cause, Conflict, HoldReason, HoldState, InvalidSetting, LiveryStatus,
    Setting, Settings,
};

pub use self::{
    act::Acted,
    rebuild::{Rebuilt, rebuild},
    show::{DamagedFile, Held, HeldContent, LeagueStatus, PastChange, PastVersion},
};
pub use crate::{
    database::{DatabaseError, MemberRow, RebuildSummary},
    store::{Verified, VerifySummary, verify_store},
};
use crate::{
    database::{LeagueDatabase, Sqlite},
    store::lock,
};

/// A league, opened by its data folder.
#[derive(Debug)]
pub struct League {
    data: PathBuf,
    database: Sqlite,
}

impl League {
    /// Opens the data folder of a server, which may be running. If none runs, a database of an older form is
    /// migrated.
    ///
    /// # Errors
    ///
    /// As [`Sqlite::attach`].
    pub fn open(data: &Path) -> Result<Self, LeagueError> {
        let database = match Sqlite::attach(data) {
            Err(DatabaseError::Older { .. }) => {
                let lock = lock::take(data).map_err(|reason| LeagueError::folder(data, reason))?;
                if lock.is_some() {
                    Sqlite::open(data)?;
                }
                Sqlite::attach(data)?
            }
            attached => attached?,
        };
        Ok(Self { data: data.to_owned(), database })
    }

    /// Returns the union as it was last recorded, with nobody connected.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    pub fn union(&mut self) -> Result<Union, LeagueError> {
        replay(&mut self.database)
    }

    /// Returns the league's settings.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    pub fn settings(&mut self) -> Result<Settings, LeagueError> {
        Ok(self.union()?.settings().clone())
    }
}

/// Replays the league database, settings included.
fn replay(database: &mut Sqlite) -> Result<Union, LeagueError> {
    let records = database.records()?;
    Ok(Union::replay(Settings::default(), &records))
}

/// The reason why a league cannot be shown or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LeagueError {
    /// The league database cannot be read or written.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The act is refused. Nothing has changed.
    #[error(transparent)]
    Refused(#[from] ActError),
    /// The server that uses the data did not answer in time, and the request was withdrawn. Nothing changes, unless the
    /// server had begun the act and could not record it.
    #[error(
        "the server that uses {data} has not answered within {seconds} s, so the request was withdrawn",
        data = .data.display(),
        seconds = .after.as_secs()
    )]
    Silent {
        /// The data folder.
        data: PathBuf,
        /// The time for which the answer was waited for.
        after: Duration,
    },
    /// The data folder already has a league.
    #[error("{data} already has a league", data = .data.display())]
    Exists {
        /// The data folder.
        data: PathBuf,
    },
    /// No member has this name.
    #[error("the league has no member {name:?}")]
    NoMember {
        /// The name.
        name: String,
    },
    /// Several members have this name.
    #[error("several members are called {name:?}")]
    SeveralMembers {
        /// The name.
        name: String,
        /// The members, in order.
        members: Vec<MemberId>,
    },
    /// Members of this name brought several contents to a conflict.
    #[error("{name:?} brought several contents of {path:?}")]
    SeveralContents {
        /// The name in conflict.
        path: String,
        /// The name of the members.
        name: String,
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

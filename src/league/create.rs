//! Creating a league.

use std::path::Path;

use liverysync_core::league::{Record, Setting, Settings};

use super::{League, LeagueError};
use crate::{
    database::{DatabaseError, LeagueDatabase, Sqlite},
    private::make_folder,
    store::lock,
};

impl League {
    /// Creates a league in a data folder, which is made if it does not exist. A league that is there is left alone.
    ///
    /// # Errors
    ///
    /// Fails if the folder already has a league or a server uses it, and if it cannot be read or written.
    pub fn create(data: &Path, settings: &Settings) -> Result<Self, LeagueError> {
        make_folder(data).map_err(|reason| LeagueError::folder(data, reason))?;
        let taken = lock::take(data).map_err(|reason| LeagueError::folder(data, reason))?;
        let Some(_lock) = taken else {
            return Err(DatabaseError::Busy { path: data.to_owned() }.into());
        };
        match Sqlite::attach(data) {
            Err(DatabaseError::Missing { .. }) => {}
            // An older league, a damaged one, or whatever else has that name is nothing to write over.
            _ => return Err(LeagueError::Exists { data: data.to_owned() }),
        }
        let value = |setting| Record::Set { setting, value: settings.value(setting) };
        let records: Vec<_> = Setting::all().map(value).collect();
        Sqlite::open(data)?.write(&records)?;
        Self::open(data)
    }
}

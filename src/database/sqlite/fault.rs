//! Faults of a database, before it is known of which file.

use std::{error::Error, io, path::Path};

use rusqlite::{ErrorCode, ffi};

use crate::database::DatabaseError;

/// The reason why something failed.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error of the database.
    Sql(rusqlite::Error),
    /// An error of the system.
    Io(io::Error),
    /// The file is damaged.
    Damaged(Box<dyn Error + Send + Sync>),
    /// The path rule refuses a recorded name.
    Name { table: &'static str, name: String, reason: String },
    /// A number is too large for the database.
    TooLarge(u64),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Fault {
    /// Returns the error that names the file `path`.
    pub(super) fn at(self, path: &Path) -> DatabaseError {
        let path = path.to_owned();
        match self {
            Self::Sql(error) => told(error, &path),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    DatabaseError::Full { path }
                }
                _ => DatabaseError::Failed { path, source: error },
            },
            Self::Damaged(source) => DatabaseError::Damaged { path, source },
            Self::Name { table, name, reason } => DatabaseError::Name { path, table, name, reason },
            Self::TooLarge(number) => DatabaseError::TooLarge { path, number },
        }
    }
}

/// Returns what an error of the database means for a file with our tables.
fn told(error: rusqlite::Error, path: &Path) -> DatabaseError {
    let path = path.to_owned();
    match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => {
            DatabaseError::Locked { path }
        }
        Some((ErrorCode::DiskFull, _)) => DatabaseError::Full { path },
        Some((ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _)) => {
            DatabaseError::ReadOnly { path }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _))
        | Some((
            _,
            ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_ERROR,
        )) => DatabaseError::Damaged { path, source: error.into() },
        Some(_) => DatabaseError::Failed { path, source: io::Error::other(error) },
        // A value has another type than its column.
        None => DatabaseError::Damaged { path, source: error.into() },
    }
}

//! What can go wrong with a database, before it is known for which file.

use std::{io, path::Path};

use rusqlite::{ErrorCode, ffi};

use crate::ledger::LedgerError;

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The database said so.
    Sql(rusqlite::Error),
    /// The system said so.
    Io(io::Error),
    /// What is there is not what was written.
    Damaged(String),
    /// A name does not pass the path rule any more.
    Name { table: &'static str, name: String, reason: String },
    /// A number that the database has no room for.
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
    /// The same in words for people who look after `path`.
    pub(super) fn at(self, path: &Path) -> LedgerError {
        let path = path.to_owned();
        match self {
            Self::Sql(error) => told(error, &path),
            Self::Io(error) => match error.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                    LedgerError::Full { path }
                }
                _ => LedgerError::Failed { path, source: error },
            },
            Self::Damaged(reason) => LedgerError::Damaged { path, reason },
            Self::Name { table, name, reason } => LedgerError::Name { path, table, name, reason },
            Self::TooLarge(number) => LedgerError::TooLarge { path, number },
        }
    }
}

/// What an error of the database means for a file whose tables were made by us.
fn told(error: rusqlite::Error, path: &Path) -> LedgerError {
    let (path, reason) = (path.to_owned(), error.to_string());
    match error.sqlite_error().map(|error| (error.code, error.extended_code)) {
        Some((ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _)) => {
            LedgerError::Locked { path }
        }
        Some((ErrorCode::DiskFull, _)) => LedgerError::Full { path },
        Some((ErrorCode::ReadOnly | ErrorCode::PermissionDenied, _)) => {
            LedgerError::ReadOnly { path }
        }
        Some((ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase, _))
        | Some((
            _,
            ffi::SQLITE_IOERR_SHORT_READ | ffi::SQLITE_IOERR_CORRUPTFS | ffi::SQLITE_ERROR,
        )) => LedgerError::Damaged { path, reason },
        Some(_) => LedgerError::Failed { path, source: io::Error::other(error) },
        // A value that is not of its column's kind.
        None => LedgerError::Damaged { path, reason },
    }
}

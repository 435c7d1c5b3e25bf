//! The league database: a server writes down what happens to its union, and replays it after a restart.
//!
//! A [`LeagueDatabase`] keeps [`Record`]s in order and decides nothing. [`Sqlite`] is the only one; `docs/league.md` describes
//! its file.

mod sqlite;

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use liverysync_core::{
    league::{Act, ActError, ActReport, MemberId, Record},
    manifest::Entry,
};
use serde::Serialize;

pub use self::sqlite::{RebuildSummary, Sqlite, rebuild};

/// Keeps the records of one league.
///
/// Only the server writes records. A second program, such as an admin's command line, may read at the same time, and may
/// ask the server for acts.
pub trait LeagueDatabase: Send {
    /// Returns the records to replay for the same union with the same history: the settings; then what was placed, retired
    /// and declined, in the order in which it was written; then what was verified, owned, banned, blocked, seen and held, each as it
    /// was written last. [`Record::Forgotten`] has been applied, and [`LeagueDatabase::reports`] returns what was
    /// [reported](Record::Reported).
    ///
    /// Names of every extension come back, also of those that the league no longer distributes.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged, and with [`DatabaseError::Name`] if today's path rule refuses a
    /// recorded name.
    fn records(&mut self) -> Result<Vec<Record>, DatabaseError>;

    /// Writes records, dated now, and the answers to acts: all of them or, if it fails, none. So an act is answered if and
    /// only if its effect is recorded.
    ///
    /// Once this returns, they survive the end of the process. A power cut may undo the last calls, newest first and each as
    /// a whole.
    ///
    /// An act that was withdrawn or has an answer is left alone. Answers much older than the new ones are removed.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged, and if a number is above 2^63 - 1.
    fn commit(&mut self, records: &[Record], answers: &[Answer]) -> Result<(), DatabaseError>;

    /// Writes records.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::commit`].
    fn write(&mut self, records: &[Record]) -> Result<(), DatabaseError> {
        self.commit(records, &[])
    }

    /// Returns every member who was ever connected, in the order of their [`MemberId`]s.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn members(&mut self) -> Result<Vec<MemberRow>, DatabaseError>;

    /// Returns the last report of each member, in no particular order.
    ///
    /// # Errors
    ///
    /// As [`LeagueDatabase::records`].
    fn reports(&mut self) -> Result<BTreeMap<MemberId, Vec<Entry>>, DatabaseError>;

    /// Returns the date of each step, as in [`MemberRow::first_seen`].
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn dates(&mut self) -> Result<BTreeMap<u64, String>, DatabaseError>;

    /// Returns from when each livery is held, by its folded name and its member, as in [`MemberRow::first_seen`].
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn held_since(&mut self) -> Result<HeldSince, DatabaseError>;

    /// Asks the server that writes this database for an act.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged.
    fn ask(&mut self, act: &Act) -> Result<ActId, DatabaseError>;

    /// Returns the acts without an answer, in the order in which they were asked for. Cheap enough to call every second.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn pending(&mut self) -> Result<Vec<(ActId, Act)>, DatabaseError>;

    /// Returns the answer to an act; `None` before there is one, and after it was removed.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn answer_to(
        &mut self,
        id: ActId,
    ) -> Result<Option<Result<ActReport, ActError>>, DatabaseError>;

    /// Withdraws an act that has no answer. Returns false if it has one: the server was faster.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged.
    fn withdraw(&mut self, id: ActId) -> Result<bool, DatabaseError>;
}

/// The number of an act that was asked for. Numbers are never reused in one database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId(i64);

/// The dates from which liveries are held, by folded name and member.
pub type HeldSince = BTreeMap<(String, Option<MemberId>), String>;

/// The answer to an act: its report, or the reason why it was refused.
pub type Answer = (ActId, Result<ActReport, ActError>);

/// A member as the database knows them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberRow {
    /// The member.
    pub member: MemberId,
    /// The last name that they used.
    pub name: String,
    /// The date of their first connection, in UTC and to the second: `2026-03-09T18:30:00Z`.
    pub first_seen: String,
    /// The date of their last connection, in the same form.
    pub last_seen: String,
    /// Number of files in their last report.
    pub files: u64,
    /// Sum of their sizes; beyond 2^53 it is rounded.
    pub bytes: u64,
    /// Set if they may not connect.
    pub banned: bool,
}

/// The reason why the league database cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The database does not exist yet.
    #[error(
        "there is no league in {folder}: {path} is missing",
        path = .path.display(),
        folder = folder(.path).display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the league database {path} is damaged",
        path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The damage.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A newer program wrote it.
    #[error(
        "a newer program wrote the league database {path}: it has form {found}, and this program knows forms up to {known}",
        path = .path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The newest form that this program knows.
        known: u32,
    },
    /// An older server wrote it and may still use it.
    #[error(
        "an older server uses the league database {path}: it has form {found}, and this program works with form {known}",
        path = .path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its form.
        found: u32,
        /// The form that this program works with.
        known: u32,
    },
    /// Today's path rule refuses a recorded name.
    #[error(
        "the league database {path} has a name in {table} that cannot be used, {name:?}: {reason}",
        path = .path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The name.
        name: String,
        /// The reason.
        reason: String,
    },
    /// Another program keeps it locked.
    #[error(
        "another program keeps the league database {path} locked",
        path = .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A server uses the folder. Stop it first.
    #[error("a liverysync server uses {path}", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// The disk is full.
    #[error(
        "the disk has no room for the league database {path}; nothing was written",
        path = .path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// The file is read-only.
    #[error(
        "the league database {path} is read-only",
        path = .path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A number is too large for the database.
    #[error(
        "the league database {path} cannot hold {number}: numbers end at 2^63 - 1; nothing was written",
        path = .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The number.
        number: u64,
    },
    /// Anything else.
    #[error("cannot use the league database {path}", path = .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The error of the system or the database.
        source: io::Error,
    },
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

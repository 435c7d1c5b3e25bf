//! The league's memory on disk: where a server writes down what happens to its union, and from where
//! it plays that back after a restart.
//!
//! A [`Ledger`] keeps [`Record`]s and decides nothing. [`Sqlite`] is the one that there is; `docs/league.md`
//! describes its file. Whatever keeps the order of the records could take its place.

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

/// Keeps the memory of one league.
///
/// Only the server writes records. A second program, such as an administrator's command line, may read
/// meanwhile, and ask the server for acts.
pub trait Ledger: Send {
    /// What to play back for the same union with the same history: what was placed, retired and turned down,
    /// in the order in which that was written, then what was proven, owned and seen, each as it was written last.
    /// [`Record::Forgotten`] has been applied, and [`Record::Reported`] is left to [`Ledger::reports`].
    ///
    /// Names come back whatever their extension is; whether it still travels is for others to decide.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged, and with [`LedgerError::Name`] if a recorded name
    /// is none under today's path rule.
    fn recall(&mut self) -> Result<Vec<Record>, LedgerError>;

    /// Writes records down, dated now, and what came of acts: all of them or, if it fails, nothing. So an act is answered if and
    /// only if what it did is written down.
    ///
    /// Once it returns they outlive the process, however that ends. A power cut may take the last ones
    /// away again, newest first and each call's as a whole.
    ///
    /// Nothing happens to an act that was withdrawn or has an answer. Answers much older than a new one go.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged, and if a number is above 2^63 - 1.
    fn settle(&mut self, records: &[Record], answers: &[Answer]) -> Result<(), LedgerError>;

    /// Writes records down.
    ///
    /// # Errors
    ///
    /// As [`Ledger::settle`].
    fn write(&mut self, records: &[Record]) -> Result<(), LedgerError> {
        self.settle(records, &[])
    }

    /// Who has been here, in the order of their [`MemberId`]s.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn members(&mut self) -> Result<Vec<MemberRow>, LedgerError>;

    /// What each member last reported to hold, in no particular order.
    ///
    /// # Errors
    ///
    /// As [`Ledger::recall`].
    fn reports(&mut self) -> Result<BTreeMap<MemberId, Vec<Entry>>, LedgerError>;

    /// When each step was written down, as in [`MemberRow::first_seen`].
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn dates(&mut self) -> Result<BTreeMap<u64, String>, LedgerError>;

    /// Asks the server that writes this ledger for an act.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged.
    fn ask(&mut self, act: &Act) -> Result<ActId, LedgerError>;

    /// Acts without an answer, in the order in which they were asked for. It costs so little that it may be
    /// called every second.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn asked(&mut self) -> Result<Vec<(ActId, Act)>, LedgerError>;

    /// What came of an act; `None` while it has no answer, and once that is gone.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read or is damaged.
    fn answer_to(&mut self, id: ActId) -> Result<Option<Result<ActReport, ActError>>, LedgerError>;

    /// Takes back an act that has no answer. Returns whether it could: if not, the server was faster.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written or is damaged.
    fn withdraw(&mut self, id: ActId) -> Result<bool, LedgerError>;
}

/// An act that was asked for. No other act of the same ledger ever has the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActId(i64);

/// The answer to an act: its report, or the reason why it was refused.
pub type Answer = (ActId, Result<ActReport, ActError>);

/// A member as the ledger knows him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberRow {
    /// Who.
    pub author: MemberId,
    /// How he called himself last.
    pub name: String,
    /// When he was first here, in UTC and to the second: `2026-03-09T18:30:00Z`.
    pub first_seen: String,
    /// When he was last here, in the same form.
    pub last_seen: String,
    /// Number of files that he last reported.
    pub files: u64,
    /// Sum of their sizes; beyond 2^53 it is rounded.
    pub bytes: u64,
}

/// Why the league's memory cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// There is none yet.
    #[error(
        "there is no league in {folder}: {path} is missing; start `liverysync server --data {folder}` once",
        path = .path.display(),
        folder = folder(.path).display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error(
        "the league's memory {path} is damaged: {reason}; the files in the store beside it are still there: stop the \
         server and run `liverysync league rebuild`, which keeps the damaged file and makes the union anew",
        path = .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer program has written it.
    #[error(
        "the league's memory {path} has form {found}, and this program knows forms up to {known}: a newer liverysync \
         wrote it; use that one",
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
    /// An older server has written it, and may still use it.
    #[error(
        "the league's memory {path} has form {found}, and this program works with form {known}; start the new \
         server once, which brings it up to date",
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
    /// A recorded name is none any more.
    #[error(
        "the league's memory {path} has the name {name:?} in {table}, which this program refuses: {reason}; stop the \
         server and run `liverysync league rebuild`, which keeps the old file and goes on without that name",
        path = .path.display()
    )]
    Name {
        /// The file.
        path: PathBuf,
        /// The table.
        table: &'static str,
        /// The name.
        name: String,
        /// Why it is none.
        reason: String,
    },
    /// Another program has been writing it for longer than one waits.
    #[error(
        "another program keeps the league's memory {path} locked; close whatever has it open and try again",
        path = .path.display()
    )]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A server uses the folder, which must be stopped before.
    #[error("a liverysync server uses {path}; stop it and try again", path = .path.display())]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// There is no room.
    #[error(
        "no room on the disk for the league's memory {path}; nothing was written: make room and try again",
        path = .path.display()
    )]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// It may not be written.
    #[error(
        "the league's memory {path} is read-only; let this user write the file and its folder",
        path = .path.display()
    )]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A number does not fit.
    #[error(
        "the league's memory {path} takes no number above 2^63 - 1, and was given {number}; nothing was written",
        path = .path.display()
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The number.
        number: u64,
    },
    /// Something else failed.
    #[error("cannot use the league's memory {path}", path = .path.display())]
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

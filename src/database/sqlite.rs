//! The league database in one SQLite file, which any tool can read.
//!
//! The file is in WAL mode, so a reader never waits for a writer. The system flushes transactions in its own time: a killed
//! process loses nothing, a power cut may lose the newest transactions, and their order is kept in both cases.

mod fault;
mod form;
mod rebuild;
mod record;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use liverysync_core::{
    hash::ContentHash,
    league::{Act, ActError, ActReport, MemberId, Record},
    manifest::Entry,
};
use rusqlite::{
    Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior, params,
    types::Value,
};

pub use self::rebuild::{RebuildSummary, rebuild};
use self::{
    fault::Fault,
    form::{Form, STEPS},
    record::Reader,
    table::{Row, Table, integer},
};
use super::{ActId, Answer, DatabaseError, HeldSince, LeagueDatabase, MemberRow};
use crate::{private::close_to_others, store::flush_folder};

/// Name of the file in a server's data folder.
const NAME: &str = "league.db";

/// The longest wait for another program that is writing.
const PATIENCE: Duration = Duration::from_secs(5);

/// Number of answers that are kept.
const ANSWERS_MAX: i64 = 100;

/// Today's date in the form of the database.
const NOW: &str = "SELECT strftime('%Y-%m-%dT%H:%M:%SZ')";

/// The league database in the file `league.db`.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    connection: Connection,
}

impl Sqlite {
    /// Opens the database for the server that owns the data folder. Creates a missing one and migrates one of an older
    /// form.
    ///
    /// Reads the whole file, so that damage shows now and not in the middle of a race.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be created, read or written, is damaged, or comes from a newer program.
    pub fn open(data: &Path) -> Result<Self, DatabaseError> {
        let path = data.join(NAME);
        let connection = open(&path, STEPS).map_err(|refusal| refusal.at(&path))?;
        Ok(Self { path, connection })
    }

    /// Opens the database beside a server that may be running, to read it and to ask for acts.
    ///
    /// # Errors
    ///
    /// Fails if there is none, if it cannot be read or written, has another form than this program's, or is plainly
    /// damaged. Other damage shows when it is read.
    pub fn attach(data: &Path) -> Result<Self, DatabaseError> {
        let path = data.join(NAME);
        let connection = attach(&path, STEPS).map_err(|refusal| refusal.at(&path))?;
        Ok(Self { path, connection })
    }

    /// Uses the database. Errors name the file.
    fn with<T>(
        &mut self,
        what: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, DatabaseError> {
        what(&mut self.connection).map_err(|fault| fault.at(&self.path))
    }

    /// Runs a transaction.
    fn change<T>(
        &mut self,
        what: impl FnOnce(&Transaction<'_>) -> Result<T, Fault>,
    ) -> Result<T, DatabaseError> {
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = what(&transaction)?;
            transaction.commit()?;
            Ok(done)
        })
    }
}

/// The reason why a file is not opened.
#[derive(Debug)]
enum Refusal {
    Fault(Fault),
    Missing,
    Newer { found: u32, known: u32 },
    Older { found: u32, known: u32 },
}

impl<T: Into<Fault>> From<T> for Refusal {
    fn from(fault: T) -> Self {
        Self::Fault(fault.into())
    }
}

impl Refusal {
    fn at(self, path: &Path) -> DatabaseError {
        let file = path.to_owned();
        match self {
            Self::Fault(fault) => fault.at(path),
            Self::Missing => DatabaseError::Missing { path: file },
            Self::Newer { found, known } => DatabaseError::Newer { path: file, found, known },
            Self::Older { found, known } => DatabaseError::Older { path: file, found, known },
        }
    }
}

fn open(path: &Path, steps: &[&str]) -> Result<Connection, Refusal> {
    if !path.try_exists()? {
        let new = beside(path, ".new");
        finish(create(&new, steps)?, &new)?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), flush_folder)?;
    }
    close_to_others(path);
    let (mut connection, form) = look(path, steps)?;
    form::check(&connection, form, steps)?;
    form::migrate(&mut connection, form, steps)?;
    form::check_rows(&mut connection)?;
    Ok(connection)
}

fn attach(path: &Path, steps: &[&str]) -> Result<Connection, Refusal> {
    if !path.try_exists()? {
        return Err(Refusal::Missing);
    }
    let (connection, form) = look(path, steps)?;
    match form == steps.len() {
        true => Ok(connection),
        false => Err(Refusal::Older { found: form as u32, known: steps.len() as u32 }),
    }
}

/// Creates an empty database. It gets its name once it is [complete](finish), so that an empty file is always a damaged
/// one.
fn create(new: &Path, steps: &[&str]) -> Result<Connection, Fault> {
    if new.try_exists()? {
        fs::remove_file(new)?;
    }
    let mut connection = Connection::open(new)?;
    close_to_others(new);
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    form::make(&mut connection, steps)?;
    Ok(connection)
}

/// Closes and flushes a new file.
fn finish(connection: Connection, new: &Path) -> Result<(), Fault> {
    connection.close().map_err(|(_, error)| error)?;
    Ok(fs::File::options().write(true).open(new)?.sync_all()?)
}

/// Opens an existing file. Returns its form, too.
fn look(path: &Path, steps: &[&str]) -> Result<(Connection, usize), Refusal> {
    form::check_header(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // What was reported is durable: with NORMAL, a power cut may take back the last commits.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    match form::form(&connection, steps)? {
        Form::Known(form) => Ok((connection, form)),
        Form::Newer(found) => Err(Refusal::Newer { found, known: steps.len() as u32 }),
    }
}

impl LeagueDatabase for Sqlite {
    fn records(&mut self) -> Result<Vec<Record>, DatabaseError> {
        self.with(|connection| {
            // One transaction, so that all tables are from the same moment.
            let transaction = connection.transaction()?;
            Reader::default().records(&transaction)
        })
    }

    fn commit(&mut self, records: &[Record], answers: &[Answer]) -> Result<(), DatabaseError> {
        self.change(|transaction| {
            let now: String = transaction.query_row(NOW, [], |row| row.get(0))?;
            records.iter().try_for_each(|record| record::write(transaction, &now, record))?;
            answers.iter().try_for_each(|answer| write_answer(transaction, answer))
        })
    }

    fn members(&mut self) -> Result<Vec<MemberRow>, DatabaseError> {
        self.with(|connection| {
            let transaction = connection.transaction()?;
            let mut members = BTreeMap::new();
            Table::Members.each(&transaction, |row| {
                let member = member(&transaction, row)?;
                members.insert(member.member, member);
                Ok(())
            })?;
            Table::Merges.each(&transaction, |row| {
                merge(&mut members, row.parse(0)?, row.parse(1)?);
                Ok(())
            })?;
            Table::Bans.each(&transaction, |row| {
                let banned = members.get_mut(&row.parse::<MemberId>(0)?);
                banned.into_iter().for_each(|member| member.banned = true);
                Ok(())
            })?;
            Ok(members.into_values().collect())
        })
    }

    fn reports(&mut self) -> Result<BTreeMap<MemberId, Vec<Entry>>, DatabaseError> {
        self.with(|connection| {
            let mut reports: BTreeMap<_, Vec<_>> = BTreeMap::new();
            let mut reader = Reader::default();
            Table::Reports.each(connection, |row| {
                let (author, entry) = reader.report(row)?;
                reports.entry(author).or_default().push(entry);
                Ok(())
            })?;
            Ok(reports)
        })
    }

    fn dates(&mut self) -> Result<BTreeMap<u64, String>, DatabaseError> {
        self.with(|connection| {
            let mut dates = BTreeMap::new();
            Table::Versions.each(connection, |row| {
                dates.insert(row.unsigned(1)?, row.text(7)?.to_owned());
                Ok(())
            })?;
            Ok(dates)
        })
    }

    fn held_since(&mut self) -> Result<HeldSince, DatabaseError> {
        self.with(|connection| {
            let (mut since, mut reader) = (HeldSince::new(), Reader::default());
            Table::Held.each(connection, |row| {
                let (of, date) = reader.held_since(row)?;
                let first = since.entry(of).or_insert_with(|| date.clone());
                *first = date.min(first.clone());
                Ok(())
            })?;
            Ok(since)
        })
    }

    fn ask(&mut self, act: &Act) -> Result<ActId, DatabaseError> {
        self.change(|transaction| {
            let act = serde_json::to_string(act).map_err(std::io::Error::from)?;
            let checksum = ContentHash::of(act.as_bytes()).short();
            let sql = format!("INSERT INTO acts (asked_at, act, checksum) VALUES (({NOW}), ?, ?)");
            transaction.execute(&sql, params![act, checksum])?;
            Ok(ActId(transaction.last_insert_rowid()))
        })
    }

    fn pending(&mut self) -> Result<Vec<(ActId, Act)>, DatabaseError> {
        let mut asked = Vec::new();
        for (id, act) in self.with(|connection| unanswered(connection))? {
            match act {
                Some(act) => asked.push((id, act)),
                None => self.commit(&[], &[(id, Err(ActError::Unsupported))])?,
            }
        }
        Ok(asked)
    }

    fn answer_to(
        &mut self,
        id: ActId,
    ) -> Result<Option<Result<ActReport, ActError>>, DatabaseError> {
        self.with(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT placed, retired, refused FROM acts
                 WHERE number = ? AND answered_at IS NOT NULL",
            )?;
            let answer = statement.query_row([id.0], |row| {
                Ok(match row.get::<_, Option<String>>(2)? {
                    Some(stored) => Err(refusal(&stored)),
                    None => Ok(ActReport::new(count(row, 0)?, count(row, 1)?)),
                })
            });
            Ok(answer.optional()?)
        })
    }

    fn withdraw(&mut self, id: ActId) -> Result<bool, DatabaseError> {
        self.change(|transaction| {
            let sql = "DELETE FROM acts WHERE number = ? AND answered_at IS NULL";
            Ok(transaction.execute(sql, [id.0])? == 1)
        })
    }
}

fn write_answer(transaction: &Connection, (id, answer): &Answer) -> Result<(), Fault> {
    let (placed, retired, refused) = match answer {
        Ok(ActReport { placed, retired, .. }) => {
            (integer(*placed as u64)?, integer(*retired as u64)?, None)
        }
        Err(error) => {
            let stored = serde_json::to_string(error).map_err(io::Error::from)?;
            (Value::Null, Value::Null, Some(stored))
        }
    };
    let sql = format!(
        "UPDATE acts SET answered_at = ({NOW}), placed = ?, retired = ?, refused = ?
         WHERE number = ? AND answered_at IS NULL"
    );
    transaction.execute(&sql, params![placed, retired, refused, id.0])?;
    let old = "DELETE FROM acts WHERE answered_at IS NOT NULL AND number <= ?";
    transaction.execute(old, [id.0 - ANSWERS_MAX])?;
    Ok(())
}

/// Reads the reason of a refusal. An earlier server wrote plain text, and a later one may know other reasons.
fn refusal(stored: &str) -> ActError {
    serde_json::from_str(stored).unwrap_or(ActError::Unsupported)
}

/// Reads a member with the size of their last report.
fn member(connection: &Connection, row: &Row) -> Result<MemberRow, Fault> {
    let author = row.text(0)?;
    let (files, bytes) = connection
        .prepare_cached(
            "SELECT count(*), CAST(total(size) AS INTEGER) FROM reports WHERE author = ?",
        )?
        .query_row([author], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    Ok(MemberRow {
        member: row.parse(0)?,
        name: row.text(1)?.to_owned(),
        first_seen: row.text(2)?.to_owned(),
        last_seen: row.text(3)?.to_owned(),
        files: files.unsigned_abs(),
        bytes: bytes.unsigned_abs(),
        banned: false,
    })
}

/// Leaves out a member who is another one now. Both of them are the driver who was first seen then.
fn merge(members: &mut BTreeMap<MemberId, MemberRow>, former: MemberId, member: MemberId) {
    let Some(former) = members.remove(&former) else { return };
    match members.get_mut(&member) {
        Some(member) => member.first_seen = former.first_seen.min(member.first_seen.clone()),
        None => {
            members.insert(member, MemberRow { member, files: 0, bytes: 0, ..former });
        }
    }
}

/// Reads the acts without an answer; `None` for one that cannot be read.
fn unanswered(connection: &Connection) -> Result<Vec<(ActId, Option<Act>)>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT number, act, checksum FROM acts WHERE answered_at IS NULL ORDER BY number",
    )?;
    let acts = statement.query_map([], |row| {
        let (act, written): (Value, Value) = (row.get(1)?, row.get(2)?);
        let act = match (&act, written) {
            (Value::Text(act), Value::Text(written))
                if ContentHash::of(act.as_bytes()).short() == written =>
            {
                serde_json::from_str(act).ok()
            }
            _ => None,
        };
        Ok((ActId(row.get(0)?), act))
    })?;
    Ok(acts.collect::<Result<_, _>>()?)
}

fn count(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<usize> {
    Ok(usize::try_from(row.get::<_, i64>(at)?).unwrap_or_default())
}

/// Returns the path of a file that belongs to another one.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

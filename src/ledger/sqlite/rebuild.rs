//! What to do with a file that is damaged: nothing of it goes, and what can still be read is written anew.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use rusqlite::{Connection, Params};

use super::{
    NAME, beside, create,
    fault::Fault,
    finish,
    form::{self, Form, STEPS},
    record::Reader,
    table::{Row, Table},
};
use crate::{ledger::LedgerError, store::lock};

/// What SQLite keeps beside a file while it is in use.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// No row takes fewer bytes of a file.
const ROW_BYTES_MIN: u64 = 16;

/// What came of a rebuild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildSummary {
    /// Where the old file lies now, and what belonged to it. Nothing if there was none.
    pub set_aside: Vec<PathBuf>,
    /// Whether all of the old file could be read. If not, what is missing is the same for the ledger as if it had
    /// never been written.
    pub whole: bool,
    /// Number of rows about contents of names.
    pub versions: u64,
    /// Number of contents that are known to exist.
    pub proven: u64,
    /// Number of rows about owners.
    pub owners: u64,
    /// Number of members.
    pub members: u64,
    /// Number of files in the members' reports.
    pub reports: u64,
    /// Number of rows about settings, former values included.
    pub settings: u64,
}

/// Makes the ledger in a server's data folder anew from what can be read of it, which may be nothing. The old file
/// is kept beside it as `league.db.damaged-DATE`, and the contents in the store are not touched. Acts that wait are
/// forgotten.
///
/// # Errors
///
/// Fails if a server uses the folder, or if it cannot be read or written; the ledger is as before then.
pub fn rebuild(data: &Path) -> Result<RebuildSummary, LedgerError> {
    let path = data.join(NAME);
    let _lock = take(data)?;
    make_anew(&path).map_err(|fault| fault.at(&path))
}

/// Takes the store's lock: a server must not write into a file that is set aside.
fn take(data: &Path) -> Result<File, LedgerError> {
    let path = || data.to_owned();
    let lock = lock::take(data).map_err(|source| LedgerError::Failed { path: path(), source })?;
    lock.ok_or_else(|| LedgerError::Busy { path: path() })
}

fn make_anew(path: &Path) -> Result<RebuildSummary, Fault> {
    let new = beside(path, ".new");
    let mut connection = create(&new, STEPS)?;
    let mut summary = refill(&mut connection, path)?;
    finish(connection, &new)?;
    summary.set_aside = set_aside(path)?;
    fs::rename(&new, path)?;
    Ok(summary)
}

/// Writes into a new ledger what can be read of an old one.
fn refill(new: &mut Connection, old: &Path) -> Result<RebuildSummary, Fault> {
    // Opening a file may change it, so that is done to a copy.
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join(NAME);
    let bytes = copy_if_there(old, &copy)?.unwrap_or_default();
    copy_if_there(&beside(old, "-wal"), &beside(&copy, "-wal"))?;

    let mut summary = RebuildSummary { whole: true, ..RebuildSummary::default() };
    if !old.try_exists()? {
        return Ok(summary);
    }
    let transaction = new.transaction()?;
    let old = open_damaged(&copy);
    summary.whole = old.as_ref().is_ok_and(is_sound);
    for table in Table::ALL {
        let mut salvage = Salvage::new(table, bytes / ROW_BYTES_MIN);
        match &old {
            Ok(old) => salvage.read(old),
            Err(_) => salvage.whole = false,
        }
        summary.whole &= salvage.whole;
        *summary.rows(table) = salvage.rows.len() as u64;
        for row in salvage.rows.values() {
            table.put(&transaction, &row.values)?;
        }
    }
    transaction.commit()?;
    Ok(summary)
}

impl RebuildSummary {
    const fn rows(&mut self, table: Table) -> &mut u64 {
        match table {
            Table::Versions => &mut self.versions,
            Table::Proven => &mut self.proven,
            Table::Owners => &mut self.owners,
            Table::Members => &mut self.members,
            Table::Reports => &mut self.reports,
            Table::Settings => &mut self.settings,
        }
    }
}

fn open_damaged(path: &Path) -> Result<Connection, Fault> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // Only so it reads a file that is shorter than it should be.
    connection.pragma_update(None, "writable_schema", true)?;
    if let Ok(Form::Known(form)) = form::form(&connection, STEPS) {
        // Where that fails too, its tables are read as they are.
        let _damaged = form::migrate(&mut connection, form, STEPS);
    }
    // One for all that is read: each by itself would look at the file's locks again.
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

/// Whether nothing can be missing from what its tables give.
fn is_sound(old: &Connection) -> bool {
    form::check(old, STEPS.len(), STEPS).is_ok()
}

/// What can be read of one table, by the rows' numbers.
struct Salvage {
    table: Table,
    reader: Reader,
    rows: BTreeMap<i64, Row>,
    /// More rows than this no file of its size has.
    rows_max: usize,
    whole: bool,
}

impl Salvage {
    fn new(table: Table, rows_max: u64) -> Self {
        let rows_max = usize::try_from(rows_max).unwrap_or(usize::MAX);
        let (reader, rows) = (Reader::default(), BTreeMap::new());
        Self { table, reader, rows, rows_max, whole: true }
    }

    /// Reads from the first row until something is broken, then from the last one, then each in between.
    fn read(&mut self, old: &Connection) {
        if self.scan(old, "ORDER BY number", []).is_ok() {
            return;
        }
        self.whole = false;
        let from = self.rows.last_key_value().map_or(0, |(number, _)| *number);
        // Each of these reads what it can.
        let _broken = self.scan(old, "WHERE number > ? ORDER BY number DESC", [from]);
        let to = self.rows.range(from.saturating_add(1)..).next().map(|(number, _)| *number);
        for number in (from.saturating_add(1)..to.unwrap_or(i64::MAX)).take(self.rows_max) {
            let _broken = self.scan(old, "WHERE number = ?", [number]);
        }
    }

    fn scan(&mut self, old: &Connection, which: &str, from: impl Params) -> Result<(), Fault> {
        let mut statement = self.table.select(old, which)?;
        let mut rows = statement.query(from)?;
        let mut left = self.rows_max;
        while let Some(row) = rows.next()? {
            match Row::read(self.table, row) {
                Ok(row) if self.reader.understands(&row) => {
                    self.rows.insert(row.number, row);
                }
                _ => self.whole = false,
            }
            left = left.checked_sub(1).ok_or_else(|| Fault::Damaged("it is a maze".to_owned()))?;
        }
        Ok(())
    }
}

/// Gives a file and what belongs to it another name. It keeps its own too until another file takes that.
fn set_aside(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let aside = free_name(path)?;
    let mut names = Vec::new();
    if path.try_exists()? {
        // Not every file system has links.
        fs::hard_link(path, &aside).or_else(|_| fs::copy(path, &aside).map(drop))?;
        names.push(aside.clone());
    }
    for ending in COMPANIONS {
        let (from, to) = (beside(path, ending), beside(&aside, ending));
        if from.try_exists()? {
            fs::rename(from, &to)?;
            names.push(to);
        }
    }
    Ok(names)
}

/// A name with today's date that nothing has.
fn free_name(path: &Path) -> Result<PathBuf, Fault> {
    let now: String = Connection::open_in_memory()?.query_row(
        "SELECT strftime('.damaged-%Y%m%d_%H%M%S')",
        [],
        |row| row.get(0),
    )?;
    let mut name = beside(path, &now);
    for number in 2.. {
        let mut taken = false;
        for ending in ["", COMPANIONS[0], COMPANIONS[1]] {
            taken |= beside(&name, ending).try_exists()?;
        }
        if !taken {
            break;
        }
        name = beside(path, &format!("{now}-{number}"));
    }
    Ok(name)
}

/// Copies a file and returns its length; `None` if it is not there.
fn copy_if_there(from: &Path, to: &Path) -> Result<Option<u64>, Fault> {
    match fs::copy(from, to) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

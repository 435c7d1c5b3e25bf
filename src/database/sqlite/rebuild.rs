//! Rebuilding a damaged database: the old file is kept, and everything that can still be read goes into a new one.

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
use crate::{database::DatabaseError, store::lock};

/// Endings of the files that SQLite keeps beside a database in use.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Fewest bytes that a row takes.
const ROW_BYTES_MIN: u64 = 16;

/// The result of a rebuild.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildSummary {
    /// The old file and its companions, under their new names. Empty if there was no file.
    pub set_aside: Vec<PathBuf>,
    /// True if all of the old file could be read. Otherwise the missing rows count as never written.
    pub whole: bool,
    /// Number of rows about contents of names.
    pub versions: u64,
    /// Number of contents that were verified.
    pub verified: u64,
    /// Number of rows about owners.
    pub owners: u64,
    /// Number of members.
    pub members: u64,
    /// Number of files in the members' reports.
    pub reports: u64,
    /// Number of rows about settings, former values included.
    pub settings: u64,
    /// Number of members who were merged into others.
    pub merges: u64,
    /// Number of files that are held.
    pub held: u64,
    /// Number of banned members.
    pub bans: u64,
    /// Number of blocked contents.
    pub blocks: u64,
    /// Number of contents of which it is known what their bytes tell.
    pub inspections: u64,
}

/// Rebuilds the database in a server's data folder from everything that can be read of it, which may be nothing. The old
/// file is kept beside it as `league.db.damaged-DATE`, and the store is not touched. Acts without an answer are dropped.
///
/// # Errors
///
/// Fails if a server uses the folder, or if it cannot be read or written; the database is unchanged then.
pub fn rebuild(data: &Path) -> Result<RebuildSummary, DatabaseError> {
    let path = data.join(NAME);
    let _lock = take(data)?;
    replace(&path).map_err(|fault| fault.at(&path))
}

/// Locks the store: a server must not write into a file that is being replaced.
fn take(data: &Path) -> Result<File, DatabaseError> {
    let path = || data.to_owned();
    let lock = lock::take(data).map_err(|source| DatabaseError::Failed { path: path(), source })?;
    lock.ok_or_else(|| DatabaseError::Busy { path: path() })
}

fn replace(path: &Path) -> Result<RebuildSummary, Fault> {
    let new = beside(path, ".new");
    let mut connection = create(&new, STEPS)?;
    let mut summary = refill(&mut connection, path)?;
    finish(connection, &new)?;
    summary.set_aside = set_aside(path)?;
    fs::rename(&new, path)?;
    Ok(summary)
}

/// Copies everything that can be read of an old database into a new one.
fn refill(new: &mut Connection, old: &Path) -> Result<RebuildSummary, Fault> {
    // Opening a file may change it, so a copy is opened.
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
            Table::Verified => &mut self.verified,
            Table::Owners => &mut self.owners,
            Table::Members => &mut self.members,
            Table::Reports => &mut self.reports,
            Table::Settings => &mut self.settings,
            Table::Merges => &mut self.merges,
            Table::Held => &mut self.held,
            Table::Bans => &mut self.bans,
            Table::Blocks => &mut self.blocks,
            Table::Inspections => &mut self.inspections,
        }
    }
}

fn open_damaged(path: &Path) -> Result<Connection, Fault> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    // SQLite reads a file that is too short only with this.
    connection.pragma_update(None, "writable_schema", true)?;
    if let Ok(Form::Known(form)) = form::form(&connection, STEPS) {
        // If this fails too, the tables are read as they are.
        let _damaged = form::migrate(&mut connection, form, STEPS);
    }
    // One transaction for everything: each read of its own would check the file's locks again.
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

/// Returns true if its tables are complete.
fn is_sound(old: &Connection) -> bool {
    form::check(old, STEPS.len(), STEPS).is_ok()
}

/// The readable rows of one table, by their numbers.
struct Salvage {
    table: Table,
    reader: Reader,
    rows: BTreeMap<i64, Row>,
    /// Most rows that a file of its size can have.
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
        // Each scan reads as far as it can.
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
            left =
                left.checked_sub(1).ok_or_else(|| Fault::Damaged("its rows form a loop".into()))?;
        }
        Ok(())
    }
}

/// Gives a file and its companions another name. The file keeps its own name as well, until another file takes it.
fn set_aside(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let kept = free_name(path)?;
    let mut names = Vec::new();
    if path.try_exists()? {
        // Not every file system has hard links.
        fs::hard_link(path, &kept).or_else(|_| copy_whole(path, &kept))?;
        names.push(kept.clone());
    }
    for ending in COMPANIONS {
        let (from, to) = (beside(path, ending), beside(&kept, ending));
        if from.try_exists()? {
            fs::rename(from, &to)?;
            names.push(to);
        }
    }
    Ok(names)
}

/// Copies a file to a name that never has half a copy.
fn copy_whole(from: &Path, to: &Path) -> std::io::Result<()> {
    let half = beside(to, ".new");
    fs::copy(from, &half)?;
    File::options().write(true).open(&half)?.sync_all()?;
    fs::rename(half, to)
}

/// Returns a free name with today's date.
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

/// Copies a file and returns its length; `None` if it does not exist.
fn copy_if_there(from: &Path, to: &Path) -> Result<Option<u64>, Fault> {
    match fs::copy(from, to) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

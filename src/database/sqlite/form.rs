//! The form of the file: creating, migrating and checking it.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use liverysync_core::path::fold;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::{
    NOW,
    fault::Fault,
    table::{Row, Table},
};

/// The steps that turn each form into the next one. A step that was released never changes.
pub(super) const STEPS: &[&str] = &[
    include_str!("step1.sql"),
    include_str!("step2.sql"),
    include_str!("step3.sql"),
    include_str!("step4.sql"),
];

/// The number `LvSy`, by which any tool can tell what the file is.
const APPLICATION: i32 = 0x4c76_5379;

/// The table that records when each form was made.
const MIGRATIONS: &str = "CREATE TABLE migrations (
    form       INTEGER PRIMARY KEY,
    written_at TEXT NOT NULL,
    program    TEXT NOT NULL
)";

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Known(usize),
    Newer(u32),
}

/// Creates the tables in an empty database.
pub(super) fn make(connection: &mut Connection, steps: &[&str]) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.execute_batch(MIGRATIONS)?;
    transaction.commit()?;
    migrate(connection, 0, steps)
}

/// Runs the steps after the first `done`, each in a transaction.
pub(super) fn migrate(
    connection: &mut Connection,
    done: usize,
    steps: &[&str],
) -> Result<(), Fault> {
    for (form, step) in steps.iter().enumerate().skip(done).map(|(at, step)| (at + 1, step)) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        let written = format!("INSERT INTO migrations VALUES (?, ({NOW}), ?)");
        transaction.execute(&written, params![form as i64, crate::VERSION])?;
        transaction.pragma_update(None, "user_version", form as i64)?;
        transaction.commit()?;
    }
    Ok(())
}

/// Returns the form of a file.
pub(super) fn form(connection: &Connection, steps: &[&str]) -> Result<Form, Fault> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    if number("application_id")? != i64::from(APPLICATION) {
        return Err(Fault::Damaged("it is not marked as a league database".into()));
    }
    let found = number("user_version")?;
    // Two places hold the form, so that one flipped digit is not taken for a newer program.
    let made: Option<i64> = connection
        .query_row("SELECT max(form) FROM migrations", [], |row| row.get(0))
        .optional()?
        .flatten();
    match usize::try_from(found) {
        Ok(form) if made == Some(found) && (1..=steps.len()).contains(&form) => {
            Ok(Form::Known(form))
        }
        Ok(form) if made == Some(found) && form > steps.len() => {
            Ok(Form::Newer(u32::try_from(form).unwrap_or(u32::MAX)))
        }
        _ => Err(Fault::Damaged("it contradicts itself about its form".into())),
    }
}

/// Checks the bytes that decide how SQLite reads the file.
pub(super) fn check_header(path: &Path) -> Result<(), Fault> {
    let mut header = [0; 20];
    File::open(path)?.read_exact(&mut header).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Fault::Damaged("it is cut short".into()),
        _ => error.into(),
    })?;
    let sound = header.starts_with(b"SQLite format 3\0")
        && header[18..].iter().all(|version| matches!(version, 1 | 2));
    match sound {
        true => Ok(()),
        false => Err(Fault::Damaged("it does not begin as a SQLite file does".into())),
    }
}

/// Checks that the database is intact and has the tables that the first `form` steps make.
pub(super) fn check(connection: &Connection, form: usize, steps: &[&str]) -> Result<(), Fault> {
    // `quick_check` is shorter and would not compare indexes with their tables.
    let said: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if said != "ok" {
        return Err(Fault::Damaged(said.replace('\n', " ").into()));
    }
    let mut model = Connection::open_in_memory()?;
    make(&mut model, &steps[..form])?;
    let there = objects(connection)?;
    match objects(&model)?.iter().find(|object| !there.contains(object)) {
        Some((kind, name, _)) => {
            Err(Fault::Damaged(format!("its {kind} {name} has changed").into()))
        }
        None => Ok(()),
    }
}

type Object = (String, String, Option<String>);

fn objects(connection: &Connection) -> Result<Vec<Object>, Fault> {
    let mut statement = connection.prepare("SELECT type, name, sql FROM sqlite_schema")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Reads every row, and rewrites the keys that today's rule makes differently.
pub(super) fn check_rows(connection: &mut Connection) -> Result<(), Fault> {
    let transaction = connection.transaction()?;
    for table in Table::ALL {
        if table.is_keyed() {
            rekey(&transaction, table)?;
        } else {
            table.each(&transaction, |_| Ok(()))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

fn rekey(connection: &Connection, table: Table) -> Result<(), Fault> {
    let keys: Vec<(i64, String)> = connection
        .prepare(&format!("SELECT number, key FROM {} ORDER BY number", table.name()))?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut keys = keys.into_iter();
    let mut stale: Vec<Row> = Vec::new();
    table.each(connection, |row| {
        let key = fold(row.text(0)?);
        if keys.next() != Some((row.number, key)) {
            stale.push(row.clone());
        }
        Ok(())
    })?;
    let sql = format!("UPDATE OR REPLACE {} SET key = ? WHERE number = ?", table.name());
    for row in stale {
        connection.execute(&sql, params![fold(row.text(0)?), row.number])?;
    }
    Ok(())
}

//! The rows of all tables: each has a number, and a checksum that detects a changed value, which SQLite itself cannot.

use liverysync_core::{hash::Hasher, path::fold};
use rusqlite::{CachedStatement, Connection, params_from_iter, types::Value};

use super::fault::Fault;

/// The tables of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Versions,
    Verified,
    Owners,
    Members,
    Reports,
    Settings,
    Merges,
    Held,
    Bans,
    Blocks,
    Inspections,
}

impl Table {
    pub(super) const ALL: [Self; 11] = [
        Self::Versions,
        Self::Verified,
        Self::Owners,
        Self::Members,
        Self::Reports,
        Self::Settings,
        Self::Merges,
        Self::Held,
        Self::Bans,
        Self::Blocks,
        Self::Inspections,
    ];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Versions => "versions",
            Self::Verified => "proven",
            Self::Owners => "owners",
            Self::Members => "members",
            Self::Reports => "reports",
            Self::Settings => "settings",
            Self::Merges => "merges",
            Self::Held => "held",
            Self::Bans => "bans",
            Self::Blocks => "blocks",
            Self::Inspections => "inspections",
        }
    }

    /// Returns the columns that are written; number, key and checksum are derived.
    const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Versions => {
                &["path", "step", "sha256", "size", "mtime_ns", "author", "cause", "written_at"]
            }
            Self::Verified => &["sha256", "size"],
            Self::Owners => &["livery", "place", "author"],
            Self::Members => &["author", "name", "first_seen", "last_seen"],
            Self::Reports => &["path", "author", "sha256", "size", "mtime_ns"],
            Self::Settings => &["setting", "value", "written_at"],
            Self::Merges => &["former", "member", "written_at"],
            Self::Bans => &["member", "written_at"],
            Self::Blocks => &["sha256", "written_at"],
            Self::Inspections => &["sha256", "size", "png", "json", "width", "height"],
            Self::Held => {
                &["path", "author", "sha256", "size", "mtime_ns", "base", "state", "written_at"]
            }
        }
    }

    /// Returns true if the first column is a name. The column `key` then holds the name in one case.
    pub(super) const fn is_keyed(self) -> bool {
        matches!(self, Self::Versions | Self::Owners | Self::Reports | Self::Held)
    }

    fn key(self, values: &[Value]) -> Option<Value> {
        match values.first() {
            Some(Value::Text(name)) if self.is_keyed() => Some(Value::Text(fold(name))),
            _ => None,
        }
    }

    /// Appends a row. It replaces a row with the same unique columns.
    pub(super) fn put(self, connection: &Connection, values: &[Value]) -> Result<(), Fault> {
        let (name, columns) = (self.name(), self.columns().join(", "));
        let key = if self.is_keyed() { ", key" } else { "" };
        let marks = ", ?".repeat(self.columns().len() + usize::from(self.is_keyed()));
        let next = format!("SELECT ifnull(max(number), 0) + 1 FROM {name}");
        let number: i64 = connection.prepare_cached(&next)?.query_row([], |row| row.get(0))?;
        let put = format!(
            "INSERT OR REPLACE INTO {name} (number, checksum, {columns}{key}) VALUES (?, ?{marks})"
        );
        let row = [Value::Integer(number), Value::Text(checksum(number, values))];
        let row = row.into_iter().chain(values.iter().cloned()).chain(self.key(values));
        connection.prepare_cached(&put)?.execute(params_from_iter(row))?;
        Ok(())
    }

    /// Passes all rows to `take`, in the order of their numbers.
    pub(super) fn each(
        self,
        connection: &Connection,
        mut take: impl FnMut(&Row) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut statement = self.select(connection, "ORDER BY number")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            take(&Row::read(self, row)?)?;
        }
        Ok(())
    }

    /// Returns a statement whose rows [`Row::read`] reads.
    pub(super) fn select<'a>(
        self,
        connection: &'a Connection,
        which: &str,
    ) -> Result<CachedStatement<'a>, Fault> {
        let (name, columns) = (self.name(), self.columns().join(", "));
        let sql = format!("SELECT number, checksum, {columns} FROM {name} {which}");
        Ok(connection.prepare_cached(&sql)?)
    }
}

/// A row with a valid checksum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    table: Table,
    pub(super) number: i64,
    pub(super) values: Vec<Value>,
}

impl Row {
    pub(super) fn read(table: Table, row: &rusqlite::Row<'_>) -> Result<Self, Fault> {
        let number = row.get(0)?;
        let values: Vec<Value> =
            (2..table.columns().len() + 2).map(|at| row.get(at)).collect::<Result<_, _>>()?;
        let read = Self { table, number, values };
        match row.get::<_, String>(1)? == checksum(number, &read.values) {
            true => Ok(read),
            false => Err(read.wrong("is not what was written")),
        }
    }

    pub(super) fn text(&self, at: usize) -> Result<&str, Fault> {
        match self.values.get(at) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(self.wrong("lacks a text")),
        }
    }

    pub(super) fn integer(&self, at: usize) -> Result<i64, Fault> {
        match self.values.get(at) {
            Some(Value::Integer(integer)) => Ok(*integer),
            _ => Err(self.wrong("lacks a number")),
        }
    }

    pub(super) fn unsigned(&self, at: usize) -> Result<u64, Fault> {
        u64::try_from(self.integer(at)?).map_err(|_| self.wrong("has a number below zero"))
    }

    pub(super) fn is_null(&self, at: usize) -> bool {
        matches!(self.values.get(at), None | Some(Value::Null))
    }

    /// Parses a text.
    pub(super) fn parse<T: std::str::FromStr>(&self, at: usize) -> Result<T, Fault> {
        self.text(at)?.parse().map_err(|_| self.wrong("has a text that means nothing"))
    }

    pub(super) fn wrong(&self, what: &str) -> Fault {
        let text = format!("row {} of the table {} {what}", self.number, self.table.name());
        Fault::Damaged(text.into())
    }

    pub(super) const fn table(&self) -> Table {
        self.table
    }
}

/// Returns the first eight hex digits of the SHA-256 of a row's number and values as text, each ended by a line feed. The
/// number is included because the order of rows matters.
pub(super) fn checksum(number: i64, values: &[Value]) -> String {
    let mut hasher = Hasher::default();
    let mut add = |text: &[u8]| {
        hasher.update(text);
        hasher.update(b"\n");
    };
    add(number.to_string().as_bytes());
    for value in values {
        match value {
            Value::Null => add(b""),
            Value::Integer(integer) => add(integer.to_string().as_bytes()),
            Value::Real(real) => add(real.to_string().as_bytes()),
            Value::Text(text) => add(text.as_bytes()),
            Value::Blob(blob) => add(blob),
        }
    }
    hasher.finish().short()
}

/// Converts a number to the database's type.
pub(super) fn integer(number: u64) -> Result<Value, Fault> {
    i64::try_from(number).map(Value::Integer).map_err(|_| Fault::TooLarge(number))
}

/// Converts an optional text.
pub(super) fn optional(text: Option<impl ToString>) -> Value {
    text.map_or(Value::Null, |text| Value::Text(text.to_string()))
}

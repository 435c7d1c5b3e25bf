//! `liverysync demo`: a league on one PC.

use std::{net::SocketAddr, time::Duration};

use liverysync::escape;

use super::words::{bytes, count, duration, files, join};

/// Width of the longest driver's name.
const NAME_WIDTH: usize = 5;

/// Puts the seconds since the start in front.
pub(crate) fn line(since: Duration, text: &str) -> String {
    format!("{:>5.2} s  {text}", since.as_secs_f64())
}

pub(crate) fn listening(address: SocketAddr) -> String {
    format!("The league's server listens on {address}")
}

pub(crate) fn joins(driver: &str, number: usize) -> String {
    match number {
        0 => format!("{driver} joins with an empty folder"),
        several => format!("{driver} joins with {}", count(several as u64, "livery")),
    }
}

pub(crate) fn in_sync(drivers: &[String], number: usize) -> String {
    let liveries = count(number as u64, "livery");
    match drivers {
        [one] => format!("{one} is in sync: {liveries}"),
        several => format!("{} are in sync: {liveries} each", join(several)),
    }
}

pub(crate) fn drops(driver: &str, livery: &str) -> String {
    format!("{driver} drops a new livery into the folder: {livery}")
}

pub(crate) fn everyone_has_it(took: Duration) -> String {
    format!("Everyone has it, {} later", duration(took))
}

/// Reports that two drivers publish one name; `first` had it before.
pub(crate) fn conflict(livery: &str, first: &str, second: &str) -> String {
    format!(
        "Conflict: {}. {first} had this name first and keeps it. {second}'s paint is kept beside it for everyone.",
        escape(livery)
    )
}

/// Files of a livery that a driver received.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gained {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Set if they were copied on the driver's PC.
    pub(crate) copied: bool,
    /// The backup of one of the replaced files.
    pub(crate) backup: Option<String>,
}

pub(crate) fn gained(driver: &str, livery: &str, gained: &Gained) -> String {
    let Gained { files: number, bytes: size, copied, backup } = gained;
    let mut line = format!("{driver:<NAME_WIDTH$} gets {}: ", escape(livery));
    line += &files(*number, *size);
    if *copied {
        line += ", copied on this PC without a download";
    }
    if let Some(backup) = backup {
        let set: Vec<_> = backup.split('/').take(2).collect();
        line += &format!(". The replaced file is in {}", escape(&set.join("/")));
    }
    line
}

/// Reports a file that could not be moved, or a lost connection.
pub(crate) fn trouble(driver: &str, file: Option<&str>, why: &str) -> String {
    let why = super::words::reason(why);
    match file {
        Some(file) => format!("{driver}: {}: {why}", escape(file)),
        None => format!("{driver} is offline: {why}"),
    }
}

pub(crate) fn kept(folder: &str) -> String {
    format!("The folders are in {folder}")
}

/// A driver's row of the table at the end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) driver: &'static str,
    pub(crate) liveries: usize,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) conflicts: usize,
    pub(crate) backups: usize,
}

pub(crate) fn table(rows: &[Row]) -> Vec<String> {
    let head = ["driver", "liveries", "files", "size", "conflict copies", "backups"];
    let cells = |row: &Row| {
        let Row { driver, liveries, files, bytes: size, conflicts, backups } = *row;
        let numbers = [liveries, files, conflicts, backups].map(|number| number.to_string());
        let [liveries, files, conflicts, backups] = numbers;
        [driver.to_owned(), liveries, files, bytes(size), conflicts, backups]
    };
    let rows: Vec<_> =
        [head.map(str::to_owned)].into_iter().chain(rows.iter().map(cells)).collect();
    let width = |column: usize| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or_default()
    };
    let line = |row: &[String; 6]| {
        let mut line = format!("{:<1$}", row[0], width(0));
        for (column, cell) in row.iter().enumerate().skip(1) {
            line += &format!("  {cell:>0$}", width(column));
        }
        line
    };
    rows.iter().map(line).collect()
}

/// Writes the lines at the end if nothing is wrong.
pub(crate) fn checked(drivers: usize, files: usize, took: Duration) -> [String; 2] {
    let took = duration(took);
    [
        format!(
            "Checked: the folders of all {drivers} drivers are equal, byte for byte and in their modification times."
        ),
        format!(
            "Nothing is lost: every PC has each of the {files} files that the drivers brought ({took} in all)."
        ),
    ]
}

/// Something that is wrong at the end.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    Leftovers { driver: &'static str, files: usize },
    Unknown { driver: &'static str, path: String },
    Missing { driver: &'static str, path: String, bytes: u64, hash: String },
    Date { driver: &'static str, path: String },
    Different { drivers: [&'static str; 2] },
}

pub(crate) fn fault(fault: &Fault) -> String {
    match fault {
        Fault::Leftovers { driver, files } => {
            format!("{driver} has {} in .tmp", count(*files as u64, "file"))
        }
        Fault::Unknown { driver, path } => format!("{driver} has {path}, which no driver made"),
        Fault::Missing { driver, path, bytes: size, hash } => {
            format!("{driver} is missing {path}, {} with SHA-256 {hash}…", bytes(*size))
        }
        Fault::Date { driver, path } => {
            format!("{driver}'s {path} has another modification time")
        }
        Fault::Different { drivers: [one, other] } => {
            format!("{one} and {other} have different files")
        }
    }
}

/// Reports a driver who is late.
pub(crate) fn late(driver: &str, files: usize) -> String {
    format!("{driver} is not in sync ({})", count(files as u64, "file"))
}

//! The config file and the variables: mistakes, and changes while the program runs.

use std::{fmt, path::Path};

use liverysync::{Limits, escape};
use toml::Value;

use super::{Problem, words::bytes};
use crate::config::Kind;

/// Reports a mistake at some place of the file.
pub(crate) fn mistake(file: &Path, place: &str, what: impl fmt::Display) -> Problem {
    Problem::new(format!("{}: {place}{}", name(file), what))
}

fn name(file: &Path) -> String {
    format!("config file {}", escape(&file.display().to_string()))
}

pub(crate) fn unreadable(file: &Path, why: &dyn fmt::Display) -> Problem {
    Problem::new(format!("cannot read the {}", name(file)))
        .cause(why)
        .hint("check the path given with --config or LIVERYSYNC_CONFIG; the file is TOML in UTF-8")
}

/// Writes the place of a key, which comes before its mistake.
pub(crate) fn place(table: &str, key: &str) -> String {
    format!("[{table}] {key}: ")
}

/// Reports a value of another kind than its option takes.
pub(crate) fn wrong_kind(wanted: Kind, found: &Value) -> String {
    let wanted = match wanted {
        Kind::Flag => "true or false",
        Kind::List => "a list of strings",
        Kind::Number => "a number",
        Kind::Path | Kind::Text => "a string",
        Kind::Size => "a number or a string such as \"200MB\"",
        Kind::Speed => "a number or a string such as \"500 KB/s\"",
    };
    let found = match found {
        Value::String(_) => "a string",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    };
    format!("must be {wanted}, not {found}")
}

pub(crate) const LIST_OF_STRINGS: &str = "must be a list of strings";

pub(crate) fn outside_of_a_table(file: &Path, name: &str, table: &str) -> Problem {
    mistake(file, "", format!("`{name}` is outside any table"))
        .hint(format!("put it below a line [{table}]"))
}

pub(crate) fn no_table(file: &Path, name: &str, near: Option<&str>) -> Problem {
    mistake(file, "", format!("there is no table [{name}]")).hint(match near {
        Some(near) => format!("did you mean [{near}]?"),
        None => "the tables are [server] and [client]".to_owned(),
    })
}

/// A suggestion in place of an unknown key.
#[derive(Clone, Debug)]
pub(crate) enum Instead<'a> {
    /// A key that is alike.
    Near(&'a str),
    /// The table that has this key.
    Table(&'a str),
    /// All keys of the table.
    Any(Vec<&'a str>),
}

pub(crate) fn no_key(file: &Path, table: &str, key: &str, instead: Instead<'_>) -> Problem {
    mistake(file, "", format!("there is no key `{key}` in [{table}]")).hint(match instead {
        Instead::Near(near) => format!("did you mean `{near}`?"),
        Instead::Table(other) => format!("that key belongs in [{other}]"),
        Instead::Any(keys) => format!("the keys of [{table}] are {}", keys.join(", ")),
    })
}

/// Reports a wrong value of a variable, as clap words it.
pub(crate) fn variable(variable: &str, option: &str, what: &str) -> Problem {
    Problem::new(format!("{variable}: {what}"))
        .hint(format!("change the variable, or give --{option}, which overrides it"))
}

/// Reports the speeds that apply from now on.
pub(crate) fn limits_changed(file: &Path, limits: Limits) -> String {
    let rate = |rate: Option<u64>| {
        rate.map_or_else(|| "unlimited".to_owned(), |rate| format!("at most {}/s", bytes(rate)))
    };
    let (up, down) = (rate(limits.up), rate(limits.down));
    format!("The {} has changed. Speed limits now: outgoing {up}, incoming {down}.", name(file))
}

pub(crate) fn nothing_to_apply(file: &Path) -> String {
    format!(
        "The {} has changed. Its speed limits are the same; other options take effect at the next start.",
        name(file)
    )
}

/// Reports a changed file that cannot be used; `why` names it.
pub(crate) fn not_applied(why: &str) -> String {
    format!("Nothing was changed: {why}")
}

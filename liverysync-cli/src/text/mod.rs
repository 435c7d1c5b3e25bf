//! Every text that the program prints for people: functions from data to text that decide nothing else.
//!
//! `tests/snapshots/messages.snap` shows them all. The texts of `--help` are with the options, in [`crate::cli`], and
//! `docs/cli.md` shows those.
//!
//! Names and paths come from other people. They are escaped here, and nowhere else.

pub(crate) mod backups;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod error;
pub(crate) mod identity;
pub(crate) mod league;
pub(crate) mod lint;
pub(crate) mod lists;
pub(crate) mod owner;
mod problem;
pub(crate) mod scan;
pub(crate) mod server;
mod skipped;
#[cfg(test)]
mod snapshot;
pub(crate) mod status;
pub(crate) mod store;
pub(crate) mod values;
mod words;

pub(crate) use self::problem::Problem;

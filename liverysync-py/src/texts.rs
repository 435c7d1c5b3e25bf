//! Every text of an exception that is the Python package's own. Errors of the Rust library bring theirs along.
//!
//! `tests/test_texts.py` shows them all in one file, and finds texts elsewhere.

use std::fmt::{Debug, Display};

pub(crate) const BLOCK_OPEN: &str =
    "the block before is still open; make a second configuration to run two at the same time";
pub(crate) const STOPPED: &str =
    "it has stopped: a client or server runs only inside its `with` block";
pub(crate) const BUSY: &str = "another liverysync client already syncs it";
pub(crate) const NO_EXTENSIONS: &str = "an empty list of extensions would share nothing at all";
pub(crate) const FORKED: &str = "liverysync was used before this process was forked; use it after the fork, or start \
                                 processes with `spawn`";
pub(crate) const NO_LIVERY: &str = "name at least one livery";
pub(crate) const NO_ROLE: &str = "receive_only and send_only exclude each other";
/// The text of a panic whose payload has none.
pub(crate) const PANIC_WITHOUT_TEXT: &str = "no reason was given";

pub(crate) fn panicked(text: &str) -> String {
    format!("this is a bug in liverysync: {text}")
}

pub(crate) fn no_event(seconds: f64) -> String {
    format!("no event within {seconds} s")
}

pub(crate) fn no_date(seconds: f64) -> String {
    format!("{seconds} is no date")
}

pub(crate) fn invalid_hash(sha256: impl Debug, error: impl Display) -> String {
    format!("{sha256:?} is {error}")
}

pub(crate) fn one_text(option: &str) -> String {
    format!("{option} is a list of texts, not one text")
}

pub(crate) fn unknown_choice(what: &str, word: &str, choices: &str) -> String {
    format!("there is no {what} {word:?}; there are: {choices}")
}

pub(crate) fn no_count(option: &str) -> String {
    format!("{option} is at least 1; 0 does not mean unlimited")
}

pub(crate) fn no_seconds(option: &str, given: f64) -> String {
    format!("{option} is a number of seconds, not {given}")
}

pub(crate) fn no_time(option: &str) -> String {
    format!("{option} is more than 0; 0 does not mean unlimited")
}

pub(crate) fn no_limit(option: &str) -> String {
    format!("{option} is at least 1; None is no limit")
}

pub(crate) fn no_glob(glob: &str, fault: impl Display) -> String {
    format!("{glob:?} is {fault}")
}

pub(crate) fn about_option(option: &str, fault: impl Display) -> String {
    format!("{option}: {fault}")
}

pub(crate) fn about_rules(file: &str, fault: impl Display) -> String {
    format!("the rules {file}: {fault}")
}

/// Returns one example of each text, for the tests.
#[pyo3::pyfunction]
pub(crate) fn texts() -> Vec<String> {
    let constants =
        [BLOCK_OPEN, STOPPED, BUSY, NO_EXTENSIONS, FORKED, NO_LIVERY, NO_ROLE, PANIC_WITHOUT_TEXT]
            .map(str::to_owned);
    let made = [
        panicked("R"),
        no_event(0.5),
        no_date(-1e12),
        invalid_hash("ab12", "R"),
        one_text("extensions"),
        unknown_choice("policy", "newest", "established, lowest-hash"),
        no_count("max_entries"),
        no_seconds("timeout", -1.0),
        no_time("settle"),
        no_limit("limit_up"),
        no_glob("a/b", "R"),
        about_option("port", "R"),
        about_rules("rules.toml", "R"),
    ];
    constants.into_iter().chain(made).collect()
}

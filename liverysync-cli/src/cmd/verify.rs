//! `liverysync server --verify-store`: checks what the server keeps, and ends.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use liverysync::{
    StoreError,
    league::{Verified, VerifySummary, verify_store},
};

use crate::{
    exit::{Exit, Failure},
    output::{self, json},
    units,
};

/// How often it is said how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn run(data: Option<&Path>, json: bool) -> Result<(), Failure> {
    let Some(data) = data else {
        return Err(Failure::usage("--verify-store needs to know where the store is")
            .hint("add --data DIR, with the folder that the server keeps its files in"));
    };
    // It would be made, and found to be in order.
    if !data.join("blobs").is_dir() {
        let what = format!("there is no store in {}", data.display());
        return Err(Failure::new(Exit::Failed, what)
            .hint("check --data: it is the folder that a server was started with"));
    }
    let mut view =
        View { json, checked: VerifySummary::default(), said: Instant::now(), failed: None };
    let summary = verify_store(data, |one| view.one(&one)).map_err(explain)?;
    if let Some(failure) = view.failed {
        return Err(failure);
    }
    let VerifySummary { files, bytes, wrong, .. } = summary;
    output::line(&if json { json::store_verified(files, bytes, wrong) } else { words(&summary) })?;
    if wrong == 0 {
        return Ok(());
    }
    let what = format!("{} damaged in {}", units::count(wrong, "file"), data.display());
    Err(Failure::new(Exit::Failed, what)
        .hint("they are removed; the server asks the drivers for them again"))
}

fn words(summary: &VerifySummary) -> String {
    let checked = units::files(summary.files, summary.bytes);
    match summary.wrong {
        0 => format!("checked {checked}: all are right"),
        wrong => format!("checked {checked}: {wrong} wrong and removed"),
    }
}

fn explain(error: StoreError) -> Failure {
    let is_busy = matches!(error, StoreError::Busy { .. });
    let failure = Failure::of(Exit::Failed, error);
    if is_busy {
        failure.hint("stop that server first; it checks its files by itself as well")
    } else {
        failure
    }
}

/// What people and programs get to see.
struct View {
    json: bool,
    checked: VerifySummary,
    said: Instant,
    /// Why a line could not be printed.
    failed: Option<Failure>,
}

impl View {
    fn one(&mut self, one: &Verified) {
        self.checked.files += 1;
        self.checked.bytes += one.bytes;
        if let Some(reason) = &one.wrong {
            let line = if self.json {
                json::store_wrong(one.hash, one.bytes, reason)
            } else {
                format!("wrong: {} ({}): {reason}", one.hash, units::bytes(one.bytes))
            };
            if let Err(error) = output::line(&line) {
                self.failed.get_or_insert(error.into());
            }
        }
        if self.said.elapsed() >= PROGRESS_INTERVAL {
            self.said = Instant::now();
            output::note(&format!(
                "checked {} so far",
                units::files(self.checked.files, self.checked.bytes)
            ));
        }
    }
}

//! `liverysync server --verify-store`: checks the server's store.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use liverysync::league::{Verified, VerifySummary, verify_store};

use crate::{
    exit::Failure,
    output::{self, json},
    text::{error, store},
};

/// Interval at which the progress is shown.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

pub(super) fn run(data: Option<&Path>, json: bool) -> Result<(), Failure> {
    let Some(data) = data else { return Err(Failure::usage(error::no_store_named())) };
    // An empty store would be created, and found to be intact.
    if !data.join("blobs").is_dir() {
        return Err(error::no_store(data).into());
    }
    let (checked, shown) = (VerifySummary::default(), Instant::now());
    let mut view = View { json, checked, shown, failed: None };
    let summary = verify_store(data, |one| view.one(&one)).map_err(|error| error::store(&error))?;
    if let Some(failure) = view.failed {
        return Err(failure);
    }
    let VerifySummary { files, bytes, wrong, .. } = summary;
    output::line(&match json {
        true => json::store_verified(files, bytes, wrong),
        false => store::verified(files, bytes, wrong),
    })?;
    match wrong {
        0 => Ok(()),
        wrong => Err(error::store_damaged(wrong, data).into()),
    }
}

/// Shows damaged files and the progress.
struct View {
    json: bool,
    checked: VerifySummary,
    shown: Instant,
    /// The first failure to print a line.
    failed: Option<Failure>,
}

impl View {
    fn one(&mut self, one: &Verified) {
        self.checked.files += 1;
        self.checked.bytes += one.bytes;
        if let Some(reason) = &one.wrong {
            let line = match self.json {
                true => json::store_damaged(one.hash, one.bytes, reason),
                false => store::damaged(&one.hash.to_string(), one.bytes, reason),
            };
            if let Err(error) = output::line(&line) {
                self.failed.get_or_insert(error.into());
            }
        }
        if self.shown.elapsed() >= PROGRESS_INTERVAL {
            self.shown = Instant::now();
            output::note(&store::progress(self.checked.files, self.checked.bytes));
        }
    }
}

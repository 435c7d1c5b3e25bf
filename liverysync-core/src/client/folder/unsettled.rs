//! The liveries that are still being copied or saved, and how long the rest of them waits.

use std::{collections::BTreeMap, time::Duration};

use super::listing::Listing;
use crate::{
    client::Now,
    path::PathKey,
    select::{Chosen, Kind},
    time::Time,
};

/// The longest time that the files of a livery wait for one that keeps changing. A large file may be copied for minutes,
/// and a log in the folder may never stop changing.
pub(super) const WHOLE_LIVERY_MAX: Duration = Duration::from_secs(10);

/// The liveries of which a file has not settled, and since when.
#[derive(Debug, Default)]
pub(super) struct Unsettled(BTreeMap<String, Time>);

impl Unsettled {
    /// Takes the files that a scan found not settled, in place of those of the scan before.
    pub(super) fn handle_scan<'a>(
        &mut self,
        now: Time,
        files: impl IntoIterator<Item = &'a PathKey>,
    ) {
        // A livery keeps the time when it first was unsettled, or its other files might wait forever.
        let since = |livery: &str| self.0.get(livery).copied().unwrap_or(now);
        let liveries = files.into_iter().map(PathKey::livery);
        self.0 = liveries.map(|livery| (livery.to_owned(), since(livery))).collect();
    }

    /// Notes that a file changed while it was read.
    pub(super) fn handle_changed(&mut self, now: Time, key: &PathKey) {
        self.0.entry(key.livery().to_owned()).or_insert(now);
    }

    /// Returns whether some livery is still being copied or saved, so that a file which is gone may be about to appear there.
    pub(super) fn is_moving(&self, now: Time) -> bool {
        self.0.values().any(|since| now.since(*since) < WHOLE_LIVERY_MAX)
    }

    /// Returns whether a file waits for the rest of its livery.
    pub(super) fn waits(&self, key: &PathKey, now: Time) -> bool {
        self.0.get(key.livery()).is_some_and(|since| now.since(*since) < WHOLE_LIVERY_MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns whether a file that a scan found has stopped changing. `before` is what the scan before found.
pub(super) fn has_settled(
    file: &Chosen,
    before: Option<&Listing>,
    now: Now,
    settle: Duration,
) -> bool {
    match before {
        Some(before) => before.get(file.path.key().as_str()).is_some_and(|item| {
            item.path == file.path.as_str()
                && item.kind == Kind::File(file.stamp)
                // Zero: this client has installed it since that listing.
                && (item.change_tag == file.change_tag || item.change_tag == 0)
        }),
        // A modification time in the future says nothing, and the client might wait for years.
        None => {
            let (mtime, date) = (file.stamp.mtime, now.date);
            mtime > date || date.since(mtime) >= settle
        }
    }
}

//! Liveries that the driver has deleted. The league brings them back, and people want to know why.

use std::collections::BTreeSet;

use super::IndexedFile;
use crate::{path::PathKey, pathmap::PathMap};

/// The deleted liveries of which nothing has come back yet.
#[derive(Debug, Default)]
pub(super) struct DeletedLiveries {
    /// The keys of their folders.
    liveries: BTreeSet<String>,
    /// Files that the league has retired, until a scan finds that they are gone.
    retired: BTreeSet<PathKey>,
}

impl DeletedLiveries {
    /// Compares the files before and after a scan. `was_deleted` says of one that is gone whether it was in sync, and
    /// whether nothing at all has its name.
    pub(super) fn handle_scan(
        &mut self,
        before: &PathMap<IndexedFile>,
        after: &PathMap<IndexedFile>,
        was_deleted: impl Fn(&IndexedFile) -> bool,
    ) {
        let there: BTreeSet<_> = after.iter().map(|file| file.path.key().livery()).collect();
        self.liveries.retain(|livery| !there.contains(livery.as_str()));
        for file in before {
            let key = file.path.key();
            // What the league has retired was not deleted by the driver, and a livery counts once nothing of it is left.
            if after.contains(key) || self.retired.remove(key) || there.contains(key.livery()) {
                continue;
            }
            if was_deleted(file) {
                self.liveries.insert(key.livery().to_owned());
            }
        }
    }

    /// Notes that the league has retired a file. `is_known` is set if no scan has found that it is gone.
    pub(super) fn handle_retired(&mut self, key: &PathKey, is_known: bool) {
        self.liveries.remove(key.livery());
        if is_known {
            self.retired.insert(key.clone());
        }
    }

    /// Notes that a file was installed.
    pub(super) fn handle_installed(&mut self, key: &PathKey) {
        self.retired.remove(key);
    }

    /// Returns whether a livery was deleted, and forgets it.
    pub(super) fn take(&mut self, livery: &str) -> bool {
        self.liveries.remove(livery)
    }
}

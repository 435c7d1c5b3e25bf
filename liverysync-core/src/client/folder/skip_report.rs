//! The files that the last scan skipped. Each of them is reported once.

use std::{collections::BTreeSet, mem};

use crate::{
    client::{Event, context::Context},
    select::{Reason, Skipped},
};

/// The skipped files: path and reason.
#[derive(Debug, Default)]
pub(super) struct SkipReport(BTreeSet<(String, String)>);

impl SkipReport {
    /// Takes what a scan skipped, and reports what the scan before did not.
    pub(super) fn handle_scan(&mut self, cx: &mut Context, skipped: Vec<Skipped>) {
        let before = mem::take(&mut self.0);
        for item in skipped {
            // The same file may be skipped for another reason later, and that is news.
            let line = (item.path.clone(), item.reason.to_string());
            if !before.contains(&line) {
                cx.event(Event::Skipped(item));
            }
            self.0.insert(line);
        }
    }

    /// Returns whether the last scan skipped the file at a path as a placeholder.
    pub(super) fn is_placeholder(&self, path: &str) -> bool {
        self.0.contains(&(path.to_owned(), Reason::Placeholder.to_string()))
    }
}

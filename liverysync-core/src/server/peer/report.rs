//! A client's report of its files.

use std::collections::BTreeMap;

use crate::{
    hash::ContentHash,
    manifest::Manifest,
    path::{PathKey, fold},
    select::Skipped,
    time::Time,
};

/// A client's report of its files.
#[derive(Debug)]
pub(in crate::server) struct Report {
    /// The files that it has; `None` until it has said so.
    pub(in crate::server) manifest: Option<Manifest>,
    /// A step of the union has taken its first manifest in.
    pub(in crate::server) merged: bool,
    /// When its last full manifest came.
    pub(in crate::server) received_at: Time,
    /// The client's own number of its last report.
    pub(in crate::server) revision: u64,
    /// When it was asked for a manifest that is not known at all, until it answers.
    pub(in crate::server) requested_at: Option<Time>,
    /// When a Python client was asked whether its manifest has changed, until it answers.
    pub(in crate::server) polled_at: Option<Time>,
    /// Contents that it says to have installed. Its next manifest shows whether it has.
    pub(in crate::server) claimed: BTreeMap<PathKey, ContentHash>,
    /// Its files that may not join the union, by their folded paths.
    left_out: BTreeMap<String, Skipped>,
}

/// Most files that are kept of those that may not join the union.
const LEFT_OUT_MAX: usize = 1000;

impl Report {
    pub(super) const fn new(now: Time) -> Self {
        Self {
            manifest: None,
            merged: false,
            received_at: now,
            revision: 0,
            requested_at: None,
            polled_at: None,
            claimed: BTreeMap::new(),
            left_out: BTreeMap::new(),
        }
    }

    /// Takes the files of a whole report that may not join the union.
    pub(in crate::server) fn replace_left_out(&mut self, left_out: &[Skipped]) {
        self.left_out.clear();
        self.add_left_out(left_out);
    }

    /// Forgets those of the files that may not join the union of which the client has said something new.
    pub(in crate::server) fn forget_left_out<'a>(&mut self, paths: impl Iterator<Item = &'a str>) {
        if !self.left_out.is_empty() {
            paths.for_each(|path| drop(self.left_out.remove(&fold(path))));
        }
    }

    pub(in crate::server) fn add_left_out(&mut self, left_out: &[Skipped]) {
        let room = LEFT_OUT_MAX.saturating_sub(self.left_out.len());
        let more = left_out.iter().take(room).map(|file| (fold(&file.path), file.clone()));
        self.left_out.extend(more);
    }

    /// Returns the files that may not join the union, each with the reason.
    pub(in crate::server) fn left_out(&self) -> impl Iterator<Item = &Skipped> {
        self.left_out.values()
    }
}

//! A client's report of its files.

use std::collections::BTreeMap;

use crate::{hash::ContentHash, manifest::Manifest, path::PathKey, time::Time};

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
}

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
        }
    }
}

//! What has to be worked out again, because what it rests on has changed.

use std::{collections::BTreeSet, mem};

use crate::union::PeerId;

/// When the union takes its next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Merge {
    /// After the time in which reports are gathered.
    Soon,
    /// At once: what was reported gives nobody else a claim, and somebody waits for the answer.
    Now,
}

/// What has to be worked out again.
///
/// Parts mark here what they make out of date; [`ServerMachine`](super::ServerMachine) drains it after each thing that
/// it does, and before anything is read that may be out of date.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    /// The union has to take a step.
    pub(super) merge: Option<Merge>,
    /// The plan of uploads.
    pub(super) plan: bool,
    /// The jobs of these targets.
    pub(super) jobs: BTreeSet<PeerId>,
    /// Sessions may be opened.
    pub(super) schedule: bool,
    /// The sync statuses that peers were told.
    pub(super) statuses: bool,
    /// Whether the league is in sync: people are told again, however soon it is.
    pub(super) in_sync: bool,
    /// These peers have reported something new of themselves and wait for an answer, even if their status is the same.
    pub(super) unanswered: BTreeSet<PeerId>,
}

impl Dirty {
    /// Returns what is marked, and marks nothing.
    pub(super) fn take(&mut self) -> Self {
        mem::take(self)
    }

    pub(super) fn merge(&mut self, when: Merge) {
        self.merge = self.merge.max(Some(when));
    }

    /// Marks that sessions may be opened, and that statuses may differ then.
    pub(super) const fn schedule(&mut self) {
        self.schedule = true;
        self.statuses = true;
    }

    /// Marks that a peer waits for an answer.
    pub(super) fn unanswered(&mut self, id: PeerId) {
        self.unanswered.insert(id);
    }
}

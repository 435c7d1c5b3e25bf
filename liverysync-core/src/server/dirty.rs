//! Invalidation: the results that have to be worked out again.

use std::{collections::BTreeSet, mem};

use crate::union::PeerId;

/// The time of the union's next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Merge {
    /// After the time in which reports are gathered.
    Soon,
    /// At once: the report gives nobody else a claim, and somebody waits for the answer.
    Now,
}

/// The results that have to be worked out again.
///
/// Parts mark what they make out of date. [`ServerMachine`](super::ServerMachine) drains the marks after everything that it
/// does, and before it reads a result that may be out of date.
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
    /// The last report that the league is in sync. People are told again once it is, however soon.
    pub(super) in_sync: bool,
    /// The statuses of these peers: they wait for an answer, even if it is the same as before.
    pub(super) unanswered: BTreeSet<PeerId>,
}

impl Dirty {
    /// Returns the marks and clears them.
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

//! What a name has held, oldest first.

use std::collections::BTreeSet;

use crate::{
    hash::{Content, ContentHash},
    league::{Author, Cause},
    path::RelPath,
    time::UnixTime,
};

/// What a name got in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    pub(super) author: Option<Author>,
    pub(super) cause: Cause,
}

/// What one step did to a name: a content, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) step: u64,
    pub(super) placed: Option<Placed>,
}

/// All that a name has held. What it holds at present is the last version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) path: RelPath,
    pub(super) versions: Vec<Version>,
    /// Contents that claimed the name and are not wanted.
    pub(super) turned_down: BTreeSet<Content>,
}

impl Past {
    pub(super) const fn new(path: RelPath) -> Self {
        Self { path, versions: Vec::new(), turned_down: BTreeSet::new() }
    }

    /// Whether the name has had a content, or turned it down.
    pub(super) fn knows(&self, content: Content) -> bool {
        self.turned_down.contains(&content) || self.contents().any(|held| held == content)
    }

    /// The same for a content of which only the digest is known.
    pub(super) fn knows_hash(&self, hash: ContentHash) -> bool {
        let turned_down = self.turned_down.iter().copied();
        turned_down.chain(self.contents()).any(|content| content.hash == hash)
    }

    fn contents(&self) -> impl Iterator<Item = Content> {
        self.placed().map(|placed| placed.content)
    }

    /// What the name has held, oldest first.
    pub(super) fn placed(&self) -> impl DoubleEndedIterator<Item = &Placed> {
        self.versions.iter().filter_map(|version| version.placed.as_ref())
    }

    /// What the name held after a step, if anything.
    pub(super) fn at(&self, step: u64) -> Option<&Placed> {
        let before = self.versions.iter().rev().find(|version| version.step <= step);
        before.and_then(|version| version.placed.as_ref())
    }
}

//! What a name has held, oldest first.

use std::collections::BTreeSet;

use crate::{
    hash::{Content, ContentHash},
    league::{Cause, MemberId},
    path::RelPath,
    time::UnixTime,
};

/// What a name got in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    pub(super) author: Option<MemberId>,
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

    /// Whether a content claimed the name, was not wanted from whoever brought it, and never had it.
    pub(super) fn only_turned_down(&self, content: Content) -> bool {
        self.turned_down.contains(&content) && self.contents().all(|held| held != content)
    }

    /// All that it knows.
    pub(super) fn known(&self) -> BTreeSet<Content> {
        self.turned_down.iter().copied().chain(self.contents()).collect()
    }

    /// What the name has had for good: what nobody ever sent was taken back, and may come again.
    pub(super) fn contents(&self) -> impl Iterator<Item = Content> {
        let versions = self.versions.iter().enumerate();
        let kept = versions.filter(|(index, _)| !self.was_taken_back(*index));
        kept.filter_map(|(_, version)| Some(version.placed.as_ref()?.content))
    }

    /// Whether this author brought a content to the name.
    pub(super) fn was_brought(&self, content: Content, author: Option<MemberId>) -> bool {
        self.placed().any(|placed| placed.content == content && placed.author == author)
    }

    fn was_taken_back(&self, index: usize) -> bool {
        let next = self.versions.get(index + 1).and_then(|version| version.placed.as_ref());
        next.is_some_and(|next| next.cause == Cause::Withdrawn)
    }

    /// Whether a content was taken back last, and nothing has happened to the name since.
    pub(super) fn took_back(&self, content: Content) -> bool {
        let Some(before) = self.versions.len().checked_sub(2) else { return false };
        let placed = self.versions[before].placed.as_ref();
        self.was_taken_back(before) && placed.is_some_and(|placed| placed.content == content)
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

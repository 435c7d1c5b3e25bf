//! The history of one name.

use std::collections::BTreeSet;

use crate::{
    hash::Content,
    league::{Cause, MemberId},
    path::RelPath,
    time::UnixTime,
};

/// A content that a name got, with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    pub(super) author: Option<MemberId>,
    pub(super) cause: Cause,
}

/// The effect of one step on a name: a new content, or none for a retired name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version {
    pub(super) step: u64,
    pub(super) placed: Option<Placed>,
}

/// All versions of a name, oldest first. The last one is current.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Past {
    pub(super) path: RelPath,
    pub(super) versions: Vec<Version>,
    /// Contents that claimed the name and were declined by an admin.
    pub(super) declined: BTreeSet<Content>,
}

impl Past {
    pub(super) const fn new(path: RelPath) -> Self {
        Self { path, versions: Vec::new(), declined: BTreeSet::new() }
    }

    /// Returns true if the name had a content and was retired.
    pub(super) fn is_retired(&self) -> bool {
        self.versions.last().is_some_and(|last| last.placed.is_none())
    }

    /// Returns true if the name has or had a content, or declined it.
    pub(super) fn knows(&self, content: Content) -> bool {
        self.declined.contains(&content) || self.contents().any(|held| held == content)
    }

    /// Returns true if the name declined a content and never had it.
    pub(super) fn was_only_declined(&self, content: Content) -> bool {
        self.declined.contains(&content) && self.contents().all(|held| held != content)
    }

    /// Returns all contents that the name has, had or declined.
    pub(super) fn known(&self) -> BTreeSet<Content> {
        self.declined.iter().copied().chain(self.contents()).collect()
    }

    /// Returns the contents that the name has or had, without those that expired: nobody ever sent them, so they may be
    /// published again.
    pub(super) fn contents(&self) -> impl Iterator<Item = Content> {
        let versions = self.versions.iter().enumerate();
        let kept = versions.filter(|(index, _)| !self.has_expired(*index));
        kept.filter_map(|(_, version)| Some(version.placed.as_ref()?.content))
    }

    /// Returns true if `author` once published a content under the name.
    pub(super) fn was_published_by(&self, content: Content, author: Option<MemberId>) -> bool {
        self.placed().any(|placed| placed.content == content && placed.author == author)
    }

    fn has_expired(&self, index: usize) -> bool {
        // The version that took the name back from it tells the cause.
        let next = self.versions.get(index + 1).and_then(|version| version.placed.as_ref());
        next.is_some_and(|next| next.cause == Cause::Expired)
    }

    /// Returns true if the last change of the name was that `content` expired.
    pub(super) fn just_expired(&self, content: Content) -> bool {
        let Some(before) = self.versions.len().checked_sub(2) else { return false };
        let placed = self.versions[before].placed.as_ref();
        self.has_expired(before) && placed.is_some_and(|placed| placed.content == content)
    }

    /// Returns the contents that the name had since it was last retired, with their origin, latest first.
    pub(super) fn placed_since_retired(&self) -> impl Iterator<Item = &Placed> {
        self.versions.iter().rev().map_while(|version| version.placed.as_ref())
    }

    /// Returns the step in which the name got its first content since it was last retired; `None` if it has none.
    pub(super) fn begun(&self) -> Option<u64> {
        let since = self.versions.iter().rev().take_while(|version| version.placed.is_some());
        since.last().map(|version| version.step)
    }

    /// Returns true if the name was retired before it got its present content.
    pub(super) fn was_retired(&self) -> bool {
        self.versions.iter().any(|version| version.placed.is_none())
    }

    /// Returns the contents of the name with their origin, oldest first.
    pub(super) fn placed(&self) -> impl DoubleEndedIterator<Item = &Placed> {
        self.versions.iter().filter_map(|version| version.placed.as_ref())
    }

    /// Returns the content of the name after a step; `None` if it had none.
    pub(super) fn at(&self, step: u64) -> Option<&Placed> {
        let before = self.versions.iter().rev().find(|version| version.step <= step);
        before.and_then(|version| version.placed.as_ref())
    }
}

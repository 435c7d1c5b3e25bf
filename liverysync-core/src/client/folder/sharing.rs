//! Which files of this PC are published: those that its driver shares, and those of the league.
//!
//! The league's liveries sync both ways, whatever the driver shares: an edit of one is an update, and not a new livery. A
//! livery is the league's if some file of it was in sync on this PC, or if the league had it when it was asked.

use std::{collections::BTreeSet, sync::OnceLock};

use super::{IndexedFile, SyncedVersions};
use crate::{
    client::{LiveryGlobs, Role},
    hash::ContentHash,
    manifest::{Entry, Manifest},
    pathmap::PathMap,
};

/// The choice of what is published, and the files that it leaves.
#[derive(Debug)]
pub(super) struct Sharing {
    /// The liveries that the driver shares; `None` until they have chosen.
    chosen: Option<LiveryGlobs>,
    only: Option<Role>,
    /// The keys of the liveries that the league had when it was asked.
    in_league: BTreeSet<String>,
    /// What is published, if that is not everything. Computed when it is first needed.
    published: OnceLock<(Manifest, ContentHash)>,
}

impl Sharing {
    pub(super) const fn new(chosen: Option<LiveryGlobs>, only: Option<Role>) -> Self {
        Self { chosen, only, in_league: BTreeSet::new(), published: OnceLock::new() }
    }

    /// Returns whether everything in the folder is published.
    pub(super) fn is_of_all(&self) -> bool {
        self.only != Some(Role::Target) && self.chosen.as_ref().is_some_and(LiveryGlobs::covers_all)
    }

    pub(super) fn choose(&mut self, chosen: LiveryGlobs) {
        self.chosen = Some(chosen);
        self.invalidate();
    }

    /// Notes the liveries that the league has.
    pub(super) fn handle_league(&mut self, liveries: BTreeSet<String>) {
        self.in_league = liveries;
        self.invalidate();
    }

    /// Notes that the files, or those in sync, have changed.
    pub(super) fn invalidate(&mut self) {
        self.published = OnceLock::new();
    }

    /// Returns whether a livery is the league's.
    pub(super) fn is_of_league(&self, livery: &str, synced: &SyncedVersions) -> bool {
        self.in_league.contains(livery) || synced.has_livery(livery)
    }

    /// Returns whether a file is published.
    pub(super) fn publishes(&self, file: &IndexedFile, synced: &SyncedVersions) -> bool {
        let key = file.path.key();
        if self.only == Some(Role::Target) {
            return synced.get(key) == Some(file.content.hash);
        }
        let is_chosen = |chosen: &LiveryGlobs| chosen.covers(file.path.as_str());
        self.chosen.as_ref().is_some_and(is_chosen) || self.is_of_league(key.livery(), synced)
    }

    /// Returns whether a file is published, or will be if its driver chooses so.
    pub(super) fn may_publish(&self, file: &IndexedFile, synced: &SyncedVersions) -> bool {
        let is_open = self.chosen.is_none() && self.only != Some(Role::Target);
        is_open || self.publishes(file, synced)
    }

    /// Returns the files that are published, with the hash of their manifest.
    pub(super) fn published(
        &self,
        files: &PathMap<IndexedFile>,
        synced: &SyncedVersions,
    ) -> &(Manifest, ContentHash) {
        self.published.get_or_init(|| {
            let published = files.iter().filter(|file| self.publishes(file, synced));
            let manifest = Manifest::of(&PathMap::of_fitting(published.cloned()), entry);
            let hash = manifest.hash();
            (manifest, hash)
        })
    }

    /// Returns whether nothing of a livery, by its key, is published or the league's.
    pub(super) fn is_private(&self, livery: &str, synced: &SyncedVersions) -> bool {
        let may_publish = self.only != Some(Role::Target);
        let is_chosen = |chosen: &LiveryGlobs| may_publish && chosen.covers(livery);
        !self.chosen.as_ref().is_some_and(is_chosen) && !self.is_of_league(livery, synced)
    }

    /// Returns the files of the liveries that wait for the driver's choice.
    pub(super) fn undecided<'a>(
        &self,
        files: &'a PathMap<IndexedFile>,
        synced: &SyncedVersions,
    ) -> Vec<&'a IndexedFile> {
        if self.chosen.is_some() || self.only == Some(Role::Target) {
            return Vec::new();
        }
        files.iter().filter(|file| !self.is_of_league(file.path.key().livery(), synced)).collect()
    }
}

/// Returns a file as a manifest lists it.
pub(super) fn entry(file: &IndexedFile) -> Entry {
    let (path, mtime) = (file.path.clone(), Some(file.stamp.mtime));
    Entry { path, content: file.content, mtime }
}

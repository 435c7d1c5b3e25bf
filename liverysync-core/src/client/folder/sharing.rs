//! Which files of this PC are published: those that its driver shares, and those of the league.
//!
//! The league's liveries sync both ways, whatever the driver shares: an edit of one is an update, and not a new livery. The
//! server is asked what the league has, because this folder may have been in sync with other leagues.

use std::{collections::BTreeMap, ops::Bound, sync::OnceLock};

use super::{IndexedFile, SyncedVersions};
use crate::{
    client::{LiveryGlobs, Role},
    hash::ContentHash,
    manifest::{Entry, Manifest},
    path::PathKey,
    pathmap::PathMap,
};

/// The choice of what is published, and the files that it leaves.
#[derive(Debug)]
pub(super) struct Sharing {
    /// The liveries that the driver shares; `None` until they have chosen.
    chosen: Option<LiveryGlobs>,
    only: Option<Role>,
    /// The contents that the league had when it was asked, or has brought since, by the keys of their files.
    league: BTreeMap<String, ContentHash>,
    /// The published files, if those are not all. Computed when they are first needed.
    published: OnceLock<(Manifest, ContentHash)>,
}

impl Sharing {
    pub(super) const fn new(chosen: Option<LiveryGlobs>, only: Option<Role>) -> Self {
        Self { chosen, only, league: BTreeMap::new(), published: OnceLock::new() }
    }

    /// Returns whether everything in the folder is published.
    pub(super) fn is_of_all(&self) -> bool {
        self.only != Some(Role::Target) && self.chosen.as_ref().is_some_and(LiveryGlobs::covers_all)
    }

    pub(super) fn choose(&mut self, chosen: LiveryGlobs) {
        self.chosen = Some(chosen);
        self.invalidate();
    }

    /// Notes what the league has.
    pub(super) fn handle_league(&mut self, files: BTreeMap<String, ContentHash>) {
        self.league = files;
        self.invalidate();
    }

    /// Notes a file that the league has brought.
    pub(super) fn handle_received(&mut self, key: &PathKey, hash: ContentHash) {
        self.league.insert(key.as_str().to_owned(), hash);
        self.invalidate();
    }

    /// Notes that the league has no file at a path any more.
    pub(super) fn handle_retired(&mut self, key: &PathKey) {
        self.league.remove(key.as_str());
        self.invalidate();
    }

    /// Notes that the files, or those in sync, have changed.
    pub(super) fn invalidate(&mut self) {
        self.published = OnceLock::new();
    }

    /// Returns whether a livery is the league's. If the driver has chosen, one that shares only the name with it is not.
    fn is_of_league(&self, livery: &str, synced: &SyncedVersions) -> bool {
        self.league_has(livery) && (self.chosen.is_none() || synced.has_livery(livery))
    }

    fn league_has(&self, livery: &str) -> bool {
        let below = format!("{livery}/");
        let mut files = self.league.range::<str, _>((Bound::Included(&*below), Bound::Unbounded));
        let has_file = files.next().is_some_and(|(key, _)| key.starts_with(&below));
        has_file || self.league.contains_key(livery)
    }

    /// Returns whether a file is published.
    pub(super) fn publishes(&self, file: &IndexedFile, synced: &SyncedVersions) -> bool {
        let key = file.path.key();
        if self.only == Some(Role::Target) {
            return self.league.get(key.as_str()) == Some(&file.content.hash);
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

    /// Returns the files of the liveries that wait for the driver's choice.
    pub(super) fn undecided<'a>(&self, files: &'a PathMap<IndexedFile>) -> Vec<&'a IndexedFile> {
        if self.chosen.is_some() || self.only == Some(Role::Target) {
            return Vec::new();
        }
        files.iter().filter(|file| !self.league_has(file.path.key().livery())).collect()
    }
}

/// Returns a file as a manifest lists it.
pub(super) fn entry(file: &IndexedFile) -> Entry {
    let (path, mtime) = (file.path.clone(), Some(file.stamp.mtime));
    Entry { path, content: file.content, mtime }
}

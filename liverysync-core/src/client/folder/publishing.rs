//! The part of a folder that decides which of its files are published.

use std::collections::{BTreeMap, BTreeSet};

use super::{Folder, IndexedFile, listing::Listing};
use crate::{
    client::LiveryGlobs,
    hash::ContentHash,
    manifest::Entry,
    path::{PathKey, RelPath, first_component},
    time::Time,
};

impl Folder {
    /// Notes files that a session has brought, or that this PC had already when the league offered them: the league has
    /// them. Where everything is published, the server says so itself.
    pub(in crate::client) fn handle_received(
        &mut self,
        now: Time,
        files: impl Iterator<Item = Entry>,
    ) {
        if self.sharing.is_of_all() {
            return;
        }
        for file in files {
            self.sharing.handle_received(file.path.key(), file.content.hash);
            self.synced.insert(file.path.key().clone(), file.content.hash);
        }
        self.save_timer.handle_synced_change(now);
    }

    /// Returns the files of this PC's own liveries that give way to liveries of the league: nothing of them is published,
    /// so the two have only the name in common. They are forgotten, because they go to the backup folder.
    pub(in crate::client) fn take_private_beside(&mut self, arriving: &[RelPath]) -> Vec<String> {
        if self.sharing.is_of_all() {
            return Vec::new();
        }
        let arriving: BTreeSet<_> = arriving.iter().map(RelPath::key).collect();
        let liveries = arriving.iter().map(|key| key.livery()).collect::<BTreeSet<_>>();
        let is_private = |livery: &&str| {
            let mut files = self.index.files().of_livery(livery);
            let is_published = files.any(|file| self.sharing.publishes(file, &self.synced));
            !is_published && !self.synced.has_livery(livery)
        };
        let private: BTreeSet<_> = liveries.into_iter().filter(is_private).collect();
        let gone = private.iter().flat_map(|livery| self.index.files().of_livery(livery));
        let gone = gone.map(|file| &file.path).filter(|path| !arriving.contains(path.key()));
        let gone: Vec<_> = gone.cloned().collect();
        for path in &gone {
            self.index.files_mut().remove(path.key());
        }
        self.sharing.invalidate();
        gone.iter().map(|path| path.as_str().to_owned()).collect()
    }

    /// Shares these liveries, and no others that the league does not have.
    pub(in crate::client) fn share(&mut self, chosen: LiveryGlobs) {
        self.sharing.choose(chosen);
    }

    /// Notes what the league has: contents by the keys of their files.
    pub(in crate::client) fn handle_league(&mut self, files: BTreeMap<String, ContentHash>) {
        self.sharing.handle_league(files);
    }

    /// Returns whether everything in the folder is published.
    pub(in crate::client) fn shares_all(&self) -> bool {
        self.sharing.is_of_all()
    }

    /// Returns the files of the liveries that wait for the driver's choice.
    pub(in crate::client) fn undecided(&self) -> Vec<&IndexedFile> {
        self.sharing.undecided(self.files())
    }

    /// Returns the files that are not published.
    pub(in crate::client) fn unshared(&self) -> impl Iterator<Item = &IndexedFile> {
        self.files().iter().filter(|file| !self.is_published(file))
    }

    /// Returns whether a file is published.
    pub(in crate::client) fn is_published(&self, file: &IndexedFile) -> bool {
        self.sharing.is_of_all() || self.sharing.publishes(file, &self.synced)
    }

    /// Returns the published file at a path.
    pub(in crate::client) fn published(&self, key: &PathKey) -> Option<&IndexedFile> {
        self.get(key).filter(|file| self.is_published(file))
    }

    /// Returns the names of all liveries in the folder, once for each of their files.
    pub(in crate::client) fn liveries(&self) -> impl Iterator<Item = &str> {
        let listed = self.listing.iter().flat_map(Listing::items);
        listed.map(|item| first_component(&item.path))
    }
}

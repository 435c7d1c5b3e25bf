//! What this PC last had in sync with the union, by path. A change of that is an update for everybody; without
//! it, it would be a rival.
//!
//! It outlives the files: who replaces a livery may delete the old one first.

use std::collections::{BTreeMap, BTreeSet};

use crate::{hash::ContentHash, manifest::Manifest, path::PathKey};

/// What was last in sync at each path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct SyncedVersions {
    at: BTreeMap<PathKey, ContentHash>,
}

impl SyncedVersions {
    pub(super) fn get(&self, key: &PathKey) -> Option<ContentHash> {
        self.at.get(key).copied()
    }

    pub(super) fn insert(&mut self, key: PathKey, hash: ContentHash) {
        self.at.insert(key, hash);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathKey, ContentHash)> {
        self.at.iter().map(|(key, hash)| (key, *hash))
    }

    /// Takes note that `manifest` is in sync but for the paths with keys in `behind`. Returns whether that is news.
    pub(super) fn in_sync(&mut self, manifest: &Manifest, behind: &BTreeSet<String>) -> bool {
        let mut news = false;
        for entry in manifest {
            let (key, hash) = (entry.path.key(), entry.content.hash);
            if self.get(key) == Some(hash) || behind.contains(key.as_str()) {
                continue;
            }
            self.at.insert(key.clone(), hash);
            news = true;
        }
        news
    }
}

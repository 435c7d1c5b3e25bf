//! The content that this PC last had in sync at each path.
//!
//! Whoever edits what was in sync updates it for everybody. Without a synced version the same file would be a conflict.
//!
//! A synced version outlives its file: drivers often delete a livery before they copy in its new version.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
};

use crate::{hash::ContentHash, manifest::Manifest, path::PathKey};

/// Synced versions by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::client) struct SyncedVersions {
    by_path: BTreeMap<PathKey, ContentHash>,
}

impl SyncedVersions {
    pub(in crate::client) fn get(&self, key: &PathKey) -> Option<ContentHash> {
        self.by_path.get(key).copied()
    }

    /// Returns whether any file of a livery, by its key, was in sync.
    pub(super) fn has_livery(&self, livery: &str) -> bool {
        let below = format!("{livery}/");
        let mut files =
            self.by_path.range::<str, _>((Bound::Included(below.as_str()), Bound::Unbounded));
        let has_file = files.next().is_some_and(|(key, _)| key.as_str().starts_with(&below));
        has_file || self.by_path.contains_key(livery)
    }

    pub(super) fn remove(&mut self, key: &PathKey) {
        self.by_path.remove(key);
    }

    pub(super) fn insert(&mut self, key: PathKey, hash: ContentHash) {
        self.by_path.insert(key, hash);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&PathKey, ContentHash)> {
        self.by_path.iter().map(|(key, hash)| (key, *hash))
    }

    /// Notes that all of `manifest` is in sync except the paths with keys in `outdated`. Returns whether anything has
    /// changed.
    pub(super) fn handle_in_sync(
        &mut self,
        manifest: &Manifest,
        outdated: &BTreeSet<String>,
    ) -> bool {
        let mut changed = false;
        for entry in manifest {
            let (key, hash) = (entry.path.key(), entry.content.hash);
            if self.get(key) == Some(hash) || outdated.contains(key.as_str()) {
                continue;
            }
            self.by_path.insert(key.clone(), hash);
            changed = true;
        }
        changed
    }
}

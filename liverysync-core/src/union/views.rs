//! What people may look at of a union and its past.

use std::collections::{BTreeMap, BTreeSet};

use super::{Union, past};
use crate::{
    league::{Conflict, LiveryStatus, Version, VersionChange},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, fold},
    pathmap::of_livery,
};

impl Union {
    /// All liveries, also those that were retired, ordered by key.
    #[must_use]
    pub fn liveries(&self) -> Vec<LiveryStatus> {
        let keys: BTreeSet<_> = self.past.keys().map(PathKey::livery).collect();
        keys.into_iter().filter_map(|key| self.livery(key)).collect()
    }

    fn livery(&self, key: &str) -> Option<LiveryStatus> {
        let mut manifest = Manifest::new();
        for entry in self.entries.of_livery(key) {
            // What is in the union fits together.
            let _fits = manifest.insert(Entry::clone(entry));
        }
        let mut past = of_livery(&self.past, key).map(|(_, past)| past);
        let spelled = past.find(|past| !past.versions.is_empty())?.path.livery().to_owned();
        let rivals = |entry: &&Entry| !self.rivals_of(&entry.path).is_empty();
        let owners = self.owners.get(key).map(|(_, owners)| owners.iter().copied().collect());
        Some(LiveryStatus {
            livery: spelled,
            files: manifest.len(),
            bytes: manifest.total_bytes(),
            version: manifest.hash().short(),
            owners: owners.unwrap_or_default(),
            conflicts: manifest.iter().filter(rivals).count(),
            retired: manifest.is_empty(),
        })
    }

    /// What a livery has been, oldest first; nothing if there never was one of this name.
    #[must_use]
    pub fn history(&self, livery: &str) -> Vec<Version> {
        let livery = &*fold(livery);
        let mut steps: BTreeMap<u64, Vec<VersionChange>> = BTreeMap::new();
        for (_, past) in of_livery(&self.past, livery) {
            for version in &past.versions {
                steps.entry(version.step).or_default().push(change(&past.path, version));
            }
        }
        let versions = steps.into_iter().map(|(step, changes)| {
            let mut manifest = Manifest::new();
            for (path, placed) in self.livery_at(livery, step).into_values() {
                let (content, mtime) = (placed.content, placed.mtime);
                // What was in the union once fitted together.
                let _fits = manifest.insert(Entry { path, content, mtime });
            }
            Version {
                step,
                hash: manifest.hash().to_string(),
                files: manifest.len(),
                bytes: manifest.total_bytes(),
                changes,
            }
        });
        versions.collect()
    }

    /// The names that several contents claim, ordered by key.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        let conflicts = self.entries.iter().filter_map(|entry| {
            let rivals = self.rivals_of(&entry.path);
            let rivals: Vec<_> =
                rivals.into_iter().map(|rival| (rival.path, rival.content)).collect();
            (!rivals.is_empty()).then(|| Conflict {
                path: entry.path.clone(),
                established: entry.content,
                rivals,
            })
        });
        conflicts.collect()
    }
}

fn change(path: &RelPath, version: &past::Version) -> VersionChange {
    let placed = version.placed.as_ref();
    VersionChange {
        path: path.clone(),
        content: placed.map(|placed| placed.content),
        cause: placed.map(|placed| placed.cause),
        author: placed.and_then(|placed| placed.author),
    }
}

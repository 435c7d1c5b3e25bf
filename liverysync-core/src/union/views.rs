//! What people may look at of a union and its past.

use std::collections::{BTreeMap, BTreeSet};

use super::{Union, UnionEntry, past};
use crate::{
    conflict::{in_claimed_livery, parse_conflict_name},
    hash::Content,
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
        let rivals = self.all_rivals();
        keys.into_iter().filter_map(|key| self.livery(key, &rivals)).collect()
    }

    fn livery(
        &self,
        key: &str,
        rivals: &BTreeMap<PathKey, Vec<&UnionEntry>>,
    ) -> Option<LiveryStatus> {
        let mut manifest = Manifest::new();
        for entry in self.entries.of_livery(key) {
            // What is in the union fits together.
            let _fits = manifest.insert(Entry::clone(entry));
        }
        let mut past = of_livery(&self.past, key).map(|(_, past)| past);
        let spelled = past.find(|past| !past.versions.is_empty())?.path.livery().to_owned();
        let owners = self.owners.get(key).map(|(_, owners)| owners.iter().copied().collect());
        Some(LiveryStatus {
            livery: spelled,
            files: manifest.len(),
            bytes: manifest.total_bytes(),
            version: manifest.hash().short(),
            owners: owners.unwrap_or_default(),
            conflicts: of_livery(rivals, key).count(),
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
        let conflicts = self.all_rivals().into_iter().filter_map(|(key, rivals)| {
            let entry = self.entries.get(&key)?;
            Some(Conflict {
                path: entry.path.clone(),
                established: entry.content,
                rivals: rivals.iter().map(|rival| (rival.path.clone(), rival.content)).collect(),
            })
        });
        conflicts.collect()
    }

    /// The names that have no content any more, ordered by key, with what each of them has had or turned down: a PC that has
    /// that still puts it away.
    pub fn retired(&self) -> impl Iterator<Item = (&RelPath, BTreeSet<Content>)> {
        let gone = self.past.iter().filter(|(key, _)| !self.entries.contains(key));
        gone.map(|(_, past)| (&past.path, past.known()))
    }

    /// The rivals of every name that has some, as [`Union::rivals_of`] finds those of one.
    fn all_rivals(&self) -> BTreeMap<PathKey, Vec<&UnionEntry>> {
        let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for rival in &self.entries {
            let beside = parse_conflict_name(&rival.path, &self.naming).map(|(plain, _)| plain);
            let beside = beside.filter(|plain| self.entries.contains(plain.key()));
            let in_folder = in_claimed_livery(&rival.path, &self.naming).filter(|claimed| {
                let established = self.entries.get(claimed.key());
                established.is_some_and(|established| established.content != rival.content)
            });
            for plain in [beside, in_folder].into_iter().flatten() {
                all.entry(plain.key().clone()).or_default().push(rival);
            }
        }
        all
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

//! Views of a union and its history for people.

use std::collections::{BTreeMap, BTreeSet};

use super::{Union, past};
use crate::{
    conflict::{in_claimed_livery, parse_conflict_name},
    hash::Content,
    league::{Cause, Conflict, LiveryStatus, Version, VersionChange},
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, fold},
    pathmap::of_livery,
};

impl Union {
    /// Returns all liveries, including retired ones, ordered by key.
    #[must_use]
    pub fn liveries(&self) -> Vec<LiveryStatus> {
        let keys: BTreeSet<_> = self.past.keys().map(PathKey::livery).collect();
        let conflicts = self.conflicts_by_key();
        keys.into_iter().filter_map(|key| self.livery(key, &conflicts)).collect()
    }

    fn livery(&self, key: &str, conflicts: &BTreeMap<PathKey, Conflict>) -> Option<LiveryStatus> {
        let mut manifest = Manifest::new();
        for entry in self.entries.of_livery(key) {
            // Entries of the union cannot collide.
            let _fits = manifest.insert(Entry::clone(entry));
        }
        let mut past = of_livery(&self.past, key).map(|(_, past)| past);
        // A name that was forgotten is only here for what it declined. No livery has it.
        let spelled = past.find(|past| !past.versions.is_empty())?.path.livery().to_owned();
        let owners = self.owners(key).map(|owners| owners.iter().copied().collect());
        Some(LiveryStatus {
            livery: spelled,
            files: manifest.len(),
            bytes: manifest.total_bytes(),
            version: manifest.version_hash().short(),
            owners: owners.unwrap_or_default(),
            conflicts: of_livery(conflicts, key).count(),
            retired: manifest.is_empty(),
        })
    }

    /// Returns the versions of a livery, oldest first; empty if there never was such a livery.
    // As `league::Version`.
    #[doc(hidden)]
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
                // Files that were in the union at the same time cannot collide.
                let _fits = manifest.insert(Entry { path, content, mtime });
            }
            Version {
                step,
                hash: manifest.version_hash().to_string(),
                files: manifest.len(),
                bytes: manifest.total_bytes(),
                changes,
            }
        });
        versions.collect()
    }

    /// Returns the names that several contents claim, ordered by key.
    ///
    /// This includes free names that only conflict copies claim, because they would change another member's livery. A
    /// conflicting livery without any collision appears with its first name.
    #[must_use]
    pub fn conflicts(&self) -> Vec<Conflict> {
        self.conflicts_by_key().into_values().collect()
    }

    /// Returns the names that no longer have a content, ordered by key, with the contents that each had or declined. A PC that
    /// still has one of those moves it to its backups.
    pub fn retired(&self) -> impl Iterator<Item = (&RelPath, BTreeSet<Content>)> {
        let gone = self.past.iter().filter(|(key, _)| !self.entries.contains(key));
        gone.map(|(_, past)| (&past.path, past.known()))
    }

    fn conflicts_by_key(&self) -> BTreeMap<PathKey, Conflict> {
        let mut conflicts = BTreeMap::new();
        let (mut colliding, mut apart) = (BTreeSet::new(), BTreeMap::new());
        for rival in &self.entries {
            let beside =
                parse_conflict_name(&rival.path, &self.settings.naming).map(|(plain, _)| plain);
            // Members may give any file such a name. If nothing has the plain name, only its digits show that it is a
            // conflict copy.
            if let Some(plain) = beside
                && (self.entries.contains(plain.key()) || self.has_its_digits(rival))
            {
                self.add_rival(plain, rival, &mut conflicts);
            }
            let Some(claimed) = in_claimed_livery(&rival.path, &self.settings.naming) else {
                continue;
            };
            let folder = rival.path.key().livery();
            match self.entries.get(claimed.key()) {
                // Both liveries have this file.
                Some(established) if established.content == rival.content => {}
                Some(_) => {
                    colliding.insert(folder);
                    self.add_rival(claimed, rival, &mut conflicts);
                }
                None if self.is_of_conflicting_livery(&claimed, rival) => {
                    // One name is enough: no file of such a livery is in conflict by itself.
                    apart.entry(folder).or_insert((claimed, rival));
                }
                None => {}
            }
        }
        for (_, (claimed, rival)) in
            apart.into_iter().filter(|(folder, _)| !colliding.contains(folder))
        {
            self.add_rival(claimed, rival, &mut conflicts);
        }
        conflicts
    }

    fn add_rival(
        &self,
        claimed: RelPath,
        rival: &Entry,
        conflicts: &mut BTreeMap<PathKey, Conflict>,
    ) {
        let key = claimed.key().clone();
        let conflict = conflicts.entry(key).or_insert_with_key(|key| {
            let there = self.entries.get(key);
            let path = there.map_or(claimed, |there| there.path.clone());
            Conflict::new(path, there.map(|there| there.content))
        });
        conflict.copies.push((rival.path.clone(), rival.content));
    }

    /// Returns true if a file that claims a free name belongs to a livery in conflict with the established one.
    fn is_of_conflicting_livery(&self, claimed: &RelPath, rival: &Entry) -> bool {
        self.began_in_conflict(&rival.path) && !self.is_vacant(claimed.key().livery())
    }

    /// Returns true if a name is a conflict name, judging by the digits of the contents that it has or had.
    fn has_its_digits(&self, entry: &Entry) -> bool {
        let parsed = parse_conflict_name(&entry.path, &self.settings.naming);
        let past = self.past.get(entry.path.key());
        parsed.zip(past).is_some_and(|((_, digits), past)| {
            past.placed().any(|placed| placed.content.hash.short() == digits)
        })
    }

    /// Returns true if a name is that of a conflict copy beside the established file.
    pub(super) fn is_conflict_copy(&self, path: &RelPath) -> bool {
        self.began_in_conflict(path) && parse_conflict_name(path, &self.settings.naming).is_some()
    }

    /// Returns true if a name got its first content in a conflict. A member may also give a file such a name by hand.
    pub(super) fn began_in_conflict(&self, path: &RelPath) -> bool {
        let past = self.past.get(path.key());
        past.is_some_and(|past| past.placed().any(|placed| placed.cause == Cause::Conflict))
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

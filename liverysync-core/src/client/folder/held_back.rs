//! Damaged files that are held back, because the league has an intact version of them.
//!
//! A crash, a full disk or an editor in the middle of a save leaves such a file. What was published stays published until
//! the file is whole again, and nothing replaces the file meanwhile: the editor may still write to it.

use std::collections::BTreeMap;

use crate::{
    inspect::Damage,
    path::{PathKey, RelPath},
    pathmap::PathMap,
    select::{Chosen, Reason, Skipped},
};

/// The files that are held back, as they were when they were read.
#[derive(Debug, Default)]
pub(super) struct HeldBack(BTreeMap<PathKey, (Chosen, Damage)>);

impl HeldBack {
    /// Forgets the files that a scan found changed or did not find.
    pub(super) fn handle_scan(&mut self, chosen: &PathMap<Chosen>) {
        self.0.retain(|key, (file, _)| chosen.get(key) == Some(file));
    }

    pub(super) fn insert(&mut self, file: Chosen, damage: Damage) {
        self.0.insert(file.path.key().clone(), (file, damage));
    }

    /// Returns the damage of a file, if it is held back.
    pub(super) fn get(&self, key: &PathKey) -> Option<Damage> {
        self.0.get(key).map(|(_, damage)| *damage)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &PathKey> {
        self.0.keys()
    }

    /// Returns the files with their damage.
    pub(super) fn files(&self) -> impl Iterator<Item = (&RelPath, Damage)> {
        self.0.values().map(|(file, damage)| (&file.path, *damage))
    }

    /// Returns the files with the reason why they are not shared.
    pub(super) fn skipped(&self) -> impl Iterator<Item = Skipped> {
        self.files().map(|(path, damage)| Skipped {
            path: path.as_str().to_owned(),
            reason: Reason::Damaged(damage),
        })
    }
}

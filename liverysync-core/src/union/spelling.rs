//! The spelling of names. Keys ignore it, but a disk may not: every file of a folder has one spelling of that folder.
//!
//! The first publisher's spelling stays until an owner of the livery changes it, or an admin does. A change of spelling keeps
//! the content and is no version of the livery.

use std::collections::BTreeMap;

use super::{Change, Outcome, PeerId, Union};
use crate::{
    hash::Content,
    league::{Cause, MemberId, Record},
    manifest::Entry,
    path::{PathKey, RelPath},
};

/// The files of a member's peer that have another spelling than the peer had in sync.
pub(super) struct Respelled {
    peer: PeerId,
    member: MemberId,
    paths: Vec<RelPath>,
}

impl Respelled {
    /// Returns those of a change; `None` if there are none.
    pub(super) fn of(change: &Change) -> Option<Self> {
        let renamed = change.gained.iter().filter(|gained| gained.renamed);
        let paths: Vec<_> = renamed.map(|gained| gained.entry.path.clone()).collect();
        let (peer, member) = (change.peer, change.member?);
        (!paths.is_empty()).then_some(Self { peer, member, paths })
    }
}

impl Union {
    /// Spells the folders of a name as the other names in them do. A name that would become invalid stays as it is.
    pub(super) fn spelled(&self, path: RelPath) -> RelPath {
        self.respelled(&path, &self.entries.respell(&path)).unwrap_or(path)
    }

    /// Returns a name in another spelling; `None` if that is no change, or no valid name.
    fn respelled(&self, path: &RelPath, spelling: &str) -> Option<RelPath> {
        if spelling == path.as_str() {
            return None;
        }
        let path_there = RelPath::parse(spelling, &self.settings.naming.extensions).ok()?;
        (path_there.key() == path.key()).then_some(path_there)
    }

    /// Takes over the spelling of owners who have renamed their files.
    pub(super) fn take_spelling(&mut self, respelled: &[Respelled], outcome: &mut Outcome) {
        for Respelled { peer, member, paths } in respelled {
            let mut liveries: BTreeMap<&str, Vec<&RelPath>> = BTreeMap::new();
            for path in paths.iter().filter(|path| self.has_spelled(*peer, path)) {
                liveries.entry(path.key().livery()).or_default().push(path);
            }
            for (livery, paths) in liveries {
                if self.owns(Some(*member), livery) && !self.is_frozen(livery) {
                    self.respell_livery(livery, &paths, outcome);
                }
            }
        }
    }

    /// Returns true if a peer has the content of a name there, in this spelling.
    fn has_spelled(&self, peer: PeerId, path: &RelPath) -> bool {
        let entry = self.entries.get(path.key());
        entry.is_some_and(|entry| entry.local_at(peer, path.key()) == Some(path))
    }

    /// Spells all names of a livery like these paths, as far as they share folders with them.
    pub(super) fn respell_livery(
        &mut self,
        livery: &str,
        like: &[&RelPath],
        outcome: &mut Outcome,
    ) {
        let spelling = spelling_of(like);
        let files: Vec<_> = self.entries.of_livery(livery).map(|file| Entry::clone(file)).collect();
        for file in files {
            let text = spell(&file.path, &spelling);
            if let Some(path) = self.respelled(&file.path, &text) {
                // Only its name changes, so its author stays.
                let (author, step) = (self.author_of(Some(&file)), outcome.step);
                let entry = Entry { path, ..file };
                self.record(Record::Placed { step, entry, author, cause: Cause::Renamed }, outcome);
            }
        }
    }

    /// Gives the entry with this content another spelling. Returns false if there is no such entry.
    pub(super) fn apply_spelling(
        &mut self,
        path: &RelPath,
        content: Content,
        outcome: &mut Outcome,
    ) -> bool {
        let entry = self.entries.get_mut(path.key()).filter(|entry| entry.content == content);
        let Some(entry) = entry else { return false };
        entry.respell(path);
        if let Some(past) = self.past.get_mut(path.key()) {
            past.path = path.clone();
        }
        // Not touched: a spelling takes nobody's file away, so the name must not expire for it.
        outcome.changed.insert(path.key().clone());
        true
    }
}

/// Returns the spelling of each component of some paths, by the key of the path that ends with it.
fn spelling_of<'a>(paths: &[&'a RelPath]) -> BTreeMap<&'a str, &'a str> {
    let mut spelling = BTreeMap::new();
    for path in paths {
        for (key, component) in keys_of(path.key()).zip(path.components()) {
            spelling.entry(key).or_insert(component);
        }
    }
    spelling
}

/// Spells a path as far as the spelling is known.
fn spell(path: &RelPath, spelling: &BTreeMap<&str, &str>) -> String {
    let components = keys_of(path.key()).zip(path.components());
    let spelled =
        components.map(|(key, component)| spelling.get(key).copied().unwrap_or(component));
    spelled.collect::<Vec<_>>().join("/")
}

/// Returns the keys of a path's folders, the outermost first, and its own.
fn keys_of(key: &PathKey) -> impl Iterator<Item = &str> {
    key.ancestors().chain([key.as_str()])
}

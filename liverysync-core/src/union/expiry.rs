//! Expiry: frees the names of contents that will never arrive, because nobody holds them and nobody ever sent them.
//!
//! A client may publish a file and disconnect before the server has it. Without expiry its name would block other contents
//! for ever. The other parts of a new livery go with it.

use super::{
    Claimant, Outcome, Union, UnionEntry,
    past::{Past, Placed},
};
use crate::{
    conflict::Scope,
    hash::Content,
    league::{Cause, Record},
    manifest::Entry,
    path::PathKey,
    pathmap::of_livery,
};

/// Most names of a livery that is kept together from its beginning: as many as a session has files by default. It also bounds
/// the work for each name that expires.
const WHOLE_NAMES_MAX: usize = 50;

impl Union {
    /// Tells the union which holder is the server's own store. What only that has is of no driver.
    #[cfg(feature = "server")]
    pub(crate) const fn set_store(&mut self, store: super::PeerId) {
        self.store = Some(store);
    }

    /// Expires the orphans among the touched names. Returns the claimants that must be placed again.
    pub(super) fn expire_orphans(&mut self, outcome: &mut Outcome) -> Vec<Claimant> {
        let mut again = Vec::new();
        loop {
            // Once more after each round: a claimant that is taken out may have been the last holder of its conflict
            // name.
            let touched = outcome.touched.iter();
            let orphans: Vec<_> = touched.filter(|key| self.is_orphan(key)).cloned().collect();
            if orphans.is_empty() {
                return again;
            }
            for key in orphans {
                again.extend(self.expire(&key, outcome));
            }
        }
    }

    /// Returns true if nobody holds the content of a name, and nobody ever sent it.
    pub(super) fn is_orphan(&self, key: &PathKey) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.holders.is_empty() && !self.is_verified(entry.content))
    }

    /// Takes the content of a name away, because it will never arrive. The name gets back the last content that exists, or
    /// becomes free. Returns the claimants that must be placed again.
    pub(super) fn expire(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let past = self.past.get(key).filter(|_| self.entries.contains(key));
        let Some(past) = past else { return Vec::new() };
        match self.previous_available(past).cloned() {
            Some(placed) => {
                let path = past.path.clone();
                let entry = Entry { path, content: placed.content, mtime: placed.mtime };
                // The name is taken again, so no claimant has to be placed.
                self.record_placed(entry, placed.author, Cause::Expired, outcome);
                Vec::new()
            }
            None => {
                let mut names = self.unfinished_with(key);
                names.push(key.clone());
                names.iter().flat_map(|key| self.free(key, outcome)).collect()
            }
        }
    }

    /// Returns the other names of a new livery of which this name was a part from its beginning, as far as they have the
    /// same author and nobody has a file there any more. They leave together: nobody ever had that livery whole, and a part of it
    /// is of no use. Its author brings all of it when they return.
    fn unfinished_with(&self, key: &PathKey) -> Vec<PathKey> {
        let (own, began) = self.beginning_of(key.livery());
        let is_expired = |entry: &&UnionEntry| entry.path.key() == key;
        let Some(expired) = began.iter().find(|entry| is_expired(entry)) else { return Vec::new() };
        let author = |entry: &UnionEntry| self.author_of(Some(entry));
        let is_left = |entry: &UnionEntry| {
            let has_outdated = self.unplaced.outdated_at(entry.path.key()).next().is_some();
            let mut holders = entry.holders().map(|(holder, _)| Some(holder));
            let is_held = holders.any(|holder| holder != self.store);
            !is_held && !has_outdated && author(entry) == author(expired)
        };
        let left = own.iter().filter(|entry| !is_expired(entry) && is_left(entry));
        left.map(|entry| entry.path.key().clone()).collect()
    }

    /// Returns the names that a livery has had from its beginning, and whose contents have never come.
    #[cfg(feature = "server")]
    pub(crate) fn never_came(&self, livery: &str) -> impl Iterator<Item = &UnionEntry> {
        let (_, began) = self.beginning_of(livery);
        began.into_iter().filter(|entry| !self.is_verified(entry.content))
    }

    /// Returns true if a name was added to a livery, and its content has never come.
    #[cfg(feature = "server")]
    pub(crate) fn is_arriving_addition(&self, key: &PathKey) -> bool {
        let entry = self.entries.get(key).filter(|entry| !self.is_verified(entry.content));
        entry.is_some_and(|_| {
            let (_, began) = self.beginning_of(key.livery());
            began.iter().all(|entry| entry.path.key() != key)
        })
    }

    /// Returns the names of a livery without the conflict copies beside them, which are kept one by one; and those of them that
    /// it has had from its beginning. Returns nothing of a livery with more than [`WHOLE_NAMES_MAX`] names.
    fn beginning_of(&self, livery: &str) -> (Vec<&UnionEntry>, Vec<&UnionEntry>) {
        let all: Vec<_> = self.entries.of_livery(livery).take(WHOLE_NAMES_MAX + 1).collect();
        if all.len() > WHOLE_NAMES_MAX {
            return (Vec::new(), Vec::new());
        }
        let begun = |entry: &UnionEntry| self.past.get(entry.path.key()).and_then(Past::begun);
        let own = all.into_iter().filter(|entry| !self.is_conflict_copy(&entry.path));
        let own: Vec<_> = own.collect();
        let first = own.iter().map(|entry| begun(entry)).min();
        let began = own.iter().copied().filter(|entry| Some(begun(entry)) == first).collect();
        (own, began)
    }

    /// Frees a name. Returns the claimants that must be placed again.
    fn free(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let Some(past) = self.past.get(key) else { return Vec::new() };
        let path = past.path.clone();
        // A retired name stays retired: without its history, every old copy of it would come back. So does one that had a
        // blocked content, which some may still have.
        if past.was_retired() || self.had_blocked(past) {
            self.record_retired(path, outcome);
        } else {
            self.record(Record::Forgotten { path }, outcome);
        }
        if let Some(store) = self.store {
            self.unplaced.remove(store, key);
        }
        // All of them, because a refused file does not say which names were in its way.
        let mut again = self.unplaced.take_refused();
        again.extend(self.release_rivals(key, outcome));
        again.extend(self.release_past_rivals(key));
        again
    }

    /// Takes out the claimants that were filed elsewhere because this name was taken: those of the name, or those of the whole
    /// livery once nothing is left of it. If conflicting liveries are kept whole, nothing is released before that.
    fn release_rivals(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let names = if self.is_vacant(key.livery()) {
            let names = of_livery(&self.filed_elsewhere, key.livery()).map(|(name, _)| name);
            names.filter(|name| !self.entries.contains(name)).cloned().collect()
        } else if self.settings.naming.scope == Scope::File {
            vec![key.clone()]
        } else {
            Vec::new()
        };
        names.iter().flat_map(|name| self.detach_all(name, outcome)).collect()
    }

    /// Takes out all claimants of a name that are filed elsewhere.
    fn detach_all(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let rivals = self.filed_elsewhere.remove(key).unwrap_or_default();
        let detached = rivals.into_iter().map(|(peer, (claimant, entry_key))| {
            if let Some(entry) = self.entries.get_mut(&entry_key) {
                entry.remove(peer, key);
                outcome.touched.insert(entry_key);
            }
            claimant
        });
        detached.collect()
    }

    /// Takes out the outdated files whose conflict name this was.
    fn release_past_rivals(&mut self, name: &PathKey) -> Vec<Claimant> {
        let rivals: Vec<_> = self.unplaced.rivals_of(name).cloned().collect();
        for rival in &rivals {
            self.unplaced.remove(rival.peer, rival.key());
        }
        rivals
    }

    /// Returns the last earlier content of a name that exists.
    fn previous_available<'a>(&self, past: &'a Past) -> Option<&'a Placed> {
        let key = past.path.key();
        let current = self.entries.get(key).map(|entry| entry.content);
        let exists = |content| {
            !self.is_blocked(content)
                && (self.is_verified(content) || self.is_held_outdated(key, content))
        };
        // No content from before a retirement: that was not to come back by itself.
        let before = past.placed_since_retired();
        // The content that expires may be in the history more than once.
        let mut before = before.filter(|placed| Some(placed.content) != current);
        before.find(|placed| exists(placed.content))
    }

    fn had_blocked(&self, past: &Past) -> bool {
        past.placed_since_retired().any(|placed| self.is_blocked(placed.content))
    }

    /// Returns true if a peer's outdated file at this name has the content.
    pub(super) fn is_held_outdated(&self, key: &PathKey, content: Content) -> bool {
        self.unplaced.outdated_at(key).any(|(_, outdated)| outdated.content == content)
    }
}

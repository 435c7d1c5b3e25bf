//! Giving up what will never come: nobody has it, and nobody ever sent it.

use super::{
    Claimant, Outcome, Union,
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

impl Union {
    /// Gives up all that nobody holds and nobody ever sent. Returns those who claim their names anew.
    pub(super) fn give_up_unheld(&mut self, outcome: &mut Outcome) -> Vec<Claimant> {
        let mut anew = Vec::new();
        loop {
            let touched = outcome.touched.iter();
            let unheld: Vec<_> = touched.filter(|key| self.is_vain(key)).cloned().collect();
            if unheld.is_empty() {
                return anew;
            }
            for key in unheld {
                anew.extend(self.give_up(&key, outcome));
            }
        }
    }

    /// Whether nobody holds what a name has, and nobody ever sent it.
    pub(super) fn is_vain(&self, key: &PathKey) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.holders.is_empty() && !self.is_proven(entry.content))
    }

    /// Takes back what a name has got, because it will never come: the name gets back what it had before, or is
    /// free. Returns those who claim their names anew then.
    pub(super) fn give_up(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let Some(past) = self.past.get(key) else { return Vec::new() };
        let path = past.path.clone();
        match self.real_before(past).cloned() {
            Some(placed) => {
                let entry = Entry { path, content: placed.content, mtime: placed.mtime };
                self.record_placed(entry, placed.author, Cause::Withdrawn, outcome);
                Vec::new()
            }
            None => {
                self.record(Record::Forgotten { path }, outcome);
                let mut anew = self.aside.take_refused();
                anew.extend(self.claimants_of(key, outcome));
                anew.extend(self.rivals_that_were(key));
                anew
            }
        }
    }

    /// The rivals of a name that is free by now, and of all of its livery once that is; where liveries are wholes,
    /// there are none before.
    fn claimants_of(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let names = if self.is_vacant(key.livery()) {
            let names = of_livery(&self.elsewhere, key.livery()).map(|(name, _)| name);
            names.filter(|name| !self.entries.contains(name)).cloned().collect()
        } else if self.settings.naming.scope == Scope::File {
            vec![key.clone()]
        } else {
            Vec::new()
        };
        names.iter().flat_map(|name| self.detach_all(name, outcome)).collect()
    }

    /// Those who have something else at a name than the name, wherever that counts.
    fn detach_all(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let rivals = self.elsewhere.remove(key).unwrap_or_default();
        let detached = rivals.into_iter().map(|(peer, (claimant, entry_key))| {
            if let Some(entry) = self.entries.get_mut(&entry_key) {
                entry.remove(peer, key);
                outcome.touched.insert(entry_key);
            }
            claimant
        });
        detached.collect()
    }

    /// Those whose conflict name this was until it got something else. They are behind it no more.
    fn rivals_that_were(&mut self, name: &PathKey) -> Vec<Claimant> {
        let rivals: Vec<_> = self.aside.rivals_of(name).cloned().collect();
        for rival in &rivals {
            self.aside.remove(rival.peer, rival.key());
        }
        rivals
    }

    /// What a name held last, before what it holds, of what there is.
    fn real_before<'a>(&self, past: &'a Past) -> Option<&'a Placed> {
        let key = past.path.key();
        let current = self.entries.get(key).map(|entry| entry.content);
        let is_real = |content| self.is_proven(content) || self.is_held_behind(key, content);
        let mut before = past.placed().rev().filter(|placed| Some(placed.content) != current);
        before.find(|placed| is_real(placed.content))
    }

    /// Whether somebody who is behind has a content of this name.
    pub(super) fn is_held_behind(&self, key: &PathKey, content: Content) -> bool {
        self.aside.stale_at(key).any(|(_, stale)| stale.content == content)
    }
}

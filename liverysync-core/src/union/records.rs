//! Changes of what is established. Each is a [`Record`], and only records change it: what is played back
//! and what happens take one way.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Outcome, PeerId, Union, UnionEntry,
    aside::Stale,
    holders::Holders,
    past::{Past, Placed, Version},
};
use crate::{
    hash::Content,
    league::{Cause, MemberId, Record, Setting, Settings},
    manifest::Entry,
    path::{PathKey, RelPath, fold},
};

impl Union {
    /// The union that these records tell of, with nobody there. What does not fit with what was recorded before
    /// it, because it was not written by a union, is left out.
    #[must_use]
    pub fn replay<'a>(settings: Settings, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut union = Self { settings, ..Self::default() };
        let mut outcome = Outcome::default();
        for record in records {
            union.apply(record, &mut outcome);
        }
        union
    }

    /// What a step is told in.
    pub(super) fn begin(&self) -> Outcome {
        Outcome { step: self.steps + 1, ..Outcome::default() }
    }

    /// Does what a record tells of, and tells it.
    pub(super) fn record(&mut self, record: Record, outcome: &mut Outcome) {
        self.apply(&record, outcome);
        outcome.records.push(record);
    }

    pub(super) fn record_placed(
        &mut self,
        entry: Entry,
        author: Option<MemberId>,
        cause: Cause,
        outcome: &mut Outcome,
    ) {
        let step = outcome.step;
        self.record(Record::Placed { step, entry, author, cause }, outcome);
    }

    pub(super) fn record_retired(&mut self, path: RelPath, outcome: &mut Outcome) {
        let step = outcome.step;
        self.record(Record::Retired { step, path }, outcome);
    }

    fn apply(&mut self, record: &Record, outcome: &mut Outcome) {
        match record {
            Record::Placed { step, entry, author, cause } => {
                let placed = Placed {
                    content: entry.content,
                    mtime: entry.mtime,
                    author: *author,
                    cause: *cause,
                };
                self.apply_placed(*step, &entry.path, placed, outcome);
            }
            Record::Retired { step, path } => {
                self.vacate(path.key(), outcome);
                self.remember(*step, path, None);
            }
            Record::TurnedDown { step, path, content } => {
                self.steps = self.steps.max(*step);
                self.past_of(path).turned_down.insert(*content);
            }
            Record::Forgotten { path } => {
                self.vacate(path.key(), outcome);
                self.forget_past(path.key());
            }
            Record::Proven(content) => {
                self.proven.insert(*content);
            }
            Record::Owned { livery, owners } => {
                let owners = owners.iter().copied().collect();
                self.owners.insert(fold(livery), (livery.clone(), owners));
            }
            Record::Set { setting, value } => self.apply_set(*setting, value),
            Record::Seen { .. } | Record::Reported { .. } => {}
        }
    }

    fn apply_set(&mut self, setting: Setting, value: &str) {
        if self.settings.set(setting, value).is_ok() && setting == Setting::ConflictSuffix {
            // Which names are conflict copies depends on the suffixes.
            let begun = self.entries.iter().filter(|entry| !self.is_rival_copy(&entry.path));
            let liveries: Vec<_> =
                begun.map(|entry| entry.path.key().livery().to_owned()).collect();
            self.begun.clear();
            for livery in liveries {
                *self.begun.entry(livery).or_default() += 1;
            }
        }
    }

    fn apply_placed(&mut self, step: u64, path: &RelPath, placed: Placed, outcome: &mut Outcome) {
        let key = path.key();
        self.vacate(key, outcome);
        let (content, mtime) = (placed.content, placed.mtime);
        let entry = Arc::new(Entry { path: path.clone(), content, mtime });
        let mut entry = UnionEntry { entry, holders: Holders::default() };
        for (peer, local) in self.take_those_with(key, content, outcome) {
            entry.add(peer, &local);
        }
        if self.entries.insert(entry).is_err() {
            return;
        }
        self.names.entry(content).or_default().insert(key.clone());
        self.remember(step, path, Some(placed));
        if !self.is_rival_copy(path) {
            *self.begun.entry(key.livery().to_owned()).or_default() += 1;
        }
        outcome.touched.insert(key.clone());
        outcome.changed.insert(key.clone());
    }

    /// Those who have at a name what it gets by now, and were behind there, or ahead, or rivals, or refused:
    /// they are so no more.
    fn take_those_with(
        &mut self,
        key: &PathKey,
        content: Content,
        outcome: &mut Outcome,
    ) -> BTreeMap<PeerId, RelPath> {
        let stale = self.aside.stale_at(key);
        let stale = stale.map(|(peer, stale)| (peer, &stale.local, stale.content));
        let rivals = self.elsewhere.get(key).into_iter().flatten();
        let rivals = rivals.map(|(_, (claimant, _))| claimant);
        let claimants = rivals.chain(self.aside.refused_at(key));
        let claimants = claimants.map(|c| (c.peer, &c.entry.path, c.entry.content));
        let those = stale.chain(claimants).filter(|(_, _, held)| *held == content);
        let those: BTreeMap<_, _> = those.map(|(peer, local, _)| (peer, local.clone())).collect();
        for peer in those.keys() {
            self.lose(*peer, key, content, outcome);
        }
        those
    }

    /// Takes a name's content away. Who has it is behind from now on.
    fn vacate(&mut self, key: &PathKey, outcome: &mut Outcome) {
        let Some(entry) = self.entries.remove(key) else { return };
        if !self.is_rival_copy(&entry.path)
            && let Some(begun) = self.begun.get_mut(key.livery())
        {
            *begun -= 1;
            if *begun == 0 {
                self.begun.remove(key.livery());
            }
        }
        let content = entry.content;
        if let Some(names) = self.names.get_mut(&content) {
            names.remove(key);
            if names.is_empty() {
                self.names.remove(&content);
            }
        }
        for (peer, local) in entry.holders.places(&entry.path) {
            if self.is_home(peer, local.key(), content) {
                continue;
            }
            let rival = self.detach(peer, local.key());
            self.aside.be_behind(peer, Stale { local, content, mtime: entry.mtime, rival });
        }
        outcome.touched.insert(key.clone());
        outcome.changed.insert(key.clone());
    }

    /// Whether what a peer has at a key is what the name holds.
    fn is_home(&self, peer: PeerId, key: &PathKey, content: Content) -> bool {
        let entry = self.entries.get(key).filter(|entry| entry.content == content);
        entry.is_some_and(|entry| entry.local_at(peer, key).is_some())
    }

    fn remember(&mut self, step: u64, path: &RelPath, placed: Option<Placed>) {
        self.steps = self.steps.max(step);
        self.past_of(path).versions.push(Version { step, placed });
    }

    fn past_of(&mut self, path: &RelPath) -> &mut Past {
        self.past.entry(path.key().clone()).or_insert_with(|| Past::new(path.clone()))
    }

    /// What was turned down stays so.
    fn forget_past(&mut self, key: &PathKey) {
        let Some(past) = self.past.get_mut(key) else { return };
        past.versions.clear();
        if past.turned_down.is_empty() {
            self.past.remove(key);
        }
    }
}

//! Records: the only way in which established contents change. A step and a replay apply them with the same code, so they
//! cannot differ.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Outcome, PeerId, Union, UnionEntry,
    holders::Holders,
    owners::Ownership,
    past::{Past, Placed, Version},
    unplaced::OutdatedFile,
};
use crate::{
    hash::Content,
    league::{Cause, MemberId, Record, Setting, Settings},
    manifest::Entry,
    path::{PathKey, RelPath, fold},
};

impl Union {
    /// Replays records into a union without holders. Records that contradict earlier ones, because no union wrote them,
    /// are ignored.
    #[must_use]
    pub fn replay<'a>(settings: Settings, records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut union = Self { settings, ..Self::default() };
        // No peer is connected during a replay, so nobody needs the outcome.
        let mut outcome = Outcome::default();
        for record in records {
            union.apply(record, &mut outcome);
        }
        union
    }

    /// Begins the next step.
    pub(super) fn begin_step(&self) -> Outcome {
        Outcome { step: self.steps + 1, ..Outcome::default() }
    }

    /// Applies a record and adds it to the outcome.
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
        let entry = Entry { path: self.spelled(entry.path), ..entry };
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
                self.clear_name(path.key(), outcome);
                self.add_version(*step, path, None);
            }
            Record::Declined { step, path, content } => {
                self.steps = self.steps.max(*step);
                self.past_mut(path).declined.insert(*content);
            }
            Record::Forgotten { path } => {
                self.clear_name(path.key(), outcome);
                self.forget_past(path.key());
            }
            Record::Verified(content) => {
                self.verified.entry(*content).or_default();
            }
            Record::Inspected { content, facts } => {
                self.verified.insert(*content, Some(*facts));
            }
            Record::Owned { livery, owners, presumed } => {
                let owners = owners.iter().copied().collect();
                let ownership = Ownership { livery: livery.clone(), owners, presumed: *presumed };
                if *presumed {
                    self.met.remove(&*fold(livery));
                }
                self.owners.insert(fold(livery), ownership);
            }
            Record::Merged { former, member } => self.apply_merged(*former, *member),
            Record::Held(held) => self.apply_held(held),
            Record::Banned { member, banned } => self.apply_banned(*member, *banned),
            Record::Blocked { hash, blocked } => self.apply_blocked(*hash, *blocked),
            Record::Set { setting, value } => self.apply_set(*setting, value),
            Record::Reported { member, gained, .. } => {
                for entry in gained {
                    self.mark_met(*member, entry.path.key().livery());
                }
            }
            Record::Met { member, livery } => self.mark_met(*member, livery),
            Record::Seen { .. } => {}
        }
    }

    fn apply_set(&mut self, setting: Setting, value: &str) {
        if self.settings.set(setting, value).is_ok() && setting == Setting::ConflictSuffix {
            // The suffixes decide which names are conflict copies.
            let own = self.entries.iter().filter(|entry| !self.is_conflict_copy(&entry.path));
            let liveries: Vec<_> = own.map(|entry| entry.path.key().livery().to_owned()).collect();
            self.own_names.clear();
            for livery in liveries {
                *self.own_names.entry(livery).or_default() += 1;
            }
        }
    }

    fn apply_placed(&mut self, step: u64, path: &RelPath, placed: Placed, outcome: &mut Outcome) {
        if placed.cause == Cause::Renamed && self.apply_spelling(path, placed.content, outcome) {
            self.steps = self.steps.max(step);
            return;
        }
        // A database of an earlier version may spell a folder in several ways.
        let path = &self.spelled(path.clone());
        let key = path.key();
        self.clear_name(key, outcome);
        let (content, mtime) = (placed.content, placed.mtime);
        let entry = Arc::new(Entry { path: path.clone(), content, mtime });
        let mut entry = UnionEntry { entry, holders: Holders::default() };
        for (peer, local) in self.take_matching(key, content, outcome) {
            entry.add(peer, &local);
        }
        // A step checks a name before it writes a record, so this is a record that no union wrote.
        if self.entries.insert(entry).is_err() {
            return;
        }
        self.names.entry(content).or_default().insert(key.clone());
        self.usage.add(key.livery(), placed.author, content.size);
        self.add_version(step, path, Some(placed));
        // Only now: the name's history, with the new version, tells whether it is a conflict copy.
        if !self.is_conflict_copy(path) {
            *self.own_names.entry(key.livery().to_owned()).or_default() += 1;
        }
        outcome.touched.insert(key.clone());
        outcome.changed.insert(key.clone());
    }

    /// Takes out the files at a name that have the content which the name is about to get: outdated files, conflict files
    /// and those that were refused or held. They are about to be its holders. Returns each peer with its spelling of the path.
    fn take_matching(
        &mut self,
        key: &PathKey,
        content: Content,
        outcome: &mut Outcome,
    ) -> BTreeMap<PeerId, RelPath> {
        let outdated = self.unplaced.outdated_at(key);
        let outdated = outdated.map(|(peer, outdated)| (peer, &outdated.local, outdated.content));
        let rivals = self.filed_elsewhere.get(key).into_iter().flatten();
        let rivals = rivals.map(|(_, (claimant, _))| claimant);
        let claimants = rivals.chain(self.unplaced.waiting_at(key));
        let claimants = claimants.map(|c| (c.peer, &c.entry.path, c.entry.content));
        let matching = outdated.chain(claimants).filter(|(_, _, held)| *held == content);
        let matching: BTreeMap<_, _> =
            matching.map(|(peer, local, _)| (peer, local.clone())).collect();
        for peer in matching.keys() {
            self.remove_file(*peer, key, content, outcome);
        }
        matching
    }

    /// Removes a name's content. The files of its holders become outdated.
    fn clear_name(&mut self, key: &PathKey, outcome: &mut Outcome) {
        let Some(entry) = self.entries.remove(key) else { return };
        let author = self.author_of(Some(&*entry));
        self.usage.remove(key.livery(), author, entry.content.size);
        if !self.is_conflict_copy(&entry.path)
            && let Some(own_names) = self.own_names.get_mut(key.livery())
        {
            *own_names -= 1;
            if *own_names == 0 {
                self.own_names.remove(key.livery());
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
            // The file is filed under its own name, too, and current there.
            if self.is_home(peer, local.key(), content) {
                continue;
            }
            // Its claim is kept. Should the conflict name expire, the file claims its own name again.
            let rival = self.detach(peer, local.key());
            self.unplaced
                .add_outdated(peer, OutdatedFile { local, content, mtime: entry.mtime, rival });
        }
        outcome.touched.insert(key.clone());
        outcome.changed.insert(key.clone());
    }

    /// Returns true if a peer's file at `key` is filed under that very name.
    pub(super) fn is_home(&self, peer: PeerId, key: &PathKey, content: Content) -> bool {
        let entry = self.entries.get(key).filter(|entry| entry.content == content);
        entry.is_some_and(|entry| entry.local_at(peer, key).is_some())
    }

    fn add_version(&mut self, step: u64, path: &RelPath, placed: Option<Placed>) {
        self.steps = self.steps.max(step);
        let past = self.past_mut(path);
        past.path = path.clone();
        past.versions.push(Version { step, placed });
    }

    fn past_mut(&mut self, path: &RelPath) -> &mut Past {
        self.past.entry(path.key().clone()).or_insert_with(|| Past::new(path.clone()))
    }

    /// Forgets the versions of a name, and keeps the contents that it declined.
    fn forget_past(&mut self, key: &PathKey) {
        let Some(past) = self.past.get_mut(key) else { return };
        // What an admin declined stays declined, even if what they kept never arrived.
        past.versions.clear();
        if past.declined.is_empty() {
            self.past.remove(key);
        }
    }
}

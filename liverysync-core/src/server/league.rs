//! The union, and results that depend on it.

use std::collections::{BTreeMap, BTreeSet};

use super::{DifferingSetting, ServerConfig, allow_list::AllowList, union_step::STORE};
use crate::{
    conflict::is_conflict_name,
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    league::{Act, ActError, ActReport, HeldLivery, MemberId, Record, Setting, Updates},
    manifest::Entry,
    path::{PathKey, fold},
    time::UnixTime,
    union::{Change, Outcome, PeerId, Union, UnionEntry},
    wire::messages::{FileInfo, LostName},
};

/// The union, its hashes, and the liveries that are distributed.
#[derive(Debug)]
pub(super) struct League {
    union: Union,
    union_hash: Option<ContentHash>,
    /// The hash by which a client says that it has the union and nothing else.
    manifest_hash: Option<ContentHash>,
    pub(super) allow_list: AllowList,
    /// The last name of each member.
    names: BTreeMap<MemberId, String>,
    /// Today, once the host has said it.
    today: Option<UnixTime>,
    /// From when each livery is held, by its folded name and its member.
    held_since: BTreeMap<(String, Option<MemberId>), UnixTime>,
}

impl League {
    pub(super) fn new(config: &ServerConfig) -> Self {
        let mut union = Union::new(config.settings.policy, config.settings.naming.clone())
            .with_updates(config.settings.updates);
        union.set_store(STORE);
        Self {
            union,
            union_hash: None,
            manifest_hash: None,
            allow_list: AllowList::new(&config.settings.naming),
            names: BTreeMap::new(),
            today: None,
            held_since: BTreeMap::new(),
        }
    }

    /// Restores the union from records, and takes over the league's settings.
    ///
    /// Returns the settings that the database lacks, to be written down: a later server must not change them by its
    /// options. Returns as well those that `config` was told and that the league has with another value.
    pub(super) fn replay<'a>(
        &mut self,
        config: &mut ServerConfig,
        records: impl IntoIterator<Item = &'a Record>,
    ) -> (Vec<Record>, Vec<DifferingSetting>) {
        let mut given = config.initial_settings();
        let records: Vec<_> = records.into_iter().collect();
        if records.is_empty() && !config.settings_given.contains(&Setting::Updates) {
            given.updates = Updates::Owner;
        }
        for record in &records {
            if let Record::Seen { member, name } = record {
                self.handle_seen(*member, name);
            }
        }
        let recorded: BTreeSet<_> = records.iter().filter_map(|record| record.setting()).collect();
        self.union = Union::replay(given.clone(), records);
        self.union.set_store(STORE);
        let released = self.union.release_strangers();
        let new = Setting::all().filter(|setting| !recorded.contains(setting));
        let new = new.map(|setting| Record::Set { setting, value: given.value(setting) });
        let used = self.union.settings();
        let differing = given.differing(used, &config.settings_given).into_iter();
        let differing = differing.map(|setting| DifferingSetting {
            setting,
            used: used.value(setting),
            given: given.value(setting),
        });
        let told = (new.chain(released).collect(), differing.collect());
        self.adopt_settings(config);
        told
    }

    /// Has the server decide by the league's settings from now on. Returns whether other types of files are distributed.
    pub(super) fn adopt_settings(&mut self, config: &mut ServerConfig) -> bool {
        let settings = self.union.settings();
        let types_changed = config.rules.extensions != settings.naming.extensions;
        config.adopt(settings);
        self.allow_list.set_naming(&settings.naming);
        types_changed
    }

    /// Takes the name that a member uses from now on.
    pub(super) fn handle_seen(&mut self, member: MemberId, name: &str) {
        self.names.insert(member, name.to_owned());
    }

    /// Returns the member that a member is now.
    pub(super) fn present(&self, member: MemberId) -> MemberId {
        self.union.present(member)
    }

    /// Returns which of these members the league knows apart from `member`.
    pub(super) fn others(&self, members: Vec<MemberId>, member: MemberId) -> Vec<MemberId> {
        let members = members.into_iter().map(|one| self.present(one));
        members.filter(|one| *one != member && self.names.contains_key(one)).collect()
    }

    /// Merges members into another one. Returns the records of it.
    pub(super) fn merge_members(&mut self, former: &[MemberId], member: MemberId) -> Vec<Record> {
        self.union.merge_members(former.iter().copied(), member)
    }

    /// Takes the dates from which liveries are held.
    pub(super) fn set_held_since(&mut self, since: BTreeMap<(String, Option<MemberId>), UnixTime>) {
        self.held_since = since;
    }

    /// Takes today's date.
    pub(super) const fn handle_date(&mut self, date: UnixTime) {
        self.today = Some(date);
    }

    /// Notes from when a livery is held, or that it is not any more.
    pub(super) fn handle_held(&mut self, held: &HeldLivery) {
        let key = (fold(&held.livery), held.member);
        if held.files.is_empty() {
            self.held_since.remove(&key);
        } else if let Some(today) = self.today {
            self.held_since.entry(key).or_insert(today);
        }
    }

    /// Returns the date from which a livery is held, if it is known.
    pub(super) fn held_since(&self, held: &HeldLivery) -> Option<UnixTime> {
        self.held_since.get(&(fold(&held.livery), held.member)).copied()
    }

    /// Returns the last name of a member.
    pub(super) fn name(&self, member: MemberId) -> Option<&str> {
        self.names.get(&member).map(String::as_str)
    }

    /// Returns the name that a file of a peer has lost, if this entry of the union is its conflict copy. `member` is the
    /// peer's own.
    pub(super) fn lost_name(
        &self,
        peer: PeerId,
        member: Option<MemberId>,
        entry: &UnionEntry,
    ) -> Option<LostName> {
        let naming = &self.union.settings().naming;
        let own = entry.local(peer).filter(|own| own.key() != entry.path.key())?;
        if !is_conflict_name(&entry.path, naming) {
            return None;
        }
        let keeper = self.union.keeper(own).filter(|keeper| Some(*keeper) != member);
        let keeper = keeper.and_then(|keeper| self.name(keeper)).map(str::to_owned);
        Some(LostName { rel_path: own.as_str().to_owned(), keeper })
    }

    pub(super) const fn union(&self) -> &Union {
        &self.union
    }

    /// Records that a member is offered files.
    pub(super) fn mark_offered<'a>(
        &mut self,
        member: MemberId,
        keys: impl IntoIterator<Item = &'a PathKey>,
    ) {
        keys.into_iter().for_each(|key| self.union.mark_offered(member, key));
    }

    /// Takes one step of the union.
    pub(super) fn step(&mut self, changes: Vec<Change>) -> Outcome {
        let outcome = self.union.step(changes);
        self.invalidate_hashes(&outcome);
        outcome
    }

    /// Changes the union as an admin wants.
    pub(super) fn act(&mut self, act: &Act) -> Result<(ActReport, Outcome), ActError> {
        let (report, outcome) = self.union.act(act)?;
        self.invalidate_hashes(&outcome);
        Ok((report, outcome))
    }

    /// Changes the union as an owner wants.
    pub(super) fn act_of(
        &mut self,
        member: Option<MemberId>,
        act: &Act,
    ) -> Result<(ActReport, Outcome), ActError> {
        let (report, outcome) = self.union.act_of(member, act)?;
        self.invalidate_hashes(&outcome);
        Ok((report, outcome))
    }

    /// Ends the freezes that are over at a date. Returns `None` if none is.
    pub(super) fn end_freezes(&mut self, date: UnixTime) -> Option<Outcome> {
        let due = self.union.settings().frozen.next_end().is_some_and(|end| end <= date);
        let outcome = due.then(|| self.union.end_freezes(date)).flatten()?;
        self.invalidate_hashes(&outcome);
        Some(outcome)
    }

    fn invalidate_hashes(&mut self, outcome: &Outcome) {
        // Many steps only change who has what, and to hash all names takes time.
        if !outcome.changed.is_empty() {
            self.union_hash = None;
            self.manifest_hash = None;
        }
    }

    /// Marks contents as verified and returns the records of that.
    pub(super) fn mark_verified(
        &mut self,
        contents: impl IntoIterator<Item = Content>,
    ) -> Vec<Record> {
        self.union.mark_verified(contents)
    }

    /// Takes what the bytes of contents tell. Returns the records of that.
    pub(super) fn mark_inspected(
        &mut self,
        inspected: BTreeMap<Content, ContentFacts>,
    ) -> Vec<Record> {
        self.union.mark_inspected(inspected)
    }

    /// Returns the hash of the union; `None` while it is empty.
    pub(super) fn union_hash(&mut self) -> Option<ContentHash> {
        if self.union_hash.is_none() && !self.union.is_empty() {
            self.union_hash = Some(self.union.manifest().union_hash());
        }
        self.union_hash
    }

    /// Returns the hash of a manifest that has the union and nothing else; `None` while the union is empty.
    pub(super) fn manifest_hash(&mut self) -> Option<ContentHash> {
        if self.manifest_hash.is_none() && !self.union.is_empty() {
            self.manifest_hash = Some(self.union.manifest().hash());
        }
        self.manifest_hash
    }

    /// Returns whether the livery of a file is distributed.
    pub(super) fn allows(&self, key: &PathKey) -> bool {
        self.allow_list.allows(key)
    }
}

/// Returns an entry of the union as a message carries it.
pub(super) fn union_file(entry: &UnionEntry) -> FileInfo {
    FileInfo::new(entry.path.as_str(), entry.content, entry.mtime, true)
}

/// Returns an entry of the union as a file of the store.
pub(super) fn as_entry(entry: &UnionEntry) -> Entry {
    Entry { path: entry.path.clone(), content: entry.content, mtime: entry.mtime }
}

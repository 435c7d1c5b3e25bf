//! The union: what every PC should hold.
//!
//! The union is kept up to date by steps. A step takes all that some manifests lost and gained since
//! the last one, and it is a function of the steps before it: replaying them gives the same union.
//!
//! Laws:
//!
//! - Every content that a connected PC holds at a valid path is in the union, under its own name or
//!   under a conflict name, unless the name has had it before: then that PC is behind.
//! - A name keeps its content until somebody who had it in step changes it. Rivals get conflict names.
//! - A name stays when all who hold its content have left, unless nobody ever sent it.
//! - All names pass the path rule and could lie below one root.
//! - Where nothing is established, `lowest-hash` and `newest-mtime` do not depend on the order of the
//!   manifests within a step. `established` does, and is meant to.
//!
//! All that happens is told in [`Record`]s too. Playing those back gives the same union with the same past
//! and with nobody there.

mod acts;
mod holders;
mod members;
mod past;
mod records;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::Arc,
};

use serde::Serialize;

use self::{holders::Holders, past::Past};
use crate::{
    conflict::{Claim, Naming, Policy, conflict_name, plain_stem},
    diff::diff,
    hash::{Content, ContentHash},
    league::{Author, Cause, Record, Updates},
    manifest::{Entry, Manifest},
    path::{InvalidPath, PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
};

/// After so many rounds a step leaves to the next one what it has not settled. Two are hardly ever needed; this
/// bounds what strangers could make of it.
const SETTLING_ROUNDS_MAX: usize = 16;

/// Who holds files: a PC for as long as it is connected. Lower numbers connected earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct MemberId(pub u64);

/// One file of the union: its name as its first publisher spelled it, its content, and its first
/// publisher's modification time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnionEntry {
    entry: Arc<Entry>,
    holders: Holders,
}

impl Deref for UnionEntry {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Located for UnionEntry {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

impl UnionEntry {
    /// Who holds this content, with the path that the content has there.
    pub fn holders(&self) -> impl Iterator<Item = (MemberId, &RelPath)> {
        self.holders.iter(&self.path)
    }

    /// Number of PCs that hold this content.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.holders.len()
    }

    /// Where `member` has this content, if it does.
    #[must_use]
    pub fn local(&self, member: MemberId) -> Option<&RelPath> {
        self.holders.local(&self.path, member)
    }

    fn add(&mut self, member: MemberId, local: &RelPath) {
        self.holders.add(&self.entry.path, member, local);
    }

    /// Whether `member` had this content at `key`.
    fn remove(&mut self, member: MemberId, key: &PathKey) -> bool {
        self.holders.remove(&self.entry.path, member, key)
    }
}

/// What one member's manifest lost and gained since the last step.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose manifest it is.
    pub member: MemberId,
    /// When the manifest was accepted; lower is earlier.
    pub arrival: u64,
    /// Who that member is, if he has a key.
    pub author: Option<Author>,
    /// Files that are gone or have another content.
    pub lost: Vec<Entry>,
    /// Files that are there or have another content.
    pub gained: Vec<Gained>,
}

/// A file that a member has by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gained {
    /// The file.
    pub entry: Entry,
    /// What the member last had in step at this path, if he remembers: a change of that is an update.
    pub base: Option<ContentHash>,
}

impl From<Entry> for Gained {
    fn from(entry: Entry) -> Self {
        Self { entry, base: None }
    }
}

impl Change {
    /// Compares two manifests of one member.
    #[must_use]
    pub fn between(member: MemberId, arrival: u64, old: &Manifest, new: &Manifest) -> Self {
        let mut diff = diff(old, new);
        let (replaced, replacing): (Vec<_>, Vec<_>) = diff.different.into_iter().unzip();
        diff.extra.extend(replaced);
        diff.missing.extend(replacing);
        let gained = diff.missing.into_iter().map(Gained::from).collect();
        Self { member, arrival, author: None, lost: diff.extra, gained }
    }
}

/// What a step did, for people and for those who keep lists by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The names whose entry came, went, or has other holders.
    pub touched: BTreeSet<PathKey>,
    /// Rivals that got a conflict name in this step: the name they have at home and the new one.
    pub conflicts: Vec<(MemberId, RelPath, RelPath)>,
    /// Files that could not join, with the reason.
    pub refused: Vec<(MemberId, RelPath, Refusal)>,
    /// The names whose content came, went or was replaced. All others of [`Outcome::touched`] only
    /// have other holders: who keeps a list of what the union holds need not look at them.
    pub changed: BTreeSet<PathKey>,
    /// The step's number, if it has anything to record.
    pub step: u64,
    /// What has happened, to be written down in this order.
    pub records: Vec<Record>,
}

/// Why a file cannot join the union.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It could not lie beside the files that are in the union.
    #[error(transparent)]
    Collision(#[from] Collision),
    /// It is a rival, and the path rule leaves no room for a conflict name.
    #[error("there is no room for a conflict name: {0}")]
    NoName(#[from] InvalidPath),
    /// It is a change of what was retired.
    #[error("its livery was retired, and this is a change of what it was")]
    Retired,
}

/// A file that wants a place in the union.
#[derive(Clone, Debug)]
struct Claimant {
    member: MemberId,
    entry: Entry,
    base: Option<ContentHash>,
    arrival: u64,
    author: Option<Author>,
}

/// How a claim stands to what is established.
enum Verdict {
    /// It is the same.
    Same,
    /// Nothing is.
    New,
    /// It was made of what is.
    Update,
    /// The name has had it before.
    Stale,
    /// It is something else.
    Rival,
    /// It was made of what the name has no more.
    Retired,
}

impl Claimant {
    fn key(&self) -> &PathKey {
        self.entry.path.key()
    }

    fn claim(&self) -> Claim {
        Claim { hash: self.entry.content.hash, mtime: self.entry.mtime, arrival: self.arrival }
    }
}

/// What every PC should hold. See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub struct Union {
    entries: PathMap<UnionEntry>,
    /// The names of each content.
    names: BTreeMap<Content, BTreeSet<PathKey>>,
    /// Where a member's file counts for an entry of another name: its own key, then the entry's.
    elsewhere: BTreeMap<PathKey, BTreeMap<MemberId, (Claimant, PathKey)>>,
    /// Files that could not join yet. They claim anew when a name becomes free.
    waiting: BTreeMap<(PathKey, MemberId), Claimant>,
    /// What each name has held.
    past: BTreeMap<PathKey, Past>,
    /// Files that members have of a name's past, or that the name turned down: by their own keys.
    stale: BTreeMap<PathKey, BTreeMap<MemberId, Stale>>,
    /// The same by what they hold.
    stale_contents: BTreeMap<(MemberId, Content), BTreeSet<RelPath>>,
    /// Contents whose bytes have been seen.
    proven: BTreeSet<Content>,
    /// Who may update each livery: its folder in one case, then as it is spelled.
    owners: BTreeMap<String, (String, BTreeSet<Author>)>,
    /// Number of the last step that was recorded.
    steps: u64,
    policy: Policy,
    naming: Naming,
    updates: Updates,
}

/// A file of a member that is behind.
#[derive(Clone, Debug)]
struct Stale {
    local: RelPath,
    content: Content,
    /// What it claimed, and the conflict name that it counted for until that got something else.
    rival: Option<(Claimant, PathKey)>,
}

impl Union {
    /// An empty union.
    #[must_use]
    pub fn new(policy: Policy, naming: Naming) -> Self {
        Self { policy, naming, ..Self::default() }
    }

    /// The same, where only some may update what is established.
    #[must_use]
    pub const fn with_updates(mut self, updates: Updates) -> Self {
        self.updates = updates;
        self
    }

    /// The entry with this key.
    #[must_use]
    pub fn get(&self, key: &PathKey) -> Option<&UnionEntry> {
        self.entries.get(key)
    }

    /// All entries, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = &UnionEntry> {
        self.entries.iter()
    }

    /// Number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody holds anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries that have this content, ordered by key: one content may have several names.
    pub fn with_content(&self, content: Content) -> impl Iterator<Item = &UnionEntry> {
        self.names.get(&content).into_iter().flatten().filter_map(|key| self.entries.get(key))
    }

    /// The union as the manifest that every PC should have.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Manifest::of(&self.entries, |entry| Arc::clone(&entry.entry))
    }

    /// Lets `manifest` share the memory of the entries and names that the union has too.
    ///
    /// The manifest stays equal to what it was. Without this each of a thousand PCs with the same
    /// files costs the server what the first one does.
    pub fn share(&self, manifest: &mut Manifest) {
        manifest.share(self.entries.iter().map(|entry| &entry.entry));
    }

    /// The key of the entry that `member`'s file at `key` counts for, if it counts for any.
    #[must_use]
    pub fn counts_for(
        &self,
        member: MemberId,
        key: &PathKey,
        hash: ContentHash,
    ) -> Option<&UnionEntry> {
        let key = match self.elsewhere.get(key).and_then(|members| members.get(&member)) {
            Some((_, entry)) => entry,
            None => key,
        };
        self.entries.get(key).filter(|entry| entry.content.hash == hash)
    }

    /// Whether `member`'s file at `key` is what the name has held before, or turned down: the member is behind,
    /// and nothing is lost to the league if that file goes.
    #[must_use]
    pub fn is_stale(&self, member: MemberId, key: &PathKey) -> bool {
        self.stale.get(key).is_some_and(|members| members.contains_key(&member))
    }

    /// Where `member` has a content, whether it is what the union has there, the member is behind, or the file
    /// could not join.
    #[must_use]
    pub fn copy_at(&self, member: MemberId, content: Content) -> Option<&RelPath> {
        let current = self.with_content(content).find_map(|entry| entry.local(member));
        let behind = || self.stale_contents.get(&(member, content))?.first();
        let is_it =
            |refused: &&Claimant| refused.member == member && refused.entry.content == content;
        let refused = || Some(&self.waiting.values().find(is_it)?.entry.path);
        current.or_else(behind).or_else(refused)
    }

    /// Whether a name has, or has had, a content, or turned it down.
    #[must_use]
    pub fn knows(&self, key: &PathKey, content: Content) -> bool {
        self.past.get(key).is_some_and(|past| past.knows(content))
    }

    /// Whether the bytes of a content have been seen.
    #[must_use]
    pub fn is_proven(&self, content: Content) -> bool {
        self.proven.contains(&content)
    }

    /// Files that members have and nobody is to have any more.
    pub fn unwanted(&self) -> impl Iterator<Item = (MemberId, &RelPath, Content)> {
        let is_retired = |key: &PathKey| {
            let last = self.past.get(key).and_then(|past| past.versions.last());
            last.is_some_and(|last| last.placed.is_none())
        };
        let retired = self.stale.iter().filter(move |(key, _)| is_retired(key));
        let files = retired.flat_map(|(_, members)| members);
        files.map(|(member, file)| (*member, &file.local, file.content))
    }

    /// The names at which `member` has something that could not join.
    pub fn refused(&self, member: MemberId) -> impl Iterator<Item = &PathKey> {
        let waiting = self.waiting.keys();
        waiting.filter(move |(_, refused)| *refused == member).map(|(key, _)| key)
    }

    /// Takes note that the bytes of contents have been seen: they exist, whoever comes and goes.
    pub fn prove(&mut self, contents: impl IntoIterator<Item = Content>) -> Vec<Record> {
        let mut outcome = Outcome::default();
        for content in contents {
            if !self.proven.contains(&content) {
                self.record(Record::Proven(content), &mut outcome);
            }
        }
        outcome.records
    }

    /// Takes one step: first all that was lost, then all that was gained.
    pub fn step(&mut self, changes: Vec<Change>) -> Outcome {
        let mut outcome = self.begin();
        let mut claimants = Vec::new();
        for change in changes {
            let Change { member, arrival, author, lost, gained } = change;
            for entry in &lost {
                self.lose(member, entry.path.key(), &mut outcome);
            }
            let claimant =
                |Gained { entry, base }| Claimant { member, entry, base, arrival, author };
            claimants.extend(gained.into_iter().map(claimant));
        }
        // A file that only moved to where it belongs is not gone in between.
        claimants.retain(|claimant| {
            !self.is_behind_with(claimant) && !self.hold_same(claimant, &mut outcome)
        });
        self.settle(claimants, &mut outcome);
        outcome
    }

    /// Gives claimants their places, and gives up what nobody holds any more, in turn: who comes to a place of
    /// his own may have been the last one elsewhere.
    fn settle(&mut self, mut claimants: Vec<Claimant>, outcome: &mut Outcome) {
        for _ in 0..SETTLING_ROUNDS_MAX {
            claimants.extend(self.give_up_unheld(outcome));
            if claimants.is_empty() {
                return;
            }
            claimants = self.place_all(claimants, outcome);
        }
        for left in claimants {
            self.waiting.insert((left.key().clone(), left.member), left);
        }
    }

    /// Whether it is known already that a member is behind with just this file: to say so again makes no
    /// update of it, whatever it was made of.
    fn is_behind_with(&self, claimant: &Claimant) -> bool {
        let stale = self.stale.get(claimant.key()).and_then(|files| files.get(&claimant.member));
        stale.is_some_and(|stale| stale.content == claimant.entry.content)
    }

    /// Takes note of who has just what his file's name has. Returns whether he does.
    fn hold_same(&mut self, claimant: &Claimant, outcome: &mut Outcome) -> bool {
        let same = matches!(self.judge(claimant), Verdict::Same);
        if same {
            self.hold(claimant.member, claimant.key(), &claimant.entry.path, outcome);
        }
        same
    }

    fn lose(&mut self, member: MemberId, key: &PathKey, outcome: &mut Outcome) {
        self.waiting.remove(&(key.clone(), member));
        self.be_behind_no_more(member, key);
        let entry_key = self.detach(member, key).map_or_else(|| key.clone(), |(_, rival)| rival);
        let entry = self.entries.get_mut(&entry_key);
        if entry.is_some_and(|entry| entry.remove(member, key)) {
            outcome.touched.insert(entry_key);
        }
    }

    fn detach(&mut self, member: MemberId, key: &PathKey) -> Option<(Claimant, PathKey)> {
        let members = self.elsewhere.get_mut(key)?;
        let rival = members.remove(&member)?;
        if members.is_empty() {
            self.elsewhere.remove(key);
        }
        Some(rival)
    }

    fn be_behind(
        &mut self,
        member: MemberId,
        local: RelPath,
        content: Content,
        rival: Option<(Claimant, PathKey)>,
    ) {
        self.be_behind_no_more(member, local.key());
        self.stale_contents.entry((member, content)).or_default().insert(local.clone());
        let members = self.stale.entry(local.key().clone()).or_default();
        members.insert(member, Stale { local, content, rival });
    }

    fn be_behind_no_more(&mut self, member: MemberId, key: &PathKey) {
        let Some(members) = self.stale.get_mut(key) else { return };
        let Some(Stale { local, content, .. }) = members.remove(&member) else { return };
        if members.is_empty() {
            self.stale.remove(key);
        }
        if let Some(places) = self.stale_contents.get_mut(&(member, content)) {
            places.remove(&local);
            if places.is_empty() {
                self.stale_contents.remove(&(member, content));
            }
        }
    }

    /// Gives up all that nobody holds and nobody ever sent. Returns those who claim their names anew.
    fn give_up_unheld(&mut self, outcome: &mut Outcome) -> Vec<Claimant> {
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
    fn is_vain(&self, key: &PathKey) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.holders.is_empty() && !self.is_proven(entry.content))
    }

    /// Takes back what a name has got, because it will never come: the name gets back what it had before, or is
    /// free. Returns those who claim their names anew then.
    fn give_up(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
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
                let refused = std::mem::take(&mut self.waiting).into_values();
                let rivals = self.detach_all(key, outcome);
                refused.chain(rivals).chain(self.rivals_that_were(key)).collect()
            }
        }
    }

    /// Those who have something else at a name than the name, wherever that counts.
    fn detach_all(&mut self, key: &PathKey, outcome: &mut Outcome) -> Vec<Claimant> {
        let rivals = self.elsewhere.remove(key).unwrap_or_default();
        let detached = rivals.into_iter().map(|(member, (claimant, entry_key))| {
            if let Some(entry) = self.entries.get_mut(&entry_key) {
                entry.remove(member, key);
                outcome.touched.insert(entry_key);
            }
            claimant
        });
        detached.collect()
    }

    /// Those whose conflict name this was until it got something else. They are behind it no more.
    fn rivals_that_were(&mut self, name: &PathKey) -> Vec<Claimant> {
        let stale = self.stale.values().flat_map(BTreeMap::values);
        let rivals = stale.filter_map(|stale| stale.rival.as_ref());
        let rivals = rivals.filter(|(_, rival)| rival == name);
        let rivals: Vec<_> = rivals.map(|(claimant, _)| claimant.clone()).collect();
        for rival in &rivals {
            self.be_behind_no_more(rival.member, rival.key());
        }
        rivals
    }

    /// What a name held last, before what it holds, of what there is.
    fn real_before<'a>(&self, past: &'a Past) -> Option<&'a past::Placed> {
        let key = past.path.key();
        let current = self.entries.get(key).map(|entry| entry.content);
        let is_real = |content| self.proven.contains(&content) || self.is_held_behind(key, content);
        past.placed()
            .rev()
            .find(|placed| Some(placed.content) != current && is_real(placed.content))
    }

    /// Whether somebody who is behind has a content of this name.
    fn is_held_behind(&self, key: &PathKey, content: Content) -> bool {
        let stale = self.stale.get(key).into_iter().flat_map(BTreeMap::values);
        stale.into_iter().any(|stale| stale.content == content)
    }

    /// Returns those who claim their names anew.
    fn place_all(&mut self, mut claimants: Vec<Claimant>, outcome: &mut Outcome) -> Vec<Claimant> {
        let policy = self.policy;
        claimants.sort_by(|a, b| {
            a.key().cmp(b.key()).then((a.arrival, a.member).cmp(&(b.arrival, b.member)))
        });
        for rivals in claimants.chunk_by_mut(|a, b| a.key() == b.key()) {
            // What an update makes of the name, others may have already.
            let later = |claimant: &Claimant| !matches!(self.judge(claimant), Verdict::Update);
            rivals.sort_by(|a, b| {
                let (first, second) = (a.claim(), b.claim());
                let by_policy = second.beats(&first, policy).cmp(&first.beats(&second, policy));
                later(a).cmp(&later(b)).then(by_policy)
            });
        }
        let mut anew = Vec::new();
        for claimant in claimants {
            // What will never come is in nobody's way.
            if self.is_vain(claimant.key()) && !matches!(self.judge(&claimant), Verdict::Same) {
                anew.extend(self.give_up(claimant.key(), outcome));
            }
            self.place(claimant, outcome);
        }
        anew
    }

    fn judge(&self, claimant: &Claimant) -> Verdict {
        let (key, content) = (claimant.key(), claimant.entry.content);
        let past = self.past.get(key);
        let known = past.is_some_and(|past| past.knows(content));
        let base = claimant.base;
        match self.entries.get(key) {
            Some(entry) if entry.content == content => Verdict::Same,
            Some(entry)
                if (base == Some(entry.content.hash)
                    || past.is_some_and(|past| past.took_back(content)))
                    && self.may_update(claimant) =>
            {
                Verdict::Update
            }
            _ if known => Verdict::Stale,
            Some(_) => Verdict::Rival,
            None if base.is_some_and(|base| past.is_some_and(|past| past.knows_hash(base))) => {
                Verdict::Retired
            }
            None => Verdict::New,
        }
    }

    fn may_update(&self, claimant: &Claimant) -> bool {
        let owners = || self.owners.get(claimant.key().livery());
        self.updates == Updates::Anyone
            || claimant
                .author
                .is_some_and(|author| owners().is_some_and(|(_, owners)| owners.contains(&author)))
    }

    fn place(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        match self.judge(&claimant) {
            Verdict::Same => {
                self.hold(claimant.member, claimant.key(), &claimant.entry.path, outcome);
            }
            Verdict::New => {
                let (path, first) = (claimant.entry.path.clone(), Cause::Published);
                self.establish(path, &claimant, first, outcome);
            }
            Verdict::Update => self.update(&claimant, outcome),
            Verdict::Stale => {
                self.be_behind(claimant.member, claimant.entry.path, claimant.entry.content, None);
            }
            Verdict::Rival => self.place_rival(claimant, outcome),
            Verdict::Retired => self.refuse(claimant, Refusal::Retired, outcome),
        }
    }

    fn hold(&mut self, member: MemberId, key: &PathKey, local: &RelPath, outcome: &mut Outcome) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.add(member, local);
            outcome.touched.insert(entry.path.key().clone());
        }
    }

    fn update(&mut self, claimant: &Claimant, outcome: &mut Outcome) {
        let Some(past) = self.past.get(claimant.key()) else { return };
        let Entry { content, mtime, ref path } = claimant.entry;
        let cause = if past.knows(content) { Cause::Reverted } else { Cause::Updated };
        let entry = Entry { path: past.path.clone(), content, mtime };
        self.record_placed(entry, claimant.author, cause, outcome);
        self.hold(claimant.member, path.key(), path, outcome);
    }

    fn place_rival(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        let (path, content) = (claimant.entry.path.clone(), claimant.entry.content);
        let name = match self.name_of_rival(&claimant.entry) {
            Ok(name) => name,
            Err(invalid) => return self.refuse(claimant, invalid.into(), outcome),
        };
        if self.is_replaced(name.key(), content) {
            let rival = Some((claimant.clone(), name.key().clone()));
            return self.be_behind(claimant.member, path, content, rival);
        }
        let member = claimant.member;
        if self.entries.contains(name.key()) {
            self.hold(member, name.key(), &path, outcome);
        } else if !self.establish(name.clone(), &claimant, Cause::Rival, outcome) {
            return;
        }
        let members = self.elsewhere.entry(path.key().clone()).or_default();
        members.insert(member, (claimant, name.key().clone()));
        outcome.conflicts.push((member, path, name));
    }

    /// What a rival is called, or was until that name got something else.
    fn name_of_rival(&self, rival: &Entry) -> Result<RelPath, InvalidPath> {
        let Entry { path, content, .. } = rival;
        if let Some(home) = self.plain_entry(path).filter(|entry| entry.content == *content) {
            return Ok(home.path.clone());
        }
        conflict_name(path, content.hash, &self.naming, |name| {
            let there = self.entries.get(name.key()).map(|entry| entry.content);
            there.is_some_and(|there| there != *content) && !self.knows(name.key(), *content)
        })
    }

    /// Whether a name has had a content, and has it no more.
    fn is_replaced(&self, key: &PathKey, content: Content) -> bool {
        let current = self.entries.get(key).map(|entry| entry.content);
        current != Some(content) && self.knows(key, content)
    }

    /// The entry whose conflict name `path` could be.
    fn plain_entry(&self, path: &RelPath) -> Option<&UnionEntry> {
        let stem = plain_stem(path.stem(), &self.naming.suffix);
        let plain = format!("{stem}.{}", path.extension());
        let plain = path.with_file_name(&plain, &self.naming.extensions).ok()?;
        self.entries.get(plain.key())
    }

    fn establish(
        &mut self,
        path: RelPath,
        claimant: &Claimant,
        cause: Cause,
        outcome: &mut Outcome,
    ) -> bool {
        if let Err(collision) = self.entries.check(&path) {
            self.refuse(claimant.clone(), collision.into(), outcome);
            return false;
        }
        let key = path.key().clone();
        let livery = key.livery();
        let first = cause == Cause::Published
            && !self.owners.contains_key(livery)
            && self.entries.of_livery(livery).next().is_none();
        if let (true, Some(author)) = (first, claimant.author) {
            let livery = path.livery().to_owned();
            self.record(Record::Owned { livery, owners: vec![author] }, outcome);
        }
        let Entry { content, mtime, path: ref local } = claimant.entry;
        self.record_placed(Entry { path, content, mtime }, claimant.author, cause, outcome);
        self.hold(claimant.member, &key, local, outcome);
        true
    }

    fn refuse(&mut self, claimant: Claimant, refusal: Refusal, outcome: &mut Outcome) {
        let (path, member) = (claimant.entry.path.clone(), claimant.member);
        self.waiting.insert((path.key().clone(), member), claimant);
        outcome.refused.push((member, path, refusal));
    }
}

/// Merges whole manifests in one step; member numbers are their places in the list.
#[must_use]
pub fn merge<'a>(
    manifests: impl IntoIterator<Item = &'a Manifest>,
    policy: Policy,
    naming: Naming,
) -> (Union, Outcome) {
    let mut union = Union::new(policy, naming);
    let changes = manifests.into_iter().zip(0..).map(|(manifest, number)| Change {
        member: MemberId(number),
        arrival: number,
        author: None,
        lost: Vec::new(),
        gained: manifest.iter().cloned().map(Gained::from).collect(),
    });
    let outcome = union.step(changes.collect());
    (union, outcome)
}

//! The union: what every PC should hold.
//!
//! The union is kept up to date by steps. A step takes all that some manifests lost and gained since
//! the last one, and it is a function of the steps before it: replaying them gives the same union.
//!
//! Laws:
//!
//! - Every content that a connected PC holds at a valid path is in the union, under its own name or
//!   under a conflict name.
//! - A name keeps its content for as long as any PC holds that content: rivals get conflict names.
//! - All names pass the path rule and could lie below one root.
//! - Where nothing is established, `lowest-hash` and `newest-mtime` do not depend on the order of the
//!   manifests within a step. `established` does, and is meant to.
//!
//! An update of a content by its author is, for now, a rival like any other; telling the two apart
//! needs to know what the author's PC last had in step, which belongs into `Claimant`.

mod holders;
mod members;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::Arc,
};

use serde::Serialize;

use self::holders::Holders;
use crate::{
    conflict::{Claim, Naming, Policy, conflict_name, plain_stem},
    diff::diff,
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::{InvalidPath, PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
};

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
    /// Files that are gone or have another content.
    pub lost: Vec<Entry>,
    /// Files that are there or have another content.
    pub gained: Vec<Entry>,
}

impl Change {
    /// Compares two manifests of one member.
    #[must_use]
    pub fn between(member: MemberId, arrival: u64, old: &Manifest, new: &Manifest) -> Self {
        let mut diff = diff(old, new);
        let (replaced, replacing): (Vec<_>, Vec<_>) = diff.different.into_iter().unzip();
        diff.extra.extend(replaced);
        diff.missing.extend(replacing);
        Self { member, arrival, lost: diff.extra, gained: diff.missing }
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
}

/// A file that wants a place in the union.
#[derive(Clone, Debug)]
struct Claimant {
    member: MemberId,
    entry: Entry,
    arrival: u64,
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
    policy: Policy,
    naming: Naming,
}

impl Union {
    /// An empty union.
    #[must_use]
    pub fn new(policy: Policy, naming: Naming) -> Self {
        Self { policy, naming, ..Self::default() }
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

    /// Takes one step: first all that was lost, then all that was gained.
    pub fn step(&mut self, changes: Vec<Change>) -> Outcome {
        let mut outcome = Outcome::default();
        let mut claimants = Vec::new();
        for change in changes {
            let (member, arrival) = (change.member, change.arrival);
            for entry in &change.lost {
                self.lose(member, entry.path.key(), &mut outcome);
            }
            let gained = change.gained.into_iter();
            claimants.extend(gained.map(|entry| Claimant { member, entry, arrival }));
        }
        self.forget_unheld(&mut claimants, &mut outcome);
        self.place_all(claimants, &mut outcome);
        outcome
    }

    fn lose(&mut self, member: MemberId, key: &PathKey, outcome: &mut Outcome) {
        self.waiting.remove(&(key.clone(), member));
        let entry_key = self.detach(member, key).unwrap_or_else(|| key.clone());
        let entry = self.entries.get_mut(&entry_key);
        if entry.is_some_and(|entry| entry.remove(member, key)) {
            outcome.touched.insert(entry_key);
        }
    }

    fn detach(&mut self, member: MemberId, key: &PathKey) -> Option<PathKey> {
        let members = self.elsewhere.get_mut(key)?;
        let (_, entry_key) = members.remove(&member)?;
        if members.is_empty() {
            self.elsewhere.remove(key);
        }
        Some(entry_key)
    }

    /// Drops the names of contents that no connected PC holds. Rivals that were waiting behind such
    /// a name claim it anew.
    fn forget_unheld(&mut self, claimants: &mut Vec<Claimant>, outcome: &mut Outcome) {
        let mut unheld: BTreeSet<PathKey> = outcome.touched.clone();
        while let Some(key) = unheld.pop_first() {
            if self.entries.get(&key).is_none_or(|entry| !entry.holders.is_empty()) {
                continue;
            }
            self.forget(&key);
            outcome.changed.insert(key.clone());
            claimants.extend(std::mem::take(&mut self.waiting).into_values());
            for (member, (claimant, entry_key)) in self.elsewhere.remove(&key).unwrap_or_default() {
                if let Some(entry) = self.entries.get_mut(&entry_key) {
                    entry.remove(member, &key);
                    unheld.insert(entry_key.clone());
                    outcome.touched.insert(entry_key);
                }
                claimants.push(claimant);
            }
        }
    }

    /// Drops a name.
    fn forget(&mut self, key: &PathKey) {
        let Some(entry) = self.entries.remove(key) else { return };
        if let Some(names) = self.names.get_mut(&entry.content) {
            names.remove(key);
            if names.is_empty() {
                self.names.remove(&entry.content);
            }
        }
    }

    fn place_all(&mut self, mut claimants: Vec<Claimant>, outcome: &mut Outcome) {
        let policy = self.policy;
        claimants.sort_by(|a, b| {
            a.key().cmp(b.key()).then((a.arrival, a.member).cmp(&(b.arrival, b.member)))
        });
        for rivals in claimants.chunk_by_mut(|a, b| a.key() == b.key()) {
            rivals.sort_by(|a, b| {
                let (a, b) = (a.claim(), b.claim());
                b.beats(&a, policy).cmp(&a.beats(&b, policy))
            });
        }
        for claimant in claimants {
            self.place(claimant, outcome);
        }
    }

    fn place(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        match self.entries.get_mut(claimant.key()) {
            Some(entry) if entry.content == claimant.entry.content => {
                entry.add(claimant.member, &claimant.entry.path);
                outcome.touched.insert(entry.path.key().clone());
            }
            Some(_) => self.place_rival(claimant, outcome),
            None => {
                self.establish(claimant.entry.path.clone(), &claimant, outcome);
            }
        }
    }

    fn place_rival(&mut self, claimant: Claimant, outcome: &mut Outcome) {
        let (path, content) = (claimant.entry.path.clone(), claimant.entry.content);
        let entries = &self.entries;
        let taken =
            |name: &RelPath| entries.get(name.key()).is_some_and(|entry| entry.content != content);
        let home = self.plain_entry(&path).filter(|entry| entry.content == content);
        let name = match home {
            Some(entry) => entry.path.clone(),
            None => match conflict_name(&path, content.hash, &self.naming, taken) {
                Ok(name) => name,
                Err(invalid) => return self.refuse(claimant, invalid.into(), outcome),
            },
        };
        let member = claimant.member;
        if let Some(entry) = self.entries.get_mut(name.key()) {
            entry.add(member, &path);
            outcome.touched.insert(name.key().clone());
        } else if !self.establish(name.clone(), &claimant, outcome) {
            return;
        }
        let members = self.elsewhere.entry(path.key().clone()).or_default();
        members.insert(member, (claimant, name.key().clone()));
        outcome.conflicts.push((member, path, name));
    }

    /// The entry whose conflict name `path` could be.
    fn plain_entry(&self, path: &RelPath) -> Option<&UnionEntry> {
        let stem = plain_stem(path.stem(), &self.naming.suffix);
        let plain = format!("{stem}.{}", path.extension());
        let plain = path.with_file_name(&plain, &self.naming.extensions).ok()?;
        self.entries.get(plain.key())
    }

    fn establish(&mut self, path: RelPath, claimant: &Claimant, outcome: &mut Outcome) -> bool {
        let key = path.key().clone();
        let (content, mtime) = (claimant.entry.content, claimant.entry.mtime);
        let entry = Arc::new(Entry { path, content, mtime });
        let mut entry = UnionEntry { entry, holders: Holders::default() };
        entry.add(claimant.member, &claimant.entry.path);
        match self.entries.insert(entry) {
            Ok(()) => {
                self.names.entry(content).or_default().insert(key.clone());
                outcome.touched.insert(key.clone());
                outcome.changed.insert(key);
                true
            }
            Err(collision) => {
                self.refuse(claimant.clone(), collision.into(), outcome);
                false
            }
        }
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
        lost: Vec::new(),
        gained: manifest.iter().cloned().collect(),
    });
    let outcome = union.step(changes.collect());
    (union, outcome)
}

//! The union: all liveries that every PC should have.
//!
//! The union advances in steps. A step takes in what some manifests lost and gained since the last one, and depends only
//! on the steps before it: the same steps give the same union.
//!
//! Laws:
//!
//! - Every content that a connected PC holds at a valid path is in the union, under its own name or under a conflict
//!   name. The exception is a content that the name had before: that PC's file is outdated.
//! - A name keeps its content until someone who had it in sync changes it. Other contents get conflict names.
//! - A name stays when everyone who holds its content has left, unless nobody ever sent that content.
//! - All names pass the path rule, and all could exist below one folder.
//! - Where nothing is established, the policies `lowest-hash` and `newest-mtime` do not depend on the order of the
//!   manifests within a step. `established` depends on it by design.
//!
//! A step reports everything that it changes as [`Record`]s. Replaying those gives the same union with the same history
//! and no holders.

mod acts;
mod arrivals;
mod blocks;
mod damaged;
mod entry;
mod expiry;
mod held;
mod holders;
mod limits;
mod linted;
mod livery_conflicts;
mod members;
mod moved;
mod new_livery;
mod owners;
mod past;
mod peers;
mod placing;
mod records;
mod resolve;
mod selected;
mod spelling;
mod unplaced;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

pub use self::{entry::UnionEntry, owners::OwnerChange};
use self::{
    held::Holds,
    limits::Usage,
    moved::Moves,
    owners::{Contacts, Ownership},
    past::Past,
    placing::Lineage,
    spelling::Respelled,
    unplaced::Unplaced,
};
use crate::{
    conflict::{Claim, Naming, Policy},
    hash::{Content, ContentHash},
    inspect::ContentFacts,
    league::{MemberId, Record, Settings, Updates},
    manifest::{Entry, Manifest},
    path::{InvalidPath, PathKey, RelPath},
    pathmap::{Collision, PathMap},
};

/// One connection to the server. Lower numbers connected earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PeerId(pub u64);

/// The difference between one peer's manifest and the same peer's manifest at the last step.
#[derive(Clone, Debug)]
pub struct Change {
    /// The peer.
    pub peer: PeerId,
    /// Number of the manifest in the order of acceptance.
    pub arrival: u64,
    /// The member, if the peer has a key.
    pub member: Option<MemberId>,
    /// Set if the peer has just connected and `gained` lists all its files.
    pub complete: bool,
    /// Files that are gone, and files with another content as they were before.
    pub lost: Vec<Entry>,
    /// Files that are new, and files with another content as they are now.
    pub gained: Vec<Gained>,
}

/// A file that a peer has gained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gained {
    /// The file.
    pub entry: Entry,
    /// The content that the peer last had in sync at this path, if it knows. A change of that is an update.
    pub base: Option<ContentHash>,
    /// Set if the peer had it under another spelling of its path until now.
    pub renamed: bool,
    /// Set if nobody has looked yet whether it is damaged: the server does, once it has all of it.
    pub unchecked: bool,
}

impl From<Entry> for Gained {
    fn from(entry: Entry) -> Self {
        Self { entry, base: None, renamed: false, unchecked: false }
    }
}

impl Change {
    /// Compares two manifests of one peer.
    #[must_use]
    pub fn between(peer: PeerId, arrival: u64, old: &Manifest, new: &Manifest) -> Self {
        let mut diff = old.diff(new);
        let (replaced, replacing): (Vec<_>, Vec<_>) = diff.different.into_iter().unzip();
        diff.extra.extend(replaced);
        diff.missing.extend(replacing);
        let gained = diff.missing.into_iter().map(Gained::from).collect();
        Self { peer, arrival, member: None, complete: false, lost: diff.extra, gained }
    }
}

/// The effects of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "its records must be written down, and its names invalidate what was derived from the union"]
#[non_exhaustive]
pub struct Outcome {
    /// The names whose entry is new, is gone, or has other holders.
    pub touched: BTreeSet<PathKey>,
    /// Files that got a conflict name in this step: the peer's own path and the conflict name.
    pub conflicts: Vec<(PeerId, RelPath, RelPath)>,
    /// Files that could not join, with the reason.
    pub refused: Vec<(PeerId, RelPath, Refusal)>,
    /// The names whose content is new, is gone, or was replaced, and those that have another spelling. The others of
    /// [`Outcome::touched`] only have other holders, so lists of the union's contents stay valid for them.
    pub changed: BTreeSet<PathKey>,
    /// The step's number, which its records have.
    pub step: u64,
    /// Liveries that have got or lost their owner by a report.
    pub owner_changes: Vec<OwnerChange>,
    /// The changes, to be written down in this order.
    pub records: Vec<Record>,
}

/// The reason why a file cannot join the union.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It cannot exist beside the files of the union.
    #[error(transparent)]
    Collision(#[from] Collision),
    /// It is in conflict, and every conflict name for it breaks the path rule.
    #[error("it is in conflict, and no conflict name is possible: {0}")]
    NoName(#[from] InvalidPath),
}

/// A peer's file that is to get a place in the union.
#[derive(Clone, Debug)]
struct Claimant {
    peer: PeerId,
    entry: Entry,
    base: Option<ContentHash>,
    /// Set if nobody has looked yet whether it is damaged.
    unchecked: bool,
    arrival: u64,
    member: Option<MemberId>,
    /// Set if its peer has just connected.
    returned: bool,
    /// Conflict name this file was filed under before this step, if any.
    replaces: Option<PathKey>,
    /// Set in the step in which it begins a new livery under a retired name.
    begins: bool,
}

impl Claimant {
    fn key(&self) -> &PathKey {
        self.entry.path.key()
    }

    fn claim(&self) -> Claim {
        Claim { hash: self.entry.content.hash, mtime: self.entry.mtime, arrival: self.arrival }
    }
}

/// All liveries that every PC should have. See the [module documentation](self).
#[derive(Clone, Debug, Default)]
pub struct Union {
    entries: PathMap<UnionEntry>,
    /// Number of names in each livery that are not conflict copies.
    own_names: BTreeMap<String, usize>,
    /// The names of each content.
    names: BTreeMap<Content, BTreeSet<PathKey>>,
    /// Files of peers that are filed under another name than their own: by their own key and their peer, with that name.
    filed_elsewhere: BTreeMap<PathKey, BTreeMap<PeerId, (Claimant, PathKey)>>,
    /// Files of peers that are filed under no name.
    unplaced: Unplaced,
    /// The history of each name.
    past: BTreeMap<PathKey, Past>,
    /// Contents that the server has received and checked once, so that they are known to exist, with what their bytes tell.
    verified: BTreeMap<Content, Option<ContentFacts>>,
    /// The owners of each livery, by its folded name.
    owners: BTreeMap<String, Ownership>,
    /// The members who have had files of each livery since its owner is presumed, or were offered some.
    met: BTreeMap<String, BTreeSet<MemberId>>,
    /// Members who were merged into others, with the member that each is now.
    merged: BTreeMap<MemberId, MemberId>,
    /// The connected PCs of each member that have reported files.
    pcs: BTreeMap<MemberId, BTreeSet<PeerId>>,
    /// Folders for whose updates contents have arrived since the last step.
    arrived: BTreeSet<(String, PeerId)>,
    /// Members who may not connect.
    banned: BTreeSet<MemberId>,
    /// Contents that nobody gets.
    blocked: BTreeSet<ContentHash>,
    store: Option<PeerId>,
    usage: Usage,
    holds: Holds,
    /// Number of the last recorded step.
    steps: u64,
    settings: Settings,
}

impl Union {
    /// Creates an empty union in which anyone may update any livery.
    #[must_use]
    pub fn new(policy: Policy, naming: Naming) -> Self {
        let settings = Settings::new(naming, policy, Updates::default());
        Self { settings, ..Self::default() }
    }

    /// Merges complete manifests in one step. Each peer's number is the position of its manifest.
    pub fn merge<'a>(
        manifests: impl IntoIterator<Item = &'a Manifest>,
        policy: Policy,
        naming: Naming,
    ) -> (Self, Outcome) {
        let mut union = Self::new(policy, naming);
        let changes = manifests.into_iter().zip(0..).map(|(manifest, number)| Change {
            peer: PeerId(number),
            arrival: number,
            member: None,
            complete: true,
            lost: Vec::new(),
            gained: manifest.iter().cloned().map(Gained::from).collect(),
        });
        let outcome = union.step(changes.collect());
        (union, outcome)
    }

    /// Sets who may update established files.
    #[must_use]
    pub const fn with_updates(mut self, updates: Updates) -> Self {
        self.settings.updates = updates;
        self
    }

    /// Returns the settings of the league.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Returns the entry with this key.
    #[must_use]
    pub fn get(&self, key: &PathKey) -> Option<&UnionEntry> {
        self.entries.get(key)
    }

    /// Returns all entries, ordered by key.
    pub fn iter(&self) -> impl Iterator<Item = &UnionEntry> {
        self.entries.iter()
    }

    /// Returns the number of liveries.
    #[must_use]
    pub fn livery_count(&self) -> usize {
        self.entries.livery_count()
    }

    /// Returns the number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entries with this content, ordered by key. One content may have several names.
    pub fn with_content(&self, content: Content) -> impl Iterator<Item = &UnionEntry> {
        self.names.get(&content).into_iter().flatten().filter_map(|key| self.entries.get(key))
    }

    /// Returns the union as the manifest that every PC should have.
    #[must_use]
    pub fn manifest(&self) -> Manifest {
        Manifest::of(&self.entries, |entry| Arc::clone(&entry.entry))
    }

    /// Makes `manifest` share the memory of the entries and names that the union has too.
    ///
    /// The manifest stays equal to what it was. Without this a thousand PCs with the same files cost the server a thousand
    /// times the memory of one.
    pub fn share(&self, manifest: &mut Manifest) {
        manifest.share(self.entries.iter().map(|entry| &entry.entry));
    }

    /// Returns the entry that `peer`'s file at `key` is filed under: that of its own name, or that of its conflict name.
    /// Returns `None` if it is outdated or was refused, or if the entry has another content than `hash`.
    #[must_use]
    pub fn filed_under(
        &self,
        peer: PeerId,
        key: &PathKey,
        hash: ContentHash,
    ) -> Option<&UnionEntry> {
        let key = match self.filed_elsewhere.get(key).and_then(|peers| peers.get(&peer)) {
            Some((_, entry)) => entry,
            None => key,
        };
        self.entries.get(key).filter(|entry| entry.content.hash == hash)
    }

    /// Returns true if `peer`'s file at `key` has this content, and the name had it before or declined it. The league loses
    /// nothing when that file is replaced.
    ///
    /// A content that the peer has reported since the last step is not outdated: it may be an edit.
    #[must_use]
    pub fn is_outdated(&self, peer: PeerId, key: &PathKey, content: Content) -> bool {
        let outdated = self.unplaced.outdated_of(peer, key);
        outdated.is_some_and(|outdated| outdated.content == content)
    }

    /// Returns true if `peer`'s file at `key` has this content, and could not join the union with it, or is held.
    ///
    /// After a step, every file of a peer either is [filed under](Self::filed_under) an entry, or is
    /// [outdated](Self::is_outdated), or is refused.
    #[must_use]
    pub fn is_refused(&self, peer: PeerId, key: &PathKey, content: Content) -> bool {
        let refused = self.unplaced.refused_file(peer, key);
        let refused = refused.or_else(|| self.unplaced.held_file(peer, key));
        refused.is_some_and(|refused| refused.entry.content == content)
    }

    /// Returns the files of a peer that cannot join the union, each with the reason.
    #[cfg(feature = "server")]
    pub(crate) fn refusals(&self, peer: PeerId) -> impl Iterator<Item = (&RelPath, Refusal)> {
        let refused = self.unplaced.waiting_of(peer);
        refused.filter_map(move |key| {
            let entry = &self.unplaced.refused_file(peer, key)?.entry;
            let collision = self.entries.check(&entry.path).err().map(Refusal::Collision);
            let refusal = collision.or_else(|| self.name_of_rival(entry).err().map(Into::into));
            Some((&entry.path, refusal?))
        })
    }

    /// Returns the peers that have a content, each with its own path: current, outdated, refused and held files alike. A peer that
    /// has it at several paths may appear several times.
    pub fn sources(&self, content: Content) -> impl Iterator<Item = (PeerId, &RelPath)> {
        // Outdated and refused files are as good as current ones. Without them, a peer that falsely claims a content
        // could be the only one that is asked for it.
        let current = self.with_content(content).flat_map(UnionEntry::holders);
        current.chain(self.unplaced.places(content))
    }

    /// Returns the paths at which `peer` has a content; see [`Union::sources`].
    pub fn places(&self, peer: PeerId, content: Content) -> impl Iterator<Item = &RelPath> {
        let current = self.with_content(content).filter_map(move |entry| entry.local(peer));
        let unplaced = self.unplaced.places(content).filter(move |(holder, _)| *holder == peer);
        current.chain(unplaced.map(|(_, path)| path))
    }

    /// Returns true if a name has or had a content, or declined it.
    #[must_use]
    pub fn knows(&self, key: &PathKey, content: Content) -> bool {
        self.past.get(key).is_some_and(|past| past.knows(content))
    }

    /// Returns true if a content is known to exist, because the server has received and checked it.
    #[must_use]
    pub fn is_verified(&self, content: Content) -> bool {
        self.verified.contains_key(&content)
    }

    /// Returns the files that peers have and nobody should have any more.
    pub fn to_retire(&self) -> impl Iterator<Item = (PeerId, &RelPath, Content)> {
        // Where the name has a content, that content replaces the outdated file, and nothing has to be retired.
        let is_free = |key: &PathKey| !self.entries.contains(key);
        let outdated = self.unplaced.all_outdated().filter(move |(key, _)| is_free(key));
        let outdated = outdated.flat_map(|(_, peers)| peers);
        let outdated = outdated.map(|(peer, file)| (*peer, &file.local, file.content));
        outdated.chain(self.separated())
    }

    /// Returns the names at which `peer` has a file that could not join, or is held.
    pub fn refused(&self, peer: PeerId) -> impl Iterator<Item = &PathKey> {
        self.unplaced.waiting_of(peer)
    }

    /// Marks contents as verified: they exist, no matter who connects and leaves. Returns the records of the change.
    pub fn mark_verified(&mut self, contents: impl IntoIterator<Item = Content>) -> Vec<Record> {
        // No name is touched: that a content exists only keeps names from expiring.
        let mut outcome = Outcome::default();
        for content in contents {
            if !self.verified.contains_key(&content) {
                self.note_arrival(content);
                self.record(Record::Verified(content), &mut outcome);
            }
        }
        outcome.records
    }

    /// Takes one step: first everything that was lost, then everything that was gained.
    pub fn step(&mut self, changes: Vec<Change>) -> Outcome {
        let mut outcome = self.begin_step();
        let contacts = Contacts::of(&changes);
        let mut moves: Vec<_> = changes.iter().filter_map(Moves::of).collect();
        let respelled: Vec<_> = changes.iter().filter_map(Respelled::of).collect();
        let (mut claimants, mut returned) = (Vec::new(), BTreeSet::new());
        let folders: BTreeSet<_> = changes.iter().flat_map(folders_of).collect();
        let departed = changes.iter().filter(|change| change.member.is_none());
        let departed: BTreeSet<_> = departed.map(|change| change.peer).collect();
        for change in changes {
            let Change { peer, arrival, member, complete, lost, gained } = change;
            returned.extend(complete.then_some(member));
            self.note_pc(peer, member);
            // Noted before the removal forgets it: an edit of such a file replaces the copy in its conflict folder.
            let counted = |lost: &Entry| {
                let name = self.filed_elsewhere.get(lost.path.key())?.get(&peer)?.1.clone();
                Some((lost.path.key().clone(), name))
            };
            let mut counted: BTreeMap<_, _> = lost.iter().filter_map(counted).collect();
            for Entry { path, content, .. } in &lost {
                self.remove_file(peer, path.key(), *content, &mut outcome);
            }
            let claimant = |Gained { entry, base, unchecked, .. }| Claimant {
                peer,
                replaces: counted.remove(entry.path.key()),
                entry,
                base,
                unchecked,
                arrival,
                member,
                returned: complete,
                begins: false,
            };
            claimants.extend(gained.into_iter().map(claimant));
        }
        // Files with the name's own content are taken in first. Otherwise the content of a file that only moved would
        // have no holder in between, and its name could expire.
        claimants.retain(|claimant| {
            !self.is_known(claimant) && !self.hold_if_same(claimant, &mut outcome)
        });
        outcome.touched.extend(self.orphans_of_returned(&returned, &claimants));
        claimants.extend(self.take_held_in(&folders));
        // Only now: without what is lost, and with what is reported again.
        let arrived = self.take_arrived();
        moves.extend(arrived.iter().filter_map(Moves::of_held));
        claimants.extend(arrived);
        self.place_claimants(claimants, &mut outcome);
        // After the placing: only now do moved files have names of their own.
        self.retire_moved(&moves, &mut outcome);
        self.judge_held_again(&folders, &moves, &mut outcome);
        self.take_spelling(&respelled, &mut outcome);
        self.compare_first_contacts(contacts, &mut outcome);
        self.record_held(&departed, &returned, &mut outcome);
        outcome
    }

    /// Returns the names whose content nobody sent, nobody holds and nobody claims, and whose publisher has just returned.
    ///
    /// After a start of the server all names are without holders. They must not expire while their publishers may still
    /// bring the content; once a publisher is back without it, nobody will.
    fn orphans_of_returned(
        &self,
        returned: &BTreeSet<Option<MemberId>>,
        claimants: &[Claimant],
    ) -> Vec<PathKey> {
        if returned.is_empty() {
            return Vec::new();
        }
        // A claimed name is left to the placing, because the claimant may bring an edit of its content.
        let claimed: BTreeSet<_> = claimants.iter().map(Claimant::key).collect();
        let keys = self.entries.iter().map(|entry| entry.path.key());
        let is_claimed = |key: &PathKey| {
            let mut held = self.unplaced.held_at(key);
            claimed.contains(key) || held.any(|held| returned.contains(&held.member))
        };
        let orphans = keys.filter(|key| self.is_orphan(key) && !is_claimed(key));
        let theirs = orphans.filter(|key| {
            let placed = self.past.get(*key).and_then(|past| past.placed().next_back());
            // Peers without a key count as one author: nobody can tell them apart.
            placed.is_some_and(|placed| returned.contains(&placed.author))
        });
        theirs.cloned().collect()
    }

    /// Returns true if the peer's file is already filed as outdated, in conflict, refused or held with the same content.
    ///
    /// A client may report a file again, with another base. That must not turn a conflict into an update.
    fn is_known(&self, claimant: &Claimant) -> bool {
        let (peer, key) = (claimant.peer, claimant.key());
        let outdated = self.unplaced.outdated_of(peer, key).map(|outdated| outdated.content);
        let rival =
            || self.filed_elsewhere.get(key)?.get(&peer).map(|(known, _)| known.entry.content);
        let refused = || {
            let refused = self.unplaced.refused_file(peer, key);
            let known = refused.or_else(|| self.unplaced.held_file(peer, key));
            known.map(|known| known.entry.content)
        };
        outdated.or_else(rival).or_else(refused) == Some(claimant.entry.content)
    }

    /// Adds the claimant to the holders of its own name if that has the same content. Returns false if it has another.
    fn hold_if_same(&mut self, claimant: &Claimant, outcome: &mut Outcome) -> bool {
        let same = matches!(self.classify(claimant), Lineage::Same);
        if same {
            self.add_holder(claimant.peer, claimant.key(), &claimant.entry.path, outcome);
        }
        same
    }

    /// Removes a peer's file, wherever it is filed.
    fn remove_file(
        &mut self,
        peer: PeerId,
        key: &PathKey,
        content: Content,
        outcome: &mut Outcome,
    ) {
        self.unplaced.remove(peer, key);
        self.detach(peer, key);
        // All names, because a file that two liveries share is filed under both.
        for name in self.names.get(&content).into_iter().flatten() {
            let entry = self.entries.get_mut(name);
            if entry.is_some_and(|entry| entry.remove(peer, key)) {
                outcome.touched.insert(name.clone());
            }
        }
    }

    fn detach(&mut self, peer: PeerId, key: &PathKey) -> Option<(Claimant, PathKey)> {
        let peers = self.filed_elsewhere.get_mut(key)?;
        let rival = peers.remove(&peer)?;
        if peers.is_empty() {
            self.filed_elsewhere.remove(key);
        }
        Some(rival)
    }
}

/// Returns the liveries that a change is about, with its peer.
fn folders_of(change: &Change) -> BTreeSet<(String, PeerId)> {
    let gained = change.gained.iter().map(|gained| &gained.entry);
    let entries = change.lost.iter().chain(gained);
    entries.map(|entry| (entry.path.key().livery().to_owned(), change.peer)).collect()
}

//! The union: what every PC should hold.
//!
//! The union is kept up to date by steps. A step takes all that some manifests lost and gained since
//! the last one, and it is a function of the steps before it: replaying them gives the same union.
//!
//! Laws:
//!
//! - Every content that a connected PC holds at a valid path is in the union, under its own name or
//!   under a conflict name, unless the name has had it before: then that PC is behind.
//! - A name keeps its content until somebody who had it in sync changes it. Rivals get conflict names.
//! - A name stays when all who hold its content have left, unless nobody ever sent it.
//! - All names pass the path rule and could lie below one root.
//! - Where nothing is established, `lowest-hash` and `newest-mtime` do not depend on the order of the
//!   manifests within a step. `established` does, and is meant to.
//!
//! All that happens is told in [`Record`]s too. Playing those back gives the same union with the same past
//! and with nobody there.

mod acts;
mod aside;
mod diverting;
mod giving_up;
mod holders;
mod past;
mod peers;
mod placing;
mod records;
mod views;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Deref,
    sync::Arc,
};

use serde::Serialize;

use self::{aside::Aside, holders::Holders, past::Past, placing::Verdict};
use crate::{
    conflict::{Claim, Naming, Policy},
    diff::diff,
    hash::{Content, ContentHash},
    league::{MemberId, Record, Settings, Updates},
    manifest::{Entry, Manifest},
    path::{InvalidPath, PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
};

/// Who holds files: a PC for as long as it is connected. Lower numbers connected earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct PeerId(pub u64);

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
    pub fn holders(&self) -> impl Iterator<Item = (PeerId, &RelPath)> {
        self.holders.iter(&self.path)
    }

    /// Number of PCs that hold this content.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.holders.len()
    }

    /// Where `peer` has this content, if it does.
    #[must_use]
    pub fn local(&self, peer: PeerId) -> Option<&RelPath> {
        self.holders.local(&self.path, peer)
    }

    /// How a peer spells the path at which it has this content, if it is at this key.
    fn local_at(&self, peer: PeerId, key: &PathKey) -> Option<&RelPath> {
        self.holders.at(&self.path, peer, key)
    }

    fn add(&mut self, peer: PeerId, local: &RelPath) {
        self.holders.add(&self.entry.path, peer, local);
    }

    /// Whether `peer` had this content at `key`.
    fn remove(&mut self, peer: PeerId, key: &PathKey) -> bool {
        self.holders.remove(&self.entry.path, peer, key)
    }
}

/// What one peer's manifest lost and gained since the last step.
#[derive(Clone, Debug)]
pub struct Change {
    /// Whose manifest it is.
    pub peer: PeerId,
    /// When the manifest was accepted; lower is earlier.
    pub arrival: u64,
    /// Who that peer is, if he has a key.
    pub author: Option<MemberId>,
    /// Whether the peer was not there before, and these are all his files.
    pub whole: bool,
    /// Files that are gone or have another content.
    pub lost: Vec<Entry>,
    /// Files that are there or have another content.
    pub gained: Vec<Gained>,
}

/// A file that a peer has by now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gained {
    /// The file.
    pub entry: Entry,
    /// What the peer last had in sync at this path, if he remembers: a change of that is an update.
    pub base: Option<ContentHash>,
}

impl From<Entry> for Gained {
    fn from(entry: Entry) -> Self {
        Self { entry, base: None }
    }
}

impl Change {
    /// Compares two manifests of one peer.
    #[must_use]
    pub fn between(peer: PeerId, arrival: u64, old: &Manifest, new: &Manifest) -> Self {
        let mut diff = diff(old, new);
        let (replaced, replacing): (Vec<_>, Vec<_>) = diff.different.into_iter().unzip();
        diff.extra.extend(replaced);
        diff.missing.extend(replacing);
        let gained = diff.missing.into_iter().map(Gained::from).collect();
        Self { peer, arrival, author: None, whole: false, lost: diff.extra, gained }
    }
}

/// What a step did, for people and for those who keep lists by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The names whose entry came, went, or has other holders.
    pub touched: BTreeSet<PathKey>,
    /// Rivals that got a conflict name in this step: the name they have at home and the new one.
    pub conflicts: Vec<(PeerId, RelPath, RelPath)>,
    /// Files that could not join, with the reason.
    pub refused: Vec<(PeerId, RelPath, Refusal)>,
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
    peer: PeerId,
    entry: Entry,
    base: Option<ContentHash>,
    arrival: u64,
    author: Option<MemberId>,
    /// Its peer was not there before.
    returned: bool,
    /// The name that what its peer had there counted for until this step, if it was another one.
    replaces: Option<PathKey>,
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
    /// How many names of each livery have something that is no copy of a rival.
    begun: BTreeMap<String, usize>,
    /// The names of each content.
    names: BTreeMap<Content, BTreeSet<PathKey>>,
    /// Where a peer's file counts for an entry of another name: its own key, then the entry's.
    elsewhere: BTreeMap<PathKey, BTreeMap<PeerId, (Claimant, PathKey)>>,
    /// Files that peers have and that count for no name.
    aside: Aside,
    /// What each name has held.
    past: BTreeMap<PathKey, Past>,
    /// Contents whose bytes have been seen.
    proven: BTreeSet<Content>,
    /// Who may update each livery: its folder in one case, then as it is spelled.
    owners: BTreeMap<String, (String, BTreeSet<MemberId>)>,
    /// Number of the last step that was recorded.
    steps: u64,
    settings: Settings,
}

impl Union {
    /// An empty union.
    #[must_use]
    pub fn new(policy: Policy, naming: Naming) -> Self {
        let settings = Settings::new(naming, policy, Updates::default());
        Self { settings, ..Self::default() }
    }

    /// The same, where only some may update what is established.
    #[must_use]
    pub const fn with_updates(mut self, updates: Updates) -> Self {
        self.settings.updates = updates;
        self
    }

    /// Returns the settings that the union is made by.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
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

    /// Returns the number of liveries.
    #[must_use]
    pub fn livery_count(&self) -> usize {
        self.entries.livery_count()
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

    /// The key of the entry that `peer`'s file at `key` counts for, if it counts for any.
    #[must_use]
    pub fn counts_for(
        &self,
        peer: PeerId,
        key: &PathKey,
        hash: ContentHash,
    ) -> Option<&UnionEntry> {
        let key = match self.elsewhere.get(key).and_then(|peers| peers.get(&peer)) {
            Some((_, entry)) => entry,
            None => key,
        };
        self.entries.get(key).filter(|entry| entry.content.hash == hash)
    }

    /// Whether `peer`'s file at `key` is what the name has held before, or turned down: the peer is behind,
    /// and nothing is lost to the league if that file goes.
    #[must_use]
    pub fn is_stale(&self, peer: PeerId, key: &PathKey) -> bool {
        self.aside.stale_of(peer, key).is_some()
    }

    /// Who has a content, and where: whether it is what the union has there, or the peer is behind, or the file
    /// could not join. Who has it at several places may be named several times.
    pub fn sources(&self, content: Content) -> impl Iterator<Item = (PeerId, &RelPath)> {
        let current = self.with_content(content).flat_map(UnionEntry::holders);
        current.chain(self.aside.places(content))
    }

    /// Where `peer` has a content, as in [`Union::sources`].
    pub fn places(&self, peer: PeerId, content: Content) -> impl Iterator<Item = &RelPath> {
        let current = self.with_content(content).filter_map(move |entry| entry.local(peer));
        let aside = self.aside.places(content).filter(move |(holder, _)| *holder == peer);
        current.chain(aside.map(|(_, path)| path))
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

    /// Files that peers have and nobody is to have any more.
    pub fn unwanted(&self) -> impl Iterator<Item = (PeerId, &RelPath, Content)> {
        let is_free = |key: &PathKey| !self.entries.contains(key);
        let stale = self.aside.all_stale().filter(move |(key, _)| is_free(key));
        let stale = stale.flat_map(|(_, peers)| peers);
        let stale = stale.map(|(peer, file)| (*peer, &file.local, file.content));
        stale.chain(self.diverted())
    }

    /// Who may update a livery where only owners may; none if nobody ever owned it. Its folder is in one case.
    fn owners(&self, livery: &str) -> Option<&BTreeSet<MemberId>> {
        self.owners.get(livery).map(|(_, owners)| owners)
    }

    fn owns(&self, author: Option<MemberId>, livery: &str) -> bool {
        let owners = self.owners(livery);
        author.is_some_and(|author| owners.is_some_and(|owners| owners.contains(&author)))
    }

    /// The names at which `peer` has something that could not join.
    pub fn refused(&self, peer: PeerId) -> impl Iterator<Item = &PathKey> {
        self.aside.refused_of(peer)
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
        let (mut claimants, mut returned) = (Vec::new(), BTreeSet::new());
        for change in changes {
            let Change { peer, arrival, author, whole, lost, gained } = change;
            returned.extend(whole.then_some(author));
            let counted = |lost: &Entry| {
                let name = self.elsewhere.get(lost.path.key())?.get(&peer)?.1.clone();
                Some((lost.path.key().clone(), name))
            };
            let mut counted: BTreeMap<_, _> = lost.iter().filter_map(counted).collect();
            for Entry { path, content, .. } in &lost {
                self.lose(peer, path.key(), *content, &mut outcome);
            }
            let claimant = |Gained { entry, base }| Claimant {
                peer,
                replaces: counted.remove(entry.path.key()),
                entry,
                base,
                arrival,
                author,
                returned: whole,
            };
            claimants.extend(gained.into_iter().map(claimant));
        }
        // A file that only moved to where it belongs is not gone in between.
        claimants
            .retain(|claimant| !self.is_known(claimant) && !self.hold_same(claimant, &mut outcome));
        outcome.touched.extend(self.missed_by(&returned, &claimants));
        self.settle(claimants, &mut outcome);
        outcome
    }

    /// The names of what nobody ever sent, nobody has at present and nobody claims, as it is after a start of the
    /// server, if those who brought it have come back: they do not have it any more either.
    fn missed_by(
        &self,
        returned: &BTreeSet<Option<MemberId>>,
        claimants: &[Claimant],
    ) -> Vec<PathKey> {
        if returned.is_empty() {
            return Vec::new();
        }
        let claimed: BTreeSet<_> = claimants.iter().map(Claimant::key).collect();
        let keys = self.entries.iter().map(|entry| entry.path.key());
        let vain = keys.filter(|key| self.is_vain(key) && !claimed.contains(key));
        let theirs = vain.filter(|key| {
            let placed = self.past.get(*key).and_then(|past| past.placed().next_back());
            placed.is_some_and(|placed| returned.contains(&placed.author))
        });
        theirs.cloned().collect()
    }

    /// Whether it is known already that a peer has just this at a key where the name has something else: to say so
    /// again makes no update of it, whatever it was made of.
    fn is_known(&self, claimant: &Claimant) -> bool {
        let (peer, key) = (claimant.peer, claimant.key());
        let stale = self.aside.stale_of(peer, key).map(|stale| stale.content);
        let rival = || self.elsewhere.get(key)?.get(&peer).map(|(known, _)| known.entry.content);
        let refused = || {
            let mut refused = self.aside.refused_at(key);
            refused.find(|known| known.peer == peer).map(|known| known.entry.content)
        };
        stale.or_else(rival).or_else(refused) == Some(claimant.entry.content)
    }

    /// Takes note of who has just what his file's name has. Returns whether he does.
    fn hold_same(&mut self, claimant: &Claimant, outcome: &mut Outcome) -> bool {
        let same = matches!(self.judge(claimant), Verdict::Same);
        if same {
            self.hold(claimant.peer, claimant.key(), &claimant.entry.path, outcome);
        }
        same
    }

    /// A peer does not have a content at a key any more, wherever that counted.
    fn lose(&mut self, peer: PeerId, key: &PathKey, content: Content, outcome: &mut Outcome) {
        self.aside.remove(peer, key);
        self.detach(peer, key);
        for name in self.names.get(&content).into_iter().flatten() {
            let entry = self.entries.get_mut(name);
            if entry.is_some_and(|entry| entry.remove(peer, key)) {
                outcome.touched.insert(name.clone());
            }
        }
    }

    fn detach(&mut self, peer: PeerId, key: &PathKey) -> Option<(Claimant, PathKey)> {
        let peers = self.elsewhere.get_mut(key)?;
        let rival = peers.remove(&peer)?;
        if peers.is_empty() {
            self.elsewhere.remove(key);
        }
        Some(rival)
    }
}

/// Merges whole manifests in one step; peer numbers are their places in the list.
#[must_use]
pub fn merge<'a>(
    manifests: impl IntoIterator<Item = &'a Manifest>,
    policy: Policy,
    naming: Naming,
) -> (Union, Outcome) {
    let mut union = Union::new(policy, naming);
    let changes = manifests.into_iter().zip(0..).map(|(manifest, number)| Change {
        peer: PeerId(number),
        arrival: number,
        author: None,
        whole: true,
        lost: Vec::new(),
        gained: manifest.iter().cloned().map(Gained::from).collect(),
    });
    let outcome = union.step(changes.collect());
    (union, outcome)
}

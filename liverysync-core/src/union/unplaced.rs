//! Files of peers that are filed under no name: outdated ones, refused ones, and held ones.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, PeerId};
use crate::{
    hash::Content,
    league::MemberId,
    path::{PathKey, RelPath},
    pathmap::of_livery,
    time::UnixTime,
};

/// A peer's file with a content that its name had before, or declined.
#[derive(Clone, Debug)]
pub(super) struct OutdatedFile {
    pub(super) local: RelPath,
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    /// The claim of a file in conflict, and its conflict name, which has another content by now.
    pub(super) rival: Option<(Claimant, PathKey)>,
}

/// The files that are filed under no name.
#[derive(Clone, Debug, Default)]
pub(super) struct Unplaced {
    /// Outdated files, by their own keys.
    outdated: BTreeMap<PathKey, BTreeMap<PeerId, OutdatedFile>>,
    /// Files that could not join, by their own keys. They are placed again when a name becomes free.
    refused: BTreeMap<PathKey, BTreeMap<PeerId, Claimant>>,
    /// Files that are not placed yet, because their liveries do not change for now, by their own keys.
    held: BTreeMap<PathKey, BTreeMap<PeerId, Claimant>>,
    /// The keys of each peer's refused and held files: every client is told of its own, again and again.
    waiting: BTreeMap<PeerId, BTreeSet<PathKey>>,
    /// Those of the held files that wait for contents, and for nobody's decision.
    awaited: BTreeSet<(PathKey, PeerId)>,
    /// The liveries of which a peer's held files have changed since the last [`Unplaced::take_touched`].
    touched: BTreeSet<(String, Option<MemberId>, PeerId)>,
    /// Outdated files that were filed under a conflict name, by that name.
    rivals: BTreeMap<PathKey, BTreeSet<(PathKey, PeerId)>>,
    /// The paths of all these files, by content.
    places: BTreeMap<Content, BTreeSet<(PeerId, RelPath)>>,
}

impl Unplaced {
    /// Adds an outdated file of a peer.
    pub(super) fn add_outdated(&mut self, peer: PeerId, outdated: OutdatedFile) {
        self.remove(peer, outdated.local.key());
        self.add_place(peer, &outdated.local, outdated.content);
        if let Some((_, name)) = &outdated.rival {
            let key = outdated.local.key().clone();
            self.rivals.entry(name.clone()).or_default().insert((key, peer));
        }
        self.outdated.entry(outdated.local.key().clone()).or_default().insert(peer, outdated);
    }

    /// Adds a file that could not join.
    pub(super) fn refuse(&mut self, claimant: Claimant) {
        self.remove(claimant.peer, claimant.key());
        let Claimant { peer, ref entry, .. } = claimant;
        self.add_place(peer, &entry.path, entry.content);
        self.add_waiting(peer, entry.path.key());
        let refused = self.refused.entry(entry.path.key().clone()).or_default();
        refused.insert(peer, Claimant { begins: false, ..claimant });
    }

    /// Adds a file that is not placed yet.
    pub(super) fn hold(&mut self, claimant: Claimant) {
        self.remove(claimant.peer, claimant.key());
        let Claimant { peer, ref entry, .. } = claimant;
        self.add_place(peer, &entry.path, entry.content);
        self.add_waiting(peer, entry.path.key());
        self.touch(&claimant);
        let held = self.held.entry(entry.path.key().clone()).or_default();
        held.insert(peer, Claimant { begins: false, ..claimant });
    }

    /// Adds a file of an update that has not arrived.
    pub(super) fn await_content(&mut self, claimant: Claimant) {
        let awaited = (claimant.key().clone(), claimant.peer);
        self.hold(claimant);
        self.awaited.insert(awaited);
    }

    /// Returns the files of updates that have not arrived.
    pub(super) fn awaited(&self) -> impl Iterator<Item = &Claimant> {
        self.awaited.iter().filter_map(|(key, peer)| self.held_file(*peer, key))
    }

    /// Returns the files of a livery's updates that have not arrived.
    pub(super) fn awaited_in<'a>(&'a self, livery: &str) -> impl Iterator<Item = &'a Claimant> {
        let held = self.held_in(livery);
        held.filter(|claim| self.is_awaited(claim.peer, claim.key()))
    }

    /// Returns the files with this content of updates that have not arrived, each with its peer.
    pub(super) fn awaiting(&self, content: Content) -> impl Iterator<Item = (PeerId, &PathKey)> {
        let places = self.places(content).map(|(peer, path)| (peer, path.key()));
        places.filter(|(peer, key)| self.is_awaited(*peer, key))
    }

    /// Returns true if a peer's file at a key is part of an update that has not arrived.
    pub(super) fn is_awaited(&self, peer: PeerId, key: &PathKey) -> bool {
        self.awaited.contains(&(key.clone(), peer))
    }

    fn touch(&mut self, held: &Claimant) {
        self.touched.insert((held.key().livery().to_owned(), held.member, held.peer));
    }

    /// Removes a peer's file at a key, if there is one.
    pub(super) fn remove(&mut self, peer: PeerId, key: &PathKey) {
        if let Some(peers) = self.outdated.get_mut(key)
            && let Some(OutdatedFile { local, content, rival, .. }) = peers.remove(&peer)
        {
            if peers.is_empty() {
                self.outdated.remove(key);
            }
            if let Some((_, name)) = rival
                && let Some(rivals) = self.rivals.get_mut(&name)
            {
                rivals.remove(&(key.clone(), peer));
                if rivals.is_empty() {
                    self.rivals.remove(&name);
                }
            }
            self.remove_place(peer, local, content);
        } else if let Some(peers) = self.refused.get_mut(key)
            && let Some(refused) = peers.remove(&peer)
        {
            if peers.is_empty() {
                self.refused.remove(key);
            }
            self.remove_waiting(peer, key);
            self.remove_place(peer, refused.entry.path, refused.entry.content);
        } else {
            self.take_held(peer, key);
        }
    }

    /// Takes out a peer's held file at a key.
    fn take_held(&mut self, peer: PeerId, key: &PathKey) -> Option<Claimant> {
        let peers = self.held.get_mut(key)?;
        let held = peers.remove(&peer)?;
        if peers.is_empty() {
            self.held.remove(key);
        }
        self.awaited.remove(&(key.clone(), peer));
        self.remove_waiting(peer, key);
        self.touch(&held);
        self.remove_place(peer, held.entry.path.clone(), held.entry.content);
        Some(held)
    }

    /// Takes out a peer's held files of a livery.
    pub(super) fn take_held_in(&mut self, livery: &str, peer: PeerId) -> Vec<Claimant> {
        let held = of_livery(&self.held, livery).filter(|(_, peers)| peers.contains_key(&peer));
        let keys: Vec<_> = held.map(|(key, _)| key.clone()).collect();
        keys.iter().filter_map(|key| self.take_held(peer, key)).collect()
    }

    /// Takes out all held files.
    pub(super) fn take_all_held(&mut self) -> Vec<Claimant> {
        let held = self.held.iter();
        let held = held.flat_map(|(key, peers)| peers.keys().map(|peer| (*peer, key.clone())));
        let held: Vec<_> = held.collect();
        held.iter().filter_map(|(peer, key)| self.take_held(*peer, key)).collect()
    }

    /// Returns the liveries of which held files have come or gone, each with the member and the peer, since the last call.
    pub(super) fn take_touched(&mut self) -> BTreeSet<(String, Option<MemberId>, PeerId)> {
        std::mem::take(&mut self.touched)
    }

    /// Takes out all files that could not join.
    pub(super) fn take_refused(&mut self) -> Vec<Claimant> {
        let refused = std::mem::take(&mut self.refused).into_values();
        let refused: Vec<_> = refused.flat_map(BTreeMap::into_values).collect();
        for claimant in &refused {
            let Claimant { peer, entry, .. } = claimant;
            self.remove_waiting(*peer, entry.path.key());
            self.remove_place(*peer, entry.path.clone(), entry.content);
        }
        refused
    }

    fn add_waiting(&mut self, peer: PeerId, key: &PathKey) {
        self.waiting.entry(peer).or_default().insert(key.clone());
    }

    fn remove_waiting(&mut self, peer: PeerId, key: &PathKey) {
        if let Some(keys) = self.waiting.get_mut(&peer) {
            keys.remove(key);
            if keys.is_empty() {
                self.waiting.remove(&peer);
            }
        }
    }

    fn add_place(&mut self, peer: PeerId, local: &RelPath, content: Content) {
        self.places.entry(content).or_default().insert((peer, local.clone()));
    }

    fn remove_place(&mut self, peer: PeerId, local: RelPath, content: Content) {
        if let Some(places) = self.places.get_mut(&content) {
            places.remove(&(peer, local));
            if places.is_empty() {
                self.places.remove(&content);
            }
        }
    }

    /// Returns all outdated files, by their own keys.
    pub(super) fn all_outdated(
        &self,
    ) -> impl Iterator<Item = (&PathKey, &BTreeMap<PeerId, OutdatedFile>)> {
        self.outdated.iter()
    }

    /// Returns the outdated files at a key.
    pub(super) fn outdated_at(
        &self,
        key: &PathKey,
    ) -> impl Iterator<Item = (PeerId, &OutdatedFile)> {
        self.outdated.get(key).into_iter().flatten().map(|(peer, outdated)| (*peer, outdated))
    }

    /// Returns the claims of the outdated files whose conflict name this was.
    pub(super) fn rivals_of(&self, name: &PathKey) -> impl Iterator<Item = &Claimant> {
        // By name: a walk over the outdated files of all peers for each name that expires takes seconds in a large
        // league.
        let rivals = self.rivals.get(name).into_iter().flatten();
        let outdated = rivals.filter_map(|(key, peer)| self.outdated_of(*peer, key));
        outdated.filter_map(|outdated| Some(&outdated.rival.as_ref()?.0))
    }

    /// Returns a peer's outdated files of a livery.
    pub(super) fn outdated_in<'a>(
        &'a self,
        livery: &str,
        peer: PeerId,
    ) -> impl Iterator<Item = &'a OutdatedFile> {
        of_livery(&self.outdated, livery).filter_map(move |(_, peers)| peers.get(&peer))
    }

    /// Returns a peer's refused files of a livery.
    pub(super) fn refused_in<'a>(
        &'a self,
        livery: &str,
        peer: PeerId,
    ) -> impl Iterator<Item = &'a Claimant> {
        of_livery(&self.refused, livery).filter_map(move |(_, peers)| peers.get(&peer))
    }

    /// Returns a peer's outdated file at a key.
    pub(super) fn outdated_of(&self, peer: PeerId, key: &PathKey) -> Option<&OutdatedFile> {
        self.outdated.get(key)?.get(&peer)
    }

    /// Returns a peer's refused file at a key.
    pub(super) fn refused_file(&self, peer: PeerId, key: &PathKey) -> Option<&Claimant> {
        self.refused.get(key)?.get(&peer)
    }

    /// Returns true if there is any held file.
    pub(super) fn holds_any(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns a peer's held file at a key.
    pub(super) fn held_file(&self, peer: PeerId, key: &PathKey) -> Option<&Claimant> {
        self.held.get(key)?.get(&peer)
    }

    /// Returns the held files at a key.
    pub(super) fn held_at(&self, key: &PathKey) -> impl Iterator<Item = &Claimant> {
        self.held.get(key).into_iter().flat_map(BTreeMap::values)
    }

    /// Returns the held files of a livery.
    pub(super) fn held_in<'a>(&'a self, livery: &str) -> impl Iterator<Item = &'a Claimant> {
        of_livery(&self.held, livery).flat_map(|(_, peers)| peers.values())
    }

    /// Returns a peer's held files, in the order of their keys.
    #[cfg(feature = "server")]
    pub(super) fn held_of(&self, peer: PeerId) -> impl Iterator<Item = &Claimant> {
        self.waiting_of(peer).filter_map(move |key| self.held_file(peer, key))
    }

    /// Returns the refused and held files at a key.
    pub(super) fn waiting_at(&self, key: &PathKey) -> impl Iterator<Item = &Claimant> {
        let peers = [self.refused.get(key), self.held.get(key)];
        peers.into_iter().flatten().flat_map(BTreeMap::values)
    }

    /// Returns the keys of a peer's refused and held files.
    pub(super) fn waiting_of(&self, peer: PeerId) -> impl Iterator<Item = &PathKey> {
        self.waiting.get(&peer).into_iter().flatten()
    }

    /// Returns the paths of the unplaced files with this content.
    pub(super) fn places(&self, content: Content) -> impl Iterator<Item = (PeerId, &RelPath)> {
        self.places.get(&content).into_iter().flatten().map(|(peer, path)| (*peer, path))
    }
}

//! Files of peers that count for no name at present: what is behind, and what was refused.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, PeerId};
use crate::{
    hash::Content,
    path::{PathKey, RelPath},
    pathmap::of_livery,
    time::UnixTime,
};

/// A file of a peer that is behind.
#[derive(Clone, Debug)]
pub(super) struct Stale {
    pub(super) local: RelPath,
    pub(super) content: Content,
    pub(super) mtime: Option<UnixTime>,
    /// What it claimed, and the conflict name that it counted for until that got something else.
    pub(super) rival: Option<(Claimant, PathKey)>,
}

/// The files that count for no name.
#[derive(Clone, Debug, Default)]
pub(super) struct Aside {
    /// What a name has held before, or turned down: by their own keys.
    stale: BTreeMap<PathKey, BTreeMap<PeerId, Stale>>,
    /// What could not join. It claims anew when a name becomes free.
    refused: BTreeMap<PathKey, BTreeMap<PeerId, Claimant>>,
    /// Whose conflict name each was until it got something else: peers with their own keys.
    rivals: BTreeMap<PathKey, BTreeSet<(PathKey, PeerId)>>,
    /// Where what they hold lies.
    places: BTreeMap<Content, BTreeSet<(PeerId, RelPath)>>,
}

impl Aside {
    /// What a peer has at a key is behind.
    pub(super) fn be_behind(&mut self, peer: PeerId, stale: Stale) {
        self.remove(peer, stale.local.key());
        self.add_place(peer, &stale.local, stale.content);
        if let Some((_, name)) = &stale.rival {
            let key = stale.local.key().clone();
            self.rivals.entry(name.clone()).or_default().insert((key, peer));
        }
        self.stale.entry(stale.local.key().clone()).or_default().insert(peer, stale);
    }

    /// What a peer has at a key could not join.
    pub(super) fn refuse(&mut self, claimant: Claimant) {
        self.remove(claimant.peer, claimant.key());
        let Claimant { peer, ref entry, .. } = claimant;
        self.add_place(peer, &entry.path, entry.content);
        self.refused.entry(entry.path.key().clone()).or_default().insert(peer, claimant);
    }

    /// Takes out what a peer has at a key, if there is anything.
    pub(super) fn remove(&mut self, peer: PeerId, key: &PathKey) {
        if let Some(peers) = self.stale.get_mut(key)
            && let Some(Stale { local, content, rival, .. }) = peers.remove(&peer)
        {
            if peers.is_empty() {
                self.stale.remove(key);
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
            self.remove_place(peer, refused.entry.path, refused.entry.content);
        }
    }

    /// Takes out all that could not join.
    pub(super) fn take_refused(&mut self) -> Vec<Claimant> {
        let refused = std::mem::take(&mut self.refused).into_values();
        let refused: Vec<_> = refused.flat_map(BTreeMap::into_values).collect();
        for claimant in &refused {
            let Claimant { peer, entry, .. } = claimant;
            self.remove_place(*peer, entry.path.clone(), entry.content);
        }
        refused
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

    /// What is behind, by its own key.
    pub(super) fn all_stale(&self) -> impl Iterator<Item = (&PathKey, &BTreeMap<PeerId, Stale>)> {
        self.stale.iter()
    }

    /// Who is behind at a key, with what.
    pub(super) fn stale_at(&self, key: &PathKey) -> impl Iterator<Item = (PeerId, &Stale)> {
        self.stale.get(key).into_iter().flatten().map(|(peer, stale)| (*peer, stale))
    }

    /// What claimed another name until this one, which it had instead, got something else.
    pub(super) fn rivals_of(&self, name: &PathKey) -> impl Iterator<Item = &Claimant> {
        let rivals = self.rivals.get(name).into_iter().flatten();
        let stale = rivals.filter_map(|(key, peer)| self.stale_of(*peer, key));
        stale.filter_map(|stale| Some(&stale.rival.as_ref()?.0))
    }

    /// What of a livery a peer is behind with.
    pub(super) fn stale_in<'a>(
        &'a self,
        livery: &str,
        peer: PeerId,
    ) -> impl Iterator<Item = &'a Stale> {
        of_livery(&self.stale, livery).filter_map(move |(_, peers)| peers.get(&peer))
    }

    /// What of a livery of a peer was refused.
    pub(super) fn refused_in<'a>(
        &'a self,
        livery: &str,
        peer: PeerId,
    ) -> impl Iterator<Item = &'a Claimant> {
        of_livery(&self.refused, livery).filter_map(move |(_, peers)| peers.get(&peer))
    }

    /// What a peer is behind with at a key.
    pub(super) fn stale_of(&self, peer: PeerId, key: &PathKey) -> Option<&Stale> {
        self.stale.get(key)?.get(&peer)
    }

    /// Those who were refused at a key.
    pub(super) fn refused_at(&self, key: &PathKey) -> impl Iterator<Item = &Claimant> {
        self.refused.get(key).into_iter().flat_map(BTreeMap::values)
    }

    /// The keys at which a peer was refused.
    pub(super) fn refused_of(&self, peer: PeerId) -> impl Iterator<Item = &PathKey> {
        let of_member =
            move |(_, peers): &(_, &BTreeMap<PeerId, Claimant>)| peers.contains_key(&peer);
        self.refused.iter().filter(of_member).map(|(key, _)| key)
    }

    /// Where a content lies that counts for no name.
    pub(super) fn places(&self, content: Content) -> impl Iterator<Item = (PeerId, &RelPath)> {
        self.places.get(&content).into_iter().flatten().map(|(peer, path)| (*peer, path))
    }
}

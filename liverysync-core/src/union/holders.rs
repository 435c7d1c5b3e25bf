//! The holders of one content. Nearly all hold it at the entry's own path and cost one bit; the others cost more.

use std::collections::{BTreeMap, BTreeSet};

use super::{PeerId, peers::Peers};
use crate::path::{PathKey, RelPath};

/// The holders of one entry's content. `home` is the path of the entry, the same in every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Holders {
    peers: Peers,
    /// All paths of the peers that have it elsewhere, or elsewhere too.
    places: BTreeMap<PeerId, BTreeSet<RelPath>>,
}

impl Holders {
    pub(super) fn len(&self) -> usize {
        self.peers.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.peers.is_empty()
    }

    /// Returns the holders, each with one of its paths.
    pub(super) fn iter<'a>(
        &'a self,
        home: &'a RelPath,
    ) -> impl Iterator<Item = (PeerId, &'a RelPath)> {
        self.peers.iter().map(move |peer| (peer, self.place(home, peer)))
    }

    /// Returns all holders with all their paths.
    pub(super) fn places(&self, home: &RelPath) -> Vec<(PeerId, RelPath)> {
        let mut all = Vec::with_capacity(self.len());
        for peer in self.peers.iter() {
            match self.places.get(&peer) {
                Some(places) => all.extend(places.iter().map(|place| (peer, place.clone()))),
                None => all.push((peer, home.clone())),
            }
        }
        all
    }

    /// Returns one of `peer`'s paths of the content, if it holds it.
    pub(super) fn local<'a>(&'a self, home: &'a RelPath, peer: PeerId) -> Option<&'a RelPath> {
        self.peers.contains(peer).then(|| self.place(home, peer))
    }

    /// Returns one of a holder's paths: the one at home, in any spelling, if there is one.
    fn place<'a>(&'a self, home: &'a RelPath, peer: PeerId) -> &'a RelPath {
        let Some(places) = self.places.get(&peer) else { return home };
        let at_home = places.iter().find(|place| place.key() == home.key());
        at_home.or_else(|| places.first()).unwrap_or(home)
    }

    /// Returns `peer`'s spelling of the path at `key`, if it has the content there.
    pub(super) fn at<'a>(
        &'a self,
        home: &'a RelPath,
        peer: PeerId,
        key: &PathKey,
    ) -> Option<&'a RelPath> {
        if !self.peers.contains(peer) {
            return None;
        }
        match self.places.get(&peer) {
            Some(places) => places.iter().find(|place| place.key() == key),
            None => Some(home).filter(|home| home.key() == key),
        }
    }

    /// Adds a path of `peer`.
    pub(super) fn add(&mut self, home: &RelPath, peer: PeerId, local: &RelPath) {
        let is_new = self.peers.insert(peer);
        if is_new && local == home {
            return;
        }
        let places = self.places.entry(peer).or_default();
        if !is_new && places.is_empty() {
            // Until now, the peer's bit alone told that it has the content at home.
            places.insert(home.clone());
        }
        places.insert(local.clone());
    }

    /// Moves the entry to another spelling of its path. Each holder keeps its own.
    pub(super) fn respell(&mut self, home: &RelPath, new: &RelPath) {
        let places = std::mem::take(self).places(home);
        places.iter().for_each(|(peer, local)| self.add(new, *peer, local));
    }

    /// Removes `peer`'s path at `key`. Returns false if there was none.
    pub(super) fn remove(&mut self, home: &RelPath, peer: PeerId, key: &PathKey) -> bool {
        if !self.peers.contains(peer) {
            return false;
        }
        let Some(places) = self.places.get_mut(&peer) else {
            let had = home.key() == key;
            if had {
                self.peers.remove(peer);
            }
            return had;
        };
        let had = places.len();
        places.retain(|place| place.key() != key);
        let left = places.len();
        if left == 0 {
            self.peers.remove(peer);
        }
        // A peer that only has the content at home needs no more than its bit.
        if left == 0 || places.iter().eq([home]) {
            self.places.remove(&peer);
        }
        left < had
    }
}

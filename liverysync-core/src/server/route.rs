//! Whether and how a peer gets a file of the union.

use std::{collections::BTreeSet, time::Duration};

use super::{
    Protocol, ServerConfig, Withheld, league::League, peer::Peer, peers::Peers,
    store_index::StoreIndex,
};
use crate::{
    hash::Content,
    path::PathKey,
    select::cached_picture,
    time::Time,
    union::{PeerId, UnionEntry},
};

/// How much newer its own file must be for a client 1.0.4 to keep it.
const OLD_CLIENT_TOLERANCE: Duration = Duration::from_secs(1);

/// How a client gets a file that it lacks.
pub(super) enum Lack {
    /// It copies what it has under another name, or the store has it.
    Here,
    /// Others send it. One of those who hold it is answerable, so that not all wait and not all leave.
    From(PeerId),
    /// It does not.
    Withheld(Withheld),
}

/// Answers how each peer gets each file, as things are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Router<'a> {
    pub(super) config: &'a ServerConfig,
    pub(super) league: &'a League,
    pub(super) peers: &'a Peers,
    pub(super) store: &'a StoreIndex,
    pub(super) now: Time,
}

impl<'a> Router<'a> {
    /// Returns those who have a content and may be asked for it. Nobody may if there cannot be such a content, whatever
    /// they report.
    pub(super) fn willing(self, content: Content) -> impl Iterator<Item = PeerId> + use<'a> {
        let sources = self.league.union().sources(content);
        let possible = sources.filter(move |_| !self.store.contradicts(content));
        let willing = possible.filter(move |(source, local)| {
            let peer = self.peers.get(*source);
            let may_serve =
                |peer: &Peer| peer.upload_faults.may_serve(local.key(), content.hash, self.now);
            peer.is_some_and(may_serve)
        });
        willing.map(|(source, _)| source)
    }

    /// Returns the same, each once.
    pub(super) fn sources(self, content: Content) -> Vec<PeerId> {
        self.willing(content).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns whether a peer has a content under any name.
    pub(super) fn has_content(self, id: PeerId, content: Content) -> bool {
        self.league.union().places(id, content).next().is_some()
    }

    /// Whether a target may take an entry at this time, from the store or (`copies`) from its own PC.
    pub(super) fn may_take(
        self,
        id: PeerId,
        peer: &Peer,
        entry: &UnionEntry,
        copies: bool,
    ) -> bool {
        let own = peer.speaks_v2() && self.has_content(id, entry.content);
        own == copies
            && self.withheld(id, peer, entry).is_none()
            && peer.download_faults.may_retry(entry.path.key(), entry.content.hash, self.now)
            && (copies || !self.would_lose(id, peer, entry))
    }

    pub(super) fn withheld(self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if !self.league.allows(key) {
            return Some(Withheld::NotAllowed);
        }
        if let Some(reason) = self.refused_by(peer, entry) {
            return Some(reason);
        }
        let uncounted = peer.file_at(key).is_some_and(|own| {
            let union = self.league.union();
            union.counts_for(id, key, own.content.hash).is_none() && !union.is_stale(id, key)
        });
        uncounted.then_some(Withheld::WouldLose)
    }

    /// Why this client is never offered a file, if there is a reason.
    fn refused_by(self, peer: &Peer, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if peer.download_faults.has_declined(key, entry.content.hash) {
            return Some(Withheld::Declined);
        }
        let manifest = peer.report.manifest.as_ref();
        if manifest.is_some_and(|own| own.get(key).is_none() && own.check(&entry.path).is_err()) {
            return Some(Withheld::InTheWay);
        }
        if peer.speaks_v2() {
            return None;
        }
        let picture = cached_picture(&entry.path, &self.config.rules.extensions);
        if picture.is_some_and(|picture| self.league.union().get(picture.key()).is_some()) {
            return Some(Withheld::Cache);
        }
        if peer.identity.protocol == Protocol::V104 {
            if refused_by_104(entry) {
                return Some(Withheld::OldClientRefuses);
            }
            if keeps_newer(peer, entry) {
                return Some(Withheld::OldClientKeepsNewer);
            }
        }
        None
    }

    /// Whether taking `entry` now would overwrite a rival that is not yet safe elsewhere: for a
    /// client of ours under its conflict name on its own PC, for any other client on another PC
    /// that could still take it, or in the store.
    pub(super) fn would_lose(self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> bool {
        let key = entry.path.key();
        let Some(own) = peer.file_at(key) else { return false };
        if self.league.union().is_stale(id, key) {
            return false;
        }
        let rival = self.league.union().counts_for(id, key, own.content.hash);
        let Some(rival) = rival else { return true };
        let declines = |peer: &Peer, id| self.withheld(id, peer, rival).is_some();
        if peer.speaks_v2() {
            return !peer.has(rival) && !declines(peer, id);
        }
        let safe = rival.holders().any(|(holder, _)| holder != id);
        let takers = self.peers.iter().filter(|(other, _)| *other != id);
        let takes =
            |(id, peer): (PeerId, &Peer)| peer.report.manifest.is_some() && !declines(peer, id);
        !safe && takers.into_iter().any(takes)
    }

    /// The entry that a client's own file at `key` counts for.
    pub(super) fn rival_at(self, id: PeerId, peer: &Peer, key: &PathKey) -> Option<&'a UnionEntry> {
        let own = peer.file_at(key)?;
        self.league.union().counts_for(id, key, own.content.hash)
    }

    /// Whether taking `entry` has to wait for a rival that nobody delivers: as things are, for ever.
    pub(super) fn waits_forever(self, id: PeerId, peer: &Peer, entry: &UnionEntry) -> bool {
        let rival = self.rival_at(id, peer, entry.path.key());
        !peer.speaks_v2()
            && rival.is_some_and(|rival| self.willing(rival.content).next().is_none())
            && self.would_lose(id, peer, entry)
    }

    /// Returns what a peer misses, ordered by key, and how it gets it.
    pub(super) fn missing(
        self,
        id: PeerId,
        peer: &'a Peer,
    ) -> impl Iterator<Item = (&'a UnionEntry, Lack)> {
        let entries = peer.missing.iter().filter_map(move |key| self.league.union().get(key));
        entries.map(move |entry| {
            let own_copy = peer.speaks_v2() && self.has_content(id, entry.content);
            let source = self.willing(entry.content).filter(|holder| *holder != id).min();
            let lack = match (self.withheld(id, peer, entry), source) {
                (Some(reason), _) => Lack::Withheld(reason),
                _ if self.waits_forever(id, peer, entry) => Lack::Withheld(Withheld::OnlyCopy),
                _ if own_copy || self.store.is_stored(entry.content) => Lack::Here,
                (None, Some(source)) => Lack::From(source),
                (None, None) => Lack::Withheld(Withheld::NoSource),
            };
            (entry, lack)
        })
    }

    /// Whether a client that lacks a content could get it.
    pub(super) fn is_needed(self, content: Content) -> bool {
        self.league.union().with_content(content).any(|entry| {
            let key = entry.path.key();
            self.peers.iter().any(|(id, peer)| {
                peer.missing.contains(key) && self.withheld(id, peer, entry).is_none()
            })
        })
    }

    /// Whether a client is still to get a content under another name, by copying what it has.
    pub(super) fn will_copy(self, id: PeerId, peer: &Peer, content: Content) -> bool {
        self.league.union().with_content(content).any(|entry| {
            peer.missing.contains(entry.path.key()) && self.withheld(id, peer, entry).is_none()
        })
    }
}

fn keeps_newer(peer: &Peer, entry: &UnionEntry) -> bool {
    let own = peer.file_at(entry.path.key());
    own.and_then(|own| own.mtime)
        .is_some_and(|own| own.since(entry.mtime.unwrap_or_default()) > OLD_CLIENT_TOLERANCE)
}

/// What client 1.0.4 refuses whatever it holds: see `docs/protocol.md`.
fn refused_by_104(entry: &UnionEntry) -> bool {
    let path = entry.path.as_str();
    let taken = ["png", "dds", "json"];
    path.contains("__CONFLICT__")
        || path.contains("Copy.")
        || !taken.iter().any(|known| entry.path.extension().eq_ignore_ascii_case(known))
}

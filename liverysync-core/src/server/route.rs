//! The router: it decides whether and how a peer gets a file of the union.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ServerConfig, Withheld,
    league::League,
    peer::{Peer, Refusal},
    peers::Peers,
    store_index::StoreIndex,
};
use crate::{
    hash::Content,
    path::PathKey,
    select::is_of_macos,
    time::Time,
    union::{PeerId, UnionEntry},
    wire::messages::Role,
};

/// The way in which a peer gets an entry of the union.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// It has the content there.
    HasIt,
    /// It copies the content from another name on its own PC.
    Copy,
    /// It downloads the content, as soon as the store has it.
    Download,
    /// It gets the content by these means, but not now.
    Wait(Means, Wait),
    /// It does not get the content as things are.
    Withheld(Withheld),
}

impl Route {
    /// Returns whether the peer will get the content, now or later.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Copy | Self::Download | Self::Wait(..))
    }
}

/// The place that a peer gets a content from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// From another name on its own PC.
    Copy,
    /// From the store.
    Download,
}

/// The reason why a peer does not get a content now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// It failed to install it a short time ago, or the store failed to read it.
    Retry,
    /// It has a rival content at that name, which has to be safe elsewhere first.
    Rival,
    /// The same, and nobody can send the rival.
    LostRival,
}

/// The prospects of a peer that misses a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It copies the content, or the store has it.
    Here,
    /// Others have to upload it. One of them is responsible, so that not all of them wait and not all of them leave.
    From(PeerId),
    /// It does not come as things are.
    Withheld(Withheld),
}

/// Decides how each peer gets each file in the present state.
///
/// Everything that plans uploads, opens downloads, frees the store, retires files or reports a status asks
/// [`Router::route`], so that all of them agree.
#[derive(Clone, Copy, Debug)]
pub(super) struct Router<'a> {
    pub(super) config: &'a ServerConfig,
    pub(super) league: &'a League,
    pub(super) peers: &'a Peers,
    pub(super) store: &'a StoreIndex,
    pub(super) now: Time,
}

impl<'a> Router<'a> {
    /// Returns how a peer gets an entry.
    pub(super) fn route(self, peer: &Peer, entry: &UnionEntry) -> Route {
        // The list of missing names decides, and not the manifest: it also leaves out files that the peer says to have
        // installed and has not reported yet.
        if !peer.missing.contains(entry.path.key()) {
            return Route::HasIt;
        }
        if let Some(reason) = self.withheld(peer, entry) {
            return Route::Withheld(reason);
        }
        let moves_files = peer.identity.protocol.moves_files();
        let copies = moves_files && self.has_content(peer.id, entry.content);
        let means = if copies { Means::Copy } else { Means::Download };
        let failed =
            !peer.download_faults.may_retry(entry.path.key(), entry.content.hash, self.now)
                || !copies && self.store.is_unreadable(entry.content, self.now);
        let rival = || self.unsafe_rival(peer, entry, moves_files);
        // A rival that cannot be saved outlasts every retry, so a download names it first. A copy looks at its rival
        // last: the rival may be what another copy of the same session brings.
        let wait = match means {
            Means::Copy if failed => Some(Wait::Retry),
            Means::Copy => rival(),
            Means::Download => rival().or(failed.then_some(Wait::Retry)),
        };
        match (means, wait) {
            (means, Some(wait)) => Route::Wait(means, wait),
            (Means::Copy, None) => Route::Copy,
            (Means::Download, None) => Route::Download,
        }
    }

    /// Returns the entries that a peer misses, ordered by key, with its prospects.
    pub(super) fn missing(self, peer: &'a Peer) -> impl Iterator<Item = (&'a UnionEntry, Outlook)> {
        let entries = peer.missing.iter().filter_map(move |key| self.league.union().get(key));
        entries.map(move |entry| (entry, self.outlook(peer, entry)))
    }

    fn outlook(self, peer: &Peer, entry: &UnionEntry) -> Outlook {
        match self.route(peer, entry) {
            Route::Withheld(reason) => return Outlook::Withheld(reason),
            // Its own file gets its name first. What keeps that from arriving must not keep others waiting.
            Route::Wait(_, Wait::Rival)
                if self.league.union().is_awaited_at(peer.id, entry.path.key()) =>
            {
                return Outlook::Withheld(Withheld::WouldLose);
            }
            // It waits for a file that nobody can send. If it counted as missing, nobody would ever be in sync.
            Route::Wait(_, Wait::LostRival) => return Outlook::Withheld(Withheld::OnlyCopy),
            Route::HasIt | Route::Copy | Route::Wait(Means::Copy, _) => return Outlook::Here,
            Route::Download | Route::Wait(Means::Download, _) => {}
        }
        if self.store.is_stored(entry.content) {
            return Outlook::Here;
        }
        // A peer that has the content under another name and cannot copy is no source for itself.
        let sources = self.willing(entry.content).filter(|source| *source != peer.id);
        sources.min().map_or(Outlook::Withheld(Withheld::NoSource), Outlook::From)
    }

    /// Returns whether any peer needs a content.
    pub(super) fn is_needed(self, content: Content) -> bool {
        let union = self.league.union();
        let mut entries = union.with_content(content);
        union.is_awaited(content)
            || entries
                .any(|entry| self.peers.values().any(|peer| self.route(peer, entry).is_open()))
    }

    /// Returns whether a peer needs a content under any name.
    pub(super) fn is_needed_by(self, peer: &Peer, content: Content) -> bool {
        let mut entries = self.league.union().with_content(content);
        entries.any(|entry| self.route(peer, entry).is_open())
    }

    /// Returns those who have a content and may be asked for it. Nobody may if there cannot be such a content, whatever
    /// they report.
    pub(super) fn willing(self, content: Content) -> impl Iterator<Item = PeerId> + use<'a> {
        let sources = self.league.union().sources(content);
        let possible = sources.filter(move |_| !self.store.contradicts(content));
        let willing = possible.filter(move |(source, local)| {
            let peer = self.peers.get(*source);
            let may_serve = |peer: &Peer| {
                peer.identity.only != Some(Role::Target)
                    && peer.upload_faults.may_serve(local.key(), content.hash, self.now)
            };
            peer.is_some_and(may_serve)
        });
        willing.map(|(source, _)| source)
    }

    /// Returns the same, each once.
    pub(super) fn sources(self, content: Content) -> Vec<PeerId> {
        self.willing(content).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Returns whether a peer lacks a file of a new livery whose content has never come yet, so that it would get a part of the
    /// livery now. What is added to a livery holds back nothing, or anyone could hold back everybody's liveries. A content that
    /// the server has had once does not either: a small store may be unable to keep all of a livery.
    fn is_incomplete(self, peer: &Peer, livery: &str) -> bool {
        let mut never_came = self.league.union().never_came(livery);
        never_came.any(|entry| {
            peer.missing.contains(entry.path.key())
                && !self.store.is_available(entry.content)
                && self.route(peer, entry) == Route::Download
                && self.willing(entry.content).any(|source| source != peer.id)
        })
    }

    /// Returns the entry that a peer's own file at a name counts for.
    pub(super) fn rival_at(self, peer: &Peer, key: &PathKey) -> Option<&'a UnionEntry> {
        let own = peer.file_at(key)?;
        self.league.union().filed_under(peer.id, key, own.content.hash)
    }

    /// Returns whether a peer has a content under any name.
    fn has_content(self, id: PeerId, content: Content) -> bool {
        self.league.union().places(id, content).next().is_some()
    }

    /// Returns why a peer does not get an entry as things are.
    fn withheld(self, peer: &Peer, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if peer.identity.only == Some(Role::Source) {
            return Some(Withheld::SendsOnly);
        }
        if !self.league.allows(key) {
            return Some(Withheld::NotAllowed);
        }
        if let Some(reason) = self.refused_by(peer, entry) {
            return Some(reason);
        }
        // A file that could not join the union exists only there. Replacing it would lose it.
        let union = self.league.union();
        let own = peer.file_at(key).filter(|own| union.is_refused(peer.id, key, own.content))?;
        if union.is_awaited_at(peer.id, key) {
            // It gets its name as soon as it has arrived.
            let arrives =
                union.is_verified(own.content) || self.willing(own.content).next().is_some();
            return (!arrives).then_some(Withheld::WouldLose);
        }
        let is_held = union.is_held(peer.id, key);
        Some(if is_held { Withheld::OwnHeld } else { Withheld::WouldLose })
    }

    /// Returns why a peer would not install an entry.
    fn refused_by(self, peer: &Peer, entry: &UnionEntry) -> Option<Withheld> {
        let key = entry.path.key();
        if let Some(refusal) = peer.download_faults.refusal(key, entry.content.hash) {
            return Some(match refusal {
                Refusal::Declined => Withheld::Declined,
                Refusal::Blocked => Withheld::Blocked,
            });
        }
        // A file of its own may have the name of a folder that is needed, or differ only in the form of its letters.
        let manifest = peer.report.manifest.as_ref();
        if manifest.is_some_and(|own| own.get(key).is_none() && own.check(&entry.path).is_err()) {
            return Some(Withheld::InTheWay);
        }
        // A league may have it from earlier versions. No client publishes it any more.
        if is_of_macos(key.as_str()) {
            return Some(Withheld::Declined);
        }
        let (union, rules) = (self.league.union(), &self.config.rules);
        peer.identity.protocol.refuses(peer, entry, union, rules)
    }

    /// Returns what to wait for if installing an entry now would overwrite a rival that is not safe elsewhere.
    fn unsafe_rival(self, peer: &Peer, entry: &UnionEntry, moves_files: bool) -> Option<Wait> {
        let key = entry.path.key();
        let own = peer.file_at(key)?;
        // An outdated version is in the league's history.
        if self.league.union().is_outdated(peer.id, key, own.content) {
            return None;
        }
        // A content that the union has not merged yet may be an edit. It gets its name at the next step.
        let Some(rival) = self.rival_at(peer, key) else { return Some(Wait::Rival) };
        if moves_files {
            // Its driver expects the rival under the conflict name on their own PC.
            let waits = !peer.has(rival) && self.withheld(peer, rival).is_none();
            return waits.then_some(Wait::Rival);
        }
        // A Python client makes no conflict copy, so somebody else has to have the rival. Where nobody can take it,
        // waiting would not save it.
        let mut others = rival.holders().filter(|(holder, _)| *holder != peer.id);
        let takes = |other: &Peer| {
            other.id != peer.id
                && other.report.manifest.is_some()
                && self.withheld(other, rival).is_none()
        };
        if others.next().is_some() || !self.peers.values().any(takes) {
            return None;
        }
        let has_source = self.willing(rival.content).next().is_some();
        Some(if has_source { Wait::Rival } else { Wait::LostRival })
    }
}

/// The liveries that a peer would get in parts now, because some of their contents are still to come.
pub(super) struct Incomplete<'a> {
    router: Router<'a>,
    peer: &'a Peer,
    /// The answers so far: each livery is looked at once.
    known: BTreeMap<String, bool>,
}

impl<'a> Incomplete<'a> {
    pub(super) const fn new(router: Router<'a>, peer: &'a Peer) -> Self {
        Self { router, peer, known: BTreeMap::new() }
    }

    pub(super) fn contains(&mut self, livery: &str) -> bool {
        if let Some(known) = self.known.get(livery) {
            return *known;
        }
        let incomplete = self.router.is_incomplete(self.peer, livery);
        self.known.insert(livery.to_owned(), incomplete);
        incomplete
    }
}

//! Arrivals: an update of several files replaces the livery at once, and what may be damaged is looked at first.
//!
//! The contents of an update come one by one, and its author may leave between two of them. So the claims wait until the
//! server has had all of them. Until then everybody keeps the livery that the league has, and no livery is torn. What a livery
//! that nobody has is made of need not wait: it replaces nothing, and leaves together if its author does (see `expiry`).
//!
//! A file that nobody has looked at waits with the rest of its folder until the server has it, if it would replace another one
//! or compete with it. If the league holds what breaks its rules, every change waits: those are about the bytes, too.

use std::collections::{BTreeMap, BTreeSet};

use super::{Claimant, Outcome, PeerId, Union, placing::Lineage};
use crate::{
    conflict::{Scope, plain_livery},
    hash::Content,
    path::PathKey,
};

impl Union {
    /// Puts aside updates of which not all contents have arrived. Returns the other claimants.
    pub(super) fn await_contents(&mut self, claimants: Vec<Claimant>) -> Vec<Claimant> {
        let mut folders: BTreeMap<(String, PeerId), Vec<Claimant>> = BTreeMap::new();
        for claimant in claimants {
            let folder = (claimant.key().livery().to_owned(), claimant.peer);
            folders.entry(folder).or_default().push(claimant);
        }
        let placed = folders.into_iter().flat_map(|((livery, _), claims)| {
            let (waiting, others) = self.split_arriving(&livery, claims);
            waiting.into_iter().for_each(|claim| self.unplaced.await_content(claim));
            others
        });
        placed.collect()
    }

    /// Splits a folder's claims into those that wait for contents and those that do not.
    fn split_arriving(
        &self,
        livery: &str,
        claims: Vec<Claimant>,
    ) -> (Vec<Claimant>, Vec<Claimant>) {
        if self.are_to_inspect(&claims) || self.is_to_lint(&claims) {
            let is_new = |claim: &Claimant| {
                !matches!(self.classify(claim), Lineage::Same | Lineage::Outdated)
            };
            return claims.into_iter().partition(is_new);
        }
        let (changes, mut others): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| self.changes(livery, claim));
        if self.is_arriving(&changes) && !self.is_separated(&others) {
            return (changes, others);
        }
        others.extend(changes);
        (Vec::new(), others)
    }

    /// Returns true if a claim updates or extends a livery that the league has.
    fn changes(&self, livery: &str, claim: &Claimant) -> bool {
        match self.classify(claim) {
            Lineage::Update => true,
            Lineage::New => !claim.begins && !self.is_vacant(livery),
            Lineage::Same | Lineage::Outdated | Lineage::Conflict | Lineage::Foreign => false,
        }
    }

    /// Returns true if the rest of a folder is in conflict and takes the whole folder with it.
    fn is_separated(&self, others: &[Claimant]) -> bool {
        let is_rival = |claim| matches!(self.classify(claim), Lineage::Conflict | Lineage::Foreign);
        self.settings.naming.scope == Scope::Livery && others.iter().any(is_rival)
    }

    /// Returns true if changes replace a file together with others, and a content has not arrived.
    fn is_arriving(&self, changes: &[Claimant]) -> bool {
        changes.len() > 1
            && changes.iter().any(|change| !self.is_verified(change.entry.content))
            && changes.iter().any(|change| matches!(self.classify(change), Lineage::Update))
    }

    /// Takes out what waits in liveries that have changed meanwhile and need not wait any more: it may be in conflict.
    pub(super) fn take_overtaken(&mut self, outcome: &Outcome) -> Vec<Claimant> {
        if self.unplaced.awaited().next().is_none() {
            return Vec::new();
        }
        let naming = self.settings.naming.folded();
        let changed: BTreeSet<_> = outcome.changed.iter().map(PathKey::livery).collect();
        // What is in conflict with a livery says something about it, too.
        let claimed = changed.iter().map(|livery| plain_livery(livery, &naming));
        let changed: BTreeSet<_> =
            claimed.chain(changed.iter().map(|livery| (*livery).into())).collect();
        let mut folders: BTreeMap<(&str, PeerId), Vec<Claimant>> = BTreeMap::new();
        for livery in &changed {
            for claim in self.unplaced.awaited_in(livery) {
                folders.entry((livery, claim.peer)).or_default().push(claim.clone());
            }
        }
        let overtaken = folders.into_iter().filter(|((livery, _), claims)| {
            !self.split_arriving(livery, claims.clone()).1.is_empty()
        });
        let overtaken = overtaken.map(|((livery, peer), _)| (livery.to_owned(), peer)).collect();
        self.take_held_in(&overtaken)
    }

    /// Takes out the updates for which contents have arrived, to be judged again.
    pub(super) fn take_arrived(&mut self) -> Vec<Claimant> {
        let folders = std::mem::take(&mut self.arrived);
        self.take_held_in(&folders)
    }

    /// Notes that a content has arrived.
    pub(super) fn note_arrival(&mut self, content: Content) {
        let waiting = self.unplaced.awaiting(content);
        let folders = waiting.map(|(peer, key)| (key.livery().to_owned(), peer));
        self.arrived.extend(folders);
    }

    /// Returns the files of updates that have not arrived, each with its peer: those that have come, too.
    #[cfg(feature = "server")]
    pub(crate) fn awaited(&self) -> impl Iterator<Item = (PeerId, &PathKey, Content)> {
        let awaited = self.unplaced.awaited();
        awaited.map(|claim| (claim.peer, claim.key(), claim.entry.content))
    }

    /// Returns true if `peer`'s file at a name waits for contents, and for nobody's decision.
    #[cfg(feature = "server")]
    pub(crate) fn is_awaited_at(&self, peer: PeerId, key: &PathKey) -> bool {
        self.unplaced.is_awaited(peer, key)
    }

    /// Returns true if a content is part of an update that has not arrived.
    #[cfg(feature = "server")]
    pub(crate) fn is_awaited(&self, content: Content) -> bool {
        self.unplaced.awaiting(content).next().is_some()
    }
}

//! Owners: the members who may change a livery where only owners may.
//!
//! The member who brings a livery first is presumed to own it. Members often have the same pack before their league
//! begins, so the presumption ends when a second member brings the same files that they did not get here. Then nobody
//! owns the livery until a member edits it. An owner who edits a livery, and one whom an admin names, is no longer only
//! presumed.

use std::collections::{BTreeMap, BTreeSet};

use super::{Change, Claimant, Outcome, PeerId, Union};
use crate::{
    league::{MemberId, Record, Updates},
    path::{PathKey, fold},
};

/// The owners of one livery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ownership {
    /// The livery, as it is spelled.
    pub(super) livery: String,
    pub(super) owners: BTreeSet<MemberId>,
    /// Set if they own it only because they brought it first.
    pub(super) presumed: bool,
}

/// A livery that has got or lost its owner by a report.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
// It is on the page of `Outcome`: a field names it.
#[doc(hidden)]
pub struct OwnerChange {
    /// The livery, as it is spelled.
    pub livery: String,
    /// The member who edited it and owns it now; `None` if nobody does any more.
    pub owner: Option<MemberId>,
    /// The members who owned it before.
    pub former: Vec<MemberId>,
    /// The member whose report is the reason: the new owner, or another member who brought the same files.
    pub by: MemberId,
}

impl Union {
    /// Returns the owners of a livery, given its folded name; `None` if it never had any.
    pub(crate) fn owners(&self, livery: &str) -> Option<&BTreeSet<MemberId>> {
        self.owners.get(livery).map(|ownership| &ownership.owners)
    }

    pub(super) fn owns(&self, member: Option<MemberId>, livery: &str) -> bool {
        let owners = self.owners(livery);
        member.is_some_and(|member| owners.is_some_and(|owners| owners.contains(&member)))
    }

    pub(super) fn is_ownerless(&self, livery: &str) -> bool {
        self.owners(livery).is_none_or(BTreeSet::is_empty)
    }

    fn is_presumed(&self, livery: &str) -> bool {
        self.owners.get(livery).is_some_and(|ownership| ownership.presumed)
    }

    /// Returns true if an edit by the claimant may replace what a livery has. The first who edits a livery without an owner
    /// becomes its owner. A peer without a key owns nothing.
    pub(super) fn may_update(&self, claimant: &Claimant) -> bool {
        let livery = claimant.key().livery();
        self.settings.updates == Updates::Anyone
            || self.owns(claimant.member, livery)
            || claimant.member.is_some() && self.is_ownerless(livery)
    }

    /// Makes the member who begins a livery its presumed owner, also after it was retired.
    pub(super) fn presume_owner(&mut self, livery: &str, claimant: &Claimant, out: &mut Outcome) {
        if !self.owns(claimant.member, &fold(livery)) {
            // Without a key, nobody owns it: whoever owned the retired livery has no say in the new one.
            let owners = claimant.member.into_iter().collect();
            self.set_owners(livery, owners, true, out);
        }
    }

    /// Makes the member who has edited a livery its owner if it has none, and no longer only a presumed one.
    pub(super) fn confirm_owner(&mut self, livery: &str, claimant: &Claimant, out: &mut Outcome) {
        let (Some(member), key) = (claimant.member, &*fold(livery)) else { return };
        if self.is_ownerless(key) {
            self.set_owners(livery, BTreeSet::from([member]), false, out);
            let (livery, owner) = (livery.to_owned(), Some(member));
            let former = Vec::new();
            out.owner_changes.push(OwnerChange { livery, owner, former, by: member });
        } else if self.is_presumed(key) && self.owns(Some(member), key) {
            self.set_owners(livery, BTreeSet::from([member]), false, out);
        }
    }

    /// Sets the owners of a livery, if they differ.
    pub(super) fn set_owners(
        &mut self,
        livery: &str,
        owners: BTreeSet<MemberId>,
        presumed: bool,
        outcome: &mut Outcome,
    ) {
        let presumed = presumed && !owners.is_empty();
        let now = self.owners.get(&*fold(livery)).cloned().unwrap_or_default();
        if now.owners != owners || now.presumed != presumed {
            let (livery, owners) = (livery.to_owned(), owners.into_iter().collect());
            self.record(Record::Owned { livery, owners, presumed }, outcome);
        }
    }

    /// Gives a livery the owners of another one.
    pub(super) fn copy_owners(&mut self, from: &str, livery: &str, outcome: &mut Outcome) {
        let Ownership { owners, presumed, .. } = self.owners.get(from).cloned().unwrap_or_default();
        self.set_owners(livery, owners, presumed, outcome);
    }

    /// Records that a member is offered a file: from now on, what they have of that livery may come from here.
    pub fn mark_offered(&mut self, member: MemberId, key: &PathKey) {
        self.mark_met(member, key.livery());
    }

    /// Records that a member has had a livery.
    pub(super) fn mark_met(&mut self, member: MemberId, livery: &str) {
        if let Some(met) = self.met.get_mut(livery) {
            met.insert(member);
        } else {
            self.met.insert(livery.to_owned(), BTreeSet::from([member]));
        }
    }

    /// Ends the presumption that the owner of a livery is its author, where another member has brought all its files.
    ///
    /// Only the report counts in which a member has files of the livery for the first time.
    pub(super) fn compare_first_contacts(&mut self, contacts: Contacts, outcome: &mut Outcome) {
        for ((livery, peer), (member, keys)) in contacts.0 {
            let is_first = !self.met.get(&livery).is_some_and(|met| met.contains(&member));
            self.mark_met(member, &livery);
            let is_theirs = self.owns(Some(member), &livery);
            if is_first && !is_theirs && self.has_all_of(peer, &livery, &keys) {
                self.end_presumption(&livery, member, outcome);
            }
        }
    }

    fn end_presumption(&mut self, livery: &str, by: MemberId, outcome: &mut Outcome) {
        let presumed = self.owners.get(livery).filter(|ownership| ownership.presumed);
        let Some(Ownership { livery, owners, .. }) = presumed.cloned() else { return };
        self.set_owners(&livery, BTreeSet::new(), false, outcome);
        let former = owners.into_iter().collect();
        outcome.owner_changes.push(OwnerChange { livery, owner: None, former, by });
    }

    /// Returns true if these are all names of a livery that are not conflict copies, and a peer has their contents there.
    fn has_all_of(&self, peer: PeerId, livery: &str, keys: &[PathKey]) -> bool {
        let is_same = |key: &&PathKey| {
            let entry = self.entries.get(*key).filter(|entry| !self.is_conflict_copy(&entry.path));
            entry.is_some_and(|entry| entry.local_at(peer, key).is_some())
        };
        let own_names = self.own_names.get(livery).copied();
        own_names == Some(keys.iter().filter(is_same).count())
    }
}

/// The files that members report in a step: by livery and peer, with the member.
#[derive(Debug, Default)]
pub(super) struct Contacts(BTreeMap<(String, PeerId), (MemberId, Vec<PathKey>)>);

impl Contacts {
    pub(super) fn of(changes: &[Change]) -> Self {
        let mut contacts = Self::default();
        for (member, change) in changes.iter().filter_map(|change| Some((change.member?, change))) {
            for gained in &change.gained {
                let key = gained.entry.path.key();
                let livery = (key.livery().to_owned(), change.peer);
                contacts.0.entry(livery).or_insert((member, Vec::new())).1.push(key.clone());
            }
        }
        contacts
    }
}

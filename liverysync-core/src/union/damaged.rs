//! Damage: a damaged file never replaces an intact one.
//!
//! Clients look for damage themselves before they publish an edit. For those that do not, and for a file that a PC had before
//! it knew the league, the server looks when it has all of the content. Until then, such a file waits if it would replace
//! another one or compete with it. If it turns out to be damaged, it is held, together with what else its member changes in that
//! livery, and an admin cannot approve it. With nothing to replace that the server has seen to be intact, a damaged file is
//! published like any other.
//!
//! The name decides: the bytes of a good picture are no JSON, and whoever offers them as one makes the picture no worse.

use super::{Claimant, Outcome, Union, UnionEntry, placing::Lineage};
use crate::{
    hash::Content,
    inspect::{ContentFacts, Damage},
    league::{HeldFile, HeldLivery, Record},
    path::RelPath,
};

impl Union {
    /// Takes what the bytes of contents tell. Returns the records of the change.
    #[doc(hidden)]
    pub fn mark_inspected(
        &mut self,
        inspected: impl IntoIterator<Item = (Content, ContentFacts)>,
    ) -> Vec<Record> {
        let mut outcome = Outcome::default();
        for (content, facts) in inspected {
            // The store may have lost it again before the union heard of it.
            outcome.records.extend(self.mark_verified([content]));
            if self.facts(content).is_none() {
                self.record(Record::Inspected { content, facts }, &mut outcome);
            }
        }
        outcome.records
    }

    /// Returns what the bytes of a content tell, if the server has seen them.
    #[doc(hidden)]
    #[must_use]
    pub fn facts(&self, content: Content) -> Option<ContentFacts> {
        self.verified.get(&content).copied().flatten()
    }

    /// Returns the damage that a content has under a name, if any is known.
    #[doc(hidden)]
    #[must_use]
    pub fn damage(&self, path: &RelPath, content: Content) -> Option<Damage> {
        self.facts(content)?.named(path.as_str()).damage
    }

    /// Returns the damaged files of the union, ordered by key.
    #[doc(hidden)]
    pub fn damaged(&self) -> impl Iterator<Item = (&UnionEntry, Damage)> {
        let entries = self.entries.iter();
        entries.filter_map(|entry| Some((entry, self.damage(&entry.path, entry.content)?)))
    }

    /// Returns the damaged files for which a livery is held, with their damage.
    #[doc(hidden)]
    pub fn damaged_in<'a>(
        &'a self,
        hold: &'a HeldLivery,
    ) -> impl Iterator<Item = (&'a HeldFile, Damage)> {
        let files = hold.files.iter().zip(super::held::claims_of(hold, super::held::ABSENT));
        files.filter(|(_, claim)| self.is_damage(claim)).filter_map(|(file, _)| {
            Some((file, self.damage(&file.entry.path, file.entry.content)?))
        })
    }

    /// Returns true if a claim would put a damaged file in the place of an intact one, or beside it.
    pub(super) fn is_damage(&self, claim: &Claimant) -> bool {
        self.damage(&claim.entry.path, claim.entry.content).is_some()
            && self.is_against_intact(claim)
    }

    /// Returns true if a folder's claims have to wait until the server has seen whether one of them is damaged. What the league
    /// has in conflict already changes nothing.
    pub(super) fn are_to_inspect(&self, claims: &[Claimant]) -> bool {
        let is_unseen = |claim: &&Claimant| {
            claim.unchecked
                && !self.is_verified(claim.entry.content)
                && self.is_against_intact(claim)
        };
        let mut unseen = claims.iter().filter(is_unseen).peekable();
        if unseen.peek().is_none() {
            return false;
        }
        let known = self.known_rivals(claims);
        unseen.any(|claim| {
            matches!(self.classify(claim), Lineage::Update)
                || !known.contains(&(claim.key().clone(), claim.entry.content))
        })
    }

    /// Returns true if a claim is for a name that has another content, which the server has seen to be intact.
    fn is_against_intact(&self, claim: &Claimant) -> bool {
        let is_intact = |entry: &UnionEntry| {
            let facts = self.facts(entry.content);
            facts.is_some_and(|facts| facts.named(entry.path.as_str()).damage.is_none())
        };
        self.entries.get(claim.key()).is_some_and(is_intact)
            && matches!(self.classify(claim), Lineage::Update | Lineage::Conflict)
    }
}

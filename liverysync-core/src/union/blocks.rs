//! Blocks: contents that nobody gets again, under any name.
//!
//! A block retires every name of its content, also in a frozen livery. What a member brings with that content is held,
//! together with what else they change in that livery, and an admin cannot approve it.

use super::{Claimant, Outcome, Union, acts::find};
use crate::{
    hash::{Content, ContentHash},
    league::{ActError, Record},
    path::fold,
};

impl Union {
    /// Returns true if nobody may get a content.
    #[must_use]
    pub fn is_blocked(&self, content: Content) -> bool {
        self.blocked.contains(&content.hash)
    }

    /// Returns the blocked contents.
    #[doc(hidden)]
    pub fn blocked(&self) -> impl Iterator<Item = ContentHash> {
        self.blocked.iter().copied()
    }

    pub(super) fn block(&mut self, content: &str, outcome: &mut Outcome) -> Result<(), ActError> {
        let hash = self.find_content(content)?;
        if !self.blocked.contains(&hash) {
            self.record(Record::Blocked { hash, blocked: true }, outcome);
        }
        let named = self.entries.iter().filter(|entry| entry.content.hash == hash);
        for path in named.map(|entry| entry.path.clone()).collect::<Vec<_>>() {
            self.record_retired(path, outcome);
        }
        Ok(())
    }

    pub(super) fn unblock(&mut self, content: &str, outcome: &mut Outcome) -> Result<(), ActError> {
        let hashes: Vec<_> = self.blocked.iter().copied().collect();
        let found = find(hashes.iter().map(ToString::to_string), content)?;
        let not_blocked = || ActError::NotBlocked { content: content.to_owned() };
        let hash = hashes[found.ok_or_else(not_blocked)?];
        self.record(Record::Blocked { hash, blocked: false }, outcome);
        Ok(())
    }

    pub(super) fn apply_blocked(&mut self, hash: ContentHash, blocked: bool) {
        if blocked {
            self.blocked.insert(hash);
        } else {
            self.blocked.remove(&hash);
        }
    }

    /// Returns true if any of these claims has a blocked content.
    pub(super) fn has_blocked(&self, claims: &[Claimant]) -> bool {
        !self.blocked.is_empty() && claims.iter().any(|claim| self.is_blocked(claim.entry.content))
    }

    /// Finds the content that an admin means: by a name, or by digits. A content that the league does not know can be
    /// blocked by all its digits.
    fn find_content(&self, named: &str) -> Result<ContentHash, ActError> {
        if let Some(entry) = self.entries.get(&*fold(named)) {
            return Ok(entry.content.hash);
        }
        if let Ok(hash) = named.to_ascii_lowercase().parse() {
            return Ok(hash);
        }
        let past = self.past.values().flat_map(super::past::Past::contents);
        let held = self.holds.values().flat_map(|hold| &hold.files);
        let all = past.chain(held.map(|file| file.entry.content));
        let hashes: std::collections::BTreeSet<_> = all.map(|content| content.hash).collect();
        let found = find(hashes.iter().map(ToString::to_string), named)?;
        let found = found.and_then(|found| hashes.into_iter().nth(found));
        found.ok_or_else(|| ActError::UnknownContent { content: named.to_owned() })
    }
}

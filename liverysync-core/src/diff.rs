//! The difference between two manifests.

use std::sync::Arc;

use crate::manifest::{Entry, Manifest};

/// The difference between two manifests, each list ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diff {
    /// Files that only the second manifest has.
    pub missing: Vec<Entry>,
    /// Files that both have, with different contents: the first one's entry, then the second one's.
    pub different: Vec<(Entry, Entry)>,
    /// Files that only the first manifest has.
    pub extra: Vec<Entry>,
}

impl Diff {
    /// Returns true if both have the same files. Spelling and modification time do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty() && self.extra.is_empty()
    }
}

impl Manifest {
    /// Compares the files that a PC has with those that it should have, `want`.
    #[must_use]
    pub fn diff(&self, want: &Self) -> Diff {
        self.diff_spelled(want).0
    }

    /// Compares them, and returns beside the difference the files that both have with the same content under different
    /// spellings: the first one's entry, then the second one's.
    pub(crate) fn diff_spelled(&self, want: &Self) -> (Diff, Vec<(Entry, Entry)>) {
        let (mut result, mut respelled) = (Diff::default(), Vec::new());
        let mut haves = self.shared().peekable();
        for wanted in want.shared() {
            // Most manifests are nearly equal and share their equal entries, which is the cheapest comparison.
            if haves.next_if(|there| Arc::ptr_eq(there, wanted)).is_some() {
                continue;
            }
            let key = wanted.path.key();
            while let Some(extra) = haves.next_if(|there| there.path.key() < key) {
                result.extra.push(Entry::clone(extra));
            }
            match haves.next_if(|there| there.path.key() == key) {
                None => result.missing.push(Entry::clone(wanted)),
                Some(there) if there.content != wanted.content => {
                    result.different.push((Entry::clone(there), Entry::clone(wanted)));
                }
                Some(there) if there.path != wanted.path => {
                    respelled.push((Entry::clone(there), Entry::clone(wanted)));
                }
                Some(_) => {}
            }
        }
        result.extra.extend(haves.map(|extra| Entry::clone(extra)));
        (result, respelled)
    }
}

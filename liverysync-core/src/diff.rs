//! What one PC lacks of what another has.

use crate::manifest::{Entry, Manifest};

/// The difference between two manifests, each list ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Files that are wanted and not there.
    pub missing: Vec<Entry>,
    /// Files that are there with another content: what is there, and what is wanted.
    pub different: Vec<(Entry, Entry)>,
    /// Files that are there and not wanted.
    pub extra: Vec<Entry>,
}

impl Diff {
    /// Whether both hold the same files. Spelling and modification time do not count.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty() && self.extra.is_empty()
    }
}

/// Compares what a PC has with what it should have.
#[must_use]
pub fn diff(have: &Manifest, want: &Manifest) -> Diff {
    let mut result = Diff::default();
    let mut haves = have.keyed().peekable();
    for (key, wanted) in want.keyed() {
        while let Some((_, extra)) = haves.next_if(|(at, _)| *at < key) {
            result.extra.push(extra.clone());
        }
        match haves.next_if(|(at, _)| *at == key) {
            None => result.missing.push(wanted.clone()),
            Some((_, there)) if there.content != wanted.content => {
                result.different.push((there.clone(), wanted.clone()));
            }
            Some(_) => {}
        }
    }
    result.extra.extend(haves.map(|(_, extra)| extra.clone()));
    result
}

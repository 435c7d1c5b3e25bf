//! The entries of a union.

use std::{ops::Deref, sync::Arc};

use super::{PeerId, holders::Holders};
use crate::{
    manifest::Entry,
    path::{PathKey, RelPath},
    pathmap::Located,
};

/// One file of the union: its name, content and modification time, as its first publisher had them, and who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnionEntry {
    pub(super) entry: Arc<Entry>,
    pub(super) holders: Holders,
}

impl Deref for UnionEntry {
    type Target = Entry;

    fn deref(&self) -> &Entry {
        &self.entry
    }
}

impl Located for UnionEntry {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

impl UnionEntry {
    /// Returns the peers that hold this content, each with its own path of the file.
    pub fn holders(&self) -> impl Iterator<Item = (PeerId, &RelPath)> {
        self.holders.iter(&self.path)
    }

    /// Returns the number of peers that hold this content.
    #[must_use]
    pub fn copies(&self) -> usize {
        self.holders.len()
    }

    /// Returns `peer`'s own path of this content, if it holds it.
    #[must_use]
    pub fn local(&self, peer: PeerId) -> Option<&RelPath> {
        self.holders.local(&self.path, peer)
    }

    /// Returns the peer's spelling of the path at `key`, if it holds this content there.
    pub(super) fn local_at(&self, peer: PeerId, key: &PathKey) -> Option<&RelPath> {
        self.holders.at(&self.path, peer, key)
    }

    pub(super) fn add(&mut self, peer: PeerId, local: &RelPath) {
        self.holders.add(&self.entry.path, peer, local);
    }

    /// Gives the entry another spelling.
    pub(super) fn respell(&mut self, path: &RelPath) {
        self.holders.respell(&self.entry.path, path);
        self.entry = Arc::new(Entry { path: path.clone(), ..*self.entry });
    }

    /// Removes `peer`'s file at `key` from the holders. Returns false if it was not among them.
    pub(super) fn remove(&mut self, peer: PeerId, key: &PathKey) -> bool {
        self.holders.remove(&self.entry.path, peer, key)
    }
}

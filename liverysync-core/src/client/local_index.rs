//! The files that this PC publishes, and what is made of them for as long as they stay the same.

use std::sync::OnceLock;

use super::folder::IndexedFile;
use crate::{
    hash::ContentHash,
    manifest::{Entry, Manifest},
    pathmap::PathMap,
};

/// Files that are published. Their manifest and its hash are made when they are first asked for.
#[derive(Debug, Default)]
pub(super) struct LocalIndex {
    files: PathMap<IndexedFile>,
    manifest: OnceLock<Manifest>,
    hash: OnceLock<ContentHash>,
}

impl LocalIndex {
    pub(super) fn new(files: PathMap<IndexedFile>) -> Self {
        Self { files, ..Self::default() }
    }

    /// Of files whose hash is known already.
    pub(super) fn with_hash(files: PathMap<IndexedFile>, hash: ContentHash) -> Self {
        Self { hash: hash.into(), ..Self::new(files) }
    }

    pub(super) const fn files(&self) -> &PathMap<IndexedFile> {
        &self.files
    }

    /// The files, to change them.
    pub(super) fn change(&mut self) -> &mut PathMap<IndexedFile> {
        (self.manifest, self.hash) = (OnceLock::new(), OnceLock::new());
        &mut self.files
    }

    /// Takes other files, which make the same manifest.
    pub(super) fn replace_with_the_same(&mut self, files: PathMap<IndexedFile>) {
        self.files = files;
    }

    pub(super) fn manifest(&self) -> &Manifest {
        self.manifest.get_or_init(|| {
            Manifest::of(&self.files, |file| Entry {
                path: file.path.clone(),
                content: file.content,
                mtime: Some(file.stamp.mtime),
            })
        })
    }

    /// The [hash](Manifest::hash) of the manifest.
    pub(super) fn hash(&self) -> ContentHash {
        *self.hash.get_or_init(|| self.manifest().hash())
    }
}

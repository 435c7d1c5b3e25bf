//! The files that this PC publishes, with what is derived from them.

use std::sync::OnceLock;

use crate::{
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::RelPath,
    pathmap::{Located, PathMap},
    select::Stamp,
};

/// A file that this PC publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct IndexedFile {
    pub(in crate::client) path: RelPath,
    pub(in crate::client) stamp: Stamp,
    /// Zero until a scan has seen the file.
    pub(in crate::client) change_tag: u64,
    pub(in crate::client) content: Content,
}

impl Located for IndexedFile {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// The published files. Their manifest and its hash are computed when they are first needed.
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

    /// Makes an index of files whose manifest is known to have this hash.
    pub(super) fn with_hash(files: PathMap<IndexedFile>, hash: ContentHash) -> Self {
        Self { hash: hash.into(), ..Self::new(files) }
    }

    pub(super) const fn files(&self) -> &PathMap<IndexedFile> {
        &self.files
    }

    /// The files, to change them.
    pub(super) fn files_mut(&mut self) -> &mut PathMap<IndexedFile> {
        (self.manifest, self.hash) = (OnceLock::new(), OnceLock::new());
        &mut self.files
    }

    /// Takes the result of a scan. Returns whether the manifest has changed.
    ///
    /// Most scans find what the last one found, and to sort and hash thousands of files again would cost more than the
    /// scan itself. So the manifest is kept if the files make the same one.
    pub(super) fn replace(&mut self, files: PathMap<IndexedFile>) -> bool {
        let changes = !makes_same_manifest(&files, &self.files);
        if changes {
            *self = Self::new(files);
        } else {
            self.files = files;
        }
        changes
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

    /// Returns the [hash](Manifest::hash) of the manifest.
    pub(super) fn hash(&self) -> ContentHash {
        *self.hash.get_or_init(|| self.manifest().hash())
    }
}

fn makes_same_manifest(a: &PathMap<IndexedFile>, b: &PathMap<IndexedFile>) -> bool {
    let published = |file: &IndexedFile| (file.content, file.stamp.mtime);
    let is_same =
        |a: &IndexedFile, b: &IndexedFile| a.path == b.path && published(a) == published(b);
    // Both are in the order of their keys.
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
}

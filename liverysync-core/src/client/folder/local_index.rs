//! The files that this PC publishes, with what is derived from them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use crate::{
    hash::{Content, ContentHash},
    inspect::Inspection,
    manifest::{Entry, Manifest},
    path::{PathKey, RelPath, fold},
    pathmap::{Located, PathMap},
    select::{Chosen, Stamp},
};

/// A file that this PC publishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct IndexedFile {
    pub(in crate::client) path: RelPath,
    pub(in crate::client) stamp: Stamp,
    /// Zero until a scan has seen the file.
    pub(in crate::client) change_tag: u64,
    pub(in crate::client) content: Content,
    /// Facts that its bytes tell. A cache of an earlier version knows no sizes of pictures.
    pub(in crate::client) inspection: Inspection,
    /// Set if it was inspected and shows no damage. A cache of an earlier version does not say.
    pub(in crate::client) is_whole: bool,
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

    pub(super) fn get(&self, key: &PathKey) -> Option<&IndexedFile> {
        self.files.get(key)
    }

    /// Returns the file at a path in any spelling.
    pub(super) fn get_spelled(&self, path: &str) -> Option<&IndexedFile> {
        self.files.get(&*fold(path))
    }

    /// Returns whether a scan found exactly the known files, unchanged. Most scans do.
    pub(super) fn is_as_known(&self, chosen: &PathMap<Chosen>) -> bool {
        // Both are in the order of their keys.
        let mut pairs = chosen.iter().zip(&self.files);
        chosen.len() == self.files.len()
            && pairs.all(|(file, known)| {
                (&file.path, file.stamp, file.change_tag)
                    == (&known.path, known.stamp, known.change_tag)
            })
    }

    /// Returns whether a file is in the index, unchanged.
    pub(super) fn is_known(&self, file: &Chosen) -> bool {
        let known = self.get(file.path.key());
        known.is_some_and(|known| {
            // A file that this client installed has no tag until a scan has seen it.
            let same_tag = known.change_tag == file.change_tag || known.change_tag == 0;
            known.path == file.path && known.stamp == file.stamp && same_tag
        })
    }

    /// Returns the files after a scan that chose these ones and read these contents. `installed` are those that were
    /// installed since the scan began.
    pub(super) fn updated(
        &self,
        chosen: &PathMap<Chosen>,
        contents: &BTreeMap<PathKey, (Content, Inspection)>,
        installed: &BTreeSet<PathKey>,
    ) -> PathMap<IndexedFile> {
        let mut files = PathMap::default();
        // A file that was installed during the scan is newer than what the scan saw.
        for file in self.files.iter().filter(|file| installed.contains(file.path.key())) {
            let _fits = files.insert(file.clone());
        }
        for file in chosen {
            let key = file.path.key();
            let entry = match (contents.get(key), self.get(key)) {
                (Some((content, inspection)), _) => IndexedFile {
                    path: file.path.clone(),
                    stamp: file.stamp,
                    change_tag: file.change_tag,
                    content: *content,
                    inspection: *inspection,
                    is_whole: inspection.damage.is_none(),
                },
                // Unchanged, or changed and not read yet: it stays as it was published.
                (None, Some(old)) => {
                    let change_tag =
                        if self.is_known(file) { file.change_tag } else { old.change_tag };
                    IndexedFile { path: file.path.clone(), change_tag, ..old.clone() }
                }
                (None, None) => continue,
            };
            // The next scan reports what collides with an installed file.
            let _fits = files.insert(entry);
        }
        files
    }

    /// Adds the files that a scan no longer found to the next index.
    pub(super) fn keep_gone(&self, files: &mut PathMap<IndexedFile>, chosen: &PathMap<Chosen>) {
        for file in self.files.iter().filter(|file| !chosen.contains(file.path.key())) {
            // A new file may be where a folder was.
            let _fits = files.insert(file.clone());
        }
    }

    /// Returns the files, to change them.
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

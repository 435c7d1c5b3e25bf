//! A manifest: which files one PC holds, and the hash by which two PCs see that they hold the same.
//!
//! A manifest never holds two spellings of one file, nor a file and a folder of one name: what a
//! driver's PC could not hold at the same time is refused when it is inserted.

use std::collections::btree_map;

use serde::Serialize;

use crate::{
    hash::{Content, ContentHash},
    path::{PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
    time::UnixTime,
};

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it lies, as its PC spells it.
    pub path: RelPath,
    /// What it holds.
    pub content: Content,
    /// When it was last changed; `None` where a peer does not say.
    pub mtime: Option<UnixTime>,
}

/// Which files a PC holds, ordered by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: PathMap<Entry>,
    total_bytes: u64,
}

impl Located for Entry {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

impl Manifest {
    /// An empty manifest.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The manifest of files that are known to fit together.
    pub(crate) fn of<T>(files: &PathMap<T>, entry: impl Fn(&T) -> Entry) -> Self {
        let entries = files.map(entry);
        let total_bytes =
            entries.iter().map(|entry| entry.content.size).fold(0, u64::saturating_add);
        Self { entries, total_bytes }
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// Refuses what could not lie beside the files that are there already; nothing changes then.
    pub fn insert(&mut self, entry: Entry) -> Result<(), Collision> {
        let size = entry.content.size;
        self.entries.insert(entry)?;
        self.total_bytes = self.total_bytes.saturating_add(size);
        Ok(())
    }

    /// Adds a file or takes the place of the one with the same key.
    ///
    /// # Errors
    ///
    /// As for [`Manifest::insert`]; a file that is there already is never in the way of its successor.
    pub fn replace(&mut self, entry: Entry) -> Result<Option<Entry>, Collision> {
        let old = self.remove(entry.path.key());
        self.insert(entry).map(|()| old)
    }

    /// Whether a file could be added at `path`.
    ///
    /// # Errors
    ///
    /// Says what is in the way.
    pub fn check(&self, path: &RelPath) -> Result<(), Collision> {
        self.entries.check(path)
    }

    /// Takes a file out.
    pub fn remove(&mut self, key: &PathKey) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        self.total_bytes = self.total_bytes.saturating_sub(entry.content.size);
        Some(entry)
    }

    /// The file with this key.
    #[must_use]
    pub fn get(&self, key: &PathKey) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Sum of the sizes, in bytes.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// All files, ordered by key.
    pub fn iter(&self) -> btree_map::Values<'_, PathKey, Entry> {
        self.entries.iter()
    }

    /// All files with their keys, ordered by key.
    pub(crate) fn keyed(&self) -> btree_map::Iter<'_, PathKey, Entry> {
        self.entries.keyed()
    }

    /// Spells `path` as this PC does, where it has a folder on the way to it already.
    ///
    /// Without this a PC that tells `Team` from `team` would get both.
    #[must_use]
    pub fn respell(&self, path: &RelPath) -> String {
        self.entries.respell(path)
    }

    /// The manifest hash of protocol 1: SHA-256 of the compact JSON list of path, size and digest,
    /// ordered by path.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        hash_listed(
            self.iter().map(|entry| (entry.path.as_str(), entry.content.size, entry.content.hash)),
        )
    }

    /// The union hash of protocol 1: as [`Manifest::hash`], with the keys in another order.
    #[must_use]
    pub fn union_hash(&self) -> ContentHash {
        #[derive(Serialize)]
        struct Item<'a> {
            rel_path: &'a str,
            sha256: ContentHash,
            size: u64,
        }
        hash_items(
            self.iter().map(|entry| Item {
                rel_path: entry.path.as_str(),
                sha256: entry.content.hash,
                size: entry.content.size,
            }),
            |item| item.rel_path,
        )
    }
}

/// The manifest hash of files as they are listed, whether they can lie together or not: path, size
/// and digest. See [`Manifest::hash`].
pub(crate) fn hash_listed<'a, D: Serialize>(
    files: impl Iterator<Item = (&'a str, u64, D)>,
) -> ContentHash {
    #[derive(Serialize)]
    struct Item<'a, D> {
        rel_path: &'a str,
        size: u64,
        sha256: D,
    }
    let items = files.map(|(rel_path, size, sha256)| Item { rel_path, size, sha256 });
    hash_items(items, |item| item.rel_path)
}

fn hash_items<'a, T: Serialize>(
    items: impl Iterator<Item = T>,
    path: impl Fn(&T) -> &'a str,
) -> ContentHash {
    let mut items: Vec<_> = items.collect();
    items.sort_unstable_by(|a, b| path(a).cmp(path(b)));
    // A list of strings and numbers has a JSON form; there is nothing in it that could fail.
    ContentHash::of(&serde_json::to_vec(&items).unwrap_or_default())
}

impl<'a> IntoIterator for &'a Manifest {
    type Item = &'a Entry;
    type IntoIter = btree_map::Values<'a, PathKey, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

//! A set of files that one PC could hold: no two spellings of one file, and no file and folder of
//! one name. Manifest, union and the choice of what to publish all are such sets.

use std::collections::{BTreeMap, btree_map};

use crate::path::{PathKey, RelPath};

/// Anything that lies at a path.
pub trait Located {
    /// Where it lies.
    fn path(&self) -> &RelPath;
}

/// Why something cannot join a set of files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Collision {
    /// The set has this name in another spelling, or twice.
    #[error("it is the same file as {0} for Windows")]
    Spelling(RelPath),
    /// The set has a folder of this name.
    #[error("a folder has the same name")]
    Folder,
    /// A folder on the way to it is a file in the set.
    #[error("{0} is a file, so nothing can lie below it")]
    File(RelPath),
}

/// Things at paths, ordered by key, that could all lie below one root.
#[derive(Clone, Debug)]
pub struct PathMap<T> {
    items: BTreeMap<PathKey, T>,
    folders: BTreeMap<Box<str>, Folder>,
}

/// A folder that some item needs.
#[derive(Clone, Debug)]
struct Folder {
    /// As the first item spelled it.
    spelling: Box<str>,
    /// How many items lie below it.
    items: usize,
}

impl<T> Default for PathMap<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), folders: BTreeMap::new() }
    }
}

impl<T: PartialEq> PartialEq for PathMap<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items
    }
}

impl<T: Eq> Eq for PathMap<T> {}

impl<T: Located> PathMap<T> {
    /// Adds an item.
    ///
    /// # Errors
    ///
    /// Refuses what could not lie beside the items that are there already; nothing changes then.
    pub fn insert(&mut self, item: T) -> Result<(), Collision> {
        self.check(item.path())?;
        let path = item.path();
        for (key, spelling) in path.key().ancestors().zip(prefixes(path.as_str())) {
            self.folders
                .entry(key.into())
                .or_insert_with(|| Folder { spelling: spelling.into(), items: 0 })
                .items += 1;
        }
        self.items.insert(path.key().clone(), item);
        Ok(())
    }

    /// Whether an item could be added at `path`.
    ///
    /// # Errors
    ///
    /// Says what is in the way.
    pub fn check(&self, path: &RelPath) -> Result<(), Collision> {
        if let Some(there) = self.items.get(path.key()) {
            return Err(Collision::Spelling(there.path().clone()));
        }
        if self.folders.contains_key(path.key().as_str()) {
            return Err(Collision::Folder);
        }
        match path.key().ancestors().find_map(|folder| self.items.get(folder)) {
            Some(file) => Err(Collision::File(file.path().clone())),
            None => Ok(()),
        }
    }

    /// Takes an item out.
    pub fn remove(&mut self, key: &PathKey) -> Option<T> {
        let item = self.items.remove(key)?;
        for ancestor in key.ancestors() {
            if let Some(folder) = self.folders.get_mut(ancestor) {
                folder.items -= 1;
                if folder.items == 0 {
                    self.folders.remove(ancestor);
                }
            }
        }
        Some(item)
    }

    /// Spells `path` as this set does, where it has a folder on the way to it already.
    ///
    /// Without this a PC that tells `Team` from `team` would get both.
    #[must_use]
    pub fn respell(&self, path: &RelPath) -> String {
        let folders = path.key().ancestors().zip(prefixes(path.as_str()));
        let known = |(key, given)| Some((&self.folders.get(key)?.spelling, given));
        match folders.filter_map(known).last() {
            Some((spelling, given)) => format!("{spelling}{}", &path.as_str()[given.len()..]),
            None => path.as_str().to_owned(),
        }
    }
}

impl<T> PathMap<T> {
    /// The item with this key.
    #[must_use]
    pub fn get<K: Ord + ?Sized>(&self, key: &K) -> Option<&T>
    where
        PathKey: std::borrow::Borrow<K>,
    {
        self.items.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &PathKey) -> Option<&mut T> {
        self.items.get_mut(key)
    }

    /// Whether there is an item with this key.
    #[must_use]
    pub fn contains(&self, key: &PathKey) -> bool {
        self.items.contains_key(key)
    }

    /// The same paths with something else at each. `to` must keep the path.
    pub(crate) fn map<U: Located>(&self, to: impl Fn(&T) -> U) -> PathMap<U> {
        // What can lie together goes on doing so, so nothing is checked again.
        let items = self.items.iter().map(|(key, item)| {
            let item = to(item);
            debug_assert!(item.path().key() == key, "the path is kept");
            (key.clone(), item)
        });
        PathMap { items: items.collect(), folders: self.folders.clone() }
    }

    /// Number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// All items, ordered by key.
    pub fn iter(&self) -> btree_map::Values<'_, PathKey, T> {
        self.items.values()
    }

    /// All items with their keys, ordered by key.
    pub fn keyed(&self) -> btree_map::Iter<'_, PathKey, T> {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a PathMap<T> {
    type Item = &'a T;
    type IntoIter = btree_map::Values<'a, PathKey, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Every proper prefix of `path` that ends before a `/`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

//! A set of files that could exist below one folder: no two spellings of one file, and no file and folder of one name.
//! Manifests, the union and a selection of files are such sets.

use std::{
    collections::{BTreeMap, btree_map},
    ops::Bound,
    sync::Arc,
};

use crate::path::{PathKey, RelPath, count_liveries};

/// A thing that has a path.
pub trait Located {
    /// Returns its path.
    fn path(&self) -> &RelPath;
}

impl Located for RelPath {
    fn path(&self) -> &RelPath {
        self
    }
}

impl<T: Located> Located for Arc<T> {
    fn path(&self) -> &RelPath {
        (**self).path()
    }
}

/// The reason why a file cannot be added to a set of files.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Collision {
    /// The set has this file already, perhaps in another spelling.
    #[error("Windows cannot tell it apart from {0}")]
    Spelling(RelPath),
    /// The set has a folder of this name.
    #[error("a folder has the same name")]
    Folder,
    /// One of its folders is a file in the set.
    #[error("{0} is a file, so it cannot contain files")]
    File(RelPath),
}

/// Things with paths, ordered by key, that could all exist below one folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathMap<T> {
    items: BTreeMap<PathKey, T>,
}

impl<T> Default for PathMap<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new() }
    }
}

impl<T: Located> PathMap<T> {
    /// Adds an item.
    ///
    /// # Errors
    ///
    /// Refuses an item that collides with one in the set. Nothing changes then.
    pub fn insert(&mut self, item: T) -> Result<(), Collision> {
        self.check(item.path())?;
        self.items.insert(item.path().key().clone(), item);
        Ok(())
    }

    /// Checks that an item could be added at `path`.
    ///
    /// # Errors
    ///
    /// Returns the item or folder in its way.
    pub fn check(&self, path: &RelPath) -> Result<(), Collision> {
        if let Some(there) = self.items.get(path.key()) {
            return Err(Collision::Spelling(there.path().clone()));
        }
        if self.first_below(path.key().as_str()).is_some() {
            return Err(Collision::Folder);
        }
        match path.key().ancestors().find_map(|folder| self.items.get(folder)) {
            Some(file) => Err(Collision::File(file.path().clone())),
            None => Ok(()),
        }
    }

    /// Spells the folders of `path` as the set does. If its items spell a folder differently, the first one decides.
    ///
    /// Without this a PC that distinguishes `Team` from `team` would get both.
    #[must_use]
    pub fn respell(&self, path: &RelPath) -> String {
        let folders = path.key().ancestors().zip(prefixes(path.as_str())).enumerate();
        let known = |(depth, (folder, given))| {
            let there = self.first_below(folder)?.path();
            Some((prefixes(there.as_str()).nth(depth)?, given))
        };
        match folders.filter_map(known).last() {
            Some((spelling, given)) => format!("{spelling}{}", &path.as_str()[given.len()..]),
            None => path.as_str().to_owned(),
        }
    }

    /// Returns the items of the livery with this key, ordered by key.
    pub fn of_livery(&self, livery: &str) -> impl Iterator<Item = &T> {
        of_livery(&self.items, livery).map(|(_, item)| item)
    }

    /// Returns the items whose key has this prefix, ordered by key.
    pub(crate) fn with_prefix(&self, prefix: String) -> impl Iterator<Item = &T> + use<'_, T> {
        with_prefix(&self.items, prefix).map(|(_, item)| item)
    }

    /// Returns the first item below the folder with this key.
    fn first_below(&self, folder: &str) -> Option<&T> {
        // All items below a folder are neighbours in the order of keys.
        let folder = format!("{folder}/");
        let below = (Bound::Included(&*folder), Bound::Unbounded);
        let (key, item) = self.items.range::<str, _>(below).next()?;
        key.as_str().starts_with(&folder).then_some(item)
    }
}

/// Returns the entries of a map whose key has this prefix, ordered by key.
pub(crate) fn with_prefix<V>(
    map: &BTreeMap<PathKey, V>,
    prefix: String,
) -> impl Iterator<Item = (&PathKey, &V)> + use<'_, V> {
    let from = map.range::<str, _>((Bound::Included(&*prefix), Bound::Unbounded));
    from.take_while(move |(key, _)| key.as_str().starts_with(&prefix))
}

/// Returns the entries of a map that belong to the livery with this key, ordered by key. A loose file of that name comes first.
pub(crate) fn of_livery<'a, V>(
    map: &'a BTreeMap<PathKey, V>,
    livery: &str,
) -> impl Iterator<Item = (&'a PathKey, &'a V)> {
    map.get_key_value(livery).into_iter().chain(with_prefix(map, format!("{livery}/")))
}

impl<T: Located> PathMap<T> {
    /// Makes a set of items that are known not to collide. It is fastest if they are in the order of their keys.
    pub(crate) fn of_fitting(items: impl IntoIterator<Item = T>) -> Self {
        let items = items.into_iter().map(|item| (item.path().key().clone(), item));
        Self { items: items.collect() }
    }
}

impl<T> PathMap<T> {
    /// Returns the item with this key.
    #[must_use]
    pub fn get<K: Ord + ?Sized>(&self, key: &K) -> Option<&T>
    where
        PathKey: std::borrow::Borrow<K>,
    {
        self.items.get(key)
    }

    /// Removes an item.
    pub fn remove(&mut self, key: &PathKey) -> Option<T> {
        self.items.remove(key)
    }

    pub(crate) fn get_mut(&mut self, key: &PathKey) -> Option<&mut T> {
        self.items.get_mut(key)
    }

    /// Returns true if there is an item with this key.
    #[must_use]
    pub fn contains(&self, key: &PathKey) -> bool {
        self.items.contains_key(key)
    }

    /// Returns a set of the same paths with other items. `to` must keep the key.
    pub(crate) fn map<'a, U: Located>(&'a self, mut to: impl FnMut(&'a T) -> U) -> PathMap<U> {
        // The paths stay the same, so they still do not collide.
        let items = self.items.iter().map(|(key, item)| {
            let item = to(item);
            debug_assert!(item.path().key() == key, "the path is kept");
            (item.path().key().clone(), item)
        });
        PathMap { items: items.collect() }
    }

    /// Returns the number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns true if there is no item.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the number of liveries.
    #[must_use]
    pub fn livery_count(&self) -> usize {
        count_liveries(self.items.keys())
    }

    /// Returns all items, ordered by key.
    pub fn iter(&self) -> btree_map::Values<'_, PathKey, T> {
        self.items.values()
    }

    /// Returns all items with their keys, ordered by key.
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

/// Returns every proper prefix of `path` that ends before a `/`.
fn prefixes(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Extensions;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text, &Extensions::default()).unwrap()
    }

    /// Returns a set in which other keys sort between a folder's own key and the keys below it.
    fn set() -> PathMap<RelPath> {
        let mut set = PathMap::default();
        for text in ["T.png/x.png", "T.png #1/x.png", "t.png-/x.png", "u/V/b.png", "U/v/a.png"] {
            set.insert(path(text)).unwrap();
        }
        set
    }

    #[test]
    fn a_folder_is_found_among_names_with_the_same_start() {
        let mut set = set();
        assert_eq!(set.check(&path("t.PNG")), Err(Collision::Folder));
        assert_eq!(set.check(&path("T.png #1.png")), Ok(()));
        assert!(set.remove(path("T.png/x.png").key()).is_some());
        assert_eq!(set.check(&path("t.PNG")), Ok(()));
    }

    #[test]
    fn a_path_follows_the_first_item_in_its_deepest_known_folder() {
        let set = set();
        assert_eq!(set.respell(&path("u/v/w/c.png")), "U/v/w/c.png");
        assert_eq!(set.respell(&path("t.PNG/Y.png")), "T.png/Y.png");
        assert_eq!(set.respell(&path("u.png")), "u.png");
    }

    #[test]
    fn the_spellings_of_a_livery_count_once() {
        let mut set = set();
        assert_eq!(set.livery_count(), 4);
        set.insert(path("loose.png")).unwrap();
        assert_eq!(set.livery_count(), 5);
        assert_eq!(PathMap::<RelPath>::default().livery_count(), 0);
    }
}

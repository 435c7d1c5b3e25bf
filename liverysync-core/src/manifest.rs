//! Manifests: the list of files that one PC shares, and its hash.
//!
//! A manifest never has two spellings of one file, nor a file and a folder of one name: files that could not exist on one PC
//! are refused when they are inserted.

use std::{collections::btree_map, io::Write, iter, sync::Arc};

use crate::{
    hash::{Content, ContentHash, Hasher},
    path::{PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
    time::UnixTime,
};

/// One file of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path, as its PC spells it.
    pub path: RelPath,
    /// Its content.
    pub content: Content,
    /// Its modification time; `None` if the peer did not send it.
    pub mtime: Option<UnixTime>,
}

/// The files that a PC shares, ordered by key.
///
/// A clone is cheap: both share their memory until one of them changes, and their equal entries after that. Manifests that were
/// read from separate lists share their entries after [`Union::share`](crate::union::Union::share).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: Arc<PathMap<Arc<Entry>>>,
    total_bytes: u64,
}

/// The files of a manifest, ordered by key.
// Only the name of an iterator.
#[doc(hidden)]
pub type Entries<'a> =
    iter::Map<btree_map::Values<'a, PathKey, Arc<Entry>>, fn(&'a Arc<Entry>) -> &'a Entry>;

impl Located for Entry {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

impl Manifest {
    /// Creates an empty manifest.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes a manifest of files that are known not to collide.
    pub(crate) fn of<T, E: Into<Arc<Entry>>>(files: &PathMap<T>, entry: impl Fn(&T) -> E) -> Self {
        let entries = files.map(|file| entry(file).into());
        let total_bytes =
            entries.iter().map(|entry| entry.content.size).fold(0, u64::saturating_add);
        Self { entries: Arc::new(entries), total_bytes }
    }

    /// Adds a file.
    ///
    /// # Errors
    ///
    /// Refuses a file that collides with another one. Nothing changes then.
    pub fn insert(&mut self, entry: Entry) -> Result<(), Collision> {
        let size = entry.content.size;
        Arc::make_mut(&mut self.entries).insert(Arc::new(entry))?;
        self.total_bytes = self.total_bytes.saturating_add(size);
        Ok(())
    }

    /// Adds a file, or replaces the one with the same key and returns it.
    ///
    /// # Errors
    ///
    /// Fails where [`Manifest::insert`] does. The replaced file does not count.
    pub fn replace(&mut self, entry: Entry) -> Result<Option<Entry>, Collision> {
        let old = self.remove(entry.path.key());
        self.insert(entry).map(|()| old)
    }

    /// Checks that a file could be added at `path`.
    ///
    /// # Errors
    ///
    /// Returns the file or folder in its way.
    pub fn check(&self, path: &RelPath) -> Result<(), Collision> {
        self.entries.check(path)
    }

    /// Removes a file.
    pub fn remove(&mut self, key: &PathKey) -> Option<Entry> {
        // Looking first avoids a copy of all entries if there is nothing to remove.
        self.entries.get(key)?;
        let entry = Arc::make_mut(&mut self.entries).remove(key)?;
        self.total_bytes = self.total_bytes.saturating_sub(entry.content.size);
        Some(Arc::unwrap_or_clone(entry))
    }

    /// Replaces entries and paths by the equal ones of `known`, which is ordered by key.
    pub(crate) fn share<'a>(&mut self, known: impl Iterator<Item = &'a Arc<Entry>>) {
        let mut known = known.peekable();
        let entries = self.entries.map(|own| {
            let key = own.path.key();
            while known.next_if(|known| known.path.key() < key).is_some() {}
            match known.next_if(|known| known.path.key() == key) {
                Some(known) => shared(own, known),
                None => Arc::clone(own),
            }
        });
        self.entries = Arc::new(entries);
    }

    /// Returns the file with this key.
    #[must_use]
    pub fn get(&self, key: &PathKey) -> Option<&Entry> {
        self.entries.get(key).map(|entry| &**entry)
    }

    /// Returns the number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns true if there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the number of liveries.
    #[must_use]
    pub fn livery_count(&self) -> usize {
        self.entries.livery_count()
    }

    /// Returns the sum of the sizes, in bytes.
    #[must_use]
    pub const fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    /// Returns all files, ordered by key.
    pub fn iter(&self) -> Entries<'_> {
        self.entries.iter().map(|entry| entry)
    }

    /// Returns all files in their shared form, ordered by key.
    pub(crate) fn shared(&self) -> btree_map::Values<'_, PathKey, Arc<Entry>> {
        self.entries.iter()
    }

    /// Spells the folders of `path` as this PC does.
    ///
    /// Without this a PC that distinguishes `Team` from `team` would get both.
    #[must_use]
    pub fn respell(&self, path: &RelPath) -> String {
        self.entries.respell(path)
    }

    /// Returns the manifest hash of protocol 1: the SHA-256 of the compact JSON list of path, size and digest, ordered by path.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        hash_entries(self.by_path())
    }

    /// Returns the hash of the files of a livery's version. How their paths are spelled does not matter.
    pub(crate) fn version_hash(&self) -> ContentHash {
        hash_entries(self.iter().map(|entry| (entry.path.key().as_str(), entry)))
    }

    /// Returns the union hash of protocol 1: like [`Manifest::hash`], with the keys in another order.
    #[must_use]
    pub fn union_hash(&self) -> ContentHash {
        hash_items(self.by_path(), |json, entry| {
            write_digest(json, entry.content.hash);
            write_size(json, entry.content.size);
        })
    }

    fn by_path(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.iter().map(|entry| (entry.path.as_str(), entry))
    }
}

/// Returns `own` with as much memory of `known` as they have in common.
fn shared(own: &Arc<Entry>, known: &Arc<Entry>) -> Arc<Entry> {
    if own == known {
        return Arc::clone(known);
    }
    if own.path.shares(&known.path) {
        return Arc::clone(own);
    }
    Arc::new(Entry { path: own.path.sharing(&known.path), ..**own })
}

/// Number of bytes of JSON that are hashed at a time.
const JSON_BYTES: usize = 16 * 1024;

/// Hashes the JSON list of path, size and digest.
fn hash_entries<'a>(entries: impl Iterator<Item = (&'a str, &'a Entry)>) -> ContentHash {
    hash_items(entries, |json, entry| {
        write_size(json, entry.content.size);
        write_digest(json, entry.content.hash);
    })
}

/// Hashes the JSON list of objects that begin with a path. `write` writes their other fields.
fn hash_items<'a, T>(
    items: impl Iterator<Item = (&'a str, T)>,
    write: impl Fn(&mut Vec<u8>, &T),
) -> ContentHash {
    let mut items: Vec<_> = items.collect();
    // Protocol 1 orders by spelling. Entries come in the order of their keys.
    items.sort_by_key(|(path, _)| *path);
    let mut hasher = Hasher::default();
    let mut json = Vec::with_capacity(2 * JSON_BYTES);
    for (number, (path, item)) in items.iter().enumerate() {
        json.push(if number == 0 { b'[' } else { b',' });
        json.extend_from_slice(br#"{"rel_path":"#);
        write_text(&mut json, path);
        write(&mut json, item);
        json.push(b'}');
        if json.len() >= JSON_BYTES {
            hasher.update(&json);
            json.clear();
        }
    }
    json.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
    hasher.update(&json);
    hasher.finish()
}

fn write_size(json: &mut Vec<u8>, size: u64) {
    // Writing to memory cannot fail.
    let _written = write!(json, r#","size":{size}"#);
}

fn write_digest(json: &mut Vec<u8>, hash: ContentHash) {
    json.extend_from_slice(br#","sha256":""#);
    json.extend_from_slice(const_hex::Buffer::<32>::new().format(hash.as_bytes()).as_bytes());
    json.push(b'"');
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    // Every text has a JSON form, and writing to memory cannot fail.
    let _written = serde_json::to_writer(json, text);
}

impl<'a> IntoIterator for &'a Manifest {
    type Item = &'a Entry;
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::path::Extensions;

    fn manifest(files: &[(&str, u8)]) -> Manifest {
        let mut manifest = Manifest::new();
        for (path, byte) in files {
            let path = RelPath::parse(path, &Extensions::default()).unwrap();
            manifest.insert(Entry { path, content: Content::of(&[*byte]), mtime: None }).unwrap();
        }
        manifest
    }

    #[test]
    fn equal_entries_are_shared_and_nothing_changes() {
        let known = manifest(&[("T/a.png", 1), ("T/b.png", 1), ("T/c.png", 1), ("z.png", 1)]);
        let mut own = manifest(&[("T/a.png", 1), ("T/B.png", 1), ("T/c.png", 2), ("own.png", 1)]);
        let before = own.clone();
        own.share(known.shared());
        assert_eq!(own, before);
        let entry = |manifest: &Manifest, key| Arc::clone(manifest.entries.get(key).unwrap());
        assert!(Arc::ptr_eq(&entry(&own, "t/a.png"), &entry(&known, "t/a.png")), "an equal entry");
        for key in ["t/b.png", "t/c.png"] {
            let (own, known) = (entry(&own, key), entry(&known, key));
            assert!(own.path.shares(&known.path), "the name of {key}");
        }
        // Entries that are shared already stay as they are.
        let once = entry(&own, "t/c.png");
        own.share(known.shared());
        assert!(Arc::ptr_eq(&once, &entry(&own, "t/c.png")));
        for (key, entry) in own.entries.keyed() {
            assert!(std::ptr::eq(key.as_str(), entry.path.key().as_str()), "one key for {key}");
        }
    }

    #[test]
    fn any_list_is_hashed_as_json() {
        let texts = ["b\"\\\u{1}\u{1f3c1}", "é/\u{7f}\n", "a", "a"];
        let long: Vec<_> = (0..500).map(|number| format!("{}{number}", "x".repeat(90))).collect();
        let mut texts: Vec<&str> =
            texts.into_iter().chain(long.iter().map(String::as_str)).collect();
        let hash = hash_items(texts.iter().map(|text| (*text, *text)), |json, digest| {
            write_size(json, u64::MAX);
            json.extend_from_slice(br#","sha256":"#);
            write_text(json, digest);
        });
        texts.sort_unstable();
        // A JSON value sorts its keys, so each object is written by hand.
        let items = texts.iter().map(|text| {
            format!(
                r#"{{"rel_path":{},"size":{},"sha256":{}}}"#,
                json!(text),
                u64::MAX,
                json!(text)
            )
        });
        let list = format!("[{}]", items.collect::<Vec<_>>().join(","));
        assert!(list.len() > 2 * JSON_BYTES);
        assert_eq!(hash, ContentHash::of(list.as_bytes()));
    }
}

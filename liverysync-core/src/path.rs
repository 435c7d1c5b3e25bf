//! The path rule: the names that may travel, and the spellings that mean the same file.
//!
//! A peer chooses the names of files that a driver's PC writes. So a [`RelPath`] can only be made by [`RelPath::parse`]. It
//! refuses a name that could leave the liveries folder, name a device, or reach another file than the one it spells, on any
//! PC of the league. It never repairs a name: a changed name would come back as another file at the next scan.
//!
//! Spellings that differ only in case or Unicode normalization are the same file for Windows and the game. They share a
//! [`PathKey`], made by `fold`.

mod extensions;
mod fold;
mod rule;

use std::{
    borrow::Borrow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use serde::{Serialize, Serializer};

pub(crate) use self::rule::{COMPONENT_BYTES_MAX, PATH_BYTES_MAX};
pub use self::{
    extensions::Extensions,
    rule::{InvalidPath, PathFault},
};
// Front ends search names by it. Paths are compared by their keys.
#[doc(hidden)]
pub use self::fold::fold;

/// Version of the path rule and of folding. Raise it with every change to either, so that paths checked by another version
/// are checked again.
pub(crate) const RULE_FORM: u32 = 1;

/// A checked path below a liveries folder, with `/` between components, that is safe on every PC.
///
/// Paths are compared and ordered by their spelling. Two spellings of one file share a [`PathKey`]. Cloning copies no text.
#[derive(Clone)]
pub struct RelPath(Arc<Spelled>);

struct Spelled {
    /// The spelling; `None` if it equals the key.
    text: Option<Box<str>>,
    key: PathKey,
}

impl RelPath {
    /// Checks a path.
    ///
    /// # Errors
    ///
    /// Returns the path with the first fault that was found. [`PathFault::Extension`] is checked last: such a path has no
    /// other fault.
    pub fn parse(text: &str, extensions: &Extensions) -> Result<Self, InvalidPath> {
        match rule::check(text, extensions) {
            Ok(key) => Ok(Self::spelled(text, PathKey(key.into()))),
            Err(fault) => Err(InvalidPath { path: text.to_owned(), fault }),
        }
    }

    /// Makes a path, with its key, that [`RelPath::parse`] accepted under the same [version](RULE_FORM) of the rule.
    pub(crate) fn checked_before(text: &str, key: &str) -> Self {
        debug_assert!(fold(text) == key, "the key belongs to this path");
        Self::spelled(text, PathKey(key.into()))
    }

    fn spelled(text: &str, key: PathKey) -> Self {
        let text = (text != key.as_str()).then(|| text.into());
        Self(Arc::new(Spelled { text, key }))
    }

    /// Returns this path in the memory of another spelling of the same file, as far as they are equal.
    pub(crate) fn sharing(&self, other: &Self) -> Self {
        debug_assert!(self.key() == other.key(), "both spell the same file");
        if self == other {
            other.clone()
        } else {
            Self::spelled(self.as_str(), other.key().clone())
        }
    }

    /// Returns true if this path already shares with `other` whatever it can.
    pub(crate) fn shares(&self, other: &Self) -> bool {
        self != other && Arc::ptr_eq(&self.0.key.0, &other.0.key.0)
            || Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns a path in the same folder with another file name.
    ///
    /// # Errors
    ///
    /// Fails where [`RelPath::parse`] does, and if `name` contains a `/`.
    pub fn with_file_name(&self, name: &str, extensions: &Extensions) -> Result<Self, InvalidPath> {
        let text = match self.folder() {
            Some(folder) => format!("{folder}/{name}"),
            None => name.to_owned(),
        };
        if name.contains('/') {
            return Err(InvalidPath { path: text, fault: PathFault::ReservedCharacter('/') });
        }
        Self::parse(&text, extensions)
    }

    /// Returns the path as its first publisher spelled it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.text.as_deref().unwrap_or(self.0.key.as_str())
    }

    /// Returns the key, which every spelling of the same file shares.
    #[must_use]
    pub fn key(&self) -> &PathKey {
        &self.0.key
    }

    /// Returns the first component: the livery's folder, or a loose file itself.
    #[must_use]
    pub fn livery(&self) -> &str {
        first_component(self.as_str())
    }

    /// Returns everything before the last `/`; `None` for a loose file.
    #[must_use]
    pub fn folder(&self) -> Option<&str> {
        self.as_str().rsplit_once('/').map(|(folder, _)| folder)
    }

    /// Returns the last component.
    #[must_use]
    pub fn file_name(&self) -> &str {
        last_component(self.as_str())
    }

    /// Returns the file name before its last dot; empty for a name such as `.png`.
    #[must_use]
    pub fn stem(&self) -> &str {
        split_extension(self.file_name()).0
    }

    /// Returns the file name after its last dot, in its own case.
    #[must_use]
    pub fn extension(&self) -> &str {
        split_extension(self.file_name()).1
    }

    /// Returns the components, beginning with the livery.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }
}

impl AsRef<str> for RelPath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for RelPath {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.as_str() == other.as_str()
    }
}

impl Eq for RelPath {}

impl PartialOrd for RelPath {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RelPath {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for RelPath {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for RelPath {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A folded path, which all spellings of one file share. See [`fold()`].
///
/// It is only good for comparing: it may be longer than a path is allowed to be, and is never written to a disk.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PathKey(Arc<str>);

impl PathKey {
    /// Returns the folded path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the first component, which all spellings of one livery share.
    #[must_use]
    pub fn livery(&self) -> &str {
        first_component(&self.0)
    }

    /// Returns the folders above the file, the outermost first; none for a loose file.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0.match_indices('/').map(|(at, _)| &self.0[..at])
    }
}

/// Counts the liveries of paths in ascending order.
pub(crate) fn count_liveries<'a>(ordered: impl IntoIterator<Item = &'a PathKey>) -> usize {
    let mut last = None;
    let liveries = ordered.into_iter().map(PathKey::livery);
    // The paths of one livery follow each other: they begin with the same folder and its slash.
    liveries.filter(|livery| last.replace(*livery) != Some(*livery)).count()
}

impl Borrow<str> for PathKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PathKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for PathKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Splits a file name at its last dot. The extension is empty if there is none.
fn split_extension(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or((name, ""))
}

pub(crate) fn first_component(path: &str) -> &str {
    first_of(path, '/')
}

fn last_component(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, last)| last)
}

fn first_of(text: &str, separator: char) -> &str {
    text.split_once(separator).map_or(text, |(first, _)| first)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]

    use super::*;

    fn parse(text: &str) -> Result<RelPath, InvalidPath> {
        RelPath::parse(text, &Extensions::default())
    }

    #[test]
    fn a_path_has_parts() {
        let path = parse("Équipe #2/Alt.v2/Decals.v3.PNG").unwrap();
        assert_eq!(path.to_string(), "Équipe #2/Alt.v2/Decals.v3.PNG");
        assert_eq!(path.key().to_string(), "équipe #2/alt.v2/decals.v3.png");
        assert_eq!((path.livery(), path.key().livery()), ("Équipe #2", "équipe #2"));
        assert_eq!(path.folder(), Some("Équipe #2/Alt.v2"));
        assert_eq!(
            (path.file_name(), path.stem(), path.extension()),
            ("Decals.v3.PNG", "Decals.v3", "PNG")
        );
        assert!(path.components().eq(["Équipe #2", "Alt.v2", "Decals.v3.PNG"]));
        assert!(path.key().ancestors().eq(["équipe #2", "équipe #2/alt.v2"]));
        assert_eq!(serde_json::to_string(&path).unwrap(), "\"Équipe #2/Alt.v2/Decals.v3.PNG\"");

        let loose = parse("x.png").unwrap();
        assert_eq!(
            (loose.livery(), loose.folder(), loose.key().ancestors().count()),
            ("x.png", None, 0)
        );
        assert_eq!(loose.0.text, None, "a path that equals its key has one text");
    }

    #[test]
    fn a_new_file_name_is_checked_too() {
        let extensions = Extensions::default();
        let path = parse("Livery/decals.png").unwrap();
        let renamed =
            |name| path.with_file_name(name, &extensions).map_err(|invalid| invalid.fault);
        assert_eq!(renamed("decals_1.png").unwrap().as_str(), "Livery/decals_1.png");
        assert_eq!(renamed("sub/decals.png"), Err(PathFault::ReservedCharacter('/')));
        assert_eq!(renamed(""), Err(PathFault::TrailingSlash));
        assert_eq!(renamed(".."), Err(PathFault::DotComponent));
        assert_eq!(renamed("decals.exe"), Err(PathFault::Extension("exe".to_owned())));
        let loose = parse("decals.png").unwrap();
        assert_eq!(loose.with_file_name("x.png", &extensions).unwrap().as_str(), "x.png");
    }

    #[test]
    fn a_key_may_be_longer_than_its_path() {
        // U+FB2C becomes a letter and two marks in NFC.
        let path = parse(&format!("{}.png", "\u{fb2c}".repeat(83))).unwrap();
        assert_eq!(path.as_str().len(), 253);
        assert_eq!(path.key().as_str().len(), 83 * 6 + 4);
    }
}

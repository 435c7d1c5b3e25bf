//! Selection: decides which files of a liveries folder are shared, and gives a reason for each skipped one.
//!
//! Four kinds of files are skipped although their names are valid: caches that the game makes from a picture, placeholders
//! that the game leaves for liveries it does not have, files that macOS adds, and files with an extension that is not on the
//! list. A placeholder is a file of material values without its picture: `decals.json` without `decals.png`.

mod game_files;
mod macos;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

#[doc(hidden)]
pub use self::game_files::{cached_picture, caches_of};
use self::game_files::{has_name_of_cache, layer_of_material, layer_of_picture};
pub(crate) use self::{
    game_files::{StaleFiles, is_placeholder, material_layer, picture_layer},
    macos::is_of_macos,
};
use crate::{
    inspect::Damage,
    path::{Extensions, InvalidPath, PathFault, PathKey, RelPath, first_component, fold},
    pathmap::{Collision, Located, PathMap},
    time::UnixTime,
};

/// The facts by which a change of a file is noticed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time.
    pub mtime: UnixTime,
}

/// One item that a listing of the folder found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path below the liveries folder, with `/` between components. It may break the path rule.
    pub path: String,
    /// Its kind.
    pub kind: Kind,
    /// A number that changes whenever the file changes, if the host has one. It may combine the file's number on the disk
    /// with the time at which its attributes changed. 0 if the host cannot tell.
    pub change_tag: u64,
}

/// The kind of a listed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(Stamp),
    /// A link, a reparse point or a device, which is never followed.
    Link,
    /// A file whose content is only in the cloud. Reading it would download it.
    Cloud,
    /// An item that cannot be read, with the system's reason.
    Unreadable(String),
}

/// The reason why a file is not shared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Its name breaks the path rule.
    #[error("{0}")]
    Name(PathFault),
    /// Its extension is not on the list.
    #[error("files of type `{0}` are not synced")]
    Extension(String),
    /// The game made it from the picture beside it, and makes it again on every PC.
    #[error("the game's own cache of {0}")]
    Cache(RelPath),
    /// The game left it for a livery that it does not have.
    #[error("the game's placeholder: its picture is missing")]
    Placeholder,
    /// macOS made it, and only macOS uses it.
    #[error("a file that macOS adds; nobody else needs it")]
    MacOs,
    /// Windows would take it for another file here.
    #[error("{0}")]
    Collision(#[from] Collision),
    /// It is a link.
    #[error("a link; links are not followed")]
    Link,
    /// Its content is not on this PC.
    #[error("its content is only in the cloud; open it once to download it")]
    Cloud,
    /// It cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The folder has more files than a manifest may have.
    #[error("the folder has more than {0} files; the rest is not synced")]
    TooMany(usize),
    /// The driver ignores its livery.
    #[error("its livery is ignored on this PC")]
    Ignored,
    /// Its driver does not share its livery. It travels only if the league has the livery.
    #[error("its livery is not on the list of shared liveries")]
    Unshared,
    /// It is larger than a file may be.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// It is damaged, and the league has an intact version of it.
    #[error("damaged: {0}; the league keeps the intact version")]
    Damaged(Damage),
}

impl Reason {
    /// Returns the reason as one of the words in `docs/json.md`, for programs.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Extension(_) => "extension",
            Self::Cache(_) => "cache",
            Self::Placeholder => "placeholder",
            Self::MacOs => "macos",
            Self::Collision(_) => "collision",
            Self::Link => "link",
            Self::Cloud => "cloud",
            Self::Unreadable(_) => "unreadable",
            Self::TooMany(_) => "too_many",
            Self::Ignored => "ignored",
            Self::Unshared => "unshared",
            Self::TooLarge(_) => "too_large",
            Self::Damaged(_) => "damaged",
        }
    }
}

/// A file that is not shared.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Skipped {
    /// Its path as it was listed. [Escape](crate::text::escape) it before showing it.
    pub path: String,
    /// The reason.
    pub reason: Reason,
}

impl Skipped {
    /// Makes one from its fields, for the tests of a front end.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(path: String, reason: Reason) -> Self {
        Self { path, reason }
    }
}

impl Serialize for Skipped {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Skipped", 3)?;
        fields.serialize_field("path", &self.path)?;
        fields.serialize_field("kind", self.reason.kind())?;
        fields.serialize_field("reason", &self.reason.to_string())?;
        fields.end()
    }
}

/// The rules of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rules {
    /// The extensions that are shared.
    pub extensions: Extensions,
    /// Set to share the game's caches too.
    pub derived_dds: bool,
    /// Set to share the game's placeholders too.
    pub placeholders: bool,
    /// Largest number of files.
    pub entries_max: usize,
    /// Largest file, in bytes.
    pub file_bytes_max: u64,
}

impl Default for Rules {
    /// Returns rules with the extensions of [`Extensions::default`], without caches and placeholders, for 50,000 files of at
    /// most 256 MiB each.
    fn default() -> Self {
        Self {
            extensions: Extensions::default(),
            derived_dds: false,
            placeholders: false,
            entries_max: 50_000,
            file_bytes_max: 256 << 20,
        }
    }
}

/// A file that is shared.
// The machine selects by itself, and `liverysync::scan` does for hosts without one.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Its path.
    pub path: RelPath,
    /// Its size and modification time when it was listed.
    pub stamp: Stamp,
    /// See [`Listed::change_tag`].
    pub change_tag: u64,
}

impl Located for Chosen {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// The shared and the skipped files of a folder.
// As `Chosen`.
#[doc(hidden)]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The files to share.
    pub publish: PathMap<Chosen>,
    /// All other files, with reasons.
    pub skipped: Vec<Skipped>,
}

/// Selects the files to share. The result does not depend on the order of `listed`.
// As `Chosen`.
#[doc(hidden)]
#[must_use]
pub fn select(listed: &[Listed], rules: &Rules) -> Selection {
    select_of(listed.iter().collect(), rules)
}

fn select_of(mut ordered: Vec<&Listed>, rules: &Rules) -> Selection {
    // Of two names that collide the first one counts, and each disk lists in its own order.
    ordered.sort_unstable_by(|a, b| a.path.cmp(&b.path));

    let mut result = Selection::default();
    let mut candidates = Vec::new();
    for item in ordered {
        match candidate(item, rules) {
            Ok(found) => candidates.push(found),
            Err(reason) => result.skipped.push(Skipped { path: item.path.clone(), reason }),
        }
    }
    if !rules.placeholders {
        let found = placeholders(&candidates);
        let (placeholders, others): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|file| found.contains(file.path.as_str()));
        candidates = others;
        result.skipped.extend(placeholders.into_iter().map(|file| Skipped {
            path: file.path.as_str().to_owned(),
            reason: Reason::Placeholder,
        }));
    }

    let names = possible_pictures(&candidates, rules);
    for file in candidates {
        let path = file.path.clone();
        if let Err(reason) = publish(file, rules, &names, &mut result.publish) {
            result.skipped.push(Skipped { path: path.as_str().to_owned(), reason });
        }
    }
    result
}

/// Makes the same selection as [`select`], but faster if most files are known. `known` are files that were selected before
/// under the same rules.
///
/// A livery with known files only is shared as it is: its paths are checked, no two of them collide, and this function checks
/// the rest. All other liveries are selected again. That is allowed because no file decides about a file of another livery:
/// names collide only below the same first component, and caches and placeholders depend only on the files beside them.
pub(crate) fn select_knowing<T: Located>(
    listed: &[Listed],
    known: &PathMap<T>,
    rules: &Rules,
) -> Selection {
    // Then the limit of the number of files applies, which all liveries share.
    if listed.len() > rules.entries_max {
        return select(listed, rules);
    }
    let (mut familiar, mut liveries) = known_files(listed, known, rules);
    for files in familiar.chunk_by(same_livery) {
        if may_skip_any(files, rules) {
            liveries.extend(files.first().map(|file| file.path.key().livery().to_owned()));
        }
    }
    if liveries.is_empty() {
        return Selection { publish: PathMap::of_fitting(familiar), skipped: Vec::new() };
    }
    let is_among = |item: &&Listed| liveries.contains(&livery_of(&item.path));
    let Selection { publish, skipped } = select_of(listed.iter().filter(is_among).collect(), rules);
    familiar.retain(|file| !liveries.contains(file.path.key().livery()));
    Selection {
        publish: PathMap::of_fitting(familiar.into_iter().chain(publish.iter().cloned())),
        skipped,
    }
}

/// Returns the listed files that are known, in the order of their keys, and the liveries with other items.
fn known_files<T: Located>(
    listed: &[Listed],
    known: &PathMap<T>,
    rules: &Rules,
) -> (Vec<Chosen>, BTreeSet<String>) {
    let mut met = HashMap::with_capacity(listed.len());
    let mut liveries = BTreeSet::new();
    for item in listed {
        let stamp = match item.kind {
            Kind::File(stamp) if stamp.size <= rules.file_bytes_max => stamp,
            _ => {
                liveries.insert(livery_of(&item.path));
                continue;
            }
        };
        // Of two items with one path, the full selection decides.
        if met.insert(item.path.as_str(), (stamp, item.change_tag)).is_some() {
            liveries.insert(livery_of(&item.path));
        }
    }
    let mut chosen = Vec::with_capacity(met.len());
    for file in known {
        let path = file.path();
        if let Some((stamp, change_tag)) = met.remove(path.as_str()) {
            chosen.push(Chosen { path: path.clone(), stamp, change_tag });
        }
    }
    if !met.is_empty() {
        let unknown = listed.iter().filter(|item| met.contains_key(item.path.as_str()));
        liveries.extend(unknown.map(|item| livery_of(&item.path)));
    }
    (chosen, liveries)
}

/// Returns the key of the livery of a path, which may break the path rule.
fn livery_of(path: &str) -> String {
    fold(first_component(path))
}

fn same_livery(a: &Chosen, b: &Chosen) -> bool {
    a.path.key().livery() == b.path.key().livery()
}

/// Returns true if a file of a livery may have to be skipped because of the files beside it.
fn may_skip_any(files: &[Chosen], rules: &Rules) -> bool {
    let is_cache = |file: &Chosen| has_name_of_cache(&file.path);
    // An earlier version may have published it.
    files.iter().any(|file| is_of_macos(file.path.key().as_str()))
        || !rules.derived_dds && files.iter().any(is_cache)
        || !rules.placeholders && !placeholders(files).is_empty()
}

/// Returns the keys of the files that caches may be made from; empty if there are no possible caches.
fn possible_pictures(candidates: &[Chosen], rules: &Rules) -> BTreeSet<PathKey> {
    if rules.derived_dds || !candidates.iter().any(|file| has_name_of_cache(&file.path)) {
        return BTreeSet::new();
    }
    candidates.iter().map(|file| file.path.key().clone()).collect()
}

fn publish(
    file: Chosen,
    rules: &Rules,
    names: &BTreeSet<PathKey>,
    published: &mut PathMap<Chosen>,
) -> Result<(), Reason> {
    match cached_picture(&file.path, &rules.extensions) {
        Some(picture) if !rules.derived_dds && names.contains(picture.key()) => {
            Err(Reason::Cache(picture))
        }
        // The files come in the order of their paths, so each scan leaves out the same ones.
        _ if published.len() >= rules.entries_max => Err(Reason::TooMany(rules.entries_max)),
        _ => Ok(published.insert(file)?),
    }
}

fn candidate(item: &Listed, rules: &Rules) -> Result<Chosen, Reason> {
    let stamp = match &item.kind {
        Kind::File(stamp) => *stamp,
        Kind::Link => return Err(Reason::Link),
        Kind::Cloud => return Err(Reason::Cloud),
        Kind::Unreadable(why) => return Err(Reason::Unreadable(why.clone())),
    };
    if is_of_macos(&item.path) {
        return Err(Reason::MacOs);
    }
    let path = RelPath::parse(&item.path, &rules.extensions).map_err(name_reason)?;
    if stamp.size > rules.file_bytes_max {
        return Err(Reason::TooLarge(rules.file_bytes_max));
    }
    Ok(Chosen { path, stamp, change_tag: item.change_tag })
}

fn name_reason(invalid: InvalidPath) -> Reason {
    match invalid.fault {
        PathFault::Extension(extension) => Reason::Extension(extension),
        fault => Reason::Name(fault),
    }
}

/// Returns the paths of the placeholders: material values without their picture. A picture that is not shared does not
/// count: the PCs that receive the rest would take it for a placeholder anyway.
fn placeholders(files: &[Chosen]) -> BTreeSet<String> {
    let pictures: BTreeSet<_> =
        files.iter().filter_map(|file| layer_of_picture(&file.path)).collect();
    let has_picture = |layer| pictures.contains(&layer);
    let alone = files
        .iter()
        .filter(|file| layer_of_material(&file.path).is_some_and(|layer| !has_picture(layer)));
    alone.map(|file| file.path.as_str().to_owned()).collect()
}

//! What of a folder is a livery's own and travels, and what stays at home, with the reason.
//!
//! Three things are left out although their names are fine: the cache that the game builds from a
//! PNG, the folder that the game leaves where it met a livery without having it, and extensions
//! that are not on the list. Nothing is left out silently.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    path::{Extensions, InvalidPath, PathFault, PathKey, RelPath},
    pathmap::{Collision, Located, PathMap},
    time::UnixTime,
};

/// The endings of the game's cache files: `decals_0.dds` and `decals_1.dds` come from `decals.png`.
const CACHE_STEMS: [&str; 4] = ["decals_0", "decals_1", "sponsors_0", "sponsors_1"];

/// All that the game puts into the folder of a livery that it does not have.
const PLACEHOLDER_NAMES: [&str; 2] = ["decals.json", "sponsors.json"];

/// What tells that a file has changed without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Length in bytes.
    pub size: u64,
    /// Time of the last change.
    pub mtime: UnixTime,
}

/// One thing that a walk through the folder met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its path below the root with `/` between components, whatever its name is.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// What else tells that a file is the same as before, in whatever form the host has it, such as its
    /// number on the disk and when its attributes last changed. Zero where the host cannot say.
    pub mark: u64,
}

/// What a walk met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File(Stamp),
    /// A link, a reparse point or a device: it is never followed.
    Link,
    /// A file that lies in the cloud only; reading it would download it.
    Cloud,
    /// Something that could not be looked at, with the system's reason.
    Unreadable(String),
}

/// Why something in the folder does not travel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// Its name breaks the path rule.
    #[error("{0}")]
    Name(PathFault),
    /// Its extension is not on the list.
    #[error("files of type `{0}` are not synced")]
    Extension(String),
    /// The game made it from the picture beside it and makes it anew on every PC.
    #[error("the game's own cache of {0}")]
    Cache(RelPath),
    /// The game left it where it met a livery without having it.
    #[error("a placeholder that the game made for a livery that this PC does not have")]
    Placeholder,
    /// Windows could not tell it from another file here.
    #[error("{0}")]
    Collision(#[from] Collision),
    /// It is a link.
    #[error("a link; links are not followed")]
    Link,
    /// It is not on this PC.
    #[error("it lies in the cloud only; open it once to bring it onto this PC")]
    Cloud,
    /// It could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The folder holds more files than a manifest may.
    #[error("more than {0} files; the rest is not synced")]
    TooMany(usize),
    /// It is larger than a file may be.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
}

impl Reason {
    /// The reason in one word, for programs: the words are those of `docs/json.md`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Extension(_) => "extension",
            Self::Cache(_) => "cache",
            Self::Placeholder => "placeholder",
            Self::Collision(_) => "collision",
            Self::Link => "link",
            Self::Cloud => "cloud",
            Self::Unreadable(_) => "unreadable",
            Self::TooMany(_) => "too_many",
            Self::TooLarge(_) => "too_large",
        }
    }
}

/// Something that does not travel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its path as the walk met it; escape it before it is shown.
    pub path: String,
    /// Why.
    pub reason: Reason,
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

/// What is published, as its owner set it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The extensions that travel.
    pub extensions: Extensions,
    /// Whether the game's caches travel too.
    pub derived_dds: bool,
    /// Whether the game's placeholder folders travel too.
    pub placeholders: bool,
    /// Largest number of files.
    pub entries_max: usize,
    /// Largest file, in bytes.
    pub file_bytes_max: u64,
}

impl Default for Rules {
    /// The extensions of [`Extensions::default`], no caches, no placeholders, 50,000 files of at most 1 TiB.
    fn default() -> Self {
        Self {
            extensions: Extensions::default(),
            derived_dds: false,
            placeholders: false,
            entries_max: 50_000,
            file_bytes_max: 1 << 40,
        }
    }
}

/// A file that travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    /// Where it lies.
    pub path: RelPath,
    /// How the walk found it.
    pub stamp: Stamp,
    /// See [`Listed::mark`].
    pub mark: u64,
}

impl Located for Chosen {
    fn path(&self) -> &RelPath {
        &self.path
    }
}

/// What travels of a folder and what does not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The files to publish.
    pub publish: PathMap<Chosen>,
    /// The rest, with reasons.
    pub skipped: Vec<Skipped>,
}

/// Decides what of a folder travels. Depends on the set of things listed, not on their order.
#[must_use]
pub fn select(listed: &[Listed], rules: &Rules) -> Selection {
    let mut ordered: Vec<_> = listed.iter().collect();
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
        let liveries = placeholder_liveries(&candidates);
        let (placeholders, others): (Vec<_>, Vec<_>) =
            candidates.into_iter().partition(|file| liveries.contains(file.path.key().livery()));
        candidates = others;
        result.skipped.extend(placeholders.into_iter().map(|file| Skipped {
            path: file.path.as_str().to_owned(),
            reason: Reason::Placeholder,
        }));
    }

    let names: BTreeSet<PathKey> = candidates.iter().map(|file| file.path.key().clone()).collect();
    for file in candidates {
        let path = file.path.as_str().to_owned();
        if let Err(reason) = publish(file, rules, &names, &mut result.publish) {
            result.skipped.push(Skipped { path, reason });
        }
    }
    result
}

fn publish(
    file: Chosen,
    rules: &Rules,
    names: &BTreeSet<PathKey>,
    published: &mut PathMap<Chosen>,
) -> Result<(), Reason> {
    match cached_picture(&file.path, rules) {
        Some(picture) if !rules.derived_dds && names.contains(picture.key()) => {
            Err(Reason::Cache(picture))
        }
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
    let path = RelPath::parse(&item.path, &rules.extensions).map_err(name_reason)?;
    if stamp.size > rules.file_bytes_max {
        return Err(Reason::TooLarge(rules.file_bytes_max));
    }
    Ok(Chosen { path, stamp, mark: item.mark })
}

fn name_reason(invalid: InvalidPath) -> Reason {
    match invalid.fault {
        PathFault::Extension(extension) => Reason::Extension(extension),
        fault => Reason::Name(fault),
    }
}

/// The liveries of which nothing but the game's placeholder files could travel. What else lies there
/// does not count: who got the rest would take it for a placeholder.
fn placeholder_liveries(files: &[Chosen]) -> BTreeSet<String> {
    let mut liveries: BTreeMap<&str, bool> = BTreeMap::new();
    for file in files {
        if let Some((livery, rest)) = file.path.key().as_str().split_once('/') {
            *liveries.entry(livery).or_insert(true) &= is_placeholder_name(rest);
        }
    }
    let only = liveries.into_iter().filter(|(_, only)| *only);
    only.map(|(livery, _)| livery.to_owned()).collect()
}

fn is_placeholder_name(name: &str) -> bool {
    PLACEHOLDER_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The picture that `path` would be the game's cache of, were it beside it.
#[must_use]
pub fn cached_picture(path: &RelPath, rules: &Rules) -> Option<RelPath> {
    let named = |stem: &&str| path.stem().eq_ignore_ascii_case(stem);
    if !path.extension().eq_ignore_ascii_case("dds") || !CACHE_STEMS.iter().any(named) {
        return None;
    }
    let stem = path.stem().split_once('_').map_or(path.stem(), |(stem, _)| stem);
    path.with_file_name(&format!("{stem}.png"), &rules.extensions).ok()
}

/// The caches that the game may have made from the picture `path`; none for other files.
#[must_use]
pub fn caches_of(path: &RelPath) -> Vec<PathKey> {
    if !path.extension().eq_ignore_ascii_case("png") {
        return Vec::new();
    }
    let stem = path.stem().to_ascii_lowercase();
    let caches = CACHE_STEMS
        .iter()
        .filter(|cache| cache.strip_suffix("_0").or(cache.strip_suffix("_1")) == Some(&stem));
    let any = Extensions::default();
    caches
        .filter_map(|cache| path.with_file_name(&format!("{cache}.dds"), &any).ok())
        .map(|cache| cache.key().clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAMP: Stamp = Stamp { size: 1, mtime: UnixTime::from_nanos(0) };

    #[track_caller]
    fn check(files: &[&str], rules: &Rules, published: &[&str]) -> Selection {
        let listed: Vec<_> = files
            .iter()
            .map(|path| Listed { path: (*path).to_owned(), kind: Kind::File(STAMP), mark: 0 })
            .collect();
        let selection = select(&listed, rules);
        let got: Vec<_> = selection.publish.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(got, published);
        assert_eq!(selection.publish.len() + selection.skipped.len(), files.len());
        selection
    }

    #[test]
    fn the_games_cache_stays_at_home() {
        let files = ["T/decals.png", "T/decals_0.dds", "T/decals_1.dds", "T/SPONSORS_0.DDS"];
        let selection = check(&files, &Rules::default(), &["T/decals.png", "T/SPONSORS_0.DDS"]);
        assert!(
            matches!(&selection.skipped[0].reason, Reason::Cache(png) if png.as_str() == "T/decals.png")
        );
    }

    #[test]
    fn caches_travel_where_their_owner_asks_for_it() {
        let rules = Rules { derived_dds: true, ..Rules::default() };
        check(&["T/decals.png", "T/decals_0.dds"], &rules, &["T/decals.png", "T/decals_0.dds"]);
    }

    #[test]
    fn a_placeholder_stays_at_home() {
        let selection = check(&["T/decals.json", "T/sponsors.json"], &Rules::default(), &[]);
        assert_eq!(selection.skipped[0].reason, Reason::Placeholder);
        check(
            &["T/decals.json", "T/decals.png", "U/x/decals.json"],
            &Rules::default(),
            &["T/decals.json", "T/decals.png", "U/x/decals.json"],
        );
    }

    #[test]
    fn what_does_not_travel_makes_no_livery_of_a_placeholder() {
        check(&["T/decals.json", "T/notes.exe"], &Rules::default(), &[]);
        check(
            &["T/decals.json", "t/decals.png"],
            &Rules::default(),
            &["T/decals.json", "t/decals.png"],
        );
    }

    #[test]
    fn one_of_two_spellings_is_named_and_left_out() {
        let selection =
            check(&["T/A.png", "T/a.png", "t/b.png"], &Rules::default(), &["T/A.png", "t/b.png"]);
        assert!(matches!(selection.skipped[0].reason, Reason::Collision(_)));
    }

    #[test]
    fn foreign_extensions_are_named() {
        let selection = check(&["T/a.exe", "T/a.png"], &Rules::default(), &["T/a.png"]);
        assert_eq!(selection.skipped[0].reason, Reason::Extension("exe".into()));
    }

    #[test]
    fn a_picture_knows_its_caches() {
        let path = RelPath::parse("T/Decals.PNG", &Extensions::default()).unwrap();
        let keys = caches_of(&path);
        assert_eq!(
            keys.iter().map(PathKey::as_str).collect::<Vec<_>>(),
            ["t/decals_0.dds", "t/decals_1.dds"]
        );
    }
}

//! What of a folder is a livery's own and travels, and what stays at home, with the reason.
//!
//! Three things are left out although their names are fine: the cache that the game builds from a
//! PNG, the folder that the game leaves where it met a livery without having it, and extensions
//! that are not on the list. Nothing is left out silently.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Serialize, Serializer, ser::SerializeStruct as _};

use crate::{
    path::{Extensions, InvalidPath, PathFault, PathKey, RelPath, first_component, fold},
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
    pub change_tag: u64,
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
    /// The driver ignores its livery.
    #[error("its livery is ignored on this PC")]
    Ignored,
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
            Self::Ignored => "ignored",
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
    /// See [`Listed::change_tag`].
    pub change_tag: u64,
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
    select_of(listed.iter().collect(), rules)
}

fn select_of(mut ordered: Vec<&Listed>, rules: &Rules) -> Selection {
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

    let names = pictures_that_count(&candidates, rules);
    for file in candidates {
        let path = file.path.clone();
        if let Err(reason) = publish(file, rules, &names, &mut result.publish) {
            result.skipped.push(Skipped { path: path.as_str().to_owned(), reason });
        }
    }
    result
}

/// What [`select`] decides, found sooner where most of the folder is known already: `known` are files whose
/// paths were checked under the same rules, and that could all lie below one root.
///
/// A livery in which nothing but known files lies is taken as a whole, since nothing could be left out of it:
/// each path has been checked, no two of them collide, and what else the choice looks at is looked at here. A
/// livery in which anything else lies goes through the choice as a whole. Nothing that is left out, and
/// nothing that leaves out another, reaches beyond one livery: names collide only below the same first
/// component, and caches and placeholders have theirs beside them.
pub(crate) fn select_knowing<T: Located>(
    listed: &[Listed],
    known: &PathMap<T>,
    rules: &Rules,
) -> Selection {
    // Only then is there a limit that all of the folder shares.
    if listed.len() > rules.entries_max {
        return select(listed, rules);
    }
    let (mut familiar, mut liveries) = familiar(listed, known, rules);
    for files in familiar.chunk_by(same_livery) {
        if may_stay_at_home(files, rules) {
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

/// The known files that the walk has met, in the order of their keys, and the liveries in which it has met
/// anything else.
fn familiar<T: Located>(
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

/// What the paths of one livery share, for a path that may break the rule.
fn livery_of(path: &str) -> String {
    fold(first_component(path))
}

fn same_livery(a: &Chosen, b: &Chosen) -> bool {
    a.path.key().livery() == b.path.key().livery()
}

/// Whether anything of a livery could be left out for what lies beside it.
fn may_stay_at_home(files: &[Chosen], rules: &Rules) -> bool {
    let is_cache = |file: &Chosen| has_name_of_cache(&file.path);
    !rules.derived_dds && files.iter().any(is_cache)
        || !rules.placeholders && files.iter().all(|file| is_placeholder(&file.path))
}

/// The names by which it is told whether a cache has its picture; none where nothing could be a cache.
fn pictures_that_count(candidates: &[Chosen], rules: &Rules) -> BTreeSet<PathKey> {
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
    Ok(Chosen { path, stamp, change_tag: item.change_tag })
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
    // Files of one livery mostly follow each other: one look-up for all of them.
    for files in files.chunk_by(same_livery) {
        let mut in_folder =
            files.iter().filter_map(|file| file.path.key().as_str().split_once('/'));
        if let Some((livery, first)) = in_folder.next() {
            let only =
                is_placeholder_name(first) && in_folder.all(|(_, rest)| is_placeholder_name(rest));
            *liveries.entry(livery).or_insert(true) &= only;
        }
    }
    let only = liveries.into_iter().filter(|(_, only)| *only);
    only.map(|(livery, _)| livery.to_owned()).collect()
}

/// Whether `path` is one of those that a placeholder consists of.
pub(crate) fn is_placeholder(path: &RelPath) -> bool {
    path.key().as_str().split_once('/').is_some_and(|(_, name)| is_placeholder_name(name))
}

fn is_placeholder_name(name: &str) -> bool {
    PLACEHOLDER_NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn has_name_of_cache(path: &RelPath) -> bool {
    let named = |stem: &&str| path.stem().eq_ignore_ascii_case(stem);
    path.extension().eq_ignore_ascii_case("dds") && CACHE_STEMS.iter().any(named)
}

/// The picture that `path` would be the game's cache of, were it beside it.
#[must_use]
pub fn cached_picture(path: &RelPath, extensions: &Extensions) -> Option<RelPath> {
    if !has_name_of_cache(path) {
        return None;
    }
    let stem = path.stem().split_once('_').map_or(path.stem(), |(stem, _)| stem);
    path.with_file_name(&format!("{stem}.png"), extensions).ok()
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

/// Decides which files that the game has made become stale when other files arrive: caches of pictures that arrive, and
/// the placeholder of a livery that was not on this PC before.
#[derive(Debug)]
pub(crate) struct StaleFiles<'a> {
    arriving: BTreeSet<&'a str>,
    caches: BTreeSet<PathKey>,
    liveries: BTreeSet<&'a str>,
}

impl<'a> StaleFiles<'a> {
    /// Makes the rule for files that arrive together. `is_livery` says whether a file is part of a livery, so that the
    /// placeholder beside it has done its work.
    pub(crate) fn beside(arriving: &'a [RelPath], is_livery: impl Fn(&RelPath) -> bool) -> Self {
        let of_liveries = arriving.iter().filter(|path| is_livery(path));
        Self {
            arriving: arriving.iter().map(|path| path.key().as_str()).collect(),
            caches: arriving.iter().flat_map(caches_of).collect(),
            liveries: of_liveries.map(|path| path.key().livery()).collect(),
        }
    }

    /// The liveries whose placeholders become stale.
    pub(crate) fn liveries(&self) -> impl Iterator<Item = &'a str> {
        self.liveries.iter().copied()
    }

    /// Whether the file with this key becomes stale. `is_placeholder` says whether it is part of a placeholder.
    pub(crate) fn is_stale(&self, key: &str, is_placeholder: bool) -> bool {
        let was_placeholder = is_placeholder && self.liveries.contains(first_component(key));
        (was_placeholder || self.caches.contains(key)) && !self.arriving.contains(key)
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::subsequence};

    use super::*;

    const STAMP: Stamp = Stamp { size: 1, mtime: UnixTime::from_nanos(0) };

    #[track_caller]
    fn check(files: &[&str], rules: &Rules, published: &[&str]) -> Selection {
        let listed: Vec<_> = files
            .iter()
            .map(|path| Listed { path: (*path).to_owned(), kind: Kind::File(STAMP), change_tag: 0 })
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

    /// Liveries and loose files whose names meet in every way that the choice knows of.
    fn things() -> Vec<Listed> {
        let names = [
            "decals.png",
            "DECALS.json",
            "decals.json",
            "sponsors.json",
            "decals_0.dds",
            "Sponsors_1.DDS",
            "sponsors.png",
            "a.exe",
            "aux.png",
            "x/decals.json",
            "decals.png/x.png",
        ];
        let livery = |livery: &'static str| names.map(|name| format!("{livery}/{name}"));
        let loose = ["t", "v.png", "V.PNG", "u", "decals.json", "bad\u{202e}.png"];
        let paths = ["T", "t", "v.png", "\u{c9}", "e\u{301}"].map(livery).concat();
        let paths = paths.into_iter().chain(loose.map(str::to_owned));
        let size = |path: &str| if path.ends_with("a.png") { 1_000 } else { 10 };
        let kind = |path: &str| Kind::File(Stamp { size: size(path), ..STAMP });
        paths.map(|path| Listed { kind: kind(&path), path, change_tag: 1 }).collect()
    }

    fn folder() -> impl Strategy<Value = Vec<Listed>> {
        let all = things();
        let (count, last) = (all.len(), all.len() - 1);
        let edits = prop::collection::vec((0..=last, 0..5_u64), 0..3);
        (subsequence(all, 0..=count), edits).prop_map(|(mut folder, mut edits)| {
            // What is listed twice is the same both times.
            edits.sort_unstable_by_key(|(_, edit)| *edit);
            for (at, edit) in edits {
                let Some(item) = folder.get_mut(at) else { continue };
                match edit {
                    0 => item.kind = Kind::Link,
                    1 => item.kind = Kind::File(Stamp { size: 1_000, ..STAMP }),
                    2 => item.change_tag = 7,
                    3 => item.kind = Kind::File(Stamp { size: 11, ..STAMP }),
                    _ => {
                        let twice = item.clone();
                        folder.push(twice);
                    }
                }
            }
            folder
        })
    }

    fn rules() -> impl Strategy<Value = Rules> {
        let entries_max = prop_oneof![3 => Just(50_000_usize), 1 => 0..60_usize];
        (any::<bool>(), any::<bool>(), entries_max).prop_map(
            |(derived_dds, placeholders, entries_max)| {
                let other = Rules { file_bytes_max: 100, ..Rules::default() };
                Rules { derived_dds, placeholders, entries_max, ..other }
            },
        )
    }

    /// A folder in which little has changed since `known` was all there was.
    fn near(known: &PathMap<Chosen>, other: Vec<Listed>) -> Vec<Listed> {
        let is_new = |item: &Listed| known.iter().all(|file| file.path.as_str() != item.path);
        let news: Vec<_> = other.into_iter().filter(is_new).take(3).collect();
        let met = |file: &Chosen| Listed {
            path: file.path.as_str().to_owned(),
            kind: Kind::File(file.stamp),
            change_tag: file.change_tag,
        };
        known.iter().map(met).chain(news).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn what_is_known_changes_nothing_but_the_time_it_takes(
            before in subsequence(things(), 0..=things().len()),
            is_near in any::<bool>(),
            (folder, rules) in (folder(), rules()),
        ) {
            let mut known = PathMap::default();
            for item in &before {
                if let Ok(file) = candidate(item, &rules) {
                    let _fits = known.insert(file);
                }
            }
            let mut listed = if is_near { near(&known, folder) } else { folder };
            let chosen = select(&listed, &rules);
            prop_assert_eq!(&select_knowing(&listed, &known, &rules), &chosen);
            listed.reverse();
            prop_assert_eq!(&select_knowing(&listed, &known, &rules), &chosen);
            prop_assert_eq!(&select_knowing(&listed, &chosen.publish, &rules), &chosen);
        }
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

//! Rivals: who keeps a name, and what the others are called.
//!
//! Everything here is a plain function of its arguments. That makes the union a function of the
//! events in order: replaying them gives the same names.

use std::{borrow::Cow, cmp::Reverse};

use crate::{
    hash::{Content, ContentHash},
    manifest::{Entry, Manifest},
    path::{Extensions, InvalidPath, PathKey, RelPath, fold},
    time::UnixTime,
};

/// What stands between a name and the digits of a conflict name, unless the league sets another.
pub const CONFLICT_SUFFIX: &str = "__CONFLICT__";

/// Hex digits of the digest in a conflict name.
const DIGITS: usize = 8;

/// Longest file name in bytes and in UTF-16 units, as in the path rule.
const NAME_MAX: usize = 255;

/// Who keeps a name when several contents claim it in one step. An established content always keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// The first to be accepted; between equals the lowest SHA-256.
    #[default]
    Established,
    /// The lowest SHA-256, as the first Python server had it.
    LowestHash,
    /// The newest modification time, as the later Python server had it; between equals the first to be accepted.
    NewestMtime,
}

impl Policy {
    /// Every policy with the word that options and files use for it.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("established", Self::Established),
        ("lowest-hash", Self::LowestHash),
        ("newest-mtime", Self::NewestMtime),
    ];
}

/// One content's claim to a name: all that a policy may look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The content.
    pub hash: ContentHash,
    /// Its modification time; `None` counts as the oldest.
    pub mtime: Option<UnixTime>,
    /// When its manifest was accepted: lower is earlier.
    pub arrival: u64,
}

impl Claim {
    /// Whether this claim goes before `other` under `policy`.
    #[must_use]
    pub fn beats(&self, other: &Self, policy: Policy) -> bool {
        let newest = |claim: &Self| Reverse(claim.mtime);
        match policy {
            Policy::Established => (self.arrival, self.hash) < (other.arrival, other.hash),
            Policy::LowestHash => self.hash < other.hash,
            Policy::NewestMtime => {
                (newest(self), self.arrival, self.hash) < (newest(other), other.arrival, other.hash)
            }
        }
    }
}

/// What gets a conflict name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// A file that is a rival: it goes beside what is established.
    #[default]
    File,
    /// All of a livery of which a file is a rival, or whose member has no part in the one that has its name: it goes
    /// into a folder of its own, whole, so that two liveries are not mixed. A loose file is a livery by itself.
    Livery,
}

impl Scope {
    /// Every scope with the word that options and files use for it.
    pub const WORDS: [(&'static str, Self); 2] = [("file", Self::File), ("livery", Self::Livery)];
}

/// How conflict names are made in a league.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// Text between the name and the digits of a new conflict name.
    pub suffix: String,
    /// Suffixes that the league used before. Conflict copies that have one are still recognized.
    pub former_suffixes: Vec<String>,
    /// The extensions that the resulting path is checked against.
    pub extensions: Extensions,
    /// What gets such a name.
    pub scope: Scope,
}

impl Naming {
    /// Makes names with `suffix` between stem and digits.
    ///
    /// # Errors
    ///
    /// Refuses one that is empty, longer than 64 bytes, or may not stand in a file name.
    pub fn new(suffix: &str, extensions: Extensions) -> Result<Self, InvalidSuffix> {
        let example = format!("a/decals{suffix}00000000.png");
        let fits = (1..=SUFFIX_BYTES_MAX).contains(&suffix.len())
            && !suffix.contains('/')
            && RelPath::parse(&example, &Extensions::default()).is_ok();
        if !fits {
            return Err(InvalidSuffix);
        }
        let suffix = suffix.to_owned();
        Ok(Self { suffix, extensions, ..Self::default() })
    }

    /// The same with another scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Uses another suffix for new conflict names, and still recognizes the ones used so far.
    ///
    /// # Errors
    ///
    /// As [`Naming::new`].
    pub fn change_suffix(&mut self, suffix: &str) -> Result<(), InvalidSuffix> {
        let suffix = Self::new(suffix, Extensions::default())?.suffix;
        let former = std::mem::replace(&mut self.suffix, suffix);
        self.former_suffixes.push(former);
        self.former_suffixes.retain(|former| *former != self.suffix);
        self.former_suffixes.dedup();
        Ok(())
    }

    /// Returns the same naming for names in one case, as keys have them.
    #[must_use]
    pub fn folded(&self) -> Self {
        let former_suffixes = self.former_suffixes.iter().map(|suffix| fold(suffix)).collect();
        Self { suffix: fold(&self.suffix), former_suffixes, ..self.clone() }
    }

    /// Returns every text with which the key of a conflict folder of `livery` may begin, in order. None of them begins
    /// with another one.
    pub(crate) fn folder_prefixes(&self, livery: &str) -> Vec<String> {
        let folded = self.folded();
        let mut prefixes: Vec<_> =
            folded.suffixes().map(|suffix| format!("{livery}{suffix}")).collect();
        prefixes.sort();
        prefixes.dedup_by(|longer, shorter| longer.starts_with(&*shorter));
        prefixes
    }

    fn suffixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.suffix).chain(&self.former_suffixes).map(String::as_str)
    }
}

/// A text that cannot mark conflict copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a conflict suffix is 1 to {SUFFIX_BYTES_MAX} bytes that may stand in a file name")]
pub struct InvalidSuffix;

/// Longest suffix, in bytes: it has to leave room for the name.
const SUFFIX_BYTES_MAX: usize = 64;

impl Default for Naming {
    fn default() -> Self {
        Self {
            suffix: CONFLICT_SUFFIX.to_owned(),
            former_suffixes: Vec::new(),
            extensions: Extensions::default(),
            scope: Scope::default(),
        }
    }
}

/// Names the rival `hash` of `path`: `<stem>__CONFLICT__<first 8 hex digits>.<extension>`, then the
/// same with `_1`, `_2`... after the digits while `taken` says that the name has another content.
///
/// A conflict name is never named again: what follows its stem is replaced. A stem that would make
/// the name too long loses its end.
///
/// # Errors
///
/// Fails where the folder leaves no room for any name (the path rule's limits), which a league
/// meets only with paths of more than a thousand bytes.
pub fn conflict_name(
    path: &RelPath,
    hash: ContentHash,
    naming: &Naming,
    mut taken: impl FnMut(&RelPath) -> bool,
) -> Result<RelPath, InvalidPath> {
    let stem = plain_stem(path.stem(), naming);
    let mut number = 0_u32;
    loop {
        let counter = if number == 0 { String::new() } else { format!("_{number}") };
        let tail = format!("{}{}{counter}.{}", naming.suffix, hash.short(), path.extension());
        let room = path.folder().map_or(1024, |folder| 1023_usize.saturating_sub(folder.len()));
        let stem = shorten(stem, NAME_MAX.min(room).saturating_sub(tail.len()));
        let name = path.with_file_name(&format!("{stem}{tail}"), &naming.extensions)?;
        if !taken(&name) {
            return Ok(name);
        }
        number += 1;
    }
}

/// Names the folder for a rival livery: `<livery>__CONFLICT__<first 8 hex digits>`, then the same with `_1`, `_2`...
/// after the digits while `taken` says that the folder has something else. `hash` is that of the livery's manifest.
///
/// As with files, a conflict name is never named again, and one that would be too long loses its end.
#[must_use]
pub fn conflict_folder(
    livery: &str,
    hash: ContentHash,
    naming: &Naming,
    mut taken: impl FnMut(&str) -> bool,
) -> String {
    let plain = plain_stem(livery, naming);
    let mut number = 0_u32;
    loop {
        let counter = if number == 0 { String::new() } else { format!("_{number}") };
        let tail = format!("{}{}{counter}", naming.suffix, hash.short());
        let name = format!("{}{tail}", shorten(plain, NAME_MAX.saturating_sub(tail.len())));
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// The hash of a livery's manifest, whatever the livery is called: that of its files below its folder, whose key is `livery`.
#[must_use]
pub fn livery_hash<'a>(
    livery: &str,
    files: impl IntoIterator<Item = (&'a PathKey, Content)>,
    extensions: &Extensions,
) -> ContentHash {
    let mut manifest = Manifest::new();
    for (key, content) in files {
        let rest = key.as_str().get(livery.len() + 1..).unwrap_or_default();
        if let Ok(path) = RelPath::parse(rest, extensions) {
            // They lie together below one folder.
            let _fits = manifest.insert(Entry { path, content, mtime: None });
        }
    }
    manifest.hash()
}

/// Whether a path is a conflict name, or lies in a folder with one.
#[must_use]
pub fn is_conflict_name(path: &RelPath, naming: &Naming) -> bool {
    let livery = path.livery();
    let is_named = |name: &str| plain_stem(name, naming).len() < name.len();
    is_named(path.stem()) || path.folder().is_some() && is_named(livery)
}

/// The path that a file of a rival livery has in the livery whose name that one claims; `None` for a path in any other
/// folder.
#[must_use]
pub fn in_claimed_livery(path: &RelPath, naming: &Naming) -> Option<RelPath> {
    let livery = path.livery();
    let plain = plain_stem(livery, naming);
    let rest = path.as_str().get(livery.len()..).filter(|rest| !rest.is_empty())?;
    let claimed = || RelPath::parse(&format!("{plain}{rest}"), &naming.extensions).ok();
    if plain.len() < livery.len() { claimed() } else { None }
}

/// The stem that a conflict name was made from; any other stem as it is.
#[must_use]
pub fn plain_stem<'a>(stem: &'a str, naming: &Naming) -> &'a str {
    match split_mark(stem, naming) {
        Some((plain, _)) => plain_stem(plain, naming),
        None => stem,
    }
}

/// Splits a stem that ends as a conflict name does into what comes before that ending, and the digits.
fn split_mark<'a>(stem: &'a str, naming: &Naming) -> Option<(&'a str, &'a str)> {
    naming.suffixes().find_map(|suffix| {
        let (plain, tail) = stem.rsplit_once(suffix)?;
        let (digits, counter) = tail.split_at_checked(DIGITS)?;
        let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let counted = counter.is_empty() || counter.strip_prefix('_').is_some_and(is_number);
        let named = !plain.is_empty() && counted && digits.bytes().all(|b| b.is_ascii_hexdigit());
        named.then_some((plain, digits))
    })
}

/// The livery, a folder or a loose file, that a conflict name was made from; any other name as it is.
#[must_use]
pub fn plain_livery<'a>(livery: &'a str, naming: &Naming) -> Cow<'a, str> {
    let plain = plain_stem(livery, naming);
    if plain.len() < livery.len() {
        return Cow::Borrowed(plain);
    }
    match livery.rsplit_once('.') {
        Some((stem, extension)) if plain_stem(stem, naming).len() < stem.len() => {
            Cow::Owned(format!("{}.{extension}", plain_stem(stem, naming)))
        }
        _ => Cow::Borrowed(livery),
    }
}

/// The plain path and the digest's first digits of a conflict name; `None` for any other path.
#[must_use]
pub fn parse_conflict_name(path: &RelPath, naming: &Naming) -> Option<(RelPath, String)> {
    let digits = split_mark(path.stem(), naming)?.1.to_ascii_lowercase();
    let stem = plain_stem(path.stem(), naming);
    let plain =
        path.with_file_name(&format!("{stem}.{}", path.extension()), &naming.extensions).ok()?;
    Some((plain, digits))
}

/// The longest beginning of `stem` that has at most `bytes` bytes; UTF-16 never needs more units.
fn shorten(stem: &str, bytes: usize) -> &str {
    &stem[..stem.floor_char_boundary(bytes.min(stem.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn path(text: &str) -> RelPath {
        RelPath::parse(text, &Extensions::default()).unwrap()
    }

    fn name(text: &str, taken: &[&str]) -> String {
        let taken = |name: &RelPath| taken.contains(&name.as_str());
        conflict_name(&path(text), HASH.parse().unwrap(), &Naming::default(), taken)
            .unwrap()
            .as_str()
            .to_owned()
    }

    #[test]
    fn the_seeds_name() {
        assert_eq!(name("T/decals.png", &[]), "T/decals__CONFLICT__ba7816bf.png");
        assert_eq!(name("a.b.json", &[]), "a.b__CONFLICT__ba7816bf.json");
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let taken = ["T/d__CONFLICT__ba7816bf.png", "T/d__CONFLICT__ba7816bf_1.png"];
        assert_eq!(name("T/d.png", &taken), "T/d__CONFLICT__ba7816bf_2.png");
    }

    #[test]
    fn a_conflict_copy_is_not_renamed_again() {
        for again in [
            "T/d__CONFLICT__00000000.png",
            "T/d__CONFLICT__00000000_12.png",
            "T/d__CONFLICT__00000000__CONFLICT__11111111.png",
        ] {
            assert_eq!(name(again, &[]), "T/d__CONFLICT__ba7816bf.png", "{again}");
        }
    }

    #[test]
    fn what_only_looks_like_a_conflict_copy_keeps_its_stem() {
        for stem in [
            "__CONFLICT__00000000",
            "d__CONFLICT__",
            "d__CONFLICT__0000",
            "d__CONFLICT__0000000g",
            "d__CONFLICT__00000000_",
            "d__CONFLICT__00000000_x",
            "d__CONFLICT__00000000é",
        ] {
            assert_eq!(plain_stem(stem, &Naming::default()), stem);
        }
    }

    #[test]
    fn a_suffix_may_stand_in_a_file_name() {
        for (suffix, fits) in
            [("~~", true), ("é", true), ("", false), ("/", false), ("?", false), ("a\\b", false)]
        {
            assert_eq!(Naming::new(suffix, Extensions::default()).is_ok(), fits, "{suffix:?}");
        }
        assert!(Naming::new(&"x".repeat(65), Extensions::default()).is_err());
    }

    #[test]
    fn a_long_stem_loses_its_end() {
        let long = format!("T/{}.png", "é".repeat(120));
        let named = name(&long, &[]);
        assert!(named.ends_with("é__CONFLICT__ba7816bf.png"));
        assert!(named.len() <= 257);
    }

    #[test]
    fn a_conflict_name_tells_its_plain_path() {
        let (plain, digits) =
            parse_conflict_name(&path("T/d__CONFLICT__BA7816BF_3.png"), &Naming::default())
                .unwrap();
        assert_eq!((plain.as_str(), digits.as_str()), ("T/d.png", "ba7816bf"));
        assert_eq!(parse_conflict_name(&path("T/d.png"), &Naming::default()), None);
    }

    #[test]
    fn a_rival_livery_has_a_folder() {
        let folder = |livery: &str, taken: &[&str]| {
            let taken = |name: &str| taken.contains(&name);
            conflict_folder(livery, HASH.parse().unwrap(), &Naming::default(), taken)
        };
        assert_eq!(folder("Team A", &[]), "Team A__CONFLICT__ba7816bf");
        assert_eq!(folder("T__CONFLICT__00000000", &[]), "T__CONFLICT__ba7816bf");
        assert_eq!(folder("T", &["T__CONFLICT__ba7816bf"]), "T__CONFLICT__ba7816bf_1");
        let long = folder(&"é".repeat(120), &[]);
        assert!(long.ends_with("é__CONFLICT__ba7816bf") && long.len() <= 255);
    }

    #[test]
    fn a_file_of_a_rival_livery_claims_a_path() {
        for (rival, claimed) in [
            ("T__CONFLICT__ba7816bf_2/sub/d.png", Some("T/sub/d.png")),
            (
                "T__CONFLICT__ba7816bf/d__CONFLICT__00000000.png",
                Some("T/d__CONFLICT__00000000.png"),
            ),
            ("d__CONFLICT__ba7816bf.png", None),
            ("T/d__CONFLICT__ba7816bf.png", None),
            ("T__CONFLICT__/d.png", None),
        ] {
            let found = in_claimed_livery(&path(rival), &Naming::default());
            assert_eq!(found.as_ref().map(RelPath::as_str), claimed, "{rival}");
        }
    }

    #[test]
    fn a_conflict_name_is_known_by_its_file_or_its_folder() {
        for (name, expected) in [
            ("T__CONFLICT__ba7816bf_2/sub/d.png", true),
            ("T/d__CONFLICT__ba7816bf.png", true),
            ("d__CONFLICT__ba7816bf.png", true),
            ("T__CONFLICT__/d.png", false),
            ("T/sub__CONFLICT__ba7816bf/d.png", false),
        ] {
            assert_eq!(is_conflict_name(&path(name), &Naming::default()), expected, "{name}");
        }
    }

    #[test]
    fn each_policy_has_its_winner() {
        let claim = |first: u8, mtime, arrival| Claim {
            hash: ContentHash::from_bytes([first; 32]),
            mtime: Some(UnixTime::from_nanos(mtime)),
            arrival,
        };
        let (early, low, new) = (claim(3, 1, 1), claim(1, 2, 2), claim(2, 3, 3));
        for (policy, winner) in
            [(Policy::Established, early), (Policy::LowestHash, low), (Policy::NewestMtime, new)]
        {
            for loser in [early, low, new].into_iter().filter(|claim| *claim != winner) {
                assert!(winner.beats(&loser, policy), "{policy:?}");
                assert!(!loser.beats(&winner, policy), "{policy:?}");
            }
        }
    }

    #[test]
    fn a_conflict_name_with_a_former_suffix_is_recognized_and_replaced_by_the_present_one() {
        let mut naming = Naming::default();
        naming.change_suffix("__C__").unwrap();
        naming.change_suffix("_X_").unwrap();
        for old in ["T/d__CONFLICT__00000000.png", "T/d__C__00000000_1.png", "T/d_X_00000000.png"] {
            let old = path(old);
            assert!(is_conflict_name(&old, &naming), "{old}");
            let (plain, digits) = parse_conflict_name(&old, &naming).unwrap();
            assert_eq!((plain.as_str(), &*digits), ("T/d.png", "00000000"), "{old}");
            let new = conflict_name(&old, HASH.parse().unwrap(), &naming, |_| false).unwrap();
            assert_eq!(new.as_str(), "T/d_X_ba7816bf.png", "{old}");
        }
    }

    #[test]
    fn a_suffix_that_is_used_again_is_a_former_one_no_longer() {
        let mut naming = Naming::default();
        naming.change_suffix("__C__").unwrap();
        naming.change_suffix(CONFLICT_SUFFIX).unwrap();
        assert_eq!(naming.former_suffixes, ["__C__"]);
        assert_eq!(naming.change_suffix("a/b"), Err(InvalidSuffix));
        assert_eq!(naming.suffix, CONFLICT_SUFFIX);
    }

    #[test]
    fn each_conflict_folder_is_found_by_one_prefix() {
        let mut naming = Naming::default();
        naming.change_suffix("__CONFLICT").unwrap();
        naming.change_suffix("_X_").unwrap();
        assert_eq!(naming.folder_prefixes("t"), ["t__conflict", "t_x_"]);
    }
}

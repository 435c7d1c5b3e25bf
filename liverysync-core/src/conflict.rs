//! Conflicts: which content keeps a name, and the conflict names of the others.
//!
//! Every function here depends on its arguments alone, so replaying the same steps gives the same names.

use std::{borrow::Cow, cmp::Reverse};

use crate::{
    hash::{Content, ContentHash, SHORT_DIGITS},
    manifest::{Entry, Manifest},
    path::{COMPONENT_BYTES_MAX, Extensions, InvalidPath, PATH_BYTES_MAX, PathKey, RelPath, fold},
    text::InvalidText,
    time::UnixTime,
};

/// The default text between the plain name and the digits of a conflict name.
const CONFLICT_SUFFIX: &str = "__CONFLICT__";

/// The rule that picks the content that gets a name if several claim it in one step. An established content always keeps
/// its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The content that was accepted first; of several, the one with the lowest SHA-256.
    #[default]
    Established,
    /// The content with the lowest SHA-256, as in the first Python server.
    LowestHash,
    /// The content with the newest modification time, as in the later Python server; of several, the one accepted first.
    NewestMtime,
}

impl Policy {
    /// Every policy with its word in options and files.
    pub const WORDS: [(&'static str, Self); 3] = [
        ("established", Self::Established),
        ("lowest-hash", Self::LowestHash),
        ("newest-mtime", Self::NewestMtime),
    ];
}

/// A content's claim to a name: everything that a policy may consider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[doc(hidden)]
pub struct Claim {
    /// The content.
    pub hash: ContentHash,
    /// Its modification time; `None` counts as the oldest.
    pub mtime: Option<UnixTime>,
    /// Number of its manifest in the order of acceptance.
    pub arrival: u64,
}

impl Claim {
    /// Returns true if `policy` prefers this claim to `other`.
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

/// The extent of a conflict copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scope {
    /// One file: it is kept beside the established one.
    #[default]
    File,
    /// A whole livery: if one of its files is in conflict, or its member has no part in the livery of that name, all of it is
    /// kept in a conflict folder, so that two liveries are not mixed. A loose file is a livery by itself.
    Livery,
}

impl Scope {
    /// Every scope with its word in options and files.
    pub const WORDS: [(&'static str, Self); 2] = [("file", Self::File), ("livery", Self::Livery)];
}

/// The league's rules for conflict names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Naming {
    /// Text between the name and the digits of a new conflict name.
    pub suffix: String,
    /// Suffixes that the league used before. Conflict copies that have one are still recognized.
    pub former_suffixes: Vec<String>,
    /// The extensions that conflict names may have.
    pub extensions: Extensions,
    /// The extent of a conflict copy.
    pub scope: Scope,
}

impl Naming {
    /// Creates rules with this suffix, for the scope [`Scope::File`].
    ///
    /// # Errors
    ///
    /// Refuses a suffix that is empty, longer than 64 bytes, or not allowed in a file name.
    pub fn new(suffix: &str, extensions: Extensions) -> Result<Self, InvalidText> {
        let example = format!("a/decals{suffix}00000000.png");
        let fits = (1..=SUFFIX_BYTES_MAX).contains(&suffix.len())
            && !suffix.contains('/')
            && RelPath::parse(&example, &Extensions::default()).is_ok();
        if !fits {
            return Err(invalid_suffix());
        }
        let suffix = suffix.to_owned();
        Ok(Self { suffix, extensions, ..Self::default() })
    }

    /// Sets the extensions that conflict names may have.
    #[must_use]
    pub fn with_extensions(mut self, extensions: Extensions) -> Self {
        self.extensions = extensions;
        self
    }

    /// Sets the scope.
    #[must_use]
    pub const fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Uses another suffix for new conflict names, and still recognizes the ones used so far.
    ///
    /// # Errors
    ///
    /// Fails where [`Naming::new`] does.
    pub fn change_suffix(&mut self, suffix: &str) -> Result<(), InvalidText> {
        let suffix = Self::new(suffix, Extensions::default())?.suffix;
        let former = std::mem::replace(&mut self.suffix, suffix);
        self.former_suffixes.push(former);
        self.former_suffixes.retain(|former| *former != self.suffix);
        self.former_suffixes.dedup();
        Ok(())
    }

    /// Returns the conflict name of the content `hash` at `path`: `<stem>__CONFLICT__<first 8 hex digits>.<extension>`, with
    /// `_1`, `_2`... after the digits while `taken` says that another content has the name.
    ///
    /// A conflict name does not get a second suffix: its old one is replaced. A stem that would make the name too long is cut at
    /// its end.
    ///
    /// # Errors
    ///
    /// Fails if the folder's path is so long that no name fits, which takes more than a thousand bytes.
    pub fn conflict_name(
        &self,
        path: &RelPath,
        hash: ContentHash,
        mut taken: impl FnMut(&RelPath) -> bool,
    ) -> Result<RelPath, InvalidPath> {
        let stem = plain_stem(path.stem(), self);
        let mut number = 0_u32;
        loop {
            let counter = if number == 0 { String::new() } else { format!("_{number}") };
            let tail = format!("{}{}{counter}.{}", self.suffix, hash.short(), path.extension());
            let folder = path.folder().map_or(0, |folder| folder.len() + 1);
            let room = PATH_BYTES_MAX.saturating_sub(folder).min(COMPONENT_BYTES_MAX);
            let stem = shorten(stem, room.saturating_sub(tail.len()));
            let name = path.with_file_name(&format!("{stem}{tail}"), &self.extensions)?;
            if !taken(&name) {
                return Ok(name);
            }
            number += 1;
        }
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

/// Returns the error for a text that cannot be a conflict suffix.
pub(crate) fn invalid_suffix() -> InvalidText {
    InvalidText::new(format!(
        "a conflict suffix has 1 to {SUFFIX_BYTES_MAX} bytes, all allowed in a file name"
    ))
}

/// Longest suffix, in bytes. It must leave room for the name.
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

/// Names the files of a livery that gets a conflict name as a whole, in the same order.
///
/// The folder is named as the league spells the livery, with the digits of the livery's [hash](livery_hash). It gets
/// another number while `is_taken` says of any of its files that the name has another content.
///
/// # Errors
///
/// Fails if a name would break the path rule, whatever the folder's number is: a file far down has no room for it.
pub(crate) fn conflict_livery(
    spelled: &str,
    files: &[(&RelPath, Content)],
    naming: &Naming,
    is_taken: impl Fn(&RelPath, Content) -> bool,
) -> Result<Vec<RelPath>, InvalidPath> {
    let livery = fold(spelled);
    let name_in = |folder: &str, path: &RelPath| {
        let below = &path.as_str()[path.livery().len()..];
        RelPath::parse(&format!("{folder}{below}"), &naming.extensions)
    };
    let contents = files.iter().map(|(path, content)| (path.key(), *content));
    let hash = livery_hash(&livery, contents, &naming.extensions);
    let folder = conflict_folder(spelled, hash, naming, |folder| {
        let has_another = |(path, content): &(&RelPath, Content)| {
            name_in(folder, path).is_ok_and(|name| is_taken(&name, *content))
        };
        // A livery that has a conflict name already must not come out under its own name.
        fold(folder) == livery || files.iter().any(has_another)
    });
    files.iter().map(|(path, _)| name_in(&folder, path)).collect()
}

/// Returns the conflict folder of a livery: `<livery>__CONFLICT__<first 8 hex digits>`, with `_1`, `_2`... after the digits
/// while `taken` says that the folder has other contents. `hash` is that of the livery's manifest.
///
/// As with files, an old suffix is replaced, and a name that would be too long is cut.
fn conflict_folder(
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
        let name =
            format!("{}{tail}", shorten(plain, COMPONENT_BYTES_MAX.saturating_sub(tail.len())));
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

/// Returns the hash of a livery's manifest with paths relative to its folder, so that it does not depend on the livery's
/// name. `livery` is the key of the folder.
pub(crate) fn livery_hash<'a>(
    livery: &str,
    files: impl IntoIterator<Item = (&'a PathKey, Content)>,
    extensions: &Extensions,
) -> ContentHash {
    let mut manifest = Manifest::new();
    for (key, content) in files {
        let rest = key.as_str().get(livery.len() + 1..).unwrap_or_default();
        if let Ok(path) = RelPath::parse(rest, extensions) {
            // Files of one folder cannot collide.
            let _fits = manifest.insert(Entry { path, content, mtime: None });
        }
    }
    manifest.hash()
}

/// Returns true if a path is a conflict name, or is in a conflict folder.
#[must_use]
#[doc(hidden)]
pub fn is_conflict_name(path: &RelPath, naming: &Naming) -> bool {
    let livery = path.livery();
    let is_named = |name: &str| plain_stem(name, naming).len() < name.len();
    is_named(path.stem()) || path.folder().is_some() && is_named(livery)
}

/// Returns the plain path that a file in a conflict folder claims; `None` for a path in any other folder.
#[must_use]
#[doc(hidden)]
pub fn in_claimed_livery(path: &RelPath, naming: &Naming) -> Option<RelPath> {
    let livery = path.livery();
    let plain = plain_stem(livery, naming);
    let rest = path.as_str().get(livery.len()..).filter(|rest| !rest.is_empty())?;
    let claimed = || RelPath::parse(&format!("{plain}{rest}"), &naming.extensions).ok();
    if plain.len() < livery.len() { claimed() } else { None }
}

/// Returns the plain stem of a conflict name, and any other stem unchanged.
#[must_use]
#[doc(hidden)]
pub fn plain_stem<'a>(stem: &'a str, naming: &Naming) -> &'a str {
    match split_mark(stem, naming) {
        Some((plain, _)) => plain_stem(plain, naming),
        None => stem,
    }
}

/// Splits the stem of a conflict name into the part before the suffix, and the digits.
fn split_mark<'a>(stem: &'a str, naming: &Naming) -> Option<(&'a str, &'a str)> {
    naming.suffixes().find_map(|suffix| {
        let (plain, tail) = stem.rsplit_once(suffix)?;
        let (digits, counter) = tail.split_at_checked(SHORT_DIGITS)?;
        let is_number = |n: &str| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit());
        let counted = counter.is_empty() || counter.strip_prefix('_').is_some_and(is_number);
        let named = !plain.is_empty() && counted && digits.bytes().all(|b| b.is_ascii_hexdigit());
        named.then_some((plain, digits))
    })
}

/// Returns the plain name of a livery's conflict name, for folders and loose files, and any other name unchanged.
#[must_use]
#[doc(hidden)]
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

/// Returns the plain path of a conflict name, and the first digits of the digest; `None` for any other path.
#[must_use]
#[doc(hidden)]
pub fn parse_conflict_name(path: &RelPath, naming: &Naming) -> Option<(RelPath, String)> {
    let digits = split_mark(path.stem(), naming)?.1.to_ascii_lowercase();
    let stem = plain_stem(path.stem(), naming);
    let plain =
        path.with_file_name(&format!("{stem}.{}", path.extension()), &naming.extensions).ok()?;
    Some((plain, digits))
}

/// Returns the longest start of `stem` with at most `bytes` bytes. UTF-16 never needs more units than that.
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
        Naming::default()
            .conflict_name(&path(text), HASH.parse().unwrap(), taken)
            .unwrap()
            .as_str()
            .to_owned()
    }

    #[test]
    fn a_conflict_name_has_the_suffix_and_eight_digits() {
        assert_eq!(name("T/decals.png", &[]), "T/decals__CONFLICT__ba7816bf.png");
        assert_eq!(name("a.b.json", &[]), "a.b__CONFLICT__ba7816bf.json");
    }

    #[test]
    fn a_taken_name_gets_a_number() {
        let taken = ["T/d__CONFLICT__ba7816bf.png", "T/d__CONFLICT__ba7816bf_1.png"];
        assert_eq!(name("T/d.png", &taken), "T/d__CONFLICT__ba7816bf_2.png");
    }

    #[test]
    fn a_conflict_name_gets_no_second_suffix() {
        for again in [
            "T/d__CONFLICT__00000000.png",
            "T/d__CONFLICT__00000000_12.png",
            "T/d__CONFLICT__00000000__CONFLICT__11111111.png",
        ] {
            assert_eq!(name(again, &[]), "T/d__CONFLICT__ba7816bf.png", "{again}");
        }
    }

    #[test]
    fn a_near_conflict_name_keeps_its_stem() {
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
    fn a_suffix_must_be_allowed_in_a_file_name() {
        for (suffix, fits) in
            [("~~", true), ("é", true), ("", false), ("/", false), ("?", false), ("a\\b", false)]
        {
            assert_eq!(Naming::new(suffix, Extensions::default()).is_ok(), fits, "{suffix:?}");
        }
        assert!(Naming::new(&"x".repeat(65), Extensions::default()).is_err());
    }

    #[test]
    fn a_long_stem_is_cut() {
        let long = format!("T/{}.png", "é".repeat(120));
        let named = name(&long, &[]);
        assert!(named.ends_with("é__CONFLICT__ba7816bf.png"));
        assert!(named.len() <= 257);
    }

    #[test]
    fn a_conflict_name_has_a_plain_path() {
        let (plain, digits) =
            parse_conflict_name(&path("T/d__CONFLICT__BA7816BF_3.png"), &Naming::default())
                .unwrap();
        assert_eq!((plain.as_str(), digits.as_str()), ("T/d.png", "ba7816bf"));
        assert_eq!(parse_conflict_name(&path("T/d.png"), &Naming::default()), None);
    }

    #[test]
    fn a_livery_in_conflict_has_a_folder() {
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
    fn a_whole_livery_gets_another_number_where_a_name_has_another_content() {
        let (a, b) = (path("T/a.png"), path("T/sub/b.png"));
        let files = [(&a, Content::of(b"a")), (&b, Content::of(b"b"))];
        let names = |taken: &[&str]| {
            let is_taken = |name: &RelPath, _| taken.contains(&name.as_str());
            let names = conflict_livery("t", &files, &Naming::default(), is_taken).unwrap();
            names.iter().map(|name| name.as_str().to_owned()).collect::<Vec<_>>()
        };
        let free = names(&[]);
        let (folder, _) = free[0].split_once('/').unwrap();
        assert_eq!(plain_stem(folder, &Naming::default()), "t");
        assert_eq!(free[1], format!("{folder}/sub/b.png"));
        let numbered = names(&[&free[1]]);
        assert_eq!(numbered, [format!("{folder}_1/a.png"), format!("{folder}_1/sub/b.png")]);
    }

    #[test]
    fn a_file_in_a_conflict_folder_claims_a_plain_path() {
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
    fn a_conflict_name_is_recognized_by_file_or_folder() {
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
            let new = naming.conflict_name(&old, HASH.parse().unwrap(), |_| false).unwrap();
            assert_eq!(new.as_str(), "T/d_X_ba7816bf.png", "{old}");
        }
    }

    #[test]
    fn a_suffix_that_is_used_again_is_a_former_one_no_longer() {
        let mut naming = Naming::default();
        naming.change_suffix("__C__").unwrap();
        naming.change_suffix(CONFLICT_SUFFIX).unwrap();
        assert_eq!(naming.former_suffixes, ["__C__"]);
        assert_eq!(naming.change_suffix("a/b"), Err(invalid_suffix()));
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

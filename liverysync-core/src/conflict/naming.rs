//! The league's rules for conflict names, and the conflict name of a file.

use super::recognize::plain_stem;
use crate::{
    hash::ContentHash,
    path::{COMPONENT_BYTES_MAX, Extensions, InvalidPath, PATH_BYTES_MAX, RelPath, fold},
    text::InvalidText,
};

/// The default text between the plain name and the digits of a conflict name.
const CONFLICT_SUFFIX: &str = "__CONFLICT__";

/// Longest suffix, in bytes. It must leave room for the name.
const SUFFIX_BYTES_MAX: usize = 64;

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
        // The newest is last: clients only take the last ones of a long list. A suffix that is used again is none of
        // them.
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
        // Otherwise the conflict copy of a conflict copy would get a longer name each time, until none fits.
        let stem = plain_stem(path.stem(), self);
        let mut number = 0_u32;
        loop {
            // Eight digits may be the same for two contents, and somebody can make such contents on purpose.
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
        // A longer prefix would find some folders of the shorter one a second time.
        prefixes.dedup_by(|longer, shorter| longer.starts_with(&*shorter));
        prefixes
    }

    pub(super) fn suffixes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.suffix).chain(&self.former_suffixes).map(String::as_str)
    }
}

/// Returns the error for a text that cannot be a conflict suffix.
pub(crate) fn invalid_suffix() -> InvalidText {
    InvalidText::new(format!(
        "a conflict suffix has 1 to {SUFFIX_BYTES_MAX} bytes, all allowed in a file name"
    ))
}

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

/// Returns the longest start of `stem` with at most `bytes` bytes. UTF-16 never needs more units than that.
pub(super) fn shorten(stem: &str, bytes: usize) -> &str {
    &stem[..stem.floor_char_boundary(bytes.min(stem.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conflict::{is_conflict_name, parse_conflict_name};

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
    fn a_long_stem_is_cut() {
        let long = format!("T/{}.png", "é".repeat(120));
        let named = name(&long, &[]);
        assert!(named.ends_with("é__CONFLICT__ba7816bf.png"));
        assert!(named.len() <= 257);
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

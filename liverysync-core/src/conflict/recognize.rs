//! The parts of a conflict name: which name it stands for, and the digits of its content.

use std::borrow::Cow;

use super::naming::Naming;
use crate::{hash::SHORT_DIGITS, path::RelPath};

/// Returns true if a path is a conflict name, or is in a conflict folder.
#[must_use]
#[doc(hidden)]
pub fn is_conflict_name(path: &RelPath, naming: &Naming) -> bool {
    let livery = path.livery();
    let is_named = |name: &str| plain_stem(name, naming).len() < name.len();
    // Of a loose file, the livery is the file itself, with its extension: its stem tells all. Deeper folders do not
    // count, because a livery is only ever separated as a whole.
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
        // A person or another program may have put one suffix behind another.
        Some((plain, _)) => plain_stem(plain, naming),
        None => stem,
    }
}

/// Splits the stem of a conflict name into the part before the suffix, and the digits.
fn split_mark<'a>(stem: &'a str, naming: &Naming) -> Option<(&'a str, &'a str)> {
    naming.suffixes().find_map(|suffix| {
        // From the end: the livery's own name may contain the suffix.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Extensions;

    fn path(text: &str) -> RelPath {
        RelPath::parse(text, &Extensions::default()).unwrap()
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
    fn a_conflict_name_has_a_plain_path() {
        let (plain, digits) =
            parse_conflict_name(&path("T/d__CONFLICT__BA7816BF_3.png"), &Naming::default())
                .unwrap();
        assert_eq!((plain.as_str(), digits.as_str()), ("T/d.png", "ba7816bf"));
        assert_eq!(parse_conflict_name(&path("T/d.png"), &Naming::default()), None);
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
}

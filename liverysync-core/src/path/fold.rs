//! When two spellings are one file.

use unicode_normalization::UnicodeNormalization;

/// Returns `text` in the one spelling that it shares with its variants in case and normalisation.
///
/// The text is put into NFC, each character is replaced by its upper case and that by its lower case wherever
/// these are one character, and the outcome is put into NFC. A second call changes nothing. `/` stays `/` and
/// takes part in no composition, so a path may be folded as a whole.
///
/// This is simple case folding, character by character as NTFS does it, and not full folding: `ß` and `ss`, or `ﬁ`
/// and `fi`, are two files there, and a driver may have both. `ı` is no variant of `i`, though it shares the upper
/// case: Windows keeps `Kırmızı` and `Kirmizi` apart, and Unicode's own case folding does too. Names that are the
/// same for Windows always share the key. The reverse does not hold for a few characters that Unicode takes for
/// the same and Windows does not, such as `σ` and `ς`: of two such names the second is treated as a collision, which is
/// safe on every file system.
///
/// Source: the table of upper case in [MS-UCODEREF] section 3.1.5.3, compared in the form that Wine 8 has of it.
///
/// [MS-UCODEREF]: https://learn.microsoft.com/openspecs/windows_protocols/ms-ucoderef/1ad259bc-24c4-4f3c-878b-55b8f2f69727
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.nfc().map(fold_char).nfc().collect()
}

fn fold_char(c: char) -> char {
    if c == 'ı' {
        return c;
    }
    let upper = only(c.to_uppercase()).unwrap_or(c);
    only(upper.to_lowercase()).unwrap_or(upper)
}

fn only(mut chars: impl Iterator<Item = char>) -> Option<char> {
    let first = chars.next();
    if chars.next().is_some() { None } else { first }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use super::*;

    #[track_caller]
    fn check_fold(one: &str, other: &str, same: bool) {
        assert_eq!(fold(one) == fold(other), same, "{one:?} {other:?}");
    }

    #[test]
    fn a_key_ignores_what_windows_ignores_and_no_more() {
        for (one, other) in [
            ("Decals.PNG", "dECALS.png"),
            ("ÉQUIPE", "e\u{301}quipe"),
            ("ガ", "カ\u{3099}"),
            ("각", "\u{1100}\u{1161}\u{11a8}"),
            ("ŁÓDŹ", "łódź"),
            ("ÿ", "Ÿ"),
            ("ΣΊΣΥΦΟΣ", "σίσυφος"),
            ("КРАСНЫЙ", "красный"),
            ("ǅ", "ǆ"),
            ("ᾼ", "ᾳ"),
            ("Ⅷ", "ⅷ"),
            ("Ａ", "ａ"),
            ("J\u{30c}", "ǰ"),
            ("\u{212a}", "k"),
            ("𐐀", "𐐨"),
        ] {
            check_fold(one, other, true);
        }
        for (one, other) in [
            ("ß", "ss"),
            ("ﬁ", "fi"),
            ("Kırmızı", "Kirmizi"),
            ("İ", "i"),
            ("ａ", "a"),
            ("²", "2"),
            ("é", "e"),
            ("カ", "か"),
            ("Æ", "ae"),
        ] {
            check_fold(one, other, false);
        }
    }

    #[test]
    fn folding_twice_changes_nothing_for_any_character() {
        for c in '\0'..=char::MAX {
            let folded = fold(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&folded), folded, "U+{:04X}", u32::from(c));
            assert_eq!(folded.contains('/'), c == '/', "U+{:04X}", u32::from(c));
        }
    }

    /// The last NFC of [`fold()`] may put folded characters together: the outcome must be folded as well.
    #[test]
    fn what_folded_characters_compose_to_is_folded() {
        for composite in '\0'..=char::MAX {
            let parts: Vec<char> = iter::once(composite).nfd().collect();
            let is_composed = parts.len() > 1 && iter::once(composite).nfc().eq([composite]);
            let Some((mark, rest)) = parts.split_last().filter(|_| is_composed) else {
                continue;
            };
            let mut parts = rest.iter().copied().nfc().chain([*mark]);
            if parts.all(|part| fold_char(part) == part) {
                assert_eq!(fold_char(composite), composite, "U+{:04X}", u32::from(composite));
            }
        }
    }
}

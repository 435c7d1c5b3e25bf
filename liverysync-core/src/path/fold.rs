//! Folding: decides which spellings mean the same file.

use unicode_normalization::UnicodeNormalization;

/// Returns the one spelling that `text` shares with its variants in case and normalization.
///
/// The text is converted to NFC, each character to upper case and then to lower case wherever that gives a single character,
/// and the result to NFC again. Folding twice changes nothing. `/` stays `/` and never composes, so a whole path can be folded
/// at once.
///
/// This is simple case folding, character by character as in NTFS, not full folding: `ß` and `ss`, or `ﬁ` and `fi`, are two
/// files there, and a driver may have both. `ı` is no variant of `i`, although both have the same upper case: Windows and
/// Unicode's own case folding keep `Kırmızı` and `Kirmizi` apart. Names that are the same for Windows always share the key.
/// The reverse is not true for a few characters, such as `σ` and `ς`, which Unicode treats as equal and Windows does not. The
/// second of two such names counts as a collision, which is safe on every file system.
///
/// Source: the upper-case table in [MS-UCODEREF] section 3.1.5.3, compared in the form in which Wine 8 has it.
///
/// [MS-UCODEREF]: https://learn.microsoft.com/openspecs/windows_protocols/ms-ucoderef/1ad259bc-24c4-4f3c-878b-55b8f2f69727
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // A change of case can undo NFC. Without the second pass, folding twice could give another key.
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
    fn a_key_ignores_exactly_what_windows_ignores() {
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

    /// The last conversion to NFC in [`fold()`] may compose folded characters. The result must be folded too.
    #[test]
    fn composed_folded_characters_are_folded() {
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

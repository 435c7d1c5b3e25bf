//! Text from other people, made safe to show.
//!
//! The name of a livery or driver may contain an escape sequence for the terminal, a line break that forges a log line, or a
//! control that changes the reading direction of everything after it. Pass such text through [`escape`] before it
//! reaches a log, a terminal or a page.

use std::borrow::Cow;

/// Returns `text` with every character that is invisible or has an effect written as `\u{..}`.
///
/// These are control characters, bidi controls, zero-width and other invisible characters, line and paragraph separators,
/// private-use characters and noncharacters. Variation selectors stay, because they belong to the emoji or ideograph before
/// them.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(needs_escape) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if needs_escape(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Does the same as [`escape`] and cuts the result to at most `chars` characters, the last of which is then `…`.
///
/// An escape is never cut in two. A limit of 0 counts as 1. The time depends on the limit, not on the length of `text`.
// Only front ends have lines of a limited width.
#[doc(hidden)]
#[must_use]
pub fn escape_limited(text: &str, chars: usize) -> Cow<'_, str> {
    let limit = chars.max(1);
    let mut used = 0;
    let mut fits_with_ellipsis = 0;
    for (at, c) in text.char_indices() {
        if used < limit {
            fits_with_ellipsis = at;
        }
        used += if needs_escape(c) { c.escape_unicode().len() } else { 1 };
        if used > limit {
            let mut cut = escape(&text[..fits_with_ellipsis]).into_owned();
            cut.push('…');
            return Cow::Owned(cut);
        }
    }
    escape(text)
}

/// Longest text of a peer in an event or an error, in characters.
const SAID_CHARS_MAX: usize = 300;

/// Cuts a text of a peer to 300 characters, the last of which is then `…`, and frees the memory of the rest.
pub(crate) fn limit_said(text: &mut String) {
    // The last character that fits gives way to the ellipsis, if there is one more.
    let mut ends = text.char_indices().skip(SAID_CHARS_MAX - 1).map(|(at, _)| at);
    if let (Some(end), Some(_)) = (ends.next(), ends.next()) {
        text.truncate(end);
        text.push('…');
        text.shrink_to_fit();
    }
}

/// Error for a text that does not have the form of what it should be. It says which form that is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidText(String);

impl InvalidText {
    pub(crate) const fn new(form: String) -> Self {
        Self(form)
    }

    /// Makes the error for a text that is not this number of hex digits.
    pub(crate) fn digits(thing: &str, digits: usize) -> Self {
        Self(format!("not a {thing}: it needs {digits} hex digits"))
    }
}

/// Longest name of a driver, in characters. Servers and clients cut off the rest.
#[doc(hidden)]
pub const NAME_CHARS_MAX: usize = 64;

/// Returns the start of a driver's name, at most [`NAME_CHARS_MAX`] characters.
#[must_use]
#[doc(hidden)]
pub fn limit_name(name: &str) -> &str {
    name.char_indices().nth(NAME_CHARS_MAX).map_or(name, |(end, _)| &name[..end])
}

/// Returns true if a character is invisible or has an effect.
///
/// Source: the Unicode properties `Default_Ignorable_Code_Point` (less the variation selectors),
/// `Bidi_Control` and `Noncharacter_Code_Point`, and the general categories Cc, Co, Zl and Zp.
/// <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>
fn needs_escape(c: char) -> bool {
    match c {
        ' '..='~' => false,
        // Controls, line and paragraph separators, bidi controls.
        _ if c.is_control() => true,
        '\u{2028}' | '\u{2029}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            true
        }
        // Zero-width, joining and other invisible characters, fillers, annotation marks, tags.
        '\u{200b}'..='\u{200d}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}' => true,
        '\u{ad}' | '\u{34f}' | '\u{180e}' | '\u{17b4}' | '\u{17b5}' => true,
        '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' => true,
        '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' => true,
        '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}' => true,
        // Private use, noncharacters.
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'.. => true,
        '\u{fdd0}'..='\u{fdef}' => true,
        _ => u32::from(c) & 0xfffe == 0xfffe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(escape(text), expected);
        assert_eq!(escape(expected), expected, "escaped text stays as it is");
    }

    #[test]
    fn readable_text_stays_as_it_is() {
        for text in [
            "",
            "#2_TeamIris_992",
            "C:\\Users\\Zoë",
            "Équipe Ligier",
            "チームレッド",
            "🏎\u{fe0f} pit",
            "辻\u{e0100}",
            "\u{fffd}",
        ] {
            check(text, text);
            assert!(matches!(escape(text), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn invisible_and_control_characters_are_escaped() {
        check("a\nb\r\t\0", "a\\u{a}b\\u{d}\\u{9}\\u{0}");
        check("\u{1b}[2J", "\\u{1b}[2J");
        check("\u{7f}\u{80}\u{9b}31m\u{9f}\u{a0}", "\\u{7f}\\u{80}\\u{9b}31m\\u{9f}\u{a0}");
        check("gnp.\u{202e}exe", "gnp.\\u{202e}exe");
        check(
            "\u{61c}\u{200e}\u{200f}\u{2066}\u{2069}",
            "\\u{61c}\\u{200e}\\u{200f}\\u{2066}\\u{2069}",
        );
        check("de\u{200b}cals\u{ad}\u{feff}\u{2060}", "de\\u{200b}cals\\u{ad}\\u{feff}\\u{2060}");
        check("👨\u{200d}🔧", "👨\\u{200d}🔧");
        check("one\u{2028}two\u{2029}three", "one\\u{2028}two\\u{2029}three");
        check("\u{e000}\u{f8ff}\u{f0000}\u{10fffd}", "\\u{e000}\\u{f8ff}\\u{f0000}\\u{10fffd}");
        check("\u{fdd0}\u{fffe}\u{ffff}\u{1fffe}", "\\u{fdd0}\\u{fffe}\\u{ffff}\\u{1fffe}");
        check("\u{e0041}\u{3164}\u{fffa}", "\\u{e0041}\\u{3164}\\u{fffa}");
    }

    #[track_caller]
    fn check_limited(text: &str, chars: usize, expected: &str) {
        assert_eq!(escape_limited(text, chars), expected);
        assert!(expected.chars().count() <= chars.max(1));
    }

    #[test]
    fn a_text_of_a_peer_has_at_most_300_characters() {
        let said = |text: String| {
            let mut said = text;
            limit_said(&mut said);
            said
        };
        for fits in [String::new(), "é".repeat(300)] {
            assert_eq!(said(fits.clone()), fits);
        }
        assert_eq!(said("é".repeat(301)), "é".repeat(299) + "…");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        check_limited("livery", 6, "livery");
        check_limited("livery", 5, "live…");
        check_limited("livery", 1, "…");
        check_limited("livery", 0, "…");
        check_limited("", 0, "");
        check_limited("レッド", 2, "レ…");
        check_limited("a\nb", 7, "a\\u{a}b");
        check_limited("a\nb", 6, "a…");
        check_limited("ab\n", 6, "ab…");
        check_limited("a\n", 6, "a\\u{a}");
        check_limited("a\n", 5, "a…");
        check_limited("\n", 4, "…");
    }
}

//! Text that came from other people, made safe to show.
//!
//! A livery's name or a driver's name may hold an escape sequence for the terminal, a line break that forges a
//! line of a log, or a control that turns the reading direction of all that follows. Every log, terminal and
//! page gets such text through [`escape`] or [`escape_limited`].

use std::borrow::Cow;

/// Returns `text` with every character that acts or hides, and does not show, as `\u{..}`.
///
/// These are control characters, bidi controls, zero-width and other invisible characters, line and paragraph
/// separators, private use and noncharacters. Variation selectors stay as they are, because they belong to
/// the emoji or ideograph before them.
#[must_use]
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(acts_or_hides) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts_or_hides(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

/// Returns what [`escape`] does, in at most `chars` characters: what is longer is cut and ends in `…`.
///
/// An escape is never cut in two. A limit of 0 counts as 1. Takes time by the limit, not by the length of `text`.
#[must_use]
pub fn escape_limited(text: &str, chars: usize) -> Cow<'_, str> {
    let limit = chars.max(1);
    let mut used = 0;
    let mut fits_with_ellipsis = 0;
    for (at, c) in text.char_indices() {
        if used < limit {
            fits_with_ellipsis = at;
        }
        used += if acts_or_hides(c) { c.escape_unicode().len() } else { 1 };
        if used > limit {
            let mut cut = escape(&text[..fits_with_ellipsis]).into_owned();
            cut.push('…');
            return Cow::Owned(cut);
        }
    }
    escape(text)
}

/// Most characters of a driver's name. A server and a client cut off the rest.
pub const NAME_CHARS_MAX: usize = 64;

/// Returns the beginning of a driver's name, at most [`NAME_CHARS_MAX`] characters.
#[must_use]
pub fn limit_name(name: &str) -> &str {
    name.char_indices().nth(NAME_CHARS_MAX).map_or(name, |(end, _)| &name[..end])
}

/// Source: the Unicode properties `Default_Ignorable_Code_Point` (less the variation selectors),
/// `Bidi_Control` and `Noncharacter_Code_Point`, and the general categories Cc, Co, Zl and Zp.
/// <https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt>
fn acts_or_hides(c: char) -> bool {
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
        assert_eq!(escape(expected), expected, "what is escaped needs no second time");
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
    fn what_acts_or_hides_is_spelled_out() {
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

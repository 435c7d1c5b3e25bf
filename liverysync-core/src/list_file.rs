//! List files that people write: one entry per line.
//!
//! A line that begins with `#` is a comment. An entry may begin with `#` too (`#2_TeamIris_992` is a real livery); it has a
//! backslash in front then.

use crate::text::InvalidText;

/// Returns the text of a list. A byte order mark says how it is encoded: in UTF-8 or UTF-16. Without one it is in UTF-8.
///
/// # Errors
///
/// Refuses what is not valid in that encoding, and says at which line.
pub fn decode(bytes: &[u8]) -> Result<String, InvalidText> {
    let text = match bytes {
        [0xef, 0xbb, 0xbf, text @ ..] => utf_8(text),
        [0xff, 0xfe, text @ ..] => utf_16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf_16(text, u16::from_be_bytes),
        text => utf_8(text),
    }?;
    // UTF-16 without its mark is valid UTF-8 and full of these. No name has one.
    match text.find('\0') {
        Some(at) => Err(invalid(&text[..at], "a NUL, as in UTF-16 without a byte order mark")),
        None => Ok(text),
    }
}

fn utf_8(bytes: &[u8]) -> Result<String, InvalidText> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|error| {
        let valid = String::from_utf8_lossy(&bytes[..error.valid_up_to()]);
        invalid(&valid, "not valid UTF-8")
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, InvalidText> {
    let (units, rest) = bytes.as_chunks();
    let mut text = String::with_capacity(bytes.len());
    for c in char::decode_utf16(units.iter().map(|bytes| unit(*bytes))) {
        match c {
            Ok(c) => text.push(c),
            Err(_unpaired) => return Err(invalid(&text, "not valid UTF-16")),
        }
    }
    if rest.is_empty() { Ok(text) } else { Err(invalid(&text, "half a character of UTF-16")) }
}

/// Returns the error for what follows `valid`.
fn invalid(valid: &str, what: &str) -> InvalidText {
    let line = valid.matches('\n').count() + 1;
    let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    InvalidText::new(format!("line {line}, character {column} is {what}"))
}

/// Returns the entries of a list.
#[cfg(feature = "server")]
pub(crate) fn entries(text: &str) -> impl Iterator<Item = &str> {
    lines(text).filter_map(entry)
}

/// Returns the lines of a list.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = &str> {
    // An embedding program may not have removed the byte order mark.
    text.trim_start_matches('\u{feff}').lines()
}

/// Returns the entry of a line, if it has one.
#[cfg(feature = "server")]
pub(crate) fn entry(line: &str) -> Option<&str> {
    let line = trimmed(line)?;
    Some(line.strip_prefix('\\').unwrap_or(line)).filter(|entry| !entry.is_empty())
}

/// Returns a line without the blanks around it, unless it is a comment or empty.
pub(crate) fn trimmed(line: &str) -> Option<&str> {
    Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the line of an entry.
pub(crate) fn line(entry: &str) -> String {
    if entry.starts_with('#') { format!("\\{entry}") } else { entry.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn a_byte_order_mark_says_the_encoding() {
        let text = "77 Iris\r\nÉquipe 🏁\r\n";
        for bytes in [
            text.as_bytes().to_vec(),
            format!("\u{feff}{text}").into_bytes(),
            utf_16(text, u16::to_le_bytes),
            utf_16(text, u16::to_be_bytes),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Ok(text), "{bytes:?}");
        }
        assert_eq!(decode(b"").as_deref(), Ok(""));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let without_mark: Vec<u8> = "77".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (bytes, expected) in [
            (&b"77 Iris\n\xc9quipe"[..], "line 2, character 1 is not valid UTF-8"),
            (&without_mark, "line 1, character 2 is a NUL"),
            (b"\xff\xfe7\0\n\0\x00\xd8", "line 2, character 1 is not valid UTF-16"),
            (b"\xfe\xff\x007\x00", "line 1, character 2 is half a character of UTF-16"),
        ] {
            let error = decode(bytes).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn a_list_is_read_line_by_line() {
        let text = "\u{feff}# not these\r\n\r\n  \\#2_*  \r\nTeam A\n\\\n";
        assert_eq!(entries(text).collect::<Vec<_>>(), ["#2_*", "Team A"]);
        for name in ["#2_*", "Team A"] {
            assert_eq!(entry(&line(name)), Some(name));
        }
    }
}

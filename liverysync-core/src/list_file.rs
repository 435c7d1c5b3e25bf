//! List files that people write: one entry per line.
//!
//! A line that begins with `#` is a comment. An entry may begin with `#` too (`#2_TeamIris_992` is a real livery); it has a
//! backslash in front then.

/// Returns the entries of a list.
pub(crate) fn entries(text: &str) -> impl Iterator<Item = &str> {
    // Notepad puts a byte order mark in front of the first line.
    text.trim_start_matches('\u{feff}').lines().filter_map(entry)
}

/// Returns the entry of a line, if it has one.
pub(crate) fn entry(line: &str) -> Option<&str> {
    let line = line.trim();
    let entry = if line.starts_with('#') { "" } else { line };
    Some(line.strip_prefix('\\').unwrap_or(entry)).filter(|entry| !entry.is_empty())
}

/// Returns the line of an entry.
pub(crate) fn line(entry: &str) -> String {
    if entry.starts_with('#') { format!("\\{entry}") } else { entry.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_line_by_line() {
        let text = "\u{feff}# not these\r\n\r\n  \\#2_*  \r\nTeam A\n\\\n";
        assert_eq!(entries(text).collect::<Vec<_>>(), ["#2_*", "Team A"]);
        for name in ["#2_*", "Team A"] {
            assert_eq!(entry(&line(name)), Some(name));
        }
    }
}

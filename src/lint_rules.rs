//! The file with a league's rules for lint.

use std::{
    fmt, fs,
    io::{self, ErrorKind},
    ops::Range,
    path::Path,
};

use liverysync_core::lint::LintRules;

/// A mistake in the rules, at a line and mostly at a key. It is the inner error of what [`read_lint_rules`] returns.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintRulesMistake {
    /// The line, counted from 1.
    pub line: usize,
    /// The key that the value there belongs to.
    pub key: Option<String>,
    /// The mistake, in words.
    pub reason: String,
}

impl LintRulesMistake {
    fn in_text(text: &str, error: &toml::de::Error) -> Self {
        let (line, key) = place(text, error.span());
        // The words of TOML are table and key.
        let reason = error.message().replace("unknown field", "unknown key").replace('\n', " ");
        Self { line, key: key.map(str::to_owned), reason }
    }

    /// Finds the mistake in an error of [`read_lint_rules`]; `None` if the file cannot be read.
    #[must_use]
    pub fn find(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for LintRulesMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(key) = &self.key {
            write!(f, ", `{key}`")?;
        }
        write!(f, ": {}", self.reason)
    }
}

impl std::error::Error for LintRulesMistake {}

/// Reads the rules of a league from a TOML file.
///
/// # Errors
///
/// Fails if the file cannot be read or is not UTF-8, and with a [`LintRulesMistake`] of the kind
/// [`InvalidData`](ErrorKind::InvalidData) inside if it has other keys or values.
pub fn read_lint_rules(file: &Path) -> io::Result<LintRules> {
    let text = fs::read_to_string(file)?;
    let text = text.trim_start_matches('\u{feff}');
    let broken =
        |error| io::Error::new(ErrorKind::InvalidData, LintRulesMistake::in_text(text, &error));
    toml::from_str(text).map_err(broken)
}

/// Returns the line of a mistake, and the key that the value there belongs to.
fn place(text: &str, span: Option<Range<usize>>) -> (usize, Option<&str>) {
    let start = span.map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text);
    let number = before.matches('\n').count();
    // A list may have many lines.
    let upwards = text.lines().take(number + 1).collect::<Vec<_>>().into_iter().rev();
    let key = upwards.filter_map(|line| line.split_once('=')).map(|(key, _)| key.trim()).next();
    (number + 1, key.filter(|key| !key.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        fs::write(&file, text).unwrap();
        let error = read_lint_rules(&file).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        assert_eq!(LintRulesMistake::find(&error).unwrap().to_string(), expected);
    }

    #[test]
    fn a_mistake_in_the_rules_has_its_line_and_its_key() {
        check(
            "# ours\nmax-file-byte = 8\n",
            "line 2, `max-file-byte`: unknown key `max-file-byte`, expected one of `max-file-bytes`, \
             `max-livery-bytes`, `max-picture-side`, `picture-sides`, `names`, `files`",
        );
        check(
            "max-livery-bytes = \"15 MB\"\n",
            "line 1, `max-livery-bytes`: invalid type: string \"15 MB\", expected a nonzero u64",
        );
        check(
            "picture-sides = [\n  2048,\n  0,\n]\n",
            "line 3, `picture-sides`: invalid value: integer `0`, expected a nonzero u32",
        );
        check("\nnames = [\"a\n", "line 2, `names`: unclosed array, expected `]`");
    }

    #[test]
    fn rules_with_a_byte_order_mark_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        fs::write(&file, "\u{feff}max-file-bytes = 8_000_000\nnames = [\"#*_*\"]\n").unwrap();
        let rules = read_lint_rules(&file).unwrap();
        assert_eq!(rules.max_file_bytes.map(u64::from), Some(8_000_000));
        assert!(rules.names.covers("#2_TeamIris_992") && !rules.names.covers("904"));
    }

    #[test]
    fn a_missing_file_has_no_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let error = read_lint_rules(&folder.path().join("none.toml")).unwrap_err();
        assert_eq!((error.kind(), LintRulesMistake::find(&error)), (ErrorKind::NotFound, None));
    }
}

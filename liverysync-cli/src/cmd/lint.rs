//! `liverysync lint`: finds what is probably wrong with liveries before they spread.

use std::{fs, ops::Range, path::Path};

use liverysync::LintRules;

use crate::{
    cli::lint::LintArgs,
    exit::Failure,
    output::{self, json},
    text::{error, lint},
};

pub(super) fn run(args: &LintArgs) -> Result<(), Failure> {
    let rules = args.rules.as_deref().map_or_else(|| Ok(LintRules::default()), read_rules)?;
    let root = super::liveries_folder(args.liveries.as_deref(), "lint DIR")?;
    let found =
        liverysync::scan(&root, &args.shared.rules()).map_err(|error| error::scan(&error))?;
    let findings = found.lint(&rules);
    if args.output.json {
        output::line(&json::lint(&root.to_string_lossy(), &findings))?;
    } else {
        output::block(&lint::lint(&findings, args.detail.verbose))?;
    }
    if findings.is_empty() { Ok(()) } else { Err(Failure::Outstanding) }
}

/// Reads the rules of a league.
fn read_rules(file: &Path) -> Result<LintRules, Failure> {
    let text =
        fs::read_to_string(file).map_err(|error| Failure::usage(lint::unreadable(file, &error)))?;
    let text = text.trim_start_matches('\u{feff}');
    toml::from_str(text).map_err(|error| {
        let (line, key) = place(text, error.span());
        Failure::usage(lint::mistake(file, line, key, error.message()))
    })
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
        let error = read_rules(&file).unwrap_err().in_a_line();
        let at = error.find("rules.toml").unwrap();
        assert_eq!(&error[at..], expected);
    }

    #[test]
    fn a_mistake_in_the_rules_has_its_line_and_its_key() {
        check(
            "# ours\nmax-file-byte = 8\n",
            "rules.toml, line 2, `max-file-byte`: unknown key `max-file-byte`, expected one of `max-file-bytes`, \
             `max-livery-bytes`, `max-picture-side`, `picture-sides`, `names`, `files`",
        );
        check(
            "max-livery-bytes = \"15 MB\"\n",
            "rules.toml, line 1, `max-livery-bytes`: invalid type: string \"15 MB\", expected a nonzero u64",
        );
        check(
            "picture-sides = [\n  2048,\n  0,\n]\n",
            "rules.toml, line 3, `picture-sides`: invalid value: integer `0`, expected a nonzero u32",
        );
        check("\nnames = [\"a\n", "rules.toml, line 2, `names`: unclosed array, expected `]`");
    }

    #[test]
    fn rules_with_a_byte_order_mark_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.toml");
        fs::write(&file, "\u{feff}max-file-bytes = 8_000_000\nnames = [\"#*_*\"]\n").unwrap();
        let rules = read_rules(&file).unwrap();
        assert_eq!(rules.max_file_bytes.map(u64::from), Some(8_000_000));
        assert!(rules.names.covers("#2_TeamIris_992") && !rules.names.covers("904"));
        assert!(read_rules(&folder.path().join("none.toml")).is_err());
    }
}

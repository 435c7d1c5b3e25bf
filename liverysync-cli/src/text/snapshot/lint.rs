//! The texts of findings.

use std::{fs, io, path::Path};

use liverysync::{ContentHash, Finding, LintRules, read_lint_rules};
use liverysync_core::{
    inspect::Inspection,
    lint::{LintFile, lint as judge},
};

use super::{Texts, denied};
use crate::text::lint;

/// Returns a finding of each kind.
pub(super) fn findings() -> Vec<Finding> {
    let file = |path| {
        let mut file = LintFile::new(path, 4_300_000);
        file.hash = Some(ContentHash::of(b"the same"));
        file.inspection = picture((4096, 4096), false);
        file
    };
    let long = format!("{}name/sponsors.png", "Long ".repeat(25));
    let large: Vec<_> = (0..61).map(|number| format!("Large/{number:02}.png")).collect();
    let paths = [
        "Cars/501-201016-095902.json",
        "Customs/Liveries/Team/decals.png",
        "Liveries/Team/decals.png",
        "New folder (2)/decals.png",
        "Pack/904/decals.png",
        "Photos/grid.jpg",
        "Team/decals.png",
        "Team - Copy/decals.png",
        "Work/decals.png",
        "Work/decals - Kopie.png",
        "Work/decals-DESKTOP-1A2B3C4.png",
        "Twice/decals.png",
        "twice/sponsors.png",
        "loose.png",
        "Équipe/decals.png",
        "Ã‰quipe/decals.png",
        "Evil\u{1b}[2J/decals.png",
        "Evil\u{1b}[2J/sponsors.png",
        &long,
    ];
    let mut files: Vec<_> = paths.map(file).into();
    files.extend(large.iter().map(|path| file(path)));
    for file in &mut files {
        match file.path {
            path if path.starts_with("Large/") => file.inspection = picture((8192, 8192), false),
            "Evil\u{1b}[2J/decals.png" => file.inspection = picture((1000, 1000), false),
            "Evil\u{1b}[2J/sponsors.png" => file.inspection = picture((4096, 4096), true),
            _ => {}
        }
    }
    let mut of_macos = LintFile::new("Team/._decals.png", 1);
    of_macos.is_shared = false;
    files.push(of_macos);
    let rules = serde_json::json!({
        "max-file-bytes": 4_000_000,
        "max-livery-bytes": 8_000_000,
        "names": ["Team*", "#*_*"],
        "files": ["*.png", "*.json"],
    });
    let rules = serde_json::from_value(rules).unwrap();
    let of_league = ["WRT_27/decals.png", "WRT_27/sponsors.png", "WRT_27/template.dds"].map(file);
    [judge(&files, &LintRules::default()), judge(&of_league, &rules)].concat()
}

/// Returns what is known of a picture, which may be cut off.
fn picture((width, height): (u32, u32), is_cut: bool) -> Inspection {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend(width.to_be_bytes().into_iter().chain(height.to_be_bytes()));
    png.extend([8, 6, 0, 0, 0, 1, 2, 3, 4]);
    png.extend(if is_cut { &b""[..] } else { b"\0\0\0\0IEND\xae\x42\x60\x82" });
    Inspection::of("a.png", &png)
}

pub(super) fn lint_texts(all: &mut Texts) {
    all.section("lint");
    let all_kinds = findings();
    all.block(lint::lint(&all_kinds, false));
    all.block(lint::lint(&all_kinds[..1], false));
    all.block(lint::lint(&[], false));
    all.section("client: findings");
    all.all(lint::warnings(&all_kinds, false));
    all.add("-- with --verbose");
    all.all(lint::warnings(&all_kinds, true));
    all.section("errors: rules of lint");
    let file = Path::new("rules.toml");
    all.block(lint::rules(file, &denied()));
    for text in ["\nmax-file-byte = 1\n", "names = ["] {
        all.block(lint::rules(file, &mistake(text)));
    }
}

/// Returns the error of rules with a mistake.
fn mistake(text: &str) -> io::Error {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.toml");
    fs::write(&file, text).unwrap();
    read_lint_rules(&file).unwrap_err()
}

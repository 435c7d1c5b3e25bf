//! The scan from outside, as text and as JSON.

use crate::common::Test;

const A: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// SHA-256 of the compact JSON list of `rel_path`, `size` and `sha256`, calculated by another program.
const HASH: &str = "533f1a4c313b5a3ab09cabec9ffbe9c2a0af9f1a4aa74a0590a0cccd41c1914c";

fn liveries() -> Test {
    let test = Test::new();
    test.file("L/#2_TeamIris_992/decals.png", "a");
    test.file("L/#2_TeamIris_992/decals_0.dds", "cache");
    test.file("L/チームレッド/sponsors.json", "");
    test.file("L/チームレッド/sponsors.png", "a");
    test.file("L/pack.zip", "z");
    test.file("L/.backup/20250101_000000/x/decals.png", "old");
    test
}

#[test]
fn a_scan_lists_shared_liveries_and_skipped_files() {
    let test = liveries();
    // The contents of these files are short, and so no pictures.
    // None of these short files is a picture.
    let skipped = "Skipped: pack.zip (files of type zip are not shared)\n\
         Check #2_TeamIris_992/decals.png: it is not a PNG picture\n\
         Check チームレッド/sponsors.json: it is empty (and 1 file like it)\n\
         hint: `liverysync lint` says what to do about each\n\
         Would share 2 liveries, 2 bytes (3 files); skipped 2 files.\n";
    test.run(&["scan", "L"]).code(0).stderr("").stdout(&format!(
        "#2_TeamIris_992 (1 file, 1 byte)\n\
         チームレッド (2 files, 1 byte)\n\
         Skipped: #2_TeamIris_992/decals_0.dds (the game's own cache; each PC makes its own)\n\
         {skipped}"
    ));
    test.run(&["scan", "L", "-v"]).code(0).stderr("").stdout(&format!(
        "{A}             1  #2_TeamIris_992/decals.png\n\
         {EMPTY}             0  チームレッド/sponsors.json\n\
         {A}             1  チームレッド/sponsors.png\n\
         Skipped: #2_TeamIris_992/decals_0.dds (the game's own cache; each PC makes its own)\n\
         {skipped}\
         Manifest hash: {HASH}\n"
    ));
}

#[test]
fn a_scan_as_json_is_one_object() {
    let test = liveries();
    let said = test.run(&["scan", "L", "--json"]).code(0).stderr("").stdout;
    assert_eq!(said.lines().count(), 1);
    let mut scan: serde_json::Value = serde_json::from_str(&said).unwrap();
    let kinds: Vec<_> = scan["findings"].take().as_array().unwrap().iter().map(kind).collect();
    assert_eq!(kinds, ["damaged", "damaged", "damaged"]);
    for file in scan["files"].as_array_mut().unwrap() {
        assert!(file["mtime"].take().as_f64().unwrap() > 1e9);
    }
    let expected = serde_json::json!({
        "event": "scan",
        "root": "L",
        "manifest_hash": HASH,
        "files": [
            {"path": "#2_TeamIris_992/decals.png", "bytes": 1, "sha256": A, "mtime": null},
            {"path": "チームレッド/sponsors.json", "bytes": 0, "sha256": EMPTY, "mtime": null},
            {"path": "チームレッド/sponsors.png", "bytes": 1, "sha256": A, "mtime": null},
        ],
        "skipped": [
            {
                "path": "#2_TeamIris_992/decals_0.dds",
                "kind": "cache",
                "reason": "the game's own cache of #2_TeamIris_992/decals.png",
            },
            {"path": "pack.zip", "kind": "extension", "reason": "files of type `zip` are not synced"},
        ],
        "findings": null,
        "asks": false,
        "unmatched": {"ignore": [], "share": []},
        "bytes": 2,
    });
    assert_eq!(scan, expected);
}

fn kind(finding: &serde_json::Value) -> String {
    finding["kind"].as_str().unwrap().to_owned()
}

#[test]
fn options_change_what_is_shared() {
    let test = liveries();
    let all = ["scan", "L", "--derived-dds", "--extensions", "png,zip, .DDS"];
    test.run(&all)
        .code(0)
        .stdout_has("#2_TeamIris_992 (2 files, 6 bytes)\n")
        .stdout_has("pack.zip (1 file, 1 byte)\n")
        .stdout_has("Skipped: チームレッド/sponsors.json");
    test.run(&["scan", "L", "--max-entries", "1"]).code(0).stdout_has("more than 1 file");
}

#[cfg(unix)]
#[test]
fn a_name_cannot_control_the_terminal() {
    let test = Test::new();
    test.file("L/T/evil\u{1b}[2J\u{202e}.png", "x");
    let said = test.run(&["scan", "L", "-v"]).code(0).stdout_has("T/evil\\u{1b}[2J\\u{202e}.png");
    assert!(!said.stdout.contains(['\u{1b}', '\u{202e}']));
}

#[test]
fn the_error_names_a_missing_folder() {
    let test = Test::new();
    test.run(&["scan", "nowhere"]).code(1).stdout("").stderr_has("nowhere").stderr_has("hint: ");
}

#[test]
fn without_the_game_the_error_lists_the_places_it_looked_in() {
    let test = Test::new();
    test.run(&["scan"]).code(1).stderr_has("Customs").stderr_has("liverysync scan DIR");
    test.run(&["client"]).code(1).stderr_has("Customs").stderr_has("--liveries DIR");
}

#[test]
fn a_closed_output_is_not_a_failure() {
    let test = Test::new();
    for number in 0..2000 {
        test.file(&format!("L/{number}/decals.png"), "x");
    }
    let child = test.start_unread(&["scan", "L"]);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

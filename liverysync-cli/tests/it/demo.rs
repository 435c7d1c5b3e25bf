//! The demo from outside: its output, and that it leaves nothing behind.

use std::fs;

use crate::common::{Test, files};

/// Returns a test with its own place for temporary folders.
fn with_temp() -> Test {
    let mut test = Test::new();
    let temp = test.folder("temp").to_str().unwrap().to_owned();
    for name in ["TMPDIR", "TMP", "TEMP"] {
        test.env(name, &temp);
    }
    test
}

fn demo_folders(test: &Test) -> usize {
    let entries = fs::read_dir(test.path("temp")).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
}

#[test]
fn the_demo_shows_a_league_and_leaves_nothing_behind() {
    let test = with_temp();
    test.run(&["demo"])
        .code(0)
        .stderr("")
        .stdout_has("The league's server listens on 127.0.0.1:")
        .stdout_has("Conflict: League Safety Car. Aoi had this name first and keeps it.")
        .stdout_has("Chloé drops a new livery into the folder")
        .stdout_has("conflict copies")
        .stdout_has("Checked: the folders of all 3 drivers are equal")
        .stdout_has("Nothing is lost: every PC has each of the 14 files");
    assert_eq!(demo_folders(&test), 0);
}

#[test]
fn the_demos_folders_can_be_kept() {
    let test = with_temp();
    let said = test.run(&["demo", "--keep"]).code(0).stdout;
    let place = said.lines().last().unwrap().strip_prefix("The folders are in ").unwrap();
    let all = ["Aoi", "Bruno", "Chloé"]
        .map(|name| files(&std::path::Path::new(place).join(name).join("Liveries")));
    assert_eq!(all[0].len(), 13);
    assert!(all[0] == all[1] && all[1] == all[2]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let test = with_temp();
    let mut demo = test.start(&["demo"]);
    demo.line("Bruno joins");
    demo.signal("INT");
    demo.finish().code(1).stderr("error: interrupted\n");
    assert_eq!(demo_folders(&test), 0);
}

//! Backups of replaced files, listed, restored and pruned by the real program.

use std::fs;

use serde_json::{Value, json};

use crate::{
    league::{Folder, League},
    process::liverysync,
};

const PATH: &str = "Team/decals.png";
const OLD: [&str; 2] = ["20200101_120000", "20200102_120000"];

/// Runs a command for backups and returns its object.
fn backups(folder: &Folder, args: &[&str]) -> Value {
    let mut command = liverysync();
    command.arg("backups").args(args).arg("--json").arg("--liveries").arg(&folder.root);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Returns the names of all sets, newest first.
fn sets(folder: &Folder) -> Vec<String> {
    let listed = backups(folder, &["list"]);
    let sets = listed["sets"].as_array().unwrap().iter();
    sets.map(|set| set["set"].as_str().unwrap().to_owned()).collect()
}

/// Gives a new set an old name.
fn age(folder: &Folder, set: &str, name: &str) {
    let all = folder.root.join(".backup");
    fs::rename(all.join(set), all.join(name)).unwrap();
}

#[test]
fn a_replaced_paint_is_restored_and_old_backups_are_pruned() {
    let mut league = League::new();
    league.folder("first").write(PATH, b"established");
    let _first = league.driver("first", &[]);
    league.wait_in_sync(1, 1);
    league.folder("second").write(PATH, b"other paint");
    let mut second = league.driver("second", &["--once"]);
    assert_eq!(second.process.wait().code(), Some(0));
    let folder = second.folder;
    assert_eq!(folder.read(PATH).unwrap(), b"established");

    let [made] = sets(&folder).try_into().unwrap();
    age(&folder, &made, OLD[0]);
    let shown = backups(&folder, &["show", OLD[0], "team"]);
    assert_eq!(
        (&shown["files"][0]["path"], &shown["files"][0]["now"]),
        (&json!(PATH), &json!("another"))
    );
    let restored = backups(&folder, &["restore", OLD[0], "team"]);
    assert_eq!(folder.read(PATH).unwrap(), b"other paint");
    let kept = restored["restored"][0]["backup"].as_str().unwrap();
    assert_eq!(folder.read(kept).unwrap(), b"established");
    let [made, still] = sets(&folder).try_into().unwrap();
    assert_eq!(still, OLD[0], "the set keeps its files");
    assert!(folder.has_no_leftovers());

    age(&folder, &made, OLD[1]);
    let dry = backups(&folder, &["prune", "--keep-days", "30", "--dry-run"]);
    assert_eq!(sets(&folder).len(), 2);
    let pruned = backups(&folder, &["prune", "--keep-days", "30"]);
    assert_eq!(pruned["removed"], json!([{"set": OLD[0], "path": PATH, "bytes": 11}]));
    assert_eq!(pruned["removed"], dry["removed"]);
    assert_eq!(pruned["last_copies"], json!({"files": 1, "bytes": 11}));
    assert_eq!(folder.backups(), [(PATH.to_owned(), b"established".to_vec())]);
    assert!(!folder.root.join(".backup").join(OLD[0]).exists());
}

#[test]
fn a_file_restored_while_a_client_runs_is_shared() {
    let mut league = League::new();
    let first = league.driver("first", &[]);
    league.folder("second").write("Team/notes.txt", b"{}");
    league.folder("second").write("Team/other.png", b"other");
    let backup = format!(".backup/{}/{PATH}", OLD[0]);
    league.folder("second").write(&backup, b"of last season");
    let second = league.driver("second", &[]);
    league.wait_in_sync(2, 2);
    assert_eq!(first.folder.names(), ["Team/notes.txt", "Team/other.png"]);
    backups(&second.folder, &["restore", OLD[0]]);
    league.wait_in_sync(2, 3);
    assert_eq!(first.folder.read(PATH).unwrap(), b"of last season");
    assert_eq!(second.folder.read(&backup).unwrap(), b"of last season");
}

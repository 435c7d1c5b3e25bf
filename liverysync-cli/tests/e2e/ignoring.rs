//! Liveries that one driver ignores, changed while the client runs.

use serde_json::{Value, json};

use crate::{
    league::{Folder, League},
    process::liverysync,
};

/// Runs a command for ignored liveries and returns its object.
fn ignore(league: &League, folder: &Folder, args: &[&str]) -> Value {
    let mut command = liverysync();
    command.arg("ignore").args(args).arg("--json").arg("--liveries").arg(&folder.root);
    let output = command.env("LIVERYSYNC_STATE", league.state()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn an_ignored_livery_arrives_once_it_is_no_longer_ignored() {
    let mut league = League::new();
    league.folder("first").write("#2_Team/decals.png", b"two");
    league.folder("first").write("Other/decals.png", b"other");
    let _first = league.driver("first", &[]);
    league.wait_in_sync(1, 2);
    let folder = league.folder("second");
    folder.write("Mine/decals.png", b"mine");
    let added = ignore(&league, &folder, &["add", "#2_team*", "mine"]);
    assert_eq!(added["changed"], json!(["#2_team*", "mine"]));

    let mut second = league.driver("second", &[]);
    assert_eq!(second.process.wait_for_event("in_sync")["withheld"], 1);
    assert_eq!(second.process.events("skipped")[0]["kind"], "ignored");
    assert_eq!(folder.names(), ["Mine/decals.png", "Other/decals.png"]);

    let removed = ignore(&league, &folder, &["remove", "MINE", "#2_*", "#2_Team*"]);
    assert_eq!(removed["changed"], json!(["MINE", "#2_Team*"]));
    assert_eq!(ignore(&league, &folder, &["list"])["ignored"], json!([]));
    league.wait_in_sync(2, 3);
    assert_eq!(folder.read("#2_Team/decals.png").unwrap(), b"two");
    assert_eq!(league.folder("first").read("Mine/decals.png").unwrap(), b"mine");
}

//! The choice of what is shared, made before and while the client runs.

use std::fs;

use serde_json::{Value, json};

use crate::{
    league::{Folder, League},
    process::liverysync,
};

/// Runs `liverysync share` and returns its object.
fn share(league: &League, folder: &Folder, args: &[&str]) -> Value {
    let mut command = liverysync();
    command.arg("share").args(args).arg("--json").arg("--liveries").arg(&folder.root);
    let output = command.env("LIVERYSYNC_STATE", league.state()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Puts so many liveries into a folder.
fn write_old(folder: &Folder, number: usize) {
    for at in 0..number {
        folder.write(&format!("Old {at:02}/decals.png"), format!("old {at}").as_bytes());
    }
}

const IRIS: &str = "77 Iris/decals.png";

#[test]
fn many_new_liveries_wait_until_their_driver_chooses() {
    let mut league = League::new();
    league.folder("aoi").write(IRIS, b"iris");
    let mut aoi = league.driver("aoi", &[]);
    aoi.wait_in_sync(1);
    let folder = league.folder("bruno");
    write_old(&folder, 11);

    let mut once = league.driver("bruno", &["--once"]);
    let needed = once.process.wait_for_event("share_needed");
    assert_eq!((&needed["liveries"], &needed["names"][10]), (&json!(11), &json!("Old 10")));
    let in_sync = once.process.wait_for_event("in_sync");
    let outstanding = in_sync["outstanding"].as_array().unwrap();
    assert_eq!((outstanding.len(), &outstanding[0]["kind"]), (11, &json!("share_needed")));
    assert_eq!(once.process.wait().code(), Some(4));
    assert_eq!(folder.read(IRIS).unwrap(), b"iris");
    assert_eq!(aoi.folder.names(), [IRIS]);

    let mut bruno = league.driver("bruno", &[]);
    bruno.process.wait_for_event("share_needed");
    let list = share(&league, &folder, &["list"]);
    assert_eq!(
        (&list["shared"], &list["league"]),
        (&json!(null), &json!(format!("127.0.0.1:{}", league.port)))
    );
    let added = share(&league, &folder, &["add", "old 0*", "!Old 03", "Odl 1*"]);
    assert_eq!(added["changed"], json!(["old 0*", "!Old 03", "Odl 1*"]));
    assert_eq!(added["unmatched"], json!(["Odl 1*"]));
    league.wait_in_sync(2, 10);
    assert!(aoi.folder.read("Old 03/decals.png").is_none());
    share(&league, &folder, &["add", "*"]);
    league.wait_in_sync(2, 12);
    assert_eq!(aoi.folder.tree(), folder.tree());
}

#[test]
fn a_choice_at_the_start_is_kept() {
    let league = League::new();
    let folder = league.folder("bruno");
    write_old(&folder, 12);
    let mut aoi = league.driver("aoi", &[]);
    aoi.wait_in_sync(0);
    let run = |options: &[&str]| {
        let mut once = league.driver("bruno", &[&["--once"], options].concat());
        once.process.wait().code()
    };
    assert_eq!(run(&["--share", "old 01,Old 02"]), Some(0));
    assert_eq!(run(&[]), Some(0));
    let list = share(&league, &folder, &["list"]);
    assert_eq!(list["shared"], json!(["old 01", "Old 02"]));
    assert_eq!(run(&["--receive-only", "--send-only"]), Some(2));
    aoi.wait_in_sync(2);
    assert_eq!(aoi.folder.names(), ["Old 01/decals.png", "Old 02/decals.png"]);
}

#[test]
fn a_folder_that_an_earlier_version_has_synced_is_not_asked_about() {
    let league = League::new();
    let folder = league.folder("bruno");
    folder.write(IRIS, b"iris");
    let once =
        |league: &League, driver: &str| league.driver(driver, &["--once"]).process.wait().code();
    assert_eq!(once(&league, "bruno"), Some(0));
    // Earlier versions know no leagues and no shared liveries.
    let kept: Vec<_> = fs::read_dir(league.state().join("clients")).unwrap().collect();
    let paths = kept.into_iter().map(|entry| entry.unwrap().path());
    let of_today = paths.filter(|path| {
        path.extension().is_some_and(|extension| extension == "leagues" || extension == "share")
    });
    let of_today: Vec<_> = of_today.collect();
    assert_eq!(of_today.len(), 2);
    of_today.iter().for_each(|path| fs::remove_file(path).unwrap());
    write_old(&folder, 12);
    // This server keeps nothing, so the other driver has to be there before the files come.
    let mut aoi = league.driver("aoi", &[]);
    aoi.wait_in_sync(0);
    assert_eq!(once(&league, "bruno"), Some(0));
    aoi.wait_in_sync(13);
    assert_eq!(share(&league, &folder, &["list"])["shared"], json!(["*"]));

    // Another league is another question.
    let other = League::new();
    let port = other.port.to_string();
    let mut there = league.driver_at(other.port, "bruno", &["--once"]);
    assert_eq!(there.process.wait().code(), Some(4));
    let list = share(&league, &folder, &["list", "--port", &port]);
    assert_eq!(list["shared"], json!(null));
}

#[test]
fn a_pc_may_only_send_or_only_receive() {
    let league = League::new();
    league.folder("aoi").write(IRIS, b"iris");
    league.folder("sends").write("904/decals.png", b"sent");
    league.folder("receives").write("Mine/decals.png", b"mine");
    let mut aoi = league.driver("aoi", &[]);
    aoi.wait_in_sync(1);
    let mut sends = league.driver("sends", &["--send-only", "--once"]);
    assert_eq!(sends.process.wait().code(), Some(0));
    aoi.wait_in_sync(2);
    assert_eq!(sends.folder.names(), ["904/decals.png"]);

    // `status` knows what the client did.
    let mut command = liverysync();
    command.args(["status", "--json", "--port", &league.port.to_string()]);
    command.arg("--liveries").arg(&sends.folder.root).env("LIVERYSYNC_STATE", league.state());
    let status: Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    assert_eq!((&status["only"], &status["in_sync"]), (&json!("source"), &json!(true)));
    assert_eq!(status["receive"], json!([]));

    let mut receives = league.driver("receives", &["--receive-only", "--once"]);
    assert_eq!(receives.process.wait().code(), Some(0));
    assert_eq!(receives.folder.names(), [IRIS, "904/decals.png", "Mine/decals.png"]);
    assert_eq!(aoi.folder.names(), [IRIS, "904/decals.png"]);
}

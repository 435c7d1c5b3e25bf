//! The league database: edits, members who are away, and crashes.

use serde_json::Value;

use crate::league::{Driver, League, Tree};

const PATH: &str = "Team/decals.png";

fn installed(event: &Value) -> bool {
    event["event"] == "installed" && event["path"] == PATH
}

fn contents(tree: &Tree) -> Vec<(&String, &String)> {
    tree.iter().map(|(path, (digest, _))| (path, digest)).collect()
}

#[test]
fn an_edit_updates_every_pc_even_one_that_was_offline() {
    let mut league = League::with_data(&[]);
    league.folder("aoi").write(PATH, b"old paint");
    let mut drivers = ["aoi", "bruno", "chloé"].map(|name| league.member(name, &[]));
    drivers.iter_mut().for_each(|driver| driver.wait_in_sync(1));
    let [aoi, bruno, mut chloe] = drivers;
    let away = bruno.folder.clone();
    drop(bruno);

    aoi.folder.write(PATH, b"new paint");
    chloe.process.wait_for("the update", installed);
    chloe.wait_in_sync(1);
    assert_eq!(chloe.folder.read(PATH).unwrap(), b"new paint");
    assert_eq!(away.read(PATH).unwrap(), b"old paint");

    let mut bruno = league.member("bruno", &[]);
    bruno.process.wait_for("the update", installed);
    bruno.wait_in_sync(1);
    for driver in [&aoi, &bruno, &chloe] {
        assert_eq!(driver.folder.names(), [PATH]);
        assert_eq!(driver.folder.read(PATH).unwrap(), b"new paint");
    }
    assert_eq!(bruno.folder.backups(), [(PATH.to_owned(), b"old paint".to_vec())]);
    assert!(league.server.events("conflict").is_empty());

    let history = league.administer(&["history", "Team"]);
    let causes: Vec<_> = (0..2).map(|at| &history["versions"][at]["changes"][0]["cause"]).collect();
    assert_eq!(causes, ["updated", "published"]);
}

/// Waits until the server has everything, disconnects the driver and kills the server.
fn leave_and_crash(league: &mut League, uploader: Driver) -> Tree {
    let tree = uploader.folder.tree();
    league.wait_until_stored(tree.len());
    drop(uploader);
    league.server.kill();
    tree
}

#[test]
fn a_restarted_server_gives_a_new_driver_everything_while_the_uploader_is_offline() {
    let mut league = League::with_data(&[]);
    let folder = league.folder("uploader");
    folder.write_large("Large/decals.png", 4_000_000);
    folder.write("Small/decals.json", b"{}");
    folder.write("Small/decals.png", b"paint");
    // Slow enough for the server to be killed during the upload.
    let mut uploader = league.member("uploader", &["--limit-up", "2MB/s"]);
    uploader.process.wait_for_event("sent");
    league.server.kill();
    uploader.process.wait_for_event("disconnected");
    league.restart_server();
    uploader.wait_in_sync(3);
    let tree = leave_and_crash(&mut league, uploader);

    league.restart_server();
    assert_eq!(league.administer(&["status"])["missing"], 0);
    let mut new = league.member("new", &["--once"]);
    assert_eq!(new.process.wait().code(), Some(0));
    assert_eq!(contents(&new.folder.tree()), contents(&tree));
    assert!(new.folder.has_no_leftovers());
}

/// Makes a league of ten liveries, whose server has ended.
fn ended() -> (League, Tree) {
    let mut league = League::with_data(&[]);
    let folder = league.folder("uploader");
    for number in 0..10 {
        folder.write(&format!("Livery {number}/decals.png"), format!("{number}").as_bytes());
    }
    let mut uploader = league.member("uploader", &[]);
    uploader.wait_in_sync(10);
    let tree = leave_and_crash(&mut league, uploader);
    (league, tree)
}

#[test]
fn a_truncated_database_is_rebuilt_with_the_union() {
    let (mut league, tree) = ended();
    // The last program that closes the database writes everything into one file.
    league.administer(&["status"]);
    let database = league.data().join("league.db");
    let bytes = std::fs::read(&database).unwrap();
    std::fs::write(&database, &bytes[..bytes.len() - 4096]).unwrap();

    let mut command = crate::process::liverysync();
    command.args(["server", "--port", "0", "--data"]).arg(league.data());
    let refused = command.output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(said.contains("is damaged") && said.contains("liverysync league rebuild"), "{said}");

    let rebuilt = league.administer(&["rebuild"]);
    assert_eq!((&rebuilt["whole"], &rebuilt["files"]), (&false.into(), &10.into()));
    assert_eq!(
        std::fs::read(rebuilt["kept"][0].as_str().unwrap()).unwrap().len(),
        bytes.len() - 4096
    );
    league.restart_server();
    let mut new = league.member("new", &["--once"]);
    assert_eq!(new.process.wait().code(), Some(0));
    assert_eq!(contents(&new.folder.tree()), contents(&tree));
}

#[test]
fn an_unreadable_database_is_rebuilt_from_the_drivers_and_the_store() {
    let (mut league, tree) = ended();
    league.administer(&["status"]);
    std::fs::write(league.data().join("league.db"), b"garbage").unwrap();
    league.administer(&["rebuild"]);
    league.restart_server();
    let mut uploader = league.member("uploader", &[]);
    uploader.wait_in_sync(10);
    let mut new = league.member("new", &["--once"]);
    assert_eq!(new.process.wait().code(), Some(0));
    assert_eq!(contents(&new.folder.tree()), contents(&tree));
    assert!(uploader.process.events("file_sent").is_empty(), "the store has all of it");
}

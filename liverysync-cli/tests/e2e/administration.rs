//! An admin's changes of the league, seen on the drivers' PCs.

use liverysync_core::hash::ContentHash;
use serde_json::{Value, json};

use crate::league::{Driver, League};

/// Starts a league of two drivers in sync, with four liveries of one file each.
fn league() -> (League, [Driver; 2]) {
    let league = League::with_data(&[]);
    for livery in ["A", "B", "C", "D"] {
        league.folder("aoi").write(&format!("{livery}/decals.png"), livery.as_bytes());
    }
    let mut drivers = ["aoi", "bruno"].map(|name| league.member(name, &[]));
    drivers.iter_mut().for_each(|driver| driver.wait_in_sync(4));
    (league, drivers)
}

fn wait_in_sync(drivers: &mut [Driver; 2], files: usize) {
    drivers.iter_mut().for_each(|driver| driver.wait_in_sync(files));
}

fn backups(driver: &Driver) -> Vec<String> {
    driver.folder.backups().into_iter().map(|(path, _)| path).collect()
}

fn done(act: &str, placed: u64, retired: u64, served: bool) -> Value {
    json!({
        "event": "league_acted", "act": act, "placed": placed, "retired": retired, "served": served,
    })
}

#[test]
fn a_livery_is_retired_and_restored_on_every_pc() {
    let (league, mut drivers) = league();
    assert_eq!(league.administer(&["retire", "A"]), done("retire", 0, 1, true));
    wait_in_sync(&mut drivers, 3);
    for driver in &drivers {
        assert_eq!(driver.folder.names(), ["B/decals.png", "C/decals.png", "D/decals.png"]);
        assert_eq!(backups(driver), ["A/decals.png"]);
    }
    assert_eq!(league.administer(&["status"])["retired"], 1);

    assert_eq!(league.administer(&["restore", "A"]), done("restore", 1, 0, true));
    wait_in_sync(&mut drivers, 4);
    for driver in &drivers {
        assert_eq!(driver.folder.read("A/decals.png").unwrap(), b"A");
    }
}

#[test]
fn a_livery_is_renamed_on_every_pc() {
    let (league, mut drivers) = league();
    assert_eq!(league.administer(&["rename", "A", "Équipe A"]), done("rename", 1, 1, true));
    for driver in &mut drivers {
        driver.process.wait_for("that the old name goes", |event| event["event"] == "retired");
        assert_eq!(backups(driver), ["A/decals.png"]);
    }
    wait_in_sync(&mut drivers, 4);
    for driver in &drivers {
        assert_eq!(driver.folder.read("Équipe A/decals.png").unwrap(), b"A");
        assert_eq!(driver.folder.read("A/decals.png"), None);
    }
}

#[test]
fn a_resolved_conflict_keeps_one_content() {
    let (league, mut drivers) = league();
    league.folder("chloe").write("A/decals.png", b"other paint");
    let mut chloe = league.member("chloe", &[]);
    chloe.wait_in_sync(5);
    wait_in_sync(&mut drivers, 5);
    let conflicts = league.administer(&["conflicts"]);
    let keep = conflicts["conflicts"][0]["copies"][0]["sha256"].as_str().unwrap();
    assert_eq!(keep, ContentHash::of(b"other paint").to_string());

    let resolve = ["resolve", "A/decals.png", "--keep", &keep[..8]];
    assert_eq!(league.administer(&resolve), done("resolve", 1, 1, true));
    wait_in_sync(&mut drivers, 4);
    chloe.wait_in_sync(4);
    for driver in drivers.iter().chain([&chloe]) {
        assert_eq!(driver.folder.names().len(), 4);
        assert_eq!(driver.folder.read("A/decals.png").unwrap(), b"other paint");
    }
    assert_eq!(league.administer(&["conflicts"])["conflicts"], json!([]));
}

#[test]
fn an_owner_is_recorded() {
    let (league, _drivers) = league();
    let member = "00000000000000ff";
    assert_eq!(league.administer(&["own", "a", member]), done("own", 0, 0, true));
    let liveries = league.administer(&["liveries"]);
    let owners = liveries["liveries"][0]["owners"].as_array().unwrap();
    assert!(owners.contains(&member.into()), "{liveries}");
}

#[test]
fn if_only_owners_update_an_edit_by_another_member_is_a_conflict_copy() {
    let league = League::with_data(&["--updates", "owner"]);
    let path = "Team/decals.png";
    league.folder("aoi").write(path, b"aoi's");
    let mut drivers = ["aoi", "bruno"].map(|name| league.member(name, &[]));
    wait_in_sync(&mut drivers, 1);
    drivers[1].folder.write(path, b"bruno's");
    wait_in_sync(&mut drivers, 2);
    let copy = format!("Team/decals__CONFLICT__{}.png", ContentHash::of(b"bruno's").short());
    for driver in &drivers {
        assert_eq!(driver.folder.read(path).unwrap(), b"aoi's");
        assert_eq!(driver.folder.read(&copy).unwrap(), b"bruno's");
    }

    let members = league.administer(&["members"]);
    let members = members["members"].as_array().unwrap();
    let bruno = members.iter().find(|member| member["name"] == "bruno").unwrap();
    league.administer(&["own", "Team", bruno["member"].as_str().unwrap()]);
    drivers[1].folder.write(path, b"bruno's next");
    drivers[0].process.wait_for("the update", |event| {
        event["event"] == "installed" && event["path"] == path && event["bytes"] == 12
    });
    assert_eq!(drivers[0].folder.read(path).unwrap(), b"bruno's next");
    assert_eq!(drivers[0].folder.names().len(), 2);
}

#[test]
fn a_livery_retired_without_a_server_is_removed_when_the_pcs_connect() {
    let (mut league, mut drivers) = league();
    league.server.kill();
    assert_eq!(league.administer(&["retire", "A"]), done("retire", 0, 1, false));
    for driver in &drivers {
        assert_eq!(driver.folder.names().len(), 4);
    }
    league.restart_server();
    wait_in_sync(&mut drivers, 3);
    for driver in &drivers {
        assert_eq!(driver.folder.read("A/decals.png"), None);
        assert_eq!(backups(driver), ["A/decals.png"]);
    }
}

#[test]
fn a_league_keeps_its_settings_until_its_admin_changes_them() {
    let mut league = League::with_data(&["--conflict-scope", "livery"]);
    let scope = |league: &League| league.administer(&["show"])["conflict-scope"].clone();
    assert_eq!(scope(&league), "livery");

    league.server.kill();
    league.restart_server_with(&["--conflict-scope", "file", "--updates", "anyone"]);
    let told = league.server.wait_for_event("settings_differ");
    let differing = json!([{ "setting": "conflict-scope", "used": "livery", "given": "file" }]);
    assert_eq!(told["settings"], differing);
    assert_eq!(scope(&league), "livery");

    // The server that runs follows at once.
    assert_eq!(league.administer(&["set", "updates", "owner"]), done("set", 0, 0, true));
    let path = "Team/decals.png";
    league.folder("aoi").write(path, b"aoi's");
    let mut drivers = ["aoi", "bruno"].map(|name| league.member(name, &[]));
    wait_in_sync(&mut drivers, 1);
    drivers[1].folder.write(path, b"bruno's");
    wait_in_sync(&mut drivers, 2);
    assert_eq!(drivers[0].folder.read(path).unwrap(), b"aoi's");
    assert!(drivers[0].folder.names().iter().any(|name| name.starts_with("Team__CONFLICT__")));
}

/// The commands work beside the client that runs on the same PC.
#[test]
fn owners_withdraw_rename_and_replace_their_own_liveries() {
    let league = League::with_data(&["--updates", "owner"]);
    let folder = league.folder("aoi");
    folder.write("Team/decals.png", b"aoi's");
    folder.write("Team/sponsors.png", b"sponsors");
    folder.write("New/decals.png", b"new");
    let mut drivers = ["aoi", "bruno"].map(|name| league.member(name, &[]));
    wait_in_sync(&mut drivers, 3);
    let own = |driver: &str, args: &[&str]| league.change_own(driver, args);

    let refused = own("bruno", &["withdraw", "Team"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("\"Team\" belongs to aoi"), "{said}");

    let preview = own("aoi", &["withdraw", "Team", "--dry-run"]);
    let said = String::from_utf8_lossy(&preview.stdout).into_owned();
    assert!(said.starts_with("Would withdraw Team (2 files)."), "{said}");
    let done = own("aoi", &["withdraw", "Team/sponsors.png", "--json"]);
    let done: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(done["event"], "owner_acted");
    assert_eq!((&done["retired"], &done["dry_run"]), (&json!(1), &json!(false)));
    wait_in_sync(&mut drivers, 2);
    assert!(own("aoi", &["rename", "Team", "Team 7"]).status.success());
    assert!(own("aoi", &["replace", "Team 7", "New"]).status.success());
    wait_in_sync(&mut drivers, 1);
    for driver in &drivers {
        assert_eq!(driver.folder.names(), ["New/decals.png"]);
    }
    let history = league.administer(&["history", "New"]);
    let versions = history["versions"].as_array().unwrap();
    assert!(versions.len() > 2, "{history}");
}

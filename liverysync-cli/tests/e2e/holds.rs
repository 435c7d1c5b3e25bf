//! Approval and freezes, seen on the drivers' PCs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use liverysync_core::time::UnixTime;
use serde_json::{Value, json};

use crate::league::{Driver, League};

const OLD: &str = "77 Iris/decals.png";
const NEW: &str = "78 Iris/decals.png";

/// Runs a driver's client once. Returns its exit code, and the list of what is outstanding.
fn once(league: &League, name: &str) -> (Option<i32>, Value) {
    let mut driver = league.member(name, &["--once"]);
    let in_sync = driver.process.wait_for_event("in_sync");
    (driver.process.wait().code(), in_sync["outstanding"].clone())
}

fn wait_installed(driver: &mut Driver, path: &str) {
    let is_it = |event: &Value| event["event"] == "installed" && event["path"] == path;
    driver.process.wait_for(&format!("that {path} is installed"), is_it);
}

fn in_seconds(seconds: u64) -> String {
    let date = SystemTime::now() + Duration::from_secs(seconds);
    let nanos = date.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    UnixTime::from_nanos(i64::try_from(nanos).unwrap()).to_string()
}

#[test]
fn new_liveries_and_new_versions_wait_for_an_admin() {
    let mut league = League::with_data(&["--updates", "owner"]);
    let aoi = league.folder("aoi");
    aoi.write(OLD, b"first");
    assert_eq!(once(&league, "aoi"), (Some(0), json!([])));
    let mut bruno = league.member("bruno", &[]);
    bruno.wait_in_sync(1);

    league.administer(&["set", "approval", "on"]);
    aoi.write(OLD, b"second");
    aoi.write(NEW, b"another");
    let waits =
        |livery: &str| json!({"kind": "held", "path": livery, "reason": "waiting for approval"});
    let both = json!([waits("77 Iris"), waits("78 Iris")]);
    assert_eq!(once(&league, "aoi"), (Some(4), both));
    let held = league.administer(&["held"])["held"].clone();
    let who = |livery: &Value| {
        (livery["livery"].clone(), livery["name"].clone(), livery["state"].clone())
    };
    let told: Vec<_> = held.as_array().unwrap().iter().map(who).collect();
    let waiting = |livery: &str| (json!(livery), json!("aoi"), json!("waiting"));
    assert_eq!(told, [waiting("77 Iris"), waiting("78 Iris")]);
    assert_eq!(held[0]["files"][0]["stored"], true, "the server has it, its author is away");
    assert!(held[0]["since"].is_string());
    assert_eq!(bruno.folder.read(OLD).unwrap(), b"first");

    league.server.interrupt();
    league.restart_server();
    assert_eq!(league.administer(&["approve", "77 iris"])["placed"], 1);
    wait_installed(&mut bruno, OLD);
    assert_eq!(bruno.folder.read(OLD).unwrap(), b"second");
    assert_eq!(bruno.folder.names(), [OLD]);

    league.administer(&["reject", "--from", "aoi"]);
    let rejected = json!({
        "kind": "held", "path": "78 Iris", "reason": "the league has rejected this version",
    });
    assert_eq!(once(&league, "aoi"), (Some(4), json!([rejected])));
    assert_eq!(aoi.names(), [OLD, NEW]);
    league.administer(&["approve", "78 Iris"]);
    wait_installed(&mut bruno, NEW);
    assert_eq!(once(&league, "aoi"), (Some(0), json!([])));
    assert_eq!(league.administer(&["held"])["held"], json!([]));
}

#[test]
fn a_freeze_ends_at_its_time() {
    let league = League::with_data(&[]);
    league.folder("aoi").write(OLD, b"first");
    let mut drivers = ["aoi", "bruno"].map(|name| league.member(name, &[]));
    drivers.iter_mut().for_each(|driver| driver.wait_in_sync(1));
    league.administer(&["freeze"]);
    drivers[0].folder.write(OLD, b"second");
    let held = drivers[0].process.wait_for_event("held");
    assert_eq!(
        held,
        json!({"event": "held", "livery": "77 Iris", "cause": "freeze", "until": null, "limit": null, "finding": null})
    );
    assert_eq!(drivers[1].folder.read(OLD).unwrap(), b"first");

    let end = in_seconds(3);
    league.administer(&["freeze", "--until", &end]);
    assert_eq!(league.administer(&["show"])["frozen"], format!("*\t{end}"));
    wait_installed(&mut drivers[1], OLD);
    assert_eq!(drivers[1].folder.read(OLD).unwrap(), b"second");
    assert!(in_seconds(0) >= end);
    assert_eq!(league.administer(&["show"])["frozen"], "");
}

//! Conflicts: two contents under one name.

use liverysync_core::hash::ContentHash;
use serde_json::{Value, json};

use crate::league::League;

fn conflict(path: &str, bytes: &[u8]) -> String {
    let (stem, extension) = path.rsplit_once('.').unwrap();
    format!("{stem}__CONFLICT__{}.{extension}", ContentHash::of(bytes).short())
}

#[test]
fn every_pc_gets_both_contents_and_the_later_driver_loses_nothing() {
    let mut league = League::new();
    let path = "Team/decals.png";
    league.folder("first").write(path, b"established");
    league.folder("second").write(path, b"other paint");
    let mut first = league.driver("first", &[]);
    league.wait_in_sync(1, 1);
    let mut second = league.driver("second", &[]);
    let mut third = league.driver("third", &[]);
    league.wait_in_sync(3, 2);

    let copy = conflict(path, b"other paint");
    for driver in [&first, &second, &third] {
        assert_eq!(driver.folder.read(path).unwrap(), b"established");
        assert_eq!(driver.folder.read(&copy).unwrap(), b"other paint");
        assert_eq!(driver.folder.tree().len(), 2);
    }
    assert_eq!(second.folder.backups(), [(path.to_owned(), b"other paint".to_vec())]);
    let copied = second.process.wait_for("the copy", |event| {
        event["event"] == "installed" && event["path"] == copy.as_str()
    });
    assert_eq!(copied["copied"], true, "bytes that this PC has were downloaded");
    assert!(first.folder.backups().is_empty() && third.folder.backups().is_empty());

    // Another livery is uploaded once and downloaded by each of the others, and nothing else is transferred.
    let sessions = league.server.events("session_began").len();
    first.folder.write("Late/decals.png", b"late");
    league.wait_in_sync(3, 3);
    assert_eq!(league.server.events("session_began").len(), sessions + 3);

    // An edited conflict copy is an update of it.
    second.folder.write(&copy, b"edited");
    for driver in [&mut first, &mut third] {
        driver.process.wait_for("the edited copy", |event| {
            event["event"] == "installed" && event["path"] == copy.as_str() && event["bytes"] == 6
        });
    }
    for driver in [&mut first, &mut second, &mut third] {
        assert_eq!(driver.folder.read(&copy).unwrap(), b"edited");
        assert_eq!(driver.folder.tree().len(), 3);
    }
}

#[test]
fn a_livery_in_conflict_is_kept_whole_until_an_admin_resolves_it() {
    let league = League::with_data(&["--conflict-scope", "livery"]);
    let first = league.folder("first");
    first.write("Team/decals.png", b"established");
    first.write("Team/decals.json", b"same");
    let second = league.folder("second");
    second.write("Team/decals.png", b"other paint");
    second.write("Team/decals.json", b"same");
    second.write("Team/sponsors.png", b"only here");
    let mut first = league.member("first", &[]);
    first.wait_in_sync(2);
    let mut second = league.member("second", &[]);
    second.wait_in_sync(5);
    first.wait_in_sync(5);

    let names = first.folder.names();
    let folder = names[2].split('/').next().unwrap().to_owned();
    let copy = |name: &str| format!("{folder}/{name}");
    assert!(folder.starts_with("Team__CONFLICT__"), "{names:?}");
    for driver in [&first, &second] {
        assert_eq!(driver.folder.read("Team/decals.png").unwrap(), b"established");
        assert_eq!(driver.folder.read("Team/decals.json").unwrap(), b"same");
        assert_eq!(driver.folder.read(&copy("decals.png")).unwrap(), b"other paint");
        assert_eq!(driver.folder.read(&copy("decals.json")).unwrap(), b"same");
        assert_eq!(driver.folder.read(&copy("sponsors.png")).unwrap(), b"only here");
    }

    let conflicts = league.administer(&["conflicts"]);
    let conflicts = conflicts["conflicts"].as_array().unwrap();
    assert_eq!(conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts[0]["copies"][0]["path"], copy("decals.png"));
    let keep = ContentHash::of(b"other paint").short();
    league.administer(&["resolve", "Team/decals.png", "--keep", &keep]);
    for driver in [&mut first, &mut second] {
        driver.wait_in_sync(3);
        let names = ["Team/decals.json", "Team/decals.png", "Team/sponsors.png"];
        assert_eq!(driver.folder.names(), names);
        assert_eq!(driver.folder.read("Team/decals.png").unwrap(), b"other paint");
    }
}

#[test]
fn a_livery_without_a_common_file_is_kept_apart_until_an_admin_retires_it() {
    let league = League::with_data(&["--conflict-scope", "livery"]);
    league.folder("first").write("Team/decals.png", b"established");
    league.folder("other").write("Team/sponsors.png", b"other");
    let mut first = league.member("first", &[]);
    first.wait_in_sync(1);
    let mut other = league.member("other", &[]);
    other.wait_in_sync(2);
    first.wait_in_sync(2);
    let names = first.folder.names();
    assert_eq!(names[0], "Team/decals.png");
    assert!(names[1].starts_with("Team__CONFLICT__") && names[1].ends_with("/sponsors.png"));
    assert_eq!(other.folder.names(), names);

    let conflicts = &league.administer(&["conflicts"])["conflicts"];
    assert_eq!(
        (&conflicts[0]["path"], &conflicts[0]["established"]),
        (&json!("Team/sponsors.png"), &Value::Null)
    );
    league.administer(&["resolve", "Team/sponsors.png", "--keep", "none"]);
    for driver in [&mut first, &mut other] {
        driver.wait_in_sync(1);
        assert_eq!(driver.folder.names(), ["Team/decals.png"]);
    }
    let kept = other.folder.backups();
    assert!(kept.contains(&("Team/sponsors.png".to_owned(), b"other".to_vec())), "{kept:?}");
}

#[test]
fn an_allow_list_distributes_the_conflict_copies_of_its_liveries() {
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "Team\n").unwrap();
    let list = list.path().to_str().unwrap();
    let mut league = League::with(&["--conflict-scope", "livery", "--allow-list", list]);
    league.folder("first").write("Team/decals.png", b"established");
    league.folder("second").write("Team/decals.png", b"other paint");
    let mut first = league.driver("first", &[]);
    league.wait_in_sync(1, 1);
    let mut second = league.driver("second", &[]);
    second.wait_in_sync(2);
    first.wait_in_sync(2);
    let names = first.folder.names();
    assert_eq!(second.folder.names(), names);
    assert_eq!(names.len(), 2);
    assert!(names[1].starts_with("Team__CONFLICT__"), "{names:?}");
}

#[test]
fn a_policy_decides_between_contents_that_arrive_together() {
    // Both arrive together only if the server is slow; its events show which one keeps the name.
    for (policy, winner) in [("lowest-hash", None), ("established", Some(b"one"))] {
        let mut league = League::with(&["--conflict-policy", policy]);
        league.folder("a").write("T/decals.png", b"one");
        league.folder("b").write("T/decals.png", b"two");
        let a = league.driver("a", &[]);
        league.wait_in_sync(1, 1);
        let b = league.driver("b", &[]);
        league.wait_in_sync(2, 2);
        assert_eq!(a.folder.tree(), b.folder.tree());
        if let Some(winner) = winner {
            assert_eq!(b.folder.read("T/decals.png").unwrap(), winner);
        }
    }
}

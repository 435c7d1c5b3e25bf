//! The old Python programs beside liverysync, in both roles. The peers report as `unexpected` everything that protocol 1
//! does not know, and a second file that begins before the first has ended.

use serde_json::Value;

use crate::league::{Driver, Folder, League};

#[track_caller]
fn assert_nothing_unexpected(driver: &mut Driver) {
    let unexpected = driver.process.events("unexpected");
    assert!(unexpected.is_empty(), "{unexpected:?}");
    assert!(driver.process.events("unknown_message").is_empty());
}

/// Asserts that two folders are the same, with dates to the microsecond: protocol 1 carries them as floats.
#[track_caller]
fn assert_same_to_the_microsecond(one: &Folder, other: &Folder) {
    let (one, other) = (one.tree(), other.tree());
    assert!(one.keys().eq(other.keys()));
    for (path, (digest, date)) in &one {
        let (other_digest, other_date) = &other[path];
        let apart = date.duration_since(*other_date).unwrap_or_else(|later| later.duration());
        assert!(digest == other_digest && apart.as_nanos() < 1000, "{path}: {apart:?}");
    }
}

/// Returns how often a file was begun towards an old client, at most.
fn begun_at_most(driver: &mut Driver) -> u64 {
    let begins = driver.process.events("begin");
    begins.iter().filter_map(|event| event["times"].as_u64()).max().unwrap_or(0)
}

#[test]
fn both_old_clients_work_on_a_liverysync_server() {
    let mut league = League::with(&["--manifest-stale-seconds", "2"]);
    let (new, first, last) = (league.folder("new"), league.folder("first"), league.folder("1.0.4"));
    new.write_large("New #1/decals.png", 800_001);
    new.write("New #1/readme.txt", b"1.0.4 takes no text");
    first.write_large("Première/decals.png", 300_000);
    first.write("Première/decals.json", b"{}");
    last.write_large("最後/decals.png", 262_144);
    first.write("Both/decals.png", b"of the first");

    let _new = league.driver("new", &[]);
    let mut first = league.old_driver("first", "first", &[]);
    league.wait_in_sync(2, 5);
    // A conflict with a name that the league has.
    last.write("Both/decals.png", b"of 1.0.4, and older than what it gets");
    let mut last = league.old_driver("1.0.4", "1.0.4", &[]);
    let copy = liverysync_core::hash::ContentHash::of(b"of 1.0.4, and older than what it gets");
    let copy = format!("Both/decals__CONFLICT__{}.png", copy.short());
    league.wait_in_sync(3, 7);

    let everything = [
        "Both/decals.png".to_owned(),
        copy.clone(),
        "New #1/decals.png".to_owned(),
        "New #1/readme.txt".to_owned(),
        "Première/decals.json".to_owned(),
        "Première/decals.png".to_owned(),
        "最後/decals.png".to_owned(),
    ];
    for folder in [&new, &first.folder] {
        assert_eq!(folder.names(), everything);
        assert_eq!(folder.read("Both/decals.png").unwrap(), b"of the first");
        assert_eq!(folder.read("Première/decals.png"), first.folder.read("Première/decals.png"));
        assert_eq!(folder.read("最後/decals.png"), last.folder.read("最後/decals.png"));
    }
    let refused = |name: &&String| name.contains("__CONFLICT__") || name.ends_with(".txt");
    let expected: Vec<_> = everything.iter().filter(|name| !refused(name)).cloned().collect();
    assert_eq!(last.folder.names(), expected);

    // After two refreshes of every manifest, nothing has been offered again.
    let begun = (begun_at_most(&mut first), begun_at_most(&mut last));
    for _ in 0..2 {
        last.process
            .wait_for("an answer to a request", |event: &Value| event["event"] == "manifest");
    }
    assert_eq!((begun_at_most(&mut first), begun_at_most(&mut last)), begun);
    assert_eq!(begun, (1, 1));
    for driver in [&mut first, &mut last] {
        assert_nothing_unexpected(driver);
        assert!(driver.process.events("refused").is_empty());
        assert!(driver.process.events("mismatch").is_empty());
    }
}

#[track_caller]
fn check_on_old_server(generation: &str) {
    let mut league = League::old(generation);
    let (a, b) = (league.folder("a"), league.folder("b"));
    a.write_large("Aé/decals.png", 600_000);
    a.write("Aé/decals.json", b"{}");
    b.write_large("B 日本/decals.png", 10);
    let mut old = league.old_driver("old", "1.0.4", &[]);
    old.folder.write("Old/decals.png", b"of the old client");
    let all = ["Aé/decals.json", "Aé/decals.png", "B 日本/decals.png", "Old/decals.png"];
    let own = [a.names().len(), b.names().len()];
    let mut drivers = [league.driver("a", &[]), league.driver("b", &[])];
    for (driver, own) in drivers.iter_mut().zip(own) {
        for _ in own..all.len() {
            driver.process.wait_for_event("installed");
        }
        assert_eq!(driver.folder.names(), all, "{generation}");
        assert!(driver.folder.has_no_leftovers());
    }
    assert_same_to_the_microsecond(&drivers[0].folder, &drivers[1].folder);
    let unexpected = league.server.events("unexpected");
    assert!(unexpected.is_empty(), "{generation}: {unexpected:?}");
    assert!(league.server.events("frozen").is_empty(), "{generation}");
    assert_nothing_unexpected(&mut old);

    // A client that is stopped in the middle must not freeze the server for the others.
    drivers[0].process.interrupt();
    drivers[1].folder.write("Later/decals.png", b"later");
    old.process.wait_for("the later livery", |event| {
        event["event"] == "installed" && event["path"] == "Later/decals.png"
    });
}

#[test]
fn a_client_works_on_the_first_old_server() {
    check_on_old_server("first");
}

#[test]
fn a_client_works_on_the_later_old_server() {
    check_on_old_server("later");
}

#[test]
fn once_ends_on_an_old_server() {
    let league = League::old("later");
    league.folder("old").write("Old/decals.png", b"of the old client");
    let _old = league.old_driver("old", "1.0.4", &[]);
    league.folder("a").write("A/decals.png", b"a");
    let mut a = league.driver("a", &["--once", "--timeout", "80"]);
    assert_eq!(a.process.wait().code(), Some(0));
    assert_eq!(a.folder.names(), ["A/decals.png", "Old/decals.png"]);
}

#[test]
fn a_damaged_picture_of_an_old_client_replaces_nothing() {
    let mut league = League::with_data(&["--manifest-stale-seconds", "1"]);
    let picture = "904/decals.png";
    let whole = png(200_000);
    let author = league.folder("author");
    author.write(picture, &whole);
    let mut author = league.driver("author", &[]);
    author.wait_in_sync(1);
    let old = league.old_driver("old", "1.0.4", &[]);
    league.wait_in_sync(2, 1);
    // An editor that crashed in the middle of a save.
    old.folder.write(picture, &whole[..150_000]);
    let found = league.server.wait_for_event("damaged");
    assert_eq!((&found["path"], &found["published"]), (&picture.into(), &false.into()));
    let held = league.administer(&["held"]);
    assert_eq!(held["held"][0]["cause"], "damaged");
    assert_eq!(author.folder.read(picture).unwrap(), whole);
    assert_eq!(old.folder.read(picture).unwrap().len(), 150_000);
    // Once it is intact, it is an edit of somebody without a key: in conflict, and nothing is lost.
    let again = png(180_000);
    old.folder.write(picture, &again);
    author.wait_in_sync(2);
    assert_eq!(author.folder.read(picture).unwrap(), whole);
    let held = league.administer(&["held"]);
    assert_eq!(held["held"].as_array().unwrap().len(), 0);
}

/// Makes a picture of one pixel, of this many bytes and a few more.
fn png(len: usize) -> Vec<u8> {
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0crc!";
    [&header[..], &vec![7; len], b"\0\0\0\0IEND\xae\x42\x60\x82"].concat()
}

//! Leagues of honest liverysync clients.

use liverysync_core::transfer::CHUNK_BYTES;

use crate::league::{Driver, League};

#[track_caller]
fn assert_identical(drivers: &[Driver]) {
    let first = drivers[0].folder.tree();
    for driver in drivers {
        assert_eq!(driver.folder.tree(), first, "{}", driver.folder.root.display());
        assert!(driver.folder.has_no_leftovers(), "{}", driver.folder.root.display());
    }
}

#[test]
fn four_drivers_get_the_same_bytes_and_dates_with_little_memory() {
    let mut league = League::new();
    let names = ["aoi", "bruno", "çelik", "dara"];
    let [aoi, bruno, celik, dara] = names.map(|name| league.folder(name));
    aoi.write_large("#2_TeamIris_992/decals.png", 200_000_000);
    aoi.write("#2_TeamIris_992/decals.json", b"");
    bruno.write_large("Super Taikyu TKRI/decals.png", CHUNK_BYTES);
    bruno.write_large("Super Taikyu TKRI/sponsors.png", CHUNK_BYTES + 1);
    celik.write("Équipe Été & Fils/readme.txt", b"x");
    celik.write_large("日本レーシング '24 [GT3]/decals.png", 3 * CHUNK_BYTES - 7);
    for (number, folder) in [&aoi, &bruno, &celik, &dara].into_iter().enumerate() {
        // Together with the large file, more than a gigabyte passes the server.
        for part in 0..9 {
            folder.write_large(&format!("grid {number}/{part}.dds"), 5_000_000);
        }
    }

    let drivers = names.map(|name| league.driver(name, &[]));
    league.wait_in_sync(4, 42);
    assert_identical(&drivers);
    assert_eq!(drivers[0].folder.tree().len(), 42);

    #[cfg(target_os = "linux")]
    {
        let server = league.server.peak_megabytes();
        assert!(server < 64, "the server took {server} MB");
        for driver in &drivers {
            let client = driver.process.peak_megabytes();
            assert!(client < 48, "a client took {client} MB");
        }
    }

    aoi.write("Late/decals.png", b"dropped in while all are connected");
    league.wait_in_sync(4, 43);
    assert_identical(&drivers);
}

#[test]
fn an_empty_driver_gets_everything() {
    let mut league = League::new();
    let full = league.folder("full");
    for number in 0..130 {
        full.write(&format!("Livery {number}/decals.png"), format!("{number}").as_bytes());
    }
    let drivers = [league.driver("full", &["--share", "all"]), league.driver("empty", &[])];
    league.wait_in_sync(2, 130);
    assert_identical(&drivers);
}

#[test]
fn clients_reconnect_to_a_restarted_server() {
    let mut league = League::new();
    league.folder("a").write("A/decals.png", b"a");
    league.folder("b").write("B/decals.png", b"b");
    let options = ["--retry-first-seconds", "0.1", "--retry-max-seconds", "0.2"];
    let mut drivers = [league.driver("a", &options), league.driver("b", &options)];
    league.wait_in_sync(2, 2);

    let port = league.port.to_string();
    let status = league.server.interrupt();
    assert!(status.success(), "{status}");
    for driver in &mut drivers {
        driver.process.wait_for_event("disconnected");
    }
    drivers[0].folder.write("C/decals.png", b"c");
    let mut command = crate::process::liverysync();
    command.args(["server", "--host", "127.0.0.1", "--port", &port, "--json"]);
    league.server = crate::process::Process::start("second server", &mut command);
    league.wait_in_sync(2, 3);
    assert_identical(&drivers);
}

#[test]
fn foreign_files_are_skipped_and_reported() {
    let league = League::new();
    let (a, b) = (league.folder("a"), league.folder("b"));
    a.write("T/decals.png", b"picture");
    a.write("T/decals_0.dds", b"cache");
    a.write("T/sponsors_0.dds", b"without its picture it is the livery's own");
    a.write("T/setup.exe", b"foreign");
    a.write("Met/decals.json", b"left by the game");
    b.write("Met/decals.png", b"the author's");
    b.write("Met/decals.json", b"the author's");
    b.write("T/decals_0.dds", b"an older cache, without its picture");

    let mut drivers = [league.driver("a", &[]), league.driver("b", &[])];
    let mut kinds: Vec<_> = (0..3)
        .map(|_| drivers[0].process.wait_for_event("skipped"))
        .map(|event| (event["kind"].to_string(), event["path"].to_string()))
        .collect();
    kinds.sort();
    assert_eq!(
        kinds,
        [
            ("\"cache\"".to_owned(), "\"T/decals_0.dds\"".to_owned()),
            ("\"extension\"".to_owned(), "\"T/setup.exe\"".to_owned()),
            ("\"placeholder\"".to_owned(), "\"Met/decals.json\"".to_owned()),
        ]
    );
    drivers[1].process.wait_for("T/decals.png", |event| {
        event["event"] == "installed" && event["path"] == "T/decals.png"
    });
    drivers[0].process.wait_for("Met/decals.json", |event| {
        event["event"] == "installed" && event["path"] == "Met/decals.json"
    });
    drivers[0].process.wait_for_event("in_sync");
    drivers[1].process.wait_for_event("in_sync");
    assert_eq!(a.read("Met/decals.json").unwrap(), b"the author's");
    assert_eq!(a.backups(), [("Met/decals.json".to_owned(), b"left by the game".to_vec())]);
    // The game would continue to show the old paint from its cache.
    assert_eq!(b.read("T/decals_0.dds"), None);
    let old_cache = b"an older cache, without its picture".to_vec();
    assert_eq!(b.backups(), [("T/decals_0.dds".to_owned(), old_cache)]);
    assert_eq!(a.read("T/decals_0.dds").unwrap(), b"cache");
    assert_eq!(b.read("T/setup.exe"), None);
}

#[test]
fn the_allow_list_is_read_again_when_it_changes() {
    let list = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(list.path(), "# this season\nAllowed\n").unwrap();
    let mut league = League::with(&["--allow-list", list.path().to_str().unwrap()]);
    let a = league.folder("a");
    a.write("Allowed/decals.png", b"1");
    a.write("#2_Other/decals.png", b"2");
    let mut drivers = [league.driver("a", &[]), league.driver("b", &[])];
    league.wait_in_sync(2, 2);
    assert_eq!(drivers[1].folder.names(), ["Allowed/decals.png"]);

    std::fs::write(list.path(), "allowed\n\\#2_Other\n").unwrap();
    drivers[1].process.wait_for("#2_Other", |event| {
        event["event"] == "installed" && event["path"] == "#2_Other/decals.png"
    });
    assert_identical(&drivers);
}

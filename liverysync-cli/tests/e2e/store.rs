//! The server's store: one upload for everybody, whoever is slow, away or cut off meanwhile.

use serde_json::Value;

use crate::{
    forwarder::{Cut, Forwarder, Way},
    league::{Folder, League, files_below, noise},
};

/// More than a link holds under way: whoever takes nothing is noticed.
const LARGE: usize = 12_000_000;

/// After so many bytes a link is cut: far from either end of a large file.
const CUT: usize = 6_000_000;

const SOON: [&str; 4] = ["--retry-first-seconds", "0.1", "--retry-max-seconds", "0.2"];

/// Uploads that a server has asked for so far.
fn uploads(league: &mut League) -> usize {
    let sessions = league.server.events("session_began");
    sessions.iter().filter(|session| !session["source"].is_null()).count()
}

fn installed<'a>(path: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["event"] == "installed" && event["path"] == path
}

#[test]
fn a_source_uploads_each_content_once_however_many_want_it_and_whenever() {
    let mut league = League::new();
    let source = league.folder("source");
    source.write_large("A/decals.png", 3_000_000);
    source.write("A/decals.json", b"{}");
    source.write_large("B/decals.png", 400_000);
    // The same content under another name.
    source.write("B/sponsors.png", &source.read("A/decals.png").unwrap());
    let targets = ["one", "two", "three"].map(|name| league.driver(name, &[]));
    for _ in &targets {
        league.server.wait_for_event("manifest");
    }
    let mut uploader = league.driver("source", &[]);
    league.wait_in_sync(4, 4);

    assert!(uploader.process.interrupt().success());
    let mut sent: Vec<_> = uploader
        .process
        .events("file_sent")
        .iter()
        .map(|event| event["bytes"].as_u64().unwrap())
        .collect();
    sent.sort_unstable();
    assert_eq!(sent, [2, 400_000, 3_000_000], "a content was uploaded twice");

    // Nobody is left, and the late one gets everything all the same.
    for target in targets {
        drop(target);
        league.server.wait_for_event("left");
    }
    let uploads_before = uploads(&mut league);
    let mut late = league.driver("late", &["--once"]);
    assert_eq!(late.process.wait().code(), Some(0));
    assert_eq!(late.folder.tree(), source.tree());
    assert_eq!(uploads(&mut league), uploads_before);
}

#[cfg(unix)]
#[test]
fn a_target_that_stands_still_stops_nobody() {
    let mut league = League::new();
    let source = league.folder("source");
    source.write_large("A/decals.png", LARGE);
    source.write_large("B/decals.png", LARGE);
    // So slow that it has only begun when it is stopped.
    let mut stopped = league.driver("stopped", &["--limit-down", "50 KB/s"]);
    league.server.wait_for_event("manifest");
    let mut uploader = league.driver("source", &[]);
    stopped.process.wait_for_event("receiving");
    stopped.process.signal("STOP");
    let mut target = league.driver("target", &[]);

    let done = |event: &Value| event["event"] == "in_sync" && event["files"] == 2;
    target.process.wait_for("that it is in sync", done);
    uploader.process.wait_for("that it is in sync", done);
    assert_eq!(target.folder.tree(), source.tree());
    let given_up = [league.server.events("left"), league.server.events("target_fault")].concat();
    assert!(given_up.is_empty(), "it was given up before the others were done: {given_up:?}");
    assert!(stopped.folder.names().is_empty());

    let folder = stopped.folder.clone();
    drop(stopped);
    let _again = league.driver("stopped", &[]);
    league.wait_in_sync(3, 2);
    assert_eq!(folder.tree(), source.tree());
}

/// That the second connection went on where the first one was cut.
#[track_caller]
fn assert_went_on(forwarder: &Forwarder, way: Way) {
    let links = forwarder.pieces(way);
    let [cut, resumed] = &links[..] else { panic!("not two connections: {links:?}") };
    assert_eq!(cut.first().map(|piece| piece.offset), Some(0));
    let went_on = resumed.first().unwrap().offset;
    let reached = cut.iter().map(|piece| piece.offset + piece.bytes).max().unwrap();
    assert!(went_on > 0, "it began at 0 again");
    assert!(went_on <= reached, "it went on at {went_on}, and {reached} was as far as it had come");
    let again: u64 = resumed.iter().map(|piece| piece.bytes).sum();
    assert_eq!(again, LARGE as u64 - went_on, "more than the rest was sent");
}

#[test]
fn an_upload_that_is_cut_off_goes_on_where_it_was() {
    let mut league = League::new();
    let source = league.folder("source");
    source.write_large("A/decals.png", LARGE);
    let forwarder = Forwarder::start(league.port, Cut { way: Way::Up, after: CUT });
    let mut target = league.driver("target", &[]);
    league.server.wait_for_event("manifest");
    let _source = league.driver_at(forwarder.port, "source", &SOON);
    target.process.wait_for("the file", installed("A/decals.png"));
    league.wait_in_sync(2, 1);
    assert_eq!(target.folder.tree(), source.tree());
    assert_went_on(&forwarder, Way::Up);
}

#[test]
fn a_delivery_that_is_cut_off_goes_on_where_it_was() {
    let mut league = League::new();
    let source = league.folder("source");
    source.write_large("A/decals.png", LARGE);
    let forwarder = Forwarder::start(league.port, Cut { way: Way::Down, after: CUT });
    let _source = league.driver("source", &[]);
    league.wait_in_sync(1, 1);
    let mut target = league.driver_at(forwarder.port, "target", &SOON);
    target.process.wait_for("the file", installed("A/decals.png"));
    league.wait_in_sync(2, 1);
    assert_eq!(target.folder.tree(), source.tree());
    assert!(target.folder.has_no_leftovers());
    assert_went_on(&forwarder, Way::Down);
}

#[test]
fn what_shrinks_travels_compressed_and_goes_on_where_it_was_cut_off() {
    let mut league = League::new();
    let source = league.folder("source");
    let halves: Vec<_> = noise("A/skin.dds", 2 * LARGE).iter().map(|byte| byte & 15).collect();
    source.write("A/skin.dds", &halves);
    let forwarder = Forwarder::start(league.port, Cut { way: Way::Up, after: CUT });
    let mut target = league.driver("target", &[]);
    league.server.wait_for_event("manifest");
    let _source = league.driver_at(forwarder.port, "source", &SOON);
    target.process.wait_for("the file", installed("A/skin.dds"));
    league.wait_in_sync(2, 1);
    assert_eq!(target.folder.tree(), source.tree());
    let links = forwarder.pieces(Way::Up);
    let [_cut, resumed] = &links[..] else { panic!("not two connections: {links:?}") };
    let went_on = resumed.first().unwrap().offset;
    // So many bytes on the line were nearly twice as many of the file.
    assert!(went_on > CUT as u64, "it went on at {went_on}");
    let again: u64 = resumed.iter().map(|piece| piece.bytes).sum();
    let rest = halves.len() as u64 - went_on;
    assert!((rest / 2..rest * 3 / 5).contains(&again), "{again} bytes for {rest}");
}

/// Lets a league of two come in sync on a server with these options, and stops all three.
fn play(data: &Folder, options: &[&str]) {
    let data = data.root.to_str().unwrap();
    let mut league = League::with(&[&["--data", data], options].concat());
    league.folder("source").write_large("A/decals.png", 700_000);
    league.folder("source").write("A/decals.json", b"{}");
    let _drivers = [league.driver("source", &[]), league.driver("target", &[])];
    league.wait_in_sync(2, 2);
    assert!(league.server.interrupt().success());
}

#[test]
fn a_server_that_is_restarted_still_has_what_it_had() {
    let dir = tempfile::tempdir().unwrap();
    let data = Folder { root: dir.path().to_owned() };
    play(&data, &[]);
    assert_eq!(files_below(&data.root.join("blobs")), 2);

    let mut league = League::with(&["--data", data.root.to_str().unwrap()]);
    let source = league.folder("source");
    // The same as in the league before: what is large comes from its name and its folder.
    source.write("A/decals.json", b"{}");
    let large = std::fs::read_dir(data.root.join("blobs")).unwrap().flatten().find_map(|folder| {
        let blob = std::fs::read_dir(folder.path()).unwrap().flatten().next()?;
        (blob.metadata().unwrap().len() == 700_000).then(|| std::fs::read(blob.path()).unwrap())
    });
    source.write("A/decals.png", &large.unwrap());
    let mut uploader = league.driver("source", &[]);
    let target = league.driver("target", &[]);
    league.wait_in_sync(2, 2);
    // The dates are those of the league before: it remembers them.
    let contents = |folder: &Folder| -> Vec<_> {
        folder.tree().into_iter().map(|(path, (digest, _))| (path, digest)).collect()
    };
    assert_eq!(contents(&target.folder), contents(&source));
    assert_eq!(uploads(&mut league), 0, "it asked for what it had");
    assert!(uploader.process.interrupt().success());
    assert!(uploader.process.events("file_sent").is_empty());
}

#[test]
fn a_server_that_only_relays_keeps_nothing_that_all_have() {
    let dir = tempfile::tempdir().unwrap();
    let data = Folder { root: dir.path().to_owned() };
    play(&data, &["--store-size", "0"]);
    assert_eq!(files_below(&data.root.join("blobs")), 0);
    assert_eq!(files_below(&data.root.join("incoming")), 0);
}

//! The server's store: one upload for everybody, even if someone is slow, offline or cut off.

use serde_json::Value;

use crate::{
    forwarder::{Cut, Forwarder, Way},
    league::{Folder, League, files_below, noise},
};

/// More than a connection buffers, so that a stopped reader is noticed.
const LARGE: usize = 12_000_000;

/// Number of bytes after which a connection is cut, in the middle of a large file.
const CUT: usize = 6_000_000;

const SOON: [&str; 4] = ["--retry-first-seconds", "0.1", "--retry-max-seconds", "0.2"];

/// Counts the uploads that a server has asked for so far.
fn uploads(league: &mut League) -> usize {
    let sessions = league.server.events("session_began");
    sessions.iter().filter(|session| !session["source"].is_null()).count()
}

fn installed<'a>(path: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| event["event"] == "installed" && event["path"] == path
}

#[test]
fn each_content_is_uploaded_once_for_all_drivers() {
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

    // Everybody has left, and a late driver still gets everything.
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
fn a_stopped_client_blocks_nobody() {
    let mut league = League::new();
    let source = league.folder("source");
    source.write_large("A/decals.png", LARGE);
    source.write_large("B/decals.png", LARGE);
    // Slow enough to be stopped during the first download.
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
    assert!(given_up.is_empty(), "it was disconnected before the others were done: {given_up:?}");
    assert!(stopped.folder.names().is_empty());

    let folder = stopped.folder.clone();
    drop(stopped);
    let _again = league.driver("stopped", &[]);
    league.wait_in_sync(3, 2);
    assert_eq!(folder.tree(), source.tree());
}

/// Asserts that the second connection continued where the first one was cut.
#[track_caller]
fn assert_continued(forwarder: &Forwarder, way: Way) {
    let links = forwarder.pieces(way);
    let [cut, resumed] = &links[..] else { panic!("not two connections: {links:?}") };
    assert_eq!(cut.first().map(|piece| piece.offset), Some(0));
    let continued_at = resumed.first().unwrap().offset;
    let reached = cut.iter().map(|piece| piece.offset + piece.bytes).max().unwrap();
    assert!(continued_at > 0, "it began at 0 again");
    assert!(
        continued_at <= reached,
        "it went on at {continued_at}, and {reached} was as far as it had come"
    );
    let again: u64 = resumed.iter().map(|piece| piece.bytes).sum();
    assert_eq!(again, LARGE as u64 - continued_at, "more than the rest was sent");
}

#[test]
fn a_cut_upload_continues_where_it_was() {
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
    assert_continued(&forwarder, Way::Up);
}

#[test]
fn a_cut_download_continues_where_it_was() {
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
    assert_continued(&forwarder, Way::Down);
}

#[test]
fn a_compressed_upload_continues_where_it_was_cut() {
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
    let continued_at = resumed.first().unwrap().offset;
    // The bytes on the line stand for nearly twice as many of the file.
    assert!(continued_at > CUT as u64, "it went on at {continued_at}");
    let again: u64 = resumed.iter().map(|piece| piece.bytes).sum();
    let rest = halves.len() as u64 - continued_at;
    assert!((rest / 2..rest * 3 / 5).contains(&again), "{again} bytes for {rest}");
}

/// Runs a league of two drivers until they are in sync, and stops the server.
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
fn a_restarted_server_still_has_its_contents() {
    let dir = tempfile::tempdir().unwrap();
    let data = Folder { root: dir.path().to_owned() };
    play(&data, &[]);
    assert_eq!(files_below(&data.root.join("blobs")), 2);

    let mut league = League::with(&["--data", data.root.to_str().unwrap()]);
    let source = league.folder("source");
    // The bytes of the earlier league: the large file depends on its folder, so it is read from the store.
    source.write("A/decals.json", b"{}");
    let folders = std::fs::read_dir(data.root.join("blobs")).unwrap().flatten();
    let mut blobs = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap()).flatten();
    let large = blobs.find(|blob| blob.metadata().unwrap().len() == 700_000).unwrap();
    source.write("A/decals.png", &std::fs::read(large.path()).unwrap());
    let mut uploader = league.driver("source", &[]);
    let target = league.driver("target", &[]);
    league.wait_in_sync(2, 2);
    // The server remembers the dates of the earlier league, so only contents are compared.
    let contents = |folder: &Folder| -> Vec<_> {
        folder.tree().into_iter().map(|(path, (digest, _))| (path, digest)).collect()
    };
    assert_eq!(contents(&target.folder), contents(&source));
    assert_eq!(uploads(&mut league), 0, "it asked for what it had");
    assert!(uploader.process.interrupt().success());
    assert!(uploader.process.events("file_sent").is_empty());
}

#[test]
fn a_server_with_no_store_keeps_nothing_that_everybody_has() {
    let dir = tempfile::tempdir().unwrap();
    let data = Folder { root: dir.path().to_owned() };
    play(&data, &["--store-size", "0"]);
    assert_eq!(files_below(&data.root.join("blobs")), 0);
    assert_eq!(files_below(&data.root.join("incoming")), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_server_raises_its_limit_of_open_files() {
    use crate::process::{Process, liverysync};
    let program = liverysync();
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -S -n 100 && exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(["server", "--host", "127.0.0.1", "--port", "0", "--json"]);
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut server = Process::start("server", &mut command);
    server.wait_for_event("listening");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", server.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let limits: Vec<_> = line.split_whitespace().collect();
    assert_eq!(limits[0], limits[1]);
}

//! `liverysync status`: the state of a driver's PC.

use std::{fs, net::TcpListener};

use serde_json::{Value, json};

use crate::common::{Finished, Test, files};

fn status(test: &Test, folder: &str, port: u16, options: &[&str]) -> Finished {
    let port = port.to_string();
    let args = ["status", "--liveries", folder, "--port", &port, "--timeout", "15"];
    test.run(&[&args[..], options].concat())
}

#[test]
fn status_lists_what_is_missing_and_changes_nothing() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("A/T/decals.json", "{}");
    test.file("B/U/decals.png", "mine");
    let (_server, port) = test.server(&[]);
    let text_port = port.to_string();
    let client = ["client", "--liveries", "A", "--name", "Aoi", "--port", &text_port];
    let mut first = test.start(&client);
    first.line("In sync");

    status(&test, "A", port, &[])
        .code(0)
        .stderr("")
        .stdout("In sync: 1 livery, 7 bytes. liverysync is running on this PC.\n");
    let before = files(&test.path("B"));
    status(&test, "B", port, &[]).code(0).stderr("").stdout(
        "1 livery is missing (7 bytes). The league still needs 1 livery (4 bytes) from this PC. \
         liverysync is not running on this PC. Start it: liverysync client\n\
         To download:\n  T (2 files, 7 bytes)\n\
         To upload:\n  U (1 file, 4 bytes)\n",
    );
    assert_eq!(files(&test.path("B")), before);

    let said = status(&test, "B", port, &["--json"]).code(0).stderr("").stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["event"], "status");
    assert_eq!((&said["running"], &said["in_sync"]), (&json!(false), &json!(false)));
    assert_eq!(said["send"], json!([{"path": "U/decals.png", "bytes": 4}]));
}

#[test]
fn a_conflict_comes_with_a_hint() {
    let test = Test::new();
    test.file("A/T/decals.png", "established");
    test.file("B/T/decals.png", "other paint");
    test.folder("C");
    let (_server, port) = test.server(&["--conflict-suffix", " of another "]);
    let text_port = port.to_string();
    let client = |name| ["client", "--liveries", name, "--name", name, "--port", &text_port];
    let mut first = test.start(&client("A"));
    first.line("In sync");
    let mut second = test.start(&client("B"));
    second.line("Conflict: T. A had this name first and keeps it.");
    second.line("In sync: 1 livery, 22 bytes.");
    first.line("In sync: 1 livery, 22 bytes.");
    let copy = "T/decals of another d273b78d.png";
    status(&test, "A", port, &[]).code(0).stdout_has(&format!(
        "Conflict: T/decals.png is yours and keeps the name. B's is kept as {copy}.\n"
    ));
    status(&test, "B", port, &[])
        .code(0)
        .stdout_has(&format!(
            "Conflict: T/decals.png belongs to A and keeps the name. Yours is kept as {copy}.\n"
        ))
        .stdout_has("liverysync league resolve \"T/decals.png\" --keep d273b78d\n");
    // The conflict does not concern a third driver.
    let said = status(&test, "C", port, &["--json"]).code(0).stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["open_conflicts"], json!([]));
}

#[test]
fn status_says_why_a_file_does_not_arrive() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("A/W/decals.png", "wanted");
    test.file("B/U/decals.png", "mine");
    test.file("list.txt", "T\nW\n");
    let (_server, port) = test.server(&["--allow-list", "list.txt"]);
    let text_port = port.to_string();
    let client = ["client", "--liveries", "A", "--name", "Aoi", "--port", &text_port];
    let mut first = test.start(&client);
    first.line("In sync: 2 liveries");
    test.run(&["ignore", "add", "T", "--liveries", "B"]).code(0);
    status(&test, "B", port, &[])
        .code(0)
        .stdout_has("To download:\n  W (1 file, 6 bytes)\n")
        .stdout_has("Not on the league's allow list, so not distributed:\n  U (1 file, 4 bytes)\n")
        .stdout_has("Skipped on this PC:\n  T/decals.png (");
}

#[test]
fn retired_and_unavailable_liveries_are_listed() {
    let test = Test::new();
    test.file("A/Old/readme.txt", "last season");
    test.file("A/Lost/readme.txt", "lost");
    test.file("A/A/readme.txt", "a");
    test.file("A/B/readme.txt", "b");
    test.folder("C");
    let (server, port) = test.server(&["--data", "data"]);
    let text_port = port.to_string();
    let once = ["client", "--once", "--timeout", "15", "--liveries", "A", "--port", &text_port];
    test.run(&once).code(0);
    test.run(&["league", "retire", "Old", "--data", "data"]).code(0);
    status(&test, "A", port, &[]).code(0).stdout(
        "1 retired livery is still here. liverysync is not running on this PC. Start it: liverysync client\n\
         Retired by the league; to be moved to .backup:\n  Old (1 file, 11 bytes)\n",
    );

    server.kill();
    let lost = liverysync_core::hash::ContentHash::of(b"lost").to_string();
    std::fs::remove_file(test.path("data/blobs").join(&lost[..2]).join(&lost)).unwrap();
    let (_server, port) = test.server(&["--data", "data"]);
    status(&test, "C", port, &[])
        .code(0)
        .stdout_has("Waiting for a member who has it:\n  Lost (1 file, 4 bytes)\n");
}

#[test]
fn an_unreachable_server_is_an_error() {
    let test = Test::new();
    test.folder("A");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let missing = format!("error: no connection to 127.0.0.1:{closed}\n  cause: ");
    status(&test, "A", closed, &[]).code(1).stdout("").stderr_has(&missing);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let short = ["status", "--liveries", "A", "--port", &port.to_string(), "--timeout", "0.2"];
    test.run(&short).code(3).stdout("").stderr_has(" within 0.2 s\n");
}

/// A folder that is a link is never written through. The league's livery cannot be installed, and nobody sends it in vain.
#[cfg(unix)]
#[test]
fn what_cannot_be_installed_is_listed_with_the_same_reason_everywhere() {
    let test = Test::new();
    test.file("B/77 Iris/decals.png", "iris");
    test.file("A/Mine/decals.png", "mine");
    test.folder("store");
    std::os::unix::fs::symlink(test.path("store"), test.path("A/77 Iris")).unwrap();
    let (_server, port) = test.server(&[]);
    let text_port = port.to_string();
    let client = |name| ["client", "--liveries", name, "--name", name, "--port", &text_port];
    let mut author = test.start(&client("B"));
    author.line("In sync");
    let listed = "Cannot be installed on this PC:\n  \
                  77 Iris/decals.png (77 Iris is a link or not a folder)\n";
    let once = [&client("A")[..], &["--once", "--timeout", "30"]].concat();
    test.run(&once).code(4).stdout_has("In sync except for what is listed: ").stdout_has(listed);

    status(&test, "A", port, &[])
        .code(0)
        .stdout_has("In sync except for what is listed: ")
        .stdout_has("liverysync is not running on this PC.")
        .stdout_has(listed);
    let mut running = test.start(&client("A"));
    running.line("In sync except for what is listed: ");
    status(&test, "A", port, &[])
        .code(0)
        .stdout_has("liverysync is running on this PC.\n")
        .stdout_has(listed);
    let said = status(&test, "A", port, &["--json"]).code(0).stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    let reason = "77 Iris is a link or not a folder";
    let expected =
        json!([{"kind": "not_installable", "path": "77 Iris/decals.png", "reason": reason}]);
    assert_eq!((&said["outstanding"], &said["in_sync"]), (&expected, &json!(true)));

    std::fs::remove_file(test.path("A/77 Iris")).unwrap();
    running.line("Installed: 77 Iris");
    running.line("In sync: 2 liveries");
    assert!(files(&test.path("store")).is_empty());
}

#[test]
fn a_new_game_has_no_liveries_yet() {
    let test = Test::new();
    test.file("B/T/decals.png", "paint");
    test.folder("Assetto Corsa Competizione/Config");
    let (_server, port) = test.server(&[]);
    let text_port = port.to_string();
    let mut author = test.start(&["client", "--liveries", "B", "--port", &text_port]);
    author.line("In sync");
    let folder = "Assetto Corsa Competizione/Customs/Liveries";
    status(&test, folder, port, &[]).code(0).stderr("").stdout(
        "1 livery is missing (5 bytes). liverysync is not running on this PC. \
         Start it: liverysync client\nTo download:\n  T (1 file, 5 bytes)\n",
    );
    test.run(&["scan", folder]).code(0).stderr("");
    assert!(!test.path("Assetto Corsa Competizione/Customs").exists(), "made without a client");
}

/// Returns the least that passes for a PNG picture, with a text in it.
fn png(text: &str) -> Vec<u8> {
    let head = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x08\0\0\0\x08\0\x08\x02\0\0\0\0\0\0\0";
    [&head[..], text.as_bytes(), b"\0\0\0\0IEND\xae\x42\x60\x82"].concat()
}

#[test]
fn a_damaged_file_stays_here_until_it_is_whole() {
    let test = Test::new();
    let file = test.file("A/T/decals.png", "");
    fs::write(&file, png("first")).unwrap();
    test.folder("B");
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let mut author = test.start(&["client", "--liveries", "A", "--name", "Aoi", "--port", &port]);
    author.line("In sync: 1 livery");
    let mut other = test.start(&["client", "--liveries", "B", "--name", "Bruno", "--port", &port]);
    other.line("In sync: 1 livery");
    let whole = png("second paint");
    fs::write(&file, &whole[..40]).unwrap();
    author.line("In sync except for what is listed: 1 livery");
    author.line("Damaged here, so others keep the intact version:");
    author.line("  T/decals.png (the PNG picture is cut off)");
    assert_eq!(fs::read(test.path("B/T/decals.png")).unwrap(), png("first"));
    fs::write(&file, &whole).unwrap();
    other.line("Updated: T");
    assert_eq!(fs::read(test.path("B/T/decals.png")).unwrap(), whole);
}

#[test]
fn a_file_that_the_league_cannot_take_is_named_where_it_is() {
    let test = Test::new();
    test.file("A/loose.png", "a loose picture");
    test.file("B/loose.png/readme.txt", "in a folder of that name");
    let (_server, port) = test.server(&["--data", "data"]);
    let text_port = port.to_string();
    let once =
        |name| ["client", "--once", "--timeout", "15", "--liveries", name, "--port", &text_port];
    test.run(&once("A")).code(0);
    let why = "loose.png/readme.txt (loose.png is a file, so it cannot contain files)";
    let heading = format!("Refused by the league, so not for other drivers:\n  {why}\n");
    test.run(&once("B"))
        .code(4)
        .stderr_has("Refused by the league: loose.png/readme.txt: loose.png is a file")
        .stdout_has(&heading);
    status(&test, "B", port, &[]).stdout_has(&heading);
}

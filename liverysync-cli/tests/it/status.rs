//! `liverysync status`: what a driver is told of how his PC stands.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::common::{Finished, Test, files};

fn status(test: &Test, folder: &str, port: u16, options: &[&str]) -> Finished {
    let port = port.to_string();
    let args = ["status", "--liveries", folder, "--port", &port, "--timeout", "15"];
    test.run(&[&args[..], options].concat())
}

#[test]
fn it_says_what_is_missing_and_changes_nothing() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("A/T/decals.json", "{}");
    test.file("B/U/decals.png", "mine");
    let (_server, port) = test.server(&[]);
    let text_port = port.to_string();
    let client = ["client", "--liveries", "A", "--name", "Aoi", "--port", &text_port];
    let mut first = test.start(&client);
    first.line("in sync");

    status(&test, "A", port, &[]).code(0).stderr("").stdout(&format!(
        "in sync with 127.0.0.1:{port}: this PC shares 2 files, 7 bytes; a client runs and keeps it so\n"
    ));
    let before = files(&test.path("B"));
    status(&test, "B", port, &[]).code(0).stderr("").stdout(&format!(
        "not in sync with 127.0.0.1:{port}; no client runs here: start one, and it will be\n\
             still to come:\n  T: 2 files, 7 bytes\n\
             still to go to the others:\n  U/decals.png (4 bytes)\n"
    ));
    assert_eq!(files(&test.path("B")), before);

    let said = status(&test, "B", port, &["--json"]).code(0).stderr("").stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["event"], "status");
    assert_eq!((&said["running"], &said["in_sync"]), (&json!(false), &json!(false)));
    assert_eq!(said["send"], json!([{"path": "U/decals.png", "bytes": 4}]));
}

#[test]
fn whose_the_files_of_one_name_are_and_what_to_do_about_it() {
    let test = Test::new();
    test.file("A/T/decals.png", "established");
    test.file("B/T/decals.png", "rival");
    test.folder("C");
    let (_server, port) = test.server(&[]);
    let text_port = port.to_string();
    let client = |name| ["client", "--liveries", name, "--name", name, "--port", &text_port];
    let mut first = test.start(&client("A"));
    first.line("in sync");
    let mut second = test.start(&client("B"));
    second.line("in sync: this PC holds 2 files");
    first.line("in sync: this PC holds 2 files");
    let rival = "T/decals__CONFLICT__1db147fa.png";
    status(&test, "A", port, &[]).code(0).stdout_has(&format!(
        "one name, two drivers:\n  T/decals.png is yours; another driver's file is there as {rival}\n"
    ));
    status(&test, "B", port, &[])
        .code(0)
        .stdout_has(&format!("  T/decals.png is another driver's; yours is there as {rival}\n"))
        .stdout_has(
            "ask who looks after the league: liverysync league resolve \"T/decals.png\" --keep 1db147fa\n",
        );
    // Who looks on has nothing to do with it.
    let said = status(&test, "C", port, &["--json"]).code(0).stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["rivals"], json!([]));
}

#[test]
fn why_something_does_not_come_or_go() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("A/W/decals.png", "wanted");
    test.file("B/U/decals.png", "mine");
    test.file("list.txt", "T\nW\n");
    let (_server, port) = test.server(&["--allow-list", "list.txt"]);
    let text_port = port.to_string();
    let client = ["client", "--liveries", "A", "--name", "Aoi", "--port", &text_port];
    let mut first = test.start(&client);
    first.line("in sync: this PC holds 2 files");
    test.run(&["ignore", "add", "T", "--liveries", "B"]).code(0);
    status(&test, "B", port, &[])
        .code(0)
        .stdout_has("still to come:\n  W/decals.png (6 bytes)\n")
        .stdout_has("not passed on, because it is not on the league's allow list:\n  U/decals.png (4 bytes)\n")
        .stdout_has("not taken on this PC:\n  T/decals.png: ");
}

#[test]
fn what_is_retired_is_to_be_put_away_and_what_the_store_lost_cannot_come() {
    let test = Test::new();
    test.file("A/Old/decals.png", "last season");
    test.file("A/Lost/decals.png", "lost");
    test.file("A/A/decals.png", "a");
    test.file("A/B/decals.png", "b");
    test.folder("C");
    let (server, port) = test.server(&["--data", "data"]);
    let text_port = port.to_string();
    let once = ["client", "--once", "--timeout", "15", "--liveries", "A", "--port", &text_port];
    test.run(&once).code(0);
    test.run(&["league", "retire", "Old", "--data", "data"]).code(0);
    status(&test, "A", port, &[]).code(0).stdout(&format!(
        "not in sync with 127.0.0.1:{port}; no client runs here: start one, and it will be\n\
         to be put into .backup, because nobody is to have it any more:\n  Old/decals.png (11 bytes)\n"
    ));

    server.kill();
    let lost = liverysync_core::hash::ContentHash::of(b"lost").to_string();
    std::fs::remove_file(test.path("data/blobs").join(&lost[..2]).join(&lost)).unwrap();
    let (_server, port) = test.server(&["--data", "data"]);
    status(&test, "C", port, &[]).code(0).stdout_has(
        "nobody who has it is there; it comes when one of them connects:\n  Lost/decals.png (4 bytes)\n",
    );
}

#[test]
fn a_server_that_is_not_there_is_a_clear_error() {
    let test = Test::new();
    test.folder("A");
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let missing = format!("cannot reach 127.0.0.1:{closed}");
    status(&test, "A", closed, &[]).code(1).stdout("").stderr_has(&missing);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let short = ["status", "--liveries", "A", "--port", &port.to_string(), "--timeout", "0.2"];
    test.run(&short).code(3).stdout("").stderr_has("has not said within 0.2 s what it has");
}

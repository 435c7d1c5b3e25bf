//! The client from outside: its folder, its server, its output and exit codes.

use std::{fs, net::TcpListener};

use crate::common::{Test, files};

/// Returns a port that nobody listens on.
fn closed_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

#[test]
fn the_error_names_a_missing_folder() {
    let test = Test::new();
    test.run(&["client", "--liveries", "nowhere"])
        .code(1)
        .stdout("")
        .stderr_has("nowhere")
        .stderr_has("hint: check --liveries");
}

#[test]
fn once_fails_if_the_server_is_unreachable() {
    let test = Test::new();
    test.folder("L");
    let port = closed_port();
    let said = test.run(&["client", "--once", "--liveries", "L", "--port", &port]).code(1);
    let said =
        said.stderr_has(&format!("127.0.0.1:{port}")).stderr_has("hint: check --host and --port");
    assert_eq!(said.stderr.matches(&port).count(), 1, "named once: {}", said.stderr);
}

#[test]
fn with_a_timeout_the_client_tries_until_then() {
    let test = Test::new();
    test.folder("L");
    let args = ["client", "--once", "--timeout", "0.5", "--liveries", "L", "--port"];
    test.run(&[&args[..], &[&closed_port()]].concat())
        .code(3)
        .stderr_has("Offline: cannot reach 127.0.0.1:")
        .stderr_has("error: not in sync after 0.5 s\n  cause: no connection to 127.0.0.1:");
}

#[test]
fn a_server_that_does_not_answer_is_a_failure() {
    let test = Test::new();
    test.folder("L");
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    test.run(&["client", "--once", "--timeout", "0.5", "--liveries", "L", "--port", &port])
        .code(3)
        .stderr_has("error: not in sync after 0.5 s\n  cause: no connection to 127.0.0.1:");
}

#[test]
fn a_client_that_stays_keeps_trying() {
    let test = Test::new();
    test.folder("L");
    let args = ["client", "--liveries", "L", "--retry-first-seconds", "0.01", "--port"];
    let mut client = test.start(&[&args[..], &[&closed_port()]].concat());
    client.note("Offline: ");
    client.note("Offline: ");
    #[cfg(unix)]
    {
        client.signal("INT");
        client.finish().code(0);
    }
}

#[test]
fn once_exits_in_sync() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.folder("B");
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let mut first = test.start(&["client", "--liveries", "A", "--name", "Aoi", "--port", &port]);
    first.line("In sync: 1 livery, 5 bytes.");
    test.run(&[
        "client",
        "--once",
        "--timeout",
        "15",
        "--liveries",
        "B",
        "--name",
        "B",
        "--port",
        &port,
    ])
    .code(0)
    .stderr("")
    .stdout(&format!(
        "This PC has no liveries yet.\n\
         Connected to 127.0.0.1:{port}.\n\
         Downloading: 1 file, 5 bytes\n\
         Installed: T (1 file, 5 bytes)\n\
         In sync: 1 livery, 5 bytes.\n"
    ));
    assert_eq!(files(&test.path("B")), files(&test.path("A")));
}

#[test]
fn as_json_there_is_one_object_per_line() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("A/T/notes.docx", "x");
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let args =
        ["client", "--once", "--timeout", "15", "--json", "--liveries", "A", "--port", &port];
    let said = test.run(&args).code(0).stderr("");
    let events: Vec<serde_json::Value> =
        said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[..2], ["sync_began", "skipped"]);
    assert_eq!(names.last(), Some(&"in_sync"));
    assert!(names.contains(&"connected") && names.contains(&"sync_status"), "{names:?}");
    assert_eq!(events[1]["kind"], "extension");
}

#[test]
fn a_dry_run_shows_what_would_happen_and_changes_nothing() {
    let test = Test::new();
    test.file("A/T/decals.png", "paint");
    test.file("B/T/decals.png", "other paint");
    test.file("B/U/decals.png", "mine");
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let mut first = test.start(&["client", "--liveries", "A", "--name", "Aoi", "--port", &port]);
    first.line("In sync");
    let args = ["client", "--dry-run", "--timeout", "15", "--liveries", "B", "--port", &port];
    test.run(&args)
        .code(0)
        .stdout_has("To download:\n  T (1 file, 5 bytes)\n")
        .stdout_has("  T/decals.png as T/decals__CONFLICT__")
        .stdout_has("To upload:\n")
        .stdout_has("  U (1 file, 4 bytes)\n")
        .stdout_has("Dry run: would download 1 livery, 5 bytes; would upload 2 liveries");
    let plan = test.run(&[&args[..], &["--json"]].concat()).code(0);
    let last: serde_json::Value =
        serde_json::from_str(plan.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["receive"], serde_json::json!([{"path": "T/decals.png", "bytes": 5}]));
    let mut here: Vec<_> =
        fs::read_dir(test.path("B")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    here.sort();
    assert_eq!(here, ["T", "U"]);
    assert_eq!(files(&test.path("A")).len(), 1);
}

//! The server from outside: its first line, its warnings and its end.

use std::net::TcpListener;

use crate::common::Test;

#[test]
fn a_server_prints_one_line_when_it_listens() {
    let test = Test::new();
    let (server, port) = test.server(&[]);
    assert!(port > 0);
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    #[cfg(unix)]
    {
        server.signal("TERM");
        let expected = format!("listening on 127.0.0.1:{port}\n");
        server.finish().code(0).stdout(&expected);
    }
    #[cfg(not(unix))]
    drop(server);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_server_cleanly() {
    let test = Test::new();
    let (server, _) = test.server(&[]);
    server.signal("INT");
    server.finish().code(0).stderr("");
}

#[test]
fn a_server_beyond_loopback_warns_that_joining_is_not_protected() {
    let test = Test::new();
    let mut server = test.start(&["server", "--port", "0"]);
    server.line("listening on 0.0.0.0:");
    server.note("joining is not protected yet");
}

#[test]
fn as_json_the_first_event_has_the_address() {
    let test = Test::new();
    let mut server = test.start(&["server", "--host", "127.0.0.1", "--port", "0", "--json"]);
    let line = server.line("listening");
    let event: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(event["event"], "listening");
    assert_eq!(event["address"], "127.0.0.1");
    assert!(event["port"].as_u64().unwrap() > 0);
}

#[test]
fn a_server_that_would_forget_the_owners_does_not_start() {
    let test = Test::new();
    test.run(&["server", "--host", "127.0.0.1", "--port", "0", "--updates", "owner"])
        .code(2)
        .stdout("")
        .stderr_has("error: --updates owner needs a data folder\n")
        .stderr_has("hint: add --data DIR, or leave out --updates owner");
}

#[test]
fn the_error_names_a_port_in_use() {
    let test = Test::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    test.run(&["server", "--host", "127.0.0.1", "--port", &port])
        .code(1)
        .stdout("")
        .stderr_has(&format!("127.0.0.1:{port}"))
        .stderr_has("hint: another program may use this port");
}

#[test]
fn the_data_folder_is_created() {
    let test = Test::new();
    let _server = test.server(&["--data", "a/b"]);
    assert!(test.path("a/b").is_dir());
    test.file("file", "");
    test.run(&["server", "--port", "0", "--data", "file"]).code(1).stderr_has("data folder file");
}

#[test]
fn an_allow_list_must_be_readable_text() {
    let test = Test::new();
    test.folder("folder");
    test.file("latin.txt", b"77 Iris\n\xc9quipe\n");
    test.file("utf-16.txt", b"\xff\xfe7\x007\0\r\0\n\0");
    let fails = |list: &str| test.run(&["server", "--port", "0", "--allow-list", list]).code(1);
    for list in ["missing.txt", "folder"] {
        fails(list).stderr_has(&format!("cannot read the allow list {list}"));
    }
    fails("latin.txt").stderr_has("cause: line 2, character 1 is not valid UTF-8");
    let _server = test.server(&["--allow-list", "utf-16.txt"]);
}

#[test]
fn a_store_is_verified_from_the_command_line() {
    let test = Test::new();
    let verify = |args: &[&str]| test.run(&[&["server", "--verify-store"], args].concat());
    verify(&[]).code(2).stdout("").stderr_has("hint: add --data DIR");
    verify(&["--data", "nowhere"]).code(1).stderr_has("there is no store in nowhere");
    assert!(!test.path("nowhere").exists());

    let (server, _) = test.server(&["--data", "data"]);
    verify(&["--data", "data"]).code(1).stderr_has("another liverysync server already uses data");
    drop(server);
    let put = |bytes: &[u8], as_if: &[u8]| {
        let name = liverysync_core::hash::ContentHash::of(as_if).to_string();
        test.file(&format!("data/blobs/{}/{name}", &name[..2]), bytes)
    };
    put(b"as it should be", b"as it should be");
    verify(&["--data", "data"])
        .code(0)
        .stdout("Checked 1 file, 15 bytes: all intact.\n")
        .stderr("");
    let damaged = put(b"damaged", b"whole");
    verify(&["--data", "data"])
        .code(1)
        .stdout_has("its bytes have changed\n")
        .stdout_has("Checked 2 files, 22 bytes: 1 file damaged or unreadable.\n")
        .stderr_has("1 file in data was damaged or unreadable\n");
    assert!(!damaged.exists());
    verify(&["--data", "data", "--json"])
        .code(0)
        .stdout("{\"event\":\"store_verified\",\"files\":1,\"bytes\":15,\"damaged\":0}\n");
}

#[cfg(unix)]
#[test]
fn a_server_removes_the_folders_of_killed_servers() {
    let mut test = Test::new();
    let temporary = test.folder("tmp");
    test.env("TMPDIR", temporary.to_str().unwrap());
    let stores = || std::fs::read_dir(&temporary).unwrap().count();
    let (server, _) = test.server(&[]);
    server.kill();
    assert_eq!(stores(), 1);
    let (second, _) = test.server(&[]);
    let (third, _) = test.server(&[]);
    assert_eq!(stores(), 2, "a folder in use stays");
    for server in [second, third] {
        server.signal("INT");
        server.finish().code(0);
    }
    assert_eq!(stores(), 0);
}

//! Sources that skip, send bad data or stop responding, full disks, and peers that are no clients.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use crate::league::League;

/// Starts a server with short timeouts.
fn impatient() -> League {
    League::with(&["--stall-timeout-seconds", "1", "--first-file-timeout-seconds", "2"])
}

/// Checks that an empty driver gets a livery from an honest driver, and that a source with this fault is not asked again.
#[track_caller]
fn check_other_source_is_used(fault: &str) {
    let mut league = impatient();
    let path = "Team/decals.png";
    let bytes = crate::league::noise("livery", 700_000);
    for name in ["liar", "honest"] {
        league.folder(name).write(path, &bytes);
    }
    let mut liar = league.old_driver("liar", "1.0.4", &["--fault", fault, "--max-seconds", "80"]);
    league.server.wait_for_event("manifest");
    let _honest = league.driver("honest", &[]);
    league.wait_in_sync(2, 1);
    let empty = league.driver("empty", &[]);
    league.server.wait_for(&format!("the fault of the liar ({fault})"), |event| {
        matches!(event["event"].as_str(), Some("source_fault" | "source_silent" | "left"))
            && event["name"] == "liar"
    });
    league.server.wait_for("that all are in sync", |event| event["event"] == "in_sync");

    assert_eq!(empty.folder.read(path).unwrap(), bytes, "{fault}");
    assert!(empty.folder.has_no_leftovers(), "{fault}");
    assert_eq!(empty.folder.names(), [path], "{fault}");
    assert!(liar.process.events("asked").len() <= 1, "{fault}: the liar was asked again");
}

#[test]
fn a_source_that_skips_is_replaced() {
    check_other_source_is_used("skip:Team/decals.png");
}

#[test]
fn a_source_with_wrong_bytes_is_replaced() {
    check_other_source_is_used("wrong-bytes:Team/decals.png");
}

#[test]
fn a_source_with_too_many_bytes_is_replaced() {
    check_other_source_is_used("too-many:Team/decals.png");
}

#[test]
fn a_source_with_a_gap_is_replaced() {
    check_other_source_is_used("gap:Team/decals.png");
}

#[test]
fn a_source_that_ends_early_is_replaced() {
    check_other_source_is_used("short:Team/decals.png");
}

#[test]
fn a_source_that_stops_responding_is_replaced() {
    check_other_source_is_used("silent:Team/decals.png");
}

#[test]
fn a_source_that_never_answers_is_replaced() {
    check_other_source_is_used("mute");
}

#[test]
fn a_source_that_disconnects_during_a_file_is_replaced() {
    check_other_source_is_used("close:Team/decals.png");
}

#[test]
fn a_source_that_announces_another_content_is_replaced() {
    check_other_source_is_used("wrong-hash:Team/decals.png");
}

#[test]
fn a_file_that_only_a_faulty_client_has_harms_nobody() {
    let league = impatient();
    let liar = league.folder("liar");
    liar.write("Team/decals.png", &crate::league::noise("liar", 700_000));
    liar.write("Honest/decals.png", b"sent as it is");
    let target = league.folder("target");
    target.write("Own/decals.png", b"untouched");
    let before = target.tree();
    let faults = ["--fault", "wrong-bytes:Team/decals.png", "--fault", "other-path:../evil.png"];
    let _liar = league.old_driver("liar", "1.0.4", &faults);
    let mut driver = league.driver("target", &[]);
    driver.process.wait_for("the honest file", |event| {
        event["event"] == "installed" && event["path"] == "Honest/decals.png"
    });
    let sync_status = driver.process.wait_for_event("in_sync");
    assert_eq!(sync_status["withheld"], 1);
    assert!(target.has_no_leftovers());
    assert_eq!(target.names(), ["Honest/decals.png", "Own/decals.png"]);
    assert_eq!(target.tree()["Own/decals.png"], before["Own/decals.png"]);
    assert!(!target.root.parent().unwrap().join("evil.png").exists());
}

#[test]
fn peers_with_another_protocol_are_disconnected() {
    let mut league = League::new();
    let address = format!("127.0.0.1:{}", league.port);
    for greeting in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x0f{\"type\":\"PING\"}",
    ] {
        let mut stream = TcpStream::connect(&address).unwrap();
        stream.write_all(greeting).unwrap();
        let mut answer = Vec::new();
        // The server may also reset the connection.
        let _reset = stream.read_to_end(&mut answer);
    }
    league.folder("a").write("T/decals.png", b"still served");
    let _a = league.driver("a", &[]);
    let b = league.driver("b", &[]);
    league.wait_in_sync(2, 1);
    assert_eq!(b.folder.read("T/decals.png").unwrap(), b"still served");
}

/// A small disk. It is gone with the test, also if that fails.
#[cfg(target_os = "linux")]
struct SmallDisk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl SmallDisk {
    fn mount(folder: &std::path::Path, options: &str) -> bool {
        let mut command = std::process::Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder);
        command.output().is_ok_and(|output| output.status.success())
    }

    /// Puts a disk of 4 MB at a folder; `None` if this user may not.
    fn at(folder: &std::path::Path) -> Option<Self> {
        Self::mount(folder, "size=4m").then(|| Self(folder.to_owned()))
    }

    /// Gives it room for 20 MB.
    fn grow(&self) {
        assert!(Self::mount(&self.0, "remount,size=20m"));
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _gone = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

// A small disk needs the right to mount.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_loses_nothing_and_recovers() {
    let mut league = League::new();
    league.folder("a").write("Small/decals.png", b"fits");
    league.folder("a").write_large("Large/decals.png", 6_000_000);
    let _a = league.driver("a", &[]);
    league.wait_in_sync(1, 2);

    let small = league.folder("small");
    let Some(disk) = SmallDisk::at(&small.root) else {
        eprintln!("not tried: this user may not mount a small disk");
        return;
    };
    small.write("Own/decals.png", b"untouched");
    let mut driver = league.driver("small", &[]);
    let lacks = driver.process.wait_for("that the large file has no room", |event| {
        event["event"] == "in_sync"
            && event["outstanding"].as_array().is_some_and(|all| all.len() == 1)
    });
    let seen = (small.names(), small.read("Own/decals.png"), small.has_no_leftovers());
    disk.grow();
    driver.process.wait_for("the large file", |event| {
        event["event"] == "installed" && event["path"] == "Large/decals.png"
    });
    drop(driver);
    assert_eq!(lacks["outstanding"][0]["path"], "Large/decals.png");
    assert_eq!(lacks["outstanding"][0]["reason"], "the disk is full");
    assert_eq!(seen.0, ["Own/decals.png", "Small/decals.png"]);
    assert_eq!(seen.1.unwrap(), b"untouched");
    assert!(seen.2, "something was left in .tmp");
}

//! `--once`, `--timeout` and `--dry-run`, and the search for the game's folder.

use crate::league::League;

#[test]
fn once_exits_in_sync() {
    let mut league = League::new();
    league.folder("a").write("A/decals.png", b"a");
    let _a = league.driver("a", &[]);
    league.wait_in_sync(1, 1);
    let mut b = league.driver("b", &["--once"]);
    assert_eq!(b.process.wait().code(), Some(0));
    assert_eq!(b.folder.read("A/decals.png").unwrap(), b"a");
    assert!(b.folder.has_no_leftovers());
}

#[test]
fn once_stays_while_others_need_this_pc() {
    let mut league = League::new();
    let _waiting = league.driver("waiting", &[]);
    league.server.wait_for_event("manifest");
    league.folder("a").write_large("A/decals.png", 3_000_000);
    let mut a = league.driver("a", &["--once"]);
    assert_eq!(a.process.wait().code(), Some(0));
    let installed = league.folder("waiting").read("A/decals.png").map(|bytes| bytes.len());
    assert_eq!(installed, Some(3_000_000));
}

#[test]
fn once_times_out_with_exit_code_3() {
    let league = League::with(&["--first-file-timeout-seconds", "600"]);
    league.folder("mute").write("M/decals.png", b"never sent");
    let _mute = league.old_driver("mute", "1.0.4", &["--fault", "mute"]);
    let mut driver = league.driver("b", &["--once", "--timeout", "3"]);
    assert_eq!(driver.process.wait().code(), Some(3));
    assert!(driver.folder.has_no_leftovers());
    assert!(driver.folder.names().is_empty());
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut league = League::new();
    league.folder("a").write("A/decals.png", b"theirs");
    league.folder("a").write("Both/decals.png", b"established");
    let _a = league.driver("a", &[]);
    league.wait_in_sync(1, 2);
    let b = league.folder("b");
    b.write("B/decals.png", b"mine");
    b.write("Both/decals.png", b"other paint");
    let before = b.tree();
    let mut dry = league.driver("b", &["--dry-run"]);
    let plan = dry.process.wait_for_event("plan");
    assert_eq!(dry.process.wait().code(), Some(0));
    let paths = |list: &str| -> Vec<String> {
        let items = plan[list].as_array().unwrap().iter();
        let mut paths: Vec<_> =
            items.map(|item| item["path"].as_str().unwrap().to_owned()).collect();
        paths.sort();
        paths
    };
    assert_eq!(paths("receive"), ["A/decals.png", "Both/decals.png"]);
    assert_eq!(paths("send"), ["B/decals.png", "Both/decals.png"]);
    assert_eq!(paths("conflicts"), ["Both/decals.png"]);
    assert_eq!(b.tree(), before);
    assert!(!b.root.join(".tmp").exists() && !b.root.join(".backup").exists());
    assert_eq!(league.folder("a").names(), ["A/decals.png", "Both/decals.png"]);
}

#[cfg(target_os = "linux")]
#[test]
fn the_games_folder_is_found_under_proton() {
    use crate::process::{Process, liverysync};

    let mut league = League::new();
    league.folder("a").write("A/decals.png", b"a");
    let _a = league.driver("a", &[]);
    league.wait_in_sync(1, 1);

    let home = league.folder("home");
    let below = ".local/share/Steam/steamapps/compatdata/805550/pfx/drive_c/users/steamuser/\
                 Documents/Assetto Corsa Competizione/Customs/Liveries";
    std::fs::create_dir_all(home.root.join(below)).unwrap();
    let mut command = liverysync();
    command.args(["client", "--json", "--once", "--port", &league.port.to_string()]);
    command.env("HOME", &home.root).env_remove("XDG_CONFIG_HOME").env_remove("XDG_DATA_HOME");
    let mut driver = Process::start("under Proton", &mut command);
    assert_eq!(driver.wait().code(), Some(0));
    assert_eq!(home.read(&format!("{below}/A/decals.png")).unwrap(), b"a");
}

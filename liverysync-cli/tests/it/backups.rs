//! The commands for backups from outside: their output and exit codes.

use crate::common::{Test, files};

const SET: &str = "20200101_120000";

/// Makes a folder `L` with two sets.
fn liveries() -> Test {
    let test = Test::new();
    test.file("L/Team/decals.png", "new paint");
    test.file("L/Team/decals_0.dds", "cache");
    test.file("L/Équipe/decals.png", "same");
    test.file(format!("L/.backup/{SET}/Team/decals.png").as_str(), "old");
    test.file(format!("L/.backup/{SET}/Équipe/decals.png").as_str(), "same");
    test.file("L/.backup/20200102_120000/Team/more.png", "gone");
    test
}

#[test]
fn sets_and_their_files_are_listed() {
    let test = liveries();
    test.run(&["backups", "list", "--liveries", "L"]).code(0).stderr("").stdout(
        "20200102_120000  2020-01-02 12:00:00  Team (1 file, 4 bytes)\n\
         20200101_120000  2020-01-01 12:00:00  Team, Équipe (2 files, 7 bytes)\n\
         2 backup sets, 3 files, 11 bytes\n",
    );
    test.run(&["backups", "list", "équipe", "--liveries", "L"])
        .code(0)
        .stdout_has("Équipe (1 file, 4 bytes)\n1 backup set, 1 file, 4 bytes\n");
    test.run(&["backups", "show", SET, "--liveries", "L"]).code(0).stderr("").stdout(
        "cba06b57             3  Team/decals.png: the current file is different\n\
         0967115f             4  Équipe/decals.png: the current file is the same\n\
         20200101_120000: 2 files, 7 bytes\n",
    );
    test.run(&["backups", "show", "20200102_120000", "team/more.png", "--liveries", "L"])
        .code(0)
        .stdout_has("Team/more.png: there is no current file\n");
}

#[test]
fn a_restore_lists_what_it_restored() {
    let test = liveries();
    let before = files(&test.path("L"));
    let restore = ["backups", "restore", SET, "--liveries", "L"];
    test.run(&[&restore[..], &["--dry-run"]].concat()).code(0).stderr("").stdout(
        "Would restore Team/decals.png (3 bytes), replacing the current file\n\
         Would move Team/decals_0.dds, which the game made, to the new backup set\n\
         Dry run: would restore 1 file, 3 bytes from 20200101_120000; 1 file is already identical. \
         Nothing was changed.\n",
    );
    assert_eq!(files(&test.path("L")), before);
    test.run(&restore)
        .code(0)
        .stdout_has("Restored Team/decals.png (3 bytes). The file that it replaced is .backup/20")
        .stdout_has("Moved Team/decals_0.dds, which the game made, to the new backup set\n")
        .stdout_has(
            "Restored 1 file, 3 bytes from 20200101_120000; 1 file is already identical.\n",
        );
    let after = files(&test.path("L"));
    assert_eq!((after.len(), &*after["Team/decals.png"]), (2, &b"old"[..]));
}

#[test]
fn a_file_that_cannot_be_restored_is_a_failure() {
    let test = liveries();
    let restore = ["backups", "restore", "--liveries", "L"];
    let run = |args: &[&str]| test.run(&[&restore[..], args].concat());
    run(&["20210101_120000"])
        .code(1)
        .stdout("")
        .stderr_has("there is no backup set 20210101_120000")
        .stderr_has("hint: list the sets: liverysync backups list");
    run(&[SET, "Team", "Nobody"])
        .code(1)
        .stdout("")
        .stderr_has("the backup set 20200101_120000 has nothing called \"Nobody\"");
    run(&["../L"]).code(2).stderr_has("such as 20250301_201500");
    test.file(format!("L/.backup/{SET}/Lost/readme").as_str(), "of no type");
    run(&[SET])
        .code(1)
        .stdout_has("Skipped: Lost/readme (")
        .stderr_has("1 file of 20200101_120000 was not restored");
}

#[test]
fn a_prune_lists_what_it_removed_and_kept() {
    let test = liveries();
    let prune = ["backups", "prune", "--liveries", "L"];
    let run = |args: &[&str]| test.run(&[&prune[..], args].concat());
    run(&[]).code(2).stdout("").stderr_has("hint: add --keep-days N, --keep-bytes SIZE, or both");
    run(&["--keep-days", "0"]).code(2).stdout("");
    run(&["--keep-days", "30", "--dry-run"]).code(0).stdout_has(
        "Dry run: would remove 1 file, 4 bytes; 2 files, 7 bytes would stay. Nothing was changed.\n",
    );
    run(&["--keep-bytes", "0"]).code(0).stderr("").stdout(
        "Removed 20200101_120000/Équipe/decals.png (4 bytes)\n\
         Kept 2 files, 7 bytes: this PC has no other copy\n\
         Removed 1 file, 4 bytes; 2 files, 7 bytes left.\n",
    );
    run(&["--keep-bytes", "1GB"])
        .code(0)
        .stdout("Removed 0 files, 0 bytes; 2 files, 7 bytes left.\n");
}

#[test]
fn the_folder_can_come_from_the_config_file_or_a_variable() {
    let mut test = liveries();
    test.file("league.toml", "[client]\nliveries = 'L'\njson = true\nhost = 'league.example'\n");
    test.run(&["backups", "list", "--config", "league.toml"])
        .code(0)
        .stdout_has("{\"event\":\"backups\",");
    test.env("LIVERYSYNC_LIVERIES", "L")
        .env("LIVERYSYNC_SET", "x")
        .env("LIVERYSYNC_KEEP_DAYS", "30");
    test.run(&["backups", "show", SET]).code(0).stdout_has("2 files");
    test.run(&["backups", "prune"]).code(0).stdout_has("Removed 1 file");
}

#[cfg(unix)]
#[test]
fn names_in_backups_cannot_control_the_terminal() {
    let test = Test::new();
    let evil = "T/evil\u{1b}[2J\u{202e}.png";
    test.file(format!("L/.backup/{SET}/{evil}").as_str(), "x");
    test.file(format!("L/.backup/{SET}/T/a.png").as_str(), "x");
    test.file(format!("L/.backup/\u{1b}[2J/{evil}").as_str(), "x");
    for args in [&["list"][..], &["show", SET], &["restore", SET], &["prune", "--keep-bytes", "0"]]
    {
        let said = test.run(&[&["backups"][..], args, &["--liveries", "L"]].concat());
        let all = said.stdout + &said.stderr;
        assert!(!all.contains(['\u{1b}', '\u{202e}']), "{all}");
    }
}

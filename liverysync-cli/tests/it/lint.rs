//! The check of liveries from outside, as text and as JSON.

use serde_json::{Value, json};

use crate::common::Test;

/// Makes the first and last bytes of a PNG, which are all that counts.
fn png(side: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    png.extend([side.to_be_bytes(), side.to_be_bytes()].concat());
    png.extend([8, 6, 0, 0, 0, 1, 2, 3, 4]);
    png.extend(b"\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

#[test]
fn each_problem_comes_with_a_hint() {
    let test = Test::new();
    test.file("L/904/decals.png", png(1000));
    test.file("L/904/._decals.png", "x");
    test.file("L/77/decals.png", png(4096));
    test.file("L/77 - Copy/decals.png", png(4096));
    test.run(&["lint", "L"]).code(4).stderr("").stdout(
        "77 - Copy\n  \
           a copy of 77 with the same files\n  \
           hint: delete the copy\n\
         904\n  \
           1 file that macOS added\n  \
           hint: delete the folders __MACOSX and the files whose names begin with ._\n  \
           decals.png: 1000 x 1000 pixels, not 2048 x 2048 or 4096 x 4096\n  \
           hint: export it again at 4096 x 4096\n\
         3 problems in 2 liveries.\n",
    );
    let said = test.run(&["lint", "L", "--json"]).code(4).stderr("").stdout;
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&said["event"], &said["root"]), (&json!("lint"), &json!("L")));
    assert_eq!(
        said["findings"][2],
        json!({
            "kind": "picture-size",
            "livery": "904",
            "path": "904/decals.png",
            "reason": "1000 x 1000 pixels, not 2048 x 2048 or 4096 x 4096",
            "fix": "export it again at 4096 x 4096",
        })
    );
}

// Other systems' disks do not tell the two folders apart.
#[cfg(target_os = "linux")]
#[test]
fn folders_that_differ_only_in_case_are_named() {
    let test = Test::new();
    test.file("L/Team Iris/decals.png", png(4096));
    test.file("L/team iris/sponsors.png", png(2048));
    let reason = "Team Iris and team iris are one folder for Windows and the league";
    test.run(&["lint", "L"]).code(4).stdout_has(&format!(
        "Team Iris\n  {reason}\n  hint: move the files into one of the folders"
    ));
    test.run(&["scan", "L"]).code(0).stdout_has(reason);
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let mut client = test.start(&["client", "--liveries", "L", "--name", "L", "--port", &port]);
    client.line(&format!("Check Team Iris: {reason}"));
    client.line("In sync");
}

#[test]
fn a_league_has_rules_of_its_own() {
    let test = Test::new();
    test.file("L/#2_TeamIris_992/decals.png", png(4096));
    test.run(&["lint", "L"]).code(0).stderr("").stdout("No problems found.\n");
    test.file("rules.toml", "max-file-bytes = 10\nnames = ['#*_*']\n");
    test.run(&["lint", "L", "--rules", "rules.toml"])
        .code(4)
        .stdout_has("  decals.png: 45 bytes; the league allows 10 bytes a file\n")
        .stdout_has("1 problem in 1 livery.\n");
    test.file("wrong.toml", "# ours\nmax-file-size = 10\n");
    test.run(&["lint", "L", "--rules", "wrong.toml"])
        .code(2)
        .stdout("")
        .stderr_has("wrong.toml, line 2, `max-file-size`: unknown key");
}

#[test]
fn a_client_warns_once_about_what_it_brings() {
    let test = Test::new();
    test.file("A/New folder/decals.png", png(4096));
    test.folder("B");
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let client = |name| ["client", "--liveries", name, "--name", name, "--port", &port];
    let mut first = test.start(&client("A"));
    first.line("Check New folder: the name that Windows gives a new folder");
    first.line("In sync");
    // Its author was told.
    let second = test.run(&[&client("B")[..], &["--once", "--timeout", "15"]].concat()).code(0);
    assert!(!second.stdout.contains("Check"), "{}", second.stdout);
}

#[test]
fn scan_and_the_client_use_the_rules_of_the_league_too() {
    let test = Test::new();
    test.file("A/904/decals.png", png(1024));
    let small = "904/decals.png: 1024 x 1024 pixels, not 2048 x 2048 or 4096 x 4096";
    test.run(&["scan", "A"]).code(0).stdout_has(small);
    let (_server, port) = test.server(&[]);
    let client =
        ["client", "--name", "Aoi", "--liveries", "A", "--port", &port.to_string(), "--once"];
    let client = [&client[..], &["--timeout", "15"]].concat();
    test.run(&client).code(0).stdout_has(&format!("Check {small}"));

    // Whoever is not in the league yet is told again.
    test.file("B/904/decals.png", png(1024));
    test.file("rules.toml", "picture-sides = [1024]\nnames = [\"#*\"]\n");
    test.file("config.toml", "[client]\nrules = \"rules.toml\"\n");
    let told = "904: the league wants names like #*";
    let (_server, port) = test.server(&[]);
    let port = port.to_string();
    let client = ["client", "--name", "Bruno", "--liveries", "B", "--port", &port, "--once"];
    let client = [&client[..], &["--timeout", "15", "--config", "config.toml"]].concat();
    for said in [test.run(&["scan", "A", "--config", "config.toml"]), test.run(&client)] {
        let said = said.code(0).stdout_has(told);
        assert!(!said.stdout.contains("pixels"), "{}", said.stdout);
    }

    let broken = ["client", "--host", "localhost", "--liveries", "B", "--rules", "config.toml"];
    test.run(&broken).code(2).stdout("").stderr_has("config.toml, line 1");
    let missing = ["client", "--host", "localhost", "--liveries", "B", "--rules", "none.toml"];
    test.run(&missing).code(2).stdout("").stderr_has("cannot read the rules file none.toml");
}

#[test]
fn a_server_has_the_rules_for_everybody() {
    let test = Test::new();
    test.file("A/904/decals.png", png(2048));
    test.file("rules.toml", "picture-sides = [4096]\nnames = ['#*', '904']\n");
    test.run(&["league", "create", "--data", "data"]).code(0);
    let (_server, port) = test.server(&["--data", "data"]);
    let port = port.to_string();
    let client = ["client", "--name", "Aoi", "--liveries", "A", "--port", &port, "--once"];
    let client = [&client[..], &["--timeout", "15"]].concat();
    test.run(&client).code(0);
    let small = "904\n  decals.png: 2048 x 2048 pixels, not 4096 x 4096\n  hint: export it again at 4096 x 4096\n1 problem in 1 livery.\n";
    let league = |args: &[&str]| test.run(&[&["league"], args, &["--data", "data"]].concat());
    league(&["lint"]).code(0).stdout("No problems found.\n");
    league(&["lint", "--rules", "rules.toml"]).code(4).stdout(small);
    league(&["set", "lint-rules", "none.toml"])
        .code(2)
        .stderr_has("cannot read the rules file none.toml");
    league(&["set", "lint-rules", "rules.toml"]).code(0).stdout_has("lint-rules");
    league(&["set", "lint", "hold"]).code(0);
    league(&["show"]).code(0).stdout_has("lint-rules").stdout_has("picture-sides");
    league(&["lint"]).code(4).stdout(small);
    // It stays, and what comes now is held.
    test.file("A/77/decals.png", png(4096));
    let name = "77: the league wants names like #* or 904";
    test.run(&client).code(4).stderr_has("Against the league's rules: 77.").stdout_has(name);
    league(&["held"])
        .code(0)
        .stdout_has("against the rules: the league wants names like #* or 904");
    let held = league(&["held", "--json"]).code(0).stdout;
    let held: Value = serde_json::from_str(&held).unwrap();
    assert_eq!(held["held"][0]["finding"]["kind"], "name-not-allowed");
    league(&["approve", "77"]).code(0);
    test.run(&client).code(0);
}

#[test]
fn damaged_files_of_the_league_are_listed() {
    let test = Test::new();
    test.file("A/904/decals.png", "no picture");
    test.run(&["league", "create", "--data", "data"]).code(0);
    let (_server, port) = test.server(&["--data", "data"]);
    let port = port.to_string();
    let client = ["client", "--name", "Aoi", "--liveries", "A", "--port", &port, "--once"];
    test.run(&[&client[..], &["--timeout", "15"]].concat()).code(0);
    let why = "904/decals.png";
    test.run(&["league", "status", "--data", "data"]).code(0).stdout_has("Damaged").stdout_has(why);
    test.folder("B");
    let status = ["status", "--liveries", "B", "--port", &port];
    test.run(&status).stdout_has("Damaged in the league").stdout_has(why);
}

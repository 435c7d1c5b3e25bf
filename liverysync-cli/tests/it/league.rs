//! The commands for a league from outside, on a folder that no server uses: their output and exit codes.

use std::fs;

use liverysync::database::{LeagueDatabase as _, Sqlite};
use liverysync_core::{
    hash::{Content, ContentHash},
    league::{Cause, MemberId, Record},
    manifest::Entry,
    path::{Extensions, RelPath},
};
use serde_json::{Value, json};

use crate::common::{Finished, Test};

const AOI: &str = "0000000000000001";

fn placed(step: u64, path: &str, bytes: &str, cause: Cause) -> Record {
    let path = RelPath::parse(path, &Extensions::default()).unwrap();
    let entry = Entry { path, content: Content::of(bytes.as_bytes()), mtime: None };
    Record::Placed { step, entry, author: AOI.parse().ok(), cause }
}

fn seen(author: &str, name: &str) -> Record {
    Record::Seen { member: author.parse().unwrap(), name: name.to_owned() }
}

/// Makes a folder `data` of a league with these records, and with the first content of the league in its store.
fn league(records: &[Record]) -> Test {
    let test = Test::new();
    let data = test.folder("data");
    let seen = records.iter().filter_map(|record| match record {
        Record::Placed { entry, .. } => Some(Record::Verified(entry.content)),
        _ => None,
    });
    let records: Vec<_> = records.iter().cloned().chain(seen).collect();
    Sqlite::open(&data).unwrap().write(&records).unwrap();
    let stored = ContentHash::of(b"paint").to_string();
    test.file(&format!("data/blobs/{}/{stored}", &stored[..2]), "paint");
    test
}

/// Makes a league with Aoi's `Team`, which was updated and has a conflict copy, and three other liveries.
fn sample() -> Test {
    league(&[
        placed(1, "Team/decals.png", "paint", Cause::Published),
        placed(2, "Other/decals.png", "other", Cause::Published),
        placed(3, "Third/decals.png", "third", Cause::Published),
        placed(4, "Fourth/decals.png", "fourth", Cause::Published),
        placed(5, "Team/decals.png", "new paint", Cause::Updated),
        placed(6, &copy_name(), "other paint", Cause::Conflict),
        seen(AOI, "Aoi"),
    ])
}

fn short(bytes: &str) -> String {
    ContentHash::of(bytes.as_bytes()).short()
}

fn copy_name() -> String {
    format!("Team/decals__CONFLICT__{}.png", short("other paint"))
}

trait Run {
    fn league(&self, args: &[&str]) -> Finished;
    fn json(&self, args: &[&str]) -> Value;
}

impl Run for Test {
    fn league(&self, args: &[&str]) -> Finished {
        self.run(&[&["league"], args, &["--data", "data"]].concat())
    }

    /// Runs a command and returns the object that it prints.
    fn json(&self, args: &[&str]) -> Value {
        let said = self.league(&[args, &["--json"]].concat()).code(0).stderr("");
        assert_eq!(said.stdout.lines().count(), 1);
        serde_json::from_str(&said.stdout).unwrap()
    }
}

#[test]
fn the_league_is_shown() {
    let test = sample();
    test.league(&["status"])
        .code(0)
        .stderr("")
        .stdout_has("server        not running on this data folder\n")
        .stdout_has("liveries      4, 36 bytes in 5 files\n")
        .stdout_has("retired       0 liveries\n")
        .stdout_has("conflicts     1\n")
        .stdout_has("members       1\n")
        .stdout_has("store         0 bytes, 5 contents missing (only on members' PCs)\n")
        .stdout_has(" UTC\n");
    test.league(&["members"]).code(0).stdout_has(&format!("{AOI}  Aoi: 0 files, 0 bytes; first"));
    test.league(&["liveries"])
        .code(0)
        .stdout_has("  Fourth: 1 file, 6 bytes\n")
        .stdout_has("  Team: 2 files, 20 bytes; 1 conflict\n")
        .stdout_has("4 liveries, 36 bytes; 0 retired\n");
    let history = test.league(&["history", "team"]).code(0).stdout;
    let changes: Vec<_> = history.lines().filter(|line| line.starts_with("    ")).collect();
    let expected = [
        format!("    {}: kept as a conflict copy by Aoi", copy_name()),
        "    Team/decals.png: updated by Aoi".to_owned(),
        "    Team/decals.png: published by Aoi".to_owned(),
    ];
    assert_eq!(changes, expected);
    let line =
        |bytes: &str, size: &str, what: &str| format!("    {}   {size:>8}  {what}\n", short(bytes));
    test.league(&["conflicts"])
        .code(0)
        .stdout_has("Team/decals.png\n")
        .stdout_has(&line("new paint", "9 bytes", "has the name (Aoi)"))
        .stdout_has(&line("other paint", "11 bytes", &format!("{} (Aoi)", copy_name())))
        .stdout_has("1 conflict.\nhint: ");
}

#[test]
fn the_league_is_shown_as_json() {
    let test = sample();
    let status = test.json(&["status"]);
    let numbers = ["files", "liveries", "conflicts", "missing", "step"].map(|key| &status[key]);
    assert_eq!(numbers, [&json!(5), &json!(4), &json!(1), &json!(5), &json!(6)]);
    assert_eq!(status["served"], false);
    assert_eq!(test.json(&["members"])["members"][0]["member"], AOI);
    assert_eq!(test.json(&["liveries"])["liveries"][2]["livery"], "Team");
    let newest = &test.json(&["history", "Team"])["versions"][0];
    let change = json!({
        "path": copy_name(), "content": Content::of(b"other paint"), "cause": "conflict", "author": AOI, "name": "Aoi",
    });
    assert_eq!(newest["changes"], json!([change]));
    let conflicts = json!([{
        "path": "Team/decals.png",
        "established": {"sha256": ContentHash::of(b"new paint"), "size": 9, "name": "Aoi"},
        "copies": [
            {"path": copy_name(), "sha256": ContentHash::of(b"other paint"), "size": 11, "name": "Aoi"},
        ],
    }]);
    assert_eq!(test.json(&["conflicts"])["conflicts"], conflicts);
}

#[test]
fn the_league_is_changed_without_a_server() {
    let test = sample();
    test.league(&["retire", "fourth"]).code(0).stderr("").stdout(
        "Retired Fourth (1 file). Each PC updates the next time it connects. Each keeps a copy in .backup.\n",
    );
    test.league(&["liveries"]).code(0).stdout_has("          Fourth: retired\n");
    test.league(&["restore", "Fourth"])
        .code(0)
        .stdout("Restored Fourth (1 file). Each PC updates the next time it connects.\n");
    let resolve = ["resolve", "Team/decals.png", "--keep", &short("other paint")];
    test.league(&resolve)
        .code(0)
        .stdout_has(&format!("Team/decals.png keeps {}. ", short("other paint")));
    test.league(&["conflicts"]).code(0).stdout("No conflicts.\n");
    let renamed = test.json(&["rename", "Team", "Équipe"]);
    let expected = json!({
        "event": "league_acted", "act": "rename", "placed": 1, "retired": 1, "served": false,
    });
    assert_eq!(renamed, expected);
    test.league(&["own", "Équipe", AOI]).code(0).stdout_has("Aoi owns Équipe now");
    test.league(&["liveries"]).code(0).stdout_has("  Équipe: 1 file, 11 bytes; owned by Aoi\n");
    let old = test.json(&["history", "Team"])["versions"][3]["hash"].as_str().unwrap().to_owned();
    test.league(&["restore", "Team", "--version", &old[..8]]).code(0);
    assert_eq!(test.json(&["liveries"])["liveries"][2]["livery"], "Team");
}

#[test]
fn a_refused_change_changes_nothing() {
    let test = sample();
    for (args, reason) in [
        (&["retire", "Nobody"][..], "the league has no livery \"Nobody\""),
        (&["history", "Nobody"], "the league has no livery \"Nobody\""),
        (&["resolve", "Team/x.png", "--keep", "00000000"], "has no file \"Team/x.png\""),
        (
            &["resolve", "Team/decals.png", "--keep", "00000000"],
            "no content of \"Team/decals.png\" begins with",
        ),
        (&["rename", "Team", "Other"], "the league has a livery of this name"),
        (&["restore", "Team", "--version", "00000000"], "has no version"),
    ] {
        test.league(args).code(1).stdout("").stderr_has(reason);
    }
    test.league(&["own", "Team", "Dan"]).code(1).stderr_has("the league has no member \"Dan\"");
    test.league(&["retire"]).code(2);
    assert_eq!(test.json(&["status"])["step"], 6);
    test.league(&["retire", "Team", "Other", "--yes"]).code(0);
    assert_eq!(test.json(&["status"])["retired"], 2);
}

#[test]
fn a_data_folder_without_a_league_is_refused() {
    let mut test = sample();
    test.run(&["league", "status"]).code(2).stdout("").stderr_has("hint: add --data DIR");
    test.run(&["league", "status", "--data", "none"])
        .code(1)
        .stderr_has("there is no league in none\n");
    test.run(&["league", "rebuild", "--data", "none"])
        .code(1)
        .stderr_has("there is no league in none");
    assert!(!test.path("none").exists());
    test.file("league.toml", "[server]\ndata = 'data'\nport = 7\njson = true\n");
    test.run(&["league", "status", "--config", "league.toml"])
        .code(0)
        .stdout_has("{\"event\":\"league_status\",");
    test.env("LIVERYSYNC_DATA", "data").env("LIVERYSYNC_YES", "true");
    test.run(&["league", "members"]).code(0).stdout_has("1 member\n");
    let five =
        (1..=5).map(|step| placed(step, &format!("{step}/decals.png"), "paint", Cause::Published));
    let mut test = league(&five.collect::<Vec<_>>());
    test.env("LIVERYSYNC_YES", "true");
    test.league(&["retire", "*"])
        .code(1)
        .stderr_has("this would retire 5 of 5 liveries")
        .stderr_has("--yes");
    assert_eq!(test.json(&["status"])["step"], 5);
}

#[test]
fn conflict_copies_are_found_by_the_suffixes_of_the_league() {
    let own = format!("Team/decals.other.{}.png", short("other paint"));
    let test = league(&[
        placed(1, "Team/decals.png", "paint", Cause::Published),
        placed(2, &own, "other paint", Cause::Conflict),
    ]);
    test.league(&["conflicts"]).code(0).stdout("No conflicts.\n");
    for suffix in [".other.", ".later."] {
        test.league(&["set", "conflict-suffix", suffix]).code(0).stdout_has(suffix);
        test.league(&["show"]).code(0).stdout_has(suffix);
        test.league(&["conflicts"]).code(0).stdout_has("1 conflict.");
    }
    test.league(&["set", "conflict-suffix", "a/b"]).code(1).stderr_has("a/b");
    test.league(&["set", "colour", "red"]).code(2).stderr_has("colour");
}

#[test]
fn names_in_a_league_cannot_control_the_terminal() {
    let test = league(&[
        placed(1, "Team/decals.png", "paint", Cause::Published),
        seen(AOI, "A\u{1b}[2J\u{202e}oi"),
        Record::Owned {
            livery: "Team".to_owned(),
            owners: vec![AOI.parse::<MemberId>().unwrap()],
            presumed: false,
        },
    ]);
    for args in [&["members"][..], &["liveries"], &["history", "Team"]] {
        let said = test.league(args).code(0).stdout_has("A\\u{1b}[2J\\u{202e}oi");
        assert!(!said.stdout.contains(['\u{1b}', '\u{202e}']), "{}", said.stdout);
    }
}

#[test]
fn a_damaged_database_stops_the_server_until_it_is_rebuilt() {
    let test = sample();
    let database = test.path("data/league.db");
    let bytes = fs::read(&database).unwrap();
    for damaged in [&bytes[..bytes.len() / 2], &[][..], b"not a database at all"] {
        fs::write(&database, damaged).unwrap();
        test.run(&["server", "--host", "127.0.0.1", "--port", "0", "--data", "data"])
            .code(1)
            .stdout("")
            .stderr_has("the league database data/league.db is damaged\n")
            .stderr_has("run `liverysync league rebuild`");
        test.league(&["status"]).code(1).stdout("");
        let rebuilt = test.league(&["rebuild"]).code(0).stderr("").stdout;
        assert!(
            rebuilt.starts_with("Kept the old database as data/league.db.damaged-"),
            "{rebuilt}"
        );
        assert!(rebuilt.contains("Part of it could not be read. Recovered: "), "{rebuilt}");
        drop(test.server(&["--data", "data"]));
    }
    assert_eq!(test.json(&["rebuild"])["whole"], true);
    assert!(test.path("data/blobs").read_dir().unwrap().next().is_some());

    let (_server, _) = test.server(&["--data", "data"]);
    test.league(&["rebuild"])
        .code(1)
        .stderr_has("a liverysync server uses data\nhint: stop the server");
}

#[test]
fn a_server_that_does_not_answer_ends_the_wait() {
    let test = sample();
    let lock = fs::File::create(test.path("data/lock")).unwrap();
    lock.lock().unwrap();
    assert_eq!(test.json(&["status"])["served"], true);
    test.league(&["retire", "Team"])
        .code(3)
        .stdout("")
        .stderr_has("the server that uses data did not answer within 10 s\n")
        .stderr_has("hint: try again");
    drop(lock);
    assert_eq!(test.json(&["status"])["step"], 6);
}

//! The identity of a driver: after their folder was moved, on a new PC, and for the admin of their league.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::common::{Finished, Running, Test};

/// A league in which only owners may change a livery, and its drivers, who all have PCs of their own.
struct League {
    test: Test,
    port: String,
    _server: Running,
}

impl League {
    fn start() -> Self {
        let mut test = Test::new();
        test.env("LIVERYSYNC_PASSPHRASE", "correct horse");
        let (server, port) = test.server(&["--data", "data", "--updates", "owner"]);
        Self { test, port: port.to_string(), _server: server }
    }

    /// Writes a file that has kept still for a while.
    fn paint(&self, path: &str, content: &str) {
        let file = fs::File::options().write(true).open(self.test.file(path, content)).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(5)).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.test.path(path)).unwrap_or_default()
    }

    /// Syncs a folder once, at a PC with these folders for identity and state.
    fn sync(&self, pc: &str, name: &str, liveries: &str) -> Finished {
        let (identity, state) = (format!("{pc}/config/identity.json"), format!("{pc}/state"));
        self.test.folder(liveries);
        let client = ["client", "--port", &self.port, "--name", name, "--liveries", liveries];
        let paths = ["--identity", &identity, "--state", &state, "--once", "--timeout", "60"];
        self.test.run(&[&client[..], &paths[..]].concat()).code(0)
    }

    /// Runs a command at a PC, and returns its object.
    fn at(&self, pc: &str, args: &[&str]) -> Value {
        let (identity, state) = (format!("{pc}/config/identity.json"), format!("{pc}/state"));
        let paths = ["--json", "--identity", &identity, "--state", &state];
        object(self.test.run(&[args, &paths[..]].concat()))
    }

    fn administer(&self, args: &[&str]) -> Value {
        let rest = ["--data", "data", "--json"];
        object(self.test.run(&[&["league"], args, &rest[..]].concat()))
    }

    fn members(&self) -> Vec<String> {
        let members = self.administer(&["members"])["members"].as_array().unwrap().clone();
        let mut members: Vec<_> =
            members.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        members.sort();
        members
    }

    fn conflicts(&self) -> Value {
        self.administer(&["conflicts"])["conflicts"].clone()
    }
}

/// Returns the object that a command has printed.
fn object(finished: Finished) -> Value {
    serde_json::from_str(&finished.code(0).stdout).unwrap()
}

fn rename(test: &Test, from: &str, to: &str) {
    let to = test.path(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::rename(test.path(from), to).unwrap();
}

#[test]
fn documents_that_were_moved_make_nobody_a_new_member() {
    let league = League::start();
    league.paint("Documents/Liveries/77 Iris/decals.png", "iris");
    league.paint("Documents/Liveries/77 Iris/decals.json", r#"{"clearCoat": 1.0}"#);
    league.paint("Bruno/904/decals.png", "lambo");
    league.paint("Bruno/Ugly/decals.png", "ugly");
    league.sync("aoi", "Aoi", "Documents/Liveries");
    league.sync("bruno", "Bruno", "Bruno");
    let ignore = ["ignore", "add", "Ugly", "--liveries", "Documents/Liveries"];
    league.test.run(&[&ignore[..], &["--state", "aoi/state"]].concat()).code(0);
    league.sync("aoi", "Aoi", "Documents/Liveries");

    rename(&league.test, "Documents/Liveries", "OneDrive/Documents/Liveries");
    league.paint("OneDrive/Documents/Liveries/77 Iris/decals.png", "second paint");
    league.sync("aoi", "Aoi", "OneDrive/Documents/Liveries");
    assert!(!league.test.path("OneDrive/Documents/Liveries/Ugly").exists());
    let list = ["ignore", "list", "--json", "--liveries", "OneDrive/Documents/Liveries"];
    let list = object(league.test.run(&[&list[..], &["--state", "aoi/state"]].concat()));
    assert_eq!(list["ignored"], json!(["Ugly"]));
    assert_eq!(league.members(), ["Aoi", "Bruno"]);
    assert_eq!(league.conflicts(), json!([]));
    league.sync("bruno", "Bruno", "Bruno");
    assert_eq!(league.read("Bruno/77 Iris/decals.png"), "second paint");
}

#[test]
fn an_identity_goes_along_to_a_new_pc() {
    let league = League::start();
    league.paint("Aoi/77 Iris/decals.png", "iris");
    league.sync("old", "Aoi", "Aoi");
    league.sync("bruno", "Bruno", "Bruno");
    let shown = league.at("old", &["identity", "show"]);
    let member = shown["member"].clone();
    let exported = league.at("old", &["identity", "export", "aoi.identity"]);
    assert_eq!((&exported["event"], &exported["member"]), (&json!("identity_exported"), &member));
    let text = league.read("aoi.identity");
    let key: Value = serde_json::from_str(&league.read("old/config/identity.json")).unwrap();
    assert!(!text.contains(key["member_key"].as_str().unwrap()));

    // The new PC was in the league before anybody thought of the identity.
    rename(&league.test, "Aoi", "New");
    league.sync("new", "Aoi", "New");
    assert_eq!(league.members(), ["Aoi", "Aoi", "Bruno"]);
    let import = ["identity", "import", "aoi.identity", "--identity", "new/config/identity.json"];
    let import = [&import[..], &["--state", "new/state"]].concat();
    league.test.run(&import).code(1).stderr_has("pass --replace");
    let imported = league.at("new", &["identity", "import", "aoi.identity", "--replace"]);
    assert_eq!(imported["member"], member);
    assert_eq!(imported["former"].as_array().unwrap().len(), 1);
    league.paint("New/77 Iris/decals.png", "second paint");
    league.sync("new", "Aoi", "New");
    assert_eq!(league.members(), ["Aoi", "Bruno"]);
    assert_eq!(league.conflicts(), json!([]));
    league.sync("bruno", "Bruno", "Bruno");
    assert_eq!(league.read("Bruno/77 Iris/decals.png"), "second paint");
}

#[test]
fn an_admin_gives_a_new_member_what_the_lost_one_owned() {
    let league = League::start();
    league.paint("Aoi/77 Iris/decals.png", "iris");
    league.paint("Aoi/78 Iris/decals.png", "more");
    league.sync("old", "Aoi", "Aoi");
    // She gets her liveries from the league.
    league.sync("new", "Aoi", "New");
    let member = |pc: &str| {
        let shown = league.at(pc, &["identity", "show"]);
        shown["member"].as_str().unwrap().to_owned()
    };
    let (old, new) = (member("old"), member("new"));
    league.administer(&["own", "--all-of", &old, &new]);
    let liveries = league.administer(&["liveries"])["liveries"].as_array().unwrap().clone();
    assert!(liveries.iter().all(|livery| livery["owners"] == json!([new])), "{liveries:?}");
    let run = |args: &[&str]| league.test.run(&[args, &["--data", "data"]].concat());
    run(&["league", "own", "--all-of", &old, &new]).code(1).stderr_has("owns no livery");
    run(&["league", "own", "--all-of", &old, "0000000000000000"])
        .code(1)
        .stderr_has("no member \"0000000000000000\"");
    run(&["league", "own", "--all-of", &old]).code(2);
    run(&["league", "own", "77 Iris"]).code(2);

    league.administer(&["members", "merge", &old, &new]);
    assert_eq!(league.members(), ["Aoi"]);
    run(&["league", "members", "merge", &old, &new]).code(1).stderr_has("no member");
    league.paint("Aoi/77 Iris/decals.png", "second paint");
    league.sync("old", "Aoi", "Aoi");
    assert_eq!(league.members(), ["Aoi"]);
    assert_eq!(league.conflicts(), json!([]));
}

#[test]
fn a_passphrase_is_needed_and_no_file_is_replaced() {
    let mut test = Test::new();
    let run = |test: &Test, args: &[&str]| {
        let paths = ["--identity", "identity.json", "--state", "state"];
        test.run(&[&["identity"], args, &paths[..]].concat())
    };
    run(&test, &["show"]).code(0).stdout_has("no identity yet");
    run(&test, &["export", "x"]).code(1).stderr_has("no identity yet");
    // A key that an earlier version has left is the identity already.
    test.file("state/clients/00000000.key", "07".repeat(32));
    run(&test, &["show"]).code(0).stdout_has("member  ");
    assert!(!test.path("identity.json").exists());
    // Nothing is on standard input.
    run(&test, &["export", "x"]).code(1).stderr_has("at least 8 characters");
    test.env("LIVERYSYNC_PASSPHRASE", "correct horse");
    run(&test, &["export", "x"]).code(0);
    run(&test, &["export", "x"]).code(1).stderr_has("x already exists");
    private(&test.path("x"));
    run(&test, &["import", "state/clients/00000000.key"]).code(1).stderr_has("not an exported");
    test.env("LIVERYSYNC_PASSPHRASE", "correct house");
    run(&test, &["import", "x"]).code(1).stderr_has("the passphrase is wrong");
    test.env("LIVERYSYNC_PASSPHRASE", "correct horse");
    run(&test, &["import", "x"]).code(0).stdout_has("You are member");
    private(&test.path("identity.json"));
    fs::write(test.path("identity.json"), "{").unwrap();
    run(&test, &["show"]).code(1).stderr_has("the file is damaged");
    run(&test, &["import", "x", "--replace"]).code(1).stderr_has("the file is damaged");
    assert_eq!(fs::read_to_string(test.path("identity.json")).unwrap(), "{");
}

#[cfg(unix)]
fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[cfg(not(unix))]
fn private(_file: &Path) {}

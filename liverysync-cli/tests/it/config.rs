//! A flag overrides a variable, and a variable overrides the file.

use crate::common::{Finished, Test};

/// Checks the port at which a client looks for its server: the error names it.
#[track_caller]
fn check_port(test: &Test, args: &[&str], port: u16) {
    let all = [&["client", "--once", "--liveries", "."], args].concat();
    test.run(&all).code(1).stderr_has(&format!("127.0.0.1:{port}\n"));
}

#[test]
fn a_flag_overrides_a_variable_and_a_variable_overrides_the_file() {
    let mut test = Test::new();
    test.file("league.toml", "[client]\nport = 3\n");
    check_port(&test, &["--config", "league.toml"], 3);
    check_port(&test, &["--config=league.toml", "--port", "1"], 1);
    test.env("LIVERYSYNC_PORT", "2");
    check_port(&test, &["--config", "league.toml"], 2);
    check_port(&test, &["--config", "league.toml", "--port", "1"], 1);
    check_port(&test, &["--port=1"], 1);
    check_port(&test, &[], 2);
}

#[test]
fn an_empty_variable_counts_as_none() {
    let mut test = Test::new();
    test.file("league.toml", "[client]\nport = 3\n");
    test.env("LIVERYSYNC_PORT", "").env("LIVERYSYNC_CONFIG", "league.toml");
    check_port(&test, &[], 3);
}

#[test]
fn a_flag_overrides_the_file() {
    let test = Test::new();
    test.file("league.toml", "[client]\njson = true\n");
    test.file("a/decals.png", "a");
    test.run(&["scan", "a", "--config", "league.toml"]).code(0).stdout_has("{\"event\":\"scan\"");
    let plain = test.run(&["scan", "a", "--config", "league.toml", "--json=false"]).code(0);
    assert!(!plain.stdout.contains('{'), "{}", plain.stdout);
}

#[test]
fn speeds_change_with_the_file_while_the_program_runs() {
    let mut test = Test::new();
    let file = |text: &str| drop(test.file("league.toml", text));
    file("[server]\nlimit-up = '500 KB/s'\n[client]\nport = 1\nlimit-down = '1 MB/s'\n");
    let (mut server, _) = test.server(&["--config", "league.toml"]);
    let client = ["client", "--liveries", ".", "--config", "league.toml", "--limit-up", "none"];
    let mut client = test.start(&client);
    client.note("Offline: ");

    file(
        "[server]\nlimit-up = '10 Mbit/s'\nlimit-down = 60000\n[client]\nport = 1\nlimit-up = '2MB'\n",
    );
    server.note("Speed limits now: outgoing at most 1.2 MB/s, incoming at most 60 kB/s.");
    // A flag overrides the file, as at the start.
    client.note("Speed limits now: outgoing unlimited, incoming unlimited.");

    file("[server]\nlimit-up = 'fast'\n");
    server.note("[server] limit-up: invalid value 'fast'");
    client.note("Nothing was changed");
    file("[server]\nlimit-up = '10 Mbit/s'\nlimit-down = 60000\nport = 7\n");
    server.note("other options take effect at the next start");
    std::fs::remove_file(test.path("league.toml")).unwrap();
    server.note("Nothing was changed: cannot read the config file league.toml");
    test.env("LIVERYSYNC_LIMIT_UP", "0");
    test.run(&["server"]).code(2).stderr_has("LIVERYSYNC_LIMIT_UP").stderr_has("give none");
}

#[test]
fn the_file_can_hold_every_kind_of_value() {
    let test = Test::new();
    test.file(
        "etc/league.toml",
        "\u{feff}[server]\nhost = '127.0.0.1'\nport = 0\nmax-file-size = '1 GiB'\n\
         scheduler-tick-seconds = 0.5\nextensions = ['png', 'json']\nallow-list = 'allowed.txt'\n\
         json = true\nconflict-policy = 'newest-mtime'\nupdates = 'owner'\ndata = '../kept'\n[client]\nliveries = '../mine'\n",
    );
    test.file("etc/allowed.txt", "# all of them\n");
    let mut server = test.start(&["server", "--config", "etc/league.toml"]);
    server.line("{\"event\":\"listening\",\"address\":\"127.0.0.1\",\"port\":");
    test.file("mine/T/decals.png", "x");
    // A relative path starts at the folder of the file.
    test.run(&["scan", "--config", "etc/league.toml"]).code(0).stdout_has("T (1 file, 1 byte)");
}

#[track_caller]
fn refused(text: &str, command: &str) -> Finished {
    let test = Test::new();
    test.file("league.toml", text);
    test.run(&[command, "--config", "league.toml"])
        .code(2)
        .stdout("")
        .stderr_has("error: config file league.toml: ")
}

#[test]
fn a_misspelt_key_gets_a_suggestion() {
    refused("[server]\nprot = 1\n", "server")
        .stderr_has("there is no key `prot` in [server]")
        .stderr_has("hint: did you mean `port`?");
    refused("[server]\nmanifest_stale_seconds = 1\n", "server")
        .stderr_has("did you mean `manifest-stale-seconds`?");
    refused("[client]\nlivereis = 'x'\n", "client").stderr_has("did you mean `liveries`?");
    refused("[client]\nlivereis = 'x'\n", "scan").stderr_has("did you mean `liveries`?");
    refused("[client]\nallow-list = 'x'\n", "client").stderr_has("that key belongs in [server]");
    refused("[client]\nzzz = 1\n", "client").stderr_has("the keys of [client] are host, port");
    refused("[client]\nconfig = 'x'\n", "client").stderr_has("there is no key `config`");
}

#[test]
fn a_misspelt_table_gets_a_suggestion() {
    refused("[sever]\nport = 1\n", "server").stderr_has("did you mean [server]?");
    refused("port = 1\n", "server").stderr_has("put it below a line [server]");
    refused("client = 1\n", "server").stderr_has("there is no table [client]");
}

#[test]
fn the_error_names_the_key_of_a_wrong_value() {
    for (text, message) in [
        ("[server]\nport = '1'\n", "[server] port: must be a number, not a string"),
        ("[server]\nport = 65536\n", "[server] port: invalid value '65536'"),
        ("[server]\nhost = 1\n", "[server] host: must be a string, not a number"),
        ("[server]\njson = 1\n", "[server] json: must be true or false, not a number"),
        ("[server]\nmax-sessions = 0\n", "[server] max-sessions: invalid value '0'"),
        ("[server]\nextensions = [1]\n", "[server] extensions: must be a list of strings"),
        ("[server]\nconflict-policy = 'x'\n", "possible values: established, lowest-hash"),
        ("[server]\nupdates = 'nobody'\n", "possible values: anyone, owner"),
        ("[server]\nhost = 1979-05-27\n", "[server] host: must be a string, not a date"),
        ("[server]\nport\n", "line 2"),
    ] {
        refused(text, "server").stderr_has(message);
    }
}

#[test]
fn the_error_names_a_wrong_variable() {
    let mut test = Test::new();
    test.env("LIVERYSYNC_PORT", "many");
    test.run(&["server"]).code(2).stderr_has("error: LIVERYSYNC_PORT: invalid value 'many'");
}

#[test]
fn the_error_names_an_unreadable_file() {
    let mut test = Test::new();
    for args in [&["server", "--config", "none.toml"][..], &["scan", "--config=none.toml"]] {
        test.run(args)
            .code(2)
            .stderr_has("error: cannot read the config file none.toml\n  cause: ");
    }
    test.env("LIVERYSYNC_CONFIG", "none.toml");
    test.run(&["client"]).code(2).stderr_has("none.toml");
    test.run(&["client", "--help"]).code(0);
}

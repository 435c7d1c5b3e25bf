//! Wrong usage, help texts and completions.

use crate::common::Test;

#[test]
fn without_a_command_the_help_is_shown_as_wrong_usage() {
    Test::new().run(&[]).code(2).stdout("").stderr_has("Usage: liverysync <COMMAND>");
}

#[test]
fn help_and_version_go_to_stdout() {
    let test = Test::new();
    test.run(&["--help"]).code(0).stderr("").stdout_has("Exit codes: 0 done, 1 failed");
    let version = format!("liverysync {}\n", env!("CARGO_PKG_VERSION"));
    test.run(&["--version"]).code(0).stdout(&version);
}

#[test]
fn help_names_every_option_with_its_variable_and_default() {
    let test = Test::new();
    for (command, option, variable, default) in [
        ("server", "--host", "LIVERYSYNC_HOST", "0.0.0.0"),
        ("server", "--port", "LIVERYSYNC_PORT", "9239"),
        ("server", "--max-files-per-session", "LIVERYSYNC_MAX_FILES_PER_SESSION", "50"),
        ("server", "--manifest-stale-seconds", "LIVERYSYNC_MANIFEST_STALE_SECONDS", "15"),
        ("server", "--scheduler-tick-seconds", "LIVERYSYNC_SCHEDULER_TICK_SECONDS", "1"),
        ("server", "--conflict-suffix", "LIVERYSYNC_CONFLICT_SUFFIX", "__CONFLICT__"),
        ("server", "--conflict-scope", "LIVERYSYNC_CONFLICT_SCOPE", "file"),
        ("server", "--conflict-policy", "LIVERYSYNC_CONFLICT_POLICY", "established"),
        ("server", "--updates", "LIVERYSYNC_UPDATES", "owner with --data, else anyone"),
        ("server", "--max-entries", "LIVERYSYNC_MAX_ENTRIES", "50000"),
        ("client", "--host", "LIVERYSYNC_HOST", "127.0.0.1"),
        ("client", "--name", "LIVERYSYNC_NAME", "the host name"),
        ("client", "--timeout", "LIVERYSYNC_TIMEOUT", ""),
        ("client", "--derived-dds", "LIVERYSYNC_DERIVED_DDS", ""),
        ("scan", "--extensions", "LIVERYSYNC_EXTENSIONS", "dds,jpeg,jpg,json,png,txt"),
    ] {
        let help = test.run(&[command, "--help"]).code(0).stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let about = help.split(&format!("{option} ")).nth(1);
        let about = about.or_else(|| help.split(&format!("{option}[")).nth(1)).unwrap_or_default();
        let (text, rest) = about.split_once("[env: ").unwrap_or_default();
        assert!(rest.starts_with(&format!("{variable}]")), "{command} {option}: {rest}");
        // A default that is no fixed value comes before the variable.
        let shown = text.contains(&format!("[default: {default}"))
            || rest.starts_with(&format!("{variable}] [default: {default}]"));
        assert!(shown || default.is_empty(), "{command} {option}: {about}");
    }
}

#[test]
fn an_impossible_value_is_wrong_usage() {
    let test = Test::new();
    for args in [
        &["sever"][..],
        &["server", "--prot", "1"],
        &["server", "--port", "65536"],
        &["server", "--max-sessions", "0"],
        &["server", "--scheduler-tick-seconds", "0"],
        &["server", "--conflict-suffix", "a/b"],
        &["client", "--port", "0"],
        &["client", "--name", " "],
        &["client", "--extensions", "png,*"],
        &["client", "--extensions", ","],
        &["client", "--once=maybe"],
        &["scan", "--max-file-size", "0MB"],
        &["completions", "cobol"],
    ] {
        test.run(args).code(2).stdout("").stderr_has("error: ");
    }
    test.run(&["server", "--port", "0", "--max-entries", "0"])
        .code(2)
        .stderr_has("0 does not mean unlimited");
}

#[test]
fn a_client_that_stays_takes_no_timeout() {
    let test = Test::new();
    let liveries = test.folder("liveries");
    let args = ["client", "--timeout", "5", "--liveries", liveries.to_str().unwrap()];
    test.run(&args).code(2).stderr_has("--timeout needs --once").stderr_has("hint: ");
}

#[test]
fn every_shell_has_completions() {
    let test = Test::new();
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        test.run(&["completions", shell]).code(0).stderr("").stdout_has("manifest-stale-seconds");
    }
}

//! `docs/cli.md`, written from the definitions of the commands and compared with the file.

use std::{fmt::Write as _, fs};

use clap::{Arg, ArgAction, Command, builder::StyledStr};

use crate::config;

/// Rewrites the file if this variable is set.
const UPDATE: &str = "UPDATE_DOCS";

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cli.md");

const INTRODUCTION: &str = "\
# Commands and options

<!-- Generated from the program. Rewrite it with: UPDATE_DOCS=1 cargo test -p liverysync-cli reference -->

This is the `--help` of every command. [configuration.md](configuration.md) explains the config file, sizes, speeds and exit codes.
Most options can also be set by the variable that is named with them, or by a key of the same name in the config file.
";

#[test]
fn the_reference_of_commands_is_up_to_date() {
    let expected = reference();
    if std::env::var_os(UPDATE).is_some() {
        fs::write(FILE, &expected).unwrap();
    }
    let found = fs::read_to_string(FILE).unwrap_or_default().replace("\r\n", "\n");
    let update = format!("run {UPDATE}=1 cargo test -p liverysync-cli reference");
    for (number, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of docs/cli.md: {update}", number + 1);
    }
    assert_eq!(found.len(), expected.len(), "the end of docs/cli.md: {update}");
}

fn reference() -> String {
    let mut program = config::command();
    program.build();
    let mut text = INTRODUCTION.to_owned();
    write_command(&mut text, &program, "##");
    // `help` has all other commands below it once more.
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        write_command(&mut text, command, "##");
        for command in command.get_subcommands() {
            write_command(&mut text, command, "###");
            for command in command.get_subcommands() {
                write_command(&mut text, command, "####");
            }
        }
    }
    text
}

fn write_command(text: &mut String, command: &Command, heading: &str) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    if command.is_hide_set() || command.get_name() == "help" {
        return;
    }
    writeln!(text, "\n{heading} {name}\n").unwrap();
    writeln!(text, "{}.\n", plain(command.get_about())).unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").trim();
    writeln!(text, "Usage: `{usage}`").unwrap();

    let mut commands =
        command.get_subcommands().filter(|command| command.get_name() != "help").peekable();
    if commands.peek().is_some() {
        writeln!(text, "\n| command | |\n|---|---|").unwrap();
        for command in commands {
            let (name, about) = (command.get_name(), plain(command.get_about()));
            let full = command.get_bin_name().unwrap_or(name);
            writeln!(text, "| [`{name}`](#{}) | {about} |", full.replace(' ', "-")).unwrap();
        }
    }
    let args: Vec<_> = command.get_arguments().filter(|arg| !is_common(arg)).collect();
    let mut headings: Vec<Option<&str>> = Vec::new();
    for arg in &args {
        if !headings.contains(&arg.get_help_heading()) {
            headings.push(arg.get_help_heading());
        }
    }
    for heading in headings {
        match heading {
            Some(heading) => writeln!(text, "\n{heading}:\n").unwrap(),
            None => writeln!(text).unwrap(),
        }
        let (positional, named): (Vec<_>, Vec<_>) = args
            .iter()
            .filter(|arg| arg.get_help_heading() == heading)
            .partition(|arg| arg.is_positional());
        for arg in positional.into_iter().chain(named) {
            write_arg(text, arg);
        }
    }
    if let Some(after) = command.get_after_help() {
        write_after(text, after);
    }
}

/// Returns whether every command has this argument.
fn is_common(arg: &Arg) -> bool {
    matches!(
        arg.get_action(),
        ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
    )
}

fn write_arg(text: &mut String, arg: &Arg) {
    let mut name = String::new();
    if let Some(short) = arg.get_short() {
        write!(name, "-{short}, ").unwrap();
    }
    if let Some(long) = arg.get_long() {
        write!(name, "--{long}").unwrap();
    }
    let is_flag = !arg.get_action().takes_values();
    let value = arg.get_value_names().and_then(<[_]>::first).map_or("", |value| value.as_str());
    if arg.is_positional() {
        name += if value.is_empty() { arg.get_id().as_str() } else { value };
    } else if !is_flag && value != "BOOL" {
        // A flag takes a value only to override the config file.
        write!(name, " {value}").unwrap();
    }
    write!(text, "- `{name}`: {}.", plain(arg.get_help())).unwrap();
    let mut notes = Vec::new();
    let values: Vec<_> = arg.get_possible_values();
    if !values.is_empty() && value != "BOOL" {
        let values: Vec<_> = values.iter().map(|value| format!("`{}`", value.get_name())).collect();
        notes.push(format!(" One of {}.", values.join(", ")));
    }
    if !is_flag && value != "BOOL" && !arg.is_hide_default_value_set() {
        let defaults: Vec<_> =
            arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
        if !defaults.is_empty() {
            notes.push(format!(" Default: `{}`.", defaults.join(",")));
        }
    }
    if let Some(variable) = arg.get_env() {
        notes.push(format!(" Variable: `{}`.", variable.to_string_lossy()));
    }
    writeln!(text, "{}", notes.concat()).unwrap();
}

fn write_after(text: &mut String, after: &StyledStr) {
    writeln!(text).unwrap();
    // An example is indented, and stays so.
    for paragraph in after.to_string().split('\n') {
        let separator = if paragraph.starts_with(' ') { "  " } else { "" };
        writeln!(text, "{separator}{paragraph}").unwrap();
    }
}

fn plain(help: Option<&StyledStr>) -> String {
    help.map(ToString::to_string).unwrap_or_default().replace('\n', " ")
}

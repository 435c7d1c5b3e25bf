//! Values of options: a flag overrides a variable, and a variable overrides the config file.
//!
//! All three end in the definitions of [`crate::cli`]: each option gets the variable `LIVERYSYNC_<NAME>`, and a value of
//! the config file becomes its default. So each option has one name, one check and one help text.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use clap::{
    Arg, ArgAction, Command, CommandFactory as _, FromArgMatches as _,
    builder::{BoolishValueParser, Resettable},
    error::{ContextKind, ContextValue},
    parser::ValueSource,
};
use toml::{Table, Value};

use crate::{
    cli::{Cli, Command as CliCommand, groups::SharingArgs},
    exit::Failure,
    text::{config, config::Instead, error},
};

/// The commands whose options come from variables and from the config file, with their tables there.
const TABLES: [(&[&str], &str); 47] = [
    (&["server"], "server"),
    (&["league", "create"], "server"),
    (&["league", "status"], "server"),
    (&["league", "members"], "server"),
    (&["league", "members", "merge"], "server"),
    (&["league", "liveries"], "server"),
    (&["league", "history"], "server"),
    (&["league", "conflicts"], "server"),
    (&["league", "resolve"], "server"),
    (&["league", "rename"], "server"),
    (&["league", "replace"], "server"),
    (&["league", "retire"], "server"),
    (&["league", "restore"], "server"),
    (&["league", "own"], "server"),
    (&["league", "held"], "server"),
    (&["league", "approve"], "server"),
    (&["league", "reject"], "server"),
    (&["league", "freeze"], "server"),
    (&["league", "unfreeze"], "server"),
    (&["league", "ban"], "server"),
    (&["league", "unban"], "server"),
    (&["league", "block"], "server"),
    (&["league", "unblock"], "server"),
    (&["league", "lint"], "server"),
    (&["league", "show"], "server"),
    (&["league", "set"], "server"),
    (&["league", "rebuild"], "server"),
    (&["client"], "client"),
    (&["status"], "client"),
    (&["scan"], "client"),
    (&["lint"], "client"),
    (&["backups", "list"], "client"),
    (&["backups", "show"], "client"),
    (&["backups", "restore"], "client"),
    (&["backups", "prune"], "client"),
    (&["withdraw"], "client"),
    (&["rename"], "client"),
    (&["replace"], "client"),
    (&["ignore", "add"], "client"),
    (&["ignore", "remove"], "client"),
    (&["ignore", "list"], "client"),
    (&["share", "add"], "client"),
    (&["share", "remove"], "client"),
    (&["share", "list"], "client"),
    (&["identity", "show"], "client"),
    (&["identity", "export"], "client"),
    (&["identity", "import"], "client"),
];

/// The variable that names the config file.
const CONFIG: &str = "LIVERYSYNC_CONFIG";

/// Options that an admin decides each time, so that no variable sets them.
const DECIDED_EACH_TIME: [&str; 8] =
    ["all", "all_of", "from", "keep", "replace", "until", "version", "yes"];

/// Least likeness of two words for one to be a typo of the other.
const LIKENESS_MIN: f64 = 0.75;

/// Reads the command line, with the values of variables and of the config file.
pub(crate) fn parse(args: &[OsString]) -> Result<Cli, Failure> {
    let mut command = command();
    if let Some(path) = config_path(args) {
        command = with_file(command, &path)?;
    }
    let mut matches = command.clone().try_get_matches_from(args).map_err(|e| worded(e, args))?;
    let timeout_given = matches
        .subcommand_matches("client")
        .is_some_and(|client| client.value_source("timeout") == Some(ValueSource::CommandLine));
    let cli = Cli::from_arg_matches_mut(&mut matches)?;
    if let CliCommand::Client(client) = &cli.command
        && timeout_given
        && !client.once
        && !client.dry_run
    {
        return Err(Failure::usage(error::timeout_needs_an_end()));
    }
    let sharing = match &cli.command {
        CliCommand::Client(args) => Some(&args.sharing),
        CliCommand::Status(args) => Some(&args.sharing),
        CliCommand::Scan(args) => Some(&args.sharing),
        _ => None,
    };
    if sharing.is_some_and(SharingArgs::exclude_everything) {
        return Err(Failure::usage(error::one_direction()));
    }
    Ok(cli)
}

/// Returns all commands, with a variable for each option.
pub(crate) fn command() -> Command {
    let program = Cli::command();
    let names: Vec<_> = program.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let program = TABLES.iter().fold(program, |command, (names, _)| {
        mut_command(command, names, &|command| command.mut_args(|arg| with_variable(flag(arg))))
    });
    // A command that was changed has moved to the end of the list.
    names.iter().fold(program, |program, name| program.mut_subcommand(name, |command| command))
}

/// Changes the command that these names lead to.
fn mut_command(command: Command, names: &[&str], change: &dyn Fn(Command) -> Command) -> Command {
    match names {
        [] => change(command),
        [first, rest @ ..] => {
            command.mut_subcommand(first, |command| mut_command(command, rest, change))
        }
    }
}

/// Lets a flag be set to false, which overrides a variable or the config file.
fn flag(arg: Arg) -> Arg {
    if !matches!(arg.get_action(), ArgAction::SetTrue) {
        return arg;
    }
    arg.action(ArgAction::Set)
        .num_args(0..=1)
        .require_equals(true)
        .value_name("BOOL")
        .value_parser(BoolishValueParser::new())
        .default_value("false")
        .default_missing_value("true")
        .hide_default_value(true)
        .hide_possible_values(true)
}

fn with_variable(arg: Arg) -> Arg {
    let id = arg.get_id().as_str();
    let name = variable(id);
    // An empty variable counts as none.
    let is_empty = std::env::var_os(&name).is_some_and(|value| value.is_empty());
    // A value without a name is no option, except the folder of `scan` and `lint`.
    let is_option = (!arg.is_positional() || id == "liveries") && !DECIDED_EACH_TIME.contains(&id);
    if is_empty || !is_option {
        return arg;
    }
    arg.env(name).hide_env_values(true)
}

/// Returns the variable of an option.
fn variable(id: &str) -> String {
    format!("LIVERYSYNC_{}", id.to_ascii_uppercase().replace('-', "_"))
}

/// Returns the config file that the command line or the variable names, for a command that reads one.
pub(crate) fn config_path(args: &[OsString]) -> Option<PathBuf> {
    let (command, rest) = args.get(1..)?.split_first()?;
    let reads_one = TABLES.iter().any(|(names, _)| command == names[0]);
    let asks_for_help = rest.iter().any(|arg| arg == "--help" || arg == "-h");
    if !reads_one || asks_for_help {
        return None;
    }
    let mut options = rest.iter().take_while(|arg| *arg != "--");
    while let Some(arg) = options.next() {
        if arg == "--config" {
            return options.next().map(PathBuf::from);
        }
        if let Some(path) = arg.to_str().and_then(|arg| arg.strip_prefix("--config=")) {
            return Some(path.into());
        }
    }
    std::env::var_os(CONFIG).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Makes the values of the config file the defaults of `command`.
fn with_file(mut command: Command, path: &Path) -> Result<Command, Failure> {
    let file = File { path };
    for (table, key, value) in file.read(&command)? {
        for (names, _) in TABLES.iter().filter(|(_, own)| *own == table) {
            command = mut_command(command, names, &|command| {
                let here = command.get_arguments().any(|arg| arg.get_id().as_str() == key);
                if here {
                    let value = value.clone();
                    command.mut_arg(&key, |arg| arg.default_value(value))
                } else {
                    command
                }
            });
        }
    }
    Ok(command)
}

/// A config file that is being read.
struct File<'a> {
    path: &'a Path,
}

impl File<'_> {
    /// Returns the tables, ids and values of all options that are set.
    fn read(&self, command: &Command) -> Result<Vec<(String, String, OsString)>, Failure> {
        let text = fs::read_to_string(self.path)
            .map_err(|error| Failure::usage(config::unreadable(self.path, &error)))?;
        let text = text.trim_start_matches('\u{feff}');
        let tables: Table =
            toml::from_str(text).map_err(|error| self.failure("", error.to_string().trim_end()))?;
        let mut settings = Vec::new();
        for (name, value) in tables {
            let known = TABLES.iter().any(|(_, table)| *table == name);
            let (true, Value::Table(table)) = (known, value) else {
                return Err(self.no_table(command, &name));
            };
            for (key, value) in table {
                let (id, value) = self.setting(command, &name, &key, &value)?;
                settings.push((name.clone(), id, value));
            }
        }
        Ok(settings)
    }

    fn setting(
        &self,
        command: &Command,
        table: &str,
        key: &str,
        value: &Value,
    ) -> Result<(String, OsString), Failure> {
        let place = config::place(table, key);
        let Some(arg) = options(command, table).find(|arg| arg.get_long() == Some(key)) else {
            return Err(self.no_key(command, table, key));
        };
        let value = self.text(arg, value).map_err(|wrong| self.failure(&place, &wrong))?;
        let mut option = OsString::from(format!("--{key}="));
        option.push(&value);
        // The same definitions check it, without the values of variables.
        let bare = command.clone().mut_subcommand(table, |command| {
            command.mut_args(|arg| arg.env(Resettable::<clap::builder::OsStr>::Reset))
        });
        match bare.try_get_matches_from([OsStr::new("liverysync"), OsStr::new(table), &option]) {
            Ok(_) => Ok((arg.get_id().to_string(), value)),
            Err(error) => Err(self.failure(&place, &first_paragraph(&error))),
        }
    }

    /// Returns the value as it would be written on the command line.
    fn text(&self, arg: &Arg, value: &Value) -> Result<OsString, String> {
        let kind = Kind::of(arg);
        let text = match (kind, value) {
            (Kind::Flag, Value::Boolean(on)) => on.to_string(),
            (Kind::Number | Kind::Size | Kind::Speed, Value::Integer(number)) => number.to_string(),
            (Kind::Number | Kind::Size | Kind::Speed, Value::Float(number)) => number.to_string(),
            (Kind::Path, Value::String(path)) => return Ok(self.beside(path)),
            (Kind::Size | Kind::Speed | Kind::List | Kind::Text, Value::String(text)) => {
                text.clone()
            }
            (Kind::List, Value::Array(items)) => {
                let texts: Option<Vec<_>> = items.iter().map(Value::as_str).collect();
                texts.ok_or_else(|| config::LIST_OF_STRINGS.to_owned())?.join(",")
            }
            (_, other) => return Err(config::wrong_kind(kind, other)),
        };
        Ok(text.into())
    }

    /// Relative paths start at the config file's folder.
    fn beside(&self, path: &str) -> OsString {
        self.path.parent().unwrap_or(Path::new("")).join(path).into()
    }

    fn no_table(&self, command: &Command, name: &str) -> Failure {
        if let Some((_, table)) = TABLES
            .iter()
            .find(|(_, table)| options(command, table).any(|arg| arg.get_long() == Some(name)))
        {
            return Failure::usage(config::outside_of_a_table(self.path, name, table));
        }
        let known = ["server", "client"];
        Failure::usage(config::no_table(self.path, name, nearest(name, known.into_iter())))
    }

    fn no_key(&self, command: &Command, table: &str, key: &str) -> Failure {
        let other = TABLES.iter().map(|(_, other)| *other).find(|other| {
            *other != table && options(command, other).any(|arg| arg.get_long() == Some(key))
        });
        let keys = || options(command, table).filter_map(Arg::get_long);
        let instead = match (nearest(key, keys()), other) {
            (Some(near), _) => Instead::Near(near),
            (None, Some(other)) => Instead::Table(other),
            (None, None) => Instead::Any(keys().collect()),
        };
        Failure::usage(config::no_key(self.path, table, key, instead))
    }

    fn failure(&self, place: &str, message: &str) -> Failure {
        Failure::usage(config::mistake(self.path, place, message))
    }
}

/// Returns the options that a table can set: all but the name of the file itself.
fn options<'a>(command: &'a Command, table: &str) -> impl Iterator<Item = &'a Arg> {
    let command = command.find_subcommand(table).into_iter();
    command
        .flat_map(Command::get_arguments)
        .filter(|arg| arg.get_long().is_some() && arg.get_id() != "config")
}

/// The kind of value that an option takes, by the name of the value in its help.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Flag,
    List,
    Number,
    Path,
    Size,
    Speed,
    Text,
}

impl Kind {
    fn of(arg: &Arg) -> Self {
        match arg.get_value_names().and_then(<[_]>::first).map(clap::builder::Str::as_str) {
            Some("BOOL") => Self::Flag,
            Some("LIST") => Self::List,
            Some("N" | "PORT" | "SECONDS") => Self::Number,
            Some("DIR" | "FILE") => Self::Path,
            Some("SIZE") => Self::Size,
            Some("SPEED") => Self::Speed,
            _ => Self::Text,
        }
    }
}

/// Returns the word of `known` that `word` is a likely typo of.
fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('_', "-");
    known
        .map(|other| (strsim::normalized_damerau_levenshtein(&word, other), other))
        .filter(|(likeness, _)| *likeness >= LIKENESS_MIN)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, other)| other)
}

/// Returns clap's message about a wrong value, without the usage and the word `error`.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let paragraph = text.split("\n\n").next().unwrap_or(&text);
    let words = paragraph.trim_start_matches("error: ").split_whitespace();
    words.collect::<Vec<_>>().join(" ")
}

/// Names the variable that a wrong value came from, if it did.
fn worded(error: clap::Error, args: &[OsString]) -> Failure {
    let Some(ContextValue::String(option)) = error.get(ContextKind::InvalidArg) else {
        return error.into();
    };
    let name = option.trim_start_matches(['-', '[', '<']);
    let long = name.split([' ', '=', '[', ']', '>']).next().unwrap_or(name);
    // The folder of `scan` has no long name.
    let variable = variable(if long == "DIR" { "liveries" } else { long });
    let given = args.iter().filter_map(|arg| arg.to_str()?.strip_prefix("--"));
    let on_line = given.filter_map(|arg| arg.split('=').next()).any(|arg| arg == long);
    if on_line || std::env::var_os(&variable).is_none_or(|value| value.is_empty()) {
        return error.into();
    }
    Failure::usage(config::variable(&variable, long, &first_paragraph(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_with_variables_are_consistent() {
        command().debug_assert();
    }

    #[test]
    fn every_option_of_a_table_has_a_known_kind_of_value() {
        let command = command();
        for table in ["server", "client"] {
            for arg in options(&command, table) {
                let name = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
                let known = [
                    "BOOL", "LIST", "N", "PORT", "SECONDS", "DIR", "FILE", "SIZE", "SPEED",
                    "ADDRESS", "HOST", "NAME", "TEXT", "POLICY", "RULE", "SCOPE",
                ];
                assert!(name.is_some_and(|name| known.contains(&name.as_str())), "{arg:?}");
            }
        }
    }

    /// Returns the commands that take a config file and do not read it.
    fn without_a_table(command: &Command) -> Vec<String> {
        let takes_one = command.get_arguments().any(|arg| arg.get_id() == "config");
        let reads_one = command.get_arguments().any(|arg| arg.get_env().is_some());
        let own = (takes_one && !reads_one).then(|| command.get_name().to_owned());
        own.into_iter().chain(command.get_subcommands().flat_map(without_a_table)).collect()
    }

    #[test]
    fn each_command_with_a_config_file_reads_its_table() {
        assert_eq!(without_a_table(&command()), [""; 0]);
    }

    #[track_caller]
    fn check(word: &str, expected: Option<&str>) {
        let keys = ["host", "port", "manifest-stale-seconds", "max-files-per-session"];
        assert_eq!(nearest(word, keys.into_iter()), expected);
    }

    #[test]
    fn a_typo_is_recognized() {
        check("prot", Some("port"));
        check("Host", Some("host"));
        check("manifest_stale_seconds", Some("manifest-stale-seconds"));
        check("max-file-per-session", Some("max-files-per-session"));
        check("colour", None);
        check("", None);
    }

    #[test]
    fn the_config_file_is_found_on_the_command_line() {
        let find = |line: &str| {
            let args: Vec<_> = line.split(' ').map(OsString::from).collect();
            config_path(&args).map(|path| path.display().to_string())
        };
        assert_eq!(find("liverysync server --config a.toml").as_deref(), Some("a.toml"));
        assert_eq!(find("liverysync scan x --config=a.toml").as_deref(), Some("a.toml"));
        assert_eq!(find("liverysync scan -- --config=a.toml"), None);
        assert_eq!(find("liverysync backups list --config a.toml").as_deref(), Some("a.toml"));
        assert_eq!(find("liverysync league own L M --config a.toml").as_deref(), Some("a.toml"));
        assert_eq!(find("liverysync demo --config=a.toml"), None);
        assert_eq!(find("liverysync server --config a.toml --help"), None);
        assert_eq!(find("liverysync"), None);
    }
}

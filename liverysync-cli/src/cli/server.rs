//! Options of `liverysync server`.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use clap::Args;
use liverysync::{
    DEFAULT_PORT, Extensions, Naming, Policy, Scope, Server, ServerBuilder, Updates,
    league::Setting,
};

use super::{
    groups::{DetailArgs, OutputArgs, RuleArgs, SpeedArgs},
    values::{one_of, parse_suffix},
};
use crate::units::{parse_bytes, parse_count, parse_seconds, parse_size};

const SETTINGS: &str = "Settings of a new league (later: liverysync league set)";

#[derive(Debug, Args)]
#[command(mut_arg("extensions", |arg| arg.help_heading(SETTINGS)))]
pub(crate) struct ServerArgs {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub(crate) host: String,
    /// TCP port to listen on; 0 picks a free one
    #[arg(long, default_value_t = DEFAULT_PORT, value_name = "PORT")]
    pub(crate) port: u16,
    /// Folder for the league database and the store, created if missing; with it a restarted server still has every
    /// livery [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Disk space for liveries kept for later drivers, such as 8GiB; the least recently needed are removed first. 0 keeps
    /// a file only while someone is downloading it
    #[arg(long, default_value = "8GiB", value_name = "SIZE", value_parser = parse_size)]
    store_size: u64,
    /// Disk space for files on their way from one driver to the others, regardless of --store-size
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = parse_bytes)]
    spool_size: u64,
    /// Check every file of the store, remove damaged ones and exit: with 0 if all were intact, else with 1. Stop the
    /// server first
    #[arg(long)]
    pub(crate) verify_store: bool,
    /// File with the names of the liveries to distribute, one per line; `#` begins a comment, `\#` a name that begins with
    /// `#`. It is read again when it changes. An empty file allows all liveries
    #[arg(long, value_name = "FILE")]
    pub(crate) allow_list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) detail: DetailArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    #[command(flatten)]
    limits: ServerLimits,
}

/// Settings of a new league. Each is given only if the admin named it: a league that has settings keeps its own.
#[derive(Debug, Args)]
#[command(next_help_heading = SETTINGS)]
struct SettingArgs {
    /// Text between the name and the digits of a conflict copy [default: __CONFLICT__]
    #[arg(long, value_name = "TEXT", value_parser = parse_suffix)]
    conflict_suffix: Option<String>,
    /// Scope of a conflict: `file` keeps only the file beside the established one; `livery` keeps the whole livery in a
    /// separate folder, so that two liveries with one name do not mix [default: file]
    #[arg(long, value_name = "SCOPE", value_parser = one_of(Scope::WORDS))]
    conflict_scope: Option<Scope>,
    /// Rule for a name that several drivers publish at the same moment; a file that the league already has always keeps it
    /// [default: established]
    #[arg(long, value_name = "POLICY", value_parser = one_of(Policy::WORDS))]
    conflict_policy: Option<Policy>,
    /// Members who may change a livery: `anyone` who edits what they had in sync, or only its `owner`. An edit or addition by
    /// anybody else becomes a conflict copy. `owner` needs --data [default: owner with --data, else anyone]
    #[arg(long, value_name = "RULE", value_parser = one_of(Updates::WORDS))]
    updates: Option<Updates>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and timers (0 never means unlimited)")]
struct ServerLimits {
    /// Maximum number of files in one session
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = parse_count)]
    max_files_per_session: usize,
    /// Maximum number of sessions per client and direction; small files may use up to 24
    #[arg(long, default_value_t = 4, value_name = "N", value_parser = parse_count)]
    max_sessions_per_client: usize,
    /// Maximum number of sessions in all
    #[arg(long, default_value_t = 1024, value_name = "N", value_parser = parse_count)]
    max_sessions: usize,
    /// Ask an old client for its list of files again after this time
    #[arg(long, default_value = "15", value_name = "SECONDS", value_parser = parse_seconds)]
    manifest_stale_seconds: Duration,
    /// Look for work at least this often
    #[arg(long, default_value = "1", value_name = "SECONDS", value_parser = parse_seconds)]
    scheduler_tick_seconds: Duration,
    /// Close a connection that does not introduce itself within this time
    #[arg(long, default_value = "10", value_name = "SECONDS", value_parser = parse_seconds)]
    hello_timeout_seconds: Duration,
    /// Disconnect a client that is silent for this long
    #[arg(long, default_value = "90", value_name = "SECONDS", value_parser = parse_seconds)]
    silence_timeout_seconds: Duration,
    /// Give up on a client that does not begin the first file it was asked for within this time
    #[arg(long, default_value = "60", value_name = "SECONDS", value_parser = parse_seconds)]
    first_file_timeout_seconds: Duration,
    /// End a session that makes no progress for this long
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = parse_seconds)]
    stall_timeout_seconds: Duration,
}

impl ServerArgs {
    /// Returns the configuration of the server.
    pub(crate) fn builder(&self) -> ServerBuilder {
        let (limits, settings) = (&self.limits, &self.settings);
        let rules = self.rules.rules();
        let builder = Server::builder()
            .host(self.host.clone())
            .port(self.port)
            .limits(self.speed.limits())
            .store_bytes_max(self.store_size)
            .spool_bytes_max(self.spool_size)
            .naming(settings.naming(&rules.extensions))
            .policy(settings.conflict_policy.unwrap_or_default())
            .updates(settings.updates.unwrap_or_default())
            .settings_given(self.settings_given())
            .rules(rules)
            .files_per_session_max(limits.max_files_per_session)
            .sessions_per_client_max(limits.max_sessions_per_client)
            .sessions_max(limits.max_sessions)
            .manifest_stale(limits.manifest_stale_seconds)
            .scheduler_tick(limits.scheduler_tick_seconds)
            .hello_timeout(limits.hello_timeout_seconds)
            .silence_timeout(limits.silence_timeout_seconds)
            .first_file_timeout(limits.first_file_timeout_seconds)
            .stall_timeout(limits.stall_timeout_seconds);
        let builder = match &self.allow_list {
            Some(file) => builder.allow_list(file),
            None => builder,
        };
        match &self.data {
            Some(folder) => builder.data(folder),
            None => builder,
        }
    }

    /// Returns the league's settings that the admin named.
    fn settings_given(&self) -> BTreeSet<Setting> {
        let settings = &self.settings;
        let given = [
            (Setting::ConflictSuffix, settings.conflict_suffix.is_some()),
            (Setting::ConflictScope, settings.conflict_scope.is_some()),
            (Setting::ConflictPolicy, settings.conflict_policy.is_some()),
            (Setting::Extensions, self.rules.types.extensions.is_some()),
            (Setting::Updates, settings.updates.is_some()),
        ];
        given.into_iter().filter(|(_, given)| *given).map(|(setting, _)| setting).collect()
    }
}

impl SettingArgs {
    /// Returns how conflict names are made, for files of these types.
    fn naming(&self, extensions: &Extensions) -> Naming {
        let mut naming = Naming::default().with_extensions(extensions.clone());
        if let Some(suffix) = &self.conflict_suffix {
            naming.suffix.clone_from(suffix);
        }
        naming.scope = self.conflict_scope.unwrap_or_default();
        naming
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn defaults_are_those_of_the_library() {
        let Command::Server(args) = Cli::parse_from(["liverysync", "server"]).command else {
            panic!("not the server");
        };
        assert_eq!(format!("{:?}", args.builder()), format!("{:?}", Server::builder()));
    }
}

//! Options that several commands share.

use std::path::{Path, PathBuf};

use clap::Args;
use liverysync::{
    ClientBuilder, DEFAULT_PORT, Extensions, IdentityFile, Limits, LintRules, LiveryGlobs, Naming,
    Role, Rules, read_lint_rules,
};

use super::values::{parse_extensions, parse_shared};
use crate::{
    exit::Failure,
    text::lint,
    units::{Rate, parse_bytes, parse_count, parse_rate},
};

/// Output and config file, for every command that reads settings.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print JSON, one object per line
    #[arg(long)]
    pub(crate) json: bool,
    /// Config file (TOML) with the tables [server] and [client]; the long names of options are its keys
    // Read by `crate::config` before everything else.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Detail, for the commands that leave out what few people need.
#[derive(Debug, Args)]
pub(crate) struct DetailArgs {
    /// Show every file and transfer
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// The server to connect to, for client, status and identity.
#[derive(Debug, Args)]
pub(crate) struct AddressArgs {
    /// Host name or address of the league's server
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    pub(crate) host: String,
    /// TCP port of the server
    #[arg(long, default_value_t = DEFAULT_PORT, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
}

impl AddressArgs {
    /// Returns the server's address as people write it.
    pub(crate) fn text(&self) -> String {
        let Self { host, port } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// The liveries folder, for the commands that work on a driver's PC.
#[derive(Debug, Args)]
pub(crate) struct LiveriesArgs {
    /// Liveries folder [default: the game's, found automatically]
    #[arg(long, value_name = "DIR")]
    liveries: Option<PathBuf>,
}

impl LiveriesArgs {
    /// Returns the folder, if one was given.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.liveries.as_deref()
    }
}

/// The client's state folder, for client, status, scan, ignore, share and identity.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// Folder for the lists of ignored and shared liveries and a scan cache that makes the next start fast [default: the
    /// user's data folder]
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl StateArgs {
    /// Returns the folder that was given, or the user's; `None` if the system names none.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.state.clone().or_else(liverysync::state_folder)
    }
}

/// The driver's identity, for client and status.
#[derive(Debug, Args)]
pub(crate) struct IdentityArgs {
    /// File with your member key, by which leagues recognize you in every folder [default: identity.json in the user's
    /// config folder]
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
}

impl IdentityArgs {
    /// Returns the file that was given, or the user's; `None` if the system names none.
    pub(crate) fn file(&self) -> Option<IdentityFile> {
        self.identity.clone().map(IdentityFile::new).or_else(IdentityFile::of_user)
    }

    /// Has a client use this identity.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        match &self.identity {
            Some(file) => builder.identity(file),
            None => builder,
        }
    }
}

/// The league's rules for lint, for client, scan and lint.
#[derive(Debug, Args)]
pub(crate) struct LintRulesArgs {
    /// The league's rules (TOML) by which liveries are checked: sizes, names and files it allows
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
}

impl LintRulesArgs {
    /// Reads the rules; those of the game without a file.
    pub(crate) fn read(&self) -> Result<LintRules, Failure> {
        self.rules.as_deref().map_or_else(|| Ok(LintRules::default()), read_rules)
    }
}

/// Reads the file with a league's rules.
pub(crate) fn read_rules(file: &Path) -> Result<LintRules, Failure> {
    read_lint_rules(file).map_err(|error| Failure::usage(lint::rules(file, &error)))
}

/// Rules for shared files, for server, client, status and scan.
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    #[command(flatten)]
    pub(crate) types: TypeArgs,
    /// Maximum number of files that one PC may share
    #[arg(long, default_value_t = Rules::default().entries_max, value_name = "N", value_parser = parse_count,
        help_heading = "Limits and timers (0 never means unlimited)")]
    max_entries: usize,
    /// Largest file to share, such as 200MB or 1GiB
    #[arg(long, default_value = "256MiB", value_name = "SIZE", value_parser = parse_bytes,
        help_heading = "Limits and timers (0 never means unlimited)")]
    max_file_size: u64,
}

impl RuleArgs {
    /// Returns the rules, with the game's caches left out.
    pub(crate) fn rules(&self) -> Rules {
        let mut rules = Rules::default();
        rules.extensions = self.types.extensions.clone().unwrap_or_default();
        rules.entries_max = self.max_entries;
        rules.file_bytes_max = self.max_file_size;
        rules
    }
}

/// File types, for every command that tells liveries' files from others.
#[derive(Debug, Args)]
pub(crate) struct TypeArgs {
    /// File types to share, separated by commas [default: dds,jpeg,jpg,json,png,txt]
    #[arg(long, value_name = "LIST", value_parser = parse_extensions)]
    pub(crate) extensions: Option<Extensions>,
}

/// Rules for the files of a PC, for client, status and scan.
#[derive(Debug, Args)]
pub(crate) struct SharedArgs {
    #[command(flatten)]
    rules: RuleArgs,
    /// Share the game's cache files too (decals_0.dds and the like): each PC makes its own, and they are most of a
    /// livery's bytes
    #[arg(long)]
    derived_dds: bool,
}

impl SharedArgs {
    /// Returns the rules.
    pub(crate) fn rules(&self) -> Rules {
        let mut rules = self.rules.rules();
        rules.derived_dds = self.derived_dds;
        rules
    }

    /// Applies these rules to a client.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let rules = self.rules();
        let naming = Naming::default().with_extensions(rules.extensions.clone());
        builder.rules(rules).naming(naming)
    }
}

/// The choice of what a PC shares, for client, status and scan.
#[derive(Debug, Args)]
pub(crate) struct SharingArgs {
    /// Liveries to share although the league does not have them: all, none, or names separated by commas; * matches any
    /// characters, ? matches one, and a ! in front makes an exception. Kept for the next start [default: what was chosen
    /// before; without a choice all, if they are at most 10]
    #[arg(long, value_name = "LIST", value_parser = parse_shared)]
    pub(crate) share: Option<LiveryGlobs>,
    /// Only download: nothing of this PC is shared
    #[arg(long)]
    receive_only: bool,
    /// Only share: nothing is downloaded
    #[arg(long)]
    send_only: bool,
}

impl SharingArgs {
    /// Returns the only role of this PC, if there is one.
    pub(crate) const fn only(&self) -> Option<Role> {
        match (self.receive_only, self.send_only) {
            (true, _) => Some(Role::Target),
            (false, true) => Some(Role::Source),
            (false, false) => None,
        }
    }

    /// Returns whether both directions are excluded.
    pub(crate) const fn exclude_everything(&self) -> bool {
        self.receive_only && self.send_only
    }

    /// Applies the choice to a client.
    pub(crate) fn apply(&self, builder: ClientBuilder) -> ClientBuilder {
        let builder = match &self.share {
            Some(share) => builder.share(share.clone()),
            None => builder,
        };
        match self.only() {
            Some(role) => builder.only(role),
            None => builder,
        }
    }
}

/// Speed limits, for server and client.
#[derive(Debug, Args)]
#[command(next_help_heading = "Speed limits (a change in the config file takes effect at once)")]
pub(crate) struct SpeedArgs {
    /// Maximum speed of outgoing files, over all connections together: bytes per second, or a number with a unit
    /// (500 KB/s, 2MB, 10 Mbit/s; a KB is 1,000 bytes); at least 50 KB/s, or none
    #[arg(long, default_value = "none", value_name = "SPEED", value_parser = parse_rate)]
    limit_up: Rate,
    /// Maximum speed of incoming files, in the same form
    #[arg(long, default_value = "none", value_name = "SPEED", value_parser = parse_rate)]
    limit_down: Rate,
}

impl SpeedArgs {
    /// Returns the limits.
    pub(crate) const fn limits(&self) -> Limits {
        Limits::new(self.limit_up.0, self.limit_down.0)
    }
}

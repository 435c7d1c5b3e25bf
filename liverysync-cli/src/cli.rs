//! All commands and options. Names of options are keys of the config file too: see [`crate::config`].

use std::{path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use liverysync_core::{
    backups::{InvalidSetName, SetName},
    client::ClientConfig,
    conflict::{CONFLICT_SUFFIX, Naming, Policy, Scope},
    league::{Act, Author, InvalidAuthor, Updates},
    path::Extensions,
    select::Rules,
    server::ServerConfig,
};

use liverysync::Limits;

use crate::units::{Rate, parse_bytes, parse_count, parse_rate, parse_seconds, parse_size};

const AFTER_HELP: &str = "\
Every option of server, league, client, status, scan, backups and ignore can also come from a variable (shown beside it) and from a
config file. A flag beats a variable, a variable beats the file.

  [server]                       # for `liverysync server` and `league`
  port = 9239
  allow-list = \"liveries.txt\"    # relative paths start at the config file's folder

  [client]                       # for `liverysync client`, `status`, `scan`, `backups`, `ignore`
  host = \"league.example\"
  name = \"Aoi\"

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 timed out.";

/// Keeps the custom liveries of an Assetto Corsa Competizione league the same on every driver's PC.
#[derive(Debug, Parser)]
#[command(
    name = "liverysync",
    version,
    arg_required_else_help = true,
    subcommand_required = true,
    max_term_width = 100,
    after_help = AFTER_HELP
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the league's server
    #[command(
        after_help = "Prints one line on standard output when it listens: `listening on ADDRESS:PORT`. Logs go to \
            standard error.\nJoining is not protected yet: whoever reaches the port can join and send files."
    )]
    Server(ServerArgs),
    /// Shows and changes what the league has, with the server running or not
    #[command(
        subcommand,
        after_help = "All of them work on the server's data folder, on the machine where it lies. A server that runs does \
            what is asked for at once; without one it is done all the same."
    )]
    League(LeagueCommand),
    /// Keeps this PC's liveries in step with the league
    Client(ClientArgs),
    /// Says whether this PC is in step with the league, what is missing and why, and what to do about conflicts
    #[command(after_help = "It only looks: nothing is changed, and a client that runs goes on.")]
    Status(StatusArgs),
    /// Lists what of a folder would be shared, what would not and why, and the manifest's hash
    Scan(ScanArgs),
    /// Lists what was replaced on this PC, gets it back, and makes room
    #[command(subcommand)]
    Backups(BackupsCommand),
    /// Says which liveries this PC does not want
    #[command(
        subcommand,
        after_help = "What is ignored is neither fetched nor shared, and what lies here of it stays as it is. A GLOB is the \
            name of a livery, in upper or lower case; * stands for any characters, ? for one. A client that runs \
            notices the change within a second."
    )]
    Ignore(IgnoreCommand),
    /// Shows a server and three drivers at work on this PC, in a temporary folder
    #[command(
        after_help = "It makes its own liveries and touches nothing else. At the end it compares what everybody has, \
            byte for byte."
    )]
    Demo(DemoArgs),
    /// Prints the completions of a shell
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// Config file (TOML): the table [server] or [client] with the long names of options as keys
    // Read by `crate::config` before everything else.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// Address to listen on
    #[arg(long, default_value = "0.0.0.0", value_name = "ADDRESS")]
    pub(crate) host: String,
    /// TCP port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 9239, value_name = "PORT")]
    pub(crate) port: u16,
    /// Folder in which the server keeps the files that it has got, so that it needs nobody for them after a
    /// restart either; it is made [default: a temporary folder that goes when the server ends]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How much it may keep for those who come later, with or without a unit; what was needed least recently goes
    /// first. 0: nothing is kept longer than somebody waits for it
    #[arg(long, default_value = "8GiB", value_name = "SIZE", value_parser = parse_size)]
    store_size: u64,
    /// How much may lie there in any case, on its way from one driver to the others
    #[arg(long, default_value = "1GiB", value_name = "SIZE", value_parser = parse_bytes)]
    spool_size: u64,
    /// Check all that lies in the data folder, remove what is damaged, and end: with exit code 0 if all was right,
    /// 1 if not. No server may use the folder meanwhile
    #[arg(long)]
    pub(crate) verify_store: bool,
    /// File with the names of the liveries that are distributed, one per line; a line that begins
    /// with `#` is a comment, and a name that does is written `\#...`; read again when it changes; absent or empty allows all
    #[arg(long, value_name = "FILE")]
    pub(crate) allow_list: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// What stands between the name and the digits of a conflict copy
    #[arg(long, default_value = CONFLICT_SUFFIX, value_name = "TEXT", value_parser = parse_suffix)]
    pub(crate) conflict_suffix: String,
    /// What becomes a conflict copy: the file alone, beside what is established, or all of the livery that it belongs
    /// to, in a folder of its own, so that two liveries of one name are not mixed, even if none of their files collides
    #[arg(long, default_value = word(Scope::WORDS, Scope::default()), value_name = "SCOPE",
        value_parser = one_of(Scope::WORDS))]
    pub(crate) conflict_scope: Scope,
    /// Who keeps a name when several drivers bring different files under it at once; a file that is
    /// established always keeps it
    #[arg(long, default_value = word(Policy::WORDS, Policy::default()), value_name = "POLICY",
        value_parser = one_of(Policy::WORDS))]
    pub(crate) conflict_policy: Policy,
    /// Who may change a livery that is established: anyone who edits what he had in step, or of these only its owners;
    /// what others make of it, or add to it, is a conflict copy then; needs --data
    #[arg(long, default_value = word(Updates::WORDS, Updates::default()), value_name = "RULE",
        value_parser = one_of(Updates::WORDS))]
    pub(crate) updates: Updates,
    /// Print one JSON object per event
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    #[command(flatten)]
    pub(crate) limits: ServerLimits,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and timers (0 never means unlimited)")]
pub(crate) struct ServerLimits {
    /// Most files of one session
    #[arg(long, default_value_t = server().files_per_session_max, value_name = "N", value_parser = parse_count)]
    max_files_per_session: usize,
    /// Most sessions that one client takes part in at a time
    #[arg(long, default_value_t = server().sessions_per_client_max, value_name = "N", value_parser = parse_count)]
    max_sessions_per_client: usize,
    /// Most sessions at a time in all
    #[arg(long, default_value_t = server().sessions_max, value_name = "N", value_parser = parse_count)]
    max_sessions: usize,
    /// After how long a client of the old kind is asked again what it has
    #[arg(long, default_value = seconds(server().manifest_stale), value_name = "SECONDS", value_parser = parse_seconds)]
    manifest_stale_seconds: Duration,
    /// How often the scheduler looks for work that nothing else told it of
    #[arg(long, default_value = seconds(server().scheduler_tick), value_name = "SECONDS", value_parser = parse_seconds)]
    scheduler_tick_seconds: Duration,
    /// How long a connection may last before it introduces itself
    #[arg(long, default_value = seconds(server().hello_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    hello_timeout_seconds: Duration,
    /// How long a client may be silent
    #[arg(long, default_value = seconds(server().silence_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    silence_timeout_seconds: Duration,
    /// How long a client may take until the first file that it was asked for
    #[arg(long, default_value = seconds(server().first_file_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    first_file_timeout_seconds: Duration,
    /// How long a session may go without progress
    #[arg(long, default_value = seconds(server().stall_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    stall_timeout_seconds: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// Host name or address of the league's server
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    pub(crate) host: String,
    /// TCP port of the server
    #[arg(long, default_value_t = 9239, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// What others call this PC [default: the host name]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    pub(crate) name: Option<String>,
    /// The liveries folder [default: the game's, wherever it is]
    #[arg(long, value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    /// Where to keep what the files hold, so that the next start reads only those that have changed,
    /// and the key by which the league knows this PC again
    /// [default: the user's data folder of this PC]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// End as soon as this PC holds all liveries and nobody needs anything more from it
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once or --dry-run: give up after so long, with exit code 3
    #[arg(long, value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Option<Duration>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) derived: DerivedArgs,
    /// Print one JSON object per event
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
    #[command(flatten)]
    pub(crate) speed: SpeedArgs,
    #[command(flatten)]
    pub(crate) limits: ClientLimits,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Limits and timers (0 never means unlimited)")]
pub(crate) struct ClientLimits {
    /// How often the folder is looked through even if nothing seems to have changed
    #[arg(long, default_value = seconds(client().rescan), value_name = "SECONDS", value_parser = parse_seconds)]
    rescan_seconds: Duration,
    /// How long a file must have kept still before it is shared; the rest of its livery waits for it, for at most 10 s
    #[arg(long, default_value = seconds(client().settle), value_name = "SECONDS", value_parser = parse_seconds)]
    settle_seconds: Duration,
    /// First wait before connecting again; it doubles each time
    #[arg(long, default_value = seconds(client().retry_first), value_name = "SECONDS", value_parser = parse_seconds)]
    retry_first_seconds: Duration,
    /// Longest wait before connecting again
    #[arg(long, default_value = seconds(client().retry_cap), value_name = "SECONDS", value_parser = parse_seconds)]
    retry_max_seconds: Duration,
    /// How long the server may be silent
    #[arg(long, default_value = seconds(client().silence_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    silence_timeout_seconds: Duration,
    /// How long to wait for a file from an old server
    #[arg(long, default_value = seconds(client().stall_timeout), value_name = "SECONDS", value_parser = parse_seconds)]
    stall_timeout_seconds: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Host name or address of the league's server
    #[arg(long, default_value = "127.0.0.1", value_name = "HOST")]
    pub(crate) host: String,
    /// TCP port of the server
    #[arg(long, default_value_t = 9239, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) port: u16,
    /// The liveries folder [default: the game's, wherever it is]
    #[arg(long, value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    /// Where the client keeps what it remembers [default: the user's data folder of this PC]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Give up after so long, with exit code 3
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = parse_seconds)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) derived: DerivedArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// The liveries folder [default: the game's, wherever it is]
    #[arg(value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    #[command(flatten)]
    pub(crate) derived: DerivedArgs,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BackupsCommand {
    /// Lists the sets of backups, the newest first
    List(BackupsListArgs),
    /// Lists the files of a set, and whether the same lies in place now
    Show(BackupsShowArgs),
    /// Puts files of a set back in place; what they replace goes to a new set
    Restore(BackupsRestoreArgs),
    /// Removes old backups, but never the last copy of anything
    #[command(
        after_help = "A file goes only if the same content lies in place or in another backup that stays. What is younger \
            than an hour stays in any case."
    )]
    Prune(BackupsPruneArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BackupsListArgs {
    /// Livery or path of a file: only what concerns it
    #[arg(value_name = "LIVERY|PATH")]
    pub(crate) wanted: Option<String>,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsShowArgs {
    /// The set, as `liverysync backups list` names it
    #[arg(value_parser = parse_set)]
    pub(crate) set: SetName,
    /// Livery or path of a file: only that
    #[arg(value_name = "PATH")]
    pub(crate) wanted: Option<String>,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsRestoreArgs {
    /// The set, as `liverysync backups list` names it
    #[arg(value_parser = parse_set)]
    pub(crate) set: SetName,
    /// Liveries and paths of files [default: the whole set]
    #[arg(value_name = "LIVERY|PATH")]
    pub(crate) wanted: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BackupsPruneArgs {
    /// Remove what is so many days old or older
    #[arg(long, value_name = "N", value_parser = parse_count)]
    pub(crate) keep_days: Option<usize>,
    /// Remove the oldest until the rest has at most so many bytes, with or without a unit: 5GB; 0 keeps only what must
    /// not go
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) keep_bytes: Option<u64>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: BackupsArgs,
}

/// What all commands for backups share.
#[derive(Debug, Args)]
pub(crate) struct BackupsArgs {
    /// The liveries folder [default: the game's, wherever it is]
    #[arg(long, value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum IgnoreCommand {
    /// Ignores liveries from now on
    Add(IgnoreChangeArgs),
    /// Wants liveries again: what the league has of them comes
    Remove(IgnoreChangeArgs),
    /// Lists what is ignored
    List(IgnoreArgs),
}

#[derive(Debug, Args)]
pub(crate) struct IgnoreChangeArgs {
    /// Names of liveries, in which * stands for any characters and ? for one
    #[arg(value_name = "GLOB", required = true)]
    pub(crate) globs: Vec<String>,
    #[command(flatten)]
    pub(crate) common: IgnoreArgs,
}

/// What all commands about ignored liveries share.
#[derive(Debug, Args)]
pub(crate) struct IgnoreArgs {
    /// The liveries folder [default: the game's, wherever it is]
    #[arg(long, value_name = "DIR")]
    pub(crate) liveries: Option<PathBuf>,
    /// Where the client keeps what it remembers [default: the user's data folder of this PC]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LeagueCommand {
    /// Says how the league stands
    Status(LeagueArgs),
    /// Lists who has been here, with what they hold
    Members(LeagueArgs),
    /// Lists all liveries, also those that were retired
    Liveries(LeagueArgs),
    /// Lists what a livery has been, the newest first
    History(LeagueHistoryArgs),
    /// Lists the names that several contents claim
    Conflicts(LeagueArgs),
    /// Of the contents that claim a name one keeps it, and the others go into .backup
    Resolve(LeagueResolveArgs),
    /// Gives a livery another name, on every PC
    Rename(LeagueRenameArgs),
    /// Takes liveries out of the league: on every PC they go into .backup
    Retire(LeagueRetireArgs),
    /// Makes a livery again what it was
    Restore(LeagueRestoreArgs),
    /// Lets a member update a livery where only owners may (`server --updates owner`)
    Own(LeagueOwnArgs),
    /// Makes a damaged memory of the league anew from all that can be read of it; no server may run meanwhile
    Rebuild(LeagueArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LeagueHistoryArgs {
    /// The livery's folder
    pub(crate) livery: String,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueResolveArgs {
    /// The name, such as Team/decals.png
    #[arg(value_name = "PATH")]
    pub(crate) path: String,
    /// Which content stays: the first digits of its SHA-256, as `liverysync league conflicts` shows them, or `none` where nothing has the
    /// name, and that is how it is to be
    #[arg(long, value_name = "HASH")]
    pub(crate) keep: String,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRenameArgs {
    /// The livery's folder
    pub(crate) livery: String,
    /// How it is to be called
    pub(crate) new: String,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRetireArgs {
    /// The liveries' folders
    #[arg(value_name = "LIVERY", required = true)]
    pub(crate) retired: Vec<String>,
    /// Say that this is meant even if it is more than 30 % of all liveries
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueRestoreArgs {
    /// The livery's folder
    pub(crate) livery: String,
    /// Which version: the first digits of its hash, as `liverysync league history` shows them [default: the one before
    /// it was retired]
    #[arg(long, value_name = "HASH")]
    pub(crate) version: Option<String>,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LeagueOwnArgs {
    /// The livery's folder
    pub(crate) livery: String,
    /// The member: the 16 digits that `liverysync league members` shows
    #[arg(value_parser = parse_member)]
    pub(crate) member: Author,
    #[command(flatten)]
    pub(crate) common: LeagueArgs,
}

/// What all commands for a league share.
#[derive(Debug, Args)]
pub(crate) struct LeagueArgs {
    /// The server's data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// What stands between the name and the digits of a conflict copy, as the server has it
    #[arg(long, default_value = CONFLICT_SUFFIX, value_name = "TEXT", value_parser = parse_suffix)]
    conflict_suffix: String,
    /// What becomes a conflict copy, as the server has it
    #[arg(long, default_value = word(Scope::WORDS, Scope::default()), value_name = "SCOPE",
        value_parser = one_of(Scope::WORDS))]
    conflict_scope: Scope,
    /// Types of the files that are shared, as the server has them
    #[arg(long, default_value_t, value_name = "LIST", value_parser = parse_extensions)]
    extensions: Extensions,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    _config: ConfigFile,
}

impl LeagueArgs {
    /// How the server makes conflict names.
    pub(crate) fn naming(&self) -> Naming {
        Naming {
            suffix: self.conflict_suffix.clone(),
            extensions: self.extensions.clone(),
            scope: self.conflict_scope,
        }
    }
}

impl LeagueCommand {
    /// What all commands share.
    pub(crate) const fn common(&self) -> &LeagueArgs {
        match self {
            Self::Status(common)
            | Self::Members(common)
            | Self::Liveries(common)
            | Self::Conflicts(common)
            | Self::Rebuild(common)
            | Self::History(LeagueHistoryArgs { common, .. })
            | Self::Resolve(LeagueResolveArgs { common, .. })
            | Self::Rename(LeagueRenameArgs { common, .. })
            | Self::Retire(LeagueRetireArgs { common, .. })
            | Self::Restore(LeagueRestoreArgs { common, .. })
            | Self::Own(LeagueOwnArgs { common, .. }) => common,
        }
    }

    /// What is to be done, for a command that changes the league.
    pub(crate) fn act(&self) -> Option<Act> {
        Some(match self {
            Self::Resolve(LeagueResolveArgs { path, keep, .. }) => {
                Act::Resolve { path: path.clone(), keep: keep.clone() }
            }
            Self::Rename(LeagueRenameArgs { livery, new, .. }) => {
                Act::Rename { livery: livery.clone(), new: new.clone() }
            }
            Self::Retire(LeagueRetireArgs { retired, yes, .. }) => {
                Act::Retire { liveries: retired.clone(), yes: *yes }
            }
            Self::Restore(LeagueRestoreArgs { livery, version, .. }) => {
                Act::Restore { livery: livery.clone(), version: version.clone() }
            }
            Self::Own(LeagueOwnArgs { livery, member, .. }) => {
                Act::Own { livery: livery.clone(), member: *member }
            }
            _ => return None,
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Leave the folders, and say where they are
    #[arg(long)]
    pub(crate) keep: bool,
}

/// Which files are shared: for server, client and scan.
#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// Types of the files that are shared, separated by commas
    #[arg(long, default_value_t, value_name = "LIST", value_parser = parse_extensions)]
    extensions: Extensions,
    /// Most files that one PC may share
    #[arg(long, default_value_t = Rules::default().entries_max, value_name = "N", value_parser = parse_count,
        help_heading = "Limits and timers (0 never means unlimited)")]
    max_entries: usize,
    /// Largest file, with or without a unit: 1TiB, 200MB
    #[arg(long, default_value = "1TiB", value_name = "SIZE", value_parser = parse_bytes,
        help_heading = "Limits and timers (0 never means unlimited)")]
    max_file_size: u64,
}

/// How fast files may travel: for server and client.
#[derive(Debug, Args)]
#[command(next_help_heading = "Speed (may change in the config file while the program runs)")]
pub(crate) struct SpeedArgs {
    /// Most that files may take of the line outwards, over all connections together: a number of bytes per second, or
    /// one with a unit of bytes or bits (500 KB/s, 2MB, 10 Mbit/s; a KB has 1,000 bytes); at least 50 KB/s, or none
    #[arg(long, default_value = "none", value_name = "SPEED", value_parser = parse_rate)]
    limit_up: Rate,
    /// The same for what comes in
    #[arg(long, default_value = "none", value_name = "SPEED", value_parser = parse_rate)]
    limit_down: Rate,
}

impl SpeedArgs {
    pub(crate) const fn limits(&self) -> Limits {
        Limits { up: self.limit_up.0, down: self.limit_down.0 }
    }
}

/// Which files are shared: for client and scan.
#[derive(Debug, Args)]
pub(crate) struct DerivedArgs {
    /// Share the game's own cache files too (decals_0.dds and the like); every PC makes them anew from the
    /// picture, and they are most of a livery's bytes
    #[arg(long)]
    derived_dds: bool,
}

impl RuleArgs {
    /// What is shared, with or without the game's caches.
    pub(crate) fn rules(&self, derived: Option<&DerivedArgs>) -> Rules {
        let defaults = Rules::default();
        Rules {
            extensions: self.extensions.clone(),
            derived_dds: derived.map_or(defaults.derived_dds, |args| args.derived_dds),
            entries_max: self.max_entries,
            file_bytes_max: self.max_file_size,
            ..defaults
        }
    }
}

impl RuleArgs {
    /// What a client's machine has to know of them.
    pub(crate) fn client(&self, derived: &DerivedArgs) -> ClientConfig {
        let (rules, defaults) = (self.rules(Some(derived)), client());
        let naming = Naming { extensions: rules.extensions.clone(), ..defaults.naming };
        ClientConfig { rules, naming, ..defaults }
    }
}

impl ServerArgs {
    /// What the core has to know.
    pub(crate) fn core(&self) -> ServerConfig {
        let limits = &self.limits;
        let rules = self.rules.rules(None);
        ServerConfig {
            files_per_session_max: limits.max_files_per_session,
            sessions_per_client_max: limits.max_sessions_per_client,
            sessions_max: limits.max_sessions,
            store_bytes_max: self.store_size,
            spool_bytes_max: self.spool_size,
            manifest_stale: limits.manifest_stale_seconds,
            scheduler_tick: limits.scheduler_tick_seconds,
            naming: Naming {
                suffix: self.conflict_suffix.clone(),
                extensions: rules.extensions.clone(),
                scope: self.conflict_scope,
            },
            policy: self.conflict_policy,
            updates: self.updates,
            rules,
            hello_timeout: limits.hello_timeout_seconds,
            silence_timeout: limits.silence_timeout_seconds,
            first_file_timeout: limits.first_file_timeout_seconds,
            stall_timeout: limits.stall_timeout_seconds,
            ..server()
        }
    }
}

impl ClientArgs {
    /// What the core has to know.
    pub(crate) fn core(&self) -> ClientConfig {
        let limits = &self.limits;
        ClientConfig {
            name: self.name.clone().unwrap_or_else(crate::cmd::host_name),
            settle: limits.settle_seconds,
            rescan: limits.rescan_seconds,
            retry_first: limits.retry_first_seconds,
            retry_cap: limits.retry_max_seconds,
            silence_timeout: limits.silence_timeout_seconds,
            stall_timeout: limits.stall_timeout_seconds,
            dry_run: self.dry_run,
            ..self.rules.client(&self.derived)
        }
    }
}

fn server() -> ServerConfig {
    ServerConfig::default()
}

fn client() -> ClientConfig {
    ClientConfig::default()
}

fn seconds(duration: Duration) -> String {
    duration.as_secs_f64().to_string()
}

/// The word for one of several choices.
fn word<T: Copy + PartialEq, const N: usize>(
    words: [(&'static str, T); N],
    choice: T,
) -> &'static str {
    words.iter().find(|(_, one)| *one == choice).map_or("", |(word, _)| *word)
}

/// Reads the word for one of several choices.
fn one_of<T: Copy + Default + Send + Sync + 'static, const N: usize>(
    words: [(&'static str, T); N],
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(words.map(|(word, _)| word)).map(move |given| {
        let known = words.iter().find(|(word, _)| *word == given);
        known.map_or_else(T::default, |(_, choice)| *choice)
    })
}

fn parse_extensions(text: &str) -> Result<Extensions, String> {
    let list = text.split(',').map(str::trim).filter(|extension| !extension.is_empty());
    let extensions = Extensions::from_list(list).map_err(|error| error.to_string())?;
    if extensions.iter().next().is_none() {
        return Err("an empty list would share nothing at all".to_owned());
    }
    Ok(extensions)
}

fn parse_name(text: &str) -> Result<String, String> {
    let name = ClientConfig::check_name(text).map_err(|error| error.to_string())?;
    Ok(name.to_owned())
}

fn parse_set(text: &str) -> Result<SetName, InvalidSetName> {
    text.parse()
}

fn parse_member(text: &str) -> Result<Author, InvalidAuthor> {
    text.parse()
}

fn parse_suffix(text: &str) -> Result<String, String> {
    let naming = Naming::new(text, Extensions::default()).map_err(|error| error.to_string())?;
    Ok(naming.suffix)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_options_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn defaults_are_those_of_the_core() {
        let Command::Server(args) = Cli::parse_from(["liverysync", "server"]).command else {
            panic!("not the server");
        };
        assert_eq!(format!("{:?}", args.core()), format!("{:?}", ServerConfig::default()));
        let Command::Client(args) =
            Cli::parse_from(["liverysync", "client", "--name", "Aoi"]).command
        else {
            panic!("not the client");
        };
        let expected = ClientConfig { name: "Aoi".to_owned(), ..ClientConfig::default() };
        assert_eq!(format!("{:?}", args.core()), format!("{expected:?}"));
    }

    #[test]
    fn a_conflict_suffix_must_be_fit_for_a_file_name() {
        assert!(parse_suffix("__CONFLICT__").is_ok());
        for wrong in ["", "/", "a/b", "\\", "?", ":", "\u{202e}", "..\u{7}"] {
            assert!(parse_suffix(wrong).is_err(), "{wrong:?}");
        }
    }
}
